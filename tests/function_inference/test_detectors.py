"""Frames of videos and images, the detectors' common interface, and the error line for each package that is missing."""
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.errors import InputError
from function_inference import detectors
from function_inference.detectors import DETECTORS, Clip, detect_people, frame_times, is_clip, open_clip
from function_inference.keypoint_formats import COCO_17, HALPE_26
from places import ROOT

WIDTH, HEIGHT, FRAMES, FPS = 64, 48, 5, 20
RED, BLUE = (220, 30, 30), (30, 30, 220)


def picture(left=RED, right=BLUE):
    """(HEIGHT, WIDTH, 3): one colour on the left, another on the right."""
    image = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    image[:, :WIDTH // 2], image[:, WIDTH // 2:] = left, right
    return image


def save(path, image, **options):
    Image.fromarray(image).save(path, **options)
    return path


@pytest.fixture
def video(tmp_path):
    """A video of FRAMES frames, red on the left and blue on the right, but black and white in the last."""
    imageio_ffmpeg = pytest.importorskip('imageio_ffmpeg')
    path = tmp_path / 'clip.mp4'
    writer = imageio_ffmpeg.write_frames(str(path), (WIDTH, HEIGHT), fps=FPS, macro_block_size=2)
    writer.send(None)
    for frame in range(FRAMES):
        writer.send(picture() if frame < FRAMES - 1 else picture((0, 0, 0), (255, 255, 255)))
    writer.close()
    return path


# frames

def use_library(monkeypatch, library):
    """Read videos with the installed 'cv2' or 'imageio_ffmpeg', or with a stand-in for cv2."""
    if library in ('cv2', 'imageio_ffmpeg'):
        pytest.importorskip(library)
        for other in {'cv2', 'imageio_ffmpeg'} - {library}:
            monkeypatch.setitem(sys.modules, other, None)
    else:
        monkeypatch.setitem(sys.modules, 'cv2', library)


def colours(frame):
    return [frame[HEIGHT // 2, x].astype(int) for x in (WIDTH // 4, 3 * WIDTH // 4)]


@pytest.mark.parametrize('library', ['cv2', 'imageio_ffmpeg'])
def test_a_video_is_read_frame_by_frame_as_rgb(library, video, monkeypatch):
    use_library(monkeypatch, library)
    clip = open_clip(video)
    assert (clip.width, clip.height, clip.count) == (WIDTH, HEIGHT, FRAMES) and clip.fps == pytest.approx(FPS)
    for _ in range(2):       # from the start each time
        frames = list(clip.read())
        assert len(frames) == FRAMES and {frame.shape for frame in frames} == {(HEIGHT, WIDTH, 3)}
        assert frames[0].dtype == np.uint8
        np.testing.assert_allclose(colours(frames[0]), (RED, BLUE), atol=25)
        np.testing.assert_allclose(colours(frames[-1]), ((0,) * 3, (255,) * 3), atol=25)


class OpenCV:
    """A stand-in for the module cv2 that reads with imageio-ffmpeg; `auto`: whether it turns frames upright by default."""

    CAP_PROP_FRAME_COUNT, CAP_PROP_FPS, CAP_PROP_ORIENTATION_AUTO, CAP_PROP_ORIENTATION_META = range(4)
    CAP_PROP_POS_MSEC = 4

    def __init__(self, auto=False, rotation=0, can_set=True, times_ms=(0, 50, 100, 150, 200), count=FRAMES):
        self.auto, self.can_set, self.times_ms = auto, can_set, times_ms
        self.values = {self.CAP_PROP_FRAME_COUNT: count, self.CAP_PROP_FPS: FPS, self.CAP_PROP_ORIENTATION_META: rotation}

    def VideoCapture(self, path):
        return Capture(self, path)


class Capture:
    """The stand-in's cv2.VideoCapture."""

    def __init__(self, opencv, path):
        self.opencv, self.path, self.auto, self.frames = opencv, path, opencv.auto, None
        self.number = -1

    def set(self, name, value):
        assert name == self.opencv.CAP_PROP_ORIENTATION_AUTO
        self.auto = bool(value) if self.opencv.can_set else self.auto
        return self.opencv.can_set

    def get(self, name):
        if name == self.opencv.CAP_PROP_POS_MSEC:
            return float(self.opencv.times_ms[self.number])
        return float(self.opencv.values[name])

    def read(self):
        self.frames = self.frames or self._decoded()
        frame = next(self.frames, None)
        self.number += 1
        return frame is not None, frame

    def _decoded(self):
        import imageio_ffmpeg
        frames = imageio_ffmpeg.read_frames(self.path, input_params=[] if self.auto else ['-noautorotate'])
        width, height = next(frames)['size']
        for frame in frames:
            yield np.frombuffer(frame, np.uint8).reshape(height, width, 3)[..., ::-1]

    def release(self):
        if self.frames:
            self.frames.close()


@pytest.fixture
def turned_video(tmp_path):
    """A function that writes a video whose frames are upright only after they are turned clockwise by `rotation` degrees."""
    imageio_ffmpeg = pytest.importorskip('imageio_ffmpeg')

    def write(rotation):
        image = np.ascontiguousarray(np.rot90(picture(), rotation // 90))
        lying, path = tmp_path / 'lying.mp4', tmp_path / 'phone.mp4'
        writer = imageio_ffmpeg.write_frames(str(lying), image.shape[1::-1], fps=FPS, macro_block_size=2)
        writer.send(None)
        for _ in range(FRAMES):
            writer.send(image)
        writer.close()
        subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), '-v', 'error', '-display_rotation', str(-rotation), '-i', lying,
                        '-c', 'copy', path], check=True)
        return path
    return write


@pytest.mark.slow
@pytest.mark.parametrize('rotation', [0, 90, 180, 270])
@pytest.mark.parametrize('version', ['cv2', 'imageio_ffmpeg', 'turns by itself', 'does not turn', 'always turns'])
def test_the_videos_of_a_phone_are_upright_whichever_version_reads_them(version, rotation, turned_video, monkeypatch, caplog):
    path = turned_video(rotation)
    stand_ins = {'turns by itself': OpenCV(True, rotation), 'does not turn': OpenCV(False, rotation),
                 'always turns': OpenCV(True, rotation, can_set=False)}
    use_library(monkeypatch, stand_ins.get(version, version))
    clip = open_clip(path)
    assert (clip.width, clip.height) == (WIDTH, HEIGHT)
    for frame in clip.read():
        np.testing.assert_allclose(colours(frame), (RED, BLUE), atol=25)
    assert version != 'imageio_ffmpeg' or not caplog.records


@pytest.mark.parametrize('library', ['cv2', 'imageio_ffmpeg'])
def test_a_file_that_is_not_a_video_is_refused(library, tmp_path, monkeypatch):
    use_library(monkeypatch, library)
    (tmp_path / 'clip.mp4').write_bytes(b'no film' * 100)
    with pytest.raises(InputError, match='clip.mp4: no frame of this video can be decoded'):
        open_clip(tmp_path / 'clip.mp4')


def test_without_a_library_for_videos_the_error_names_one(tmp_path, monkeypatch):
    for library in ('cv2', 'imageio_ffmpeg'):
        monkeypatch.setitem(sys.modules, library, None)
    (tmp_path / 'clip.mp4').touch()
    with pytest.raises(InputError, match='pip install opencv-python-headless'):
        open_clip(tmp_path / 'clip.mp4')


def test_an_image_is_a_clip_of_one_frame_rotated_by_its_exif_orientation(tmp_path):
    clip = open_clip(save(tmp_path / 'clip.png', picture()))
    assert clip[1:] == (1, None, WIDTH, HEIGHT, [])
    np.testing.assert_array_equal(next(clip.read()), picture())
    turned = Image.Exif()
    turned[0x0112] = 6       # rotate by 90 degrees
    clip = open_clip(save(tmp_path / 'turned.jpg', picture(), exif=turned))
    assert (clip.width, clip.height) == (HEIGHT, WIDTH)
    np.testing.assert_allclose(next(clip.read())[WIDTH // 4, HEIGHT // 2], RED, atol=25)


def test_a_folder_of_images_is_read_in_the_order_of_names(tmp_path):
    for name, shade in (('b.png', 20), ('a.png', 10), ('c.JPG', 30)):
        save(tmp_path / name, np.full((HEIGHT, WIDTH, 3), shade, np.uint8))
    (tmp_path / 'notes.txt').touch()
    clip = open_clip(tmp_path)
    assert clip.count == 3 and [frame[0, 0, 0] for frame in clip.read()] == [10, 20, 30]


def test_numbers_in_the_names_of_images_are_ordered_as_numbers(tmp_path):
    names = ['2 left.png', '10 left.png', 'frame.png', 'frame1.png', 'frame02.png', 'frame3.png', 'frame010.png', 'frame10.png']
    for shade, name in enumerate(names):
        save(tmp_path / name, np.full((HEIGHT, WIDTH, 3), shade, np.uint8))
    assert [frame[0, 0, 0] for frame in open_clip(tmp_path).read()] == [*range(len(names))]


def test_images_that_cannot_be_one_clip_are_refused(tmp_path):
    save(tmp_path / 'a.png', picture())
    save(tmp_path / 'b.png', picture()[:10])
    with pytest.raises(InputError, match='frame 1 is 64x10, but the first is 64x48'):
        list(open_clip(tmp_path).read())
    (tmp_path / 'b.png').write_bytes(b'no image')
    with pytest.raises(InputError, match='b.png cannot be read as an image'):
        list(open_clip(tmp_path).read())
    with pytest.raises(InputError, match='none.mp4 is neither a file nor a folder'):
        open_clip(tmp_path / 'none.mp4')


def test_files_and_folders_of_keypoints_are_not_clips(tmp_path):
    assert is_clip('clip.MP4') and is_clip(Path('clip.jpg'))
    assert not is_clip('clip.json') and not is_clip('clip.npz') and not is_clip(tmp_path)
    save(tmp_path / 'clip_000_rendered.png', picture())
    assert is_clip(tmp_path)
    (tmp_path / 'clip_000_keypoints.json').touch()
    assert not is_clip(tmp_path)


def test_images_beside_other_json_files_are_read_with_a_warning(tmp_path, capsys):
    for number in range(3):
        save(tmp_path / f'{number}.png', picture())
    (tmp_path / '._0.png').write_bytes(b'what a Mac leaves')
    for name in ('settings.json', 'no_keypoints.json'):
        (tmp_path / name).touch()
    assert is_clip(tmp_path) and open_clip(tmp_path).count == 3
    line, = capsys.readouterr().err.splitlines()
    assert line.startswith(f'warning: --input {tmp_path}: the images are read, and not ') and ' and 1 more .json files' in line


# detectors

def clip_of(*frames):
    return Clip(lambda: iter(frames), len(frames), 30., WIDTH, HEIGHT, [])


@pytest.mark.parametrize('keypoint_format', [COCO_17, HALPE_26], ids=['coco17', 'halpe26'])
def test_a_detector_is_a_function_of_a_clip(keypoint_format, monkeypatch):
    def thorough(clip, weights, device):
        for count, frame in enumerate(clip.read()):
            yield np.full((count, len(keypoint_format.joints) if count else 0, 3), frame.mean() + weights, np.float32)

    monkeypatch.setitem(DETECTORS, 'thorough', thorough)
    found = detect_people(clip_of(picture(), picture(), picture()), 'thorough', 'clip.mp4', 3)
    joints = len(keypoint_format.joints)
    assert found.format is keypoint_format and (found.width, found.height, found.fps) == (WIDTH, HEIGHT, 30)
    assert [each.shape for each in found.people] == [(0, joints, 3), (1, joints, 3), (2, joints, 3)]
    assert found.people[2].max() == np.float32(picture().mean() + 3)


@pytest.mark.slow
def test_the_times_of_the_frames_are_those_of_the_file(video, monkeypatch):
    monkeypatch.setitem(sys.modules, 'cv2', OpenCV(times_ms=(40, 80, 300, 340, 400)))
    clip = open_clip(video)
    for _ in range(2):       # they do not pile up
        assert len(list(clip.read())) == FRAMES
        np.testing.assert_allclose(frame_times(clip), [0, .04, .26, .3, .36], atol=1e-9)
    for unknown in ((0,) * 5, (0, 40, 80, 80, 90), (0, 40, float('nan'), 80, 90)):
        monkeypatch.setitem(sys.modules, 'cv2', OpenCV(times_ms=unknown))
        clip = open_clip(video)
        assert len(list(clip.read())) == FRAMES and frame_times(clip) is None


def test_imageio_gives_the_frames_of_a_variable_rate_at_a_constant_one(tmp_path, monkeypatch):
    """One second of 20 frames per second, from the middle of which 10 frames were dropped."""
    imageio_ffmpeg = pytest.importorskip('imageio_ffmpeg')
    use_library(monkeypatch, 'imageio_ffmpeg')
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), '-v', 'error', '-f', 'lavfi', '-i', 'testsrc=size=64x48:rate=20',
                    '-t', '2', '-vf', "select='not(between(n,10,29))'", '-fps_mode', 'vfr', tmp_path / 'clip.mp4'], check=True)
    clip = open_clip(tmp_path / 'clip.mp4')
    assert len(list(clip.read())) / clip.fps == pytest.approx(2, abs=.25) and frame_times(clip) is None


@pytest.mark.parametrize('printed,rate', [(29.97, 30000 / 1001), (23.98, 24000 / 1001), (25, 25), (15.33, 15.33), (30.5, 30.5)])
def test_the_rate_that_ffmpeg_prints_is_taken_as_that_of_television_where_it_is(printed, rate):
    assert detectors._exact_rate(printed) == pytest.approx(rate, abs=1e-9)


@pytest.mark.parametrize('count,warned', [(FRAMES, False), (FRAMES + 1, False), (2 * FRAMES, True), (0, False)])
def test_a_clip_that_ends_before_its_header_says_is_warned_of(count, warned, video, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, 'cv2', OpenCV(count=count))
    monkeypatch.setitem(DETECTORS, 'one', lambda clip, *_: (np.ones((1, 17, 3), np.float32) for _ in clip.read()))
    detect_people(open_clip(video), 'one', 'clip.mp4')
    lines = ['warning: --input clip.mp4: its header says 10 frames, but only 5 can be decoded; the file may be incomplete']
    assert capsys.readouterr().err.splitlines() == lines * warned


def test_a_clip_without_people_is_refused(monkeypatch):
    monkeypatch.setitem(DETECTORS, 'blind', lambda clip, weights, device: (np.zeros((0, 0, 3)) for _ in clip.read()))
    with pytest.raises(InputError, match='--input clip.mp4: blind found no people in 2 frames; try another --detector'):
        detect_people(clip_of(picture(), picture()), 'blind', 'clip.mp4')


@pytest.mark.parametrize('name,package,command', [
    ('mediapipe', 'mediapipe', 'pip install mediapipe==0.10.21 .* numpy < 2'),
    ('rtmpose', 'rtmlib', 'pip install rtmlib onnxruntime')])
def test_without_its_package_the_error_gives_the_command_to_install_it(name, package, command, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=f'{package} cannot be imported .*; install it: {command}'):
        detect_people(clip_of(picture()), name, 'clip.mp4')


def test_mediapipe_finds_no_person_in_a_blank_picture(capfd):
    mediapipe = pytest.importorskip('mediapipe')
    if not hasattr(mediapipe, 'solutions'):
        pytest.skip('this mediapipe carries no model')
    with pytest.raises(InputError, match='mediapipe found no people in 1 frames'):
        detect_people(clip_of(picture()), 'mediapipe', 'clip.mp4')
    assert capfd.readouterr() == ('', '')


NOISY = """
import os, sys, threading, time
import numpy as np
from function_inference.detectors import DETECTORS, Clip, detect_people

def noisy(clip, weights, device):
    thread = threading.Thread(target=lambda: (time.sleep(.05), os.write(2, b'delegate created')))
    thread.start()
    for frame in clip.read():
        os.write(2, b'feedback manager')
        yield np.ones((1, 17, 3), np.float32)
        print('a warning', file=sys.stderr)
    thread.join()

DETECTORS['noisy'] = noisy
detect_people(Clip(lambda: iter([0, 1]), 2, 30., 64, 48, []), 'noisy', 'clip.mp4')
os.write(2, b'end')
"""


@pytest.mark.slow
def test_the_log_of_native_code_is_silenced_but_not_pythons():
    """In a process of its own, as pytest replaces stderr."""
    done = subprocess.run([sys.executable, '-c', NOISY], cwd=ROOT, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ('', 'a warning\na warning\nend')


@pytest.mark.slow
def test_the_progress_bar_is_shown_on_a_terminal():
    pty = pytest.importorskip('pty')
    import fcntl
    import termios
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack('4H', 24, 80, 0, 0))      # tqdm needs a width
    subprocess.run([sys.executable, '-c', NOISY], cwd=ROOT, stdout=theirs, stderr=theirs, check=True)
    os.close(theirs)
    said = os.read(ours, 100_000).decode()
    os.close(ours)
    assert 'detecting with noisy: ' in said and '0/2' in said and 'feedback' not in said and 'delegate' not in said


def test_a_file_that_is_not_a_mediapipe_model_is_refused(tmp_path):
    pytest.importorskip('mediapipe')
    with pytest.raises(InputError, match='none.task is not a pose_landmarker'):
        detect_people(clip_of(picture()), 'mediapipe', 'clip.mp4', tmp_path / 'none.task')
    (tmp_path / 'clip.task').write_text('no model')
    with pytest.raises(InputError, match='MediaPipe cannot load it'):
        detect_people(clip_of(picture()), 'mediapipe', 'clip.mp4', tmp_path / 'clip.task')


# RTMPose, with networks of constant output

BOX = (16, 8, 48, 40)        # of the one person, pixels of the clip
INPUT = dict(yolox=(WIDTH, WIDTH), rtmpose=(128, 96))        # height, width


def constant_network(path, size, **outputs):
    """Write an ONNX file that takes an image of `size` and always returns `outputs`."""
    onnx = pytest.importorskip('onnx')
    from onnx import helper, numpy_helper
    nodes = [helper.make_node('ReduceMax', ['image'], ['greatest'], keepdims=0),
             helper.make_node('Sub', ['greatest', 'greatest'], ['nothing'])]
    nodes += [helper.make_node('Add', [f'{name}_value', 'nothing'], [name]) for name in outputs]
    values = [numpy_helper.from_array(value, f'{name}_value') for name, value in outputs.items()]
    results = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, value.shape) for name, value in outputs.items()]
    image = helper.make_tensor_value_info('image', onnx.TensorProto.FLOAT, (1, 3, *size))
    graph = helper.make_graph(nodes, 'constant', [image], results, values)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=8), str(path))


def write_networks(folder, score):
    """Write a YOLOX that detects BOX with `score`, and an RTMPose that finds joint j at (2 j, 3 j) of its input."""
    constant_network(folder / 'yolox_s.onnx', INPUT['yolox'], boxes=np.array([[[*BOX, score]]], np.float32))
    height, width = INPUT['rtmpose']
    simcc = [np.zeros((1, 17, 2 * side), np.float32) for side in (width, height)]      # two bins a pixel
    for joint in range(17):
        simcc[0][0, joint, 2 * 2 * joint] = simcc[1][0, joint, 2 * 3 * joint] = .75
    constant_network(folder / 'rtmpose_s.onnx', INPUT['rtmpose'], x=simcc[0], y=simcc[1])
    return folder


def test_rtmpose_places_its_joints_in_the_box_of_yolox(tmp_path, capfd):
    pytest.importorskip('rtmlib')
    found = detect_people(clip_of(picture(), picture()), 'rtmpose', 'clip.mp4', write_networks(tmp_path, .9))
    assert found.format is COCO_17 and [each.shape for each in found.people] == [(1, 17, 3)] * 2
    assert capfd.readouterr() == ('', '')
    # rtmlib enlarges the box by 1.25 and widens it to the input's aspect ratio of 3:4
    box_height = 32 * 1.25 * 4 / 3
    scale = box_height / INPUT['rtmpose'][0]
    corner = np.array([32, 24]) - np.array([.75, 1]) * box_height / 2
    np.testing.assert_allclose(found.people[0][0, :, :2], corner + np.arange(17)[:, None] * [2, 3] * scale, atol=1e-3)
    np.testing.assert_allclose(found.people[0][0, :, 2], .75, atol=1e-6)


def test_rtmpose_does_not_take_an_empty_image_for_a_person(tmp_path):
    pytest.importorskip('rtmlib')
    with pytest.raises(InputError, match='rtmpose found no people in 1 frames'):
        detect_people(clip_of(picture()), 'rtmpose', 'clip.mp4', write_networks(tmp_path, .1))


def test_invalid_weights_for_rtmpose_are_refused(tmp_path):
    pytest.importorskip('rtmlib')
    with pytest.raises(InputError, match='is not a folder with one yolox.*onnx and one rtmpose'):
        detect_people(clip_of(picture()), 'rtmpose', 'clip.mp4', tmp_path)
    for name in ('yolox.onnx', 'rtmpose.onnx'):
        (tmp_path / name).write_text('no network')
    with pytest.raises(InputError, match='onnxruntime cannot load it'):
        detect_people(clip_of(picture()), 'rtmpose', 'clip.mp4', tmp_path)


def test_weights_that_cannot_be_downloaded_are_named_and_where_to_put_them(monkeypatch, tmp_path):
    rtmlib = pytest.importorskip('rtmlib')
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    nowhere = dict(det='file:///none/yolox_m.zip', pose='file:///none/rtmpose_m.zip')
    monkeypatch.setitem(rtmlib.Body.MODE, 'balanced', nowhere)
    line = ('not download its weights .*; download file:///none/yolox_m.zip and .* as yolox.onnx and that of the second as '
            'rtmpose.onnx')
    with pytest.raises(InputError, match=line):
        detect_people(clip_of(picture()), 'rtmpose', 'clip.mp4')


def test_importing_the_module_imports_no_optional_package():
    lines = Path(detectors.__file__).read_text().splitlines()
    imported = {line.split()[1].split('.')[0] for line in lines if line.startswith(('import ', 'from '))}
    assert 'numpy' in imported and not imported & {'cv2', 'imageio_ffmpeg', 'mediapipe', 'rtmlib', 'onnxruntime', 'PIL'}

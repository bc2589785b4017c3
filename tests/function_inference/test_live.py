"""Live lifting: causal, one person, complete files at the end however it ends; lines of JSON in and out; any capture."""
import io
import json
import os
import select
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

import run_inference
from common.errors import InputError
from common.skeleton import H36M_16, H36M_17
from function_inference import streams
from function_inference.detectors import DETECTORS, Clip
from function_inference.keypoint_formats import COCO_17, H36M_16_FORMAT
from function_inference.lifting import lift
from function_inference.live import LiveLifter, LivePerson, lift_stream, motion_of_live
from function_inference.streams import StreamFrame, is_stream, stream_of_capture, stream_of_lines
from function_inference.tracks import PATIENCE
from models_baseline import build_lifter
from motions import FACING
from places import ROOT
from refusals import refused
from utils.runs.checkpoint import save_checkpoint

FPS, WIDTH, HEIGHT = 25, 640, 480
WRIST, HIP = H36M_16.joints('LWrist', 'Hip')


def person_px(x=0., confidence=.9):
    """(16, 3): a standing person in pixels, moved to the right by `x`."""
    pixels = FACING[:, :2] * 200 + [320 + x, 240]
    return np.insert(pixels, 2, confidence, axis=1).astype(np.float32)


def steps(live, frames):
    return [live.step(np.asarray(people, np.float32).reshape(-1, 16, 3), number / FPS) for number, people in enumerate(frames)]


# the person

def test_without_smoothing_the_person_is_where_they_are_seen():
    found = steps(LivePerson(.3, 0), [[person_px(4 * frame)] for frame in range(5)])
    for frame, (pose2d_px, guessed, weights) in enumerate(found):
        np.testing.assert_allclose(pose2d_px, person_px(4 * frame)[:, :2], atol=1e-3)
        assert not guessed.any() and np.allclose(weights, .9)


def test_smoothing_uses_the_past_only_and_reduces_noise():
    noise = 3 * np.random.default_rng(0).normal(size=(60, 16, 2))
    frames = [[person_px()] for _ in range(60)]
    for frame, shift in zip(frames, noise):
        frame[0][:, :2] += shift
    found = np.stack([pose for pose, _, _ in steps(LivePerson(.3, .3), frames)])
    shorter = np.stack([pose for pose, _, _ in steps(LivePerson(.3, .3), frames[:30])])
    np.testing.assert_array_equal(found[:30], shorter)
    assert np.abs(np.diff(found[10:], axis=0)).mean() < .5 * np.abs(np.diff(noise[10:], axis=0)).mean()


def test_hidden_joints_move_along_and_are_marked():
    frames = [[person_px(4 * frame)] for frame in range(6)]
    for frame, confidence in ((3, .1), (4, 0)):
        frames[frame][0][WRIST] = 999, 999, confidence
    for frame, (pose2d_px, guessed, weights) in enumerate(steps(LivePerson(.3, 0), frames)):
        np.testing.assert_allclose(pose2d_px, person_px(4 * frame)[:, :2], atol=1e-3)
        assert guessed[WRIST] == (frame in (3, 4)) == (weights[WRIST] == 0)


def test_a_joint_that_was_never_seen_is_guessed_and_nobody_is_none():
    hidden = person_px()
    hidden[WRIST] = 0
    first, (pose2d_px, guessed, _) = steps(LivePerson(.3, 0), [[], [hidden]])
    assert first is None and guessed[WRIST] and np.abs(pose2d_px[WRIST] - person_px()[WRIST, :2]).max() < 60
    legs = np.zeros((16, 3), np.float32)
    legs[H36M_16.joints('LKnee', 'LFoot')] = 100, 100, .9
    assert steps(LivePerson(.3, 0), [[legs]]) == [None]


def test_the_same_person_is_followed_and_another_one_only_after_a_while():
    mine, other = (lambda frame: person_px(2 * frame)), person_px(200, confidence=.7)
    away = [[other]] * (PATIENCE + 2)
    found = steps(LivePerson(.3, 0), [[other, mine(0)], [mine(1), other], *away])
    hips = np.array([pose[HIP, 0] for pose, _, _ in found])
    assert hips[:2].tolist() == [320, 322] and (hips[2:PATIENCE + 3] == 322).all() and hips[-1] == 520
    assert all(guessed.all() for _, guessed, _ in found[2:PATIENCE + 2]) and not found[-1][1].any()


# lines of JSON

def lines(*entries):
    return io.StringIO(''.join(entry if isinstance(entry, str) else json.dumps(entry) + '\n' for entry in entries))


def test_every_kind_of_line_is_one_frame(capsys):
    person = person_px().round(2).tolist()
    entries = (None, [], person, [person, person], dict(people=[dict(keypoints=person)], time=1.5), '{"half\n', [[1, 2]] * 5,
               dict(keypoints=person, time=1), person)
    stream = stream_of_lines(lines(*entries), 'h36m16', (WIDTH, HEIGHT), 10)
    frames = list(stream.frames)
    assert (stream.format, stream.width, stream.height) == (H36M_16_FORMAT, WIDTH, HEIGHT)
    assert [len(frame.people) for frame in frames] == [0, 0, 1, 2, 1, 0, 0, 0, 1]
    assert np.allclose([frame.time for frame in frames], [0, .1, .2, .3, 1.5, 1.6, 1.7, 1.8, 1.9])
    np.testing.assert_allclose(frames[3].people[1], person)
    warnings = capsys.readouterr().err.splitlines()
    assert [warning[:15] for warning in warnings] == ['warning: line 6', 'warning: line 7', 'warning: line 8']
    assert '5 joints instead of 16' in warnings[1] and 'not later' in warnings[2]


def test_the_size_may_stand_in_the_line_and_fractions_become_pixels():
    person = np.random.default_rng(0).uniform(.2, .8, (17, 2)).round(3)
    entry = dict(people=[person.tolist()], width=WIDTH, height=HEIGHT)
    stream = stream_of_lines(lines(entry, entry), 'coco17')
    for frame in stream.frames:
        np.testing.assert_allclose(frame.people[0, :, :2], person * [WIDTH, HEIGHT], rtol=1e-5)
    assert stream.format is COCO_17


@pytest.mark.parametrize('entries,reason', [((), 'nobody was found in the 0 frames'), (([], None), 'nobody was found in the 2'),
                                            ((person_px().tolist(),), 'give --size')])
def test_streams_that_cannot_be_used_are_refused(entries, reason):
    with pytest.raises(InputError, match=reason):
        stream_of_lines(lines(*entries), 'h36m16', fps=10)


@pytest.mark.parametrize('text,expected', [('-', True), ('0', True), ('12', True), ('rtsp://10.0.0.1/live', True),
                                           ('clip.mp4', False), ('a/b', False), ('./0', False), ('2024', False)])
def test_what_a_stream_is(text, expected):
    assert is_stream(text) is expected
    assert isinstance(run_inference.clip_or_stream(text), str) is expected


# any capture

class Capture:
    """What OpenCV's VideoCapture does, with images made here."""
    def __init__(self, count):
        self.images = [np.full((HEIGHT, WIDTH, 3), (number, 0, 200), np.uint8) for number in range(count)]
        self.released = False

    def read(self):
        return (True, self.images.pop(0)) if self.images else (False, None)

    def release(self):
        self.released = True


@pytest.fixture
def detector(monkeypatch):
    """A detector all of whose joints have the image's blue as their coordinates, and which finds nobody if that is 0."""
    def found_in(clip, weights, device):
        for image in clip.read():
            yield np.full((1, 17, 3), image[0, 0, 2], np.float32)[:image[0, 0, 2]]
    monkeypatch.setitem(DETECTORS, 'test', found_in)
    return 'test'


def test_a_capture_is_read_frame_by_frame(detector):
    capture, clock = Capture(4), iter([10, 10.5, 11, 12, 14])
    stream = stream_of_capture(capture, detector, clock=lambda: next(clock))
    assert (stream.width, stream.height) == (WIDTH, HEIGHT) and len(capture.images) == 2      # no frame is read ahead
    frames = list(stream.frames)
    assert [frame.time for frame in frames] == [.5, 1, 2, 4] and capture.released
    assert frames[2].image[0, 0].tolist() == [200, 0, 2] and len(frames[0].people) == 0
    assert stream.format is COCO_17 and (frames[3].people == 3).all()


def test_a_capture_without_frames_or_people_is_refused(detector):
    with pytest.raises(InputError, match='the stream has no frame'):
        stream_of_capture(Capture(0), detector)
    with pytest.raises(InputError, match='nobody was found in the 1 frames'):
        stream_of_capture(Capture(1), detector)


@pytest.fixture
def video(tmp_path):
    """A video of five images at ten frames per second."""
    imageio_ffmpeg = pytest.importorskip('imageio_ffmpeg')
    writer = imageio_ffmpeg.write_frames(str(tmp_path / 'clip.mp4'), (WIDTH, HEIGHT), fps=10)
    writer.send(None)
    for number in range(5):
        writer.send(np.full((HEIGHT, WIDTH, 3), (0, 0, 20 * number), np.uint8))
    writer.close()
    return tmp_path / 'clip.mp4'


@pytest.fixture
def file_stream(video):
    """Its URL, which OpenCV opens like a network stream."""
    pytest.importorskip('cv2')
    return f'file://{video}'


def test_a_file_opened_by_opencv_is_a_stream(detector, file_stream):
    frames = list(stream_of_capture(streams.open_capture(file_stream), detector).frames)
    assert len(frames) == 5 and frames[-1].image.shape == (HEIGHT, WIDTH, 3)


# lifting

@pytest.fixture(scope='module')
def lifter():
    torch.manual_seed(0)
    return build_lifter('mlp', stages=1, dropout=.5)


def lifted(lifter, frames, show=lambda *_: True):
    stream = streams.Stream(iter(frames), H36M_16_FORMAT, WIDTH, HEIGHT)
    live = LiveLifter(lifter, stream, LivePerson(.3, 0), device='cpu')
    return stream, *lift_stream(stream, live, show)


@pytest.fixture(scope='module')
def causal_lifter():
    torch.manual_seed(0)
    return build_lifter('videopose', receptive_field=9, causal=True).eval()


@pytest.mark.parametrize('camera', ['person', 'image'])
@pytest.mark.parametrize('flip', [False, True], ids=['straight', 'flipped'])
def test_a_causal_lifter_lifts_frame_by_frame_what_it_lifts_from_the_whole_clip(causal_lifter, flip, camera):
    trembling = np.random.default_rng(0).normal(0, 10, (25, 1, 16, 3)).astype(np.float32) * np.float32([1, 1, 0])
    frames = [frame._replace(people=frame.people + noise) for frame, noise in zip(frames_of(25, first=0), trembling)]
    stream = streams.Stream(iter(frames), H36M_16_FORMAT, WIDTH, HEIGHT)
    live = LiveLifter(causal_lifter, stream, LivePerson(.3, 0), device='cpu', flip=flip, camera=camera)
    found = np.stack([live.step(frame).pose3d_rel for frame in frames])
    pose2d_px = np.concatenate([frame.people[..., :2] for frame in frames])
    np.testing.assert_allclose(found, lift(causal_lifter, pose2d_px, WIDTH, HEIGHT, 'cpu', flip, camera), atol=1e-5)
    still = np.concatenate([lift(causal_lifter, pose2d_px[frame:frame + 1], WIDTH, HEIGHT, 'cpu', flip, camera)
                            for frame in range(25)])
    assert np.abs(found - still).max() > 1e-3


def test_another_person_is_not_lifted_with_the_past_of_the_first_one(causal_lifter):
    frames = frames_of(12, first=0)
    gap = [StreamFrame((12 + number) / FPS, np.zeros((0, 16, 3), np.float32), None) for number in range(PATIENCE + 2)]
    start = 12 + len(gap)
    again = [StreamFrame((start + number) / FPS, person_px(200 + 9 * number)[None], None) for number in range(5)]
    stream = streams.Stream(iter(()), H36M_16_FORMAT, WIDTH, HEIGHT)
    live, fresh = (LiveLifter(causal_lifter, stream, LivePerson(.3, 0), device='cpu') for _ in range(2))
    for frame in frames + gap:
        live.step(frame)
    for frame in again:
        np.testing.assert_allclose(live.step(frame).pose3d_rel, fresh.step(frame).pose3d_rel, atol=1e-6)


def frames_of(count, first=1):
    return [StreamFrame(number / FPS, person_px(number)[None][:number >= first], None) for number in range(count)]


def test_the_motion_has_all_frames_and_holds_the_first_pose_before_it(lifter, capsys):
    stream, times, poses = lifted(lifter, frames_of(5, first=2))
    motion = motion_of_live(poses, stream, FPS, times)
    assert motion.time.tolist() == [0, .04, .08, .12, .16] and motion.pose3d_rel.shape == (5, 16, 3)
    assert motion.guessed.all(axis=1).tolist() == [True, True, False, False, False]
    np.testing.assert_array_equal(motion.pose3d_rel[0], motion.pose3d_rel[2])
    assert '5 frames, ' in capsys.readouterr().err


@pytest.mark.parametrize('ending', [KeyboardInterrupt, None])
def test_ctrl_c_or_the_window_end_it_with_all_frames_so_far(lifter, ending):
    def show(number, frame, pose):
        if number == 2 and ending:
            raise ending
        return number < 2
    _, times, poses = lifted(lifter, frames_of(9), show)
    assert len(times) == len(poses) == 3


def test_ctrl_c_while_it_waits_for_a_frame_ends_it(lifter):
    def interrupted():
        yield from frames_of(3)
        raise KeyboardInterrupt
    assert len(lifted(lifter, interrupted())[2]) == 3


# the script

@pytest.fixture(scope='module')
def checkpoint(lifter, tmp_path_factory):
    path = tmp_path_factory.mktemp('lifter') / 'ckpt_best.pth.tar'
    torch.save({'state_dict': lifter.state_dict(), 'epoch': 1}, path)
    return path


def argv_of(checkpoint, output):
    return ['--input', '-', '--evaluate', str(checkpoint), '--output', str(output), '--device', 'cpu', '--format', 'h36m16',
            '--size', f'{WIDTH}x{HEIGHT}', '--fps', '25', '--root', 'centre', '--smooth', '0']


def line_of(number):
    return json.dumps([person_px(number).tolist()]) + '\n'


def files_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_lines_are_lifted_and_written_on_at_once(checkpoint, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'stdin', io.TextIOWrapper(io.BytesIO(('null\n' + ''.join(map(line_of, range(9)))).encode())))
    motion, = run_inference.main(argv_of(checkpoint, tmp_path / 'out'))
    said, told = capsys.readouterr()
    out = [json.loads(line) for line in said.splitlines()]
    assert [line['frame'] for line in out] == list(range(10)) and out[0]['pose3d_rel'] is None
    np.testing.assert_allclose([line['pose3d_rel'] for line in out[1:]], motion.pose3d_rel[1:], atol=5.1e-5)
    assert files_in(tmp_path / 'out') == ['motion.bvh', 'motion.html', 'motion.json', 'motion.npz'] and motion.fps == 25
    assert '10 frames, ' in told and 'motion.npz' in told


def test_the_script_lifts_what_a_capture_sees(checkpoint, tmp_path, monkeypatch, file_stream, capsys):
    def found_in(clip, weights, device):
        for _ in clip.read():
            yield np.insert(np.random.default_rng(0).uniform(100, 300, (1, 17, 2)), 2, 1, axis=2).astype(np.float32)
    monkeypatch.setitem(DETECTORS, 'mediapipe', found_in)
    monkeypatch.delenv('DISPLAY', raising=False)
    motion, = run_inference.main(['--input', file_stream, '--evaluate', str(checkpoint), '--output', str(tmp_path / 'out'),
                                  '--root', 'centre'])
    assert motion.pose3d_rel.shape == (5, 16, 3) and (np.diff(motion.time) > 0).all()
    assert files_in(tmp_path / 'out') == ['motion.bvh', 'motion.html', 'motion.json', 'motion.npz']
    assert '5 frames, ' in capsys.readouterr().err


def test_a_lifter_that_sees_later_frames_is_refused_before_a_stream_is_opened(tmp_path, capsys):
    save_checkpoint(tmp_path / 'it', {'state_dict': build_lifter('videopose', receptive_field=9).state_dict()})
    message = refused(capsys, run_inference, '--input', '0', '--output', tmp_path / 'out', '--evaluate', tmp_path / 'it',
                      '--device', 'cpu')
    assert 'train one with --causal' in message and not (tmp_path / 'out').exists()


# a file that is lifted like a stream

@pytest.fixture(scope='module')
def walk(tmp_path_factory):
    """A file of 18 frames of keypoints at 50 frames per second: a rate that the times alone, rounded, do not give exactly."""
    keypoints = np.stack([person_px(3 * frame) for frame in range(18)])
    keypoints[..., :2] += np.random.default_rng(0).normal(0, 5, (18, 16, 2))
    path = tmp_path_factory.mktemp('walk') / 'walk.npz'
    np.savez(path, keypoints=keypoints, width=WIDTH, height=HEIGHT, fps=50.)
    return path


def file_argv(path, lifter_file, output, *flags):
    return ['--input', str(path), '--evaluate', str(lifter_file), '--output', str(output), '--device', 'cpu', '--root',
            'centre', '--smooth', '0', '--video', 'none', *flags]


def test_a_file_of_keypoints_is_lifted_frame_by_frame_to_what_it_is_as_a_whole(causal_lifter, walk, tmp_path, capsys):
    save_checkpoint(tmp_path / 'it', {'state_dict': causal_lifter.state_dict(), 'arguments': dict(
        posenet_name='videopose', stages=1, causal=True)})
    argv = file_argv(walk, tmp_path / 'it', tmp_path / 'out', '--format', 'h36m16')
    whole, = run_inference.main(argv)
    assert 'frames per second' not in capsys.readouterr().err
    played, = run_inference.main([*argv, '--stream', '--overwrite', '--person', '0'])
    np.testing.assert_allclose(played.pose3d_rel, whole.pose3d_rel, atol=1e-5)
    assert played.fps == 50 and np.array_equal(played.time, whole.time)
    told = capsys.readouterr().err
    assert '18 frames, ' in told and ' ms after its 2D' in told and 'warning: --person has no effect' in told
    assert files_in(tmp_path / 'out') == ['motion.bvh', 'motion.html', 'motion.json', 'motion.npz']


def test_a_video_is_lifted_frame_by_frame_at_its_own_times(checkpoint, tmp_path, monkeypatch, video, capsys):
    def found_in(clip, weights, device):
        for number, _ in enumerate(clip.read()):
            yield np.insert(np.random.default_rng(number).uniform(100, 110, (1, 17, 2)), 2, 1, axis=2).astype(np.float32)
    monkeypatch.setitem(DETECTORS, 'mediapipe', found_in)
    motion, = run_inference.main(file_argv(video, checkpoint, tmp_path / 'out', '--stream', '--size', '640x480'))
    assert motion.pose3d_rel.shape == (5, 16, 3) and motion.fps == 10
    np.testing.assert_allclose(motion.time, [0, .1, .2, .3, .4], atol=1e-6)
    told = capsys.readouterr().err
    assert '5 frames, ' in told and 'warning: --size has no effect' in told


@pytest.mark.parametrize('stamps, stated, given, expected, told', [
    ([0, .1, .4, .5], 10., None, [0, .1, .4, .5], ''), ([0, .1, .1, .5], 10., None, [0, .1, .2, .5], ''),
    ([7, 7.1, 7.2, np.nan], None, None, [7, 7.1, 7.2, 7.24], 'the frame rate is unknown'),
    ([0, .1, .4, .5], 10., 20., [0, .05, .1, .15], ''), ([], 50., None, [0, .02, .04, .06], ''),
    ([0, 0, 0, 0], None, None, [0, .04, .08, .12], 'the frame rate is unknown'),
    ([], None, None, [0, .04, .08, .12], 'the frame rate is unknown')])
def test_the_times_of_a_file_are_its_own_and_always_increase(detector, stamps, stated, given, expected, told, capsys):
    known = []

    def read():
        known.clear()
        for number in range(4):
            known.extend(stamps[number:number + 1])
            yield np.full((HEIGHT, WIDTH, 3), number, np.uint8)

    next(read())      # open_clip has read the first frame
    stream = streams.stream_of_clip(Clip(read, 4, stated, WIDTH, HEIGHT, known), detector, fps=given)
    np.testing.assert_allclose([frame.time for frame in stream.frames], expected)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == bool(told) and all(line.startswith(told) for line in lines) and stream.fps == stated


def test_a_lifter_that_sees_later_frames_plays_no_file(walk, tmp_path, capsys):
    save_checkpoint(tmp_path / 'it', {'state_dict': build_lifter('videopose', receptive_field=9).state_dict()})
    message = refused(capsys, run_inference, *file_argv(walk, tmp_path / 'it', tmp_path / 'out', '--stream'))
    assert 'lift a file without --stream' in message and not (tmp_path / 'out').exists()


def test_a_lifter_of_another_skeleton_plays_no_file(walk, tmp_path, capsys):
    save_checkpoint(tmp_path / 'it', {'state_dict': build_lifter('mlp', 1, skeleton=H36M_17).state_dict(), 'arguments': dict(
        posenet_name='mlp', stages=1, skeleton='h36m_17')})
    assert 'without --stream' in refused(capsys, run_inference, *file_argv(walk, tmp_path / 'it', tmp_path / 'out', '--stream'))


def test_a_file_that_cannot_be_read_is_refused_as_without_the_flag(checkpoint, tmp_path, capsys):
    (tmp_path / 'text.json').write_text('nothing')
    for name, reason in (('text.json', 'cannot be read as keypoints'), ('missing.mp4', 'is neither a file nor a folder')):
        assert reason in refused(capsys, run_inference, *file_argv(tmp_path / name, checkpoint, tmp_path / 'out', '--stream'))


@pytest.mark.parametrize('text, flags, expected', [('0', [], True), ('./0', [], False), ('./0', ['--stream'], True)])
def test_a_path_is_played_only_if_asked(text, flags, expected):
    assert run_inference.parse_args(['--input', text, '--output', 'out', *flags]).stream is expected


@pytest.mark.slow
def test_after_ctrl_c_the_files_are_complete(checkpoint, tmp_path):
    start = ('import signal, sys, run_inference; signal.signal(signal.SIGINT, signal.default_int_handler); '
             'run_inference.main(sys.argv[1:])')
    process = subprocess.Popen([sys.executable, '-c', start, *argv_of(checkpoint, tmp_path / 'out')], cwd=ROOT, text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env={name: value for name, value in os.environ.items() if name != 'PYTHONUNBUFFERED'})
    for number in range(5):
        process.stdin.write(line_of(number))
        process.stdin.flush()
        assert select.select([process.stdout], [], [], 60)[0], 'nothing was written at once'
        assert json.loads(process.stdout.readline())['frame'] == number
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 0 and '5 frames, ' in told and 'Traceback' not in told
    assert np.load(tmp_path / 'out' / 'motion.npz')['pose3d_rel'].shape == (5, 16, 3)
    assert files_in(tmp_path / 'out') == ['motion.bvh', 'motion.html', 'motion.json', 'motion.npz']


@pytest.mark.slow
def test_when_the_reader_of_the_lines_stops_the_files_are_complete(checkpoint, tmp_path):
    producer = ''.join(map(line_of, range(200)))
    process = subprocess.run(['bash', '-c', '"$0" "$@" | head -n 1', sys.executable, 'run_inference.py',
                              *argv_of(checkpoint, tmp_path / 'out')], cwd=ROOT, text=True, input=producer, capture_output=True,
                             timeout=60)
    assert json.loads(process.stdout)['frame'] == 0 and 'Traceback' not in process.stderr and 'error' not in process.stderr
    assert np.load(tmp_path / 'out' / 'motion.npz')['pose3d_rel'].ndim == 3

"""Videos and images -> Detections, by 2D pose detectors; all of them are optional packages.

A detector is a generator function of (clip, weights, device) that yields for each frame (P, J, 3) float32: x and y in
pixels and a confidence. To add one, write its function here and add a line to DETECTORS.

    mediapipe   MediaPipe Pose, 33 joints. Without weights, the model inside the package finds one person; with weights,
                a pose_landmarker*.task file, up to MOST_PEOPLE people.
    rtmpose     YOLOX detects the people and RTMPose their joints (COCO's 17 or Halpe's 26), with rtmlib on onnxruntime.
                Without weights, rtmlib downloads its own; weights are a folder with yolox*.onnx and rtmpose*.onnx.
"""
import importlib
import logging
import math
import os
import re
import sys
from collections.abc import Callable
from contextlib import closing, contextmanager, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from common.errors import InputError
from function_inference.detections import Detections
from function_inference.keypoint_formats import MEDIAPIPE_33, format_of

IMAGES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp')
VIDEOS = ('.mp4', '.mov', '.avi', '.mkv', '.webm', '.m4v', '.mpg', '.mpeg')
MOST_PEOPLE = 5
MISSING_SHARE = 0.02     # of the frames in the header; a smaller part may be missing without a warning
STILL_FPS = 25.0         # for a clip of unknown frame rate; only MediaPipe's own smoothing uses it
MEDIAPIPE_INSTALL = ('pip install mediapipe==0.10.21 (its model is included; it needs numpy < 2, so install '
                     'it in a separate environment)')
VIDEO_INSTALL = 'pip install opencv-python-headless'
RTMPOSE_INSTALL = 'pip install rtmlib onnxruntime'


class Clip(NamedTuple):
    """A video, or images in the order of their names, in which numbers count as numbers.

    `read()` returns a new iterator over the frames, RGB uint8 (height, width, 3); `count` is their number. `count` and
    `fps` are as the file states them, or None if unknown. `read()` also fills the list `stamps_s` with the time of each
    frame in seconds; it stays empty if they are unknown.
    """
    read: Callable
    count: int
    fps: float
    width: int
    height: int
    stamps_s: list


def is_clip(path):
    """Whether `path` is a video, an image or a folder of images, and not a file or folder of keypoints."""
    path = Path(path)
    return path.suffix.lower() in IMAGES + VIDEOS or path.is_dir() and bool(_images(path))


def open_clip(path):
    """Clip of a video, an image or a folder of images; InputError if no frame can be read."""
    path = Path(path)
    if not path.exists():
        raise InputError(f'--input {path} is neither a file nor a folder')
    if path.is_dir() or path.suffix.lower() in IMAGES:
        files = _images(path) if path.is_dir() else [path]
        _warn_of_json_beside_images(path)
        return _clip(path, lambda: map(_read_image, files), len(files), None, [])
    os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')      # no log lines of ffmpeg about damaged frames
    for library, opened in (('cv2', _open_with_opencv), ('imageio_ffmpeg', _open_with_imageio)):
        try:
            module = importlib.import_module(library)
        except ImportError:
            continue
        return _clip(path, *opened(module, path))
    raise InputError(f'--input {path}: reading a video needs OpenCV or imageio-ffmpeg; install one: {VIDEO_INSTALL}')


def detect_people(clip, name, path, weights=None, device='cpu'):
    """Detections of the people in a Clip, with a progress bar; InputError, naming `path`, if there are none.

    `name`: a key of DETECTORS; `weights`: a path for that detector, or None for its default model.
    """
    people, bar = [], dict(desc=f'detecting with {name}', total=clip.count, unit='frame', leave=False, disable=None)
    with (only_python_logs(),
          closing(DETECTORS[name](clip, weights, device)) as frames):      # MediaPipe hangs if it is closed at exit
        people.extend(tqdm(frames, **bar))
    _warn_of_missing_frames(path, clip.count, len(people))
    joints = max(found.shape[1] for found in people)
    people = [found if len(found) else np.zeros((0, joints, 3), np.float32) for found in people]
    if not any(map(len, people)):
        raise InputError(f'--input {path}: {name} found no people in {len(people)} frames; try another --detector')
    return Detections(people, format_of(joints, path, layout='coco'), clip.width, clip.height, clip.fps)


@contextmanager
def only_python_logs():
    """Discard what native code writes to stderr, such as MediaPipe's log; the progress bar and warnings stay."""
    before = sys.stderr
    before.flush()
    with os.fdopen(os.dup(2), 'w', buffering=1) as stderr, open(os.devnull, 'w') as nowhere:
        if before is sys.__stderr__:      # else it writes to another file already, which stays
            sys.stderr = stderr
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            stderr.flush()
            os.dup2(stderr.fileno(), 2)
            sys.stderr = before


def frame_times(clip):
    """(T,) seconds from the first of the T frames of the Clip that were read last; None if unknown or not increasing."""
    time = np.array(clip.stamps_s)
    if len(time) < 2 or not np.isfinite(time).all() or (np.diff(time) <= 0).any():
        return None
    return time - time[0]


def _warn_of_missing_frames(path, stated, read):
    """Warn if the clip ends clearly before the number of frames in its header, which may be an estimate."""
    if stated and stated - read > max(1, MISSING_SHARE * stated):
        print(f'warning: --input {path}: its header says {stated} frames, but only {read} can be decoded; the file may be '
              'incomplete', file=sys.stderr)


# Frames

def _clip(path, read, count, fps, stamps_s):
    """Clip with the size of its first frame; the file's header may be wrong, as phones store videos rotated."""
    first = next(iter(read()), None)
    if first is None:
        raise InputError(f'--input {path}: no frame of this video can be decoded; convert it to an .mp4 with H.264')
    height, width = first.shape[:2]
    fps = fps if fps and math.isfinite(fps) and fps > 0 else None
    return Clip(lambda: _of_one_size(read(), (height, width, 3), path), count, fps, width, height, stamps_s)


def _of_one_size(frames, shape, path):
    for number, frame in enumerate(frames):
        if frame.shape != shape:
            raise InputError(f'--input {path}: frame {number} is {frame.shape[1]}x{frame.shape[0]}, but the first is '
                             f'{shape[1]}x{shape[0]}; give one clip at a time')
        yield frame


def _images(folder):
    """The images in a folder, in order; none if it holds OpenPose's keypoints of half of them, which --write_images draws."""
    images = [file for file in folder.iterdir() if file.suffix.lower() in IMAGES and not file.name.startswith('.')]
    if 2 * len([*folder.glob('*_keypoints.json')]) >= max(1, len(images)):
        return []
    return sorted(images, key=_natural)


def _warn_of_json_beside_images(path):
    files = [*path.glob('*.json')] if path.is_dir() else []
    others = f' and {len(files) - 1} more .json files' if len(files) > 1 else ''
    if files:
        print(f'warning: --input {path}: the images are read, and not {files[0].name}{others}; for keypoints, give a folder '
              'without images', file=sys.stderr)


def _natural(path):
    """Sort key by which frame2.png comes before frame10.png."""
    words = re.split('([0-9]+)', path.stem)
    return [int(word) if word.isdecimal() else word for word in words], path.name


def _read_image(path):
    """RGB, rotated as the image's EXIF orientation says."""
    from PIL import Image, ImageOps
    try:
        with Image.open(path) as image:
            return np.asarray(ImageOps.exif_transpose(image).convert('RGB'))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f'--input {path} cannot be read as an image ({error})') from None


def _open_with_opencv(cv2, path):
    """(read, count, fps, stamps_s) of a video."""
    stamps_s = []

    def read():
        stamps_s.clear()
        capture = cv2.VideoCapture(str(path))
        try:
            quarter_turns = _quarter_turns(cv2, capture)
            while (frame := capture.read()[1]) is not None:
                stamps_s.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
                yield np.ascontiguousarray(np.rot90(frame, -quarter_turns)[..., ::-1])      # OpenCV gives BGR
        finally:
            capture.release()

    capture = cv2.VideoCapture(str(path))
    count, fps = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), capture.get(cv2.CAP_PROP_FPS)
    capture.release()
    return read, count if count > 0 else None, fps, stamps_s


def _quarter_turns(cv2, capture):
    """Number of clockwise quarter turns after which the frames are upright, as the file says; OpenCV's own are turned off.

    Some versions of OpenCV turn the frames themselves and others, such as 4.11, do not. A backend that does not let us
    turn this off gives the frames as they are to be shown.
    """
    if not capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0):
        return 0
    return round(capture.get(cv2.CAP_PROP_ORIENTATION_META) / 90) % 4


def _open_with_imageio(imageio_ffmpeg, path):
    """(read, count, fps, stamps_s) of a video, which ffmpeg turns upright; no frames if it cannot be opened.

    ffmpeg repeats and leaves out frames such that their rate is constant: the one that its header states.
    """
    def read():
        frames = imageio_ffmpeg.read_frames(str(path), output_params=['-r', str(fps)] if fps else [])
        try:
            width, height = next(frames)['size']
            for frame in frames:
                yield np.frombuffer(frame, np.uint8).reshape(height, width, 3)
        finally:
            frames.close()

    logging.getLogger('imageio_ffmpeg').setLevel(logging.ERROR)      # it warns when it turns a video upright
    try:
        frames = imageio_ffmpeg.read_frames(str(path))
        facts = next(frames)
        frames.close()
    except (OSError, RuntimeError, StopIteration):
        return lambda: iter(()), None, None, []
    fps = _exact_rate(facts['fps'])
    return read, round(facts['duration'] * fps) or None, fps, []


def _exact_rate(fps):
    """The rate that ffmpeg prints with two digits; that of television, such as 29.97, is 30000 / 1001."""
    television = round(fps * 1.001) / 1.001
    return television if abs(television - fps) < .0051 and fps != round(fps) else fps


# Detectors

def import_or_explain(library, install):
    """An optional package; InputError with the command that installs it."""
    try:
        return importlib.import_module(library)
    except ImportError as error:
        raise InputError(f'{library} cannot be imported ({error}); install it: {install}') from None


def _mediapipe(clip, weights, _):
    mediapipe = import_or_explain('mediapipe', MEDIAPIPE_INSTALL)
    if weights is None:
        yield from _mediapipe_of_package(mediapipe, clip)
    else:
        yield from _mediapipe_of_file(mediapipe, clip, weights)


def _landmarks(people, clip):
    """MediaPipe's landmarks of each person -> (P, 33, 3) x and y in pixels and visibility."""
    return np.array([[(point.x * clip.width, point.y * clip.height, point.visibility) for point in person]
                     for person in people], dtype=np.float32).reshape(len(people), len(MEDIAPIPE_33.joints), 3)


def _mediapipe_of_package(mediapipe, clip):
    """With the package's own model: at most one person per frame."""
    if not hasattr(mediapipe, 'solutions'):
        raise InputError(f'mediapipe {mediapipe.__version__} does not include a model: download '
                         "pose_landmarker_full.task from MediaPipe's page on the Pose Landmarker and give its path as "
                         f'--weights, or {MEDIAPIPE_INSTALL}')
    with mediapipe.solutions.pose.Pose(model_complexity=1) as model:
        for frame in clip.read():
            landmarks = model.process(frame).pose_landmarks
            yield _landmarks([landmarks.landmark] if landmarks else [], clip)


def _mediapipe_of_file(mediapipe, clip, weights):
    """With a model file: up to MOST_PEOPLE people per frame."""
    tasks = import_or_explain('mediapipe.tasks.python', MEDIAPIPE_INSTALL)
    vision = import_or_explain('mediapipe.tasks.python.vision', MEDIAPIPE_INSTALL)
    _require_weights(weights, 'a pose_landmarker*.task file', Path(weights).is_file())
    model = tasks.BaseOptions(model_asset_buffer=Path(weights).read_bytes())
    options = vision.PoseLandmarkerOptions(model, vision.RunningMode.VIDEO, num_poses=MOST_PEOPLE)
    try:
        model = vision.PoseLandmarker.create_from_options(options)
    except Exception as error:      # it maps its status codes to many exception types
        raise InputError(f'--weights {weights}: MediaPipe cannot load it ({error})') from None
    with model:
        for number, frame in enumerate(clip.read()):
            image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=frame)
            time_ms = round(1000 * number / (clip.fps or STILL_FPS))
            yield _landmarks(model.detect_for_video(image, time_ms).pose_landmarks, clip)


def _require_weights(weights, what, found):
    if not found:
        raise InputError(f'--weights {weights} is not {what}')


def _rtmpose(clip, weights, device):
    os.environ.setdefault('ORT_LOGGING_LEVEL', '3')
    rtmlib = import_or_explain('rtmlib', RTMPOSE_INSTALL)
    import_or_explain('onnxruntime', RTMPOSE_INSTALL)
    find_boxes, find_joints = _load_rtmpose(rtmlib, weights, device)
    for frame in clip.read():
        bgr = np.ascontiguousarray(frame[..., ::-1])
        boxes = find_boxes(bgr)
        if not len(boxes):       # without boxes RTMPose would take the whole image as one person
            yield np.zeros((0, 0, 3), np.float32)
            continue
        joints, scores = find_joints(bgr, bboxes=boxes)
        yield np.concatenate([joints, np.clip(scores, 0, None)[..., None]], axis=-1).astype(np.float32)


def _load_rtmpose(rtmlib, weights, device):
    """(YOLOX, RTMPose) from the folder `weights`, or with the weights that rtmlib downloads."""
    fetched = rtmlib.Body.MODE['balanced']
    files = (fetched['det'], fetched['pose']) if weights is None else _onnx_files(weights)
    options = dict(backend='onnxruntime', device=str(device).replace('mps', 'cpu'))
    try:
        with redirect_stdout(None):      # rtmlib prints the paths of the files
            models = [kind(str(file), **options) for kind, file in zip((rtmlib.YOLOX, rtmlib.RTMPose), files)]
    except Exception as error:      # from the network, the archive, or onnxruntime's own exceptions
        if weights is not None:
            raise InputError(f'--weights {weights}: onnxruntime cannot load it ({error})') from None
        raise InputError(f'rtmlib could not download its weights ({error}); download {files[0]} and {files[1]} '
                         'yourself, copy the end2end.onnx of the first to a folder as yolox.onnx and that of '
                         'the second as rtmpose.onnx, and give the folder as --weights') from None
    boxes, joints = models
    boxes.model_input_size = _input_size(boxes) or boxes.model_input_size
    joints.model_input_size = (_input_size(joints) or joints.model_input_size[::-1])[::-1]     # RTMPose wants (width, height)
    return models


def _onnx_files(folder):
    found = [sorted(Path(folder).glob(pattern)) for pattern in ('yolox*.onnx', 'rtmpose*.onnx')]
    _require_weights(folder, 'a folder with one yolox*.onnx and one rtmpose*.onnx', [*map(len, found)] == [1, 1])
    return [files[0] for files in found]


def _input_size(model):
    """(height, width) of the ONNX file's input, None if it varies; rtmlib's default size is right for one model only."""
    size = model.session.get_inputs()[0].shape[2:]
    return tuple(size) if all(isinstance(side, int) for side in size) else None


DETECTORS = dict(mediapipe=_mediapipe, rtmpose=_rtmpose)

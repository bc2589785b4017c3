"""Videos and images -> Detections, by detectors that are installed only where they are used.

A detector is a generator function of (clip, weights, device) that yields for each frame (P, J, 3) float32: x and y in
pixels and a confidence. One more is one function here and one line in DETECTORS.

    mediapipe   MediaPipe Pose, 33 joints. Without weights: the model in the package, which knows one person; weights: a
                pose_landmarker*.task file, up to MOST_PEOPLE people
    rtmpose     YOLOX finds people, RTMPose their joints (17 of COCO or 26 of Halpe), by rtmlib on onnxruntime. Without
                weights: those that rtmlib fetches itself; weights: a folder with yolox*.onnx and rtmpose*.onnx
"""
import importlib
import math
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from common.errors import InputError
from function_inference.keypoint_files import Detections
from function_inference.keypoint_formats import MEDIAPIPE_33, format_of

IMAGES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp')
VIDEOS = ('.mp4', '.mov', '.avi', '.mkv', '.webm', '.m4v', '.mpg', '.mpeg')
MOST_PEOPLE = 5
STILL_FPS = 25.0         # of a clip that does not say; only MediaPipe's own smoothing sees it
MEDIAPIPE_INSTALL = ('pip install mediapipe==0.10.21 (it carries its model; as it needs numpy < 2, give it an '
                     'environment of its own)')
VIDEO_INSTALL = 'pip install opencv-python-headless'
RTMPOSE_INSTALL = 'pip install rtmlib onnxruntime'


class Clip(NamedTuple):
    """A video, or images in the order of their names.

    `read()` gives an iterator of RGB uint8 (height, width, 3), from the start each time; `count` (of frames) and `fps`
    are None where the file does not say.
    """
    read: Callable
    count: int
    fps: float
    width: int
    height: int


def is_clip(path):
    """Whether `path` is a video, an image, or a folder of images (and so nothing that holds keypoints)."""
    path = Path(path)
    return path.suffix.lower() in IMAGES + VIDEOS or path.is_dir() and bool(_images(path))


def open_clip(path):
    """Clip of a video, an image or a folder of images; InputError where no frame can be read."""
    path = Path(path)
    if not path.exists():
        raise InputError(f'--input {path} is neither a file nor a folder')
    if path.is_dir() or path.suffix.lower() in IMAGES:
        files = _images(path) if path.is_dir() else [path]
        return _clip(path, lambda: map(_read_image, files), len(files), None)
    for library, opened in (('cv2', _open_with_opencv), ('imageio_ffmpeg', _open_with_imageio)):
        try:
            module = importlib.import_module(library)
        except ImportError:
            continue
        return _clip(path, *opened(module, path))
    raise InputError(f'--input {path}: reading videos needs OpenCV or imageio-ffmpeg: {VIDEO_INSTALL}')


def detect_people(clip, name, path, weights=None, device='cpu'):
    """Detections of the people in a Clip, with a progress bar; `path` is where it comes from."""
    people, bar = [], dict(desc=f'detecting with {name}', total=clip.count, unit='frame', leave=False, disable=None)
    with closing(DETECTORS[name](clip, weights, device)) as frames:      # MediaPipe hangs where Python's exit closes it
        people.extend(tqdm(frames, **bar))
    joints = max(found.shape[1] for found in people)
    people = [found if len(found) else np.zeros((0, joints, 3), np.float32) for found in people]
    if not any(map(len, people)):
        raise InputError(f'--input {path}: {name} found nobody in {len(people)} frames; try another --detector')
    return Detections(people, format_of(joints, path, layout='coco'), clip.width, clip.height, clip.fps)


# Frames

def _clip(path, read, count, fps):
    """Clip whose size is that of its first frame; a phone's video may be turned on its way out of the file."""
    first = next(iter(read()), None)
    if first is None:
        raise InputError(f'--input {path}: no frame of this video can be read; convert it to H.264 in .mp4')
    height, width = first.shape[:2]
    fps = fps if fps and math.isfinite(fps) and fps > 0 else None
    return Clip(lambda: _of_one_size(read(), (height, width, 3), path), count, fps, width, height)


def _of_one_size(frames, shape, path):
    for number, frame in enumerate(frames):
        if frame.shape != shape:
            raise InputError(f'--input {path}: frame {number} is {frame.shape[1]}x{frame.shape[0]} where the first is '
                             f'{shape[1]}x{shape[0]}; give one clip at a time')
        yield frame


def _images(folder):
    if any(folder.glob('*_keypoints.json')):
        return []
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in IMAGES)


def _read_image(path):
    """RGB, turned as the camera says it was held."""
    from PIL import Image, ImageOps
    try:
        with Image.open(path) as image:
            return np.asarray(ImageOps.exif_transpose(image).convert('RGB'))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f'--input {path} is no image that can be read ({error})') from None


def _open_with_opencv(cv2, path):
    """(read, count, fps)."""
    def read():
        capture = cv2.VideoCapture(str(path))
        try:
            while (frame := capture.read()[1]) is not None:
                yield np.ascontiguousarray(frame[..., ::-1])      # OpenCV's order is blue, green, red
        finally:
            capture.release()

    capture = cv2.VideoCapture(str(path))
    count, fps = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), capture.get(cv2.CAP_PROP_FPS)
    capture.release()
    return read, count if count > 0 else None, fps


def _open_with_imageio(imageio_ffmpeg, path):
    """(read, count, fps)."""
    def read():
        frames = imageio_ffmpeg.read_frames(str(path))
        try:
            width, height = next(frames)['size']
            for frame in frames:
                yield np.frombuffer(frame, np.uint8).reshape(height, width, 3)
        finally:
            frames.close()

    try:
        frames = imageio_ffmpeg.read_frames(str(path))
        facts = next(frames)
        frames.close()
    except (OSError, RuntimeError, StopIteration):
        return lambda: iter(()), None, None
    return read, round(facts['duration'] * facts['fps']) or None, facts['fps']


# Detectors

def _import(library, install):
    """An optional package; InputError naming the command that installs it."""
    try:
        return importlib.import_module(library)
    except ImportError as error:
        raise InputError(f'{library} cannot be imported ({error}); install it: {install}') from None


def _mediapipe(clip, weights, _):
    os.environ.setdefault('GLOG_minloglevel', '2')      # it would tell of every delegate that it makes
    mediapipe = _import('mediapipe', MEDIAPIPE_INSTALL)
    if weights is None:
        yield from _mediapipe_of_package(mediapipe, clip)
    else:
        yield from _mediapipe_of_file(mediapipe, clip, weights)


def _landmarks(people, clip):
    """MediaPipe's people -> (P, 33, 3) pixels and visibility."""
    return np.array([[(point.x * clip.width, point.y * clip.height, point.visibility) for point in person]
                     for person in people], dtype=np.float32).reshape(len(people), len(MEDIAPIPE_33.joints), 3)


def _mediapipe_of_package(mediapipe, clip):
    """Nobody or one person in each frame."""
    if not hasattr(mediapipe, 'solutions'):
        raise InputError(f'mediapipe {mediapipe.__version__} carries no model: fetch pose_landmarker_full.task, which '
                         "MediaPipe's page on its Pose Landmarker links to, and give its path as --weights, or "
                         f'{MEDIAPIPE_INSTALL}')
    with mediapipe.solutions.pose.Pose(model_complexity=1) as model:
        for frame in clip.read():
            landmarks = model.process(frame).pose_landmarks
            yield _landmarks([landmarks.landmark] if landmarks else [], clip)


def _mediapipe_of_file(mediapipe, clip, weights):
    """People of each frame, by a model file."""
    tasks = _import('mediapipe.tasks.python', MEDIAPIPE_INSTALL)
    vision = _import('mediapipe.tasks.python.vision', MEDIAPIPE_INSTALL)
    _require_weights(weights, 'a pose_landmarker*.task file', Path(weights).is_file())
    model = tasks.BaseOptions(model_asset_buffer=Path(weights).read_bytes())
    options = vision.PoseLandmarkerOptions(model, vision.RunningMode.VIDEO, num_poses=MOST_PEOPLE)
    try:
        model = vision.PoseLandmarker.create_from_options(options)
    except Exception as error:      # its status codes come as nearly any kind of error
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
    rtmlib = _import('rtmlib', RTMPOSE_INSTALL)
    _import('onnxruntime', RTMPOSE_INSTALL)
    find_boxes, find_joints = _load_rtmpose(rtmlib, weights, device)
    for frame in clip.read():
        bgr = np.ascontiguousarray(frame[..., ::-1])
        boxes = find_boxes(bgr)
        if not len(boxes):       # RTMPose would take the whole image for a person
            yield np.zeros((0, 0, 3), np.float32)
            continue
        joints, scores = find_joints(bgr, bboxes=boxes)
        yield np.concatenate([joints, np.clip(scores, 0, None)[..., None]], axis=-1).astype(np.float32)


def _load_rtmpose(rtmlib, weights, device):
    """(YOLOX, RTMPose) of the folder `weights`, or of what rtmlib fetches."""
    fetched = rtmlib.Body.MODE['balanced']
    files = (fetched['det'], fetched['pose']) if weights is None else _onnx_files(weights)
    options = dict(backend='onnxruntime', device=str(device).replace('mps', 'cpu'))
    try:
        models = [kind(str(file), **options) for kind, file in zip((rtmlib.YOLOX, rtmlib.RTMPose), files)]
    except Exception as error:      # the network, an archive, or onnxruntime's own kinds of error
        if weights is not None:
            raise InputError(f'--weights {weights}: onnxruntime cannot load it ({error})') from None
        raise InputError(f'rtmlib could not fetch its weights ({error}); fetch {files[0]} and {files[1]} elsewhere, '
                         'put the end2end.onnx of the one into a folder as yolox.onnx and of the other as '
                         'rtmpose.onnx, and give the folder as --weights') from None
    boxes, joints = models
    boxes.model_input_size = _input_size(boxes) or boxes.model_input_size
    joints.model_input_size = (_input_size(joints) or joints.model_input_size[::-1])[::-1]     # (width, height) there
    return models


def _onnx_files(folder):
    found = [sorted(Path(folder).glob(pattern)) for pattern in ('yolox*.onnx', 'rtmpose*.onnx')]
    _require_weights(folder, 'a folder with one yolox*.onnx and one rtmpose*.onnx', [*map(len, found)] == [1, 1])
    return [files[0] for files in found]


def _input_size(model):
    """(height, width) that the file itself asks for, as rtmlib's defaults hold for one size of model only; or None."""
    size = model.session.get_inputs()[0].shape[2:]
    return tuple(size) if all(isinstance(side, int) for side in size) else None


DETECTORS = dict(mediapipe=_mediapipe, rtmpose=_rtmpose)

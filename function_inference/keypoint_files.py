"""Files of 2D keypoints, as detectors write them -> Detections. Every malformed file is one InputError that names it.

    .json    COCO results or AlphaPose (a list of objects with image_id and keypoints), a COCO data set (images and
             annotations), MMPose (instance_info), or plain frames: a list with, for each frame, null, one person, a
             list of people, or an object with people; an object with `frames` may hold width, height and fps too
    folder   OpenPose's *_keypoints.json, one file a frame
    .npz     an array `keypoints`, `landmarks` or `positions_2d` (or the only one): (T, J, C) or (T, people, J, C),
             perhaps with width, height and fps; or VideoPose3D's table positions_2d with its metadata
A person is a flat list x, y, confidence, ..., or joints of 2 (x, y), 3 (x, y, confidence) or 4 numbers (x, y, z,
visibility), or objects with x, y and perhaps visibility. A joint at (0, 0), or that is not finite, is missing.
MediaPipe's fractions of the image become pixels. The trackers' own ids are not used.
"""
import json
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from common.datasets.h36m_protocol import IMAGE_SIZES, SUBJECTS
from common.errors import InputError, in_short
from common.files.npz import load_npz, npz_keys
from function_inference.keypoint_formats import MEDIAPIPE_33, KeypointFormat, format_of

MAX_JSON_BYTES = 64 << 20
MAX_FRAMES = 1_000_000       # nine hours at 30 frames a second
MAX_PEOPLE = 200             # in one frame
MAX_PIXELS = 1e5             # no image is wider
MAX_SPREAD = 20              # frames from the first to the last, for each that a file of results holds
H36M_FPS = 50.0
DETECTOR = 'the detector that wrote it'

_PEOPLE_KEYS = ('people', 'instances')
_PERSON_KEYS = ('keypoints', 'pose_keypoints_2d', 'landmarks', 'pose_landmarks')
_CONFIDENCE_KEYS = ('visibility', 'confidence', 'score')
_ARRAY_KEYS = ('keypoints', 'landmarks', 'positions_2d', 'pose2d_px')


class Detections(NamedTuple):
    """What was found in a clip.

    `people`: for each frame (P, J, 3) float32, x and y in pixels and a confidence, all zero where the joint is missing;
    the joints' format; the image's size in pixels; frames per second (None: not known).
    """
    people: list
    format: KeypointFormat
    width: int
    height: int
    fps: float


class _Content(NamedTuple):
    """A file as it says it: per frame a list of people as (J, 2 to 4) arrays; None for what it does not say."""
    frames: list
    width: int = None
    height: int = None
    fps: float = None
    layout: str = None


def read_keypoints(path, format_name=None, size=None, sequence=None):
    """Detections of a file or folder.

    `format_name` is one of FORMATS (None: told by the file), `size` (width, height) for files that do not say it,
    `sequence` a name like 'S1/Walking/0' in a table of several. InputError for whatever cannot be read so.
    """
    path = Path(path)
    try:
        content = _reader(path)(path, sequence)
        joints = _num_joints(content.frames)
        frames = [[_with_confidence(person) for person in people] for people in content.frames]
    except (OSError, ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError) as error:
        raise InputError(f'{path} is no file of keypoints that can be read ({_reason(error)}); '
                         'README.md lists the forms') from None
    keypoint_format = format_of(joints, path, format_name, content.layout)
    width, height = _size(content, size, path)
    people = [np.stack(each) if each else np.zeros((0, joints, 3), np.float32) for each in frames]
    return Detections(_in_pixels(people, keypoint_format, width, height, path), keypoint_format, width, height,
                      content.fps)


def _reader(path):
    if path.is_dir():
        return _read_openpose
    if not path.is_file():
        raise InputError(f'--input {path} is neither a file nor a folder')
    if path.suffix.lower() not in _READERS:
        raise InputError(f'--input {path}: keypoints come as .json, .npz or a folder of *_keypoints.json')
    return _READERS[path.suffix.lower()]


def _reason(error):
    return f'{error.args[0]!r} is missing' if isinstance(error, KeyError) else in_short(error)


# People, whatever the file

def _num_joints(frames):
    """Joints per person, the same for all."""
    if len(frames) > MAX_FRAMES or max(map(len, frames), default=0) > MAX_PEOPLE:
        raise ValueError(f'it holds more than {MAX_FRAMES:,} frames or {MAX_PEOPLE:,} people in one')
    counts = sorted({len(person) for people in frames for person in people})
    if not counts:
        raise ValueError('it holds nobody')
    if len(counts) > 1:
        raise ValueError(f'some people have {counts[0]} joints and some {counts[-1]}')
    return counts[0]


def _with_confidence(person):
    """(J, 2 to 4) numbers -> (J, 3) float32 x, y, confidence; zero where the joint is missing."""
    position, confidence = person[:, :2], person[:, -1] if person.shape[1] > 2 else np.ones(len(person))
    if (confidence < 0).any():
        raise ValueError(f'a confidence is {confidence.min():g}; three numbers a joint are x, y and confidence, four '
                         'x, y, z and visibility')
    joints = np.concatenate([position, confidence[:, None]], axis=1)
    joints[~np.isfinite(joints).all(1) | (position == 0).all(1) | (confidence == 0)] = 0
    if np.abs(joints).max() > MAX_PIXELS:
        raise ValueError(f'a number is {np.abs(joints).max():g}, which is no place in an image')
    return joints.astype(np.float32)


def _size(content, size, path):
    """(width, height) of what the file and --size say."""
    told = (content.width, content.height) if content.width and content.height else None
    if told and size and tuple(told) != tuple(size):
        raise InputError(f'--size {size[0]}x{size[1]}: {path} says {told[0]}x{told[1]}; leave --size out')
    if not (told or size):
        raise InputError(f'{path} does not say how large the image is; say it with --size WIDTHxHEIGHT, in pixels')
    return told or size


def _in_pixels(people, keypoint_format, width, height, path):
    """People with their joints in pixels; InputError where the joints cannot belong to an image of that size."""
    seen = np.concatenate([each[each[..., 2] > 0] for each in people])
    if not len(seen):
        raise InputError(f'{path}: every joint of every person is missing')
    x, y = np.median(seen[:, :2], axis=0)
    if max(abs(x), abs(y)) <= 1:
        if keypoint_format is not MEDIAPIPE_33:
            raise InputError(f'{path} holds fractions of the image or normalised coordinates; pixels are needed')
        x, y = x * width, y * height
        people = [each * np.array([width, height, 1], np.float32) for each in people]
    if not (0 <= x <= width and 0 <= y <= height):
        raise InputError(f'{path}: the joints lie about ({x:.0f}, {y:.0f}), outside an image of {width}x{height} '
                         'pixels; check --size')
    return people


# .json

def _load_json(path):
    if path.stat().st_size > MAX_JSON_BYTES:
        raise ValueError(f'it has more than {MAX_JSON_BYTES >> 20:,} MiB')
    return json.loads(path.read_bytes())


def _read_json(path, _):
    """Any of the forms; whoever writes 17 joints as .json means COCO's."""
    content = _of_type(_load_json(path), (list, dict), 'file')
    if isinstance(content, dict) and 'annotations' in content:
        return _read_coco_dataset(content)
    if isinstance(content, list) and content and isinstance(content[0], dict) and 'image_id' in content[0]:
        frames = _in_order([(_of_type(entry['image_id'], (int, str), 'name of an image (image_id)'), [_person(entry)])
                            for entry in content])
        return _Content(frames, layout='coco')
    meta = content if isinstance(content, dict) else {}
    frames = [_people(frame) for frame in _plain_frames(content)]
    return _Content(frames, *_numbers(meta), layout='coco')


def _read_coco_dataset(content):
    """All images in the order of their names, also those that show nobody."""
    images = sorted(content['images'], key=lambda image: (_last_number(image['file_name']), image['file_name']))
    sizes = {(image['width'], image['height']) for image in images}
    if len(sizes) != 1:
        raise ValueError(f'its images have {len(sizes)} sizes; one clip has one')
    people = {image['id']: [] for image in images}
    for entry in content['annotations']:
        people[entry['image_id']].append(_person(entry))
    return _Content(list(people.values()), *_numbers(dict(zip(('width', 'height'), *sizes))), layout='coco')


def _plain_frames(content):
    if isinstance(content, list):
        return content
    for key in ('frames', 'instance_info'):
        if isinstance(content.get(key), list):
            return content[key]
    if any(key in content for key in _PEOPLE_KEYS + _PERSON_KEYS):
        return [content]
    raise ValueError(f'it has none of frames, instance_info, annotations or {", ".join(_PEOPLE_KEYS + _PERSON_KEYS)}')


def _people(frame):
    """The people of one frame, however they are nested."""
    if not frame:
        return []
    _of_type(frame, (list, dict), 'frame')
    if isinstance(frame, dict):
        listed = next((frame[key] for key in _PEOPLE_KEYS if key in frame), None)
        if listed is None:
            return [_person(frame)] if any(frame.get(key) for key in _PERSON_KEYS) else []
        return [_person(person) for person in _of_type(listed, list, 'list of people')]
    return [_joints(frame)] if _is_person(frame) else [_person(person) for person in frame]


def _is_person(frame):
    """Whether a list is a person: numbers, or short lists of numbers, or points; else it is a list of people."""
    first = frame[0]
    if isinstance(first, dict):
        return 'x' in first
    return not isinstance(first, list) or len(first) <= 4 and not any(isinstance(item, (list, dict)) for item in first)


def _person(person):
    """(J, 2 to 4) of a list or of an object that holds one."""
    if not isinstance(person, dict):
        return _joints(person)
    key = next((key for key in _PERSON_KEYS if key in person), None)
    if key is None:
        raise ValueError(f'a person has none of {", ".join(_PERSON_KEYS)}')
    joints = _joints(person[key])
    if 'keypoint_scores' in person:
        return np.concatenate([joints[:, :2], np.array(person['keypoint_scores'], float)[:, None]], axis=1)
    return joints


def _joints(values):
    """(J, 2 to 4) float64 of a flat list of x, y, confidence, of a list of lists, or of a list of points."""
    if _of_type(values, list, 'person') and isinstance(values[0], dict):
        values = [[point['x'], point['y'], next((point[key] for key in _CONFIDENCE_KEYS if key in point), 1)]
                  for point in values]
    joints = np.array(values)
    if joints.ndim == 1 and len(joints) % 3 == 0:
        joints = joints.reshape(-1, 3)
    if joints.ndim != 2 or not 2 <= joints.shape[1] <= 4 or joints.dtype.kind not in 'fiu':
        raise ValueError(f'a person is an array of shape {joints.shape}, type {joints.dtype}')
    return joints.astype(float)


def _of_type(value, kinds, what):
    if not isinstance(value, kinds):
        raise ValueError(f'a {what} is a {type(value).__name__}')
    return value


def _numbers(meta):
    """(width, height, fps) of a dict, None for what it does not hold."""
    numbers = {key: float(np.asarray(meta[key]).item()) for key in ('width', 'height', 'fps')
               if meta.get(key) is not None}
    for key, value in numbers.items():
        if not 0 < value <= MAX_PIXELS:
            raise ValueError(f'its {key} is {value:g}')
    width, height = (int(numbers[key]) if key in numbers else None for key in ('width', 'height'))
    return width, height, numbers.get('fps')


# One entry or file per image

def _read_openpose(path, _):
    """A folder of OpenPose's files, one a frame, each with everybody."""
    files = sorted(path.glob('*_keypoints.json'))
    if not files:
        raise InputError(f'--input {path} holds neither *_keypoints.json (OpenPose) nor images')
    return _Content(_in_order([(file.name, _people(_load_json(file))) for file in files]))


def _in_order(entries):
    """(image, people) pairs -> people of every frame from the first image to the last; gaps show nobody."""
    people = {}
    for image, found in entries:
        people.setdefault(image, []).extend(found)
    numbers = {image: image if isinstance(image, int) else _last_number(image) for image in people}
    if -1 in numbers.values():
        return list(people.values())
    if len(set(numbers.values())) < len(numbers):
        raise ValueError('two images have the same number; give one clip at a time')
    first, last = min(numbers.values()), max(numbers.values())
    if last - first >= MAX_SPREAD * len(numbers):
        raise ValueError(f'its {len(numbers)} images are numbered from {first} to {last}; the numbers of a clip are '
                         'those of its frames')
    by_number = {numbers[image]: found for image, found in people.items()}
    return [by_number.get(number, []) for number in range(first, last + 1)]


def _last_number(name):
    """'clip_000123.jpg' -> 123; -1 for a name without a number."""
    digits = re.search(r'(\d+)\D*$', Path(name).stem)
    return int(digits[1]) if digits else -1


# .npz

def _read_npz(path, sequence):
    keys = npz_keys(path, DETECTOR)
    meta_keys = [key for key in ('width', 'height', 'fps', 'metadata') if key in keys]
    name = next((key for key in _ARRAY_KEYS if key in keys), None)
    if name is None and len(keys - set(meta_keys)) == 1:
        name, = keys - set(meta_keys)
    if name is None:
        raise ValueError(f'it has none of the arrays {", ".join(_ARRAY_KEYS)} but {", ".join(sorted(keys))}')
    arrays = load_npz(path, [name, *meta_keys], DETECTOR)
    if isinstance(arrays[name], dict):
        return _from_table(arrays[name], arrays.get('metadata', {}), sequence, path)
    return _Content(_array_frames(arrays[name]), *_numbers(arrays))


def _array_frames(array):
    """(T, J, C) or (T, people, J, C) -> lists of (J, C); people who are not there are NaN or zero throughout."""
    array = np.asarray(array)
    if array.ndim not in (3, 4) or not 2 <= array.shape[-1] <= 4 or array.dtype.kind not in 'fiu':
        raise ValueError(f'its array has shape {array.shape}, type {array.dtype}; (T, J, 2 to 4) or '
                         '(T, people, J, 2 to 4) numbers are needed')
    array = (array if array.ndim == 4 else array[:, None]).astype(float)
    return [[person for person in people if np.nan_to_num(person[:, :2]).any()] for people in array]


def _from_table(table, metadata, sequence, path):
    """One sequence of VideoPose3D's subject -> sequence -> views; Human3.6M's own have known sizes."""
    views = {f'{subject}/{action}/{place}': (subject, place, view) for subject, actions in table.items()
             for action, listed in actions.items() for place, view in enumerate(_views(listed))}
    if sequence is None and len(views) == 1:
        sequence, = views
    if sequence not in views:
        raise InputError(f'--sequence {sequence or "is missing"}: the table holds {len(views)} sequences, such as '
                         f'{", ".join(list(views)[:3])}; choose one of those in {path}')
    subject, place, view = views[sequence]
    size = metadata.get('video_metadata', {}).get(subject, {})
    meta = dict(width=size.get('w'), height=size.get('h'))
    if subject in SUBJECTS and place < len(IMAGE_SIZES):
        meta = dict(zip(('width', 'height'), IMAGE_SIZES[place]), fps=H36M_FPS)
    return _Content(_array_frames(view), *_numbers(meta), layout=metadata.get('layout_name'))


def _views(listed):
    """A sequence is a list of views, or the array of the only one."""
    return [listed] if isinstance(listed, np.ndarray) and listed.ndim == 3 else listed


_READERS = {'.json': _read_json, '.npz': _read_npz}

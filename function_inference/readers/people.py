"""People as .json files write them -> arrays (J, C) float64.

A person is a flat list x, y, confidence, ...; a list of joints of 2 (x, y), 3 (x, y, confidence) or 4 numbers (x, y, z,
visibility); a list of objects with x, y and perhaps a visibility; or an object that holds one of these. Ids that a
tracker assigned are ignored. ValueError for anything else.
"""
import numpy as np

PEOPLE_KEYS = ('people', 'instances')
PERSON_KEYS = ('keypoints', 'pose_keypoints_2d', 'landmarks', 'pose_landmarks')
CONFIDENCE_KEYS = ('visibility', 'confidence', 'score')


def people_of(frame):
    """List of the people of one frame: null, one person, a list of people, or an object with either."""
    if not frame:
        return []
    require_type(frame, (list, dict), 'frame')
    if isinstance(frame, dict):
        listed = next((frame[key] for key in PEOPLE_KEYS if key in frame), None)
        if listed is None:
            return [person_of(frame)] if any(frame.get(key) for key in PERSON_KEYS) else []
        return [person_of(person) for person in require_type(listed, list, 'list of people')]
    return [_joints(frame)] if _is_person(frame) else [person_of(person) for person in frame]


def person_of(person):
    """(J, C) of one person: a list, or an object that holds one."""
    if not isinstance(person, dict):
        return _joints(person)
    key = next((key for key in PERSON_KEYS if key in person), None)
    if key is None:
        raise ValueError(f'a person has none of {", ".join(PERSON_KEYS)}')
    joints = _joints(person[key])
    if 'keypoint_scores' in person:
        return np.concatenate([joints[:, :2], np.array(person['keypoint_scores'], float)[:, None]], axis=1)
    return joints


def require_type(value, types, what):
    """The value itself; ValueError if it has another type."""
    if not isinstance(value, types):
        raise ValueError(f'a {what} has the type {type(value).__name__}')
    return value


def _is_person(frame):
    """Whether a list is one person (numbers, short lists of numbers, or points) and not a list of people."""
    first = frame[0]
    if isinstance(first, dict):
        return 'x' in first
    return not isinstance(first, list) or len(first) <= 4 and not any(isinstance(item, (list, dict)) for item in first)


def _joints(values):
    """(J, C) of a flat list, a list of lists or a list of points."""
    if require_type(values, list, 'person') and isinstance(values[0], dict):
        values = [[point['x'], point['y'], next((point[key] for key in CONFIDENCE_KEYS if key in point), 1)]
                  for point in values]
    joints = np.array(values)
    if joints.ndim == 1 and len(joints) % 3 == 0:
        joints = joints.reshape(-1, 3)
    if joints.ndim != 2 or not 2 <= joints.shape[1] <= 4 or joints.dtype.kind not in 'fiu':
        raise ValueError(f'a person is an array of shape {joints.shape} and type {joints.dtype}')
    return joints.astype(float)

"""People as .json files write them -> arrays (J, C) float64.

The joints of a person are one of these, or an object that holds one of them under a name of PERSON_KEYS:

    a flat list x, y, confidence, ...
    a list of joints of 2 (x, y), 3 (x, y, confidence) or 4 numbers (x, y, z, visibility)
    a list of points, objects with x, y and perhaps a visibility and a name
    joints by name, such as {"left_shoulder": [x, y, confidence]}
    one list for each of x, y and perhaps the visibility

Confidences may also be a list of their own beside the joints. A joint that is null is missing, and so is a person who is null
or an empty object. Ids that a tracker assigned are ignored. ValueError for anything else.
"""
import re

import numpy as np

from function_inference.readers.joint_names import are_joint_names, in_known_order

FEWEST_JOINTS = 12           # whose numbers are the keys of an object
PEOPLE_KEYS = ('people', 'instances', 'bodies', 'persons', 'predictions', 'poses', 'annotations', 'detections', 'objects')
PERSON_KEYS = ('keypoints', 'pose_keypoints_2d', 'pose_keypoints', 'landmarks', 'pose_landmarks', 'poseLandmarks', 'landmark',
               'joints', 'keypoints_2d', 'pose2d', 'joints_2d', 'pose', 'kpts')
SCORES_KEYS = ('keypoint_scores', 'keypoints_scores', 'scores', 'keypoint_score', 'keypoints_score', 'confidences',
               'confidence', 'visibility', 'score')
CONFIDENCE_KEYS = ('visibility', 'confidence', 'score', 'conf', 'visible', 'likelihood', 'probability', 'prob', 'presence', 'c',
                   'v')


def people_of(frame):
    """List of the people of one frame: null, one person, a list of people, or an object with either."""
    if not frame:
        return []
    require_type(frame, (list, dict), 'frame')
    if isinstance(frame, dict):
        return _people_of_object(frame)
    if is_person(frame):
        return [_joints(frame)]
    if all(isinstance(each, list) and each and isinstance(each[0], dict) and not is_person(each) for each in frame):
        frame = [person for people in frame for person in people]      # [[person, ...]], a batch of a single image
    return [person_of(person) for person in frame if person]


def _people_of_object(frame):
    listed = next((frame[key] for key in PEOPLE_KEYS if key in frame), None)
    if listed is not None:
        if isinstance(listed, dict):
            return people_of(listed)
        return people_of(require_type(listed, list, 'list of people'))
    if is_person_object(frame):
        several = next((frame[key] for key in PERSON_KEYS if depth(frame.get(key)) == 3), None)
        return [person_of(frame)] if several is None else _split(frame, several)
    return [person_of(person) for key, person in frame.items()             # by the number of the person
            if re.search(r'\d', str(key)) and person and (isinstance(person, list) or is_person_object(person))]


def _split(frame, several):
    """People whose joints are in one nested list, with their confidences in another one beside it."""
    scores = next((frame[key] for key in SCORES_KEYS if depth(frame.get(key)) == 2), None)
    return [person_of(dict(keypoints=person, **({} if scores is None else dict(scores=scores[place]))))
            for place, person in enumerate(several) if person]


def person_of(person):
    """(J, C) of one person: a list, or an object that holds one."""
    if not isinstance(person, dict):
        return _joints(person)
    key = next((key for key in PERSON_KEYS if person.get(key)), None)
    if key is None:
        if are_joint_names(person):
            return in_known_order({name: _point(values) for name, values in person.items() if _is_point(values)})
        if _is_columns(person):
            return _joined(person)
        if _is_numbered(person):
            return _points([person[key] for key in sorted(person, key=int)])
        raise ValueError(f'a person has none of {", ".join(PERSON_KEYS)}')
    joints = person_of(person[key])
    scores = next((person[key] for key in SCORES_KEYS
                   if isinstance(person.get(key), list) and len(person[key]) == len(joints)), None)
    return joints if scores is None else np.column_stack([joints[:, :2], _numbers(scores).reshape(-1)])


def is_person_object(value):
    """Whether this is an object that holds the joints of a person."""
    return isinstance(value, dict) and (any(value.get(key) and isinstance(value[key], (list, dict))
                                            for key in PERSON_KEYS) or are_joint_names(value)
                                        or _is_columns(value) or _is_numbered(value))


def is_person(values):
    """Whether a list is one person (numbers, short lists of numbers, or points) and not a list of people."""
    first = next((value for value in values if value not in (None, [], {})), [])
    if isinstance(first, dict):
        return _is_point(first)
    return not isinstance(first, list) or 0 < len(first) <= 4 and not any(isinstance(item, (list, dict)) for item in first)


def depth(value):
    """How deeply a list is nested: 1 for numbers or points, 2 for the joints of a person, 0 for what is no list."""
    if not isinstance(value, list):
        return 0
    first = next((each for each in value if each is not None), None)
    return 1 + (1 if isinstance(first, dict) and _is_point(first) else depth(first))


def require_type(value, types, what):
    """The value itself; ValueError if it has another type."""
    if not isinstance(value, types):
        raise ValueError(f'a {what} has the type {type(value).__name__}')
    return value


def _is_columns(person):
    return isinstance(person.get('x'), list) and isinstance(person.get('y'), list)


def _is_numbered(person):
    """Whether an object has a point for each number of a joint."""
    return len(person) >= FEWEST_JOINTS and all(str(key).isdecimal() and isinstance(point, dict) and _is_point(point)
                                                for key, point in person.items())


def _joined(columns):
    """(J, C) of {x: [...], y: [...], visible: [...]}."""
    scores = next((columns[key] for key in CONFIDENCE_KEYS if isinstance(columns.get(key), list)), None)
    return np.column_stack([_numbers(values) for values in (columns['x'], columns['y'], scores) if values is not None])


def _is_point(value):
    if isinstance(value, dict):
        return bool({'x', 'X', 'position'} & value.keys())
    return isinstance(value, list) and 2 <= len(value) <= 4


def _point(point):
    """(3,) x, y and confidence of a point; its keys may be in capitals, and x and y may be in an object `position`."""
    if isinstance(point, list):
        return _numbers([*point[:2], point[-1] if len(point) > 2 else 1])
    lower = {str(key).lower(): value for key, value in point.items()}
    lower = {**lower, **(lower['position'] if isinstance(lower.get('position'), dict) else {})}
    return _numbers([lower['x'], lower['y'], next((lower[key] for key in CONFIDENCE_KEYS if key in lower), 1)])


def _points(points):
    """(J, 3) of a list of points; the names that they may have decide their order."""
    found = [_point(point) if point else np.full(3, np.nan) for point in points]
    names = [point and (point.get('name') or point.get('part')) for point in points]
    if all(isinstance(name, str) for name in names) and are_joint_names(names) and len(points) != 33:
        return in_known_order(dict(zip(names, found)))
    return np.stack(found)


def _joints(values):
    """(J, C) of a flat list, a list of lists or a list of points."""
    require_type(values, list, 'person')
    kinds = {type(value) for value in values if value is not None}
    if kinds == {dict}:
        return _points(values)
    if kinds == {list} and not all(values):
        width = max(len(value or ()) for value in values)
        values = [value or [None] * width for value in values]
    joints = _numbers(values)
    if joints.ndim == 1 and len(joints) % 3 == 0:
        joints = joints.reshape(-1, 3)
    if joints.ndim != 2 or not 2 <= joints.shape[1] <= 4:
        raise ValueError(f'a person is an array of shape {joints.shape} and type {joints.dtype}')
    return joints


def _numbers(values):
    """An array of float64, with NaN for null."""
    array = np.array(values)
    if array.dtype.kind == 'O' and all(value is None or isinstance(value, (float, int)) and abs(value) < 1e300
                                       for value in array.flat):
        array = array.astype(float)
    if array.dtype.kind not in 'fiu':
        raise ValueError(f'a person is an array of shape {array.shape} and type {array.dtype}')
    return array.astype(float)

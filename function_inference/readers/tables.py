"""Tables of text (.csv): a row per frame or person with columns for each joint, or a row per joint.

The columns of a joint have its name or number and x, y and perhaps a confidence, in any order: nose_x, x0, 0_X, LEFT_HIP.y,
2DX_hip. A column for the frame and one for the person are recognised by their names.

A table of numbers without a header has all joints of a person in a row, x0, y0, c0, x1, ... or x0, x1, ..., y0, y1, ...
Before them there may be the number of the frame, or those of the frame and the person.
"""
import csv
import json
import re
import warnings

import numpy as np

from function_inference.readers.images import frames_in_order
from function_inference.readers.joint_names import NUMBERS_OF_JOINTS, are_joint_names, in_known_order
from function_inference.readers.people import person_of
from function_inference.readers.raw import RawDetections, size_and_rate

FRAME_COLUMNS = ('frame', 'frameid', 'framenumber', 'frameindex', 'frameidx', 'framenum', 'frameno', 'imageid', 'image',
                 'imagename', 'filename', 'imagepath')
PERSON_COLUMNS = ('person', 'personid', 'trackid', 'id', 'personindex', 'poseindex', 'poseid', 'skeletonid', 'pose')
KEYPOINTS_COLUMNS = ('keypoints', 'landmarks')
JOINT_COLUMNS = ('landmark', 'landmarkid', 'landmarkindex', 'landmarkname', 'joint', 'jointid', 'jointname', 'keypoint',
                 'keypointid', 'keypointname', 'landmarkidx', 'jointidx', 'keypointidx', 'name', 'bodypart', 'index')
MAX_SKIP = 100               # frames that may be missing between two rows of a table without a header
CLEARLY_LESS = 0.9           # spread of x and y in the right order of the columns, relative to another order
FEWEST_JOINTS = 12           # whose columns make a table of people
NO_JOINTS = ('min', 'max', 'center', 'centre', 'box', 'bbox')
AXES = dict(x='x', y='y', z='z', visibility='c', visible='c', confidence='c', conf='c', score='c', likelihood='c', prob='c',
            vis='c', v='c', c='c', s='c', p='c', presence='presence')
AXIS = '|'.join(sorted(AXES, key=len, reverse=True))
# the axis first (x0, 2DX_hip, visible_hip) or last (nose_x, 0_X, LEFT_HIP.visibility)
COLUMN = (re.compile(rf'(?:2D)?({AXIS})[_. -]?(.+)', re.IGNORECASE), re.compile(rf'(.+?)[_. -]?(?:2D)?({AXIS})', re.IGNORECASE))


def is_joints_in_columns(source):
    return bool(_joint_columns(_header(source.content)))


def read_joints_in_columns(source):
    """One row per frame, or per person if several rows have the same frame."""
    header, rows = _rows(source.content)
    columns = _joint_columns(header)
    names = list(columns)
    people = [np.array([[_number(row, columns[name][axis]) if axis in columns[name] else 1. for axis in 'xyc']
                        for name in names]) for row in rows]
    if are_joint_names(names):
        people = [in_known_order(dict(zip(names, person))) for person in people]
    return _detections(header, rows, people)


def is_without_header(source):
    return _are_numbers(_header(source.content))


def read_without_header(source):
    """One row per frame, or per person if several rows have the same frame."""
    rows = [row for row in _cells(source.content) if any(cell.strip() for cell in row)]
    width = len(rows[0])
    if len(rows) > 1 and len(rows[-1]) < width:
        rows.pop()      # half written
    numbers = np.array([[_number(row, place) for place in range(width)] for row in rows])
    fitting = [(before, joints) for before in (0, 1, 2) if _are_keys(numbers[:, :before])
               for joints in NUMBERS_OF_JOINTS if width - before in (2 * joints, 3 * joints, 4 * joints)]
    if not fitting or len(fitting) > 1 and len(rows) == 1:
        raise ValueError(f'its {width} columns have no header, and {"fit several" if fitting else "fit no"} numbers of joints; '
                         'write one: frame,x0,y0,c0,x1,y1,c1,...')
    before, joints = max(fitting)
    return _detections(['frame', 'person'][:before], rows, _unflattened(numbers[:, before:], joints))


def _are_numbers(cells):
    """Whether a line of a table is full of numbers, some of which may be missing."""
    try:
        return len(cells) >= 2 * FEWEST_JOINTS and np.isfinite([_number(cells, place) for place in range(len(cells))]).any()
    except ValueError:
        return False


def _are_keys(columns):
    """Whether columns (rows, 0 to 2) of numbers may be those of the frames, in order, and of a few persons."""
    if not np.isfinite(columns).all() or (columns != columns.round()).any():
        return False
    if not columns.shape[1]:
        return True
    steps, persons = np.diff(columns[:, 0]), np.unique(columns[:, 1:])
    _, rows_of_frame = np.unique(columns[:, 0], return_counts=True)
    return bool((steps >= 0).all() and (steps <= MAX_SKIP).all() and len(persons) <= 2 * rows_of_frame.max())


def _unflattened(numbers, joints):
    """(rows, J C) -> (rows, J, C), for the x and y of a joint side by side, or all x before all y.

    x and y of a person usually lie in other ranges. In the right order their values therefore spread less.
    """
    beside = numbers.reshape(len(numbers), joints, -1)
    apart = numbers.reshape(len(numbers), -1, joints).swapaxes(1, 2)
    return apart if _spread(apart) < CLEARLY_LESS * _spread(beside) else beside


def _spread(people):
    """How much x and y vary within a person; of (P, J, C)."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')      # of people without a joint
        return np.nanmedian(np.nanstd(people[..., :2], axis=1).sum(-1))


def is_people_in_rows(source):
    return _column(_header(source.content), KEYPOINTS_COLUMNS) is not None


def read_people_in_rows(source):
    """One row per person, with all joints as a JSON list in one cell."""
    header, rows = _rows(source.content)
    place = _column(header, KEYPOINTS_COLUMNS)
    return _detections(header, rows, [person_of(json.loads(row[place])) for row in rows])


def is_joints_in_rows(source):
    return _joint_rows(_header(source.content)) is not None


def read_joints_in_rows(source):
    """One row per joint of a frame."""
    header, rows = _rows(source.content)
    joint, axes = _joint_rows(header)
    frame, person = _column(header, FRAME_COLUMNS), _column(header, PERSON_COLUMNS)
    points, first = {}, {}
    for row in rows:
        key = tuple(row[place] if place is not None else '' for place in (frame, person))
        points.setdefault(key, {})[row[joint].strip()] = np.array(
            [_number(row, axes[axis]) if axis in axes else 1. for axis in 'xyc'])
        first.setdefault(key, row)
    names = list(dict.fromkeys(name for found in points.values() for name in found))
    if not are_joint_names(names) and all(name.isdecimal() for name in names):
        names = [str(number) for number in range(min(map(int, names)), max(map(int, names)) + 1)]
    missing = np.full(3, np.nan)
    people = [in_known_order(found) if are_joint_names(names) else np.stack([found.get(name, missing) for name in names])
              for found in points.values()]
    return _detections(header, list(first.values()), people)


def _detections(header, rows, people):
    """Detections of one person per row, in the frames that a column may state; size and rate may be columns too."""
    frame = _column(header, FRAME_COLUMNS)
    keys = [_frame_key(row[frame]) for row in rows] if frame is not None else range(len(rows))
    if frame is not None and len(set(keys)) == 1 and len(rows) > 1 and _column(header, PERSON_COLUMNS) is None:
        raise ValueError(f'its {len(rows)} rows all belong to frame {keys[0]}')
    meta = {name.strip().lower(): rows[0][place] for place, name in enumerate(header) if rows and rows[0][place].strip()}
    size = size_and_rate({key: meta[key] for key in ('width', 'height', 'fps') if key in meta})
    frames = frames_in_order((key, [person] if np.isfinite(person[:, :2]).any() else []) for key, person in zip(keys, people))
    return RawDetections(frames, *size, layout='coco')


def _frame_key(text):
    try:
        number = float(text)
    except ValueError:
        return text.strip()
    if number != int(number):
        raise ValueError(f'a frame has the number {text}')
    return int(number)


def _cells(lines):
    """The rows of a table whose cells are separated by commas, semicolons or tabs."""
    return csv.reader(lines, delimiter=max(',;\t', key=lines[0].count))


def _header(lines):
    return next(_cells(lines[:1]), []) if lines else []


def _rows(lines):
    """The header and the rows that are not blank; ValueError if a row has fewer columns."""
    header, *rows = _cells(lines)
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    short = next((number for number, row in enumerate(rows, 2) if len(row) < len(header)), None)
    if short == len(rows) + 1:
        rows.pop()      # the last row, half written
    elif short is not None:
        raise ValueError(f'row {short} has fewer columns than the header')
    return header, rows


def _column(header, names):
    """Place of the first column that has one of these names, without regard to capitals and signs; None if there is none."""
    return next((place for place, title in enumerate(header) if re.sub('[^a-z]', '', title.lower()) in names), None)


def _joint_columns(header):
    """{joint: {axis: place}} in the order of the columns, or of the numbers; {} if they are not columns of joints."""
    for pattern, joint, axis in ((COLUMN[0], 2, 1), (COLUMN[1], 1, 2)):
        found = {}
        for place, title in enumerate(header):
            match = pattern.fullmatch(title.strip())
            if match and re.sub('[^a-z]', '', title.lower()) not in FRAME_COLUMNS + PERSON_COLUMNS:
                found.setdefault(match[joint], {}).setdefault(AXES[match[axis].lower()], place)
        found = {name: axes for name, axes in found.items() if {'x', 'y'} <= axes.keys() and name.lower() not in NO_JOINTS}
        if len(found) >= FEWEST_JOINTS:
            return _in_order(_with_nose(found) if _is_mocapnet(header) else found)
    return {}


def _is_mocapnet(header):
    return any(title.startswith('2DX_') for title in header)


def _with_nose(found):
    """MocapNET calls the nose head."""
    return {'nose' if name == 'head' and 'nose' not in found else name: axes for name, axes in found.items()}


def _in_order(found):
    """Joints by their numbers, if they have numbers and no names."""
    if not are_joint_names(found):
        numbers = {name: re.findall(r'\d+', name) for name in found}
        if all(numbers.values()):
            return {name: found[name] for name in sorted(found, key=lambda name: int(numbers[name][-1]))}
    return found


def _joint_rows(header):
    """(place of the joint's column, {axis: place}); None if the table has no such columns."""
    joint = _column(header, JOINT_COLUMNS)
    axes = {}
    for place, title in enumerate(header):
        if (axis := AXES.get(title.strip().lower())) and place != joint:
            axes.setdefault(axis, place)
    return (joint, axes) if joint is not None and {'x', 'y'} <= axes.keys() else None


def _number(row, place):
    """The number in a cell; NaN if it is empty."""
    text = row[place].strip()
    return float(text) if text and text.lower() not in ('none', 'null', 'na') else np.nan

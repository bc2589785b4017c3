"""Whether entries without numbers are the frames of a clip or the people of one image: by what they are, and where.

The poses of one person in consecutive frames lie close together, those of two people do not. Detectors that write a box and its
score for each person write people. Where these two disagree, the user is asked for --people.
"""
import re
import warnings

import numpy as np

from common.errors import InputError
from function_inference.readers.people import is_person, person_of

FRAMES, IMAGE = CHOICES = ('frames', 'image')       # what --people may say
BOX_KEYS = ('bbox', 'bbox_score', 'box', 'score', 'bbox_scores')
ID_KEYS = ('track_id', 'person_id', 'idx', 'id', 'instance_id')
PERSON_KEY = re.compile(r'person|people|track|subject|player|id|human|actor')
SMALL_STEP = 0.1             # mean distance of two poses relative to their extent: one person in consecutive frames
LARGE_STEP = 0.6             # two people


def are_people_of_one_image(entries, choice=None):
    """Whether objects that each hold one person are the people of one image; `choice`: one of CHOICES, or None.

    InputError if this cannot be told.
    """
    if choice is not None:
        return choice == IMAGE
    numbers = _numbers_of(entries) or []
    if len(set(numbers)) not in (0, 1, len(numbers)):
        raise ValueError('its people have the numbers of persons but no numbers of frames')
    step = _step(entries)
    boxed = (len(set(numbers)) != 1 or len(numbers) == 1) and (bool(numbers) or any(
        isinstance(entry, dict) and key in entry for entry in entries for key in BOX_KEYS))
    if boxed and len(entries) > 2 and step < SMALL_STEP or not boxed and step > LARGE_STEP:
        raise InputError(f'its {len(entries)} people have no frame number: say with --people frames that they are one person '
                         'in consecutive frames, or with --people image that they are the people of one image')
    return boxed


def first_key_is_person(content, choice=None):
    """Whether the keys of an object are people, and not frames or images. `choice`: --people image says that they are not."""
    keys, values = [str(key).lower() for key in content], list(content.values())
    if all(PERSON_KEY.match(key) for key in keys):
        return choice != IMAGE
    if not all(key.isdecimal() for key in keys):
        return False
    inner = [list(value.values()) if isinstance(value, dict) and all(str(key).isdecimal() for key in value) else value
             for value in values]
    if not all(isinstance(value, list) and value and not is_person(value) for value in inner):
        return False
    along, across = _step(inner[0]), _step([value[0] for value in inner])
    return len(inner[0]) > 1 and along < SMALL_STEP and (len(inner) == 1 or along < across)


def _numbers_of(entries):
    """The number of each person; None if some have none."""
    for key in ID_KEYS:
        numbers = [entry.get(key) if isinstance(entry, dict) else None for entry in entries]
        if all(isinstance(number, (int, str, list)) and number != [-1] for number in numbers):
            return [str(number) for number in numbers]
    return None


def _step(people):
    """Median distance between one pose and the next, relative to the larger extent; 0 if there are not two poses."""
    try:
        poses = [person_of(person)[:, :2] for person in people if person]
        poses = np.stack(poses)
    except (ValueError, KeyError, TypeError, AttributeError):
        return 0.0
    poses[(poses == 0).all(-1)] = np.nan
    if len(poses) < 2:
        return 0.0
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')      # of poses without a joint
        steps = np.nanmean(np.linalg.norm(np.diff(poses, axis=0), axis=-1), axis=1)
        extents = np.linalg.norm(np.nanmax(poses, axis=1) - np.nanmin(poses, axis=1), axis=-1)
    relative = steps / np.maximum(np.maximum(extents[1:], extents[:-1]), 1e-9)
    return float(np.nanmedian(relative)) if np.isfinite(relative).any() else 0.0

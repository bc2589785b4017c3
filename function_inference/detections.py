"""Detections: the people found in a clip, and the checks that those of every file pass, whichever form it has."""
import sys
from typing import NamedTuple

import numpy as np

from common.errors import InputError
from function_inference.keypoint_formats import MEDIAPIPE_33, KeypointFormat, format_of
from function_inference.readers.raw import MAX_PIXELS

MAX_FRAMES = 1_000_000       # nine hours at 30 frames per second
MAX_PEOPLE = 200             # in one frame
NOTABLY_OUTSIDE = 0.02       # share of the joints that are outside the image, above which there is a warning
MOST_OUTSIDE = 0.5


class Detections(NamedTuple):
    """The people found in each frame of a clip.

    `people`: for each frame (P, J, 3) float32, x and y in pixels and the confidence, all zero for a missing joint;
    `format`: the order of the J joints; width and height of the image in pixels; frames per second (None: unknown).
    """
    people: list
    format: KeypointFormat
    width: int
    height: int
    fps: float


def stack_people(frames):
    """RawDetections' frames -> for each frame (P, J, 3) float32; ValueError if they cannot be used."""
    joints = _num_joints(frames)
    frames = _without_idle_confidence(frames)
    frames = [[_with_confidence(person) for person in people] for people in frames]
    return [np.stack(people) if people else np.zeros((0, joints, 3), np.float32) for people in frames]


def detections_of(people, raw, path, format_name=None, size=None):
    """Detections of the stacked people of RawDetections; InputError, naming `path`, if format or size do not fit them."""
    keypoint_format = format_of(people[0].shape[1], path, format_name, raw.layout, people)
    if not format_name and raw.layout and keypoint_format.layout not in ('', raw.layout):
        print(f'warning: by their places, the joints are in the order of {keypoint_format.name}; if not, give --format',
              file=sys.stderr)
    width, height = _image_size(raw, size, path)
    people = _in_pixels(people, keypoint_format, width, height, path)
    _require_inside(people, width, height, path, 'check --size' if size else 'the file says so')
    return Detections(people, keypoint_format, width, height, raw.fps)


def _num_joints(frames):
    """Joints per person, the same for all."""
    if len(frames) > MAX_FRAMES or max(map(len, frames), default=0) > MAX_PEOPLE:
        raise ValueError(f'it has more than {MAX_FRAMES:,} frames, or more than {MAX_PEOPLE:,} people in one frame')
    counts = sorted({len(person) for people in frames for person in people})
    if not counts:
        raise ValueError('it holds no people')
    if len(counts) > 1:
        raise ValueError(f'some people have {counts[0]} joints and some {counts[-1]}')
    return counts[0]


def _without_idle_confidence(frames):
    """The frames without the third number of each joint, if it is 0 everywhere: then it is no confidence."""
    people = [person for found in frames for person in found]
    if any(person.shape[1] == 2 or np.nan_to_num(person[:, -1]).any() for person in people):
        return frames
    if any(np.nan_to_num(person[:, :2]).any() for person in people):
        print('warning: the confidence of every joint is 0; all joints are taken as detected', file=sys.stderr)
    return [[person[:, :2] for person in found] for found in frames]


def _with_confidence(person):
    """(J, 2 to 4) -> (J, 3) float32 x, y, confidence (1 if there is none); zero where the joint is missing.

    A joint is missing if it lies at (0, 0), is not finite, or has the confidence 0.
    """
    position, confidence = person[:, :2], person[:, -1] if person.shape[1] > 2 else np.ones(len(person))
    if (confidence < 0).any():
        raise ValueError(f'a confidence is {confidence.min():g}; three numbers per joint are x, y and confidence, four '
                         'are x, y, z and visibility')
    joints = np.concatenate([position, confidence[:, None]], axis=1)
    joints[~np.isfinite(joints).all(1) | (position == 0).all(1) | (confidence == 0)] = 0
    if np.abs(joints).max() > MAX_PIXELS:
        raise ValueError(f'a coordinate or confidence is {np.abs(joints).max():g}, which is too large')
    return joints.astype(np.float32)


def _image_size(raw, size, path):
    """(width, height) from the file or from --size; InputError if neither gives it or if they differ."""
    stated = (raw.width, raw.height) if raw.width and raw.height else None
    if stated and size and tuple(stated) != tuple(size):
        raise InputError(f'--size {size[0]}x{size[1]}: {path} says {stated[0]}x{stated[1]}; leave --size out')
    if not (stated or size):
        raise InputError(f'{path} does not say how large the image is; give --size WIDTHxHEIGHT, in pixels')
    return stated or size


def _in_pixels(people, keypoint_format, width, height, path):
    """People with joints in pixels; fractions of the image are multiplied by its size.

    The joints are fractions if all lie from 0 to 1. MediaPipe also has joints beyond the edge of the image; there the median
    joint decides. InputError for other numbers as small, such as normalised coordinates.
    """
    seen = _seen(people)
    if not len(seen):
        raise InputError(f'{path}: every joint of every person is missing')
    if np.abs(np.median(seen, axis=0)).max() > 1:
        return people
    if keypoint_format is not MEDIAPIPE_33 and (seen.min() < 0 or seen.max() > 1):
        raise InputError(f'{path} holds normalised coordinates, from {seen.min():.2g} to {seen.max():.2g}; pixels or fractions '
                         'of the image, from 0 to 1, are needed')
    return [each * np.array([width, height, 1], np.float32) for each in people]


def _require_inside(people, width, height, path, remedy):
    """InputError if the median joint or more than half of the joints lie outside the image; a warning if some do."""
    seen = _seen(people)
    x, y = np.median(seen, axis=0)
    outside = ((seen < 0) | (seen > (width, height))).any(1).mean()
    if not (0 <= x <= width and 0 <= y <= height):
        raise InputError(f'{path}: the joints lie around ({x:.0f}, {y:.0f}), outside an image of {width}x{height} '
                         f'pixels; {remedy}')
    if outside > MOST_OUTSIDE:
        raise InputError(f'{path}: {outside:.0%} of the joints lie outside an image of {width}x{height} pixels; {remedy}')
    if outside > NOTABLY_OUTSIDE:
        print(f'warning: {outside:.0%} of the joints lie outside the image of {width}x{height} pixels; {remedy}',
              file=sys.stderr)


def _seen(people):
    """(n, 2) positions of all joints that are seen."""
    return np.concatenate([each[each[..., 2] > 0][:, :2] for each in people])

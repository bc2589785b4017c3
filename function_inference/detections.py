"""Detections: the people found in a clip, and the checks that those of every file pass, whichever form it has."""
from typing import NamedTuple

import numpy as np

from common.errors import InputError
from function_inference.keypoint_formats import MEDIAPIPE_33, KeypointFormat, format_of
from function_inference.readers.raw import MAX_PIXELS

MAX_FRAMES = 1_000_000       # nine hours at 30 frames per second
MAX_PEOPLE = 200             # in one frame


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
    frames = [[_with_confidence(person) for person in people] for people in frames]
    return [np.stack(people) if people else np.zeros((0, joints, 3), np.float32) for people in frames]


def detections_of(people, raw, path, format_name=None, size=None):
    """Detections of the stacked people of RawDetections; InputError, naming `path`, if format or size do not fit them."""
    keypoint_format = format_of(people[0].shape[1], path, format_name, raw.layout)
    width, height = _image_size(raw, size, path)
    people = _in_pixels(people, keypoint_format, width, height, path)
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
    """People with joints in pixels; MediaPipe's fractions of the image are multiplied by its size.

    InputError if the median joint lies outside the image (single joints may), or if other formats come as fractions.
    """
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
        raise InputError(f'{path}: the joints lie around ({x:.0f}, {y:.0f}), outside an image of {width}x{height} '
                         'pixels; check --size')
    return people

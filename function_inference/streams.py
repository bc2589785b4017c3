"""Streams (cameras, network streams, keypoints on standard input, files that are played) -> the people, frame by frame.

    0, 1, ...            a camera, by OpenCV's number
    rtsp://..., http://  whatever OpenCV's VideoCapture opens
    -                    JSON lines on standard input, one frame per line: null, a person, a list of people, or an object with
                         either (function_inference.readers.people) and perhaps its `time` in seconds, `width` and `height`

A file is played as fast as its frames are lifted; their times are those in the file.
"""
import itertools
import json
import re
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

import numpy as np

from common.errors import InputError
from function_inference.detections import detections_of, stack_people
from function_inference.detectors import DETECTORS, Clip, import_or_explain
from function_inference.keypoint_formats import KeypointFormat, format_of
from function_inference.lifting import ASSUMED_FPS, tell_assumed_rate, timing
from function_inference.readers.people import people_of
from function_inference.readers.raw import RawDetections, size_and_rate

STANDARD_INPUT = '-'
INSTALL = 'pip install opencv-python'      # the headless one has no windows
LONGEST_LINE = 1_000_000
MALFORMED = (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError)


class StreamFrame(NamedTuple):
    """A frame of a stream: `time` in seconds; `people` (P, J, 3) x, y, confidence; `image` RGB uint8, or None."""
    time: float
    people: np.ndarray
    image: np.ndarray


class Stream(NamedTuple):
    """StreamFrames as they come; the order of their joints; width and height of the image in pixels; a file's frame rate."""
    frames: Iterator
    format: KeypointFormat
    width: int
    height: int
    fps: float = None


def is_stream(text):
    """Whether --input names a stream: standard input, the number of a camera, or a URL."""
    return text == STANDARD_INPUT or bool(re.fullmatch(r'[0-9]{1,2}|[a-z][a-z0-9+.-]+://.+', str(text)))


def open_capture(source):
    """OpenCV's VideoCapture of a camera's number or a URL; InputError if it cannot be opened."""
    cv2 = import_or_explain('cv2', INSTALL)
    capture = cv2.VideoCapture(int(source) if source.isdecimal() else source)
    if not capture.isOpened():
        raise InputError(f'--input {source}: OpenCV cannot open this {"camera" if source.isdecimal() else "stream"}; check '
                         'that it is there and that no other program uses it')
    return capture


def stream_of_capture(capture, detector, weights=None, device='cpu', clock=time.monotonic):
    """Stream of what `capture`, OpenCV's or one with its `read` and `release`, sees, until it ends or somebody is found.

    `clock`: function that returns the time in seconds. InputError if there is no frame, or nobody in any of them.
    """
    first = capture.read()[1]
    if first is None:
        capture.release()
        raise InputError('--input: the stream has no frame')
    height, width = first.shape[:2]

    def images():
        image = first
        while image is not None:
            yield clock() - start, np.ascontiguousarray(image[..., ::-1])
            image = capture.read()[1]
        capture.release()

    start = clock()
    return _stream_of_images(images(), Clip(None, None, None, width, height, []), detector, weights, device)


def stream_of_clip(clip, detector, weights=None, device='cpu', fps=None):
    """Stream of a Clip; with `fps` the times are those of this frame rate. InputError if nobody is in any of its frames."""
    return _stream_of_images(_timed(clip, fps), clip, detector, weights, device)


def _timed(clip, fps):
    """Yield (seconds, image) of a Clip: the times that it states, or those of a constant rate; they always increase."""
    rate = fps or clip.fps
    when = -1 / (rate or ASSUMED_FPS)
    for image in clip.read():
        stated = clip.stamps_s[-1] if clip.stamps_s and not fps else None
        usable = stated is not None and when < stated < np.inf
        if not usable and not rate:
            tell_assumed_rate()
            rate = ASSUMED_FPS
        when = stated if usable else when + 1 / rate
        yield when, image


def _stream_of_images(timed, clip, detector, weights, device):
    """Stream of the people whom the detector finds in `timed`, pairs of seconds and image; `clip` states size and rate."""
    read = []

    def images():
        for pair in timed:
            read.append(pair)
            yield pair[1]

    def frames():
        with closing(DETECTORS[detector](clip._replace(read=images), weights, device)) as found:
            for people in found:
                when, image = read.pop()
                read.clear()
                yield StreamFrame(when, people, image)

    frames, known = _until_somebody(frames())
    return Stream(frames, format_of(known.people.shape[1], '--input', layout='coco'), clip.width, clip.height, clip.fps)


def stream_of_keypoints(found, fps=None):
    """Stream of Detections; for `fps` see `timing`."""
    fps, times = timing(found, fps)
    frames = (StreamFrame(when, people, None) for when, people in zip(times, found.people))
    return Stream(frames, found.format, found.width, found.height, fps)


def stream_of_lines(file, format_name=None, size=None, fps=None):
    """Stream of JSON lines; `format_name` and `size` (width, height) as in `read_keypoints`, `fps` for lines without a time.

    A line that cannot be read counts as a frame without people, with a warning. InputError if no line has people.
    """
    reader = _LineReader(format_name, size, fps)
    frames, _ = _until_somebody(reader.frames(file))
    return Stream(frames, reader.format, *reader.size)


class _LineReader:
    """Lines of JSON -> StreamFrames; the first person decides about the order of joints, the size and the unit."""

    def __init__(self, format_name, size, fps):
        self.format_name, self.given_size, self.fps = format_name, size, fps
        self.format = self.size = self.unit = None

    def frames(self, file):
        """Yield the frames of all lines."""
        previous, step = None, 1 / (self.fps or ASSUMED_FPS)
        for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE), '')):
            when, people = 0. if previous is None else previous + step, np.zeros((0, 0, 3), np.float32)
            try:
                entry = json.loads(line)
                when = self._time(entry, previous, when)
                people = self._people(entry)
            except MALFORMED as error:
                print(f'warning: line {number + 1} of the standard input cannot be read as people ({error})', file=sys.stderr)
            yield StreamFrame(when, people, None)
            previous = when

    def _time(self, entry, previous, expected):
        """Seconds that a line states, or else the `expected` ones. ValueError unless they are after the `previous` ones."""
        stated = entry.get('time') if isinstance(entry, dict) else None
        if stated is None:
            if previous is None and not self.fps:
                print(f'the lines say no time: {ASSUMED_FPS:g} frames per second are assumed; give the true rate with --fps',
                      file=sys.stderr)
            return expected
        if not (-np.inf if previous is None else previous) < float(stated) < np.inf:
            raise ValueError(f'its time, {stated}, is not later than that of the line before')
        return float(stated)

    def _people(self, entry):
        found = people_of(entry)
        if not found:
            return np.zeros((0, 0, 3), np.float32)
        people, = stack_people([found])
        if self.format is None:
            width, height, _ = size_and_rate(entry) if isinstance(entry, dict) else (None, None, None)
            known = detections_of([people], RawDetections([found], width, height, layout='coco'), '--input -', self.format_name,
                                  self.given_size)
            self.format, self.size = known.format, (known.width, known.height)
            self.unit = np.float32([*self.size, 1] if not np.array_equal(known.people[0], people) else [1, 1, 1])
        if people.shape[1] != len(self.format.joints):
            raise ValueError(f'{people.shape[1]} joints instead of {len(self.format.joints)}')
        return people * self.unit


def _until_somebody(frames):
    """(all the frames again, the first one with people); InputError if there is none."""
    before = []
    for frame in frames:
        before.append(frame)
        if len(frame.people):
            return itertools.chain(before, frames), frame
        before[-1] = frame._replace(image=None)      # it may take hours
    raise InputError(f'--input: nobody was found in the {len(before)} frames of the stream')

"""What every reader returns: detections as the file states them, before function_inference.detections checks them."""
from typing import NamedTuple

import numpy as np

MAX_PIXELS = 1e5             # a larger width, height, frame rate or coordinate is an error in the file


class RawDetections(NamedTuple):
    """Detections as a file states them; a field is None where the file does not say.

    frames: for each frame a list of people, each an array (J, C) with C = 2 (x, y), 3 (x, y, confidence) or 4 (x, y, z,
    visibility) numbers per joint; width and height of the image in pixels; fps; layout: the name that the file gives to
    its order of joints (`KeypointFormat.layout`).
    """
    frames: list
    width: int = None
    height: int = None
    fps: float = None
    layout: str = None


def size_and_rate(meta):
    """(width, height, fps) of a dict that may hold them, None for each that is missing; ValueError for bad values."""
    numbers = {key: float(np.asarray(meta[key]).item()) for key in ('width', 'height', 'fps')
               if meta.get(key) is not None}
    for key, value in numbers.items():
        if not 0 < value <= MAX_PIXELS:
            raise ValueError(f'its {key} is {value:g}')
    width, height = (int(numbers[key]) if key in numbers else None for key in ('width', 'height'))
    return width, height, numbers.get('fps')

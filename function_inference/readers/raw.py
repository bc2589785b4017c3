"""What every reader returns: detections as the file states them, before function_inference.detections checks them."""
from typing import NamedTuple

import numpy as np

MAX_PIXELS = 1e5             # a larger width, height, frame rate or coordinate is an error in the file
WIDTHS, HEIGHTS = (tuple(f'{prefix}{side}' for prefix in ('', 'canvas_', 'image_', 'img_', 'frame_', 'video_'))
                   for side in ('width', 'height'))
RATES = ('fps', 'frame_rate', 'framerate')


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
    width, height, fps = (_number(meta, keys) for keys in (WIDTHS, HEIGHTS, RATES))
    return width and int(width), height and int(height), fps


def _number(meta, keys):
    key = next((key for key in keys if meta.get(key) is not None), None)
    if key is None:
        return None
    value = float(np.asarray(meta[key]).item())
    if not 0 < value <= MAX_PIXELS:
        raise ValueError(f'its {key} is {value:g}')
    return value

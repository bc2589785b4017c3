"""Plain arrays of keypoints."""
import numpy as np

from function_inference.readers.raw import RawDetections, size_and_rate


def is_array(source):
    return 'keypoints' in source.content.loaded


def read_array(source):
    """An array of an .npz file, whose width, height and fps may lie beside it."""
    loaded = source.content.loaded
    return RawDetections(frames_of(loaded['keypoints']), *size_and_rate(loaded))


def frames_of(array):
    """(T, J, C) or (T, people, J, C) with C = 2 to 4 -> for each frame a list of (J, C) float64.

    An array has equally many people in every frame; those whose x and y are all NaN or zero are left out.
    """
    array = np.asarray(array)
    if array.ndim not in (3, 4) or not 2 <= array.shape[-1] <= 4 or array.dtype.kind not in 'fiu':
        raise ValueError(f'its array has shape {array.shape} and type {array.dtype}; it must hold numbers and have shape '
                         '(T, J, 2 to 4) or (T, people, J, 2 to 4)')
    array = (array if array.ndim == 4 else array[:, None]).astype(float)
    return [[person for person in people if np.nan_to_num(person[:, :2]).any()] for people in array]

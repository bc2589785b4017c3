"""Plain arrays of keypoints: .npz and .npy."""
import numpy as np

from function_inference.readers.raw import RawDetections, size_and_rate

FEWEST_JOINTS = 12
# The order of 17 joints that the name of the array tells: MHFormer and its kin write Human3.6M's.
LAYOUTS = dict(reconstruction='h36m', pose2d_px='h36m')


def is_people_first(source):
    """MHFormer's: the first axis of its 4 is the people, not the frames."""
    return source.content.chosen == 'reconstruction'


def read_people_first(source):
    array = np.asarray(source.content.loaded['keypoints'])
    return _read(source, np.swapaxes(array, 0, 1) if array.ndim == 4 else array)


def is_array(source):
    return 'keypoints' in source.content.loaded


def read_array(source):
    """An array of an .npz or .npy file; confidences, width, height and fps may lie beside it."""
    return _read(source, source.content.loaded['keypoints'])


def _read(source, array):
    loaded = source.content.loaded
    if 'scores' in loaded:
        array = with_scores(np.asarray(array), np.asarray(loaded['scores']))
    return RawDetections(frames_of(array), *size_and_rate(loaded), layout=LAYOUTS.get(source.content.chosen))


def with_scores(array, scores):
    """(..., J, 2 or more), (..., J) or (..., J, 1) -> (..., J, 3); ValueError if their shapes do not fit."""
    scores = scores[..., 0] if scores.ndim == array.ndim and scores.shape[-1] == 1 else scores
    if scores.shape != array.shape[:-1]:
        raise ValueError(f'its keypoints have shape {array.shape}, but their scores {scores.shape}')
    return np.concatenate([array[..., :2], scores[..., None]], axis=-1)


def frames_of(array):
    """(T, J, C) or (T, people, J, C) with C = 2 to 4 -> for each frame a list of (J, C) float64.

    An array has equally many people in every frame; those whose x and y are all NaN or zero are left out. An array of objects
    holds an array (people, J, C) for each frame.
    """
    array = np.asarray(array)
    if array.ndim == 2 and len(array) >= FEWEST_JOINTS and array.shape[1] <= 4:
        array = array[None]      # one person in one image
    if array.dtype == object and array.ndim == 1 and len(array):
        return [frame for people in array for frame in frames_of(_of_frame(people))]
    if array.ndim not in (3, 4) or not 2 <= array.shape[-1] <= 4 or array.dtype.kind not in 'fiu':
        raise ValueError(f'its array has shape {array.shape} and type {array.dtype}; it must hold numbers and have shape '
                         '(T, J, 2 to 4) or (T, people, J, 2 to 4)')
    array = (array if array.ndim == 4 else array[:, None]).astype(float)
    return [[person for person in people if np.nan_to_num(person[:, :2]).any()] for people in array]


def _of_frame(people):
    """(1, people, J, C) of one frame, which may be None, (J, C) or (people, J, C)."""
    array = np.asarray([] if people is None else people)
    if not array.size:
        return np.zeros((1, 0, 1, 2))
    return array[None, None] if array.ndim == 2 else array[None]

"""Reading joint positions (T, J, 3) from .npz and .npy files, as AMASS, HumanML3D and other projects export them.

Several arrays in one .npz are clips if they have the same joints but differ in length; if they do not, they may be one motion
in several forms.
"""
import numpy as np

from common.errors import InputError
from common.files.npz import load_npy, load_npz, npz_keys
from data.mocap.recording import Recording

NAME_KEYS = ('joint_names', 'joints', 'names', 'labels')
RATE_KEYS = ('fps', 'frame_rate', 'framerate', 'mocap_frame_rate', 'mocap_framerate', 'rate')
EXPORT_AGAIN = 'exporting (T, J, 3) joint positions'


def read_positions(path):
    """The Recordings in an .npz or .npy file; joints are called 0, 1, ... if the file does not name them.

    InputError unless it holds one array (T, J, 3) of numbers, or several that are clips (see above).
    """
    if path.suffix.lower() == '.npy':
        arrays = {'array': np.asarray(load_npy(path, EXPORT_AGAIN))}
    else:
        loaded = load_npz(path, sorted(npz_keys(path, EXPORT_AGAIN)), EXPORT_AGAIN)
        arrays = {key: np.asarray(array) for key, array in loaded.items()}
    clips, rate = _positions(arrays, path), _rate(arrays, path)
    return [_recording(path, positions, arrays, rate, key * (len(clips) > 1)) for key, positions in clips.items()]


def _recording(path, positions, arrays, rate, clip):
    return Recording(path, _names(arrays, positions.shape[1]), positions.astype(np.float64), rate, clip=clip)


def _positions(arrays, path):
    """{key: array} of the array of shape (T, J, 3), or of those that are clips."""
    fitting = {key: array for key, array in arrays.items()
               if array.ndim == 3 and array.shape[2] == 3 and array.dtype.kind in 'fiu' and min(array.shape) > 0}
    lengths, joints = ({array.shape[axis] for array in fitting.values()} for axis in (0, 1))
    if len(fitting) == 1 or len(joints) == 1 < len(lengths):
        return fitting
    held = ', '.join(f'{key} {array.shape}' for key, array in arrays.items())
    if {'poses', 'betas'} <= arrays.keys() and not fitting:
        raise InputError(f'{path} holds the parameters of a body model, not joint positions; compute the joints with that '
                         'model and save them as an array (T, J, 3)')
    raise InputError(f'{path} holds {len(fitting)} arrays of shape (T, J, 3) where one is needed ({held}); save the joint '
                     'positions alone, or clips of different lengths with the same joints')


def _names(arrays, count):
    for key in NAME_KEYS:
        if key in arrays and arrays[key].dtype.kind == 'U' and arrays[key].shape == (count,):
            return tuple(arrays[key].tolist())
    return tuple(map(str, range(count)))


def _rate(arrays, path):
    for key in RATE_KEYS:
        if key in arrays and arrays[key].size == 1 and arrays[key].dtype.kind in 'fiu':
            rate = float(arrays[key].item())
            if not 0 < rate < np.inf:
                raise InputError(f'{path}: {key!r} is {rate} where frames per second are needed; correct it')
            return rate
    return None

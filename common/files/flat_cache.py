"""Flat copies of the prepared .npz files: the same poses without pickle and packing, which take seconds to read.

`data_3d_h36m.npz` gets `data_3d_h36m.cache` beside it. That is an .npz, too, but of plain arrays, stored as they are: of
each subject one (T, joints, 2 or 3) float32, all sequences and views one after the other, and an `index` in JSON, which
says how many frames each has and which file this is a copy of. So a command reads the subjects it needs and no others,
through `load_npz`, which believes nothing and compares every array with its checksum. The values are those of the .npz,
unjudged: whoever uses them checks them, wherever they came from. A copy is only ever a shortcut: where it is missing,
outdated or damaged, the .npz is read and the copy made anew; deleting one does no harm.
"""
import json
import sys
import zipfile
from itertools import chain
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from numpy.lib import format as npy_format

from common.files.atomic import written_whole
from common.files.npz import load_npz, members, open_archive, require_file

LAYOUT = 1      # of the copies; another number makes all of them outdated
INDEX = 'index'


def flat_path(path):
    return Path(path).with_suffix('.cache')


def identity(path, key):
    """What tells an .npz from every other: layout, its size, its time of change, the checksum of its array `key`.

    The checksum stands in the archive's directory, so the array itself is not read. None for what is no such .npz.
    """
    try:
        with open_archive(require_file(path, '')) as archive:       # whoever opens a pipe waits for ever
            status, (info,) = Path(path).stat(), members(archive, [f'{key}.npy'])
            return [LAYOUT, status.st_size, status.st_mtime_ns, info.CRC]
    except Exception:               # damage can raise nearly anything; who reads the array will say what is wrong
        return None


def read_flat(path, identity_now, subjects):
    """The table of an .npz for these subjects, from its flat copy: subject -> sequence -> array, or list of views.

    None where there is no sound copy of the .npz that is there now, or where it lacks a subject.
    """
    flat = flat_path(path)
    if identity_now is None or not flat.is_file():
        return None
    try:
        index = json.loads(load_npz(flat, [INDEX], '')[INDEX].tobytes())
        if index['copy_of'] != identity_now:
            return None
        frames = load_npz(flat, subjects, '')
        return {subject: _cut(frames[subject], index['frames'][subject]) for subject in subjects}
    except Exception:               # damage can raise nearly anything, and costs no more than the time to read the .npz
        return None


def _cut(frames, counts):
    """A subject's array and its number of frames by sequence -> the arrays by sequence; ValueError where they differ."""
    each = list(chain.from_iterable(map(_as_list, counts.values())))
    if frames.dtype != np.float32 or frames.ndim != 3 or min(each, default=0) < 0 or sum(each) != len(frames):
        raise ValueError('the index is of another array')
    parts = iter(np.split(frames, np.cumsum(each)))
    return {sequence: [next(parts) for _ in count] if isinstance(count, list) else next(parts)
            for sequence, count in counts.items()}


def write_flat(path, identity_then, table):
    """Make the flat copy of an .npz that holds `table`; `identity_then` is its identity, taken before it was read.

    Nothing is written of a table that is none of arrays alike, nor where another process is writing the same copy; where
    the folder takes no file, stderr says so in one line.
    """
    flat = flat_path(path)
    if identity_then is None:
        return
    try:
        index = {'copy_of': identity_then, 'frames': {subject: _counts(sequences) for subject, sequences in table.items()}}
        with FileLock(f'{flat}.lock', timeout=0), written_whole(flat) as partial, zipfile.ZipFile(partial, 'w') as archive:
            _write(archive, INDEX, np.frombuffer(json.dumps(index).encode(), dtype=np.uint8))
            for subject, sequences in table.items():
                _write(archive, subject, _joined(sequences))
    except (TypeError, ValueError, Timeout):
        return
    except (OSError, NotImplementedError, MemoryError) as error:      # the second: a file system without locks
        reason = getattr(error, 'strerror', None) or type(error).__name__
        print(f'note: {flat} cannot be written ({reason}); without it every start takes as long as this one',
              file=sys.stderr)


def _write(archive, name, array):
    with archive.open(f'{name}.npy', 'w') as file:
        npy_format.write_array(file, array, allow_pickle=False)


def _counts(sequences):
    """Frames of each sequence, of each of its views where it has views; TypeError for what JSON would rename."""
    if not all(isinstance(name, str) for name in sequences):
        raise TypeError('a name is no text')
    return {name: [len(view) for view in poses] if isinstance(poses, list) else len(poses)
            for name, poses in sequences.items()}


def _joined(sequences):
    """One float32 array of a subject's; TypeError where one is no array of numbers, ValueError where shapes differ."""
    arrays = list(chain.from_iterable(map(_as_list, sequences.values())))
    if not all(isinstance(array, np.ndarray) and array.dtype.kind in 'fiu' and array.ndim == 3 for array in arrays):
        raise TypeError('not every sequence is an array of numbers')
    with np.errstate(over='ignore'):        # a number too large becomes inf, as where it is read from the .npz
        return np.concatenate(arrays, dtype=np.float32, casting='unsafe')


def _as_list(value):
    return value if isinstance(value, list) else [value]

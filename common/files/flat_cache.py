"""Flat copies of the prepared .npz files: the same poses without pickle and packing, which take seconds to read.

`data_3d_h36m.npz` gets `data_3d_h36m.cache` beside it. That is an .npz, too, but of plain arrays, stored as they are: of
each subject one (T, joints, 2 or 3) float32, all sequences and views one after the other, and an `index` in JSON, which
says how many frames each has and which file this is a copy of. So a command reads the subjects it needs and no others,
through `load_npz`, which believes nothing and compares every array with its checksum. The values are those of the .npz,
unjudged: whoever uses them checks them, wherever they came from. A copy is only ever a shortcut: where it is missing,
outdated or damaged, the .npz is read and the copy made anew; deleting one does no harm.
"""
import json
import os
import sys
import zipfile
from itertools import chain
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from numpy.lib import format as npy_format

from common.files.atomic import written_whole
from common.files.limited import read_limited
from common.files.npz import load, parse_npz, require_file

LAYOUT = 1      # of the copies; another number makes all of them outdated
INDEX = 'index'


def flat_path(path):
    return Path(path).with_suffix('.cache')


def load_table(path, key, subjects, made_by):
    """(Table, identity): the table `key` of an .npz file, and the file's identity where it lacks a sound flat copy.

    From a flat copy come these subjects alone. InputError as by `load_npz`.
    """
    path, remedy = require_file(path, made_by), f'make it again with: {made_by}'
    table = read_flat(path, key, subjects)
    return (table, None) if table is not None else load(_parse_table, path, remedy, key)


def _parse_table(file, key):
    found = identity(file, key)     # before the array is read
    return parse_npz(file, [key])[key], found


def identity(npz, key):
    """What tells an .npz, a path or an open file, from every other: layout, size, time of change, checksum of its array `key`.

    The checksum stands in the archive's directory, so the array itself is not read. None where there is no such array.
    """
    try:
        with zipfile.ZipFile(npz) as archive:
            status = os.fstat(archive.fp.fileno())
            return [LAYOUT, status.st_size, status.st_mtime_ns, archive.getinfo(f'{key}.npy').CRC]
    except Exception:               # damage can raise nearly anything; whoever reads the array will say what is wrong
        return None


def read_flat(path, key, subjects):
    """The table of an .npz for these subjects, from its flat copy: subject -> sequence -> array, or list of views.

    None where there is no sound copy of the .npz that is there now, or where it lacks a subject.
    """
    try:
        with open(flat_path(path), 'rb') as file:
            index, frames = read_limited(_parse_flat, file, path, key, subjects)
        counts = json.loads(index.tobytes())['frames']
        return {subject: _cut(frames[subject], counts[subject]) for subject in subjects}
    except Exception:               # damage can raise nearly anything, and costs no more than the time to read the .npz
        return None


def _parse_flat(file, path, key, subjects):
    """The index and the arrays of an open flat copy of the .npz at `path`; an error of any type where it is none."""
    index = np.frombuffer(parse_npz(file, [INDEX])[INDEX].file.read(), np.uint8)
    if json.loads(index.tobytes())['copy_of'] != identity(path, key):
        raise ValueError('it is outdated')
    return index, parse_npz(file, subjects)


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

"""Flat copies of the prepared .npz files: the same poses, neither pickled nor compressed, since those take seconds to read.

`data_3d_h36m.npz` gets `data_3d_h36m.cache` beside it: another .npz, which holds for each subject one array (T, joints,
2 or 3) float32, uncompressed, with all sequences and views one after the other, and an `index` in JSON with the number of
frames of each sequence and the identity of the file that was copied. A command reads only the subjects it needs, and
compares each array with its checksum. The values are those of the .npz, unchecked; their users check them. A copy only saves
time: where it is missing, outdated or damaged, the .npz is read and the copy is made again, so it may be deleted.

With --poses_per_epoch the arrays are not read but mapped (`map_table`): the poses then stay on the disk, and the system
reads those that are looked at.
"""
import json
import os
import struct
import sys
import zipfile
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from numpy.lib import format as npy_format

from common.files.atomic import written_whole
from common.files.limited import PIECE_BYTES, read_limited
from common.files.npz import load, parse_npy, parse_npz, require_file

LAYOUT = 1      # of the copies; raise it to make all existing copies outdated
INDEX = 'index'
LENGTHS_AT = 26      # where a member's header in a .zip holds the lengths of its name and of its extra field, its last entries


def flat_path(path):
    return Path(path).with_suffix('.cache')


def load_table(path, key, subjects, made_by):
    """(table, identity): the table `key` of an .npz file, from its flat copy (only these subjects) or from the file itself.

    The identity is for `write_flat`; it is None where the table came from a copy. InputError as in `load_npz`.
    """
    table = read_flat(require_file(path, made_by), key, subjects)
    return (table, None) if table is not None else _load_table(path, key, made_by)


def _load_table(path, key, made_by):
    return load(_parse_table, Path(path), f'make it again with: {made_by}', key)


def map_table(path, key, subjects, made_by, as_table=lambda value: value):
    """The table `key` of an .npz file, with arrays mapped read-only from its flat copy, which is written first if need be.

    Of the `subjects`, those that are missing are passed over. If the copy cannot be written, the table is in memory, and
    `write_flat` has printed the reason. InputError as in `load_npz`.
    """
    mapped = map_flat(require_file(path, made_by), key, subjects)
    if mapped is not None:
        return mapped
    with _one_at_a_time(path):
        mapped = map_flat(path, key, subjects)      # another process may have written the copy meanwhile
        if mapped is None:
            value, identity_then = _load_table(path, key, made_by)
            table = as_table(value)
            write_flat(path, identity_then, table)
            mapped = map_flat(path, key, subjects)
    return table if mapped is None else mapped


@contextmanager
def _one_at_a_time(path):
    """Context manager that waits while another process makes the flat copy of `path`; not where the disk has no locks."""
    lock = FileLock(f'{flat_path(path)}.made.lock')
    try:
        lock.acquire()
    except (OSError, NotImplementedError):      # as `write_flat` will say
        pass
    try:
        yield
    finally:
        lock.release()


def map_array(path, key, made_by):
    """Like `map_table`, for an .npz whose `key` is one array: the copy holds it as a table with a single entry."""
    return map_table(path, key, [key], made_by, lambda array: {key: {key: array}})[key][key]


def _parse_table(file, key):
    found = identity(file, key)     # before the array is read
    return parse_npz(file, [key])[key], found


def identity(npz, key):
    """[layout, size, time of change, checksum of the array `key`] of an .npz, given as a path or an open file.

    The checksum is taken from the archive's directory, so the array is not read. None where there is no such array.
    """
    try:
        with zipfile.ZipFile(npz) as archive:
            status = os.fstat(archive.fp.fileno())
            return [LAYOUT, status.st_size, status.st_mtime_ns, archive.getinfo(f'{key}.npy').CRC]
    except Exception:               # damage can raise nearly anything; whoever reads the array will say what is wrong
        return None


def read_flat(path, key, subjects):
    """The table subject -> sequence -> array, or list of views, from the flat copy of the .npz at `path`.

    None where the copy is missing, damaged or outdated, or lacks one of the `subjects`.
    """
    try:
        with open(flat_path(path), 'rb') as file:
            index, frames = read_limited(_parse_flat, file, path, key, subjects)
        counts = json.loads(index.tobytes())['frames']
        return {subject: _cut(frames[subject], counts[subject]) for subject in subjects}
    except Exception:               # damage can raise nearly anything, and costs no more than the time to read the .npz
        return None


def map_flat(path, key, names):
    """The table of `read_flat`, of those of the `names` that the copy has, with arrays that are mapped from it read-only.

    None where the copy is missing, damaged or outdated.
    """
    try:
        with open(flat_path(path), 'rb') as file:
            index, places = read_limited(_parse_places, file, path, key, names)
            counts = json.loads(index.tobytes())['frames']
            return {name: _cut(np.memmap(file, np.float32, 'r', offset, tuple(shape)), counts[name])
                    for name, (offset, shape) in places.items()}
    except Exception:               # as above
        return None


def _parse_flat(file, path, key, subjects):
    """(index, {subject: array}) of an open flat copy of the .npz at `path`; raises an error of any type where it has none."""
    return _parse_index(file, path, key), parse_npz(file, subjects)


def _parse_index(file, path, key):
    index = np.frombuffer(parse_npz(file, [INDEX])[INDEX].file.read(), np.uint8)
    if json.loads(index.tobytes())['copy_of'] != identity(path, key):
        raise ValueError('it is outdated')
    return index


def _parse_places(file, path, key, names):
    """(index, {name: (offset in the file, shape)}) of the arrays of an open flat copy, whose checksums are compared."""
    index = _parse_index(file, path, key)
    places = {}
    with zipfile.ZipFile(file) as archive:
        for name in set(names) & {info.filename.removesuffix('.npy') for info in archive.infolist()}:
            info, stored = archive.getinfo(f'{name}.npy'), parse_npy(archive.open(f'{name}.npy'))
            if info.compress_type != zipfile.ZIP_STORED or stored.dtype != np.float32 or stored.order != 'C':
                raise ValueError('it cannot be mapped')
            start = stored.file.tell()
            while stored.file.read(PIECE_BYTES):        # to the end, where zipfile compares the checksum
                pass
            file.seek(info.header_offset + LENGTHS_AT)
            name_length, extra_length = struct.unpack('<HH', file.read(4))
            places[name] = info.header_offset + LENGTHS_AT + 4 + name_length + extra_length + start, stored.shape
    return index, places


def _cut(frames, counts):
    """A subject's array, cut into its sequences by their numbers of frames; ValueError where the sum differs."""
    each = list(chain.from_iterable(map(_as_list, counts.values())))
    if frames.dtype != np.float32 or frames.ndim != 3 or min(each, default=0) < 0 or sum(each) != len(frames):
        raise ValueError('the index belongs to another array')
    parts = iter(np.split(frames, np.cumsum(each)))
    return {sequence: [next(parts) for _ in count] if isinstance(count, list) else next(parts)
            for sequence, count in counts.items()}


def write_flat(path, identity_then, table):
    """Write the flat copy of an .npz that holds `table`; `identity_then` is the identity that it had before it was read.

    Nothing is written where the arrays differ in shape or are not numbers, or where another process writes the same copy.
    Where the folder cannot be written to, one line on stderr says so.
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
    except (AttributeError, TypeError, ValueError, Timeout):
        return
    except (OSError, NotImplementedError, MemoryError) as error:      # the second: a file system without locks
        reason = getattr(error, 'strerror', None) or type(error).__name__
        print(f'note: {flat} cannot be written ({reason}); without it every start takes as long as this one',
              file=sys.stderr)


def _write(archive, name, array):
    with archive.open(f'{name}.npy', 'w') as file:
        npy_format.write_array(file, array, allow_pickle=False)


def _counts(sequences):
    """Frames of each sequence, or of each of its views; TypeError for a name that is not text, which JSON would change."""
    if not all(isinstance(name, str) for name in sequences):
        raise TypeError('a name is not text')
    return {name: [len(view) for view in poses] if isinstance(poses, list) else len(poses)
            for name, poses in sequences.items()}


def _joined(sequences):
    """All sequences of a subject as one float32 array; TypeError where one is not numbers, ValueError where shapes differ."""
    arrays = list(chain.from_iterable(map(_as_list, sequences.values())))
    if not all(isinstance(array, np.ndarray) and array.dtype.kind in 'fiu' and array.ndim == 3 for array in arrays):
        raise TypeError('not every sequence is an array of numbers')
    with np.errstate(over='ignore'):        # too large a number becomes inf, as when it is read from the .npz
        return np.concatenate(arrays, dtype=np.float32, casting='unsafe')


def _as_list(value):
    return value if isinstance(value, list) else [value]

"""Reading and writing .npz and .npy files: pickles go through `safe_pickle`, damage becomes one InputError.

What a file declares is not believed: archives are opened by `open_archive`, and `members` says which may be unpacked.
"""
import io
import os
import warnings
import zipfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.lib import format as npy_format

from common.errors import InputError, in_short
from common.files.atomic import written_whole
from common.files.safe_pickle import MAX_BYTES, LimitedFile, read_pickle

MAX_ARRAY_BYTES = 256 << 20     # of an array that is no pickle: the longest honest one, of an hour of video, has fewer
PLAIN_BYTES = 64 << 20          # so much may come out of any archive; more only where the archive itself is large
MAX_RATIO = 50                  # unpacked to packed; poses reach 4
MAX_DIRECTORY_BYTES = 8 << 20   # an archive's list of members
MAX_MEMBERS = 10_000            # a checkpoint of ours has a thousand
CHUNK = 256 << 10             # what is copied twice should stay in a core's cache


def load_npz(path, keys, made_by):
    """Read the arrays `keys` of an .npz file into a dict; 0-d object arrays come out as the object they hold.

    `made_by` is the command that makes the file; it ends the InputError of a file that is missing or damaged.
    """
    path = require_file(path, made_by)
    try:
        with open_archive(path) as archive:
            for info in archive.infolist():
                archive.open(info).close()      # a member whose two headers give it two names might be missed below
            present = {name.removesuffix('.npy') for name in archive.namelist()}
            missing = [key for key in keys if key not in present]
            if missing:
                raise InputError(f'{path} has no array {missing[0]!r} (it has {in_short(sorted(present))}); '
                                 f'make it with: {made_by}')
            found = members(archive, [key + '.npy' for key in keys])
            return {key: _read_member(archive, info, path) for key, info in zip(keys, found)}
    except Exception as error:
        raise _damaged(path, error, made_by) from None


def npz_keys(path, made_by):
    """Names of the arrays in an .npz file."""
    path = require_file(path, made_by)
    try:
        with open_archive(path) as archive:
            return {name.removesuffix('.npy') for name in archive.namelist()}
    except Exception as error:
        raise _damaged(path, error, made_by) from None


def load_npy(path, made_by):
    """Read an .npy file; a 0-d object array comes out as the object it holds."""
    path = require_file(path, made_by)
    try:
        with open(path, 'rb') as file:
            return _read_array(file, path.stat().st_size, path)
    except Exception as error:
        raise _damaged(path, error, made_by) from None


def _damaged(path, error, made_by):
    """The InputError of a file that cannot be read; damage can raise nearly anything."""
    if isinstance(error, InputError):
        return error
    if isinstance(error, MemoryError):
        return InputError(f'{path} needs more memory than there is; free some, or check that it is '
                          'the file it should be')
    if isinstance(error, PermissionError):
        return InputError(f'{path} may not be read; permit it, or make it again with: {made_by}')
    return InputError(f'{path} is no readable {path.suffix} file ({in_short(error)}); make it again with: {made_by}')


class _ArchiveFile(io.FileIO):
    """A file that gives no more at once than an archive's list of members takes: zipfile asks for what is declared."""

    def read(self, size=-1):
        if size > MAX_DIRECTORY_BYTES:
            raise zipfile.BadZipFile(f'it declares a directory of {size:,} bytes')
        return super().read(MAX_DIRECTORY_BYTES if size < 0 else size)


@contextmanager
def open_archive(path):
    """The zipfile.ZipFile of a path. Errors of nearly any type tell that it is none; nothing is unpacked then."""
    with _ArchiveFile(path) as file, zipfile.ZipFile(file) as archive:
        yield archive


def members(archive, names):
    """ZipInfo of each member of these names.

    Errors of nearly any type tell that one is there twice, is packed strangely or too large.
    """
    infos = archive.infolist()
    if len(infos) > MAX_MEMBERS or len({info.filename for info in infos}) != len(infos):
        raise ValueError(f'it holds a member twice, or more than {MAX_MEMBERS:,}')
    found = [archive.getinfo(name) for name in names]
    if any(info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for info in found):
        raise ValueError('it is packed in a way that cannot be unpacked safely')
    size, packed = sum(info.file_size for info in found), sum(info.compress_size for info in found)
    held = min(packed, os.fstat(archive.fp.fileno()).st_size)
    if size > MAX_BYTES or size > max(PLAIN_BYTES, MAX_RATIO * held):
        raise ValueError(f'it declares {size:,} bytes in {held:,}')
    return found


def member_bytes(archive, info):
    """The bytes of one of `members`, read in pieces: a whole one is unpacked by zipfile whatever size it declares."""
    with archive.open(info) as file:
        return _fill(LimitedFile(file, info.file_size), info.file_size).tobytes()


def save_npz(path, **arrays):
    """Write a compressed .npz beside its final name, then rename it: no half-written file is ever left under `path`."""
    with written_whole(path) as partial, open(partial, 'wb') as file:
        np.savez_compressed(file, **arrays)


def require_file(path, made_by):
    """`path` as a Path; InputError naming the command `made_by` where there is no such file."""
    path = Path(path)
    if path.is_dir():
        raise InputError(f'{path} is a folder where a file belongs; move it away and make the file with: {made_by}')
    if not path.is_file():
        # a mistyped --data_root shows here: the uppermost of the folders that are not there
        lacking = [folder for folder in path.parents if not folder.is_dir()]
        why = f' ({lacking[-1]} is no folder)' if lacking else ''
        raise InputError(f'{path} is missing{why}; make it with: {made_by}')
    return path


def refuse_overwrite(path, or_else=''):
    """InputError where `path` exists: prepared data are never overwritten. `or_else` ends its line: another remedy."""
    if Path(path).exists():
        raise InputError(f'{path} exists already and is not overwritten; delete or rename it to prepare it anew{or_else}')


def _read_member(archive, info, path):
    with archive.open(info) as file:
        return _read_array(file, info.file_size, path)


def _read_array(file, size, path):
    """The array of an open .npy file of `size` bytes, or the object that it holds; the file is read to its end."""
    if size > MAX_BYTES:
        raise ValueError(f'it declares {size:,} bytes')
    file = LimitedFile(file, size)
    shape, fortran, dtype = _read_header(file)
    if dtype.hasobject:
        value = read_pickle(file, path)
        if file.left:
            raise ValueError(f'it goes on for {file.left:,} bytes')
        value = value.item() if isinstance(value, np.ndarray) and value.shape == () else value
        if isinstance(value, (list, tuple)):
            raise ValueError('it holds a list where an array or a table belongs')
        return value
    count = int(np.prod(shape, dtype=object)) if shape else 1
    if min(shape, default=0) < 0 or not dtype.itemsize or count * dtype.itemsize != file.left:
        raise ValueError(f'its header declares an array of shape {in_short(shape)} and type {in_short(dtype)}, '
                         'which is not what the file holds')
    return _fill(file, count * dtype.itemsize).view(dtype).reshape(shape, order='F' if fortran else 'C')


def _read_header(file):
    """Shape, whether in Fortran's order, and dtype; numpy warns of headers that Python 2 wrote, and they are read."""
    version = npy_format.read_magic(file)
    read_header = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}[version]
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        return read_header(file)


def _fill(file, size):
    """(size,) bytes from a LimitedFile, which must have as many."""
    if size > MAX_ARRAY_BYTES:
        raise ValueError(f'it declares an array of {size:,} bytes')
    content = np.frombuffer(bytearray(size), dtype=np.uint8)    # np.empty's huge pages can take ten times as long to come by
    for start in range(0, size, CHUNK):
        piece = file.read(min(CHUNK, size - start))
        content[start:start + len(piece)] = np.frombuffer(piece, dtype=np.uint8)
        if len(piece) < min(CHUNK, size - start):
            raise EOFError('it ends too early')
    return content

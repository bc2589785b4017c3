"""Reading and writing .npz and .npy files: pickles go through `safe_pickle`, damage becomes one InputError."""
import os
import zipfile
from pathlib import Path

import numpy as np
from numpy.lib import format as npy_format

from common.safe_pickle import load_pickle
from utils.errors import InputError

MAX_MEMBER_BYTES = 8 << 30      # an honest full-size Human3.6M file unpacks to less


def load_npz(path, keys, made_by):
    """Read the arrays `keys` of an .npz file into a dict; 0-d object arrays come out as the object they hold.

    `made_by` is the command that makes the file; it ends the InputError of a file that is missing or damaged.
    """
    path = require_file(path, made_by)
    try:
        with zipfile.ZipFile(path) as archive:
            present = {name.removesuffix('.npy') for name in archive.namelist()}
            missing = [key for key in keys if key not in present]
            if missing:
                raise InputError(f'{path} has no array {missing[0]!r} (it has {sorted(present)}); '
                                 f'make it with: {made_by}')
            return {key: _read_member(archive, key, path) for key in keys}
    except Exception as error:
        raise _damaged(path, error, made_by) from None


def npz_keys(path, made_by):
    """Names of the arrays in an .npz file."""
    path = require_file(path, made_by)
    try:
        with zipfile.ZipFile(path) as archive:
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
        return InputError(f'{path} needs more memory than there is; free some, or check that it is the file it should be')
    return InputError(f'{path} is no readable {path.suffix} file ({error or type(error).__name__}); '
                      f'make it again with: {made_by}')


def save_npz(path, **arrays):
    """Write a compressed .npz beside its final name, then rename it: no half-written file is ever left under `path`."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + '.partial')
    try:
        with open(partial, 'wb') as file:
            np.savez_compressed(file, **arrays)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def require_file(path, made_by):
    """`path` as a Path; InputError naming the command `made_by` where there is no such file."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f'{path} is missing; make it with: {made_by}')
    return path


def refuse_overwrite(path):
    """InputError where `path` exists: prepared data are never overwritten."""
    if Path(path).exists():
        raise InputError(f'{path} exists already and is not overwritten; delete or rename it to prepare it anew')


def _read_member(archive, key, path):
    info = archive.getinfo(key + '.npy')
    with archive.open(info) as file:
        return _read_array(file, info.file_size, path)


def _read_array(file, size, path):
    if size > MAX_MEMBER_BYTES:
        raise ValueError(f'it declares {size:,} bytes')
    version = npy_format.read_magic(file)
    read_header = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}[version]
    shape, fortran, dtype = read_header(file)
    if dtype.hasobject:
        value = load_pickle(file.read(), path)
        return value.item() if isinstance(value, np.ndarray) and value.shape == () else value
    count = int(np.prod(shape, dtype=object)) if shape else 1
    if count * dtype.itemsize > size:
        raise ValueError(f'its header declares an array of shape {shape}, more than the file holds')
    flat = np.frombuffer(file.read(count * dtype.itemsize), dtype=dtype, count=count)
    return flat.reshape(shape, order='F' if fortran else 'C').copy()

"""Reading .npz, .npy and .pkl files in a limited process, with one InputError for any damage; writing .npz files."""
import warnings
import zipfile
from pathlib import Path

import numpy as np
from numpy.lib import format as npy_format

from common.errors import InputError, in_short
from common.files.atomic import written_whole
from common.files.limited import Stored, read_limited
from common.files.safe_pickle import read_pickle


def load_npz(path, keys, made_by, optional=()):
    """Read the arrays `keys` of an .npz file into a dict, and those of the `optional` ones that it has.

    0-d object arrays come out as the object they hold.
    `made_by` is the command that makes the file; it ends the InputError of a file that is missing or damaged.
    """
    return load(parse_npz, require_file(path, made_by), f'make it again with: {made_by}', keys, optional)


def npz_keys(path, made_by):
    """Names of the arrays in an .npz file."""
    return set(load(parse_names, require_file(path, made_by), f'make it again with: {made_by}'))


def load_npy(path, made_by):
    """Read an .npy file; a 0-d object array comes out as the object it holds."""
    return load(parse_npy, require_file(path, made_by), f'make it again with: {made_by}')


def load_pickle(path):
    """Read the arrays, dicts, lists, tuples, texts and numbers of a .pkl file."""
    if not Path(path).is_file():
        raise InputError(f'{path} is no file; give another path')
    return load(read_pickle, Path(path), 'fetch it again from a source you trust')


def load(parse, path, remedy, *arguments):
    """`parse(open file, *arguments)` in a limited process; an InputError that ends in `remedy` where it fails."""
    try:
        with open(path, 'rb') as file:
            return read_limited(parse, file, *arguments)
    except PermissionError:
        raise InputError(f'{path} may not be read; permit it, or {remedy}') from None
    except (OSError, ValueError) as error:
        raise InputError(f'{path} is no readable {path.suffix} file ({in_short(error)}); {remedy}') from None


# The parsers run in the limited process, and raise errors of any type where a file is damaged.

def parse_names(file):
    """Names of the arrays in an open .npz file."""
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            archive.open(info).close()      # fails where the name in the directory differs from the member's own
        return [name.removesuffix('.npy') for name in archive.namelist()]


def parse_npz(file, keys, optional=()):
    """{key: array} of an open .npz file."""
    names = parse_names(file)
    if len(set(names)) < len(names):
        raise ValueError('it holds an array twice')
    for key in keys:
        if key not in names:
            raise ValueError(f'it has no array {key!r} but {sorted(names)}')
    archive = zipfile.ZipFile(file)         # not closed, since Stored arrays are read later
    return {key: parse_npy(archive.open(f'{key}.npy')) for key in (*keys, *optional) if key in names}


def parse_npy(file):
    """The array of an open .npy file, or the object that it holds."""
    version = npy_format.read_magic(file)
    read_header = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}[version]
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')         # about headers that Python 2 wrote
        shape, fortran, dtype = read_header(file)
    if not dtype.hasobject:
        return Stored(file, dtype, shape, 'F' if fortran else 'C')
    value = read_pickle(file)
    if file.read(1):                            # at its end zipfile compares the checksum
        raise ValueError('it goes on after its pickle')
    if isinstance(value, np.ndarray) and value.shape == ():
        value = value.item()
    if isinstance(value, (list, tuple)):
        raise ValueError('it holds a list where an array or a table belongs')
    return value


def save_npz(path, **arrays):
    """Write a compressed .npz under a temporary name, then rename it, so `path` never holds a half-written file."""
    with written_whole(path) as partial, open(partial, 'wb') as file:
        np.savez_compressed(file, **arrays)


def require_file(path, made_by):
    """`path` as a Path; InputError naming the command `made_by` where there is no such file."""
    path = Path(path)
    if path.is_dir():
        raise InputError(f'{path} is a folder where a file belongs; move it away and make the file with: {made_by}')
    if not path.is_file():
        # naming the uppermost missing folder shows a mistyped --data_root
        lacking = [folder for folder in path.parents if not folder.is_dir()]
        why = f' ({lacking[-1]} is no folder)' if lacking else ''
        raise InputError(f'{path} is missing{why}; make it with: {made_by}')
    return path


def refuse_overwrite(path, or_else=''):
    """InputError where `path` exists: prepared data are never overwritten. `or_else` ends its line: another remedy."""
    if Path(path).exists():
        raise InputError(f'{path} exists already and is not overwritten; delete or rename it to prepare it anew{or_else}')

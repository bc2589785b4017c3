"""Pickled dicts of arrays, read without running anything.

The field's .npz and .npy files hold pickled dicts, and a pickle may ask for any function to be called. This reader admits
numpy arrays, numpy scalars, dicts, lists, tuples, strings, bytes and numbers. What a pickle calls to rebuild an array is
replaced by passive records here; the arrays are made from those records afterwards, with every size checked first.
"""
import io
import pickle

import numpy as np

from utils.errors import InputError

_NUMPY_MODULES = ('numpy', 'numpy.core.multiarray', 'numpy._core.multiarray', 'numpy.core.numeric', 'numpy._core.numeric')
_MAX_DEPTH = 8


class _Dtype:
    """Stands for numpy.dtype: remembers its code and byte order."""

    def __init__(self, code, *_):
        self.code, self.order = code, '='

    def __setstate__(self, state):
        self.order = state[1]

    def resolve(self):
        dtype = np.dtype(self.code)
        if dtype.kind not in 'biufcSUO' or dtype.fields:
            raise ValueError(f'arrays of type {dtype} are not admitted')
        return dtype.newbyteorder(self.order) if self.order in '<>' else dtype


class _Array:
    """Stands for an array that numpy's `_reconstruct` would make: remembers its state."""
    state = None

    def __setstate__(self, state):
        self.state = state

    def resolve(self, depth):
        _, shape, dtype, fortran, content = self.state
        dtype = dtype.resolve()
        flat = _object_array(content, depth) if dtype.hasobject else np.frombuffer(_bytes(content), dtype).copy()
        return flat.reshape(shape, order='F' if fortran else 'C')


class _Scalar:
    def __init__(self, dtype, content):
        self.dtype, self.content = dtype, content

    def resolve(self, depth):
        return np.frombuffer(_bytes(self.content), self.dtype.resolve())[0]


class _FromBuffer:
    """Stands for numpy's protocol-5 `_frombuffer(buffer, dtype, shape, order)`."""

    def __init__(self, content, dtype, shape, order):
        self.content, self.dtype, self.shape, self.order = content, dtype, shape, order

    def resolve(self, depth):
        return np.frombuffer(_bytes(self.content), self.dtype.resolve()).reshape(self.shape, order=self.order).copy()


def _reconstruct(*_):
    return _Array()


def _ndarray(*_):
    raise pickle.UnpicklingError('it calls numpy.ndarray')


def _encode(text, encoding='latin1'):
    """Protocol-2 pickles write bytes as latin1 text."""
    if encoding != 'latin1':
        raise pickle.UnpicklingError(f'it encodes text as {encoding}')
    return text.encode('latin1')


_ADMITTED = {'_reconstruct': _reconstruct, 'scalar': _Scalar, '_frombuffer': _FromBuffer, 'ndarray': _ndarray,
             'dtype': _Dtype}


class _Reader(pickle.Unpickler):
    def find_class(self, module, name):
        if module in _NUMPY_MODULES and name in _ADMITTED:
            return _ADMITTED[name]
        if (module, name) == ('_codecs', 'encode'):
            return _encode
        raise pickle.UnpicklingError(f'it asks for {module}.{name}')


def load_pickle(content, where):
    """Bytes of a pickle -> arrays, dicts, lists, tuples, strings and numbers.

    Raises InputError, naming `where`, for a pickle that asks for anything else or is damaged.
    """
    try:
        return _resolve(_Reader(io.BytesIO(content), encoding='latin1').load(), 0)
    except Exception as error:                 # a damaged pickle can raise nearly anything; nothing was called on the way
        raise InputError(f'{where} cannot be read: its pickle is damaged or holds more than arrays, dicts and numbers '
                         f'({error or type(error).__name__}); fetch or prepare the file again from a source you trust') from None


def _resolve(value, depth):
    """Replace every record in nested containers by the array it stands for."""
    if depth > _MAX_DEPTH:
        raise ValueError('containers nested too deeply')
    if isinstance(value, (_Array, _Scalar, _FromBuffer)):
        return value.resolve(depth)
    if isinstance(value, dict):
        return {_plain(key): _resolve(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_resolve(item, depth + 1) for item in value)
    return _plain(value)


def _plain(value):
    if isinstance(value, tuple):
        return tuple(_plain(item) for item in value)
    if value is None or type(value) in (str, bytes, int, float, bool, complex):
        return value
    raise ValueError(f'a {type(value).__name__} is not admitted')


def _object_array(content, depth):
    flat = np.empty(len(content), dtype=object)
    for index, item in enumerate(content):
        flat[index] = _resolve(item, depth + 1)
    return flat


def _bytes(content):
    return content.encode('latin1') if isinstance(content, str) else content

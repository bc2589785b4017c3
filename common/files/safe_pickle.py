"""Pickles of arrays, read without calling anything that they ask for.

Many .npz, .npy and .pkl files of this field hold pickled dicts of arrays, and a pickle may ask for any function to be called.
This reader admits only arrays and scalars of numbers, text or objects, as numpy 1 and 2 pickle them under Python 2 or 3.
numpy's own functions trust the sizes and types in a pickle, so the functions below take their place. Memory and time
are not limited here; `read_limited` does that.
"""
import pickle
import re

import numpy as np

_NUMPY_MODULES = ('numpy', 'numpy.core.multiarray', 'numpy._core.multiarray', 'numpy.core.numeric', 'numpy._core.numeric')


class _Dtype:
    """Replaces numpy.dtype."""

    def __init__(self, code, *_):
        self.code, self.order = code, '='

    def __setstate__(self, state):
        self.order = state[1]

    def real(self):
        code = self.code.decode('latin1') if isinstance(self.code, bytes) else self.code
        if not re.fullmatch(r'[<>=|]?[biufcSUO?]\d{0,9}', code):
            raise pickle.UnpicklingError(f'it holds an array of type {code!r}')
        dtype = np.dtype(code)
        return dtype.newbyteorder(self.order) if self.order in ('<', '>') else dtype


class _Array(np.ndarray):
    """Replaces numpy's `_reconstruct`: an empty array, filled by `__setstate__`."""

    def __new__(cls, *_):
        return super().__new__(cls, 0, np.uint8)

    def __setstate__(self, state):
        _, shape, dtype, fortran, content = state
        dtype = dtype.real()
        if type(content) is not (list if dtype.hasobject else bytes):
            content = content.encode('latin1')      # as Python 2 wrote bytes
        if min(shape, default=0) < 0:
            raise pickle.UnpicklingError(f'it holds an array of shape {shape}')
        super().__setstate__((1, shape, dtype, bool(fortran), content))


def _from_buffer(content, dtype, shape, order):
    """Replaces numpy's `_frombuffer`, which protocol 5 calls."""
    if type(content) not in (bytes, bytearray):
        raise pickle.UnpicklingError('its array is not made of bytes')
    return np.frombuffer(content, dtype.real()).reshape(shape, order=order)


def _scalar(dtype, content):
    content = content.encode('latin1') if isinstance(content, str) else content
    return _from_buffer(content, dtype, (), 'C')[()]


def _encode(text, encoding='latin1'):
    """Protocol 2 writes bytes as text in latin1."""
    if encoding != 'latin1':
        raise pickle.UnpicklingError(f'it encodes text as {encoding}')
    return text.encode('latin1')


def _empty_bytes():
    """Protocols 0 to 2 write b'' as a call of bytes."""
    return b''


_REPLACED = {(module, name): function for module in _NUMPY_MODULES for name, function in
              dict(_reconstruct=_Array, ndarray=NotImplemented, dtype=_Dtype, scalar=_scalar, _frombuffer=_from_buffer).items()}
_REPLACED |= {('_codecs', 'encode'): _encode, ('builtins', 'bytes'): _empty_bytes, ('__builtin__', 'bytes'): _empty_bytes}


def safe_globals():
    """(function, full name of numpy's function that it replaces) for each, as torch.serialization.safe_globals takes them."""
    return [(function, f'{module}.{name}') for (module, name), function in _REPLACED.items()]


class _Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) not in _REPLACED:
            raise pickle.UnpicklingError(f'its pickle asks for {module}.{name}, which no file of arrays needs; do not trust '
                                         'its source')
        return _REPLACED[module, name]


def read_pickle(file):
    """The arrays, dicts, lists, tuples, text and numbers in the pickle of an open file.

    Raises an error of any type where the pickle is damaged or asks for anything else.
    """
    return _Unpickler(file, encoding='latin1').load()

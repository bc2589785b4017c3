"""Pickles of arrays, read without calling anything that they ask for.

The field's .npz, .npy and .pkl files hold pickled dicts of arrays, and a pickle may ask for any function to be called.
This reader admits numpy's arrays, scalars and types of numbers, text or objects, of numpy 1 and 2 and of Python 2; numpy's
own functions would trust the sizes and types that a pickle gives them, so others stand in for them here. It does not
limit memory or time, and is therefore called by `read_limited` only.
"""
import pickle
import re

import numpy as np

_NUMPY_MODULES = ('numpy', 'numpy.core.multiarray', 'numpy._core.multiarray', 'numpy.core.numeric', 'numpy._core.numeric')


class _Dtype:
    """Stands in for numpy.dtype."""

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
    """What numpy's `_reconstruct` gives: an array that its state fills."""

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
    """Stands in for numpy's `_frombuffer`, which protocol 5 calls."""
    if type(content) not in (bytes, bytearray):
        raise pickle.UnpicklingError('it makes an array of something else than bytes')
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


_STAND_INS = {(module, name): stand_in for module in _NUMPY_MODULES for name, stand_in in
              dict(_reconstruct=_Array, ndarray=NotImplemented, dtype=_Dtype, scalar=_scalar, _frombuffer=_from_buffer).items()}
_STAND_INS |= {('_codecs', 'encode'): _encode, ('builtins', 'bytes'): _empty_bytes, ('__builtin__', 'bytes'): _empty_bytes}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) not in _STAND_INS:
            raise pickle.UnpicklingError(f'its pickle asks for {module}.{name}, which no file of arrays needs; do not trust '
                                         'where it comes from')
        return _STAND_INS[module, name]


def read_pickle(file):
    """The tree of arrays, dicts, lists, tuples, text and numbers that an open file's pickle holds.

    An error of nearly any type tells that the pickle is damaged or asks for anything else.
    """
    return _Unpickler(file, encoding='latin1').load()

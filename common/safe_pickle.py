"""Pickled dicts of arrays, read without running anything.

The field's .npz and .npy files hold pickled dicts, and a pickle may ask for any function to be called. This reader
admits numpy arrays, numpy scalars, dicts, lists, tuples, strings, bytes and numbers. What a pickle calls to rebuild an
array is replaced by passive records here; the arrays are made from those records afterwards, every size checked first.
"""
import io
import pickle

import numpy as np

from utils.errors import InputError

_NUMPY_MODULES = ('numpy', 'numpy.core.multiarray', 'numpy._core.multiarray', 'numpy.core.numeric',
                  'numpy._core.numeric')


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

    def resolve(self, resolver):
        _, shape, dtype, fortran, content = self.state
        dtype = dtype.resolve()
        flat = _object_array(content, resolver) if dtype.hasobject else np.frombuffer(_bytes(content), dtype).copy()
        return flat.reshape(shape, order='F' if fortran else 'C')


class _Scalar:
    def __init__(self, dtype, content):
        self.dtype, self.content = dtype, content

    def resolve(self, _):
        return np.frombuffer(_bytes(self.content), self.dtype.resolve())[0]


class _FromBuffer:
    """Stands for numpy's protocol-5 `_frombuffer(buffer, dtype, shape, order)`."""

    def __init__(self, content, dtype, shape, order):
        self.content, self.dtype, self.shape, self.order = content, dtype, shape, order

    def resolve(self, _):
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


def _empty_bytes():
    """Protocols 0 to 2 write b'' as a call of bytes."""
    return b''


_ADMITTED = {'_reconstruct': _reconstruct, 'scalar': _Scalar, '_frombuffer': _FromBuffer, 'ndarray': _ndarray,
             'dtype': _Dtype}
_RECORDS = (_Array, _Scalar, _FromBuffer)
_CALLS = (*_ADMITTED.values(), _encode, _empty_bytes)
# Opcodes that make objects of classes or change them: only what an array needs is left, in the two methods below.
_REFUSED = (pickle.INST, pickle.OBJ, pickle.NEWOBJ, pickle.NEWOBJ_EX, pickle.EXT1, pickle.EXT2, pickle.EXT4,
            pickle.PERSID, pickle.BINPERSID, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER)


class _Reader(pickle._Unpickler):
    """The interpreter of the standard library in Python, less every opcode that could touch a class or a function.

    (The one in C would set attributes of whatever lies on its stack, and reserves memory for what a pickle announces.)
    """
    dispatch = {code: method for code, method in pickle._Unpickler.dispatch.items()
                if bytes([code]) not in _REFUSED}

    def find_class(self, module, name):
        if module in _NUMPY_MODULES and name in _ADMITTED:
            return _ADMITTED[name]
        if (module, name) == ('_codecs', 'encode'):
            return _encode
        if module in ('builtins', '__builtin__') and name == 'bytes':
            return _empty_bytes
        raise pickle.UnpicklingError(f'it asks for {module}.{name}')

    def load_reduce(self):
        arguments = self.stack.pop()
        function = self.stack[-1]
        if function not in _CALLS:
            raise pickle.UnpicklingError('it calls what is no call')
        self.stack[-1] = function(*arguments)

    def load_build(self):
        state = self.stack.pop()
        if not isinstance(self.stack[-1], (_Array, _Dtype)):
            raise pickle.UnpicklingError(f'it sets the state of a {type(self.stack[-1]).__name__}')
        self.stack[-1].__setstate__(state)

    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.BUILD[0]] = load_build


class _Resolver:
    """Replaces every record in nested containers by the array it stands for; what is shared stays shared."""

    def __init__(self):
        self.done = {}

    def __call__(self, value):
        if not isinstance(value, (*_RECORDS, dict, list, tuple)):
            return _plain(value)
        if id(value) not in self.done:
            self.done[id(value)] = None                # in work: a container that holds itself is refused below
            self.done[id(value)] = self._resolve(value)
        if self.done[id(value)] is None:
            raise ValueError('a container holds itself')
        return self.done[id(value)]

    def _resolve(self, value):
        if isinstance(value, _RECORDS):
            return value.resolve(self)
        if isinstance(value, dict):
            return {_plain(key): self(item) for key, item in value.items()}
        return type(value)(self(item) for item in value)


def load_pickle(content, where):
    """Bytes of a pickle -> arrays, dicts, lists, tuples, strings and numbers.

    Raises InputError, naming `where`, for a pickle that asks for anything else or is damaged.
    """
    try:
        return _Resolver()(_Reader(io.BytesIO(content), encoding='latin1').load())
    except Exception as error:      # a damaged pickle can raise nearly anything; nothing was called on the way
        raise InputError(f'{where} cannot be read: its pickle is damaged or holds more than arrays, dicts and numbers '
                         f'({error or type(error).__name__}); fetch or prepare it again from a source you trust'
                         ) from None


def _plain(value):
    """A string, number or None as it is, and tuples of them (as keys)."""
    if isinstance(value, tuple):
        return tuple(_plain(item) for item in value)
    if value is None or type(value) in (str, bytes, int, float, bool):
        return value
    raise ValueError(f'a {type(value).__name__} is not admitted')


def _object_array(content, resolver):
    flat = np.empty(len(content), dtype=object)
    for index, item in enumerate(content):
        flat[index] = resolver(item)
    return flat


def _bytes(content):
    return content.encode('latin1') if isinstance(content, str) else content

"""Pickled dicts of arrays, read without running anything.

The field's .npz and .npy files hold pickled dicts, and a pickle may ask for any function to be called. This reader
admits numpy arrays, numpy scalars, dicts, lists, tuples, strings, bytes and numbers. What a pickle calls to rebuild an
array is replaced by passive records here; the arrays are made from those records afterwards, every size checked first.
The pickles of checkpoints are read in the same way, as records only, before torch reads them.
"""
import io
import pickle
import re

import numpy as np

from common.errors import InputError, in_short

MAX_BYTES = 3 << 29         # what one file may unpack to: an honest full-size Human3.6M file takes less than 1.1 GB
MAX_PIECE_BYTES = 64 << 20  # one array, text or frame of a pickle; the longest sequence takes 5 MB
MAX_STEPS = 1 << 18         # operations of one pickle: a full-size file takes some 30,000, and each may make an object
ITEM_BYTES = 1 << 10        # what an item counts beside its bytes: a container held twice counts twice
LONG_TEXT = 256             # characters; longer texts are bytes as protocol 2 writes them

_NUMPY_MODULES = ('numpy', 'numpy.core.multiarray', 'numpy._core.multiarray', 'numpy.core.numeric',
                  'numpy._core.numeric')


class LimitedFile:
    """A binary file to read a pickle from: no more than `size` bytes, whatever it declares, and no absurd piece."""

    def __init__(self, file, size):
        self.file, self.left = file, size

    def read(self, count):
        if count > MAX_PIECE_BYTES:
            raise ValueError(f'it declares a piece of {count:,} bytes')
        return self._took(self.file.read(min(count, self.left)))

    def readline(self):
        line = self._took(self.file.readline(min(MAX_PIECE_BYTES, self.left)))
        if not line.endswith(b'\n'):
            raise EOFError('it ends within a line')
        return line

    def _took(self, content):
        self.left -= len(content)
        return content


class _Dtype:
    """Stands for numpy.dtype: remembers its code and byte order."""

    def __init__(self, code, *_):
        self.code, self.order = code, '='

    def __setstate__(self, state):
        self.order = state[1]

    def resolve(self):
        code = self.code.decode('latin1') if isinstance(self.code, bytes) else self.code
        if not (isinstance(code, str) and re.fullmatch(r'[<>=|]?[biufcSUO?]\d{0,9}', code)):
            raise ValueError(f'arrays of type {code!r} are not admitted')
        dtype = np.dtype(code)
        return dtype.newbyteorder(self.order) if self.order in '<>' else dtype


class _Array:
    """Stands for an array that numpy's `_reconstruct` would make: remembers its state, until the array is made."""
    state = None

    def __setstate__(self, state):
        self.state = state

    def resolve(self, resolver):
        (_, shape, dtype, fortran, content), self.state = self.state, None
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
        content, self.content = self.content, None
        return np.frombuffer(_bytes(content), self.dtype.resolve()).reshape(self.shape, order=self.order).copy()


class _Table:
    """Stands for a dict: remembers its items. A dict would compute hashes, which nested tuples can make endless."""
    metadata = None

    def __init__(self, pairs=()):
        self.items = [(_key(key), value) for key, value in pairs]

    def __setitem__(self, key, value):
        self.items.append((_key(key), value))

    def __setstate__(self, state):
        """torch hangs the versions of its modules on the OrderedDict of a state."""
        if [key for key, _ in state.items] != ['_metadata']:
            raise pickle.UnpicklingError('it sets attributes of a dict')
        self.metadata = state

    def resolve(self, resolver):
        resolver(self.metadata)
        return {key: resolver(value) for key, value in self.items}


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
# Opcodes that make objects of classes or change them: only what an array needs is left, in the methods below.
_REFUSED = (pickle.INST, pickle.OBJ, pickle.NEWOBJ, pickle.NEWOBJ_EX, pickle.EXT1, pickle.EXT2, pickle.EXT4,
            pickle.PERSID, pickle.BINPERSID, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER, pickle.EMPTY_SET,
            pickle.ADDITEMS, pickle.FROZENSET)


class _Counted:
    """A table of opcodes in which only so many may be looked up."""

    def __init__(self, table):
        self.table, self.left = table, MAX_STEPS

    def __getitem__(self, code):
        self.left -= 1
        if self.left < 0:
            raise pickle.UnpicklingError(f'it takes more than {MAX_STEPS:,} steps')
        if code not in self.table:
            raise pickle.UnpicklingError(f'it takes a step of the unknown or refused kind {code}')
        return self.table[code]


def _narrow(code):
    """The method of an opcode for text; wide letters, which take four bytes each in memory, only in short texts."""
    load = pickle._Unpickler.dispatch[code[0]]

    def load_text(reader):
        load(reader)
        if len(reader.stack[-1]) > LONG_TEXT:
            reader.stack[-1].encode('latin1')
    return load_text


class _Reader(pickle._Unpickler):
    """The interpreter of the standard library in Python, less every opcode that could touch a class or a function.

    (The one in C would set attributes of whatever lies on its stack, and reserves memory for what a pickle announces.)
    """
    dispatch = {code: method for code, method in pickle._Unpickler.dispatch.items()
                if bytes([code]) not in _REFUSED}
    dispatch.update({code[0]: _narrow(code) for code in (pickle.UNICODE, pickle.BINUNICODE, pickle.BINUNICODE8)})
    calls = (*_ADMITTED.values(), _encode, _empty_bytes)
    with_state = (_Array, _Dtype)

    def __init__(self, file):
        super().__init__(file, encoding='latin1')
        self.dispatch = _Counted(type(self).dispatch)

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
        if not isinstance(arguments, tuple) or not any(function is call for call in self.calls):
            raise pickle.UnpicklingError('it calls what is no call')
        self.stack[-1] = function(*arguments)

    def load_build(self):
        state = self.stack.pop()
        if not isinstance(self.stack[-1], self.with_state):
            raise pickle.UnpicklingError(f'it sets the state of a {type(self.stack[-1]).__name__}')
        self.stack[-1].__setstate__(state)

    def load_empty_dictionary(self):
        self.append(_Table())

    def load_dict(self):
        items = self.pop_mark()
        self.append(_Table(zip(items[::2], items[1::2], strict=True)))

    def load_bytearray8(self):
        self.append(bytearray(self.read(int.from_bytes(self.read(8), 'little'))))

    dispatch.update({pickle.REDUCE[0]: load_reduce, pickle.BUILD[0]: load_build, pickle.DICT[0]: load_dict,
                     pickle.EMPTY_DICT[0]: load_empty_dictionary, pickle.BYTEARRAY8[0]: load_bytearray8})


# What torch's pickles are made of beside dicts, lists and numbers
_STORAGE_BYTES = dict(DoubleStorage=8, FloatStorage=4, HalfStorage=2, BFloat16Storage=2, LongStorage=8, IntStorage=4,
                      ShortStorage=2, CharStorage=1, ByteStorage=1, BoolStorage=1)


class _Storage:
    """Stands for a storage of `count` numbers; the bytes of all of them are written down under their keys."""

    def __init__(self, number_bytes, count):
        self.number_bytes, self.count = number_bytes, _size(count)


class _Tensor:
    """Stands for a tensor; ValueError unless it lies within its storage."""

    def __init__(self, storage, offset, size, stride, requires_grad, hooks):
        last = _size(offset) + sum((_size(length) - 1) * _size(step) for length, step in zip(size, stride, strict=True))
        if not isinstance(storage, _Storage) or not isinstance(hooks, _Table) or hooks.items:
            raise ValueError('it makes a tensor of what is no storage')
        if last >= storage.count and 0 not in size:
            raise ValueError(f'it declares a tensor of shape {size}, more than its storage holds')
        self.nbytes = storage.number_bytes * int(np.prod(size, dtype=object))

    def resolve(self, _):
        return self


def _parameter(tensor, *_):
    return tensor


class _CheckpointReader(_Reader):
    """The same for the pickles of checkpoints: `storages` maps the key of each storage to its number of bytes."""
    dispatch = {**_Reader.dispatch, pickle.BINPERSID[0]: pickle._Unpickler.load_binpersid}
    admitted = {'collections.OrderedDict': _Table, 'torch._utils._rebuild_tensor_v2': _Tensor,
                'torch._utils._rebuild_parameter': _parameter}
    calls = tuple(admitted.values())
    with_state = _Table

    def __init__(self, file):
        super().__init__(file)
        self.storages = {}

    def find_class(self, module, name):
        if module == 'torch' and name in _STORAGE_BYTES:
            return name
        if f'{module}.{name}' not in self.admitted:
            raise pickle.UnpicklingError(f'it asks for {module}.{name}')
        return self.admitted[f'{module}.{name}']

    def persistent_load(self, identity):
        tag, kind, key, location, count, *view = identity
        if tag != 'storage' or type(key) is not str or type(location) is not str or view not in ([], [None]):
            raise pickle.UnpicklingError('it names a storage that is none')
        storage = _Storage(_STORAGE_BYTES[kind], count)
        if self.storages.setdefault(key, storage.number_bytes * count) != storage.number_bytes * count:
            raise pickle.UnpicklingError(f'it gives storage {key} two sizes')
        return storage


def _size(number):
    """The number, if it is one that may count something; ValueError otherwise."""
    if type(number) is not int or not 0 <= number < 1 << 48:
        raise ValueError('it has a size that is none')
    return number


class _Resolver:
    """Replaces every record in nested containers by the array it stands for; what is shared stays shared.

    ValueError where a container holds itself, or holds one so often that a walk through all would be endless.
    """

    def __init__(self):
        self.done, self.spent = {}, 0

    def __call__(self, value):
        self._spend(ITEM_BYTES)
        if not isinstance(value, (*_RECORDS, list, tuple)):
            return _plain(value)
        if id(value) in self.done:
            return self._again(*self.done[id(value)])
        self.done[id(value)] = None, None              # in work: a container that holds itself is refused
        before = self.spent
        resolved = self._resolve(value)
        self._spend(getattr(resolved, 'nbytes', 0))
        self.done[id(value)] = resolved, self.spent - before
        return resolved

    def _again(self, resolved, cost):
        if cost is None:
            raise ValueError('a container holds itself')
        self._spend(cost)
        return resolved

    def _resolve(self, value):
        if isinstance(value, _RECORDS):
            return value.resolve(self)
        return type(value)(self(item) for item in value)

    def _spend(self, count):
        self.spent += count
        if self.spent > MAX_BYTES:
            raise ValueError('what it holds unfolds without end')


_RECORDS = (_Array, _Scalar, _FromBuffer, _Table, _Tensor)


def load_pickle(content, where):
    """Bytes of a pickle -> arrays, dicts, lists, tuples, strings and numbers.

    Raises InputError, naming `where`, for a pickle that asks for anything else or is damaged.
    """
    return read_pickle(LimitedFile(io.BytesIO(content), len(content)), where)


def load_pickle_file(path):
    """The same of a file; `path` is a Path."""
    if not path.is_file():
        raise InputError(f'{path} is no file; give another path')
    try:
        with open(path, 'rb') as file:
            return read_pickle(LimitedFile(file, min(path.stat().st_size, MAX_BYTES)), path)
    except PermissionError:
        raise InputError(f'{path} may not be read; permit it, or give another path') from None


def read_pickle(file, where):
    """The same of a LimitedFile, which may go on behind the pickle."""
    try:
        return _Resolver()(_Reader(file).load())
    except Exception as error:      # a damaged pickle can raise nearly anything; nothing was called on the way
        raise InputError(f'{where} cannot be read: its pickle is damaged or holds more than arrays, dicts and numbers '
                         f'({in_short(error)}); fetch or prepare it again from a source you trust') from None


def checkpoint_records(file):
    """The pickle of a checkpoint, read as records only from a LimitedFile: its content, and its storages' bytes by key.

    torch's own reader of untrusted files trusts the sizes in them. An error of nearly any type tells that the pickle is
    damaged or holds more than tensors, dicts, lists, tuples, strings and numbers.
    """
    reader = _CheckpointReader(file)
    return _Resolver()(reader.load()), reader.storages


def _plain(value):
    """A string, a number of sensible length or None, as it is."""
    if value is None or type(value) in (str, bytes, float, bool) or type(value) is int and value.bit_length() <= 256:
        return value
    raise ValueError(f'a {type(value).__name__} is not admitted' + ' of that length' * (type(value) is int))


def _key(value):
    """A key of a dict, or a tuple of keys: short, printable, and of different hashes."""
    if isinstance(value, tuple) and len(value) <= 8 and not any(isinstance(item, tuple) for item in value):
        return tuple(_key(item) for item in value)
    if type(value) is str and not (len(value) <= LONG_TEXT and value.isprintable()):
        raise ValueError('a key is no name')
    if type(value) is bytes and len(value) > LONG_TEXT or type(value) is int and value.bit_length() > 60:
        raise ValueError('a key is too long')
    return _plain(value)


def _object_array(content, resolver):
    if not isinstance(content, (list, tuple)):
        raise ValueError('an array of objects has no list of them')
    flat = np.empty(len(content), dtype=object)
    for index, item in enumerate(content):
        flat[index] = resolver(item)
    return flat


def _bytes(content):
    return content.encode('latin1') if isinstance(content, str) else content

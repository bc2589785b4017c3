"""Reading untrusted files in a limited child process, so that a damaged or hostile file can only harm that process.

`read_limited` forks. The child parses the file with limited memory, time and size of the result, writes all arrays one
after the other into an anonymous file in memory, and sends an index of them as JSON. The parent maps that file and builds
the result from the mapped memory, without copying. It receives only numbers and text, and never unpickles anything.

On Linux every file gives a result or one ValueError within the limits, even if it crashes the child. Elsewhere (Windows
has no fork, macOS does not limit memory) the parser runs in the calling process: the parsers used here call nothing that a
file asks for, but a hostile file may take much memory and time, or crash the process.
"""
import faulthandler
import json
import math
import mmap
import multiprocessing
import os
import signal
import sys
import tempfile
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from common.errors import in_short

LINUX = sys.platform == 'linux'
MEMORY_BYTES = 3 << 29          # beyond what is mapped at the fork; a full-size Human3.6M file takes less than 1.1 GB
RESULT_BYTES = 3 << 29          # of all arrays of the result
CPU_SECONDS = 60                # a full-size file takes less than 10
WALL_SECONDS = 600              # a slow disk may need more time than CPU_SECONDS
MAX_ITEMS = 1 << 18             # containers, arrays, texts and numbers in the result; honest files have a few thousand
INDEX_BYTES = 64 << 20          # of the JSON
LONGEST_KEY = 256               # characters in a key of a dict
ALIGNMENT = 64                  # bytes: where an array may begin in the anonymous file
PIECE_BYTES = 256 << 10         # small enough for a core's cache


class Stored(NamedTuple):
    """An array that a parser has not read yet: the rest of an open file. It is copied to the result in small pieces."""
    file: object
    dtype: np.dtype
    shape: tuple
    order: str = 'C'


def read_limited(parse, *arguments):
    """Run `parse(*arguments)` in a limited child process, and return its result.

    The result may consist of dicts, lists, tuples, text, bytes, numbers, None, numpy arrays of numbers, of text or of
    objects of these kinds, Stored arrays, and torch tensors on the CPU; an iterator becomes a list. Arrays and tensors are
    writable, and share one mapping, which is freed with the last of them. ValueError, with the reason on one line, where
    the parser fails, crashes, exceeds a limit or returns anything else.
    """
    with _anonymous_file() as flat:
        answer = _answer_of_child(parse, arguments, flat) if LINUX else _answer(parse, arguments, flat)
        try:
            answer = json.loads(answer)
            if 'error' not in answer:
                return _rebuilt(answer['result'], _mapped(flat))
        except Exception as error:      # a file may have corrupted the child
            raise ValueError(f'its reader gave a damaged answer ({in_short(error)})') from None
    raise ValueError(answer['error'])


def _anonymous_file():
    return open(os.memfd_create('result'), 'w+b') if hasattr(os, 'memfd_create') else tempfile.TemporaryFile()


def _answer_of_child(parse, arguments, flat):
    receiver, sender = multiprocessing.Pipe(duplex=False)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', DeprecationWarning)     # about other threads, which the child does not need
        child = os.fork()
    if child == 0:
        try:
            _limit_this_process()
            sender.send_bytes(_answer(parse, arguments, flat))
        finally:
            os._exit(0)
    sender.close()
    try:
        with receiver:
            if not receiver.poll(WALL_SECONDS):
                raise ValueError(f'its reader took more than {WALL_SECONDS} seconds')
            return receiver.recv_bytes(INDEX_BYTES)
    except (EOFError, OSError):
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        child = None
        if status == -signal.SIGXCPU:
            raise ValueError(f'it takes more than {CPU_SECONDS} seconds to read') from None
        raise ValueError(f'its reader crashed (exit code {status})') from None
    finally:
        if child:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def _limit_this_process():
    """Limit memory, time and written files; silence stderr, ignore Ctrl-C (the parent obeys it), and set torch to one thread.

    OpenMP's threads do not exist after a fork, so a parallel region would wait for them for ever.
    """
    import resource
    faulthandler.disable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    if 'torch' in sys.modules:
        sys.modules['torch'].set_num_threads(1)
    limits = {resource.RLIMIT_FSIZE: RESULT_BYTES, resource.RLIMIT_CPU: CPU_SECONDS, resource.RLIMIT_CORE: 0}
    pages = Path('/proc/self/statm')        # of this process; some containers have no /proc
    if pages.exists():
        limits[resource.RLIMIT_AS] = int(pages.read_text().split()[0]) * resource.getpagesize() + MEMORY_BYTES
    for what, limit in limits.items():
        hard = resource.getrlimit(what)[1]
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(what, (limit, hard))     # at a soft limit of time comes SIGXCPU, at a hard one SIGKILL


def _answer(parse, arguments, flat):
    """{'result': index} or {'error': text} as JSON in bytes; the arrays of the result are written to the file `flat`."""
    try:
        answer = dict(result=_Writer(flat).index(parse(*arguments)))
        flat.flush()
    except MemoryError:
        answer = dict(error=f'it takes more than {MEMORY_BYTES >> 20:,} MiB of memory to read')
    except Exception as error:              # damage makes the libraries raise nearly anything
        answer = dict(error=in_short(error))
    return json.dumps(answer).encode()


class _Writer:
    """Writes the arrays of a tree to a file and makes its index: JSON's own values, and [kind, ...] for all others."""

    def __init__(self, flat):
        self.flat, self.size, self.items = flat, 0, 0

    def index(self, value):
        self.items += 1
        if self.items > MAX_ITEMS:
            raise ValueError(f'it holds more than {MAX_ITEMS:,} items')
        kind = type(value)
        if value is None or kind in (str, float, bool) or kind is int and value.bit_length() <= 256:
            return value
        if kind is bytes:
            return ['bytes', value.decode('latin1')]
        if kind in (list, tuple):
            return [kind.__name__, *map(self.index, value)]
        if isinstance(value, Iterator):
            return ['list', *map(self.index, value)]
        if kind in (dict, OrderedDict):
            return ['dict', [self.index(_key(key)) for key in value], [self.index(item) for item in value.values()]]
        if isinstance(value, np.ndarray) and value.dtype == object:
            return ['objects', value.shape, [self.index(item) for item in value.flat]]
        if kind is Stored and _is_plain(value.dtype):
            return ['array', value.dtype.str, value.shape, self.copied(value), value.order]
        if isinstance(value, (np.ndarray, np.generic)) and _is_plain(value.dtype):
            name = 'array' if isinstance(value, np.ndarray) else 'scalar'
            return [name, value.dtype.str, value.shape, self.written(np.asarray(value)), 'C']
        if 'torch' in sys.modules and isinstance(value, sys.modules['torch'].Tensor):
            return self.tensor(value.detach())
        raise ValueError(f'it holds a {kind.__name__}' + ' of that length' * (kind is int))

    def place(self, size):
        """Start of the next array, of that many bytes, in the file."""
        place = -(-self.size // ALIGNMENT) * ALIGNMENT
        if place + size > RESULT_BYTES:
            raise ValueError(f'it declares arrays of more than {RESULT_BYTES >> 20:,} MiB')
        self.flat.write(bytes(place - self.size))
        self.size = place + size
        return place

    def written(self, array):
        place = self.place(array.nbytes)
        self.flat.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8))
        return place

    def copied(self, stored):
        left = math.prod(stored.shape) * stored.dtype.itemsize
        place = self.place(left)
        while piece := stored.file.read(PIECE_BYTES):        # to the end, where zipfile compares the checksum
            left -= len(piece)
            if left < 0:
                break
            self.flat.write(piece)
        if left or min(stored.shape, default=0) < 0:
            raise ValueError(f'its header declares an array of shape {stored.shape} and type {stored.dtype}, which is not '
                             'what the file holds')
        return place

    def tensor(self, tensor):
        import torch
        if tensor.layout != torch.strided or tensor.device.type != 'cpu' or tensor.is_quantized or tensor.is_complex():
            raise ValueError('it holds a tensor that is sparse, quantized, complex or without numbers')
        if tensor.nbytes > RESULT_BYTES:        # a small storage may be expanded to any size
            raise ValueError(f'it declares arrays of more than {RESULT_BYTES >> 20:,} MiB')
        content = tensor.reshape(-1).view(torch.uint8).numpy()
        return ['tensor', str(tensor.dtype).removeprefix('torch.'), tensor.shape, self.written(content)]


def _is_plain(dtype):
    return dtype.kind in 'biufcSU' and dtype.itemsize > 0


def _key(key):
    """The key of a dict; ValueError unless it is a short printable name, a whole number, or a tuple of these."""
    for part in key if type(key) is tuple else (key,):
        if not (type(part) is int and part.bit_length() <= 60
                or type(part) is str and len(part) <= LONGEST_KEY and part.isprintable()):
            raise ValueError('it holds a key that is not a short name')
    return key


def _mapped(flat):
    """The file as writable memory, private to this process."""
    size = os.fstat(flat.fileno()).st_size
    return mmap.mmap(flat.fileno(), size, access=mmap.ACCESS_COPY) if size else bytearray()


def _rebuilt(node, flat):
    """The tree that an index describes, over the mapped file; raises an error of any type where the two do not fit."""
    if not isinstance(node, list):
        return node
    kind, *parts = node
    if kind == 'bytes':
        return parts[0].encode('latin1')
    if kind in ('list', 'tuple'):
        items = [_rebuilt(item, flat) for item in parts]
        return items if kind == 'list' else tuple(items)
    if kind == 'dict':
        keys, values = ([_rebuilt(item, flat) for item in items] for items in parts)
        return dict(zip(keys, values, strict=True))
    if kind == 'objects':
        shape, items = parts
        array = np.empty(len(items), dtype=object)
        for place, item in enumerate(items):
            array[place] = _rebuilt(item, flat)
        return array.reshape(shape)
    dtype, shape, place, *order = parts
    if place < 0 or min(shape, default=0) < 0:
        raise ValueError('its index holds a negative number')
    if kind == 'tensor':
        import torch
        dtype = getattr(torch, dtype)
        if 0 in shape:
            return torch.empty(shape, dtype=dtype)
        return torch.frombuffer(flat, dtype=dtype, count=math.prod(shape), offset=place).view(shape)
    dtype = np.dtype(dtype)
    if not _is_plain(dtype):
        raise ValueError(f'its index holds an array of type {dtype}')
    array = np.empty(shape, dtype) if 0 in shape else np.ndarray(shape, dtype, flat, place, order=order[0])
    return array if kind == 'array' else array[()]

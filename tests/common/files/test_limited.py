"""The limited process that reads files: data come back bit for bit, and whatever a reader does ends in one ValueError."""
import gc
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, OrderedDict

import numpy as np
import pytest
import torch

from common.files import limited
from common.files.limited import Stored, read_limited
from places import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != 'linux', reason='limits hold on Linux')]
NUMPY_TYPES = ('?', 'i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4', 'u8', 'f2', 'f4', 'f8', 'longdouble', 'c8', 'c16', '>f4', '>i8',
               'S3', 'U3', '>U3')
TORCH_TYPES = (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16, torch.bfloat16,
               torch.float32, torch.float64)
NUMBERS = np.arange(24).reshape(2, 3, 4)
LAYOUTS = {'plain': lambda array: array, 'transposed': lambda array: array.swapaxes(0, 2),
           'strided': lambda array: array[:, ::2],
           'empty': lambda array: array[:0], 'zero-dimensional': lambda array: array[1, 2, 3]}


def identical(left, right):
    bits = (left.tobytes() == right.tobytes() or left.dtype == np.longdouble and left == right)    # whose padding is any
    return left.dtype == right.dtype and left.shape == right.shape and bits


@pytest.fixture
def small(monkeypatch):
    """Limits that are soon met."""
    for limit, value in dict(MEMORY_BYTES=300 << 20, RESULT_BYTES=1 << 20, CPU_SECONDS=1, MAX_ITEMS=1000).items():
        monkeypatch.setattr(limited, limit, value)


# what crosses

@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('dtype', NUMPY_TYPES)
def test_arrays_of_all_types_come_back_bit_for_bit(dtype, layout):
    array = LAYOUTS[layout](NUMBERS.astype(dtype))
    back = read_limited(lambda: array)
    assert identical(back, array) and type(back) is type(array)


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('dtype', TORCH_TYPES, ids=str)
def test_tensors_of_all_types_come_back_bit_for_bit(dtype, layout):
    tensor = LAYOUTS[layout](torch.from_numpy(NUMBERS).to(dtype))
    back = read_limited(lambda: tensor)
    assert torch.equal(back, tensor) and back.dtype == dtype and back.is_contiguous() and not back.requires_grad


def test_numbers_that_are_none_keep_their_bits():
    special = np.array([np.nan, -np.nan, np.inf, -0., 5e-324])
    assert identical(read_limited(lambda: special), special)
    assert math.isnan(read_limited(lambda: float('nan')))


def test_a_tree_comes_back():
    tree = {'S1': {'Walking 1': [NUMBERS, (1, 2.5, 10 ** 30, True, None)], 5: b'\0\xff'}, ('a', 1): 'text \ud800', '': [],
            'scalar': np.float32(.1), 'objects': np.array([[{'a': NUMBERS}, 'x'], [None, [1]]], dtype=object)}
    back = read_limited(lambda: tree)
    assert list(back) == list(tree) and identical(back['S1']['Walking 1'][0], NUMBERS)
    assert back['S1']['Walking 1'][1] == (1, 2.5, 10 ** 30, True, None) and type(back['S1']['Walking 1'][1][3]) is bool
    assert back['S1'][5] == b'\0\xff' and back[('a', 1)] == 'text \ud800' and type(back['scalar']) is np.float32
    assert back['objects'].shape == (2, 2) and identical(back['objects'][0, 0]['a'], NUMBERS) and back['objects'][1, 1] == [1]


def test_arrays_are_aligned():
    _, numbers = read_limited(lambda: [np.zeros(3, np.int8), NUMBERS])
    assert numbers.ctypes.data % limited.ALIGNMENT == 0


def test_an_iterator_and_an_ordered_dict_come_back_plain():
    assert read_limited(lambda: iter([1, 'two'])) == [1, 'two']
    back = read_limited(lambda: OrderedDict(b=1, a=2))
    assert type(back) is dict and list(back) == ['b', 'a']


@pytest.mark.parametrize('order', 'CF')
def test_a_stored_array_is_the_rest_of_its_file(tmp_path, order):
    (tmp_path / 'it').write_bytes(b'head' + NUMBERS.tobytes(order))
    with open(tmp_path / 'it', 'rb') as file:
        file.read(4)
        assert identical(read_limited(Stored, file, NUMBERS.dtype, NUMBERS.shape, order), NUMBERS)
        for shape in ((2, 3, 3), (2, 3, 5), (-2, -3, 4)):
            file.seek(4)
            with pytest.raises(ValueError, match='is not what the file holds'):
                read_limited(Stored, file, NUMBERS.dtype, shape, order)


def test_arrays_can_be_written_to_and_are_nobody_elses():
    first, second = read_limited(lambda: [NUMBERS, torch.from_numpy(NUMBERS)])
    other = read_limited(lambda: NUMBERS)
    first[:] = 1
    second.fill_(2)
    gc.collect()
    assert (first == 1).all() and (second == 2).all() and identical(other, NUMBERS)
    if not os.fork():           # what a worker writes is its own
        first[:] = 3
        os._exit(0)
    os.wait()
    assert (first == 1).all()


@pytest.mark.parametrize('value', [{1}, Counter(), object(), len, 1j, bytearray(2), np.zeros(2, 'M8[D]'), np.zeros(2, 'V3'),
                                   np.zeros(2, 'i4,f4'), 1 << 300, {None: 1}, {'x' * 300: 1}, {'\x1b[2J': 1}, {(1, (2,)): 1},
                                   torch.zeros(2, dtype=torch.complex64), torch.eye(2).to_sparse(),
                                   torch.empty(2, device='meta')], ids=lambda value: type(value).__name__)
def test_what_is_no_tree_of_plain_things_is_refused(value):
    with pytest.raises(ValueError, match='it holds a'):
        read_limited(lambda: [value])


# what a reader may do

def overflow_the_stack():
    tree = []
    for _ in range(100_000):
        tree = [tree]
    return tree


def forever():
    while True:
        pass


HARM = {
    'crash': (os.abort, 'crashed .exit code -6'), 'exit': (lambda: os._exit(3), 'crashed .exit code 3'),
    'endless loop': (forever, 'more than 1 seconds to read'),
    'much memory': (lambda: bytearray(400 << 20), '300 MiB of memory'),
    'much memory in torch': (lambda: torch.ones(100 << 20), 'memory'),
    'a large result': (lambda: np.zeros(1 << 18), 'more than 1 MiB'),
    'a large tensor of few numbers': (lambda: torch.zeros(1).expand(1 << 40), 'more than 1 MiB'),
    'many items': (lambda: [0] * 1000, 'more than 1,000 items'),
    'itself': (lambda: (lambda own: own.append(own) or own)([]), ''),
    'a deep result': (overflow_the_stack, 'recursion'), 'an error': (lambda: {}['x\n\x1b'], 'it has no '),
    'a file': (lambda: tempfile.TemporaryFile().write(bytes(2 << 20)), 'too large'),
}


@pytest.mark.parametrize('name', HARM)
def test_whatever_a_reader_does_is_one_error(small, capfd, name):
    parse, message = HARM[name]
    started = time.monotonic()
    with pytest.raises(ValueError, match=message) as refused:
        read_limited(parse)
    assert str(refused.value).isprintable() and time.monotonic() - started < 8
    assert capfd.readouterr() == ('', '')
    assert read_limited(lambda: 5) == 5


def test_a_reader_that_waits_without_end_is_ended(monkeypatch):
    monkeypatch.setattr(limited, 'WALL_SECONDS', .2)
    with pytest.raises(ValueError, match='its reader took more than 0.2 seconds'):
        read_limited(time.sleep, 60)


@pytest.mark.parametrize('answer', [
    b'', b'[', b'5', b'{}', b'[' * 100_000,
    dict(result=['array', '|O', [1], 0, 'C']), dict(result=['array', '<f8', [9], 0, 'C']),
    dict(result=['array', '<f8', [1], -8, 'C']), dict(result=['array', '<f8', [1], 1 << 70, 'C']),
    dict(result=['tensor', 'load', [1], 0]), dict(result=['tensor', 'float32', [-1], 0]), dict(result=['open', 'x', [], 0]),
    dict(result=['dict', [['list']], [1]]), dict(result=['dict', [1], []]), dict(result=['objects', [2], [1]])], ids=str)
def test_an_index_that_does_not_fit_is_refused(monkeypatch, answer):
    """As a child might send that a file has taken over."""
    def answered(parse, arguments, flat):
        flat.write(bytes(16))
        flat.flush()
        return answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    monkeypatch.setattr(limited, '_answer', answered)
    with pytest.raises(ValueError, match='damaged answer'):
        read_limited(len)


def test_nothing_is_left_behind(small):
    before = sorted(os.listdir('/proc/self/fd'))
    for parse in (lambda: 5, os.abort, lambda: bytearray(400 << 20)):
        try:
            read_limited(parse)
        except ValueError:
            pass
    assert sorted(os.listdir('/proc/self/fd')) == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_the_process_is_silent_and_deaf_and_has_one_thread():
    def look():
        print('loud', file=sys.stderr)
        return signal.getsignal(signal.SIGINT) == signal.SIG_IGN, torch.get_num_threads(), len(os.listdir('/proc/self/task'))
    assert read_limited(look) == (True, 1, 1)


BUSY = '''
import sys, threading
import torch
from common.files.limited import read_limited
torch.set_num_threads(4)
numbers = torch.ones(1 << 20)
stop = threading.Event()
def work():
    while not stop.is_set():
        numbers.exp().sum()
workers = [threading.Thread(target=work) for _ in range(3)]
for worker in workers:
    worker.start()
for _ in range(10):
    assert read_limited(lambda: (numbers + 1).T.contiguous())[-1] == 2
stop.set()
assert torch.get_num_threads() == 4 and not torch.cuda.is_initialized()
'''


@pytest.mark.filterwarnings('ignore')
def test_it_reads_beside_busy_threads_of_torch():
    """In a process of its own, whose OpenMP threads exist when it forks."""
    done = subprocess.run([sys.executable, '-c', BUSY], cwd=ROOT, capture_output=True, text=True, timeout=60,
                          env={**os.environ, 'OMP_NUM_THREADS': '4'})
    assert (done.returncode, done.stderr) == (0, '')


def test_it_reads_in_any_thread():
    results = []
    thread = threading.Thread(target=lambda: results.append(read_limited(lambda: 5)))
    thread.start()
    thread.join()
    assert results == [5]


def test_ctrl_c_ends_the_reader_too():
    program = ('import os, signal, time\nfrom common.files.limited import read_limited\n'
               'signal.signal(signal.SIGINT, signal.default_int_handler)\n'       # a background job would ignore it
               'def parse():\n    os.write(1, f"{os.getpid()}\\n".encode())\n    time.sleep(60)\nread_limited(parse)\n')
    process = subprocess.Popen([sys.executable, '-c', program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    child = int(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    assert b'KeyboardInterrupt' in process.communicate()[1]
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_elsewhere_the_same_is_read_in_this_process(monkeypatch):
    monkeypatch.setattr(limited, 'LINUX', False)
    assert read_limited(os.getpid) == os.getpid()
    assert identical(read_limited(lambda: {'a': NUMBERS})['a'], NUMBERS)
    with pytest.raises(ValueError, match='it has no '):
        read_limited(lambda: {}['x'])

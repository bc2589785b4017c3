"""Reading .npz, .npy and .pkl files: arrays come back bit for bit, everything else is refused and nothing is run.

Hundreds of files are read here without a limited process, since a fork takes some milliseconds; tests/common/files/
test_limited.py tests that process, and tests/hostile/test_fuzz.py both together.
"""
import io
import os
import pickle
import struct
import subprocess
import sys
import time
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from common.errors import InputError
from common.files import limited
from common.files.npz import load_npy, load_npz, load_pickle, npz_keys, refuse_overwrite, require_file, save_npz
from refusals import refusal

COMMAND = 'python make_it.py'
PROTOCOLS = pytest.mark.parametrize('protocol', [0, 2, 4, 5])
FIGURES = np.arange(24, dtype=np.float64).reshape(2, 3, 4)

ADMITTED = {
    'float32': FIGURES.astype(np.float32), 'float64': FIGURES, 'float16': FIGURES.astype(np.float16),
    'int64': FIGURES.astype(np.int64), 'uint8': FIGURES.astype(np.uint8), 'bool': FIGURES > 7, 'complex': FIGURES * 1j,
    'big-endian': FIGURES.astype('>f4'), 'big-endian int': FIGURES.astype('>i2'), 'Fortran order': np.asfortranarray(FIGURES),
    'a strided view': FIGURES[:, ::2], 'zero-dimensional': np.array(3.5), 'no frames': FIGURES[:0],
    'bytes': np.array([b'ab', b'']),
    'text': np.array(['Walking', 'Photo 1']), 'big-endian text': np.array(['Walking', 'Photo 1']).astype('>U9'),
    'read-only': np.frombuffer(b'abcd', np.uint8), 'numpy number': np.float32(1.5), 'numpy integer': np.int64(-3),
    'objects': np.array([{'S1': FIGURES}, [1, 'two', None], FIGURES, (3,), 'text'], dtype=object),
    'table': {'S1': {'Walking 1': [FIGURES, FIGURES[:1]]}, 5: None, ('a', 1): (True, 2.5, b'raw', 'text', 10 ** 30)},
}


class Calls:
    """Pickles as a call of `function`."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class Stranger:
    pass


def same(left, right):
    """Equal in value, type, dtype and shape, through containers."""
    if isinstance(right, np.ndarray):
        assert isinstance(left, np.ndarray) and left.dtype == right.dtype and left.shape == right.shape
        return all(map(same, left.ravel(), right.ravel())) if right.dtype == object else np.array_equal(left, right)
    assert type(left) is type(right)
    if isinstance(right, dict):
        return list(left) == list(right) and all(map(same, left.values(), right.values()))
    if isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    return left == right


def npy_bytes(header, content, version=(1, 0)):
    """An .npy file with a header and content of our own."""
    text = repr(header).encode().ljust(117) + b'\n'
    return b'\x93NUMPY' + bytes(version) + struct.pack('<H', len(text)) + text + content


def object_npy(content):
    return npy_bytes(dict(descr='|O', fortran_order=False, shape=()), content)


@pytest.fixture(autouse=True)
def unlimited(monkeypatch):
    monkeypatch.setattr(limited, 'LINUX', False)


@pytest.fixture
def unpickled(tmp_path):
    """A function that writes bytes to a file and returns what `load_pickle` reads from it."""
    def read(content):
        (tmp_path / 'it.pkl').write_bytes(content)
        return load_pickle(tmp_path / 'it.pkl')
    return read


# What is admitted

@PROTOCOLS
@pytest.mark.parametrize('kind', ADMITTED)
def test_every_admitted_kind_comes_back(unpickled, kind, protocol):
    """As numpy's own reader gives it, which turns some arrays of the other byte order."""
    content = pickle.dumps(ADMITTED[kind], protocol)
    assert same(unpickled(content), pickle.loads(content))


@PROTOCOLS
def test_arrays_come_back_writable(unpickled, protocol):
    read = unpickled(pickle.dumps({'S1': FIGURES, 'S5': ADMITTED['read-only']}, protocol))
    for array in read.values():
        array[:] = 1
        assert (array == 1).all()


def test_a_python_2_pickle_with_byte_strings_comes_back(unpickled):
    """As numpy wrote dicts under Python 2: arrays in byte strings, keys as byte strings, numpy's old module names."""
    values = np.array([1.5, -2, 1e300, 255])
    raw = values.tobytes()
    content = (b"\x80\x02}q\x01U\x02S1q\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85"
               b"U\x01b\x87Rq\x05(K\x01K\x04\x85cnumpy\ndtype\nq\x06U\x02f8K\x00K\x01\x87Rq\x07(K\x03U\x01<NNN"
               b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
               b"\x89U" + bytes([len(raw)]) + raw + b"tbs.")
    assert any(byte > 127 for byte in raw)
    assert same(unpickled(content), {'S1': values})


@pytest.mark.parametrize('kind', ADMITTED)
def test_files_that_numpy_writes_come_back(tmp_path, kind):
    value = ADMITTED[kind]
    np.save(tmp_path / 'it.npy', value, allow_pickle=True)
    np.savez(tmp_path / 'plain.npz', it=value)
    np.savez_compressed(tmp_path / 'packed.npz', it=value)
    expected = np.array(value) if isinstance(value, np.generic) else value
    assert same(load_npy(tmp_path / 'it.npy', COMMAND), expected)
    for name in ('plain.npz', 'packed.npz'):
        assert npz_keys(tmp_path / name, COMMAND) == {'it'}
        assert same(load_npz(tmp_path / name, ['it'], COMMAND)['it'], expected)


def test_save_npz_writes_what_numpy_and_we_can_read(tmp_path):
    path = tmp_path / 'new folder' / 'it.npz'
    save_npz(path, positions=ADMITTED['table'], figures=FIGURES)
    read = load_npz(path, ['figures', 'positions'], COMMAND)
    assert same(read, {'figures': FIGURES, 'positions': ADMITTED['table']})
    assert same(np.load(path, allow_pickle=True)['positions'].item(), ADMITTED['table'])
    assert os.listdir(path.parent) == ['it.npz']


def test_only_the_arrays_asked_for_are_read(tmp_path):
    np.savez(tmp_path / 'it.npz', good=FIGURES, bad=np.array(Stranger(), dtype=object))
    assert list(load_npz(tmp_path / 'it.npz', ['good'], COMMAND)) == ['good']


# Nothing is run

def hostile(marker):
    """name -> an object whose ordinary unpickling runs something: each would make the file `marker`."""
    command = f'touch {marker}'
    inner = pickle.dumps(Calls(os.system, command))
    return {'os.system': Calls(os.system, command), 'subprocess': Calls(subprocess.call, ['touch', str(marker)]),
            'eval': Calls(eval, f'open({str(marker)!r}, "w")'), 'pathlib': Calls(Path.touch, marker),
            'a pickle within': Calls(pickle.loads, inner), 'numpy file': Calls(np.fromfile, str(marker)),
            'getattr': Calls(getattr, FIGURES, 'tofile'),
            'inside an array': np.array([1, Calls(os.system, command)], dtype=object),
            'inside a dict': {'S1': {'Walking': [Calls(os.system, command)]}}, 'as a key': {(1, Calls(os.system, command)): 1}}


@PROTOCOLS
@pytest.mark.parametrize('name', hostile(''))
def test_a_pickle_that_calls_something_is_refused_and_not_run(unpickled, tmp_path, name, protocol):
    marker = tmp_path / 'marker'
    content = pickle.dumps(hostile(marker)[name], protocol)
    message = refusal(unpickled, content)
    assert message.startswith(f'{tmp_path / "it.pkl"} is no readable .pkl file (its pickle asks for ')
    assert message.endswith('fetch it again from a source you trust') and not marker.exists()


def test_the_marker_would_appear_if_the_pickle_were_run(tmp_path):
    """The alarm of the test before, tried once: this is what an ordinary reader does."""
    pickle.loads(pickle.dumps(hostile(tmp_path / 'marker')['os.system']))
    assert (tmp_path / 'marker').exists()


def test_a_hostile_array_in_a_file_is_refused_and_not_run(tmp_path):
    marker = tmp_path / 'marker'
    value = np.array({'S1': Calls(os.system, f'touch {marker}')}, dtype=object)
    np.savez(tmp_path / 'it.npz', it=value)
    np.save(tmp_path / 'it.npy', value, allow_pickle=True)
    assert 'system' in refusal(load_npz, tmp_path / 'it.npz', ['it'], COMMAND)
    assert 'system' in refusal(load_npy, tmp_path / 'it.npy', COMMAND)
    assert not marker.exists()


STRANGE = {
    'an instance': Stranger(), 'a class': Stranger, 'a function': len, 'a set': {1}, 'an ordered dict': OrderedDict(a=1),
    'bytearray': bytearray(b'a'), 'datetimes': np.array(['2020-01-01'], 'M8[D]'), 'fields': np.zeros(2, 'i4,f4'),
    'instances in an array': np.array([Stranger()], dtype=object),
    'numpy.dtype alone': np.dtype('f4'), 'numpy.ndarray alone': np.ndarray,
    'numpy.ndarray called': Calls(np.ndarray, (1 << 40,)),
    'numpy.ndarray over a buffer': Calls(np.ndarray, (2,), 'O', b'1234567890123456'),
    'masked': np.ma.array([1., 2], mask=[0, 1])}


@pytest.mark.parametrize('name', STRANGE)
def test_other_objects_are_refused(unpickled, name):
    refusal(unpickled, pickle.dumps(STRANGE[name]))


@pytest.mark.parametrize('number', range(3))
def test_pointers_cannot_be_forged_through_raw_bytes(unpickled, number):
    """An object dtype over raw bytes would make Python follow addresses of the file's choosing."""
    objects = Calls(np.dtype, 'O8')
    content = b'\x41' * 8
    forged = [Calls(np.float64(1).__reduce__()[0], objects, content),
              Calls(FIGURES.__reduce_ex__(5)[0], content, objects, (1,), 'C'),
              Calls(FIGURES.__reduce_ex__(5)[0], content, Calls(np.dtype, '(1,)O'), (1,), 'C')]
    refusal(unpickled, pickle.dumps(forged[number]))


@pytest.mark.parametrize('state', [b"N}S'__init__'\nNs", b"(K\3S'|'\nNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x3ft"],
                         ids=['attribute', 'flags'])
@pytest.mark.parametrize('target', ['numpy\ndtype', 'numpy.core.multiarray\n_reconstruct', 'numpy.core.multiarray\nscalar',
                                    'numpy.core.numeric\n_frombuffer', '_codecs\nencode'])
def test_a_file_cannot_change_the_reader_for_the_next_file(unpickled, target, state):
    """The opcode BUILD may set attributes on whatever lies on the stack, also on what the reader itself put there."""
    with pytest.raises(InputError):
        unpickled(b'c' + target.encode() + b'\n(' + state + b'tb.')
    for protocol in (0, 2, 4, 5):
        array, number = unpickled(pickle.dumps([np.arange(3.), np.float32(1)], protocol))
        assert np.array_equal(array, np.arange(3.)) and number == 1


# Damage and size

@PROTOCOLS
def test_a_pickle_nested_without_end_is_refused(unpickled, protocol):
    """Forty thousand lists within each other, and one that holds itself."""
    refusal(unpickled, b'(l' * 40000 + b'N' + b'a' * 39999 + b'.')
    own = []
    own.append(own)
    refusal(unpickled, pickle.dumps(own, protocol))


@PROTOCOLS
def test_a_pickle_cut_anywhere_is_refused(unpickled, protocol):
    content = pickle.dumps({'S1': [FIGURES, 'text', 1.5]}, protocol)
    for length in range(0, len(content), 7):
        refusal(unpickled, content[:length])


def laughter():
    """Seven lists within each other, each one twenty times the same next: 20 ** 7 items in some hundred bytes."""
    value = [FIGURES[0, 0]]
    for _ in range(6):
        value = [value] * 20
    return pickle.dumps(value * 20)


GREEDY = {'text': b'X\xff\xff\xff\x7fabc.', 'bytes': b'\x80\x04\x8e' + struct.pack('<Q', 1 << 40) + b'abc.',
          'frame': b'\x80\x04\x95' + struct.pack('<Q', 1 << 60) + b'N.', 'integer': b'\x80\x02\x8b\xff\xff\xff\x7f\x01.',
          'memo': b'Nr' + struct.pack('<I', 1 << 25) + b'.', 'laughter': laughter()}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != 'linux', reason='limits hold on Linux')
@pytest.mark.parametrize('name', GREEDY)
def test_a_small_pickle_cannot_take_much_memory_or_time(unpickled, monkeypatch, name):
    """The limits of the process are small; what keeps them is refused for another reason."""
    for limit, value in dict(LINUX=True, MEMORY_BYTES=300 << 20, CPU_SECONDS=3).items():
        monkeypatch.setattr(limited, limit, value)
    assert len(GREEDY[name]) < 2000
    started = time.monotonic()
    refusal(unpickled, GREEDY[name])
    assert time.monotonic() - started < 10


@pytest.mark.parametrize('shape', [(9,), (1 << 40,), (1 << 20, 1 << 20, 1 << 20), (1 << 62, 4)], ids=str)
@pytest.mark.parametrize('content', [b'', b'12345678'], ids=['empty', 'short'])
def test_an_array_that_declares_more_than_the_file_holds_is_refused(tmp_path, shape, content):
    path = tmp_path / 'it.npy'
    path.write_bytes(npy_bytes(dict(descr='<f8', fortran_order=False, shape=shape), content))
    message = refusal(load_npy, path, COMMAND)
    assert str(path) in message and 'declares' in message
    with zipfile.ZipFile(tmp_path / 'it.npz', 'w') as archive:
        archive.writestr('it.npy', path.read_bytes())
    assert COMMAND in refusal(load_npz, tmp_path / 'it.npz', ['it'], COMMAND)


@PROTOCOLS
def test_a_pickled_array_that_declares_more_than_it_holds_is_refused(unpickled, protocol):
    array = np.frombuffer(b'0123456789abcdef', np.uint8).copy()
    content = pickle.dumps(array, protocol)
    places = {0: (b'I16\n', b'I9999999999\n')}.get(protocol, (b'K\x10', b'J\xff\xff\xff\x7f'))
    grown = content.replace(*places)
    assert grown != content
    refusal(unpickled, grown)


@pytest.mark.parametrize('descr', ['O', '|V0', '|S0', '<f99', 'nonsense', [('a', '<f4', (1 << 40,))]], ids=str)
def test_headers_of_other_types_are_refused(tmp_path, descr):
    path = tmp_path / 'it.npy'
    path.write_bytes(npy_bytes(dict(descr=descr, fortran_order=False, shape=(4,)), b'12345678'))
    refusal(load_npy, path, COMMAND)


NOT_FILES = {'empty': b'', 'text': b'404: Not Found\n', 'page': b'<!DOCTYPE html><html></html>' * 9, 'zeros': bytes(4096),
             'magic alone': b'\x93NUMPY', 'zip magic alone': b'PK\x03\x04', 'version 9': npy_bytes({}, b'', (9, 0)),
             'header of text': npy_bytes('hello', b''), 'a call in the header': npy_bytes(FIGURES, b'')}


@pytest.mark.parametrize('name', NOT_FILES)
def test_what_is_no_array_file_is_refused_with_the_command_that_makes_one(tmp_path, name):
    path = tmp_path / 'it'
    path.write_bytes(NOT_FILES[name])
    for read in (load_npy, npz_keys, lambda *arguments: load_npz(arguments[0], ['it'], arguments[1])):
        message = refusal(read, path, COMMAND)
        assert str(path) in message and message.endswith(COMMAND)


@pytest.mark.parametrize('read', [load_npy, npz_keys, require_file])
def test_a_missing_file_or_a_folder_names_the_command(tmp_path, read):
    path = tmp_path / 'nowhere.npz'
    assert refusal(read, path, COMMAND) == f'{path} is missing; make it with: {COMMAND}'
    message = refusal(read, tmp_path, COMMAND)
    assert message.startswith(f'{tmp_path} is a folder') and message.endswith(COMMAND)


def test_the_folder_that_a_missing_file_s_path_lacks_is_named(tmp_path):
    path = tmp_path / 'root' / 'data' / 'it.npz'
    assert f'{path} is missing ({tmp_path / "root"} is no folder); ' in refusal(require_file, path, COMMAND)
    (tmp_path / 'root').write_text('a file')
    assert f'{path} is missing ({tmp_path / "root"} is no folder); ' in refusal(require_file, path, COMMAND)


def test_a_missing_array_is_named_with_those_there_are(tmp_path):
    np.savez(tmp_path / 'it.npz', here=FIGURES)
    message = refusal(load_npz, tmp_path / 'it.npz', ['here', 'gone'], COMMAND)
    assert "'gone'" in message and "'here'" in message and message.endswith(COMMAND)


@pytest.mark.parametrize('packing', [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA],
                         ids=['stored', 'deflated', 'bzip2', 'lzma'])
def test_a_file_with_any_byte_changed_is_refused_or_read_but_never_a_traceback(tmp_path, packing):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w', packing) as archive:
        archive.writestr('it.npy', object_npy(pickle.dumps({'S1': {'Walking': FIGURES}})))
    content, path = buffer.getvalue(), tmp_path / 'it.npz'
    for place in range(0, len(content), 5):
        changed = bytearray(content)
        changed[place] ^= 0x55
        path.write_bytes(changed)
        try:
            load_npz(path, ['it'], COMMAND)
        except InputError:
            pass


def test_a_file_cut_anywhere_is_refused(tmp_path):
    np.savez_compressed(tmp_path / 'whole.npz', it=ADMITTED['table'])
    content, path = (tmp_path / 'whole.npz').read_bytes(), tmp_path / 'it.npz'
    for length in range(0, len(content), 11):
        path.write_bytes(content[:length])
        refusal(load_npz, path, ['it'], COMMAND)


# Writing

def test_a_failing_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / 'it.npz'
    save_npz(path, it=FIGURES)
    with pytest.raises((AttributeError, pickle.PicklingError)):
        save_npz(path, it=FIGURES + 1, bad=np.array(lambda: 0, dtype=object))
    assert os.listdir(tmp_path) == ['it.npz']
    assert np.array_equal(load_npz(path, ['it'], COMMAND)['it'], FIGURES)


def test_an_existing_file_is_not_overwritten(tmp_path):
    (tmp_path / 'here').write_text('')
    refuse_overwrite(tmp_path / 'gone')
    assert refusal(refuse_overwrite, tmp_path / 'here', '; or move it').startswith(f'{tmp_path / "here"} exists already')
    assert refusal(refuse_overwrite, tmp_path / 'here', '; or move it').endswith('; or move it')

"""Hostile files for test_fuzz.py: small real files, damaged as a bad disk or forged as a malicious stranger would.

`build_bases` writes one honest file of each kind. MUTATIONS[kind] maps names to functions (Base, rng) -> bytes, which
give the same bytes for the same seed of the random generator.
"""
import bz2
import copy
import io
import json
import lzma
import pickle
import pickletools
import re
import struct
import zipfile
import zlib
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import torch
from scipy.io import savemat

import builders
from common.files.npz import load_npy, load_npz, load_pickle, save_npz
from data.prepare_data_h36m import project_all
from data_extra.prepare_data_3dhp import read_test_set
from models_baseline import build_lifter

H5_KEY = '3D_positions'
MEMBER = builders.member_name('S1', 'Walking')
SECRET, SECRET_NUMBER = 'secret.bin', 4321.     # a file of this number beside the honest ones, which no reader may open
MIB = 1 << 20
NUMBERS = (0, 1, 2, -1, -8, 127, 128, 255, 65535, 0x7fffffff, 0x80000000, 0xffffffff, 1 << 40, 1 << 62, (1 << 63) - 1)


class Base(NamedTuple):
    """An honest file; `member` is the member of an archive that most mutations change."""
    path: Path
    member: str = ''


# honest files

def build_bases(folder):
    """kind -> Base: two subjects with two sequences of three or four frames, 3DHP of six frames, a SemGCN."""
    rng, folder = np.random.default_rng(0), Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    world_mm = {subject: {sequence: builders.random_poses_mm(rng, frames) for sequence, frames in
                          (('Walking', 3), ('Directions', 4))} for subject in ('S1', 'S9')}
    builders.write_archive(folder / 'h36m.zip', {'S1': {'Walking': world_mm['S1']['Walking']}})
    builders.write_mat(folder / 'Walking.cdf.mat', world_mm['S1']['Walking'].reshape(-1, 96))
    builders.write_videopose3d(folder / 'detections.npz', world_mm, 3, rng)
    builders.write_hr(folder, world_mm, rng)
    builders.write_spin(folder / 'spin.npz', rng, frames_per_sequence=1)
    np.save(folder / 'templates.npy', rng.uniform(.1, .5, (5, 15)))
    np.full(3 * 96, SECRET_NUMBER).tofile(folder / SECRET)
    (folder / 'other.h5').write_bytes(builders.h5_bytes(np.full((96, 3), SECRET_NUMBER)))
    _prepare(folder, world_mm)
    _write_others(folder, rng)
    return {'archive': Base(folder / 'h36m.zip', MEMBER), 'mat': Base(folder / 'Walking.cdf.mat'),
            'detections': Base(folder / 'detections.npz', 'positions_2d.npy'),
            'hr': Base(folder / 'twoDPose_HRN_test.npy'), 'templates': Base(folder / 'templates.npy'),
            'spin': Base(folder / 'spin.npz', 'S.npy'), 'dhp': Base(folder / 'dhp.npz', 'pose3d.npy'),
            'pose3d': Base(folder / 'pose3d.npz', 'positions_3d.npy'),
            'pose2d': Base(folder / 'pose2d.npz', 'positions_2d.npy'),
            'keypoints': Base(folder / 'keypoints.npz', 'keypoints.npy'), 'coco': Base(folder / 'coco.json'),
            '3dpw': Base(folder / '3dpw.pkl'), 'checkpoint': Base(folder / 'zip.pth.tar', 'zip.pth/data.pkl'),
            'legacy': Base(folder / 'legacy.pth.tar')}


def _write_others(folder, rng):
    """Keypoints as a detector writes them, and a sequence file of 3DPW with two people who stand before the camera."""
    keypoints = rng.uniform(100, 900, (4, 17, 3))
    np.savez(folder / 'keypoints.npz', keypoints=keypoints, width=1000, height=1000)
    (folder / 'coco.json').write_text(json.dumps({'width': 1000, 'height': 1000, 'frames': [
        [{'keypoints': person.round(1).ravel().tolist()}] for person in keypoints]}))
    record = {'sequence': 'downtown_00', 'campose_valid': list(np.ones((2, 3))),
              'poses2d': list(np.ones((2, 3, 3, 18))), 'cam_poses': np.tile(np.eye(4), (3, 1, 1)),
              'cam_intrinsics': np.array([[2e3, 0, 960], [0, 2e3, 540], [0, 0, 1]]),
              'jointPositions': list((rng.normal(0, .3, (2, 3, 24, 3)) + [0, 0, 5]).reshape(2, 3, 72))}
    (folder / '3dpw.pkl').write_bytes(pickle.dumps(record, protocol=2))


def _prepare(folder, world_mm):
    """The files that preparation makes of the sources, and a checkpoint in each of torch's two formats."""
    pose3d = {subject: {sequence: (poses_mm / 1000).astype(np.float32) for sequence, poses_mm in sequences.items()}
              for subject, sequences in world_mm.items()}
    save_npz(folder / 'pose3d.npz', positions_3d=pose3d)
    save_npz(folder / 'pose2d.npz', positions_2d=project_all(pose3d))
    save_npz(folder / 'dhp.npz', **read_test_set(folder / 'spin.npz'))
    torch.manual_seed(0)
    content = {'state_dict': build_lifter('gcn', stages=1).state_dict(), 'epoch': 3,
               'arguments': {'posenet_name': 'gcn', 'stages': 1}}
    torch.save(content, folder / 'zip.pth.tar')
    torch.save(content, folder / 'legacy.pth.tar', _use_new_zipfile_serialization=False)


def one_of(choices, rng):
    return choices[rng.integers(len(choices))]


# changes of bytes, whatever their meaning

def truncated(content, rng):
    return content[:rng.integers(len(content))]


def flipped(content, rng):
    changed = bytearray(content)
    for place in _places(content, rng, rng.choice([1, 1, 2, 8])):
        changed[place] ^= 1 << rng.integers(8)
    return bytes(changed)


def overwritten(content, rng):
    """A troublesome number, in one of four widths, at a random place."""
    changed, width = bytearray(content), int(rng.choice([1, 2, 4, 8]))
    number = int(rng.choice(NUMBERS)) & ((1 << 8 * width) - 1)
    for place in _places(content, rng, 1):
        changed[place:place + width] = number.to_bytes(width, 'little')
    return bytes(changed)


def spliced(content, rng):
    """A piece copied over another place, inserted there, or cut out."""
    start, place = (int(value) for value in _places(content, rng, 2))
    piece = content[start:start + int(rng.integers(1, 64))]
    return content[:place] + rng.choice([piece, b''], p=[.7, .3]) + content[place + rng.choice([0, len(piece)]):]


def blanked(content, rng):
    place, length = _places(content, rng, 1)[0], rng.choice([4, 64, 512])
    return content[:place] + bytes([rng.choice([0, 255])]) * length + content[place + length:]


def _places(content, rng, count):
    """Random places, half of them within the first or the last kilobyte, where formats keep their structure."""
    spans = {'any': (0, len(content)), 'head': (0, min(1024, len(content))),
             'tail': (max(0, len(content) - 1024), len(content))}
    return [int(rng.integers(*spans[rng.choice(list(spans), p=[.5, .25, .25])])) for _ in range(count)]


RAW = (truncated, flipped, overwritten, spliced, blanked)


def raw(change):
    """The mutation of a whole file by a change of its bytes."""
    return lambda base, rng: change(base.path.read_bytes(), rng)


# zip archives

class Entry(NamedTuple):
    """A member as the two headers of a zip archive describe it, truly or not."""
    name: bytes
    packed: bytes
    size: int
    crc: int
    method: int = zipfile.ZIP_DEFLATED
    flags: int = 0
    extra: bytes = b''
    mode: int = 0o100644


def stored(name, content, **changes):
    name = name if isinstance(name, bytes) else name.encode()
    return Entry(name, content, len(content), zlib.crc32(content), zipfile.ZIP_STORED)._replace(**changes)


def zip_bytes(entries):
    """A zip archive of these Entries, without any check."""
    body, directory, place = [], [], 0
    for name, packed, size, crc, method, flags, extra, mode in entries:
        common = struct.pack('<HHHHHIIIHH', 20, flags, method, 0, 0, crc, min(len(packed), 0xffffffff),
                             min(size, 0xffffffff), len(name), len(extra))
        directory += [b'PK\1\2' + struct.pack('<H', 0x314) + common
                      + struct.pack('<HHHII', 0, 0, 0, mode << 16, place) + name + extra]
        body += [b'PK\3\4' + common + name + extra, packed]
        place += len(body[-2]) + len(packed)
    listed, count = b''.join(directory), len(entries) & 0xffff
    return b''.join(body) + listed + b'PK\5\6' + struct.pack('<HHHHIIH', 0, 0, count, count, len(listed), place, 0)


def members(path):
    """name -> content of an honest archive."""
    with zipfile.ZipFile(path) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def zipped(contents):
    """An archive of name -> content, every size and checksum right."""
    return zip_bytes([stored(name, content) for name, content in contents.items()])


def rezipped(base, content):
    """The archive with its chief member replaced by `content`."""
    return zipped({**members(base.path), base.member: content})


def beside(base, entries):
    """The archive's other members, and these Entries in the place of the chief one."""
    return zip_bytes([stored(name, old) for name, old in members(base.path).items() if name != base.member] + entries)


def inside(change):
    """The mutation of an archive's chief member by a change of its bytes."""
    return lambda base, rng: rezipped(base, change(members(base.path)[base.member], rng))


@lru_cache(maxsize=4)       # each takes some megabytes, and with them every fork of a reader longer
def packed(mebibytes, head=b'', unit=b'\0', wbits=-15):
    """`head` and then so many mebibytes of one byte as a deflate stream, a thousand times smaller."""
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    first = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(unit * MIB) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + block * mebibytes + packer.flush()


def zip_oddity(base, rng):
    """The chief member with a false or strange header, or beside strange members."""
    name, content = base.member, members(base.path)[base.member]
    return beside(base, one_of(ODD_ENTRIES, rng)(name, content))


ODD_ENTRIES = [
    lambda name, content: [stored(name, content), stored(name, content[:len(content) // 2])],
    lambda name, content: [stored(name, content)] * 3,
    lambda name, content: [stored(name, content), stored('../../' + name, content), stored('/etc/' + name, content)],
    lambda name, content: [stored('../' + name, content)],
    lambda name, content: [stored(name, b'secret.bin', mode=0o120777)],
    lambda name, content: [stored(name, content, mode=0o010644)],
    lambda name, content: [stored(name, content, size=1 << 30)],
    lambda name, content: [stored(name, content, size=0xffffffff)],
    lambda name, content: [stored(name, content, size=0)],
    lambda name, content: [stored(name, content, crc=1)],
    lambda name, content: [stored(name, content, flags=1)],
    lambda name, content: [stored(name, content, flags=0x808)],
    lambda name, content: [stored(name, content, method=99)],
    lambda name, content: [stored(name, content, method=zipfile.ZIP_LZMA)],
    lambda name, content: [stored(b'\xff\xfe' + name.encode(), content, flags=0x800)],
    lambda name, content: [stored(name, content), stored(b'\xff', content, flags=0x800)],
    lambda name, content: [stored(name, content), stored('x\x1b[2J\n' + name, b'')],
    lambda name, content: [stored(name, content, size=0xffffffff, extra=struct.pack('<HHQ', 1, 8, 1 << 62))],
    lambda name, content: [stored(name, content, size=0xffffffff, extra=struct.pack('<HH', 1, 200))],
    lambda name, content: [stored(name, content, extra=b'\1')],
    lambda name, content: [stored(name, content), *[stored(f'{number}', b'') for number in range(20000)]],
]


def zip_field(base, rng):
    """A troublesome number in one field of a local header, of the directory or of its end."""
    content = base.path.read_bytes()
    content = content if content[:2] == b'PK' else zip_bytes([stored('a', content)])
    signature, length = ((b'PK\3\4', 30), (b'PK\1\2', 46), (b'PK\5\6', 22))[rng.integers(3)]
    found = [match.start() for match in re.finditer(re.escape(signature), content)]
    changed, width = bytearray(content), int(rng.choice([2, 4]))
    place = int(rng.choice(found)) + int(rng.integers(4, length - width))
    changed[place:place + width] = (int(rng.choice(NUMBERS)) & ((1 << 8 * width) - 1)).to_bytes(width, 'little')
    return bytes(changed)


def bomb(head_of):
    """A chief member of three or six gigabytes of zeros after the header of such an array, its size declared truly or not."""
    def bombed(base, rng):
        mebibytes = int(rng.choice([3072, 6144]))
        head = head_of(mebibytes)
        size = rng.choice([len(head) + mebibytes * MIB, 10 * MIB, 0xffffffff])
        return swelling(base, packed(mebibytes, head), int(size))
    return bombed


def swelling(base, content, size):
    """The archive with its chief member replaced by a deflate stream."""
    return beside(base, [Entry(base.member.encode(), content, size, 0)])


@lru_cache
def packed_otherwise():
    """method -> 16 MiB of zeros, packed by bzip2 or LZMA. (zipfile unpacks them in one piece, whatever size is declared.)"""
    zeros, chain = bytes(16 * MIB), [{'id': lzma.FILTER_LZMA1, 'dict_size': MIB}]
    head = b'\x09\x04\x05\0' + struct.pack('<BI', 93, MIB)
    return {zipfile.ZIP_BZIP2: bz2.compress(zeros),
            zipfile.ZIP_LZMA: head + lzma.compress(zeros, lzma.FORMAT_RAW, filters=chain)}


def other_packing(base, rng):
    """Another packing method, and a declared size that is too small."""
    method = int(rng.choice(list(packed_otherwise())))
    return zip_bytes([Entry(base.member.encode(), packed_otherwise()[method], MIB, 0, method)])


# .npy headers

def npy_bytes(header, content, version=(1, 0)):
    text = (header if isinstance(header, str) else repr(header)).encode('latin1').ljust(117) + b'\n'
    return b'\x93NUMPY' + bytes(version) + struct.pack('<H' if version[0] == 1 else '<I', len(text)) + text + content


SHAPES = [(), (0,), (-1,), (-2, -2), (1 << 40,), (1 << 62, 4), (1 << 31, 1 << 31, 4), (0, 1 << 62), (True, 3), (3.0,),
          ('3',), [3], (2,) * 40, (1,) * 70, (1 << 70,)]
DESCRS = [*'<f4 <f8 >f8 <i8 |b1 <c16 <f2 <g |O |S8 |S0 <U2 <U0 |V8 |V0 <M8[D] <M8 <m8[s] <f99 nonsense (2,)f4'.split(),
          '(100000,100000)f4', [('a', '<f4')], [('a', '|O'), ('b', '<f4')], [('a', '<f4', (1 << 40,))], 'f4,' * 500,
          {'names': ['a'], 'formats': ['f4'], 'offsets': [1 << 30]}, ('f4', (2,)), None, 5, '|S2147483647', '<U999999999']
HEADERS = ['', '{', "{'descr': '<f8'}", '(' * 4000, '-' * 9000 + '1', '[' * 90 + ']' * 90,
           "{'descr': '\\d', 'fortran_order': False, 'shape': ()}", "__import__('os').system('touch marker')",
           "{'descr': '<f8', 'fortran_order': False, 'shape': (3L, 15L), }", 'x' * 60000,
           "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 15)} ",
           "{'descr': '<f8', 'fortran_order': 7, 'shape': (1, 15)}", '\0' * 100]


def npy_header(content, rng):
    """The honest content after another header."""
    head = io.BytesIO(content)
    version = np.lib.format.read_magic(head)
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(head)
    header = dict(descr=np.lib.format.dtype_to_descr(dtype), fortran_order=fortran, shape=shape)
    part = rng.choice(['shape', 'axis', 'descr', 'order', 'text', 'version', 'length'])
    if part == 'axis' and shape:
        axis = rng.integers(len(shape))
        header['shape'] = shape[:axis] + (int(rng.choice(NUMBERS)),) + shape[axis + 1:]
    elif part in ('shape', 'axis'):
        header['shape'] = one_of(SHAPES, rng)
    elif part == 'descr':
        header['descr'] = one_of(DESCRS, rng)
    elif part == 'order':
        header['fortran_order'] = not fortran
    elif part == 'text':
        header = one_of(HEADERS, rng)
    elif part == 'version':
        version = one_of(((1, 1), (2, 0), (3, 0), (4, 0)), rng)
    changed = npy_bytes(header, head.read(), version)
    return changed if part != 'length' else changed[:8] + struct.pack('<H', rng.integers(65536)) + changed[10:]


# values

def strange(array, rng):
    """A value to replace an array of numbers."""
    changed = array.astype(np.float64)
    if changed.size:
        changed.flat[rng.integers(changed.size)] = rng.choice([np.nan, np.inf, -np.inf, 1e300, -1e39, 1e30, 5e-324,
                                                               -1.])
    types = ['f2', '>f8', 'i1', 'u8', '?', 'c16', 'S3', 'U3', 'O', 'M8[s]', 'longdouble']
    others = [
        lambda: changed, lambda: changed.astype(array.dtype) if array.dtype.kind == 'f' else changed,
        lambda: array.astype(rng.choice(types)), lambda: np.zeros(array.shape, [('a', 'f4'), ('b', 'i8')]),
        lambda: array.T, lambda: array.ravel(), lambda: array[:0], lambda: array[:1], lambda: array[..., :1],
        lambda: array[None], lambda: np.asfortranarray(array), lambda: array * 0, lambda: array * 1e36,
        lambda: np.full(array.shape, 3e38), lambda: array.tolist(), lambda: [[1, 2], [3]], lambda: [array[:1], array],
        lambda: 'text', lambda: None, lambda: {}, lambda: {'a': array}, lambda: 5, lambda: np.float64(3),
        lambda: b'\0' * 8, lambda: np.array(3), lambda: np.zeros((0, 0, 0, 0)), lambda: [], lambda: [[]] * 3,
        lambda: np.empty((2,) * 20, bool), lambda: np.array([array, None, 'x'], dtype=object), lambda: (array,) * 4,
        lambda: float('nan'), lambda: -1 << 200]
    with np.errstate(all='ignore'):
        return one_of(others, rng)()


NAMES = ['S1', 'S2', '', 5, None, -1, 10 ** 5000, 1.5, float('nan'), b'S1', ('S1', 'Walking'), ('S1', ('Walking', (1,))),
         '\ud800', 'S1\n\x1b[2J', 'x' * 100000, True, 'Walking 99', '../../etc/passwd',
         (9, 'Walking', 'Walking_1.1.h5-sh'), (9, 'Walking', 5), ('\ud800', 'Walking', 'Walking.54138969.h5-sh'),
         ('9' * 5000, 'Walking', 'Walking.54138969.h5-sh'), (9, 'a', 'x' * 100000 + '.54138969.h5-sh'),
         (9, 'a', '\ud800.54138969.h5-sh')]


def _somewhere(table, rng):
    """A dict or list within the table, and one of its keys."""
    parent = table
    while True:
        key = list(parent)[rng.integers(len(parent))] if isinstance(parent, dict) else int(rng.integers(len(parent)))
        if not isinstance(parent[key], (dict, list)) or not parent[key] or rng.random() < .1:
            return parent, key
        parent = parent[key]


def strange_table(table, rng):
    """A table with another name or another value at a random depth, changed in place; or no table at all."""
    if rng.random() < .05:
        return strange(np.ones((3, 32, 3)), rng)
    parent, key = _somewhere(table, rng)
    place = parent[key]
    action = rng.choice(['value', 'value', 'value', 'name', 'drop', 'double'])
    if action == 'name' and isinstance(parent, dict):
        parent[one_of(NAMES, rng)] = parent.pop(key) if rng.random() < .5 else place
    elif action == 'drop':
        del parent[key]
    elif action == 'double' and isinstance(parent, list):
        parent.append(place)
    else:
        parent[key] = strange(place if isinstance(place, np.ndarray) else np.ones((3, 17, 2)), rng)
    return table


def npy_of(value, rng):
    """`value` as np.save writes it; a table as a pickle of any protocol."""
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        buffer = io.BytesIO()
        np.save(buffer, value)
        return buffer.getvalue()
    return OBJECT_HEAD + pickle.dumps(value, int(rng.integers(2, 6)))


def value_of(base):
    """What the honest file, or its chief member, holds."""
    if base.path.suffix == '.pkl':
        return load_pickle(base.path)
    if base.path.suffix == '.npy':
        return load_npy(base.path, 'the test')
    name = base.member.removesuffix('.npy')
    return load_npz(base.path, [name], 'the test')[name]


def with_value(base, content):
    """The file with that .npy file as its chief member, or as the whole; a .pkl file without the header."""
    if base.path.suffix == '.pkl':
        return content.removeprefix(OBJECT_HEAD)
    return content if base.path.suffix == '.npy' else rezipped(base, content)


def values(base, rng):
    value = value_of(base)
    changed = strange_table(value, rng) if isinstance(value, dict) else strange(value, rng)
    return with_value(base, npy_of(as_written(changed), rng))


def as_written(value):
    """`value` as the array that np.savez makes of it: anything but an array becomes a zero-dimensional object array."""
    if isinstance(value, np.ndarray):
        return value
    array = np.empty((), dtype=object)
    array[()] = value
    return array


def all_arrays_strange(base, rng):
    """Every array of numbers of an .npz replaced, or some of them."""
    arrays = dict(np.load(base.path))
    changed = {name: as_written(strange(array, rng)) if array.dtype.kind in 'fiu' and rng.random() < .5 else array
               for name, array in arrays.items()}
    return zipped({name + '.npy': npy_of(array, rng) for name, array in changed.items()})


NAME_LISTS = [
    np.array(['a' * 20000000] + [''] * 5, dtype=object), np.array([b'x' * 9, 'y', 3, None, [1], {}], dtype=object),
    np.array(['\ud800/TS1/'] * 6, dtype=object), np.array([b'/TS1/', b'\xff/TS2/'] * 3),
    np.array(['/TS1/'] * 6).astype('>U9'), np.array(['/TS1/'] * 5), np.zeros((6, 1), 'U3'),
    np.array(['/TS1/', 'b' * MIB] * 3)]


def names_strange(base, rng):
    return zipped({**members(base.path), 'imgname.npy': npy_of(one_of(NAME_LISTS, rng), rng)})


# pickles

def call(module, name, arguments=b"S'touch marker'\n"):
    return b'c' + module.encode() + b'\n' + name.encode() + b'\n(' + arguments + b'tR'


CALLED = '''
    os.system posix.system subprocess.Popen subprocess.call builtins.eval builtins.exec builtins.open
    builtins.__import__ builtins.getattr __builtin__.eval importlib.import_module runpy.run_path numpy.load
    numpy.fromfile numpy.memmap numpy.ndarray numpy.lib.format.open_memmap
    numpy.testing._private.utils.runstring torch.load torch.storage._load_from_bytes torch.serialization.load
    torch.hub.load torch.jit.load torch.from_file torch._utils._rebuild_tensor torch._utils._rebuild_tensor_v2
    torch._utils._rebuild_parameter torch._utils._rebuild_sparse_tensor torch._utils._rebuild_wrapper_subclass
    torch._tensor._rebuild_from_type_v2 torch.Tensor torch.FloatTensor torch.FloatStorage torch.Size
    collections.OrderedDict collections.Counter builtins.set builtins.complex builtins.bytearray
    functools.partial functools.reduce operator.attrgetter operator.methodcaller types.CodeType
    types.FunctionType copyreg._reconstructor copyreg.add_extension copyreg.__newobj__ pickle.loads
    marshal.loads codecs.decode _codecs.decode socket.create_connection ctypes.CDLL webbrowser.open pty.spawn
    code.interact logging.config.listen common.files.npz.save_npz common.files.safe_pickle._Reader
    utils.runs.checkpoint.save_checkpoint
'''.split()
CALLS = [call(*path.rsplit('.', 1)) for path in CALLED]
NUMBER = b'I20000000000\n'
SNIPPETS = CALLS + [
    b"(cos\nsystem\nS'touch marker'\no", b"(S'touch marker'\nios\nsystem\n", b"cos\nsystem\n(S'touch marker'\nt\x81",
    b"cos\nsystem\n(S'touch marker'\nt}\x92", b"cbuiltins\nlist\n(S'x'\nd\x62", b"cnumpy\ndtype\n(N}S'__init__'\nNstb",
    b'\x82\x01', b'\x83\xff\xff', b'\x84\1\0\0\0', b'\x80\5\x97', b'\x80\5\x98', b'Pname\n', b'Nh\0Q', b"S'name'\nQ",
    b"S'os'\nS'system'\n\x93(S'touch marker'\ntR", b"S'a.b.c'\nS'__class__.__subclasses__'\n\x93",
    b"S'" + b'y' * 3000 + b"'\nS'z\\x1b[2J\\n'\n\x93", call('builtins', 'bytearray', NUMBER), call('builtins', 'bytes', NUMBER),
    call('torch', 'Size', b'(' + NUMBER + b'l'), call('_codecs', 'encode', b"S'x'\nS'rot13'\n"),
    call('_codecs', 'encode', b"S'x'\nS'zip'\n"), call('numpy', 'dtype', b"S'V2000000000'\n"),
    call('numpy', 'dtype', b"S'f4," + b'f4,' * 2000 + b"'\n"),
    call('numpy.core.multiarray', '_reconstruct', b'cnumpy\nndarray\n(I20000000000\ntS\'b\'\n'),
    call('numpy.core.multiarray', 'scalar', call('numpy', 'dtype', b"S'O8'\n") + b"S'AAAAAAAA'\n"),
    call('numpy.core.numeric', '_frombuffer', b"S'AAAAAAAA'\n" + call('numpy', 'dtype', b"S'O8'\n") + b"(I1\ntS'C'\n"),
    *b'2 0 1 ( a s u b R . } \x8f \x90 \x91'.split(), b'h\0', b'g5\n',
    b'\x95' + struct.pack('<Q', 1 << 60), *(code + struct.pack('<Q', 20 << 30) for code in (b'\x96', b'\x8e', b'\x8d')),
    b'X\xff\xff\xff\x7f', b'B\xff\xff\xff\xff', b'T\xff\xff\xff\x7f', b'\x8b\xff\xff\xff\x7f', b'I' + b'9' * 6000 + b'\n',
    b'L' + b'9' * 4000 + b'L\n', b'F1e999\n', b"S'no end", b'V\\ud800\n', b'r\xff\xff\xff\x7f', b'p99999999\n']


def laughter(opening, closing, depth=40, item=b'K\1'):
    """Each container holds the previous one twice: `depth` levels expand to 2 ** depth items."""
    content = item + b'q\0'
    for level in range(depth):
        content += opening + b'h' + bytes([level]) * 1 + b'h' + bytes([level]) + closing + b'q' + bytes([level + 1])
    return content


BOMBS = {
    'lists': laughter(b'(', b'l'), 'tuples': laughter(b'(', b't'),
    'tuple as key': b'}' + laughter(b'(', b't') + b'K\1s',
    'tuples as keys': b'(' + laughter(b'(', b't') + b'K\1d', 'frozenset': b'\x80\4(' + laughter(b'(', b't') + b'\x91',
    'set': b'\x80\4\x8f(' + laughter(b'(', b't') + b'\x90', 'dicts': laughter(b'(', b'd'),
    'deep lists': b']' * 200000 + b'a' * 199999,
    'deep tuples': b'N' + b'\x85' * 200000,
    'itself': b']q\0h\0a', 'itself in a dict': b'}q\0K\1h\0s', 'itself in a tuple': b'](h\0t' + b'q\0a',
    'colliding keys': b'}(' + b''.join(b'\x8a\x0a' + (((1 << 61) - 1) * k).to_bytes(10, 'little') + b'N'
                                       for k in range(100000)) + b'u',
    'shared subjects': b'}(' + b''.join(b'X\5\0\0\0%05dN' % k for k in range(20000)) + b'uq\0' + b'0}(' + b''.join(
        b'X\5\0\0\0%05dh\0' % k for k in range(20000)) + b'u'}


# (beginning, a byte that is repeated after it): each byte makes an object, or is a character of a long text
SWELLING = [(b'(', b']'), (b'(', b'}'), (b'(', b')'), (b'N', b'2'), (b'', b'('), (b'S', b'a'),
            (b'X\0\0\0\x40' + '\U0001f600'.encode(), b'a'),
            (b'B\0\0\0\x40', b'a'), (b'\x80\5\x96' + struct.pack('<Q', 1 << 30), b'a'),
            (b'\x80\4\x95' + struct.pack('<Q', 1 << 30), b'N')]


def swollen_pickle(head):
    """The mutation that puts such a pickle, of 128 MiB or a gigabyte, behind `head` into the chief member."""
    def swollen(base, rng):
        start, unit = one_of(SWELLING, rng)
        mebibytes = int(rng.choice([128, 1025]))
        return swelling(base, packed(mebibytes, head + start, unit), len(head + start) + mebibytes * MIB)
    return swollen


def bomb_pickle(rng):
    name = list(BOMBS)[rng.integers(len(BOMBS))]
    return BOMBS[name] + b'.'


def operations(content):
    """[(opcode, argument, its bytes)] of an honest pickle."""
    steps = list(pickletools.genops(content))
    ends = [place for _, _, place in steps[1:]] + [steps[-1][2] + 1]
    return [(code, argument, content[start:end]) for (code, argument, start), end in zip(steps, ends)]


def rewired(content, rng):
    """A pickle in which an operation is changed, removed, doubled or inserted; or only the hostile operation."""
    steps = [step for step in operations(content) if step[0].name != 'FRAME']
    pieces = [piece for _, _, piece in steps]
    place, other = (int(rng.integers(1, len(pieces))) for _ in range(2))
    snippet = one_of(SNIPPETS, rng)
    action = rng.choice(['insert', 'number', 'text', 'global', 'drop', 'double', 'swap', 'alone'],
                        p=[.25, .25, .1, .1, .1, .1, .05, .05])
    if action == 'alone':
        return b'\x80\2' + snippet + b'.'
    if action in REPLACEMENTS:
        wanted, replacement = REPLACEMENTS[action]
        places = [number for number, (code, _, _) in enumerate(steps) if code.name in wanted]
        if places:
            pieces[rng.choice(places)] = replacement(rng)
    elif action == 'insert':
        pieces[place:place] = [snippet + rng.choice([b'', b'0'])]
    elif action == 'drop':
        del pieces[place]
    elif action == 'double':
        pieces[place:place] = [pieces[place]] * int(rng.choice([1, 2, 1000]))
    else:
        pieces[place], pieces[other] = pieces[other], pieces[place]
    return b''.join(pieces)


GLOBALS = [b'c' + name + b'\n' for name in (
    b'torch\nDoubleStorage', b'torch\nByteStorage', b'torch\nLongStorage', b'torch\nBoolStorage',
    b'torch\nUntypedStorage', b'torch.storage\nTypedStorage',
    b'torch\nQInt8Storage', b'torch\nComplexDoubleStorage', b'torch._utils\n_rebuild_parameter',
    b'torch._utils\n_rebuild_meta_tensor_no_storage',
    b'torch._utils\n_rebuild_qtensor', b'torch._utils\n_rebuild_sparse_tensor', b'torch._utils\n_rebuild_nested_tensor',
    b'torch\nSize', b'torch\ndevice',
    b'collections\nOrderedDict', b'collections\nCounter', b'builtins\nset', b'builtins\nbytearray', b'numpy\ndtype',
    b'numpy\nndarray', b'numpy.core.multiarray\nscalar')]


TEXTS = ['', '0', '1', 'cpu', 'cuda:0', 'meta', '<', '=', 'O', '../x', 'f8', 'V9', 'x\n', 'storage']
# name of a change -> the operations it may replace, and by what
REPLACEMENTS = {
    'number': (('BININT', 'BININT1', 'BININT2', 'LONG1', 'INT', 'LONG'),
               lambda rng: b'\x8a\x08' + int(rng.choice(NUMBERS)).to_bytes(8, 'little', signed=True)),
    'text': (('BINUNICODE', 'SHORT_BINUNICODE', 'UNICODE', 'BINSTRING', 'SHORT_BINSTRING'),
             lambda rng: pickle.dumps(str(rng.choice(TEXTS)), 2)[2:-3]),
    'global': (('GLOBAL', 'STACK_GLOBAL'),
               lambda rng: rng.choice([*GLOBALS, *(call.split(b'(')[0] for call in CALLS)]))}


OBJECT_HEAD = npy_bytes(dict(descr='|O', fortran_order=False, shape=()), b'')


def pickled(base, rng):
    value = value_of(base)
    content = pickle.dumps(as_written(value) if rng.random() < .5 else value, int(rng.integers(0, 6)))
    return with_value(base, OBJECT_HEAD + rewired(content, rng))


def pickle_bomb(base, rng):
    return with_value(base, OBJECT_HEAD + bomb_pickle(rng))


def npy_bomb_head(mebibytes):
    """The head of an honest array of zeros."""
    return npy_bytes(dict(descr='<f8', fortran_order=False, shape=(mebibytes * MIB // 8,)), b'')


# .json

TOKENS = ['NaN', 'Infinity', '-1e999', '1e308', '9' * 5000, 'null', 'true', '{}', '[]', '""', '"\\ud800"', '-5',
          '[' * 100000, '{"a":' * 100000, '[[1,2],[3]]', '"\\u001b[2J"', '{"x": 1}', '1000000000000']


def token(base, rng):
    """Another value in place of a number or a word."""
    text = base.path.read_text()
    match = list(re.finditer(r'[\d.]+|"\w+"|\[[^\[\]]*\]', text))
    chosen = match[rng.integers(len(match))]
    return (text[:chosen.start()] + one_of(TOKENS, rng) + text[chosen.end():]).encode()


# checkpoints

def checkpoint_bomb(base, rng):
    return rezipped(base, b'\x80\2' + bomb_pickle(rng))


def legacy_parts(base):
    """The five pickles of torch's old format, and the storages behind them."""
    content = base.path.read_bytes()
    parts, file = [], io.BytesIO(content)
    for _ in range(5):
        start = file.tell()
        for _ in pickletools.genops(file):
            pass
        parts.append(content[start:file.tell()])
    return parts + [content[file.tell():]]


def legacy(choose, change):
    """The mutation of one of these parts: `choose(rng)` says of which, `change(part, rng)` how."""
    def changed(base, rng):
        parts = legacy_parts(base)
        place = choose(rng)
        parts[place] = change(parts[place], rng)
        return b''.join(parts)
    return changed


def legacy_bomb(base, rng):
    hostile, parts = b'\x80\2' + bomb_pickle(rng), legacy_parts(base)
    parts[int(rng.choice([0, 2, 3, 4]))] = hostile
    return b''.join(parts)


def state_strange(base, rng):
    """A state dict that torch itself wrote, with other tensors, names or numbers in it."""
    content = torch.load(base.path, weights_only=True)
    state = content['state_dict']
    name = list(state)[rng.integers(len(state))]
    tensor = state[name].float()
    others = [
        lambda: tensor.double(), lambda: tensor.half(), lambda: tensor.long(), lambda: tensor.to(torch.complex64),
        lambda: tensor * float('nan'), lambda: tensor + float('inf'), lambda: tensor[None], lambda: tensor.flatten(),
        lambda: tensor.flatten()[:0], lambda: torch.zeros(1).expand(1 << 40), lambda: torch.zeros(1).expand(tensor.shape),
        lambda: tensor.to_sparse() if tensor.dim() else tensor, lambda: None, lambda: 'text', lambda: [1, 2],
        lambda: torch.nn.Parameter(tensor), lambda: torch.zeros(tensor.shape, dtype=torch.bool),
        lambda: torch.empty(tensor.shape, device='meta'), lambda: tensor.double() * 1e300,
        lambda: torch.quantize_per_tensor(tensor, .1, 0, torch.qint8), lambda: tensor.conj(), lambda: tensor * 3e38]
    action = rng.choice(['tensor', 'tensor', 'name', 'stages', 'arguments', 'many', 'top'])
    if action == 'tensor':
        state[name] = one_of(others, rng)()
    elif action == 'name':
        state[one_of(NAMES, rng)] = state.pop(name)
    elif action == 'stages':
        content['arguments']['stages'] = int(rng.choice(NUMBERS))
    elif action == 'arguments':
        content['arguments'] = one_of([
            {}, None, 5, {'stages': True, 'posenet_name': 'gcn'}, {'stages': 1, 'posenet_name': ['gcn']},
            {'stages': 1, 'posenet_name': None}, {'stages': 1, 'posenet_name': '\ud800'},
            {'stages': 1, 'posenet_name': 'mlp'}], rng)
    elif action == 'many':
        content['arguments'] = {'stages': 30000, 'posenet_name': 'gcn'} if rng.random() < .5 else None
        state.update({f'gconv_layers.{number}.x': 0 for number in range(30001)})
    else:
        others = [state, None, 5, 10 ** 100, {}, {'a': 5}, [state], torch.zeros(3)]
        value = one_of(others, rng)
        content[rng.choice(['state_dict', 'epoch', 'model_pos'])] = value
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=base.member != '')
    return buffer.getvalue()


# checkpoints that a run is resumed from

FIGURES = [None, True, -1, 1 << 31, 10 ** 400, .5, float('nan'), float('inf'), -1e-3, '1', '', b'1', [], {}, [1], {'lr': 1}]


def tensors_like(tensor):
    """Tensors that cannot stand for this one."""
    wide = tensor.float()
    return [wide.double(), wide.half(), wide.to(torch.complex64), wide * float('nan'), wide + float('inf'), wide[None],
            torch.zeros(3, 5), torch.zeros(0), torch.zeros(1).expand(1 << 40), wide.flatten().to_sparse(),
            torch.zeros(tensor.shape, dtype=torch.bool), torch.empty(tensor.shape, device='meta'), *FIGURES]


def leaves(table, place=()):
    """The place, a tuple of keys, of everything in nested dicts and lists that is neither."""
    items = table.items() if isinstance(table, dict) else enumerate(table) if isinstance(table, list) else None
    if items is None:
        return [place]
    return [leaf for key, value in items for leaf in leaves(value, (*place, key))]


def with_changed(table, place, change):
    """A copy of nested dicts and lists in which `change(container, key)` was done at the place; the rest is shared."""
    copied = copy.copy(table)
    if len(place) == 1:
        change(copied, place[0])
    else:
        copied[place[0]] = with_changed(copied[place[0]], place[1:], change)
    return copied


def resumable_strange(content, part, rng):
    """A resumable checkpoint in which a place below `part` has another value or another name, or was removed."""
    places = leaves({part: content[part]})
    place = places[rng.integers(len(places))]
    place = place[:rng.integers(max(1, len(place) - 2), len(place) + 1)]        # sometimes what holds it

    def change(container, key):
        value = container[key]
        others = tensors_like(value) if isinstance(value, torch.Tensor) else FIGURES
        other = one_of(others, rng)
        if rng.random() < .8:
            container[key] = other
        elif isinstance(container, dict):
            del container[key]
            if rng.random() < .5:
                container[one_of(NAMES, rng)] = value
        else:
            container.append(value)

    return place, with_changed(content, place, change)


# HDF5

def h5_file(fill):
    """An .h5 file as bytes; `fill(file)` puts things into it."""
    buffer = io.BytesIO()
    with h5py.File(buffer, 'w') as file:
        fill(file)
    return buffer.getvalue()


def h5_strange(base, rng):
    """An .h5 file that h5py itself wrote, with something else under the dataset's name."""
    poses = np.ones((96, 3))
    secret = str(base.path.parent / SECRET)
    layout = h5py.VirtualLayout((96, 3), 'f8')
    layout[:] = h5py.VirtualSource(str(base.path.parent / 'other.h5'), H5_KEY, (96, 3))
    def put(value):
        return lambda file: file.__setitem__(H5_KEY, value)

    def dataset(*arguments, **options):
        return lambda file: file.create_dataset(H5_KEY, *arguments, **options)

    fills = [
        dataset((96, 3), 'f8', external=[(secret, 0, h5py.h5f.UNLIMITED)]),
        lambda file: file.create_virtual_dataset(H5_KEY, layout, fillvalue=1.), lambda file: file.create_group(H5_KEY),
        put(h5py.ExternalLink(str(base.path.parent / 'other.h5'), H5_KEY)), put(h5py.SoftLink('/' + H5_KEY)),
        put(h5py.SoftLink('/none')), put(h5py.Empty('f8')), put(np.dtype('f8')),
        lambda file: file.__setitem__(H5_KEY, strange(poses, rng)),
        lambda file: file.__setitem__(H5_KEY, strange(poses, rng)),
        dataset((96, 3), h5py.vlen_dtype('f8')), dataset((96, 3), h5py.string_dtype()), dataset((96, 3), h5py.ref_dtype),
        dataset((96, 3), h5py.enum_dtype({'a': 1}, 'i8')), dataset((96, 1 << 40), 'f8', chunks=(96, 1024)),
        dataset((1 << 30, 1 << 30), 'i1', chunks=(1, 1)),
        dataset((96, 3), 'f8', chunks=(96, 500000), maxshape=(96, None), compression='gzip'),
        dataset(data=poses, chunks=(1, 1)), dataset(data=poses, compression='lzf', shuffle=True),
        dataset(data=poses, compression='gzip', fletcher32=True), dataset(data=poses, scaleoffset=2),
        dataset((96, 1 << 14), '(8,)f8'), dataset((96, 87381), 'f8')]
    try:
        return rezipped(base, h5_file(one_of(fills, rng)))
    except (TypeError, ValueError, OSError):          # h5py cannot write every strange thing
        return rezipped(base, b'')


def h5_bomb(base, rng):
    """A chunk whose packed bytes unfold to three gigabytes where the file declares a hundred kilobytes."""
    def fill(file):
        dataset = file.create_dataset(H5_KEY, (96, 128), 'f8', chunks=(96, 128), compression='gzip')
        dataset.id.write_direct_chunk((0, 0), packed(3072, wbits=15))
    return rezipped(base, h5_file(fill))


def h5_chunked(base, rng):
    """A chunked and compressed dataset with its bytes damaged."""
    content = h5_file(lambda file: file.create_dataset(H5_KEY, data=np.ones((96, 3)), chunks=(48, 2),
                                                       compression='gzip', shuffle=True))
    return rezipped(base, one_of(RAW, rng)(content, rng))


# MATLAB

def mat_file(content, **options):
    buffer = io.BytesIO()
    savemat(buffer, content, **options)
    return buffer.getvalue()


def mat_strange(base, rng):
    """A .mat file that scipy itself wrote, of another version or with something else in the cell."""
    cell = np.empty((1, 1), dtype=object)
    value = strange(np.ones((3, 96)), rng)
    cell[0, 0] = value
    contents = [{'data': cell}, {'data': cell}, {'data': np.ones((3, 96))}, {'data': 'text'},
                {'data': {'a': np.ones(3)}}, {'data': np.empty((0, 0), dtype=object)}, {'other': cell}]
    try:
        return mat_file(one_of(contents, rng), do_compression=bool(rng.integers(2)))
    except Exception:                                 # savemat cannot write every strange thing
        return h5_file(lambda file: file.__setitem__('data', np.ones((96, 3))))


def mat_version(base, rng):
    """The honest file under the header of another version, or a file of version 4."""
    content = base.path.read_bytes()
    headers = [content[:124] + version + order for version in (b'\0\1', b'\0\2', b'\1\0', b'\0\0',
                                                               b'\xff\xff') for order in (b'IM', b'MI', b'XX')]
    fours = [struct.pack('<5i', *numbers) + b'data\0' + np.ones((3, 96)).tobytes() for numbers in
             ((0, 3, 96, 0, 5), (0, 1 << 30, 1 << 30, 1, 5), (0, -3, -96, 0, 5), (2, 3, 96, 0, 5),
              (1, 3, 96, 0, 1 << 30), (0, 3, 96, 0, -5), (52, 3, 96, 0, 5), (1000, 3, 96, 0, 5))]
    return one_of(fours, rng) if rng.random() < .5 else one_of(headers, rng) + content[128:]


def mat_packed(base, rng):
    """The honest elements, damaged, inside sound compression."""
    content = base.path.read_bytes()
    changed = one_of(RAW, rng)(content[128:], rng)
    element = zlib.compress(changed)
    return content[:128] + mat_tag(15, rng.choice([len(element), len(element), 0, 0xffffffff])) + element


def mat_tag(kind, size):
    return struct.pack('<II', kind, size)


def mat_matrix(kind, name, rows, columns, size=0xC0000000):
    """The head of a matrix of that class, before its content."""
    return (mat_tag(14, size) + mat_tag(6, 8) + struct.pack('<II', kind, 0) + mat_tag(5, 8)
            + struct.pack('<ii', rows, columns) + struct.pack('<HH', 1, len(name)) + name.ljust(4, b'\0'))


MAT_BOMBS = [
    mat_matrix(6, b'data', 1, 3 << 27) + mat_tag(9, 0xC0000000),
    mat_matrix(1, b'data', 1, 1) + mat_matrix(6, b'a', 1, 3 << 27, 0xB0000000) + mat_tag(9, 0xA0000000),
    mat_matrix(6, b'', 1, 1)[:-8] + mat_tag(1, 0xB0000000),
    mat_matrix(1, b'data', 1 << 15, 1 << 15),
    mat_matrix(4, b'data', 1, 3 << 28) + mat_tag(2, 0xB0000000),
    mat_matrix(5, b'data', 1 << 13, 1 << 13) + mat_tag(5, 4)]


def mat_bomb(base, rng):
    """A compressed element of three gigabytes: numbers, numbers in a cell, a name, a thousand million cells."""
    element = packed(3072, one_of(MAT_BOMBS, rng), wbits=15)
    return base.path.read_bytes()[:128] + mat_tag(15, len(element)) + element


# the mutations of each kind of file

def _table(*changes):
    return {change.__name__: change for change in changes}


_RAW = {change.__name__: raw(change) for change in RAW}
_INSIDE = {f'{change.__name__} inside': inside(change) for change in RAW}
_ZIP = {**_RAW, **_INSIDE, **_table(zip_oddity, zip_field, other_packing)}
_NPZ = {**_ZIP, **_table(values), 'header': inside(npy_header), 'bomb': bomb(npy_bomb_head),
        'swollen pickle': swollen_pickle(OBJECT_HEAD)}
_TABLE = {**_NPZ, **_table(pickled, pickle_bomb)}
MUTATIONS = {
    'archive': {**_ZIP, **_table(h5_strange, h5_bomb, h5_chunked), 'bomb': bomb(lambda mebibytes: b'')},
    'mat': {**_RAW, **_table(mat_strange, mat_version, mat_packed, mat_bomb)},
    'detections': _TABLE, 'pose3d': _TABLE, 'pose2d': _TABLE,
    'spin': {**_NPZ, **_table(all_arrays_strange, names_strange, pickle_bomb)},
    'dhp': {**_NPZ, **_table(all_arrays_strange, pickle_bomb)},
    'hr': {**_RAW, **_table(values, pickled, pickle_bomb), 'header': raw(npy_header)},
    'templates': {**_RAW, **_table(values, pickle_bomb), 'header': raw(npy_header)},
    'keypoints': {**_NPZ, **_table(pickle_bomb)}, 'coco': {**_RAW, **_table(token)},
    '3dpw': {**_RAW, **_table(values, pickled, pickle_bomb)},
    'checkpoint': {**_ZIP, 'checkpoint_pickle': inside(rewired), **_table(checkpoint_bomb, state_strange),
                   'bomb': bomb(lambda mebibytes: b''), 'swollen pickle': swollen_pickle(b'\x80\2')},
    'legacy': {**_RAW, 'legacy_pickle': legacy(lambda rng: int(rng.choice([0, 1, 2, 3, 3, 3, 3, 4])), rewired),
               'legacy_storages': legacy(lambda rng: -1, lambda part, rng: one_of(RAW, rng)(part, rng)),
               **_table(legacy_bomb, state_strange)}}
# mutations of files with checksums: a file that still loads must give the honest arrays
CHECKED = {kind: set(_RAW) for kind in MUTATIONS.keys() - {'mat', 'hr', 'templates', 'coco', '3dpw', 'legacy'}}


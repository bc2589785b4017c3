"""Flat copies of the prepared .npz files: the same bits, never of another file, and no error that was not there before."""
import os
import resource
import shutil
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from filelock import FileLock

from common.datasets.h36m import copy_h36m, h36m_poses, pose2d_h36m_path, pose3d_h36m_path, read_h36m
from common.datasets.h36m_protocol import KEYPOINTS, SUBJECTS, TEST_SUBJECTS, TRAIN_SUBJECTS
from common.errors import InputError
from common.files.flat_cache import flat_path, identity, load_table, map_array, map_flat, map_table, read_flat, write_flat
from common.files.npz import load_npz, save_npz
from function_baseline.data import load_test, load_training
from places import ROOT

pytestmark = pytest.mark.slow

CPU = torch.device('cpu')
KEY = 'positions_3d'


@pytest.fixture
def root(tiny_root, tmp_path):
    """A data root without flat copies."""
    return lay_out(tiny_root, tmp_path / 'root')


def lay_out(source, target):
    for folder in ('data', 'data_extra/test_set'):
        (target / folder).mkdir(parents=True)
        for file in (source / folder).glob('*.npz'):
            shutil.copy(file, target / folder)
    return target


@pytest.fixture
def copied(root):
    """The 3D file of a data root that has flat copies."""
    copy_h36m(read_h36m(root, 'gt'))
    return pose3d_h36m_path(root)


def arguments(root, **changes):
    return SimpleNamespace(**{**dict(data_root=root, keypoints='gt', actions='*', downsample=1, s1only=False,
                                    train_subjects='', validate_on='', dataset='h36m', cameras='h36m',
                                    poses_per_epoch=0), **changes})


def found(path, subjects=SUBJECTS):
    """What a command would take from the flat copy now."""
    return read_flat(path, KEY, subjects)


def change(path, sequence=('S9', 'Eating'), by=1, packed=True):
    """Write another table to `path`: one joint of one sequence elsewhere."""
    table = load_npz(path, [KEY], 'the test')[KEY]
    table[sequence[0]][sequence[1]][2, 6] += by
    save_npz(path, positions_3d=table) if packed else np.savez(path, positions_3d=table)
    return table


def same(one, other):
    return all(torch.equal(getattr(one, name), getattr(other, name))
               for name in ('pose3d_cam', 'pose2d', 'camera', 'subject', 'group', 'intrinsics'))


# the same poses

@pytest.mark.slow
@pytest.mark.parametrize('keypoints', KEYPOINTS)
def test_poses_from_the_copies_are_those_of_the_npz_to_the_bit(root, keypoints):
    slow = read_h36m(root, keypoints)
    copy_h36m(slow)
    fast, mapped = read_h36m(root, keypoints), read_h36m(root, keypoints, mapped=True)
    assert len(slow.uncopied) == 2 and not fast.uncopied
    for subjects in (TRAIN_SUBJECTS, TEST_SUBJECTS, ('S5', 'S1')):
        for options in (dict(), dict(downsample=5), dict(actions='Walking,Photo'), dict(actions='Posing', downsample=3)):
            assert same(h36m_poses(fast, subjects, **options), h36m_poses(slow, subjects, **options))
            assert same(h36m_poses(mapped, subjects, **options), h36m_poses(slow, subjects, **options))


def test_the_first_command_makes_the_copies_and_the_second_reads_nothing_else(root):
    first = load_training(arguments(root), CPU)
    for path in (pose3d_h36m_path(root), pose2d_h36m_path(root, 'gt')):
        content = bytearray(path.read_bytes())
        status = path.stat()
        content[100:-200] = bytes(len(content) - 300)       # the directory, at the end, still tells which file it is
        path.write_bytes(content)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    training, tests = load_training(arguments(root), CPU)
    assert same(training, first[0]) and same(tests.h36m, first[1].h36m)
    assert same(load_test(arguments(root), CPU).h36m, first[1].h36m)


def test_a_copy_that_the_evaluation_made_serves_the_training(root):
    load_test(arguments(root), CPU)
    assert not read_h36m(root, 'gt', TRAIN_SUBJECTS).uncopied


def test_only_the_subjects_asked_for_are_read(copied):
    with zipfile.ZipFile(flat_path(copied)) as archive:
        place = archive.getinfo('S1.npy').header_offset
    content = bytearray(flat_path(copied).read_bytes())
    content[place + 4000] ^= 1
    flat_path(copied).write_bytes(content)
    assert list(found(copied, ('S9', 'S11'))) == ['S9', 'S11'] and found(copied, ('S1',)) is None


def test_a_table_is_mapped_from_a_copy_that_is_made_if_it_is_missing_outdated_or_damaged(root):
    path = pose3d_h36m_path(root)
    for spoil in (lambda: None, lambda: change(path), lambda: flat_path(path).write_bytes(b'PK')):
        spoil()
        table = map_table(path, KEY, SUBJECTS, 'the test')
        assert all(isinstance(poses, np.memmap) and not poses.flags.writeable
                   for sequences in table.values() for poses in sequences.values())
        expected = load_npz(path, [KEY], 'the test')[KEY]
        assert all(np.array_equal(poses, expected[subject][sequence])
                   for subject, sequences in table.items() for sequence, poses in sequences.items())
    assert list(map_table(path, KEY, ('S1', 'S2'), 'the test')) == ['S1']


def test_a_single_array_is_mapped_like_a_table(tmp_path):
    path, array = tmp_path / 'array.npz', np.random.default_rng(0).normal(size=(50, 16, 3)).astype(np.float32)
    save_npz(path, pose3d=array, other=np.arange(3))
    for _ in range(2):
        mapped = map_array(path, 'pose3d', 'the test')
        assert isinstance(mapped, np.memmap) and np.array_equal(mapped, array)


def test_what_cannot_be_copied_is_in_memory(tmp_path):
    path = tmp_path / 'array.npz'
    for array in (np.zeros((3, 16)), np.array(['text']), np.array({'S1': 3}, dtype=object), np.array([None])):
        save_npz(path, pose3d=array)
        assert not isinstance(map_array(path, 'pose3d', 'the test'), np.memmap)
        assert not flat_path(path).exists()


@pytest.mark.parametrize('mapped', [False, True])
def test_what_is_no_table_is_refused_mapped_or_not(root, mapped):
    save_npz(pose3d_h36m_path(root), positions_3d=np.zeros((3, 32, 3)))
    with pytest.raises(InputError, match='data_3d_h36m.npz holds no table of subjects and sequences'):
        read_h36m(root, 'gt', mapped=mapped)


@pytest.mark.filterwarnings('error')
def test_detections_longer_than_the_motion_capture_and_without_frames_are_copied(tmp_path):
    path, rng = tmp_path / 'table.npz', np.random.default_rng(0)
    table = {'S1': {'Walking': [rng.normal(size=(3 + view, 16, 2)) for view in range(4)],
                    'Photo': [np.zeros((0, 16, 2))] * 4}, 'S9': {'Photo': [np.full((2, 16, 2), 1e300)]}}
    save_npz(path, positions_3d=np.array(table, dtype=object))
    write_flat(path, identity(path, KEY), table)
    read = found(path, ('S1', 'S9'))
    for subject, sequences in table.items():
        assert list(read[subject]) == list(sequences)
        for sequence, views in sequences.items():
            assert len(read[subject][sequence]) == len(views)
            for view, of_copy in zip(views, read[subject][sequence]):
                with np.errstate(over='ignore'):
                    np.testing.assert_array_equal(of_copy, view.astype(np.float32), strict=True)


# never those of another file

def test_another_content_outdates_the_copy(copied, root):
    table = change(copied)
    assert found(copied) is None
    np.testing.assert_array_equal(read_h36m(root, 'gt').pose3d['S9']['Eating'], table['S9']['Eating'])
    copy_h36m(read_h36m(root, 'gt'))
    np.testing.assert_array_equal(found(copied)['S9']['Eating'], table['S9']['Eating'])


def test_another_content_of_the_same_size_and_time_outdates_the_copy(root):
    path = pose3d_h36m_path(root)
    change(path, by=0, packed=False)
    write_flat(path, identity(path, KEY), load_npz(path, [KEY], 'the test')[KEY])
    before = path.stat()
    change(path, packed=False)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert found(path) is None


def grow(path):
    """At the end, where an archive may have a comment, with its old time of change."""
    status = path.stat()
    path.write_bytes(path.read_bytes() + b'more')
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize('spoil', [os.utime, grow, os.unlink], ids=['touched', 'longer', 'gone'])
def test_a_file_that_was_touched_grew_or_is_gone_has_no_copy(copied, spoil):
    assert found(copied)
    spoil(copied)
    assert found(copied) is None


def test_a_file_that_is_not_an_npz_gets_no_copy(copied):
    write_flat(copied, None, load_npz(copied, [KEY], 'the test')[KEY])
    copied.write_bytes(b'')
    assert identity(copied, KEY) is None and found(copied) is None


def test_a_file_changed_before_its_copy_was_written_gets_no_copy(root):
    files = read_h36m(root, 'gt')
    change(pose3d_h36m_path(root))
    copy_h36m(files)
    assert found(pose3d_h36m_path(root)) is None


def test_a_file_changed_right_after_it_was_read_has_no_copy(root, monkeypatch):
    def read_and_change(path, *arguments):
        table = load_table(path, *arguments)
        os.utime(path)
        return table
    monkeypatch.setattr('common.datasets.h36m.load_table', read_and_change)
    copy_h36m(read_h36m(root, 'gt'))
    assert found(pose3d_h36m_path(root)) is None


def test_another_layout_outdates_the_copy(copied, monkeypatch):
    monkeypatch.setattr('common.files.flat_cache.LAYOUT', 0)
    assert found(copied) is None


# damage

@pytest.mark.slow
@pytest.mark.parametrize('reader', [read_flat, map_flat])
def test_a_copy_with_any_byte_changed_is_the_same_or_none(copied, monkeypatch, reader):
    monkeypatch.setattr('common.files.limited.LINUX', False)        # hundreds of forks take too long
    content, whole = flat_path(copied).read_bytes(), found(copied)
    rng, refused = np.random.default_rng(0), 0
    with zipfile.ZipFile(flat_path(copied)) as archive:
        headers = [info.header_offset for info in archive.infolist()]
        places = [*range(0, 300, 3), *(place + number for place in headers for number in range(0, 60, 3)),
                  *rng.integers(0, len(content), 100), *range(archive.start_dir, len(content), 5)]
    for place in places:
        damaged = bytearray(content)
        damaged[place] ^= 1 << rng.integers(8)
        flat_path(copied).write_bytes(damaged)
        read = reader(copied, KEY, SUBJECTS)
        refused += read is None
        assert read is None or all(np.array_equal(read[subject][sequence], poses) for subject in read
                                   for sequence, poses in whole[subject].items())
    assert refused > .6 * len(places)        # times, versions and the like may say anything


@pytest.mark.parametrize('content', [b'', b'PK', b'no archive at all' * 99], ids=len)
def test_a_damaged_copy_is_written_again(copied, root, content):
    whole = flat_path(copied).read_bytes()
    flat_path(copied).write_bytes(content)
    load_test(arguments(root), CPU)
    assert found(copied) and len(flat_path(copied).read_bytes()) == len(whole)


def test_a_copy_cut_short_is_made_anew(copied, root):
    whole = flat_path(copied).read_bytes()
    for length in range(0, len(whole), len(whole) // 20):
        flat_path(copied).write_bytes(whole[:length])
        assert found(copied) is None
    load_test(arguments(root), CPU)
    assert found(copied)


def forged(path, index, **arrays):
    """A copy with sound checksums that says what it likes."""
    np.savez(open(flat_path(path), 'wb'), index=np.frombuffer(index.encode(), np.uint8), **arrays)


@pytest.mark.parametrize('counts', ['{"Walking": 4}', '{"Walking": 2}', '{"Walking": -1, "Photo": 4}', '{"Walking": 3.0}',
                                    '{"Walking": NaN}', '{"Walking": 1e999}', '[3]', '3', 'null', '{"Walking": {}}',
                                    '{"Walking": [[3]]}', '{"Walking": "3"}', '[' * 100_000, ''])
def test_an_index_of_another_array_is_refused(copied, counts):
    here = str(identity(copied, KEY))
    forged(copied, f'{{"copy_of": {here}, "frames": {{"S1": {counts}}}}}', S1=np.zeros((3, 32, 3), np.float32))
    assert found(copied, ('S1',)) is None


@pytest.mark.parametrize('array', [np.zeros((3, 32, 3)), np.zeros((3, 32, 3), np.int32), np.zeros(3, np.float32),
                                   np.array([[['text']]] * 3), np.array([None] * 3)], ids=lambda array: str(array.dtype))
def test_frames_of_another_kind_are_refused(copied, array):
    here = str(identity(copied, KEY))
    forged(copied, f'{{"copy_of": {here}, "frames": {{"S1": {{"Walking": 3}}}}}}', S1=array)
    assert found(copied, ('S1',)) is None


def test_a_pickle_in_the_place_of_a_copy_is_not_run(copied, tmp_path):
    class RunsCode:
        def __reduce__(self):
            return open, (str(tmp_path / 'it ran'), 'w')
    np.savez(open(flat_path(copied), 'wb'), index=np.array([RunsCode()], dtype=object))
    (tmp_path / 'it ran').unlink(missing_ok=True)
    assert found(copied) is None and not (tmp_path / 'it ran').exists()


def test_errors_name_the_npz_and_are_the_same_from_the_copy(root):
    """The evaluation copies all subjects, and checks its own; the others are checked where they are used."""
    change(pose3d_h36m_path(root), ('S7', 'Eating 1'), by=np.nan)
    messages = []
    for _ in range(2):
        with pytest.raises(InputError) as refused:
            load_training(arguments(root), CPU)
        messages.append(str(refused.value))
        load_test(arguments(root), CPU)
    assert found(pose3d_h36m_path(root)) and messages[0] == messages[1]
    assert 'data_3d_h36m.npz: S7 Eating 1 holds NaN or inf, first in frame 2' in messages[0]


# writing

def test_nothing_is_written_where_the_files_are_refused(root):
    change(pose3d_h36m_path(root), by=np.inf)
    before = sorted(root.rglob('*'))
    for load in (load_training, load_test):
        with pytest.raises(InputError):
            load(arguments(root), CPU)
    assert sorted(root.rglob('*')) == before


@pytest.mark.parametrize('table', [
    {'S1': {'Walking': np.zeros((3, 32))}}, {'S1': {'Walking': np.zeros((3, 32, 3), bool)}}, {'S1': {'Walking': 3}},
    {'S1': {'Walking': np.full((3, 32, 3), 'text')}}, {'S1': {'Walking': np.full((3, 32, 3), None)}},
    {'S1': {'Walking': (np.zeros((3, 32, 3)),)}}, {'S1': {1: np.zeros((3, 32, 3))}}, {'S1': {}}, {'S1': {'\ud800': 'x'}},
    {'S1': {'Walking': np.zeros((3, 32, 3)), 'Photo': np.zeros((3, 17, 3))}}], ids=range(10))
def test_a_table_whose_arrays_differ_in_type_or_shape_is_not_copied(tmp_path, table, capsys):
    write_flat(tmp_path / 'table.npz', [1], table)
    assert not list(tmp_path.glob('*.cache')) and not list(tmp_path.glob('*.partial*')) and capsys.readouterr() == ('', '')


def test_a_full_disk_costs_one_line_and_leaves_nothing(root, capsys):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        tests = load_test(arguments(root), CPU)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    lines = capsys.readouterr().err.splitlines()
    assert len(tests.h36m) and len(lines) == 2
    assert lines[0].startswith(f'note: {flat_path(pose3d_h36m_path(root))} cannot be written (')
    assert not list(root.rglob('*.cache')) and not list(root.rglob('*.partial*'))


def test_a_folder_that_takes_no_file_costs_one_line(root, capsys):
    """A folder in the place of the lock stands for one that may not be written: root may write everywhere."""
    for path in (pose3d_h36m_path(root), pose2d_h36m_path(root, 'gt')):
        flat_path(path).with_name(f'{flat_path(path).name}.lock').mkdir()
    assert len(load_test(arguments(root), CPU).h36m)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and all(line.startswith('note: ') and 'cannot be written' in line for line in lines)
    assert not list(root.rglob('*.cache'))


WRITER = '''
import sys
from common.files.flat_cache import identity, write_flat
from common.files.npz import load_npz
path, key = sys.argv[1], 'positions_3d'
now, table = identity(path, key), load_npz(path, [key], '')[key]
print('read', flush=True)
sys.stdin.readline()
for _ in range(20):
    write_flat(path, now, table)
'''


@pytest.mark.slow
def test_two_that_write_at_once_leave_a_whole_copy(root):
    path = pose3d_h36m_path(root)
    writers = [subprocess.Popen([sys.executable, '-c', WRITER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                stderr=subprocess.PIPE, cwd=ROOT, env={**os.environ, 'OMP_NUM_THREADS': '1'})
               for _ in range(2)]
    for writer in writers:
        assert writer.stdout.readline() == 'read\n'
    for writer in writers:
        writer.stdin.write('\n')
        writer.stdin.flush()
    assert [writer.communicate() for writer in writers] == [('', '')] * 2
    assert found(path) and not list(root.rglob('*.partial*'))


def test_no_copy_is_written_while_another_process_writes_it(root, capsys):
    path = pose3d_h36m_path(root)
    with FileLock(f'{flat_path(path)}.lock'):
        copy_h36m(read_h36m(root, 'gt'))
    assert not flat_path(path).exists() and capsys.readouterr().err == ''


def test_git_ignores_the_copies():
    names = ['data/data_3d_h36m.cache', 'data/data_2d_h36m_gt.cache', 'data/data_3d_h36m.cache.lock']
    ignored = subprocess.run(['git', 'check-ignore', *names], cwd=ROOT, capture_output=True, text=True)
    if ignored.returncode == 128:
        pytest.skip('no git, or no checkout')
    assert ignored.stdout.split() == names


def test_a_second_process_waits_for_the_copy_instead_of_holding_all_poses(tmp_path):
    path = tmp_path / 'poses.npz'
    save_npz(path, pose3d=np.ones((5, 16, 3), np.float32))
    with ThreadPoolExecutor(1) as second:
        with FileLock(f'{flat_path(path)}.made.lock'):
            found = second.submit(map_array, path, 'pose3d', 'the test')
            with pytest.raises(TimeoutError):
                found.result(timeout=.3)
        assert isinstance(found.result(timeout=30), np.memmap)

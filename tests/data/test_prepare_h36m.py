"""prepare_data_h36m.py: 3D and ground-truth 2D against independent computations; bad archives and files are refused."""
import shutil
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from scipy.io import savemat

import builders
from builders import positions
from common.datasets.h36m import load_h36m_test
from data import prepare_data_h36m
from refusals import refused

pytestmark = pytest.mark.slow

SIXTEEN_IN_32 = [0, 1, 2, 3, 6, 7, 8, 12, 13, 15, 17, 18, 19, 25, 26, 27]
WALKING = builders.member_name('S5', 'Walking 1')


def source_mm(sources, subject, sequence):
    """(T, 32, 3) world millimetres, read from the archive here and now."""
    name = builders.member_name(subject, sequence)
    with zipfile.ZipFile(sources / 'h36m.zip') as archive, archive.open(name) as member:
        return h5py.File(member, 'r')['3D_positions'][()].T.reshape(-1, 32, 3)


def test_3d_is_the_source_in_metres(tiny_sources, tiny_root):
    positions_3d = positions(tiny_root, '3d_h36m', 'positions_3d')
    assert list(positions_3d) == list(builders.SUBJECTS)
    for subject, sequences in positions_3d.items():
        assert list(sequences) == sorted(builders.SEQUENCES)
        for sequence in ('Photo', 'Walking 1'):
            pose3d_world = sequences[sequence]
            assert pose3d_world.dtype == np.float32
            np.testing.assert_allclose(pose3d_world, source_mm(tiny_sources, subject, sequence) / 1000, atol=1e-6)
    assert .8 < positions_3d['S1']['Walking'][:, 0, 2].mean() < 1.1       # a hip stands a metre above the floor


@pytest.mark.slow
def test_the_original_files_give_what_the_archive_gives(tiny_sources, tiny_root, tmp_path):
    prepare_data_h36m.main(['--from-source', str(tiny_sources / 'source'), '--data_root', str(tmp_path)])
    for name, key in (('3d_h36m', 'positions_3d'), ('2d_h36m_gt', 'positions_2d'), ('2d_h36m_gt', 'metadata')):
        np.testing.assert_equal(positions(tmp_path, name, key), positions(tiny_root, name, key))


def prepared(tmp_path, *arguments):
    """What a command writes into a data root of its own."""
    prepare_data_h36m.main([*map(str, arguments), '--data_root', str(tmp_path / 'root')])
    return tmp_path / 'root'


def require_same(root, tiny_root):
    for name, key in (('3d_h36m', 'positions_3d'), ('2d_h36m_gt', 'positions_2d')):
        np.testing.assert_equal(positions(root, name, key), positions(tiny_root, name, key))


def test_an_unpacked_archive_is_read(tiny_sources, tiny_root, tmp_path):
    with zipfile.ZipFile(tiny_sources / 'h36m.zip') as archive:
        archive.extractall(tmp_path / 'unpacked')
    (tmp_path / 'unpacked' / WALKING).with_name('._Walking 1.h5').write_bytes(b'of a Mac')
    require_same(prepared(tmp_path, '--from-archive', tmp_path / 'unpacked' / 'h36m'), tiny_root)


@pytest.mark.parametrize('before', ['h36m/', '', 'Downloads/h36m copy/'])
def test_an_archive_made_on_a_mac_is_read(tiny_sources, tiny_root, tmp_path, before):
    """It has a hidden twin of each file, and holds whatever folder the user had selected."""
    with zipfile.ZipFile(tiny_sources / 'h36m.zip') as old, zipfile.ZipFile(tmp_path / 'mac.zip', 'w') as new:
        new.writestr(f'{before}.DS_Store', b'Mac OS X')
        for info in old.infolist():
            if info.filename.endswith('.h5'):
                name = Path(before) / info.filename.removeprefix('h36m/')
                new.writestr(str(name), old.read(info))
                new.writestr(f'__MACOSX/{name.parent}/._{name.name}', b'Mac OS X')
        new.writestr(f'{before}S5/MyPoses/3D_positions/._Walking 1.h5', b'Mac OS X')
    require_same(prepared(tmp_path, '--from-archive', tmp_path / 'mac.zip'), tiny_root)


# Ground truth from 3D that was prepared before

def changed_3d(tiny_root, path, change):
    """data_3d_h36m.npz in which `change` was applied to the table."""
    table = positions(tiny_root, '3d_h36m', 'positions_3d')
    change(table)
    np.savez_compressed(path, positions_3d=table)
    return path


def test_2d_is_made_of_the_3d_in_place(tiny_root, tmp_path):
    root = builders.with_3d(tiny_root, tmp_path / 'root')
    before = (root / 'data' / 'data_3d_h36m.npz').read_bytes()
    require_same(prepared(tmp_path, '--from-prepared'), tiny_root)
    assert (root / 'data' / 'data_3d_h36m.npz').read_bytes() == before


def test_videopose3ds_file_of_another_place_is_copied_too(tiny_root, tmp_path):
    """It may lack the corrupted recording, and have more subjects."""
    def as_videopose3d(table):
        del table['S11']['Directions']
        table['S2'] = {'Walking': np.zeros((5, 32, 3), np.float32)}
    path = changed_3d(tiny_root, tmp_path / 'theirs.npz', as_videopose3d)
    root, table = prepared(tmp_path, '--from-prepared', path), positions(tiny_root, '2d_h36m_gt', 'positions_2d')
    del table['S11']['Directions']
    np.testing.assert_equal(positions(root, '2d_h36m_gt', 'positions_2d'), table)
    assert 'Directions' not in positions(root, '3d_h36m', 'positions_3d')['S11']
    read = load_h36m_test(root)
    assert torch.equal(read.pose2d, load_h36m_test(tiny_root).pose2d)


def _without_walking(table):
    del table['S9']['Walking']


def _in_millimetres(table):
    table['S5']['Photo'] *= 1000


def _with_17_joints(table):
    table['S5']['Photo'] = table['S5']['Photo'][:, :17]


def _flat(table):
    table['S5'] = table['S5']['Photo']


def _as_lists(table):
    table['S5']['Photo'] = table['S5']['Photo'].tolist()


@pytest.mark.parametrize('change, message', [
    (_without_walking, 'holds 29 sequences of S9 where 30 are needed (Walking 1 of 2)'),
    (_in_millimetres, 'S5 Photo holds coordinates up to'), (_as_lists, 'S5 Photo holds no poses'),
    (_flat, 'holds no dict subject'), (_with_17_joints, 'S5 Photo holds no poses of shape (frames, 32, 3)')])
def test_another_table_of_3d_is_refused(tiny_root, tmp_path, capsys, change, message):
    path = changed_3d(tiny_root, tmp_path / 'other.npz', change)
    line = refused(capsys, prepare_data_h36m, '--from-prepared', path, '--data_root', tmp_path / 'root')
    assert message in line and str(path) in line and not (tmp_path / 'root').exists()


def test_without_prepared_3d_the_missing_file_is_named(tmp_path, capsys):
    line = refused(capsys, prepare_data_h36m, '--from-prepared', '--data_root', tmp_path)
    assert f'{tmp_path / "data" / "data_3d_h36m.npz"} is missing' in line


def test_ground_truth_2d_is_the_projection(tiny_root):
    positions_3d = positions(tiny_root, '3d_h36m', 'positions_3d')
    positions_2d = positions(tiny_root, '2d_h36m_gt', 'positions_2d')
    for subject, sequences in positions_2d.items():
        assert list(sequences) == list(positions_3d[subject])
        for sequence, views in sequences.items():
            world = positions_3d[subject][sequence][:, SIXTEEN_IN_32].astype(np.float64)
            assert len(views) == 4
            for view, pose2d_px in enumerate(views):
                assert pose2d_px.dtype == np.float32
                np.testing.assert_allclose(pose2d_px, builders.pixels(world, subject, view), atol=1e-2)


def test_output_that_cannot_be_written(tiny_sources, tmp_path, capsys):
    (tmp_path / 'data').write_text('a file where the folder should be')
    line = refused(capsys, prepare_data_h36m, '--from-archive', tiny_sources / 'h36m.zip', '--data_root', tmp_path)
    assert f'data_3d_h36m.npz cannot be written: {tmp_path / "data"} is not a folder' in line


@pytest.mark.parametrize('arguments', [[], ['--from-archive', 'a.zip', '--from-source', 'b'],
                                       ['--from-prepared', '--from-source', 'b']])
def test_exactly_one_of_archive_and_source_must_be_given(capsys, arguments):
    with pytest.raises(SystemExit) as stopped:
        prepare_data_h36m.main(arguments)
    assert stopped.value.code == 2


# A bad archive

def changed_archive(sources, path, member, content):
    """h36m.zip with one member's bytes replaced, or dropped where `content` is None, or added."""
    with zipfile.ZipFile(sources / 'h36m.zip') as old, zipfile.ZipFile(path, 'w') as new:
        for info in old.infolist():
            if info.filename != member:
                new.writestr(info.filename, old.read(info))
        if content is not None:
            new.writestr(member, content)
    return path


def coordinates_with(value):
    array = np.zeros((96, 4))
    array[5, 2] = value
    return builders.h5_bytes(array)


@pytest.mark.parametrize('member, content, message', [
    (WALKING, None, '29 sequences of S5 where 30 are needed (Walking 1 of 2)'),
    (builders.member_name('S5', 'Walking 2'), coordinates_with(0),
     '31 sequences of S5 where 30 are needed (Walking 3 of 2)'),
    (builders.member_name('S5', 'TakingPhoto'), coordinates_with(0), 'holds S5 Photo twice'),
    (WALKING, b'no h5 file', f'{WALKING} is not a readable .h5 file'),
    (WALKING, builders.h5_bytes(np.zeros((96, 4)), key='2D_positions'),
     f"{WALKING} is not a readable .h5 file with a dataset '3D_positions'"),
    (WALKING, builders.h5_bytes(np.zeros((51, 4))), f'{WALKING} holds an array of shape (4, 51)'),
    (WALKING, builders.h5_bytes(np.zeros((4, 96))), f'{WALKING} holds an array of shape (96, 4)'),
    (WALKING, builders.h5_bytes(np.zeros(96)), f'{WALKING} holds an array of shape (96,)'),
    (WALKING, builders.h5_bytes(np.zeros((96, 0))), f'{WALKING} holds no frame'),
    (WALKING, coordinates_with(np.nan),
     f'{WALKING} holds numbers that are not finite or beyond 60,000, first in frame 2 of 4'),
    (WALKING, coordinates_with(1e300), f'{WALKING} holds numbers that are not finite'),
    (WALKING, bytes(65 << 20), f'{WALKING} is not a readable .h5 file'),
], ids=['missing', 'one-too-many', 'twice', 'damaged', 'other-key', 'other-joints', 'transposed', 'flat', 'empty',
        'nan', 'overflow', 'huge'])
def test_a_bad_sequence_in_the_archive_is_named(tiny_sources, tmp_path, capsys, member, content, message):
    archive = changed_archive(tiny_sources, tmp_path / 'changed.zip', member, content)
    line = refused(capsys, prepare_data_h36m, '--from-archive', archive, '--data_root', tmp_path / 'root')
    assert message in line and str(archive) in line
    assert not (tmp_path / 'root').exists()


def test_a_small_file_that_declares_a_huge_array_is_not_read(tiny_sources, tmp_path, capsys):
    """A small .h5 file may declare an array that does not fit in memory."""
    with h5py.File(tmp_path / 'bomb.h5', 'w') as file:
        file.create_dataset('3D_positions', (96, 1 << 40), dtype='f8', chunks=(96, 1024))
    archive = changed_archive(tiny_sources, tmp_path / 'changed.zip', WALKING, (tmp_path / 'bomb.h5').read_bytes())
    line = refused(capsys, prepare_data_h36m, '--from-archive', archive, '--data_root', tmp_path / 'root')
    assert 'its array of shape (96, 1099511627776) is too large' in line


def test_archive_without_a_subject(tiny_sources, tmp_path, capsys):
    with zipfile.ZipFile(tiny_sources / 'h36m.zip') as old, zipfile.ZipFile(tmp_path / 'six.zip', 'w') as new:
        for info in old.infolist():
            if '/S9/' not in info.filename:
                new.writestr(info.filename, old.read(info))
    line = refused(capsys, prepare_data_h36m, '--from-archive', tmp_path / 'six.zip', '--data_root', tmp_path)
    assert 'holds 0 sequences of S9 where 30 are needed (none found)' in line


def test_a_damaged_or_missing_archive_is_refused(tiny_sources, tmp_path, capsys):
    whole = (tiny_sources / 'h36m.zip').read_bytes()
    (tmp_path / 'cut.zip').write_bytes(whole[:len(whole) // 2])
    start = len(whole) // 3
    (tmp_path / 'flipped.zip').write_bytes(whole[:start] + bytes(200) + whole[start + 200:])
    (tmp_path / 'text.zip').write_text('<html>Not found</html>')
    for name, message in (('cut', 'not a complete .zip archive'), ('flipped', 'not a readable .h5 file'),
                          ('text', 'not a complete .zip archive'), ('absent', 'is missing')):
        archive = tmp_path / f'{name}.zip'
        line = refused(capsys, prepare_data_h36m, '--from-archive', archive, '--data_root', tmp_path / 'root')
        assert message in line and str(archive) in line
    assert not (tmp_path / 'root').exists()


# Bad original files

@pytest.fixture
def source_tree(tiny_sources, tmp_path):
    return Path(shutil.copytree(tiny_sources / 'source', tmp_path / 'source'))


@pytest.mark.parametrize('array, message', [
    (None, 'is not a readable .mat file'), (np.zeros((4, 51)), 'holds an array of shape (4, 51)'),
    (np.full((4, 96), np.inf), 'not finite'), (np.array(['text']), 'holds an array of shape')])
def test_a_bad_mat_file_is_named(source_tree, tmp_path, capsys, array, message):
    path = source_tree / 'S8' / 'MyPoseFeatures' / 'D3_Positions' / 'WalkingDog 1.cdf.mat'
    if array is None:
        path.write_bytes(path.read_bytes()[:400])
    else:
        builders.write_mat(path, array)
    line = refused(capsys, prepare_data_h36m, '--from-source', source_tree, '--data_root', tmp_path / 'root')
    assert message in line and str(path) in line


def test_a_mat_file_of_another_layout_is_named(source_tree, tmp_path, capsys):
    path = source_tree / 'S8' / 'MyPoseFeatures' / 'D3_Positions' / 'Walking.cdf.mat'
    for content, message in (({'poses': np.zeros((4, 96))}, 'not a readable .mat file'),
                             ({'data': np.zeros((4, 96))}, 'holds an array of shape ()')):
        savemat(path, content)
        line = refused(capsys, prepare_data_h36m, '--from-source', source_tree, '--data_root', tmp_path / 'root')
        assert message in line and str(path) in line


def test_a_missing_or_incomplete_source_folder_is_refused(source_tree, tmp_path, capsys):
    line = refused(capsys, prepare_data_h36m, '--from-source', tmp_path / 'absent', '--data_root', tmp_path)
    assert 'absent is not a folder' in line
    (tmp_path / 'other').mkdir()
    line = refused(capsys, prepare_data_h36m, '--from-source', tmp_path / 'other', '--data_root', tmp_path)
    assert 'other is a folder without S1/MyPoseFeatures/D3_Positions/*.cdf.mat' in line
    (source_tree / 'S6' / 'MyPoseFeatures' / 'D3_Positions' / 'Eating.cdf.mat').unlink()
    line = refused(capsys, prepare_data_h36m, '--from-source', source_tree, '--data_root', tmp_path)
    assert 'holds 29 sequences of S6 where 30 are needed (Eating 1 of 2)' in line

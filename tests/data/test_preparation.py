"""The preparation commands: values against independent computations, names, totals; bad input refused in one line."""
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import savemat

import builders
from common.datasets.preparation import sequence_name, write_checked
from common.errors import InputError
from common.files.npz import load_npz
from data import prepare_data_2d_h36m, prepare_data_demo, prepare_data_h36m
from data_extra import prepare_data_3dhp, prepare_data_3dpw
from places import ROOT
from refusals import RunsCode, files_below, refused

SIXTEEN_IN_32 = [0, 1, 2, 3, 6, 7, 8, 12, 13, 15, 17, 18, 19, 25, 26, 27]
SIXTEEN_IN_17 = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16]
SPIN_JOINTS = [14, 2, 1, 0, 3, 4, 5, 16, 12, 18, 9, 10, 11, 8, 7, 6]
WALKING = builders.member_name('S5', 'Walking 1')


def positions(root, name, key):
    return load_npz(root / 'data' / f'data_{name}.npz', [key], 'the test')[key]


def source_mm(sources, subject, sequence):
    """(T, 32, 3) world millimetres, read from the archive here and now."""
    name = builders.member_name(subject, sequence)
    with zipfile.ZipFile(sources / 'h36m.zip') as archive, archive.open(name) as member:
        return h5py.File(member, 'r')['3D_positions'][()].T.reshape(-1, 32, 3)


# Human3.6M, 3D and ground-truth 2D

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


def test_the_original_files_give_what_the_archive_gives(tiny_sources, tiny_root, tmp_path):
    prepare_data_h36m.main(['--from-source', str(tiny_sources / 'source'), '--data_root', str(tmp_path)])
    for name, key in (('3d_h36m', 'positions_3d'), ('2d_h36m_gt', 'positions_2d'), ('2d_h36m_gt', 'metadata')):
        np.testing.assert_equal(positions(tmp_path, name, key), positions(tiny_root, name, key))


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


@pytest.mark.parametrize('keypoints', ['gt', *prepare_data_2d_h36m.DETECTORS])
def test_metadata_says_which_joints_mirror_which(tiny_root, keypoints):
    metadata = positions(tiny_root, f'2d_h36m_{keypoints}', 'metadata')
    assert metadata == {'layout_name': 'h36m', 'num_joints': 16,
                        'keypoints_symmetry': [[4, 5, 6, 10, 11, 12], [1, 2, 3, 13, 14, 15]]}


@pytest.mark.parametrize('name, expected', [
    ('TakingPhoto', 'Photo'), ('TakingPhoto_1', 'Photo 1'), ('Walking 1', 'Walking 1'), ('WalkingDog 2', 'WalkDog 2'),
    ('SittingDown', 'SittingDown')])
def test_sequence_names(name, expected):
    assert sequence_name(name) == expected


# Human3.6M, detections

@pytest.mark.parametrize('keypoints', ['cpn_ft_h36m_dbb', 'detectron_ft_h36m'])
def test_videopose3d_joints_are_picked_and_lengths_cut(tiny_sources, tiny_root, keypoints):
    source = np.load(tiny_sources / f'data_2d_h36m_{keypoints}.npz', allow_pickle=True)['positions_2d'].item()
    positions_3d = positions(tiny_root, '3d_h36m', 'positions_3d')
    positions_2d = positions(tiny_root, f'2d_h36m_{keypoints}', 'positions_2d')
    assert list(positions_2d) == list(builders.SUBJECTS)                  # S2 has no 3D
    longer = 0
    for subject, sequences in positions_3d.items():
        for sequence, pose3d_world in sequences.items():
            for view, raw in zip(positions_2d[subject][sequence], source[subject][sequence], strict=True):
                longer += len(raw) > len(pose3d_world)
                np.testing.assert_array_equal(view, raw[:len(pose3d_world), SIXTEEN_IN_17])
    assert longer > 100


def test_hr_views_go_to_their_cameras(tiny_root):
    ground_truth = positions(tiny_root, '2d_h36m_gt', 'positions_2d')
    for subject, sequences in positions(tiny_root, '2d_h36m_hr', 'positions_2d').items():
        assert set(sequences) == set(builders.SEQUENCES)
        for sequence, views in sequences.items():
            for pose2d_px, truth in zip(views, ground_truth[subject][sequence], strict=True):
                assert pose2d_px.shape == truth.shape and pose2d_px.dtype == np.float32
                assert abs(pose2d_px - truth).max() < 12     # noise of two pixels; another joint is farther


def test_ignored_detections_are_named(tiny_sources, tiny_root, tmp_path, capsys):
    prepare_cpn(tiny_root, tmp_path, tiny_sources / 'data_2d_h36m_cpn_ft_h36m_dbb.npz')
    assert 'no 3D: S2 (all its sequences)\n' in capsys.readouterr().out


def test_the_corrupted_recording_needs_no_detections(tiny_root, tmp_path):
    prepare_cpn(tiny_root, tmp_path, changed_cpn(tiny_root, tmp_path, lambda table: table['S11'].pop('Directions')))
    sequences = positions(tmp_path, '2d_h36m_cpn_ft_h36m_dbb', 'positions_2d')['S11']
    assert set(sequences) == set(builders.SEQUENCES) - {'Directions'}


def with_3d(tiny_root, root):
    """A data root that holds the tiny 3D only."""
    (root / 'data').mkdir(parents=True, exist_ok=True)
    shutil.copy(tiny_root / 'data' / 'data_3d_h36m.npz', root / 'data')
    return root


def prepare_cpn(tiny_root, root, source):
    prepare_data_2d_h36m.main(['--keypoints', 'cpn_ft_h36m_dbb', '--source', str(source),
                               '--data_root', str(with_3d(tiny_root, root))])


def changed_cpn(tiny_root, folder, change):
    """VideoPose3D's tiny file with its table changed in place by `change`."""
    source = tiny_root / 'data' / 'sources' / 'data_2d_h36m_cpn_ft_h36m_dbb.npz'
    table = np.load(source, allow_pickle=True)['positions_2d'].item()
    change(table)
    np.savez(folder / 'changed.npz', positions_2d=table)
    return folder / 'changed.npz'


# MPI-INF-3DHP

def test_3dhp_by_hand(tiny_sources, tiny_root):
    raw = np.load(tiny_sources / 'mpi_inf_3dhp_valid.npz')
    made = np.load(tiny_root / 'data_extra' / 'test_set' / 'test_3dhp.npz')
    assert set(made.files) == {'pose3d', 'pose2d', 'sequence'}
    assert made['pose3d'].dtype == made['pose2d'].dtype == np.float32 and made['sequence'].dtype == np.int8
    np.testing.assert_array_equal(made['sequence'], np.repeat(range(1, 7), 3))
    np.testing.assert_array_equal(made['pose3d'], raw['S'][:, SPIN_JOINTS, :3].astype(np.float32))
    invisible = 0
    for frame, name in enumerate(raw['imgname']):
        width, height = (1920, 1080) if 'TS5' in name or 'TS6' in name else (2048, 2048)
        for joint, spin in enumerate(SPIN_JOINTS):
            x, y, visible = raw['part'][frame, spin]
            expected = (x / width * 2 - 1, y / width * 2 - height / width) if visible else (0, 0)
            np.testing.assert_allclose(made['pose2d'][frame, joint], expected, atol=1e-7)
            invisible += not visible
    assert 10 < invisible < 150


def test_3dhp_frames_of_no_known_sequence_count_as_square(tiny_sources, tmp_path, capsys):
    raw = dict(np.load(tiny_sources / 'mpi_inf_3dhp_valid.npz'))
    raw['imgname'] = np.char.replace(raw['imgname'], '/TS6/', '/elsewhere/').astype('S')   # bytes, as Python 2 writes
    np.savez(tmp_path / 'spin.npz', **raw)
    prepare_data_3dhp.main(['--source', str(tmp_path / 'spin.npz'), '--data_root', str(tmp_path)])
    made = np.load(tmp_path / 'data_extra' / 'test_set' / 'test_3dhp.npz')
    np.testing.assert_array_equal(made['sequence'][-4:], [5, 0, 0, 0])
    hip = raw['part'][-1, 14]
    np.testing.assert_allclose(made['pose2d'][-1, 0], (hip[:2] / 1024 - 1) * hip[2], atol=1e-7)
    output = capsys.readouterr().out
    assert '2,929 frames, this file has 18' in output and '3 frames name none of TS1 to TS6' in output


# as the user types them

def test_the_commands_as_typed(tiny_sources, tmp_path):
    """`cd data; python prepare_...` with relative paths, and from the root; the summary's totals; the files left."""
    def typed(folder, *words):
        environment = dict(os.environ, OMP_NUM_THREADS='1')
        return subprocess.run([sys.executable, *words, '--data_root', str(tmp_path)], cwd=folder, check=True,
                              capture_output=True, text=True, env=environment)
    archive = os.path.relpath(tiny_sources / 'h36m.zip', ROOT / 'data')
    first = typed(ROOT / 'data', 'prepare_data_h36m.py', '--from-archive', archive)
    source = str(tiny_sources / 'data_2d_h36m_cpn_ft_h36m_dbb.npz')
    typed(ROOT, 'data/prepare_data_2d_h36m.py', '--keypoints', 'cpn_ft_h36m_dbb', '--source', source)
    typed(ROOT / 'data_extra', 'prepare_data_3dhp.py', '--source', str(tiny_sources / 'mpi_inf_3dhp_valid.npz'))
    assert '210 sequences; poses S1 210, S5 210,' in first.stdout
    assert 'S11 204; training 1,050, test 414' in first.stdout
    assert 'training 4,200, test 1,656 (without S11 Directions)' in first.stdout
    assert first.stderr == ''                                             # no bar where stderr is no terminal
    assert files_below(tmp_path) == ['data/data_2d_h36m_cpn_ft_h36m_dbb.npz', 'data/data_2d_h36m_gt.npz',
                                     'data/data_3d_h36m.npz', 'data_extra/test_set/test_3dhp.npz']


# what is there stays

@pytest.mark.parametrize('command, arguments, output', [
    (prepare_data_h36m, ['--from-archive', 'h36m.zip'], 'data/data_3d_h36m.npz'),
    (prepare_data_h36m, ['--from-archive', 'h36m.zip'], 'data/data_2d_h36m_gt.npz'),
    (prepare_data_2d_h36m, ['--keypoints', 'hr'], 'data/data_2d_h36m_hr.npz'),
    (prepare_data_3dhp, [], 'data_extra/test_set/test_3dhp.npz')])
def test_existing_output_stays(tmp_path, capsys, command, arguments, output):
    path = tmp_path / output
    path.parent.mkdir(parents=True)
    path.write_bytes(b'mine')
    assert f'{path} exists already' in refused(capsys, command, *arguments, '--data_root', tmp_path)
    assert path.read_bytes() == b'mine' and files_below(tmp_path) == [output]


@pytest.mark.parametrize('keypoints', prepare_data_2d_h36m.DETECTORS)
def test_a_download_where_the_output_belongs_is_to_be_moved(tmp_path, capsys, keypoints):
    """VideoPose3D's files have the names of ours, EvoSkeleton's have not."""
    path = tmp_path / 'data' / f'data_2d_h36m_{keypoints}.npz'
    path.parent.mkdir()
    path.write_bytes(b'mine')
    line = refused(capsys, prepare_data_2d_h36m, '--keypoints', keypoints, '--data_root', tmp_path)
    assert line.endswith(f'move it to {tmp_path}/data/sources/') or keypoints == 'hr' and 'move' not in line


@pytest.mark.parametrize('command, flags, message', [
    (prepare_data_h36m, ['--from-archive'], 'is a folder; --from-archive takes the path of h36m.zip'),
    (prepare_data_2d_h36m, ['--keypoints', 'cpn_ft_h36m_dbb', '--source'], 'is a folder where VideoPose3D'),
    (prepare_data_3dhp, ['--source'], 'is a folder where SPIN')])
def test_a_folder_where_a_file_belongs(tiny_root, tmp_path, capsys, command, flags, message):
    (tmp_path / 'folder').mkdir()
    line = refused(capsys, command, *flags, tmp_path / 'folder', '--data_root', with_3d(tiny_root, tmp_path / 'root')
                   if command is prepare_data_2d_h36m else tmp_path / 'root')
    assert f'{tmp_path / "folder"} {message}' in line


def test_a_file_where_a_folder_belongs(tiny_root, tiny_sources, tmp_path, capsys):
    line = refused_2d(capsys, tiny_root, tmp_path, 'hr', tiny_sources / 'twoDPose_HRN_test.npy')
    assert 'twoDPose_HRN_test.npy is a file; for hr --source takes the folder' in line


@pytest.mark.parametrize('command, flags', [
    (prepare_data_h36m, ['--from-archive', 'a.zip']), (prepare_data_2d_h36m, ['--keypoints', 'hr']), (prepare_data_3dhp, []),
    (prepare_data_3dpw, []), (prepare_data_demo, ['--data_root', 'demo'])])
def test_an_abbreviated_flag_is_refused_in_one_line(tmp_path, monkeypatch, capsys, command, flags):
    monkeypatch.chdir(tmp_path)
    assert 'unrecognized arguments: --data_roo ' in refused(capsys, command, *flags, '--data_roo', tmp_path)
    assert not files_below(tmp_path)


def test_output_that_cannot_be_written(tiny_sources, tmp_path, capsys):
    (tmp_path / 'data').write_text('a file where the folder should be')
    line = refused(capsys, prepare_data_h36m, '--from-archive', tiny_sources / 'h36m.zip', '--data_root', tmp_path)
    assert f'data_3d_h36m.npz cannot be written: {tmp_path / "data"} is not a folder' in line


def test_all_outputs_appear_or_none(tmp_path):
    (tmp_path / 'file').write_text('')
    arrays = {'numbers': np.arange(3)}
    outputs = {tmp_path / 'first.npz': arrays, tmp_path / 'file' / 'second.npz': arrays}
    with pytest.raises(InputError, match='second.npz cannot be written'):
        write_checked(outputs, 'the test')
    assert files_below(tmp_path) == ['file']


def test_a_file_that_does_not_read_back_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr('common.datasets.preparation.load_npz', lambda *_: {'numbers': np.array([0, 1, 5])})
    with pytest.raises(InputError, match='does not read back'):
        write_checked({tmp_path / 'first.npz': {'numbers': np.arange(3)}}, 'the test')
    assert files_below(tmp_path) == []


# bad input: Human3.6M's archive and original files

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
    (WALKING, bytes(65 << 20), f'{WALKING} has 68,157,440 bytes, more than any sequence needs'),
], ids=['missing', 'one-too-many', 'twice', 'damaged', 'other-key', 'other-joints', 'transposed', 'flat', 'empty',
        'nan', 'overflow', 'huge'])
def test_bad_member(tiny_sources, tmp_path, capsys, member, content, message):
    archive = changed_archive(tiny_sources, tmp_path / 'changed.zip', member, content)
    line = refused(capsys, prepare_data_h36m, '--from-archive', archive, '--data_root', tmp_path / 'root')
    assert message in line and str(archive) in line
    assert not (tmp_path / 'root').exists()


def test_member_of_a_bomb_is_not_read(tiny_sources, tmp_path, capsys):
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


def test_archive_that_is_none(tiny_sources, tmp_path, capsys):
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


@pytest.fixture
def source_tree(tiny_sources, tmp_path):
    return Path(shutil.copytree(tiny_sources / 'source', tmp_path / 'source'))


@pytest.mark.parametrize('array, message', [
    (None, 'is not a readable .mat file'), (np.zeros((4, 51)), 'holds an array of shape (4, 51)'),
    (np.full((4, 96), np.inf), 'not finite'), (np.array(['text']), 'holds an array of shape')])
def test_bad_mat(source_tree, tmp_path, capsys, array, message):
    path = source_tree / 'S8' / 'MyPoseFeatures' / 'D3_Positions' / 'WalkingDog 1.cdf.mat'
    if array is None:
        path.write_bytes(path.read_bytes()[:400])
    else:
        builders.write_mat(path, array)
    line = refused(capsys, prepare_data_h36m, '--from-source', source_tree, '--data_root', tmp_path / 'root')
    assert message in line and str(path) in line


def test_mat_of_another_layout(source_tree, tmp_path, capsys):
    path = source_tree / 'S8' / 'MyPoseFeatures' / 'D3_Positions' / 'Walking.cdf.mat'
    for content, message in (({'poses': np.zeros((4, 96))}, 'not a readable .mat file'),
                             ({'data': np.zeros((4, 96))}, 'holds an array of shape ()')):
        savemat(path, content)
        line = refused(capsys, prepare_data_h36m, '--from-source', source_tree, '--data_root', tmp_path / 'root')
        assert message in line and str(path) in line


def test_source_folder_that_is_none_or_lacks_files(source_tree, tmp_path, capsys):
    line = refused(capsys, prepare_data_h36m, '--from-source', tmp_path / 'absent', '--data_root', tmp_path)
    assert 'absent is not a folder' in line
    (source_tree / 'S6' / 'MyPoseFeatures' / 'D3_Positions' / 'Eating.cdf.mat').unlink()
    line = refused(capsys, prepare_data_h36m, '--from-source', source_tree, '--data_root', tmp_path)
    assert 'holds 29 sequences of S6 where 30 are needed (Eating 1 of 2)' in line


@pytest.mark.parametrize('arguments', [[], ['--from-archive', 'a.zip', '--from-source', 'b']])
def test_exactly_one_origin(capsys, arguments):
    with pytest.raises(SystemExit) as stopped:
        prepare_data_h36m.main(arguments)
    assert stopped.value.code == 2


# bad input: detections

def set_view(value):
    def change(table):
        table['S7']['Sitting 1'][2] = value
    return change


@pytest.mark.parametrize('change, message', [
    (lambda table: table['S7']['Sitting 1'].__setitem__(2, table['S7']['Sitting 1'][2][:3]),
     'S7 Sitting 1, camera 58860488, holds 3 frames where the motion capture has'),
    (set_view(np.zeros((9, 16, 2))), 'S7 Sitting 1, camera 58860488, holds an array of shape (9, 16, 2)'),
    (set_view(np.zeros((9, 17, 3))), 'S7 Sitting 1, camera 58860488, holds an array of shape (9, 17, 3)'),
    (set_view(np.full((9, 17, 2), np.nan)), 'S7 Sitting 1, camera 58860488, holds numbers that are not finite'),
    (set_view('text'), 'S7 Sitting 1, camera 58860488, holds an array of shape ()'),
    (lambda table: table['S7']['Sitting 1'].pop(), 'holds 3 views of S7 Sitting 1 where 4 are needed'),
    (lambda table: table['S7'].pop('Sitting 1'), 'lacks detections of 1 sequences that have 3D: S7 Sitting 1;'),
    (lambda table: table.pop('S7'), 'lacks detections of 30 sequences that have 3D: S7 Directions, S7 Directions 1,'),
    (lambda table: table.update(S7=[1, 2]), 'holds no dict subject -> sequence -> four views'),
    (lambda table: table['S7'].update({'Sitting 1': 5}), 'holds no dict subject -> sequence -> four views'),
], ids=['short', '16-joints', '3D', 'nan', 'text', 'three-views', 'sequence', 'subject', 'list', 'number'])
def test_bad_detections(tiny_root, tmp_path, capsys, change, message):
    source = changed_cpn(tiny_root, tmp_path, change)
    line = refused_2d(capsys, tiny_root, tmp_path, 'cpn_ft_h36m_dbb', source)
    assert message in line and str(source) in line
    assert files_below(tmp_path / 'data') == ['data_3d_h36m.npz']


def refused_2d(capsys, tiny_root, root, keypoints, source):
    return refused(capsys, prepare_data_2d_h36m, '--keypoints', keypoints, '--source', source,
                   '--data_root', with_3d(tiny_root, root))


def test_a_pickle_that_asks_for_code_is_refused_unrun(tiny_root, tmp_path, capsys):
    sign = tmp_path / 'it ran'
    np.savez(tmp_path / 'evil.npz', positions_2d=np.array({'S1': RunsCode(sign)}, dtype=object))
    sign.unlink(missing_ok=True)
    line = refused_2d(capsys, tiny_root, tmp_path, 'cpn_ft_h36m_dbb', tmp_path / 'evil.npz')
    assert 'evil.npz cannot be read' in line and not sign.exists()


def test_damaged_or_missing_detections(tiny_root, tmp_path, capsys):
    (tmp_path / 'cut.npz').write_bytes((tiny_root / 'data' / 'data_2d_h36m_cpn_ft_h36m_dbb.npz').read_bytes()[:5000])
    np.savez(tmp_path / 'other.npz', poses=np.zeros(3))
    np.savez(tmp_path / 'numbers.npz', positions_2d=np.zeros(3))
    for name, message in (('cut', 'no readable .npz file'), ('other', "has no array 'positions_2d'"),
                          ('absent', "is missing: it is VideoPose3D's"), ('numbers', 'holds no dict')):
        line = refused_2d(capsys, tiny_root, tmp_path, 'cpn_ft_h36m_dbb', tmp_path / f'{name}.npz')
        assert message in line and f'{name}.npz' in line


def test_3d_must_come_first(tiny_sources, tmp_path, capsys):
    line = refused(capsys, prepare_data_2d_h36m, '--keypoints', 'hr', '--source', tiny_sources, '--data_root', tmp_path)
    assert 'data_3d_h36m.npz is missing' in line
    assert line.endswith(f'python3 data/prepare_data_h36m.py --from-archive h36m.zip --data_root {tmp_path}')
    (tmp_path / 'data').mkdir()
    np.savez(tmp_path / 'data' / 'data_3d_h36m.npz', positions_3d=np.zeros(3))
    line = refused(capsys, prepare_data_2d_h36m, '--keypoints', 'hr', '--source', tiny_sources, '--data_root', tmp_path)
    assert 'data_3d_h36m.npz holds no dict subject -> sequence -> poses' in line


def test_a_source_in_the_output_s_place(tiny_sources, tiny_root, tmp_path, capsys):
    place = with_3d(tiny_root, tmp_path) / 'data' / 'data_2d_h36m_cpn_ft_h36m_dbb.npz'
    shutil.copy(tiny_sources / place.name, place)
    line = refused_2d(capsys, tiny_root, tmp_path, 'cpn_ft_h36m_dbb', place)
    assert 'both source and output' in line and str(tmp_path / 'data' / 'sources') in line
    assert place.read_bytes() == (tiny_sources / place.name).read_bytes()


def change_hr(sources, folder, change):
    """EvoSkeleton's tiny files in `folder`, the test subjects' table changed in place by `change`."""
    folder.mkdir()
    shutil.copy(sources / 'twoDPose_HRN_train.npy', folder)
    table = np.load(sources / 'twoDPose_HRN_test.npy', allow_pickle=True).item()
    change(table)
    np.save(folder / 'twoDPose_HRN_test.npy', table, allow_pickle=True)
    return folder


HR_KEY = (9, 'Eating', 'Eating_1.55011271.h5-sh')


@pytest.mark.parametrize('change, message', [
    (lambda table: table.pop(HR_KEY), 'S9 Eating 1, camera 55011271, is missing'),
    (lambda table: table.update({HR_KEY: np.zeros((9, 32))}),
     'S9 Eating 1, camera 55011271, holds an array of shape (9, 32)'),
    (lambda table: table.update({(9, 'Eating', 'Eating 1.55011271.h5-sh'): np.zeros((9, 64))}),
     'holds S9 Eating 1 of camera 55011271 a second time'),
    (lambda table: table.update({(9, 'Eating', 'Eating.1234.h5-sh'): np.zeros((9, 64))}),
     "holds the key (9, 'Eating', 'Eating.1234.h5-sh') where"),
    (lambda table: table.update({'Eating': np.zeros((9, 64))}), "holds the key 'Eating' where"),
], ids=['view-missing', 'joints', 'twice', 'camera', 'key'])
def test_bad_hr(tiny_sources, tiny_root, tmp_path, capsys, change, message):
    source = change_hr(tiny_sources, tmp_path / 'hr', change)
    assert message in refused_2d(capsys, tiny_root, tmp_path, 'hr', source)


def test_hr_files_that_are_none(tiny_sources, tiny_root, tmp_path, capsys):
    source = change_hr(tiny_sources, tmp_path / 'hr', lambda table: None)
    for content, message in ((np.lib.format.magic(1, 0) + b'rest', 'no readable .npy file'),
                             (None, "is missing: it is EvoSkeleton's")):
        (source / 'twoDPose_HRN_test.npy').unlink()
        if content is not None:
            (source / 'twoDPose_HRN_test.npy').write_bytes(content)
        line = refused_2d(capsys, tiny_root, tmp_path, 'hr', source)
        assert message in line and 'twoDPose_HRN_test.npy' in line
    np.save(source / 'twoDPose_HRN_test.npy', np.zeros(3))
    assert 'holds no dict' in refused_2d(capsys, tiny_root, tmp_path, 'hr', source)


# bad input: 3DHP

@pytest.mark.parametrize('key, value, message', [
    ('part', np.zeros((18, 17, 3)), "holds 'part' of shape (18, 17, 3)"),
    ('part', np.array(3), "holds 'part' of shape ()"),
    ('part', np.full((18, 24, 3), np.nan),
     "'part', our joints, holds numbers that are not finite or beyond 60,000, first in frame 0"),
    ('S', np.zeros((18, 24, 3)), "holds 'S' of shape (18, 24, 3)"),
    ('S', np.zeros((17, 24, 4)), "holds 'S' of shape (17, 24, 4)"),
    ('S', np.full((18, 24, 4), np.inf), "'S', our joints, holds numbers that are not finite"),
    ('S', None, "has no array 'S'"),
    ('imgname', np.array(['a'] * 5), "holds 'imgname' of shape (5,)"),
    ('imgname', np.zeros(18), "holds 'imgname' of shape (18,) and type float64")])
def test_bad_3dhp(tiny_sources, tmp_path, capsys, key, value, message):
    raw = dict(np.load(tiny_sources / 'mpi_inf_3dhp_valid.npz'))
    raw[key] = value
    np.savez(tmp_path / 'spin.npz', **{name: array for name, array in raw.items() if array is not None})
    line = refused(capsys, prepare_data_3dhp, '--source', tmp_path / 'spin.npz', '--data_root', tmp_path / 'root')
    assert message in line and 'spin.npz' in line
    assert not (tmp_path / 'root').exists()


def test_3dhp_source_missing_or_no_npz(tmp_path, capsys):
    line = refused(capsys, prepare_data_3dhp, '--data_root', tmp_path)
    assert "mpi_inf_3dhp_valid.npz is missing: it is SPIN's" in line
    (tmp_path / 'spin.npz').write_bytes(pickle.dumps({'part': 1}))
    line = refused(capsys, prepare_data_3dhp, '--source', tmp_path / 'spin.npz', '--data_root', tmp_path)
    assert 'spin.npz is no readable .npz file' in line


# the stand-in: real motion, whole lengths

@pytest.mark.parametrize('keypoints', ['gt', *prepare_data_2d_h36m.DETECTORS])
def test_standin_test_poses(standin_root, keypoints):
    table = positions(standin_root, f'2d_h36m_{keypoints}', 'positions_2d')
    test = {(subject, sequence): views for subject in ('S9', 'S11') for sequence, views in table[subject].items()}
    del test['S11', 'Directions']
    assert sum(len(view) for views in test.values() for view in views) == 62_180
    assert sum(len(view) for s in builders.SUBJECTS[:5] for views in table[s].values() for view in views) == 4 * 34_366


def test_standin_ground_truth_is_near_the_detections(standin_root):
    truth = positions(standin_root, '2d_h36m_gt', 'positions_2d')
    for keypoints, typical in (('hr', 4.4), ('cpn_ft_h36m_dbb', 5.4), ('detectron_ft_h36m', 8)):
        detected = positions(standin_root, f'2d_h36m_{keypoints}', 'positions_2d')
        errors = np.concatenate([detected['S9']['Posing'][view] - truth['S9']['Posing'][view] for view in range(4)])
        assert .5 * typical < errors.std() < 1.5 * typical


def test_standin_3dhp(standin_root):
    made = np.load(standin_root / 'data_extra' / 'test_set' / 'test_3dhp.npz')
    assert made['pose3d'].shape == (2929, 16, 3) and made['pose2d'].shape == (2929, 16, 2)
    assert np.bincount(made['sequence']).tolist() == [0, 603, 540, 505, 553, 276, 452]

"""The preparation commands together: as a user types them, what they leave alone, and what they make of the stand-in."""
import os
import subprocess
import sys

import numpy as np
import pytest

import builders
from builders import positions, with_3d
from data import prepare_data_2d_h36m, prepare_data_demo, prepare_data_h36m
from data_extra import prepare_data_3dhp, prepare_data_3dpw
from places import ROOT
from refusals import files_below, refused


@pytest.mark.slow
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


@pytest.mark.parametrize('command, arguments, output', [
    (prepare_data_h36m, ['--from-archive', 'h36m.zip'], 'data/data_3d_h36m.npz'),
    (prepare_data_h36m, ['--from-archive', 'h36m.zip'], 'data/data_2d_h36m_gt.npz'),
    (prepare_data_h36m, ['--from-prepared', 'data_3d_h36m.npz'], 'data/data_3d_h36m.npz'),
    (prepare_data_h36m, ['--from-prepared'], 'data/data_2d_h36m_gt.npz'),
    (prepare_data_2d_h36m, ['--keypoints', 'hr'], 'data/data_2d_h36m_hr.npz'),
    (prepare_data_3dhp, [], 'data_extra/test_set/test_3dhp.npz')])
def test_existing_output_is_not_overwritten(tmp_path, capsys, command, arguments, output):
    path = tmp_path / output
    path.parent.mkdir(parents=True)
    path.write_bytes(b'mine')
    assert f'{path} exists already' in refused(capsys, command, *arguments, '--data_root', tmp_path)
    assert path.read_bytes() == b'mine' and files_below(tmp_path) == [output]


@pytest.mark.parametrize('command, flags, message', [
    (prepare_data_h36m, ['--from-archive'], 'is a folder without S1/MyPoses/3D_positions/*.h5'),
    (prepare_data_2d_h36m, ['--keypoints', 'cpn_ft_h36m_dbb', '--source'], 'is a folder where VideoPose3D'),
    (prepare_data_3dhp, ['--source'], 'is a folder where SPIN')])
def test_a_folder_where_a_file_belongs(tiny_root, tmp_path, capsys, command, flags, message):
    (tmp_path / 'folder').mkdir()
    line = refused(capsys, command, *flags, tmp_path / 'folder', '--data_root', with_3d(tiny_root, tmp_path / 'root')
                   if command is prepare_data_2d_h36m else tmp_path / 'root')
    assert f'{tmp_path / "folder"} {message}' in line


@pytest.mark.parametrize('command, flags', [
    (prepare_data_h36m, ['--from-archive', 'a.zip']), (prepare_data_2d_h36m, ['--keypoints', 'hr']), (prepare_data_3dhp, []),
    (prepare_data_3dpw, []), (prepare_data_demo, ['--data_root', 'demo'])])
def test_an_abbreviated_flag_is_refused_in_one_line(tmp_path, monkeypatch, capsys, command, flags):
    monkeypatch.chdir(tmp_path)
    assert 'unrecognized arguments: --data_roo ' in refused(capsys, command, *flags, '--data_roo', tmp_path)
    assert not files_below(tmp_path)


# The stand-in: real motion, whole lengths

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

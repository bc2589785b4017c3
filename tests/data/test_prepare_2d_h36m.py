"""prepare_data_2d_h36m.py: joints, cameras and lengths of the detections; bad sources are refused."""
import shutil

import numpy as np
import pytest

import builders
from builders import positions, with_3d
from data import prepare_data_2d_h36m
from refusals import RunsCode, files_below, refused

SIXTEEN_IN_17 = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16]


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


def refused_2d(capsys, tiny_root, root, keypoints, source):
    return refused(capsys, prepare_data_2d_h36m, '--keypoints', keypoints, '--source', source,
                   '--data_root', with_3d(tiny_root, root))


@pytest.mark.parametrize('keypoints', ['gt', *prepare_data_2d_h36m.DETECTORS])
def test_metadata_says_which_joints_mirror_which(tiny_root, keypoints):
    metadata = positions(tiny_root, f'2d_h36m_{keypoints}', 'metadata')
    assert metadata == {'layout_name': 'h36m', 'num_joints': 16,
                        'keypoints_symmetry': [[4, 5, 6, 10, 11, 12], [1, 2, 3, 13, 14, 15]]}


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


@pytest.mark.parametrize('keypoints', prepare_data_2d_h36m.DETECTORS)
def test_a_download_in_the_outputs_place_must_be_moved(tmp_path, capsys, keypoints):
    """VideoPose3D's files have the names of ours, EvoSkeleton's have not."""
    path = tmp_path / 'data' / f'data_2d_h36m_{keypoints}.npz'
    path.parent.mkdir()
    path.write_bytes(b'mine')
    line = refused(capsys, prepare_data_2d_h36m, '--keypoints', keypoints, '--data_root', tmp_path)
    assert line.endswith(f'move it to {tmp_path}/data/sources/') or keypoints == 'hr' and 'move' not in line


def test_a_file_where_a_folder_belongs(tiny_root, tiny_sources, tmp_path, capsys):
    line = refused_2d(capsys, tiny_root, tmp_path, 'hr', tiny_sources / 'twoDPose_HRN_test.npy')
    assert 'twoDPose_HRN_test.npy is a file; for hr --source takes the folder' in line


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


# Bad detections

def set_view(value):
    def change(table):
        table['S7']['Sitting 1'][2] = value
    return change


@pytest.mark.slow
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
def test_bad_detections_are_named(tiny_root, tmp_path, capsys, change, message):
    source = changed_cpn(tiny_root, tmp_path, change)
    line = refused_2d(capsys, tiny_root, tmp_path, 'cpn_ft_h36m_dbb', source)
    assert message in line and str(source) in line
    assert files_below(tmp_path / 'data') == ['data_3d_h36m.npz']


def test_a_pickle_that_asks_for_code_is_refused_unrun(tiny_root, tmp_path, capsys):
    sign = tmp_path / 'it ran'
    np.savez(tmp_path / 'evil.npz', positions_2d=np.array({'S1': RunsCode(sign)}, dtype=object))
    sign.unlink(missing_ok=True)
    line = refused_2d(capsys, tiny_root, tmp_path, 'cpn_ft_h36m_dbb', tmp_path / 'evil.npz')
    assert 'evil.npz is no readable' in line and 'its pickle asks for io.open' in line and not sign.exists()


def test_damaged_or_missing_detections(tiny_root, tmp_path, capsys):
    (tmp_path / 'cut.npz').write_bytes((tiny_root / 'data' / 'data_2d_h36m_cpn_ft_h36m_dbb.npz').read_bytes()[:5000])
    np.savez(tmp_path / 'other.npz', poses=np.zeros(3))
    np.savez(tmp_path / 'numbers.npz', positions_2d=np.zeros(3))
    for name, message in (('cut', 'no readable .npz file'), ('other', "has no array 'positions_2d'"),
                          ('absent', "is missing: it is VideoPose3D's"), ('numbers', 'holds no dict')):
        line = refused_2d(capsys, tiny_root, tmp_path, 'cpn_ft_h36m_dbb', tmp_path / f'{name}.npz')
        assert message in line and f'{name}.npz' in line


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
def test_bad_hr_detections_are_named(tiny_sources, tiny_root, tmp_path, capsys, change, message):
    source = change_hr(tiny_sources, tmp_path / 'hr', change)
    assert message in refused_2d(capsys, tiny_root, tmp_path, 'hr', source)


def test_damaged_or_missing_hr_files_are_refused(tiny_sources, tiny_root, tmp_path, capsys):
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

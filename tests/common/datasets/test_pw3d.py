"""The prepared 3DPW file -> a PoseSet, and how it can be wrong."""
import numpy as np
import pytest
import torch

from common.camera import project
from common.datasets.pw3d import MAKE_3DPW, load_3dpw, pose_3dpw_path
from common.files.npz import save_npz
from refusals import refusal
from sequences_3dpw import arrays_of


def test_poses_know_their_sequence_person_and_camera(root_3dpw, records_3dpw):
    poses, made = load_3dpw(root_3dpw), arrays_of(root_3dpw)
    assert poses.group_names == ('downtown_pair_00', 'flat_wide_00')
    assert poses.group.tolist() == poses.camera.tolist() == [0] * 11 + [1] * 5
    assert poses.subject.tolist() == [0] * 7 + [1] * 4 + [0] * 5
    np.testing.assert_array_equal(poses.pose3d_cam, made['pose3d'])
    np.testing.assert_array_equal(poses.pose2d, made['pose2d'])
    assert poses.pose3d_cam[:, 0, 2].min() > 3 and poses.pose2d.abs().max() < 1


def test_the_stored_cameras_project_the_3d_onto_the_2d(root_3dpw):
    poses = load_3dpw(root_3dpw)
    torch.testing.assert_close(project(poses.pose3d_cam, poses.take(torch.arange(len(poses))).camera), poses.pose2d,
                               rtol=0, atol=2e-6)


def test_detections_are_loaded_where_they_are_whole(root_3dpw):
    poses, made = load_3dpw(root_3dpw, 'openpose'), arrays_of(root_3dpw)
    whole = [place for place in range(16) if place != 2]
    np.testing.assert_array_equal(poses.pose2d, made['pose2d_openpose'][whole])
    np.testing.assert_array_equal(poses.pose3d_cam, made['pose3d'][whole])
    assert len(poses) == len(poses.subject) == len(poses.group) == 15


def refused_arrays(tmp_path, keypoints='gt', **arrays):
    """The message that refuses a file of these arrays."""
    save_npz(pose_3dpw_path(tmp_path), **arrays)
    return refusal(load_3dpw, tmp_path, keypoints)


def test_a_missing_file_names_its_command(tmp_path):
    message = refusal(load_3dpw, tmp_path)
    assert 'test_3dpw.npz is missing' in message and message.endswith(f'{MAKE_3DPW} --data_root {tmp_path}')


@pytest.mark.slow
@pytest.mark.parametrize('key,spoil,message', [
    ('pose3d', lambda array: array[:-1], '(15, 16, 2) is needed'), ('pose3d', lambda array: array[:, :14], '(16, 14, 3)'),
    ('pose2d', lambda array: array.astype(str), 'type <U'), ('pose2d', lambda array: array * np.nan, 'NaN or inf'),
    ('pose2d', lambda array: array * 1000, 'seems to be in pixels'),
    ('intrinsics', lambda array: array[:1], '(2, 9) is needed'),
    ('sequence', lambda array: array + 1, 'other than 0 to 1'), ('sequence', lambda array: array - 1, 'other than 0 to 1'),
    ('sequence', lambda array: array[:, None], '(16, 1)'), ('person', lambda array: array * .5, 'float64')])
def test_a_broken_prepared_file_is_refused(root_3dpw, tmp_path, key, spoil, message):
    arrays = arrays_of(root_3dpw)
    arrays[key] = spoil(arrays[key])
    line = refused_arrays(tmp_path, **arrays)
    assert message in line and line.endswith(f'delete it and run: {MAKE_3DPW} --data_root {tmp_path}'), line


def test_a_file_without_an_array_or_without_a_detected_pose(root_3dpw, tmp_path):
    arrays = arrays_of(root_3dpw)
    assert "'openpose'" in refused_arrays(tmp_path, 'openpose', **{**arrays, 'openpose_whole': np.zeros(16, bool)})
    del arrays['frame']
    assert "has no array 'frame'" in refused_arrays(tmp_path, **arrays)

"""Prepared motion capture as PoseSets: views, places, what is drawn anew, and what is refused."""
import numpy as np
import pytest
import torch

from common.bones import bone_lengths, bone_vectors
from common.camera import project
from common.camera_sampling import CameraRanges, filmed_anew
from common.datasets.mocap import FILMED_BY, SQUARE, folded, is_mocap_name, middle_of, mocap_path, mocap_poses, read_mocap
from common.files.npz import save_npz
from common.skeleton import H36M_16, H36M_17
from common.skeletons import SMPL_24
from mocap_clips import arrays_of, h36m_17, person, smpl_24
from refusals import refusal


def lengths(pose3d):
    return bone_lengths(bone_vectors(torch.as_tensor(pose3d)))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize('test, count, person_number', [(False, 70, 0), (True, 40, 1)])
def test_the_four_cameras_see_each_pose_of_the_clips(test, count, person_number):
    arrays = arrays_of()
    poses = mocap_poses(arrays, test, 'h36m')
    own = arrays['pose3d'][70:] if test else arrays['pose3d'][:70]
    assert len(poses) == 4 * count and poses.group_names == ('anna', 'ben') and {*poses.subject.tolist()} == {person_number}
    assert poses.camera.bincount().tolist() == [count] * 4
    torch.testing.assert_close(poses.pose2d, project(poses.pose3d_cam, poses.intrinsics[poses.camera]))
    torch.testing.assert_close(lengths(poses.pose3d_cam), lengths(own).repeat(4, 1, 1), atol=1e-5, rtol=0)
    assert poses.pose2d.abs().max() < 1.1 and filmed_anew(poses, None) is poses


def test_people_are_upright_in_the_four_images():
    poses = mocap_poses(arrays_of(), False, 'h36m')
    head, foot = H36M_16.joints('Head', 'RFoot')
    assert (poses.pose2d[:, head, 1] < poses.pose2d[:, foot, 1]).all()


def test_a_path_is_folded_into_the_square_and_nothing_else_is_changed():
    pose3d = np.zeros((61, 16, 3), np.float32) + [0, 0, 1]
    pose3d[:, :, 0] += np.linspace(7, 13, 61)[:, None]        # six metres along x
    pose3d[:, 5] += [.3, .1, -.5]
    found = folded(pose3d, middle_of(pose3d))
    assert found - found[:, :1] == pytest.approx(pose3d - pose3d[:, :1], abs=1e-5)
    assert found[:, 0, 2] == pytest.approx(1) and np.abs(found[:, 0, :2]).max() <= SQUARE / 2 + 1e-5
    steps = np.abs(np.diff(found[:, 0, 0]))
    assert steps == pytest.approx(.1, abs=.101) and found[30, 0, 0] == pytest.approx(0, abs=1e-5)
    near = pose3d[28:33]
    assert folded(near, middle_of(near))[:, 0, 0] == pytest.approx(np.linspace(-.2, .2, 5), abs=1e-5)      # as it is


def test_sampled_views_of_training_poses_are_drawn_anew_and_those_of_test_poses_stay():
    arrays = arrays_of()
    training, test = (mocap_poses(arrays, part, 'sampled') for part in (False, True))
    assert len(training) == 70 and training.ranges == CameraRanges()
    first, again, other = (filmed_anew(training, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.pose2d, again.pose2d) and not torch.equal(first.pose2d, other.pose2d)
    for poses in (training, first, other):
        torch.testing.assert_close(poses.pose2d, project(poses.pose3d_cam, poses.intrinsics[poses.camera]))
        torch.testing.assert_close(lengths(poses.pose3d_cam), lengths(arrays['pose3d'][:70]), atol=1e-5, rtol=0)
    assert len(test) == 40 and filmed_anew(test, generator()) is test
    assert torch.equal(test.pose2d, mocap_poses(arrays, True, 'sampled').pose2d)


def test_every_nth_frame_of_each_clip_is_taken():
    thinned = mocap_poses(arrays_of(), False, 'sampled', downsample=4)
    expected = np.concatenate([arrays_of()['pose3d'][:40:4], arrays_of()['pose3d'][40:70:4]])
    assert np.array_equal(thinned.pose3d_world.numpy(), expected)


def test_a_file_comes_back(tmp_path):
    save_npz(mocap_path(tmp_path, 'mine'), **arrays_of())
    found = read_mocap(tmp_path, 'mine')
    assert all(np.array_equal(found[key], value) for key, value in arrays_of().items())


WRONG = {'NaN': dict(pose3d=np.full((110, 16, 3), np.nan, np.float32)),
         '17 joints': dict(pose3d=np.zeros((110, 17, 3), np.float32)),
         'frames too few': dict(frames=np.array([40, 30, 30])), 'an empty clip': dict(frames=np.array([70, 0, 40])),
         'a subject too many': dict(subject=np.array([0, 0, 2])), 'no test': dict(test=np.zeros(3, bool)),
         'no training': dict(test=np.ones(3, bool)), 'other joints': dict(joints=np.array(H36M_16.names[::-1])),
         'two clips': dict(clip_names=np.array(['a', 'b']))}


@pytest.mark.parametrize('case', WRONG)
def test_a_damaged_file_is_refused_with_the_command_that_makes_it(case, tmp_path):
    save_npz(mocap_path(tmp_path, 'mine'), **arrays_of(**WRONG[case]))
    line = refusal(read_mocap, tmp_path, 'mine')
    assert 'mocap_mine.npz' in line and 'data/prepare_data_mocap.py --source DIR --name mine' in line


def test_a_set_that_is_not_prepared_lists_those_that_are(tmp_path):
    save_npz(mocap_path(tmp_path, 'mine'), **arrays_of())
    line = refusal(read_mocap, tmp_path, 'yours')
    assert 'yours is not prepared' in line and '(which has mine)' in line and '--name yours' in line


@pytest.mark.parametrize('name, is_one', [('mine', True), ('CMU-50_2', True), ('100STYLE', True), ('h36m', False),
                                          ('3dhp', False), ('3dpw', False), ('a b', False), ('../a', False), ('-a', False),
                                          ('', False)])
def test_names_of_data_sets(name, is_one):
    assert is_mocap_name(name) is is_one


@pytest.mark.parametrize('skeleton, joints_of', [(SMPL_24, lambda points, _: smpl_24(points)), (H36M_17, h36m_17)])
@pytest.mark.parametrize('kind', FILMED_BY)
def test_the_joints_in_the_file_tell_the_skeleton(skeleton, joints_of, kind, tmp_path):
    pose3d = np.concatenate([joints_of(*person(seed))[:count] for seed, count in zip((0, 0, 1), (40, 30, 40))])
    save_npz(mocap_path(tmp_path, 'mine'), **arrays_of(pose3d=pose3d.astype(np.float32), joints=np.array(skeleton.names)))
    poses = mocap_poses(read_mocap(tmp_path, 'mine'), False, kind)
    assert poses.skeleton is skeleton and poses.pose2d.shape == (len(poses), skeleton.num_joints, 2)
    found = bone_lengths(bone_vectors(poses.pose3d_cam[:70], skeleton))
    own = bone_lengths(bone_vectors(torch.as_tensor(pose3d[:70]).float(), skeleton))
    torch.testing.assert_close(found, own, atol=1e-5, rtol=0)

"""The bone-length swap before each epoch: what changes, what stays, and where the lengths come from."""
import numpy as np
import pytest
import torch

from common.bones import bone_lengths, bone_vectors, swap_bone_lengths, unit_bones
from common.camera import project
from common.errors import InputError
from common.poses import PoseSet
from common.skeleton import H36M_16
from function_poseaug import refresh
from function_poseaug.refresh import swapped_bones, templates_for
from golden_recipe import distance, golden


def pose_set(count=64):
    """PoseSet of golden poses over and over; subjects 0 to 4 in turn."""
    number = torch.arange(count)
    return PoseSet(golden('pose3d')[number % 64], golden('pose2d')[number % 64], camera=number % 64,
                   intrinsics=golden('camera'), subject=number % 5, group=number * 0, group_names=('Walking',))


def swapped(poses, templates, seed=0):
    return swapped_bones(poses, templates, torch.Generator().manual_seed(seed))


def lengths(pose3d):
    return bone_lengths(bone_vectors(pose3d)).squeeze(-1)


def rows_taken(pose3d, templates):
    """(N,) the template row that each pose's lengths are; asserts that there is one."""
    apart = (lengths(pose3d)[:, None] - templates).abs().amax(-1)
    assert apart.min(1).values.max() < 1e-6
    return apart.argmin(1)


def test_golden_swap():
    swap = swap_bone_lengths(golden('pose3d'), golden('bl_templates'), golden('bl_swap_rows', torch.int64))
    assert distance(swap, golden('bl_swap_pose')) < 1e-6


def test_lengths_change_and_directions_and_root_stay():
    poses, templates = pose_set(), golden('bl_templates')
    new = swapped(poses, templates)
    rows_taken(new.pose3d_cam, templates)
    assert torch.allclose(unit_bones(bone_vectors(new.pose3d_cam)), unit_bones(bone_vectors(poses.pose3d_cam)), atol=1e-5)
    assert torch.equal(new.pose3d_cam[:, 0], poses.pose3d_cam[:, 0])
    assert not torch.equal(new.pose3d_cam, poses.pose3d_cam)


def test_2d_is_the_projection_by_the_pose_s_own_camera():
    poses = pose_set()
    new = swapped(poses, golden('bl_templates'))
    assert torch.equal(new.pose2d, project(new.pose3d_cam, golden('camera')))
    assert torch.equal(new.take(torch.arange(64)).camera, golden('camera'))


def test_the_original_poses_are_not_changed():
    poses = pose_set()
    before = poses.pose3d_cam.clone(), poses.pose2d.clone()
    swapped(poses, golden('bl_templates'))
    assert torch.equal(poses.pose3d_cam, before[0]) and torch.equal(poses.pose2d, before[1])


def test_rows_are_used_uniformly_and_anew():
    poses, templates = pose_set(5000), golden('bl_templates')
    rows = rows_taken(swapped(poses, templates).pose3d_cam, templates)
    counts = torch.bincount(rows, minlength=5)
    assert counts.min() > 1000 - 120 and counts.max() < 1000 + 120       # four standard deviations: 113
    assert torch.equal(rows_taken(swapped(poses, templates).pose3d_cam, templates), rows)
    assert not torch.equal(rows_taken(swapped(poses, templates, seed=1).pose3d_cam, templates), rows)


def test_the_chunk_size_changes_no_number(monkeypatch):
    whole = swapped(pose_set(), golden('bl_templates'))
    monkeypatch.setattr(refresh, 'CHUNK', 10)
    parts = swapped(pose_set(), golden('bl_templates'))
    assert torch.equal(whole.pose3d_cam, parts.pose3d_cam) and torch.equal(whole.pose2d, parts.pose2d)


# where the templates come from

def test_templates_are_the_mean_lengths_of_each_subject_with_equal_sides():
    poses = swapped(pose_set(100), golden('bl_templates') * torch.linspace(.5, 1.5, 15))
    found = templates_for(poses)
    assert found.shape == (5, 15) and found.dtype == torch.float32
    for row, subject in enumerate(range(5)):
        mean = lengths(poses.pose3d_cam)[poses.subject == subject].mean(0)
        assert torch.allclose(found[row], (mean + mean[H36M_16.bone_mirror]) / 2, atol=1e-6)


def test_templates_of_one_subject_are_one_row():
    poses = pose_set()
    alone = PoseSet(poses.pose3d_cam[:5], poses.pose2d[:5], poses.camera[:5], poses.intrinsics, poses.subject[:5] * 0 + 3,
                    poses.group[:5], poses.group_names)
    assert templates_for(alone).shape == (1, 15)


def test_templates_of_a_file(tmp_path):
    np.save(tmp_path / 'rows.npy', golden('bl_templates').double().numpy()[:3])
    found = templates_for(pose_set(), str(tmp_path / 'rows.npy'))
    assert found.dtype == torch.float32 and torch.equal(found, golden('bl_templates')[:3])


@pytest.mark.parametrize('rows', [np.ones((5, 16)), np.ones(15), np.zeros((5, 15)), np.full((5, 15), np.nan),
                                  np.full((5, 15), np.inf), np.ones((5, 15), dtype=int), np.ones((0, 15)),
                                  np.array([['a'] * 15])],
                         ids=['16 bones', 'one row', 'zeros', 'nan', 'inf', 'whole numbers', 'no row', 'text'])
def test_bad_templates_are_refused(tmp_path, rows):
    np.save(tmp_path / 'rows.npy', rows)
    with pytest.raises(InputError, match='rows.npy'):
        templates_for(pose_set(), str(tmp_path / 'rows.npy'))


def test_missing_file_of_templates(tmp_path):
    with pytest.raises(InputError, match='absent.npy is missing'):
        templates_for(pose_set(), str(tmp_path / 'absent.npy'))

"""Bones: the reference's figures, what each conversion leaves alone, the templates, and the swap of bone lengths."""

import numpy as np
import pytest
import torch

from common.bones import (bone_length_templates, bone_lengths, bone_vectors, for_rows, mix_points, pose_from_bones,
                          scale_by_group, swap_bone_lengths, unit_bones, with_bone_lengths)
from common.camera import root_relative
from places import GOLDEN_FOLDER

GOLDEN = np.load(GOLDEN_FOLDER / 'parts.npz')
DTYPES = pytest.mark.parametrize('dtype', [torch.float32, torch.float64], ids=['float32', 'float64'])
ROUNDING = {torch.float32: 2e-6, torch.float64: 1e-14}
PARENTS = [0, 1, 2, 0, 4, 5, 0, 7, 8, 8, 10, 11, 8, 13, 14]     # of joints 1..15


def golden(key, dtype=torch.float32):
    return torch.from_numpy(GOLDEN[key]).to(dtype)


@DTYPES
def test_points_are_mixed_by_their_weights(dtype):
    draws = torch.Generator().manual_seed(0)
    weights, points = (torch.randn(shape, generator=draws, dtype=dtype) for shape in ((4, 7), (5, 7, 3)))
    assert torch.allclose(mix_points(for_rows(weights), points), weights @ points, rtol=0, atol=3 * ROUNDING[dtype])


# The reference's figures

def test_bone_vectors_and_lengths_are_the_references():
    vectors = bone_vectors(golden('pose3d'))
    np.testing.assert_allclose(vectors, GOLDEN['bone_vectors'], rtol=0, atol=1e-6)
    np.testing.assert_allclose(bone_lengths(vectors), GOLDEN['bone_lengths'], rtol=0, atol=1e-6)


def test_pose_from_bones_is_the_references():
    np.testing.assert_allclose(pose_from_bones(golden('bone_vectors')), GOLDEN['pose_from_bones'], rtol=0, atol=1e-6)


def test_nine_ratios_lengthen_the_bones_as_in_the_reference():
    pose3d = golden('pose3d')
    lengths = bone_lengths(bone_vectors(pose3d)) * (1 + scale_by_group(golden('blr9')[..., 0])[..., None])
    np.testing.assert_allclose(root_relative(with_bone_lengths(pose3d, lengths)), root_relative(golden('pose_blr9')), rtol=0,
                               atol=2e-6)


def test_bone_length_swap_is_the_references():
    swapped = swap_bone_lengths(golden('pose3d'), golden('bl_templates'), torch.from_numpy(GOLDEN['bl_swap_rows']))
    np.testing.assert_allclose(swapped, GOLDEN['bl_swap_pose'], rtol=0, atol=2e-6)


# Properties

@DTYPES
def test_a_bone_is_parent_minus_child(dtype):
    pose3d = golden('pose3d', dtype)
    torch.testing.assert_close(bone_vectors(pose3d), pose3d[:, PARENTS] - pose3d[:, 1:], rtol=0, atol=ROUNDING[dtype])
    assert bone_vectors(pose3d).dtype == dtype


@DTYPES
def test_pose_from_bones_inverts_bone_vectors(dtype):
    pose3d = golden('pose3d', dtype)
    torch.testing.assert_close(pose_from_bones(bone_vectors(pose3d)), root_relative(pose3d), rtol=0, atol=4 * ROUNDING[dtype])


@DTYPES
def test_unit_bones_have_length_one_and_the_same_direction(dtype):
    vectors = bone_vectors(golden('pose3d', dtype))
    units = unit_bones(vectors)
    torch.testing.assert_close(bone_lengths(units), torch.ones(64, 15, 1, dtype=dtype), rtol=0, atol=ROUNDING[dtype])
    torch.testing.assert_close(units * bone_lengths(vectors), vectors, rtol=0, atol=ROUNDING[dtype])


def test_a_bone_of_length_zero_is_nan_as_in_the_reference():
    assert unit_bones(torch.zeros(1, 15, 3)).isnan().all()


@DTYPES
def test_new_lengths_keep_directions_and_root(dtype):
    pose3d = golden('pose3d', dtype)
    lengths = torch.rand(64, 15, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype) + .1
    changed = with_bone_lengths(pose3d, lengths)
    torch.testing.assert_close(changed[:, 0], pose3d[:, 0], rtol=0, atol=0)
    torch.testing.assert_close(bone_lengths(bone_vectors(changed)), lengths, rtol=0, atol=4 * ROUNDING[dtype])
    torch.testing.assert_close(unit_bones(bone_vectors(changed)), unit_bones(bone_vectors(pose3d)), rtol=0,
                               atol=20 * ROUNDING[dtype])


@DTYPES
def test_a_poses_own_lengths_change_nothing(dtype):
    pose3d = golden('pose3d', dtype)
    torch.testing.assert_close(with_bone_lengths(pose3d, bone_lengths(bone_vectors(pose3d))), pose3d, rtol=0,
                               atol=4 * ROUNDING[dtype])


@DTYPES
def test_nine_ratios_serve_fifteen_bones_left_and_right_alike(dtype):
    ratios = torch.arange(1, 19, dtype=dtype).view(2, 9)
    expected = ratios[:, [0, 1, 2, 0, 1, 2, 3, 4, 5, 6, 7, 8, 6, 7, 8]]
    torch.testing.assert_close(scale_by_group(ratios), expected, rtol=0, atol=0)


@DTYPES
def test_gradients_are_finite_and_reach_every_ratio_and_every_joint(dtype):
    pose3d, ratios = golden('pose3d', dtype).requires_grad_(), torch.full((64, 9), .1, dtype=dtype, requires_grad=True)
    lengths = bone_lengths(bone_vectors(pose3d)) * (1 + scale_by_group(ratios)[..., None])
    with_bone_lengths(pose3d, lengths).square().sum().backward()
    for leaf in (pose3d, ratios):
        assert torch.isfinite(leaf.grad).all() and (leaf.grad != 0).all()


# Templates and the swap

@pytest.fixture
def people():
    """Poses of subjects 4 and 2, in this order and mixed; everyone's left and right bones differ."""
    pose3d = golden('pose3d', torch.float64) * (1 + .3 * torch.arange(64, dtype=torch.float64)[:, None, None] / 64)
    pose3d[:, [4, 11]] += .05
    return pose3d.float(), torch.tensor([4, 2] * 30 + [4] * 4)


def test_templates_are_mean_lengths_with_the_sides_averaged(people):
    pose3d, subject = people
    lengths = np.linalg.norm(pose3d[:, PARENTS].double() - pose3d[:, 1:].double(), axis=-1)
    rows = np.stack([lengths[subject == s].mean(0) for s in (2, 4)])
    assert np.abs(rows[:, 0] - rows[:, 3]).max() > .01     # or the averaging would show nothing
    for right, left in ((0, 3), (1, 4), (2, 5), (12, 9), (13, 10), (14, 11)):
        rows[:, [right, left]] = rows[:, [right, left]].mean(1, keepdims=True)
    templates = bone_length_templates(pose3d, subject)
    assert templates.dtype == torch.float32 and templates.shape == (2, 15)
    np.testing.assert_allclose(templates, rows, rtol=1e-6)


def test_templates_do_not_depend_on_where_or_in_what_order_people_stand(people):
    pose3d, subject = people
    order = torch.randperm(64, generator=torch.Generator().manual_seed(0))
    moved = pose3d[order] + torch.tensor([.3, -.2, 1])
    torch.testing.assert_close(bone_length_templates(moved, subject[order]), bone_length_templates(pose3d, subject),
                               rtol=0, atol=1e-6)


def test_one_row_for_a_single_subject(people):
    assert bone_length_templates(people[0], torch.full((64,), 3)).shape == (1, 15)


@DTYPES
def test_swapped_poses_have_their_rows_lengths_their_own_root_and_directions(dtype):
    pose3d, templates = golden('pose3d', dtype), golden('bl_templates')
    rows = torch.arange(64) % 5
    swapped = swap_bone_lengths(pose3d, templates, rows)
    assert swapped.dtype == dtype
    lengths = bone_lengths(bone_vectors(swapped))[..., 0]
    torch.testing.assert_close(lengths, templates.to(dtype)[rows], rtol=0, atol=4 * ROUNDING[dtype])
    torch.testing.assert_close(swapped[:, 0], pose3d[:, 0], rtol=0, atol=0)
    torch.testing.assert_close(unit_bones(bone_vectors(swapped)), unit_bones(bone_vectors(pose3d)), rtol=0,
                               atol=20 * ROUNDING[dtype])

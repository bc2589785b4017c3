"""Bone vectors of poses (parent minus child), their lengths and directions, poses from bone vectors, the bone-length swap.

Shapes, here for the 16 joints of H36M_16: pose3d (B, 16, 3) metres in any frame, bone vectors (B, 15, 3), bone lengths
(B, 15, 1), ratios of the bone groups (B, 9). Every conversion flattens its input to (B, 48) or (B, 45) and multiplies it
by a constant matrix of the skeleton: on a CPU this one product is five times as fast as B products of small matrices.
"""
from functools import lru_cache

import torch

from common.product import product
from common.skeleton import H36M_16


def mix_points(matrix, points):
    """(B, n, 3) points -> (B, m, 3) weighted sums of each pose's points. `matrix` (3 n, 3 m): `for_rows` of the weights."""
    return product(points.flatten(1), matrix).unflatten(1, (-1, 3))


def for_rows(weights):
    """(m, n) weights -> (3 n, 3 m) matrix, so that flattened points (B, 3 n) @ matrix are weighted sums (B, 3 m)."""
    return torch.kron(weights, torch.eye(3, dtype=weights.dtype)).T.contiguous()


@lru_cache(maxsize=None)
def _skeleton_matrix(skeleton, name, dtype, device):
    """`for_rows` of the skeleton's matrix `name`, cached for each dtype and device."""
    return for_rows(torch.as_tensor(getattr(skeleton, name), dtype=dtype)).to(device)


def bone_vectors(pose3d, skeleton=H36M_16):
    """(B, 16, 3) -> (B, 15, 3), parent minus child."""
    return mix_points(_skeleton_matrix(skeleton, 'bone_matrix', pose3d.dtype, pose3d.device), pose3d)


def bone_lengths(vectors):
    """(B, 15, 3) bone vectors -> (B, 15, 1) metres."""
    return vectors.norm(dim=-1, keepdim=True)


def unit_bones(vectors):
    """(B, 15, 3) bone vectors -> the same directions with length one.

    PoseAug: no epsilon is added to the length, so a bone of length zero gives NaN.
    """
    return vectors / bone_lengths(vectors)


def pose_from_bones(vectors, skeleton=H36M_16):
    """(B, 15, 3) bone vectors -> (B, 16, 3) root-relative pose: the inverse of `bone_vectors`."""
    return mix_points(_skeleton_matrix(skeleton, 'chain_matrix', vectors.dtype, vectors.device), vectors)


def with_bone_lengths(pose3d, lengths, skeleton=H36M_16):
    """`pose3d` (B, 16, 3) with its bones set to `lengths` (B, 15, 1) metres; directions and root stay as they are."""
    return pose_from_bones(unit_bones(bone_vectors(pose3d, skeleton)) * lengths, skeleton) + pose3d[:, :1]


def scale_by_group(ratios, skeleton=H36M_16):
    """(B, 9) ratios of the bone groups -> (B, 15) ratios of the bones; a bone has the same ratio on both sides."""
    return product(ratios, _group_matrix(skeleton, ratios.dtype, ratios.device))


@lru_cache(maxsize=None)
def _group_matrix(skeleton, dtype, device):
    """(9, 15): 1 where the bone belongs to the group. (Indexing would add gradients atomically, in no fixed order.)"""
    return torch.nn.functional.one_hot(torch.tensor(skeleton.bone_groups)).T.to(device, dtype)


def bone_length_templates(pose3d, subject, skeleton=H36M_16):
    """Each subject's mean bone lengths, left and right averaged: (S, 15) float32 metres, subjects in ascending order.

    `pose3d` (N, 16, 3) metres, `subject` (N,) int64. PoseAug's bone-length swap draws from these rows.
    """
    lengths = bone_lengths(bone_vectors(pose3d, skeleton)).squeeze(-1)
    rows = torch.stack([lengths[subject == s].double().mean(0) for s in subject.unique()])
    return ((rows + rows[:, skeleton.bone_mirror]) / 2).float()


def swap_bone_lengths(pose3d, templates, rows, skeleton=H36M_16):
    """Give each pose (B, 16, 3) the bone lengths in row `rows` (B,) int64 of `templates` (S, 15) metres."""
    return with_bone_lengths(pose3d, templates.to(pose3d).index_select(0, rows)[..., None], skeleton)

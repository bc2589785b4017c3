"""Poses as bones: vectors (parent minus child), lengths, directions, and back; the bone-length swap.

Shapes: pose3d (B, 16, 3) metres in any frame, bone vectors (B, 15, 3), bone lengths (B, 15, 1). Every conversion is one
product of (B, 48) or (B, 45) rows with a constant matrix of the skeleton.
"""
from functools import lru_cache

import torch

from common.product import product
from common.skeleton import H36M_16


def mix_points(matrix, points):
    """(B, n, 3) points -> (B, m, 3): the same weighted sums of the points for every pose, weights as `for_rows` has them.

    One product of B rows; B products of (m, n) by (n, 3) take five times as long on a CPU.
    """
    return product(points.flatten(1), matrix).unflatten(1, (-1, 3))


def for_rows(weights):
    """(m, n) weights -> (3 n, 3 m), to be multiplied by rows of n points."""
    return torch.kron(weights, torch.eye(3, dtype=weights.dtype)).T.contiguous()


@lru_cache(maxsize=None)
def skeleton_matrix(name, dtype, device):
    """`H36M_16`'s matrix of that name for rows, made once for each type and device."""
    return for_rows(torch.as_tensor(getattr(H36M_16, name), dtype=dtype)).to(device)


def bone_vectors(pose3d):
    """(B, 16, 3) -> (B, 15, 3), parent minus child."""
    return mix_points(skeleton_matrix('bone_matrix', pose3d.dtype, pose3d.device), pose3d)


def bone_lengths(vectors):
    """(B, 15, 3) bone vectors -> (B, 15, 1) metres."""
    return vectors.norm(dim=-1, keepdim=True)


def unit_bones(vectors):
    """(B, 15, 3) -> the same directions with length one. PoseAug: no eps; a bone of length zero gives NaN."""
    return vectors / bone_lengths(vectors)


def pose_from_bones(vectors):
    """(B, 15, 3) bone vectors -> (B, 16, 3) root-relative pose: the inverse of `bone_vectors`."""
    return mix_points(skeleton_matrix('chain_matrix', vectors.dtype, vectors.device), vectors)


def with_bone_lengths(pose3d, lengths):
    """`pose3d` (B, 16, 3) with its bones set to `lengths` (B, 15, 1) metres; directions and root stay."""
    return pose_from_bones(unit_bones(bone_vectors(pose3d)) * lengths) + pose3d[:, :1]


def scale_by_group(ratios):
    """(B, 9) ratios of the bone groups -> (B, 15), left and right alike."""
    return product(ratios, _group_matrix(ratios.dtype, ratios.device))


@lru_cache(maxsize=None)
def _group_matrix(dtype, device):
    """(9, 15), a one where the bone belongs to the group.

    A product's backward is exact where indexing would add atomically.
    """
    return torch.nn.functional.one_hot(torch.tensor(H36M_16.bone_groups)).T.to(device, dtype)


def bone_length_templates(pose3d, subject):
    """Mean bone lengths of each subject, left and right averaged: (S, 15) float32 metres, subjects in ascending order.

    `pose3d` (N, 16, 3) metres, `subject` (N,) int64. The rows PoseAug's bone-length swap draws from.
    """
    lengths = bone_lengths(bone_vectors(pose3d)).squeeze(-1)
    rows = torch.stack([lengths[subject == s].double().mean(0) for s in subject.unique()])
    return ((rows + rows[:, H36M_16.bone_mirror]) / 2).float()


def swap_bone_lengths(pose3d, templates, rows):
    """Each pose (B, 16, 3) takes the bone lengths of template row `rows` (B,) of `templates` (S, 15)."""
    return with_bone_lengths(pose3d, templates.to(pose3d).index_select(0, rows)[..., None])

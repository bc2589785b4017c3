"""Errors of predicted poses, batched on their device.

Poses are (N, J, 3) in metres; results are per joint, per pose, or percentages.
MPJPE and P-MPJPE: protocols 1 and 2 of Human3.6M. PCK and AUC: Mehta et al., 3DV 2017 (MPI-INF-3DHP), at 150 mm.
No function here subtracts the root: for root-relative errors, pass root-relative poses.
"""
import torch

from common.rotation import quaternion_to_matrix

SQUARINGS = 26     # 2^26 steps of power iteration separate eigenvalues that differ by 1e-6 of their size
PCK_THRESHOLD = 0.150                                  # metres; a hit lies strictly below
AUC_THRESHOLDS = [0.005 * step for step in range(31)]  # metres; 0, 5, ... 150 mm, the zero included


def joint_errors(predicted, target):
    """(N, J) metres: distance of every joint."""
    return (predicted - target).norm(dim=-1)


def mpjpe(predicted, target):
    """(N,) metres: mean per-joint position error of each pose."""
    return joint_errors(predicted, target).mean(-1)


def n_mpjpe(predicted, target):
    """(N,) metres: MPJPE after the least-squares scale of each pose (Rhodin et al., CVPR 2018)."""
    scale = (predicted * target).sum((-1, -2), keepdim=True) / (predicted ** 2).sum((-1, -2), keepdim=True)
    return mpjpe(scale * predicted, target)


def p_mpjpe(predicted, target):
    """(N,) metres: MPJPE after aligning each pose to its target by a similarity transform."""
    return mpjpe(procrustes_align(predicted, target), target)


def procrustes_align(predicted, target):
    """(N, J, 3): each pose aligned to its target by the best rotation (without reflection), scale and translation.

    Procrustes analysis (Umeyama, PAMI 1991), computed in float64; the result has the dtype of `predicted`.
    """
    source, goal = predicted.double(), target.double()
    source_mean, goal_mean = source.mean(-2, keepdim=True), goal.mean(-2, keepdim=True)
    source, goal = source - source_mean, goal - goal_mean
    correlation = goal.transpose(-1, -2) @ source
    rotation = rotation_by_svd(correlation) if source.device.type == 'cpu' else rotation_by_squaring(correlation)
    matched = (rotation * correlation).sum((-1, -2))
    scale = matched / source.square().sum((-1, -2)).clamp_min(torch.finfo(torch.float64).tiny)
    aligned = scale[..., None, None] * source @ rotation.transpose(-1, -2) + goal_mean
    return aligned.to(predicted.dtype)


def rotation_by_svd(correlation):
    """(N, 3, 3) sums of goal x source^T -> (N, 3, 3) rotations that align the sources best with the goals."""
    u, singular, vt = torch.linalg.svd(correlation)
    signs = torch.ones_like(singular)
    signs[..., -1] = torch.sign(torch.linalg.det(u @ vt))
    return u @ (signs[..., None] * vt)


def rotation_by_squaring(correlation):
    """Like `rotation_by_svd`, but by matrix products only, because an SVD on a GPU makes the host wait.

    The quaternion of the best rotation is the eigenvector of the largest eigenvalue of a symmetric (4, 4) matrix (Horn,
    JOSA A 1987). That matrix, shifted to have no negative eigenvalue, is squared SQUARINGS times, which equals
    2^SQUARINGS steps of power iteration. If two rotations are equally good, the result lies between them and is as good.
    """
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = (row.unbind(-1) for row in correlation.transpose(-1, -2).unbind(-2))
    a, b, c, d, e, f = yz - zy, zx - xz, xy - yx, xy + yx, zx + xz, yz + zy
    entries = (xx + yy + zz, a, b, c, a, xx - yy - zz, d, e, b, d, yy - xx - zz, f, c, e, f, zz - xx - yy)
    matrix = torch.stack(entries, dim=-1).unflatten(-1, (4, 4))
    size = matrix.norm(dim=(-1, -2), keepdim=True).clamp_min(torch.finfo(matrix.dtype).tiny)
    powers = matrix / size + torch.eye(4, dtype=matrix.dtype, device=matrix.device)
    for _ in range(SQUARINGS):
        powers = powers @ powers
        powers = powers / powers.diagonal(dim1=-1, dim2=-2).sum(-1)[..., None, None]
    longest = powers.diagonal(dim1=-1, dim2=-2).argmax(-1)[..., None, None]
    quaternion = powers.take_along_dim(longest, dim=-1).squeeze(-1)
    return quaternion_to_matrix(quaternion / quaternion.norm(dim=-1, keepdim=True))


def pck(errors, threshold=PCK_THRESHOLD):
    """Percentage of joint errors (N, J), metres, strictly below the threshold, metres."""
    return 100 * (errors < threshold).double().mean()


def auc(errors):
    """Percentage: mean of `pck` over 31 thresholds from 0 to 150 mm."""
    return 100 * thresholds_above(errors).double().mean() / len(AUC_THRESHOLDS)


def thresholds_above(errors):
    """(N, J) errors in metres -> (N, J) int32: number of AUC thresholds above each error (0: not a PCK hit)."""
    thresholds = torch.tensor(AUC_THRESHOLDS, dtype=errors.dtype, device=errors.device)
    return len(AUC_THRESHOLDS) - torch.bucketize(errors, thresholds, out_int32=True, right=True)

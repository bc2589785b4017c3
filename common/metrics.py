"""Errors of predicted poses, batched on their device.

Poses are (N, J, 3) in metres; results are per pose or percentages.
MPJPE and P-MPJPE: protocols 1 and 2 of Human3.6M. PCK and AUC: Mehta et al., 3DV 2017 (MPI-INF-3DHP), at 150 mm.
Nothing here re-roots: hand in what shall be compared.
"""
import torch

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
    """The similarity (rotation, scale, translation; no reflection) that takes each pose nearest its target: (N, J, 3).

    Orthogonal Procrustes by SVD (Umeyama, PAMI 1991), in float64 whatever comes in; the result has the input's type.
    """
    source, goal = predicted.double(), target.double()
    source_mean, goal_mean = source.mean(-2, keepdim=True), goal.mean(-2, keepdim=True)
    source, goal = source - source_mean, goal - goal_mean
    u, singular, vt = torch.linalg.svd(goal.transpose(-1, -2) @ source)
    signs = torch.ones_like(singular)
    signs[..., -1] = torch.sign(torch.linalg.det(u @ vt))
    rotation = u @ (signs[..., None] * vt)
    scale = (singular * signs).sum(-1) / source.square().sum((-1, -2)).clamp_min(torch.finfo(torch.float64).tiny)
    aligned = scale[..., None, None] * source @ rotation.transpose(-1, -2) + goal_mean
    return aligned.to(predicted.dtype)


def pck(errors, threshold=PCK_THRESHOLD):
    """Percentage of joint errors (N, J), metres, strictly below the threshold, metres."""
    return 100 * (errors < threshold).double().mean()


def auc(errors):
    """Percentage: mean of `pck` over 31 thresholds from 0 to 150 mm."""
    return 100 * thresholds_above(errors).double().mean() / len(AUC_THRESHOLDS)


def thresholds_above(errors):
    """(N, J) errors in metres -> (N, J) int32: how many of AUC's thresholds lie above each; 0 is no hit of PCK either."""
    thresholds = torch.tensor(AUC_THRESHOLDS, dtype=errors.dtype, device=errors.device)
    return len(AUC_THRESHOLDS) - torch.bucketize(errors, thresholds, out_int32=True, right=True)

"""The evaluation that every script uses (docs: 'What the numbers mean' in README.md)."""
from typing import NamedTuple

import torch

from common import metrics
from common.camera import root_relative
from common.product import full_precision
from common.skeleton import H36M_16, OFFICIAL_14
from utils import interrupts

CHUNK = 1024   # larger chunks fall out of a CPU's cache and are slower there; a GPU has more to do at once
GPU_CHUNK = 16384


class PoseErrors(NamedTuple):
    """Scores of a lifter on a PoseSet. Millimetres and percent; `*_16` counts all joints, the root included.

    `groups`: group's name -> PoseErrors of that group alone (actions, or test sequences); empty in those.
    """
    mpjpe_mm: float
    p_mpjpe_mm: float
    pck_16: float
    auc_16: float
    pck_14: float
    auc_14: float
    num_poses: int
    groups: dict


def evaluate(lifter, poses, device, flip):
    """Score `lifter` on a PoseSet; `flip`: average with the prediction for the mirrored image (for MPI-INF-3DHP).

    Predictions are re-rooted after the average, so the root counts as zero error and as a hit.
    """
    figures = _figures(*per_pose_errors(lifter, poses, device, flip))
    group, num_groups = poses.group.to(figures.device), len(poses.group_names)
    sums = figures.new_zeros(num_groups, figures.shape[1]).index_add_(0, group, figures).tolist()
    counts = torch.bincount(group, minlength=num_groups).tolist()
    groups = {name: _mean(total, count, {}) for name, total, count in zip(poses.group_names, sums, counts) if count}
    return _mean([sum(column) for column in zip(*sums)], len(figures), groups)


def scoring_device(device):
    """Where errors are computed: Procrustes needs float64, which Apple's GPUs lack."""
    device = torch.device(device)
    return torch.device('cpu') if device.type == 'mps' else device


@torch.no_grad()
@full_precision()
def per_pose_errors(lifter, poses, device, flip):
    """Joint errors (N, 16) and Procrustes-aligned mean errors (N,), metres, on `scoring_device(device)`."""
    lifter.eval()
    scored_on = scoring_device(device)
    errors, aligned = [], []
    chunk = CHUNK if scored_on.type == 'cpu' else GPU_CHUNK
    for index in torch.arange(len(poses), device=poses.device).split(chunk):
        interrupts.obey()
        batch = poses.take(index, device)
        predicted = root_relative(predict_flipped(lifter, batch.pose2d) if flip else lifter(batch.pose2d))
        predicted, target = (pose.to(scored_on) for pose in (predicted, root_relative(batch.pose3d_cam)))
        errors.append(metrics.joint_errors(predicted, target))
        aligned.append(metrics.p_mpjpe(predicted, target))
    return torch.cat(errors), torch.cat(aligned)


def predict_flipped(lifter, pose2d):
    """Mean of the prediction for `pose2d` (B, 16, 2) and of the mirrored-back one for its mirror image: (B, 16, 3)."""
    return (lifter(pose2d) + mirror(lifter(mirror(pose2d)))) / 2


def mirror(pose):
    """(B, 16, D): x negated, left and right exchanged."""
    flipped = torch.stack([pose[:, joint] for joint in H36M_16.mirror], dim=1)     # a list as index makes a GPU wait
    flipped[..., 0] *= -1
    return flipped


def _figures(errors, aligned):
    """Joint errors (N, 16) and aligned errors (N,), metres -> (N, 6) float64: PoseErrors' figures of each pose."""
    hits = metrics.thresholds_above(errors)
    percentages = []
    for joints in (hits, hits[:, OFFICIAL_14]):
        percentages += [100 * (joints > 0).double().mean(1), 100 * joints.double().mean(1) / len(metrics.AUC_THRESHOLDS)]
    return torch.stack([1000 * errors.double().mean(1), 1000 * aligned.double(), *percentages], dim=1)


def _mean(total, count, groups):
    return PoseErrors(*(value / count for value in total), count, groups)

"""The evaluation that every script uses (docs: 'What the numbers mean' in README.md)."""
from typing import NamedTuple

import torch

from common import metrics
from common.camera import root_relative
from common.skeleton import H36M_16, OFFICIAL_14
from utils import interrupts

CHUNK = 1024   # larger chunks fall out of a CPU's cache and are slower there


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
    errors, aligned = per_pose_errors(lifter, poses, device, flip)
    group = poses.group.to(errors.device)
    groups = {name: _summary(errors[group == place], aligned[group == place], {})
              for place, name in enumerate(poses.group_names) if (group == place).any()}
    return _summary(errors, aligned, groups)


def scoring_device(device):
    """Where errors are computed: Procrustes needs float64, which Apple's GPUs lack."""
    device = torch.device(device)
    return torch.device('cpu') if device.type == 'mps' else device


@torch.no_grad()
def per_pose_errors(lifter, poses, device, flip):
    """Joint errors (N, 16) and Procrustes-aligned mean errors (N,), metres, on `scoring_device(device)`."""
    lifter.eval()
    scored_on = scoring_device(device)
    errors, aligned = [], []
    for index in torch.arange(len(poses), device=poses.device).split(CHUNK):
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
    flipped = pose[:, H36M_16.mirror].clone()
    flipped[..., 0] *= -1
    return flipped


def _summary(errors, aligned, groups):
    official = errors[:, OFFICIAL_14]
    figures = torch.stack([errors.double().mean() * 1000, aligned.double().mean() * 1000, metrics.pck(errors),
                           metrics.auc(errors), metrics.pck(official), metrics.auc(official)])
    return PoseErrors(*figures.tolist(), len(errors), groups)

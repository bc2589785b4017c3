"""The evaluation of a lifter, which all scripts share ('What the numbers mean' in docs/experiments.md)."""
from functools import partial
from typing import NamedTuple

import torch

from common import metrics
from common.camera import root_relative
from common.person_camera import camera_of, lift_person
from common.product import full_precision
from common.skeleton import H36M_16, official_14
from function_baseline.clips import parts_of
from utils import interrupts, ranks

CHUNK, GPU_CHUNK = 1024, 16384     # poses at once; more do not fit into a CPU's cache and are slower there


class PoseErrors(NamedTuple):
    """Scores of a lifter on a PoseSet: means over the poses, in millimetres and percent.

    `*_16` counts all joints, including the root; `*_14` counts MPI-INF-3DHP's official joints. `groups`: name of an
    action or a test sequence -> PoseErrors of this group alone, whose own `groups` are empty.
    """
    mpjpe_mm: float
    p_mpjpe_mm: float
    pck_16: float
    auc_16: float
    pck_14: float
    auc_14: float
    num_poses: int
    groups: dict


def evaluate(lifter, poses, device, flip, camera=None):
    """PoseErrors of `lifter` on a PoseSet.

    `flip`: test-time flip, the average with the prediction for the mirrored image (the protocol of MPI-INF-3DHP). The
    root is subtracted from the average, so it has no error and counts as a hit. `camera`: 'image' lifts the 2D poses as
    they are, like the reference; 'person' lifts what a virtual camera that looks at the person would see; None means
    whichever the lifter was trained on.
    """
    errors = per_pose_errors(lifter, poses, device, flip, camera)
    figures = pose_figures(*errors, official_14(poses.skeleton))
    group, num_groups = poses.group.to(figures.device), len(poses.group_names)
    sums = figures.new_zeros(num_groups, figures.shape[1]).index_add_(0, group, figures).tolist()
    counts = torch.bincount(group, minlength=num_groups).tolist()
    groups = {name: _mean(total, count, {}) for name, total, count in zip(poses.group_names, sums, counts) if count}
    return _mean([sum(column) for column in zip(*sums)], len(figures), groups)


def scoring_device(device):
    """The device on which errors are computed: Procrustes analysis needs float64, which Apple's GPUs lack."""
    device = torch.device(device)
    return torch.device('cpu') if device.type == 'mps' else device


@torch.no_grad()
@full_precision()
def per_pose_errors(lifter, poses, device, flip, camera=None):
    """Joint errors (N, 16) and Procrustes-aligned mean errors (N,), metres, on `scoring_device(device)`."""
    lifter.eval()
    camera, scored_on = camera or camera_of(lifter), scoring_device(device)
    errors, aligned = [], []
    chunk = CHUNK if scored_on.type == 'cpu' else GPU_CHUNK
    for index, lift in ranks.own_part(list(parts_of(lifter, poses, chunk))):
        interrupts.obey()
        batch = poses.take(index, device)
        predicted = predict(lift, batch.pose2d, flip, camera, batch.camera, poses.skeleton)
        predicted, target = (pose.to(scored_on) for pose in (predicted, root_relative(batch.pose3d_cam)))
        errors.append(metrics.joint_errors(predicted, target))
        aligned.append(metrics.p_mpjpe(predicted, target))
    return tuple(torch.cat(ranks.merged(parts)).to(scored_on) for parts in (errors, aligned))


def predict(lifter, pose2d, flip=False, camera=None, intrinsic=None, skeleton=H36M_16):
    """(B, 16, 2) normalised -> (B, 16, 3) root-relative metres, camera frame. See `evaluate` for `flip` and `camera`.

    `intrinsic` (B, 9): the cameras' intrinsic vectors, for camera='person' (None: unknown, see `view_person`).
    """
    camera = camera or camera_of(lifter)
    lift = partial(predict_flipped, lifter, skeleton=skeleton) if flip else lifter
    return lift_person(lift, pose2d, intrinsic) if camera == 'person' else root_relative(lift(pose2d))


def predict_flipped(lifter, pose2d, skeleton=H36M_16):
    """(B, 16, 2) -> (B, 16, 3): mean of the prediction and of that for the mirrored image, mirrored back."""
    return (lifter(pose2d) + mirror(lifter(mirror(pose2d, skeleton)), skeleton)) / 2


def mirror(pose, skeleton=H36M_16):
    """(..., 16, D) -> the mirrored poses: x negated, left and right joints exchanged."""
    flipped = torch.stack([pose[..., joint, :] for joint in skeleton.mirror], dim=-2)     # a list as index makes a GPU wait
    flipped[..., 0] *= -1
    return flipped


def pose_figures(errors, aligned, official):
    """Joint errors (N, 16) and aligned errors (N,), metres -> (N, 6) float64: each pose's own six scores."""
    hits = metrics.thresholds_above(errors)
    percentages = []
    for joints in (hits, hits[:, official]):
        percentages += [100 * (joints > 0).double().mean(1), 100 * joints.double().mean(1) / len(metrics.AUC_THRESHOLDS)]
    return torch.stack([1000 * errors.double().mean(1), 1000 * aligned.double(), *percentages], dim=1)


def _mean(total, count, groups):
    return PoseErrors(*(value / count for value in total), count, groups)

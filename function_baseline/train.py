"""Supervised training of a lifter for one epoch, in the baseline and in PoseAug."""
from typing import NamedTuple

import torch
from torch.nn import functional as F
from tqdm import tqdm

from common.camera import root_relative
from common.person_camera import as_lifted
from utils import interrupts
from utils.gradients import descend
from utils.graphs import Replayed
from utils.runs.scalar_log import ScalarLog

CHECK_EVERY = 100   # steps between two checks of the losses; the host waits for the device at each


class LifterStep(NamedTuple):
    """Results of a step, 0-d tensors: the loss, and the gradient's norm before clipping."""
    loss: torch.Tensor
    gradient: torch.Tensor


def train_lifter(lifter, optimizer, batches, take, task, max_norm=1.0, before_step=None, graphs=True,
                 loss=F.mse_loss):
    """Train for one epoch; returns the mean loss over poses, by default of squared coordinates (root-relative, metres).

    `batches`: index tensors. `take(index)`: (pose2d (B, 16, 2) normalised, pose3d_rel (B, 16, 3) metres). `before_step()`
    may set the learning rate. `graphs`: on a GPU, record the step once and replay it. Raises Diverged, which names task
    and iteration, if loss or gradient is not finite; such a step does not change the weights.
    """
    lifter.train()
    losses = []

    def step(pose2d, pose3d_rel):
        return lifter_step(lifter, optimizer, pose2d, pose3d_rel, max_norm, loss)

    update = Replayed(step, optimizer, graphs, [lifter])
    log = ScalarLog(lambda figures, _: losses.append(figures['loss']), CHECK_EVERY, what=task)
    for number, index in enumerate(tqdm(batches, desc=task, unit='batch', leave=False, disable=None), start=1):
        interrupts.obey()
        if before_step is not None:
            before_step()
        log.add(update(*take(index))._asdict(), number)
    log.flush()
    sizes = [len(index) for index in batches]
    return sum(loss * size for loss, size in zip(losses, sizes)) / max(sum(sizes), 1)


def supervised_pairs(poses, device, camera='image'):
    """The `take` of `train_lifter` for a PoseSet: index (B,) -> pose2d (B, 16, 2), pose3d_rel (B, 16, 3), on `device`.

    `camera`: see `as_lifted`.
    """
    def take(index):
        batch = poses.take(index, device)
        return as_lifted(batch.pose2d, root_relative(batch.pose3d_cam), batch.camera, camera)
    return take


def lifter_step(lifter, optimizer, pose2d, pose3d_rel, max_norm, loss=F.mse_loss):
    """Forward and backward pass, gradient clipping, and one step of the optimizer -> LifterStep."""
    value = loss(lifter(pose2d), pose3d_rel)
    gradient = descend(value, lifter, optimizer, max_norm)
    return LifterStep(value.detach(), gradient)

"""Supervised training of a lifter: one epoch, for the baseline and for PoseAug's lifter epochs alike."""
from torch.nn import functional as F
from tqdm import tqdm

from common.camera import root_relative
from utils import interrupts
from utils.errors import require_finite
from utils.gradients import descend

CHECK_EVERY = 100   # steps between looks at the loss: each look waits for the device


def train_lifter(lifter, optimizer, batches, take, task, max_norm=1.0, before_step=None):
    """One epoch of MSE on root-relative metres; returns the mean loss over poses.

    `batches` are index tensors, `take(index)` gives (pose2d (B, 16, 2), pose3d_rel (B, 16, 3)); `before_step()` may set
    the learning rate. Raises Diverged, naming the task, where the loss is not finite.
    """
    lifter.train()
    total, seen = 0, 0
    for step, index in enumerate(tqdm(batches, desc=task, unit='batch', leave=False, disable=None), start=1):
        interrupts.obey()
        if before_step is not None:
            before_step()
        loss = lifter_step(lifter, optimizer, *take(index), max_norm)
        total, seen = total + loss * len(index), seen + len(index)
        if step % CHECK_EVERY == 0 or step == len(batches):
            require_finite(total, f'{task}: the loss', f'batch {step}')
    return float(total) / max(seen, 1)


def supervised_pairs(poses, device):
    """`take` of a PoseSet: index (B,) -> pose2d (B, 16, 2) and root-relative pose3d (B, 16, 3), on `device`."""
    def take(index):
        batch = poses.take(index, device)
        return batch.pose2d, root_relative(batch.pose3d_cam)
    return take


def lifter_step(lifter, optimizer, pose2d, pose3d_rel, max_norm):
    """Forward, backward, clip, update; the detached loss."""
    loss = F.mse_loss(lifter(pose2d), pose3d_rel)
    descend(loss, lifter, optimizer, max_norm)
    return loss.detach()

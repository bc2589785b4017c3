"""One adversarial epoch: the augmentor plays against the discriminators on all poses; RT pairs are kept for the lifter."""
from typing import NamedTuple

import torch
from tqdm import tqdm

from common.camera import root_relative
from common.person_camera import as_lifted, camera_of
from common.poses import PoseBatch
from common.skeleton import H36M_16
from function_baseline.batches import shuffled_batches
from function_poseaug.steps import (CRITICS, KEPT_SHARE, FeedbackTerms, LossWeights, discriminator_step, generator_step,
                                    inside_image)
from models_poseaug.augmentor import draw_noise
from utils import interrupts
from utils.graphs import Replayed
from utils.seeding import generator, seed_everything

FLUSH_EVERY = 100     # iterations between two flushes of the log, at which the host waits for the device
PICTURE_EVERY = 400   # iterations


class FakePairs(NamedTuple):
    """The RT poses kept for the lifter: pose3d_rel (M, 16, 3) metres and pose2d (M, 16, 2) normalised, on the device."""
    pose3d_rel: torch.Tensor
    pose2d: torch.Tensor


class AdversarialEpoch(NamedTuple):
    """The settings of one epoch. `iteration`: its first one, counted from 0 over the run; `df`: critics train every df-th."""
    epoch: int
    iteration: int
    batch_size: int
    df: int
    seed: object      # a number; after a restart a string
    symmetric_filter: bool
    weights: LossWeights
    feedback: FeedbackTerms
    graphs: bool = True     # on a GPU: record the updates as CUDA graphs and replay them


class Updates(NamedTuple):
    """The three updates of an iteration, as functions of tensors. The result of an update is valid until its next call."""
    augmentor: Replayed
    critic3d: Replayed
    critic2d: Replayed


def adversarial_epoch(game, optimizers, pools, poses, settings, log, picture):
    """Play one epoch on `poses`, a PoseSet with swapped bone lengths. Returns (FakePairs, number of the next iteration).

    `game`, `optimizers`, `pools`: Game, GameOptimizers and Pools; `settings`: AdversarialEpoch. `log`: ScalarLog for the
    values of each iteration, 0-d tensors by tag; it raises Diverged if one is not finite. `picture(source, fake, iteration)`
    is called every PICTURE_EVERY iterations.
    """
    for network in game:
        network.train()
    device = next(game.augmentor.parameters()).device
    seed_everything(settings.seed, settings.epoch, 'adversarial')   # for the lifter's dropout
    source, target3d, target2d = (order_of(poses, settings, device, name) for name in ('source', 'target3d', 'target2d'))
    noise_draws, pool_draws = (generator(device, settings.seed, settings.epoch, name) for name in ('noise', 'pool'))
    updates, kept = updates_of(game, optimizers, settings), KeptPairs(len(poses), device, poses.skeleton)
    iteration = settings.iteration
    bar = tqdm(zip(source, target3d, target2d), total=len(source), desc=f'epoch {settings.epoch}: adversarial',
               unit='batch', leave=False, disable=None)
    for source_index, target3d_index, target2d_index in bar:
        interrupts.obey()
        batch = poses.take(source_index, device)
        fake, figures = updates.augmentor(*batch, draw_noise(batch.pose3d_cam, noise_draws))
        if iteration % settings.df == 0:
            targets = (poses.take_only('pose3d_cam', target3d_index, device),
                       poses.take_only('pose2d', target2d_index, device))
            figures = {**figures, **critics_step(updates, pools, targets, fake, pool_draws, settings.weights.critics)}
        keep = inside_image(fake.rt_pose2d, settings.symmetric_filter)
        kept.add(fake, keep, batch.camera, camera_of(game.lifter))
        log.add({**figures, KEPT_SHARE: keep.float().mean()}, iteration)
        if iteration % PICTURE_EVERY == 0:
            picture(batch, fake, iteration)
        iteration += 1
    log.flush()
    return kept.pairs(), iteration


def updates_of(game, optimizers, settings):
    """The Updates of an AdversarialEpoch, whose loss terms are fixed for the epoch."""
    def augmentor(pose3d_cam, pose2d, camera, noise):
        return generator_step(game, optimizers.augmentor, PoseBatch(pose3d_cam, pose2d, camera), settings.weights,
                              settings.feedback, noise)

    return updates_with(augmentor, game, optimizers, settings)


def updates_with(augmentor, game, optimizers, settings):
    """The Updates with this update of the augmentor."""
    def critic3d(real, fake):
        return discriminator_step(game.critic3d, optimizers.critic3d, real, fake, 'd3d')

    def critic2d(real, fake):
        return discriminator_step(game.critic2d, optimizers.critic2d, real, fake, 'd2d')

    return Updates(*(Replayed(update, optimizer, settings.graphs, game)
                     for update, optimizer in zip((augmentor, critic3d, critic2d), optimizers)))


def critics_step(updates, pools, targets, fake, pool_draws, critics=CRITICS):
    """Update the 3D and then the 2D discriminator on real batches and on fake poses from the pools. Returns their log.

    `targets`: real 3D poses (B, 16, 3) and real 2D poses (B, 16, 2), drawn independently of each other. The pools
    exchange poses, and so draw the same random numbers, even for a discriminator that is not one of the `critics`.
    """
    real3d, real2d = targets
    fake3d = pools.fake3d.exchange(fake.poses.ba, pool_draws)
    figures = updates.critic3d(real3d, fake3d) if '3d' in critics else {}
    fake2d = pools.fake2d.exchange(fake.rt_pose2d, pool_draws)
    return {**figures, **updates.critic2d(real2d, fake2d)} if '2d' in critics else figures


class KeptPairs:
    """The RT pairs of an epoch in preallocated tensors, with a mask, so that the host need not wait for their number."""

    def __init__(self, capacity, device, skeleton=H36M_16):
        self.pose3d_rel = torch.empty(capacity, skeleton.num_joints, 3, device=device)
        self.pose2d = torch.empty(capacity, skeleton.num_joints, 2, device=device)
        self.mask = torch.zeros(capacity, dtype=torch.bool, device=device)
        self.count = 0

    def add(self, fake, keep, intrinsic=None, camera='image'):
        """Append the RT poses of a GeneratorOutput as the lifter sees them; `keep` (B,) bool marks those to be kept."""
        span = slice(self.count, self.count + len(keep))
        self.pose2d[span], self.pose3d_rel[span] = as_lifted(fake.rt_pose2d, root_relative(fake.poses.rt), intrinsic, camera)
        self.mask[span] = keep
        self.count += len(keep)

    def pairs(self):
        return FakePairs(self.pose3d_rel[self.mask], self.pose2d[self.mask])


def order_of(poses, settings, device, name):
    """The shuffled batches of an epoch for the purpose `name`."""
    return shuffled_batches(len(poses), settings.batch_size, generator(device, settings.seed, settings.epoch, name))

"""The updates of one adversarial iteration: the augmentor's, the 3D discriminator's and the 2D discriminator's.

Each function makes one step of ONE network: forward, backward, gradient clipping, optimizer. It returns detached tensors
and a log, a dict from event tags to 0-d tensors on the device. No function waits for the device.
"""
from typing import NamedTuple

import torch
from torch import nn

from common.camera import project, root_relative
from common.person_camera import as_lifted, camera_of
from common.skeleton import H36M_16
from function_poseaug.losses import (FAKE, FEEDBACKS, REAL, HardnessBand, accuracy, discriminator_loss,
                                     generator_adversarial_loss, group_errors, limit_loss, range_loss)
from function_poseaug.statistics import view_directions
from models_poseaug.augmentor import AugmentedPoses, Augmentor
from models_poseaug.discriminator import Discriminator2D, Discriminator3D
from models_poseaug.replay_pool import ReplayPool
from utils.gradients import descend, frozen

DEGREES = 57.29   # PoseAug: the log's degrees per radian
HEALTH = 'train_G_iter_health'   # tags that the reference does not have; the monitor reads them
KEPT_SHARE = f'{HEALTH}/kept_share'
CRITICS = ('2d', '3d')


class Game(NamedTuple):
    """The networks of the adversarial training. The lifter's weights are frozen in it; its BatchNorm statistics change."""
    augmentor: Augmentor
    critic3d: Discriminator3D
    critic2d: Discriminator2D
    lifter: nn.Module


class Pools(NamedTuple):
    """The discriminators' replay pools of fake poses."""
    fake3d: ReplayPool
    fake2d: ReplayPool


class GameOptimizers(NamedTuple):
    """One optimizer for each network that the game trains."""
    augmentor: torch.optim.Optimizer
    critic3d: torch.optim.Optimizer
    critic2d: torch.optim.Optimizer


class LossWeights(NamedTuple):
    """Weights and bounds of the generator's loss, and the critics that play; the defaults are the command line's."""
    adversarial3d: float = 6.0
    adversarial2d: float = 1.0
    difference: float = 3.0
    angle_centre: float = 0.205
    angle_half_width: float = 0.165
    length_limit: float = 0.1
    length: float = 1.0
    critics: tuple = CRITICS


class FeedbackTerms(NamedTuple):
    """The feedback of an epoch: its form, its bands, and whether it is added to the loss (it is always logged)."""
    form: str
    ba: HardnessBand
    rt: HardnessBand
    joins_loss: bool


class GeneratorOutput(NamedTuple):
    """The augmented poses and the projection (B, 16, 2) of the RT poses, all detached."""
    poses: AugmentedPoses
    rt_pose2d: torch.Tensor


def generator_step(game, optimizer, source, weights, feedback, noise):
    """One step of the augmentor on the PoseBatch `source` with `noise` (4, B, 48). Returns (GeneratorOutput, log)."""
    game.lifter.train()
    with frozen(game.critic3d, game.critic2d, game.lifter):
        poses = game.augmentor(source.pose3d_cam, noise)
        return augmentor_update(game, optimizer, source, poses, project(poses.rt, source.camera), weights, feedback)


def augmentor_update(game, optimizer, source, poses, rt_pose2d, weights, feedback, pairs=None, judged=None):
    """Losses of the augmented `poses` of a PoseBatch, and the augmentor's step. Returns as `generator_step`.

    The other networks must be frozen. `pairs`: see `lifter_feedback`; `judged`: clips of these three, for critics of clips.
    """
    adversarial, adversarial_log = adversarial_loss(game, *(judged or (source, poses, rt_pose2d)), weights)
    difference, difference_log = difference_loss(poses, weights)
    hardness, hardness_log = lifter_feedback(game, source, poses, rt_pose2d, feedback, pairs)
    loss = adversarial + weights.difference * difference
    if feedback.joins_loss:
        loss = loss + hardness
    gradient = descend(loss, game.augmentor, optimizer)
    log = {**adversarial_log, **difference_log, **hardness_log, **spread_of(poses, rt_pose2d, game.augmentor.skeleton),
           'train_G_iter/gen_loss': loss.detach(), f'{HEALTH}/gradient_g': gradient}
    return GeneratorOutput(AugmentedPoses(*(part.detach() for part in poses)), rt_pose2d.detach()), log


def adversarial_loss(game, source, poses, rt_pose2d, weights):
    """How well the critics that play tell the augmented poses from their sources, weighted and added -> (loss, log)."""
    loss, log = 0, {}
    if '2d' in weights.critics:
        loss2d, log2d = judge(game.critic2d, source.pose2d, rt_pose2d, 'g2d', generator_adversarial_loss, 'adv_loss')
        loss, log = weights.adversarial2d * loss2d, log2d
    if '3d' in weights.critics:
        loss3d, log3d = judge(game.critic3d, source.pose3d_cam, poses.ba, 'g3d', generator_adversarial_loss, 'adv_loss')
        loss, log = loss + weights.adversarial3d * loss3d, {**log3d, **log}
    return loss, log


def discriminator_step(critic, optimizer, real, fake, tag):
    """One step of a discriminator on a real batch and on fake poses from its pool. Returns the log.

    No gradient reaches the augmentor.
    """
    loss, log = judge(critic, real.detach(), fake.detach(), tag, discriminator_loss, 'dis_loss')
    gradient = descend(loss, critic, optimizer)
    return {**log, f'{HEALTH}/gradient_{tag}': gradient}


def judge(critic, real, fake, tag, loss_of, loss_tag):
    """Score a real and a fake batch -> (loss, log). Both the generator's and the discriminators' steps log these figures."""
    real_scores, fake_scores = critic(real), critic(fake)
    loss = loss_of(real_scores, fake_scores)
    figures = {'real_acc': accuracy(real_scores, REAL), 'fake_acc': accuracy(fake_scores, FAKE), loss_tag: loss}
    return loss, {f'train_G_iter_PoseAug/{tag}_{name}': value.detach() for name, value in figures.items()}


def difference_loss(poses, weights):
    """The penalty for bone-angle changes outside their band and bone-length changes beyond their limit -> (loss, log)."""
    angle = range_loss(poses.ba_diff.mean(1), weights.angle_centre, weights.angle_half_width)
    length = limit_loss(poses.bl_ratio, weights.length_limit)
    degrees = (1 - poses.ba_diff.detach()).clamp(-1, 1).acos().mean(0) * DEGREES
    log = {'train_G_iter_diff_loss/loss_diff_angle': angle.detach(),
           'train_G_iter_diff_loss/loss_diff_blr': length.detach(),
           'train_G_iter_diff_log/log_angle_diff': poses.ba_diff.detach().mean(),
           'train_G_iter_diff_log/log_diff_blr': poses.bl_ratio.detach().mean()}
    log.update({f'train_G_iter_diff_log/log_angle@bone_{bone:02d}': degrees[bone] for bone in range(len(degrees))})
    return angle + weights.length * length, log


def lifter_feedback(game, source, poses, rt_pose2d, feedback, pairs=None):
    """How much harder the BA and RT poses are for the lifter than their sources -> (loss, log).

    PoseAug: the lifter runs in train mode, on source, BA and RT in this order, in every iteration, also in the warm-up.
    `pairs`: of 2D and root-relative 3D, in this order, for a lifter that does not see these poses but windows around them.
    """
    pairs = pairs or [as_lifted(pose2d, root_relative(pose3d), source.camera, camera_of(game.lifter)) for pose2d, pose3d in
             ((source.pose2d, source.pose3d_cam), (project(poses.ba, source.camera), poses.ba), (rt_pose2d, poses.rt))]
    errors = [group_errors(game.lifter(pose2d), pose3d_rel, game.augmentor.skeleton) for pose2d, pose3d_rel in pairs]
    form = FEEDBACKS[feedback.form]
    hardness = dict(ba=form(errors[1], errors[0], feedback.ba), rt=form(errors[2], errors[0], feedback.rt))
    names = ('1) pos_pair_loss_origin', '2) pos_pair_loss_ba', '3) pos_pair_loss_rt')
    log = {f'train_G_iter_posenet_feedback/{name}': error.detach().mean() for name, error in zip(names, errors)}
    for head, figures in hardness.items():
        log.update({f'train_G_iter_posenet_feedback/{head}_hard_{name}': getattr(figures, name).detach()
                    for name in ('std', 'mean', 'sample', 'mean_loss', 'std_loss')})
    return sum(figures.loss for head, figures in hardness.items() if head in game.augmentor.heads), log


@torch.no_grad()
def spread_of(poses, rt_pose2d, skeleton=H36M_16):
    """How much the augmented poses differ from each other -> log. A collapsed augmentor makes them all alike.

    Standard deviations over the batch: of each pose's mean bone-angle change (1 - cos), of the root's depth relative to
    its mean, and of the 2D joints; for the views 1 - |mean direction|, which is 0 for equal and near 1 for uniform views.
    """
    depth = poses.rt[:, 0, 2]
    return {f'{HEALTH}/angle_spread': poses.ba_diff.mean(1).std(), f'{HEALTH}/depth_spread': depth.std() / depth.mean().abs(),
            f'{HEALTH}/view_spread': 1 - view_directions(poses.rt, skeleton).mean(0).norm(),
            f'{HEALTH}/image_spread': rt_pose2d.std(0).mean()}


def inside_image(pose2d, symmetric=False):
    """(B,) bool: no coordinate of the pose exceeds 1. PoseAug: values below -1 are only checked if `symmetric`."""
    values = pose2d.abs() if symmetric else pose2d
    return (values <= 1).flatten(1).all(1)

"""PoseAug's training in a straightforward ("plain") implementation, for benchmarks/side_by_side.py and the tests.

It uses a torch Dataset and a DataLoader with two workers, a list as replay pool, Adam without options, and P-MPJPE in
numpy; it copies every scalar to the host immediately and builds constants in every call. It computes the same as
function_poseaug and function_baseline: tests/benchmarks compares them with equal weights and noise. 3D poses are
(B, 16, 3), camera frame in metres; 2D poses are (B, 16, 2), normalised; cameras are intrinsics (B, 9).
"""
import random
import warnings

import numpy as np
import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from benchmarks.plain_lifters import plain_copy
from benchmarks.plain_networks import PlainAugmentor, PlainCritic2D, PlainCritic3D, bone_vectors, pose_from_bones, project, unit
from common.skeleton import H36M_16
from function_poseaug.steps import DEGREES, Game, GameOptimizers
from utils.device import MMAP_THRESHOLD, TOP_PAD, TRIM_THRESHOLD

WORKERS = 2    # the default of --num_workers
# The largest values that the GNU C library chooses by itself (mallopt(3)); it stops adapting them once one is set
MALLOC = ((MMAP_THRESHOLD, 32 << 20), (TRIM_THRESHOLD, 64 << 20), (TOP_PAD, 128 << 10))
warnings.filterwarnings('ignore', 'Creating a tensor from a list of numpy')     # it is slow; here on purpose


class PlainPoses(Dataset):
    """Dataset of (pose3d_cam (16, 3), pose2d (16, 2), camera (9,)) from numpy arrays with N of each."""

    def __init__(self, pose3d_cam, pose2d, camera):
        self.pose3d_cam, self.pose2d, self.camera = pose3d_cam, pose2d, camera

    def __len__(self):
        return len(self.pose3d_cam)

    def __getitem__(self, index):
        return tuple(torch.from_numpy(array[index]) for array in (self.pose3d_cam, self.pose2d, self.camera))


def plain_poses(poses):
    """A PoseSet on the CPU as PlainPoses; shares its arrays, but repeats the camera for every pose."""
    return PlainPoses(poses.pose3d_cam.numpy(), poses.pose2d.numpy(), poses.intrinsics[poses.camera].numpy())


def loader(dataset, batch_size, shuffle=True, workers=WORKERS, keep_workers=False):
    return DataLoader(dataset, batch_size, shuffle=shuffle, num_workers=workers, pin_memory=torch.cuda.is_available(),
                      persistent_workers=keep_workers and workers > 0)


class PlainPool:
    """Replay pool: a list of up to `capacity` numpy arrays, converted to a tensor number by number, like the authors'."""

    def __init__(self, capacity=4096):
        self.capacity, self.items = capacity, []

    def exchange(self, batch, coins=None, slots=None):
        """Exchange poses (B, ...) for poses of the pool; `coins` (B,) and `slots` (B,) replace the random draws."""
        returned = []
        for i, item in enumerate(batch.detach().cpu().numpy()):
            if len(self.items) < self.capacity:
                self.items.append(item)
                returned.append(item)
            elif (random.random() > 0.5 if coins is None else coins[i]):
                slot = random.randrange(self.capacity) if slots is None else slots[i]
                returned.append(self.items[slot])
                self.items[slot] = item
            else:
                returned.append(item)
        return torch.tensor(returned).to(batch)


def plain_game(game, name, stages, dropout):
    """(Game, GameOptimizers): the networks of `game` in plain form with the same weights, and Adam at PoseAug's rates."""
    networks = PlainAugmentor(game.augmentor.max_length_change), PlainCritic3D(), PlainCritic2D()
    for plain, ours in zip(networks, game):
        plain.to(next(ours.parameters())).load_state_dict(ours.state_dict())
    players = Game(*networks, plain_copy(name, game.lifter, stages, dropout))
    return players, GameOptimizers(*(torch.optim.Adam(network.parameters(), lr=1e-4) for network in networks))


def set_trainable(network, trainable):
    for parameter in network.parameters():
        parameter.requires_grad = trainable


def step(loss, network, optimizer, clip=True):
    optimizer.zero_grad()
    loss.backward()
    if clip:
        torch.nn.utils.clip_grad_norm_(network.parameters(), max_norm=1)
    optimizer.step()


def mse_to(scores, label):
    return F.mse_loss(scores, torch.full(scores.shape, label, dtype=scores.dtype, device=scores.device))


def accuracy(scores, label):
    return torch.sum(torch.abs(scores - label) <= 0.5).item() / scores.numel()


def range_loss(values, centre, half_width):
    off = values - centre
    mask = (torch.abs(off) > half_width).to(values.dtype)
    return torch.mean(mask * off ** 2)


def generator_step(game, optimizer, batch, weights, feedback, noise=None):
    """Update the augmentor on a batch (3D, 2D, camera); returns (AugmentedPoses, 2D of RT, {tag: number})."""
    pose3d, pose2d, camera = batch
    game.lifter.train()
    for network in game[1:]:
        set_trainable(network, False)
    poses = game.augmentor(pose3d, noise)
    rt_pose2d = project(poses.rt, camera)
    loss3d, log3d = generator_loss(game.critic3d, pose3d, poses.ba, 'g3d')
    loss2d, log2d = generator_loss(game.critic2d, pose2d, rt_pose2d, 'g2d')
    difference, difference_log = difference_loss(poses, weights)
    hardness, hardness_log = lifter_feedback(game.lifter, batch, poses, rt_pose2d, feedback)
    loss = weights.adversarial2d * loss2d + weights.adversarial3d * loss3d + weights.difference * difference
    if feedback.joins_loss:
        loss = loss + hardness
    step(loss, game.augmentor, optimizer)
    for network in game[1:]:
        set_trainable(network, True)
    return poses, rt_pose2d, {**log3d, **log2d, **difference_log, **hardness_log, 'train_G_iter/gen_loss': loss.item()}


def generator_loss(critic, real, fake, tag):
    real_scores, fake_scores = critic(real), critic(fake)
    loss = (mse_to(real_scores, 0.) + mse_to(fake_scores, 1.)) * 0.5
    return loss, score_log(tag, real_scores, fake_scores, 'adv_loss', loss)


def discriminator_step(critic, optimizer, real, fake, tag):
    """Update one discriminator; returns {tag: number}."""
    real_scores, fake_scores = critic(real), critic(fake.detach())
    loss = (mse_to(real_scores, 1.) + mse_to(fake_scores, 0.)) * 0.5
    step(loss, critic, optimizer)
    return score_log(tag, real_scores, fake_scores, 'dis_loss', loss)


def score_log(tag, real_scores, fake_scores, loss_tag, loss):
    prefix = f'train_G_iter_PoseAug/{tag}'
    return {f'{prefix}_real_acc': accuracy(real_scores, 1), f'{prefix}_fake_acc': accuracy(fake_scores, 0),
            f'{prefix}_{loss_tag}': loss.item()}


def difference_loss(poses, weights):
    """The loss on the size of the augmentation: (loss, {tag: number})."""
    angle = range_loss(poses.ba_diff.mean(dim=1), weights.angle_centre, weights.angle_half_width)
    length = range_loss(poses.bl_ratio, 0, weights.length_limit)
    log = {'train_G_iter_diff_loss/loss_diff_angle': angle.item(),
           'train_G_iter_diff_loss/loss_diff_blr': length.item(),
           'train_G_iter_diff_log/log_angle_diff': poses.ba_diff.mean().item(),
           'train_G_iter_diff_log/log_diff_blr': poses.bl_ratio.mean().item()}
    for bone in range(H36M_16.num_bones):
        turned = torch.acos(torch.clamp(1 - poses.ba_diff[:, bone], -1, 1)) * DEGREES
        log[f'train_G_iter_diff_log/log_angle@bone_{bone:02d}'] = turned.mean().item()
    return angle + weights.length * length, log


def lifter_feedback(lifter, batch, poses, rt_pose2d, feedback):
    """The feedback of the lifter on the hardness, as in the authors' released code: (loss, {tag: number})."""
    pose3d, pose2d, camera = batch
    source = hardness_of(lifter, pose2d, pose3d)
    ba = hardness_of(lifter, project(poses.ba, camera), poses.ba)
    rt = hardness_of(lifter, rt_pose2d, poses.rt)
    prefix = 'train_G_iter_posenet_feedback'
    log = {f'{prefix}/1) pos_pair_loss_origin': source.mean().item(), f'{prefix}/2) pos_pair_loss_ba': ba.mean().item(),
           f'{prefix}/3) pos_pair_loss_rt': rt.mean().item()}
    loss = 0
    for head, errors, band in (('ba', ba, feedback.ba), ('rt', rt, feedback.rt)):
        ratio = errors / source.detach()
        mean_loss = range_loss(ratio, band.centre, band.half_width)
        std_loss = (torch.std(ratio) - band.half_width) ** 2
        loss = loss + band.weight * mean_loss + band.spread_weight * std_loss
        figures = dict(std=torch.std(ratio), mean=ratio.mean(), sample=ratio[0].mean(), mean_loss=mean_loss,
                       std_loss=std_loss)
        log.update({f'{prefix}/{head}_hard_{name}': value.item() for name, value in figures.items()})
    return loss, log


def hardness_of(lifter, pose2d, pose3d):
    """(B, 3) metres: mean weighted error of the lifter on each of the three groups of joints."""
    errors = torch.norm(lifter(pose2d) - (pose3d - pose3d[:, :1]), dim=-1)
    groups = []
    for weight_of in H36M_16.feedback_groups:
        weights = torch.tensor([float(weight) for weight in weight_of.values()]).to(errors)
        groups.append(torch.mean(errors[:, H36M_16.joints(*weight_of)] * weights, dim=1, keepdim=True))
    return torch.cat(groups, dim=1)


class PlainGan:
    """The state of an adversarial epoch: networks, optimizers, replay pools, log writer, and the pairs kept so far."""

    def __init__(self, game, optimizers, writer, weights, feedback, df=2):
        self.game, self.optimizers, self.writer = game, optimizers, writer
        self.weights, self.feedback, self.df = weights, feedback, df
        self.pool3d, self.pool2d = PlainPool(), PlainPool()
        self.kept3d, self.kept2d = [], []
        self.iteration = 0

    def play(self, batches, noise=None):
        """One iteration on three batches (3D, 2D, camera): source, real 3D, real 2D; returns the log {tag: number}."""
        source, (target3d, _, _), (_, target2d, _) = batches
        optimizer = self.optimizers.augmentor
        poses, rt_pose2d, log = generator_step(self.game, optimizer, source, self.weights, self.feedback, noise)
        if self.iteration % self.df == 0:
            fake3d = self.pool3d.exchange(poses.ba)
            log.update(discriminator_step(self.game.critic3d, self.optimizers.critic3d, target3d, fake3d, 'd3d'))
            fake2d = self.pool2d.exchange(rt_pose2d)
            log.update(discriminator_step(self.game.critic2d, self.optimizers.critic2d, target2d, fake2d, 'd2d'))
        self.keep(poses.rt.detach(), rt_pose2d.detach())
        for tag, value in log.items():
            self.writer.add_scalar(tag, value, self.iteration)
        self.iteration += 1
        return log

    def keep(self, rt, rt_pose2d):
        """Keep, on the host, the RT pairs whose 2D coordinates are all at most 1."""
        inside = (rt_pose2d <= 1).flatten(1).all(dim=1)
        self.kept3d.append((rt - rt[:, :1])[inside].cpu().numpy())
        self.kept2d.append(rt_pose2d[inside].cpu().numpy())


def lifter_step(lifter, optimizer, pose2d, pose3d):
    """One supervised training step; returns the loss as a number."""
    lifter.train()
    loss = F.mse_loss(lifter(pose2d), pose3d - pose3d[:, :1])
    step(loss, lifter, optimizer)
    return loss.item()


@torch.no_grad()
def evaluate(lifter, batches, device):
    """Mean (MPJPE, P-MPJPE) in mm over `batches` of (pose3d_cam, pose2d, camera)."""
    lifter.eval()
    errors, aligned_errors, count = 0., 0., 0
    for pose3d, pose2d, _ in batches:
        predicted = lifter(pose2d.to(device)).cpu()
        predicted = predicted - predicted[:, :1]
        target = pose3d - pose3d[:, :1]
        errors += torch.mean(torch.norm(predicted - target, dim=-1)).item() * len(target)
        aligned_errors += float(np.mean(p_mpjpe(predicted.numpy(), target.numpy()))) * len(target)
        count += len(target)
    return errors / count * 1000, aligned_errors / count * 1000


def p_mpjpe(predicted, target):
    """(N, 16, 3) metres twice -> (N,) metres: mean joint error of each pose after Procrustes alignment."""
    source, goal = (pose - pose.mean(axis=1, keepdims=True) for pose in (predicted, target))
    source_size, goal_size = (np.sqrt((pose ** 2).sum(axis=(1, 2), keepdims=True)) for pose in (source, goal))
    u, singular, vt = np.linalg.svd(np.matmul((goal / goal_size).transpose(0, 2, 1), source / source_size))
    v = vt.transpose(0, 2, 1)
    sign = np.sign(np.linalg.det(np.matmul(v, u.transpose(0, 2, 1))))
    v[:, :, -1] *= sign[:, None]
    singular[:, -1] *= sign
    rotation = np.matmul(v, u.transpose(0, 2, 1))
    scale = singular.sum(axis=1)[:, None, None] * goal_size / source_size
    aligned = scale * np.matmul(source, rotation) + target.mean(axis=1, keepdims=True)
    return np.linalg.norm(aligned - target, axis=-1).mean(axis=-1)


def swapped_bones(batches, templates, device, rows=None):
    """Give each pose the bone lengths of a random row of `templates` (S, 15) and project it again: PlainPoses.

    `batches` yields (3D, 2D, camera); `rows`: a list with a (B,) tensor per batch that replaces the random draws.
    """
    swapped3d, swapped2d, cameras = [], [], []
    for number, (pose3d, _, camera) in enumerate(batches):
        row = torch.randint(len(templates), (len(pose3d),)) if rows is None else rows[number]
        lengths = templates[row].unsqueeze(-1).to(device)
        pose3d = pose3d.to(device)
        pose3d = pose_from_bones(unit(bone_vectors(pose3d)) * lengths) + pose3d[:, :1]
        swapped3d.append(pose3d.cpu().numpy())
        swapped2d.append(project(pose3d, camera.to(device)).cpu().numpy())
        cameras.append(camera.numpy())
    return PlainPoses(np.concatenate(swapped3d), np.concatenate(swapped2d), np.concatenate(cameras))

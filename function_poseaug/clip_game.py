"""PoseAug's game for a lifter of several frames: clips are augmented as a whole (models_poseaug/clips.py).

In the game, the lifter's feedback is on windows, and the discriminators judge the lifted pose and its motion
(models_poseaug/clip_discriminators.py). Then the whole training set is augmented once, segment by segment, and the lifter
trains on the windows of the result.
"""
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import torch
from tqdm import tqdm

from common.camera import project, root_relative
from common.clips import clip_ends, clip_lengths
from common.poses import PoseBatch
from function_baseline.temporal import in_windows, window_pairs, windows_as_lifted, windows_at
from function_poseaug.adversarial import PICTURE_EVERY, adversarial_epoch, critics_step, order_of, updates_with
from function_poseaug.refresh import swapped_bones
from function_poseaug.steps import KEPT_SHARE, GeneratorOutput, augmentor_update, inside_image
from models_baseline.temporal import is_temporal
from models_poseaug.augmentor import AugmentedPoses
from models_poseaug.clip_discriminators import judged_frames
from models_poseaug.clips import ClipNoise, augment_clips, draw_clip_noise
from utils import interrupts
from utils.gradients import frozen
from utils.seeding import generator, seed_everything

SEGMENT = 250        # frames that share a body and a camera: a clip longer than that gets several
SEGMENTS = 32        # augmented at once


class FakeClips(NamedTuple):
    """What FakePairs are for single frames: `pose2d` (M, 16, 2) of the frames to lift, and a `take` for `train_lifter`.

    It gathers windows from the augmented clips, in which each frame is stored once.
    """
    pose2d: torch.Tensor
    take: Callable


def play_epoch(game, *arguments):
    """`adversarial_epoch`, or `clip_epoch` for a temporal lifter, which takes the same arguments."""
    return (clip_epoch if is_temporal(game.lifter) else adversarial_epoch)(game, *arguments)


def swapped_for(lifter, poses, templates, draws):
    """`swapped_bones`; for a temporal lifter all poses of a clip get the same row of the templates."""
    if not is_temporal(lifter):
        return swapped_bones(poses, templates, draws)
    lengths = torch.tensor(clip_lengths(poses), device=poses.device)
    rows = torch.randint(len(templates), lengths.shape, generator=draws, device=draws.device).to(poses.device)
    return swapped_bones(poses, templates, draws, rows.repeat_interleave(lengths))


def fake_take(fakes):
    """The `take` of `train_lifter` for FakePairs or FakeClips."""
    if isinstance(fakes, FakeClips):
        return fakes.take
    return lambda index: (fakes.pose2d[index], fakes.pose3d_rel[index])


def clip_epoch(game, optimizers, pools, poses, settings, log, picture):
    """`adversarial_epoch` for a temporal lifter: plays on the clips of `poses` and returns (FakeClips, next iteration)."""
    for network in game:
        network.train()
    device, lifter = next(game.augmentor.parameters()).device, game.lifter
    seed_everything(settings.seed, settings.epoch, 'adversarial')   # for the lifter's dropout
    orders = [order_of(poses, settings, device, name) for name in ('source', 'target3d', 'target2d')]
    noise_draws, pool_draws = (generator(device, settings.seed, settings.epoch, name) for name in ('noise', 'pool'))
    updates, ends = updates_of_clips(game, optimizers, settings), clip_ends(poses)
    judged = judged_frames(lifter.receptive_field, lifter.target)
    bar = tqdm(zip(*orders), total=len(orders[0]), desc=f'epoch {settings.epoch}: adversarial', unit='batch', leave=False,
               disable=None)
    for iteration, (source_index, *target_index) in enumerate(bar, start=settings.iteration):
        interrupts.obey()
        windows = windows_at(poses, source_index, ends, lifter, device)
        fake, figures = updates.augmentor(*windows, *draw_clip_noise(len(source_index), lifter.receptive_field, noise_draws))
        if iteration % settings.df == 0:
            targets = [in_windows(name, poses, index, ends, lifter, device, judged)
                       for name, index in zip(('pose3d_cam', 'pose2d'), target_index)]
            found = critics_step(updates, pools, targets, frames_of(fake, judged), pool_draws, settings.weights.critics)
            figures = {**figures, **found}
        fake = frames_of(fake, lifter.target)
        keep = inside_image(fake.rt_pose2d, settings.symmetric_filter)
        log.add({**figures, KEPT_SHARE: keep.float().mean()}, iteration)
        if iteration % PICTURE_EVERY == 0:
            picture(source_of(windows, lifter.target), fake, iteration)
    log.flush()
    fakes = augmented_clips(game.augmentor, poses, generator(device, settings.seed, settings.epoch, 'clips'))
    draws = generator(device, settings.seed, settings.epoch, 'mirror fake')
    return kept_clips(fakes, lifter, device, draws, settings.symmetric_filter), settings.iteration + len(orders[0])


def source_of(windows, frames):
    """PoseBatch of `frames`, one or a slice of them, of windows."""
    return PoseBatch(windows.pose3d_cam[:, frames], windows.pose2d[:, frames], windows.camera)


def frames_of(fake, frames):
    """GeneratorOutput of `frames`, one or a slice of them, of that of windows."""
    per_frame = {name: getattr(fake.poses, name)[:, frames] for name in ('ba', 'ba_diff', 'bl', 'rt')}
    return GeneratorOutput(fake.poses._replace(**per_frame), fake.rt_pose2d[:, frames])


def updates_of_clips(game, optimizers, settings):
    """The Updates of an AdversarialEpoch on windows."""
    def augmentor(pose3d_cam, pose2d, camera, *noise):
        return clip_generator_step(game, optimizers.augmentor, PoseBatch(pose3d_cam, pose2d, camera), settings.weights,
                                   settings.feedback, ClipNoise(*noise))

    return updates_with(augmentor, game, optimizers, settings)


def clip_generator_step(game, optimizer, windows, weights, feedback, noise):
    """`generator_step` on windows. Returns (GeneratorOutput of all their frames, log)."""
    game.lifter.train()
    target, judged = game.lifter.target, judged_frames(game.lifter.receptive_field, game.lifter.target)
    with frozen(game.critic3d, game.critic2d, game.lifter):
        clips = augment_clips(game.augmentor, windows.pose3d_cam, noise, target)
        fake = GeneratorOutput(clips, projected(clips.rt, windows.camera))
        seen = ((windows.pose2d, windows.pose3d_cam), (projected(clips.ba, windows.camera), clips.ba),
                (fake.rt_pose2d, clips.rt))
        pairs = [windows_as_lifted(game.lifter, pose2d, root_relative(pose3d[:, target]), windows.camera)
                 for pose2d, pose3d in seen]
        _, log = augmentor_update(game, optimizer, source_of(windows, target), *frames_of(fake, target), weights, feedback,
                                  pairs, (source_of(windows, judged), *frames_of(fake, judged)))
        return GeneratorOutput(AugmentedPoses(*(part.detach() for part in clips)), fake.rt_pose2d.detach()), log


def projected(pose3d_cam, camera):
    """Windows (B, N, 16, 3), metres, camera frame, and their cameras (B, 9) -> (B, N, 16, 2) normalised."""
    count, length = pose3d_cam.shape[:2]
    return project(pose3d_cam.flatten(0, 1), camera.repeat_interleave(length, dim=0)).unflatten(0, (count, length))


@torch.no_grad()
def augmented_clips(augmentor, poses, draws):
    """The whole PoseSet after BA, BL and RT, in segments of SEGMENT frames, each a clip of its own."""
    augmentor.eval()
    starts, lengths = segments_of(poses)
    made = replace(poses, pose3d_cam=torch.empty_like(poses.pose3d_cam), pose2d=torch.empty_like(poses.pose2d),
                   sequence=torch.repeat_interleave(lengths), frame=torch.arange(len(poses), device=poses.device))
    for some in torch.arange(len(starts), device=poses.device).split(SEGMENTS):
        frames = torch.arange(SEGMENT, device=poses.device)
        rows = starts[some, None] + torch.minimum(frames, lengths[some, None] - 1)
        clips = augment_clips(augmentor, poses.pose3d_cam[rows].to(draws.device),
                              draw_clip_noise(len(some), SEGMENT, draws), SEGMENT // 2)
        own = frames < lengths[some, None]
        pose2d = projected(clips.rt, poses.intrinsics[poses.camera[rows[:, 0]]].to(draws.device))
        made.pose3d_cam[rows[own]], made.pose2d[rows[own]] = clips.rt.to(poses.device)[own], pose2d.to(poses.device)[own]
    return made


def kept_clips(fakes, lifter, device, draws, symmetric_filter):
    """FakeClips of a PoseSet: of the poses whose whole window passes the filter; `draws`: see `window_pairs`."""
    kept = whole_windows(inside_image(fakes.pose2d, symmetric_filter), clip_ends(fakes), lifter).nonzero().squeeze(1)
    take = window_pairs(fakes, device, lifter, draws)
    return FakeClips(fakes.pose2d[kept], lambda index: take(kept[index.to(kept.device)]))


def segments_of(poses):
    """First rows (S,) and lengths (S,), at most SEGMENT, of the segments into which the clips of a PoseSet are cut."""
    lengths = [min(SEGMENT, length - start) for length in clip_lengths(poses) for start in range(0, length, SEGMENT)]
    lengths = torch.tensor(lengths, device=poses.device)
    return lengths.cumsum(0) - lengths, lengths


def whole_windows(inside, ends, lifter):
    """(N,) bool: whether all frames of a pose's window are `inside` (N,)."""
    rows = torch.arange(len(inside), device=inside.device)
    first = torch.maximum(rows - lifter.target, ends[0])
    last = torch.minimum(rows + lifter.receptive_field - 1 - lifter.target, ends[1])
    outside = torch.cat([inside.new_zeros(1, dtype=torch.int64), (~inside).long().cumsum(0)])
    return outside[last + 1] == outside[first]

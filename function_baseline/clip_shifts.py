"""The frames around the poses of a shifted test set, as lifters of several frames see them.

A shift changes each pose and films it with a camera of its own (common/shifts.py). This camera stands still and also films the
frames around the pose, in which the person has the same body. So lifters of one frame and of several are scored on the same
poses. The detector's errors are drawn for each frame. Beyond the ends of its clip a window stands still, and so it does from
where the person would leave the image.
"""
import torch

from common.camera import project
from common.views import Views, inside, seen
from function_baseline.clip_recipe import in_frames, upright_scenes, with_body_of
from function_baseline.temporal import in_windows


def windows_of(made, index, ends, lifter, draws):
    """(B, N, J, 2) normalised: the windows in which a lifter of N frames sees the poses `index` (B,) of a Shifted.

    `ends`: the `clip_ends` of its source; `draws`: the generator of the errors in the 2D of the frames around.
    """
    rows = made.rows[index]
    if made.shift is None:
        return in_windows('pose2d', made.source, rows, ends, lifter, made.source.device)
    pose3d_cam, intrinsics = scenes_of(made, index, ends, lifter)
    frames = pose3d_cam.shape[:2]
    pose3d_cam, intrinsics = pose3d_cam.flatten(0, 1), intrinsics.repeat_interleave(frames[1], dim=0)
    pose2d, there = project(pose3d_cam, intrinsics), in_their_clips(rows, ends, lifter)
    if made.shift.view or made.shift.body:
        there = there & inside(pose3d_cam, intrinsics).unflatten(0, frames)
    if made.shift.image:
        pose2d = made.shift.image(pose2d, draws, made.source.skeleton)
    pose2d = pose2d.unflatten(0, frames)
    pose2d[:, lifter.target] = made.poses.pose2d[index]
    return standing_still(pose2d, there, lifter.target)


def scenes_of(made, index, ends, lifter):
    """(pose3d_cam (B, N, J, 3) metres, intrinsics (B, 9)): the windows, each a rigid scene before the camera of its pose."""
    rows, views = made.rows[index], Views(*(term[index] for term in made.views))
    pose3d_cam = in_windows('pose3d_cam', made.source, rows, ends, lifter, made.source.device)
    scenes, _ = upright_scenes(pose3d_cam, made.source.subset(rows), lifter.target)
    if made.shift.body:
        scenes = with_body_of(made.upright[index], scenes, made.source.skeleton)
    return in_frames(seen(scenes.flatten(1, 2), views), scenes.shape[1], lifter.target), views.intrinsics


def in_their_clips(rows, ends, lifter):
    """(B, N) bool: the frames of the windows around the poses `rows` (B,) that lie in the pose's own clip."""
    frames = rows[:, None] + torch.arange(lifter.receptive_field, device=rows.device) - lifter.target
    first, last = ends[:, rows, None].unbind()
    return (frames >= first) & (frames <= last)


def standing_still(windows, there, target):
    """Windows (B, N, J, 2) in which only the frames around `target` up to the next that are not `there` (B, N) are kept.

    The first and the last of those that are kept are repeated in place of the others: the window stands still.
    """
    after = there[:, target + 1:].long().cumprod(1).sum(1, keepdim=True)
    before = there[:, :target].flip(1).long().cumprod(1).sum(1, keepdim=True)
    frames = torch.arange(windows.shape[1], device=windows.device).expand(there.shape)
    kept = torch.minimum(torch.maximum(frames, target - before), target + after)
    return windows[torch.arange(len(windows), device=windows.device)[:, None], kept]

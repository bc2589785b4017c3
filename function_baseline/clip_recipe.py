"""Recipe v2 for a lifter of several frames: one camera for a whole window.

The frame that is lifted is filmed as a single pose is (function_baseline/recipe_v2.py). The other frames of its window are
filmed by the same camera, which sees the window as one rigid scene, so that the motion stays smooth. The detector's
errors are drawn for each frame, and their size for the window. A window of one frame gets what a single pose gets.
"""
import torch

from common.bones import bone_lengths, bone_vectors, pose_from_bones
from common.camera import root_relative
from common.clips import clip_ends
from common.shifts import filmed_by
from common.views import filmed
from function_baseline.recipe_v2 import (count_filmed, in_random_views, ingredients_of, noise_levels, recipe_pairs,
                                         with_detector_errors)
from function_baseline.temporal import windows_as_lifted, windows_at
from models_baseline.temporal import is_temporal


def recipe_for(lifter, poses, device, args, draws):
    """The `take` of `train_lifter` for any lifter: `recipe_pairs`, or `recipe_windows` for one of several frames."""
    if is_temporal(lifter):
        return recipe_windows(lifter, poses, device, args, draws)
    return recipe_pairs(poses, device, args, draws)


def recipe_windows(lifter, poses, device, args, draws):
    """`recipe_pairs` for a temporal lifter: windows (B, N, 16, 2) in place of the 2D poses, and the poses that are lifted."""
    used, ends = ingredients_of(args), clip_ends(poses)

    def take(index):
        index, count = index.to(poses.device), count_filmed(used, len(index))
        windows = windows_at(poses, index[count:], ends, lifter, device)
        if count:
            others, lifted = windows_at(poses, index[:count], ends, lifter, device), poses.subset(index[:count]).to(device)
            anew = windows_filmed_anew(others.pose3d_cam, lifted, lifter.target, draws)
            windows = map(torch.cat, zip(anew, windows))
        pose3d_cam, pose2d, intrinsics = windows
        if 'noise' in used:
            levels = noise_levels(len(pose2d), draws).repeat_interleave(pose2d.shape[1])
            pose2d = with_detector_errors(pose2d.flatten(0, 1), levels, draws, poses.skeleton).unflatten(0, pose2d.shape[:2])
        return windows_as_lifted(lifter, pose2d, root_relative(pose3d_cam[:, lifter.target]), intrinsics)

    return take


def windows_filmed_anew(pose3d_cam, lifted, target, draws):
    """`filmed_anew` for windows (B, N, J, 3), metres, camera frame; `lifted`: the PoseSet of their `target` frames.

    To the camera a window is one body of N J joints, whose root is that of the frame that is lifted.
    """
    scenes, _ = upright_scenes(pose3d_cam, lifted, target)
    *seen, intrinsics = in_random_views(scenes.flatten(1, 2), draws)
    pose3d_cam, pose2d = (in_frames(points, scenes.shape[1], target) for points in seen)
    return pose3d_cam, pose2d, intrinsics


def upright_scenes(pose3d_cam, lifted, target):
    """Windows (B, N, J, 3), metres, camera frame -> (upright motions (B, N, J, 3) whose frame 0 is the `target`, B Views).

    `lifted`: the PoseSet of the `target` frames.
    """
    _, intrinsics, up = filmed_by(lifted)
    scenes, views = filmed(pose3d_cam.roll(-target, dims=1).flatten(1, 2), up, intrinsics)
    return scenes.unflatten(1, pose3d_cam.shape[1:3]), views


def in_frames(points, length, target):
    """Points (B, N J, D) of scenes of `length` frames, `target` first -> windows (B, N, J, D) in the order of time."""
    return points.unflatten(1, (length, -1)).roll(target, dims=1)


def with_body_of(first, scenes, skeleton):
    """Upright motions (B, N, J, 3) in which all frames get the bone lengths of `first` (B, J, 3), frame 0 with another body.

    The path of the root grows with the body, as its steps do.
    """
    old, new = (bone_lengths(bone_vectors(pose, skeleton)) for pose in (scenes[:, 0], first))
    size = new.sum(1) / old.sum(1)
    vectors = bone_vectors(scenes.flatten(0, 1), skeleton).unflatten(0, scenes.shape[:2]) * (new / old)[:, None]
    poses = pose_from_bones(vectors.flatten(0, 1), skeleton).unflatten(0, scenes.shape[:2])
    return poses + size[:, None, None] * scenes[:, :, :1]

"""Recipe v2 for a lifter of several frames: one camera, one body and one turn of each bone for a whole window.

The frame that is lifted is changed and filmed as a single pose is (function_baseline/recipe_v2.py). The other frames of its
window get the same changes, so that the motion stays smooth, and the camera sees the window as one rigid scene. The detector's
errors are drawn for each frame, and their size for the window. A window of one frame gets what a single pose gets.
"""
import torch
from torch.nn import functional as F

from common.bones import bone_lengths, bone_vectors, pose_from_bones, unit_bones
from common.camera import root_relative
from common.clips import clip_ends
from common.rotation import quaternion_rotate
from common.shifts import filmed_by
from common.views import filmed
from function_baseline.recipe_v2 import (count_filmed, in_views, ingredients_of, noise_levels, other_bodies, recipe_pairs,
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
            anew = changed_and_filmed_windows(others.pose3d_cam, lifted, lifter.target, used, draws)
            windows = map(torch.cat, zip(anew, windows))
        pose3d_cam, pose2d, intrinsics = windows
        if 'noise' in used:
            levels = noise_levels(len(pose2d), draws).repeat_interleave(pose2d.shape[1])
            pose2d = with_detector_errors(pose2d.flatten(0, 1), levels, draws, poses.skeleton).unflatten(0, pose2d.shape[:2])
        return windows_as_lifted(lifter, pose2d, root_relative(pose3d_cam[:, lifter.target]), intrinsics)

    return take


def changed_and_filmed_windows(pose3d_cam, lifted, target, used, draws):
    """`changed_and_filmed` for windows (B, N, J, 3), metres, camera frame; `lifted`: the PoseSet of their `target` frames.

    To the camera a window is one body of N J joints, whose root is that of the frame that is lifted.
    """
    frames = pose3d_cam.shape[1:3]
    _, intrinsics, up = filmed_by(lifted)
    scenes, views = filmed(pose3d_cam.roll(-target, dims=1).flatten(1, 2), up, intrinsics)
    changed = in_another_body(scenes.unflatten(1, frames), used, draws, lifted.skeleton)
    *seen, intrinsics = in_views(changed.flatten(1, 2), views, used, draws)
    pose3d_cam, pose2d = (points.unflatten(1, frames).roll(target, dims=1) for points in seen)
    return pose3d_cam, pose2d, intrinsics


def in_another_body(scenes, used, draws, skeleton):
    """Upright motions (B, N, J, 3) in which all frames are changed as `other_bodies` changes the first one.

    A bone is turned by the same rotation in all frames. The path of the root grows with the body, as its steps do.
    """
    if not {'angles', 'bodies'} & {*used}:
        return scenes
    old, new = (bone_vectors(pose, skeleton) for pose in (scenes[:, 0], other_bodies(scenes[:, 0], used, draws, skeleton)))
    longer, size = bone_lengths(new) / bone_lengths(old), bone_lengths(new).sum(1) / bone_lengths(old).sum(1)
    vectors = bone_vectors(scenes.flatten(0, 1), skeleton).unflatten(0, scenes.shape[:2])
    vectors = quaternion_rotate(turns_between(old, new)[:, None], vectors) * longer[:, None]
    poses = pose_from_bones(vectors.flatten(0, 1), skeleton).unflatten(0, scenes.shape[:2])
    return poses + size[:, None, None] * scenes[:, :, :1]


def turns_between(old, new):
    """Bone vectors (B, 15, 3) each -> (B, 15, 4), the quaternions of the shortest turns from the old to the new directions."""
    old, new = unit_bones(old), unit_bones(new)
    half_way = torch.cat([1 + (old * new).sum(-1, keepdim=True), torch.linalg.cross(old, new)], dim=-1)
    return F.normalize(half_way, dim=-1)      # not NaN but no turn for opposite directions

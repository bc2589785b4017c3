"""What PoseAug on clips is compared with: windows for a lifter of several frames that come from no game.

As for single poses (function_poseaug/without_game.py), `none` gives the real windows again, and `random` changes bone angles
and lengths within the ranges of the learned augmentor, and the views. A window is changed as a whole, in the same way in all
its frames, so its motion stays as smooth as it was: each bone is turned by one rotation and has one length, and one camera
films the window. A window that does not fit into the image of its camera stays as it was filmed. Half of all windows are
mirrored, as in the training on real poses.
"""
import torch

from common.bones import bone_vectors, pose_from_bones, unit_bones
from common.camera import project, root_relative
from common.clips import clip_ends
from common.views import kept_inside, seen
from function_baseline.clip_recipe import in_frames, upright_scenes, with_body_of
from function_baseline.temporal import mirrored_at_random, window_pairs, windows_as_lifted, windows_at
from function_poseaug.clip_game import FakeClips, swapped_for
from function_poseaug.without_game import SUBSTITUTES, random_bodies, random_views
from models_baseline.temporal import is_temporal


def substitute_for(lifter, augmentor):
    """The function for `--augmentor` random or none that gives FakePairs, or, for a lifter of several frames, FakeClips.

    Its arguments: a PoseAugState, the flags, the training PoseSet, templates of bone lengths, and a generator.
    """
    return (SUBSTITUTES_OF_CLIPS if is_temporal(lifter) else SUBSTITUTES)[augmentor]


def real_windows_again(state, args, training, templates, draws):
    """FakeClips that are the real windows themselves."""
    return FakeClips(training.pose2d, window_pairs(training, draws.device, state.game.lifter, draws))


def random_windows(state, args, training, templates, draws):
    """FakeClips of randomly changed windows; those of a clip have the same swapped bone lengths before the change."""
    lifter, device = state.game.lifter, draws.device
    poses = swapped_for(lifter, training, templates, draws)
    ends = clip_ends(poses)

    def take(index):
        windows = windows_at(poses, index, ends, lifter, device)
        lifted = poses.subset(index.to(poses.device)).to(device)
        pose3d_cam, pose2d, intrinsics = randomly_changed(windows, lifted, lifter.target, args, draws)
        pair = windows_as_lifted(lifter, pose2d, root_relative(pose3d_cam[:, lifter.target]), intrinsics)
        return mirrored_at_random(*pair, draws, poses.skeleton)

    return FakeClips(poses.pose2d, take)


def randomly_changed(windows, lifted, target, args, draws):
    """(pose3d_cam (B, N, J, 3) metres, pose2d (B, N, J, 2) normalised, intrinsics (B, 9)) of a PoseBatch of windows, changed.

    `lifted`: the PoseSet of their `target` frames. To the camera a window is one body of N J joints, whose root is that of the
    frame that is lifted.
    """
    scenes, views = upright_scenes(windows.pose3d_cam, lifted, target)
    frames = scenes.shape[1]
    first = random_bodies(scenes[:, 0], args, draws, lifted.skeleton)
    scenes = with_body_of(first, turned_as(first, scenes, lifted.skeleton), lifted.skeleton).flatten(1, 2)
    views, fits = kept_inside(scenes, random_views(views, draws, args.augment))
    pose3d_cam = seen(scenes, views)
    anew = (in_frames(points, frames, target) for points in (pose3d_cam, project(pose3d_cam, views.intrinsics)))
    pose3d_cam, pose2d = (torch.where(fits[:, None, None, None], new, old)
                          for new, old in zip(anew, (windows.pose3d_cam, windows.pose2d)))
    return pose3d_cam, pose2d, views.intrinsics


def turned_as(first, scenes, skeleton):
    """Upright motions (B, N, J, 3), in which each bone is turned by the same rotation in all frames.

    It is the rotation that turns the bone of frame 0 into the direction that it has in `first` (B, J, 3).
    """
    old, new = (unit_bones(bone_vectors(pose, skeleton)) for pose in (scenes[:, 0], first))
    axis = torch.linalg.cross(old, new)[:, None]      # as long as the sine of the angle
    cosine = (old * new).sum(-1, keepdim=True)[:, None]
    vectors = bone_vectors(scenes.flatten(0, 1), skeleton).unflatten(0, scenes.shape[:2])
    aside = torch.linalg.cross(axis, vectors)
    turned = vectors + aside + torch.linalg.cross(axis, aside) / (1 + cosine).clamp(min=1e-6)
    return pose_from_bones(turned.flatten(0, 1), skeleton).unflatten(0, scenes.shape[:2]) + scenes[:, :, :1]


SUBSTITUTES_OF_CLIPS = dict(random=random_windows, none=real_windows_again)

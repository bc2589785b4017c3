"""The path of each person through the room: the root fitted to the 2D of each frame, without outliers, smoothed over time."""
import sys

import numpy as np
import torch

from common.bones import bone_lengths, bone_vectors
from common.camera import pixels_to_padded
from common.person_camera import rays_of
from common.root_fit import fit_root
from common.skeleton import H36M_16
from function_inference.lifting import camera_of
from function_inference.tracks import smooth

DEPTH_FACTOR = 3         # times the time over which the 2D are smoothed; the depth is far less certain
OUTLIER_WINDOW = .5      # seconds, over which a median says where the person should be
LEAST_OUTLIER_M = .15    # farther from the median than this, and than OUTLIER_SIGMAS standard deviations
OUTLIER_SIGMAS = 3
SIGMA_PER_MEDIAN = 1.4826      # of a normal distribution's deviations


def with_roots(motions, people, focal_px, window):
    """The Motions with `root_cam`, from the FollowedPeople they were lifted from.

    `focal_px`: focal length in pixels (None: the longer side of the image); `window`: length of the smoothing filter of the 2D
    in frames, 0 for none. Warns of people whose place no frame determines; they remain without one.
    """
    return [motion._replace(root_cam=_root_path(motion, person, focal_px, window)) for motion, person in zip(motions, people)]


def _root_path(motion, person, focal_px, window):
    fitted = fitted_path(motion.pose3d_rel, motion.pose2d_px, person.weights, motion.width, motion.height, focal_px,
                         motion.skeleton)
    if not np.isfinite(fitted).any():
        print(f'warning: the place of {motion.person} in the room cannot be determined; the hip stays in place',
              file=sys.stderr)
        return motion.root_cam
    return smooth_path(fitted, window, motion.fps).astype(np.float32)


def fitted_path(pose3d_rel, pose2d_px, weights, width, height, focal_px=None, skeleton=H36M_16):
    """The fields of a Motion and weights (T, 16) -> (T, 3) metres, camera frame, float64; NaN where undetermined.

    A lifter's poses grow and shrink a little from frame to frame, and the depth would with them. So each pose is first scaled
    to the person's median size.
    """
    pose3d_rel = torch.from_numpy(pose3d_rel).double()
    pose2d_norm = pixels_to_padded(pose2d_px.astype(np.float64), width, height)
    rays = rays_of(torch.from_numpy(pose2d_norm), camera_of(width, height, focal_px))
    size = bone_lengths(bone_vectors(pose3d_rel, skeleton)).sum(dim=1, keepdim=True)
    return fit_root(pose3d_rel * (size.median() / size), rays, torch.from_numpy(weights).double()).numpy()


def smooth_path(fitted, window, fps):
    """(T, 3) metres, camera frame, NaN where unknown -> (T, 3) without gaps and outliers, its depth smoothed.

    `window`: length of the filter of the 2D in frames; that of the depth is DEPTH_FACTOR times as long. The direction from the
    camera is as smooth as the 2D already. 0 is for unrelated frames, of which only the gaps are filled.
    """
    path = _filled(fitted, np.isfinite(fitted).all(axis=1))
    if not window:
        return path
    path = _filled(path, ~outliers(path, fps))
    direction, depth = path[:, :2] / path[:, 2:], path[:, 2:]
    depth = smooth(depth, _fitting(DEPTH_FACTOR * window, len(path)))
    return np.hstack([direction * depth, depth])


def outliers(path, fps):
    """(T,) bool: the frames of a path (T, 3) in which the person is far away from where they are before and after."""
    from scipy.ndimage import median_filter
    size = _fitting(OUTLIER_WINDOW * fps, len(path))
    expected = median_filter(_continued(path, size // 2), size=(size, 1))[size // 2:][:len(path)]
    away = np.linalg.norm(path - expected, axis=1)
    return away > max(LEAST_OUTLIER_M, OUTLIER_SIGMAS * SIGMA_PER_MEDIAN * np.median(away))


def _continued(path, frames):
    """The path (T, 3) with as many more frames at both ends, turned about the median of three frames there."""
    start, end = np.median(path[:3], axis=0), np.median(path[-3:], axis=0)
    return np.concatenate([2 * start - path[1:frames + 1][::-1], path, 2 * end - path[-frames - 1:-1][::-1]])


def _fitting(frames, num_frames):
    """The odd number nearest to `frames` that is not larger than `num_frames`, and at least 3 in a clip that long."""
    longest = num_frames - 1 + num_frames % 2
    return min(max(2 * int(frames / 2) + 1, 3), longest)


def _filled(path, known):
    """(T, 3) with the frames that are not `known` (T,) interpolated linearly, and held at both ends."""
    time = np.arange(len(path))
    return np.stack([np.interp(time, time[known], axis[known]) for axis in path.T], axis=1)

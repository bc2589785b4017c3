"""The result of inference: the poses of one person over time, which all writers (npz, json, BVH, page, video) take."""
from typing import NamedTuple

import numpy as np

from common.skeleton import H36M_16, Skeleton


class Motion(NamedTuple):
    """One person in T frames, with the joints of the skeleton; shapes are given for H36M_16.

    pose3d_rel (T, 16, 3) float32 metres, root-relative, camera frame (x right, y down, z forward); pose2d_px (T, 16, 2)
    float32 pixels of the original image; guessed (T, 16) bool: the joint was missing or had a low confidence in this
    frame, and was interpolated, or taken as detected if its confidence was low in every frame; frames per second; width
    and height of the image in pixels; person: a label like 'person 0'; time (T,) seconds from the first frame; root_cam
    (T, 3) float32 metres, camera frame: the place of the hip (all zero: unknown); tilt_deg and roll_deg: how far the camera
    looked down, and how far upright people lean to the right in its image.
    """
    pose3d_rel: np.ndarray
    pose2d_px: np.ndarray
    guessed: np.ndarray
    fps: float
    width: int
    height: int
    person: str
    time: np.ndarray
    root_cam: np.ndarray
    tilt_deg: float = 0.0
    roll_deg: float = 0.0
    skeleton: Skeleton = H36M_16

    @property
    def is_placed(self):
        """Whether the person's place in the room is known."""
        return bool(self.root_cam.any())


def in_sight(motions):
    """For each Motion (T,) bool: true from the first to the last frame in which some joint was not guessed.

    Outside these frames the pose is only held. True throughout for a person all of whose joints were always guessed, and
    for a single Motion.
    """
    seen = [~motion.guessed.all(axis=1) for motion in motions]
    if len(motions) == 1:
        return [np.ones_like(each) for each in seen]
    spans = [np.logical_or.accumulate(each) & np.logical_or.accumulate(each[::-1])[::-1] for each in seen]
    return [span if span.any() else ~span for span in spans]


def is_even(time, fps):
    """Whether no frame, at `time` (T,) seconds, is more than half a frame away from its time at a constant rate."""
    return bool(np.abs(time - np.arange(len(time)) / fps).max(initial=0) <= .5 / fps)


def nearest_frames(motion):
    """(N,) the number of the frame nearest to 0, 1 / fps, 2 / fps, ... seconds; each frame once if they are even."""
    if is_even(motion.time, motion.fps):
        return np.arange(len(motion.time))
    middles = (motion.time[1:] + motion.time[:-1]) / 2
    return np.searchsorted(middles, _constant_times(motion))


def at_constant_rate(motion):
    """The Motion with a frame every 1 / fps seconds: poses are interpolated linearly, `guessed` is the nearest frame's.

    A Motion whose frames are even is returned as it is.
    """
    if is_even(motion.time, motion.fps):
        return motion
    time = _constant_times(motion)
    fields = {name: _interpolated(getattr(motion, name), motion.time, time) for name in ('pose3d_rel', 'pose2d_px', 'root_cam')}
    return motion._replace(**fields, time=time, guessed=motion.guessed[nearest_frames(motion)])


def _constant_times(motion):
    return np.arange(round(motion.time[-1] * motion.fps) + 1) / motion.fps


def _interpolated(poses, before, after):
    """(T, 16, ...) at the times `before` (T,) -> (N, 16, ...) at `after` (N,)."""
    flat = poses.reshape(len(poses), -1)
    columns = [np.interp(after, before, column) for column in flat.T]
    return np.stack(columns, axis=1).reshape(len(after), *poses.shape[1:]).astype(poses.dtype)

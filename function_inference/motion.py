"""The result of an inference: one person's poses over time, as every writer (npz, json, BVH, page, video) takes it."""
from typing import NamedTuple

import numpy as np


class Motion(NamedTuple):
    """One person over time: T frames, joints as in `common.skeleton.H36M_16`.

    pose3d_rel (T, 16, 3) float32 metres, root-relative, camera frame (x right, y down, z forward); pose2d_px (T, 16, 2)
    float32 pixels of the original image; guessed (T, 16) bool: the joint was missing or unsure in this frame and was
    interpolated, or is the detector's guess where it was sure in no frame; frames per second; the image's width and
    height in pixels; a label like 'person 0'.
    """
    pose3d_rel: np.ndarray
    pose2d_px: np.ndarray
    guessed: np.ndarray
    fps: float
    width: int
    height: int
    person: str


def in_sight(motions):
    """For each of several people's Motions (T,) bool: from the first to the last frame in which a joint was sure.

    Before and after that a pose is only held. Whoever was never sure is shown throughout, and so is one person alone.
    """
    seen = [~motion.guessed.all(axis=1) for motion in motions]
    if len(motions) == 1:
        return [np.ones_like(each) for each in seen]
    spans = [np.logical_or.accumulate(each) & np.logical_or.accumulate(each[::-1])[::-1] for each in seen]
    return [span if span.any() else ~span for span in spans]

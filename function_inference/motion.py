"""The result of inference: the poses of one person over time, which all writers (npz, json, BVH, page, video) take."""
from typing import NamedTuple

import numpy as np


class Motion(NamedTuple):
    """One person in T frames, with the joints of `common.skeleton.H36M_16`.

    pose3d_rel (T, 16, 3) float32 metres, root-relative, camera frame (x right, y down, z forward); pose2d_px (T, 16, 2)
    float32 pixels of the original image; guessed (T, 16) bool: the joint was missing or had a low confidence in this
    frame, and was interpolated, or taken as detected if its confidence was low in every frame; frames per second; width
    and height of the image in pixels; person: a label like 'person 0'.
    """
    pose3d_rel: np.ndarray
    pose2d_px: np.ndarray
    guessed: np.ndarray
    fps: float
    width: int
    height: int
    person: str


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

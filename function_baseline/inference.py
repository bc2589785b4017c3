"""From what was found in a clip to a motion: one person followed, as our 16 joints, normalised, lifted."""
from typing import NamedTuple

import numpy as np
import torch

from common.camera import pixels_to_padded, root_relative
from common.keypoint_formats import matrix_of, to_h36m_16
from common.motion import Motion
from common.tracks import choose_person, complete, describe, smooth, track_people
from function_baseline.evaluate import CHUNK, predict_flipped

ASSUMED_FPS = 25.0


class FollowedPerson(NamedTuple):
    """One person in every frame: a label, pose2d_px (T, 16, 2) float32, guessed (T, 16) bool."""
    label: str
    pose2d_px: np.ndarray
    guessed: np.ndarray


def follow_person(found, head, number, least_confidence, window):
    """FollowedPerson of Detections; says on stdout who of how many it is.

    `head` is a head rule and `number` a person's (None: the format's, and whoever is seen longest and most surely),
    `window` the frames of the smoothing filter (None: no smoothing).
    """
    matrix = matrix_of(found.format, head)
    tracks = track_people([to_h36m_16(people, matrix) for people in found.people])
    number = choose_person(tracks, number)
    print(f'{found.format.name}, {found.width}x{found.height}; {describe(tracks, number, len(found.people))}')
    pose2d_px, guessed = complete(tracks[number], len(found.people), least_confidence)
    print(f'{guessed.mean():.1%} of the joints were missing or unsure and are guessed')
    return FollowedPerson(f'person {number}', smooth(pose2d_px, window) if window else pose2d_px, guessed)


def lift_person(lifter, person, found, fps, device, flip):
    """Motion of a FollowedPerson; `fps` None: as the Detections say, or 25, which stdout says."""
    if not (fps or found.fps) and len(found.people) > 1:
        print(f'nothing tells the frames per second: {ASSUMED_FPS:g} is assumed (--fps)')
    pose3d_rel = lift(lifter, person.pose2d_px, found.width, found.height, device, flip)
    return Motion(pose3d_rel, person.pose2d_px, person.guessed, float(fps or found.fps or ASSUMED_FPS), found.width,
                  found.height, person.label)


@torch.no_grad()
def lift(lifter, pose2d_px, width, height, device, flip=False):
    """(T, 16, 2) pixels -> (T, 16, 3) float32 metres, root-relative, camera frame.

    `flip`: average with the prediction for the mirrored image.
    """
    lifter.eval().to(device)
    pose2d_norm = torch.from_numpy(pixels_to_padded(pose2d_px, width, height)).to(device)
    predicted = [predict_flipped(lifter, chunk) if flip else lifter(chunk) for chunk in pose2d_norm.split(CHUNK)]
    return root_relative(torch.cat(predicted)).cpu().numpy()

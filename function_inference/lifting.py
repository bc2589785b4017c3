"""From what was found in a clip to motions: people followed, as our 16 joints, normalised, lifted."""
import sys
from typing import NamedTuple

import numpy as np
import torch

from common.camera import pixels_to_padded, root_relative
from common.errors import InputError
from function_baseline.evaluate import CHUNK, predict_flipped
from function_inference.keypoint_formats import matrix_of, to_h36m_16
from function_inference.motion import Motion
from function_inference.tracks import EVERYONE, choose_people, complete, describe, never_found, smooth, track_people

ASSUMED_FPS = 25.0
LEAST_FPS, MOST_FPS = 0.01, 10_000      # what films can be written at


class FollowedPerson(NamedTuple):
    """One person in every frame: a label, pose2d_px (T, 16, 2) float32, guessed (T, 16) bool."""
    label: str
    pose2d_px: np.ndarray
    guessed: np.ndarray


def follow_people(found, head, number, least_confidence, window):
    """FollowedPersons of Detections; says on stdout who they are and of how many.

    `head` is a head rule; `number` a person's, or EVERYONE (None: whoever is seen longest and most surely); `window`
    the frames of the smoothing filter (None: no smoothing). Of EVERYONE, those are left out, which stderr says, of whom
    a joint is found in no frame.
    """
    matrix = matrix_of(found.format, head)
    tracks = track_people([to_h36m_16(people, matrix) for people in found.people])
    numbers = choose_people(tracks, number)
    print(f'{found.format.name}, {found.width}x{found.height}, {len(found.people)} frames')
    if number == EVERYONE:
        numbers = _whole_bodies(tracks, numbers)
    return [_follow(tracks, each, len(found.people), least_confidence, window) for each in numbers]


def _whole_bodies(tracks, numbers):
    """Of the `numbers` those of whom every joint was found; the others are named."""
    unseen = {number: never_found(tracks[number]) for number in numbers}
    if all(unseen.values()):
        raise InputError('--person all: nobody was found with the whole body; show the feet and hands too')
    for number, names in unseen.items():
        if names:
            print(f'warning: person {number} is left out: {", ".join(names)} found in no frame', file=sys.stderr)
    return [number for number, names in unseen.items() if not names]


def _follow(tracks, number, num_frames, least_confidence, window):
    pose2d_px, guessed = complete(tracks[number], num_frames, least_confidence)
    print(f'{describe(tracks, number, num_frames)}; {guessed.mean():.1%} of the joints were missing or unsure and are '
          'guessed')
    return FollowedPerson(f'person {number}', smooth(pose2d_px, window) if window else pose2d_px, guessed)


def lift_people(lifter, people, found, fps, device, flip):
    """A Motion for each FollowedPerson; `fps` None: as the Detections say, or 25, which stdout says."""
    if not (fps or found.fps) and len(found.people) > 1:
        print(f'nothing tells the frames per second: {ASSUMED_FPS:g} is assumed (--fps)')
    fps = float(fps or found.fps or ASSUMED_FPS)
    if not LEAST_FPS <= fps <= MOST_FPS:
        raise InputError(f'{fps:g} frames per second is no rate of a clip; give --fps from {LEAST_FPS:g} to '
                         f'{MOST_FPS:,}')
    return [Motion(lift(lifter, person.pose2d_px, found.width, found.height, device, flip), person.pose2d_px,
                   person.guessed, fps, found.width, found.height, person.label) for person in people]


@torch.no_grad()
def lift(lifter, pose2d_px, width, height, device, flip=False):
    """(T, 16, 2) pixels -> (T, 16, 3) float32 metres, root-relative, camera frame.

    `flip`: average with the prediction for the mirrored image.
    """
    lifter.eval().to(device)
    pose2d_norm = torch.from_numpy(pixels_to_padded(pose2d_px, width, height)).to(device)
    predicted = [predict_flipped(lifter, chunk) if flip else lifter(chunk) for chunk in pose2d_norm.split(CHUNK)]
    return root_relative(torch.cat(predicted)).cpu().numpy()

"""From the Detections of a clip to Motions: map to our 16 joints, track people, fill gaps, normalise and lift.

With a lifter of another skeleton, its joints take the place of the 16.
"""
import sys
from typing import NamedTuple

import numpy as np
import torch

from common.camera import padded_side, pixels_to_padded
from common.errors import InputError
from common.skeleton import H36M_16
from function_baseline.evaluate import CHUNK, predict
from function_inference.keypoint_formats import matrix_of, to_h36m_16
from function_inference.missing_joints import anchor_of
from function_inference.motion import Motion, is_even
from function_inference.tracks import EVERYONE, choose_people, complete, describe, never_found, smooth, track_people
from models_baseline.temporal import for_clips

ASSUMED_FPS = 25.0
LEAST_WINDOW = 5      # frames: the filter fits a parabola, which leaves three frames almost as they are
LEAST_FPS, MOST_FPS = 0.01, 10_000      # the range that video encoders accept


class FollowedPerson(NamedTuple):
    """One person in all T frames: a label, pose2d_px (T, 16, 2) float32, guessed and weights (T, 16) as in `Completed`."""
    label: str
    pose2d_px: np.ndarray
    guessed: np.ndarray
    weights: np.ndarray


def follow_people(found, head, number, least_confidence, window, skeleton=H36M_16):
    """List of FollowedPerson from Detections; prints who they are and how many people there were.

    `head`: one of HEAD_RULES or None; `number`: a person's number, EVERYONE, or None for the person with the largest sum
    of confidences; `least_confidence`: joints below it are interpolated; `window`: length of the smoothing filter in
    frames (`smoothing_window`), or 0 for no smoothing. With EVERYONE, people without a hip or a shoulder in any frame are
    left out, with a warning.
    """
    matrix = matrix_of(found.format, head, skeleton)
    tracks = track_people([to_h36m_16(people, matrix) for people in found.people])
    numbers = choose_people(tracks, number)
    print(f'{found.format.name}, {found.width}x{found.height}, {len(found.people)} frames')
    if number == EVERYONE:
        numbers = _large_enough(tracks, numbers, skeleton)
    return [_follow(tracks, each, len(found.people), least_confidence, window, number is None, skeleton) for each in numbers]


def _large_enough(tracks, numbers, skeleton):
    """The `numbers` of people of whom a hip or a shoulder is found in some frame; warns of the others."""
    enough = [number for number in numbers if anchor_of((tracks[number].joints[..., 2] > 0).any(0), skeleton) is not None]
    if not enough:
        raise InputError('--person all: no frame shows a hip or a shoulder of anybody; the clip must show the body')
    for number in set(numbers) - set(enough):
        print(f'warning: person {number} is left out: no frame shows a hip or a shoulder', file=sys.stderr)
    return enough


def _follow(tracks, number, num_frames, least_confidence, window, alone, skeleton):
    pose2d_px, guessed, weights = complete(tracks[number], num_frames, least_confidence, skeleton)
    if names := never_found(tracks[number], skeleton):
        print(f'warning: no frame shows {", ".join(names)} of person {number}; guessed from the other joints', file=sys.stderr)
    print(f'{describe(tracks, number, num_frames, alone)}; {guessed.mean():.1%} of the joints were missing or uncertain '
          'and are guessed')
    return FollowedPerson(f'person {number}', smooth(pose2d_px, window) if window else pose2d_px, guessed, weights)


def timing(found, fps=None, time=None):
    """(frames per second, (T,) seconds from the first frame) of the Detections; InputError for an invalid frame rate.

    `time`: the (T,) seconds that the clip states, or None. `fps`: the rate that the user gave, which overrides them; None:
    the rate of `time`, that of the Detections, or else 25, with a line on stdout. Warns if the frames are uneven.
    """
    if fps:
        time = None
    if time is None and not (fps or found.fps) and len(found.people) > 1:
        tell_assumed_rate()
    fps = float(fps or (found.fps if time is None else _rate(time, found.fps)) or ASSUMED_FPS)
    if not LEAST_FPS <= fps <= MOST_FPS:
        raise InputError(f'{fps:g} frames per second is not a valid frame rate; give --fps from '
                         f'{LEAST_FPS:g} to {MOST_FPS:,}')
    if time is None:
        return fps, np.arange(len(found.people)) / fps
    steps = np.diff(time)
    if not is_even(time, fps):
        print(f'warning: the times between frames vary from {1000 * steps.min():.0f} to {1000 * steps.max():.0f} ms: page, '
              f'video and BVH are resampled to {fps:.4g} frames per second', file=sys.stderr)
    return fps, time


def tell_assumed_rate():
    print(f'the frame rate is unknown: {ASSUMED_FPS:g} frames per second are assumed; give the true one with --fps')


def smoothing_window(seconds, fps, num_frames):
    """The odd number of frames nearest to `seconds`; 0, for no smoothing, if it is below LEAST_WINDOW or above `num_frames`."""
    window = 2 * int(seconds * fps / 2) + 1
    return window if LEAST_WINDOW <= window <= num_frames else 0


def _rate(time, stated):
    """The `stated` frames per second if the frames come at this rate, else the mean rate of `time` (T,)."""
    return stated if stated and is_even(time, stated) else (len(time) - 1) / time[-1]


def lift_people(lifter, people, found, fps, time, device, **options):
    """A Motion for each FollowedPerson, whose place is not known yet.

    For `fps` and `time` see `timing`; `options` are those of `lift`.
    """
    skeleton = options.get('skeleton', H36M_16)
    return [Motion(lift(lifter, person.pose2d_px, found.width, found.height, device, **options), person.pose2d_px,
                   person.guessed, fps, found.width, found.height, person.label, time, np.zeros((len(time), 3), np.float32),
                   skeleton=skeleton)
            for person in people]


@torch.no_grad()
def lift(lifter, pose2d_px, width, height, device, flip=False, camera='person', focal_px=None, skeleton=H36M_16, every=1):
    """(T, 16, 2) pixels -> (T, 16, 3) float32 metres, root-relative, camera frame.

    A temporal lifter takes the frames for those of one clip, and sees each of them among others that lie `every` frames apart.
    `flip`: with test-time flip. `camera`: 'person' lifts what a virtual camera sees that looks at the person
    (common/person_camera.py), 'image' the 2D as they are in the image. `focal_px`: focal length of the real camera in pixels
    (None: the longer side of the image). `skeleton`: the lifter's.
    """
    lifter.eval().to(device)
    pose2d_norm = torch.from_numpy(pixels_to_padded(pose2d_px, width, height)).to(device)
    intrinsic = camera_of(width, height, focal_px).to(pose2d_norm)
    lift_frames = for_clips(lifter)
    rows = torch.arange(len(pose2d_norm), device=device)
    parts = rows.split(CHUNK) if lift_frames is lifter else [rows[first::every] for first in range(min(every, len(rows)))]
    pose3d_rel = pose2d_norm.new_empty(*pose2d_norm.shape[:2], 3)
    for part in parts:
        pose3d_rel[part] = predict(lift_frames, pose2d_norm[part], flip, camera, intrinsic, skeleton)
    return pose3d_rel.cpu().numpy()


def frames_apart(trained, fps):
    """The `every` of `lift` for a lifter that was `trained` on clips of so many frames per second, or None if it is unknown."""
    return max(1, round(fps / trained)) if trained else 1


def camera_of(width, height, focal_px=None):
    """(1, 9) the intrinsic vector of a camera without distortion for `pixels_to_padded`; `focal_px` as in `lift`."""
    intrinsic = torch.zeros(1, 9, dtype=torch.float64)
    intrinsic[:, :2] = 2 * (focal_px or max(width, height)) / padded_side(width, height)
    return intrinsic

"""People in single frames -> one person over time: tracked, chosen, completed, smoothed.

People are (P, 16, 3): x and y in pixels and a confidence, all zero where a joint is missing.
"""
from typing import NamedTuple

import numpy as np

from common.errors import InputError
from common.skeleton import H36M_16

FARTHEST_STEP = 0.5      # mean distance of the joints from where they are expected, in parts of the person's extent
PATIENCE = 30            # frames that a person may be out of sight
PACE_FRAMES = 5          # over which a person's pace is measured
SMOOTHING_ORDER = 2      # degree of the polynomial that is fitted in each window
EVERYONE = 'all'         # in place of a person's number


class Track(NamedTuple):
    """One person where seen: `frames` (n,) ascending frame numbers, `joints` (n, 16, 3) pixels and confidence."""
    frames: np.ndarray
    joints: np.ndarray

    @property
    def weight(self):
        """What a track is chosen by: long, well seen ones have a large sum of confidences."""
        return float(self.joints[..., 2].sum())


class Completed(NamedTuple):
    """A track without gaps: pose2d_px (T, 16, 2) float32, guessed (T, 16) bool, true where missing or unsure."""
    pose2d_px: np.ndarray
    guessed: np.ndarray


def track_people(people):
    """People of each frame (list of (P, 16, 3) arrays) -> Tracks, in the order in which they appear.

    Everybody is expected to walk on as they did, so that two who pass each other stay who they are. From frame to frame
    people are matched so that the joints lie as near to where they are expected as they can altogether (the Hungarian
    method); who is farther off than FARTHEST_STEP, or was out of sight for more than PATIENCE frames, is someone else.
    """
    tracks, recent = [], []      # of (frame numbers, poses): everybody so far, and who may be seen again
    for frame, found in enumerate(people):
        found = found[(found[..., 2] > 0).any(-1)]
        recent = [track for track in recent if frame - track[0][-1] <= PATIENCE]
        matched = _match([_expected(*track, frame) for track in recent], found)
        known = list(recent)
        for place, person in enumerate(found):
            if place not in matched:
                tracks.append(([], []))
                recent.append(tracks[-1])
            frames, poses = known[matched[place]] if place in matched else tracks[-1]
            frames.append(frame)
            poses.append(person)
    return [Track(np.array(frames), np.stack(poses)) for frames, poses in tracks]


def _expected(frames, poses, frame):
    """(16, 3) in `frame`: the last of the `poses`, moved on at the pace of the last PACE_FRAMES frames.

    The pace is the median joint's; no more than PACE_FRAMES are looked ahead, as who is out of sight may have stopped.
    """
    last = poses[-1]
    place = next(place for place in range(-1, -len(frames) - 1, -1)
                 if place == -len(frames) or frames[place - 1] < frames[-1] - PACE_FRAMES)
    both = (poses[place][:, 2] > 0) & (last[:, 2] > 0)
    if place == -1 or not both.any():
        return last
    moved = np.median((last - poses[place])[both, :2], axis=0) / (frames[-1] - frames[place])
    return last + np.append(moved, 0) * min(frame - frames[-1], PACE_FRAMES)


def _match(known, found):
    """Place in `found` -> place in `known` of the same person, for those who have one; both are (16, 3) poses."""
    if not len(known) or not len(found):
        return {}
    from scipy.optimize import linear_sum_assignment  # half a second, for those alone who need it
    steps = _steps(np.stack(known), found)
    pairs = zip(*linear_sum_assignment(np.minimum(steps, FARTHEST_STEP)))
    return {after: before for before, after in pairs if steps[before, after] < FARTHEST_STEP}


def _steps(before, after):
    """(K, 16, 3), (F, 16, 3) -> (K, F): mean distance of the joints that both show, in parts of the larger extent."""
    before, after = before[:, None], after[None]
    both = (before[..., 2] > 0) & (after[..., 2] > 0)
    moved = np.linalg.norm(before[..., :2] - after[..., :2], axis=-1)
    mean = (moved * both).sum(-1) / np.maximum(both.sum(-1), 1)
    return np.where(both.any(-1), mean, np.inf) / np.maximum(_extent(before), _extent(after))


def _extent(people):
    """(..., 16, 3) -> (...): diagonal of the box about the joints that are seen, in pixels, 1 at least."""
    seen = people[..., 2:] > 0
    high = np.where(seen, people[..., :2], -np.inf).max(-2)
    low = np.where(seen, people[..., :2], np.inf).min(-2)
    return np.maximum(np.linalg.norm(high - low, axis=-1), 1)


def choose_people(tracks, number=None):
    """Numbers of the tracks to lift: the one asked for, EVERYONE's, or the one with the largest sum of confidences."""
    if not tracks:
        raise InputError('nobody was found in any frame')
    if number == EVERYONE:
        return list(range(len(tracks)))
    if number is None:
        return [max(range(len(tracks)), key=lambda place: tracks[place].weight)]
    if number >= len(tracks):
        raise InputError(f'--person {number}: {len(tracks)} people were tracked, numbered from 0 to {len(tracks) - 1}')
    return [number]


def describe(tracks, number, num_frames):
    """One line on the person chosen: which of how many, seen when."""
    track = tracks[number]
    return (f'person {number} of {len(tracks)} (numbered from 0 as they appear): seen in {len(track.frames)} of '
            f'{num_frames} frames, {track.frames[0]} to {track.frames[-1]}, mean confidence '
            f'{track.joints[..., 2].mean():.2f}')


def complete(track, num_frames, least_confidence):
    """Completed track over all `num_frames` frames.

    What is missing or less sure than `least_confidence` is interpolated linearly in time; before a joint's first and
    after its last sight it is held. The hip is completed first, and all others relative to it: a hand that is hidden
    for a second walks along. For a joint that is sure in no frame, as on a picture from the side, the detector's own
    guesses do; InputError where there are none.
    """
    joints = np.zeros((num_frames, H36M_16.num_joints, 3), np.float32)
    joints[track.frames] = track.joints
    found = joints[..., 2] > 0
    sure = found & (joints[..., 2] >= least_confidence)
    seen = np.where(sure.any(0), sure, found)
    if unseen := never_found(track):
        raise InputError(f'{", ".join(unseen)} of this person: found in no frame; choose another --person, or show the '
                         'whole body')
    positions = joints[..., :2].astype(np.float64)
    hip, = H36M_16.joints('Hip')
    root = _interpolated(positions[:, hip], seen[:, hip])[:, None]
    relative = np.stack([_interpolated(positions[:, joint] - root[:, 0], seen[:, joint])
                         for joint in range(H36M_16.num_joints)], axis=1)
    return Completed((relative + root).astype(np.float32), ~sure)


def never_found(track):
    """Names of the joints that no frame of the track shows."""
    ever = (track.joints[..., 2] > 0).any(0)
    return [name for name, found in zip(H36M_16.names, ever) if not found]


def _interpolated(positions, seen):
    """(T, 2), where not `seen` (T,) linear between the neighbours in time that are; held at both ends."""
    time = np.arange(len(positions))
    return np.stack([np.interp(time, time[seen], axis[seen]) for axis in positions.T], axis=1)


def smooth(pose2d_px, window):
    """(T, 16, 2) smoothed over time by a Savitzky-Golay filter; `window` is an odd number of frames, 3 at least.

    InputError where the clip is shorter.
    """
    if window > len(pose2d_px):
        raise InputError(f'--smooth {window}: the clip has only {len(pose2d_px)} frames; choose an odd number below, '
                         'or leave it out')
    from scipy.signal import savgol_filter
    return savgol_filter(pose2d_px, window, SMOOTHING_ORDER, axis=0).astype(pose2d_px.dtype)

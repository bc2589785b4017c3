"""Tracking: the people of single frames -> tracks of persons over time, one of which is chosen, completed and smoothed.

People are arrays (P, 16, 3): x and y in pixels and the confidence, all zero for a missing joint.
"""
from typing import NamedTuple

import numpy as np

from common.errors import InputError
from common.skeleton import H36M_16
from function_inference.missing_joints import anchor_of, require_enough, with_guessed_joints

FARTHEST_STEP = 0.5      # mean distance of the joints from their expected places, relative to the person's extent
PATIENCE = 30            # frames for which a person may be out of sight
PACE_FRAMES = 5          # over which a person's velocity is measured
SMOOTHING_ORDER = 2      # degree of the polynomial that is fitted in each window
EVERYONE = 'all'         # in place of a person's number


class Track(NamedTuple):
    """One person in the n frames in which they are seen: `frames` (n,) ascending numbers, `joints` (n, 16, 3)."""
    frames: np.ndarray
    joints: np.ndarray

    @property
    def weight(self):
        """Sum of all confidences, by which a track is chosen: it is large for a person seen long and clearly."""
        return float(self.joints[..., 2].sum())


class Completed(NamedTuple):
    """A track without gaps.

    pose2d_px (T, 16, 2) float32; guessed (T, 16) bool, true if missing or of low confidence; weights (T, 16) float32, the
    confidence of the joints that are taken as detected and 0 for those that are interpolated.
    """
    pose2d_px: np.ndarray
    guessed: np.ndarray
    weights: np.ndarray


def track_people(people):
    """The people of each frame, a list of (P, 16, 3) -> list of Track, in the order in which they first appear.

    Each person is expected to move on with a constant velocity, so that two who pass each other keep their tracks. The
    people of a frame are assigned to tracks such that the sum of the joints' distances from their expected places is
    minimal (Hungarian method). A person farther away than FARTHEST_STEP starts a new track, and a track ends after
    PATIENCE frames out of sight.
    """
    tracks, recent = [], []      # (frame numbers, poses) of all tracks, and of those not ended
    for frame, found in enumerate(people):
        found = found[(found[..., 2] > 0).any(-1)]
        recent = [track for track in recent if frame - track[0][-1] <= PATIENCE]
        matched = match_people([_expected(*track, frame) for track in recent], found)
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
    """Expected pose (16, 3) in `frame`: the last of the `poses`, moved by the velocity over the last PACE_FRAMES frames.

    The velocity is the median over the joints. It is applied for at most PACE_FRAMES frames, as a person out of sight
    may have stopped.
    """
    last = poses[-1]
    place = next(place for place in range(-1, -len(frames) - 1, -1)
                 if place == -len(frames) or frames[place - 1] < frames[-1] - PACE_FRAMES)
    both = (poses[place][:, 2] > 0) & (last[:, 2] > 0)
    if place == -1 or not both.any():
        return last
    moved = np.median((last - poses[place])[both, :2], axis=0) / (frames[-1] - frames[place])
    return last + np.append(moved, 0) * min(frame - frames[-1], PACE_FRAMES)


def match_people(known, found):
    """Dict from index in `found` (F, 16, 3) to index in `known` (list of (16, 3)), for the pairs that are one person."""
    if not len(known) or not len(found):
        return {}
    from scipy.optimize import linear_sum_assignment  # imported here as it takes half a second
    steps = _steps(np.stack(known), found)
    pairs = zip(*linear_sum_assignment(np.minimum(steps, FARTHEST_STEP)))
    return {after: before for before, after in pairs if steps[before, after] < FARTHEST_STEP}


def _steps(before, after):
    """(K, 16, 3), (F, 16, 3) -> (K, F): mean distance of the joints seen in both, relative to the larger extent."""
    before, after = before[:, None], after[None]
    both = (before[..., 2] > 0) & (after[..., 2] > 0)
    moved = np.linalg.norm(before[..., :2] - after[..., :2], axis=-1)
    mean = (moved * both).sum(-1) / np.maximum(both.sum(-1), 1)
    return np.where(both.any(-1), mean, np.inf) / np.maximum(_extent(before), _extent(after))


def _extent(people):
    """(..., 16, 3) -> (...): diagonal of the bounding box of the joints that are seen, in pixels, at least 1."""
    seen = people[..., 2:] > 0
    high = np.where(seen, people[..., :2], -np.inf).max(-2)
    low = np.where(seen, people[..., :2], np.inf).min(-2)
    return np.maximum(np.linalg.norm(high - low, axis=-1), 1)


def choose_people(tracks, number=None):
    """Numbers of the tracks to lift: `number`, all for EVERYONE, or the track with the largest weight for None.

    InputError if there are no tracks or `number` is too large.
    """
    if not tracks:
        raise InputError('no people were found in any frame')
    if number == EVERYONE:
        return list(range(len(tracks)))
    if number is None:
        return [max(range(len(tracks)), key=lambda place: tracks[place].weight)]
    if number >= len(tracks):
        raise InputError(f'--person {number}: {len(tracks)} people were tracked, numbered from 0 to {len(tracks) - 1}')
    return [number]


def describe(tracks, number, num_frames, alone=False):
    """One line about a chosen person: their number, how many people there are, and when the person is seen.

    `alone`: nobody else is lifted.
    """
    track = tracks[number]
    return (f'person {number} of {len(tracks)} (numbered from 0 as they appear): seen in {len(track.frames)} of '
            f'{num_frames} frames, {track.frames[0]} to {track.frames[-1]}, mean confidence '
            f'{track.joints[..., 2].mean():.2f}' + '; --person all lifts everybody' * (len(tracks) > 1 and alone))


def complete(track, num_frames, least_confidence, skeleton=H36M_16):
    """Completed track over all `num_frames` frames; InputError if neither a hip nor a shoulder is found in any frame.

    Joints that are missing or have a confidence below `least_confidence` are interpolated linearly in time, and held
    before the first and after the last frame in which they are seen. The hip is interpolated first and all other joints
    relative to it, so that a hand that is hidden for a second moves along with the body. A joint with a low confidence
    in every frame, as in a view from the side, is taken as detected. A joint that is found in no frame gets a place relative
    to the others (missing_joints.py), or, in another skeleton than ours, causes an InputError.
    """
    joints = np.zeros((num_frames, skeleton.num_joints, 3), np.float32)
    joints[track.frames] = track.joints
    found = joints[..., 2] > 0
    sure = found & (joints[..., 2] >= least_confidence)
    seen = np.where(sure.any(0), sure, found)
    ever = seen.any(0)
    require_enough(ever, skeleton)
    anchor = anchor_of(ever, skeleton)
    positions = joints[..., :2].astype(np.float64)
    root = _interpolated(positions[:, anchor], seen[:, anchor])[:, None]
    relative = np.zeros_like(positions)
    for joint in np.flatnonzero(ever):
        relative[:, joint] = _interpolated(positions[:, joint] - root[:, 0], seen[:, joint])
    if not ever.all():
        relative = with_guessed_joints(relative, ever)
    return Completed((relative + root).astype(np.float32), ~sure, joints[..., 2] * seen)


def never_found(track, skeleton=H36M_16):
    """Names of the joints that are found in no frame of the track."""
    ever = (track.joints[..., 2] > 0).any(0)
    return [name for name, found in zip(skeleton.names, ever) if not found]


def _interpolated(positions, seen):
    """(T, 2) with the positions that are not `seen` (T,) interpolated linearly in time, and held at both ends."""
    time = np.arange(len(positions))
    return np.stack([np.interp(time, time[seen], axis[seen]) for axis in positions.T], axis=1)


def smooth(pose2d_px, window):
    """(T, 16, 2) smoothed over time by a Savitzky-Golay filter; `window`: an odd number of frames, at least 3.

    InputError if the clip is shorter than the window.
    """
    if window > len(pose2d_px):
        raise InputError(f'--smooth {window}: the clip has only {len(pose2d_px)} frames; choose a smaller odd number '
                         'or leave --smooth out')
    from scipy.signal import savgol_filter
    return savgol_filter(pose2d_px, window, SMOOTHING_ORDER, axis=0).astype(pose2d_px.dtype)

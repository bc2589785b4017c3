"""The room in which people are shown: upright, on a floor, at the places where they are if these are known.

Frames and units
    camera   metres, x right, y down, z forward
    upright  metres, x right, y up, z towards the camera, the floor at y = 0
The upright frame is the camera frame turned by 180 degrees about x, so that nothing is mirrored, and by the camera's tilt and
roll. Its origin is the point of the floor below the camera, or the one below the person's hip if their place is unknown.
"""
import numpy as np

from common.skeleton import H36M_16

FLOOR_SECONDS = 1.0      # longer than any jump: within this time everybody touches the floor
FOLLOW_SECONDS = 2.0
APART_M = 1.5            # between people whose places are unknown
LEVEL_DEG = 5.0          # smaller angles are within the error of the guess
LEAST_STRAIGHT = 0.85    # cosine between trunk and legs of a person who stands or walks
LEAST_UP = 0.5           # cosine between a standing person and the vertical of the image


def upright(motion):
    """(T, 16, 3) metres, upright frame: the Motion's person on the floor.

    Someone whose place is unknown stays on the spot, with the lowest joint of each frame on the floor.
    """
    return on_floor(level(motion.pose3d_rel + motion.root_cam[:, None], motion.tilt_deg, motion.roll_deg), motion)


def on_floor(pose3d, motion):
    """(T, 16, 3) with y up, moved up or down such that the feet of the Motion's person are on the floor.

    Where the place is known, the floor follows the lowest joint, but not during a jump: rises that last less than FLOOR_SECONDS
    are cut off (by a morphological opening).
    """
    from scipy.ndimage import grey_opening
    floor = pose3d[..., 1].min(axis=-1)
    if motion.is_placed:
        floor = grey_opening(floor, size=2 * round(FLOOR_SECONDS * motion.fps / 2) + 1, mode='nearest')
    return pose3d - np.array([0, 1, 0]) * floor[:, None, None]


def scene(motions):
    """List of (T, 16, 3) metres, `upright` of each Motion; people whose places are unknown stand side by side."""
    places = APART_M * (np.arange(len(motions)) - (len(motions) - 1) / 2)
    return [upright(motion) + (0 if motion.is_placed else np.array([place, 0, 0])) for motion, place in zip(motions, places)]


def followed_places(poses3d, shown, fps):
    """(T, 3) metres on the floor, which views follow: the middle of the people's hips, averaged over FOLLOW_SECONDS.

    `poses3d` (P, T, 16, 3), upright frame; `shown` (P, T) bool: only people who are in sight count, if there are any.
    """
    from scipy.ndimage import uniform_filter1d
    hidden = ~(shown | ~shown.any(axis=0))[..., None]
    low, high = (np.where(hidden, far, poses3d[:, :, 0]) for far in (np.inf, -np.inf))
    middle = (low.min(axis=0) + high.max(axis=0)) / 2
    return uniform_filter1d(middle, 2 * round(FOLLOW_SECONDS * fps / 2) + 1, axis=0, mode='nearest') * (1, 0, 1)


def level(vectors_cam, tilt_deg=0.0, roll_deg=0.0):
    """(..., 3) camera frame -> the same vectors on the axes of the upright frame."""
    sine, cosine = np.sin(np.radians([tilt_deg, roll_deg])), np.cos(np.radians([tilt_deg, roll_deg]))
    unroll = np.array([[cosine[1], sine[1], 0], [-sine[1], cosine[1], 0], [0, 0, 1]])
    untilt = np.array([[1, 0, 0], [0, -cosine[0], -sine[0]], [0, sine[0], -cosine[0]]])
    return vectors_cam @ (untilt @ unroll).T


def straightened(motions, tilt_deg=None, roll_deg=None):
    """The Motions of one clip with the tilt and roll of its camera; an angle that is None is guessed."""
    tilt, roll = guess_angles([motion.pose3d_rel for motion in motions], skeleton=motions[0].skeleton)
    return [motion._replace(tilt_deg=tilt if tilt_deg is None else tilt_deg, roll_deg=roll if roll_deg is None else roll_deg)
            for motion in motions]


def guess_angles(poses3d_rel, least_deg=LEVEL_DEG, skeleton=H36M_16):
    """(tilt, roll) in degrees from the poses (T, 16, 3) of each person: people who stand or walk are upright on average.

    Their upward direction is the median one from the middle of the feet to the thorax. Frames in which somebody bends, sits or
    lies do not count; angles below `least_deg`, and those of clips without other frames, are taken for 0.
    """
    poses = np.concatenate(poses3d_rel).astype(np.float64)
    thorax, hip, feet = (poses[:, skeleton.joints(*names)].mean(axis=1) for names in (['Thorax'], ['Hip'], ['LFoot', 'RFoot']))
    trunk, legs, up = _unit(thorax - hip), _unit(hip - feet), _unit(thorax - feet)
    standing = ((trunk * legs).sum(axis=-1) > LEAST_STRAIGHT) & (-up[:, 1] > LEAST_UP)
    if not standing.any():
        return 0.0, 0.0
    x, y, z = _unit(np.median(up[standing], axis=0))
    angles = np.degrees([np.arcsin(-z), np.arctan2(x, -y)]).round(1)
    return tuple(float(angle) if abs(angle) >= least_deg else 0.0 for angle in angles)


def _unit(vectors):
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)

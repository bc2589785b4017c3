#!/usr/bin/env python3
"""How far from the truth run_inference.py --root fit places people who walk through a room:

python3 benchmarks/path.py --evaluate CHECKPOINT [CHECKPOINT ...]

The walking sequences of Human3.6M's S9 and S11 are turned about the vertical, seen by a level pinhole camera, and lifted and
smoothed as in run_inference.py. For each distance of the path's middle: the mean error of the hip's place in the camera frame,
the error that remains after the path is scaled about the camera by one factor (the body's unknown size), the mean error of the
guessed tilt and roll, and how high above the floor the lowest joint is at most when a jump of 0.5 m is added to the clip.
"""
import math
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))    # run as a script, from wherever
from benchmarks.distance import WIDTH_PX, camera_parser
from common.datasets.h36m import read_h36m
from common.datasets.h36m_protocol import GT, TEST_SUBJECTS, action_of
from common.datasets.joint_orders import H36M_16_IN_32
from function_inference.lifting import FollowedPerson, lift, smoothing_window
from function_inference.motion import Motion
from function_inference.room import guess_angles, upright
from function_inference.root import with_roots
from function_inference.tracks import smooth
from utils.command_line import exits_cleanly
from utils.runs.checkpoint import load_lifter

HEIGHT_PX, FPS = 1080, 50
JUMP_M, GRAVITY = 0.5, 9.81
DISTANCES_M = (3.5, 5., 7.)
FACINGS_DEG = (0, 60, 120)
NEAREST_M = 1.0      # nobody is filmed from nearer; clips that come nearer are left out


@exits_cleanly
def main(argv=None):
    """Print a table for each checkpoint; returns {(checkpoint, distance): the numbers of `errors`}."""
    args = parser().parse_args(argv)
    clips, results = walks(args.data_root), {}
    for path in args.evaluate:
        lifter, _ = load_lifter(path, SimpleNamespace(dropout=0., explicit=()))
        print(f'\n{path}\ndistance   error, m   scaled, m   tilt, degrees   roll, degrees   jump, m')
        for distance in DISTANCES_M:
            rows = [errors(lifter, clip, facing, distance, args) for clip in clips for facing in FACINGS_DEG]
            results[path, distance] = tuple(np.mean([row for row in rows if row], axis=0).round(4).tolist())
            print(f'{distance:>6g} m' + ''.join(f'{number:>{width}.{digits}f}' for number, width, digits in
                                                zip(results[path, distance], (11, 12, 16, 16, 10), (2, 2, 1, 1, 2))))
    return results


def parser():
    """The flags."""
    parser = camera_parser(__doc__)
    parser.add_argument('--noise', type=float, default=3, metavar='PIXELS', help='of the 2D (default %(default)s)')
    return parser


def walks(data_root):
    """List of (T, 16, 3) metres, z up: clips of people who walk, the middle of their path at the origin."""
    files = read_h36m(data_root, GT, TEST_SUBJECTS)
    clips = [poses[:, H36M_16_IN_32].astype(np.float64) for subject in TEST_SUBJECTS
             for sequence, poses in files.pose3d[subject].items() if action_of(sequence).startswith('Walk')]
    return [clip - clip[:, 0].mean(axis=0) * [1, 1, 0] for clip in clips]


def errors(lifter, clip, facing, distance, args):
    """(error, error after scaling, tilt, roll, height of a jump) of one clip; None if the person comes too near."""
    pose3d_cam = _before_the_camera(clip, math.radians(facing), distance, args.height)
    if pose3d_cam[..., 2].min() < NEAREST_M:
        return None
    truth, motion = pose3d_cam[:, 0], _found(lifter, pose3d_cam, args)
    found, angles = motion.root_cam, np.abs(guess_angles([motion.pose3d_rel], least_deg=0))
    scale = (found * truth).sum() / (found * found).sum()
    path_errors = [np.linalg.norm(each - truth, axis=1).mean() for each in (found, scale * found)]
    height = _jump(len(truth))
    jumping = upright(_found(lifter, pose3d_cam - height[:, None, None] * [0, 1, 0], args))
    return (*path_errors, *angles, jumping[height > 0][..., 1].min(axis=-1).max())


def _jump(frames):
    """(T,) metres: a jump of JUMP_M in the middle of a clip."""
    speed = math.sqrt(2 * GRAVITY * JUMP_M)
    airborne = np.clip((np.arange(frames) - frames // 2) / FPS, 0, 2 * speed / GRAVITY)
    return speed * airborne - GRAVITY / 2 * airborne ** 2


def _found(lifter, pose3d_cam, args):
    """The Motion that run_inference.py finds; its camera is taken to be level."""
    pose2d_px = pose3d_cam[..., :2] / pose3d_cam[..., 2:] * args.focal + np.array([WIDTH_PX, HEIGHT_PX]) / 2
    pose2d_px += args.noise * np.random.default_rng(0).normal(size=pose2d_px.shape)
    focal_px = args.assumed_focal or args.focal
    window = smoothing_window(.3, FPS, len(pose2d_px))
    pose2d_px = smooth(pose2d_px, window).astype(np.float32)
    pose3d_rel = lift(lifter, pose2d_px, WIDTH_PX, HEIGHT_PX, 'cpu', focal_px=focal_px)
    seen = np.ones(pose2d_px.shape[:2], np.float32)
    motion = Motion(pose3d_rel, pose2d_px, seen < 1, FPS, WIDTH_PX, HEIGHT_PX, '', np.arange(len(seen)) / FPS,
                    np.zeros((len(seen), 3)))
    return with_roots([motion], [FollowedPerson('', pose2d_px, seen < 1, seen)], focal_px, window)[0]


def _before_the_camera(clip, facing, distance, height):
    """(T, 16, 3) metres, z up -> camera frame of a level camera at this height, the path's middle at that distance."""
    x, y, z = np.moveaxis(clip, -1, 0)
    right, away = math.cos(facing) * x - math.sin(facing) * y, math.sin(facing) * x + math.cos(facing) * y
    return np.stack([right, height - z, away + distance], axis=-1)


if __name__ == '__main__':
    main()

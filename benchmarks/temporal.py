#!/usr/bin/env python3
"""How much lifters tremble, and what a Savitzky-Golay filter gains, on the clips of Human3.6M's test subjects:

python3 benchmarks/temporal.py --evaluate CHECKPOINT [CHECKPOINT ...]

Each checkpoint, of one frame or of several, lifts all clips: as they are, from 2D smoothed as run_inference.py smooths it, and
with its 3D smoothed in the same way. MPJPE (mm), MPJVE (mm/frame) and acceleration error (mm/frame^2) are means over all poses
and steps. --downsample must be that of the training: a lifter of several frames knows one frame rate.
"""
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))    # run as a script, from wherever
from common.camera import root_relative
from common.datasets import TEST_SETS
from common.metrics import mpjpe
from common.motion_metrics import acceleration_errors, velocity_errors
from common.person_camera import camera_of
from function_baseline.arguments import add_test_args
from function_baseline.clips import clips_of
from function_baseline.evaluate import predict
from function_inference.lifting import smoothing_window
from function_inference.tracks import smooth
from utils.command_line import Parser, exits_cleanly
from utils.runs.checkpoint import load_lifter

FPS = 50                # of Human3.6M
SMOOTHED = ('nothing', '2D', '3D')


class Errors(NamedTuple):
    """Means over all poses, or steps: mm, mm/frame, mm/frame^2."""
    mpjpe_mm: float
    mpjve_mm: float
    acceleration_mm: float


@exits_cleanly
def main(argv=None):
    """Print a row for each checkpoint and each of SMOOTHED; returns {(checkpoint, smoothed): Errors}."""
    args, results = parser().parse_args(argv), {}
    poses = TEST_SETS['h36m'].load(args.data_root, args.keypoints, args.actions, args.downsample)
    print(f'{"MPJPE":>8}{"MPJVE":>8}{"accel.":>8}   smoothed')
    for path in args.evaluate:
        lifter, weights = load_lifter(path, SimpleNamespace(dropout=0., explicit=()))
        print(f'{path}: {weights.kind}')
        for smoothed in SMOOTHED:
            results[path, smoothed] = found = errors(lifter.eval(), poses, smoothed, args)
            print(''.join(f'{number:8.2f}' for number in found) + f'   {smoothed}')
    return results


@torch.no_grad()
def errors(lifter, poses, smoothed, args):
    """Errors of a lifter on the clips of a PoseSet, with one of SMOOTHED."""
    found = []
    for index, lift in clips_of(lifter, poses):
        batch, window = poses.take(index), smoothing_window(args.smooth, FPS / args.downsample, len(index))
        pose2d = filtered(batch.pose2d, window if smoothed == '2D' else 0)
        predicted = predict(lift, pose2d, args.flip, camera_of(lifter), batch.camera, poses.skeleton)
        motions = filtered(predicted, window if smoothed == '3D' else 0).double(), root_relative(batch.pose3d_cam).double()
        found.append([measure(*motions) for measure in (mpjpe, velocity_errors, acceleration_errors)])
    return Errors(*(1000 * float(torch.cat(column).mean()) for column in zip(*found)))


def filtered(motion, window):
    """(T, J, D) smoothed over `window` frames; 0: as it is."""
    return torch.from_numpy(smooth(motion.numpy(), window)) if window else motion


def parser():
    """The flags."""
    made = Parser(__doc__.partition(':')[0])
    made.add_argument('--evaluate', required=True, nargs='+', metavar='FILE', help='checkpoints of either trainer')
    made.add_argument('--smooth', type=float, default=.3, metavar='SECONDS', help='length of the filter (default %(default)s)')
    made.add_argument('--flip', action='store_true', help='with test-time flip')
    add_test_args(made)
    return made


if __name__ == '__main__':
    main()

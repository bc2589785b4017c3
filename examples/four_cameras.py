#!/usr/bin/env python3
"""How good is a lifter on real video? Four calibrated cameras film one person; each camera alone is lifted and compared with
the triangulation of all four:

python3 examples/four_cameras.py --recording Pose2Sim/Demo_SinglePerson --output four_cameras

The recording is the demo of Pose2Sim (BSD 3-Clause): pip download pose2sim --no-deps, and unzip the wheel. It needs the
packages for videos (docs/inference.md). The truth is itself made of detections, so it is not exact.
"""
import sys
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))    # run as a script, from wherever
import run_inference
from common.bones import bone_lengths, bone_vectors
from common.errors import InputError
from common.metrics import mpjpe, p_mpjpe
from utils.command_line import Parser, exits_cleanly

UNITS_PER_PIXEL = 64       # of Qualisys' calibration files
LEAST_CAMERAS = 3          # that must see a joint; otherwise it has no truth


class View(NamedTuple):
    """A calibrated camera: `matrix` (3, 3) and `distortion` (4,) as OpenCV defines them, in pixels; a point x in the world has
    the camera coordinates rotation @ x + shift, metres.
    """
    name: str
    matrix: np.ndarray
    distortion: np.ndarray
    rotation: np.ndarray
    shift: np.ndarray


@exits_cleanly
def main(argv=None):
    """Print a row for each camera; returns {camera: (P-MPJPE mm, MPJPE mm, bone-length error mm, deviation over time mm)}."""
    args = parser().parse_args(argv)
    views = calibrated(args.recording / 'calibration' / 'Calib.qca.txt')
    motions = [lifted(args, view.name) for view in views]
    frames = min(len(motion['pose3d_rel']) for motion in motions)
    rays = np.stack([rays_of(motion['pose2d_px'][:frames], view) for motion, view in zip(motions, views)])
    seen = np.stack([~motion['guessed'][:frames] for motion in motions])
    world = triangulated(rays, seen, views)
    whole = (seen.sum(0) >= LEAST_CAMERAS).all(-1)
    print(f'{whole.sum()} of {frames} frames have all joints in at least {LEAST_CAMERAS} cameras; the triangulation projects '
          f'{reprojection(world[whole], motions, views, whole, seen):.1f} pixels from the detections (median)')
    print(f'{"camera":<10}{"P-MPJPE":>10}{"MPJPE":>10}{"bone lengths":>15}{"over time":>12}   mm')
    rows = {view.name: figures(motion['pose3d_rel'][:frames][whole], world[whole] @ view.rotation.T)
            for view, motion in zip(views, motions)}
    for name, row in rows.items():
        print(f'{name:<10}{row[0]:>10.1f}{row[1]:>10.1f}{row[2]:>15.1f}{row[3]:>12.1f}')
    return rows


def parser():
    """The flags."""
    made = Parser('Lift each of four calibrated videos, and compare with the triangulation of all.')
    made.add_argument('--recording', type=Path, required=True, metavar='DIR', help='folder with videos/ and calibration/')
    made.add_argument('--evaluate', default='', metavar='FILE',
                      help='checkpoint (default: the lifter that comes with the project)')
    made.add_argument('--detector', default='', metavar='NAME', help='as in run_inference.py')
    made.add_argument('--output', type=Path, required=True, metavar='DIR', help='folder for the lifted motions')
    return made


def calibrated(path):
    """The Views of a Qualisys file, whose cameras look along their -z axis with y up; InputError without such a file."""
    if not path.is_file():
        raise InputError(f'{path} is missing; --recording takes the folder Demo_SinglePerson of Pose2Sim')
    views = []
    for camera in ElementTree.parse(path).iter('camera'):
        lens = {name: float(value) for name, value in camera.find('intrinsic').attrib.items()}
        place = {name: float(value) for name, value in camera.find('transform').attrib.items()}
        matrix = np.array([[lens['focalLengthU'], 0, lens['centerPointU']], [0, lens['focalLengthV'], lens['centerPointV']],
                           [0, 0, UNITS_PER_PIXEL]]) / UNITS_PER_PIXEL
        axes = np.array([[place[f'r{row}{column}'] for column in (1, 2, 3)] for row in (1, 2, 3)])     # rows: camera axes
        rotation = np.diag([1., -1., -1.]) @ axes
        centre = np.array([place[axis] for axis in 'xyz']) / 1000
        distortion = [lens[name] for name in ('radialDistortion1', 'radialDistortion2', 'tangentalDistortion1',
                                              'tangentalDistortion2')]
        views.append(View(camera.get('serial'), matrix, np.array(distortion), rotation, -rotation @ centre))
    return views


def lifted(args, name):
    """The arrays of motion.npz of one camera; lifts its video if that was not done before."""
    folder = args.output / name
    if not (folder / 'motion.npz').is_file():
        detector = ['--detector', args.detector] if args.detector else []
        run_inference.main(['--input', str(args.recording / 'videos' / f'{name}.mp4'), '--evaluate', args.evaluate,
                            '--output', str(folder), '--video', 'none', *detector])
    return dict(np.load(folder / 'motion.npz'))


def rays_of(pose2d_px, view):
    """(T, J, 2) pixels -> (T, J, 2) on the plane z = 1, lens distortion undone."""
    import cv2
    points = cv2.undistortPoints(pose2d_px.reshape(-1, 1, 2).astype(np.float64), view.matrix, view.distortion)
    return points.reshape(pose2d_px.shape)


def triangulated(rays, seen, views):
    """(C, T, J, 2) on the plane z = 1, (C, T, J) bool -> (T, J, 3) world metres by linear least squares (DLT)."""
    rows = []
    for points, weight, view in zip(rays, seen, views):
        camera = np.concatenate([view.rotation, view.shift[:, None]], axis=1)
        rows += [weight[..., None] * (points[..., axis, None] * camera[2] - camera[axis]) for axis in (0, 1)]
    solution = np.linalg.svd(np.stack(rows, axis=-2))[2][..., -1, :]
    return solution[..., :3] / solution[..., 3:]


def reprojection(world, motions, views, frames, seen):
    """Median distance in pixels between the detections and the projected truth."""
    distances = []
    for motion, view, mask in zip(motions, views, seen):
        camera = world @ view.rotation.T + view.shift
        pixels = camera[..., :2] / camera[..., 2:] * view.matrix[[0, 1], [0, 1]] + view.matrix[:2, 2]
        distances.append(np.linalg.norm(pixels - motion['pose2d_px'][:len(frames)][frames], axis=-1)[mask[frames]])
    return np.median(np.concatenate(distances))


def figures(lifted_pose, truth):
    """(P-MPJPE, MPJPE, error of the mean bone lengths, their standard deviation over time), mm, of (T, J, 3) metres."""
    lifted_pose = torch.as_tensor(lifted_pose, dtype=torch.float64)
    truth = torch.as_tensor(truth - truth[:, :1])
    lengths, true_lengths = (bone_lengths(bone_vectors(pose)).squeeze(-1) for pose in (lifted_pose, truth))
    return tuple(1000 * float(value) for value in (
        p_mpjpe(lifted_pose, truth).mean(), mpjpe(lifted_pose, truth).mean(),
        (lengths.mean(0) - true_lengths.mean(0)).abs().mean(), lengths.std(0).mean()))


if __name__ == '__main__':
    main()

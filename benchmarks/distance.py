#!/usr/bin/env python3
"""Errors of a lifter on people who stand far away or at the side, with and without a virtual camera that looks at them:

python3 benchmarks/distance.py --evaluate CHECKPOINT [CHECKPOINT ...]

The walking sequences of Human3.6M's S9 and S11 are turned at random about the vertical and seen by a level pinhole camera:
MPJPE in mm and the mean angle between the predicted and the true torso, in degrees.
"""
import math
import sys
from pathlib import Path
from types import SimpleNamespace

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))    # run as a script, from wherever
from common.camera import project
from common.datasets.h36m import read_h36m
from common.datasets.h36m_protocol import GT, TEST_SUBJECTS, action_of
from common.datasets.joint_orders import H36M_16_IN_32
from common.files.paths import add_data_root
from common.metrics import mpjpe
from common.person_camera import CAMERAS
from common.skeleton import H36M_16
from function_baseline.evaluate import predict
from utils.command_line import Parser, exits_cleanly, positive
from utils.runs.checkpoint import load_lifter
from utils.seeding import generator

WIDTH_PX = 1920
DISTANCES_M = (3.5, 5., 7., 10., 15.)
SIDES = (0., .5)      # of half the image's width: in the middle, and half-way to its border


@exits_cleanly
def main(argv=None):
    """Print a table for each checkpoint; returns {(checkpoint, camera, side, distance): (MPJPE mm, torso degrees)}."""
    args = parser().parse_args(argv)
    people = walkers(args.data_root, args.downsample, args.random_seed)
    results = {}
    for path in args.evaluate:
        lifter, _ = load_lifter(path, SimpleNamespace(dropout=0., explicit=()))
        print(f'\n{path}: MPJPE, mm / torso, degrees\n{"":<24}' + ''.join(f'{distance:>11g} m' for distance in DISTANCES_M))
        for camera in CAMERAS:
            for side in SIDES:
                row = [errors(lifter.eval(), people, camera, side, distance, args) for distance in DISTANCES_M]
                results.update({(path, camera, side, distance): cell for distance, cell in zip(DISTANCES_M, row)})
                name = f'{camera}, {"middle" if side == 0 else "side"}'
                print(f'{name:<24}' + ''.join(f'{error:>9.0f} /{angle:>2.0f}' for error, angle in row))
    return results


def camera_parser(description):
    """The flags of the checkpoints and of the level camera; benchmarks/path.py has the same."""
    parser = Parser(description.partition(':')[0])
    parser.add_argument('--evaluate', nargs='+', required=True, metavar='FILE', help='checkpoints')
    parser.add_argument('--focal', type=positive, default=1500, metavar='PIXELS',
                        help=f'focal length, for an image {WIDTH_PX} pixels wide (default %(default)s)')
    parser.add_argument('--assumed_focal', type=positive, metavar='PIXELS', help='what it is taken for (default: the true one)')
    parser.add_argument('--height', type=float, default=1.5, metavar='METRES', help='of the camera (default %(default)s)')
    add_data_root(parser)
    return parser


def parser():
    """The flags."""
    parser = camera_parser(__doc__)
    parser.add_argument('--downsample', type=positive, default=10, metavar='N', help='every N-th frame (default %(default)s)')
    parser.add_argument('--random_seed', type=int, default=0, metavar='N', help='of the directions people face (default 0)')
    return parser


def walkers(data_root, downsample, seed):
    """(N, 16, 3) metres, camera axes: walking people, the point of the floor below their hip at the origin."""
    files = read_h36m(data_root, GT, TEST_SUBJECTS)
    world = torch.cat([torch.as_tensor(poses[::downsample, H36M_16_IN_32]).float() for subject in TEST_SUBJECTS
                       for sequence, poses in files.pose3d[subject].items() if action_of(sequence).startswith('Walk')])
    x, y, z = (world - world[:, :1] * torch.tensor([1, 1, 0])).unbind(-1)
    angle = 2 * math.pi * torch.rand(len(world), generator=generator('cpu', seed, 0, 'facing'))[:, None]
    return torch.stack([angle.cos() * x - angle.sin() * y, -z, angle.sin() * x + angle.cos() * y], dim=-1)


@torch.no_grad()
def errors(lifter, people, camera, side, distance, args):
    """(MPJPE in mm, mean angle between the torsos in degrees) of people at that distance."""
    aside = side * distance * WIDTH_PX / 2 / args.focal
    pose3d_cam = people + torch.tensor([aside, args.height, distance])
    lens, assumed = (torch.tensor([[2 * focal / WIDTH_PX] * 2 + [0.] * 7]) for focal in
                     (args.focal, args.assumed_focal or args.focal))
    predicted = predict(lifter, project(pose3d_cam, lens), camera=camera, intrinsic=assumed)
    truth = pose3d_cam - pose3d_cam[:, :1]
    thorax, = H36M_16.joints('Thorax')
    cosine = torch.cosine_similarity(predicted[:, thorax], truth[:, thorax], dim=-1).clamp(-1, 1)
    return 1000 * float(mpjpe(predicted, truth).mean()), float(cosine.acos().rad2deg().mean())


if __name__ == '__main__':
    main()

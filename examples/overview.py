#!/usr/bin/env python3
"""The picture at the top of the README, from a clip, its lifted motion and a PoseAug run:

python3 examples/overview.py --clip clip.mp4 --motion out/motion.npz --frame 40 --run POSEAUG_RUN --output docs/overview.png
"""
import itertools
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))    # run as a script, from wherever
import run_visualize
from common.skeleton import H36M_16
from function_inference.detectors import open_clip
from function_poseaug.statistics import captions
from utils.command_line import Parser, exits_cleanly, whole
from utils.pictures.drawing import MIDDLE, bone_colours, bone_segments, new_figure, side_legend

VIEWS = {'as the camera sees it': -90, 'from its right': -35, 'from its left': -145}      # matplotlib's azimuths, degrees
PANEL_INCHES = 2.6


@exits_cleanly
def main(argv=None):
    """Draw and write the picture."""
    parser = Parser(__doc__.partition(':')[0])
    parser.add_argument('--clip', type=Path, required=True, metavar='PATH', help='video or folder of images')
    parser.add_argument('--motion', type=Path, required=True, metavar='FILE', help='motion.npz that was lifted from it')
    parser.add_argument('--frame', type=whole, default=0, metavar='N', help='which frame is shown (default %(default)s)')
    parser.add_argument('--run', type=Path, required=True, metavar='DIR', help='directory of a PoseAug run')
    parser.add_argument('--pose', type=whole, default=0, metavar='N', help='which of its poses is shown (default %(default)s)')
    parser.add_argument('--output', type=Path, required=True, metavar='FILE')
    args = parser.parse_args(argv)
    figure = new_figure(figsize=(4 * PANEL_INCHES, 2 * PANEL_INCHES + .3))
    figure.subplots_adjust(left=.01, right=.99, bottom=.06, top=.95, wspace=.02, hspace=.12)
    draw_lifting(figure, args.clip, np.load(args.motion), args.frame)
    draw_augmentation(figure, args.run, args.pose)
    side_legend(figure)
    figure.savefig(args.output, dpi=110)


def draw_lifting(figure, clip, motion, frame):
    """Top row: the frame with its 2D joints, then the lifted pose from several sides."""
    from matplotlib.collections import LineCollection
    image = next(itertools.islice(open_clip(clip).read(), frame, None))
    pose2d = motion['pose2d_px'][frame]
    axes = figure.add_subplot(2, 4, 1)
    axes.imshow(image)
    axes.add_collection(LineCollection(bone_segments(pose2d), colors=bone_colours(), linewidths=2))
    middle, half = (pose2d.min(0) + pose2d.max(0)) / 2, .75 * np.ptp(pose2d, axis=0).max()
    axes.set(xlim=(middle[0] - half, middle[0] + half), ylim=(middle[1] + half, middle[1] - half), xticks=[], yticks=[])
    axes.set_title('video frame, 2D', fontsize=10)
    for column, (title, azimuth) in enumerate(VIEWS.items(), start=2):
        draw_pose(figure.add_subplot(2, 4, column, projection='3d'), motion['pose3d_rel'][frame], f'3D, {title}', azimuth)


def draw_augmentation(figure, run, pose):
    """Bottom row: a training pose and what BA, BL and RT make of it."""
    args = SimpleNamespace(run=run, output=None, data_root=None, poses=pose + 1, random_seed=0)
    sample, _ = run_visualize.sample_of_run(args)
    texts = captions(sample)[pose]
    for column, (stage, poses) in enumerate(sample.pose3d_cam.items(), start=5):
        axes = figure.add_subplot(2, 4, column, projection='3d')
        draw_pose(axes, poses[pose].numpy(), f'{stage}: {texts[stage]}', -75)


def draw_pose(axes, pose3d_cam, title, azimuth):
    """A pose (16, 3), metres, camera frame, about its hip in a cube of 1.8 m, on its floor."""
    from mpl_toolkits.mplot3d.art3d import Line3DCollection
    pose = (pose3d_cam - pose3d_cam[:1])[:, [0, 2, 1]] * [1, 1, -1]
    axes.add_collection3d(Line3DCollection(pose[np.array(H36M_16.edges)], colors=bone_colours(), linewidths=2.5))
    floor, edge = pose[:, 2].min(), np.linspace(-.6, .6, 4)
    lines = [[(x, -.6, floor), (x, .6, floor)] for x in edge] + [[(-.6, y, floor), (.6, y, floor)] for y in edge]
    axes.add_collection3d(Line3DCollection(lines, colors=MIDDLE, linewidths=.4, alpha=.5))
    axes.set(xlim=(-.9, .9), ylim=(-.9, .9), zlim=(-1, .8))
    axes.set_title(title, fontsize=10)
    axes.set_box_aspect((1, 1, 1), zoom=1.3)
    axes.set_axis_off()
    axes.view_init(elev=12, azim=azimuth)


if __name__ == '__main__':
    main()

"""Picture of a few poses in three views, to see whether the joints of a rig are the right ones.

All tiles are lines in the same axes, as in sheets.py. A tile shows (16, 2) metres relative to its centre.
"""
import numpy as np

from common.skeleton import H36M_16
from utils.pictures.drawing import bone_colours, bone_segments, joint_colours, new_figure, side_legend

TILE, GAP = 2.3, .1         # metres: width and height of a tile, and the space between two
BELOW_HIP = -.1             # metres: the middle of the upright views, relative to the hip
INCHES = .75                # of a metre on the paper
# name of a view -> the axes of `facing` to the right and up the paper, and their signs
VIEWS = {'from the front:\nits left is on your right': ((0, 2), (1, 1)),
         'from its right side:\nit faces to your right': ((1, 2), (1, 1)),
         'from above:\nit faces up the page': ((0, 1), (-1, 1))}


def save_three_views(path, pose3d_world, title, skeleton=H36M_16):
    """Save a picture of poses (N, 16, 3), world metres, z up: a column each, turned to the viewer, and a row for each view."""
    step = TILE + GAP
    columns, rows = len(pose3d_world), len(VIEWS)
    figure = new_figure(figsize=((columns * step + .8) * INCHES, rows * step * INCHES + 1.1))
    left, bottom, height = .7 * INCHES / figure.get_figwidth(), *(inches / figure.get_figheight() for inches in (
        .6, rows * step * INCHES))
    axes = figure.add_axes((left, bottom, .985 - left, height))
    turned = facing(pose3d_world, skeleton)
    for row, (name, (shown, signs)) in enumerate(VIEWS.items()):
        _draw_row(axes, turned, shown, signs, -row * step, skeleton)
        axes.text(-.55 * step, -row * step, name, ha='right', va='center', rotation=90, fontsize=7, multialignment='center')
    axes.set(xlim=(-step / 2, (columns - .5) * step), ylim=((.5 - rows) * step, step / 2), aspect='equal')
    axes.set_axis_off()
    figure.suptitle(title, fontsize=10, y=1 - .15 / figure.get_figheight())
    side_legend(figure, note=f'Tiles are {TILE:g} m wide; the grey line is the floor, z = 0.')
    figure.savefig(path, dpi=110)


def facing(pose3d_world, skeleton=H36M_16):
    """(N, 16, 3) world -> the same with the axes to the person's left, to the front, up; the root above the origin."""
    right, left = skeleton.joints('RHip', 'LHip')
    across = (pose3d_world[:, left] - pose3d_world[:, right])[:, :2]
    across = across / np.maximum(np.linalg.norm(across, axis=-1, keepdims=True), 1e-9)
    x, y = across[:, None, 0], across[:, None, 1]
    moved = pose3d_world - pose3d_world[:, :1] * [1, 1, 0]
    return np.stack([moved[..., 0] * x + moved[..., 1] * y, moved[..., 0] * y - moved[..., 1] * x, moved[..., 2]], axis=-1)


def _draw_row(axes, turned, shown, signs, height, skeleton):
    """Draw a view of all poses (N, 16, 3), turned as by `facing`, in tiles beside each other at this height of the axes."""
    from matplotlib.collections import LineCollection
    centres = np.stack([np.arange(len(turned)) * (TILE + GAP), np.full(len(turned), height)], axis=-1)
    is_upright = shown[1] == 2
    middles = np.stack([np.zeros(len(turned)), (turned[:, 0, 2] + BELOW_HIP) * is_upright], axis=-1)
    flat = turned[..., shown] * signs - middles[:, None]
    inside = np.where((np.abs(flat) <= TILE / 2).all(axis=-1, keepdims=True), flat, np.nan) + centres[:, None]
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]]) * TILE / 2
    axes.add_collection(LineCollection(centres[:, None] + corners, colors='black', linewidths=.8), autolim=False)
    floors = [[(x - TILE / 2, y - middle), (x + TILE / 2, y - middle)] for (x, y), (_, middle) in zip(centres, middles)
              if is_upright and abs(middle) < TILE / 2]
    axes.add_collection(LineCollection(floors, colors='0.7', linewidths=.8, zorder=0), autolim=False)
    axes.add_collection(LineCollection(bone_segments(inside, skeleton).reshape(-1, 2, 2), linewidths=1.8,
                                       colors=bone_colours(skeleton) * len(turned)), autolim=False)
    axes.scatter(*inside.reshape(-1, 2).T, s=7, c=joint_colours(skeleton) * len(turned), zorder=3)

"""Picture of a few poses of a rig in three views, to see whether its joints are the right ones."""
import numpy as np

from common.skeleton import H36M_16
from utils.pictures.drawing import bone_colours, bone_segments, joint_colours, new_figure, side_legend

HALF = 1.15         # metres from the middle of a tile to its edge
# from the axes (to the person's left, to the front, up) to (right, up) of the paper
VIEWS = {'from the front: its left\nis on your right': (0, 2), 'from its right side:\nit faces to your right': (1, 2),
         'from above:\nit faces up the page': (0, 1)}
MIRRORED = {'from above:\nit faces up the page'}        # its left is on your left there


def save_three_views(path, pose3d_world, title, skeleton=H36M_16):
    """Draw poses (N, 16, 3), world metres, z up: a column for each, turned to face the viewer, with the floor z = 0."""
    figure = new_figure(figsize=(1.7 * len(pose3d_world) + .9, 6.4))
    turned = facing(pose3d_world, skeleton)
    for row, (name, axes_shown) in enumerate(VIEWS.items()):
        flat = turned[..., axes_shown] * ([-1, 1] if name in MIRRORED else [1, 1])
        for column, pose in enumerate(flat):
            left, width = ((inches / figure.get_figwidth()) for inches in (.75 + 1.7 * column, 1.65))
            axes = figure.add_axes((left, .67 - .285 * row, width, .265))
            _draw(axes, pose, axes_shown[1] == 2, skeleton)
            if column == 0:
                axes.text(-.04, .5, name, transform=axes.transAxes, ha='right', va='center', rotation=90, fontsize=7,
                          multialignment='center')
    figure.suptitle(title, fontsize=10, y=.985)
    side_legend(figure, note=f'Tiles are {2 * HALF:.1f} m wide; the grey line is the floor, z = 0.')
    figure.savefig(path, dpi=110)


def facing(pose3d_world, skeleton=H36M_16):
    """(N, 16, 3) world -> the same with the axes to the person's left, to the front, up; the root above the origin."""
    right, left = skeleton.joints('RHip', 'LHip')
    across = (pose3d_world[:, left] - pose3d_world[:, right])[:, :2]
    across = across / np.maximum(np.linalg.norm(across, axis=-1, keepdims=True), 1e-9)
    x, y = across[:, None, 0], across[:, None, 1]
    moved = pose3d_world - pose3d_world[:, :1] * [1, 1, 0]
    return np.stack([moved[..., 0] * x + moved[..., 1] * y, moved[..., 0] * y - moved[..., 1] * x, moved[..., 2]], axis=-1)


def _draw(axes, pose, upright, skeleton):
    """Draw a pose (16, 2) in metres; `upright`: the second coordinate is the height."""
    from matplotlib.collections import LineCollection
    axes.add_collection(LineCollection(bone_segments(pose, skeleton), colors=bone_colours(skeleton), linewidths=1.8))
    axes.scatter(*pose.T, s=7, c=joint_colours(skeleton), zorder=3)
    middle = pose[0, 1] if upright else 0
    if upright:
        axes.axhline(0, color='0.7', linewidth=.8, zorder=0)
    axes.set(xlim=(-HALF, HALF), ylim=(middle - HALF, middle + HALF), xticks=[], yticks=[])
    axes.set_aspect('equal')

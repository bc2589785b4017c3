"""Pictures of poses, with matplotlib. Left is blue and right is red, everywhere; axes are equal."""
import numpy as np

from common.skeleton import H36M_16

_COLOURS = {'L': 'tab:blue', 'R': 'tab:red', '': '0.25'}


def _figure(**options):
    """A figure that belongs to no window: importing pyplot would choose a backend for the whole process."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    figure = Figure(**options)
    FigureCanvasAgg(figure)
    return figure


def bone_colours(skeleton=H36M_16):
    left, right = set(skeleton.left_joints), set(skeleton.right_joints)
    return [_COLOURS['L' if joint in left else 'R' if joint in right else ''] for joint, _ in skeleton.edges]


def draw_3d(axes, pose3d_cam, title):
    """One pose (16, 3), camera metres, about its root in a cube of 2 m, seen from a little above.

    Drawn x right, z away, and up for the camera's -y.
    """
    x, y, z = (pose3d_cam - pose3d_cam[:1]).T
    for (joint, parent), colour in zip(H36M_16.edges, bone_colours()):
        axes.plot(x[[joint, parent]], z[[joint, parent]], -y[[joint, parent]], color=colour, linewidth=2)
    axes.set(xlim=(-1, 1), ylim=(-1, 1), zlim=(-1, 1), title=title, xticklabels=[], yticklabels=[], zticklabels=[])
    axes.set_box_aspect((1, 1, 1), zoom=1.3)
    axes.view_init(elev=15, azim=-75)


def draw_2d(axes, pose2d_norm, title):
    """One pose (16, 2), normalised image coordinates; the frame is the image's."""
    for (joint, parent), colour in zip(H36M_16.edges, bone_colours()):
        axes.plot(*pose2d_norm[[joint, parent]].T, color=colour, linewidth=2)
    axes.set(xlim=(-1, 1), ylim=(1, -1), title=title, xticks=[], yticks=[])
    axes.set_aspect('equal')


def save_augmentation(path, stages3d, stages2d):
    """The augmentation of one pose step by step, 3D above 2D.

    Both dicts go by title: `stages3d` -> (16, 3) camera metres, `stages2d` -> (16, 2) normalised.
    """
    figure = _figure(figsize=(3.2 * len(stages3d), 6.4), layout='constrained')
    columns = len(stages3d)
    for column, (title, pose3d) in enumerate(stages3d.items(), start=1):
        draw_3d(figure.add_subplot(2, columns, column, projection='3d'), np.asarray(pose3d), title)
    for column, (title, pose2d) in enumerate(stages2d.items(), start=columns + 1):
        draw_2d(figure.add_subplot(2, columns, column), np.asarray(pose2d), title)
    figure.savefig(path, dpi=80)


def save_curves(path, title, curves):
    """Learning curves: dict label -> list of numbers, one per epoch from 1."""
    figure = _figure(figsize=(7, 4.5), layout='constrained')
    axes = figure.add_subplot()
    for label, values in curves.items():
        axes.plot(range(1, len(values) + 1), values, label=label)
    axes.set(title=title, xlabel='epoch', ylabel='error, mm', ylim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=100)

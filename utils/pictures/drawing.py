"""Draw poses with matplotlib. Joints and bones are blue on the left and vermilion on the right; axes are equal.

The colours come from the palette of Okabe and Ito (2008), which is safe for colour-blind people. Blue and vermilion
are used for the two sides only.
"""
import numpy as np

from common.skeleton import H36M_16
from common.skeletons import SMPL_24

LEFT, RIGHT, MIDDLE = '#0072B2', '#D55E00', '#404040'
SIDE_NAMES = {LEFT: 'left', RIGHT: 'right', MIDDLE: 'trunk'}
GHOST = '#AAAAAA'     # a pose drawn in grey behind another one, for comparison
# one colour per checkpoint, the baseline first
SERIES = ('#999999', '#009E73', '#CC79A7', '#56B4E9', '#E69F00', '#F0E442')
# limbs by the joint where they end
LIMB_WIDTHS_M = dict(Hip=.1, Knee=.13, Foot=.09, Toe=.07, LowerSpine=.18, Spine=.19, Chest=.2, Thorax=.21, Neck=.08, Head=.08,
                     Collar=.1, Shoulder=.1, Elbow=.09, Wrist=.07, Hand=.06)
HEAD_WIDTH_M, HEAD_ENDS = .18, (.6, .75)      # its ends between Thorax and Head, the top of the head
SMPL_HEAD_ENDS = (1.5, 1.9)                   # likewise, beyond SMPL's Head, the base of the skull
PALE = .65                                    # share of white in limbs that are guessed
STAGE_COLOURS = dict(source='#999999', BA='#E69F00', BL='#CC79A7', RT='#009E73')


def new_figure(**options):
    """A Figure without a window. (Importing pyplot would choose a backend for the whole process.)"""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    figure = Figure(**options)
    FigureCanvasAgg(figure)
    return figure


def joint_colours(skeleton=H36M_16):
    """List of J colours: that of each joint's side."""
    left, right = set(skeleton.left_joints), set(skeleton.right_joints)
    return [LEFT if joint in left else RIGHT if joint in right else MIDDLE for joint in range(skeleton.num_joints)]


def bone_colours(skeleton=H36M_16):
    """List of colours, one per bone: that of the joint where it ends."""
    colours = joint_colours(skeleton)
    return [colours[joint] for joint, _ in skeleton.edges]


def bone_segments(pose, skeleton=H36M_16):
    """Pose (..., 16, D) -> (..., 15, 2, D): both ends of each bone, the format of matplotlib's LineCollection."""
    return np.asarray(pose)[..., skeleton.edges, :]


def head_ends(skeleton=H36M_16):
    """The ends of the thick limb that stands for the head, as shares of the way from Thorax to Head."""
    return SMPL_HEAD_ENDS if skeleton == SMPL_24 else HEAD_ENDS


def limb_edges(skeleton=H36M_16):
    """(joint, parent) pairs of the bones that are drawn as limbs: all but one that lies in the head, from a Neck to its top."""
    return [edge for edge in skeleton.edges if [skeleton.names[joint] for joint in edge] != ['Head', 'Neck']]


def limbs_of(poses, skeleton=H36M_16):
    """Poses (..., 16, D) -> (..., 16, 2, D): both ends of each bone, and of the head, a short and thick limb."""
    poses = np.asarray(poses)
    thorax, top = (poses[..., skeleton.joints(name), :] for name in ('Thorax', 'Head'))
    head = np.stack([thorax + share * (top - thorax) for share in head_ends(skeleton)], axis=-2)
    return np.concatenate([poses[..., limb_edges(skeleton), :], head], axis=-3)


def limb_widths_m(skeleton=H36M_16):
    """(16,) metres: how thick the limbs of `limbs_of` are drawn."""
    sided = {skeleton.names[joint] for joint in skeleton.left_joints + skeleton.right_joints}
    names = [skeleton.names[joint] for joint, _ in limb_edges(skeleton)]
    return np.array([LIMB_WIDTHS_M[name[1:] if name in sided else name] for name in names] + [HEAD_WIDTH_M])


def limb_colours(guessed, skeleton=H36M_16):
    """(P, 16) bool, the guessed joints of P people -> (16 P, 4) RGBA of their limbs: pale if they end in a guessed joint."""
    from matplotlib.colors import to_rgba_array
    ends = [joint for joint, _ in limb_edges(skeleton)] + skeleton.joints('Head')
    colours = np.tile(to_rgba_array(joint_colours(skeleton))[ends], (len(guessed), 1))
    return np.where(guessed[:, ends].reshape(-1, 1), PALE + (1 - PALE) * colours, colours)


def save_figure(figure, folder, name, formats, dpi=150):
    """Save the figure as `folder`/`name`.<format> for each of `formats` (png, pdf, svg); returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f'{name}.{suffix}' for suffix in formats]
    for path in paths:
        figure.savefig(path, dpi=dpi)
    return paths


def side_legend(figure, ghost='', note='', loc='lower center', fontsize=8):
    """Add a legend of the sides' colours, of the grey pose in the background (if `ghost` names it), and a `note`."""
    from matplotlib.lines import Line2D
    meanings = {**SIDE_NAMES, GHOST: ghost} if ghost else SIDE_NAMES
    lines = [Line2D([], [], color=colour, linewidth=2.5, label=name) for colour, name in meanings.items()]
    figure.legend(handles=lines, loc=loc, ncols=len(lines), frameon=False, fontsize=fontsize, title=note,
                  title_fontsize=fontsize, handlelength=1.4, columnspacing=1.4)


def draw_3d(axes, pose3d_cam, title, skeleton=H36M_16):
    """Draw a pose (16, 3), camera frame in metres, in a cube of 2 m centred at the root, seen from slightly above.

    The camera's x axis points right, its z axis away from the viewer and its y axis down.
    """
    from mpl_toolkits.mplot3d.art3d import Line3DCollection
    x, y, z = np.moveaxis(bone_segments(pose3d_cam - pose3d_cam[:1], skeleton), -1, 0)
    axes.add_collection3d(Line3DCollection(np.stack([x, z, -y], axis=-1), colors=bone_colours(skeleton), linewidths=2))
    axes.set(xlim=(-1, 1), ylim=(-1, 1), zlim=(-1, 1), title=title, xticklabels=[], yticklabels=[], zticklabels=[])
    axes.set_box_aspect((1, 1, 1), zoom=1.3)
    axes.view_init(elev=15, azim=-75)


def draw_2d(axes, pose2d_norm, title, skeleton=H36M_16):
    """Draw a pose (16, 2) in normalised image coordinates; the axes show x and y from -1 to 1, y down."""
    from matplotlib.collections import LineCollection
    axes.add_collection(LineCollection(bone_segments(pose2d_norm, skeleton), colors=bone_colours(skeleton), linewidths=2))
    axes.set(xlim=(-1, 1), ylim=(1, -1), title=title, xticks=[], yticks=[])
    axes.set_aspect('equal')


def save_augmentation(path, stages3d, stages2d, skeleton=H36M_16):
    """Save a picture of one pose after each stage of augmentation, 3D above 2D.

    `stages3d`: {title: (16, 3) camera frame, metres}; `stages2d`: {title: (16, 2) normalised}.
    """
    figure = new_figure(figsize=(3.2 * len(stages3d), 6.4), layout='constrained')
    columns = len(stages3d)
    for column, (title, pose3d) in enumerate(stages3d.items(), start=1):
        draw_3d(figure.add_subplot(2, columns, column, projection='3d'), np.asarray(pose3d), title, skeleton)
    for column, (title, pose2d) in enumerate(stages2d.items(), start=columns + 1):
        draw_2d(figure.add_subplot(2, columns, column), np.asarray(pose2d), title, skeleton)
    side_legend(figure, note='Above: a cube of 2 m around the hip, seen from slightly above the camera. '
                             'Below: the image.', loc='outside lower center')
    figure.savefig(path, dpi=80)


def save_curves(path, title, curves):
    """Save a picture of learning curves; `curves` is {label: list of errors in mm, one per epoch, from epoch 1}."""
    figure = new_figure(figsize=(7, 4.5), layout='constrained')
    axes = figure.add_subplot()
    for colour, (label, values) in zip(SERIES[1:], curves.items()):
        axes.plot(range(1, len(values) + 1), values, color=colour, label=label)
    axes.set(title=title, xlabel='epoch', ylabel='error, mm', ylim=(0, None))
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=100)

"""Sheets of many poses in one drawing: every skeleton to one scale, so a metre is as long in any tile and direction.

A tile is a pose laid flat, (16, 2), right and up, about its centre: metres for a pose in space, parts of a window for
one in an image. All images of a sheet show one window, as small as holds all their poses. All tiles of a sheet are
lines of one plot, which takes milliseconds where a plot each takes a second; training can afford that.
"""
from typing import NamedTuple

import numpy as np

from common.skeleton import H36M_16
from utils.pictures.drawing import GHOST, bone_colours, bone_segments, new_figure, side_legend

CELL = 2.3          # width and height of a tile: the window of the image, from -1 to 1, or 2 m, and a margin
BAR_METRES = .5
VIEWS = ('camera view', 'side view,\ncamera at left', 'image, {:.0f} %\nof its width')
WINDOW_MARGIN = 1.1
LEGEND_INCHES = .55
BLOCK_TILES = len(VIEWS) + .6    # height of a block: its views and the titles
LINE_WIDTHS = (1.8, 1.8, 1.4)     # points, per view: people are smaller in an image
TILE_EDGES = (CELL / 2, CELL / 2, 1)


class Lifted(NamedTuple):
    """Poses and their lifting: (N, 16, 2) normalised, truth and prediction (N, 16, 3) metres, errors (N,) mm."""
    pose2d: np.ndarray
    pose3d: np.ndarray
    predicted: np.ndarray
    errors_mm: np.ndarray


def camera_view(pose3d_cam):
    """(..., 16, 3) camera metres -> (..., 16, 2): as the camera sees it, about the root, without perspective."""
    pose3d_rel = pose3d_cam - pose3d_cam[..., :1, :]
    return pose3d_rel[..., [0, 1]] * [1, -1]


def side_view(pose3d_cam):
    """(..., 16, 3) camera metres -> (..., 16, 2): from the camera's right; the camera stands on the left."""
    pose3d_rel = pose3d_cam - pose3d_cam[..., :1, :]
    return pose3d_rel[..., [2, 1]] * [1, -1]


def image_view(pose2d_norm):
    """(..., 16, 2) normalised, y down -> the same with y up."""
    return pose2d_norm * [1, -1]


def image_window(flat):
    """The square of the image that holds all poses (N, 16, 2): centre (2,), half its width; 1 is half the image's."""
    inside = np.clip(flat, -1, 1).reshape(-1, 2)
    low, high = inside.min(0), inside.max(0)
    half = min(1, max(.05, WINDOW_MARGIN * (high - low).max() / 2))
    return np.clip((low + high) / 2, half - 1, 1 - half), half


def augmentation_figure(pose3d_cam, pose2d, captions, blocks_across=2, cell_inches=1.1, skeleton=H36M_16):
    """A block for each pose: a column per stage of augmentation, two views in space above the image.

    Both dicts go by stage, in their order: -> (N, 16, 3) camera metres, -> (N, 16, 2) normalised; `captions` are N
    dicts stage -> text, of function_poseaug.statistics. Grey behind a stage in space is the stage before it.
    """
    across = min(blocks_across, len(captions))
    down = -(-len(captions) // across)
    figure = _sheet_figure(across * (len(pose3d_cam) + .5), down * BLOCK_TILES, cell_inches, 'the stage before',
                           'm: from the camera to the hip; °: mean over the bones; %: least and greatest change of a '
                           'bone\'s length')
    stages3d, stages2d = (np.stack(list(stages.values()), axis=1) for stages in (pose3d_cam, pose2d))
    nothing = np.full_like(stages3d[0, :1], np.nan)
    for axes, poses, images, texts in zip(_grid(figure, len(captions), across), stages3d, stages2d, captions):
        draw_sheet(axes, poses, np.concatenate([nothing, poses[:-1]]), images,
                   [(stage, texts[stage]) for stage in pose3d_cam], skeleton)
    return figure


def hardness_figure(hardest, easiest, cell_inches=1.1, skeleton=H36M_16):
    """Two sets of Lifted poses, one above the other, each pose with its error; grey in space is the prediction."""
    figure = _sheet_figure(len(hardest.errors_mm) + .5, 2 * BLOCK_TILES, cell_inches, 'predicted',
                           'mm: error, mean over the joints (MPJPE)')
    for axes, lifted, name in zip(_grid(figure, 2, across=1), (hardest, easiest), ('hardest', 'easiest')):
        draw_sheet(axes, lifted.pose3d, lifted.predicted, lifted.pose2d,
                   [('' if place else name, f'{error:.0f} mm') for place, error in enumerate(lifted.errors_mm)],
                   skeleton)
    return figure


def draw_sheet(axes, poses, ghosts, images, titles, skeleton=H36M_16):
    """A column per pose: two views of `poses` (N, 16, 3) metres over `ghosts`, alike, above `images` (N, 16, 2).

    A ghost of NaN is not drawn, nor what leaves its tile. `titles` are N pairs, title and caption.
    """
    from matplotlib.collections import LineCollection
    centre, half = image_window(image_view(images))
    images = (image_view(images) - centre) / half
    tiles = np.stack([camera_view(poses), side_view(poses), images])
    ghosts = np.stack([camera_view(ghosts), side_view(ghosts), np.full_like(images, np.nan)])
    views, columns = tiles.shape[:2]
    centres = np.stack(np.meshgrid(CELL * np.arange(columns), -CELL * np.arange(views)), axis=-1)
    for flat, colours in ((ghosts, [GHOST] * skeleton.num_bones), (tiles, bone_colours(skeleton))):
        for row, segments in enumerate(bone_segments(flat, skeleton)):
            segments = clipped(segments, TILE_EDGES[row]) + centres[row, :, None, None]
            axes.add_collection(LineCollection(segments.reshape(-1, 2, 2), colors=colours * columns,
                                               linewidths=LINE_WIDTHS[row], capstyle='round'), autolim=False)
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]])
    axes.add_collection(LineCollection(centres[-1][:, None] + square, colors='0.75', linewidths=.8), autolim=False)
    _label_tiles(axes, titles, half)
    axes.set(xlim=(-CELL, (columns - .5) * CELL), ylim=((.5 - views) * CELL, 1.1 * CELL), aspect='equal')
    axes.set_axis_off()


def clipped(segments, edge):
    """Segments (..., 2, 2) cut to the square from -edge to edge; NaN where they do not cross it."""
    start, step = segments[..., 0, :], segments[..., 1, :] - segments[..., 0, :]
    step = np.where(step == 0, 1e-12, step)
    crossings = np.stack([(-edge - start) / step, (edge - start) / step])
    enters = crossings.min(0).max(-1, keepdims=True).clip(min=0)
    leaves = crossings.max(0).min(-1, keepdims=True).clip(max=1)
    ends = np.stack([start + enters * step, start + leaves * step], axis=-2)
    return np.where((enters <= leaves)[..., None], ends, np.nan)


def _label_tiles(axes, titles, window):
    """Titles over the columns, names beside the rows, how long a piece of a metre is, and how large the `window`."""
    for column, (title, caption) in enumerate(titles):
        axes.text(CELL * column, .72 * CELL, title, ha='center', fontsize=9, weight='bold')
        axes.text(CELL * column, .56 * CELL, caption, ha='center', fontsize=8)
    for row, name in enumerate(VIEWS):
        axes.text(-.55 * CELL, -CELL * row, name.format(100 * window), ha='right', va='center', rotation=90, fontsize=8,
                  multialignment='center')
    _scale_bar(axes, -CELL / 2, -1.45 * CELL)


def _scale_bar(axes, x, y):
    axes.plot([x, x + BAR_METRES], [y, y], color='black', linewidth=1.2)
    axes.text(x + BAR_METRES / 2, y + .05, f'{BAR_METRES:g} m', ha='center', va='bottom', fontsize=6)


def _sheet_figure(columns, rows, cell_inches, ghost, note):
    """A figure as large as its tiles, with the colours' meaning, and that of the captions, below them."""
    figure = new_figure(figsize=(columns * cell_inches, rows * cell_inches + LEGEND_INCHES))
    side_legend(figure, ghost, note)
    return figure


def _grid(figure, count, across):
    """`count` axes, row by row, that fill the figure but for the legend; no layout is computed, which would take longer."""
    legend = LEGEND_INCHES / figure.get_figheight()
    width, height = 1 / across, (1 - legend) / -(-count // across)
    return [figure.add_axes((place % across * width, 1 - (place // across + 1) * height, width, height))
            for place in range(count)]

"""Sheets with many poses in one figure, all skeletons drawn to the same scale.

A tile is one pose as (16, 2), x right and y up, relative to the centre of the tile. 3D poses are drawn in metres; 2D
poses are scaled to the image window, the smallest square of the image that contains all 2D poses of the sheet. All
tiles of a sheet are lines in the same axes: this takes milliseconds, fast enough during training, where one axes per
tile takes a second.
"""
import textwrap
from typing import NamedTuple

import numpy as np

from common.skeleton import H36M_16
from utils.pictures.drawing import GHOST, bone_colours, bone_segments, new_figure, side_legend

CELL = 2.3          # width and height of a tile: 2 m, or the image window from -1 to 1, plus a margin
BAR_METRES = .5
VIEWS = ('camera view', 'side view,\ncamera left', 'image, {:.0f} %\nof its width')
WINDOW_MARGIN = 1.1
TEXT = 9            # points of all texts
TEXT_INCHES = .17   # height of a line
LETTERS_PER_INCH = 14
NARROW = 4          # inches: the width of a figure that stays legible 400 pixels wide, as TensorBoard shows it
BLOCK_TILES = len(VIEWS) + .6    # height of a block in tiles: its views and the titles
LINE_WIDTHS = (1.8, 1.8, 1.4)     # in points, per view: people are smaller in the image
TILE_EDGES = (CELL / 2, CELL / 2, 1)


class Lifted(NamedTuple):
    """N poses and their predictions.

    `pose2d` (N, 16, 2) normalised; `pose3d` (ground truth) and `predicted` (N, 16, 3), camera frame in metres;
    `errors_mm` (N,) MPJPE of each pose.
    """
    pose2d: np.ndarray
    pose3d: np.ndarray
    predicted: np.ndarray
    errors_mm: np.ndarray


def camera_view(pose3d_cam):
    """(..., 16, 3) camera frame in metres -> (..., 16, 2) root-relative x and y, y up: an orthographic view."""
    pose3d_rel = pose3d_cam - pose3d_cam[..., :1, :]
    return pose3d_rel[..., [0, 1]] * [1, -1]


def side_view(pose3d_cam):
    """(..., 16, 3) camera frame in metres -> (..., 16, 2) root-relative z and y, y up: the camera is on the left."""
    pose3d_rel = pose3d_cam - pose3d_cam[..., :1, :]
    return pose3d_rel[..., [2, 1]] * [1, -1]


def image_view(pose2d_norm):
    """(..., 16, 2) normalised with y down -> the same with y up."""
    return pose2d_norm * [1, -1]


def image_window(flat):
    """The smallest square inside the image around all poses (N, 16, 2) normalised: its centre (2,) and half its width."""
    inside = np.clip(flat, -1, 1).reshape(-1, 2)
    low, high = inside.min(0), inside.max(0)
    half = min(1, max(.05, WINDOW_MARGIN * (high - low).max() / 2))
    return np.clip((low + high) / 2, half - 1, 1 - half), half


def augmentation_figure(pose3d_cam, pose2d, captions, blocks_across=2, width=None, skeleton=H36M_16):
    """Figure of N poses through the stages of augmentation: a block per pose, a column per stage.

    `pose3d_cam`: {stage: (N, 16, 3) camera frame, metres}; `pose2d`: {stage: (N, 16, 2) normalised}; `captions`: N dicts
    {stage: text} from function_poseaug.statistics; `width`: of the figure, inches (default: 1.1 a column). A column shows two
    views in 3D above the image. Behind each 3D pose the previous stage is drawn in grey.
    """
    across = min(blocks_across, len(captions))
    figure, blocks = _sheet_figure(
        len(captions), across, len(pose3d_cam), width, 'previous stage',
        'm: distance from the camera to the hip; °: turn of the bones, mean over the bones; %: smallest and largest change of '
        'a bone length')
    stages3d, stages2d = (np.stack(list(stages.values()), axis=1) for stages in (pose3d_cam, pose2d))
    nothing = np.full_like(stages3d[0, :1], np.nan)
    for axes, poses, images, texts in zip(blocks, stages3d, stages2d, captions):
        draw_sheet(axes, poses, np.concatenate([nothing, poses[:-1]]), images,
                   [(stage, texts[stage]) for stage in pose3d_cam], skeleton)
    return figure


def hardness_figure(hardest, easiest, width=NARROW, skeleton=H36M_16):
    """Figure of two sets of Lifted poses, one above the other, with the MPJPE of each pose; predictions in grey.

    `width`: of the figure, inches.
    """
    figure, blocks = _sheet_figure(2, 1, len(hardest.errors_mm), width, 'predicted', 'mm: error, mean over the joints (MPJPE)')
    for axes, lifted, name in zip(blocks, (hardest, easiest), ('hardest', 'easiest')):
        draw_sheet(axes, lifted.pose3d, lifted.predicted, lifted.pose2d,
                   [('' if place else name, f'{error:.0f} mm') for place, error in enumerate(lifted.errors_mm)],
                   skeleton)
    return figure


def draw_sheet(axes, poses, ghosts, images, titles, skeleton=H36M_16):
    """Draw a column per pose: two views of `poses` in 3D in front of `ghosts`, and below them `images`, the 2D poses.

    `poses` and `ghosts` (N, 16, 3) camera frame in metres, `images` (N, 16, 2) normalised, `titles` N pairs (title,
    caption). A ghost with NaN is not drawn. Lines are cut off at the edge of their tile.
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
    """Line segments (..., 2, 2) clipped to the square from -edge to edge; NaN if they lie outside."""
    start, step = segments[..., 0, :], segments[..., 1, :] - segments[..., 0, :]
    step = np.where(step == 0, 1e-12, step)
    crossings = np.stack([(-edge - start) / step, (edge - start) / step])
    enters = crossings.min(0).max(-1, keepdims=True).clip(min=0)
    leaves = crossings.max(0).min(-1, keepdims=True).clip(max=1)
    ends = np.stack([start + enters * step, start + leaves * step], axis=-2)
    return np.where((enters <= leaves)[..., None], ends, np.nan)


def _label_tiles(axes, titles, window):
    """Write titles above the columns and view names beside the rows, with the size of the `window`; draw a scale bar."""
    for column, (title, caption) in enumerate(titles):
        axes.text(CELL * column, .78 * CELL, title, ha='center', fontsize=TEXT, weight='bold')
        axes.text(CELL * column, .57 * CELL, caption, ha='center', fontsize=TEXT)
    for row, name in enumerate(VIEWS):
        axes.text(-.55 * CELL, -CELL * row, name.format(100 * window), ha='right', va='center', rotation=90,
                  fontsize=TEXT, multialignment='center')
    _scale_bar(axes, -CELL / 2, -1.45 * CELL)


def _scale_bar(axes, x, y):
    axes.plot([x, x + BAR_METRES], [y, y], color='black', linewidth=1.2)
    axes.text(x, y + .05, f'{BAR_METRES:g} m', va='bottom', fontsize=TEXT)


def _sheet_figure(count, across, columns, width, ghost, note):
    """(A figure, its `count` axes, row by row) for blocks of this many columns, above a legend of the colours and a note.

    `width` in inches, or None. The axes are placed by hand, because matplotlib's layout is slow.
    """
    width = width or 1.1 * across * (columns + .5)
    down, note = -(-count // across), textwrap.fill(note, int(LETTERS_PER_INCH * width))
    blocks_inches = down * BLOCK_TILES * width / (across * (columns + .5))
    legend_inches = TEXT_INCHES * (note.count('\n') + 3)
    figure = new_figure(figsize=(width, blocks_inches + legend_inches))
    side_legend(figure, ghost, note, fontsize=TEXT)
    share, height = 1 / across, blocks_inches / (blocks_inches + legend_inches) / down
    return figure, [figure.add_axes((place % across * share, 1 - (place // across + 1) * height, share, height))
                    for place in range(count)]

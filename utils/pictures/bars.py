"""Bar charts that compare the errors of several lifters: per joint, and per action or sequence."""
from typing import NamedTuple

import numpy as np

from common.skeleton import H36M_16
from utils.pictures.drawing import SERIES, joint_colours, new_figure

ALL = 'all'
FOOTNOTE = ('Bars: mean over the poses. Thin lines: the middle half of the poses. In the legend: mean over all poses '
            'and joints (MPJPE).')
BAR_SHARE = .8      # part of the distance between two names that the bars of all lifters fill


class Spread(NamedTuple):
    """The errors behind one bar, in mm: their mean, first quartile and third quartile."""
    mean_mm: float
    low_mm: float
    high_mm: float


class ErrorBars(NamedTuple):
    """A lifter's errors on one test set: {joint name: Spread} and {group name: Spread}; `ALL` is the whole test set."""
    joints: dict
    groups: dict


def error_bars(errors, group, group_names, skeleton=H36M_16):
    """ErrorBars of joint errors (N, 16) in metres; pose i belongs to `group_names[group[i]]`; no bars for empty groups.

    The root gets no bar, because its error is zero by definition, but counts in `ALL`, as in MPJPE.
    """
    errors_mm, group = 1000 * np.asarray(errors, dtype=np.float64), np.asarray(group)
    poses_mm = errors_mm.mean(1)
    joints = {skeleton.names[joint]: spread(errors_mm[:, joint]) for joint in joint_order(skeleton)}
    groups = {name: spread(poses_mm[group == place])
              for place, name in enumerate(group_names) if (group == place).any()}
    return ErrorBars({**joints, ALL: spread(poses_mm)}, {**groups, ALL: spread(poses_mm)})


def spread(errors_mm):
    """The Spread of errors (N,) in mm."""
    low, high = np.percentile(errors_mm, [25, 75])
    return Spread(float(errors_mm.mean()), float(low), float(high))


def joint_order(skeleton=H36M_16):
    """Indices of all joints but the root: first the trunk, then each left joint next to its right one."""
    groups, mirror, right = skeleton.bone_groups, skeleton.mirror, skeleton.right_joints
    return sorted(range(1, skeleton.num_joints),
                  key=lambda joint: (mirror[joint] != joint, groups[joint - 1], joint in right))


def joints_figure(panels, skeleton=H36M_16):
    """Figure of errors per joint, a row for each test set; `panels` is {title: {lifter: ErrorBars}}.

    The names of the joints have the colour of their side.
    """
    colours = dict(zip(skeleton.names, joint_colours(skeleton)))
    figure, rows = _rows(panels)
    for axes, (title, lifters) in zip(rows, panels.items()):
        draw_bars(axes, {name: errors.joints for name, errors in lifters.items()}, title)
        for label in axes.get_xticklabels():
            label.set_color(colours.get(label.get_text(), 'black'))
    figure.supxlabel(f'{FOOTNOTE}\nLeft is blue, right is vermilion. The root, whose error is zero by definition, '
                     'counts only in "all".', fontsize=8)
    return figure


def groups_figure(panels):
    """Figure of errors per action or sequence, a row for each test set; `panels` is {title: {lifter: ErrorBars}}."""
    figure, rows = _rows(panels)
    for axes, (title, lifters) in zip(rows, panels.items()):
        draw_bars(axes, {name: errors.groups for name, errors in lifters.items()}, title)
    figure.supxlabel(FOOTNOTE, fontsize=8)
    return figure


def draw_bars(axes, lifters, title):
    """Draw a bar per category and lifter; `lifters` is {name: {category: Spread}}. `ALL` stands a little apart."""
    categories = list(next(iter(lifters.values())))
    places = np.arange(len(categories)) + .5 * (np.array(categories) == ALL)
    width = BAR_SHARE / len(lifters)
    for number, (colour, (name, spreads)) in enumerate(zip(SERIES, lifters.items())):
        mean, low, high = np.array([spreads[category] for category in categories]).T
        middles = places + width * (number - (len(lifters) - 1) / 2)
        axes.bar(middles, mean, width, color=colour, label=f'{name}: {spreads[ALL].mean_mm:.1f} mm', zorder=2)
        axes.vlines(middles, low, high, color='black', linewidth=.8, zorder=3)
    axes.set_title(title, fontsize=11, weight='bold', loc='left')
    axes.set_xticks(places, categories, rotation=35, ha='right', rotation_mode='anchor', fontsize=9)
    axes.set(ylabel='error, mm', xlim=(places[0] - .7, places[-1] + .7), ylim=(0, None))
    axes.spines[['top', 'right']].set_visible(False)
    axes.grid(axis='y', color='0.9', linewidth=.8, zorder=0)
    axes.tick_params(axis='x', length=0)
    axes.legend(frameon=False, fontsize=9, ncols=len(lifters), loc='lower right', bbox_to_anchor=(1, 1))


def _rows(panels):
    figure = new_figure(figsize=(9, 3.3 * len(panels) + .5), layout='constrained')
    return figure, [figure.add_subplot(len(panels), 1, row + 1) for row in range(len(panels))]

"""The benchmark's results as Markdown, as csv files and as one figure."""
import csv
import math

from matplotlib.figure import Figure

from common.files.atomic import written_whole
from common.shifts import AS_FILMED
from function_baseline.benchmark import FIGURES

EDGES = {'elevation': [-50., -40., -30., -20., -10., 0., 10., 20., 30., 40., 50., 60., 75.],
         'distance': [2., 2.5, 3., 3.5, 4., 5., 6., 7., 8., 10., 12., 15.]}
UNITS = {'elevation': 'elevation of the camera, degrees', 'distance': 'distance, m'}
CSV_HEADER = ('lifter', 'runs', 'dataset', 'shift', 'poses', 'sequences', 'figure', 'mean', 'low', 'high')


def markdown(entries, columns, summary):
    """The table of MPJPEs in mm with their intervals: a row for each column of the benchmark, a column for each lifter."""
    names = list(dict.fromkeys(entry.name for entry in entries))
    shown_names = [name.replace('|', r'\|') for name in names]      # or it would begin another column
    lines = ['| MPJPE, mm | poses | ' + ' | '.join(shown_names) + ' |', '|---|---|' + '---|' * len(names)]
    for case in columns:
        cells = [summary[name, case.title][0] for name in names]
        shown = [f'{cell.mean:.1f}' + f' ({cell.low:.1f} to {cell.high:.1f})' * (cell.low < cell.high) for cell in cells]
        lines.append(f'| {case.title} | {len(case.poses):,} | ' + ' | '.join(shown) + ' |')
    shifts = [case.title for case in columns if case.shift]
    if shifts:
        means = [sum(summary[name, title][0].mean for title in shifts) / len(shifts) for name in names]
        lines.append('| **mean over the shifts** | | ' + ' | '.join(f'**{mean:.1f}**' for mean in means) + ' |')
    return '\n'.join(lines)


def write_csv(path, entries, columns, table, summary):
    """All figures with their intervals, one row for each lifter, column of the benchmark and figure."""
    with written_whole(path) as partial, open(partial, 'w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(CSV_HEADER)
        for name in dict.fromkeys(entry.name for entry in entries):
            for case in columns:
                runs = table[name, case.title]
                start = (name, len(runs), case.dataset, case.shift, len(case.poses), len(runs[0].counts))
                for figure, cell in zip(FIGURES, summary[name, case.title]):
                    writer.writerow((*start, figure, *(f'{value:.4f}' for value in cell)))
                mean = sum(run.joints for run in runs) / len(runs)
                for joint, value in zip(case.poses.skeleton.names, mean.tolist()):
                    writer.writerow((*start, f'error of {joint}', f'{value:.4f}', '', ''))


def write_runs_csv(path, entries, columns, table):
    """Every run's own figures, one row for each run and column of the benchmark."""
    with written_whole(path) as partial, open(partial, 'w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(('lifter', 'checkpoint', 'dataset', 'shift', *FIGURES))
        for name in dict.fromkeys(entry.name for entry in entries):
            paths = [entry.path for entry in entries if entry.name == name]
            for case in columns:
                for checkpoint, run in zip(paths, table[name, case.title]):
                    means = (run.sums.sum(0) / run.counts.sum()).tolist()
                    writer.writerow((name, checkpoint, case.dataset, case.shift, *(f'{mean:.4f}' for mean in means)))


def write_curves_csv(path, curves):
    """The points of the figure's curves; no error stands where a bin holds too few poses. `curves`: as for `figure`."""
    with written_whole(path) as partial, open(partial, 'w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(('quantity', 'from', 'to', 'lifter', 'MPJPE'))
        for quantity, lines in curves.items():
            for name, values in lines.items():
                for low, high, value in zip(EDGES[quantity], EDGES[quantity][1:], values):
                    writer.writerow((quantity, low, high, name, '' if value is None else f'{value:.4f}'))


def figure(entries, columns, summary, curves):
    """One matplotlib Figure: MPJPE on every column of the benchmark with intervals, and its curves over the view.

    `curves`: {quantity: {lifter's name: MPJPE of each bin of EDGES or None}}.
    """
    names = list(dict.fromkeys(entry.name for entry in entries))
    tall = max(4.5, .24 * len(columns) + .07 * len(columns) * len(names) + 1)
    made = Figure(figsize=(13, tall), layout='constrained')
    grid = made.add_gridspec(max(1, len(curves)), 2, width_ratios=(3, 2))
    _dots(made.add_subplot(grid[:, 0]), names, columns, summary)
    for row, (quantity, lines) in enumerate(curves.items()):
        _curves(made.add_subplot(grid[row, 1]), quantity, lines)
    return made


def _dots(axes, names, columns, summary):
    """MPJPE of each lifter, a dot with its interval, one line for each column of the benchmark."""
    step = .8 / len(names)
    for number, name in enumerate(names):
        cells = [summary[name, case.title][0] for case in columns]
        places = [row + (number - (len(names) - 1) / 2) * step for row in range(len(columns))]
        spread = [[cell.mean - cell.low for cell in cells], [cell.high - cell.mean for cell in cells]]
        axes.errorbar([cell.mean for cell in cells], places, xerr=spread, fmt='o', markersize=4, linewidth=1, label=str(number))
    for row in range(0, len(columns), 2):
        axes.axhspan(row - .5, row + .5, color='0.95', zorder=0)
    axes.set_yticks(range(len(columns)), [_explained(case) for case in columns], fontsize=8)
    axes.set_ylim(len(columns) - .5, -.5)
    axes.set_xlim(left=0)
    axes.set_xlabel('MPJPE, mm (bars: 95 % interval over sequences and runs); less is better')
    legend = axes.legend(loc='lower center', bbox_to_anchor=(.5, 1), ncols=min(len(names), 5))      # above: it hides no dot
    for text, name in zip(legend.get_texts(), names):
        text.set(text=name, parse_math=False)      # as typed: a label is read as a formula, or hidden if it begins with _


def _explained(case):
    """The title of a column of the benchmark and, in a second line, what its shift changes."""
    if case.shift in ('', AS_FILMED):
        return case.title
    return f'{case.title}\n{case.made.shift.title}'


def _curves(axes, quantity, lines):
    edges = EDGES[quantity]
    centres = [(low + high) / 2 for low, high in zip(edges, edges[1:])]
    for name, values in lines.items():
        axes.plot(centres, [math.nan if value is None else value for value in values], marker='.', label=name)
    axes.set_xlabel(UNITS[quantity])
    axes.set_ylabel('MPJPE, mm')
    axes.set_ylim(bottom=0)
    axes.grid(alpha=.3)

"""The results of a sweep: mean and standard deviation over seeds of every score, as a table, as csv files and as a figure.

They come from the jobs' own run directories alone, and hold no times and no paths, so that equal runs give equal files.
"""
import csv
import statistics
from typing import NamedTuple

from common.files.atomic import written_whole
from sweeps.job import POSEAUG
from utils.pictures.drawing import SERIES, new_figure
from utils.runs.results import MPJPES, TITLES, read_run
from utils.runs.results_table import Row, aligned, table

# column of the table -> (field of Row, number format)
COLUMNS = {'baseline last': ('baseline_last', '.1f'), 'PoseAug last': ('poseaug_last', '.1f'),
           'difference last': ('difference_last', '+.1f'),
           'baseline held-out': ('baseline_held_out', '.1f'), 'PoseAug held-out': ('poseaug_held_out', '.1f'),
           'baseline': ('baseline', '.1f'), 'PoseAug best': ('poseaug_best', '.1f'),
           'difference best': ('difference_best', '+.1f'),
           'published baseline': ('published_baseline', '.1f'), 'published PoseAug': ('published_poseaug', '.1f')}
DRAWN = {'baseline, last epoch': 'baseline_last', 'PoseAug, last epoch': 'poseaug_last'}
NOTES = """\
- Each figure: mean ± standard deviation over the seeds whose runs have finished. A dash: there is none.
- last: the last epoch, which is not chosen on a test set.
- held-out: the epoch that is best on the training subject of --validate_on.
- baseline: the lifter that PoseAug started from; without PoseAug, the best epoch on Human3.6M.
- best: each seed's best epoch, chosen per score on the test set, as the authors did. A mean of such minima is lower than what
  one more seed may expect.
- difference: PoseAug minus baseline, seed by seed.
- published: the authors' best epochs, on the real data sets.
- On 3DHP the 2D input is the ground truth in every row."""


class Group(NamedTuple):
    """One score of one experiment: `rows` is {seed: Row of utils/runs/results_table.py}."""
    lifter: str
    keypoints: str
    variant: str
    test_set: str
    score: str
    rows: dict

    def values(self, field):
        """The figures of a Row's field, in the order of the seeds, without those that are missing."""
        found = [getattr(self.rows[seed], field) for seed in sorted(self.rows)]
        return [value for value in found if value is not None]


def groups_of(jobs):
    """List of Groups of all finished jobs, score by score, in the order of the jobs."""
    found = {}
    for job in jobs:
        if job.finished and all(other.needs != job or not other.finished for other in jobs):
            for row in table([_pair(job)]):
                key = row.lifter, row.keypoints, job.variant, row.test_set, row.score
                found.setdefault(key, Group(*key, {})).rows[job.seed] = row
    order = list(dict.fromkeys((group.test_set, group.score) for group in found.values()))
    return sorted(found.values(), key=lambda group: order.index((group.test_set, group.score)))


def _pair(job):
    """(baseline Run or None, PoseAug Run or None) of a job."""
    run = read_run(job.run_directory)
    return (read_run(job.needs.run_directory), run) if job.trainer == POSEAUG else (run, None)


def markdown(groups):
    """One table for each score, and what its columns are."""
    parts = []
    for title in dict.fromkeys((group.test_set, group.score) for group in groups):
        own = [group for group in groups if (group.test_set, group.score) == title]
        columns = {name: how for name, how in COLUMNS.items() if any(group.values(how[0]) for group in own)}
        lines = [{'lifter': group.lifter, '2D': group.keypoints, 'variant': group.variant or '–', 'seeds': str(len(group.rows)),
                  **{name: mean_and_deviation(group, *how) for name, how in columns.items()}} for group in own]
        parts.append(f'### {title[0]}: {title[1]}\n\n{aligned(lines)}')
    return '\n\n'.join([*parts, NOTES])


def mean_and_deviation(group, field, form):
    """The text '61.3 ± 0.4' for a field of a Group; without a deviation for a single seed or a published figure."""
    values = group.values(field)
    if not values:
        return '–'
    mean = format(statistics.mean(values), form)
    return mean if len(values) == 1 or field.startswith('published') else f'{mean} ± {statistics.stdev(values):.1f}'


def figure(groups):
    """Figure of the MPJPE on both test sets: each seed a pale dot, and mean and standard deviation of each experiment."""
    titles = [TITLES[metric.test_set] for metric in MPJPES]
    names = list(dict.fromkeys(_name(group) for group in groups))
    made = new_figure(figsize=(11, 1.6 + .45 * len(names)), layout='constrained')
    for place, title in enumerate(titles, start=1):
        axes = made.add_subplot(1, len(titles), place)
        shown = [group for group in groups if (group.test_set, group.score) == (title, MPJPES[0].title)]
        for number, (label, field) in enumerate(DRAWN.items()):
            _draw_dots(axes, [(names.index(_name(group)) + .2 * number - .1, group.values(field)) for group in shown], label,
                       SERIES[number])
        axes.set(title=title, xlabel='MPJPE, mm', ylim=(len(names) - .5, -.5))
        axes.set_yticks(range(len(names)), names if place == 1 else [''] * len(names))
        axes.grid(axis='x', color='0.9')
        axes.spines[['top', 'right']].set_visible(False)
    handles, labels = made.axes[0].get_legend_handles_labels()
    made.legend(handles, labels, loc='outside lower center', ncols=len(labels), frameon=False)
    return made


def _draw_dots(axes, rows, label, colour):
    """Draw [(height, values of the seeds)]."""
    rows = [(height, values) for height, values in rows if values]
    for height, values in rows:
        axes.plot(values, [height] * len(values), 'o', color=colour, alpha=.35, markersize=4)
    if rows:
        means = [statistics.mean(values) for _, values in rows]
        deviations = [statistics.stdev(values) if len(values) > 1 else 0. for _, values in rows]
        axes.errorbar(means, [height for height, _ in rows], xerr=deviations, fmt='D', color=colour, markersize=5, capsize=3,
                      label=label)


def _name(group):
    return ', '.join(filter(None, (group.lifter, group.keypoints, group.variant)))


def write_results(groups, folder):
    """Write table.md, table.csv, runs.csv and table.png into the folder."""
    with written_whole(folder / 'table.md') as partial:
        partial.write_text(markdown(groups) + '\n')
    _write_csv(folder / 'table.csv', (*Group._fields[:5], 'figure', 'seeds', 'mean', 'deviation'), _means(groups))
    figures = [field for field in Row._fields if field not in Group._fields and not field.endswith('_run')]
    _write_csv(folder / 'runs.csv', (*Group._fields[:5], 'seed', *figures),
               ((*group[:5], seed, *(getattr(row, field) for field in figures))
                for group in groups for seed, row in sorted(group.rows.items())))
    with written_whole(folder / 'table.png') as partial:
        figure(groups).savefig(partial, dpi=110, format='png', metadata={'Software': None})


def _means(groups):
    for group in groups:
        for field, _ in COLUMNS.values():
            if values := group.values(field):
                yield (*group[:5], field, len(values), statistics.mean(values),
                       statistics.stdev(values) if len(values) > 1 else None)


def _write_csv(path, header, lines):
    with written_whole(path) as partial, open(partial, 'w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for line in lines:
            writer.writerow(f'{value:.4f}' if isinstance(value, float) else value for value in line)

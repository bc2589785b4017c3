"""The table of all experiments: scores of the best and last epochs, and the published ones. NOTES explains them."""
import csv
import math
from pathlib import Path
from typing import NamedTuple

from common.errors import InputError
from utils.runs.published import PUBLISHED_KEYPOINTS, PUBLISHED_MM
from utils.runs.results import H36M_P1, METRICS, TITLES, changes_of

NOTES = """\
- baseline: the score of the lifter that PoseAug started from (epoch 0 of the PoseAug run); without a PoseAug run, the
  score of the baseline's best epoch on Human3.6M.
- PoseAug best: the score of the best epoch, chosen per score on the test set, as the authors did. On Human3.6M only the
  evaluation after training on the real pairs counts; on 3DHP also the one after training on the fake (augmented) pairs.
- last: the score of the last epoch, not chosen on the test set: of the PoseAug run, and of the baseline run that it
  started from. That run is recognised by its scores, which equal those of epoch 0, and may be missing.
- held-out: the score of the epoch that is best on the training subject of --validate_on.
- published: the authors' best epochs, on the real data sets.
- On 3DHP the 2D input is the ground truth in every row.
- Only the newest run of an experiment (lifter and 2D) is shown; --all shows every run. The list of runs says which of
  them are not PoseAug as published, for example because of --augmentor none.
- difference: PoseAug minus baseline. A dash: there is no such run or no such score."""


class Row(NamedTuple):
    """One score of one experiment, in mm or percent, None if missing; `*_run` are the directories of the runs."""
    lifter: str
    keypoints: str
    test_set: str
    score: str
    baseline: float
    poseaug_best: float
    difference_best: float
    best_epoch: int
    published_baseline: float
    published_poseaug: float
    published_difference: float
    baseline_last: float
    poseaug_last: float
    difference_last: float
    last_epoch: int
    baseline_held_out: float
    poseaug_held_out: float
    poseaug_run: Path
    baseline_run: Path


def table(paired):
    """List of Rows for the `paired` runs (see `results.pairs`), ordered by METRICS, without scores that a pair lacks."""
    rows = [_row(metric, baseline, poseaug) for metric in METRICS for baseline, poseaug in paired]
    return [row for row in rows if any(value is not None for value in (row.baseline, row.poseaug_best))]


def _row(metric, baseline, poseaug):
    before = baseline.curve(metric) if baseline else {}
    after = poseaug.curve(metric, '_real') if poseaug else {}
    start = after.get(0) if poseaug else before.get(best_baseline_epoch(baseline))
    best, best_epoch = _best_of(metric, poseaug) if poseaug else (None, None)
    (_, baseline_last), (last_epoch, poseaug_last) = _last(before), _last(after)
    experiment = (poseaug or baseline).experiment
    theirs = published(*experiment, metric)
    return Row(*experiment, TITLES[metric.test_set], metric.title,
               start, best, difference(best, start), best_epoch, *theirs, difference(*reversed(theirs)),
               baseline_last, poseaug_last, difference(poseaug_last, baseline_last), last_epoch,
               baseline and before.get(baseline.held_out_epoch), poseaug and after.get(poseaug.held_out_epoch),
               poseaug and poseaug.path, baseline and baseline.path)


def best_baseline_epoch(baseline):
    """The epoch of ckpt_best.pth.tar: the first with the lowest MPJPE on Human3.6M; None without a finite score."""
    curve = {epoch: value for epoch, value in baseline.curve(H36M_P1).items() if math.isfinite(value)}
    return min(curve, key=curve.get, default=None)


def _best_of(metric, poseaug):
    """(score, epoch), chosen like the authors: on 3DHP the scores after training on the fake pairs count too."""
    suffixes = ('_real', '_fake') if metric.test_set == 'dhp' else ('_real',)
    scored = [(value, epoch) for suffix in suffixes for epoch, value in poseaug.curve(metric, suffix).items()
              if math.isfinite(value)]
    value = metric.best([value for value, _ in scored])
    return value, min((epoch for other, epoch in scored if other == value), default=None)


def _last(curve):
    return max(curve.items(), default=(None, None))


def published(lifter, keypoints, metric):
    """The published MPJPEs (baseline, PoseAug) in mm; (None, None) if the authors published none."""
    if lifter not in PUBLISHED_MM or keypoints not in PUBLISHED_KEYPOINTS or metric.tag != H36M_P1.tag:
        return None, None
    return PUBLISHED_MM[lifter][metric.test_set][PUBLISHED_KEYPOINTS.index(keypoints)]


def difference(after, before):
    return None if after is None or before is None else after - before


HELD_OUT = ('baseline_held_out', 'poseaug_held_out')
# column -> (field of Row, number format)
_COLUMNS = {'baseline': ('baseline', '.1f'), 'PoseAug best': ('poseaug_best', '.1f'),
            'difference': ('difference_best', '+.1f'), 'at epoch': ('best_epoch', 'd'),
            'published baseline': ('published_baseline', '.1f'), 'published PoseAug': ('published_poseaug', '.1f'),
            'published difference': ('published_difference', '+.1f'),
            'baseline last': ('baseline_last', '.1f'), 'PoseAug last': ('poseaug_last', '.1f'),
            'difference last': ('difference_last', '+.1f'), 'last epoch': ('last_epoch', 'd'),
            'baseline held-out': ('baseline_held_out', '.1f'),
            'PoseAug held-out': ('poseaug_held_out', '.1f')}


def markdown(rows):
    """The Rows as Markdown text: one table per score, the notes, and the list of the runs."""
    runs = list(dict.fromkeys((row.poseaug_run, row.baseline_run) for row in rows))
    parts, unused = [], all(row.baseline_held_out is row.poseaug_held_out is None for row in rows)
    for test_set, score in dict.fromkeys((row.test_set, row.score) for row in rows):
        lines = [{'run': str(runs.index((row.poseaug_run, row.baseline_run)) + 1), **_cells(row, unused)} for row in rows
                 if (row.test_set, row.score) == (test_set, score)]
        parts.append(f'### {test_set}: {score}\n\n{aligned(lines)}')
    sources = [f'{number}. PoseAug{_but_with(poseaug)} {_shown(poseaug)}, baseline {_shown(baseline)}'
               for number, (poseaug, baseline) in enumerate(runs, start=1)]
    return '\n\n'.join([*parts, NOTES, 'Runs:\n\n' + '\n'.join(sources)])


def _cells(row, unused):
    """{column: text} of a Row; only MPJPE has published scores. `unused`: leave out the columns of held-out scores."""
    columns = {name: (field, form) for name, (field, form) in _COLUMNS.items() if not (unused and field in HELD_OUT)
               and (row.score == H36M_P1.title or not field.startswith('published'))}
    figures = {name: _text(getattr(row, field), form) for name, (field, form) in columns.items()}
    return {'lifter': row.lifter, '2D': row.keypoints, **figures}


def _text(number, form):
    return '–' if number is None else format(number, form)


def _shown(path):
    return '–' if path is None else f'`{path}`'


def _but_with(path):
    changes = path and changes_of(path)
    return f', but with {changes},' if changes else ''


def aligned(rows):
    """Markdown table with aligned columns, from dicts {column: text} that all have the same columns."""
    names = list(rows[0])
    widths = [max(len(name), *(len(row[name]) for row in rows)) for name in names]
    is_text = [name in ('lifter', '2D', 'variant') for name in names]
    lines = [[text.ljust(width) if left else text.rjust(width) for text, width, left in zip(line, widths, is_text)]
             for line in [names, *(row.values() for row in rows)]]
    rule = ['-' * width if left else '-' * (width - 1) + ':' for width, left in zip(widths, is_text)]
    return '\n'.join(f'| {" | ".join(line)} |' for line in (lines[0], rule, *lines[1:]))


def write_csv(rows, path):
    """Write the Rows as CSV with a header, four decimals, and empty cells for missing values."""
    with open(path, 'w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(Row._fields)
        for row in rows:
            writer.writerow(f'{value:.4f}' if isinstance(value, float) else value for value in row)


def require_csv_place(path, overwrite):
    """InputError if `path` cannot be written, or is a file other than an earlier table and `overwrite` is False."""
    path = Path(path)
    if not path.parent.is_dir():
        raise InputError(f'--csv {path}: the folder {path.parent} is missing; make it or give another')
    if path.is_dir():
        raise InputError(f'--csv {path} is a folder; give the name of a file in it')
    if path.is_file() and not (overwrite or _is_table(path)):
        raise InputError(f'{path} exists already and is not an earlier table of results; give another --csv or use --overwrite')


def _is_table(path):
    """Whether the file begins with the header that `write_csv` writes."""
    header = ','.join(Row._fields).encode()
    with open(path, 'rb') as file:
        return file.readline(len(header) + 2).rstrip() == header

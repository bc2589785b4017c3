"""The table of all experiments under a folder, from their event files: python3 -m utils.results checkpoint/

An experiment is a lifter and a source of 2D, as the folders say: .../<lifter>/<2D>/<run>/. Runs of ours and of the
reference are read alike, without TensorFlow. What the columns mean is printed below the table (NOTES).
"""
import csv
import math
import struct
import sys
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from google.protobuf.message import DecodeError
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.record_writer import masked_crc32c
from tqdm import tqdm

from function_baseline.arguments import Parser
from function_baseline.scores import SCORE_COLUMNS, TAGS
from utils.errors import InputError, exits_cleanly
from utils.events import PATTERN

# The authors' results (CVPR 2021) on the real data sets, MPJPE in mm: (baseline, PoseAug). README.md shows the same.
PUBLISHED_KEYPOINTS = ('detectron_ft_h36m', 'cpn_ft_h36m_dbb', 'hr', 'gt')
PUBLISHED_MM = dict(
    mlp=dict(h36m=((60.3, 59.1), (55.1, 53.5), (51.5, 51.3), (41.4, 38.4)),
             dhp=((92.3, 81.4), (89.2, 80.0), (85.7, 74.8), (83.1, 73.8))),
    gcn=dict(h36m=((67.3, 65.5), (61.8, 60.5), (56.5, 55.4), (44.6, 41.0)),
             dhp=((108.7, 91.7), (100.0, 90.1), (96.1, 77.9), (97.7, 80.0))),
    stgcn=dict(h36m=((62.5, 60.8), (56.4, 54.7), (53.7, 51.5), (41.9, 36.4)),
               dhp=((95.9, 74.7), (92.4, 75.2), (84.5, 77.9), (87.6, 78.0))),
    videopose=dict(h36m=((60.9, 58.5), (55.9, 53.4), (52.2, 50.5), (41.5, 38.6)),
                   dhp=((93.4, 79.9), (91.1, 77.2), (85.9, 75.1), (85.4, 72.4))))

NOTES = """\
- baseline: the lifter that PoseAug started from (its epoch 0); without a PoseAug run, the baseline's best epoch on
  Human3.6M. PoseAug, best: each score's best epoch, found on the test set as the authors did; on Human3.6M after the
  real pairs, on 3DHP after the real or the fake ones.
- last: the last epoch of the PoseAug run, and that of the baseline run whose lifter it started from, where that is here
  (the scores of epoch 0 tell). Neither is chosen on the test set.
- published: the authors' best epochs, on the real data sets.
- 3DHP's 2D is ground truth in every row. Of several runs of an experiment the newest is shown; --all shows each.
- difference: PoseAug minus baseline. A dash: there is no such run, or no such figure."""


class Metric(NamedTuple):
    """A score of a test set: its key in TAGS, the tag's second half, how it is called, and whether less is better."""
    test_set: str
    tag: str
    title: str
    less_is_better: bool

    @property
    def stem(self):
        return f'{TAGS[self.test_set]}/{self.tag}'

    def best(self, values):
        return (min if self.less_is_better else max)(values, default=None)


TITLES = dict(h36m='Human3.6M', dhp='MPI-INF-3DHP')
_ERRORS = dict(p1score='MPJPE, mm', p2score='P-MPJPE, mm')
_PERCENTS = dict(pck16='PCK, %, 16 joints', auc16='AUC, %, 16 joints', pck14='PCK, %, official 14 joints',
                 auc14='AUC, %, official 14 joints')
METRICS = (*(Metric(test_set, tag, title, True) for test_set in TAGS for tag, title in _ERRORS.items()),
           *(Metric('dhp', tag, title, False) for tag, title in _PERCENTS.items()))
MPJPES = [metric for metric in METRICS if metric.tag == 'p1score']
H36M_P1 = MPJPES[0]
SAME_MM = 0.01      # float32 evaluations of one lifter differ by far less, two lifters by far more


class Run(NamedTuple):
    """One run: its scores as tag -> {epoch: number}, and when the first of them was written (seconds since 1970)."""
    path: Path
    scores: dict
    started: float

    @property
    def experiment(self):
        """(lifter, 2D), as the folders above the run are called."""
        lifter, keypoints = ('', '', *self.path.resolve().parts)[-3:-1]
        return lifter, keypoints

    @property
    def is_poseaug(self):
        return f'{H36M_P1.stem}_real' in self.scores

    def curve(self, metric, suffix=''):
        """epoch -> number, in order."""
        return dict(sorted(self.scores.get(metric.stem + suffix, {}).items()))


class Row(NamedTuple):
    """One score of one experiment, mm or percent; None where there is none. `*_run`: where it comes from."""
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
    poseaug_run: Path
    baseline_run: Path


# Event files: records of a length, its checksum, an Event, its checksum (TensorFlow's TFRecord framing)

def records(path):
    """Yield (offset, bytes, checksum) of each record; warns and ends where the file is cut off or damaged."""
    content, place = path.read_bytes(), 0
    while place < len(content):
        if len(content) - place < 12:
            return _warn_of_end(path, place)
        length, = struct.unpack_from('<Q', content, place)
        if _length_checksum(length) != struct.unpack_from('<I', content, place + 8)[0]:
            return _warn(f'{path} is damaged at byte {place:,}; it is read up to there')
        end = place + 12 + length
        if len(content) < end + 4:
            return _warn_of_end(path, place)
        yield place, content[place + 12:end], struct.unpack_from('<I', content, end)[0]
        place = end + 4


@lru_cache(maxsize=4096)
def _length_checksum(length):
    return masked_crc32c(struct.pack('<Q', length))


def _warn_of_end(path, place):
    _warn(f'{path} ends within a record at byte {place:,} (its run goes on or was stopped); it is read up to there')


def _warn(line):
    print(f'warning: {line}', file=sys.stderr)


def read_events(path, wanted, most=None):
    """Events that name one of the tags, or beginnings of tags, in `wanted`: all, or about `most` evenly spread ones.

    Other records are passed over without a look at their checksums, which cost more than all the rest.
    """
    wanted = [text.encode() for text in wanted]
    found = [record for record in records(path) if any(text in record[1] for text in wanted)]
    events = []
    for place, data, checksum in found[::max(1, len(found) // most)] if most else found:
        if masked_crc32c(data) != checksum:
            _warn(f'{path} is damaged at byte {place:,}; what follows is passed over')
            break
        try:
            events.append(Event.FromString(data))
        except DecodeError:
            _warn(f'{path} holds no event at byte {place:,}; what follows is passed over')
            break
    return events


def read_scalars(directory, wanted, most=None):
    """(tag -> {step: number} of a run's event files, time of the first); see `read_events`. A later file wins."""
    scalars, times = {}, []
    for path in sorted(directory.glob(PATTERN)):
        for event in read_events(path, wanted, most):
            times.append(event.wall_time)
            for value in event.summary.value:
                if value.HasField('simple_value') and value.tag.startswith(tuple(wanted)):
                    scalars.setdefault(value.tag, {})[event.step] = value.simple_value
    return scalars, min(times, default=0.)


def read_baseline_log(path):
    """The scores in a baseline's log.txt, tag -> {epoch: number}: the reference's baseline writes no event files."""
    stems = [metric.stem for metric in METRICS[:len(SCORE_COLUMNS)]]
    names, scores = [], {}
    for line in path.read_text(errors='replace').splitlines():
        cells = line.rstrip('\t').split('\t')
        if cells[:1] == ['epoch']:
            names = cells
        elif 'loss_train' in names and len(cells) == len(names):
            row = dict(zip(names, map(float, cells)))
            for column, stem in zip(SCORE_COLUMNS, stems):
                if column in row:
                    scores.setdefault(stem, {})[int(row['epoch'])] = row[column]
    return scores


# Runs and their pairs

def find_runs(folder):
    """Every Run with scores under `folder`, the oldest first; InputError where there is none."""
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f'{folder} is no folder; give the one that holds the runs')
    files = [*folder.rglob(PATTERN), *folder.rglob('log.txt')]
    runs = [_read_run(path) for path in tqdm(sorted({file.parent for file in files}), desc='runs', unit='run',
                                             leave=False, disable=None)]
    found = sorted((run for run in runs if H36M_P1.stem in run.scores or run.is_poseaug), key=lambda run: run.started)
    if not found:
        raise InputError(f'{folder} holds no run with scores; give the folder of the runs, as --checkpoint had it')
    return found


def _read_run(path):
    scores, started = read_scalars(path, TAGS.values())
    log = path / 'log.txt'
    if not scores and log.is_file():
        scores, started = read_baseline_log(log), log.stat().st_mtime
    return Run(path, scores, started)


def pairs(runs, every=False):
    """[(baseline Run or None, PoseAug Run or None)] of each experiment, in the published table's order.

    A PoseAug run goes with the baseline whose lifter it started from, if that is among the runs. Only the newest
    PoseAug run is kept, or, without any, the newest baseline; `every` keeps all, and the baselines that go with none.
    """
    experiments = {}
    for run in runs:
        experiments.setdefault(run.experiment, ([], []))[run.is_poseaug].append(run)
    paired = []
    for _, (baselines, poseaugs) in sorted(experiments.items(), key=lambda item: _order(item[0])):
        own = [(_baseline_of(run, baselines), run) for run in poseaugs]
        lonely = [(run, None) for run in baselines if all(run is not baseline for baseline, _ in own)]
        paired += own + lonely if every else (own or lonely)[-1:]
    return paired


def _order(experiment):
    """The published ones first, in their table's order."""
    return [(known.index(name) if name in known else len(known), name)
            for name, known in zip(experiment, (list(PUBLISHED_MM), PUBLISHED_KEYPOINTS))]


def _baseline_of(poseaug, baselines):
    """The newest baseline that in some epoch had both MPJPEs of PoseAug's epoch 0, which are those of its lifter."""
    start = [poseaug.curve(metric, '_real').get(0, math.nan) for metric in MPJPES]
    for run in reversed(baselines):
        for scores in zip(*(run.curve(metric).values() for metric in MPJPES)):
            if all(abs(one - other) < SAME_MM for one, other in zip(scores, start)):
                return run
    return None


# The table

def table(paired):
    """Rows of `pairs`, by METRICS; a score that neither run of a pair has is left out."""
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
               poseaug and poseaug.path, baseline and baseline.path)


def best_baseline_epoch(baseline):
    """The epoch of ckpt_best.pth.tar: lowest MPJPE on Human3.6M, the first of equals."""
    curve = {epoch: value for epoch, value in baseline.curve(H36M_P1).items() if math.isfinite(value)}
    return min(curve, key=curve.get, default=None)


def _best_of(metric, poseaug):
    """(number, epoch), the authors' way: on 3DHP the scores after the fake pairs count too."""
    suffixes = ('_real', '_fake') if metric.test_set == 'dhp' else ('_real',)
    scored = [(value, epoch) for suffix in suffixes for epoch, value in poseaug.curve(metric, suffix).items()
              if math.isfinite(value)]
    value = metric.best([value for value, _ in scored])
    return value, min((epoch for other, epoch in scored if other == value), default=None)


def _last(curve):
    return max(curve.items(), default=(None, None))


def published(lifter, keypoints, metric):
    """(baseline, PoseAug) as the authors give them, mm; (None, None) where they do not."""
    if lifter not in PUBLISHED_MM or keypoints not in PUBLISHED_KEYPOINTS or metric.tag != H36M_P1.tag:
        return None, None
    return PUBLISHED_MM[lifter][metric.test_set][PUBLISHED_KEYPOINTS.index(keypoints)]


def difference(after, before):
    return None if after is None or before is None else after - before


# column -> the Row's field and how to write it
_COLUMNS = {'baseline': ('baseline', '.1f'), 'PoseAug best': ('poseaug_best', '.1f'),
            'difference': ('difference_best', '+.1f'), 'at epoch': ('best_epoch', 'd'),
            'published baseline': ('published_baseline', '.1f'), 'published PoseAug': ('published_poseaug', '.1f'),
            'published difference': ('published_difference', '+.1f'),
            'baseline last': ('baseline_last', '.1f'), 'PoseAug last': ('poseaug_last', '.1f'),
            'difference last': ('difference_last', '+.1f'), 'last epoch': ('last_epoch', 'd')}


def markdown(rows):
    """One table per score, the notes, and where the numbers come from."""
    runs = list(dict.fromkeys((row.poseaug_run, row.baseline_run) for row in rows))
    parts = []
    for test_set, score in dict.fromkeys((row.test_set, row.score) for row in rows):
        lines = [{'run': str(runs.index((row.poseaug_run, row.baseline_run)) + 1), **_cells(row)} for row in rows
                 if (row.test_set, row.score) == (test_set, score)]
        parts.append(f'### {test_set}: {score}\n\n{_aligned(lines)}')
    sources = [f'{number}. PoseAug {_shown(poseaug)}, baseline {_shown(baseline)}'
               for number, (poseaug, baseline) in enumerate(runs, start=1)]
    return '\n\n'.join([*parts, NOTES, 'Runs:\n\n' + '\n'.join(sources)])


def _cells(row):
    """Column -> text; the published ones only where the score is one that was published."""
    columns = {name: (field, form) for name, (field, form) in _COLUMNS.items()
               if row.score == H36M_P1.title or not field.startswith('published')}
    figures = {name: _text(getattr(row, field), form) for name, (field, form) in columns.items()}
    return {'lifter': row.lifter, '2D': row.keypoints, **figures}


def _text(number, form):
    return '–' if number is None else format(number, form)


def _shown(path):
    return '–' if path is None else f'`{path}`'


def _aligned(rows):
    """Dicts column -> text, all with the same columns, as a markdown table that can be read as it is."""
    names = list(rows[0])
    widths = [max(len(name), *(len(row[name]) for row in rows)) for name in names]
    is_text = [name in ('lifter', '2D') for name in names]
    lines = [[text.ljust(width) if left else text.rjust(width) for text, width, left in zip(line, widths, is_text)]
             for line in [names, *(row.values() for row in rows)]]
    rule = ['-' * width if left else '-' * (width - 1) + ':' for width, left in zip(widths, is_text)]
    return '\n'.join(f'| {" | ".join(line)} |' for line in (lines[0], rule, *lines[1:]))


def write_csv(rows, path):
    """The Rows as they are, four decimals, empty where there is none."""
    with open(path, 'w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(Row._fields)
        for row in rows:
            writer.writerow(f'{value:.4f}' if isinstance(value, float) else value for value in row)


def require_csv_place(path, overwrite):
    """InputError where `path` cannot be written, or holds something else than an earlier table and `overwrite` is False."""
    path = Path(path)
    if not path.parent.is_dir():
        raise InputError(f'--csv {path}: the folder {path.parent} is missing; make it or give another')
    if path.is_dir():
        raise InputError(f'--csv {path} is a folder; give the name of a file in it')
    if path.is_file() and not (overwrite or _is_table(path)):
        raise InputError(f'{path} exists already and is no table of these; give another --csv, or --overwrite')


def _is_table(path):
    """Whether a file begins as `write_csv` does."""
    header = ','.join(Row._fields).encode()
    with open(path, 'rb') as file:
        return file.readline(len(header) + 2).rstrip() == header


@exits_cleanly
def main(argv=None):
    """Print the table; returns its Rows."""
    parser = Parser(__doc__.split('\n')[0])
    parser.prog = 'python3 -m utils.results'
    parser.add_argument('folder', nargs='?', default='checkpoint', help='of runs, at any depth (default: %(default)s)')
    parser.add_argument('--all', action='store_true', help='every run of an experiment, not the newest alone')
    parser.add_argument('--csv', metavar='FILE', help='write the table there too; an earlier table of that name is replaced')
    parser.add_argument('--overwrite', action='store_true', help='let --csv replace any file')
    args = parser.parse_args(argv)
    if args.csv:
        require_csv_place(args.csv, args.overwrite)
    rows = table(pairs(find_runs(args.folder), every=args.all))
    print(markdown(rows))
    if args.csv:
        write_csv(rows, args.csv)
    return rows


if __name__ == '__main__':
    main()

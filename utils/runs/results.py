"""Find the runs under a folder, read their scores, and pair each PoseAug run with its baseline.

An experiment is a lifter and a source of 2D keypoints, read from the path of a run: .../<lifter>/<2D>/<run>/. Runs of
this code and of the authors' code can both be read.
"""
import math
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from common.errors import InputError
from utils.runs.events import PATTERN, read_scalars
from utils.runs.published import PUBLISHED_KEYPOINTS, PUBLISHED_MM
from utils.runs.record import lives
from utils.runs.score_names import HELD_OUT_TAG, MOTION_SCORES, SCORE_COLUMNS, TAGS


class Metric(NamedTuple):
    """A metric on a test set: the set's key in TAGS, the second half of the tag, its title, and if lower is better."""
    test_set: str
    tag: str
    title: str
    less_is_better: bool

    @property
    def stem(self):
        return f'{TAGS[self.test_set]}/{self.tag}'

    def best(self, values):
        """The lowest or highest of `values`, whichever is better; None without any."""
        return (min if self.less_is_better else max)(values, default=None)


TITLES = dict(h36m='Human3.6M', dhp='MPI-INF-3DHP')
_ERRORS = dict(p1score='MPJPE, mm', p2score='P-MPJPE, mm')
_PERCENTS = dict(pck16='PCK, %, 16 joints', auc16='AUC, %, 16 joints', pck14='PCK, %, official 14 joints',
                 auc14='AUC, %, official 14 joints')
_OF_MOTION = ('MPJVE, mm/frame', 'acceleration error, mm/frame^2')
METRICS = (*(Metric(test_set, tag, title, True) for test_set in TAGS for tag, title in _ERRORS.items()),
           *(Metric('dhp', tag, title, False) for tag, title in _PERCENTS.items()),
           *(Metric('h36m', tag, title, True) for tag, title in zip(MOTION_SCORES, _OF_MOTION)))
MPJPES = [metric for metric in METRICS if metric.tag == 'p1score']
H36M_P1 = MPJPES[0]
PUBLISHED_GAME = dict(augmentor='learned', augment='ba,bl,rt', discriminators='2d,3d', kcs='part', feedback='range')
SAME_MM = 0.01      # float32 rounding changes the MPJPE of a lifter by far less, and two lifters differ by far more


class Run(NamedTuple):
    """One run: its scores as {tag: {epoch: number}}, and the time of the first one in seconds since 1970."""
    path: Path
    scores: dict
    started: float

    @property
    def experiment(self):
        """(lifter, source of 2D): the names of the two folders above the run."""
        lifter, keypoints = ('', '', *self.path.resolve().parts)[-3:-1]
        return lifter, keypoints

    @property
    def is_poseaug(self):
        return f'{H36M_P1.stem}_real' in self.scores

    @property
    def held_out_epoch(self):
        """The epoch with the lowest error on the held-out subject; None without one."""
        errors = self.scores.get(HELD_OUT_TAG, {})
        return min(errors, key=errors.get, default=None)

    def curve(self, metric, suffix=''):
        """{epoch: score} in the order of the epochs; `suffix`: '_real' or '_fake' in a PoseAug run.

        The motion is scored after the training on real pairs alone, so its tags have no suffix.
        """
        tag = metric.stem if metric.tag in MOTION_SCORES else metric.stem + suffix
        return dict(sorted(self.scores.get(tag, {}).items()))


def read_baseline_log(path):
    """Scores from a baseline's log.txt, {tag: {epoch: number}}; the authors' baseline script writes no event files."""
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


# Runs, and pairs of a baseline and a PoseAug run

def find_runs(folder):
    """List of all Runs with scores under `folder`, oldest first; InputError if there is none."""
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f'{folder} is not a folder; give the folder that contains the runs')
    files = [*folder.rglob(PATTERN), *folder.rglob('log.txt')]
    runs = [read_run(path) for path in tqdm(sorted({file.parent for file in files}), desc='runs', unit='run',
                                             leave=False, disable=None)]
    found = sorted((run for run in runs if H36M_P1.stem in run.scores or run.is_poseaug), key=lambda run: run.started)
    if not found:
        raise InputError(f'{folder} holds no run with scores on Human3.6M; give the folder that was --checkpoint in training')
    return found


def read_run(path):
    """The Run in a directory; without scores if there are none."""
    scores, started = read_scalars(path, [*TAGS.values(), HELD_OUT_TAG])
    log = path / 'log.txt'
    if not scores and log.is_file():
        scores, started = read_baseline_log(log), log.stat().st_mtime
    return Run(path, scores, started)


def changes_of(directory):
    """The flags by which a run is not PoseAug as published, such as '--augmentor none'; '' if none is known."""
    arguments = next(reversed(lives(directory)), {}).get('arguments', {})
    found = {name: arguments.get(name, value) for name, value in PUBLISHED_GAME.items()}
    return ' '.join(f'--{name} {value}' for name, value in found.items() if value != PUBLISHED_GAME[name])


def pairs(runs, every=False):
    """List of pairs (baseline Run or None, PoseAug Run or None), experiments in the order of the published table.

    A PoseAug run is paired with the baseline run whose lifter it started from, if that run is in `runs`. By default each
    experiment gives one pair: its newest PoseAug run, or its newest baseline if it has no PoseAug run. `every` gives all
    PoseAug runs, and also the baselines that belong to none of them.
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
    """Sort key: published lifters and keypoints first, in the order of the published table."""
    return [(known.index(name) if name in known else len(known), name)
            for name, known in zip(experiment, (list(PUBLISHED_MM), PUBLISHED_KEYPOINTS))]


def _baseline_of(poseaug, baselines):
    """The newest baseline run with an epoch whose MPJPEs on both test sets equal those at PoseAug's epoch 0; or None."""
    start = [poseaug.curve(metric, '_real').get(0, math.nan) for metric in MPJPES]
    for run in reversed(baselines):
        for scores in zip(*(run.curve(metric).values() for metric in MPJPES)):
            if all(abs(one - other) < SAME_MM for one, other in zip(scores, start)):
                return run
    return None

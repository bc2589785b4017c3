"""Lifters side by side on test sets and controlled shifts, with bootstrap confidence intervals over sequences and seeds."""
from typing import NamedTuple

import torch
from tqdm import tqdm

from common import metrics
from common.camera import root_relative
from common.clips import clip_ends
from common.errors import InputError
from common.poses import PoseSet
from common.product import full_precision
from common.shifts import SHIFTS, Shifted, shifted, views_of
from common.skeleton import H36M_16, Skeleton, official_14
from function_baseline.clip_shifts import windows_of
from function_baseline.evaluate import CHUNK, pose_figures, predict, scoring_device
from function_baseline.temporal import windows_as_lifted
from models_baseline.temporal import is_temporal
from utils import interrupts
from utils.seeding import generator

FIGURES = ('MPJPE', 'P-MPJPE', 'N-MPJPE', 'PCK14', 'AUC14')      # mm, mm, mm, %, %
RESAMPLINGS, COVERAGE = 1000, .95
LEAST_SEQUENCES = 5    # with fewer there is no interval
LEAST_IN_BIN = 30      # poses; a curve has no point where there are fewer


class Entry(NamedTuple):
    """A lifter to score: the `name` of its row, the path of its checkpoint, and whose 2D it lifts ('image' or 'person').

    `fps`: frames per second of the clips on which a lifter of several frames was trained (None: unknown).
    """
    name: str
    path: str
    lifter: torch.nn.Module
    camera: str
    skeleton: Skeleton = H36M_16
    fps: float = None


class Column(NamedTuple):
    """One column: the data set and the shift ('' for the set as it is), its poses, and test-time flip.

    `made`: the Shifted to which the poses belong, and `seed`, that of the shift, for lifters that also see other frames.
    """
    dataset: str
    shift: str
    poses: PoseSet
    flip: bool
    made: Shifted = None
    seed: int = 0

    @property
    def title(self):
        return self.dataset + f': {self.shift}' * bool(self.shift)


class Scores(NamedTuple):
    """A lifter's scores on a Column: sums over the poses of each sequence, and per pose.

    `sums` (sequences, 5) of FIGURES, `counts` (sequences,), `joints` (J,) mean error of each joint in mm, `errors` (N,)
    MPJPE of each pose in mm.
    """
    sums: torch.Tensor
    counts: torch.Tensor
    joints: torch.Tensor
    errors: torch.Tensor


class Interval(NamedTuple):
    """A mean over the poses, and the bounds of its confidence interval."""
    mean: float
    low: float
    high: float


def cases(dataset, poses, flip, shifts, seed, every=1):
    """Yield the Columns of one data set: as it is, and its PoseSet under each of the `shifts`, {name: Shift}.

    Every `every`-th frame is scored; lifters of several frames also see those between.
    """
    rows = torch.arange(len(poses), device=poses.device)
    if every > 1:
        rows = rows[poses.frame % every == 0]
    scored = poses if every == 1 else poses.subset(rows)
    yield Column(dataset, '', scored, flip, Shifted(None, poses, scored, rows, None, None), seed)
    for name, shift in shifts.items():
        made = shifted(scored, shift, draws_of(name, seed))
        if every > 1:
            made = made._replace(source=poses, rows=rows[made.rows])
        yield Column(dataset, name, made.poses, flip, made, seed)


def draws_of(name, seed):
    """The generator of a shift's random numbers, always on the CPU, so that every device scores the same poses."""
    return generator('cpu', seed, 0, f'shift {name}')


@torch.no_grad()
@full_precision()
def scores_of(entry, case, device):
    """Scores of an Entry on a Column."""
    poses, scored_on = case.poses, scoring_device(device)
    official, lifted = official_14(poses.skeleton), lifted_windows if is_temporal(entry.lifter) else lifted_poses
    figures, joints = [], []
    for pair in lifted(entry.lifter.to(device).eval(), entry.camera, case, device):
        interrupts.obey()
        predicted, target = (pose.to(scored_on) for pose in pair)
        errors = metrics.joint_errors(predicted, target)
        mpjpe, p_mpjpe, _, _, pck_14, auc_14 = pose_figures(errors, metrics.p_mpjpe(predicted, target), official).unbind(1)
        n_mpjpe = 1000 * metrics.n_mpjpe(predicted, target).double()
        figures.append(torch.stack([mpjpe, p_mpjpe, n_mpjpe, pck_14, auc_14], dim=1))
        joints.append(errors)
    figures, sequence = torch.cat(figures).cpu(), sequence_of(poses).cpu()
    number = int(sequence.max()) + 1
    sums = figures.new_zeros(number, len(FIGURES)).index_add_(0, sequence, figures)
    counts = torch.bincount(sequence, minlength=number)
    return Scores(sums[counts > 0], counts[counts > 0], 1000 * torch.cat(joints).double().mean(0).cpu(), figures[:, 0])


def lifted_poses(lifter, camera, case, device):
    """Yield the poses (B, J, 3) that a lifter predicts, and the true ones, root-relative metres, until the Column is done."""
    for index in torch.arange(len(case.poses), device=case.poses.device).split(CHUNK):
        batch = case.poses.take(index, device)
        predicted = predict(lifter, batch.pose2d, case.flip, camera, batch.camera, case.poses.skeleton)
        yield predicted, root_relative(batch.pose3d_cam)


def lifted_windows(lifter, camera, case, device):
    """`lifted_poses` for a lifter of several frames. With the camera 'person' both are in the frames of the virtual cameras."""
    ends, draws = clip_ends(case.made.source), draws_of(f'{case.shift}, frames around', case.seed)
    for index in torch.arange(len(case.poses), device=case.poses.device).split(max(CHUNK // lifter.receptive_field, 1)):
        batch, windows = case.poses.take(index, device), windows_of(case.made, index, ends, lifter, draws).to(device)
        windows, target = windows_as_lifted(lifter, windows, root_relative(batch.pose3d_cam), batch.camera, camera)
        yield predict(lifter, windows, case.flip, 'image', skeleton=case.poses.skeleton), target


def sequence_of(poses):
    """(N,) the number of each pose's recording; its group where the data set does not number the recordings."""
    return poses.group if poses.sequence is None else poses.sequence


def intervals(runs, seed=0):
    """The Interval of each of FIGURES, from the Scores of several runs of one kind on one Column.

    Each resampling draws as many runs and as many sequences as there are, with replacement (a percentile bootstrap).
    """
    draws = torch.Generator().manual_seed(seed)
    sums, counts = torch.stack([run.sums for run in runs]), runs[0].counts.double()
    num_runs, num_sequences = sums.shape[:2]
    means = (sums.sum(1) / counts.sum()).mean(0)
    if num_sequences < LEAST_SEQUENCES:       # too few to say anything about others
        return [Interval(mean, mean, mean) for mean in means.tolist()]
    resampled = []
    for _ in range(RESAMPLINGS):
        chosen_runs = torch.randint(num_runs, (num_runs,), generator=draws)
        chosen = torch.randint(num_sequences, (num_sequences,), generator=draws)
        resampled.append((sums[chosen_runs][:, chosen].sum(1) / counts[chosen].sum()).mean(0))
    tail = (1 - COVERAGE) / 2
    low, high = torch.stack(resampled).quantile(torch.tensor([tail, 1 - tail], dtype=torch.float64), dim=0)
    return [Interval(*map(float, bounds)) for bounds in zip(means, low, high)]


def curve(runs, poses, name, edges):
    """The mean MPJPE in mm (mean over the runs) of the poses in each bin of `edges`, None where a bin holds too few.

    `name`: the quantity on the axis, of `views_of`.
    """
    place = torch.bucketize(views_of(poses)[name].cpu(), torch.tensor(edges)) - 1
    errors = torch.stack([run.errors for run in runs]).mean(0)
    bins = [errors[place == number] for number in range(len(edges) - 1)]
    return [float(part.mean()) if len(part) >= LEAST_IN_BIN else None for part in bins]


def score_all(entries, columns, device):
    """{(entry's name, case's title): list of Scores, one for each of its runs}; a progress bar over all."""
    table = {}
    bar = tqdm(total=len(entries) * len(columns), desc='benchmark', unit='score', leave=False, disable=None)
    for case in columns:
        for entry in entries:
            table.setdefault((entry.name, case.title), []).append(scores_of(entry, case, device))
            bar.update()
    bar.close()
    return table


def chosen_shifts(text):
    """{name: Shift} for a comma-separated text of names, or all of them for 'all', none for 'none'. InputError for others."""
    if text in ('all', 'none'):
        return SHIFTS if text == 'all' else {}
    names = [name.strip() for name in text.split(',')]
    unknown = [name for name in names if name not in SHIFTS]
    if unknown:
        raise InputError(f'--shifts: there is no shift {unknown[0]!r}; choose from {", ".join(SHIFTS)}, or all, or none')
    return {name: SHIFTS[name] for name in names}

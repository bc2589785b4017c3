"""What a sweep would do: its jobs in their order, their commands and resources, and an estimate of time and disk."""
import contextlib
import heapq
import io
import math
from argparse import Namespace

import torch

from common.errors import InputError
from function_baseline.data import load_training
from function_baseline.loop import BaselineState
from function_baseline.loop import room as baseline_room
from function_poseaug.arguments import LEARNED
from function_poseaug.state import PoseAugState
from function_poseaug.state import room as poseaug_room
from sweeps.job import BASELINE
from sweeps.jobs import arguments_of

# Core-seconds for 1,024 poses: a lifter step, an iteration of the game, an evaluation (docs/performance.md, two cores)
SECONDS = dict(mlp=(.36, 1.0, .12), videopose=(.66, 1.5, .20), gcn=(.66, 1.5, .26), stgcn=(2.4, 4.5, .79))
SECONDS_AT_LEAST = (.01, .04)      # of a step and of an iteration, however few poses they have
START_SECONDS = 10
DATA_FLAGS = ('dataset', 'cameras', 'actions', 'downsample', 's1only', 'train_subjects', 'validate_on', 'poses_per_epoch',
              'data_root')


def plan(sweep, jobs, slots, gpus):
    """The text that --dry_run prints. `slots`: how many jobs run at once; `gpus`: how many GPUs share them."""
    lines = [sweep.title] * bool(sweep.title)
    experiment = -1
    for number, job in enumerate(jobs, start=1):
        experiment += is_experiment(job, jobs)
        label = f'--only {experiment}' if is_experiment(job, jobs) else ''
        after = f' after {jobs.index(job.needs) + 1}' if job.needs else ''
        state = 'finished' if job.finished else f'{job.epochs_done()} of {job.epochs} epochs done'
        lines += [f'{number:>3}. {job}{after}: {state} {label}'.rstrip(), f'     {job.shown()}']
    lines.append(f'{len(jobs)} jobs, {sum(job.finished for job in jobs)} finished, {slots} at once. Each takes: cores and '
                 f'threads {sweep.cpus}, memory {sweep.memory_gb} GB, GPUs {sweep.gpus if gpus else 0} (here {gpus}). '
                 f'Folder: {sweep.folder}')
    return '\n'.join([*lines, estimate(jobs, slots, gpus)])


def is_experiment(job, jobs):
    """Whether no other job starts from this one."""
    return all(other.needs != job for other in jobs)


def estimate(jobs, slots, gpus):
    """A line about time and disk space, or why there is no estimate."""
    counts, costs = {}, []
    try:
        for job in jobs:
            costs.append((job, *cost(job, counts)))
    except InputError as error:
        return f'No estimate of time and disk: {error}'
    unmeasured = [job for job in jobs if arguments_of(job, 'the sweep').receptive_field > 1]
    seconds = {job: time * (1 - job.epochs_done() / job.epochs) * (not job.finished) for job, time, _ in costs
               if job not in unmeasured}
    disk = sum(room for *_, room in costs) / 1e9
    return f'{time_in_words(seconds, unmeasured, slots, gpus)}; up to {disk:,.1f} GB of disk'


def time_in_words(seconds, unmeasured, slots, gpus):
    """What is known about the time: `seconds` {job: its own}, and the jobs whose time was not measured yet."""
    if gpus:
        return 'Time on GPUs was not measured yet'
    total, end = sum(seconds.values()) / 3600, makespan(seconds, slots) / 3600
    known = (f'Estimate: {total:,.1f} hours of training, {end:,.1f} hours with {slots} jobs at once (on cores like those in '
             'docs/performance.md, within a factor of two)')
    unknown = f'not measured yet: the time of lifters of several frames (jobs: {len(unmeasured)})'
    return '; '.join([known] * bool(seconds) + [unknown] * bool(unmeasured))


def cost(job, counts):
    """(seconds on its cores, bytes on disk) of a whole job. `counts` keeps the numbers of poses that were looked up before."""
    args = arguments_of(job, 'the sweep')
    key = tuple(str(getattr(args, name)) for name in DATA_FLAGS)
    if key not in counts:
        counts[key] = number_of_poses(args)
    poses, test_poses = counts[key]
    step, game, evaluation = SECONDS.get(job.lifter, SECONDS['stgcn'])
    steps = epoch_seconds(poses, args.batch_size, step, SECONDS_AT_LEAST[0])
    scoring = evaluation * test_poses / 1024
    if job.trainer == BASELINE:
        seconds = args.epochs * (steps + scoring)
    else:
        plays = epoch_seconds(poses, args.batch_size, game, SECONDS_AT_LEAST[1]) * (args.augmentor == LEARNED)
        seconds = args.epochs * plays + max(0, args.epochs - args.warmup) * 2 * (steps + scoring)
    return START_SECONDS + seconds / job.cpus, disk_space(job, args, poses)


def epoch_seconds(poses, batch, seconds_per_1024, at_least):
    """Core-seconds of an epoch."""
    return math.ceil(poses / batch) * at_least + poses / 1024 * seconds_per_1024


def number_of_poses(args):
    """(of training, of both tests) as the trainers load them. InputError where data are missing."""
    with contextlib.redirect_stdout(io.StringIO()):
        training, tests = load_training(args, torch.device('cpu'))
    return len(training), sum(map(len, tests.both))


def disk_space(job, args, poses):
    """Bytes for which a run of the job makes sure, before it begins, that they are free."""
    fresh = Namespace(**{**vars(args), 'resume': 'no lifter is read', 'keep_snapshots': 'snapshot' in args.explicit})
    if job.trainer == BASELINE:
        return baseline_room(BaselineState(fresh, torch.device('cpu'), num_poses=poses), fresh)
    return poseaug_room(PoseAugState(fresh, torch.device('cpu')), fresh, poses // args.batch_size)


def makespan(seconds, slots):
    """Seconds until the last job ends, if each begins as soon as a slot is free and its baseline has ended.

    `seconds`: {job: its own}.
    """
    free, ends = [0.] * max(1, slots), {}
    for job in sorted(seconds, key=lambda job: job.needs is not None):
        begin = max(heapq.heappop(free), ends.get(job.needs, 0.))
        ends[job] = begin + seconds[job]
        heapq.heappush(free, ends[job])
    return max(ends.values(), default=0.)

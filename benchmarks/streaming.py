#!/usr/bin/env python3
"""Measure --poses_per_epoch on synthetic motion capture: reading, memory, and the speed beside poses in memory.

    python3 benchmarks/streaming.py --folder DIR

Writes a data set into DIR/data (0.1 GB per million poses, twice), which can be deleted afterwards. The speed is that of steps
of a lifter; in each turn, epochs of as many batches are trained from the disk and from memory, where an epoch's poses are a
random part of `--resident` poses. The disk is cold where the system's page cache was emptied of the file before.
"""
import os
import statistics
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))    # so that it runs as a script from any folder
from benchmarks.sides import new_game
from common.datasets.mocap import mocap_path
from common.files.atomic import written_whole
from common.files.flat_cache import flat_path
from common.skeleton import H36M_16
from data.demo.motion import clips
from function_baseline.batches import shuffled_batches
from function_baseline.data import load_training
from function_baseline.streaming import poses_of_epoch, subject_templates
from function_baseline.train import supervised_pairs, train_lifter
from models_baseline import LIFTERS
from utils.command_line import Parser, exits_cleanly, positive
from utils.device import choose_device
from utils.gradients import adam
from utils.seeding import generator

NAME, CLIP, VIEWS = 'streaming_benchmark', 1500, 4


@exits_cleanly
def main(argv=None):
    args = parse_args(argv)
    device = choose_device(args.device)
    path = mocap_path(args.folder, NAME)
    if not path.exists():
        said('written', *timed(write, path, args.poses // VIEWS))
    said('flat copy made, mapped and checked', *timed(load, args, args.per_epoch))
    (training, _), *rest = timed(load, args, args.per_epoch, 1)
    said('the same when the copy is there', None, *rest)
    said('bone lengths of all subjects', *timed(subject_templates, training))
    for state in ('cached', 'cached', 'cached', 'cold'):
        if state == 'cold':
            training = None
            forget(flat_path(path))
            training, _ = load(args, args.per_epoch, 1)
            forget(flat_path(path))
        said(f'{args.per_epoch:,} poses read, {state}', *timed(training.of_epoch, 1))
    training, _ = load(args, args.per_epoch)
    for epoch in range(1, 6):
        _, seconds, _ = timed(epoch_and_next, training, epoch)
        said(f'epoch {epoch}, until the next is read too', None, seconds, anonymous_mb())
    del training
    speed(args, device)


def epoch_and_next(training, epoch):
    """Take the poses of an epoch, and wait until those of the next are read."""
    poses = training.of_epoch(epoch)
    training.coming[epoch + 1].result()
    return len(poses)


def parse_args(argv):
    parser = Parser(__doc__.split('\n')[0])
    parser.add_argument('--folder', required=True, type=Path, metavar='DIR')
    parser.add_argument('--poses', default=15_600_000, type=positive, metavar='N', help='in the set (default %(default)s)')
    parser.add_argument('--per_epoch', default=1_560_000, type=positive, metavar='N', help='default %(default)s')
    parser.add_argument('--resident', default=1_560_000, type=positive, metavar='N', help='in memory (default %(default)s)')
    parser.add_argument('--posenet_name', default='mlp', choices=sorted(LIFTERS), metavar='NAME')
    parser.add_argument('--batches', default=40, type=positive, metavar='N', help='of an epoch (default %(default)s)')
    parser.add_argument('--turns', default=5, type=positive, metavar='N', help='default %(default)s')
    parser.add_argument('--device', default='auto', metavar='NAME')
    return parser.parse_args(argv)


def write(path, frames):
    """Write a file of `frames` training frames: the demo's people again and again, each clip shifted and with noise."""
    rng, people = np.random.default_rng(0), [np.concatenate(list(takes.values())) for takes in clips(0).values()]
    count = frames // CLIP
    pose3d = np.empty(((count + 1) * CLIP, H36M_16.num_joints, 3), np.float32)
    for number in range(count + 1):
        source = people[number % len(people)]
        rows = (rng.integers(len(source)) + np.arange(CLIP)) % len(source)
        pose3d[number * CLIP:(number + 1) * CLIP] = source[rows] + rng.normal(0, .002, (CLIP, 1, 3))
    names = np.array([f'clip {number}' for number in range(count + 1)])
    with written_whole(path) as partial, open(partial, 'wb') as file:
        np.savez(file, pose3d=pose3d, frames=np.full(count + 1, CLIP), clip_names=names, rig_names=names, fps=np.array(50.),
                 subject=np.arange(count + 1) % len(people), subject_names=np.array([f'p{n}' for n in range(len(people))]),
                 test=np.arange(count + 1) == count, joints=np.array(H36M_16.names))


def load(args, per_epoch, epochs=1000):
    """(training poses, EvaluationSets) by the trainers' own loader."""
    return load_training(SimpleNamespace(
        data_root=args.folder, dataset=NAME, cameras='h36m', downsample=1, poses_per_epoch=per_epoch, random_seed=0,
        epochs=epochs), torch.device('cpu'))


def speed(args, device):
    """Print the time of a step, from the disk and from memory, turn by turn."""
    size = 1024
    (streamed, _), (memory, _) = load(args, args.batches * size), load(args, args.resident, epochs=1)
    lifter, ratios, ratios_cpu = new_game(args.posenet_name, device).lifter, [], []
    optimizer, memory = adam(lifter, 1e-4), poses_of_epoch(memory, 1)

    def train(poses, epoch):
        """A short epoch; `poses` may be streamed."""
        poses = poses_of_epoch(poses, epoch)
        order = shuffled_batches(len(poses), size, generator(device, 0, epoch, 'order'))[:args.batches]
        train_lifter(lifter, optimizer, order, supervised_pairs(poses, device), 'benchmark')

    train(streamed, 1)
    for turn in range(2, args.turns + 2):
        seconds, seconds_cpu = [], []
        for poses in (streamed, memory):
            before = time.process_time()
            seconds.append(timed(train, poses, turn)[1])
            seconds_cpu.append(time.process_time() - before)
        ratios.append(seconds[0] / seconds[1])
        ratios_cpu.append(seconds_cpu[0] / seconds_cpu[1])
        print('{:.1f} ms a step from the disk, {:.1f} from memory'.format(*(1000 * each / args.batches for each in seconds))
              + f'; anonymous memory {anonymous_mb():,.0f} MB', flush=True)
    print(f'median ratio of time {statistics.median(ratios):.3f}, of time on the processor {statistics.median(ratios_cpu):.3f}')


def timed(call, *arguments):
    """(result, seconds, anonymous memory in MB afterwards) of a call."""
    start = time.perf_counter()
    result = call(*arguments)
    return result, time.perf_counter() - start, anonymous_mb()


def said(what, result, seconds, memory):
    print(f'{what}: {seconds:.1f} s; anonymous memory {memory:,.0f} MB', flush=True)


def anonymous_mb():
    """RssAnon of this process, in MB; mapped files are not in it. 0 where there is no /proc."""
    status = Path('/proc/self/status')
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith('RssAnon')), 0)


def forget(path):
    """Drop the file from the page cache, as far as no process has it mapped."""
    with open(path, 'rb') as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


if __name__ == '__main__':
    main()

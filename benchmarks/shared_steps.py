#!/usr/bin/env python3
"""Time a lifter's training step in turns: by the first process alone, and by all that torchrun has started together.

    torchrun --nproc_per_node 2 benchmarks/shared_steps.py --posenet_name mlp --batch_size 1024 --device cpu

Prints the shortest step of each kind, because other load can only lengthen a step, and the messages that the processes
exchange in a shared one. Steps run eagerly, also on a GPU.
"""
import sys
import time
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import torch
from torch import distributed

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))    # so that it runs as a script from any folder
from benchmarks.sides import RECIPES
from benchmarks.synthetic import synthetic_poses
from function_baseline.arguments import batch_size
from function_baseline.train import lifter_step, supervised_pairs
from models_baseline import LIFTERS, build_lifter
from utils import ranks
from utils.command_line import Parser, positive
from utils.gradients import adam

WARM_UP = 2      # steps at the beginning of a turn that are not timed


def main(argv=None):
    args = parse_args(argv)
    alone, together = [], []
    with ranks.connected(args.device) as device:
        for _ in range(args.turns):
            if ranks.rank() == 0:
                with by_itself():
                    alone += times_of_steps(args, device)
            with counted_messages() as sizes:      # the others have waited in the first
                together += times_of_steps(args, device)
        if ranks.rank() == 0:
            steps = WARM_UP + args.steps + 1
            print(f'{args.posenet_name}, {args.batch_size:,} poses: alone {shortest(alone)}; {ranks.world()} processes '
                  f'{shortest(together)}, {len(sizes) // steps} messages, together {sum(sizes) / steps / 1e6:.1f} MB')


def parse_args(argv):
    parser = Parser(__doc__.partition('\n')[0])
    parser.add_argument('--posenet_name', default='mlp', choices=sorted(LIFTERS))
    parser.add_argument('--batch_size', default=1024, type=batch_size, metavar='N')
    parser.add_argument('--device', default='cpu', choices=('cpu', 'cuda'))
    parser.add_argument('--turns', default=3, type=positive, metavar='N', help='of each kind (default: %(default)s)')
    parser.add_argument('--steps', default=5, type=positive, metavar='N', help='in each turn (default: %(default)s)')
    return parser.parse_args(argv)


def times_of_steps(args, device):
    """(seconds, seconds of CPU time) of each of `args.steps` training steps."""
    lifter = build_lifter(args.posenet_name, *RECIPES[args.posenet_name]).to(device).train()
    ranks.share_work(lifter, SimpleNamespace(compile=False, batch_size=args.batch_size), args.batch_size)
    optimizer = adam(lifter, 1e-4)
    batch = supervised_pairs(synthetic_poses(args.batch_size), device)(torch.arange(args.batch_size))
    clocks = []
    for _ in range(WARM_UP + args.steps + 1):
        clocks.append((time.perf_counter(), time.process_time()))
        lifter_step(lifter, optimizer, *batch, 1.).gradient.item()      # reading a number waits for the device
    return [(wall - wall_before, cpu - cpu_before)
            for (wall_before, cpu_before), (wall, cpu) in list(pairwise(clocks))[WARM_UP:]]


def shortest(times):
    wall, cpu = (1000 * min(column) for column in zip(*times))
    return f'{wall:.1f} ms ({cpu:.1f} of CPU time)'


@contextmanager
def by_itself():
    """Context manager in which this process computes whole steps."""
    world, ranks.world = ranks.world, lambda: 1
    try:
        yield
    finally:
        ranks.world = world


@contextmanager
def counted_messages():
    """Context manager that gives a list, to which the size in bytes of each sum over the ranks is added."""
    original, sizes = distributed.all_reduce, []
    distributed.all_reduce = lambda values: sizes.append(values.nbytes) or original(values)
    try:
        yield sizes
    finally:
        distributed.all_reduce = original


if __name__ == '__main__':
    main()

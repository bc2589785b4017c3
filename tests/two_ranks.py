"""What test_ranks.py compares: run by two processes, which do each task together; then the first does each alone.

`python two_ranks.py FOLDER PORT PORT PORT` leaves results_0.pt and results_1.pt: {task: result} together, and the same alone.
"""
import copy
import os
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import torch
from torch import nn
from tensorboardX.proto.summary_pb2 import Summary

from benchmarks.synthetic import held_out_poses, synthetic_poses
from function_baseline import evaluate, loop
from function_baseline.arguments import baseline_parser, parse
from function_baseline.batches import shuffled_batches
from function_baseline.data import EvaluationSets
from function_baseline.schedules import StepDecay
from function_baseline.train import lifter_step, supervised_pairs
from models_baseline import LIFTERS, build_lifter
from run_reading import training_state
from utils import ranks
from utils.gradients import adam
from utils.runs.checkpoint import read_checkpoint
from utils.runs.resume import Resumed
from utils.seeding import seed_everything

POSES, BATCH = 73, 11            # the last batch is of 7: shares of 4 and 3
CPU = torch.device('cpu')


class Own(nn.Module):
    """A lifter with PyTorch's own layers, on features (B, channels, joints)."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv1d(2, 8, 3, padding=1), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(.25),
                                    nn.Conv1d(8, 3, 1))

    def forward(self, pose2d):
        return self.layers(pose2d.transpose(1, 2)).transpose(1, 2)


def in_double(poses):
    return replace(poses, **{name: getattr(poses, name).double() for name in ('pose3d_cam', 'pose2d', 'intrinsics')})


def steps(name, dtype, count):
    """The losses of the first `count` training steps, and the lifter's state after them."""
    seed_everything(0)
    lifter = (Own() if name == 'own' else build_lifter(name, 1, .25)).to(dtype)
    ranks.share_work(lifter, SimpleNamespace(compile=False, batch_size=BATCH), POSES)
    optimizer = adam(lifter.train(), 1e-3)
    schedule = StepDecay(optimizer, 1e-3, .5, 3)
    poses = synthetic_poses(POSES)
    take = supervised_pairs(in_double(poses) if dtype == torch.float64 else poses, CPU)
    losses = []
    for index in shuffled_batches(POSES, BATCH, torch.Generator().manual_seed(1))[-count:]:
        schedule.advance()
        losses.append(lifter_step(lifter, optimizer, *take(index), 1.).loss)
    return torch.stack(losses), lifter.state_dict()


def errors_of_poses(count):
    """Of a lifter's evaluation in chunks of 16."""
    evaluate.CHUNK = 16
    seed_everything(0)
    lifter = build_lifter('mlp', 1, 0.)
    return evaluate.per_pose_errors(lifter, held_out_poses(count), CPU, flip=True)


def epochs(folder, last, resumed=None):
    """A float64 baseline up to the epoch `last`; the path of its run directory."""
    flags = ['--posenet_name', 'mlp', '--stages', '1', '--batch_size', str(BATCH), '--epochs', str(last), '--lr', '1e-3',
             '--recipe', 'v2', '--schedule', 'step', '--camera', 'person', '--checkpoint', str(folder)]
    tests = EvaluationSets(in_double(held_out_poses(20)), in_double(held_out_poses(20, seed=1)))
    return loop.train_baseline(parse(baseline_parser(''), flags), in_double(synthetic_poses(POSES)), tests, CPU, resumed)


def continued(folder, last):
    run, = folder.glob('mlp/gt/*')
    return epochs(folder, last, Resumed(run, read_checkpoint(run / 'ckpt_last.pth.tar')))


TASKS = {f'step {name}': partial(steps, name, torch.float64, 1) for name in (*LIFTERS, 'own')} | {
    'epoch': partial(steps, 'mlp', torch.float64, 7), 'float32': partial(steps, 'mlp', torch.float32, 1),
    'errors': partial(errors_of_poses, 90), 'errors of one chunk': partial(errors_of_poses, 9)}


def together(task, port):
    os.environ['MASTER_PORT'] = port
    with ranks.connected('cpu'):
        return copy.deepcopy(task())


def on_two_one_and_two(folder, is_first, ports):
    """A baseline of three epochs, resumed twice; its state at the end."""
    together(partial(epochs, folder, 1), ports[0])
    if is_first:
        continued(folder, 2)
    return training_state(together(partial(continued, folder, 3), ports[1]) or next(folder.glob('mlp/gt/*')))


def main(folder, *ports):
    rank = int(os.environ['RANK'])
    loop.dashboard.epoch_summary = lambda *_: Summary()      # pictures take the most time
    loop.save_curves = lambda *_: None
    build = loop.starting_lifter
    loop.starting_lifter = lambda *arguments: build(*arguments).double()
    shared = together(lambda: {name: task() for name, task in TASKS.items()}, ports[0])
    shared['resumed'] = on_two_one_and_two(folder / 'shared', rank == 0, ports[1:])
    alone = {}
    if rank == 0:
        alone = {name: task() for name, task in TASKS.items()}
        alone['resumed'] = training_state(epochs(folder / 'alone', 3))
    torch.save((shared, alone), folder / f'results_{rank}.pt')


if __name__ == '__main__':
    main(Path(sys.argv[1]), *sys.argv[2:])

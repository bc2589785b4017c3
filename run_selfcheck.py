#!/usr/bin/env python3
"""Check this machine's device: are the numbers right on it, do CUDA graphs and --resume change none, and how fast is it?

    python3 run_selfcheck.py --device cuda

Takes about two minutes on a GPU, needs no data, and prints a report in plain text that can be pasted into an issue. Exit
code 1 if a check fails. It needs the folders tests/ and benchmarks/ of the project.
"""
import io
import platform
import shutil
import sys
import tempfile
import time
import traceback
from contextlib import redirect_stdout
from datetime import date
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import torch

sys.path.append(str(Path(__file__).resolve().parent / 'tests'))      # for the golden numbers
from benchmarks.sides import Ours, new_game, part_of
from benchmarks.synthetic import held_out_poses, synthetic_poses
from function_baseline.arguments import parse
from function_baseline.data import EvaluationSets
from function_poseaug.arguments import poseaug_parser
from function_poseaug.loop import train_poseaug
from golden_recipe import critic3d_name, distance, fill, generator_name, golden
from models_baseline import LIFTERS, build_lifter
from models_poseaug.augmentor import Augmentor
from models_poseaug.discriminator import Discriminator2D, Discriminator3D
from utils.command_line import Parser, exits_cleanly
from utils.device import DEVICES, choose_device
from utils.runs.checkpoint import LAST, POSEAUG_KEY, read_checkpoint
from utils.runs.resume import resume
from utils.runs.run_directory import RunDirectory, environment

GOLDEN_LIFTERS = dict(gcn4=('gcn', 4), mlp2=('mlp', 2), mlp4=('mlp', 4), stgcn4=('stgcn', 4), videopose4=('videopose', 4))
# largest differences relative to the largest entry: one rounding, and one that BatchNorm has amplified in training
ROUNDING, IN_TRAINING = 2e-5, 4e-4


class Sizes(NamedTuple):
    """Poses in a batch, batches of the comparison of graphs, batches that are timed."""
    batch: int
    compared: int
    timed: int


SIZES = dict(cuda=Sizes(1024, 20, 100), mps=Sizes(1024, 6, 20), cpu=Sizes(256, 6, 4), small=Sizes(16, 2, 2))


class Finding(NamedTuple):
    """A line of the report. `passed`: whether the check has passed, None where nothing is checked."""
    passed: bool
    text: str


@exits_cleanly
def main(argv=None):
    """Print the report; returns its Findings. SystemExit with code 1 if a check fails."""
    args = parse_args(argv)
    device = choose_device(args.device)
    sizes, findings, start = SIZES['small' if args.small else device.type], [], time.monotonic()
    for line in heading(device):
        print(line)
    for part in (golden_numbers, graphs_and_direct, resumed_and_whole) + (rates,) * (not args.small):
        print(f'\n{part.__doc__.splitlines()[0]}')
        for finding in guarded(part, device, sizes):
            print({True: 'ok     ', False: 'FAILED ', None: '       '}[finding.passed] + finding.text, flush=True)
            findings.append(finding)
    failed = sum(finding.passed is False for finding in findings)
    print(f'\n{failed or "no"} check{"s" * (failed != 1)} failed; {time.monotonic() - start:.0f} s')
    if failed:
        sys.exit(1)
    return findings


def parse_args(argv):
    parser = Parser(__doc__.split('\n')[0])
    parser.add_argument('--device', default='auto', metavar='NAME', help=f'{", ".join(DEVICES)} (default %(default)s)')
    parser.add_argument('--small', action='store_true', help='few poses, to see that the command runs; no rates')
    return parser.parse_args(argv)


def heading(device):
    """Lines that say what was checked: versions, machine, card."""
    about = environment()
    yield f'PoseAug self-check, {date.today()}, commit {about["commit"] or "unknown"}'
    yield f'{platform.platform()}; Python {about["python"]}, torch {about["torch"]}, numpy {about["numpy"]}'
    if device.type == 'cuda':
        card = torch.cuda.get_device_properties(device)
        yield (f'{card.name}, {card.total_memory / 2 ** 30:.0f} GiB, compute capability {card.major}.{card.minor}; '
               f'CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}')
    else:
        yield f'{device.type}, {about["threads"]} threads'


def guarded(part, device, sizes):
    """The Findings of a part; an error in it becomes one, so that the other parts are checked too."""
    try:
        yield from part(device, sizes)
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        yield Finding(False, f'{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})')


def golden_numbers(device, sizes):
    """Golden numbers of the released code, and the largest difference from them"""
    pose2d, pose3d, noise = (golden(name).to(device) for name in ('pose2d', 'pose3d', 'noise_ba_bl_r_t'))
    with torch.no_grad():
        for network, (name, stages) in GOLDEN_LIFTERS.items():
            lifter = fill(build_lifter(name, stages, dropout=0.)).to(device)
            what = f'{name} of {stages} stages'
            yield near(what, lifter.eval()(pose2d), golden(f'{network}_eval'), ROUNDING)
            yield near(f'{what}, in training', lifter.train()(pose2d), golden(f'{network}_train'), IN_TRAINING)
        critic3d, critic2d = fill(Discriminator3D(), critic3d_name).to(device), fill(Discriminator2D()).to(device)
        yield near('3D discriminator', critic3d(pose3d), golden('d3d'), ROUNDING)
        yield near('2D discriminator', critic2d(pose2d), golden('d2d'), ROUNDING)
        poses = fill(Augmentor(), generator_name).to(device).eval()(pose3d, noise)
        for stage in ('ba', 'bl', 'rt'):
            yield near(f'augmentor, {stage.upper()}', getattr(poses, stage), golden(f'gen_eval_pose_{stage}'), ROUNDING)


def near(what, ours, theirs, tolerance):
    """Finding: whether a tensor is within the tolerance of the golden one."""
    found = distance(ours.cpu(), theirs)
    return Finding(found < tolerance, f'{what}: {found:.1e} (permitted {tolerance:.0e})')


def graphs_and_direct(device, sizes):
    """Training with CUDA graphs and without them: equal to the bit"""
    poses = synthetic_poses((2 * sizes.compared + 1) * sizes.batch + 5)
    for name in LIFTERS:
        yield compared(*(played(name, poses, device, sizes, graphs) for graphs in (True, False)), what=name)
    if device.type != 'cuda':
        yield Finding(None, f'there are no graphs on {device.type}: training without them was repeated')


def played(name, poses, device, sizes, graphs):
    """{name: tensor} of all networks, pools and augmented poses after some iterations of the game and steps of the lifter."""
    side = Ours(new_game(name, device), poses.to(device), None, sizes.batch, lambda figures, step: None, graphs)
    pairs = side.play(part_of(side.training, 0, sizes.compared * sizes.batch + 5))
    side.lifter(sizes.compared)
    states = {**side.game._asdict(), **side.pools._asdict()}
    return {**pairs._asdict(), **{f'{part}.{entry}': value.cpu() for part, network in states.items()
                                  for entry, value in network.state_dict().items() if isinstance(value, torch.Tensor)}}


def resumed_and_whole(device, sizes):
    """A PoseAug run that is resumed after its first epoch, and one that is not interrupted"""
    count = 8 * sizes.batch
    tests = held_out_poses(count).to(device)
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        whole, cut = trained(Path(folder), synthetic_poses(count).to(device), EvaluationSets(tests, tests), device, sizes)
    finding = compared(whole, cut)
    if device.type != 'cpu' and not finding.passed:
        finding = Finding(None, f'{finding.text} (on {device.type} sums may be ordered in another way)')
    yield finding


def compared(ours, theirs, what='all'):
    """Finding: whether two {name: tensor} are equal to the bit."""
    differing = [name for name in theirs if not torch.equal(ours[name], theirs[name])]
    if differing:
        return Finding(False, f'{what}: {len(differing)} of {len(theirs)} tensors differ, first {differing[0]}')
    return Finding(True, f'{what}: {len(theirs)} tensors are equal')


def trained(folder, training, tests, device, sizes):
    """Tensors of the last checkpoints, by name, of a run and of another that goes on from a copy of its first epoch."""
    parser, save_last = poseaug_parser(''), RunDirectory.save_last

    def save_and_copy(run, content):
        save_last(run, content)
        if content['epoch'] == 1 and not (folder / 'cut').exists():
            shutil.copytree(run.path, folder / 'cut', ignore=shutil.ignore_patterns('.lock'))

    def run(*flags):
        args = parse(parser, ['--device', str(device), *flags])
        args.keep_snapshots = False
        resumed = resume(args, POSEAUG_KEY, parser) if args.resume else None
        return train_poseaug(args, training, tests, device, resumed)

    with mock.patch.object(RunDirectory, 'save_last', save_and_copy):
        whole = run('--checkpoint', str(folder / 'runs'), '--posenet_name', 'gcn', '--stages', '1', '--epochs', '2', '--warmup',
                    '1', '--batch_size', str(sizes.batch))
    return [tensors_of(read_checkpoint(path / LAST)) for path in (whole, run('--resume', str(folder / 'cut')))]


def tensors_of(content, name=''):
    """{name: tensor} of nested dicts."""
    found = {}
    for key, value in content.items():
        if isinstance(value, torch.Tensor):
            found[f'{name}{key}'] = value
        elif isinstance(value, dict):
            found.update(tensors_of(value, f'{name}{key}.'))
    return found


def rates(device, sizes):
    """Milliseconds per batch"""
    poses = synthetic_poses((sizes.timed + 1) * sizes.batch).to(device)
    test = held_out_poses(sizes.timed * sizes.batch).to(device)
    yield Finding(None, f'batches of {sizes.batch:,}, {sizes.timed} of each; graphs / direct')
    for name in LIFTERS:
        sides = [Ours(new_game(name, device), poses, test, sizes.batch, lambda figures, step: None, graphs)
                 for graphs in ((True, False) if device.type == 'cuda' else (False,))]
        figures = [' / '.join(f'{timed(getattr(side, part), sizes.timed, device):.2f}' for side in sides)
                   for part in ('gan', 'lifter', 'evaluate')]
        yield Finding(None, f'{name}: GAN iteration {figures[0]}, lifter step {figures[1]}, evaluation {figures[2]}')


def timed(call, count, device):
    """Milliseconds per unit of `call(count)`, the second time."""
    for _ in range(2):
        wait(device)
        start = time.perf_counter()
        call(count)
        wait(device)
    return 1000 * (time.perf_counter() - start) / count


def wait(device):
    if device.type != 'cpu':
        getattr(torch, device.type).synchronize()


if __name__ == '__main__':
    main()

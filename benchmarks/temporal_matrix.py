#!/usr/bin/env python3
"""Lifters of 1, 9 and 27 frames, trained further on real poses, on random views or with PoseAug: errors of pose and motion:

python3 benchmarks/temporal_matrix.py --folder matrix --keypoints cpn_ft_h36m_dbb --downsample 2

For each number of frames and each seed one baseline is trained. From it three lifters take as many further steps, in batches
of the same size and at the same lower learning rate: `plain` on the real poses, `views` with the random views and 2D errors of
recipe v2, and `poseaug` on PoseAug's poses and then on the real ones. All are lifters for the virtual camera that looks at the
person; those of a single frame have two residual blocks, about as many operations as 9 frames need. What is finished is not
trained again, and a run that was stopped continues. So several cores can share the work: start the script with the same
--folder and other --frames or --seeds. docs/temporal.md has the results.
"""
import csv
import json
import sys
from dataclasses import replace
from pathlib import Path
from statistics import mean
from types import SimpleNamespace

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))    # run as a script, from wherever
import run_baseline
import run_poseaug
from benchmarks.temporal import FPS, SMOOTHED, Errors, errors
from common.datasets import TEST_SETS
from common.datasets.mocap import mocap_poses, read_mocap
from common.errors import InputError
from common.files.atomic import written_whole
from common.shifts import SHIFTS
from function_baseline.arguments import add_test_args, baseline_parser, parse
from function_poseaug.arguments import poseaug_parser
from run_demo import run
from utils.command_line import Parser, exits_cleanly, positive
from utils.runs.checkpoint import LAST, load_lifter, read_checkpoint

FRAMES, VARIANTS = (1, 9, 27), ('plain', 'views', 'poseaug')
WAYS = dict(plain=['--camera', 'person'], views=['--recipe', 'v2', '--without', 'distance'])
BATCH = 64
SCORES = 'motion.json'      # in the directory of a run
PARSERS = {run_baseline: baseline_parser, run_poseaug: poseaug_parser}
MAY_CHANGE = ('checkpoint', 'pretrain_path', 'data_root', 'device', 'note')
HEADER = ('frames', 'variant', 'seed', 'test', 'smoothed', *Errors._fields)


@exits_cleanly
def main(argv=None):
    """Train and score what is missing, seed by seed; write the table of all that --folder holds, and return its rows."""
    args = parser().parse_args(argv)
    tests = test_sets(args)
    for seed in args.seeds:
        for frames in args.frames:
            for variant in args.variants:
                score(args, tests, variant_run(args, frames, variant, seed))
    rows = found_rows(args, settings_of(args, tests))
    write_csv(args.folder / 'temporal_matrix.csv', rows)
    print(table := markdown(rows))
    with written_whole(args.folder / 'temporal_matrix.md') as partial:
        partial.write_text(table + '\n')
    return rows


def parser():
    """The flags; the defaults are those of the results in docs/temporal.md."""
    made = Parser(__doc__.partition(':')[0])
    made.add_argument('--folder', type=Path, default=Path('temporal_matrix'), help='for runs and results (default %(default)s)')
    made.add_argument('--frames', type=int, nargs='+', default=list(FRAMES), choices=FRAMES, metavar='N',
                      help='numbers of frames: 1, 9, 27 (default: all)')
    made.add_argument('--variants', nargs='+', default=list(VARIANTS), choices=VARIANTS, metavar='NAME',
                      help=f'{", ".join(VARIANTS)} (default: all)')
    made.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2], metavar='N', help='(default: 0 1 2)')
    made.add_argument('--baseline_epochs', type=positive, default=4, metavar='N',
                      help='of the baselines, in batches of 128 (default %(default)s)')
    made.add_argument('--epochs', type=positive, default=1, metavar='N',
                      help=f'of PoseAug with the lifter, in batches of {BATCH}; the others take twice as many, and as many '
                           'steps (default %(default)s)')
    made.add_argument('--warmup', type=positive, default=1, metavar='N',
                      help='epochs of PoseAug before these (default %(default)s)')
    made.add_argument('--lr', type=float, default=2e-4, metavar='RATE',
                      help='learning rate after the baseline, whose own is 1e-3 (default %(default)s)')
    made.add_argument('--lr_game', type=float, default=3e-4, metavar='RATE',
                      help='learning rate of augmentor and discriminators (default %(default)s)')
    made.add_argument('--mocap', metavar='NAME',
                      help='also score on the test clips of this prepared motion capture, with noise in the 2D')
    made.add_argument('--smooth', type=float, default=.3, metavar='SECONDS', help='length of the filter (default %(default)s)')
    made.add_argument('--device', default='auto', metavar='NAME', help='as in the trainers')
    add_test_args(made)
    made.set_defaults(flip=False)
    return made


def variant_run(args, frames, variant, seed):
    """The run of a variant, after its baseline."""
    size = ['--receptive_field', frames] + ['--stages', 2] * (frames == 1)
    baseline = trained(args, f'{frames}_baseline', seed, run_baseline, args.baseline_epochs,
                       ['--batch_size', 128, *WAYS['plain'], *size])
    flags = ['--pretrain_path', baseline / LAST, '--batch_size', BATCH]
    if variant != 'poseaug':
        flags += ['--schedule', 'step', '--lr', args.lr, *WAYS[variant]]
        return trained(args, f'{frames}_{variant}', seed, run_baseline, 2 * args.epochs, flags)
    epochs = args.warmup + args.epochs
    first = args.lr * (epochs + 1) / (args.epochs + 1)      # PoseAug lowers the rate from its first epoch on
    flags += ['--warmup', args.warmup, '--lr_p', first, '--lr_g', args.lr_game, '--lr_d', args.lr_game]
    return trained(args, f'{frames}_poseaug', seed, run_poseaug, epochs, flags)


def trained(args, name, seed, script, epochs, flags):
    """The directory of a finished run: an earlier one, or one that is trained or continued now."""
    place, data = args.folder / name, ['--data_root', args.data_root, '--device', args.device]
    words = ['--posenet_name', 'videopose', '--note', f'seed{seed}', '--random_seed', seed, '--checkpoint', place,
             '--keypoints', args.keypoints, '--actions', args.actions, '--downsample', args.downsample, '--epochs', epochs,
             *data, *flags]
    found = [path for path in sorted(place.glob(f'videopose/{args.keypoints}/*_seed{seed}')) if (path / LAST).is_file()]
    if not found:
        return run(script, words)
    content = read_checkpoint(found[-1] / LAST)
    typed = parse(PARSERS[script](''), [str(word) for word in words])
    changed = [name for name in typed.explicit if name not in MAY_CHANGE and getattr(typed, name) != content['arguments'][name]]
    if changed:
        raise InputError(f'{found[-1]} was trained with another --{changed[0]}; give another --folder')
    if content['epoch'] < epochs:
        run(script, ['--resume', found[-1], *data])
    return found[-1]


def test_sets(args):
    """{name: PoseSet}: Human3.6M's test subjects, and with --mocap its test clips, filmed by four cameras, with 2D noise."""
    tests = {'S9 and S11': TEST_SETS['h36m'].load(args.data_root, args.keypoints, args.actions, args.downsample)}
    if args.mocap:
        arrays = read_mocap(args.data_root, args.mocap)
        if arrays['fps'] != FPS:
            raise InputError(f'--mocap {args.mocap} has {arrays["fps"]:g} frames per second; prepare it with --fps {FPS}')
        poses = mocap_poses(arrays, True, 'h36m', args.downsample)
        noisy = SHIFTS['noise'].image(poses.pose2d, torch.Generator().manual_seed(0), poses.skeleton)
        tests[args.mocap] = replace(poses, pose2d=noisy)
    return tests


def score(args, tests, directory):
    """Write the Errors of a run's last checkpoint on all `tests` into its directory, unless they are there."""
    path, settings = directory / SCORES, settings_of(args, tests)
    if path.is_file() and json.loads(path.read_text())['settings'] == settings:
        return
    lifter, _ = load_lifter(directory / LAST, SimpleNamespace(dropout=0., explicit=()))
    found = [(name, smoothed, *errors(lifter.eval(), poses, smoothed, args)) for name, poses in tests.items()
             for smoothed in SMOOTHED]
    with written_whole(path) as partial:
        partial.write_text(json.dumps(dict(settings=settings, errors=found)))
    print(f'{directory}: ' + ', '.join(f'{name} MPJPE {row[0]:.1f} MPJVE {row[1]:.2f}' for name, smoothed, *row in found
                                       if smoothed == SMOOTHED[0]))


def settings_of(args, tests):
    """What scores depend on beside the checkpoint."""
    return dict(tests=list(tests), actions=args.actions, smooth=args.smooth)


def found_rows(args, settings):
    """Rows like HEADER of all runs in --folder that were scored with these settings."""
    rows = []
    for path in sorted(args.folder.glob(f'*/videopose/{args.keypoints}/*/{SCORES}')):
        frames, variant = path.relative_to(args.folder).parts[0].split('_')
        seed, content = int(path.parent.name.rpartition('seed')[2]), json.loads(path.read_text())
        if content['settings'] == settings:
            rows += [(int(frames), variant, seed, *row) for row in content['errors']]
    return sorted(rows, key=lambda row: (row[3], row[0], VARIANTS.index(row[1]), row[2]))


def write_csv(path, rows):
    """All errors of every run."""
    with written_whole(path) as partial, open(partial, 'w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows((*row[:5], *(f'{error:.4f}' for error in row[5:])) for row in rows)


def markdown(rows):
    """A table for each test set: means over the seeds, unsmoothed and with the 2D or the 3D smoothed."""
    titles = [f'{figure}, {smoothed} smoothed' for figure in ('MPJPE', 'MPJVE') for smoothed in SMOOTHED]
    lines = []
    for test in dict.fromkeys(row[3] for row in rows):
        lines += ['', f'| {test}: frames | trained on | seeds | ' + ' | '.join(titles) + ' |', '|---' * (3 + len(titles)) + '|']
        cells = {row[:2]: [own for own in rows if own[:2] == row[:2] and own[3] == test] for row in rows if row[3] == test}
        for (frames, variant), own in cells.items():
            means = [mean(row[place] for row in own if row[4] == smoothed) for place in (5, 6) for smoothed in SMOOTHED]
            seeds = len({row[2] for row in own})
            lines.append(f'| {frames} | {variant} | {seeds} | ' + ' | '.join(f'{value:.1f}' for value in means) + ' |')
    return '\n'.join(lines)


if __name__ == '__main__':
    main()

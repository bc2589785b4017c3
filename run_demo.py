#!/usr/bin/env python3
"""Show what PoseAug does, on synthetic people, in a few minutes (make demo), with the same scripts as on real data.

From one pretrained lifter three others are trained with as many steps: `longer` goes on with the same poses, `random` also
trains on randomly changed poses, `PoseAug` on those of its augmentor (slightly fewer: those that leave the image are left
out). They are tested on people seen as in training, by cameras that stand higher or lower, nearer or farther, and on another
test set.
"""
import shlex
import statistics
from pathlib import Path

import run_baseline
import run_benchmark
import run_poseaug
import run_visualize
from common.datasets.mpi_inf_3dhp import pose_3dhp_path
from data import prepare_data_demo
from function_poseaug.steps import KEPT_SHARE
from utils.command_line import Parser, exits_cleanly
from utils.runs.checkpoint import LAST
from utils.runs.events import read_scalars

LIFTER = '--posenet_name mlp --stages 1 --keypoints gt'
# Small batches, because the augmentor needs many iterations until its poses stay in the image; and a higher learning rate.
WARMUP = 4
GAME = f'--batch_size 64 --warmup {WARMUP} --lr_g 3e-4 --lr_d 3e-4'
ROWS = {'longer': '--augmentor none', 'random': '--augmentor random', 'PoseAug': ''}
COLUMNS = {'as filmed': 'h36m: as filmed', 'from above': 'h36m: above 20-40', 'from below': 'h36m: below 20-40',
           'near': 'h36m: near', 'far': 'h36m: far', 'other set': '3dhp'}
SHIFTS = ','.join(title.removeprefix('h36m: ') for title in COLUMNS.values() if title != '3dhp')
SHOWN = (0, 4000, 8000, 12000)      # numbers of the training poses in the picture: one each of four people


@exits_cleanly
def main(argv=None):
    """Make the data if missing, pretrain, train the three, compare; returns {row: {column: MPJPE in mm}}."""
    args = parse_args(argv)
    shared = [*LIFTER.split(), '--data_root', args.folder, '--random_seed', args.random_seed]
    runs = args.folder / 'checkpoint'
    if not pose_3dhp_path(args.folder).exists():
        run(prepare_data_demo, ['--data_root', args.folder])
    baseline = run(run_baseline, ['--note', 'demo', '--checkpoint', runs / 'baseline', '--epochs', args.baseline_epochs,
                                  '--batch_size', 256, '--schedule', 'cosine', *shared])
    trained = {name: run(run_poseaug, ['--note', 'demo', '--checkpoint', runs / name, '--epochs', args.poseaug_epochs,
                                       '--pretrain_path', baseline / LAST, *GAME.split(), *flags.split(), *shared])
               for name, flags in ROWS.items()}
    rows = {'pretrained': baseline, **trained}
    summary = run(run_benchmark, ['--evaluate', *(f'{name}={directory}' for name, directory in rows.items()), '--shifts',
                                  SHIFTS, '--data_root', args.folder, '--output', args.folder / 'benchmark'])
    run(run_visualize, ['gallery', '--run', trained['PoseAug'], '--numbers', *SHOWN, '--output', args.folder])
    scores = {name: {column: summary[name, title][0].mean for column, title in COLUMNS.items()} for name in rows}
    print(comparison(scores))
    if args.poseaug_epochs > WARMUP:
        kept = kept_share(trained['PoseAug'], args.poseaug_epochs)
        print(f'While the lifter trained, {kept:.0%} of PoseAug\'s poses stayed in the image; the others are left out.')
    print(f'Pictures: poses after each step of the augmentation (source, BA, BL, RT): {args.folder / "gallery.png"}; '
          f'all errors with their intervals: {args.folder / "benchmark" / "benchmark.png"}')
    return scores


def parse_args(argv):
    parser = Parser(__doc__.partition('\n')[0])
    parser.add_argument('--folder', type=Path, default=Path('demo'),
                        help='folder for the data and the runs (default: %(default)s)')
    parser.add_argument('--baseline_epochs', type=int, default=30, help='epochs of pretraining (default: %(default)s)')
    parser.add_argument('--poseaug_epochs', type=int, default=8,
                        help='epochs of each of the three, of which 4 without the lifter (default: %(default)s)')
    parser.add_argument('--random_seed', type=int, default=0,
                        help='random seed of all trainings (default: %(default)s)')
    return parser.parse_args(argv)


def run(script, flags):
    """Run a script's main with these flags, showing the command as a user would type it."""
    flags = [str(flag) for flag in flags]
    folder = Path(script.__file__).parent.name
    place = f'{folder}/' if folder in ('data', 'data_extra') else ''
    print(f'\n$ python3 {place}{Path(script.__file__).name} {shlex.join(flags)}', flush=True)
    return script.main(flags)


def comparison(scores):
    """The table that the demo prints, and what to see in it, from {row: {column: MPJPE in mm}}."""
    lines = ['\nMPJPE, mm' + ' ' * 7 + ''.join(f'{column:>12}' for column in COLUMNS)]
    lines += [f'{name:<16}' + ''.join(f'{cells[column]:>12.1f}' for column in COLUMNS) for name, cells in scores.items()]
    lines.append(f'Compared with equally long training on the same poses, random poses change the error by '
                 f'{extremes(scores, "random")}, and PoseAug by {extremes(scores, "PoseAug")}.')
    return '\n'.join(lines)


def extremes(scores, row):
    """The largest gain and the largest loss of a row against `longer`, as text."""
    changes = {column: scores[row][column] - scores['longer'][column] for column in COLUMNS}
    return ' to '.join(f'{changes[column]:+.0f} mm ({column})' for column in (min(changes, key=changes.get),
                                                                              max(changes, key=changes.get)))


def kept_share(run, epochs):
    """The share of its poses that a PoseAug run of so many epochs kept after the warm-up."""
    shares = read_scalars(run, [KEPT_SHARE])[0][KEPT_SHARE]
    first = WARMUP * (max(shares) + 1) // epochs
    return statistics.mean(share for iteration, share in shares.items() if iteration >= first)


if __name__ == '__main__':
    main()

#!/usr/bin/env python3
"""Run all steps of PoseAug on synthetic people in a few minutes (make demo), with the same scripts as on real data."""
import shlex
from pathlib import Path

import run_baseline
import run_evaluate
import run_poseaug
from common.datasets.mpi_inf_3dhp import pose_3dhp_path
from data import prepare_data_demo
from utils.command_line import Parser, exits_cleanly
from utils.runs.checkpoint import LAST

LIFTER = '--posenet_name mlp --stages 2 --keypoints gt --batch_size 256'
# Higher learning rates, because there are only a hundredth of the usual iterations.
GAME = '--lr_g 1e-3 --lr_d 1e-3 --lr_p 5e-4'


@exits_cleanly
def main(argv=None):
    """Make the data if missing, pretrain, run PoseAug, compare; returns {name: (PoseErrors on H36M, on 3DHP)}."""
    args = parse_args(argv)
    shared = [*LIFTER.split(), '--data_root', args.folder, '--random_seed', args.random_seed]
    runs = args.folder / 'checkpoint'
    if not pose_3dhp_path(args.folder).exists():
        run(prepare_data_demo, ['--data_root', args.folder])
    baseline = run(run_baseline, ['--note', 'demo', '--checkpoint', runs / 'baseline',
                                  '--epochs', args.baseline_epochs, *shared]) / LAST
    poseaug = run(run_poseaug, ['--note', 'demo', '--checkpoint', runs / 'poseaug', '--epochs', args.poseaug_epochs,
                                '--pretrain_path', baseline, *GAME.split(), *shared])
    scores = {name: run(run_evaluate, ['--evaluate', path, '--data_root', args.folder])
              for name, path in (('baseline', baseline), ('PoseAug', poseaug / LAST))}
    print(comparison(scores))
    print(f'Pictures of poses after each augmentation (source, BA, BL, RT): {poseaug / "poseaug_viz"}')
    return scores


def parse_args(argv):
    parser = Parser(__doc__)
    parser.add_argument('--folder', type=Path, default=Path('demo'),
                        help='folder for the data and the runs (default: %(default)s)')
    parser.add_argument('--baseline_epochs', type=int, default=25, help='epochs of pretraining (default: %(default)s)')
    parser.add_argument('--poseaug_epochs', type=int, default=12, help='epochs of PoseAug (default: %(default)s)')
    parser.add_argument('--random_seed', type=int, default=0,
                        help='random seed of both trainings (default: %(default)s)')
    return parser.parse_args(argv)


def run(script, flags):
    """Run a script's main with these flags, showing the command as a user would type it."""
    flags = [str(flag) for flag in flags]
    folder = Path(script.__file__).parent.name
    place = f'{folder}/' if folder in ('data', 'data_extra') else ''
    print(f'\n$ python3 {place}{Path(script.__file__).name} {shlex.join(flags)}', flush=True)
    return script.main(flags)


def comparison(scores):
    """The table that the demo prints, from {'baseline': (PoseErrors on H36M, on 3DHP), 'PoseAug': ...}."""
    lines = ['\nMPJPE / P-MPJPE, mm', f'{"":<28}{"baseline":>18}{"PoseAug":>18}{"difference":>14}']
    for place, name in enumerate(('demo people (same cameras)', 'cross-domain test set')):
        before, after = scores['baseline'][place], scores['PoseAug'][place]
        cells = [f'{errors.mpjpe_mm:.1f} / {errors.p_mpjpe_mm:.1f}' for errors in (before, after)]
        lines.append(f'{name:<28}{cells[0]:>18}{cells[1]:>18}{after.mpjpe_mm - before.mpjpe_mm:>+14.1f}')
    return '\n'.join(lines)


if __name__ == '__main__':
    main()

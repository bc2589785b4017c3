#!/usr/bin/env python3
"""The whole of PoseAug on synthetic people in a few minutes: make demo (README.md).

Runs the same scripts as the real thing.
"""
import argparse
import shlex
from pathlib import Path

import run_baseline
import run_evaluate
import run_poseaug
from common.paths import pose_3dhp_path
from data import prepare_data_demo
from utils.checkpoint import BASELINE_BEST
from utils.errors import exits_cleanly

LIFTER = '--posenet_name mlp --stages 2 --keypoints gt --batch_size 256'


@exits_cleanly
def main(argv=None):
    """Make the data once, pretrain, run PoseAug, compare; returns {name: (PoseErrors H36M, 3DHP)}."""
    args = parse_args(argv)
    common = f'{LIFTER} --data_root {shlex.quote(str(args.folder))} --random_seed {args.random_seed}'
    runs = args.folder / 'checkpoint'
    if not pose_3dhp_path(args.folder).exists():
        run(prepare_data_demo, f'--data_root {shlex.quote(str(args.folder))}')
    baseline = run(run_baseline, f'--note demo --checkpoint {runs / "baseline"} --epochs {args.baseline_epochs} '
                                 f'{common}')
    pretrained = baseline / BASELINE_BEST
    poseaug = run(run_poseaug, f'--note demo --checkpoint {runs / "poseaug"} --epochs {args.poseaug_epochs} '
                               f'--pretrain_path {pretrained} {common}')
    scores = {name: run(run_evaluate, f'--evaluate {path} {common}') for name, path in
              (('baseline', pretrained), ('PoseAug', poseaug / 'ckpt_last.pth.tar'))}
    print(comparison(scores))
    print(f'Pictures of source, BA, BL and RT poses: {poseaug / "poseaug_viz"}')
    return scores


def parse_args(argv):
    """The demo's own few flags; those of the scripts it runs are fixed here."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--folder', type=Path, default=Path('demo'), help='where data and runs go')
    parser.add_argument('--baseline_epochs', type=int, default=25)
    parser.add_argument('--poseaug_epochs', type=int, default=12)
    parser.add_argument('--random_seed', type=int, default=0)
    return parser.parse_args(argv)


def run(script, flags):
    """Run a script's main with these flags, showing the command as a user would type it."""
    folder = Path(script.__file__).parent.name
    place = f'{folder}/' if folder in ('data', 'data_extra') else ''
    print(f'\n$ python3 {place}{Path(script.__file__).name} {flags}', flush=True)
    return script.main(shlex.split(flags))


def comparison(scores):
    """{'baseline': (PoseErrors H36M, 3DHP), 'PoseAug': ...} -> the demo's table."""
    lines = ['\nMPJPE / P-MPJPE, mm', f'{"":<28}{"baseline":>18}{"PoseAug":>18}{"difference":>14}']
    for place, name in enumerate(('demo people (same cameras)', 'cross-domain test set')):
        before, after = scores['baseline'][place], scores['PoseAug'][place]
        cells = [f'{errors.mpjpe_mm:.1f} / {errors.p_mpjpe_mm:.1f}' for errors in (before, after)]
        lines.append(f'{name:<28}{cells[0]:>18}{cells[1]:>18}{after.mpjpe_mm - before.mpjpe_mm:>+14.1f}')
    return '\n'.join(lines)


if __name__ == '__main__':
    main()

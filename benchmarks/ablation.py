#!/usr/bin/env python3
"""What each part of PoseAug is worth: trains all variants with several seeds, and scores them on controlled shifts:

python3 benchmarks/ablation.py --folder ablation

Every variant starts from the same converged baseline of its seed and takes as many steps of the lifter: `control` on the
real pairs again, `random` on random poses, `poseaug` as published, and PoseAug without one part. A run that is finished is
not run again, one that was stopped continues. docs/ablation.md has the results and says how they were made.
"""
import shlex
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))    # run as a script, from wherever
import run_baseline
import run_benchmark
import run_poseaug
from common.files.paths import add_data_root
from models_baseline import LIFTERS
from utils.command_line import Parser, exits_cleanly, positive
from utils.runs.checkpoint import LAST, read_checkpoint

VARIANTS = {'control': '--augmentor none', 'random': '--augmentor random', 'poseaug': '', 'no BA': '--augment bl,rt',
            'no BL': '--augment ba,rt', 'no RT': '--augment ba,bl', 'no 2D critic': '--discriminators 3d',
            'no 3D critic': '--discriminators 2d', 'no feedback': '--feedback off'}


@exits_cleanly
def main(argv=None):
    """Train what is missing, seed by seed in the order of --variants, and run the benchmark; returns its summary."""
    args = parser().parse_args(argv)
    for variants in (args.variants[:3], args.variants[3:]):      # first what decides whether PoseAug gains anything
        for seed in range(args.seeds):
            start = trained(args, 'baseline', seed, run_baseline, [
                '--epochs', args.baseline_epochs, '--batch_size', args.baseline_batch, '--schedule', 'cosine'])
            for variant in variants:
                trained(args, variant, seed, run_poseaug, [
                    '--pretrain_path', start / LAST, '--epochs', args.epochs, '--warmup', args.warmup, '--batch_size',
                    args.batch, '--lr_g', args.lr_game, '--lr_d', args.lr_game, *shlex.split(VARIANTS[variant])])
    return benchmark(args)


def parser():
    """The flags; the defaults are those of the results in docs/ablation.md."""
    made = Parser(__doc__.partition(':')[0])
    made.add_argument('--folder', type=Path, default=Path('ablation'), help='for runs and results (default %(default)s)')
    made.add_argument('--variants', nargs='+', default=list(VARIANTS), choices=list(VARIANTS), metavar='NAME',
                      help=f'of {", ".join(VARIANTS)} (default: all)')
    made.add_argument('--posenet_name', default='mlp', choices=sorted(LIFTERS), metavar='NAME',
                      help='lifter (default %(default)s)')
    made.add_argument('--stages', type=positive, default=1, help='its residual blocks (default %(default)s)')
    made.add_argument('--seeds', type=positive, default=3, metavar='N', help='seeds 0 to N - 1 (default %(default)s)')
    made.add_argument('--downsample', type=positive, default=8, metavar='N', help='every N-th frame (default %(default)s)')
    made.add_argument('--baseline_epochs', type=positive, default=88, metavar='N', help='default %(default)s')
    made.add_argument('--baseline_batch', type=positive, default=256, metavar='N', help='default %(default)s')
    made.add_argument('--epochs', type=positive, default=12, metavar='N', help='of each variant (default %(default)s)')
    made.add_argument('--warmup', type=positive, default=6, metavar='N',
                      help='of these without the lifter (default %(default)s)')
    made.add_argument('--batch', type=positive, default=64, metavar='N', help='batch size of the game (default %(default)s)')
    made.add_argument('--lr_game', type=float, default=3e-4, metavar='RATE',
                      help='learning rate of augmentor and discriminators (default %(default)s)')
    made.add_argument('--device', default='auto', metavar='NAME', help='as in the trainers')
    add_data_root(made)
    return made


def trained(args, variant, seed, script, flags):
    """The directory of a finished run of a variant: an earlier one, or one that is trained or continued now."""
    place = args.folder / 'runs' / variant.replace(' ', '_')
    found = sorted(place.glob(f'{args.posenet_name}/gt/*_seed{seed}'))
    if found and (found[-1] / LAST).is_file():
        if not finished(found[-1]):
            run(script, ['--resume', found[-1]])
        return found[-1]
    return run(script, ['--posenet_name', args.posenet_name, '--stages', args.stages, '--keypoints', 'gt',
                        '--note', f'seed{seed}', '--random_seed', seed, '--checkpoint', place, '--device', args.device,
                        '--downsample', args.downsample, '--data_root', args.data_root, *flags])


def finished(directory):
    """Whether all epochs of the run are done."""
    content = read_checkpoint(directory / LAST)
    return content['epoch'] == content['arguments']['epochs']


def run(script, flags):
    """Run a script's main with these flags, showing the command as a user would type it."""
    flags = [str(flag) for flag in flags]
    print(f'\n$ python3 {Path(script.__file__).name} {shlex.join(flags)}', flush=True)
    return script.main(flags)


def benchmark(args):
    """Score the last checkpoints of the baseline and of all variants; the runs of a variant are averaged over the seeds."""
    names = ['baseline', *args.variants]
    runs = [f'{name}={args.folder}/runs/{name.replace(" ", "_")}/{args.posenet_name}/gt/*_seed*' for name in names]
    return run(run_benchmark, ['--evaluate', *runs, '--downsample', args.downsample, '--data_root', args.data_root,
                               '--output', args.folder / args.posenet_name, '--device', args.device])


if __name__ == '__main__':
    main()

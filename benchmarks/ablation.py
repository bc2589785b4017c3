#!/usr/bin/env python3
"""What each part of PoseAug, or of recipe v2, is worth: trains all variants with several seeds, and scores them on shifts:

python3 benchmarks/ablation.py poseaug --folder ablation

`poseaug`: every variant starts from the same converged baseline of its seed and takes as many steps of the lifter: `control`
on the real pairs again, `random` on random poses, `poseaug` as published, and PoseAug without one part. `recipe`: lifters are
trained from nothing with recipe v2, with it but for one ingredient, and without any. A run that is finished is not run again,
one that was stopped continues. docs/ablation.md and docs/recipe_v2.md have the results and say how they were made.
"""
import shlex
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))    # run as a script, from wherever
import run_baseline
import run_benchmark
import run_poseaug
from common.files.paths import add_data_root
from function_baseline.recipe_v2 import INGREDIENTS
from models_baseline import LIFTERS
from utils.command_line import Parser, exits_cleanly, positive
from utils.runs.checkpoint import LAST, read_checkpoint

POSEAUG = {'control': '--augmentor none', 'random': '--augmentor random', 'poseaug': '', 'no BA': '--augment bl,rt',
           'no BL': '--augment ba,rt', 'no RT': '--augment ba,bl', 'no 2D critic': '--discriminators 3d',
           'no 3D critic': '--discriminators 2d', 'no feedback': '--feedback off'}
RECIPE = {'plain': '--schedule cosine', 'v2': '--recipe v2',
          **{f'no {name}': f'--recipe v2 --without {name}' for name in INGREDIENTS}}
EXPERIMENTS = dict(poseaug=POSEAUG, recipe=RECIPE)
FIRST = 3      # variants that are trained with all seeds before the others


@exits_cleanly
def main(argv=None):
    """Train what is missing, seed by seed in the order of --variants, and run the benchmark; returns its summary."""
    args = parser().parse_args(argv)
    args.variants = args.variants or list(EXPERIMENTS[args.experiment])
    train = poseaug_run if args.experiment == 'poseaug' else recipe_run
    for variants in (args.variants[:FIRST], args.variants[FIRST:]):
        for seed in range(args.seeds):
            for variant in variants:
                train(args, variant, seed)
    return benchmark(args)


def parser():
    """The flags; the defaults are those of the results in docs/ablation.md and docs/recipe_v2.md."""
    made = Parser(__doc__.partition(':')[0])
    made.add_argument('experiment', choices=list(EXPERIMENTS), help='see above')
    made.add_argument('--folder', type=Path, default=Path('ablation'), help='for runs and results (default %(default)s)')
    made.add_argument('--variants', nargs='+', metavar='NAME', help='some of the variants (default: all)')
    made.add_argument('--posenet_name', default='mlp', choices=sorted(LIFTERS), metavar='NAME',
                      help='lifter (default %(default)s)')
    made.add_argument('--stages', type=positive, default=1, help='its residual blocks (default %(default)s)')
    made.add_argument('--seeds', type=positive, default=3, metavar='N', help='seeds 0 to N - 1 (default %(default)s)')
    made.add_argument('--downsample', type=positive, default=8, metavar='N', help='every N-th frame (default %(default)s)')
    made.add_argument('--baseline_epochs', type=positive, default=88, metavar='N',
                      help='of the baselines, in batches of 256 (default %(default)s)')
    made.add_argument('--epochs', type=positive, default=12, metavar='N',
                      help='of each variant of PoseAug, in batches of 64 (default %(default)s)')
    made.add_argument('--warmup', type=positive, default=6, metavar='N',
                      help='of these without the lifter (default %(default)s)')
    made.add_argument('--lr_game', type=float, default=3e-4, metavar='RATE',
                      help='learning rate of augmentor and discriminators (default %(default)s)')
    made.add_argument('--recipe_epochs', type=positive, default=20, metavar='N',
                      help='of each variant of the recipe, in batches of 128 (default %(default)s)')
    made.add_argument('--device', default='auto', metavar='NAME', help='as in the trainers')
    add_data_root(made)
    return made


def poseaug_run(args, variant, seed):
    """The run of a variant of PoseAug, after its baseline."""
    start = trained(args, 'baseline', seed, run_baseline, ['--epochs', args.baseline_epochs, '--batch_size', 256,
                                                           '--schedule', 'cosine'])
    return trained(args, variant, seed, run_poseaug, [
        '--pretrain_path', start / LAST, '--epochs', args.epochs, '--warmup', args.warmup, '--batch_size', 64,
        '--lr_g', args.lr_game, '--lr_d', args.lr_game, *shlex.split(POSEAUG[variant])])


def recipe_run(args, variant, seed):
    """The run of a variant of recipe v2."""
    return trained(args, variant, seed, run_baseline, ['--epochs', args.recipe_epochs, '--batch_size', 128,
                                                       *shlex.split(RECIPE[variant])])


def place_of(args, variant):
    return args.folder / args.experiment / variant.replace(' ', '_')


def trained(args, variant, seed, script, flags):
    """The directory of a finished run of a variant: an earlier one, or one that is trained or continued now."""
    place = place_of(args, variant)
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
    """Score the last checkpoints of all variants; the runs of a variant are averaged over the seeds."""
    names = ['baseline'] * (args.experiment == 'poseaug') + args.variants
    runs = [f'{name}={place_of(args, name)}/{args.posenet_name}/gt/*_seed*' for name in names]
    return run(run_benchmark, ['--evaluate', *runs, '--downsample', args.downsample, '--data_root', args.data_root,
                               '--output', args.folder / f'{args.experiment}_{args.posenet_name}', '--device', args.device])


if __name__ == '__main__':
    main()

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
from common.errors import InputError
from common.files.paths import add_data_root
from models_baseline import LIFTERS
from run_demo import run
from sweeps.grid import read_sweep
from utils.command_line import Parser, exits_cleanly, positive
from utils.runs.checkpoint import LAST, read_checkpoint


def variants_of(sweep, trainer):
    """{variant: its flags of the trainer, as text} of a sweep in the box (sweeps/box/)."""
    return {name: ' '.join(f'--{flag} {value}' for flag, value in parts[trainer].items())
            for name, parts in read_sweep(sweep).variant.items()}


POSEAUG, RECIPE = variants_of('ablation', 'poseaug'), variants_of('recipe', 'baseline')
EXPERIMENTS = dict(poseaug=POSEAUG, recipe=RECIPE)
FIRST = 3      # variants that are trained with all seeds before the others


@exits_cleanly
def main(argv=None):
    """Train what is missing, seed by seed in the order of --variants, and run the benchmark; returns its summary."""
    args = parser().parse_args(argv)
    variants = EXPERIMENTS[args.experiment]
    args.variants = args.variants or list(variants)
    if unknown := [name for name in args.variants if name not in variants]:
        raise InputError(f'--variants: there is no {unknown[0]!r}; choose from {", ".join(variants)}')
    train = poseaug_run if args.experiment == 'poseaug' else recipe_run
    runs = {}
    for part in (args.variants[:FIRST], args.variants[FIRST:]):
        for seed in range(args.seeds):
            for variant in part:
                runs.setdefault(variant, []).append(train(args, variant, seed))
    if args.experiment == 'poseaug':
        runs = {'baseline': [baseline_run(args, seed) for seed in range(args.seeds)], **runs}
    return benchmark(args, runs)


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


def baseline_run(args, seed):
    """The converged baseline from which all variants of PoseAug with this seed start."""
    return trained(args, 'baseline', seed, run_baseline, args.baseline_epochs, ['--batch_size', 256, '--schedule', 'cosine'])


def poseaug_run(args, variant, seed):
    """The run of a variant of PoseAug, after its baseline."""
    return trained(args, variant, seed, run_poseaug, args.epochs, [
        '--warmup', args.warmup, '--pretrain_path', baseline_run(args, seed) / LAST, '--batch_size', 64,
        '--lr_g', args.lr_game, '--lr_d', args.lr_game, *shlex.split(POSEAUG[variant])])


def recipe_run(args, variant, seed):
    """The run of a variant of recipe v2."""
    return trained(args, variant, seed, run_baseline, args.recipe_epochs, ['--batch_size', 128, *shlex.split(RECIPE[variant])])


def trained(args, variant, seed, script, epochs, flags):
    """The directory of a finished run of a variant: an earlier one, or one that is trained or continued now."""
    place = args.folder / args.experiment / variant.replace(' ', '_')
    found = [path for path in sorted(place.glob(f'{args.posenet_name}/gt/*_seed{seed}')) if (path / LAST).is_file()]
    if found:
        continued(found[-1], script, epochs, args)
        return found[-1]
    return run(script, ['--posenet_name', args.posenet_name, '--stages', args.stages, '--keypoints', 'gt',
                        '--note', f'seed{seed}', '--random_seed', seed, '--checkpoint', place, '--device', args.device,
                        '--downsample', args.downsample, '--data_root', args.data_root, '--epochs', epochs, *flags])


def continued(directory, script, epochs, args):
    """Continue a run if it was stopped. InputError if it was trained with another number of epochs or poses."""
    content = read_checkpoint(directory / LAST)
    now = dict(epochs=epochs, downsample=args.downsample, stages=args.stages)
    was = {name: content['arguments'][name] for name in now}
    if was != now:
        raise InputError(f'{directory} was trained with {was}, not {now}; give another --folder')
    if content['epoch'] < epochs:
        run(script, ['--resume', directory])


def benchmark(args, runs):
    """Score the last checkpoints of {variant: its runs}; those of a variant are averaged."""
    entries = [f'{name}={directory}' for name, directories in runs.items() for directory in directories]
    return run(run_benchmark, ['--evaluate', *entries, '--downsample', args.downsample, '--data_root', args.data_root,
                               '--output', args.folder / f'{args.experiment}_{args.posenet_name}', '--device', args.device])


if __name__ == '__main__':
    main()

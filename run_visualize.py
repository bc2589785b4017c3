#!/usr/bin/env python3
"""Make pictures of errors, and of poses before and after a run's augmentor:

python3 run_visualize.py errors --evaluate BASELINE POSEAUG
python3 run_visualize.py views --run RUN_DIR        (the same for gallery and histograms; README.md)
"""
from pathlib import Path
from types import SimpleNamespace

from common.datasets import TEST_SETS
from common.errors import InputError
from function_baseline.arguments import add_dataset, add_test_args
from function_baseline.data import load_test, load_training
from function_baseline.evaluate import per_pose_errors
from function_baseline.streaming import poses_of_epoch
from function_poseaug import statistics
from function_poseaug.refresh import templates_for
from models_poseaug.augmentor import HEADS, Augmentor
from utils.command_line import Parser, exits_cleanly, positive, whole
from utils.device import choose_device
from utils.pictures import bars, sheets, views
from utils.pictures.drawing import SERIES, save_figure
from utils.runs.checkpoint import LAST, POSEAUG_KEY, load_lifter, read_checkpoint
from utils.seeding import generator

FORMATS = ('png', 'pdf', 'svg')
# arguments that runs of earlier versions lack
NEWER = dict(dataset='h36m', cameras='h36m', train_subjects='', validate_on='', augment=','.join(HEADS), poses_per_epoch=0)
USED_OF_RUN = {'actions', 'bl_templates', 'blr_tanhlimit', 'data_root', 'downsample', 'keypoints', 's1only'}
BATCH = 1024      # smallest batch for the augmentor, whose BatchNorm uses the statistics of the batch, as in training


@exits_cleanly
def main(argv=None):
    """Draw and save the pictures and print their paths; returns the paths."""
    args = parser().parse_args(argv)
    figures = args.draw(args)
    paths = [path for name, figure in figures.items() for path in save_figure(figure, args.output, name, args.format)]
    print('\n'.join(map(str, paths)))
    return paths


def parser():
    """The command line, with a subcommand for each kind of picture."""
    top = Parser(__doc__.partition(':')[0])
    kinds = top.add_subparsers(title='pictures', metavar='KIND', required=True, parser_class=_subparser)
    errors = kinds.add_parser('errors', help='bar charts of the errors per joint and per action, to compare checkpoints')
    errors.add_argument('--evaluate', nargs='+', required=True, metavar='FILE',
                        help='checkpoints to compare, the baseline first')
    errors.add_argument('--names', nargs='+', metavar='TEXT',
                        help='names of the checkpoints in the legend (default: from the files)')
    errors.add_argument('--device', default='auto', metavar='NAME',
                        help='device to compute on: auto, cuda, cuda:N, mps or cpu (default: %(default)s)')
    add_dataset(add_test_args(errors))
    errors.set_defaults(draw=errors_figures, explicit=frozenset(), dropout=0.)
    _add_run_kind(kinds, views_figure, 'views', 4096, 'camera directions around the body, with and without PoseAug')
    _add_run_kind(kinds, histograms_figure, 'histograms', 4096, 'histograms of views, depth and bone angles, likewise')
    _add_run_kind(kinds, gallery_figure, 'gallery', 4, 'a few poses after each stage of augmentation (BA, BL, RT)')
    kinds.choices['gallery'].add_argument('--numbers', nargs='+', type=whole, default=(), metavar='N',
                                          help='numbers of training poses to draw, from 0, instead of random ones')
    for command in kinds.choices.values():
        command.add_argument('--output', type=Path, metavar='DIR',
                             help='folder for the pictures (default: the one of the run or of the last checkpoint)')
        command.add_argument('--format', nargs='+', choices=FORMATS, default=['png'],
                             help='file formats of the pictures (default: png)')
    return top


def _add_run_kind(kinds, draw, name, poses, text):
    command = kinds.add_parser(name, help=text)
    command.add_argument('--run', type=Path, required=True, metavar='DIR', help='run directory of run_poseaug.py')
    command.add_argument('--poses', type=positive, default=poses, metavar='N',
                         help='number of poses (default: %(default)s)')
    command.add_argument('--random_seed', type=int, default=0, metavar='N',
                         help='random seed for the choice of poses and the noise (default: %(default)s)')
    command.add_argument('--data_root', metavar='DIR',
                         help="folder that contains data/ and data_extra/ (default: the run's)")
    command.set_defaults(draw=draw)


def _subparser(prog, **_):
    command = Parser(None)
    command.prog = prog
    return command


def errors_figures(args):
    """{'errors_joints': Figure, 'errors_actions': Figure}: errors of all checkpoints on both test sets."""
    args.output = args.output or Path(args.evaluate[-1]).parent
    names = args.names or [name_of(path) for path in args.evaluate]
    if not len(args.evaluate) == len(names) == len(set(names)) <= len(SERIES):
        raise InputError(f'{len(args.evaluate)} checkpoints are given, named {", ".join(names)}; give --names with a '
                         f'different name for each, and at most {len(SERIES)} checkpoints')
    device = choose_device(args.device)
    tests = load_test(args, device)
    skeleton = tests.h36m.skeleton
    lifters = [load_lifter(path, args, skeleton)[0].to(device) for path in args.evaluate]
    first, second = (TEST_SETS[name].title for name in ('h36m', '3dhp')) if args.dataset == 'h36m' else (
        name.title for name in tests.names)
    sets = {f'{first}, {args.keypoints} 2D': (tests.h36m, tests.flips[0]),
            second + ', test-time flip' * tests.flips[1]: (tests.dhp, tests.flips[1])}
    panels = {title: {name: _bars(lifter, poses, device, flip) for name, lifter in zip(names, lifters)}
              for title, (poses, flip) in sets.items()}
    return dict(errors_joints=bars.joints_figure(panels, skeleton),
                errors_actions=bars.groups_figure(panels))


def name_of(path):
    """'PoseAug' or 'baseline': the trainer that wrote the checkpoint."""
    return 'PoseAug' if POSEAUG_KEY in read_checkpoint(path) else 'baseline'


def _bars(lifter, poses, device, flip):
    errors, _ = per_pose_errors(lifter, poses, device, flip)
    return bars.error_bars(errors.cpu(), poses.group.cpu(), poses.group_names, poses.skeleton)


def views_figure(args):
    """{'views': Figure} of the camera directions in Human3.6M, after augmentation, and in the 3DHP test set."""
    sample, tests = sample_of_run(args)
    source, skeleton = sample.pose3d_cam['source'], sample.skeleton
    sets = {f'source: {args.source}': source, 'after RT': sample.pose3d_cam['RT'], tests.names[1].title: tests.dhp.pose3d_cam}
    directions = {title: statistics.view_directions(pose3d_cam, skeleton) for title, pose3d_cam in sets.items()}
    densities = {title: statistics.sphere_density(views) for title, views in directions.items()}
    panels = {title: (views, densities[title], statistics.covered_share(densities[title]))
              for title, views in directions.items()}
    return dict(views=views.views_figure(panels, statistics.mean_body(source, skeleton), skeleton))


def histograms_figure(args):
    """{'histograms': Figure} of views, root depth and bone angles."""
    sample, _ = sample_of_run(args)
    return dict(histograms=views.histograms_figure(statistics.quantities(sample)))


def gallery_figure(args):
    """{'gallery': Figure} of a few poses through the stages of augmentation."""
    sample, _ = sample_of_run(args)
    return dict(gallery=sheets.augmentation_figure(
        {stage: poses.numpy() for stage, poses in sample.pose3d_cam.items()},
        {stage: poses.numpy() for stage, poses in sample.pose2d.items()}, statistics.captions(sample),
        skeleton=sample.skeleton))


def sample_of_run(args):
    """(AugmentedSample of args.poses poses, EvaluationSets), on the CPU: the run's augmentor applied to its data."""
    path = args.run / LAST
    args.output = args.output or args.run
    content = read_checkpoint(path)
    arguments = content.get('arguments')
    if 'model_g' not in content or not isinstance(arguments, dict) or not USED_OF_RUN <= arguments.keys():
        raise InputError(f'{path} holds no augmentor or no arguments; --run takes the run directory of run_poseaug.py')
    if arguments.get('augmentor', 'learned') != 'learned':
        raise InputError(f'{args.run} was trained with --augmentor {arguments["augmentor"]}, so its augmentor learned nothing; '
                         'give a run of PoseAug')
    of_run = SimpleNamespace(**{**NEWER, **arguments})
    args.source = 'Human3.6M' if of_run.dataset == 'h36m' else of_run.dataset
    of_run.data_root = args.data_root or of_run.data_root
    training, tests = load_training(of_run, 'cpu')
    augmentor = Augmentor(of_run.blr_tanhlimit, training.skeleton, of_run.augment)
    try:
        augmentor.load_state_dict(content['model_g'])
    except (RuntimeError, TypeError, AttributeError):
        raise InputError(f'{path} holds an augmentor with weights of another shape, or of another skeleton than its data now '
                         'have; train it again') from None
    templates, training = templates_for(training, of_run.bl_templates), poses_of_epoch(training, 1)
    numbers = getattr(args, 'numbers', ())
    if any(number >= len(training) for number in numbers):
        raise InputError(f'--numbers {max(numbers)}: the run has {len(training):,} training poses, numbered from 0')
    draws, count = generator('cpu', args.random_seed, 0, 'pictures'), len(numbers) or args.poses
    sample = statistics.sample_augmentations(augmentor, training, templates, max(count, BATCH), draws, numbers)
    return statistics.first(sample, count), tests


if __name__ == '__main__':
    main()

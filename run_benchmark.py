#!/usr/bin/env python3
"""Score checkpoints side by side on every prepared test set and on controlled shifts of one of them:

python3 run_benchmark.py --evaluate NAME=PATH [NAME=PATH ...] --output benchmark (docs/benchmark.md).
"""
from glob import glob
from pathlib import Path
from types import SimpleNamespace

from common.datasets import TEST_SETS
from common.datasets.mocap import make_mocap, mocap_poses, prepared_motion, read_mocap
from common.errors import InputError
from common.files.atomic import written_whole
from common.person_camera import CAMERAS
from common.shifts import CURVES
from common.skeletons import name_of
from function_baseline.arguments import add_test_args
from function_baseline.benchmark import Entry, cases, chosen_shifts, curve, intervals, score_all
from function_baseline.benchmark_report import EDGES, figure, markdown, write_csv, write_curves_csv, write_runs_csv
from function_baseline.clips import has_clips
from function_baseline.temporal import STILL
from models_baseline.temporal import is_temporal
from utils.command_line import Parser, exits_cleanly
from utils.device import DEVICES, choose_device
from utils.runs.checkpoint import H36M_FPS, LAST, load_lifter, require_skeleton
from utils.runs.shipped import SHIPPED

IN_THE_BOX = 'in the box'


@exits_cleanly
def main(argv=None):
    """Print the table and write it; returns {(lifter, column): Intervals of all figures}."""
    args = parser().parse_args(argv)
    device, entries = choose_device(args.device), entries_of(args.evaluate, args.camera)
    shifts = chosen_shifts(args.shifts)
    names = prepared(args, shifts)
    wanted = (*args.dataset.split(','), args.shift_dataset if shifts else '')
    every = scoring_step(entries, args.downsample) if 'h36m' in names else 1
    sets = with_skeleton_of(entries[0], {name: load(name, args, every).resident(device) for name in names}, wanted)
    say_without_clips(entries, sets)
    columns = [case for name in sets for case in
               columns_of(name, sets, shifts if name == args.shift_dataset else {}, args.random_seed, every)]
    if args.output:
        args.output.mkdir(parents=True, exist_ok=True)      # if this fails, then before the scoring
    table = score_all(entries, columns, device)
    summary = {key: intervals(runs, args.random_seed) for key, runs in table.items()}
    text = markdown(entries, columns, summary)
    print(text)
    if args.output:
        write(args, text, entries, columns, table, summary, curves_of(entries, sets, shifts, device, args, every))
    return summary


def parser():
    """The flags."""
    made = Parser(__doc__.partition(':')[0])
    made.add_argument('--evaluate', nargs='+', default=[f'{IN_THE_BOX}={SHIPPED}'], metavar='[NAME=]PATH',
                      help='checkpoints or run directories (their last checkpoint); runs with the same NAME, or found by one '
                           'pattern with *, are repetitions of one kind, and are averaged (default: the lifter that comes '
                           'with the project)')
    made.add_argument('--shifts', default='all', metavar='LIST', help='comma-separated names, all or none (default all)')
    made.add_argument('--shift_dataset', default='h36m', metavar='NAME', help='the test set to shift (default h36m)')
    made.add_argument('--dataset', default='', metavar='LIST',
                      help=f'comma-separated test sets: {", ".join(TEST_SETS)}, or motion capture that you have prepared '
                           '(default: all that are prepared)')
    made.add_argument('--camera', default='', choices=('', *CAMERAS),
                      help='whose 2D are lifted (default: as each checkpoint was trained; docs/faithful.md)')
    made.add_argument('--output', type=Path, metavar='DIR', help='write benchmark.md, .csv, .png, runs.csv, curves.csv there')
    made.add_argument('--random_seed', type=int, default=0, metavar='N', help='of the shifts and of the intervals (default 0)')
    made.add_argument('--device', default='auto', metavar='NAME', help=f'{", ".join(DEVICES)} (default %(default)s)')
    add_test_args(made)
    return made


def entries_of(texts, camera=''):
    """The Entries of --evaluate, in the order given. InputError if a path leads to no checkpoint."""
    entries = []
    for text in texts:
        name, equals, pattern = text.partition('=')
        pattern = pattern if equals else text
        paths = sorted(glob(pattern)) if '*' in pattern else [pattern]
        if not paths:
            raise InputError(f'--evaluate {text}: no file or directory fits this pattern')
        for path in paths:
            if Path(path).is_dir() and not (Path(path) / LAST).is_file():
                raise InputError(f'--evaluate {path} is a folder without {LAST}; give a run directory or a checkpoint')
            path = Path(path) / LAST if Path(path).is_dir() else Path(path)
            lifter, weights = load_lifter(path, SimpleNamespace(dropout=0., explicit=()), skeleton=None)
            entries.append(Entry(name if equals else text, str(path), lifter, camera or weights.camera, weights.skeleton,
                                 weights.fps))
            require_skeleton(weights.skeleton, entries[0].skeleton, path, f'{entries[0].path} has')
    return entries


def prepared(args, shifts):
    """Names of the test sets to score: those of --dataset, or all that are prepared, and the one to shift.

    InputError without any, or if there are `shifts` and that one is not prepared.
    """
    motion = prepared_motion(args.data_root)
    known = [*TEST_SETS, *motion]
    wanted = args.dataset.split(',') if args.dataset else known
    unknown = [name for name in (*wanted, args.shift_dataset) if name not in known]
    if unknown:
        raise InputError(f'there is no test set {unknown[0]!r}; choose from {", ".join(known)}')
    found = wanted if args.dataset else [name for name in wanted if name in motion
                                         or TEST_SETS[name].path(args.data_root).is_file()]
    if not found:
        raise InputError(f'{args.data_root} holds no prepared test set; DATASETS.md says how to prepare one')
    if shifts and args.shift_dataset not in found and not args.dataset:
        raise InputError(f'--shift_dataset {args.shift_dataset} is not prepared below {args.data_root}; choose from '
                         f'{", ".join(found)}, or give --shifts none')
    return found + [args.shift_dataset] * (bool(shifts) and args.shift_dataset not in found)


def scoring_step(entries, downsample):
    """N: every N-th of the frames of Human3.6M that are loaded is scored, so that every `downsample`-th frame is in all.

    The frames are loaded at the frame rate at which the lifters of several frames were trained. InputError if these rates
    differ, or if the frames that are to be scored are not among them.
    """
    rates = {entry.fps: entry.path for entry in entries if entry.fps}
    if len(rates) > 1:
        both = ' and '.join(f'{path} ({fps:g} frames per second)' for fps, path in rates.items())
        raise InputError(f'{both} were trained on clips of different frame rates; score them apart')
    step = round(H36M_FPS / next(iter(rates))) if rates else downsample
    if downsample % step:
        fps, path = rates.popitem()
        raise InputError(f'{path} was trained on clips of {fps:g} frames per second; give --downsample {step} or a multiple')
    for entry in entries:
        if is_temporal(entry.lifter) and not entry.fps:
            print(f'{entry.path} does not name the frame rate of its training; of Human3.6M it sees {H36M_FPS / step:g} frames '
                  'per second')
    return downsample // step


def say_without_clips(entries, sets):
    """Print which of the test sets {name: PoseSet} are no clips, if any of the lifters sees several frames."""
    if any(is_temporal(entry.lifter) for entry in entries):
        for name, poses in sets.items():
            if not has_clips(poses):
                print(f'{name}: {STILL}')


def load(name, args, every=1):
    """The PoseSet of a test set; mocap is seen by sampled cameras. Of Human3.6M one frame in `every` will be scored."""
    if name == 'h36m':
        return TEST_SETS[name].load(args.data_root, args.keypoints, args.actions, args.downsample // every)
    if name in TEST_SETS:
        return TEST_SETS[name].load(args.data_root)
    return mocap_poses(read_mocap(args.data_root, name), True, 'sampled', args.downsample)


def with_skeleton_of(entry, sets, wanted):
    """Those of the test sets {name: PoseSet} that have the skeleton of an Entry.

    InputError if one of the names `wanted` has another, or if none is left.
    """
    for name in wanted:
        if name in sets:
            require_skeleton(entry.skeleton, sets[name].skeleton, entry.path, f'{name} has')
    for name, poses in sets.items():
        if poses.skeleton != entry.skeleton:
            print(f'{name} is left out: its {poses.skeleton.num_joints} joints are not those of the lifters')
    kept = {name: poses for name, poses in sets.items() if poses.skeleton == entry.skeleton}
    if not kept:
        raise InputError(f'no prepared test set has the {entry.skeleton.num_joints} joints of {entry.path}; prepare one with '
                         f'{make_mocap("NAME")} --skeleton {name_of(entry.skeleton)}')
    return kept


def flip_of(name):
    """Whether the protocol of a test set has test-time flip."""
    return name in TEST_SETS and TEST_SETS[name].flip


def columns_of(name, sets, shifts, seed, every):
    """The Columns of one of the test sets {name: PoseSet}; `every`: the `scoring_step`."""
    return list(cases(name, sets[name], flip_of(name), shifts, seed, every if name == 'h36m' else 1))


def curves_of(entries, sets, shifts, device, args, every):
    """{quantity: {lifter's name: MPJPE of each bin}} on the data set that is shifted; empty without shifts."""
    if not shifts:
        return {}
    _, *columns = columns_of(args.shift_dataset, sets, CURVES, args.random_seed, every)
    table = score_all(entries, columns, device)
    return {name: {entry.name: curve(table[entry.name, column.title], column.poses, name, EDGES[name]) for entry in entries}
            for name, column in zip(CURVES, columns)}


def write(args, text, entries, columns, table, summary, curves):
    """Write the table, the csv files and the figure into --output."""
    with written_whole(args.output / 'benchmark.md') as partial:
        partial.write_text(text + '\n')
    write_csv(args.output / 'benchmark.csv', entries, columns, table, summary)
    write_runs_csv(args.output / 'runs.csv', entries, columns, table)
    write_curves_csv(args.output / 'curves.csv', curves)
    with written_whole(args.output / 'benchmark.png') as partial:
        figure(entries, columns, summary, curves).savefig(partial, dpi=110, format='png')
    print(f'written: {args.output}/benchmark.md, benchmark.csv, runs.csv, curves.csv, benchmark.png')


if __name__ == '__main__':
    main()

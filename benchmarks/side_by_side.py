#!/usr/bin/env python3
"""Our loops beside plain ones, in one process, in turns, on synthetic poses of the real shapes.

    python3 benchmarks/side_by_side.py --posenet_name mlp --device cpu --threads 2 --json mlp.json --figure mlp.png

The plain side (benchmarks/plain_loop.py) has the same weights and does the same arithmetic the way one writes it first.
Each row alternates: some iterations of ours, the same number of the plain one, and a matrix product, to know what the
machine gives at that moment. Each side's turn has the C library's memory set as in its own program. Times are medians and
the ratio is the median of neighbours' ratios, so that whatever else runs on the machine meets both. Counts come from
further runs of each.

What the rows leave out, mostly in the plain side's favour: its workers fill their queues (four batches each) before
its turn, so a turn of 32 batches meets 28 of them as training does, one of 8 iterations only half (`--block`), and their
work is in no count; a turn of our game or lifter is a small epoch, whose end flushes the log and reads the loss, so these
host reads come once a turn here and once in 100 iterations in training; our summary of an evaluation (PCK and AUC by
action), once per evaluation, is in no row; nobody draws pictures or saves checkpoints. `--epoch` runs whole epochs,
workers and summary included.
"""
import json
import os
import statistics
import sys
import tempfile
import time
from functools import partial
from multiprocessing import active_children
from pathlib import Path
from typing import NamedTuple

import tensorboardX
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))    # run as a script, from wherever
from benchmarks.counting import Counts, count
from benchmarks.sides import RECIPES, Ours, Plain, new_game
from benchmarks.synthetic import held_out_poses, synthetic_poses
from common.errors import InputError
from function_baseline.arguments import batch_size
from models_baseline import LIFTERS
from utils.command_line import Parser, exits_cleanly, positive
from utils.device import DEVICES, choose_device, set_malloc
from utils.pictures.drawing import new_figure
from utils.runs.events import EventFile
from utils.runs.run_directory import environment

TRAIN_POSES = 1_559_752                     # Human3.6M
TEST_SHARE = (543_344 + 2 * 2_929) / TRAIN_POSES    # Human3.6M, and 3DHP with its mirror images
GEMM_SIZE = 1024
WORKERS_TICK, WORKERS_PATIENCE = .03, 300   # seconds between looks at the workers, and how many looks


class Part(NamedTuple):
    """A row: its title, the sides' method, how many units make a turn (0: --block), and units per run when counting."""
    title: str
    method: str
    units: int
    counted: int


PARTS = (Part('data batch', 'batch', 32, 1), Part('GAN iteration', 'gan', 0, 2), Part('lifter step', 'lifter', 0, 1),
         Part('evaluation', 'evaluate', 32, 1), Part('bone-length refresh', 'refresh', 32, 1),
         Part('replay pools, both', 'pool', 32, 1))


class Side(NamedTuple):
    """One side of a row: milliseconds per unit (median), share of the GEMM rate, Counts per unit (peak: per run)."""
    milliseconds: float
    gemm_share: float
    counts: Counts


class Row(NamedTuple):
    """`ratio`: plain / ours, median of paired ratios; `turns`: how many pairs."""
    title: str
    ours: Side
    plain: Side
    ratio: float
    turns: int


@exits_cleanly
def main(argv=None):
    args = parse_args(argv)
    device = choose_device(args.device)
    args.block = args.block or (100 if device.type == 'cuda' else 8)
    torch.set_num_threads(args.threads or torch.get_num_threads())
    print(f'{args.posenet_name}, {describe(device)}; making {args.poses:,} poses')
    with tempfile.TemporaryDirectory() as folder:
        sides = make_sides(args, device, folder)
        rows = [measure(part, *sides, args, device) for part in PARTS]
        rows.append(whole_epoch(*sides, device) if args.epoch else extrapolated_epoch(rows, sides[0]))
    print('\n' + table(rows, args, device))
    if args.json:
        args.json.write_text(json.dumps(record(rows, args, device), indent=1) + '\n')
    if args.figure:
        save_bars(args.figure, rows, f'{args.posenet_name}, batches of {args.batch_size:,}, {describe(device)}')
    return rows


def parse_args(argv):
    parser = Parser(__doc__.partition('\n')[0])
    parser.add_argument('--posenet_name', default='videopose', choices=sorted(LIFTERS))
    parser.add_argument('--device', default='auto', metavar='NAME', help=f'{", ".join(DEVICES)} (default %(default)s)')
    parser.add_argument('--poses', default=TRAIN_POSES, type=positive, metavar='N',
                        help='training poses (default %(default)s)')
    parser.add_argument('--batch_size', default=1024, type=batch_size, metavar='N')
    parser.add_argument('--iterations', default=20, type=positive, metavar='N',
                        help='turns of each side (default %(default)s)')
    parser.add_argument('--block', default=0, type=int, metavar='N',
                        help='iterations in a turn, an even number (default 8; on CUDA, which records its updates anew in '
                             'every turn, 100)')
    parser.add_argument('--threads', default=0, type=int, metavar='N', help='of torch on the CPU (default: its own)')
    parser.add_argument('--num_workers', default=2, type=int, metavar='N',
                        help='of each plain DataLoader (default %(default)s)')
    parser.add_argument('--epoch', action='store_true', help='run whole epochs instead of adding up their parts')
    parser.add_argument('--json', type=Path, metavar='FILE')
    parser.add_argument('--figure', type=Path, metavar='FILE.png')
    args = parser.parse_args(argv)
    if args.block < 0 or args.block % 2:
        raise InputError(f'--block {args.block}: an even number is needed: the critics move in every second iteration')
    return args


def describe(device):
    name = torch.cuda.get_device_name(device) if device.type == 'cuda' else device.type
    return f'{name}, {torch.get_num_threads()} threads, torch {torch.__version__}'


def make_sides(args, device, folder):
    """(Ours, Plain) with equal weights on the same poses."""
    largest = args.batch_size * max([args.block, *(part.units for part in PARTS)])
    if args.poses < largest:
        raise InputError(f'--poses {args.poses}: a turn takes {largest}; ask for more, or for a smaller --batch_size')
    training, test = synthetic_poses(args.poses), held_out_poses(max(largest, round(args.poses * TEST_SHARE)))
    game = new_game(args.posenet_name, device)
    plain = Plain(args.posenet_name, game, training, test, args.batch_size,
                  tensorboardX.SummaryWriter(f'{folder}/plain'), args.num_workers)
    ours = Ours(game, training.resident(device), test.resident(device), args.batch_size,
                EventFile(Path(folder)).scalars)
    return ours, plain


def measure(part, ours, plain, args, device):
    """Warm both sides up, time them in turns, count -> Row."""
    n = part.units or args.block
    runs = [partial(turn, side, part.method, n) for side in (ours, plain)]
    for run in runs:
        run()
    turns = [(timed(runs[0], device), timed(runs[1], device), gemm_seconds(device)) for _ in range(args.iterations)]
    ours_s, plain_s, gemm_s = zip(*turns)
    gemm_rate = 2 * GEMM_SIZE ** 3 / statistics.median(gemm_s)
    results = [side_of(partial(turn, side, part.method, part.counted), seconds, n, part.counted, gemm_rate, device)
               for side, seconds in ((ours, ours_s), (plain, plain_s))]
    ratio = statistics.median(theirs / own for own, theirs in zip(ours_s, plain_s))
    times = ' / '.join(f'{result.milliseconds:.2f}' for result in results)
    print(f'{part.title}: {times} ms, ratio {ratio:.2f}', flush=True)
    return Row(part.title, *results, ratio, len(turns))


def turn(side, method, *units):
    """A turn of one side, the C library's memory set as in that side's own program."""
    set_malloc(side.malloc)
    getattr(side, method)(*units)


def side_of(run, seconds, n, counted, gemm_rate, device):
    """Side of a row whose turns of `n` units took `seconds`; `run()` does `counted` units."""
    total = count(run, device)
    counts = Counts(total.operations / counted, total.host_reads / counted, total.flops / counted, total.peak_bytes,
                    {name: times / counted for name, times in sorted(total.by_name.items(), key=lambda item: -item[1])})
    per_unit = statistics.median(seconds) / n
    return Side(per_unit * 1000, counts.flops / per_unit / gemm_rate, counts)


def timed(run, device):
    """Seconds of one turn, begun when the device and the plain side's workers are idle."""
    wait_for_workers()
    synchronize(device)
    start = time.perf_counter()
    run()
    synchronize(device)
    return time.perf_counter() - start


def synchronize(device):
    if device.type == 'cuda':
        torch.cuda.synchronize(device)
    elif device.type == 'mps':
        torch.mps.synchronize()


def wait_for_workers():
    """Until no DataLoader worker has used the processor for a while."""
    before = None
    for _ in range(WORKERS_PATIENCE):
        now = [_activity(child.pid) for child in active_children()]
        if now == before and all(state == 'S' for state, *_ in now):
            return
        before = now
        time.sleep(WORKERS_TICK if now else 0)


def _activity(pid):
    """(state, user ticks, system ticks) of a process; asleep for all we know where there is no /proc."""
    try:
        values = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    except OSError:
        return 'S', 0, 0
    return values[0], values[11], values[12]


def gemm_seconds(device):
    """Seconds of one product of two (1024, 1024) float32 matrices, over some in a row."""
    repeats = 100 if device.type == 'cuda' else 3
    left, right = torch.ones(2, GEMM_SIZE, GEMM_SIZE, device=device)
    left @ right

    def products():
        for _ in range(repeats):
            left @ right

    return timed(products, device) / repeats


def whole_epoch(ours, plain, device):
    """Row of one whole epoch of each side, one after the other."""
    seconds = [timed(partial(turn, side, 'epoch'), device) for side in (ours, plain)]
    nothing = Counts(0, 0, 0, 0, {})
    return Row('whole epoch (run)', *(Side(1000 * value, 0., nothing) for value in seconds), seconds[1] / seconds[0], 1)


def extrapolated_epoch(rows, ours):
    """Row of an epoch added up from the rows: refresh, game, lifter on fakes and on real pairs, two evaluations."""
    batches = len(ours.training) / ours.size
    units = {'GAN iteration': batches, 'lifter step': batches * (1 + ours.kept / ours.played),
             'evaluation': 2 * len(ours.test) / ours.size, 'bone-length refresh': batches}
    parts = [(row, units[row.title]) for row in rows if row.title in units]

    def total(side, figure):
        return sum(figure(getattr(row, side)) * times for row, times in parts)

    def summed(side):
        milliseconds = total(side, lambda part: part.milliseconds)
        at_gemm_rate = total(side, lambda part: part.milliseconds * part.gemm_share)
        counts = Counts(*(total(side, lambda part, name=name: getattr(part.counts, name))
                          for name in ('operations', 'host_reads', 'flops')), 0, {})
        return Side(milliseconds, at_gemm_rate / milliseconds, counts)

    sums = summed('ours'), summed('plain')
    return Row('whole epoch (added up)', *sums, sums[1].milliseconds / sums[0].milliseconds, rows[0].turns)


def table(rows, args, device):
    """The rows in markdown; 'a / b' is ours / plain."""
    head = (f'{args.posenet_name}, batches of {args.batch_size:,}, {args.poses:,} poses, {describe(device)}, load '
            f'{os.getloadavg()[0]:.1f}; per batch or iteration, a / b is ours / plain\n')
    titles = ('part', 'ours, ms', 'plain, ms', 'plain / ours', 'GFLOP', 'share of the GEMM rate', 'operations',
              'host reads', 'peak, MB')
    lines = ['| ' + ' | '.join(titles) + ' |', '|---' * len(titles) + '|']
    return '\n'.join([head, *lines, *(_line(row) for row in rows)])


def _line(row):
    both = row.ours, row.plain
    cells = (row.title, *(f'{side.milliseconds:,.2f}' for side in both), f'{row.ratio:.2f}',
             *(' / '.join(form(side) for side in both) for form in (
                 lambda side: f'{side.counts.flops / 1e9:,.1f}', lambda side: f'{side.gemm_share:.0%}',
                 lambda side: f'{side.counts.operations:,.0f}', lambda side: f'{side.counts.host_reads:,.1f}',
                 lambda side: f'{side.counts.peak_bytes / 1e6:,.0f}')))
    return '| ' + ' | '.join(cells) + ' |'


def record(rows, args, device):
    """Everything measured, as JSON takes it."""
    def as_dict(value):
        return {name: as_dict(part) for name, part in value._asdict().items()} if hasattr(value, '_asdict') else value

    arguments = {name: str(value) if isinstance(value, Path) else value for name, value in vars(args).items()}
    return dict(arguments=arguments, stages_dropout=RECIPES[args.posenet_name], device=describe(device),
                load=os.getloadavg(), environment=environment(), rows=[as_dict(row) for row in rows])


def save_bars(path, rows, title):
    """Milliseconds of both sides, logarithmic, the ratio written beside."""
    figure = new_figure(figsize=(9, .7 * len(rows) + 1.6), layout='constrained')
    axes = figure.add_subplot()
    for offset, side, colour in ((-.2, 'ours', 'tab:blue'), (.2, 'plain', 'tab:orange')):
        lengths = [getattr(row, side).milliseconds for row in rows]
        axes.barh([place + offset for place in range(len(rows))], lengths, .38, label=side, color=colour)
    for place, row in enumerate(rows):
        axes.text(max(row.ours.milliseconds, row.plain.milliseconds), place, f'  {row.ratio:.1f}×', va='center')
    axes.set(xscale='log', xlabel='milliseconds per batch or iteration', title=title, yticks=range(len(rows)),
             yticklabels=[row.title for row in rows])
    axes.invert_yaxis()
    axes.margins(x=.12)
    axes.legend()
    figure.savefig(path, dpi=100)


if __name__ == '__main__':
    main()

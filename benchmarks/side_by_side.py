#!/usr/bin/env python3
"""Compare the speed of our training with a straightforward ("plain") implementation, on synthetic poses.

    python3 benchmarks/side_by_side.py --posenet_name mlp --device cpu --threads 2 --json mlp.json --figure mlp.png

The plain side (benchmarks/plain_loop.py) has the same weights and does the same computations, without optimizations.
For each row the two sides take turns in one process: some iterations of ours, the same number of the plain side, and a
matrix product, which shows the speed of the machine at that moment. In each turn the C library's memory is set as in the
program of that side. Times are medians. The ratio is the median of the ratios of neighbouring turns, so that other load
on the machine affects both sides. The counts come from additional runs.

The rows do not include the following, mostly in favour of the plain side:
- Its DataLoader workers fill their queues (four batches each) before its turn. A turn of 32 batches waits for 28 of them
  as in training, a turn of 8 iterations only for half (`--block`). The operations of the workers are not counted.
- A turn of our adversarial or supervised training is a small epoch, which at its end flushes the log and reads the loss.
  These host reads occur once per turn here, but once in 100 iterations in training.
- Our summary of an evaluation (PCK and AUC per action), pictures and checkpoints are in no row.
`--epoch` runs whole epochs, with workers and summary.
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

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))    # so that it runs as a script from any folder
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

TRAIN_POSES = 1_559_752                     # training poses of Human3.6M
TEST_SHARE = (543_344 + 2 * 2_929) / TRAIN_POSES    # test poses of Human3.6M, and of 3DHP with test-time flip
GEMM_SIZE = 1024
WORKERS_TICK, WORKERS_PATIENCE = .03, 300   # seconds between two checks of the workers, and number of checks


class Part(NamedTuple):
    """A row: its title, the method of both sides, units per turn (0: --block), and units per run when counting."""
    title: str
    method: str
    units: int
    counted: int


PARTS = (Part('data batch', 'batch', 32, 1), Part('GAN iteration', 'gan', 0, 2), Part('lifter step', 'lifter', 0, 1),
         Part('evaluation', 'evaluate', 32, 1), Part('bone-length refresh', 'refresh', 32, 1),
         Part('replay pools, both', 'pool', 32, 1))


class Side(NamedTuple):
    """One side of a row: median milliseconds per unit, share of the GEMM's FLOP rate, Counts per unit (peak: per run)."""
    milliseconds: float
    gemm_share: float
    counts: Counts


class Row(NamedTuple):
    """A row of the table; `ratio`: plain / ours, the median over the pairs of turns; `turns`: number of pairs."""
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
    parser.add_argument('--posenet_name', default='videopose', choices=sorted(LIFTERS),
                        help='lifter to train (default: %(default)s)')
    parser.add_argument('--device', default='auto', metavar='NAME',
                        help=f'device to compute on: {", ".join(DEVICES)} (default: %(default)s)')
    parser.add_argument('--poses', default=TRAIN_POSES, type=positive, metavar='N',
                        help='number of training poses (default: %(default)s, as in Human3.6M)')
    parser.add_argument('--batch_size', default=1024, type=batch_size, metavar='N',
                        help='poses per batch (default: %(default)s)')
    parser.add_argument('--iterations', default=20, type=positive, metavar='N',
                        help='turns of each side (default: %(default)s)')
    parser.add_argument('--block', default=0, type=int, metavar='N',
                        help='iterations per turn, an even number (default: 8; on CUDA 100, because each turn records '
                             'its CUDA graphs again)')
    parser.add_argument('--threads', default=0, type=int, metavar='N',
                        help="number of torch's CPU threads (default: torch's own choice)")
    parser.add_argument('--num_workers', default=2, type=int, metavar='N',
                        help='worker processes of each plain DataLoader (default: %(default)s)')
    parser.add_argument('--epoch', action='store_true', help='time whole epochs instead of adding up their parts')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write all measurements to this JSON file')
    parser.add_argument('--figure', type=Path, metavar='FILE.png', help='save a bar chart of the times to this file')
    args = parser.parse_args(argv)
    if args.block < 0 or args.block % 2:
        raise InputError(f'--block {args.block}: an even number is needed, because the discriminators are updated in every '
                         'second iteration')
    return args


def describe(device):
    name = torch.cuda.get_device_name(device) if device.type == 'cuda' else device.type
    return f'{name}, {torch.get_num_threads()} threads, torch {torch.__version__}'


def make_sides(args, device, folder):
    """(Ours, Plain) with equal weights and the same poses; InputError if there are too few poses for a turn."""
    largest = args.batch_size * max([args.block, *(part.units for part in PARTS)])
    if args.poses < largest:
        raise InputError(f'--poses {args.poses}: a turn needs {largest}; give more poses or a smaller --batch_size')
    training, test = synthetic_poses(args.poses), held_out_poses(max(largest, round(args.poses * TEST_SHARE)))
    game = new_game(args.posenet_name, device)
    plain = Plain(args.posenet_name, game, training, test, args.batch_size,
                  tensorboardX.SummaryWriter(f'{folder}/plain'), args.num_workers)
    ours = Ours(game, training.resident(device), test.resident(device), args.batch_size,
                EventFile(Path(folder)).scalars)
    return ours, plain


def measure(part, ours, plain, args, device):
    """The Row of a part: warm up both sides, time them in turns, and count."""
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
    """A turn of one side, with the C library's memory set as in the program of that side."""
    set_malloc(side.malloc)
    getattr(side, method)(*units)


def side_of(run, seconds, n, counted, gemm_rate, device):
    """The Side of a row whose turns of `n` units took `seconds` (a list); `run()` does `counted` units."""
    total = count(run, device)
    counts = Counts(total.operations / counted, total.host_reads / counted, total.flops / counted, total.peak_bytes,
                    {name: times / counted for name, times in sorted(total.by_name.items(), key=lambda item: -item[1])})
    per_unit = statistics.median(seconds) / n
    return Side(per_unit * 1000, counts.flops / per_unit / gemm_rate, counts)


def timed(run, device):
    """Seconds of one turn, started when the device and the plain side's workers are idle."""
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
    """Wait until no DataLoader worker has used the processor for a while."""
    before = None
    for _ in range(WORKERS_PATIENCE):
        now = [_activity(child.pid) for child in active_children()]
        if now == before and all(state == 'S' for state, *_ in now):
            return
        before = now
        time.sleep(WORKERS_TICK if now else 0)


def _activity(pid):
    """(state, user ticks, system ticks) of a process; assumes that it sleeps if there is no /proc."""
    try:
        values = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    except OSError:
        return 'S', 0, 0
    return values[0], values[11], values[12]


def gemm_seconds(device):
    """Seconds of one product of two (1024, 1024) float32 matrices, averaged over several."""
    repeats = 100 if device.type == 'cuda' else 3
    left, right = torch.ones(2, GEMM_SIZE, GEMM_SIZE, device=device)
    left @ right

    def products():
        for _ in range(repeats):
            left @ right

    return timed(products, device) / repeats


def whole_epoch(ours, plain, device):
    """The Row of one whole epoch of each side, one after the other."""
    seconds = [timed(partial(turn, side, 'epoch'), device) for side in (ours, plain)]
    nothing = Counts(0, 0, 0, 0, {})
    return Row('whole epoch (run)', *(Side(1000 * value, 0., nothing) for value in seconds), seconds[1] / seconds[0], 1)


def extrapolated_epoch(rows, ours):
    """Row with the time of an epoch, the sum of other rows: refresh, GAN, lifter on fake and real pairs, two evaluations."""
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
    """Dict of all measurements and settings, ready for JSON."""
    def as_dict(value):
        return {name: as_dict(part) for name, part in value._asdict().items()} if hasattr(value, '_asdict') else value

    arguments = {name: str(value) if isinstance(value, Path) else value for name, value in vars(args).items()}
    return dict(arguments=arguments, stages_dropout=RECIPES[args.posenet_name], device=describe(device),
                load=os.getloadavg(), environment=environment(), rows=[as_dict(row) for row in rows])


def save_bars(path, rows, title):
    """Save a bar chart of the milliseconds of both sides, on a logarithmic axis, labelled with the ratios."""
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

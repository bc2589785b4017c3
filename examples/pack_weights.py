#!/usr/bin/env python3
"""Pack the lifter of a run into a small checkpoint to ship: half precision, and only what loading needs.

python3 examples/pack_weights.py --evaluate RUN/ckpt_last.pth.tar --output checkpoint/shipped/mlp_cmu.pth.tar --source TEXT
"""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))    # run as a script, from wherever
from common.errors import InputError
from common.skeletons import name_of
from utils.command_line import Parser, exits_cleanly
from utils.runs.checkpoint import BASELINE_KEY, read_lifter, save_checkpoint


@exits_cleanly
def main(argv=None):
    """Write the file; returns its path. InputError if it exists already."""
    args = parser().parse_args(argv)
    if args.output.exists():
        raise InputError(f'{args.output} exists already; delete it first')
    weights = read_lifter(args.evaluate)
    state = {name: value.half() if value.is_floating_point() else value for name, value in weights.state.items()}
    arguments = dict(posenet_name=weights.posenet_name, stages=weights.stages, camera=weights.camera,
                     skeleton=name_of(weights.skeleton), causal=weights.causal)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(args.output, {BASELINE_KEY: state, 'epoch': weights.epoch, 'arguments': arguments, 'source': args.source})
    print(f'{args.output}: {args.output.stat().st_size / 1e6:.1f} MB')
    return args.output


def parser():
    """The flags."""
    made = Parser(__doc__.partition('\n')[0])
    made.add_argument('--evaluate', required=True, metavar='FILE', help='checkpoint of a trainer')
    made.add_argument('--output', type=Path, required=True, metavar='FILE', help='file to write')
    made.add_argument('--source', required=True, metavar='TEXT', help='where the training motion comes from')
    return made


if __name__ == '__main__':
    main()

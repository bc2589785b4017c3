#!/usr/bin/env python3
"""Score a checkpoint: python3 run_evaluate.py --posenet_name videopose --keypoints gt --evaluate PATH (README.md)."""
from function_baseline.arguments import baseline_parser, parse
from function_baseline.report import report_checkpoint
from utils.device import choose_device
from utils.errors import InputError, exits_cleanly

# the other flags of run_baseline.py are taken, as the reference takes them, and do nothing here
USED = ('posenet_name', 'stages', 'keypoints', 'evaluate', 'actions', 'downsample', 'data_root', 'device', 'dataset')


@exits_cleanly
def main(argv=None):
    """Score and print; returns the PoseErrors of both test sets, or of both kinds of 2D of 3DPW."""
    args = parse(baseline_parser(__doc__, datasets=('h36m', '3dpw')), argv, used=USED)
    if not args.evaluate:
        raise InputError('--evaluate is missing: give the path of the checkpoint to score')
    return report_checkpoint(args, choose_device(args.device))


if __name__ == '__main__':
    main()

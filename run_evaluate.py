#!/usr/bin/env python3
"""Test a checkpoint: python3 run_evaluate.py --posenet_name videopose --keypoints gt --evaluate PATH (README.md)."""
from pathlib import Path

from function_baseline.arguments import baseline_parser, parse
from function_baseline.report import report_checkpoint
from function_baseline.selection import report_run
from utils.command_line import exits_cleanly
from utils.device import choose_device
from utils.runs.shipped import checkpoint_or_shipped

# The other flags of run_baseline.py are accepted, as by the authors' script, but have no effect here.
USED = ('posenet_name', 'stages', 'receptive_field', 'causal', 'keypoints', 'evaluate', 'actions', 'downsample', 'data_root',
        'device', 'dataset', 'camera', 'cameras')
OF_H36M = ('keypoints', 'actions', 'downsample', 'cameras')      # no effect on 3DPW, which has its own 2D and no actions


@exits_cleanly
def main(argv=None):
    """Print the errors; returns the PoseErrors of both test sets, or of 3DPW with both sources of 2D."""
    parser = baseline_parser(__doc__, datasets=('h36m', '3dpw'))
    idle = {'3dpw': OF_H36M, 'h36m': ('cameras',)}.get(parser.parse_args(argv).dataset, ())
    args = parse(parser, argv, idle, USED)
    args.evaluate = checkpoint_or_shipped(args.evaluate)
    camera = args.camera if 'camera' in args.explicit else None
    report = report_run if Path(args.evaluate).is_dir() and args.dataset != '3dpw' else report_checkpoint
    return report(args, choose_device(args.device), camera)


if __name__ == '__main__':
    main()

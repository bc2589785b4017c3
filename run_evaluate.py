#!/usr/bin/env python3
"""Score a checkpoint: python3 run_evaluate.py --posenet_name videopose --keypoints gt --evaluate PATH (README.md)."""
from common.errors import InputError
from function_baseline.arguments import baseline_parser, parse
from function_baseline.evaluate import CAMERAS
from function_baseline.report import report_checkpoint
from utils.command_line import exits_cleanly
from utils.device import choose_device

# the other flags of run_baseline.py are taken, as the reference takes them, and do nothing here
USED = ('posenet_name', 'stages', 'keypoints', 'evaluate', 'actions', 'downsample', 'data_root', 'device', 'dataset', 'camera')
OF_H36M = ('keypoints', 'actions', 'downsample')      # do nothing for 3DPW, which has its own 2D and no actions


@exits_cleanly
def main(argv=None):
    """Score and print; returns the PoseErrors of both test sets, or of both kinds of 2D of 3DPW."""
    parser = baseline_parser(__doc__, datasets=('h36m', '3dpw'))
    parser.add_argument('--camera', default='image', choices=CAMERAS,
                        help='image: lift the 2D as they are, as the reference does; person: as a virtual camera that '
                             'looks at the person sees them (default %(default)s)')
    idle = OF_H36M if parser.parse_args(argv).dataset == '3dpw' else ()
    args = parse(parser, argv, idle, USED)
    if not args.evaluate:
        raise InputError('--evaluate is missing: give the path of the checkpoint to score')
    return report_checkpoint(args, choose_device(args.device), args.camera)


if __name__ == '__main__':
    main()

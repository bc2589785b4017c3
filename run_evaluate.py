#!/usr/bin/env python3
"""Test a checkpoint: python3 run_evaluate.py --posenet_name videopose --keypoints gt --evaluate PATH (README.md)."""
from common.errors import InputError
from function_baseline.arguments import baseline_parser, parse
from function_baseline.evaluate import CAMERAS
from function_baseline.report import report_checkpoint
from utils.command_line import exits_cleanly
from utils.device import choose_device

# The other flags of run_baseline.py are accepted, as by the authors' script, but have no effect here.
USED = ('posenet_name', 'stages', 'keypoints', 'evaluate', 'actions', 'downsample', 'data_root', 'device', 'dataset',
        'camera')
OF_H36M = ('keypoints', 'actions', 'downsample')      # no effect on 3DPW, which has its own 2D and no actions


@exits_cleanly
def main(argv=None):
    """Print the errors; returns the PoseErrors of Human3.6M and MPI-INF-3DHP, or of 3DPW with both sources of 2D."""
    parser = baseline_parser(__doc__, datasets=('h36m', '3dpw'))
    parser.add_argument('--camera', default='image', choices=CAMERAS,
                        help='image: lift the 2D as they are, as the reference does; person: as a virtual camera that '
                             'looks at the person sees them (default %(default)s)')
    idle = OF_H36M if parser.parse_args(argv).dataset == '3dpw' else ()
    args = parse(parser, argv, idle, USED)
    if not args.evaluate:
        raise InputError('--evaluate is missing: give the path of the checkpoint to test')
    return report_checkpoint(args, choose_device(args.device), args.camera)


if __name__ == '__main__':
    main()

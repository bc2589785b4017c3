#!/usr/bin/env python3
"""Export a checkpoint to ONNX, TorchScript and .pt2 files: python3 run_export.py --evaluate PATH (README.md)."""
from function_baseline.export import FORMATS, NEWEST_OPSET, NUM_POSES, OPSET, export_lifter
from utils.command_line import Parser, exits_cleanly


@exits_cleanly
def main(argv=None):
    """Write each file and compare it with PyTorch; returns the list of Exported."""
    args = parser().parse_args(argv)
    exported = []
    for file in export_lifter(args.evaluate, args.format, args.output, args.overwrite, args.opset):
        print(f'{file.path}: {file.num_bytes / 1e6:.1f} MB, largest difference from PyTorch on {NUM_POSES:,} poses '
              f'{file.difference_m:.1e} m')
        exported.append(file)
    return exported


def parser():
    """The command line; the lifter and its stages are read from the checkpoint."""
    flags = Parser(__doc__)
    flags.add_argument('--evaluate', required=True, metavar='FILE',
                       help="checkpoint to export, of run_baseline.py or run_poseaug.py, ours or the authors'")
    flags.add_argument('--format', nargs='+', choices=FORMATS, default=list(FORMATS), metavar='NAME',
                       help=f'formats to write: {", ".join(FORMATS)} (default: all); onnx needs requirements-export.txt')
    flags.add_argument('--opset', type=int, choices=range(OPSET, NEWEST_OPSET + 1), default=OPSET, metavar='N',
                       help=f'version of the operators in the ONNX file, {OPSET} to {NEWEST_OPSET} (default %(default)s)')
    flags.add_argument('--output', metavar='DIR', help='folder for the files (default: the folder of the checkpoint)')
    flags.add_argument('--overwrite', action='store_true', help='replace existing files')
    return flags


if __name__ == '__main__':
    main()

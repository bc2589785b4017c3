#!/usr/bin/env python3
"""Train a pretrained lifter with PoseAug:

python3 run_poseaug.py --posenet_name mlp --stages 2 --note poseaug (README.md).
"""
from function_baseline.arguments import parse
from function_baseline.data import load_training
from function_baseline.report import report_checkpoint
from function_poseaug.arguments import IDLE, poseaug_parser, without_effect
from function_poseaug.loop import train_poseaug
from function_poseaug.warmup import require_warmup
from utils.command_line import exits_cleanly
from utils.device import choose_device
from utils.runs.checkpoint import POSEAUG_KEY
from utils.runs.resume import resume


@exits_cleanly
def main(argv=None):
    """Train and return the run directory; with --evaluate only test and return the PoseErrors of both test sets."""
    parser = poseaug_parser(__doc__)
    args = parse(parser, argv, idle=IDLE + without_effect(parser.parse_args(argv), parser))
    args.keep_snapshots = 'snapshot' in args.explicit     # PoseAug: no snapshots by default
    if args.evaluate:
        return report_checkpoint(args, choose_device(args.device), args.camera if 'camera' in args.explicit else None)
    resumed = resume(args, POSEAUG_KEY, parser) if args.resume else None
    args.keep_snapshots |= 'snapshot' in args.explicit
    require_warmup(args)
    device = choose_device(args.device, args.tf32)
    training, tests = load_training(args, device)
    return train_poseaug(args, training, tests, device, resumed)


if __name__ == '__main__':
    main()

#!/usr/bin/env python3
"""Pretrain a lifter on Human3.6M: python3 run_baseline.py --posenet_name mlp --stages 2 --note pretrain (README.md)."""
from function_baseline.arguments import baseline_parser, parse
from function_baseline.data import load_training
from function_baseline.loop import train_baseline
from function_baseline.recipe_v2 import apply_recipe, continue_recipe
from function_baseline.report import report_checkpoint
from utils import ranks
from utils.command_line import exits_cleanly
from utils.runs.checkpoint import BASELINE_KEY
from utils.runs.resume import resume


@exits_cleanly
def main(argv=None):
    """Train and return the run directory; with --evaluate only test and return the PoseErrors of both test sets."""
    parser = baseline_parser(__doc__)
    args = parse(parser, argv, idle=('num_workers', 'action_wise'))
    apply_recipe(args)
    if args.evaluate:
        with ranks.connected(args.device) as device:
            return report_checkpoint(args, device, args.camera if 'camera' in args.explicit else None)
    resumed = resume(args, BASELINE_KEY, parser) if args.resume else None
    if resumed:
        continue_recipe(args, resumed.content['arguments'], resumed.directory)
    with ranks.connected(args.device, args.tf32) as device:
        training, tests = load_training(args, device)
        return train_baseline(args, training, tests, device, resumed)


if __name__ == '__main__':
    main()

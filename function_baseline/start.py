"""The lifter that a run starts with."""
from models_baseline import build_lifter
from utils.runs.checkpoint import find_pretrained, load_lifter


def starting_lifter(args, pretrained):
    """A new lifter, or a pretrained one, which writes its own name and stages into `args`; on the CPU.

    A run that is resumed gets its weights from its own checkpoint: nothing else is read. With --compile its forward and
    backward are fused when they first run; its weights keep their names.
    """
    lifter = _new_lifter(args) if args.resume or not pretrained else _pretrained_lifter(args)
    if args.compile:
        lifter.compile()
    return lifter


def _new_lifter(args):
    return build_lifter(args.posenet_name, args.stages, args.dropout)


def _pretrained_lifter(args):
    path = find_pretrained(args.posenet_name, args.keypoints, args.pretrain_path)
    lifter, weights = load_lifter(path, args)
    args.posenet_name, args.stages = weights.posenet_name, weights.stages
    print(f'pretrained lifter: {path} (epoch {weights.epoch})')
    return lifter

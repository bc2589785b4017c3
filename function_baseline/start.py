"""The lifter that a run starts with."""
from common.skeleton import H36M_16
from models_baseline import build_lifter
from utils.runs.checkpoint import find_pretrained, load_lifter


def starting_lifter(args, pretrained, skeleton=H36M_16):
    """A new or a pretrained lifter on the CPU; a pretrained one writes its own name and stages into `args`.

    A resumed run gets a new one, because its own checkpoint is loaded into it afterwards. With --compile, the
    lifter's forward and backward pass are compiled when they first run; its weights keep their names.
    """
    lifter = _pretrained_lifter(args, skeleton) if pretrained and not args.resume else build_lifter(
        args.posenet_name, args.stages, args.dropout, skeleton)
    if args.compile:
        lifter.compile()
    return lifter


def _pretrained_lifter(args, skeleton):
    path = find_pretrained(args.posenet_name, args.keypoints, args.pretrain_path)
    lifter, weights = load_lifter(path, args, skeleton)
    args.posenet_name, args.stages = weights.posenet_name, weights.stages
    print(f'pretrained lifter: {path} (epoch {weights.epoch})')
    return lifter

"""The lifter that a run starts with."""
from common.errors import InputError
from common.skeleton import H36M_16
from common.skeletons import name_of
from function_baseline.arguments import require_temporal
from models_baseline import build_lifter
from utils.runs.checkpoint import find_pretrained, load_lifter


def starting_lifter(args, pretrained, skeleton=H36M_16):
    """A new or a pretrained lifter on the CPU; a pretrained one writes its name, size and camera into `args`.

    The skeleton's name is written there too, so that the run's checkpoints tell it.
    A resumed run gets a new one, because its own checkpoint is loaded into it afterwards. With --compile, the
    lifter's forward and backward pass are compiled when they first run; its weights keep their names.
    """
    args.skeleton = name_of(skeleton)
    lifter = _pretrained_lifter(args, skeleton) if pretrained and not args.resume else build_lifter(
        args.posenet_name, args.stages, args.dropout, skeleton, args.receptive_field, args.causal)
    lifter.camera = args.camera
    if args.compile:
        lifter.compile()
    return lifter


def _pretrained_lifter(args, skeleton):
    path = find_pretrained(args.posenet_name, args.keypoints, args.pretrain_path)
    lifter, weights = load_lifter(path, args, skeleton)
    if 'camera' in args.explicit and args.camera != weights.camera:
        raise InputError(f'{path} was trained with --camera {weights.camera}, not {args.camera}; leave the flag out, or '
                         'pretrain another lifter')
    for name in ('posenet_name', 'stages', 'receptive_field', 'causal', 'camera'):
        setattr(args, name, getattr(weights, name))
    require_temporal(args)
    print(f'pretrained lifter: {path} (epoch {weights.epoch})')
    return lifter

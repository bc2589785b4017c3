"""Continuing a run: where it lies, what it was started with, and what may not be said otherwise now."""
from argparse import ArgumentTypeError
from pathlib import Path
from typing import NamedTuple

from common.errors import InputError, in_short
from models_baseline import LIFTERS
from utils.runs.checkpoint import HEALTHY, LAST, MAX_STAGES, read_checkpoint

FREE_TO_CHANGE = ('resume', 'device', 'graphs', 'num_workers', 'data_root', 'checkpoint', 'snapshot', 'on_collapse',
                  'max_restarts')
LARGEST = 1e300       # of a number: a whole one may lie beyond all floats


class Resumed(NamedTuple):
    """A run to continue: its directory, and the content of its last checkpoint."""
    directory: Path
    content: dict


def resume(args, kind, parser):
    """Resumed, with `args` set to what the run was started with. `kind` is a key that this trainer's checkpoints hold.

    InputError where a flag was typed that contradicts the run, or where the checkpoint holds an argument that `parser` would
    not have let pass.
    """
    path = Path(args.resume)
    path = path / LAST if path.is_dir() else path
    if not path.is_file():
        raise InputError(f'{path} is missing: --resume takes a run directory with a {LAST}, which a run writes when '
                         'its start or its first epoch is evaluated; start the run anew')
    if path.name == HEALTHY:
        raise InputError(f'{path} is what --resume {path.parent} --on_collapse restart goes back to; give that')
    content = read_checkpoint(path)
    if not {kind, 'arguments', 'sizes'} <= content.keys():
        raise InputError(f'{path} cannot be continued: it is no {LAST} of this trainer')
    require_sound(content, args, path)
    _require_permitted(content['arguments'], parser, path)
    for name, value in content['arguments'].items():
        if name not in vars(args) or name in args.explicit and name in FREE_TO_CHANGE:
            continue
        if name in args.explicit and getattr(args, name) != value:
            raise InputError(f'--{name} {getattr(args, name)} contradicts the run being resumed, which has {value}; '
                             'leave the flag out, or start a new run')
        setattr(args, name, value)
    parser.require_consistent(args)
    if content['epoch'] >= args.epochs:
        print(f'{path}: all {args.epochs} epochs are done; for more, start a new run from it with --pretrain_path')
    return Resumed(path.parent, content)


def require_sound(content, args, path):
    """InputError unless arguments, sizes and the epoch are of the types that a run writes; before anything is built."""
    arguments, sizes, epoch = (content.get(name) for name in ('arguments', 'sizes', 'epoch'))
    sound = (isinstance(arguments, dict) and isinstance(sizes, dict) and type(epoch) is int and 0 <= epoch < 1 << 31
             and all(isinstance(name, str) and type(size) is int and size >= 0 for name, size in sizes.items())
             and 'explicit' not in arguments
             and all(_alike(arguments[name], default) for name, default in vars(args).items() if name in arguments)
             and epoch <= arguments.get('epochs', epoch))
    if not sound:
        raise InputError(f'{path} cannot be continued: its arguments, sizes or epoch are damaged; start a new run')
    if arguments.get('posenet_name') not in LIFTERS or not 0 < arguments.get('stages', 1) <= MAX_STAGES:
        raise InputError(f'{path} cannot be continued: it holds no known lifter of up to {MAX_STAGES} stages; '
                         'start a new run')


def _require_permitted(arguments, parser, path):
    """InputError unless every argument, written out, is one that the command line takes."""
    for action in parser._actions:
        value = arguments.get(action.dest, action.default)
        try:
            permitted = action.choices is None or value in action.choices
            if callable(action.type):
                action.type(str(value))
        except (ValueError, ArgumentTypeError):
            permitted = False
        if not permitted:
            raise InputError(f'{path} cannot be continued: it has {action.dest} {in_short(value)}, which no run has; start a '
                             'new run')


def _alike(value, default):
    """Whether a checkpoint's argument can stand for one of the command line: a number that is not absurd for a number, ..."""
    if isinstance(default, bool) or isinstance(value, bool):
        return type(value) is type(default)
    if isinstance(default, int):
        return type(value) is int and abs(value) < 1 << 31
    if isinstance(default, float):
        return type(value) in (int, float) and abs(value) < LARGEST
    return isinstance(value, str) or value is None

"""Continuing a run: where it is, which arguments it was started with, and which of them may be changed now."""
from argparse import ArgumentTypeError
from pathlib import Path
from typing import NamedTuple

from common.errors import InputError, in_short
from utils.runs.checkpoint import HEALTHY, LAST, MAX_STAGES, read_checkpoint

FREE_TO_CHANGE = ('resume', 'device', 'graphs', 'num_workers', 'data_root', 'checkpoint', 'snapshot', 'on_collapse',
                  'max_restarts')


class Resumed(NamedTuple):
    """A run to continue: its directory, and the content of its last checkpoint."""
    directory: Path
    content: dict


def resume(args, kind, parser):
    """Resumed, with `args` set to what the run was started with. `kind` is a key that this trainer's checkpoints hold.

    InputError where a typed flag contradicts the run, or where the checkpoint holds an argument that `parser` refuses.
    """
    path = Path(args.resume)
    path = path / LAST if path.is_dir() else path
    if not path.is_file():
        raise InputError(f'{path} is missing: --resume takes a run directory with a {LAST}, which a run writes when '
                         'its start or its first epoch is evaluated; start the run anew')
    if path.name == HEALTHY:
        raise InputError(f'{path} is the checkpoint that --resume {path.parent} --on_collapse restart goes back to; give that '
                         'directory')
    content = read_checkpoint(path)
    if not {kind, 'arguments', 'sizes'} <= content.keys():
        raise InputError(f'{path} cannot be continued: it is no {LAST} of this trainer')
    _take_arguments(content['arguments'], args, parser, path)
    require_sound(content, args, path)
    parser.require_consistent(args)
    if content['epoch'] >= args.epochs:
        print(f'{path}: all {args.epochs} epochs are done; for more, start a new run from it with --pretrain_path')
    return Resumed(path.parent, content)


def _take_arguments(arguments, args, parser, path):
    """Set `args` to the `arguments` of a run; InputError where one is damaged, or contradicts a typed flag."""
    if not isinstance(arguments, dict):
        raise InputError(f'{path} cannot be continued: its arguments are damaged; start a new run')
    for action in parser._actions:
        name, value = action.dest, arguments.get(action.dest)
        if name in args.explicit and name in FREE_TO_CHANGE:
            continue
        if name not in arguments:       # a flag of a later version: that run had its default
            value = action.default
            if name not in args.explicit:
                continue
        if name == 'graphs' and value is True and name not in args.explicit:
            continue        # the default of earlier versions, which did not insist on graphs
        if not _permitted(action, value):
            raise InputError(f'{path} cannot be continued: it has {name} {in_short(value)}, which no run has; start a new run')
        if name in args.explicit and getattr(args, name) != value:
            raise InputError(f'--{name} {getattr(args, name)} contradicts the run being resumed, which has {value}; '
                             'leave the flag out, or start a new run')
        setattr(args, name, value)


def _permitted(action, value):
    """Whether the flag of a parser's `action` can give this value: written out and read again, it is the same."""
    if action.nargs == 0:           # store_true and the like
        return isinstance(value, bool)
    try:
        read = (action.type or str)(str(value))
    except (ValueError, ArgumentTypeError):
        return False
    same = read == value or isinstance(read, Path) and str(read) == value        # folders are stored as text
    return same and (action.choices is None or value in action.choices) and not (action.dest == 'stages' and value > MAX_STAGES)


def require_sound(content, args, path):
    """InputError unless the epoch and the sizes of a checkpoint, by which files are cut, are those of a run with `args`."""
    sizes, epoch = content.get('sizes'), content.get('epoch')
    if not (isinstance(sizes, dict) and all(isinstance(name, str) and type(size) is int and size >= 0
                                            for name, size in sizes.items())
            and type(epoch) is int and 0 <= epoch <= args.epochs):
        raise InputError(f'{path} cannot be continued: its sizes or epoch are damaged; start a new run')

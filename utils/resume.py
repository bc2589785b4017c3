"""Continuing a run: where it lies, what it was started with, and what may not be said otherwise now."""
from pathlib import Path
from typing import NamedTuple

from utils.checkpoint import LAST, read_checkpoint
from utils.errors import InputError

FREE_TO_CHANGE = ('resume', 'device', 'num_workers', 'data_root', 'checkpoint', 'snapshot', 'on_collapse', 'max_restarts')


class Resumed(NamedTuple):
    """A run to continue: its directory, and the content of its last checkpoint."""
    directory: Path
    content: dict


def resume(args, kind):
    """Resumed, with `args` set to what the run was started with. `kind` is a key that this trainer's checkpoints hold.

    InputError where a flag was typed that contradicts the run.
    """
    path = Path(args.resume)
    path = path / LAST if path.is_dir() else path
    if not path.is_file():
        raise InputError(f'{path} is missing: --resume takes a run directory with a {LAST}, which a run writes after its '
                         'first epoch; start the run anew')
    content = read_checkpoint(path)
    if not {kind, 'arguments', 'sizes'} <= content.keys():
        raise InputError(f'{path} cannot be continued: it is no {LAST} of this trainer')
    for name, value in content['arguments'].items():
        if not hasattr(args, name) or name in args.explicit and name in FREE_TO_CHANGE:
            continue
        if name in args.explicit and getattr(args, name) != value:
            raise InputError(f'--{name} {getattr(args, name)} contradicts the run being resumed, which has {value}; '
                             'leave the flag out, or start a new run')
        setattr(args, name, value)
    return Resumed(path.parent, content)

"""What torchrun tells each process that it starts, and how several processes print as one (utils/ranks.py shares the work)."""
import io
import os
import sys
import time
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from common.errors import InputError

SHARED = ('run_baseline.py',)      # the scripts that several processes may run together
PATIENCE = 5      # seconds; torchrun ends the other processes sooner than that after one has failed


def world():
    """The number of processes that torchrun has started; 1 without it."""
    return int(os.environ['WORLD_SIZE']) if 'TORCHELASTIC_RUN_ID' in os.environ else 1


def rank():
    """This process's number among them, from 0."""
    return int(os.environ['RANK']) if world() > 1 else 0


def require_shared(script):
    """InputError if torchrun has started several processes of a script that runs in one."""
    name = Path(script).name
    if world() > 1 and name not in SHARED:
        raise InputError(f'{name} runs in one process; start it without torchrun (run_sweep.py keeps several GPUs busy with '
                         'many runs)')


@contextmanager
def one_voice():
    """Context manager in which only the first process prints.

    Another one that fails waits before it prints why: if the first has failed too, torchrun ends this one meanwhile. After a
    signal, which torchrun sends to all, it says nothing.
    """
    if rank() == 0:
        yield
        return
    held_back = io.StringIO()
    try:
        with open(os.devnull, 'w') as nothing, redirect_stdout(nothing), redirect_stderr(held_back):
            yield
    except BaseException as end:
        if not isinstance(end, SystemExit) or 0 < end.code < 128:
            time.sleep(PATIENCE)
            print(held_back.getvalue(), end='', file=sys.stderr)
        raise

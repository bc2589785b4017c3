"""Delay SIGTERM and Ctrl-C until the current step is finished, so that no file is left half-written."""
import signal
import threading
from contextlib import contextmanager

from utils import torchrun

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_noted = []


class Stopped(Exception):
    """The run was stopped by SIGTERM or SIGINT."""

    def __init__(self, number):
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


def obey():
    """Call this between steps: raises Stopped if a signal has arrived inside `after_the_step`."""
    if _noted:
        raise Stopped(_noted[0])


@contextmanager
def after_the_step():
    """Context manager: record SIGTERM and SIGINT for `obey`. A second signal of the same kind acts immediately."""
    if threading.current_thread() is not threading.main_thread():       # Python handles signals in the main thread only
        yield
        return
    previous = {number: signal.getsignal(number) for number in _SIGNALS}

    def note(number, _):
        _noted.append(number)
        signal.signal(number, previous[number])

    try:
        for number in _SIGNALS:
            signal.signal(number, note)
        yield
    except RuntimeError:
        if torchrun.world() > 1:      # another process has obeyed first, and this one has waited for it in vain
            obey()
        raise
    finally:
        _noted.clear()
        for number, handler in previous.items():
            signal.signal(number, handler)

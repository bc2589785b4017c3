"""SIGTERM and Ctrl-C: noted when they come, obeyed between two steps, so no weight or file is left half-written."""
import signal
import threading
from contextlib import contextmanager

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_noted = []


class Stopped(Exception):
    """The user or the machine asked to stop."""

    def __init__(self, number):
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


def obey():
    """Called between steps: raises Stopped where a signal has come."""
    if _noted:
        raise Stopped(_noted[0])


@contextmanager
def after_the_step():
    """Within the block the signals are only noted; a second one of its kind acts at once, as ever."""
    if threading.current_thread() is not threading.main_thread():       # Python hands signals to the main thread alone
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
    finally:
        _noted.clear()
        for number, handler in previous.items():
            signal.signal(number, handler)

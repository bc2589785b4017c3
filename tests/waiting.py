"""Waiting for what another process does."""
import time


def wait_for(condition, seconds=120):
    """The first true value of `condition()`; AssertionError if there is none within so many seconds."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(.01)
    return found

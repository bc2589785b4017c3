"""One way to refuse: `InputError` says what is wrong, where, and what to do.

The scripts print it as one line and exit 2.
"""
import functools
import os
import sys

from utils import interrupts


class InputError(Exception):
    """The user's input cannot be used. The message is one line: what, where, what to do."""


def exits_cleanly(main):
    """Decorator of a script's `main(argv=None)`: no traceback for what is no fault of the program.

    An InputError, or a file that cannot be read or written, becomes one line on stderr and exit code 2; a run that
    was stopped ends with one line and exit code 143 (SIGTERM), 130 (Ctrl-C) or 141 (its output's reader has gone).
    """
    @functools.wraps(main)
    def run(argv=None):
        try:
            return main(argv)
        except InputError as error:
            _leave(2, f'error: {error}')
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            _leave(141, 'stopped: nobody reads the output any more; a training run continues with --resume')
        except OSError as error:
            _leave(2, f'error: {error.filename or "a file"}: {error.strerror or error}; '
                      'make room or permit it, and try again')
        except KeyboardInterrupt:
            _leave(130, 'stopped by SIGINT')
        except interrupts.Stopped as stop:
            _leave(stop.exit_code, f'stopped by {stop}; --resume continues after the last whole epoch')
    return run


def _leave(code, line):
    print(' '.join(line.split()), file=sys.stderr)
    sys.exit(code)


class Diverged(InputError):
    """Training met a value that is not finite; going on would only lose time."""

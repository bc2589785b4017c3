"""What every script's command line shares: how it ends, its parser, and the types of its flags."""
import argparse
import functools
import math
import os
import sys

from common.errors import InputError
from utils import interrupts


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


class Parser(argparse.ArgumentParser):
    """argparse whose errors are one line, like every other refusal; abbreviated flags are refused too."""

    def __init__(self, description):
        super().__init__(description=description, allow_abbrev=False)

    def error(self, message):
        self.exit(2, f'error: {message}; {self.prog} --help lists the flags\n')


def boolean(text):
    """'true' or 'false', in any case; anything else is refused."""
    values = {'true': True, 'false': False}
    if text.lower() not in values:
        raise argparse.ArgumentTypeError(f'{text!r} is neither true nor false')
    return values[text.lower()]


def whole(text, least=0):
    """A whole number of at least `least`."""
    if not (text.isascii() and text.isdigit()) or int(text) < least:
        raise argparse.ArgumentTypeError(f'{text!r} is no whole number of at least {least}')
    return int(text)


def positive(text):
    return whole(text, least=1)


def number(text):
    """A finite number of at least 0: a rate, a weight, a bound."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise argparse.ArgumentTypeError(f'{text!r} is no finite number of at least 0')
    return value


def explicit_flags(parser, argv):
    """Names of the flags that were typed, whatever their value."""
    defaults = {action: action.default for action in parser._actions}
    try:
        for action in defaults:
            action.default = argparse.SUPPRESS
        return set(vars(parser.parse_args(argv)))
    finally:
        for action, default in defaults.items():
            action.default = default

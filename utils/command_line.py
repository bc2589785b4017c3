"""What the command lines of all scripts share: exit codes and error lines, the parser, and the types of flags."""
import argparse
import functools
import math
import os
import sys

from common.errors import InputError
from utils import interrupts, torchrun


def exits_cleanly(main):
    """Decorator for a script's `main(argv=None)`: expected errors end in one line on stderr instead of a traceback.

    Exit codes: that of an InputError: 2, 3 if the training diverged or collapsed, 75 if another process is at work there; 2
    for a file that cannot be read or written; 143 after SIGTERM, 130 after Ctrl-C, and 141 after the reader of its output
    has closed the pipe. Any other exception is a bug and keeps its traceback.
    """
    @functools.wraps(main)
    @torchrun.one_voice()
    def run(argv=None):
        try:
            torchrun.require_shared(sys.argv[0])
            return main(argv)
        except InputError as error:
            _leave(error.exit_code, f'error: {error}')
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            _leave(141, 'stopped: the pipe that read the output was closed; continue a training run with --resume')
        except OSError as error:
            _leave(2, f'error: {error.filename or "a file"}: {error.strerror or error}; '
                      'check the free space and the permissions, and try again')
        except KeyboardInterrupt:
            _leave(130, 'stopped by SIGINT')
        except interrupts.Stopped as stop:
            _leave(stop.exit_code, f'stopped by {stop}; --resume continues after the last complete epoch')
    return run


def _leave(code, line):
    print(' '.join(line.split()), file=sys.stderr)
    sys.exit(code)


class Parser(argparse.ArgumentParser):
    """ArgumentParser that reports an error in one line, without the usage text, and accepts no abbreviated flags."""

    def __init__(self, description):
        super().__init__(description=description, allow_abbrev=False)

    def error(self, message):
        self.exit(2, f'error: {message}; {self.prog} --help lists the flags\n')


def boolean(text):
    """True for 'true' and False for 'false', in upper or lower case; ArgumentTypeError for any other text."""
    values = {'true': True, 'false': False}
    if text.lower() not in values:
        raise argparse.ArgumentTypeError(f'{text!r} is neither true nor false')
    return values[text.lower()]


def whole(text, least=0):
    """The text as an int; ArgumentTypeError unless it is a whole number of at least `least`."""
    if not (text.isascii() and text.isdigit()) or int(text) < least:
        raise argparse.ArgumentTypeError(f'{text!r} is not a whole number of at least {least}')
    return int(text)


def positive(text):
    return whole(text, least=1)


def number(text):
    """The text as a float; ArgumentTypeError unless it is finite and at least 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise argparse.ArgumentTypeError(f'{text!r} is not a finite number of at least 0')
    return value


def share(text):
    """The text as a float; ArgumentTypeError unless it is from 0 to 1."""
    value = number(text)
    if value > 1:
        raise argparse.ArgumentTypeError(f'{text!r} is not a share: give a number from 0 to 1')
    return value


def some_of(names, nothing=''):
    """The type of a flag: a comma-separated list of some of `names`, as text in their order.

    `nothing`: the text that stands for none of them, or None if there must be one.
    """
    def read(text):
        chosen = set(text.split(','))
        if text == nothing:
            return text
        if not chosen <= set(names):
            raise argparse.ArgumentTypeError(f'{text!r} is not a comma-separated list of {", ".join(names)}'
                                             + f', or {nothing}' * bool(nothing))
        return ','.join(name for name in names if name in chosen)
    return read


def explicit_flags(parser, argv):
    """Names of the flags that appear in `argv`, even if their value equals the default."""
    defaults = {action: action.default for action in parser._actions}
    try:
        for action in defaults:
            action.default = argparse.SUPPRESS
        return set(vars(parser.parse_args(argv)))
    finally:
        for action, default in defaults.items():
            action.default = default

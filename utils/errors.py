"""One way to refuse: `InputError` says what is wrong, where, and what to do; the scripts print it as one line and exit 2."""
import functools
import math
import sys


class InputError(Exception):
    """The user's input cannot be used. The message is one line: what, where, what to do."""


def exits_cleanly(main):
    """Decorator of a script's `main(argv=None)`: an InputError becomes one line on stderr and exit code 2."""
    @functools.wraps(main)
    def run(argv=None):
        try:
            return main(argv)
        except InputError as error:
            print('error: ' + ' '.join(str(error).split()), file=sys.stderr)
            sys.exit(2)
    return run


class Diverged(InputError):
    """Training met a value that is not finite; going on would only lose time."""


def require_finite(value, what, where):
    """Diverged, in one line, unless the 0-d tensor `value` is finite. Waits for the device."""
    if not math.isfinite(float(value)):
        raise Diverged(f'{what} is {float(value)} at {where}; the last checkpoint is still good: lower the learning rate '
                       'or choose another --random_seed')

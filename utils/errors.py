"""One way to refuse: `InputError` says what is wrong, where, and what to do; the scripts print it as one line and exit 2."""
import functools
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

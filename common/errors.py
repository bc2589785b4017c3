"""The expected errors. The scripts print an `InputError` as one line, without a traceback, and exit with its code."""


class InputError(Exception):
    """The user's input cannot be used. The message is one line: what is wrong, where, and what to do."""
    exit_code = 2


class InUse(InputError):
    """Another process works there now; the same command may succeed later. (The code is EX_TEMPFAIL of sysexits.h.)"""
    exit_code = 75


class Unstable(InputError):
    """The training became unstable. With the same flags and seed it would do so again."""
    exit_code = 3


class Diverged(Unstable):
    """A loss or gradient in training was NaN or infinite."""


def in_short(error, most=200):
    """The message of an error as one printable line of `most` characters at most; it may contain text from a damaged file."""
    text = f'it has no {error}' if isinstance(error, KeyError) else str(error)
    text = ' '.join(text.split()) or type(error).__name__
    return ''.join(letter if letter.isprintable() else '?' for letter in text[:most])

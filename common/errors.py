"""One way to refuse: an `InputError` says what is wrong, where, and what to do. The scripts print it and exit with 2."""


class InputError(Exception):
    """The user's input cannot be used. The message is one line: what is wrong, where, and what to do."""


class Diverged(InputError):
    """Training met a value that is not finite; going on would only lose time."""


def in_short(error):
    """What an error says, on one line and fit to be printed: a file may put anything into it."""
    text = f'it has no {error}' if isinstance(error, KeyError) else str(error)
    text = ' '.join(text.split()) or type(error).__name__
    return ''.join(letter if letter.isprintable() else '?' for letter in text[:200])

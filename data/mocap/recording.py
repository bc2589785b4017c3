"""A recording of motion capture as its file describes it."""
from pathlib import Path
from typing import NamedTuple

import numpy as np

from common.errors import InputError

WHOLE_RATE = 1e-3     # a frame rate as near to a whole number as this share is that number: 1 / 0.0333333 is 30


class Recording(NamedTuple):
    """T frames of J named joints or markers, in the axes of the file.

    `positions` (T, J, 3) float64, in units of the file; `fps`: frames per second; `metres`: length of a unit. The last two
    are None where the file does not say. `clip`: its name in a file that holds several, such as S1/Walking.
    """
    path: Path
    names: tuple
    positions: np.ndarray
    fps: float = None
    metres: float = None
    clip: str = ''

    @property
    def where(self):
        """The file, and the clip in it, for messages."""
        return f'{self.path} ({self.clip})' if self.clip else self.path


def rate_of(seconds_per_frame):
    """Frames per second; the nearest whole number if the time was rounded in the file."""
    rate = 1 / seconds_per_frame
    return float(round(rate)) if abs(rate - round(rate)) < WHOLE_RATE * rate else rate


def text_of(path):
    """The text of a file; InputError where it is not one."""
    content = Path(path).read_bytes()
    if b'\0' in content:
        raise InputError(f'{path} is no text file; fetch or export it again')
    return content.decode('utf-8', errors='replace')


def numbers(words, where):
    """The words as a list of floats; InputError, naming `where`, if one is no finite number."""
    try:
        values = [float(word) for word in words]
    except ValueError as error:
        raise InputError(f'{where}: {error}; export the file again') from None
    if not np.isfinite(values).all():
        raise InputError(f'{where} holds NaN or inf; export the file again')
    return values


def with_printable_names(recording):
    """The recording with ? for each letter that cannot be printed in its names: error lines show names of the file."""
    return recording._replace(names=tuple(map(_printable, recording.names)), clip=_printable(recording.clip))


def _printable(name):
    return ''.join(letter if letter.isprintable() else '?' for letter in name)

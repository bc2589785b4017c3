"""Files and folders of 2D keypoints, as detectors write them -> Detections.

The forms they come in are listed in FORMS (function_inference/readers/__init__.py).
"""
from pathlib import Path

from common.errors import InputError, in_short
from function_inference.detections import detections_of, stack_people
from function_inference.readers import form_of
from function_inference.readers.sources import open_source

MALFORMED = (OSError, ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError)


def read_keypoints(path, format_name=None, size=None, sequence=None, people=None):
    """Detections of a file or folder.

    `format_name`: a key of FORMATS, or None to tell the format from the file; `size`: (width, height) in pixels, for
    files that do not state it; `sequence`: a name like 'S1/Walking/0', for a table with several;
    `people`: 'frames' or 'image', what the entries of a list are where the file does not say it. InputError if the path cannot
    be read.
    """
    path = Path(path)
    try:
        source = open_source(path, sequence, people)
        raw = form_of(source).read(source)
        stacked = stack_people(raw.frames)
    except InputError as error:
        raise InputError(str(error) if str(path) in str(error) else f'{path}: {error}') from None
    except MALFORMED as error:
        raise InputError(f'{path} cannot be read as keypoints ({_reason(error)}); docs/inference.md lists the forms') from None
    return detections_of(stacked, raw, path, format_name, size)


def _reason(error):
    return f'{error.args[0]!r} is missing' if isinstance(error, KeyError) else in_short(error)

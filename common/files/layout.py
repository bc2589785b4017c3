"""Checks of the arrays of a file: shape, type and range."""
import numpy as np

from common.errors import InputError

FARTHEST = 6e4      # metres, pixels or ratios; no real value is larger, and float16 can represent it
PLAUSIBLE_NORMALISED = 10    # joints outside the image lie beyond 1, but not this far


def require_layout(arrays, layout, where, remedy):
    """InputError, naming `where` and ending in `remedy`, unless every array has the shape and type that `layout` says.

    `layout`: key -> (shape, dtype kinds). A word in a shape stands for a size that is the same wherever the word occurs.
    """
    sizes = {}
    for key, (shape, kinds) in layout.items():
        array = arrays[key]
        fits = array.ndim == len(shape) and array.dtype.kind in kinds
        if not fits or any((sizes.setdefault(size, found) if isinstance(size, str) else size) != found
                           for size, found in zip(shape, array.shape)):
            needed = ', '.join(str(sizes.get(size, size)) for size in shape)
            raise InputError(f'{where}: {key!r} has shape {array.shape} and type {array.dtype} where ({needed}) is '
                             f'needed; {remedy}')


def require_finite(arrays, where, remedy):
    """InputError, naming `where` and ending in `remedy`, where an array of floats holds NaN, inf or too large a number."""
    for key, array in arrays.items():
        if array.dtype.kind == 'f' and not (-FARTHEST < array.min(initial=0) and array.max(initial=0) < FARTHEST):
            raise InputError(f'{where}: {key!r} holds NaN or inf, or a number beyond {FARTHEST:,.0f}; {remedy}')


def require_normalised(pose2d, key, where, remedy):
    """InputError, naming `where` and ending in `remedy`, where the array `pose2d`, called `key`, seems to be in pixels."""
    farthest = np.abs(pose2d).max(initial=0)
    if farthest > PLAUSIBLE_NORMALISED:
        raise InputError(f'{where}: {key!r} reaches {farthest:.0f}; it seems to be in pixels where normalised coordinates '
                         f'are needed; {remedy}')


def require_places(sequence, count, where, remedy):
    """InputError, naming `where` and ending in `remedy`, unless every entry is an index from 0 to `count` - 1."""
    if len(sequence) and not 0 <= sequence.min() <= sequence.max() < count:
        raise InputError(f'{where} holds sequence numbers other than 0 to {count - 1}; {remedy}')

"""What the arrays of a file must be, said once and checked in one place."""
import numpy as np

from utils.errors import InputError


FARTHEST = 6e4      # metres, pixels or ratios; nothing real lies beyond, and float16 can hold it


def require_layout(arrays, layout, where, remedy):
    """InputError, naming `where` and ending in `remedy`, unless every array has its shape and kind of numbers.

    `layout`: key -> (shape, dtype kinds). A word in a shape stands for one size, the same wherever it occurs.
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
    """InputError, naming `where` and ending in `remedy`, where an array of floats holds NaN, inf or an absurd number."""
    for key, array in arrays.items():
        if array.dtype.kind == 'f' and not ((-FARTHEST < array) & (array < FARTHEST)).all():
            raise InputError(f'{where}: {key!r} holds NaN or inf, or a number beyond {FARTHEST:,.0f}; {remedy}')

"""Reading the markers of C3D files with ezc3d, an optional package."""
import numpy as np

from common.errors import InputError, in_short
from data.mocap.recording import Recording

FILLED_SECONDS = 0.25        # gaps of a marker up to this length are interpolated
METRES = dict(m=1., cm=.01, mm=.001)


def read_c3d(path):
    """The Recording of a C3D file, a marker in place of each joint; NaN where a marker was not seen for long.

    InputError if ezc3d is not installed, or if it cannot read the file.
    """
    try:
        import ezc3d
    except ImportError:
        raise InputError(f'{path} is a C3D file, which needs a package that is not installed: pip install ezc3d') from None
    try:
        content = ezc3d.c3d(str(path))
        points = content['parameters']['POINT']
        names, rate = points['LABELS']['value'], float(points['RATE']['value'][0])
        positions = np.moveaxis(content['data']['points'][:3], 0, -1).swapaxes(0, 1).astype(np.float64)
        unit = (points.get('UNITS', {}).get('value') or ['mm'])[0]
    except Exception as error:          # ezc3d raises many types
        raise InputError(f'{path} is no readable C3D file ({in_short(error)}); fetch or export it again') from None
    if not positions.size:
        raise InputError(f'{path} holds no marker; give a C3D file with trajectories')
    positions = without_short_gaps(positions, FILLED_SECONDS * rate)
    return Recording(path, tuple(names), positions, rate, METRES.get(unit.strip().lower()))


def without_short_gaps(positions, longest):
    """(T, J, 3) with gaps (NaN) of up to `longest` frames filled on straight lines; others, and those at the ends, stay."""
    filled = positions.copy()
    for marker in range(positions.shape[1]):
        seen = np.flatnonzero(np.isfinite(positions[:, marker]).all(axis=-1))
        for before, after in zip(seen, seen[1:]):
            if 1 < after - before <= longest + 1:
                shares = np.linspace(0, 1, after - before + 1)[1:-1, None]
                filled[before + 1:after, marker] = (1 - shares) * positions[before, marker] + shares * positions[after, marker]
    return filled

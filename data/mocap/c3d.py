"""Reading the markers of C3D files with ezc3d, an optional package."""
import numpy as np

from common.errors import InputError, in_short
from data.mocap.recording import Recording

METRES = dict(m=1., cm=.01, mm=.001)


def read_c3d(path):
    """The Recording of a C3D file, a marker in place of each joint. NaN where a marker was not seen.

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
    return Recording(path, tuple(names), positions, rate, METRES.get(unit.strip().lower()))

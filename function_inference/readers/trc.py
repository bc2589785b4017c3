"""OpenSim's .trc with the 2D markers of one person, as Sports2D writes it: pixels, and Z is 0 everywhere."""
import numpy as np

from function_inference.readers.joint_names import are_joint_names, in_known_order
from function_inference.readers.raw import RawDetections, size_and_rate

FEWEST_PIXELS = 20           # coordinates that are all smaller are metres


def is_trc(source):
    return any(line.startswith('Frame#') for line in source.content[:6])


def read_trc(source):
    """Markers by name; ValueError for markers in 3D or in metres."""
    lines = source.content
    title = next(number for number, line in enumerate(lines[:6]) if line.startswith('Frame#'))
    names = [name.strip() for name in lines[title].split('\t')[2:] if name.strip()]
    if not are_joint_names(names):
        raise ValueError(f'its markers {", ".join(names[:4])}, ... are not the joints of a person')
    table = np.array([_cells(line, 2 + 3 * len(names)) for line in lines[title + 2:] if line.strip()])
    markers = table[:, 2:].reshape(len(table), len(names), 3)
    if np.nan_to_num(markers[..., 2]).any():
        raise ValueError('its markers are in 3D already; there is nothing to lift')
    if np.nanmax(np.abs(markers)) < FEWEST_PIXELS:
        raise ValueError('its markers are in metres; give the .trc in pixels, which has px in its name')
    markers[..., :2] *= np.where(np.nanmedian(markers[..., :2], axis=(0, 1)) < 0, -1, 1)      # y may point upwards
    people = [in_known_order(dict(zip(names, frame[:, :2]))) for frame in markers]
    frames = [[person] if np.isfinite(person).any() else [] for person in people]
    return RawDetections(frames, fps=size_and_rate(dict(fps=_rate(lines[:title])))[2], layout='coco')


def _cells(line, count):
    """The numbers of a row, NaN for those that are empty or missing."""
    cells = [cell.strip() for cell in line.rstrip('\r\n').split('\t')][:count]
    return [float(cell) if cell else np.nan for cell in cells] + [np.nan] * (count - len(cells))


def _rate(head):
    """The value below DataRate in the head of the file; None if there is none."""
    for names, values in zip(head, head[1:]):
        if names.startswith('DataRate'):
            return float(values.split('\t')[0])
    return None

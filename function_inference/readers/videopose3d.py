"""VideoPose3D's table: `positions_2d` is a dict subject -> action -> list of views, and `metadata` lies beside it."""
import numpy as np

from common.datasets.h36m_protocol import IMAGE_SIZES, SUBJECTS
from common.errors import InputError
from function_inference.readers.arrays import frames_of
from function_inference.readers.raw import RawDetections, size_and_rate

H36M_FPS = 50.0


def is_table(source):
    return isinstance(source.content.loaded.get('keypoints'), dict)


def read_table(source):
    """One sequence, chosen by --sequence SUBJECT/ACTION/VIEW where there are several.

    Human3.6M's cameras have known image sizes; other videos state theirs in the metadata.
    """
    table, metadata = source.content.loaded['keypoints'], source.content.loaded.get('metadata', {})
    sequences = {f'{subject}/{action}/{number}': (subject, number, view) for subject, actions in table.items()
                 for action, views in actions.items() for number, view in enumerate(_list_of_views(views))}
    name = _chosen(sequences, source)
    subject, number, view = sequences[name]
    size = metadata.get('video_metadata', {}).get(subject, {})
    meta = dict(width=size.get('w'), height=size.get('h'))
    if subject in SUBJECTS and number < len(IMAGE_SIZES):
        meta = dict(zip(('width', 'height'), IMAGE_SIZES[number]), fps=H36M_FPS)
    return RawDetections(frames_of(view), *size_and_rate(meta), layout=metadata.get('layout_name'))


def _chosen(sequences, source):
    """The name that --sequence gives, or that of the only sequence."""
    if not sequences:
        raise ValueError('its table holds no sequence')
    name = source.sequence
    if name is None and len(sequences) == 1:
        name, = sequences
    if name not in sequences:
        raise InputError(f'--sequence {name or "is missing"}: the table holds {len(sequences)} sequences, such as '
                         f'{", ".join(list(sequences)[:3])}; choose one of those in {source.path}')
    return name


def _list_of_views(views):
    """The views of an action; a single view may be given as its array instead of a list."""
    return [views] if isinstance(views, np.ndarray) and views.ndim == 3 else views

"""The names of scores in log.txt and in the event files. The trainers write them; the results table reads them."""
from typing import NamedTuple


class Scored(NamedTuple):
    """What a test set is called: `key` in file names, `column` in log.txt, `tag` in event files, `title` in pictures,
    `short` in printed lines."""
    key: str
    column: str
    tag: str
    title: str
    short: str


H36M_AND_3DHP = (Scored('h36m', 'h36m', 'posenet_H36M_test', 'Human3.6M S9, S11', 'H36M'),
                 Scored('dhp', '3dhp', 'posenet_mpi3d_loader_flip', '3DHP test set', '3DHP'))


def score_columns(names):
    """The columns of log.txt for two Scored: MPJPE (p1) and P-MPJPE (p2) of each."""
    return tuple(f'error_{name.column}_{protocol}' for name in names for protocol in ('p1', 'p2'))


def motion_columns(names):
    """The further columns for a lifter of several frames and Scored that consist of clips."""
    return tuple(f'{score}_{name.column}' for name in names for score in MOTION_SCORES)


SCORE_COLUMNS = score_columns(H36M_AND_3DHP)
MOTION_SCORES = ('mpjve', 'acceleration')      # of a lifter of several frames: the second halves of their event tags
TAGS = {name.key: name.tag for name in H36M_AND_3DHP}
HELD_OUT_TAG = 'held_out/p1score'      # with --validate_on

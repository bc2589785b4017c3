"""The prepared data sets, one module each, and the table of the data sets on which lifters are tested.

The module of a data set defines the path of its prepared file, the command that makes this file, and how to load it as
a PoseSet.
"""
from collections.abc import Callable
from typing import NamedTuple

from common.datasets.h36m import load_h36m_test, pose3d_h36m_path
from common.datasets.mpi_inf_3dhp import load_3dhp, pose_3dhp_path
from common.datasets.pw3d import load_3dpw, pose_3dpw_path


class TestSet(NamedTuple):
    """A data set to test lifters on.

    `title`: its name in tables and pictures; `path(data_root)`: its prepared file; `load(data_root, ...)`: its PoseSet,
    on the CPU; `flip`: whether its protocol uses test-time flip (average with the prediction for the mirrored 2D pose).
    """
    title: str
    path: Callable
    load: Callable
    flip: bool


TEST_SETS = {'h36m': TestSet('Human3.6M S9 and S11', pose3d_h36m_path, load_h36m_test, flip=False),
             '3dhp': TestSet('MPI-INF-3DHP test set', pose_3dhp_path, load_3dhp, flip=True),
             '3dpw': TestSet('3DPW test split', pose_3dpw_path, load_3dpw, flip=True)}

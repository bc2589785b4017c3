"""Load the prepared test set of MPI-INF-3DHP as a PoseSet."""
from pathlib import Path

import numpy as np
import torch

from common.errors import InputError
from common.files.layout import require_finite, require_layout, require_normalised, require_places
from common.files.npz import load_npz
from common.files.paths import at_root
from common.poses import PoseSet
from common.skeleton import H36M_16

MAKE_3DHP = 'python3 data_extra/prepare_data_3dhp.py'
SEQUENCES = ('TS?', 'TS1', 'TS2', 'TS3', 'TS4', 'TS5', 'TS6')   # TS?: the file does not name the sequence
_LAYOUT = dict(pose3d=(('poses', H36M_16.num_joints, 3), 'fiu'), pose2d=(('poses', H36M_16.num_joints, 2), 'fiu'),
               sequence=(('poses',), 'iu'))


def pose_3dhp_path(data_root):
    """Path of the prepared file of test poses."""
    return Path(data_root) / 'data_extra' / 'test_set' / 'test_3dhp.npz'


def load_3dhp(data_root):
    """PoseSet of the test poses (2,929 in the full test set), on the CPU, without camera intrinsics.

    The 2D poses in the file are already normalised. InputError if the file is missing, damaged or has another layout.
    """
    path, made_by = pose_3dhp_path(data_root), at_root(MAKE_3DHP, data_root)
    remedy = f'delete it and run: {made_by}'
    arrays = load_npz(path, ['pose3d', 'pose2d'], made_by, optional=['sequence'])
    arrays = {key: np.asarray(array) for key, array in arrays.items()}
    arrays.setdefault('sequence', np.zeros(arrays['pose3d'].shape[:1], dtype=np.int8))
    require_layout(arrays, _LAYOUT, path, remedy)
    require_finite(arrays, path, remedy)
    if not len(arrays['sequence']):
        raise InputError(f'{path} holds no pose; {remedy}')
    require_places(arrays['sequence'], len(SEQUENCES), path, remedy)
    require_normalised(arrays['pose2d'], 'pose2d', path, remedy)
    pose3d_cam, pose2d = (torch.from_numpy(arrays[key].astype(np.float32)) for key in ('pose3d', 'pose2d'))
    group = torch.from_numpy(arrays['sequence'].astype(np.int64))
    return PoseSet(pose3d_cam, pose2d, camera=None, intrinsics=None, subject=torch.zeros_like(group), group=group,
                   group_names=SEQUENCES)

"""Load the prepared test split of 3DPW as a PoseSet (protocol: DATASETS.md)."""
from pathlib import Path

import numpy as np
import torch

from common.datasets.h36m_protocol import GT
from common.errors import InputError
from common.files.layout import require_finite, require_layout, require_normalised, require_places
from common.files.npz import load_npz
from common.files.paths import at_root
from common.poses import PoseSet
from common.skeleton import H36M_16

MAKE_3DPW = 'python3 data_extra/prepare_data_3dpw.py'
OPENPOSE = 'openpose'
POSE2D_3DPW = {GT: 'pose2d', OPENPOSE: 'pose2d_openpose'}     # source of the 2D -> name of its array
_LAYOUT = dict(pose3d=(('poses', H36M_16.num_joints, 3), 'f'), pose2d=(('poses', H36M_16.num_joints, 2), 'f'),
               pose2d_openpose=(('poses', H36M_16.num_joints, 2), 'f'), openpose_whole=(('poses',), 'b'),
               sequence=(('poses',), 'iu'), person=(('poses',), 'iu'), frame=(('poses',), 'iu'),
               sequence_names=(('sequences',), 'U'), intrinsics=(('sequences', 9), 'f'))


def pose_3dpw_path(data_root, split='test'):
    """Path of the prepared file of this split."""
    return Path(data_root) / 'data_extra' / 'test_set' / f'{split}_3dpw.npz'


def load_3dpw(data_root, keypoints=GT):
    """PoseSet of 3DPW's test split, on the CPU; groups are the sequences, subjects the people in them (0, 1, ...).

    `keypoints`: 'gt' for the projected 3D poses, or 'openpose' for the OpenPose detections of the data set; poses with
    joints that were not detected are then left out. InputError if the file is missing, damaged or has another layout.
    """
    path, made_by = pose_3dpw_path(data_root), at_root(MAKE_3DPW, data_root)
    remedy = f'delete it and run: {made_by}'
    arrays = _checked(load_npz(path, list(_LAYOUT), made_by), path, remedy)
    kept = np.ones(len(arrays['pose3d']), dtype=bool) if keypoints == GT else arrays['openpose_whole']
    if not kept.any():
        raise InputError(f'{path} holds no pose with complete 2D from {keypoints!r}; prepare the whole split or '
                         'use another 2D')
    pose2d, sequence = arrays[POSE2D_3DPW[keypoints]][kept], _int64(arrays['sequence'][kept])
    require_normalised(pose2d, POSE2D_3DPW[keypoints], path, remedy)
    return PoseSet(_float32(arrays['pose3d'][kept]), _float32(pose2d), camera=sequence,
                   intrinsics=_float32(arrays['intrinsics']), subject=_int64(arrays['person'][kept]), group=sequence,
                   group_names=tuple(arrays['sequence_names'].tolist()))


def _checked(arrays, path, remedy):
    """The file's arrays; InputError if one has a wrong shape, NaN, or an index of a sequence that does not exist."""
    arrays = {key: np.asarray(array) for key, array in arrays.items()}
    require_layout(arrays, _LAYOUT, path, remedy)
    require_finite(arrays, path, remedy)
    require_places(arrays['sequence'], len(arrays['sequence_names']), path, remedy)
    return arrays


def _float32(array):
    return torch.from_numpy(array.astype(np.float32))


def _int64(array):
    return torch.from_numpy(array.astype(np.int64))

"""The prepared test set of MPI-INF-3DHP -> PoseSet."""
import numpy as np
import torch

from common.npz import load_npz, npz_keys
from common.paths import MAKE_3DHP, pose_3dhp_path
from common.poses import PoseSet
from common.skeleton import H36M_16
from utils.errors import InputError

PLAUSIBLE_NORMALISED = 10    # joints outside the image lie beyond 1, but not this far
SEQUENCES = ('TS?', 'TS1', 'TS2', 'TS3', 'TS4', 'TS5', 'TS6')   # place 0: a file that does not say


def load_3dhp(data_root):
    """PoseSet of the 2,929 test poses, on the CPU; their 2D is normalised already and their cameras are unknown."""
    path = pose_3dhp_path(data_root)
    keys = ['pose3d', 'pose2d'] + (['sequence'] if 'sequence' in npz_keys(path, MAKE_3DHP) else [])
    arrays = load_npz(path, keys, MAKE_3DHP)
    pose3d = _checked(arrays['pose3d'], 3, path, 'pose3d')
    pose2d = _checked(arrays['pose2d'], 2, path, 'pose2d')
    sequence = np.asarray(arrays.get('sequence', np.zeros(len(pose3d), dtype=np.int8)))
    if sequence.dtype.kind not in 'iu' or not (len(pose3d),) == (len(pose2d),) == sequence.shape:
        raise InputError(f'{path} holds {len(pose3d)} 3D poses, {len(pose2d)} 2D poses and sequence numbers of shape '
                         f'{sequence.shape}, type {sequence.dtype}; delete it and run: {MAKE_3DHP}')
    if len(sequence) and not 0 <= sequence.min() <= sequence.max() < len(SEQUENCES):
        raise InputError(f'{path} holds sequence numbers other than 0 to {len(SEQUENCES) - 1}; delete it and run: '
                         f'{MAKE_3DHP}')
    if pose2d.abs().max() > PLAUSIBLE_NORMALISED:
        raise InputError(f"{path}: 'pose2d' reaches {float(pose2d.abs().max()):.0f}; it seems to be in pixels where "
                         f'normalised coordinates are needed; delete it and run: {MAKE_3DHP}')
    group = torch.from_numpy(sequence.astype(np.int64))
    return PoseSet(pose3d, pose2d, camera=None, intrinsics=None, subject=torch.zeros_like(group), group=group,
                   group_names=SEQUENCES)


def _checked(array, dimensions, path, key):
    """(N, 16, dimensions) float32 tensor; InputError where the array has another shape or holds NaN."""
    array = np.asarray(array)
    if array.ndim != 3 or array.shape[1:] != (H36M_16.num_joints, dimensions) or array.dtype.kind not in 'fiu':
        raise InputError(f'{path}: {key!r} has shape {array.shape} where (N, {H36M_16.num_joints}, {dimensions}) is '
                         f'needed; delete it and run: {MAKE_3DHP}')
    if not np.isfinite(array).all():
        raise InputError(f'{path}: {key!r} holds NaN or inf; delete it and run: {MAKE_3DHP}')
    return torch.from_numpy(array.astype(np.float32))

"""The prepared test set of MPI-INF-3DHP -> PoseSet."""
import numpy as np
import torch

from common.layout import require_finite, require_layout
from common.npz import load_npz, npz_keys
from common.paths import MAKE_3DHP, at_root, pose_3dhp_path
from common.poses import PoseSet
from common.skeleton import H36M_16
from utils.errors import InputError

PLAUSIBLE_NORMALISED = 10    # joints outside the image lie beyond 1, but not this far
SEQUENCES = ('TS?', 'TS1', 'TS2', 'TS3', 'TS4', 'TS5', 'TS6')   # place 0: a file that does not say
_LAYOUT = dict(pose3d=(('poses', H36M_16.num_joints, 3), 'fiu'), pose2d=(('poses', H36M_16.num_joints, 2), 'fiu'),
               sequence=(('poses',), 'iu'))


def load_3dhp(data_root):
    """PoseSet of the 2,929 test poses, on the CPU; their 2D is normalised already and their cameras are unknown."""
    path, made_by = pose_3dhp_path(data_root), at_root(MAKE_3DHP, data_root)
    keys = ['pose3d', 'pose2d'] + (['sequence'] if 'sequence' in npz_keys(path, made_by) else [])
    arrays = load_npz(path, keys, made_by)
    arrays = {key: np.asarray(array) for key, array in arrays.items()}
    arrays.setdefault('sequence', np.zeros(arrays['pose3d'].shape[:1], dtype=np.int8))
    require_layout(arrays, _LAYOUT, path, f'delete it and run: {made_by}')
    require_finite(arrays, path, f'delete it and run: {made_by}')
    sequence, pose2d = arrays['sequence'], torch.from_numpy(arrays['pose2d'].astype(np.float32))
    if not len(sequence):
        raise InputError(f'{path} holds no pose; delete it and run: {made_by}')
    if not 0 <= sequence.min() <= sequence.max() < len(SEQUENCES):
        raise InputError(f'{path} holds sequence numbers other than 0 to {len(SEQUENCES) - 1}; delete it and run: '
                         f'{made_by}')
    if pose2d.abs().max() > PLAUSIBLE_NORMALISED:
        raise InputError(f"{path}: 'pose2d' reaches {float(pose2d.abs().max()):.0f}; it seems to be in pixels where "
                         f'normalised coordinates are needed; delete it and run: {made_by}')
    group = torch.from_numpy(sequence.astype(np.int64))
    pose3d_cam = torch.from_numpy(arrays['pose3d'].astype(np.float32))
    return PoseSet(pose3d_cam, pose2d, camera=None, intrinsics=None, subject=torch.zeros_like(group), group=group,
                   group_names=SEQUENCES)

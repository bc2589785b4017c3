"""Load motion that data/prepare_data_mocap.py prepared, filmed by virtual cameras.

`--cameras h36m`: Human3.6M's four calibrated cameras, those of its subject S1. A person's path is centred clip by clip, and
folded into the square of SQUARE metres where people stand there, as if its sides reflected the path; directions and heights
stay as they are. `--cameras sampled`: a camera for each pose, drawn by common/camera_sampling.py.
"""
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from common.camera import project, world_to_camera
from common.camera_sampling import CameraRanges, filmed_poses
from common.datasets.h36m import all_up
from common.datasets.h36m_protocol import TRAIN_SUBJECTS, cameras
from common.errors import InputError
from common.files.layout import require_finite, require_layout, require_places
from common.files.npz import load_npz
from common.files.paths import at_root
from common.poses import PoseSet
from common.skeletons import SKELETONS, with_joints

FILMED_BY = ('h36m', 'sampled')
SQUARE = 2.0              # with the feet at its corners nearly all people are whole in all four images
TEST_SEED = 0            # of the sampled views of test poses, so that the scores of all runs compare
RESERVED = ('h36m', '3dhp', 'dhp', '3dpw')
_LAYOUT = dict(pose3d=(('poses', 'joints', 3), 'f'), frames=(('clips',), 'iu'), subject=(('clips',), 'iu'),
               test=(('clips',), 'b'), clip_names=(('clips',), 'U'), rig_names=(('clips',), 'U'),
               subject_names=(('subjects',), 'U'), joints=(('joints',), 'U'), fps=((), 'f'))


def mocap_path(data_root, name):
    """Path of the prepared file of the data set `name`."""
    return Path(data_root) / 'data' / f'mocap_{name}.npz'


def prepared_motion(data_root):
    """The names of all data sets of motion that are prepared below `data_root`, sorted."""
    return sorted(file.stem.removeprefix('mocap_') for file in (Path(data_root) / 'data').glob('mocap_*.npz'))


def make_mocap(name):
    """The command that makes the file."""
    return f'python3 data/prepare_data_mocap.py --source DIR --name {name}'


def is_mocap_name(text):
    """Whether a data set may be called so: a file name of letters, digits, - and _, and not the name of another one."""
    return re.fullmatch(r'[A-Za-z0-9][\w-]*', text, re.ASCII) is not None and text not in RESERVED


def read_mocap(data_root, name):
    """The arrays of a prepared file, checked; data/prepare_data_mocap.py describes them. InputError as in other loaders."""
    path, made_by = mocap_path(data_root, name), at_root(make_mocap(name), data_root)
    if not path.exists():
        held = prepared_motion(data_root)
        raise InputError(f'--dataset: {name} is not prepared below {data_root} (which has {", ".join(held) or "no motion"}); '
                         f'make it with: {made_by}')
    remedy = f'delete it and run: {made_by}'
    arrays = {key: np.asarray(array) for key, array in load_npz(path, list(_LAYOUT), made_by).items()}
    require_layout(arrays, _LAYOUT, path, remedy)
    require_finite(arrays, path, remedy)
    require_places(arrays['subject'], len(arrays['subject_names']), path, remedy)
    frames = arrays['frames']
    if not with_joints(arrays['joints']) or frames.sum() != len(arrays['pose3d']) or frames.min(initial=1) < 1:
        raise InputError(f'{path} holds the joints of no skeleton ({", ".join(SKELETONS)}), or clips of other lengths than its '
                         f'poses; {remedy}')
    if arrays['test'].all() or not arrays['test'].any():
        raise InputError(f'{path} holds no clip for training or none for the test; {remedy}')
    return arrays


def mocap_poses(arrays, test, kind, downsample=1, seed=TEST_SEED):
    """PoseSet of the test or the training clips, filmed by the cameras `kind` (FILMED_BY), on the CPU; groups are the subjects.

    Its skeleton is the one whose joints the file has. Every `downsample`-th frame of each clip is taken. Sampled training poses
    keep their world poses and CameraRanges, by which `filmed_anew` draws new views.
    """
    ends = np.cumsum(arrays['frames'])
    parts = [(int(arrays['subject'][clip]), arrays['pose3d'][end - length:end:downsample])
             for clip, (end, length) in enumerate(zip(ends, arrays['frames'])) if arrays['test'][clip] == test]
    lengths = torch.tensor([len(part) for _, part in parts])
    subject = torch.tensor([number for number, _ in parts]).repeat_interleave(lengths)
    clip = torch.arange(len(parts)).repeat_interleave(lengths)
    names, skeleton = tuple(arrays['subject_names'].tolist()), with_joints(arrays['joints'])
    if kind == 'sampled':
        pose3d_world = torch.from_numpy(np.concatenate([part for _, part in parts]))
        poses = filmed_poses(pose3d_world, CameraRanges(), torch.Generator().manual_seed(seed), subject=subject, group=subject,
                             group_names=names, sequence=clip, skeleton=skeleton)
        return replace(poses, pose3d_world=None, ranges=None) if test else poses
    return _in_the_capture_space(np.concatenate([folded(part) for _, part in parts]), subject, clip, names, skeleton)


def folded(pose3d_world):
    """(T, J, 3) world metres -> the same poses with their path in the square around the origin; see the module."""
    path = pose3d_world[:, :1, :2]
    middle = (path.min(axis=0) + path.max(axis=0)) / 2
    place = np.abs((path - middle - SQUARE / 2) % (2 * SQUARE) - SQUARE) - SQUARE / 2
    shift = np.concatenate([place - path, np.zeros_like(path[..., :1])], axis=-1)
    return (pose3d_world + shift).astype(np.float32)


def _in_the_capture_space(pose3d_world, subject, clip, names, skeleton):
    """PoseSet of all poses as each of the four cameras sees them, camera by camera."""
    views = cameras(TRAIN_SUBJECTS[0])
    intrinsics, count = torch.from_numpy(np.stack([view.intrinsic for view in views])), len(subject)
    pose3d_cam = torch.cat([world_to_camera(torch.from_numpy(pose3d_world), torch.from_numpy(view.orientation),
                                            torch.from_numpy(view.translation)) for view in views])
    camera = torch.arange(len(views)).repeat_interleave(count)
    subject = subject.repeat(len(views))
    return PoseSet(pose3d_cam, project(pose3d_cam, intrinsics[camera]), camera, intrinsics, subject, subject, names,
                   skeleton, up=all_up()[:len(views)], sequence=clip.repeat(len(views)))

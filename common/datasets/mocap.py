"""Load motion that data/prepare_data_mocap.py prepared, filmed by virtual cameras.

`--cameras h36m`: Human3.6M's four calibrated cameras, those of its subject S1. A person's path is centred clip by clip, and
folded into the square of SQUARE metres where people stand there, as if its sides reflected the path; directions and heights
stay as they are. `--cameras sampled`: a camera for each pose, drawn by common/camera_sampling.py.
"""
import re
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from common.camera import project, world_to_camera
from common.camera_sampling import CameraRanges, filmed_poses
from common.datasets.h36m import all_up
from common.datasets.h36m_protocol import TRAIN_SUBJECTS, cameras
from common.errors import InputError
from common.files.flat_cache import map_array
from common.files.layout import require_finite, require_layout, require_places
from common.files.npz import load_npz
from common.files.paths import at_root
from common.poses import PoseSet
from common.skeletons import SKELETONS, with_joints

FILMED_BY = ('h36m', 'sampled')
SQUARE = 2.0              # with the feet at its corners nearly all people are whole in all four images
CHUNK = 8192             # poses that are projected at once
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


def read_mocap(data_root, name, mapped=False):
    """The arrays of a prepared file, checked; data/prepare_data_mocap.py describes them. InputError as in other loaders.

    `mapped`: the poses stay on the disk, in a flat copy (common/files/flat_cache.py), which is written if it is missing.
    """
    path, made_by = mocap_path(data_root, name), at_root(make_mocap(name), data_root)
    if not path.exists():
        held = prepared_motion(data_root)
        raise InputError(f'--dataset: {name} is not prepared below {data_root} (which has {", ".join(held) or "no motion"}); '
                         f'make it with: {made_by}')
    remedy = f'delete it and run: {made_by}'
    arrays = load_npz(path, [key for key in _LAYOUT if not (mapped and key == 'pose3d')], made_by)
    if mapped:
        arrays['pose3d'] = map_array(path, 'pose3d', made_by)
    arrays = {key: np.asarray(array) for key, array in arrays.items()}
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


class Clip(NamedTuple):
    """A clip as one camera sees it, or a part of it: `pose3d` (T, J, 3) world metres, and `middle` (1, 2) of its path.

    `number`, `subject`: of the clip, and of its person. `camera`: its number, or None if it is to be drawn. `first`: number of
    the first frame in the clip.
    """
    number: int
    subject: int
    camera: int
    pose3d: np.ndarray
    middle: np.ndarray
    first: int = 0

    @property
    def length(self):
        return len(self.pose3d)

    def part(self, frames):
        """The clip of these frames, a slice."""
        return self._replace(pose3d=self.pose3d[frames], first=self.first + (frames.start or 0))


def mocap_poses(arrays, test, kind, downsample=1, seed=TEST_SEED):
    """PoseSet of the test or the training clips, filmed by the cameras `kind` (FILMED_BY), on the CPU; groups are the subjects.

    Its skeleton is the one whose joints the file has. Every `downsample`-th frame of each clip is taken. Sampled training poses
    keep their world poses and CameraRanges, by which `filmed_anew` draws new views.
    """
    poses = filmed_clips(mocap_clips(arrays, test, kind, downsample), arrays, seed)
    return replace(poses, pose3d_world=None, ranges=None) if test else poses


def mocap_clips(arrays, test, kind, downsample=1):
    """The poses of `mocap_poses` as a list of Clips, camera by camera. `filmed_clips` makes a PoseSet of them, or of parts."""
    ends, clips = np.cumsum(arrays['frames']), []
    for number, clip in enumerate(np.flatnonzero(arrays['test'] == test)):
        pose3d = arrays['pose3d'][ends[clip] - arrays['frames'][clip]:ends[clip]:downsample]
        clips.append(Clip(number, int(arrays['subject'][clip]), None, pose3d, middle_of(pose3d)))
    numbers = (None,) if kind == 'sampled' else range(len(cameras(TRAIN_SUBJECTS[0])))
    return [clip._replace(camera=camera) for camera in numbers for clip in clips]


def filmed_clips(clips, arrays, seed=TEST_SEED):
    """The PoseSet of Clips of the `arrays`, of one kind, ordered by camera; `seed` draws the views of those without one."""
    names, skeleton = tuple(arrays['subject_names'].tolist()), with_joints(arrays['joints'])
    if clips[0].camera is not None:
        return _in_the_capture_space(clips, names, skeleton)
    pose3d_world, (subject, clip) = np.concatenate([clip.pose3d for clip in clips]), _each(clips, 'subject', 'number')
    return filmed_poses(torch.from_numpy(pose3d_world), CameraRanges(), torch.Generator().manual_seed(seed), subject=subject,
                        group=subject, group_names=names, sequence=clip, skeleton=skeleton)


def middle_of(pose3d_world):
    """(1, 2): the middle of the path of a clip on the ground, (T, J, 3) world metres."""
    path = pose3d_world[:, :1, :2]
    return (path.min(axis=0) + path.max(axis=0)) / 2


def folded(pose3d_world, middle):
    """(T, J, 3) world metres -> the same poses with their path in the square around the origin; see the module.

    `middle`: see `middle_of`, of the whole clip.
    """
    path = pose3d_world[:, :1, :2]
    place = np.abs((path - middle - SQUARE / 2) % (2 * SQUARE) - SQUARE) - SQUARE / 2
    shift = np.concatenate([place - path, np.zeros_like(path[..., :1])], axis=-1)
    return (pose3d_world + shift).astype(np.float32)


def _in_the_capture_space(clips, names, skeleton):
    """PoseSet of Clips, each as its camera sees it, in as little memory as its tensors and one view's need."""
    views, (subject, clip, camera) = cameras(TRAIN_SUBJECTS[0]), _each(clips, 'subject', 'number', 'camera')
    intrinsics = torch.from_numpy(np.stack([view.intrinsic for view in views]))
    pose3d_cam, pose2d = (torch.empty(len(camera), skeleton.num_joints, dimensions) for dimensions in (3, 2))
    start = 0
    for number, own in groupby(clips, key=lambda clip: clip.camera):
        pose3d_world = np.concatenate([folded(clip.pose3d, clip.middle) for clip in own])
        seen = pose3d_cam[start:start + len(pose3d_world)]
        seen.copy_(world_to_camera(torch.from_numpy(pose3d_world), torch.from_numpy(views[number].orientation),
                                   torch.from_numpy(views[number].translation)))
        start += len(seen)
    for start in range(0, len(camera), CHUNK):
        span = slice(start, start + CHUNK)
        pose2d[span] = project(pose3d_cam[span], intrinsics[camera[span]])
    return PoseSet(pose3d_cam, pose2d, camera, intrinsics, subject, subject, names, skeleton, up=all_up()[:len(views)],
                   sequence=clip, frame=torch.cat([torch.arange(clip.first, clip.first + clip.length) for clip in clips]))


def _each(clips, *names):
    """(N,) int64 each: fields of the clip of each pose."""
    lengths = torch.tensor([clip.length for clip in clips])
    return [torch.tensor([getattr(clip, name) for clip in clips]).repeat_interleave(lengths) for name in names]

"""Load the prepared Human3.6M files as PoseSets. Their content is checked here, before training starts."""
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from common.camera import camera_to_world, pixels_to_normalised, project, world_to_camera
from common.camera_sampling import CameraRanges, filmed_poses
from common.datasets.h36m_protocol import ACTIONS, CORRUPTED, GT, IMAGE_SIZES, SUBJECTS, TEST_SUBJECTS, action_of, cameras
from common.datasets.joint_orders import H36M_16_IN_32, H36M_32_NUM_JOINTS
from common.errors import InputError
from common.files.flat_cache import load_table, map_table, write_flat
from common.files.layout import FARTHEST
from common.files.paths import at_root
from common.poses import PoseSet
from common.rotation import quaternion_inverse, quaternion_rotate
from common.skeleton import H36M_16

MAKE_3D_H36M = 'python3 data/prepare_data_h36m.py --from-archive h36m.zip'
AGREEMENT_SAMPLE = 200       # about how many poses per subject are compared
PLAUSIBLE_DETECTION = 40.0   # pixels; the errors of published detectors are 5 to 10
NUM_VIEWS = len(cameras(SUBJECTS[0]))


def pose3d_h36m_path(data_root):
    """Path of the prepared file of 3D poses."""
    return Path(data_root) / 'data' / 'data_3d_h36m.npz'


def pose2d_h36m_path(data_root, keypoints):
    """Path of the prepared file of 2D poses from the source `keypoints`."""
    return Path(data_root) / 'data' / f'data_2d_h36m_{keypoints}.npz'


def make_2d_h36m(keypoints):
    """The command that makes the file of 2D poses where the file of 3D poses is there."""
    if keypoints == GT:
        return 'python3 data/prepare_data_h36m.py --from-prepared'
    return f'python3 data/prepare_data_2d_h36m.py --keypoints {keypoints}'


class H36mFiles(NamedTuple):
    """The tables of 3D and 2D poses as stored in the files, with at least the requested subjects.

    `pose3d`: {subject: {sequence: (T, 32, 3) world metres}}; `pose2d`: {subject: {sequence: 4 views of (T, 16, 2)
    pixels}}; `uncopied`: the tables without a flat copy on the disk, which `copy_h36m` writes.
    """
    pose3d: dict
    pose2d: dict
    pose3d_path: Path
    pose2d_path: Path
    uncopied: tuple = ()


def read_h36m(data_root, keypoints, subjects=SUBJECTS, mapped=False):
    """Read the 3D file and the 2D file of `keypoints` as H36mFiles.

    If a file has a flat copy (common/files/flat_cache.py), only the `subjects` are read, from the copy. Writes nothing,
    unless `mapped`: then the copies are written if they are missing, and the poses stay in them, on the disk.
    InputError if a file is missing, damaged or not a table of subjects and sequences.
    """
    pose3d_path, pose2d_path = pose3d_h36m_path(data_root), pose2d_h36m_path(data_root, keypoints)
    sources = ((pose3d_path, 'positions_3d', at_root(MAKE_3D_H36M, data_root)),
               (pose2d_path, 'positions_2d', at_root(make_2d_h36m(keypoints), data_root)))
    tables, uncopied = [], []
    for path, key, made_by in sources:
        table, uncopied_identity = (map_table(path, key, subjects, made_by), None) if mapped else load_table(
            path, key, subjects, made_by)
        if uncopied_identity:
            uncopied.append((path, uncopied_identity, table))
        tables.append(table)
    for (path, *_), table in zip(sources, tables):
        if not (isinstance(table, dict) and all(isinstance(sequences, dict) for sequences in table.values())):
            raise InputError(f'{path} holds no table of subjects and sequences; prepare it again (DATASETS.md)')
    return H36mFiles(*tables, pose3d_path, pose2d_path, tuple(uncopied))


def copy_h36m(files):
    """Write flat copies of the files without one, for a faster next start. Call it only after the content was checked."""
    for path, identity_then, table in files.uncopied:
        write_flat(path, identity_then, table)


def require_agreement(poses, keypoints, files):
    """InputError if the 2D poses do not match the 3D poses, for example because they come from different sources.

    Projects about AGREEMENT_SAMPLE poses of each subject. The largest distance of ground-truth 2D must be at most one
    pixel, and the median distance of detections at most PLAUSIBLE_DETECTION pixels.
    """
    for subject in poses.subject.unique():
        own = (poses.subject == subject).nonzero().squeeze(1)
        sample = poses.take(own[::max(1, len(own) // AGREEMENT_SAMPLE)])
        distance = (project(sample.pose3d_cam, sample.camera) - sample.pose2d).norm(dim=-1) * IMAGE_SIZES[0][0] / 2
        worst = distance.max() if keypoints == GT else distance.median()
        allowed = 1.0 if keypoints == GT else PLAUSIBLE_DETECTION
        if not worst <= allowed:      # also true for NaN
            raise InputError(f'{files.pose2d_path} does not belong to {files.pose3d_path}: the poses of '
                             f'{SUBJECTS[int(subject)]} lie {float(worst):.0f} pixels from their projections; '
                             'prepare both from the same sources')


def select_actions(names):
    """The set of actions in a text like 'Walking,Photo', or all for '*'; InputError for an unknown action."""
    if names == '*':
        return set(ACTIONS)
    wanted = set(names.split(','))
    unknown = sorted(wanted - set(ACTIONS))
    if unknown:
        raise InputError(f'--actions: Human3.6M has no action {unknown[0]!r}; choose from {", ".join(ACTIONS)}, or *')
    return wanted


def h36m_poses(files, subjects, actions='*', downsample=1):
    """PoseSet of the `subjects` and `actions`, every `downsample`-th frame, all four views, on the CPU.

    Poses are ordered by subject, sequence, view and time. InputError for unknown actions, or if sequences are missing or
    have wrong shapes, lengths or values.
    """
    return pose_set(h36m_views(files, subjects, actions, downsample))


def h36m_views(files, subjects, actions='*', downsample=1):
    """The poses of `h36m_poses` as a list of Views. `pose_set` makes a PoseSet of them, or of parts of them."""
    wanted = select_actions(actions)
    views = [view for subject in subjects for sequence in _sequences(files, subject)
             if action_of(sequence) in wanted and (subject, sequence) not in CORRUPTED
             for view in _views(files, subject, sequence, downsample)]
    if not views:
        raise InputError(f'{files.pose3d_path} holds no sequence of {", ".join(subjects)} of --actions {actions}')
    return views


def load_h36m_test(data_root, keypoints=GT, actions='*', downsample=1):
    """PoseSet of the test subjects S9 and S11, on the CPU, with 2D from the source `keypoints`.

    Also writes the flat copies. InputError as in `read_h36m`, `h36m_poses` and `require_agreement`.
    """
    files = read_h36m(data_root, keypoints, TEST_SUBJECTS)
    poses = agreeing_poses(files, TEST_SUBJECTS, keypoints, actions, downsample)
    copy_h36m(files)
    return poses


def agreeing_poses(files, subjects, keypoints, actions='*', downsample=1):
    """The PoseSet of `h36m_poses`, after `require_agreement` has checked it."""
    poses = h36m_poses(files, subjects, actions, downsample)
    require_agreement(poses, keypoints, files)
    return poses


def agreeing_views(files, subjects, keypoints, actions='*', downsample=1):
    """The list of `h36m_views`, after `require_agreement` has checked a sample of their poses."""
    views = h36m_views(files, subjects, actions, downsample)
    step = max(1, sum(view.length for view in views) // (AGREEMENT_SAMPLE * len(subjects)))
    require_agreement(pose_set([view.part(slice(None, None, step)) for view in views]), keypoints, files)
    return views


def in_sampled_views(poses, seed):
    """The PoseSet of `h36m_poses` with each pose once, in the view of a camera drawn from CameraRanges, on the CPU."""
    first = poses.camera % NUM_VIEWS == 0
    pose3d_world = poses.pose3d_cam[first]
    subject, group = poses.subject[first], poses.group[first]
    for number in subject.unique().tolist():
        camera, own = cameras(SUBJECTS[number])[0], subject == number
        pose3d_world[own] = camera_to_world(pose3d_world[own], torch.from_numpy(camera.orientation),
                                            torch.from_numpy(camera.translation))
    return filmed_poses(pose3d_world, CameraRanges(), torch.Generator().manual_seed(seed), subject=subject, group=group,
                        group_names=poses.group_names, sequence=poses.sequence[first])


def _sequences(files, subject):
    """The subject's sequences in the 3D file; InputError if it has none, or one with an unknown action."""
    if subject not in files.pose3d:
        raise InputError(f'{files.pose3d_path} has no subject {subject} (it has {", ".join(map(str, files.pose3d))}); '
                         f'delete it and run: {at_root(MAKE_3D_H36M, files.pose3d_path.parent.parent)}')
    unknown = [sequence for sequence in files.pose3d[subject] if action_of(str(sequence)) not in ACTIONS]
    if unknown:
        raise InputError(f'{files.pose3d_path}: {subject} {unknown[0]} is not an action of Human3.6M '
                         f'({", ".join(ACTIONS)}); prepare the file with the commands in DATASETS.md')
    return files.pose3d[subject]


class View(NamedTuple):
    """One sequence in the view of camera 0 to 3, checked: `world` (T, 16, 3) metres and `pixels` (T, 16, 2), both float32.

    `first`: number of its first frame in the sequence.
    """
    subject: str
    sequence: str
    camera: int
    world: np.ndarray
    pixels: np.ndarray
    first: int = 0

    @property
    def length(self):
        return len(self.world)

    def part(self, frames):
        """The view of these frames, a slice."""
        return self._replace(world=self.world[frames], pixels=self.pixels[frames], first=self.first + (frames.start or 0))


def _views(files, subject, sequence, downsample):
    """Yield one View of the sequence for each camera."""
    world = _checked(files.pose3d[subject][sequence], (H36M_32_NUM_JOINTS, 3),
                     f'{files.pose3d_path}: {subject} {sequence}')
    thinned = world[::downsample, H36M_16_IN_32]
    for number in range(NUM_VIEWS):
        pixels = _pixels_of(files, subject, sequence, number, len(world))
        yield View(subject, sequence, number, thinned, pixels[:len(world):downsample])


def pose_set(views):
    """The PoseSet of the views in their order, written directly into its tensors (concatenating takes twice the time)."""
    counts = [view.length for view in views]
    pose3d_cam, pose2d = (torch.empty(sum(counts), H36M_16.num_joints, dimensions) for dimensions in (3, 2))
    with one_thread():
        for view, into3d, into2d in zip(views, pose3d_cam.split(counts), pose2d.split(counts)):
            camera = cameras(view.subject)[view.camera]
            into3d.copy_(world_to_camera(torch.from_numpy(view.world), torch.from_numpy(camera.orientation),
                                         torch.from_numpy(camera.translation)))
            into2d.copy_(torch.from_numpy(pixels_to_normalised(view.pixels, camera.width, camera.height)))
    rows = [SUBJECTS.index(view.subject) for view in views]
    return PoseSet(pose3d_cam, pose2d, camera=_each([row * NUM_VIEWS + view.camera for row, view in zip(rows, views)], counts),
                   intrinsics=all_intrinsics(), subject=_each(rows, counts), group_names=ACTIONS,
                   group=_each([ACTIONS.index(action_of(view.sequence)) for view in views], counts), up=all_up(),
                   sequence=_each(_numbered((view.subject, view.sequence) for view in views), counts),
                   frame=torch.cat([torch.arange(view.first, view.first + view.length) for view in views]))


def _numbered(names):
    """A number for each name: equal ones for equal names."""
    numbers = {}
    return [numbers.setdefault(name, len(numbers)) for name in names]


@contextmanager
def one_thread():
    """Context manager: one torch thread. On busy cores several threads, waiting for each other, take ten times longer."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _each(numbers, counts):
    """(N,) int64: each number repeated as often as its count says."""
    return torch.tensor(numbers).repeat_interleave(torch.tensor(counts))


@lru_cache(maxsize=1)
def all_intrinsics():
    """(28, 9) intrinsics in normalised units: four cameras of each subject, subjects in the order of SUBJECTS."""
    return torch.from_numpy(np.stack([camera.intrinsic for subject in SUBJECTS for camera in cameras(subject)]))


@lru_cache(maxsize=1)
def all_up():
    """(28, 3) the direction against gravity in the camera frame, cameras as in `all_intrinsics`."""
    orientations = torch.from_numpy(np.stack([camera.orientation for subject in SUBJECTS for camera in cameras(subject)]))
    return quaternion_rotate(quaternion_inverse(orientations), torch.tensor([0., 0., 1.]))


def _pixels_of(files, subject, sequence, view, count):
    """(T, 16, 2) float32 pixels of one view, checked; InputError if it has fewer frames than the 3D's `count`."""
    where = f'{subject} {sequence}'
    try:
        pixels = files.pose2d[subject][sequence][view]
    except (KeyError, IndexError, TypeError):
        raise InputError(f'{files.pose2d_path} has no 2D poses of {where}, camera {view}, which the 3D file has; '
                         'prepare both from the same sources (DATASETS.md)') from None
    pixels = _checked(pixels, (H36M_16.num_joints, 2), f'{files.pose2d_path}: {where}, camera {view}')
    if len(pixels) < count:
        raise InputError(f'{files.pose2d_path}: {where}, camera {view} has {len(pixels)} frames, fewer than the '
                         f"motion capture's {count}; prepare both from the same sources (DATASETS.md)")
    return pixels


def _checked(poses, frame_shape, where):
    """`poses` as float32, (T, *frame_shape); InputError, naming `where`, for other shapes or non-finite numbers."""
    poses = poses if isinstance(poses, np.ndarray) else np.empty((), dtype=object)      # asarray fails on ragged lists
    if poses.shape[1:] != frame_shape or poses.dtype.kind not in 'fiu':
        hint = ' (17 joints are detections as VideoPose3D stores them)' if poses.shape[1:2] == (17,) else ''
        raise InputError(f'{where} has shape {poses.shape}{hint} where (frames, {frame_shape[0]}, {frame_shape[1]}) is '
                         'needed; prepare the file with the commands in DATASETS.md')
    with np.errstate(over='ignore'):                            # too large numbers become inf
        poses = poses.astype(np.float32, copy=False)
    if len(poses) and not (-FARTHEST < poses.min() and poses.max() < FARTHEST):      # also finds NaN
        broken = ~(np.abs(poses) < FARTHEST).all(axis=(1, 2))
        raise InputError(f'{where} holds NaN or inf, first in frame {broken.argmax()}, or a number beyond {FARTHEST:,.0f}; '
                         'repair the source and prepare it again (DATASETS.md)')
    return poses

"""Any number of synthetic poses in the format of Human3.6M: the people of the demo, seen by Human3.6M's cameras."""
from functools import lru_cache

import torch

from common.camera import project, world_to_camera
from common.datasets.h36m_protocol import ACTIONS, TEST_SUBJECTS, TRAIN_SUBJECTS, action_of, cameras
from common.poses import PoseSet
from common.skeleton import H36M_16
from data.demo.motion import clips

CHUNK = 65536
WANDER = torch.tensor([.2, .1, .3])     # standard deviation of the random shift of each pose, camera frame in metres


def synthetic_poses(count, subjects=TRAIN_SUBJECTS, seed=0):
    """A PoseSet of `count` poses on the CPU, the 2D projected from the 3D. The same seed gives the same poses."""
    motion = _motion(seed)
    views = [(torch.from_numpy(world), place, view, ACTIONS.index(action_of(name)))
             for place, subject in enumerate(subjects) for name, world in motion[subject].items() for view in range(4)]
    seen = torch.cat([_seen(world, subjects[place], view) for world, place, view, _ in views])
    lengths = torch.tensor([len(world) for world, *_ in views])
    columns = zip(*((place, 4 * place + view, action) for _, place, view, action in views))
    subject, camera, group = (torch.tensor(column).repeat_interleave(lengths) for column in columns)
    draws = torch.Generator().manual_seed(seed)
    source = torch.randperm(len(seen), generator=draws).repeat(-(-count // len(seen)))[:count]
    pose3d_cam = seen[source] + torch.randn(count, 1, 3, generator=draws) * WANDER
    intrinsics = torch.stack([torch.from_numpy(view.intrinsic) for name in subjects for view in cameras(name)])
    return PoseSet(pose3d_cam, _projected(pose3d_cam, intrinsics, camera[source]), camera[source], intrinsics,
                   subject[source], group[source], ACTIONS)


def held_out_poses(count, seed=0):
    """Like `synthetic_poses`, but of the test subjects."""
    return synthetic_poses(count, TEST_SUBJECTS, seed)


_motion = lru_cache(clips)


def _seen(pose3d_world, subject, view):
    """(T, 16, 3) world metres -> (T, 16, 3) camera metres of one view of `subject`."""
    camera = cameras(subject)[view]
    return world_to_camera(pose3d_world, torch.from_numpy(camera.orientation), torch.from_numpy(camera.translation))


def _projected(pose3d_cam, intrinsics, camera):
    """Project (N, 16, 3) camera metres to (N, 16, 2) normalised, chunk by chunk."""
    pose2d = torch.empty(len(pose3d_cam), H36M_16.num_joints, 2)
    for start in range(0, len(pose2d), CHUNK):
        span = slice(start, start + CHUNK)
        pose2d[span] = project(pose3d_cam[span], intrinsics[camera[span]])
    return pose2d

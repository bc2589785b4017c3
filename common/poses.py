"""Sets of poses as tensors on one device. A batch is selected by a tensor of indices, without a loop over samples."""
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import torch

from common.skeleton import H36M_16, Skeleton


class PoseBatch(NamedTuple):
    """One batch of paired poses.

    pose3d_cam (B, 16, 3) metres, camera frame; pose2d (B, 16, 2) normalised image coordinates; camera (B, 9) intrinsic
    vectors, None if the cameras are unknown.
    """
    pose3d_cam: torch.Tensor
    pose2d: torch.Tensor
    camera: torch.Tensor


# the fields of a PoseSet that have a row per pose
OF_POSES = ('pose3d_cam', 'pose2d', 'camera', 'subject', 'group', 'sequence', 'frame', 'pose3d_world')


@dataclass(frozen=True)
class PoseSet:
    """N paired poses with their cameras, subjects, and the groups by which their errors are tabulated.

    pose3d_cam (N, 16, 3) float32 metres, camera frame, not root-relative; pose2d (N, 16, 2) float32 normalised image
    coordinates; camera (N,) int64 row of each pose in `intrinsics` (C, 9), both None if the cameras are unknown; subject
    (N,) int64; group (N,) int64 indices of `group_names` (actions of Human3.6M, sequences of MPI-INF-3DHP); the skeleton.
    Where they are known: up (C, 3), unit vectors against gravity in the frame of each camera; sequence (N,) int64, the
    number of the recording, the same in all its views; frame (N,) int64, the pose's place in time among those of its
    recording, from 0 (common/clips.py).
    Where views are drawn anew (common/camera_sampling.py): the CameraRanges `ranges` and pose3d_world (N, 16, 3) metres.
    """
    pose3d_cam: torch.Tensor
    pose2d: torch.Tensor
    camera: torch.Tensor
    intrinsics: torch.Tensor
    subject: torch.Tensor
    group: torch.Tensor
    group_names: tuple
    skeleton: Skeleton = H36M_16
    up: torch.Tensor = None
    sequence: torch.Tensor = None
    frame: torch.Tensor = None
    pose3d_world: torch.Tensor = None
    ranges: tuple = None

    def __len__(self):
        return len(self.pose3d_cam)

    @property
    def device(self):
        return self.pose3d_cam.device

    def to(self, device):
        """The same set with its tensors on `device`."""
        tensors = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{name: value.to(device) for name, value in tensors.items()
                                if isinstance(value, torch.Tensor)})

    def subset(self, rows):
        """The set of the poses at `rows` (M,) int64."""
        return self.each(lambda values: values.index_select(0, rows))

    def each(self, change):
        """The set whose tensors with a row per pose are changed by the function `change`."""
        return replace(self, **{name: change(value) for name in OF_POSES if (value := getattr(self, name)) is not None})

    def resident(self, device, spare=0.15):
        """The set on `device`, or on the host if it would take more than the share `spare` of a GPU's free memory.

        PoseAug needs up to five times the set's size: for the poses with swapped bone lengths and for augmented poses.
        """
        device = torch.device(device)
        too_large = device.type == 'cuda' and self.num_bytes > spare * torch.cuda.mem_get_info(device)[0]
        return self if too_large else self.to(device)

    @property
    def num_bytes(self):
        return sum(value.nbytes for value in (self.pose3d_cam, self.pose2d))

    def take(self, index, device=None):
        """PoseBatch of the poses at `index` (B,) int64, on `device` (by default the set's own)."""
        index, camera = index.to(self.device), None
        if self.camera is not None:
            camera = _gathered(self.intrinsics, self.camera.index_select(0, index), device)
        return PoseBatch(self.take_only('pose3d_cam', index, device), self.take_only('pose2d', index, device), camera)

    def take_only(self, name, index, device=None):
        """Like `take`, but only one field: 'pose3d_cam' (B, 16, 3) or 'pose2d' (B, 16, 2)."""
        return _gathered(getattr(self, name), index.to(self.device), device)


def _gathered(values, rows, device):
    """values[rows] on `device` (None: their own). A copy to a GPU goes through pinned memory, so the host need not wait."""
    device = torch.device(device or values.device)
    if values.device.type == device.type:
        return values.index_select(0, rows)
    batch = values.new_empty(len(rows), *values.shape[1:], pin_memory=device.type == 'cuda')
    return torch.index_select(values, 0, rows, out=batch).to(device, non_blocking=True)

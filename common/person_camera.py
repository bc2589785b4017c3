"""A virtual camera that looks at the person: the 2D pose it would see, and the rotation of the lifted pose back.

Lifters are trained on people who stand near the middle of the image and fill a third of it, as in Human3.6M. For a person
who is small or at the side of the image they predict a pose seen from a wrong direction, which leans or falls over. But if
a camera rotates about its centre, the rays to the joints rotate with it, whatever their depth is. So the 2D joints can be
mapped, without any training, to what a virtual camera at the same place would see that points at the person and zooms in;
the rotation is undone on the lifted pose. For a pinhole camera the mapping is exact.

Frames: the camera frame is x right, y down, z forward; rays are points on the plane z = 1. `rotation` maps vectors (columns)
from the camera frame to the virtual camera's frame.
"""
from typing import NamedTuple

import torch
from torch import nn

from common.camera import root_relative, undistort

CAMERAS = ('image', 'person')     # whose 2D a lifter lifts
SIZE = 0.45              # longer side of the person's box / side of the virtual image; 0.35 to 0.5 give similar results
FOCAL = 2.0              # normalised focal length of an unknown camera: equal to the image's longer side
LEAST_EXTENT = 1e-3      # smallest box on the plane z = 1; a smaller one is a single point and not magnified further
DIRECTION_AT_LEAST = 1e-6


class PersonView(NamedTuple):
    """What the virtual cameras see, `pose2d` (B, J, 2) normalised, and their `rotation` (B, 3, 3) as defined above."""
    pose2d: torch.Tensor
    rotation: torch.Tensor


def view_person(pose2d_norm, intrinsic=None, seen=None, size=SIZE):
    """Poses (B, J, 2), normalised image coordinates -> PersonView: people are centred, their box is `size` of the image.

    `intrinsic` (B, 9): the cameras' intrinsic vectors, whose lens distortion is undone; None: focal length FOCAL, centre at
    the middle of the image, no distortion. `seen` (B, J) bool: the joints that define the box (None: all). The virtual
    camera does not roll: its x axis is orthogonal to the camera's y axis, so a person who stands upright in front of a
    level camera is upright in the virtual image too.
    """
    rays = rays_of(pose2d_norm, intrinsic)
    rotation = look_at(_box_centre(rays, seen))
    turned = rays @ rotation.transpose(-1, -2)
    points = turned[..., :2] / turned[..., 2:].clamp_min(DIRECTION_AT_LEAST)
    low, high = _box(points, seen)
    extent = (high - low).amax(-1, keepdim=True).clamp_min(LEAST_EXTENT)
    return PersonView((points - (low + high) / 2) * (2 * size / extent), rotation)


def turn_back(pose3d_virtual, rotation):
    """(B, J, 3) in the virtual cameras' frames -> the same vectors in the cameras' own frames. They remain root-relative."""
    return pose3d_virtual @ rotation


def lift_person(lift, pose2d_norm, intrinsic=None, seen=None, size=SIZE):
    """Lift `pose2d_norm` (B, J, 2) as the virtual cameras see it -> (B, J, 3) root-relative metres, camera frame.

    `lift`: a lifter, or any function from normalised 2D poses to 3D poses in the frame of the camera that saw them. For
    the other arguments see `view_person`.
    """
    view = view_person(pose2d_norm, intrinsic, seen, size)
    return root_relative(turn_back(lift(view.pose2d), view.rotation))


def as_lifted(pose2d_norm, pose3d_rel, intrinsic, camera):
    """A pair as a lifter trained for this `camera` sees it: (B, J, 2) and root-relative (B, J, 3) -> the same shapes.

    'image': unchanged. 'person': the 2D pose that the virtual camera sees, and the 3D pose in the frame of that camera.
    """
    if camera == 'image':
        return pose2d_norm, pose3d_rel
    view = view_person(pose2d_norm, intrinsic)
    return view.pose2d, pose3d_rel @ view.rotation.transpose(-1, -2)


def camera_of(lifter):
    """The camera whose 2D poses a lifter was trained on: 'image', unless its attribute `camera` says 'person'."""
    return getattr(lifter, 'camera', 'image')


class PersonLifter(nn.Module):
    """A lifter trained for the virtual camera as one that takes the 2D of the real image: (B, J, 2) -> (B, J, 3).

    The result is root-relative, in metres, in the camera frame. See `view_person` for cameras whose lens is not known.
    """

    def __init__(self, lifter):
        super().__init__()
        self.lifter = lifter

    def forward(self, pose2d_norm):
        return lift_person(self.lifter, pose2d_norm)


def rays_of(pose2d_norm, intrinsic=None):
    """(B, J, 2) normalised -> (B, J, 3) rays on the plane z = 1. See `view_person` for `intrinsic`."""
    points = pose2d_norm / FOCAL if intrinsic is None else undistort(pose2d_norm, intrinsic)
    return torch.cat([points, torch.ones_like(points[..., :1])], dim=-1)


def look_at(direction):
    """(B, 3) directions in the camera frame -> (B, 3, 3) rotations to the frames of cameras that point there without roll.

    The rows are the virtual axes: z along the direction, x orthogonal to it and to the camera's y axis.
    """
    forward = direction / direction.norm(dim=-1, keepdim=True)
    x, _, z = forward.unbind(-1)
    across = torch.stack([z, torch.zeros_like(x), -x], dim=-1)          # the camera's y axis x forward
    right = across / across.norm(dim=-1, keepdim=True).clamp_min(DIRECTION_AT_LEAST)
    return torch.stack([right, torch.linalg.cross(forward, right), forward], dim=-2)


def _box_centre(rays, seen):
    low, high = _box(rays[..., :2], seen)
    return torch.cat([(low + high) / 2, torch.ones_like(low[..., :1])], dim=-1).squeeze(-2)


def _box(points, seen):
    """(B, J, 2) -> two (B, 1, 2): the lowest and the highest coordinates of the joints that are seen."""
    if seen is None:
        return points.amin(-2, keepdim=True), points.amax(-2, keepdim=True)
    hidden = ~seen[..., None]
    return (points.masked_fill(hidden, float('inf')).amin(-2, keepdim=True),
            points.masked_fill(hidden, -float('inf')).amax(-2, keepdim=True))

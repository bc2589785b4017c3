"""A virtual camera that looks at the person: what it would see, and the way back of the lifted pose.

A lifter knows people who stand near the middle of the image and fill a third of it, as in Human3.6M. Someone who is small
or stands aside is seen by it from a wrong direction, and leans or falls over in 3D. A camera's image depends on its
orientation and focal length in a known way: a rotation of the rays through the camera's centre. So the 2D joints can be
turned and magnified to what a camera at the same place would have seen that points at the person, without any training;
and the rotation is undone on the lifted pose. For a pinhole camera this is exact for any rotation.

Frames: the camera frame is x right, y down, z forward; rays are points on the plane z = 1. `rotation` takes vectors of the
camera frame (as columns) to those of the virtual camera's frame.
"""
from typing import NamedTuple

import torch

from common.camera import root_relative, undistort

SIZE = 0.45              # of the square virtual image, for the larger side of the person's box; from 0.35 to 0.5 do alike
FOCAL = 2.0              # normalised focal length where nothing is known: as long as the image's longer side
LEAST_EXTENT = 1e-3      # of a box on the plane z = 1; a smaller one is a single point, and not magnified further
DIRECTION_AT_LEAST = 1e-6


class PersonView(NamedTuple):
    """What the virtual cameras see: pose2d (B, J, 2) normalised, and their `rotation` (B, 3, 3), see the module."""
    pose2d: torch.Tensor
    rotation: torch.Tensor


def view_person(pose2d_norm, intrinsic=None, seen=None, size=SIZE):
    """PersonView of poses (B, J, 2) in normalised image coordinates: each in the middle, its box `size` of the image.

    `intrinsic` (B, 9): the cameras' intrinsic vectors, of which the lens distortion is undone; None: a focal length of
    FOCAL, the centre of the image and no distortion. `seen` (B, J) bool: joints that count for the box (None: all). The
    virtual camera does not roll: its x axis is orthogonal to the camera's y axis, so who stands upright before a level
    camera stands upright before the virtual one.
    """
    rays = rays_of(pose2d_norm, intrinsic)
    rotation = look_at(_box_centre(rays, seen))
    turned = rays @ rotation.transpose(-1, -2)
    points = turned[..., :2] / turned[..., 2:].clamp_min(DIRECTION_AT_LEAST)
    low, high = _box(points, seen)
    extent = (high - low).amax(-1, keepdim=True).clamp_min(LEAST_EXTENT)
    return PersonView((points - (low + high) / 2) * (2 * size / extent), rotation)


def turn_back(pose3d_virtual, rotation):
    """(B, J, 3) in the virtual cameras' frames -> the same vectors in the cameras' own frames. Root-relative poses stay so."""
    return pose3d_virtual @ rotation


def lift_person(lift, pose2d_norm, intrinsic=None, seen=None, size=SIZE):
    """Root-relative pose (B, J, 3), metres, camera frame, that `lift` gives for the PersonView of `pose2d_norm` (B, J, 2).

    `lift`: a lifter, or any function from normalised 2D poses to 3D poses in the frame of the camera that saw them. For
    the other arguments see `view_person`.
    """
    view = view_person(pose2d_norm, intrinsic, seen, size)
    return root_relative(turn_back(lift(view.pose2d), view.rotation))


def rays_of(pose2d_norm, intrinsic=None):
    """(B, J, 2) normalised -> (B, J, 3) rays on the plane z = 1. See `view_person` for `intrinsic`."""
    points = pose2d_norm / FOCAL if intrinsic is None else undistort(pose2d_norm, intrinsic)
    return torch.cat([points, torch.ones_like(points[..., :1])], dim=-1)


def look_at(direction):
    """(B, 3) directions in the camera frame -> (B, 3, 3) rotations to the frames of cameras that point there, without roll.

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

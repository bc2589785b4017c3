"""How a camera sees a person, in terms that can be changed one at a time: azimuth, elevation, roll, distance, place, lens.

`filmed` takes a pose in the camera frame apart into an upright person and a view; `seen` puts them together again. The
upright frame has the axes of a level camera: x right, y DOWN along the vertical, z forward; the hip is its origin, metres.
Angles are in radians. Rotation matrices act on column vectors.
"""
from typing import NamedTuple

import torch

from common.camera import project, root_relative, undistort
from common.person_camera import look_at

PLACES = (1., .75, .5, .25, 0.)     # weights of a person's own place in the image, against the middle; see `kept_inside`
IMAGE_HALF = 1.                     # a person is inside the image if no normalised coordinate is larger


class Views(NamedTuple):
    """The views of N people, one row for each.

    azimuth (N,): by how much the camera has moved around the person; elevation (N,): by how much it looks down on the hip;
    roll (N,): its rotation about the ray to the hip; distance (N,) metres from camera to hip; place (N, 2): the hip in the
    image, normalised; intrinsics (N, 9).
    """
    azimuth: torch.Tensor
    elevation: torch.Tensor
    roll: torch.Tensor
    distance: torch.Tensor
    place: torch.Tensor
    intrinsics: torch.Tensor


def filmed(pose3d_cam, up, intrinsics):
    """Poses (N, J, 3), camera metres -> (upright poses (N, J, 3), the Views that give the poses again). Azimuths are 0.

    `up` (N, 3): unit vectors against gravity, in the camera frame; `intrinsics` (N, 9).
    """
    root = pose3d_cam[:, 0]
    to_person = look_at(root)
    right, down, forward = _apply(to_person, up[:, None])[:, 0].unbind(-1)
    elevation, roll = torch.asin(-forward.clamp(-1, 1)), torch.atan2(right, -down)
    zero = torch.zeros_like(roll)
    tilt = _view_rotation(zero, elevation, roll)
    upright = _apply(tilt.transpose(-1, -2) @ to_person, root_relative(pose3d_cam))
    place = project(pose3d_cam[:, :1], intrinsics)[:, 0]
    return upright, Views(zero, elevation, roll, root.norm(dim=-1), place, intrinsics)


def seen(upright, views):
    """Upright poses (N, J, 3) in these Views -> (N, J, 3) metres in the frames of their cameras."""
    plane = undistort(views.place[:, None], views.intrinsics)[:, 0]
    ray = torch.cat([plane, torch.ones_like(plane[:, :1])], dim=-1)
    ahead = torch.stack([torch.zeros_like(views.distance)] * 2 + [views.distance], dim=-1)
    turned = _apply(_view_rotation(views.azimuth, views.elevation, views.roll), upright)
    return _apply(look_at(ray).transpose(-1, -2), turned + ahead[:, None])


def up_in(views):
    """(N, 3): the unit vectors against gravity in the frames of the Views' cameras."""
    hip_and_above = torch.zeros(len(views.distance), 2, 3, dtype=views.distance.dtype, device=views.distance.device)
    hip_and_above[:, 1, 1] = -1
    hip, above = seen(hip_and_above, views).unbind(1)
    return above - hip


def inside(pose3d_cam, intrinsics):
    """(N,) bool: every joint is in front of the camera and in the image, and not clamped by `project`."""
    pose2d = project(pose3d_cam, intrinsics)
    unclamped = (pose3d_cam[..., :2].abs() <= pose3d_cam[..., 2:]).flatten(1).all(-1)      # never behind the camera
    return unclamped & (pose2d.abs() <= IMAGE_HALF).flatten(1).all(-1)


def kept_inside(upright, views):
    """Move people who would leave the image towards its middle, no farther than needed -> (Views, (N,) bool: they fit).

    The middle is where the person's box is about centred. Whoever does not fit even there keeps that place.
    """
    middle = views._replace(place=torch.zeros_like(views.place))
    box = project(seen(upright, middle), views.intrinsics)
    centred = -(box.amin(1) + box.amax(1)) / 2
    place, fits = centred, torch.zeros(len(upright), dtype=torch.bool, device=upright.device)
    for weight in PLACES:
        tried = views._replace(place=weight * views.place + (1 - weight) * centred)
        better = ~fits & inside(seen(upright, tried), views.intrinsics)
        place = torch.where(better[:, None], tried.place, place)
        fits = fits | better
    return views._replace(place=place), fits


def _view_rotation(azimuth, elevation, roll):
    """(N,) angles -> (N, 3, 3): from the upright frame to that of a camera that points at the hip."""
    return _rotation(roll, 2) @ _rotation(elevation, 0) @ _rotation(azimuth, 1)


def _rotation(angle, axis):
    """(N,) radians -> (N, 3, 3) rotations about a coordinate axis."""
    cos, sin, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    rows = ((one, zero, zero, zero, cos, -sin, zero, sin, cos), (cos, zero, sin, zero, one, zero, -sin, zero, cos),
            (cos, -sin, zero, sin, cos, zero, zero, zero, one))[axis]
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))


def _apply(rotation, points):
    """(N, 3, 3) rotations, (N, J, 3) -> the rotated points."""
    return points @ rotation.transpose(-1, -2)

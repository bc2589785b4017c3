"""Virtual cameras: views of a person drawn from stated distributions.

Frames and units: world metres, z up; camera metres, x right, y down, z forward; normalised image coordinates
(common/camera.py) of a square image, which reaches from -1 to 1. The lens has no distortion and its centre is the middle
of the image.
"""
import math
from dataclasses import replace
from typing import NamedTuple

import torch

from common.camera import project_linear
from common.poses import PoseSet
from common.random_poses import uniform

NEAREST = 0.3      # metres: every joint is at least this far before the camera


class CameraRanges(NamedTuple):
    """The distributions that `sample_views` draws from. A pair of equal bounds, or a deviation of 0, fixes a value.

    `azimuth` (low, high) degrees, uniform: the side from which the camera looks; 0 is the world's x axis, 90 its y axis.
    `elevation` (mean, standard deviation) degrees, normal: how far the camera looks down; below 0 it looks up.
    `roll` (mean, standard deviation) degrees, normal: the turn of the camera about its axis, clockwise seen from behind it.
    `distance` (low, high) metres, uniform: depth of the root, measured along the camera's axis.
    `place` ((low, high), (low, high)), uniform: the person's place in the image, across and down; 0 is the middle of the
    places where all joints are inside the image, -1 and 1 are the first and the last of them.
    `focal` (low, high), log-uniform: normalised focal length 2 f / width; a person who would not fit in gets a shorter one.
    """
    azimuth: tuple = (0., 360.)
    elevation: tuple = (0., 30.)
    roll: tuple = (0., 10.)
    distance: tuple = (2.5, 8.)
    place: tuple = ((-1., 1.), (-1., 1.))
    focal: tuple = (1.2, 3.5)


class SampledViews(NamedTuple):
    """What the cameras see: `pose3d_cam` (N, J, 3) metres, `pose2d` (N, J, 2) normalised, `intrinsics` (N, 9).

    `up` (N, 3): the world's z axis in the camera frame.
    """
    pose3d_cam: torch.Tensor
    pose2d: torch.Tensor
    intrinsics: torch.Tensor
    up: torch.Tensor


def sample_views(pose3d_world, ranges, generator):
    """Film each pose (N, J, 3), world metres, z up, joint 0 the root, by its own camera -> SampledViews, all joints inside.

    `ranges`: CameraRanges. All numbers come from `generator`, in this order: azimuth, elevation, roll, distance, focal
    length (N each), places (N, 2). The result is on the poses' device.
    """
    count = len(pose3d_world)
    azimuth = uniform(*ranges.azimuth, count, generator)
    elevation, roll = (_normal(pair, count, generator) for pair in (ranges.elevation, ranges.roll))
    distance = uniform(*ranges.distance, count, generator)
    focal = uniform(*map(math.log, ranges.focal), count, generator).exp()
    places = torch.rand(count, 2, generator=generator, device=generator.device)
    low, high = torch.tensor(ranges.place, device=places.device).unbind(-1)
    places = low + (high - low) * places
    turn = view_rotation(*(angle.deg2rad() for angle in (azimuth, elevation, roll))).to(pose3d_world)
    turned = (pose3d_world - pose3d_world[:, :1]) @ turn.transpose(-1, -2)
    return SampledViews(*_filmed(turned, *(value.to(pose3d_world) for value in (distance, focal, places))), turn[..., 2])


def filmed_poses(pose3d_world, ranges, generator, **fields):
    """PoseSet of world poses (N, J, 3) in views by `sample_views`, which `filmed_anew` can draw again; `fields`: the others."""
    views = sample_views(pose3d_world, ranges, generator)
    camera = torch.arange(len(pose3d_world), device=pose3d_world.device)
    return PoseSet(*views[:2], camera, views.intrinsics, pose3d_world=pose3d_world, ranges=ranges, up=views.up, **fields)


def filmed_anew(poses, generator):
    """A PoseSet in new views if its views are drawn by `ranges`; otherwise the set itself, and nothing is drawn."""
    if poses.ranges is None:
        return poses
    views = sample_views(poses.pose3d_world, poses.ranges, generator)
    return replace(poses, **views._asdict())


def view_rotation(azimuth, elevation, roll):
    """(N,) radians each, see CameraRanges -> (N, 3, 3) rotations of columns from the world to the camera.

    The rows are the camera's axes right, down, forward.
    """
    (sin_a, sin_e, sin_r), (cos_a, cos_e, cos_r) = ((f(azimuth), f(elevation), f(roll)) for f in (torch.sin, torch.cos))
    right = torch.stack([-sin_a, cos_a, torch.zeros_like(sin_a)], dim=-1)
    down = torch.stack([sin_e * cos_a, sin_e * sin_a, -cos_e], dim=-1)
    forward = torch.stack([-cos_e * cos_a, -cos_e * sin_a, -sin_e], dim=-1)
    sin_r, cos_r = sin_r[:, None], cos_r[:, None]
    return torch.stack([cos_r * right + sin_r * down, cos_r * down - sin_r * right, forward], dim=-2)


def _filmed(turned, distance, focal, places):
    """(pose3d_cam, pose2d, intrinsics) of `turned` (N, J, 3), root-relative, parallel to the camera; the rest as drawn."""
    across, depth = turned[..., :2], turned[..., 2]
    depth = depth + torch.maximum(distance, NEAREST - depth.amin(1))[:, None]
    extent = (across.amax(1) - across.amin(1)).amax(-1)
    focal = torch.minimum(focal, 2 * depth.amin(1) / extent)
    # |focal * (across + shift) / depth| <= 1 for all joints holds for the shifts from `first` to `last`
    reach = (depth / focal[:, None])[..., None]
    first, last = (-reach - across).amax(1), (reach - across).amin(1)
    shift = (first + last + places * (last - first)) / 2
    pose3d_cam = torch.cat([across + shift[:, None], depth[..., None]], dim=-1)
    intrinsics = torch.cat([focal[:, None].expand(-1, 2), focal.new_zeros(len(focal), 7)], dim=-1)
    return pose3d_cam, project_linear(pose3d_cam, intrinsics), intrinsics


def _normal(moments, count, generator):
    mean, deviation = moments
    return mean + deviation * torch.randn(count, generator=generator, device=generator.device)

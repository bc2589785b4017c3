"""Controlled shifts: test sets that differ from a given one in exactly one thing, or in all of them at once.

A shift is defined by its name, its range and the generator of its random numbers. It changes the view, the body or the 2D
joints of the poses of a PoseSet; all else stays as it was filmed. Projections are exact and include the lens distortion.
Angles are in degrees here. Where a person would leave the image, they are moved towards its middle; people who do not fit
even there are left out.
"""
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import torch

from common.bones import bone_vectors, pose_from_bones, unit_bones
from common.camera import project, root_relative
from common.errors import InputError
from common.poses import PoseSet
from common.random_poses import PIXEL, detector_noise, lengthened_at_random, uniform, without_joints
from common.root_fit import fit_root
from common.skeleton import H36M_16
from common.views import Views, filmed, kept_inside, seen, up_in

LEAST_POSES = 20                     # fewer poses do not determine a camera
PINHOLE_RESIDUAL = .02               # largest plausible distance of a projection by an estimated camera, normalised
FOCALS = [.8 * 1.05 ** step for step in range(38)]     # normalised focal lengths, 0.8 to 4.9
RARE_SHARE = .25


class Shift(NamedTuple):
    """One controlled shift; what is None does not change.

    `view(upright, views, draws)` -> Views; `body(upright, draws, skeleton)` -> upright poses (common/views.py);
    `image(pose2d, draws, skeleton)` -> 2D joints; `choose(upright, skeleton)` -> (N,) bool. `draws` is a generator.
    """
    title: str
    view: Callable = None
    body: Callable = None
    image: Callable = None
    choose: Callable = None


class Shifted(NamedTuple):
    """A PoseSet under a Shift, and how it was made, for lifters that also see the frames around a pose.

    `source`: the PoseSet as it was, with known or estimated cameras. `poses`: those that are kept, shifted, each with a row of
    intrinsics of its own; their `rows` (M,) in the source and their `views`. `upright`: the poses (M, J, 3) in the new bodies,
    None if the bodies do not change.
    """
    shift: Shift
    source: PoseSet
    poses: PoseSet
    rows: torch.Tensor
    upright: torch.Tensor
    views: Views


def shifted(poses, shift, draws):
    """The Shifted PoseSet `poses`, with 2D projected from the 3D. InputError if the cameras cannot be known."""
    pose3d_cam, intrinsics, up = filmed_by(poses)
    own = torch.arange(len(poses), device=poses.device)
    estimated = dict(pose3d_cam=pose3d_cam, intrinsics=intrinsics, up=up, camera=own)
    source = replace(poses, **estimated) if poses.camera is None else poses
    upright, views = filmed(pose3d_cam, up, intrinsics)
    fits = pose3d_cam.isfinite().flatten(1).all(1)      # an estimated place may be unknown
    if shift.choose:
        fits[fits.clone()] = shift.choose(upright[fits], poses.skeleton)
    if shift.body:
        upright = shift.body(upright, draws, poses.skeleton)
    if shift.view:
        views = shift.view(upright, views, draws)
    if shift.view or shift.body:
        views, inside = kept_inside(upright, views)
        fits &= inside
    pose3d_cam = seen(upright, views)
    pose2d = project(pose3d_cam, views.intrinsics)
    if shift.image:
        pose2d = shift.image(pose2d, draws, poses.skeleton)
    if not fits.any():
        raise InputError(f'no pose of the test set stays in the image under the shift {shift.title!r}')
    whole = replace(poses, pose3d_cam=pose3d_cam, pose2d=pose2d, intrinsics=views.intrinsics, up=up_in(views), camera=own)
    rows = fits.nonzero().squeeze(1)
    return Shifted(shift, source, whole.subset(rows), rows, upright[rows] if shift.body else None,
                   Views(*(term[rows] for term in views)))


def filmed_by(poses):
    """(pose3d_cam (N, J, 3), intrinsics (N, 9), up (N, 3) against gravity in the camera frame) of a PoseSet's poses.

    Where the cameras are not known, a pinhole for each group, and the place of each person, are estimated. Where the
    vertical is not known, the cameras are taken to be level.
    """
    if poses.camera is None:
        pose3d_cam, intrinsics = estimated_pinholes(poses)
    else:
        pose3d_cam, intrinsics = poses.pose3d_cam, poses.intrinsics.index_select(0, poses.camera)
    if poses.up is None or poses.camera is None:
        return pose3d_cam, intrinsics, intrinsics.new_tensor([0., -1., 0.]).expand(len(poses), 3)
    return pose3d_cam, intrinsics, poses.up.index_select(0, poses.camera)


def estimated_pinholes(poses):
    """(pose3d_cam (N, J, 3), intrinsics (N, 9)): a pinhole for the poses of each group, and the places of the people.

    The centre is that of the image. The focal length is the one of FOCALS with which the projections of the poses, put
    where they fit best (common/root_fit.py), lie nearest to the 2D. InputError if a group is too small, or if no pinhole
    explains its poses.
    """
    pose3d_cam, intrinsics = poses.pose3d_cam.clone(), poses.pose2d.new_zeros(len(poses), 9)
    for number in poses.group.unique().tolist():
        rows = (poses.group == number).nonzero().squeeze(1)
        rel, pose2d = root_relative(poses.pose3d_cam[rows]), poses.pose2d[rows]
        fits = [_fit(rel, pose2d, focal) for focal in FOCALS]
        best = min(range(len(FOCALS)), key=lambda place: fits[place][1])
        if len(rows) < LEAST_POSES or not fits[best][1] < PINHOLE_RESIDUAL:
            raise InputError(f'{poses.group_names[number]}: no pinhole camera explains its 2D poses by its 3D poses, so it '
                             'cannot be seen from elsewhere; choose another --shift_dataset')
        pose3d_cam[rows] = rel + fits[best][0][:, None]
        intrinsics[rows, :2] = FOCALS[best]
    return pose3d_cam, intrinsics


def _fit(pose3d_rel, pose2d, focal):
    """(roots (N, 3), median distance of the projections from `pose2d`) for a pinhole of this focal length."""
    plane = pose2d / focal
    root = fit_root(pose3d_rel, torch.cat([plane, torch.ones_like(plane[..., :1])], dim=-1))
    placed = pose3d_rel + root[:, None]
    distance = (placed[..., :2] / placed[..., 2:] * focal - pose2d).norm(dim=-1).nan_to_num(torch.inf)
    return root, float(distance.median())


def _angle(name, low, high, either_sign=False):
    """The change of one angle of the Views, in degrees."""
    def change(upright, views, draws):
        angle = uniform(low, high, len(upright), draws).deg2rad()
        if either_sign:
            angle = angle * torch.where(uniform(-1, 1, len(upright), draws) < 0, -1., 1.)
        return views._replace(**{name: angle.to(upright)})
    return change


def _distance(low, high):
    def change(upright, views, draws):
        return views._replace(distance=uniform(low, high, len(upright), draws).to(upright))
    return change


def _place(reach):
    def change(upright, views, draws):
        place = torch.stack([uniform(-reach, reach, len(upright), draws) for _ in range(2)], dim=1)
        return views._replace(place=place.to(upright))
    return change


def _lens(low, high):
    """Another focal length; the distortion goes with the lens and is dropped."""
    def change(upright, views, draws):
        intrinsics = torch.zeros_like(views.intrinsics)
        intrinsics[:, :2] = uniform(low, high, len(upright), draws).to(upright)[:, None]
        return views._replace(intrinsics=intrinsics)
    return change


def _bones(limit):
    def change(upright, draws, skeleton):
        return pose_from_bones(lengthened_at_random(bone_vectors(upright, skeleton), limit, draws, skeleton), skeleton)
    return change


def _scaled(low, high):
    def change(upright, draws, skeleton):
        return upright * uniform(low, high, len(upright), draws).to(upright)[:, None, None]
    return change


def rare(upright, skeleton=H36M_16, share=RARE_SHARE):
    """(N,) bool: the `share` of the poses whose bones point most differently from the mean directions, seen as they face."""
    directions = unit_bones(bone_vectors(_facing_ahead(upright, skeleton), skeleton))
    likeness = (directions * directions.mean(0)).sum(-1).mean(-1)
    return likeness < likeness.double().quantile(share).to(likeness)


def _facing_ahead(upright, skeleton):
    """The poses turned about the vertical so that the left hip lies on the +x side and the right one on the -x side."""
    left, right = skeleton.joints('LHip', 'RHip')
    across = upright[:, left] - upright[:, right]
    angle = torch.atan2(across[:, 2], across[:, 0])
    cos, sin, (x, y, z) = angle.cos()[:, None], angle.sin()[:, None], upright.unbind(-1)
    return torch.stack([cos * x + sin * z, y, cos * z - sin * x], dim=-1)


def _noise(pixels):
    """Errors of a detector; `pixels` is the mean deviation."""
    def change(pose2d, draws, skeleton):
        return pose2d + pixels * PIXEL * detector_noise(pose2d, draws, skeleton)
    return change


def _missing(count):
    """`count` joints of each pose, never the root, are not seen."""
    def change(pose2d, draws, skeleton):
        order = torch.rand(len(pose2d), skeleton.num_bones, generator=draws, device=draws.device).argsort(1).to(pose2d.device)
        missing = torch.zeros(pose2d.shape[:2], dtype=torch.bool, device=pose2d.device)
        return without_joints(pose2d, missing.scatter_(1, order[:, :count] + 1, True), skeleton)
    return change


def _together(*changes):
    """Several changes of the same kind, one after the other."""
    def change(subject, *rest):
        for one in changes:
            subject = one(subject, *rest)
        return subject
    return change


def _views_together(*changes):
    def change(upright, views, draws):
        for one in changes:
            views = one(upright, views, draws)
        return views
    return change


AS_FILMED = 'as filmed'
SHIFTS = {
    AS_FILMED: Shift('as filmed'),
    'azimuth': Shift('from all around', _angle('azimuth', -180, 180)),
    'below 20-40': Shift('20 to 40 degrees from below', _angle('elevation', -40, -20)),
    'below 0-20': Shift('0 to 20 degrees from below', _angle('elevation', -20, 0)),
    'above 0-20': Shift('0 to 20 degrees from above', _angle('elevation', 0, 20)),
    'above 20-40': Shift('20 to 40 degrees from above', _angle('elevation', 20, 40)),
    'above 40-70': Shift('40 to 70 degrees from above', _angle('elevation', 40, 70)),
    'roll': Shift('camera rolled by 15 to 30 degrees', _angle('roll', 15, 30, either_sign=True)),
    'near': Shift('at 2.5 to 3.5 m', _distance(2.5, 3.5)),
    'far': Shift('at 8 to 12 m', _distance(8, 12)),
    'place': Shift('anywhere in the image', _place(1.)),
    'wide lens': Shift('focal length 0.6 to 0.8 of the image width', _lens(1.2, 1.6)),
    'long lens': Shift('focal length 1.4 to 1.7 of the image width', _lens(2.8, 3.4)),
    'bones': Shift('each bone length changed by up to 15 %', body=_bones(.15)),
    'child': Shift('the whole body at 0.6 to 0.75 of its size', body=_scaled(.6, .75)),
    'rare poses': Shift('the quarter of the poses farthest from the mean', choose=rare),
    'noise': Shift('2D noise of 5 pixels, with outliers', image=_noise(5)),
    'missing': Shift('two joints not seen', image=_missing(2)),
    'everything': Shift('views, distance, lens, body and noise at once',
                        _views_together(_angle('azimuth', -180, 180), _angle('elevation', -30, 50), _angle('roll', -15, 15),
                                        _distance(2.5, 8), _place(1.), _lens(1.4, 3.)),
                        _together(_scaled(.7, 1.05), _bones(.15)), _noise(3)),
}
# Shifts over whose whole range the error is drawn as a curve, by what is on the axis (a key of `views_of`).
CURVES = {'elevation': Shift('elevation', _angle('elevation', -50, 75)), 'distance': Shift('distance', _distance(2, 15))}


def views_of(poses):
    """What the cameras of a PoseSet see of each person: {'elevation': (N,) degrees, 'distance': (N,) metres}."""
    pose3d_cam, intrinsics, up = filmed_by(poses)
    _, views = filmed(pose3d_cam, up, intrinsics)
    return {'elevation': views.elevation.rad2deg(), 'distance': views.distance}

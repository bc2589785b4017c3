"""What augmentation does to poses, in figures: a sample of an augmentor's work, and what can be measured of it.

The body's frame has its axes in the order left, up, front: up from Hip to Thorax; left from the right hip and shoulder
to the left ones, made square to up; front is left x up, the way the chest faces. It moves with the trunk alone: arms
and legs do not change it. The authors' figure of the views rests on the rotation that lays a pose best on a T-pose:
much the same, but with arms and legs in it.
Azimuth counts about the body's up axis from its front, positive towards its left; elevation is positive above. Angles
are degrees, lengths metres; all functions of tensors are batched on their device.
"""
import copy
from typing import NamedTuple

import torch
from torch.nn import functional as F

from common.bones import bone_vectors, swap_bone_lengths
from common.camera import project, root_relative
from common.poses import PoseBatch
from common.product import product
from common.skeleton import H36M_16
from models_poseaug.augmentor import BACKBONE, STILL_GROUP, draw_noise

STAGES = ('source', 'BA', 'BL', 'RT')
BENDING = ('LElbow', 'RElbow', 'LKnee', 'RKnee')
DEPTH_EDGES_M = [.5 * step for step in range(31)]
VIEW_SPREAD = 50.     # concentration of the density's kernel: about 8 degrees to each side


class AugmentedSample(NamedTuple):
    """Poses and what became of them, on the augmentor's device.

    `pose3d_cam` goes by stage (STAGES) -> (B, 16, 3) camera metres, `pose2d` -> (B, 16, 2) normalised projections;
    `length_ratio` (B, 9): relative change of length per bone group.
    """
    pose3d_cam: dict
    pose2d: dict
    length_ratio: torch.Tensor


@torch.no_grad()
def sample_augmentations(augmentor, poses, templates, count, draws):
    """AugmentedSample of `count` random poses of a PoseSet, made as in training: on other bodies first.

    `templates` (S, 15) metres; `draws` is a generator on the augmentor's device, and nothing else is drawn from. The
    augmentor itself is left as it was: a copy runs, in train mode as in the game, so `count` must be at least 2.
    """
    source = _random_bodies(poses, templates, count, draws)
    noise = draw_noise(source.pose3d_cam, draws)
    augmented = copy.deepcopy(augmentor).train()(source.pose3d_cam, noise)
    pose3d_cam = dict(zip(STAGES, (source.pose3d_cam, augmented.ba, augmented.bl, augmented.rt)))
    return AugmentedSample(pose3d_cam, {stage: project(pose, source.camera) for stage, pose in pose3d_cam.items()},
                           augmented.bl_ratio)


def first(sample, count):
    """The first `count` poses of an AugmentedSample."""
    pose3d_cam, pose2d = ({stage: poses[:count] for stage, poses in stages.items()}
                          for stages in (sample.pose3d_cam, sample.pose2d))
    return AugmentedSample(pose3d_cam, pose2d, sample.length_ratio[:count])


def _random_bodies(poses, templates, count, draws):
    """PoseBatch of `count` random poses, each with the bone lengths of a random row of `templates`."""
    index, rows = (torch.randint(size, (count,), generator=draws, device=draws.device)
                   for size in (len(poses), len(templates)))
    batch = poses.take(index, draws.device)
    pose3d_cam = swap_bone_lengths(batch.pose3d_cam, templates.to(draws.device), rows)
    return PoseBatch(pose3d_cam, project(pose3d_cam, batch.camera), batch.camera)


def body_frames(pose3d):
    """(B, 16, 3), any frame -> (B, 3, 3): rows are the unit vectors left, up and front of each body in that frame."""
    hip, thorax, right_hip, left_hip, right_shoulder, left_shoulder = (      # one by one: a list would make a GPU wait
        pose3d[:, joint] for joint in H36M_16.joints('Hip', 'Thorax', 'RHip', 'LHip', 'RShoulder', 'LShoulder'))
    up = F.normalize(thorax - hip, dim=-1)
    across = left_hip - right_hip + left_shoulder - right_shoulder
    left = F.normalize(across - (across * up).sum(-1, keepdim=True) * up, dim=-1)
    return torch.stack([left, up, torch.linalg.cross(left, up)], dim=1)


def view_directions(pose3d_cam):
    """(B, 16, 3) camera metres -> (B, 3): where the camera stands, seen from the Hip in the body's frame, unit length.

    A pose that was put at its root says nothing of the camera's place; it is taken to lie on the camera's axis.
    """
    root = pose3d_cam[:, 0]
    on_axis = torch.zeros_like(root)
    on_axis[:, 2].fill_(1)      # to assign it takes a tensor on the host
    to_camera = -F.normalize(torch.where((root == 0).all(-1, keepdim=True), on_axis, root), dim=-1)
    return product(body_frames(pose3d_cam), to_camera[..., None]).squeeze(-1)


def mean_body(pose3d):
    """(B, 16, 3), any frame -> (16, 3): their mean in the body's frame, about the Hip."""
    return product(root_relative(pose3d), body_frames(pose3d).transpose(1, 2)).mean(0)


def azimuth_deg(directions):
    """(B, 3) in the body's frame -> (B,) degrees from -180 to 180: 0 front, 90 left, 180 back."""
    left, _, front = directions.unbind(-1)
    return torch.atan2(left, front).rad2deg()


def elevation_deg(directions):
    """(B, 3) unit vectors in the body's frame -> (B,) degrees from -90 (below the feet) to 90 (above the head)."""
    return directions[:, 1].clamp(-1, 1).asin().rad2deg()


def directions_of(azimuths_deg, elevations_deg):
    """The inverse of the two above: (..., 3) unit vectors in the body's frame."""
    azimuth, elevation = azimuths_deg.deg2rad(), elevations_deg.deg2rad()
    return torch.stack([azimuth.sin() * elevation.cos(), elevation.sin().expand_as(azimuth + elevation),
                        azimuth.cos() * elevation.cos()], dim=-1)


def root_depth_m(pose3d_cam):
    """(B, 16, 3) camera metres -> (B,) metres: how far before the camera the Hip lies."""
    return pose3d_cam[:, 0, 2]


def bone_turns_deg(before, after):
    """(B, 16, 3) twice -> (B, 15) degrees by which each bone's direction differs."""
    return _angles_deg(bone_vectors(before), bone_vectors(after))


def joint_bends_deg(pose3d):
    """(B, 16, 3) -> (B, 4) degrees by which the joints of BENDING are bent; 0 is a straight limb."""
    upper = H36M_16.bones(*BENDING)
    lower = [H36M_16.parent_names.index(name) - 1 for name in BENDING]
    vectors = bone_vectors(pose3d)
    return _angles_deg(vectors[:, upper], vectors[:, lower])


def _angles_deg(first, second):
    """Angle between vectors (..., 3), by the tangent of both products: exact near 0 and 180 too."""
    return torch.atan2(torch.linalg.cross(first, second).norm(dim=-1), (first * second).sum(-1)).rad2deg()


class Quantity(NamedTuple):
    """Something to make histograms of: the axis' label, bin edges (K + 1,), spacing of ticks, stage -> values (N,)."""
    label: str
    edges: list
    tick: float
    series: dict


def quantities(sample):
    """Name -> Quantity of an AugmentedSample: views and depth before and after, and what BA does to bones and limbs."""
    source, ba, rt = (sample.pose3d_cam[stage] for stage in ('source', 'BA', 'RT'))
    views = {'source': view_directions(source), 'RT': view_directions(rt)}
    return {
        'view azimuth': Quantity('azimuth of the camera, degrees (0 front, 90 left)', list(range(-180, 181, 10)), 45,
                                 {stage: azimuth_deg(view) for stage, view in views.items()}),
        'view elevation': Quantity('elevation of the camera, degrees', list(range(-90, 91, 5)), 30,
                                   {stage: elevation_deg(view) for stage, view in views.items()}),
        'root depth': Quantity('depth of the hip before the camera, m', DEPTH_EDGES_M, 3,
                               {'source': root_depth_m(source), 'RT': root_depth_m(rt)}),
        'bone turn': Quantity('angle by which BA turned a bone, degrees', list(range(0, 181, 5)), 30,
                              {'BA': _turned(source, ba).flatten()}),
        'bone length': Quantity('change of bone lengths by BL, %', list(range(-20, 21, 2)), 5,
                                {'BL': 100 * _stretched(sample.length_ratio).flatten()}),
        'elbows and knees': Quantity('bend, degrees (0 straight)', list(range(0, 181, 5)), 30,
                                     {'source': joint_bends_deg(source).flatten(),
                                      'BA': joint_bends_deg(ba).flatten()})}


def _turned(source, ba):
    """(B, 13) degrees: `bone_turns_deg` without the backbone, which BA leaves alone."""
    free = [bone for bone in range(H36M_16.num_bones) if bone not in H36M_16.bones(*BACKBONE)]
    return bone_turns_deg(source, ba)[:, free]


def _stretched(length_ratio):
    """(B, 9) -> (B, 8): without the group that BL leaves alone."""
    return length_ratio[:, [group for group in range(length_ratio.shape[1]) if group != STILL_GROUP]]


def captions(sample):
    """What each stage did to each pose of an AugmentedSample, in a few words: a list of dicts stage -> text."""
    pose3d_cam = sample.pose3d_cam
    turns = _turned(pose3d_cam['source'], pose3d_cam['BA']).mean(1).tolist()
    lengths = [(100 * sample.length_ratio).aminmax(dim=1)[place].tolist() for place in (0, 1)]
    depths = [root_depth_m(pose3d_cam[stage]).tolist() for stage in ('source', 'RT')]
    return [dict(zip(STAGES, (f'{near:.1f} m away', f'bones turn {turn:.0f}°', f'{low:+.0f} to {high:+.0f} %',
                              f'{far:.1f} m away')))
            for near, turn, low, high, far in zip(depths[0], turns, *lengths, depths[1])]


class SphereDensity(NamedTuple):
    """A density on the sphere of directions, in cells of equal angles; `relative` (E, A): 1 is the uniform density.

    `azimuths_deg` (A,) and `elevations_deg` (E,) are the cells' centres.
    """
    azimuths_deg: torch.Tensor
    elevations_deg: torch.Tensor
    relative: torch.Tensor


def sphere_density(directions, cell_deg=3):
    """SphereDensity of unit vectors (N, 3), each spread by a von Mises-Fisher kernel of concentration VIEW_SPREAD; on the CPU."""
    azimuths = torch.arange(-180 + cell_deg / 2, 180, cell_deg)
    elevations = torch.arange(-90 + cell_deg / 2, 90, cell_deg)
    cells = directions_of(azimuths, elevations[:, None])
    kernel = torch.exp(VIEW_SPREAD * (cells.flatten(0, 1) @ directions.cpu().float().T - 1))
    # over the sphere exp(k (cos - 1)) has the mean (1 - exp(-2 k)) / 2 k; the second term is nothing here
    return SphereDensity(azimuths, elevations, 2 * VIEW_SPREAD * kernel.mean(1).view(cells.shape[:2]))


def covered_share(density, part=.9):
    """The smallest share of the sphere's area that holds `part` of a SphereDensity: how widely it is spread, 0 to 1."""
    area = density.elevations_deg.deg2rad().cos()[:, None].expand_as(density.relative).flatten()
    area = area / area.sum()
    order = density.relative.flatten().argsort(descending=True)
    area, mass = area[order], (density.relative.flatten() * area)[order]
    inside = mass.cumsum(0) < part * mass.sum()
    return float(area[inside].sum())

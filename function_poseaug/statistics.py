"""Statistics of augmentation: a sample of augmented poses, and the distributions of views, depths, angles and lengths.

The body frame has the axes left, up and front. Up points from Hip to Thorax; left from the right hip and shoulder to the
left ones, made orthogonal to up; front = left x up is the direction of the chest. Arms and legs do not change it. (The
authors' figure of the views uses the rotation that best aligns a pose with a T-pose, which is similar but depends on
arms and legs.) Azimuth is measured about the up axis from the front, positive towards the body's left; elevation is
positive above the hip. Angles are in degrees, lengths in metres. All functions of tensors are batched on their device.
"""
import copy
from typing import NamedTuple

import torch
from torch.nn import functional as F

from common.bones import bone_vectors, swap_bone_lengths
from common.camera import project, root_relative
from common.poses import PoseBatch
from common.product import product
from common.skeleton import H36M_16, Skeleton
from models_poseaug.augmentor import draw_noise

STAGES = ('source', 'BA', 'BL', 'RT')
BENDING = ('LElbow', 'RElbow', 'LKnee', 'RKnee')
DEPTH_EDGES_M = [.5 * step for step in range(31)]
VIEW_SPREAD = 50.     # concentration of the von Mises-Fisher kernel; its spread is about 8 degrees


class AugmentedSample(NamedTuple):
    """Source poses and the same poses after each stage of augmentation, on the augmentor's device.

    `pose3d_cam`: stage (STAGES) -> (B, 16, 3) metres, camera frame; `pose2d`: stage -> (B, 16, 2) normalised
    projections; `length_ratio` (B, 9): relative change of length of each bone group; the skeleton.
    """
    pose3d_cam: dict
    pose2d: dict
    length_ratio: torch.Tensor
    skeleton: Skeleton = H36M_16


@torch.no_grad()
def sample_augmentations(augmentor, poses, templates, count, draws, numbers=()):
    """AugmentedSample of `count` random poses of a PoseSet, made as in training: bone lengths are swapped first.

    `templates` (S, 15) metres; `draws`: the generator of all random numbers, on the augmentor's device. A copy of the
    augmentor runs in train mode, as in the game, so `count` must be at least 2 and the augmentor itself is unchanged.
    `numbers`: indices of poses that come first, in the place of random ones.
    """
    source = _random_bodies(poses, templates, count, draws, numbers)
    noise = draw_noise(source.pose3d_cam, draws)
    augmented = copy.deepcopy(augmentor).train()(source.pose3d_cam, noise)
    pose3d_cam = dict(zip(STAGES, (source.pose3d_cam, augmented.ba, augmented.bl, augmented.rt)))
    return AugmentedSample(pose3d_cam, {stage: project(pose, source.camera) for stage, pose in pose3d_cam.items()},
                           augmented.bl_ratio, poses.skeleton)


def first(sample, count):
    """The first `count` poses of an AugmentedSample."""
    pose3d_cam, pose2d = ({stage: poses[:count] for stage, poses in stages.items()}
                          for stages in (sample.pose3d_cam, sample.pose2d))
    return AugmentedSample(pose3d_cam, pose2d, sample.length_ratio[:count], sample.skeleton)


def _random_bodies(poses, templates, count, draws, numbers):
    """PoseBatch of `count` random poses, the first ones those of `numbers`, with bone lengths of random rows of `templates`."""
    index, rows = (torch.randint(size, (count,), generator=draws, device=draws.device)
                   for size in (len(poses), len(templates)))
    index[:len(numbers)] = torch.tensor(numbers, dtype=torch.int64, device=index.device)
    batch = poses.take(index, draws.device)
    pose3d_cam = swap_bone_lengths(batch.pose3d_cam, templates.to(draws.device), rows, poses.skeleton)
    return PoseBatch(pose3d_cam, project(pose3d_cam, batch.camera), batch.camera)


def body_frames(pose3d, skeleton=H36M_16):
    """(B, 16, 3), any frame -> (B, 3, 3): rows are the unit vectors left, up and front of each body in that frame."""
    hip, thorax, right_hip, left_hip, right_shoulder, left_shoulder = (      # one by one: a list would make a GPU wait
        pose3d[:, joint] for joint in skeleton.joints('Hip', 'Thorax', 'RHip', 'LHip', 'RShoulder', 'LShoulder'))
    up = F.normalize(thorax - hip, dim=-1)
    across = left_hip - right_hip + left_shoulder - right_shoulder
    left = F.normalize(across - (across * up).sum(-1, keepdim=True) * up, dim=-1)
    return torch.stack([left, up, torch.linalg.cross(left, up)], dim=1)


def view_directions(pose3d_cam, skeleton=H36M_16):
    """(B, 16, 3) metres, camera frame -> (B, 3) unit vectors from the Hip towards the camera, in the body frame.

    A pose whose root is at zero does not tell where the person stands: it is assumed to be on the optical axis.
    """
    root = pose3d_cam[:, 0]
    on_axis = torch.zeros_like(root)
    on_axis[:, 2].fill_(1)      # an assignment would copy from the host
    to_camera = -F.normalize(torch.where((root == 0).all(-1, keepdim=True), on_axis, root), dim=-1)
    return product(body_frames(pose3d_cam, skeleton), to_camera[..., None]).squeeze(-1)


def mean_body(pose3d, skeleton=H36M_16):
    """(B, 16, 3), any frame -> (16, 3): the mean of the poses in the body frame, relative to the Hip."""
    return product(root_relative(pose3d), body_frames(pose3d, skeleton).transpose(1, 2)).mean(0)


def azimuth_deg(directions):
    """(B, 3) in the body frame -> (B,) degrees from -180 to 180: 0 front, 90 left, 180 back."""
    left, _, front = directions.unbind(-1)
    return torch.atan2(left, front).rad2deg()


def elevation_deg(directions):
    """(B, 3) unit vectors in the body frame -> (B,) degrees from -90 (below the feet) to 90 (above the head)."""
    return directions[:, 1].clamp(-1, 1).asin().rad2deg()


def directions_of(azimuths_deg, elevations_deg):
    """The inverse of `azimuth_deg` and `elevation_deg`: (..., 3) unit vectors in the body frame."""
    azimuth, elevation = azimuths_deg.deg2rad(), elevations_deg.deg2rad()
    return torch.stack([azimuth.sin() * elevation.cos(), elevation.sin().expand_as(azimuth + elevation),
                        azimuth.cos() * elevation.cos()], dim=-1)


def root_depth_m(pose3d_cam):
    """(B, 16, 3) metres, camera frame -> (B,) metres: depth of the Hip."""
    return pose3d_cam[:, 0, 2]


def bone_turns_deg(before, after, skeleton=H36M_16):
    """Two (B, 16, 3) -> (B, 15) degrees by which the directions of the bones differ."""
    return _angles_deg(bone_vectors(before, skeleton), bone_vectors(after, skeleton))


def joint_bends_deg(pose3d, skeleton=H36M_16):
    """(B, 16, 3) -> (B, 4) degrees by which the joints of BENDING are bent; 0 is a straight limb."""
    upper = skeleton.bones(*BENDING)
    lower = [skeleton.parent_names.index(name) - 1 for name in BENDING]
    vectors = bone_vectors(pose3d, skeleton)
    return _angles_deg(vectors[:, upper], vectors[:, lower])


def _angles_deg(first, second):
    """Angle between vectors (..., 3), by atan2 of cross and dot product, which is exact near 0 and 180 degrees too."""
    return torch.atan2(torch.linalg.cross(first, second).norm(dim=-1), (first * second).sum(-1)).rad2deg()


class Quantity(NamedTuple):
    """One histogram: the label of its axis, bin edges (K + 1,), spacing of ticks, and stage -> values (N,)."""
    label: str
    edges: list
    tick: float
    series: dict


def quantities(sample):
    """Name -> Quantity of an AugmentedSample: views and depth before and after, changes of bone angles and lengths, bends."""
    source, ba, rt = (sample.pose3d_cam[stage] for stage in ('source', 'BA', 'RT'))
    views = {stage: view_directions(pose, sample.skeleton) for stage, pose in (('source', source), ('RT', rt))}
    return {
        'view azimuth': Quantity('azimuth of the camera, degrees (0 front, 90 left)', list(range(-180, 181, 10)), 45,
                                 {stage: azimuth_deg(view) for stage, view in views.items()}),
        'view elevation': Quantity('elevation of the camera, degrees', list(range(-90, 91, 5)), 30,
                                   {stage: elevation_deg(view) for stage, view in views.items()}),
        'root depth': Quantity('depth of the hip before the camera, m', DEPTH_EDGES_M, 3,
                               {'source': root_depth_m(source), 'RT': root_depth_m(rt)}),
        'bone turn': Quantity('angle by which BA turned a bone, degrees', list(range(0, 181, 5)), 30,
                              {'BA': _turned(source, ba, sample.skeleton).flatten()}),
        'bone length': Quantity('change of bone lengths by BL, %', list(range(-20, 21, 2)), 5,
                                {'BL': 100 * _stretched(sample.length_ratio, sample.skeleton).flatten()}),
        'elbows and knees': Quantity('bend, degrees (0 straight)', list(range(0, 181, 5)), 30,
                                     {'source': joint_bends_deg(source, sample.skeleton).flatten(),
                                      'BA': joint_bends_deg(ba, sample.skeleton).flatten()})}


def _turned(source, ba, skeleton):
    """(B, 13) degrees: `bone_turns_deg` without the backbone, which BA does not turn."""
    backbone = skeleton.bones(*skeleton.backbone)
    free = [bone for bone in range(skeleton.num_bones) if bone not in backbone]
    return bone_turns_deg(source, ba, skeleton)[:, free]


def _stretched(length_ratio, skeleton):
    """(B, 9) -> (B, 8): without the groups whose length BL does not change."""
    return length_ratio[:, [group for group in range(skeleton.num_groups) if group not in skeleton.fixed_groups]]


def captions(sample):
    """A short text on the effect of each stage, for each pose of an AugmentedSample: a list of dicts stage -> text."""
    pose3d_cam = sample.pose3d_cam
    turns = _turned(pose3d_cam['source'], pose3d_cam['BA'], sample.skeleton).mean(1).tolist()
    lengths = [(100 * sample.length_ratio).aminmax(dim=1)[place].tolist() for place in (0, 1)]
    depths = [root_depth_m(pose3d_cam[stage]).tolist() for stage in ('source', 'RT')]
    return [dict(zip(STAGES, (f'{near:.1f} m away', f'turn {turn:.0f}°', f'{low:+.0f} to {high:+.0f} %',
                              f'{far:.1f} m away')))
            for near, turn, low, high, far in zip(depths[0], turns, *lengths, depths[1])]


class SphereDensity(NamedTuple):
    """A density of directions on the sphere, in cells of equal angles with centres `azimuths_deg` (A,), `elevations_deg` (E,).

    `relative` (E, A): the density divided by the uniform one.
    """
    azimuths_deg: torch.Tensor
    elevations_deg: torch.Tensor
    relative: torch.Tensor


def sphere_density(directions, cell_deg=3):
    """SphereDensity of unit vectors (N, 3) by von Mises-Fisher kernels of concentration VIEW_SPREAD; on the CPU."""
    azimuths = torch.arange(-180 + cell_deg / 2, 180, cell_deg)
    elevations = torch.arange(-90 + cell_deg / 2, 90, cell_deg)
    cells = directions_of(azimuths, elevations[:, None])
    kernel = torch.exp(VIEW_SPREAD * (cells.flatten(0, 1) @ directions.cpu().float().T - 1))
    # over the sphere, exp(k (cos - 1)) has the mean (1 - exp(-2 k)) / 2 k, of which the second term is negligible here
    return SphereDensity(azimuths, elevations, 2 * VIEW_SPREAD * kernel.mean(1).view(cells.shape[:2]))


def covered_share(density, part=.9):
    """The smallest share of the sphere's area, 0 to 1, that holds the share `part` of a SphereDensity's mass."""
    area = density.elevations_deg.deg2rad().cos()[:, None].expand_as(density.relative).flatten()
    area = area / area.sum()
    order = density.relative.flatten().argsort(descending=True)
    area, mass = area[order], (density.relative.flatten() * area)[order]
    inside = mass.cumsum(0) < part * mass.sum()
    return float(area[inside].sum())

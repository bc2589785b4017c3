"""What an epoch of PoseAug is compared with: pairs for the lifter that come from no game (--augmentor random or none).

`random` changes the poses at random within the ranges that the learned augmentor may use; `none` gives the real pairs
again. The lifter then takes as many steps, in the same order of phases and with the same learning rates, as in PoseAug.
"""
import math

import torch
from tqdm import tqdm

from common.bones import bone_lengths, bone_vectors, pose_from_bones, scale_by_group, unit_bones
from common.camera import project, root_relative
from common.person_camera import as_lifted
from common.shifts import filmed_by, uniform
from common.views import filmed, kept_inside, seen
from function_poseaug.adversarial import FakePairs
from function_poseaug.refresh import CHUNK, swapped_bones

# Views: azimuth uniform; elevation and roll normal with these deviations, degrees; distance uniform, metres; anywhere in
# the image.
ELEVATION, ROLL, DISTANCE = 30., 10., (2.5, 8.)


def real_pairs_again(state, args, training, templates, draws):
    """FakePairs that are the real pairs themselves."""
    intrinsics = training.intrinsics.index_select(0, training.camera)
    pose2d, pose3d_rel = as_lifted(training.pose2d, root_relative(training.pose3d_cam), intrinsics, args.camera)
    return FakePairs(pose3d_rel, pose2d)


@torch.no_grad()
def random_pairs(state, args, training, templates, draws):
    """FakePairs of randomly changed poses; those that cannot be moved into the image are left out."""
    poses = swapped_bones(training, templates, draws)
    _, intrinsics, up = filmed_by(poses)
    pairs = []
    for rows in tqdm(torch.arange(len(poses), device=poses.device).split(CHUNK), desc=f'epoch {state.epoch}: random poses',
                     unit='batch', leave=False, disable=None):
        upright, views = filmed(poses.pose3d_cam[rows], up[rows], intrinsics[rows])
        upright, views = random_bodies(upright, args, draws, poses.skeleton), random_views(views, draws, args.augment)
        views, fits = kept_inside(upright, views)
        pose3d_cam = seen(upright, views)
        pose2d, pose3d_rel = as_lifted(project(pose3d_cam, views.intrinsics), root_relative(pose3d_cam), views.intrinsics,
                                       args.camera)
        pairs.append((pose3d_rel[fits], pose2d[fits]))
    fakes = FakePairs(*map(torch.cat, zip(*pairs)))
    print(f'epoch {state.epoch}: kept {len(fakes.pose2d):,} of {len(poses):,} random poses')
    return fakes


def random_bodies(upright, args, draws, skeleton):
    """Root-relative poses (N, 16, 3) with random bone directions (BA) and lengths (BL), where --augment has them.

    BA: the mean of 1 - cos over a pose's bones is uniform in the band of --ba_range_m and --ba_range_w. BL: the change
    of each bone group is uniform up to --blr_limit.
    """
    vectors = bone_vectors(upright, skeleton)
    if 'ba' in args.augment:
        vectors = turned_at_random(vectors, args.ba_range_m, args.ba_range_w, draws, skeleton)
    if 'bl' in args.augment:
        ratios = torch.stack([uniform(-args.blr_limit, args.blr_limit, len(vectors), draws)
                              for _ in range(skeleton.num_groups)], dim=1)
        vectors = vectors * (1 + scale_by_group(ratios, skeleton))[..., None]
    return pose_from_bones(vectors, skeleton)


def turned_at_random(vectors, centre, half_width, draws, skeleton):
    """Bone vectors (N, 15, 3), each turned about a random axis orthogonal to it; the backbone stays as it is."""
    count, num_bones = vectors.shape[:2]
    may_turn = torch.ones(num_bones, device=vectors.device)
    may_turn[skeleton.bones(*skeleton.backbone)] = 0
    share = torch.rand(count, num_bones, generator=draws, device=draws.device) * may_turn
    wanted = uniform(centre - half_width, centre + half_width, count, draws)[:, None]
    turn = (share / share.mean(1, keepdim=True) * wanted).clamp(0, 2)       # 1 - cos of each bone
    old = unit_bones(vectors)
    aside = torch.randn(vectors.shape, generator=draws, device=draws.device)
    aside = unit_bones(aside - (aside * old).sum(-1, keepdim=True) * old)
    new = old * (1 - turn)[..., None] + aside * (turn * (2 - turn)).sqrt()[..., None]
    return new * bone_lengths(vectors)


def random_views(views, draws, augment='rt'):
    """The Views with random angles, distance and place in the image (RT, where `augment` has it)."""
    if 'rt' not in augment:
        return views
    count = len(views.distance)
    elevation, roll = torch.randn(2, count, generator=draws, device=draws.device)
    return views._replace(azimuth=uniform(-math.pi, math.pi, count, draws), elevation=elevation * math.radians(ELEVATION),
                          roll=roll * math.radians(ROLL), distance=uniform(*DISTANCE, count, draws),
                          place=torch.stack([uniform(-1, 1, count, draws), uniform(-1, 1, count, draws)], dim=1))


SUBSTITUTES = dict(random=random_pairs, none=real_pairs_again)

"""What an epoch of PoseAug is compared with: pairs for the lifter that come from no game (--augmentor random or none).

`random` changes bone angles and lengths within the ranges of the learned augmentor, and views as below; `none` gives the
real pairs again. The lifter then takes as many steps as in PoseAug, in the same order of phases and with the same learning
rates, or slightly more, since PoseAug leaves out the poses that leave the image.
"""
import math

import torch
from tqdm import tqdm

from common.bones import bone_vectors, pose_from_bones
from common.camera import project, root_relative
from common.camera_sampling import CameraRanges
from common.person_camera import as_lifted
from common.random_poses import lengthened_at_random, turned_at_random, uniform
from common.shifts import filmed_by
from common.views import filmed, kept_inside, seen
from function_poseaug.adversarial import FakePairs
from function_poseaug.refresh import CHUNK, swapped_bones

# Views: angles and distances as in common/camera_sampling.py, anywhere in the image, and each source's own lens.
_, ELEVATION, ROLL, DISTANCE, _, _ = CameraRanges()


def real_pairs_again(state, args, training, templates, draws):
    """FakePairs that are the real pairs themselves."""
    intrinsics = training.intrinsics.index_select(0, training.camera)
    pose2d, pose3d_rel = as_lifted(training.pose2d, root_relative(training.pose3d_cam), intrinsics, args.camera)
    return FakePairs(pose3d_rel.to(draws.device), pose2d.to(draws.device))


@torch.no_grad()
def random_pairs(state, args, training, templates, draws):
    """FakePairs of randomly changed poses; those that cannot be moved into the image are left out."""
    poses = swapped_bones(training, templates, draws)
    _, intrinsics, up = filmed_by(poses)
    pairs = []
    for rows in tqdm(torch.arange(len(poses), device=poses.device).split(CHUNK), desc=f'epoch {state.epoch}: random poses',
                     unit='batch', leave=False, disable=None):
        upright, views = filmed(*(part[rows].to(draws.device) for part in (poses.pose3d_cam, up, intrinsics)))
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
    of each bone group is uniform up to --blr_limit. What --augment leaves out is drawn too, so the rest stays the same.
    """
    vectors = bone_vectors(upright, skeleton)
    turned = turned_at_random(vectors, args.ba_range_m, args.ba_range_w, draws, skeleton)
    vectors = turned if 'ba' in args.augment else vectors
    lengthened = lengthened_at_random(vectors, args.blr_limit, draws, skeleton)
    return pose_from_bones(lengthened if 'bl' in args.augment else vectors, skeleton)


def random_views(views, draws, augment='rt'):
    """The Views with random angles, distance and place in the image (RT, where `augment` has it; drawn in any case)."""
    count = len(views.distance)
    elevation, roll = torch.randn(2, count, generator=draws, device=draws.device)
    anew = views._replace(azimuth=uniform(-math.pi, math.pi, count, draws), elevation=elevation * math.radians(ELEVATION[1]),
                         roll=roll * math.radians(ROLL[1]), distance=uniform(*DISTANCE, count, draws),
                         place=torch.stack([uniform(-1, 1, count, draws), uniform(-1, 1, count, draws)], dim=1))
    return anew if 'rt' in augment else views


SUBSTITUTES = dict(random=random_pairs, none=real_pairs_again)

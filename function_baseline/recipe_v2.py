"""Recipe v2: a lifter trained on poses seen by random cameras, without an adversarial game (--recipe v2; not the paper's).

Most poses of a batch are filmed anew by random cameras; the 2D get a detector's errors. The lifter sees them through the
virtual camera that looks at the person, so that distance, lens and place in the image hardly matter to it. The loss is the
mean distance of the joints, and the learning rate falls along a cosine.
docs/recipe_v2.md says what each ingredient is worth.
"""
import torch
from torch.nn import functional as F

from common.camera import root_relative
from common.camera_sampling import CameraRanges, sample_views
from common.errors import InputError
from common.metrics import joint_errors
from common.person_camera import as_lifted
from common.random_poses import PIXEL, detector_noise, uniform, without_joints
from common.shifts import filmed_by
from common.views import filmed

INGREDIENTS = ('camera', 'views', 'noise', 'distance', 'cosine')
FORM = 4                            # of the recipe; a run is continued only with the form that it has begun with
RANDOM_SHARE = .75                  # of each batch is filmed anew
RANGES = CameraRanges(elevation=(0., 40.))
NOISE = 10.                         # pixels, the largest mean deviation, for a person who fills 0.7 of the image
FILLED = .7
MISSING, SHARE_WITH_MISSING = .15, .3     # in these poses, each joint is missing with this probability


def apply_recipe(args):
    """Set the flags that --recipe v2 stands for, where they were not typed."""
    if args.recipe == 'v2':
        args.recipe_form = FORM
        for flag, value, ingredient in (('camera', 'person', 'camera'), ('schedule', 'cosine', 'cosine')):
            if flag not in args.explicit and ingredient not in args.without:
                setattr(args, flag, value)
                args.explicit.add(flag)      # a pretrained lifter of another camera is refused, not followed
    elif args.without:
        raise InputError('--without takes an ingredient away from --recipe v2; give that too')


def continue_recipe(args, arguments, directory):
    """For --resume: InputError if the run, with `arguments`, was begun with another form of recipe v2 than `args` now means."""
    if args.recipe == 'v2':
        args.recipe_form = FORM
        if arguments.get('recipe_form') != FORM:
            raise InputError(f'{directory} was begun with an earlier form of recipe v2, with other ingredients; '
                             'start a new run')


def loss_of(args):
    """The `loss` of `train_lifter`: the mean distance of the joints in metres, or the published squared error."""
    return _mean_distance if args.recipe == 'v2' and 'distance' not in args.without.split(',') else F.mse_loss


def _mean_distance(predicted, target):
    return joint_errors(predicted, target).mean()


def recipe_pairs(poses, device, args, draws):
    """The `take` of `train_lifter` for a PoseSet: index (B,) -> pose2d (B, 16, 2), pose3d_rel (B, 16, 3), on `device`.

    `draws`: the generator of all random numbers, on the device. `args`: --without and --camera.
    """
    used = ingredients_of(args)

    def take(index):
        index, count = index.to(poses.device), count_filmed(used, len(index))
        batch = poses.take(index[count:], device)
        if count:
            anew = filmed_anew(poses.subset(index[:count]).to(device), draws)
            batch = map(torch.cat, zip(anew, batch))
        pose3d_cam, pose2d, intrinsics = batch
        if 'noise' in used:
            pose2d = with_detector_errors(pose2d, noise_levels(len(pose2d), draws), draws, poses.skeleton)
        return as_lifted(pose2d, root_relative(pose3d_cam), intrinsics, args.camera)

    return take


def ingredients_of(args):
    """The ingredients that --without leaves."""
    return [name for name in INGREDIENTS if name not in args.without.split(',')]


def count_filmed(used, count):
    """How many of a batch of `count` poses are filmed anew: the first ones."""
    return round(RANDOM_SHARE * count) if 'views' in used else 0


def filmed_anew(poses, draws):
    """(pose3d_cam, pose2d, intrinsics) of a PoseSet's poses, seen by random cameras."""
    pose3d_cam, intrinsics, up = filmed_by(poses)
    return in_random_views(filmed(pose3d_cam, up, intrinsics)[0], draws)


def in_random_views(upright, draws):
    """(pose3d_cam, pose2d, intrinsics) of upright poses (N, J, 3) in random views."""
    x, down, ahead = upright.unbind(-1)
    return sample_views(torch.stack([x, ahead, -down], dim=-1), RANGES, draws)[:3]


def noise_levels(count, draws):
    """(count,) mean deviations in pixels, for people who fill FILLED of the image: half are zero, the others up to NOISE."""
    return uniform(-NOISE, NOISE, count, draws).clamp(min=0)


def with_detector_errors(pose2d, levels, draws, skeleton):
    """The 2D poses (N, J, 2) with noise of these levels (N,), and in some poses with joints missing."""
    count = len(pose2d)
    extent = (pose2d.amax(1) - pose2d.amin(1)).amax(-1)
    size = levels * PIXEL * extent / FILLED
    pose2d = pose2d + size[:, None, None] * detector_noise(pose2d, draws, skeleton)
    poor = torch.rand(count, 1, generator=draws, device=draws.device) < SHARE_WITH_MISSING
    missing = torch.rand(pose2d.shape[:2], generator=draws, device=draws.device) < MISSING
    return without_joints(pose2d, missing & poor, skeleton)

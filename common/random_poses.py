"""Random changes of poses and of their 2D, from a generator: bone angles, bone lengths, a detector's errors, missing joints."""
import torch

from common.bones import bone_lengths, scale_by_group, unit_bones

PIXEL = 2 / 1000      # one pixel of a Human3.6M image, normalised
# The spread of a detector's errors: standard deviations relative to the mean over the joints. Joints that are far from the
# trunk are found less exactly.
NOISE_BY_JOINT = dict(Hip=.7, Spine=.7, Thorax=.7, Head=.8, LShoulder=.9, RShoulder=.9, LHip=.9, RHip=.9, LElbow=1.1,
                      RElbow=1.1, LKnee=1., RKnee=1., LWrist=1.5, RWrist=1.5, LFoot=1.3, RFoot=1.3)
OUTLIER_SHARE, OUTLIER_FACTOR = .02, 6.      # a joint in fifty is far off


def uniform(low, high, count, draws):
    """(count,) random numbers."""
    return low + (high - low) * torch.rand(count, generator=draws, device=draws.device)


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


def lengthened_at_random(vectors, limit, draws, skeleton):
    """Bone vectors (N, 15, 3) whose lengths change by up to the share `limit`, left and right alike."""
    ratios = torch.stack([uniform(-limit, limit, len(vectors), draws) for _ in range(skeleton.num_groups)], dim=1)
    return vectors * (1 + scale_by_group(ratios.to(vectors), skeleton))[..., None]


def detector_noise(pose2d, draws, skeleton):
    """Random numbers like `pose2d` (N, J, 2) with a detector's spread over the joints, mean deviation 1, and some outliers."""
    spread = pose2d.new_tensor([NOISE_BY_JOINT.get(name, 1.) for name in skeleton.names])
    outlier = torch.rand(pose2d.shape[:2], generator=draws, device=draws.device) < OUTLIER_SHARE
    noise = torch.randn(pose2d.shape, generator=draws, device=draws.device).to(pose2d)
    return noise * (spread * torch.where(outlier.to(pose2d.device), OUTLIER_FACTOR, 1.))[..., None]


def without_joints(pose2d, missing, skeleton):
    """`pose2d` (N, J, 2), each joint that is `missing` (N, J) put where its parent is; the root is never missing."""
    filled = pose2d.clone()
    for joint, parent in skeleton.edges:      # parents precede children, so a whole missing chain falls together
        filled[:, joint] = torch.where(missing[:, joint, None], filled[:, parent], pose2d[:, joint])
    return filled

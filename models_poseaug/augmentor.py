"""PoseAug's augmentor (Gong et al., CVPR 2021, section 3.2): bone angles, bone lengths, then rotation and translation.

Every head sees the SOURCE pose, root-relative, and its own 48 Gaussian numbers, drawn in the order BA, BL, R, T.
Poses are (B, 16, 3), metres, in the camera frame. Shapes are given for H36M_16: 16 joints, 15 bones, 9 bone groups.
"""
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from common.bones import bone_lengths, bone_vectors, pose_from_bones, scale_by_group, unit_bones
from common.camera import root_relative
from common.initialisation import kaiming_linears
from common.product import product
from common.rotation import axis_angle_to_matrix
from common.skeleton import H36M_16

NOISE_SIZE = 48
NUM_HEADS = 4          # BA, BL, R, T
HEADS = ('ba', 'bl', 'rt')
WIDTH = 256
MAX_ANGLE = 3.1415     # PoseAug: not pi


class AugmentedPoses(NamedTuple):
    """The augmented poses after each step, and the parameters of the steps.

    `ba`, `bl`, `rt` (B, 16, 3) metres, camera frame: after BA; after BA and BL; after BA, BL and RT (`ba` and `bl` keep
    the source's root). `ba_diff` (B, 15): 1 - cos of the angle by which each bone turned. `bl_ratio` (B, 9): relative
    change of length of each bone group. `axis_angle` (B, 3) radians, `translation` (B, 1, 3) metres.
    """
    ba: torch.Tensor
    ba_diff: torch.Tensor
    bl: torch.Tensor
    bl_ratio: torch.Tensor
    rt: torch.Tensor
    axis_angle: torch.Tensor
    translation: torch.Tensor


class TrunkBlock(nn.Module):
    """Twice Linear, BatchNorm, LeakyReLU, without a residual connection."""

    def __init__(self):
        super().__init__()
        self.w1 = nn.Linear(WIDTH, WIDTH)
        self.batch_norm1 = nn.BatchNorm1d(WIDTH)
        self.w2 = nn.Linear(WIDTH, WIDTH)
        self.batch_norm2 = nn.BatchNorm1d(WIDTH)

    def forward(self, features):
        features = F.leaky_relu(self.batch_norm1(self.w1(features)))
        return F.leaky_relu(self.batch_norm2(self.w2(features)))


class NoisyTrunk(nn.Module):
    """The network of each head: inputs with together in_size columns, and noise (B, 48) -> (B, out_size)."""

    def __init__(self, in_size, out_size):
        super().__init__()
        self.w1 = nn.Linear(in_size + NOISE_SIZE, WIDTH)
        self.batch_norm1 = nn.BatchNorm1d(WIDTH)
        self.linear_stages = nn.Sequential(TrunkBlock(), TrunkBlock())
        self.w2 = nn.Linear(WIDTH, out_size)

    def forward(self, *inputs):
        features = F.leaky_relu(self.batch_norm1(self.w1(torch.cat(inputs, dim=1))))
        return self.w2(self.linear_stages(features))


class Augmentor(nn.Module):
    """Source poses (B, 16, 3), metres, camera frame -> AugmentedPoses.

    `max_length_change` bounds the relative change of the bone lengths. `heads`: those of BA, BL and RT that change the
    pose; the others leave it as it is (for ablations).
    """

    def __init__(self, max_length_change=0.2, skeleton=H36M_16, heads=HEADS):
        super().__init__()
        self.max_length_change, self.skeleton, self.heads = max_length_change, skeleton, heads
        pose_size, num_bones = 3 * skeleton.num_joints, skeleton.num_bones
        self.bone_angle = NoisyTrunk(pose_size, 3 * num_bones)
        self.bone_length = NoisyTrunk(pose_size + num_bones, skeleton.num_groups)
        self.rotation = NoisyTrunk(pose_size, 3)
        self.translation = NoisyTrunk(pose_size, 3)
        kaiming_linears(self)
        may_turn = torch.ones(num_bones, 1)
        may_turn[skeleton.bones(*skeleton.backbone)] = 0
        may_stretch = torch.ones(skeleton.num_groups)
        may_stretch[skeleton.fixed_groups] = 0
        self.register_buffer('may_turn', may_turn, persistent=False)
        self.register_buffer('may_stretch', may_stretch, persistent=False)

    def forward(self, pose3d_cam, noise=None):
        """`noise` (4, B, 48), for the heads BA, BL, R, T in this order, replaces the Gaussian draw."""
        if noise is None:
            noise = draw_noise(pose3d_cam)
        root = pose3d_cam[:, :1]
        source = root_relative(pose3d_cam).flatten(1)
        vectors = bone_vectors(pose3d_cam, self.skeleton)
        ba_vectors, ba_diff = self.turn_bones(vectors, source, noise[0])
        bl_vectors, bl_ratio = self.stretch_bones(ba_vectors, bone_lengths(vectors), source, noise[1])
        bl_rel = pose_from_bones(bl_vectors, self.skeleton)
        rt, axis_angle, translation = self.move(bl_rel, root, source, noise[2:])
        ba = pose_from_bones(ba_vectors, self.skeleton) + root
        return AugmentedPoses(ba, ba_diff, bl_rel + root, bl_ratio, rt, axis_angle, translation)

    def turn_bones(self, vectors, source, noise):
        """BA: new direction = normalise(unit bone + change), same length. Returns vectors (B, 15, 3) and 1 - cos (B, 15)."""
        if 'ba' not in self.heads:
            return vectors, torch.zeros_like(vectors[..., 0])
        old = unit_bones(vectors)
        change = self.bone_angle(source, noise).view_as(vectors)
        # PoseAug: no eps in the normalisation. The backbone is not normalised a second time.
        new = torch.where(self.may_turn > 0, unit_bones(old + change * self.may_turn), old)
        return new * bone_lengths(vectors), 1 - (old * new).sum(-1)

    def stretch_bones(self, vectors, source_lengths, source, noise):
        """BL: lengths * (1 + ratio), |ratio| < max_length_change, left and right alike.

        Returns vectors (B, 15, 3) and ratios (B, 9).
        """
        if 'bl' not in self.heads:
            return vectors, vectors.new_zeros(len(vectors), self.skeleton.num_groups)
        raw = self.bone_length(source, source_lengths.flatten(1), noise) * self.may_stretch
        ratio = torch.tanh(raw) * self.max_length_change
        return vectors * (1 + scale_by_group(ratio, self.skeleton))[..., None], ratio

    def move(self, pose3d_rel, root, source, noise):
        """RT: R X + t of a root-relative pose, t = (x, y, z^2); may be behind the camera. Returns it, axis-angle and t."""
        if 'rt' not in self.heads:
            return pose3d_rel + root, torch.zeros_like(root[:, 0]), root
        axis_angle = torch.tanh(self.rotation(source, noise[0])) * MAX_ANGLE
        x, y, z = self.translation(source, noise[1]).split(1, dim=1)
        translation = torch.cat([x, y, z ** 2], dim=1)[:, None]
        turned = product(pose3d_rel, axis_angle_to_matrix(axis_angle).transpose(1, 2))
        return turned + translation, axis_angle, translation


def draw_noise(pose3d_cam, generator=None):
    """(4, B, 48) standard normal numbers, heads in the order BA, BL, R, T."""
    return torch.randn(NUM_HEADS, len(pose3d_cam), NOISE_SIZE, dtype=pose3d_cam.dtype, device=pose3d_cam.device,
                       generator=generator)

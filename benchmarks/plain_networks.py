"""Bones, projection, augmentor and discriminators in a straightforward ("plain") implementation.

Constants are made in every call, and bones and body parts handled one by one. 3D poses are (B, 16, 3), camera frame in
metres; 2D poses are (B, 16, 2), normalised. Names and shapes of the weights are those of models_poseaug, whose state
dicts load here.
"""
import torch
from torch import nn
from torch.nn import functional as F

from common.skeleton import H36M_16
from models_poseaug.augmentor import MAX_ANGLE, NOISE_SIZE, AugmentedPoses

NUM_BONES = H36M_16.num_bones


def bone_vectors(pose3d):
    """(B, 16, 3) -> (B, 15, 3), parent minus child, by a matrix product."""
    matrix = torch.zeros(H36M_16.num_joints, NUM_BONES)
    for joint, parent in H36M_16.edges:
        matrix[parent, joint - 1], matrix[joint, joint - 1] = 1, -1
    return torch.matmul(pose3d.transpose(1, 2), matrix.to(pose3d)).transpose(1, 2)


def pose_from_bones(vectors):
    """(B, 15, 3) -> (B, 16, 3), root-relative, each joint computed from its parent."""
    joints = [torch.zeros_like(vectors[:, 0])]
    for joint, parent in H36M_16.edges:
        joints.append(joints[parent] - vectors[:, joint - 1])
    return torch.stack(joints, dim=1)


def unit(vectors):
    return vectors / torch.norm(vectors, dim=-1, keepdim=True)


def project(pose3d, camera):
    """(B, 16, 3) camera metres, (B, 9) intrinsics -> (B, 16, 2) normalised, with lens distortion."""
    camera = camera.unsqueeze(1)
    focal, centre, radial, tangential = camera[..., :2], camera[..., 2:4], camera[..., 4:7], camera[..., 7:]
    xy = torch.clamp(pose3d[..., :2] / pose3d[..., 2:], min=-1, max=1)
    r2 = torch.sum(xy ** 2, dim=-1, keepdim=True)
    powers = torch.cat((r2, r2 ** 2, r2 ** 3), dim=-1)
    bend = 1 + torch.sum(radial * powers, dim=-1, keepdim=True) + torch.sum(tangential * xy, dim=-1, keepdim=True)
    return focal * (xy * bend + tangential * r2) + centre


def rotation_matrix(axis_angle):
    """Axis-angle (B, 3) in radians -> (B, 3, 3) by Rodrigues' formula; first-order approximation for tiny angles."""
    squared = (axis_angle * axis_angle).sum(dim=1, keepdim=True)
    large = squared > 1e-6
    angle = torch.sqrt(torch.where(large, squared, torch.ones_like(squared)))
    x, y, z = torch.split(axis_angle / (angle + 1e-6), 1, dim=1)
    cos, sin = torch.cos(angle), torch.sin(angle)
    full = torch.cat([cos + x * x * (1 - cos), x * y * (1 - cos) - z * sin, y * sin + x * z * (1 - cos),
                      z * sin + x * y * (1 - cos), cos + y * y * (1 - cos), -x * sin + y * z * (1 - cos),
                      -y * sin + x * z * (1 - cos), x * sin + y * z * (1 - cos), cos + z * z * (1 - cos)], dim=1)
    x, y, z = torch.split(axis_angle, 1, dim=1)
    one = torch.ones_like(x)
    first_order = torch.cat([one, -z, y, z, one, -x, -y, x, one], dim=1)
    return torch.where(large, full, first_order).view(-1, 3, 3)


class PlainTrunkBlock(nn.Module):
    """(B, 256) -> (B, 256)."""

    def __init__(self, width):
        super().__init__()
        self.w1, self.w2 = nn.Linear(width, width), nn.Linear(width, width)
        self.batch_norm1, self.batch_norm2 = nn.BatchNorm1d(width), nn.BatchNorm1d(width)

    def forward(self, features):
        features = F.leaky_relu(self.batch_norm1(self.w1(features)))
        return F.leaky_relu(self.batch_norm2(self.w2(features)))


class PlainTrunk(nn.Module):
    """(B, in_size) and noise (B, 48; drawn if None) -> (B, out_size)."""

    def __init__(self, in_size, out_size, width=256):
        super().__init__()
        self.w1, self.w2 = nn.Linear(in_size + NOISE_SIZE, width), nn.Linear(width, out_size)
        self.batch_norm1 = nn.BatchNorm1d(width)
        self.linear_stages = nn.ModuleList([PlainTrunkBlock(width) for _ in range(2)])

    def forward(self, inputs, noise):
        if noise is None:
            noise = torch.randn(len(inputs), NOISE_SIZE, device=inputs.device)
        features = F.leaky_relu(self.batch_norm1(self.w1(torch.cat([inputs, noise], dim=1))))
        for block in self.linear_stages:
            features = block(features)
        return self.w2(features)


class PlainAugmentor(nn.Module):
    """Source poses (B, 16, 3) -> AugmentedPoses; each head computes the bone vectors again."""

    def __init__(self, bl_limit=0.2):
        super().__init__()
        pose_size = 3 * H36M_16.num_joints
        self.bl_limit = bl_limit
        self.bone_angle = PlainTrunk(pose_size, 3 * NUM_BONES)
        self.bone_length = PlainTrunk(pose_size + NUM_BONES, H36M_16.num_groups)
        self.rotation, self.translation = PlainTrunk(pose_size, 3), PlainTrunk(pose_size, 3)

    def forward(self, pose3d_cam, noise=None):
        noise = [None] * 4 if noise is None else noise
        source = (pose3d_cam - pose3d_cam[:, :1]).flatten(1)
        ba, ba_diff = self.turn_bones(pose3d_cam, source, noise[0])
        bl, bl_ratio = self.stretch_bones(pose3d_cam, ba, source, noise[1])
        rt, axis_angle, translation = self.move(bl, source, noise[2], noise[3])
        return AugmentedPoses(ba, ba_diff, bl, bl_ratio, rt, axis_angle, translation)

    def turn_bones(self, pose3d_cam, source, noise):
        """BA: poses (B, 16, 3), and 1 - cos of each bone's rotation angle (B, 15)."""
        vectors = bone_vectors(pose3d_cam)
        lengths, old = torch.norm(vectors, dim=-1, keepdim=True), unit(vectors)
        change = self.bone_angle(source, noise).view(-1, NUM_BONES, 3)
        turned = unit(old + change)
        kept = [old[:, b] if b in H36M_16.bones(*H36M_16.backbone) else turned[:, b] for b in range(NUM_BONES)]
        new = torch.stack(kept, dim=1)
        return pose_from_bones(new * lengths) + pose3d_cam[:, :1], 1 - torch.sum(old * new, dim=-1)

    def stretch_bones(self, pose3d_cam, ba, source, noise):
        """BL: poses (B, 16, 3), and relative change of length of each group of bones (B, 9)."""
        source_lengths = torch.norm(bone_vectors(pose3d_cam), dim=-1)
        raw = self.bone_length(torch.cat([source, source_lengths], dim=1), noise)
        mask = torch.ones(H36M_16.num_groups)
        mask[H36M_16.bone_groups[H36M_16.bones('Thorax')[0]]] = 0
        ratio = torch.tanh(raw * mask.to(raw)) * self.bl_limit
        per_bone = torch.stack([ratio[:, group] for group in H36M_16.bone_groups], dim=1)
        bl_vectors = bone_vectors(ba) * (1 + per_bone.unsqueeze(-1))
        return pose_from_bones(bl_vectors) + pose3d_cam[:, :1], ratio

    def move(self, bl, source, rotation_noise, translation_noise):
        """RT: poses (B, 16, 3), axis-angle (B, 3), translation (B, 1, 3) in metres."""
        axis_angle = torch.tanh(self.rotation(source, rotation_noise)) * MAX_ANGLE
        shift = self.translation(source, translation_noise)
        translation = torch.cat([shift[:, :2], shift[:, 2:] ** 2], dim=1).unsqueeze(1)
        turned = torch.matmul(rotation_matrix(axis_angle), (bl - bl[:, :1]).transpose(1, 2)).transpose(1, 2)
        return turned + translation, axis_angle, translation


class PlainKcsBranch(nn.Module):
    """KCS matrix (B, 225) -> score (B, 1)."""

    def __init__(self, width=256):
        super().__init__()
        self.kcs_layer_1 = nn.Linear(NUM_BONES ** 2, width)
        self.kcs_layer_2, self.kcs_layer_3 = nn.Linear(width, width), nn.Linear(width, width)
        self.layer_last, self.layer_pred = nn.Linear(width, 100), nn.Linear(100, 1)

    def forward(self, kcs):
        first = F.leaky_relu(self.kcs_layer_1(kcs))
        features = F.leaky_relu(self.kcs_layer_2(first))
        features = self.kcs_layer_3(features) + first
        return self.layer_pred(F.leaky_relu(self.layer_last(features)))


class PlainCritic3D(nn.Module):
    """(B, 16, 3) -> (B, 5) scores; each branch computes its own KCS matrix from the masked bones."""

    def __init__(self):
        super().__init__()
        self.branches = nn.ModuleDict({part: PlainKcsBranch() for part in H36M_16.critic_parts})

    def forward(self, pose3d):
        directions = unit(bone_vectors(pose3d))
        scores = []
        for part, names in H36M_16.critic_parts.items():
            mask = torch.zeros(NUM_BONES, 1)
            mask[H36M_16.bones(*names)] = 1
            seen = directions * mask.to(directions)
            kcs = torch.matmul(seen, seen.transpose(1, 2))
            scores.append(self.branches[part](kcs.flatten(1)))
        return torch.cat(scores, dim=1)


class PlainCritic2D(nn.Module):
    """2D pose (B, 16, 2) -> score (B, 1)."""

    def __init__(self, width=100):
        super().__init__()
        self.pose_layer_1 = nn.Linear(2 * H36M_16.num_joints, width)
        self.pose_layer_2, self.pose_layer_3 = nn.Linear(width, width), nn.Linear(width, width)
        self.pose_layer_4, self.layer_last = nn.Linear(width, width), nn.Linear(width, width)
        self.layer_pred = nn.Linear(width, 1)

    def forward(self, pose2d):
        first = F.leaky_relu(self.pose_layer_1(pose2d.flatten(1)))
        features = F.leaky_relu(self.pose_layer_2(first))
        features = self.pose_layer_4(F.leaky_relu(self.pose_layer_3(features) + first))
        return self.layer_pred(F.leaky_relu(self.layer_last(features)))

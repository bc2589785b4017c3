"""The two critics: one of joint angles in space (by body part), one of the pose in the image. Least-squares scores."""
import torch
from torch import nn
from torch.nn import functional as F

from common.bones import bone_vectors, for_rows, mix_points, unit_bones
from common.initialisation import kaiming_linears
from common.product import product
from common.skeleton import H36M_16

# The bones each branch sees, by the joint they end in. The order is that of the output's columns.
# PoseAug: the reference calls the third branch the left leg and the fourth the right; here they have their joints'
# names.
BODY_PARTS = dict(
    left_arm=('Thorax', 'LShoulder', 'LElbow', 'LWrist'),
    right_arm=('Thorax', 'RShoulder', 'RElbow', 'RWrist'),
    right_leg=('RHip', 'RKnee', 'RFoot', 'LHip', 'Spine'),
    left_leg=('RHip', 'LHip', 'LKnee', 'LFoot', 'Spine'),
    torso=('RHip', 'LHip', 'Spine', 'Thorax', 'Head', 'LShoulder', 'RShoulder'))


def kinematic_chain_space(directions):
    """(B, n, 3) unit bones -> (B, n, n): dot products of all pairs. After Wandt & Rosenhahn, CVPR 2019."""
    return product(directions, directions.transpose(1, 2))


class KcsBranch(nn.Module):
    """(B, 15, 3) unit bones -> (B, 1) score of one body part.

    The first layer has a column for every pair of bones, and sees zeros for pairs that are not both of the part; only
    the part's own columns are computed.
    """

    def __init__(self, bones):
        super().__init__()
        bones = torch.tensor(sorted(bones))
        self.register_buffer('choice', for_rows(torch.eye(H36M_16.num_bones)[bones]), persistent=False)   # (45, 3 n)
        self.register_buffer('columns', (bones[:, None] * H36M_16.num_bones + bones).flatten(), persistent=False)
        self.kcs_layer_1 = nn.Linear(H36M_16.num_bones ** 2, 256)
        self.kcs_layer_2 = nn.Linear(256, 256)
        self.kcs_layer_3 = nn.Linear(256, 256)
        self.layer_last = nn.Linear(256, 100)
        self.layer_pred = nn.Linear(100, 1)

    def forward(self, directions):
        kcs = kinematic_chain_space(mix_points(self.choice, directions)).flatten(1)
        weight = self.kcs_layer_1.weight.index_select(1, self.columns)
        first = F.leaky_relu(F.linear(kcs, weight, self.kcs_layer_1.bias))
        features = self.kcs_layer_3(F.leaky_relu(self.kcs_layer_2(first))) + first
        return self.layer_pred(F.leaky_relu(self.layer_last(features)))


class Discriminator3D(nn.Module):
    """(B, 16, 3) poses in any frame -> (B, 5) scores, one per body part; blind to root, bone lengths and view."""

    def __init__(self):
        super().__init__()
        self.branches = nn.ModuleDict({part: KcsBranch(H36M_16.bones(*names)) for part, names in BODY_PARTS.items()})
        kaiming_linears(self)

    def forward(self, pose3d):
        directions = unit_bones(bone_vectors(pose3d))
        return torch.cat([branch(directions) for branch in self.branches.values()], dim=1)


class Discriminator2D(nn.Module):
    """(B, 16, 2) normalised image poses -> (B, 1) scores."""

    def __init__(self):
        super().__init__()
        width = 100
        self.pose_layer_1 = nn.Linear(2 * H36M_16.num_joints, width)
        self.pose_layer_2 = nn.Linear(width, width)
        self.pose_layer_3 = nn.Linear(width, width)
        self.pose_layer_4 = nn.Linear(width, width)
        self.layer_last = nn.Linear(width, width)
        self.layer_pred = nn.Linear(width, 1)
        kaiming_linears(self)

    def forward(self, pose2d):
        """The sum with the residual is activated, unlike `KcsBranch`'s."""
        first = F.leaky_relu(self.pose_layer_1(pose2d.flatten(1)))
        features = F.leaky_relu(self.pose_layer_2(first))
        features = self.pose_layer_4(F.leaky_relu(self.pose_layer_3(features) + first))
        return self.layer_pred(F.leaky_relu(self.layer_last(features)))

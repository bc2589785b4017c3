"""The two discriminators ("critics" in the code): a 3D one of bone angles in each body part, and a 2D one of projections.

They are trained with the least-squares GAN loss (Mao et al., ICCV 2017). Shapes are given for H36M_16.
"""
import torch
from torch import nn
from torch.nn import functional as F

from common.bones import bone_vectors, for_rows, mix_points, unit_bones
from common.initialisation import kaiming_linears
from common.product import product
from common.skeleton import H36M_16


def kinematic_chain_space(directions):
    """(B, n, 3) unit bones -> (B, n, n) dot products of all pairs, after Wandt and Rosenhahn (CVPR 2019)."""
    return product(directions, directions.transpose(1, 2))


class KcsBranch(nn.Module):
    """(B, 15, 3) unit bones -> (B, 1) score of the body part that consists of `bones`.

    The first layer has a column for every pair of the skeleton's `num_bones` bones, and its input is zero for a pair that
    does not belong to the part. Only the columns of the part's own pairs are computed.
    """

    def __init__(self, bones, num_bones):
        super().__init__()
        bones = torch.tensor(sorted(bones))
        self.register_buffer('choice', for_rows(torch.eye(num_bones)[bones]), persistent=False)           # (45, 3 n)
        self.register_buffer('columns', (bones[:, None] * num_bones + bones).flatten(), persistent=False)
        self.kcs_layer_1 = nn.Linear(num_bones ** 2, 256)
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


class DirectionBranch(nn.Module):
    """(B, 15, 3) unit bones -> (B, 1) score, without the kinematic chain space; not in the paper, for ablations."""

    def __init__(self, num_bones):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3 * num_bones, 256), nn.LeakyReLU(), nn.Linear(256, 256), nn.LeakyReLU(),
                                    nn.Linear(256, 100), nn.LeakyReLU(), nn.Linear(100, 1))

    def forward(self, directions):
        return self.layers(directions.flatten(1))


KCS_FORMS = ('part', 'whole', 'off')


class Discriminator3D(nn.Module):
    """(B, 16, 3) poses in any frame -> (B, 5) scores, one per body part.

    It sees only the angles between bones: root position, bone lengths and view have no influence. For ablations, `kcs`
    'whole' has one branch for the angles between all bones, and 'off' one that sees the bones' directions themselves.
    """

    def __init__(self, skeleton=H36M_16, kcs='part'):
        super().__init__()
        self.skeleton = skeleton
        self.branches = nn.ModuleDict(_branches(skeleton, kcs))
        kaiming_linears(self)

    def forward(self, pose3d):
        directions = unit_bones(bone_vectors(pose3d, self.skeleton))
        return torch.cat([branch(directions) for branch in self.branches.values()], dim=1)


def _branches(skeleton, kcs):
    """The branches of the 3D discriminator by name."""
    if kcs == 'off':
        return {'directions': DirectionBranch(skeleton.num_bones)}
    parts = skeleton.critic_parts if kcs == 'part' else {'body': skeleton.names[1:]}
    return {part: KcsBranch(skeleton.bones(*names), skeleton.num_bones) for part, names in parts.items()}


class Discriminator2D(nn.Module):
    """(B, 16, 2) poses in normalised image coordinates -> (B, 1) scores."""

    def __init__(self, skeleton=H36M_16):
        super().__init__()
        width = 100
        self.pose_layer_1 = nn.Linear(2 * skeleton.num_joints, width)
        self.pose_layer_2 = nn.Linear(width, width)
        self.pose_layer_3 = nn.Linear(width, width)
        self.pose_layer_4 = nn.Linear(width, width)
        self.layer_last = nn.Linear(width, width)
        self.layer_pred = nn.Linear(width, 1)
        kaiming_linears(self)

    def forward(self, pose2d):
        """PoseAug: the residual sum is followed by an activation here, but not in `KcsBranch`."""
        first = F.leaky_relu(self.pose_layer_1(pose2d.flatten(1)))
        features = F.leaky_relu(self.pose_layer_2(first))
        features = self.pose_layer_4(F.leaky_relu(self.pose_layer_3(features) + first))
        return self.layer_pred(F.leaky_relu(self.layer_last(features)))

"""ST-GCN for one frame (Cai et al., ICCV 2019): graph convolutions on 17 joints, on five body parts and over the body.

Features are rows (B, nodes, channels). The graph convolutions split the adjacency A (4, nodes, nodes) by what a node
sums: itself, neighbours farther from the centre, neighbours nearer to it, its mirror image. Inside the network the
joints stand in the order of PARTS, so that a part, and all joints that have a mirror image, are slices.
"""
import torch
from torch import nn
from torch.nn import functional as F

from common.skeleton import H36M_16, H36M_17, Skeleton
from models_baseline.layers import Dropout, PointwiseConv2d, RowBatchNorm, as_joints, linear

NUM_KINDS = 4
PARTS = dict(left_arm=('LShoulder', 'LElbow', 'LWrist'), right_arm=('RShoulder', 'RElbow', 'RWrist'),
             left_leg=('LHip', 'LKnee', 'LFoot'), right_leg=('RHip', 'RKnee', 'RFoot'),
             torso=('Hip', 'Spine', 'Thorax', 'Neck', 'Head'))
# The graph of the five parts: four limbs that hang from the torso. The torso leads here, and the nodes are put in
# PARTS' order below.
_PART_TREE = Skeleton(names=('Torso', 'LArm', 'RArm', 'LLeg', 'RLeg'), parent_names=(None,) + ('Torso',) * 4)
_PART_ORDER = _PART_TREE.joints('LArm', 'RArm', 'LLeg', 'RLeg', 'Torso')
JOINT_ORDER = H36M_17.joints(*(name for names in PARTS.values() for name in names))

# Each layer's own dropout rate, in force where the rate asked for is negative.
OWN_DROPOUT = dict(unit=0.05, body=0.25, merge=0.1, head=0.1)


def joint_adjacency():
    """(4, 17, 17) of the joints, centred on the spine."""
    return _split_adjacency(H36M_17, centre='Spine')


def part_adjacency():
    """(4, 5, 5) of the parts, centred on the torso, in the order of PARTS."""
    return _split_adjacency(_PART_TREE, centre='Torso')[:, _PART_ORDER][:, :, _PART_ORDER]


def _split_adjacency(skeleton, centre):
    """(4, V, V): A[k, v, w] weighs v in the sum for w; the columns sum to one over k and v together."""
    hops = torch.tensor(skeleton.hops_from(centre))
    farther = hops[:, None] > hops[None, :]
    bones = torch.as_tensor(skeleton.adjacency)
    mirrored = torch.zeros_like(bones)
    for right, left in skeleton.symmetric_pairs:
        mirrored[right, left] = mirrored[left, right] = 1
    kinds = torch.stack([torch.eye(len(hops)), bones * farther, bones * farther.T, mirrored])
    return kinds / kinds.sum((0, 1))


class GraphMix(nn.Module):
    """1x1 conv to 4 kinds of features, then each node sums its neighbours' by kind: (B, V, in) -> (B, V, out).

    Computed the other way round: the sums first, then one matrix product over (kind, in) for the first nodes, which have
    a mirror image, and one for those of the middle, which need a kind less: fewer operations, and nothing 4 * out wide.
    """

    def __init__(self, in_channels, out_channels, adjacency):
        super().__init__()
        self.conv = PointwiseConv2d(in_channels, NUM_KINDS * out_channels)
        paired = int((adjacency[-1] > 0).any(0).sum())
        for group, nodes in (('paired', slice(paired)), ('middle', slice(paired, None))):
            kinds = adjacency[:, :, nodes].flatten(1).any(1).nonzero().flatten()        # those that lead to these nodes
            self.register_buffer(f'kinds_{group}', kinds, persistent=False)
            self.register_buffer(f'mix_{group}', _mix_of(kinds, adjacency[:, :, nodes]), persistent=False)

    def forward(self, features):
        weight = self.conv.weight.view(NUM_KINDS, -1, features.shape[-1])
        bias = self.conv.bias.view(NUM_KINDS, -1)
        groups = ((self.mix_paired, self.kinds_paired), (self.mix_middle, self.kinds_middle))
        return torch.cat([_convolve(mix, features, weight.index_select(0, kinds), bias.index_select(0, kinds))
                          for mix, kinds in groups], dim=1)


def _convolve(mix, features, weight, bias):
    """(nodes * kinds, V), (B, V, in), (kinds, out, in), (kinds, out) -> (B, nodes, out)."""
    kinds = len(weight)
    sums = (mix @ features).unflatten(1, (-1, kinds)).flatten(2)                        # (B, nodes, kinds * in)
    return linear(sums, weight.transpose(0, 1).flatten(1)) + mix.sum(1).view(-1, kinds) @ bias


def _mix_of(kinds, adjacency):
    """(nodes * kinds, V): each row sums the features of one node's neighbours of one kind."""
    return adjacency[kinds].permute(2, 0, 1).flatten(0, 1).contiguous()


class StGcnUnit(nn.Module):
    """Graph mixing, BN, ReLU, dropout, 1x1 conv, BN, dropout; plus the residual; ReLU.

    The residual is the input itself, or its 1x1 conv and BN where widths differ.
    """

    def __init__(self, in_channels, out_channels, adjacency, dropout, has_residual=True):
        super().__init__()
        self.gcn = GraphMix(in_channels, out_channels, adjacency)
        self.tcn = nn.Sequential(RowBatchNorm(out_channels), nn.ReLU(), Dropout(dropout),
                                 PointwiseConv2d(out_channels, out_channels), RowBatchNorm(out_channels),
                                 Dropout(dropout))
        self.has_residual = has_residual
        if has_residual:
            self.residual = nn.Identity() if in_channels == out_channels else nn.Sequential(
                PointwiseConv2d(in_channels, out_channels), RowBatchNorm(out_channels))

    def forward(self, features):
        result = self.tcn(self.gcn(features))
        return F.relu(result + self.residual(features) if self.has_residual else result)


class NonLocal(nn.Module):
    """Non-local block (Wang et al., CVPR 2018): softmax(theta . phi) over the source joints, unscaled; residual.

    (B, 17, channels / 2) of joints and (B, 5, channels / 2) of their parts -> (B, 17, channels).
    """

    def __init__(self, channels, inner):
        super().__init__()
        self.g = PointwiseConv2d(channels, inner)
        self.W = nn.Sequential(PointwiseConv2d(inner, channels), RowBatchNorm(channels))
        self.theta = PointwiseConv2d(channels, inner)
        self.phi = PointwiseConv2d(channels, inner)
        nn.init.zeros_(self.W[1].weight)
        nn.init.zeros_(self.W[1].bias)

    def forward(self, joints, parts, copy_back):
        """`copy_back` (17, 5) gives each joint its part's features, here after the products: there are fewer parts."""
        weight, bias = (torch.cat([getattr(layer, name) for layer in (self.theta, self.phi, self.g)])
                        for name in ('weight', 'bias'))
        of_joints, of_parts = weight.flatten(1).chunk(2, dim=1)
        projected = torch.baddbmm(linear(joints, of_joints), copy_back.expand(parts.shape[0], -1, -1),
                                  linear(parts, of_parts, bias))
        theta, phi, g = projected.chunk(3, dim=-1)
        seen = (theta @ phi.transpose(1, 2)).softmax(dim=-1) @ g
        return torch.cat([joints, copy_back @ parts], dim=-1) + self.W(seen)


class StGcnBody(nn.Module):
    """(B, 17, 2) -> (B, 17, 3): joints, then parts, then the whole body, then back to the joints."""

    def __init__(self, dropout):
        super().__init__()
        rate = {place: own if dropout < 0 else dropout for place, own in OWN_DROPOUT.items()}
        joints, parts = joint_adjacency()[:, JOINT_ORDER][:, :, JOINT_ORDER], part_adjacency()
        # PoseAug: the reference hands its momentum over as eps; released weights depend on it.
        self.data_bn = nn.BatchNorm1d(2 * H36M_17.num_joints, eps=0.1, momentum=0.1)
        self.st_gcn_networks = nn.ModuleList([
            StGcnUnit(2, 128, joints, rate['unit'], has_residual=False),
            StGcnUnit(128, 128, joints, rate['unit']), StGcnUnit(128, 256, joints, rate['unit'])])
        self.st_gcn_pool = nn.ModuleList([
            StGcnUnit(256, 512, parts, rate['unit']), StGcnUnit(512, 512, parts, rate['unit'])])
        self.conv4 = _conv_unit(512, 512, rate['body'])
        self.conv2 = _conv_unit(1024, 256, rate['merge'])
        self.non_local = NonLocal(512, 256)
        self.fcn = nn.Sequential(Dropout(rate['head']), PointwiseConv2d(512, 3))
        in_order = torch.eye(H36M_17.num_joints)[JOINT_ORDER]
        self.register_buffer('in_order', in_order, persistent=False)                        # (17, 17) permutation
        self.part_sizes = [len(names) for names in PARTS.values()]
        self.register_buffer('copy_back', _copies(self.part_sizes), persistent=False)       # (17, 5)

    def forward(self, pose2d):
        """(B, 17, 2) -> (B, 17, 3). The order of each concatenation is that of the released weights' channels."""
        features = self.in_order @ self.data_bn(pose2d.flatten(1)).view_as(pose2d)
        for unit in self.st_gcn_networks:
            features = unit(features)
        parts = torch.stack([joints.amax(1) for joints in features.split(self.part_sizes, dim=1)], dim=1)
        for unit in self.st_gcn_pool:
            parts = unit(parts)
        body = self.conv4(parts.amax(1, keepdim=True))
        parts = self.conv2(torch.cat([body.expand_as(parts), parts], dim=-1))
        return self.in_order.T @ self.fcn(self.non_local(features, parts, self.copy_back))


class StGcn(nn.Module):
    """(B, 16, 2) or (B, 32) normalised 2D -> (B, 16, 3) metres, camera frame. PoseAug: the root is not zeroed.

    Inside, Human3.6M's Neck stands midway between Thorax and Head. `stages` does nothing (as in the reference).
    A negative `dropout` keeps each layer's own rate.
    """

    def __init__(self, stages, dropout):
        super().__init__()
        self.stgcn = StGcnBody(dropout)
        self.register_buffer('with_neck', _neck_matrix(), persistent=False)

    def forward(self, pose2d):
        pose3d_17 = self.stgcn(self.with_neck @ as_joints(pose2d))
        neck = H36M_17.names.index('Neck')
        return torch.cat([pose3d_17[:, :neck], pose3d_17[:, neck + 1:]], dim=1)


def _copies(sizes):
    """(sum of sizes, parts): a one where the row's joint belongs to the part."""
    return torch.block_diag(*(torch.ones(size, 1) for size in sizes))


def _conv_unit(in_channels, out_channels, dropout):
    return nn.Sequential(PointwiseConv2d(in_channels, out_channels), RowBatchNorm(out_channels), nn.ReLU(),
                         Dropout(dropout))


def _neck_matrix():
    """(17, 16): copies our joints and puts Neck between Thorax and Head."""
    rows = [[name] if name in H36M_16.names else ['Thorax', 'Head'] for name in H36M_17.names]
    matrix = torch.zeros(len(rows), H36M_16.num_joints)
    for row, sources in zip(matrix, rows):
        row[H36M_16.joints(*sources)] = 1 / len(sources)
    return matrix

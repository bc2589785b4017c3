"""ST-GCN for one frame (Cai et al., ICCV 2019): graph convolutions on the joints, on five body parts and over the body.

Shapes are given for the 17 joints of H36M_17: the network adds Neck to H36M_16 (see `Skeleton.completed`).
Features are rows (B, nodes, channels). A graph convolution splits the adjacency A (4, nodes, nodes) by kinds of
neighbours: the node itself, neighbours farther from the centre, neighbours nearer to it, and its mirror image. Inside
the network the joints are in the order of the skeleton's `graph_parts`, so that each part is a slice. The joints that
have a mirror image come first and are a slice too.
"""
import torch
from torch import nn
from torch.nn import functional as F

from common.skeleton import H36M_16, H36M_17, Skeleton
from models_baseline.layers import Dropout, PointwiseConv2d, RowBatchNorm, as_joints, linear

NUM_KINDS = 4
# Each layer's own dropout rate, used where the given rate is negative.
OWN_DROPOUT = dict(unit=0.05, body=0.25, merge=0.1, head=0.1)


def joint_adjacency(skeleton=H36M_17):
    """(4, 17, 17) adjacency of the joints in the skeleton's order, by kinds of neighbours."""
    return _split_adjacency(skeleton, skeleton.graph_centre)


def part_adjacency(skeleton=H36M_17):
    """(4, 5, 5) adjacency of the parts in the order of `graph_parts`: limbs, joined to the last part, the trunk."""
    *limbs, trunk = [_as_joint(part) for part in skeleton.graph_parts]
    tree = Skeleton(names=(trunk, *limbs), parent_names=(None,) + (trunk,) * len(limbs))
    order = tree.joints(*limbs, trunk)
    return _split_adjacency(tree, trunk)[:, order][:, :, order]


def _as_joint(part):
    """'left_arm' -> 'LArm', so that the mirror of a part follows from its name as a joint's does."""
    side, _, name = part.rpartition('_')
    return side[:1].upper() + name.capitalize()


def joint_order(skeleton):
    """The skeleton's joints, part by part."""
    return skeleton.joints(*(name for names in skeleton.graph_parts.values() for name in names))


def _split_adjacency(skeleton, centre):
    """(4, V, V): A[k, v, w] is the weight of node v in the sum for node w; over k and v together they sum to one."""
    hops = torch.tensor(skeleton.hops_from(centre))
    farther = hops[:, None] > hops[None, :]
    bones = torch.as_tensor(skeleton.adjacency)
    mirrored = torch.zeros_like(bones)
    for right, left in skeleton.symmetric_pairs:
        mirrored[right, left] = mirrored[left, right] = 1
    kinds = torch.stack([torch.eye(len(hops)), bones * farther, bones * farther.T, mirrored])
    return kinds / kinds.sum((0, 1))


class GraphMix(nn.Module):
    """Graph convolution (B, V, in) -> (B, V, out): 1x1 convolution to features for each kind, summed over neighbours.

    Computed in the reverse order, which takes fewer operations: first the sums over neighbours, then a matrix product over
    (kind, in). There is one product for the nodes with a mirror image, which come first, and one for those in the middle,
    which lack that kind.
    """

    def __init__(self, in_channels, out_channels, adjacency):
        super().__init__()
        self.conv = PointwiseConv2d(in_channels, NUM_KINDS * out_channels)
        paired = int((adjacency[-1] > 0).any(0).sum())
        for group, nodes in (('paired', slice(paired)), ('middle', slice(paired, None))):
            kinds = adjacency[:, :, nodes].flatten(1).any(1).nonzero().flatten()        # kinds that lead to these nodes
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
    """GraphMix, BatchNorm, ReLU, dropout, 1x1 convolution, BatchNorm, dropout; then the residual is added; ReLU.

    The residual is the input itself or, where the widths differ, its 1x1 convolution and BatchNorm.
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
    """Non-local block (Wang et al., CVPR 2018): softmax(theta . phi) over the joints, not scaled; with a residual.

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
        """`copy_back` (17, 5) gives each joint its part's features; applied after the convolutions, as parts are fewer."""
        weight, bias = (torch.cat([getattr(layer, name) for layer in (self.theta, self.phi, self.g)])
                        for name in ('weight', 'bias'))
        of_joints, of_parts = weight.flatten(1).chunk(2, dim=1)
        projected = torch.baddbmm(linear(joints, of_joints), copy_back.expand(parts.shape[0], -1, -1),
                                  linear(parts, of_parts, bias))
        theta, phi, g = projected.chunk(3, dim=-1)
        seen = (theta @ phi.transpose(1, 2)).softmax(dim=-1) @ g
        return torch.cat([joints, copy_back @ parts], dim=-1) + self.W(seen)


class StGcnBody(nn.Module):
    """(B, 17, 2) -> (B, 17, 3): from joints to parts, to the whole body, and back to the joints."""

    def __init__(self, dropout, skeleton):
        super().__init__()
        rate = {place: own if dropout < 0 else dropout for place, own in OWN_DROPOUT.items()}
        order = joint_order(skeleton)
        joints, parts = joint_adjacency(skeleton)[:, order][:, :, order], part_adjacency(skeleton)
        # PoseAug: the reference passes the momentum 0.1 as eps; released weights depend on it.
        self.data_bn = nn.BatchNorm1d(2 * skeleton.num_joints, eps=0.1, momentum=0.1)
        self.st_gcn_networks = nn.ModuleList([
            StGcnUnit(2, 128, joints, rate['unit'], has_residual=False),
            StGcnUnit(128, 128, joints, rate['unit']), StGcnUnit(128, 256, joints, rate['unit'])])
        self.st_gcn_pool = nn.ModuleList([
            StGcnUnit(256, 512, parts, rate['unit']), StGcnUnit(512, 512, parts, rate['unit'])])
        self.conv4 = _conv_unit(512, 512, rate['body'])
        self.conv2 = _conv_unit(1024, 256, rate['merge'])
        self.non_local = NonLocal(512, 256)
        self.fcn = nn.Sequential(Dropout(rate['head']), PointwiseConv2d(512, 3))
        self.register_buffer('in_order', torch.eye(skeleton.num_joints)[order], persistent=False)    # (17, 17) permutation
        self.part_sizes = [len(names) for names in skeleton.graph_parts.values()]
        self.register_buffer('copy_back', _copies(self.part_sizes), persistent=False)                # (17, 5)

    def forward(self, pose2d):
        """Concatenations are in the channel order of the released weights."""
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
    """(B, 16, 2) or (B, 32) normalised 2D -> (B, 16, 3) metres, camera frame.

    PoseAug: the root is predicted like any other joint and not set to zero; `stages` has no effect.
    At the input, Neck is added as the midpoint of Thorax and Head; it is dropped from the output. With a negative `dropout`
    each layer has its own rate (OWN_DROPOUT).
    """

    def __init__(self, stages, dropout, skeleton=H36M_16):
        super().__init__()
        whole = skeleton.completed or skeleton
        self.stgcn = StGcnBody(dropout, whole)
        self.register_buffer('with_neck', torch.as_tensor(skeleton.completion_matrix()), persistent=False)    # (17, 16)
        self.register_buffer('own_joints', torch.tensor(whole.joints(*skeleton.names)), persistent=False)

    def forward(self, pose2d):
        return self.stgcn(self.with_neck @ as_joints(pose2d)).index_select(1, self.own_joints)


def _copies(sizes):
    """(sum of sizes, parts): 1 where the row's joint belongs to the part."""
    return torch.block_diag(*(torch.ones(size, 1) for size in sizes))


def _conv_unit(in_channels, out_channels, dropout):
    return nn.Sequential(PointwiseConv2d(in_channels, out_channels), RowBatchNorm(out_channels), nn.ReLU(),
                         Dropout(dropout))

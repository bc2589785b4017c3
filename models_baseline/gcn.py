"""SemGCN (Zhao et al., CVPR 2019): graph convolutions whose edge weights are learned, one softmax per joint.

Shapes are given for 16 joints. Inside the network the joints come first, (16, B, channels): mixing them is then one
product of a (16, 16) with a (16, B * channels) matrix, and all other layers work on rows of channels.
"""
import math

import torch
from torch import nn
from torch.nn import functional as F

from common.skeleton import H36M_16
from models_baseline.layers import ReluDropout, RowBatchNorm, as_joints, linear

WIDTH = 128


def normalised_adjacency(skeleton=H36M_16):
    """(16, 16): the skeleton's graph with self-loops, each row divided by its sum."""
    graph = torch.as_tensor(skeleton.adjacency) + torch.eye(skeleton.num_joints)
    return graph / graph.sum(1, keepdim=True)


class SemGraphConv(nn.Module):
    """(16, B, in) -> (16, B, out): (A * I) x W[0] + (A * (1 - I)) x W[1] + bias.

    A is the row-wise softmax of learned logits. `e` holds one logit for each non-zero entry of the skeleton's graph, row
    by row (46 for 16 joints); everywhere else the logit is -9e15.
    """

    def __init__(self, in_channels, out_channels, skeleton):
        super().__init__()
        edges = normalised_adjacency(skeleton) > 0
        self.W = nn.Parameter(nn.init.xavier_uniform_(torch.empty(2, in_channels, out_channels), gain=1.414))
        self.e = nn.Parameter(torch.ones(1, int(edges.sum())))
        bound = 1 / math.sqrt(out_channels)
        self.bias = nn.Parameter(torch.empty(out_channels).uniform_(-bound, bound))
        self.register_buffer('edge_places', edges.flatten().nonzero().squeeze(1), persistent=False)
        self.register_buffer('no_edge_logits', torch.full((edges.numel(),), -9e15), persistent=False)
        self.register_buffer('self_mask', torch.eye(len(edges)), persistent=False)

    def attention(self):
        """(16, 16) softmax-normalised adjacency."""
        logits = self.no_edge_logits.scatter(0, self.edge_places, self.e[0])
        return F.softmax(logits.view_as(self.self_mask), dim=1)

    def forward(self, features):
        """W[1] comes before the mixing of the neighbours, so that one product with a (16, 16) matrix mixes the whole batch."""
        attention = self.attention()
        own = linear(features * attention.diagonal()[:, None, None], self.W[0].t())
        others = linear(features, self.W[1].t()).flatten(1)
        mixed = torch.addmm(own.flatten(1), attention * (1 - self.self_mask), others)
        return mixed.view_as(own) + self.bias


class GraphConvUnit(nn.Module):
    """SemGraphConv, BatchNorm over channels, ReLU, dropout.

    The reference has a second ReLU after the dropout, which changes nothing.
    """

    def __init__(self, in_channels, dropout, skeleton):
        super().__init__()
        self.gconv = SemGraphConv(in_channels, WIDTH, skeleton)
        self.bn = RowBatchNorm(WIDTH)
        self.activate = ReluDropout(dropout)

    def forward(self, features):
        return self.activate(self.bn(self.gconv(features)))


class ResidualUnits(nn.Module):
    """Two graph-convolution units with a residual connection."""

    def __init__(self, dropout, skeleton):
        super().__init__()
        self.gconv1 = GraphConvUnit(WIDTH, dropout, skeleton)
        self.gconv2 = GraphConvUnit(WIDTH, dropout, skeleton)

    def forward(self, features):
        return features + self.gconv2(self.gconv1(features))


class SemGCN(nn.Module):
    """(B, 16, 2) or (B, 32) normalised 2D -> (B, 16, 3) metres, camera frame.

    PoseAug: all joints are predicted, including the root, which is not set to zero; the evaluation subtracts it.
    """
    batch_dim = 1       # the dimension of the poses inside the network (utils/ranks.py)

    def __init__(self, stages, dropout, skeleton=H36M_16):
        super().__init__()
        self.gconv_input = nn.Sequential(GraphConvUnit(2, dropout, skeleton))
        self.gconv_layers = nn.Sequential(*(ResidualUnits(dropout, skeleton) for _ in range(stages)))
        self.gconv_output = SemGraphConv(WIDTH, 3, skeleton)

    def forward(self, pose2d):
        joint_major = as_joints(pose2d).transpose(0, 1).contiguous()
        features = self.gconv_layers(self.gconv_input(joint_major))
        return self.gconv_output(features).transpose(0, 1)

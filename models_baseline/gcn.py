"""SemGCN (Zhao et al., CVPR 2019): graph convolutions whose edge weights are learned, one softmax per joint.

Inside the network features are joint-major, (16, B, channels): mixing joints is then one product of a (16, 16) matrix
with a (16, B * channels) one, and everything else works on rows.
"""
import math

import torch
from torch import nn
from torch.nn import functional as F

from common.skeleton import H36M_16
from models_baseline.layers import ReluDropout, RowBatchNorm, as_joints, linear

WIDTH = 128


def normalised_adjacency(skeleton=H36M_16):
    """(16, 16) skeleton graph with self-loops, each row divided by its sum."""
    graph = torch.as_tensor(skeleton.adjacency) + torch.eye(skeleton.num_joints)
    return graph / graph.sum(1, keepdim=True)


class SemGraphConv(nn.Module):
    """(16, B, in) -> (16, B, out): (A * I) x W[0] + (A * (1 - I)) x W[1] + bias.

    A is the softmax, row by row, of learned logits: `e` holds one for each non-zero of the skeleton graph (46, filled
    row by row); elsewhere the logit is -9e15.
    """

    def __init__(self, in_channels, out_channels):
        super().__init__()
        edges = normalised_adjacency() > 0
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
        """W[1] is applied before the neighbours are mixed, so that one (16, 16) product mixes the whole batch."""
        attention = self.attention()
        own = linear(features * attention.diagonal()[:, None, None], self.W[0].t())
        others = linear(features, self.W[1].t()).flatten(1)
        mixed = torch.addmm(own.flatten(1), attention * (1 - self.self_mask), others)
        return mixed.view_as(own) + self.bias


class GraphConvUnit(nn.Module):
    """SemGraphConv, BatchNorm over channels, ReLU, dropout.

    (The reference's second ReLU after the dropout changes nothing.)
    """

    def __init__(self, in_channels, dropout):
        super().__init__()
        self.gconv = SemGraphConv(in_channels, WIDTH)
        self.bn = RowBatchNorm(WIDTH)
        self.activate = ReluDropout(dropout)

    def forward(self, features):
        return self.activate(self.bn(self.gconv(features)))


class ResidualUnits(nn.Module):
    """Two graph-conv units; the input is added to the result."""

    def __init__(self, dropout):
        super().__init__()
        self.gconv1 = GraphConvUnit(WIDTH, dropout)
        self.gconv2 = GraphConvUnit(WIDTH, dropout)

    def forward(self, features):
        return features + self.gconv2(self.gconv1(features))


class SemGCN(nn.Module):
    """(B, 16, 2) or (B, 32) normalised 2D -> (B, 16, 3) metres, camera frame.

    PoseAug: all 16 joints are predicted, the root included and not zeroed; evaluation re-roots.
    """

    def __init__(self, stages, dropout):
        super().__init__()
        self.gconv_input = nn.Sequential(GraphConvUnit(2, dropout))
        self.gconv_layers = nn.Sequential(*(ResidualUnits(dropout) for _ in range(stages)))
        self.gconv_output = SemGraphConv(WIDTH, 3)

    def forward(self, pose2d):
        joint_major = as_joints(pose2d).transpose(0, 1).contiguous()
        features = self.gconv_layers(self.gconv_input(joint_major))
        return self.gconv_output(features).transpose(0, 1)

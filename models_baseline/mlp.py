"""SimpleBaseline (Martinez et al., ICCV 2017): a residual multilayer perceptron."""
from torch import nn

from common.initialisation import kaiming_linears
from common.skeleton import H36M_16
from models_baseline.layers import Linear, ReluDropout, prepend_root

WIDTH = 1024


class ResidualBlock(nn.Module):
    """Twice Linear, BatchNorm, ReLU, dropout, with a residual connection."""

    def __init__(self, dropout):
        super().__init__()
        self.w1 = Linear(WIDTH, WIDTH)
        self.batch_norm1 = nn.BatchNorm1d(WIDTH)
        self.w2 = Linear(WIDTH, WIDTH)
        self.batch_norm2 = nn.BatchNorm1d(WIDTH)
        self.activate = ReluDropout(dropout)

    def forward(self, features):
        hidden = self.activate(self.batch_norm1(self.w1(features)))
        return features + self.activate(self.batch_norm2(self.w2(hidden)))


class SimpleBaseline(nn.Module):
    """(B, 16, 2) or (B, 32) normalised 2D -> (B, 16, 3) metres, camera frame, root-relative: the root is zero."""

    def __init__(self, stages, dropout, skeleton=H36M_16):
        super().__init__()
        self.w1 = Linear(2 * skeleton.num_joints, WIDTH)
        self.batch_norm1 = nn.BatchNorm1d(WIDTH)
        self.linear_stages = nn.ModuleList(ResidualBlock(dropout) for _ in range(stages))
        self.w2 = Linear(WIDTH, 3 * (skeleton.num_joints - 1))
        self.activate = ReluDropout(dropout)
        kaiming_linears(self)

    def forward(self, pose2d):
        features = self.activate(self.batch_norm1(self.w1(pose2d.flatten(1))))
        for block in self.linear_stages:
            features = block(features)
        return prepend_root(self.w2(features))

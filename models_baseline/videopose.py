"""VideoPose3D (Pavllo et al., CVPR 2019) for a single frame, where all convolutions have kernel size 1."""
from torch import nn

from common.skeleton import H36M_16
from models_baseline.layers import PointwiseConv1d, ReluDropout, prepend_root

WIDTH = 1024


class VideoPose(nn.Module):
    """(B, 16, 2) or (B, 32) normalised 2D -> (B, 16, 3) metres, camera frame, root-relative: the root is zero.

    Residual block i consists of the layers 2 i and 2 i + 1 of `layers_conv` and `layers_bn`, as released checkpoints
    name them.
    """

    def __init__(self, stages, dropout, skeleton=H36M_16):
        super().__init__()
        self.expand_bn = nn.BatchNorm1d(WIDTH)
        self.shrink = PointwiseConv1d(WIDTH, 3 * (skeleton.num_joints - 1))
        self.expand_conv = PointwiseConv1d(2 * skeleton.num_joints, WIDTH, bias=False)
        self.layers_conv = nn.ModuleList(PointwiseConv1d(WIDTH, WIDTH, bias=False) for _ in range(2 * stages))
        self.layers_bn = nn.ModuleList(nn.BatchNorm1d(WIDTH) for _ in range(2 * stages))
        self.activate = ReluDropout(dropout)

    def forward(self, pose2d):
        features = self.activate(self.expand_bn(self.expand_conv(pose2d.flatten(1))))
        layers = list(zip(self.layers_conv, self.layers_bn))
        for (conv1, norm1), (conv2, norm2) in zip(layers[::2], layers[1::2]):
            hidden = self.activate(norm1(conv1(features)))
            features = features + self.activate(norm2(conv2(hidden)))
        return prepend_root(self.shrink(features))

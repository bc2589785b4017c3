"""What the lifters share: matrix products on rows, dropout, and the shapes at both ends of a lifter.

Rows are (..., channels). A 1x1 convolution over (B, C, J) is a Linear on each (b, j) row: the same numbers, 1.5 to 3
times faster on a CPU; the weights keep the convolution's shape, so released checkpoints load.
"""
import torch
from torch import nn
from torch.nn import functional as F

from common.skeleton import H36M_16

POSE2D_SIZE = 2 * H36M_16.num_joints             # numbers of a pose in the image
ROOTLESS_SIZE = 3 * (H36M_16.num_joints - 1)     # of a pose in space, but for the root: see prepend_root
# oneDNN, which PyTorch has beside its BLAS, makes large products 10 to 15 % faster on an AMD processor with AVX2 or AVX-512
# (with less it is slower): from so many multiplications on, and so many channels.
HAS_ONEDNN = torch.backends.mkldnn.is_available() and torch.backends.cpu.get_cpu_capability() in ('AVX2', 'AVX512')
LARGE_PRODUCT, WIDE = 2 ** 28, 32
MANY_ROWS = 8192                                 # the gradient of a weight is summed in parts from here on


class Linear(nn.Linear):
    """nn.Linear by `linear`."""

    def forward(self, rows):
        return linear(rows, self.weight, self.bias)


class PointwiseConv1d(nn.Conv1d):
    """nn.Conv1d of kernel size 1 on rows (..., in_channels) -> (..., out_channels)."""

    def __init__(self, in_channels, out_channels, bias=True):
        super().__init__(in_channels, out_channels, 1, bias=bias)

    def forward(self, rows):
        return linear(rows, self.weight.flatten(1), self.bias)


class PointwiseConv2d(nn.Conv2d):
    """nn.Conv2d of kernel size 1 on rows (..., in_channels) -> (..., out_channels)."""

    def __init__(self, in_channels, out_channels):
        super().__init__(in_channels, out_channels, 1)

    def forward(self, rows):
        return linear(rows, self.weight.flatten(1), self.bias)


def linear(rows, weight, bias=None):
    """F.linear; large float32 products on a CPU by oneDNN."""
    if _onednn_gains(rows, weight):
        return _OneDnnLinear.apply(rows, weight.contiguous(), bias)     # with a slice of a matrix oneDNN takes a minute
    return F.linear(rows, weight, bias)


def _onednn_gains(rows, weight):
    """Large products only, in programs of ours: a file that is exported or traced must run everywhere."""
    return (HAS_ONEDNN and not (torch.compiler.is_compiling() or torch.jit.is_tracing())
            and rows.device.type == 'cpu' and rows.dtype == torch.float32
            and rows.numel() * len(weight) >= LARGE_PRODUCT and min(weight.shape) >= WIDE)


def _onednn_linear(rows, weight, bias):
    """The operation that torch.compile puts in F.linear's place."""
    return torch.ops.mkldnn._linear_pointwise(rows, weight, bias, 'none', [], '')


class _OneDnnLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx, rows, weight, bias):
        ctx.save_for_backward(rows, weight)
        return _onednn_linear(rows, weight, bias)

    @staticmethod
    def backward(ctx, gradient):
        rows, weight = ctx.saved_tensors
        to_rows, to_weight, to_bias = ctx.needs_input_grad
        gradient_rows = gradient.flatten(0, -2)
        return (_onednn_linear(gradient, weight.t(), None) if to_rows else None,
                _gradient_of_weight(gradient_rows, rows.flatten(0, -2)) if to_weight else None,
                gradient_rows.sum(0) if to_bias else None)


def _gradient_of_weight(gradient, rows):
    """(N, out), (N, in) -> (out, in). By the BLAS: oneDNN would copy both transposed. A long sum is faster in four parts."""
    if len(rows) < MANY_ROWS or len(rows) % 4:
        return gradient.t() @ rows
    return torch.bmm(gradient.unflatten(0, (4, -1)).transpose(1, 2), rows.unflatten(0, (4, -1))).sum(0)


class RowBatchNorm(nn.BatchNorm1d):
    """BatchNorm over the last dimension of rows (..., channels)."""

    def forward(self, rows):
        return super().forward(rows.flatten(0, -2)).view_as(rows)


class Dropout(nn.Dropout):
    """nn.Dropout with a fast CPU side in training."""

    def forward(self, features):
        if _draws_by_bytes(self, features):
            return _CpuDropout.apply(features, self.p)
        return super().forward(features)


class ReluDropout(nn.Module):
    """ReLU, then dropout with rate `p`: one fast operation on a CPU in training, PyTorch's two elsewhere."""

    def __init__(self, p):
        super().__init__()
        self.p = p

    def forward(self, features):
        if _draws_by_bytes(self, features):
            return _CpuReluDropout.apply(features, self.p)
        return F.dropout(F.relu(features), self.p, self.training)

    def extra_repr(self):
        return f'p={self.p}'


def _draws_by_bytes(module, features):
    return module.training and 0 < module.p < 1 and features.device.type == 'cpu'


def _kept(features, p):
    """Integers of `features`' shape, 1 where an entry is kept.

    PyTorch draws Bernoulli numbers one by one on a CPU. Here one 64-bit draw decides over four entries, or over eight: an
    entry is dropped where its 16 bits, as a signed number, lie below a threshold. The rate is met to 2^-17; one that 8
    bits meet exactly, like a quarter, takes 8.
    """
    bits, kind = (8, torch.int8) if (p * 2 ** 8).is_integer() else (16, torch.int16)
    numbers = torch.empty(-(-features.numel() * bits // 64), dtype=torch.int64).random_(-2 ** 63, None)
    draws = numbers.view(kind)[:features.numel()].view(features.shape)
    return draws.ge_(round(p * 2 ** bits) - 2 ** (bits - 1))


def _drop(features, kept, scale):
    """features * kept * scale in one pass; `kept` is made floats first, as a product of two types is some 30 times slower."""
    kept = kept.to(features.dtype)
    return torch.addcmul(kept.new_zeros(()), kept, features, value=scale, out=kept)


class _CpuDropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx, features, p):
        kept, ctx.scale = _kept(features, p), 1 / (1 - p)
        ctx.save_for_backward(kept)
        return _drop(features, kept, ctx.scale)

    @staticmethod
    def backward(ctx, gradient):
        kept, = ctx.saved_tensors
        return _drop(gradient, kept, ctx.scale), None


class _CpuReluDropout(torch.autograd.Function):
    """Keeps no draws for the backward pass: an entry that was dropped is zero in the output, like one that ReLU cut."""

    @staticmethod
    def forward(ctx, features, p):
        ctx.scale = 1 / (1 - p)
        output = _drop(features, _kept(features, p), ctx.scale).relu_()
        ctx.save_for_backward(output)
        return output

    @staticmethod
    def backward(ctx, gradient):
        output, = ctx.saved_tensors
        return torch.ops.aten.threshold_backward(gradient, output, 0).mul_(ctx.scale), None


def as_joints(pose2d):
    """(B, 16, 2) or (B, 32) -> (B, 16, 2)."""
    return pose2d.reshape(pose2d.shape[0], -1, 2)      # len() would freeze the batch size in an exported file


def prepend_root(joints):
    """(B, 45) or (B, 15, 3) predicted joints -> (B, 16, 3) with the root at the origin."""
    joints = joints.view(joints.shape[0], -1, 3)
    return torch.cat([torch.zeros_like(joints[:, :1]), joints], dim=1)

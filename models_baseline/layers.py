"""Layers that the lifters share: matrix products on rows, BatchNorm, dropout, and the shapes of a lifter's input and output.

Rows are (..., channels). A 1x1 convolution over (B, C, J) is computed as a linear layer on each (b, j) row: this gives
the same numbers 1.5 to 3 times faster on a CPU. Its weights keep the shape of a convolution's, so released checkpoints
load.
"""
import torch
from torch import nn
from torch.nn import functional as F

# PyTorch contains oneDNN besides its BLAS library. On AMD's processors oneDNN is 10 to 15 % faster for float32 products of at
# least LARGE_PRODUCT multiplications and WIDE channels; without AVX2 it is slower.
HAS_ONEDNN = torch.backends.mkldnn.is_available() and torch.backends.cpu.get_cpu_capability() in ('AVX2', 'AVX512')
LARGE_PRODUCT, WIDE = 2 ** 28, 32
MANY_ROWS = 8192         # from this number of rows on, a weight's gradient is summed in parts


class Linear(nn.Linear):
    """nn.Linear, computed by `linear`."""

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
    """F.linear, with large float32 products on a CPU computed by oneDNN."""
    if _onednn_gains(rows, weight):
        return _OneDnnLinear.apply(rows, weight.contiguous(), bias)     # oneDNN takes a minute if the weight is a slice
    return F.linear(rows, weight, bias)


def _onednn_gains(rows, weight):
    """True for large products, but never while a model is exported or traced: an exported file must run everywhere."""
    return (HAS_ONEDNN and not (torch.compiler.is_compiling() or torch.jit.is_tracing())
            and rows.device.type == 'cpu' and rows.dtype == torch.float32
            and rows.numel() * len(weight) >= LARGE_PRODUCT and min(weight.shape) >= WIDE)


def _onednn_linear(rows, weight, bias):
    """The operation by which torch.compile replaces F.linear."""
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
    """(N, out), (N, in) -> (out, in). Uses BLAS, as oneDNN would copy both to transpose them; four partial sums are faster."""
    if len(rows) < MANY_ROWS or len(rows) % 4:
        return gradient.t() @ rows
    return torch.bmm(gradient.unflatten(0, (4, -1)).transpose(1, 2), rows.unflatten(0, (4, -1))).sum(0)


class RowBatchNorm(nn.BatchNorm1d):
    """BatchNorm over the last dimension of rows (..., channels)."""

    def forward(self, rows):
        return super().forward(rows.flatten(0, -2)).view_as(rows)


class Dropout(nn.Dropout):
    """nn.Dropout with a faster random mask in training on a CPU."""

    def forward(self, features):
        if _draws_by_bytes(self, features):
            return _CpuDropout.apply(features, self.p)
        return super().forward(features)


class ReluDropout(nn.Dropout):
    """ReLU, then dropout with rate `p`: one fast operation in training on a CPU, otherwise PyTorch's two."""

    def forward(self, features):
        if _draws_by_bytes(self, features):
            return _CpuReluDropout.apply(features, self.p)
        return F.dropout(F.relu(features), self.p, self.training)

    def extra_repr(self):
        return f'p={self.p}'


def _draws_by_bytes(module, features):
    return module.training and 0 < module.p < 1 and features.device.type == 'cpu'


def _kept(features, p):
    """Integers of the shape of `features`, 1 where an entry is kept.

    On a CPU, PyTorch draws Bernoulli numbers one by one. Here one 64-bit draw decides for four entries: an entry is
    dropped if its 16 bits, read as a signed number, are below a threshold, so the rate is exact to 2^-17. If 8 bits
    give the rate exactly, as for 0.25, one draw decides for eight entries.
    """
    bits, kind = (8, torch.int8) if (p * 2 ** 8).is_integer() else (16, torch.int16)
    numbers = torch.empty(-(-features.numel() * bits // 64), dtype=torch.int64).random_(-2 ** 63, None)
    draws = numbers.view(kind)[:features.numel()].view(features.shape)
    return draws.ge_(round(p * 2 ** bits) - 2 ** (bits - 1))


def _drop(features, kept, scale):
    """features * kept * scale in one pass. `kept` becomes floats first: a product of two types is 30 times slower."""
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
    """Saves no mask for the backward pass: dropped entries are zero in the output, like those that ReLU set to zero."""

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
    return pose2d.reshape(pose2d.shape[0], -1, 2)      # len() would fix the batch size in an exported file


def prepend_root(joints):
    """(B, 45) or (B, 15, 3) predicted joints -> (B, 16, 3) with the root at the origin."""
    joints = joints.view(joints.shape[0], -1, 3)
    return torch.cat([torch.zeros_like(joints[:, :1]), joints], dim=1)

"""Matrix products of geometry, which TF32 would bend: 0.16 mm in the mean where poses pass through it."""
from contextlib import contextmanager

import torch


def product(left, right):
    """left @ right in fp32 proper, forward and backward, also where `allow_tf32` has let the networks' products be less.

    Shapes broadcast as in `@`, from two dimensions on.
    """
    return _FullPrecisionProduct.apply(left, right) if torch.backends.cuda.matmul.allow_tf32 else left @ right


class _FullPrecisionProduct(torch.autograd.Function):
    """The setting is the process's, and autograd runs the backward later: each looks after itself."""

    @staticmethod
    def forward(ctx, left, right):
        ctx.save_for_backward(left, right)
        with full_precision():
            return left @ right

    @staticmethod
    def backward(ctx, gradient):
        left, right = ctx.saved_tensors
        with full_precision():
            to_left = gradient @ right.transpose(-1, -2) if ctx.needs_input_grad[0] else None
            to_right = left.transpose(-1, -2) @ gradient if ctx.needs_input_grad[1] else None
        return tuple(None if found is None else found.sum_to_size(factor.shape)
                     for found, factor in ((to_left, left), (to_right, right)))


def allow_tf32(allowed=True):
    """Whether a GPU may round the factors of matrix products to 10 bits: faster, and about a thousandth off."""
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed


@contextmanager
def full_precision():
    """Within the block products are fp32 proper, whatever `allow_tf32` said."""
    allowed = torch.backends.cuda.matmul.allow_tf32
    allow_tf32(False)
    try:
        yield
    finally:
        allow_tf32(allowed)

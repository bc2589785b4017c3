"""Matrix products in full float32 precision for geometry: TF32 would move poses by 0.16 mm on average."""
from contextlib import contextmanager

import torch


def product(left, right):
    """left @ right in full float32 precision, forward and backward, even if `allow_tf32` lets the networks use TF32.

    Shapes broadcast as in `@`; both factors have at least two dimensions.
    """
    return _FullPrecisionProduct.apply(left, right) if torch.backends.cuda.matmul.allow_tf32 else left @ right


class _FullPrecisionProduct(torch.autograd.Function):
    """Sets the precision in forward and in backward, which autograd calls later: the setting applies to the whole process."""

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
    """Permit a GPU to round the factors of matrix products to 10 bits: faster, with errors of about a thousandth."""
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed


@contextmanager
def full_precision():
    """Within the block, products have full float32 precision, whatever `allow_tf32` permitted."""
    allowed = torch.backends.cuda.matmul.allow_tf32
    allow_tf32(False)
    try:
        yield
    finally:
        allow_tf32(allowed)

"""Large products by oneDNN: the numbers and gradients of F.linear, and where PyTorch's own operation is kept."""
import pytest
import torch
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.counting import count
from function_baseline.export import exported_program
from models_baseline import LIFTERS, build_lifter, layers
from models_baseline.layers import linear

needs_onednn = pytest.mark.skipif(not layers.HAS_ONEDNN, reason='PyTorch has no oneDNN here, or the processor no AVX2')
SHAPES = dict(square=((1024, 1024), 1024), joints=((1024, 17, 256), 256), odd=((1023, 17, 256), 256),
              narrow_output=((8192, 1024), 45))


class OneDnnCalls(TorchDispatchMode):
    """Keeps the weights that oneDNN's products get."""

    def __init__(self):
        super().__init__()
        self.weights = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.namespace == 'mkldnn':
            self.weights.append(args[1])
        return func(*args, **(kwargs or {}))


def weights_multiplied(run):
    with OneDnnCalls() as calls:
        run()
    return calls.weights


def operands(shape, width):
    """rows, weight, bias, and a gradient on their product."""
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(size, generator=generator) for size in (shape, (width, shape[-1]), (width,), (*shape[:-1], width))]


def product_and_gradients(product, rows, weight, bias, gradient):
    factors = [factor.clone().requires_grad_() for factor in (rows, weight, bias)]
    result = product(*factors)
    return result, *torch.autograd.grad(result, factors, gradient)


@pytest.mark.slow
@needs_onednn
@pytest.mark.parametrize('shape, width', SHAPES.values(), ids=SHAPES)
def test_numbers_and_gradients(shape, width):
    inputs, found = operands(shape, width), []
    multiplied = weights_multiplied(lambda: found.extend(product_and_gradients(linear, *inputs)))
    assert len(multiplied) == 2      # forward, and back to the rows
    exact = product_and_gradients(F.linear, *(value.double() for value in inputs))
    for ours, theirs in zip(found, exact, strict=True):
        assert ours.shape == theirs.shape and ours.dtype == torch.float32
        assert (ours - theirs).abs().max() < 2e-6 * theirs.abs().max()


@needs_onednn
def test_equal_inputs_give_equal_bits():
    inputs = operands(*SHAPES['joints'])
    first, *others = (product_and_gradients(linear, *inputs) for _ in range(4))
    assert all(torch.equal(one, other) for again in others for one, other in zip(first, again, strict=True))


@needs_onednn
def test_without_a_bias_and_with_weights_that_do_not_learn():
    rows, weight, _, gradient = operands(*SHAPES['square'])
    rows.requires_grad_()
    flops = count(lambda: linear(rows, weight).backward(gradient)).flops
    assert flops == 2 * 2 * 1024 ** 3       # forward, and back to the rows
    rows.grad = None
    linear(rows, weight).backward(gradient)
    assert (rows.grad - gradient @ weight).abs().max() < 2e-6 * rows.grad.abs().max() and weight.grad is None


@pytest.mark.slow
@needs_onednn
@pytest.mark.parametrize('name', LIFTERS)
def test_a_lifter_multiplies_with_whole_matrices(name):
    """oneDNN has no fast product for a slice of a matrix: one took 47 s in the place of 40 ms."""
    lifter = build_lifter(name).train()
    multiplied = weights_multiplied(lambda: lifter(torch.randn(1024, 16, 2)).sum().backward())
    assert multiplied and all(weight.is_contiguous() or weight.t().is_contiguous() for weight in multiplied)


def test_a_slice_of_a_matrix_is_copied():
    rows, weight, bias, _ = operands((2048, 512), 1024)
    half = weight[:, :256]
    for multiplied in weights_multiplied(lambda: linear(rows[:, :256], half, bias)):
        assert multiplied.is_contiguous()


@pytest.mark.parametrize('num_rows, in_channels, out_channels, dtype', [
    (64, 1024, 1024, torch.float32), (2 ** 17, 8, 512, torch.float32), (1024, 1024, 1024, torch.float64)],
    ids=['small', 'narrow', 'float64'])
def test_other_products_are_pytorchs(num_rows, in_channels, out_channels, dtype):
    rows, weight = torch.ones(num_rows, in_channels, dtype=dtype), torch.ones(out_channels, in_channels, dtype=dtype)
    assert not weights_multiplied(lambda: linear(rows, weight))


@pytest.mark.slow
@pytest.mark.parametrize('name', LIFTERS)
def test_exported_and_traced_lifters_hold_public_operations(name):
    lifter = build_lifter(name).eval().requires_grad_(False)
    large = torch.zeros(1024, 16, 2)
    programs = (str(exported_program(lifter).graph), str(torch.export.export(lifter, (large,)).graph),
                str(torch.jit.trace(lifter, large, check_trace=False).inlined_graph))
    assert not any('mkldnn' in program for program in programs) and all('linear' in program for program in programs)

"""Dropout by bytes, with a ReLU and without: the statistics and the gradient of PyTorch's."""
import pytest
import torch
from torch.nn import functional as F

from models_baseline.layers import Dropout, ReluDropout

FEATURES = torch.randn(4096, 251, generator=torch.Generator().manual_seed(3))     # an odd number of entries a row


@pytest.mark.parametrize('kind', [Dropout, ReluDropout])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('p', [0.05, 0.1, 0.25, 0.5])
def test_share_of_dropped_entries_and_mean(p, dtype, kind):
    torch.manual_seed(0)
    features = FEATURES.to(dtype).abs() + 1
    output = kind(p).train()(features)
    dropped = (output == 0)
    deviation = (p * (1 - p) / dropped.numel()) ** 0.5
    assert abs(dropped.double().mean() - p) < 5 * deviation
    assert torch.allclose(output[~dropped], features[~dropped] / (1 - p))


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_gradient_is_that_of_the_kept_entries(dtype):
    features = FEATURES.to(dtype).clone().requires_grad_()
    output = ReluDropout(0.25).train()(features)
    output.backward(torch.full_like(output, 3))
    assert torch.allclose(features.grad, torch.where(output > 0, 4., 0.).to(dtype))
    assert features.grad.abs().sum() > 0


@pytest.mark.parametrize('p', [0.1, 0.25])
def test_without_a_relu_negative_entries_and_their_gradients_pass(p):
    features = FEATURES.double().requires_grad_()
    output = Dropout(p).train()(features)
    output.backward(torch.full_like(output, 3))
    kept = output != 0
    assert kept[features < 0].any() and torch.allclose(output[kept], features[kept] / (1 - p))
    assert torch.allclose(features.grad, kept.double() * 3 / (1 - p))


@pytest.mark.parametrize('p', [0.05, 0.25, 0.5])
def test_rows_and_columns_are_dropped_independently(p):
    """The four decisions of one draw, or the eight, must not move together."""
    torch.manual_seed(1)
    kept = (ReluDropout(p).train()(torch.ones(50000, 8)) > 0).double() - (1 - p)
    correlation = kept.T @ kept / len(kept) / (p * (1 - p))
    assert correlation.fill_diagonal_(0).abs().max() < 5 / 50000 ** 0.5


def test_the_seed_decides_which_entries_are_dropped():
    draws = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        draws.append(ReluDropout(0.25).train()(FEATURES))
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])


@pytest.mark.parametrize('rate, training', [(0.25, False), (0., True)])
def test_without_dropout_only_the_relu_is_left(rate, training):
    assert torch.equal(ReluDropout(rate).train(training)(FEATURES), F.relu(FEATURES))
    assert torch.equal(Dropout(rate).train(training)(FEATURES), FEATURES)

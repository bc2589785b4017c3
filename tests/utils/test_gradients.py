"""Frozen networks, gradient steps with clipping, Adam, and learning rates."""
import copy

import pytest
import torch
from torch import nn

from utils.gradients import adam, descend, frozen, set_learning_rate


def test_frozen_networks_pass_gradients_on_but_store_none():
    network, pose = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)), torch.randn(8, 4, requires_grad=True)
    mean = network[1].running_mean.clone()
    with frozen(network):
        assert not any(parameter.requires_grad for parameter in network.parameters())
        network(pose).square().sum().backward()
    assert all(parameter.requires_grad and parameter.grad is None for parameter in network.parameters())
    assert torch.isfinite(pose.grad).all() and (pose.grad != 0).any()
    assert not torch.equal(network[1].running_mean, mean)      # the statistics still move


def test_frozen_is_undone_after_an_error_but_not_for_weights_frozen_before():
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    first.bias.requires_grad_(False)
    with pytest.raises(ZeroDivisionError):
        with frozen(first, second):
            raise ZeroDivisionError
    assert first.weight.requires_grad and not first.bias.requires_grad
    assert second.weight.requires_grad and second.bias.requires_grad


def step_of(gradient, **options):
    """How far plain gradient descent of rate 1 moves a weight whose loss has this gradient."""
    network = nn.Linear(len(gradient), 1, bias=False)
    before = network.weight.detach().clone()
    network.weight.grad = torch.full_like(network.weight, 1e6)          # left over from something else
    optimizer = torch.optim.SGD(network.parameters(), lr=1, fused=True)
    descend(network(torch.tensor([gradient])).sum(), network, optimizer, **options)
    return (before - network.weight.detach())[0]


def test_descend_clips_the_norm_to_one_and_keeps_the_direction():
    torch.testing.assert_close(step_of([3., -4]), torch.tensor([.6, -.8]), rtol=0, atol=1e-5)
    torch.testing.assert_close(step_of([.3, -.4]), torch.tensor([.3, -.4]), rtol=0, atol=1e-6)
    torch.testing.assert_close(step_of([3., -4], max_norm=2.5), torch.tensor([1.5, -2]), rtol=0, atol=1e-5)


def test_descend_may_leave_the_norm_alone():
    torch.testing.assert_close(step_of([3., -4], max_norm=None), torch.tensor([3., -4]), rtol=0, atol=1e-5)


def test_adam_takes_the_textbooks_first_step():
    """Both moments are unbiased, so the first step is the learning rate in each coordinate, against the gradient."""
    network = nn.Linear(3, 1, bias=False)
    before = network.weight.detach().clone()
    descend(network(torch.tensor([[.1, -2, 5]])).sum(), network, adam(network, lr=.01))
    torch.testing.assert_close(before - network.weight.detach(), torch.tensor([[.01, -.01, .01]]), rtol=1e-3, atol=0)


@pytest.mark.parametrize('factor', [float('nan'), float('inf'), -float('inf'), 0.])
def test_descend_leaves_weights_and_moments_alone_where_loss_or_gradient_is_not_finite(factor):
    """A factor of 0 has a finite loss here, but a gradient that is not: 0 * sqrt(0)'s is 0 * inf."""
    network = nn.Linear(3, 1)
    optimizer = adam(network, lr=.1)
    descend(network(torch.ones(2, 3)).sum(), network, optimizer)
    before = copy.deepcopy((network.state_dict(), optimizer.state_dict()))
    outputs = network(torch.ones(2, 3)).sum()
    loss = outputs * factor if factor else torch.sqrt(outputs - outputs.detach()) * factor
    assert not descend(loss, network, optimizer).isfinite()
    now = network.state_dict(), optimizer.state_dict()
    assert all(torch.equal(value, before[0][name]) for name, value in now[0].items())
    for place, moments in now[1]['state'].items():
        assert all(torch.equal(value, before[1]['state'][place][name]) for name, value in moments.items())
    descend(network(torch.ones(2, 3)).sum(), network, optimizer)
    assert not torch.equal(network.weight, before[0]['weight'])


def test_descend_gives_the_norm_before_clipping():
    network = nn.Linear(2, 1, bias=False)
    norm = descend(network(torch.tensor([[3., 4]])).sum(), network, adam(network, lr=.1))
    assert float(norm) == pytest.approx(5)


def test_the_learning_rate_of_every_group_is_set():
    optimizer = adam(nn.Linear(2, 2), lr=1)
    optimizer.add_param_group({'params': nn.Linear(2, 2).parameters(), 'lr': 5})
    set_learning_rate(optimizer, .25)
    assert [group['lr'] for group in optimizer.param_groups] == [.25, .25]

"""Freezing networks, and one optimizer step with gradient clipping."""
import math
from contextlib import contextmanager

import torch

from utils import ranks


@contextmanager
def frozen(*networks):
    """Context manager: the parameters of these networks get no gradients (BatchNorm statistics are still updated)."""
    parameters = [p for network in networks for p in network.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


def descend(loss, network, optimizer, max_norm=1.0):
    """Backpropagate `loss`, clip the network's gradient norm to `max_norm` (None: no clipping) and step the optimizer.

    The optimizer must come from `adam`. If the loss or the gradient norm is not finite, the weights are not changed.
    Returns the gradient norm before clipping, a 0-d tensor on the device; log it in a `ScalarLog`, which stops the run
    when it is not finite. Does not wait for the device.
    """
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    ranks.sum_gradients(network)      # if there are several processes
    norm = torch.nn.utils.clip_grad_norm_(network.parameters(), math.inf if max_norm is None else max_norm)
    _step_if_finite(optimizer, norm + loss.detach())
    return norm


def _step_if_finite(optimizer, figure):
    """Step unless the 0-d tensor `figure` is NaN or infinite; PyTorch's fused kernels check `found_inf` on the device."""
    not_finite = (figure - figure).ne(0).float()
    if figure.device.type == 'mps':     # its fused kernel does not check
        if not not_finite:
            optimizer.step()
        return
    optimizer.found_inf = not_finite
    optimizer.step()


def adam(network, lr):
    """Adam with PyTorch's defaults and its fused kernel (4 to 11 times faster on a CPU)."""
    return torch.optim.Adam(network.parameters(), lr=lr, fused=True)


def set_learning_rate(optimizer, lr):
    for group in optimizer.param_groups:
        group['lr'] = lr

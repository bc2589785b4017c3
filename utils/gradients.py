"""Who owns the gradient: freezing networks for a phase, and one optimizer step with clipping."""
from contextlib import contextmanager

import torch


@contextmanager
def frozen(*networks):
    """Within the block no parameter of these networks has a gradient (their BatchNorm statistics still move)."""
    parameters = [p for network in networks for p in network.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


def descend(loss, network, optimizer, max_norm=1.0):
    """Backward, clip the network's gradient norm (None: do not), one optimizer step."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    if max_norm is not None:
        torch.nn.utils.clip_grad_norm_(network.parameters(), max_norm)
    optimizer.step()


def adam(network, lr):
    """Adam with PyTorch's defaults; the fused kernel (4 to 11 times faster on a CPU)."""
    return torch.optim.Adam(network.parameters(), lr=lr, fused=True)


def set_learning_rate(optimizer, lr):
    for group in optimizer.param_groups:
        group['lr'] = lr

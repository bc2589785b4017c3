"""Initial weights that the lifters, the augmentor and the critics share."""
from torch import nn


def kaiming_linears(module):
    """Give every nn.Linear Kaiming-normal weights (fan-in, gain sqrt 2); biases and other layers keep PyTorch's defaults.

    Returns the module.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
    return module

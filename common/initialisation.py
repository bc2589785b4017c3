"""Initial weights that the lifters, the augmentor and the critics share."""
from torch import nn


def kaiming_linears(module):
    """Kaiming-normal weights (fan-in, gain sqrt 2) for every nn.Linear; everything else keeps PyTorch's defaults."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
    return module

"""Choosing the device, and saying once what arithmetic it shall use."""
import re

import torch

from utils.errors import InputError

DEVICES = ('auto', 'cuda', 'mps', 'cpu')


def choose_device(name='auto'):
    """torch.device for 'auto' (CUDA, then MPS, then the CPU), 'cpu', 'mps', 'cuda' or 'cuda:1'.

    Sets fp32 arithmetic explicitly: cuDNN would otherwise use TF32 for convolutions without saying so.
    """
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    available = dict(cuda=torch.cuda.is_available(), mps=torch.backends.mps.is_available(), cpu=True)
    if name == 'auto':
        name = next(kind for kind, present in available.items() if present)
    kind, _, number = name.partition(':')
    if not re.fullmatch(r'cpu|mps|cuda(:[0-9]+)?', name):
        raise InputError(f'--device {name}: choose one of {", ".join(DEVICES)} (or cuda:N)')
    if not available[kind] or (kind == 'cuda' and number and int(number) >= torch.cuda.device_count()):
        raise InputError(f'--device {name}: this machine has no such device; leave --device out to let it be chosen')
    return torch.device(name)

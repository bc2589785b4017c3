"""Choosing the device, and saying once what arithmetic it shall use and how the host's memory is kept."""
import ctypes
import re
import sys

import torch

from common.errors import InputError
from common.product import allow_tf32

DEVICES = ('auto', 'cuda', 'mps', 'cpu')
# mallopt's numbers (malloc.h of the GNU C library) and what they are set to, in this order: bytes, or -1 for never.
# Libraries before 2.35 refuse 256 MB and stay at 32; left at their own 128 KB, no longer moved, they would be slower.
TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3
KEPT_MEMORY = ((MMAP_THRESHOLD, 32 << 20), (MMAP_THRESHOLD, 256 << 20), (TRIM_THRESHOLD, -1), (TOP_PAD, 64 << 20))


def choose_device(name='auto', tf32=False):
    """torch.device for 'auto' (CUDA, then MPS, then the CPU), 'cpu', 'mps', 'cuda' or 'cuda:1'.

    Sets fp32 arithmetic explicitly, or `tf32`: cuDNN would otherwise use TF32 for convolutions without saying so. Also
    keeps freed memory (`keep_freed_memory`) and makes cuda:N the current device. InputError for a name that is none, or a
    device that is not here.
    """
    allow_tf32(tf32)
    keep_freed_memory()
    available = dict(cuda=torch.cuda.is_available(), mps=torch.backends.mps.is_available(), cpu=True)
    if name == 'auto':
        name = next(kind for kind, present in available.items() if present)
    kind, _, number = name.partition(':')
    if not re.fullmatch(r'cpu|mps|cuda(:[0-9]+)?', name):
        raise InputError(f'--device {name}: choose one of {", ".join(DEVICES)} (or cuda:N)')
    if not available[kind] or (kind == 'cuda' and number and int(number) >= torch.cuda.device_count()):
        raise InputError(f'--device {name}: this machine has no such device; leave --device out to let it be chosen')
    if tf32 and kind != 'cuda':
        print(f'warning: --tf32 does nothing on {name}', file=sys.stderr)
    if number:
        torch.cuda.set_device(int(number))      # streams and synchronisation mean this one where none is named
    return torch.device(name)


def keep_freed_memory():
    """Let the C library reuse what a batch's tensors leave (each up to 256 MB; 32 where the library is older than 2022).

    By default it returns them to the system and gets them back zeroed, page by page: 46,000 page faults in one adversarial
    iteration of the MLP, a tenth to a fifth of the time on two cores.
    """
    set_malloc(KEPT_MEMORY)


def set_malloc(settings):
    """Set mallopt's parameters, pairs of number and value; does nothing where the C library is not GNU's."""
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None) if sys.platform == 'linux' else None
    for parameter, value in settings if mallopt else ():
        mallopt(parameter, value)

"""Choose the device, and set the precision of its arithmetic and how the host keeps freed memory."""
import ctypes
import re
import sys

import torch

from common.errors import InputError
from common.product import allow_tf32

DEVICES = ('auto', 'cuda', 'mps', 'cpu')
# Parameters of mallopt (malloc.h of the GNU C library) and their values in bytes (-1: never trim), set in this order.
# Versions before 2.35 refuse the threshold of 256 MB and keep the 32 MB that was set just before. Without that first
# setting they would stay at 128 KB, and no longer adapt it, which is slower than the default.
TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3
KEPT_MEMORY = ((MMAP_THRESHOLD, 32 << 20), (MMAP_THRESHOLD, 256 << 20), (TRIM_THRESHOLD, -1), (TOP_PAD, 64 << 20))


def choose_device(name='auto', tf32=False):
    """The torch.device for 'cpu', 'mps', 'cuda', 'cuda:1' or 'auto' (CUDA if present, else MPS, else the CPU).

    Also sets the precision to float32, or to TF32 with `tf32` (PyTorch's default lets cuDNN use TF32 in convolutions),
    makes cuda:N the current device, and calls `keep_freed_memory`. InputError for an unknown name or a missing device.
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
        raise InputError(f'--device {name}: this machine has no such device; leave --device out to use what it has')
    if tf32 and kind != 'cuda':
        print(f'warning: --tf32 has no effect on {name}', file=sys.stderr)
    if number:
        torch.cuda.set_device(int(number))      # the default for streams and synchronisation
    return torch.device(name)


def keep_freed_memory():
    """Let the GNU C library keep the memory of freed tensors (up to 256 MB each; 32 MB before version 2.35).

    By default it returns large blocks to the system, and each new allocation causes page faults: 46,000 in one
    adversarial iteration of the MLP, which took a tenth to a fifth of the time on two cores.
    """
    set_malloc(KEPT_MEMORY)


def set_malloc(settings):
    """Call mallopt for each pair (parameter, value); does nothing without the GNU C library."""
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None) if sys.platform == 'linux' else None
    for parameter, value in settings if mallopt else ():
        mallopt(parameter, value)

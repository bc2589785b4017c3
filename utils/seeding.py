"""The one place that seeds.

Every phase of every epoch draws from its own seed, made of the run's seed, the epoch and the purpose. So a run that
resumes at an epoch's start draws the same numbers as one that never stopped, and no random state has to be saved.
Promised: on a CPU, with the same number of threads and the same torch, equal seeds give equal bits. On a GPU they give
the same random numbers, but sums may be ordered differently.
"""
import hashlib

import torch


def derived_seed(seed, epoch, purpose):
    """A 63-bit seed that depends on all three."""
    digest = hashlib.sha256(f'{seed}/{epoch}/{purpose}'.encode()).digest()
    return int.from_bytes(digest[:8], 'big') >> 1


def seed_everything(seed, epoch=0, purpose='start'):
    """Seed torch's own generators on every device: initial weights and dropout draw from them.

    cuDNN's search for the fastest kernel, which would make runs differ, is switched off.
    """
    torch.manual_seed(derived_seed(seed, epoch, purpose))
    torch.backends.cudnn.benchmark = False


def generator(device, seed, epoch, purpose):
    """A generator on `device` for one purpose of one epoch."""
    return torch.Generator(device).manual_seed(derived_seed(seed, epoch, purpose))

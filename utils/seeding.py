"""All random seeds are set here.

Each phase of each epoch has its own seed, derived from the run's seed, the epoch and the purpose. A run that resumes at
the start of an epoch therefore draws the same numbers as one that was never stopped, and no random state is saved.
Reproducibility: on a CPU, equal seeds give bit-identical results with the same torch and number of threads. On a GPU
they give the same random numbers, but sums may be computed in another order.
"""
import hashlib

import torch


def derived_seed(seed, epoch, purpose):
    """A 63-bit seed derived from the run's seed, the epoch and the purpose (a string)."""
    digest = hashlib.sha256(f'{seed}/{epoch}/{purpose}'.encode()).digest()
    return int.from_bytes(digest[:8], 'big') >> 1


def seed_everything(seed, epoch=0, purpose='start'):
    """Seed torch's default generators on all devices, which initial weights and dropout use.

    Also switches off cuDNN's benchmark mode, which may choose other kernels in every run.
    """
    torch.manual_seed(derived_seed(seed, epoch, purpose))
    torch.backends.cudnn.benchmark = False


def generator(device, seed, epoch, purpose):
    """A torch.Generator on `device`, seeded for one purpose of one epoch."""
    return torch.Generator(device).manual_seed(derived_seed(seed, epoch, purpose))

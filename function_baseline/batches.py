"""Batches as indices: shuffled, on the device, without the last batch where it would hold a single pose."""
import torch


def shuffled_batches(count, batch_size, generator):
    """Index tensors (B,) int64 that visit `count` poses in random order, on the generator's device."""
    return in_batches(torch.randperm(count, generator=generator, device=generator.device), batch_size)


def in_batches(index, batch_size):
    """Cut an index tensor into batches. A last batch of one is left out: BatchNorm has nothing to normalise there."""
    batches = index.split(batch_size)
    return batches[:-1] if len(batches[-1]) == 1 else batches

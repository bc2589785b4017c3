"""Batches as indices, shuffled on the device."""
import torch


def shuffled_batches(count, batch_size, generator):
    """Index tensors (B,) int64 that go through `count` poses in random order, on the generator's device."""
    return in_batches(torch.randperm(count, generator=generator, device=generator.device), batch_size)


def in_batches(index, batch_size):
    """Cut an index tensor into batches. A last batch of a single pose is left out: BatchNorm cannot normalise it."""
    batches = index.split(batch_size)
    return batches[:-1] if len(batches[-1]) == 1 else batches

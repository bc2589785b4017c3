"""Replay pool of fakes for a discriminator (Shrivastava et al., CVPR 2017), in tensors."""
import torch
from torch import nn


class ReplayPool(nn.Module):
    """Holds up to `capacity` items of shape `item_shape`; a module only so that its content is saved and moved.

    Items of a batch go in one after the other. Until the pool is full an item is stored and passes through; after
    that, with probability 1/2 a random slot's item is returned and the new one stored there, else the new one passes
    unstored. An item stored earlier in a batch may come back later in it.
    """

    def __init__(self, item_shape, capacity=4096):
        super().__init__()
        self.register_buffer('items', torch.zeros(capacity, *item_shape))
        self.count = 0

    def get_extra_state(self):
        return self.count

    def set_extra_state(self, count):
        self.count = count

    @torch.no_grad()
    def exchange(self, batch, generator=None):
        """(B, *item_shape) new fakes -> (B, *item_shape) fakes to train on."""
        fresh = min(len(self.items) - self.count, len(batch))
        self.items[self.count:self.count + fresh] = batch[:fresh]
        self.count += fresh
        late = batch[fresh:]
        device = batch.device
        swaps = torch.rand(len(late), device=device, generator=generator) > 0.5
        slots = torch.randint(len(self.items), (len(late),), device=device, generator=generator)
        return torch.cat([batch[:fresh], self.swap(late, swaps, slots)])

    def swap(self, batch, swaps, slots):
        """Where `swaps` (B,), item i is stored in slot `slots[i]` and what lay there is returned; elsewhere it passes.

        Equal to doing so item by item: an item finds what the last one before it with the same slot left there, and a
        slot keeps what its last one brings. A stable sort by slot puts these neighbours side by side.
        """
        if len(batch) == 0:
            return batch
        keys = torch.where(swaps, slots, len(self.items) + torch.arange(len(slots), device=slots.device))
        order = keys.argsort(stable=True)
        same_slot = keys[order][1:] == keys[order][:-1]
        predecessor = torch.full_like(order, -1)
        predecessor[order[1:]] = torch.where(same_slot, order[:-1], -1)
        is_last = torch.ones_like(swaps)
        is_last[order[:-1]] = ~same_slot

        shape = (-1,) + (1,) * (batch.dim() - 1)
        found = torch.where((predecessor >= 0).view(shape), batch[predecessor.clamp_min(0)], self.items[slots])
        returned = torch.where(swaps.view(shape), found, batch)
        self._store(batch, swaps & is_last, slots)
        return returned

    def _store(self, batch, stores, slots):
        """Each slot is written by at most one item, so the result does not depend on the order of writing."""
        writer = torch.full((len(self.items) + 1,), -1, dtype=torch.int64, device=slots.device)
        writer[torch.where(stores, slots, len(self.items))] = torch.arange(len(slots), device=slots.device)
        writer = writer[:-1]
        shape = (-1,) + (1,) * (batch.dim() - 1)
        self.items.copy_(torch.where((writer >= 0).view(shape), batch[writer.clamp_min(0)], self.items))

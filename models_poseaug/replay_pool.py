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
        places, nowhere = torch.arange(len(batch), device=slots.device), len(self.items)
        held = len(batch) + places                              # in `candidates`, below
        goals = torch.where(swaps, slots, nowhere)
        keys, order = goals.sort(stable=True)
        follows = (keys[1:] == keys[:-1]) & (keys[1:] < nowhere)
        origin = torch.where(swaps, held, places)
        origin[order[1:]] = torch.where(follows, order[:-1], origin[order[1:]])

        last = torch.full((nowhere + 1,), -1, device=slots.device).scatter_reduce_(0, goals, places, 'amax')[slots]
        candidates = torch.cat([batch, self.items.index_select(0, slots)])
        # All that write to a slot write the same, so the order of writing does not matter.
        self.items.index_copy_(0, slots, candidates.index_select(0, torch.where(last >= 0, last, held)))
        return candidates.index_select(0, origin)

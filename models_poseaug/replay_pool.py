"""Replay pool of fake poses for a discriminator (Shrivastava et al., CVPR 2017), as one tensor."""
import torch
from torch import nn


class ReplayPool(nn.Module):
    """Holds up to `capacity` items of shape `item_shape`. A module, so that it can be saved and moved like a network.

    The items of a batch enter one after the other. Until the pool is full, each item is stored and also returned. After
    that, with probability 1/2, the item of a random slot is returned and the new one takes its place; otherwise the new
    one is returned and not stored. An item stored earlier in a batch may be returned later in the same batch.
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
        """(B, *item_shape) new fake poses -> (B, *item_shape) fake poses to train the discriminator on."""
        fresh = min(len(self.items) - self.count, len(batch))
        self.items[self.count:self.count + fresh] = batch[:fresh]
        self.count += fresh
        late = batch[fresh:]
        device = batch.device
        swaps = torch.rand(len(late), device=device, generator=generator) > 0.5
        slots = torch.randint(len(self.items), (len(late),), device=device, generator=generator)
        return torch.cat([batch[:fresh], self.swap(late, swaps, slots)])

    def swap(self, batch, swaps, slots):
        """Where `swaps[i]`, item i goes to slot `slots[i]` and that slot's item is returned; elsewhere item i is returned.

        The result equals a loop over the items: an item gets what the last item before it with the same slot left there,
        and a slot keeps its last item. A stable sort by slot puts such items side by side.
        """
        if len(batch) == 0:
            return batch
        places, nowhere = torch.arange(len(batch), device=slots.device), len(self.items)
        held = len(batch) + places                              # indices in `candidates`, below
        goals = torch.where(swaps, slots, nowhere)
        keys, order = goals.sort(stable=True)
        follows = (keys[1:] == keys[:-1]) & (keys[1:] < nowhere)
        origin = torch.where(swaps, held, places)
        origin[order[1:]] = torch.where(follows, order[:-1], origin[order[1:]])

        last = torch.full((nowhere + 1,), -1, device=slots.device).scatter_reduce_(0, goals, places, 'amax')[slots]
        candidates = torch.cat([batch, self.items.index_select(0, slots)])
        # all writes to a slot write the same item, so their order does not matter
        self.items.index_copy_(0, slots, candidates.index_select(0, torch.where(last >= 0, last, held)))
        return candidates.index_select(0, origin)

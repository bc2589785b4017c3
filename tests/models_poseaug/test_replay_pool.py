"""The replay pool against a literal twin that takes one item at a time."""
import pytest
import torch

from models_poseaug.replay_pool import ReplayPool

ITEM = (2, 3)


class OneByOne:
    """Shrivastava's history of fakes as one would write it by hand."""

    def __init__(self, capacity):
        self.capacity, self.items = capacity, []

    def exchange(self, batch, coins, slots):
        """`coins` and `slots` hold one entry for each item that meets a full pool."""
        returned, draws = [], zip(coins, slots)
        for item in batch:
            if len(self.items) < self.capacity:
                self.items.append(item)
            else:
                heads, slot = next(draws)
                if heads:
                    self.items[slot], item = item, self.items[slot]
            returned.append(item)
        return returned


def numbered(first, count):
    """(count, 2, 3): items that can be told apart by any of their entries."""
    return torch.arange(first, first + count, dtype=torch.float32).view(-1, 1, 1).expand(-1, *ITEM).contiguous()


def numbers(items):
    return [int(item.flatten()[0]) for item in items]


def full_pool(capacity):
    pool = ReplayPool(ITEM, capacity)
    pool.exchange(numbered(0, capacity))
    return pool


@pytest.mark.slow
@pytest.mark.parametrize('capacity', [1, 2, 3, 5, 64])
def test_a_swapped_batch_equals_swapping_one_item_at_a_time(capacity):
    """Batches up to eight times the pool: many items meet in a slot."""
    draws = torch.Generator().manual_seed(capacity)
    for trial in range(200):
        size = int(torch.randint(1, 8 * capacity + 4, (), generator=draws))
        coins = torch.rand(size, generator=draws) < (.5, .9, 1)[trial % 3]
        slots = torch.randint(capacity, (size,), generator=draws)
        pool, twin, batch = full_pool(capacity), OneByOne(capacity), numbered(1000, size)
        twin.items = list(pool.items.clone())
        expected = twin.exchange(batch, coins.tolist(), slots.tolist())
        assert numbers(pool.swap(batch, coins, slots)) == numbers(expected)
        assert numbers(pool.items) == numbers(twin.items)


def test_items_are_exchanged_as_a_whole():
    pool = full_pool(3)
    batch = torch.randn(4, *ITEM)
    returned = pool.swap(batch, torch.ones(4, dtype=torch.bool), torch.tensor([1, 2, 1, 1]))
    assert torch.equal(returned, torch.stack([*numbered(1, 2), batch[0], batch[2]]))
    assert torch.equal(pool.items, torch.stack([*numbered(0, 1), batch[3], batch[1]]))


@pytest.mark.parametrize('capacity, sizes', [
    (1, [1, 1, 1, 3]), (2, [1, 3, 5]), (5, [3, 4, 12, 1, 2]), (7, [30, 5]), (16, [16, 16, 16]), (10, [4, 4, 4, 4, 4])])
def test_an_exchanged_batch_equals_exchanging_one_item_at_a_time(capacity, sizes):
    """The pool fills within a batch, at its edge, and in one batch larger than the pool.

    It draws a coin for each item, then a slot for each.
    """
    pool, twin, first = ReplayPool(ITEM, capacity), OneByOne(capacity), 0
    ours, theirs = torch.Generator().manual_seed(9), torch.Generator().manual_seed(9)
    for size in sizes:
        late = max(0, size - (capacity - len(twin.items)))
        coins = torch.rand(late, generator=theirs) > .5
        slots = torch.randint(capacity, (late,), generator=theirs)
        batch = numbered(first, size)
        assert numbers(pool.exchange(batch, ours)) == numbers(twin.exchange(batch, coins.tolist(), slots.tolist()))
        assert pool.count == len(twin.items)
        assert numbers(pool.items[:pool.count]) == numbers(twin.items)
        first += size


def test_an_item_of_the_batch_may_come_back_later_in_it():
    pool = full_pool(1)
    returned = pool.swap(numbered(1, 3), torch.tensor([True, False, True]), torch.zeros(3, dtype=torch.int64))
    assert numbers(returned) == [0, 2, 1] and numbers(pool.items) == [3]


def test_half_of_the_late_items_are_exchanged_with_any_slot():
    pool = full_pool(50)
    returned = torch.tensor(numbers(pool.exchange(numbered(1000, 4000), torch.Generator().manual_seed(0))))
    passed = returned == torch.arange(1000, 5000)
    assert abs(passed.float().mean() - .5) < .03                       # four standard deviations
    assert min(numbers(pool.items)) >= 1000                            # no slot was left alone
    assert sorted(returned[returned < 1000].tolist()) == list(range(50))


def test_nothing_is_lost_or_doubled():
    pool = ReplayPool(ITEM, 20)
    returned = numbers(pool.exchange(numbered(0, 500), torch.Generator().manual_seed(1)))
    passed_unstored = {number for place, number in enumerate(returned) if number == place and place >= 20}
    came_back = sorted(number for number in returned[20:] if number not in passed_unstored)
    assert sorted(came_back + numbers(pool.items)) == sorted(set(range(500)) - passed_unstored)


def test_state_is_saved_and_restored():
    """Half full or full, the restored pool goes on as the first one does."""
    for seen in (3, 12):
        pool, restored = ReplayPool(ITEM, 8), ReplayPool(ITEM, 8)
        pool.exchange(numbered(0, seen), torch.Generator().manual_seed(2))
        restored.load_state_dict(pool.state_dict())
        after = [numbers(one.exchange(numbered(100, 9), torch.Generator().manual_seed(3))) for one in (pool, restored)]
        assert after[0] == after[1] and torch.equal(pool.items, restored.items)


def test_what_comes_back_is_cut_off():
    """From the graph of the fakes, and from what the pool does to its slots afterwards."""
    pool = full_pool(4)
    returned = pool.exchange(numbered(10, 6).requires_grad_(), torch.Generator().manual_seed(4))
    kept = returned.clone()
    pool.exchange(numbered(20, 6), torch.Generator().manual_seed(5))
    assert not returned.requires_grad and not pool.items.requires_grad and torch.equal(returned, kept)


def test_capacity_is_the_published_one():
    assert ReplayPool((16, 3)).items.shape == (4096, 16, 3)

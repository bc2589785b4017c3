"""Seeds: what they depend on, that they repeat in every process, and whose random state stays as it was."""
import hashlib
import random

import numpy as np
import torch
from torch import nn

from utils.seeding import derived_seed, generator, seed_everything


def test_a_seed_depends_on_the_runs_seed_the_epoch_and_the_purpose():
    seeds = [derived_seed(seed, epoch, purpose) for seed in (0, 1) for epoch in (0, 1, 10) for purpose in ('order', 'noise')]
    seeds += [derived_seed(11, 0, 'order'), derived_seed(1, 10, 'order')]
    assert len(set(seeds)) == len(seeds) - 1     # (1, 10, 'order') stands there twice, and nothing else
    assert all(0 <= seed < 2 ** 63 for seed in seeds)


def test_a_seed_is_the_same_in_every_process():
    """Figures computed once by hand from SHA-256, not by Python's own hash, which is salted."""
    digest = hashlib.sha256(b'3/7/noise').hexdigest()
    assert derived_seed(3, 7, 'noise') == int(digest[:16], 16) // 2


def test_generators_repeat_and_do_not_touch_the_global_state():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, again = (torch.rand(9, generator=generator('cpu', 0, 3, 'order')) for _ in range(2))
    assert torch.equal(first, again)
    assert torch.equal(torch.rand(3), expected)
    others = [generator('cpu', *parts) for parts in ((1, 3, 'order'), (0, 4, 'order'), (0, 3, 'noise'))]
    assert all(not torch.equal(first, torch.rand(9, generator=other)) for other in others)


def test_seeding_everything_repeats_initial_weights_and_dropout():
    def draw(*parts):
        seed_everything(*parts)
        return torch.cat([nn.Linear(5, 5).weight.flatten(), nn.functional.dropout(torch.ones(25), .5)])
    assert torch.equal(draw(0), draw(0)) and not torch.equal(draw(0), draw(1))
    assert torch.equal(draw(0, 2, 'dropout'), draw(0, 2, 'dropout'))
    assert not torch.equal(draw(0, 2, 'dropout'), draw(0, 3, 'dropout'))


def test_seeding_leaves_python_and_numpy_alone():
    """Nothing in the project draws from them, so a caller's own draws are not disturbed."""
    random.seed(1), np.random.seed(1)
    expected = random.random(), np.random.rand()
    random.seed(1), np.random.seed(1)
    seed_everything(0)
    assert (random.random(), np.random.rand()) == expected

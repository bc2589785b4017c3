"""The log of figures that stay on the device until enough have come."""
import pytest
import torch

from common.errors import Diverged
from utils.runs.scalar_log import ScalarLog


class Written(list):
    """Remembers what was written, in order."""

    def __call__(self, figures, step):
        self.append((step, list(figures.items())))


def test_scalars_are_written_in_order_when_enough_have_come():
    written = Written()
    log = ScalarLog(written, flush_every=3, what='epoch 1')
    for step in range(10, 14):
        log.add({'b': torch.tensor(step + .5), 'a': torch.tensor(step)}, step)
        if step == 11:
            assert written == []
    expected = [(step, [('b', step + .5), ('a', float(step))]) for step in range(10, 14)]
    assert written == expected[:3]
    log.flush()
    assert written == expected
    log.flush()
    assert written == expected


def test_iterations_may_have_different_tags():
    """The critics are trained every second iteration only, and only then they are logged."""
    written = Written()
    log = ScalarLog(written, flush_every=2, what='')
    log.add({'g': torch.tensor(1.), 'd': torch.tensor(2., dtype=torch.float64)}, 0)
    log.add({'g': torch.tensor(3.)}, 1)
    assert written == [(0, [('g', 1.), ('d', 2.)]), (1, [('g', 3.)])]


@pytest.mark.parametrize('value', [float('nan'), float('inf'), float('-inf')])
def test_a_figure_that_is_not_finite_names_tag_and_iteration(value):
    written = Written()
    log = ScalarLog(written, flush_every=3, what='epoch 4')
    log.add({'gen_loss': torch.tensor(1.)}, 40)
    log.add({'gen_loss': torch.tensor(2.), 'd3d_loss': torch.tensor(value)}, 41)
    with pytest.raises(Diverged) as diverged:
        log.add({'gen_loss': torch.tensor(value)}, 42)
    assert 'epoch 4, iteration 41: d3d_loss is' in str(diverged.value)
    assert written == [(40, [('gen_loss', 1.)])]

"""What the demo tells at its end, about given figures; the demo itself takes minutes, and no test runs it."""
import pytest

import run_demo
from function_poseaug.steps import KEPT_SHARE
from run_files import write_run


def test_it_names_the_largest_gain_and_the_largest_loss_of_both_rows():
    longer = dict.fromkeys(run_demo.COLUMNS, 100.)
    scores = dict(pretrained=longer, longer=longer, random={**longer, 'from below': 77.6, 'near': 102.6},
                  PoseAug={**longer, 'near': 95., 'from above': 105., 'far': 101.})
    *_, row, sentence = run_demo.comparison(scores).splitlines()
    assert row.split() == ['PoseAug', '100.0', '105.0', '100.0', '95.0', '101.0', '100.0']
    assert sentence.endswith('random poses change the error by -22 mm (from below) to +3 mm (near), '
                             'and PoseAug by -5 mm (near) to +5 mm (from above).')


def test_the_share_is_that_of_the_epochs_after_the_warm_up(tmp_path):
    shares = [.1] * 40 + [.9] * 10 + [1.] * 10      # six epochs of ten iterations, of which four are the warm-up
    run = write_run(tmp_path / 'run', [], more=[(step, {KEPT_SHARE: share}) for step, share in enumerate(shares)])
    assert run_demo.kept_share(run, epochs=6) == pytest.approx(.95)

"""The benchmark of shared steps, in one process (tests/utils/test_ranks.py shares steps between two)."""
import pytest

from benchmarks import shared_steps


@pytest.mark.slow
def test_a_step_is_timed(capsys):
    shared_steps.main(['--posenet_name', 'gcn', '--batch_size', '4', '--turns', '1', '--steps', '1'])
    assert capsys.readouterr().out.startswith('gcn, 4 poses: alone ')

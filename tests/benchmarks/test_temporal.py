"""The benchmark of trembling: its figures are those of the evaluation, and a filter changes them."""
import pytest
import torch

from benchmarks import temporal
from common.datasets import TEST_SETS
from function_baseline.evaluate import evaluate
from function_baseline.temporal import motion_errors
from models_baseline import build_lifter
from utils.runs.checkpoint import save_checkpoint

pytestmark = pytest.mark.slow


@pytest.mark.parametrize('receptive_field', [1, 9])
def test_the_figures_are_those_of_the_evaluation_and_a_filter_changes_them(tiny_root, tmp_path, receptive_field):
    torch.manual_seed(0)
    lifter, path = build_lifter('videopose', 1, receptive_field=receptive_field), str(tmp_path / 'it')
    save_checkpoint(path, {'state_dict': lifter.state_dict()})
    found = temporal.main(['--evaluate', path, '--data_root', str(tiny_root), '--actions', 'Walking', '--smooth', '.1'])
    poses = TEST_SETS['h36m'].load(tiny_root, actions='Walking')
    motion = motion_errors(lifter, poses, 'cpu', flip=False)
    expected = (evaluate(lifter, poses, 'cpu', flip=False).mpjpe_mm, motion.mpjve_mm, motion.acceleration_mm)
    assert found[path, 'nothing'] == pytest.approx(expected, rel=1e-4)
    for smoothed in ('2D', '3D'):
        assert found[path, smoothed] != found[path, 'nothing']

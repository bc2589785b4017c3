"""The benchmark of frames and ways of training: what is missing is trained and scored once, with as many steps for each."""
import csv

import pytest

from benchmarks import temporal_matrix
from run_reading import checkpoint
from utils.runs.checkpoint import LAST

pytestmark = pytest.mark.slow


def run(tiny_root, folder, *flags):
    return temporal_matrix.main(['--folder', str(folder), '--data_root', str(tiny_root), '--device', 'cpu', '--seeds', '0',
                                 '--baseline_epochs', '1', '--actions', 'Walking', '--smooth', '.1', *flags])


@pytest.mark.usefixtures('without_pictures')
def test_what_is_missing_is_trained_and_scored_once_with_equal_steps(tiny_root, tmp_path, capsys):
    rows = run(tiny_root, tmp_path, '--frames', '1', '--variants', 'plain', 'poseaug')
    assert [row[:5] for row in rows] == [(1, variant, 0, 'S9 and S11', smoothed) for variant in ('plain', 'poseaug')
                                         for smoothed in ('nothing', '2D', '3D')]
    made = {path.parent: path.stat().st_mtime_ns for path in tmp_path.rglob(LAST)}
    states = {path.relative_to(tmp_path).parts[0]: checkpoint(path) for path in made}
    assert states.keys() == {'1_baseline', '1_plain', '1_poseaug'}
    plain, poseaug = states['1_plain']['optimizer'], states['1_poseaug']['optimizer_p']
    steps = [int(state['state'][0]['step']) for state in (plain, poseaug)]
    assert steps[0] == 10 and 5 < steps[1] <= 10            # 280 poses in batches of 64; of the augmented ones not all are kept
    assert plain['param_groups'][0]['lr'] == pytest.approx(2e-4, rel=1e-3)
    assert run(tiny_root, tmp_path, '--frames', '1', '--variants', 'plain', 'poseaug') == rows
    assert {path.parent: path.stat().st_mtime_ns for path in tmp_path.rglob(LAST)} == made
    with pytest.raises(SystemExit):
        run(tiny_root, tmp_path, '--frames', '1', '--variants', 'plain', '--lr', '1e-4')
    assert 'was trained with another --lr' in capsys.readouterr().err
    with open(tmp_path / 'temporal_matrix.csv') as file:
        assert [float(row['mpjve_mm']) for row in csv.DictReader(file)] == pytest.approx([row[6] for row in rows], abs=1e-4)

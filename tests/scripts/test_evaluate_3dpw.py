"""Scores on 3DPW: against errors by hand, and through run_evaluate.py."""
import numpy as np
import pytest
import torch
from torch import nn

import run_baseline
import run_evaluate
from common.camera import root_relative
from common.datasets.pw3d import load_3dpw
from common.skeleton import H36M_16
from function_baseline.evaluate import evaluate
from function_baseline.report import table
from models_baseline import LIFTERS
from sequences_3dpw import rotation
from utils.runs.checkpoint import save_checkpoint

CPU = torch.device('cpu')


class Turned(nn.Module):
    """Answers every 2D pose of a set with its 3D, turned about, enlarged and shifted; and its mirror image alike."""

    def __init__(self, poses, scale):
        super().__init__()
        self.questions = poses.pose2d.flatten(1)
        turn = torch.tensor(rotation(np.array([.3, .2, -.1])), dtype=torch.float32)
        self.answers = scale * root_relative(poses.pose3d_cam) @ turn + 1

    def forward(self, pose2d):
        return self.answers[torch.cdist(pose2d.flatten(1), self.questions).argmin(1)]


def test_a_similar_pose_has_an_error_but_none_after_alignment(root_3dpw):
    poses = load_3dpw(root_3dpw)
    errors = evaluate(Turned(poses, 1.2), poses, CPU, flip=False)
    assert errors.p_mpjpe_mm < .01 and errors.mpjpe_mm > 50
    turned = 1.2 * root_relative(poses.pose3d_cam).numpy() @ rotation(np.array([.3, .2, -.1]))
    distance = np.linalg.norm(turned - root_relative(poses.pose3d_cam).numpy(), axis=-1)
    assert errors.mpjpe_mm == pytest.approx(1000 * distance.mean(), rel=1e-4)
    assert errors.groups['flat_wide_00'].mpjpe_mm == pytest.approx(1000 * distance[11:].mean(), rel=1e-4)


@pytest.mark.parametrize('keypoints,counts', [('gt', (11, 5, 16)), ('openpose', (10, 5, 15))])
def test_the_table_has_a_row_per_sequence(root_3dpw, readme_lifter, keypoints, counts):
    torch.manual_seed(0)
    errors = evaluate(readme_lifter(2, 0., H36M_16), load_3dpw(root_3dpw, keypoints), CPU, flip=True)
    rows = {line.split('  ')[0]: line.split() for line in table(errors).splitlines()[1:]}
    assert list(rows) == ['downtown_pair_00', 'flat_wide_00', 'mean over groups', 'mean over poses']
    assert (int(rows['downtown_pair_00'][1]), int(rows['flat_wide_00'][1]), int(rows['mean over poses'][3])) == counts
    assert 0 < errors.p_mpjpe_mm < errors.mpjpe_mm


def test_the_script_scores_3dpw_alone_with_both_kinds_of_2d(root_3dpw, readme_lifter, tmp_path, monkeypatch, capsys):
    """No Human3.6M and no MPI-INF-3DHP lie below this data root."""
    monkeypatch.setitem(LIFTERS, 'linear', readme_lifter)
    lifter = readme_lifter(stages=1, dropout=0, skeleton=H36M_16)
    save_checkpoint(tmp_path / 'linear.pth.tar', dict(state_dict=lifter.state_dict(), epoch=1,
                                                      arguments=dict(posenet_name='linear', stages=1)))
    scores = run_evaluate.main(['--dataset', '3dpw', '--evaluate', str(tmp_path / 'linear.pth.tar'), '--device', 'cpu',
                                '--data_root', str(root_3dpw)])
    expected = [evaluate(lifter, load_3dpw(root_3dpw, keypoints), 'cpu', flip=True) for keypoints in ('gt', 'openpose')]
    assert list(scores) == expected and scores[0] != scores[1]
    assert capsys.readouterr().out.count('3DPW test split') == 2


def test_the_trainers_do_not_train_on_3dpw(capsys):
    with pytest.raises(SystemExit) as refused:
        run_baseline.main(['--dataset', '3dpw'])
    assert refused.value.code == 2 and '3dpw' in capsys.readouterr().err

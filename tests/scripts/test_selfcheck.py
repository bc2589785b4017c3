"""The self-check on a CPU: it runs to its end, and sees what is wrong."""
import subprocess
import sys

import pytest
import torch

import run_selfcheck
from models_poseaug.discriminator import Discriminator2D
from places import ROOT

pytestmark = pytest.mark.slow


def test_all_is_well_on_a_cpu(capsys, without_pictures):
    findings = run_selfcheck.main(['--device', 'cpu', '--small'])
    assert sum(finding.passed is True for finding in findings) == 2 * 5 + 5 + 4 + 1
    printed = capsys.readouterr().out
    assert printed.startswith('PoseAug self-check, ') and 'no checks failed' in printed
    assert 'mlp of 2 stages, in training: ' in printed and 'there are no graphs on cpu' in printed


def test_what_is_wrong_is_named_and_the_rest_is_checked_too(capsys, monkeypatch):
    forward = Discriminator2D.forward
    monkeypatch.setattr(Discriminator2D, 'forward', lambda self, pose2d: forward(self, pose2d) + 1e-3)
    monkeypatch.setattr(run_selfcheck, 'played', lambda name, *_: {'weight': torch.rand(1) if name == 'gcn' else torch.ones(1)})
    monkeypatch.setattr(run_selfcheck, 'trained', broken)
    with pytest.raises(SystemExit) as stopped:
        run_selfcheck.main(['--device', 'cpu', '--small'])
    failed = [line for line in capsys.readouterr().out.splitlines() if line.startswith('FAILED')]
    assert stopped.value.code == 1 and len(failed) == 3
    assert '2D discriminator' in failed[0] and 'gcn: 1 of 1 tensors differ' in failed[1] and 'ZeroDivisionError' in failed[2]


def broken(*_):
    return 1 / 0


def test_it_can_be_called_as_a_module_too():
    helped = subprocess.run([sys.executable, '-m', 'utils.selfcheck', '--help'], cwd=ROOT, capture_output=True, text=True)
    assert helped.returncode == 0 and '--small' in helped.stdout

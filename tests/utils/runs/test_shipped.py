"""The lifter in the box: small, with its attribution, found where no checkpoint is given, and upright at any distance."""
from types import SimpleNamespace

import pytest
import torch

from builders import STANDING
from common.camera import project
from common.person_camera import PersonLifter
from common.skeleton import H36M_16, H36M_17
from utils.runs.checkpoint import load_lifter, read_checkpoint
from utils.runs.shipped import SHIPPED, checkpoint_or_shipped

OF_17 = H36M_17.joints(*H36M_16.names)


@pytest.fixture(scope='module')
def lifter():
    return load_lifter(SHIPPED, SimpleNamespace(dropout=0., explicit=()))[0].eval()


def test_it_is_small_and_names_its_source():
    assert SHIPPED.stat().st_size < 5e6
    content = read_checkpoint(SHIPPED)
    assert 'mocap.cs.cmu.edu' in content['source'] and 'NSF EIA-0196217' in content['source']
    assert 'NSF EIA-0196217' in (SHIPPED.parent / 'README.md').read_text()


def test_it_is_used_where_no_checkpoint_is_given(capsys):
    assert checkpoint_or_shipped('') == SHIPPED and str(SHIPPED) in capsys.readouterr().out
    assert str(checkpoint_or_shipped('mine.pth.tar')) == 'mine.pth.tar' and not capsys.readouterr().out


@torch.no_grad()
@pytest.mark.parametrize('distance', [3., 6., 12.])
@pytest.mark.parametrize('aside', [0., .3])
def test_somebody_who_stands_is_upright_near_and_far_and_aside(lifter, distance, aside):
    x, y, z = torch.tensor(STANDING[OF_17], dtype=torch.float32).unbind(-1)
    pose3d_cam = torch.stack([x + aside * distance, 1.2 - z, y + distance], dim=-1)[None]
    lens = torch.tensor([[2., 2., 0, 0, 0, 0, 0, 0, 0]])
    predicted = PersonLifter(lifter)(project(pose3d_cam, lens))[0]
    head = predicted[H36M_16.names.index('Head')]
    lean = torch.rad2deg(torch.acos(-head[1] / head.norm()))
    assert lean < 12 and .5 < float(head.norm()) < .9
    for foot in ('RFoot', 'LFoot'):
        assert .6 < float(predicted[H36M_16.names.index(foot)][1]) < 1.1

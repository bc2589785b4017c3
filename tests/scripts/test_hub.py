"""torch.hub.load on this folder: every lifter, from nothing, a path or a URL, in a program with its own `utils`."""
import subprocess
import sys
import textwrap
from types import ModuleType

import pytest
import torch

import hubconf
from common.errors import InputError
from models_baseline import build_lifter
from models_baseline.temporal import ClipLifter
from places import ROOT
from utils.runs.checkpoint import save_checkpoint
from utils.runs.shipped import SHIPPED

NAMES = ['gcn', 'mlp', 'stgcn', 'videopose']


def load(name, **options):
    return torch.hub.load(str(ROOT), f'poseaug_{name}', source='local', **options)


@pytest.fixture(scope='module')
def gcn():
    torch.manual_seed(0)
    return build_lifter('gcn', stages=2).eval()


@pytest.fixture(scope='module')
def checkpoint(gcn, tmp_path_factory):
    path = tmp_path_factory.mktemp('gcn') / 'ckpt_best.pth.tar'
    save_checkpoint(path, {'model_pos': gcn.state_dict(), 'epoch': 3})
    return path


@pytest.fixture
def hub_folder(tmp_path, monkeypatch):
    """torch.hub's folder of downloads."""
    monkeypatch.setattr(torch.hub, '_hub_dir', str(tmp_path / 'hub'))
    return tmp_path / 'hub' / 'checkpoints'


def same(lifter, other):
    pose2d = torch.rand(5, 16, 2)
    return torch.equal(lifter(pose2d), other(pose2d))


@pytest.mark.parametrize('name', NAMES)
def test_every_lifter_comes_untrained_and_in_evaluation_mode(name):
    lifter = load(name, stages=1)
    assert not lifter.training and lifter(torch.rand(3, 16, 2)).shape == (3, 16, 3)
    assert lifter.state_dict().keys() == build_lifter(name, stages=1).state_dict().keys()


def test_the_entry_points_and_nothing_else_are_listed():
    public = [name for name in dir(hubconf) if callable(getattr(hubconf, name)) and not name.startswith('_')]
    assert public == [f'poseaug_{name}' for name in sorted([*NAMES, 'shipped'])]
    assert set(hubconf.dependencies) == {'torch', 'numpy'}


def test_a_checkpoint_by_its_path(checkpoint, gcn):
    lifter = load('gcn', checkpoint=str(checkpoint), stages=2)
    assert not lifter.training and same(lifter, gcn)


def test_a_lifter_of_several_frames_takes_the_frames_of_a_clip(tmp_path):
    torch.manual_seed(0)
    lifter = build_lifter('videopose', receptive_field=9).eval()
    save_checkpoint(tmp_path / 'it', {'state_dict': lifter.state_dict(), 'epoch': 1})
    clip = torch.rand(4, 16, 2)
    assert torch.equal(load('videopose', checkpoint=tmp_path / 'it')(clip), ClipLifter(lifter)(clip))


def test_the_dropout_of_further_training_can_be_chosen(checkpoint):
    rates = {module.p for module in load('gcn', checkpoint=checkpoint, dropout=.4).modules() if hasattr(module, 'p')}
    assert rates == {.4}


def test_a_checkpoint_behind_a_url_is_fetched_once(checkpoint, gcn, hub_folder):
    copy = checkpoint.with_name('moved.pth.tar')
    copy.write_bytes(checkpoint.read_bytes())
    assert same(load('gcn', checkpoint=copy.as_uri(), progress=False), gcn)
    copy.unlink()
    assert same(load('gcn', checkpoint=copy.as_uri(), progress=False), gcn)
    assert len(list(hub_folder.iterdir())) == 1


@pytest.mark.slow
def test_files_of_one_name_behind_two_urls_are_two(checkpoint, gcn, hub_folder, tmp_path):
    other = tmp_path / checkpoint.name
    save_checkpoint(other, {'state_dict': build_lifter('mlp', stages=1).state_dict(), 'epoch': 1})
    assert same(load('gcn', checkpoint=checkpoint.as_uri(), progress=False), gcn)
    assert load('mlp', checkpoint=other.as_uri(), progress=False)(torch.rand(1, 16, 2)).shape == (1, 16, 3)


def test_a_download_that_is_not_a_checkpoint_is_not_kept(hub_folder, tmp_path):
    page = tmp_path / 'page.pth.tar'
    page.write_text('404: Not Found')
    with pytest.raises(InputError, match='no checkpoint'):
        load('gcn', checkpoint=page.as_uri(), progress=False)
    assert not list(hub_folder.iterdir())


@pytest.mark.parametrize('name,options,message', [
    ('mlp', {}, "holds a lifter gcn, not mlp; load it as 'poseaug_gcn'"),
    ('gcn', dict(stages=4), 'holds a lifter with 2 stages, not 4')])
def test_another_lifter_than_was_asked_for_is_refused(checkpoint, name, options, message):
    with pytest.raises(InputError, match=message):
        load(name, checkpoint=checkpoint, **options)


def test_what_cannot_be_had_is_refused(hub_folder, tmp_path):
    for checkpoint in (tmp_path / 'nowhere.pth.tar', (tmp_path / 'nowhere.pth.tar').as_uri()):
        with pytest.raises(InputError, match='nowhere.pth.tar'):
            load('gcn', checkpoint=checkpoint, progress=False)


CALLER = """
    import pickle, sys, torch
    lifter = torch.hub.load(sys.argv[1], 'poseaug_gcn', source='local', checkpoint=sys.argv[2])
    import common, utils, utils.errors
    assert (common.OWNER, utils.OWNER, utils.errors.OWNER) == ('caller',) * 3
    assert lifter(torch.zeros(2, 16, 2)).shape == (2, 16, 3) and sys.argv[1] not in sys.path
    assert type(pickle.loads(pickle.dumps(lifter))) is type(lifter)
    try:
        torch.hub.load(sys.argv[1], 'poseaug_mlp', source='local', checkpoint=sys.argv[2])
    except Exception as error:
        print(error)
"""


@pytest.mark.slow
def test_a_caller_gets_its_own_modules_of_the_same_names_afterwards(checkpoint, tmp_path):
    for place in ('common.py', 'utils/__init__.py', 'utils/errors.py'):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_text("OWNER = 'caller'\n")
    (tmp_path / 'caller.py').write_text(textwrap.dedent(CALLER))
    done = subprocess.run([sys.executable, 'caller.py', str(ROOT), str(checkpoint)], cwd=tmp_path, text=True,
                          capture_output=True)
    assert done.returncode == 0, done.stderr
    assert "load it as 'poseaug_gcn'" in done.stdout


def test_modules_of_the_same_names_that_are_loaded_already_stay(checkpoint, gcn, monkeypatch):
    for name in [name for name in sys.modules if name.split('.')[0] in ('utils', 'common', 'models_baseline')]:
        monkeypatch.delitem(sys.modules, name)
    theirs = {name: ModuleType(name) for name in ('utils', 'utils.errors', 'utils.own', 'common', 'models_baseline')}
    for name, module in theirs.items():
        monkeypatch.setitem(sys.modules, name, module)
    assert same(load('gcn', checkpoint=checkpoint), gcn)
    assert {name: module for name, module in sys.modules.items()
            if name.split('.')[0] in ('utils', 'common', 'models_baseline')} == theirs


def test_the_lifter_in_the_box_takes_normalised_coordinates_only():
    lifter = torch.hub.load(str(ROOT), 'poseaug_shipped', source='local')
    pose2d = torch.rand(3, 16, 2, generator=torch.Generator().manual_seed(0)) - .5
    assert not lifter.training and lifter(pose2d).shape == (3, 16, 3)
    by_name = torch.hub.load(str(ROOT), 'poseaug_mlp', source='local', checkpoint=SHIPPED)
    assert torch.equal(by_name(pose2d), lifter(pose2d))      # with its virtual camera
    for wrong, message in ((500 * pose2d, 'normalise pixels'), (pose2d[0], r'\(16, 2\), where'), (pose2d[:, :15], 'where'),
                           (pose2d * float('nan'), 'NaN')):
        with pytest.raises(ValueError, match=message):
            lifter(wrong)

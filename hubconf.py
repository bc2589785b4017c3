"""Lifters for torch.hub: torch.hub.load(FOLDER, 'poseaug_mlp', source='local', checkpoint=PATH_OR_URL).

Each gives a module in evaluation mode, on the CPU, from (B, 16, 2) normalised image coordinates to (B, 16, 3) metres.
torch.hub runs this file inside the caller's program, which may have modules called `utils` or `common` of its own. So
ours are imported with those set aside and put back, and ours do not stay behind. Only `models_baseline` stays, where
the caller has none: torch.compile and pickle look the lifter's class up by its name.
"""
import argparse
import contextlib
import hashlib
import pathlib
import sys
import urllib.parse

import torch

dependencies = ['torch', 'numpy']
_HERE = pathlib.Path(__file__).resolve().parent
_LIFTERS = 'models_baseline'
_OURS = (_LIFTERS, 'common', 'utils')


@contextlib.contextmanager
def _ours_alone():
    """Within the block `import utils` and the like mean this folder's; afterwards they mean what they did before."""
    foreign = {name: sys.modules[name] for name in _loaded() if not _is_ours(sys.modules.get(name.split('.')[0]))}
    for name in foreign:
        del sys.modules[name]
    before = _loaded()
    sys.path.insert(0, str(_HERE))
    try:
        yield
    finally:
        sys.path.remove(str(_HERE))
        for name in _loaded():
            if name not in before and (name.split('.')[0] != _LIFTERS or _LIFTERS in foreign):
                del sys.modules[name]
        sys.modules.update(foreign)


def _loaded():
    """Names of the loaded modules that are ours, or would hide ours."""
    return [name for name in sys.modules if name.split('.')[0] in _OURS]


def _is_ours(package):
    return any(pathlib.Path(place).resolve().parent == _HERE for place in getattr(package, '__path__', []))


with _ours_alone():       # modules, not functions: torch.hub.list shows every function without an underscore
    import models_baseline
    from common import errors
    from utils.runs import checkpoint as checkpoints


def poseaug_mlp(checkpoint=None, stages=None, dropout=0.25, progress=True):
    """SimpleBaseline: an untrained one with `stages` residual blocks (4), or that of `checkpoint`.

    `checkpoint`: path, or http(s) or file URL, of a checkpoint of either trainer, ours or the authors'; it is read with
    weights_only=True. `stages` is read off it; where it is given too, it must agree. `dropout` matters in training
    alone. `progress`: show that of a download. InputError where the file cannot be had, or holds another lifter.
    """
    return _lifter('mlp', checkpoint, stages, dropout, progress)


def poseaug_gcn(checkpoint=None, stages=None, dropout=0.25, progress=True):
    """SemGCN; arguments as for `poseaug_mlp`."""
    return _lifter('gcn', checkpoint, stages, dropout, progress)


def poseaug_stgcn(checkpoint=None, stages=None, dropout=0.25, progress=True):
    """ST-GCN, for which `stages` does nothing; arguments as for `poseaug_mlp`."""
    return _lifter('stgcn', checkpoint, stages, dropout, progress)


def poseaug_videopose(checkpoint=None, stages=None, dropout=0.25, progress=True):
    """VideoPose3D on one frame; arguments as for `poseaug_mlp`."""
    return _lifter('videopose', checkpoint, stages, dropout, progress)


def _lifter(name, checkpoint, stages, dropout, progress):
    if checkpoint is None:
        return models_baseline.build_lifter(name, stages or 4, dropout).eval()
    if urllib.parse.urlparse(str(checkpoint)).scheme in ('http', 'https', 'file'):
        lifter, weights = _fetched(str(checkpoint), dropout, progress)
    else:
        lifter, weights = _load(checkpoint, dropout)
    if weights.posenet_name != name:
        raise errors.InputError(f'{checkpoint} holds a lifter {weights.posenet_name}, not {name}; '
                                f"load it as 'poseaug_{weights.posenet_name}'")
    if stages not in (None, weights.stages) and name not in models_baseline.STAGELESS:
        raise errors.InputError(f'{checkpoint} holds a lifter with {weights.stages} stages, not {stages}; '
                                'leave stages out or give another checkpoint')
    return lifter.eval()


def _load(path, dropout):
    return checkpoints.load_lifter(path, argparse.Namespace(dropout=dropout, explicit=()))


def _fetched(url, dropout, progress):
    """(lifter, LifterWeights) of the file behind a URL, which is kept in torch.hub's folder of checkpoints."""
    # many runs' files have one name (ckpt_best.pth.tar), so the whole address tells them apart
    name = hashlib.sha256(url.encode()).hexdigest()[:16] + '_' + pathlib.Path(urllib.parse.urlparse(url).path).name
    path = pathlib.Path(torch.hub.get_dir()) / 'checkpoints' / name
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(url, str(path), progress=progress)
        except (OSError, ValueError) as error:
            raise errors.InputError(f'{url} cannot be fetched ({error}); fetch it by other means and give its '
                                    'path') from None
    try:
        return _load(path, dropout)
    except errors.InputError:
        path.unlink()      # a page that says 404, for example: the next try shall fetch again
        raise

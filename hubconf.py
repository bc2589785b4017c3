"""Lifters for torch.hub: torch.hub.load(FOLDER, 'poseaug_mlp', source='local', checkpoint=PATH_OR_URL).

Each function returns a lifter in evaluation mode, on the CPU: (B, 16, 2) normalised image coordinates -> (B, 16, 3)
metres, root-relative, in the camera frame. (A checkpoint of another skeleton gives a lifter of as many joints as that has.)

torch.hub runs this file inside the caller's program, which may have its own modules named `utils` or `common`. They are
removed from sys.modules while ours are imported, and restored afterwards. Of our modules only `models_baseline` remains
loaded (unless the caller has one), because torch.compile and pickle look up the lifter's class by its module name.
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
    """Context manager: `import utils` etc. import the modules of this folder; afterwards sys.modules is restored."""
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
    """Names of all loaded modules with the name of one of our packages, ours or not."""
    return [name for name in sys.modules if name.split('.')[0] in _OURS]


def _is_ours(package):
    return any(pathlib.Path(place).resolve().parent == _HERE for place in getattr(package, '__path__', []))


with _ours_alone():       # modules, not functions: torch.hub.list shows every function without an underscore
    import models_baseline
    from common import errors, person_camera
    from models_baseline import temporal
    from utils.runs import checkpoint as checkpoints
    from utils.runs import shipped


def poseaug_mlp(checkpoint=None, stages=None, dropout=0.25, progress=True):
    """SimpleBaseline (Martinez et al., ICCV 2017) from `checkpoint`, or untrained with `stages` residual blocks (4).

    `checkpoint`: path or URL (http, https, file) of a checkpoint of run_baseline.py or run_poseaug.py, ours or the
    authors'; it is read with weights_only=True. `stages` is read from it; if given as well, it must be equal. `dropout`
    only has an effect in training. `progress`: show the progress of a download. InputError if the file cannot be read
    or downloaded, or holds another lifter.
    """
    return _lifter('mlp', checkpoint, stages, dropout, progress)


def poseaug_gcn(checkpoint=None, stages=None, dropout=0.25, progress=True):
    """SemGCN (Zhao et al., CVPR 2019); arguments as for `poseaug_mlp`."""
    return _lifter('gcn', checkpoint, stages, dropout, progress)


def poseaug_stgcn(checkpoint=None, stages=None, dropout=0.25, progress=True):
    """ST-GCN (Cai et al., ICCV 2019); arguments as for `poseaug_mlp`, but `stages` has no effect."""
    return _lifter('stgcn', checkpoint, stages, dropout, progress)


def poseaug_videopose(checkpoint=None, stages=None, dropout=0.25, progress=True):
    """VideoPose3D (Pavllo et al., CVPR 2019) on a single frame; arguments as for `poseaug_mlp`.

    A checkpoint of a lifter of several frames gives a ClipLifter (models_baseline/temporal.py): (T, 16, 2), the frames of one
    clip -> (T, 16, 3).
    """
    return _lifter('videopose', checkpoint, stages, dropout, progress)


def poseaug_shipped():
    """The lifter that comes with the project (docs/model_card.md); no download.

    Its 2D are those of the whole image, normalised: x / width * 2 - 1 and y / width * 2 - height / width. ValueError for
    another shape, and for numbers that are no such coordinates.
    """
    lifter, _ = _load(shipped.SHIPPED, 0.)
    made = person_camera.PersonLifter(lifter).eval()
    made.register_forward_pre_hook(_require_normalised)
    return made


def _require_normalised(_, inputs):
    pose2d = inputs[0]
    if pose2d.ndim != 3 or pose2d.shape[1:] != (16, 2):
        raise ValueError(f'the input has shape {tuple(pose2d.shape)}, where (B, 16, 2) is needed: 16 joints in the order of '
                         'common/skeleton.py')
    if not (pose2d.abs() <= 4).all():       # NaN too
        raise ValueError('the input holds NaN or numbers beyond 4; normalise pixels: x / width * 2 - 1, y / width * 2 - '
                         'height / width')


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
    made = temporal.for_clips(lifter)
    return (person_camera.PersonLifter(made) if weights.camera == 'person' else made).eval()


def _load(path, dropout):
    return checkpoints.load_lifter(path, argparse.Namespace(dropout=dropout, explicit=()), skeleton=None)


def _fetched(url, dropout, progress):
    """(lifter, LifterWeights) of a checkpoint at a URL, downloaded once to torch.hub's folder of checkpoints."""
    # the hash of the URL tells apart files of the same name, such as ckpt_best.pth.tar of several runs
    name = hashlib.sha256(url.encode()).hexdigest()[:16] + '_' + pathlib.Path(urllib.parse.urlparse(url).path).name
    path = pathlib.Path(torch.hub.get_dir()) / 'checkpoints' / name
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(url, str(path), progress=progress)
        except (OSError, ValueError) as error:
            raise errors.InputError(f'{url} cannot be downloaded ({error}); download it by other means and give its '
                                    'path') from None
    try:
        return _load(path, dropout)
    except errors.InputError:
        path.unlink()      # so that the next call downloads again; it may be an error page
        raise

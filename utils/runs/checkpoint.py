"""Checkpoints of lifters and of whole runs: writing, reading, and checking that they fit. All formats are known here alone."""
import io
import math
import os
import pickle
import re
import zipfile
from numbers import Integral
from pathlib import Path
from typing import NamedTuple

import torch

from common.errors import InputError, in_short
from common.files.limited import read_limited
from common.files.safe_pickle import safe_globals
from common.skeleton import H36M_16, H36M_17, Skeleton
from common.skeletons import SKELETONS, name_of
from models_baseline import LIFTERS, STAGELESS, build_lifter
from models_baseline.temporal import RECEPTIVE_FIELDS, TAPS, without_root
from utils.runs.record import LAST as LAST     # the name of a run's last checkpoint, for importers of this module

HEALTHY = 'ckpt_healthy.pth.tar'     # PoseAug's last epoch before the game showed signs of a collapse
BASELINE_BEST = 'ckpt_best.pth.tar'
HELD_OUT_BEST = 'ckpt_best_held_out.pth.tar'     # of both trainers, with --validate_on
# the key of the lifter's weights in each trainer's checkpoints; other projects read these
BASELINE_KEY, POSEAUG_KEY = 'state_dict', 'model_pos'
MAX_STAGES = 64
H36M_FPS = 50
_WRAPPERS = ('module.', '_orig_mod.')     # what DataParallel and torch.compile put before the name of each weight

# lifter -> (a weight only it has, pattern whose highest number + 1 counts its units, units per stage)
_SIGNATURES = dict(
    gcn=('gconv_output.W', r'gconv_layers\.(\d+)\.', 1),
    mlp=('batch_norm1.weight', r'linear_stages\.(\d+)\.', 1),
    stgcn=('stgcn.data_bn.weight', None, 1),
    videopose=('expand_conv.weight', r'layers_conv\.(\d+)\.', 2))


class LifterWeights(NamedTuple):
    """The architecture, weights and epoch of a lifter in a checkpoint, and what it was trained on.

    `camera`: whose 2D, 'image', or 'person' for the virtual camera of common/person_camera.py; the skeleton of its poses.
    `receptive_field` and `causal`: see models_baseline/temporal.py; `fps`: frames per second of the clips on which such a
    lifter was trained (None: unknown).
    """
    posenet_name: str
    stages: int
    state: dict
    epoch: int
    camera: str = 'image'
    skeleton: Skeleton = H36M_16
    receptive_field: int = 1
    causal: bool = False
    fps: float = None

    @property
    def kind(self):
        """What the lifter is, in words: its name, stages and, if it sees several, the number of frames."""
        several = f', {self.receptive_field} frames' + ', causal' * self.causal
        return f'{self.posenet_name}, {self.stages} stages' + several * (self.receptive_field > 1)


def snapshot_name(epoch):
    """File name of the copy of a lifter that is kept every --snapshot epochs."""
    return f'ckpt_epoch_{epoch:04d}.pth.tar'


def save_checkpoint(path, content):
    """Write to a temporary name, flush to the disk, rename: a reader finds either the old file or the new one, complete."""
    path = Path(path)
    partial = path.with_name(path.name + '.partial')
    try:
        with open(partial, 'wb') as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except (OSError, RuntimeError) as error:
        raise InputError(f'{path} cannot be written ({error}); make room or choose another --checkpoint') from None
    finally:
        partial.unlink(missing_ok=True)


def read_checkpoint(path):
    """The dict in a checkpoint file, with its tensors on the CPU; InputError where it cannot be read."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f'{path} is no file; give the path of a checkpoint (ckpt_best.pth.tar or the like)')
    try:
        with open(path, 'rb') as file:
            _require_no_page(file, path)
            content = read_limited(parse_checkpoint, file)
    except PermissionError:
        raise InputError(f'{path} may not be read; permit it, or give another checkpoint') from None
    except (OSError, ValueError) as error:
        raise InputError(f'{path} is no checkpoint that can be read safely ({in_short(error, 100)}); fetch or train it '
                         'again') from None
    if not isinstance(content, dict):
        raise InputError(f'{path} holds a {type(content).__name__} where a checkpoint holds a dict; give another')
    return content


def _require_no_page(file, path):
    """InputError where an open file is not a checkpoint but the page or the pointer that a download left in its place."""
    head = file.read(256).removeprefix(b'\xef\xbb\xbf').lstrip()
    file.seek(0)
    if head.startswith(b'<'):
        raise InputError(f'{path} is no checkpoint but an HTML page, as a failed download leaves it; open the link in a '
                         'browser and download the file itself')
    if head.startswith(b'version https://git-lfs'):
        raise InputError(f'{path} is no checkpoint but a pointer of Git LFS; run: git lfs pull')


def parse_checkpoint(file):
    """The content of an open checkpoint file; raises an error of any type where it is damaged. For `read_limited`.

    With weights_only=True torch calls nothing that a file asks for, but it trusts declared sizes and ignores checksums.
    Numbers and arrays of numpy are read by the functions of `common/files/safe_pickle.py`.
    """
    is_zip = file.read(4) == b'PK\3\4'
    file.seek(0)
    if is_zip:
        with zipfile.ZipFile(file) as archive:
            if damaged := archive.testzip():
                raise ValueError(f'the checksum of {damaged} is wrong')
        file.seek(0)
    else:
        file = io.BytesIO(file.read())      # for a file on disk, torch would try .tar first, and make a folder
    try:
        with torch.serialization.safe_globals(safe_globals()):
            return torch.load(file, map_location='cpu', weights_only=True)
    except (pickle.UnpicklingError, RuntimeError) as error:
        raise ValueError(_reason(str(error))) from None


def _reason(message):
    """Why torch refused a checkpoint, without its advice, which is to trust the file."""
    if wanted := re.search(r'GLOBAL (\S+)', message):
        return f'it asks for {wanted[1]}, which weights do not need; save only the state_dict()'
    if 'TorchScript' in message:
        return 'it is a TorchScript file, as run_export.py writes it'
    return message.split('\n\n')[-2:][0]


def read_lifter(path, typed=None, causal=False):
    """LifterWeights of a checkpoint of either trainer, the reference's or ours, or of a lifter's bare state_dict().

    The architecture is read from the file, also where the names of the weights begin with `module.` or `_orig_mod.`.
    `typed`: the (posenet_name, stages) of weights that no name gives away, as those of a lifter of your own; `causal`: whether
    a lifter of several frames is causal, where the file does not say it.
    """
    content = read_checkpoint(path)
    state = _unwrapped(_weights_in(content, path))
    posenet_name, stages = _described(content) or _recognised(state) or typed or (None, 0)
    if posenet_name not in LIFTERS or not 0 < stages <= MAX_STAGES:
        raise InputError(f'{path} holds weights of no known lifter ({", ".join(LIFTERS)}) of up to {MAX_STAGES} '
                         'stages; give another checkpoint')
    epoch = content.get('epoch')
    epoch, kind = int(epoch) if isinstance(epoch, Integral) else -1, _temporal_kind(content, state, stages, path, causal)
    state = without_root(state) if kind[0] > 1 else state
    return LifterWeights(posenet_name, stages, state, epoch, _camera_of(content), _skeleton_of(content, state, path), *kind)


def _weights_in(content, path):
    """The dict of weights: under a trainer's key; or else the only one that there is, the content itself or a part of it."""
    if BASELINE_KEY in content or POSEAUG_KEY in content:
        found = [content.get(BASELINE_KEY, content.get(POSEAUG_KEY))]
    else:
        found = [part for part in (content, *content.values()) if _are_weights(part)]
    if len(found) != 1 or not isinstance(found[0], dict):
        raise InputError(f'{path} holds neither {BASELINE_KEY!r} nor {POSEAUG_KEY!r} nor weights alone (it has '
                         f'{in_short(", ".join(sorted(map(str, content))), 60)}); it is no checkpoint of a lifter')
    return found[0]


def _are_weights(part):
    return isinstance(part, dict) and len(part) > 0 and all(isinstance(value, torch.Tensor) for value in part.values())


def _unwrapped(state):
    """The weights without the prefixes that all their names share, in any order (torch.compile of a DataParallel)."""
    for prefix in _WRAPPERS:
        if state and all(str(name).startswith(prefix) for name in state):
            return _unwrapped({str(name).removeprefix(prefix): value for name, value in state.items()})
    return state


def _described(content):
    """(name, stages) from the arguments in our own checkpoints; None for those of the reference, which have none."""
    arguments = content.get('arguments')
    if not isinstance(arguments, dict) or not isinstance(arguments.get('stages'), int):
        return None
    return str(arguments.get('posenet_name')), arguments['stages']


def _camera_of(content):
    """The camera in the arguments of our own checkpoints; 'image' for others."""
    arguments = content.get('arguments')
    return 'person' if isinstance(arguments, dict) and arguments.get('camera') == 'person' else 'image'


def _skeleton_of(content, state, path):
    """The skeleton that the arguments in our own checkpoints name. Others name none: H36M_16, or VideoPose3D's H36M_17."""
    arguments, first = content.get('arguments'), getattr(state.get('expand_conv.weight'), 'shape', ())
    unnamed = name_of(H36M_17 if first[1:] == (2 * H36M_17.num_joints, TAPS) else H36M_16)
    name = arguments.get('skeleton', unnamed) if isinstance(arguments, dict) else unnamed
    if not isinstance(name, str) or name not in SKELETONS:
        raise InputError(f'{path} holds a lifter of the skeleton {in_short(name)}, which is none of {", ".join(SKELETONS)}; '
                         'give another checkpoint')
    return SKELETONS[name]


def require_skeleton(own, skeleton, path, what='the data have'):
    """InputError unless the skeleton of the lifter in the checkpoint `path`, its `own`, is this one; `what` has it."""
    if own != skeleton:
        raise InputError(f'{path} is a lifter of {own.num_joints} joints ({name_of(own)}), but {what} {skeleton.num_joints} '
                         f'({name_of(skeleton)}); give a checkpoint with that skeleton, or other data')


def _temporal_kind(content, state, stages, path, causal):
    """(receptive field, causal, fps): the field by the weights; the others by the arguments, since no weight tells them."""
    if getattr(state.get('expand_conv.weight'), 'shape', ())[2:] != (TAPS,):
        return 1, False, None
    receptive_field, arguments = TAPS ** (stages + 1), content.get('arguments')
    arguments = arguments if isinstance(arguments, dict) else {}
    if receptive_field not in RECEPTIVE_FIELDS:
        raise InputError(f'{path} holds weights for {receptive_field} frames; at most {max(RECEPTIVE_FIELDS)} are known')
    step, is_h36m = arguments.get('downsample'), arguments.get('dataset') == 'h36m'
    fps = H36M_FPS / step if is_h36m and type(step) is int and step > 0 else None
    return receptive_field, arguments.get('causal', causal) is True, fps


def _recognised(state):
    """(name, stages) recognised by the names of the weights; None where no lifter has such weights."""
    name = next((name for name, (key, _, _) in _SIGNATURES.items() if key in state), None)
    return name and (name, _count_stages(name, state))


def load_lifter(path, args, skeleton=H36M_16):
    """(The lifter with the checkpoint's weights, built as the file says with `args.dropout`, on the CPU; its LifterWeights).

    InputError where a typed --posenet_name, --stages, --receptive_field or --causal differs from the file's, where the weights
    do not fit, or where it is a lifter of another skeleton than `skeleton` (None: any is right).
    """
    typed = (args.posenet_name, args.stages) if 'posenet_name' in args.explicit else None
    weights = read_lifter(path, typed, 'causal' in args.explicit and args.causal)
    for flag, found in (('posenet_name', weights.posenet_name), ('stages', weights.stages),
                        ('receptive_field', weights.receptive_field), ('causal', weights.causal)):
        idle = flag == 'stages' and weights.posenet_name in STAGELESS
        if flag in args.explicit and getattr(args, flag) != found and not idle:
            raise InputError(f'{path} holds a lifter with {flag} {found}, but --{flag} says {getattr(args, flag)}; '
                             'leave the flag out or give another checkpoint')
    if skeleton:
        require_skeleton(weights.skeleton, skeleton, path)
    lifter = build_lifter(weights.posenet_name, weights.stages, args.dropout, weights.skeleton, weights.receptive_field,
                          weights.causal)
    lifter.camera = weights.camera
    _fit(lifter, weights, path)
    return lifter, weights


def _count_stages(posenet_name, state):
    _, pattern, units_per_stage = _SIGNATURES[posenet_name]
    if pattern is None:
        return 4      # the default of --stages, which this lifter does not use
    numbers = [int(match[1]) for match in map(re.compile(pattern).match, map(str, state)) if match]
    return (max(numbers, default=-1) + 1) // units_per_stage


def _fit(lifter, weights, path):
    """Load strictly; InputError naming the first weight that is missing, unknown, of another shape or not finite."""
    own, state = lifter.state_dict(), weights.state
    for name in sorted(own.keys() | state.keys(), key=str):
        shapes = [tuple(table[name].shape) if isinstance(table.get(name), torch.Tensor) else 'nothing'
                  for table in (own, state)]
        if shapes[0] != shapes[1]:
            raise InputError(f'{path}: {name} has shape {shapes[1]} where this lifter has {shapes[0]}; it is a checkpoint of '
                             f'another lifter, of another width, or of another skeleton than {name_of(weights.skeleton)}')
        if not torch.isfinite(state[name].to(own[name].dtype)).all():
            raise InputError(f'{path}: {name} holds NaN or inf; the run that wrote it had diverged')
    lifter.load_state_dict(state)


def load_network(network, state):
    """Load strictly; ValueError, KeyError, ... where a tensor is missing, not finite, or of another shape or type."""
    for name, own in network.state_dict().items():
        if isinstance(own, torch.Tensor):
            _require_like(own, state[name], name)
    network.load_state_dict(state)


def load_adam(optimizer, state):
    """Load Adam's moments and learning rate; the other options stay as the code has set them.

    ValueError, KeyError, ... where a moment does not fit its parameter, or the learning rate is not a number. (torch itself
    would load anything, and fail at the first step.)
    """
    parameters = dict(enumerate(optimizer.param_groups[0]['params']))
    for place, moments in state['state'].items():
        expected = dict(step=torch.zeros(()), exp_avg=parameters[place], exp_avg_sq=parameters[place])
        if moments.keys() != expected.keys():
            raise ValueError('an optimizer has other moments')
        for name, own in expected.items():
            _require_like(own, moments[name], f'moment {name}')
        if moments['step'] < 0 or (moments['exp_avg_sq'] < 0).any():
            raise ValueError('a moment of an optimizer is negative')
    lr, own = state['param_groups'][0]['lr'], optimizer.state_dict()['param_groups'][0]
    if type(lr) is not float or not 0 <= lr < math.inf:
        raise ValueError('a learning rate is not a finite number')
    # copies, since the fused kernels assume that a moment is contiguous and shares its memory with no other
    moments_alone = {place: {name: value.clone(memory_format=torch.contiguous_format) for name, value in moments.items()}
                     for place, moments in state['state'].items()}
    optimizer.load_state_dict({'state': moments_alone, 'param_groups': [{**own, 'lr': lr}]})


def _require_like(own, value, name):
    """ValueError unless `value` is a finite tensor of the shape and type of `own`."""
    alike = (isinstance(value, torch.Tensor) and value.layout == torch.strided and not value.is_meta
             and value.dtype == own.dtype and value.shape == own.shape)
    if not (alike and value.isfinite().all()):
        raise ValueError(f'{name} is not a finite {own.dtype} tensor of shape {tuple(own.shape)}')


def take_over(state, content, path):
    """`state.load_state_dict(content)`; InputError where this content of the checkpoint `path` does not fit."""
    try:
        state.load_state_dict(content)
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(f'{path} cannot be continued: it does not hold what this run needs ({in_short(error, 100)}); '
                         'start a new run') from None


def find_pretrained(posenet_name, keypoints, place=''):
    """Path of a pretrained lifter: `place` itself or its best checkpoint, where `place` is a checkpoint or a baseline run.

    In a folder of runs, the newest best checkpoint of this lifter and 2D source. InputError where there is none.
    """
    for candidate in (Path(place), Path(place) / BASELINE_BEST) if place else ():
        if candidate.is_file():
            return candidate
    folder = Path(place or 'checkpoint/pretrain_baseline').absolute()
    found = sorted(folder.glob(f'{posenet_name}/{keypoints}/*/{BASELINE_BEST}'), key=lambda path: path.stat().st_mtime)
    if found:
        return found[-1]
    if place and not folder.exists():
        raise InputError(f'--pretrain_path {place} is missing; give a checkpoint, a baseline run, or a folder of baseline runs')
    others = sorted(path.name for path in folder.glob('*.pth.tar'))
    if others:
        raise InputError(f'--pretrain_path {place} holds no {BASELINE_BEST}; give the path of a checkpoint that it does hold '
                         f'({in_short(", ".join(others), 100)}), or a baseline run')
    raise InputError(f'no pretrained lifter {folder}/{posenet_name}/{keypoints}/*/{BASELINE_BEST}; train one '
                     f"first: python3 run_baseline.py --note pretrain --posenet_name '{posenet_name}' "
                     f"--keypoints {keypoints} --checkpoint '{place or './checkpoint/pretrain_baseline'}' "
                     "(docs/experiments.md has each lifter's flags)")

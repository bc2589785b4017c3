"""The golden numbers (tests/golden/), and the formulas that make their weights and poses, whatever the version of numpy.

A network is filled entry by entry from the entry's NAME, shape and index; where our names differ from the reference's,
a function here translates. Frames and units as everywhere: poses (B, 16, 3), camera frame, metres.
"""
import json
import math
import zlib

import numpy as np
import torch

from common.skeleton import H36M_16
from places import GOLDEN_FOLDER

PARTS = np.load(GOLDEN_FOLDER / 'parts.npz')
SHAPES = json.loads((GOLDEN_FOLDER / 'state_dict_shapes.json').read_text())

# joint: the joint it hangs from, metres between them, the way it points in a standing person
BODY = dict(RHip=('Hip', .1329, (-1, 0, 0)), RKnee=('RHip', .4429, (0, 1, 0)), RFoot=('RKnee', .4542, (0, 1, 0)),
            LHip=('Hip', .1329, (1, 0, 0)), LKnee=('LHip', .4429, (0, 1, 0)), LFoot=('LKnee', .4542, (0, 1, 0)),
            Spine=('Hip', .2335, (0, -1, 0)), Thorax=('Spine', .2571, (0, -1, 0)), Head=('Thorax', .1819, (0, -1, 0)),
            LShoulder=('Thorax', .151, (1, .2, 0)), LElbow=('LShoulder', .2789, (0, 1, 0)),
            LWrist=('LElbow', .2517, (0, 1, 0)), RShoulder=('Thorax', .151, (-1, .2, 0)),
            RElbow=('RShoulder', .2789, (0, 1, 0)), RWrist=('RElbow', .2517, (0, 1, 0)))


def fill(module, rename=str):
    """Give every parameter and buffer in `module.state_dict()` its formula's value, in place; returns `module`.

    `rename` turns a name of this module into the reference's name of the same entry.
    """
    for name, entry in module.state_dict().items():
        entry.copy_(_formula(rename(name), entry))
    return module


def _formula(name, entry):
    """The value, in float64, of the entry that the reference calls `name`: a sine wave whose phase is a hash of the name."""
    if name.endswith('num_batches_tracked'):
        return torch.zeros_like(entry)
    phase = zlib.crc32(name.encode()) % 1000
    wave = (0.7391 * torch.arange(entry.numel(), dtype=torch.float64) + phase).sin().view(entry.shape)
    if name.endswith('running_var'):
        return 1 + .5 * wave.abs()
    if entry.dim() > 1:
        return wave * math.sqrt(3 * len(entry) / entry.numel())        # about as large as an initialisation's
    return 1 + .1 * wave if name.endswith('weight') else .05 * wave


def poses(count, seed=0):
    """(count, 16, 3) float32: bodies with bent bones, their roots 4 to 6 m before the camera."""
    numbers = np.random.RandomState(seed)
    standing = np.array([way for _, _, way in BODY.values()], dtype=float)
    ways = standing + .7 * numbers.randn(count, len(BODY), 3)
    ways /= np.sqrt((ways ** 2).sum(-1, keepdims=True))
    low, high = (-.6, -.3, 4), (.6, .3, 6)
    joints = {'Hip': np.stack([numbers.uniform(*bounds, count) for bounds in zip(low, high)], axis=1)}
    for bone, (joint, (parent, length, _)) in enumerate(BODY.items()):
        joints[joint] = joints[parent] + length * ways[:, bone]
    return np.stack(list(joints.values()), axis=1).astype(np.float32)


def generator_name(name):
    """Our augmentor's name of a weight -> the reference's: 'rotation.w1.bias' -> 'RTprocess.w1_R.bias'."""
    head, layer, rest = name.split('.', 2)
    if head == 'bone_angle':
        return f'BAprocess.{layer}.{rest}'
    process, letters = dict(bone_length=('BLprocess', 'BL'), rotation=('RTprocess', 'R'),
                            translation=('RTprocess', 'T'))[head]
    stem = 'batch_norm' if layer == 'batch_norm1' else layer
    return f'{process}.{stem}_{letters}.{rest}'


def critic3d_name(name):
    """Our 3D critic's name of a weight -> the reference's.

    'branches.left_arm.layer_pred.bias' -> 'kcs_path_1.layer_pred.bias'
    """
    _, part, rest = name.split('.', 2)
    return f'kcs_path_{list(H36M_16.critic_parts).index(part) + 1}.{rest}'


def golden(name, dtype=torch.float32):
    """An array of parts.npz as a tensor."""
    return torch.from_numpy(np.asarray(PARTS[name])).to(dtype)


def distance(ours, theirs):
    """Largest difference of two tensors, relative to the largest entry of `theirs`."""
    theirs = torch.as_tensor(theirs, dtype=torch.float64)
    assert ours.shape == theirs.shape
    return float((ours.detach().double() - theirs).abs().max() / theirs.abs().max())

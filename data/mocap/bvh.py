"""Reading BVH: joints in a tree, and for each frame the values of their channels.

Own code, because the libraries that are fast on clips of minutes ignore or refuse the positions of joints other than the root,
which published data sets have, and the one that reads them takes more than a minute (docs/own_data.md has the figures).

A rotation is the product of the elementary rotations in the order of the channels. Position channels stand in place of the
joint's OFFSET; some programs add them to it, which shows in their values (`_offsets`). Some programs write three angles behind
the OFFSET, which the joint's channels repeat. An end site is called after its joint: Head_end.
"""
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from common.errors import InputError
from data.mocap.recording import Recording, numbers, rate_of, text_of
from data.mocap.turns import turns

POSITIONS, ROTATIONS = ('xposition', 'yposition', 'zposition'), ('xrotation', 'yrotation', 'zrotation')
SIGNIFICANT = 0.01       # share of an OFFSET's length from which its coordinate tells something


@dataclass
class _Joint:
    """`parent`: index or None; `offset` (3,); `channels`: names in lower case, in the file's order."""
    name: str
    parent: int
    offset: np.ndarray = field(default_factory=lambda: np.zeros(3))
    channels: tuple = ()


def read_bvh(path, lost_offsets=MappingProxyType({})):
    """The Recording of a BVH file. InputError if it is damaged, or has channels other than positions and rotations.

    `lost_offsets`: {joint: (other joint, number)}; an OFFSET of 0 becomes that of the other, times the number.
    """
    head, found, motion = text_of(path).partition('MOTION')
    if not found or 'HIERARCHY' not in head:
        raise InputError(f'{path} holds no HIERARCHY and MOTION, so it is no BVH file; fetch or export it again')
    joints = _joints(head.replace('{', '\n{\n').replace('}', '\n}\n').splitlines(), path)
    _restore(lost_offsets, {joint.name: joint for joint in joints})
    seconds, table = _frames(motion.splitlines(), sum(len(joint.channels) for joint in joints), path)
    return Recording(path, tuple(joint.name for joint in joints), _positions(joints, table), rate_of(seconds))


def _joints(lines, path):
    """List of the joints and end sites in the order of the file."""
    joints, open_joints = [], []
    for line in lines:
        word, *rest = line.split() or ['']
        if word.upper() in ('ROOT', 'JOINT', 'END'):
            parent = open_joints[-1] if open_joints else None
            name = f'{joints[parent].name}_end' if word.upper() == 'END' and joints else ' '.join(rest)
            joints.append(_Joint(name, parent))
        elif word == '{':
            open_joints.append(len(joints) - 1)
        elif word == '}' and open_joints:
            open_joints.pop()
        elif word.upper() in ('OFFSET', 'CHANNELS') and joints:
            _describe(joints[-1], word.upper(), rest, path)
    if not joints or open_joints:
        raise InputError(f'{path}: its HIERARCHY breaks off; fetch or export the file again')
    for joint in joints:
        joint.offset = _position(joint, path)
    return joints


def _describe(joint, word, rest, path):
    """Write an OFFSET or CHANNELS line into the joint."""
    where = f'{path}: {word} of joint {joint.name!r}'
    if word == 'OFFSET':
        joint.offset = np.array(numbers(rest, where))
        return
    joint.channels = tuple(channel.lower() for channel in rest[1:])
    other = [channel for channel in rest[1:] if channel.lower() not in POSITIONS + ROTATIONS]
    if other:
        raise InputError(f'{where} names {other[0]!r}; only positions and rotations about X, Y and Z are read: export the '
                         'file without it')
    if rest[:1] != [str(len(joint.channels))] or len(set(joint.channels)) < len(joint.channels):
        raise InputError(f'{where} has {" ".join(rest)!r}: the count and the names do not agree; export the file again')


def _position(joint, path):
    """(3,) of an OFFSET of three numbers, or of six where the channels tell the rotation too, or where none is needed."""
    repeats_channels = joint.name.endswith('_end') or {*ROTATIONS} <= {*joint.channels}
    if len(joint.offset) != 3 and not (len(joint.offset) == 6 and repeats_channels):
        raise InputError(f'{path}: OFFSET of joint {joint.name!r} has {len(joint.offset)} numbers where three are needed; '
                         'export the file again')
    return joint.offset[:3]


def _restore(lost_offsets, joints):
    for name, (other, number) in lost_offsets.items():
        if {name, other} <= joints.keys() and not joints[name].offset.any():
            joints[name].offset = number * joints[other].offset


def _frames(lines, width, path):
    """Seconds per frame, and the table of channel values (T, width)."""
    header, rows, seconds = {}, [], 0
    for line in lines:
        name, colon, value = line.partition(':')
        if colon:
            header[' '.join(name.lower().split())] = value
        elif line.strip():
            rows.append(line)
    count, seconds = (numbers(header.get(name, '').split()[:1], f'{path}: {name.capitalize()}')
                      for name in ('frames', 'frame time'))
    if not (count and seconds and seconds[0] > 0):
        raise InputError(f'{path} has no Frames and Frame Time of more than 0; export the file again')
    return seconds[0], _table(rows, int(count[0]), width, path)


def _table(rows, count, width, path):
    """The first `count` rows as (count, width) finite numbers."""
    if not 0 < count <= len(rows):
        raise InputError(f'{path} has {len(rows)} frames where it announces {count}: it was cut off; fetch or export it again')
    try:
        table = np.loadtxt(rows[:count], ndmin=2)
    except ValueError as error:
        raise InputError(f'{path}: a frame is damaged or cut off ({error}); fetch or export it again') from None
    if table.shape[1] != width:
        raise InputError(f'{path}: its frames have {table.shape[1]} numbers where its joints have {width} channels; export it '
                         'again')
    broken = ~np.isfinite(table).all(axis=1)
    if broken.any():
        raise InputError(f'{path} holds NaN or inf, first in frame {broken.argmax()} of {count}; repair or leave out the file')
    return table


def _positions(joints, table):
    """(T, J, 3) positions of the joints, by forward kinematics over all frames at once."""
    places, turned = np.empty((len(table), len(joints), 3)), []
    columns = np.cumsum([0] + [len(joint.channels) for joint in joints])
    for number, joint in enumerate(joints):
        values = dict(zip(joint.channels, table[:, columns[number]:].T))
        offsets, turn = _offsets(joint, values), _turns(joint, values)
        if joint.parent is None:
            places[:, number] = offsets
        else:
            above = turned[joint.parent]
            places[:, number] = places[:, joint.parent] + (above @ offsets[..., None])[..., 0]
            turn = above @ turn
        turned.append(turn)
    return places


def _offsets(joint, values):
    """(T, 3) or (1, 3) position in the frame of the parent.

    Position channels replace OFFSET, unless they stay nearer to 0 than to it: then they are added.
    """
    if not any(channel in values for channel in POSITIONS):
        return joint.offset[None]
    count = len(next(iter(values.values())))
    given = np.stack([values.get(channel, np.full(count, fixed)) for channel, fixed in zip(POSITIONS, joint.offset)], axis=-1)
    middle, telling = np.median(given, axis=0), np.abs(joint.offset) > SIGNIFICANT * np.linalg.norm(joint.offset)
    is_added = telling.any() and (np.abs(middle) < np.abs(middle - joint.offset))[telling].all()
    return given + joint.offset if is_added else given


def _turns(joint, values):
    """(T, 3, 3) or (1, 3, 3) rotations of the joint's channels."""
    channels = [channel for channel in joint.channels if channel in ROTATIONS]
    if not channels:
        return np.eye(3)[None]
    angles = np.stack([values[channel] for channel in channels], axis=-1)
    return turns(''.join(channel[0] for channel in channels), angles)

"""Is it a person? Checks of the 16 joints of a recording, and the repairs that have one sensible way.

Frames: `pose3d` (T, 16, 3) is in the axes of the file until `upright` turns it; then z is up. Metres after `length_of_unit`.
Joints of another skeleton may follow the 16: repairs move them along, and only `require_bones` checks them.
"""
from collections import Counter

import numpy as np

from common.errors import InputError
from common.skeleton import H36M_16
from data.mocap.rig import UNITS

LOOK = 'look whether the rig names the right joints'
STATURES = (1.2, 2.3)            # metres
SOLES = 1.05                     # stature / length of the chain from ankle to head: the soles are below the ankles
BONES = (0.02, 0.8)              # metres, the shortest and the longest bone
SIDES_DIFFER = 0.3               # largest difference between a bone of the left side and of the right, as a share
LIMBS = H36M_16.bones(*(side + joint for side in 'LR' for joint in ('Knee', 'Foot', 'Elbow', 'Wrist')))
RIGID, TOO_SOFT = 0.05, 0.3      # changes of a limb's length, as a share: remarkable, and impossible
BENT = 0.03                      # metres from the knee to the line of hip and ankle, from which its direction tells something
ANKLE, FLOOR = 0.08, (-0.15, 0.35)     # metres: height of an ankle, and where the lowest one may be
FASTEST_HIP, FASTEST_JOINT, SLACK = 12., 30., .05       # metres a second, the second relative to the hip; metres in a frame
REST, STEPS = 5, 8                # the step out of a rest pose is so much larger than the largest of the next steps
CLEARLY, TALL = 0.8, 0.4         # of the way from feet to head, the share along one axis; its least length, in statures
JUMPS = 0.02                     # largest share of frames before which the body jumps
# columns of the matrices: the axes of the file; rows: x, y, z with z up
_UPRIGHT = {'x': ((0, 1, 0), (0, 0, 1), (1, 0, 0)), '-x': ((0, 0, 1), (0, 1, 0), (-1, 0, 0)),
            'y': ((1, 0, 0), (0, 0, -1), (0, 1, 0)), '-y': ((1, 0, 0), (0, 0, 1), (0, -1, 0)),
            'z': ((1, 0, 0), (0, 1, 0), (0, 0, 1)), '-z': ((1, 0, 0), (0, -1, 0), (0, 0, -1))}
HEAD, HIP, THORAX, LHIP, RHIP = H36M_16.joints('Head', 'Hip', 'Thorax', 'LHip', 'RHip')
FEET = H36M_16.joints('LFoot', 'RFoot')
LEGS = [H36M_16.joints(f'{side}Hip', f'{side}Knee', f'{side}Foot') for side in 'LR']


def median_bones(pose3d, skeleton=H36M_16):
    """(15,) median lengths of the bones."""
    return np.median(_bone_lengths(pose3d, skeleton), axis=0)


def _bone_lengths(pose3d, skeleton=H36M_16):
    return np.linalg.norm(skeleton.bone_matrix.astype(np.float64) @ pose3d[:, :skeleton.num_joints], axis=-1)


def stature(pose3d):
    """The height of the body, from its median bone lengths, in the unit of `pose3d`."""
    lengths = median_bones(pose3d)
    legs = lengths[H36M_16.bones('LKnee', 'LFoot', 'RKnee', 'RFoot')].sum() / 2
    return SOLES * (legs + lengths[H36M_16.bones('Spine', 'Thorax', 'Head')].sum())


def length_of_unit(height, said, path):
    """Metres in a unit of the file; `height`: stature in that unit, `said`: what file or rig say (None: nothing).

    InputError if it would be no person in the unit that is said, or in any.
    """
    if said is not None and STATURES[0] <= height * said <= STATURES[1]:
        return said
    fitting = [name for name, metres in UNITS.items() if STATURES[0] <= height * metres <= STATURES[1]]
    if said is None and fitting:
        return UNITS[fitting[0]]
    likely = (f'the unit seems to be {fitting[0]}: set it in the rig, or give --unit {fitting[0]}' if fitting else
              f'in no unit of {", ".join(UNITS)} are these {STATURES[0]} to {STATURES[1]} m; {LOOK}')
    in_metres = f' ({height * said:.2f} m)' if said else ''
    raise InputError(f'{path}: the person is {height:.4g} units{in_metres} tall; {likely}')


def stands_along(pose3d):
    """The axis, such as 'y' or '-z', that leads from the feet to the head in most frames; '' where none clearly does."""
    standing = np.median(pose3d[:, HEAD] - pose3d[:, FEET].mean(axis=1), axis=0)
    axis = int(np.abs(standing).argmax())
    is_clear = np.abs(standing[axis]) > max(CLEARLY * np.linalg.norm(standing), TALL * stature(pose3d))
    return ('-' if standing[axis] < 0 else '') + 'xyz'[axis] if is_clear else ''


def common_up(stand_along, said, path):
    """The axis that points up in the files of `path`: `said`, or the one along which most people stand.

    `stand_along`: the result of `stands_along` for each file. InputError if most stand along another axis than `said`, or
    along none that points up in files of motion capture, as when they are upside down.
    """
    axis, count = Counter(filter(None, stand_along)).most_common(1)[0] if any(stand_along) else ('', 0)
    if said is None and axis not in ('y', 'z'):
        raise InputError(f'{path}: from the feet to the head it goes along {axis or "no axis"}, so people are upside down, or '
                         f'do not stand; if an axis points up, name it: --up={axis or "y"}')
    if said is not None and axis != said and 2 * count > len(stand_along):
        raise InputError(f'{path}: {said} is said to point up, but in {count} of {len(stand_along)} files people stand along '
                         f'{axis}; set it in the rig, or give --up={axis}')
    return said or axis


def require_upright(stood_along, up, path):
    """InputError if the person stands upside down."""
    if {stood_along, up} == {up.strip('-'), f"-{up.strip('-')}"}:
        raise InputError(f'{path}: with {up} up the person is upside down; turn or leave out the file')


def upright(pose3d, up, mirrored):
    """`pose3d` turned so that the axis `up` becomes z; `mirrored`: and x negated."""
    turned = pose3d @ np.array(_UPRIGHT[up], dtype=np.float64).T
    return turned * [-1, 1, 1] if mirrored else turned


def require_body(pose3d, path):
    """InputError if bones have impossible lengths, if the sides differ, or if limbs change their lengths."""
    require_bones(pose3d, H36M_16, path)
    softness = limb_changes(pose3d)
    if softness.max() > TOO_SOFT:
        raise InputError(f'{path}: the bone to {H36M_16.names[1:][LIMBS[softness.argmax()]]} changes its length by '
                         f'{100 * softness.max():.0f} %; {LOOK}, and repair or leave out the file')


def require_bones(pose3d, skeleton, path):
    """InputError if bones of a pose (T, J, 3) of this skeleton have impossible lengths, or if its sides differ."""
    lengths, names = median_bones(pose3d, skeleton), skeleton.names[1:]
    for name, length in zip(names, lengths):
        if not BONES[0] <= length <= BONES[1]:
            raise InputError(f'{path}: the bone to {name} is {100 * length:.1f} cm long; {LOOK}')
    for name, length, other in zip(names, lengths, lengths[skeleton.bone_mirror]):
        if length > (1 + SIDES_DIFFER) * other:
            raise InputError(f'{path}: the bone to {name} is {100 * length:.0f} cm long, on the other side '
                             f'{100 * other:.0f} cm; {LOOK}')


def limb_changes(pose3d):
    """(8,) range of each limb's length over the frames, without the outermost two percent, as a share of the median."""
    lengths = _bone_lengths(pose3d)[:, LIMBS]
    low, middle, high = np.percentile(lengths, (2, 50, 98), axis=0)
    return (high - low) / middle


def require_sides(pose3d, path):
    """InputError if the knees bend backwards: then left and right are exchanged, or the axes are left-handed."""
    front = np.cross(pose3d[:, LHIP] - pose3d[:, RHIP], pose3d[:, THORAX] - pose3d[:, HIP])
    front /= np.maximum(np.linalg.norm(front, axis=-1, keepdims=True), 1e-9)
    bends = np.concatenate([_bend(*(pose3d[:, joint] for joint in leg)) for leg in LEGS])
    forwards = (bends * np.tile(front, (2, 1))).sum(axis=-1)
    sizes = np.linalg.norm(bends, axis=-1)
    told = sizes > BENT
    if told.any() and forwards[told].sum() < -.5 * sizes[told].sum():
        raise InputError(f'{path}: the knees bend backwards, so left and right are exchanged, or the axes of the file are '
                         'left-handed; correct the names in the rig, or set mirrored = true there (or give --mirrored)')


def _bend(hip, knee, ankle):
    """(T, 3) vector from the line of hip and ankle to the knee."""
    leg = ankle - hip
    share = ((knee - hip) * leg).sum(-1, keepdims=True) / np.maximum((leg ** 2).sum(-1, keepdims=True), 1e-9)
    return knee - hip - share * leg


def on_floor(pose3d):
    """`pose3d`, moved up or down where its lowest ankles are far from the floor z = 0; and whether it was moved."""
    lowest = np.percentile(pose3d[:, FEET, 2], 2)
    if FLOOR[0] <= lowest <= FLOOR[1]:
        return pose3d, False
    return pose3d + [0, 0, ANKLE - lowest], True


def without_jumps(pose3d, fps, path):
    """Slices of `pose3d` between frames where the body teleports; InputError if it does so all the time."""
    steps = np.diff(pose3d, axis=0)
    hip = np.linalg.norm(steps[:, HIP], axis=-1)
    joints = np.linalg.norm(steps - steps[:, [HIP]], axis=-1).max(axis=1)
    jumping = (hip > FASTEST_HIP / fps + SLACK) | (joints > FASTEST_JOINT / fps + SLACK)
    jumping[:1] |= _starts_at_rest(joints)
    jumps = np.flatnonzero(jumping) + 1
    if len(jumps) > 2 and len(jumps) > JUMPS * len(pose3d):
        raise InputError(f'{path}: the body jumps {len(jumps)} times in {len(pose3d)} frames, first before frame {jumps[0]}, '
                         f'if there are {fps:g} frames a second; correct the frame rate, or repair or leave out the file')
    edges = [0, *jumps.tolist(), len(pose3d)]
    return [slice(first, last) for first, last in zip(edges, edges[1:])]


def _starts_at_rest(steps):
    """Whether the first frame is a pose apart, such as the T-pose that some programs write before the motion."""
    return len(steps) > STEPS and steps[0] > max(3 * SLACK, REST * steps[1:STEPS].max())

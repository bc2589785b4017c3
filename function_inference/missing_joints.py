"""Places for joints that no frame of a person shows: hidden by a desk, outside the image, or not given by a detector.

They are guessed from the joints that are seen, in lengths of the torso (the distance from hip to thorax in the image):

    the other side      a hip or shoulder lies opposite the other one; a limb is as long as the other one on average over time,
                        mirrored if the person is seen from the front or from behind
    neither side        limbs hang down along the torso, with the proportions of a standing person
    hip and thorax      from one hip or one shoulder; or below the shoulders or above the hips, in an upright person
    spine, head         on the line through hip and thorax
"""
import numpy as np

from common.errors import InputError
from common.skeleton import H36M_16
from common.skeletons import name_of

# lengths relative to the torso, of a person who stands
SHOULDERS, HIPS = 0.61, 0.53         # from the left to the right joint
HEAD = 0.4                           # from the thorax; the authors' rule
LIMBS = dict(Knee=0.92, Foot=0.9, Elbow=0.57, Wrist=0.51)      # from the parent
SIDEWAYS = 0.3                       # if the shoulders or hips are closer together, the person is seen from the side
ANCHORS = ('Hip', 'Thorax', 'LHip', 'RHip', 'LShoulder', 'RShoulder')


def anchor_of(ever, skeleton=H36M_16):
    """Index of the joint from which the others are measured, given which joints (16,) are ever seen; None if too few are."""
    return next((joint for joint in skeleton.joints(*ANCHORS) if ever[joint]), None)


def require_enough(ever, skeleton=H36M_16):
    """InputError if neither a hip nor a shoulder is ever seen; if a joint of another skeleton than ours is never seen."""
    if anchor_of(ever, skeleton) is None:
        raise InputError('no frame shows a hip or a shoulder of this person; choose another --person, or a clip that shows the '
                         'body')
    if skeleton != H36M_16 and not ever.all():
        missing = ', '.join(name for name, seen in zip(skeleton.names, ever) if not seen)
        raise InputError(f'no frame shows {missing} of this person, and joints can be guessed only of {name_of(H36M_16)}; give '
                         'keypoints with these joints, or lift with a checkpoint of 16 joints')


def with_guessed_joints(positions, ever):
    """(T, 16, 2) pixels with the joints that are not `ever` (16,) seen at guessed places; the others stay."""
    names = H36M_16.names
    seen = {name: positions[:, joint].astype(np.float64) for joint, name in enumerate(names) if ever[joint]}
    _guess_trunk(seen)
    torso = seen['Thorax'] - seen['Hip']
    size = np.median(np.linalg.norm(torso, axis=-1))
    up = torso / np.maximum(np.linalg.norm(torso, axis=-1, keepdims=True), 1e-9)
    across = np.stack([-up[:, 1], up[:, 0]], axis=-1)
    width = np.median(np.linalg.norm(seen['LShoulder'] - seen['RShoulder'], axis=-1))
    mirror = -1 if width > SIDEWAYS * size else 1
    for name, parent in zip(names, H36M_16.parent_names):
        if name in seen:
            continue
        twin = {'L': 'R', 'R': 'L'}[name[0]] + name[1:]
        if twin in seen and ever[names.index(twin)]:
            bone = seen[twin] - seen[twin[0] + parent[1:]]
            offset = [mirror * (bone * across).sum(-1).mean(), (bone * up).sum(-1).mean()]
        else:
            offset = [0, -LIMBS[name[1:]] * size]
        seen[name] = seen[parent] + offset[0] * across + offset[1] * up
    return np.stack([seen[name] for name in names], axis=1)


def _guess_trunk(seen):
    """Add the hips, shoulders, hip, spine, thorax and head that are missing."""
    _guess_middle(seen, 'Hip', 'Hip', 'Thorax', 'Shoulder', HIPS / SHOULDERS)
    _guess_middle(seen, 'Thorax', 'Shoulder', 'Hip', 'Hip', SHOULDERS / HIPS)
    if 'Hip' not in seen:
        seen['Hip'] = seen['Thorax'] + [0, _torso(seen, 'Shoulder', SHOULDERS, 'Elbow', 'Wrist')]
    if 'Thorax' not in seen:
        seen['Thorax'] = seen['Hip'] - [0, _torso(seen, 'Hip', HIPS, 'Knee', 'Foot')]
    for middle, joint, other, other_joint, ratio in (('Hip', 'Hip', 'Thorax', 'Shoulder', HIPS / SHOULDERS),
                                                     ('Thorax', 'Shoulder', 'Hip', 'Hip', SHOULDERS / HIPS)):
        for side, twin in ('LR', 'RL'):
            if side + joint not in seen:
                if twin + joint in seen:
                    seen[side + joint] = 2 * seen[middle] - seen[twin + joint]
                elif side + other_joint in seen:
                    seen[side + joint] = seen[middle] + ratio * (seen[side + other_joint] - seen[other])
                elif twin + other_joint in seen:
                    seen[side + joint] = seen[middle] - ratio * (seen[twin + other_joint] - seen[other])
                else:
                    seen[side + joint] = seen[middle]
    seen.setdefault('Spine', (seen['Hip'] + seen['Thorax']) / 2)
    seen.setdefault('Head', seen['Thorax'] + HEAD * (seen['Thorax'] - seen['Hip']))


def _guess_middle(seen, middle, joint, other, other_joint, ratio):
    """Add the hip or thorax from its two sides, or from one side and the other end of the torso."""
    sides = [side for side in 'LR' if side + joint in seen]
    if middle in seen or not sides:
        return
    seen[middle] = np.mean([seen[side + joint] for side in sides], axis=0)
    if len(sides) == 1 and other in seen and sides[0] + other_joint in seen:
        seen[middle] = seen[middle] - ratio * (seen[sides[0] + other_joint] - seen[other])


def _torso(seen, joint, width, upper, lower):
    """Length of the torso in pixels, from the parts of the upper or lower half of the body that are seen."""
    lengths = []
    if {f'L{joint}', f'R{joint}'} <= seen.keys():
        lengths.append(np.linalg.norm(seen[f'L{joint}'] - seen[f'R{joint}'], axis=-1).max() / width)
    for side in 'LR':
        for start, end in ((joint, upper), (upper, lower)):
            if {side + start, side + end} <= seen.keys():
                lengths.append(np.linalg.norm(seen[side + start] - seen[side + end], axis=-1).max() / LIMBS[end])
    if 'Head' in seen and 'Thorax' in seen:
        lengths.append(np.linalg.norm(seen['Head'] - seen['Thorax'], axis=-1).max() / HEAD)
    return max(lengths, default=1.0)

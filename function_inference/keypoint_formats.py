"""The joints of each detector, and how our 16 joints (H36M_16) are computed from them, by joint NAME.

A keypoint format lists the detector's joints in its order and, for each of our joints, the detector's joints that are
averaged. Human3.6M's Head is the top of the head, which most detectors do not give. A head rule says what replaces it:

    joint     the format's own top of the head
    thorax    thorax + 0.4 (thorax - hip), as the authors of PoseAug do for their own videos
    eyes      the midpoint of the eyes, as several later lifters do; too low
    nose      the nose, as some do; lower still

A lifter of another skeleton needs a format of its own joints, or one whose sources name the joints that it has besides ours.
The orders of joints are in function_inference/readers/joint_names.py.
"""
from typing import NamedTuple

import numpy as np

from common.errors import InputError
from common.skeleton import H36M_16, H36M_17
from common.skeletons import SMPL_24, name_of
from function_inference.readers import joint_names

HEAD_RULES = ('joint', 'thorax', 'eyes', 'nose')
NEAR = 0.12                 # in lengths of the person's diagonal
MOST_COMPARED = 1000        # frames
CLEARLY_SHORTER = 0.9       # mean length of the bones in the right order of joints, relative to another order
HEAD_BEYOND_THORAX = 0.4    # in lengths of the vector from hip to thorax


class KeypointFormat(NamedTuple):
    """The joints of one detector or data set.

    `joints`: their names in order; `sources`: our joint -> the joints averaged for it (all of ours but Head, and Neck of the
    17 joints where there is one); `heads`:
    head rule -> the joints averaged for Head (None: extrapolated from Hip and Thorax), with the default rule first;
    `layout`: the name by which files refer to the format; `near`: pairs of groups of joints whose centres lie close together in
    this order of joints, and not in another one with as many joints. A source that is listed twice counts twice.
    """
    name: str
    joints: tuple
    sources: dict
    heads: dict
    layout: str = ''
    near: tuple = ()


def matrix_of(keypoint_format, head=None, skeleton=H36M_16):
    """(16, J) float32 such that our joints = matrix @ the format's; `head` is one of HEAD_RULES (None: its default).

    Or those of another `skeleton`. InputError if the format lacks joints that the rule or the skeleton needs.
    """
    if skeleton != H36M_16 and keypoint_format.joints == skeleton.names:
        if head:
            raise InputError(f'--head {head}: a lifter of {name_of(skeleton)} takes all its joints as they are; leave it out')
        return np.eye(skeleton.num_joints, dtype=np.float32)
    rule = head or next(iter(keypoint_format.heads))
    if rule not in keypoint_format.heads:
        raise InputError(f'--head {rule}: {keypoint_format.name} has no joints for it; choose '
                         f'{" or ".join(keypoint_format.heads)}')
    rows = {name: _average(keypoint_format, sources) for name, sources in keypoint_format.sources.items()}
    rows['Head'] = _head(keypoint_format, rule, rows)
    if missing := [name for name in skeleton.names if name not in rows]:
        raise InputError(f'{keypoint_format.name} has no {", ".join(missing)}, which a lifter of {name_of(skeleton)} needs; '
                         f'give keypoints of its {skeleton.num_joints} joints, or lift with a checkpoint of 16 joints')
    return np.stack([rows[name] for name in skeleton.names]).astype(np.float32)


def to_h36m_16(people, matrix):
    """(P, J, 3) x, y, confidence -> (P, 16, 3); a joint gets the lowest confidence of its sources."""
    positions = matrix @ people[..., :2]
    confidence = np.where(matrix != 0, people[..., None, :, 2], np.inf).min(-1)
    return np.concatenate([positions, confidence[..., None]], axis=-1).astype(np.float32)


def _average(keypoint_format, sources):
    row = np.zeros(len(keypoint_format.joints))
    np.add.at(row, [keypoint_format.joints.index(name) for name in sources], 1 / len(sources))
    return row


def _head(keypoint_format, rule, rows):
    if keypoint_format.heads[rule] is None:
        return rows['Thorax'] + HEAD_BEYOND_THORAX * (rows['Thorax'] - rows['Hip'])
    return _average(keypoint_format, keypoint_format.heads[rule])


def _limbs(foot):
    """Sources of arms and legs: every format names them as we do, except that our Foot is the Ankle of some."""
    names = [name for name in H36M_16.names if name[0] in 'LR']
    return {name: (name.replace('Foot', foot),) for name in names}


_BOTH_HIPS, _BOTH_SHOULDERS = ('LHip', 'RHip'), ('LShoulder', 'RShoulder')
# for detectors without hip, spine and thorax: Spine is the midpoint of Hip and Thorax, so the mean of all four joints
_MIDDLES = dict(Hip=_BOTH_HIPS, Spine=_BOTH_HIPS + _BOTH_SHOULDERS, Thorax=_BOTH_SHOULDERS)
_FACE_HEADS = dict(thorax=None, eyes=('LEye', 'REye'), nose=('Nose',))
_OWN_HEAD = dict(joint=('Head',), thorax=None)

_NECK = dict(Hip=_BOTH_HIPS, Spine=('Neck', 'Neck') + _BOTH_HIPS, Thorax=('Neck',))
_NECK_AND_HIP = dict(Hip=('Hip',), Spine=('Neck', 'Hip'), Thorax=('Neck',))

COCO_17 = KeypointFormat('coco17', joint_names.COCO_17, _limbs('Ankle') | _MIDDLES, _FACE_HEADS, layout='coco',
                         near=((('Nose',), ('LEye', 'REye')), (('Nose',), ('LEar', 'REar'))))
COCO_18 = KeypointFormat('coco18', joint_names.COCO_18, _limbs('Ankle') | _NECK, _FACE_HEADS)
BODY_25 = KeypointFormat(
    'body25', joint_names.BODY_25,
    _limbs('Ankle') | dict(Hip=('MidHip',), Spine=('Neck', 'MidHip'), Thorax=('Neck',)), _FACE_HEADS, layout='coco')
# Its Neck is the upper neck, too high for Thorax.
BODY_25B = KeypointFormat('body25b', joint_names.BODY_25B, _limbs('Ankle') | _MIDDLES | dict(Neck=('Neck',)),
                          _OWN_HEAD | _FACE_HEADS, layout='body25b')
MEDIAPIPE_33 = KeypointFormat('mediapipe33', joint_names.MEDIAPIPE_33, _limbs('Ankle') | _MIDDLES, _FACE_HEADS)
HALPE_26 = KeypointFormat('halpe26', joint_names.HALPE_26, _limbs('Ankle') | _NECK_AND_HIP, _OWN_HEAD | _FACE_HEADS)
# Their first joints are those of the body; feet, face and hands are not used.
WHOLEBODY_133 = COCO_17._replace(name='wholebody133', joints=joint_names.WHOLEBODY_133)
HALPE_136 = HALPE_26._replace(name='halpe136', joints=joint_names.HALPE_136)

MPII_16 = KeypointFormat('mpii16', joint_names.MPII_16, _limbs('Ankle') | dict(
    Hip=('Hip',), Spine=('Hip', 'Thorax'), Thorax=('Thorax',), Neck=('Neck',)), _OWN_HEAD, layout='mpii')

_TORSO = dict(Hip=('Hip',), Spine=('Spine',), Thorax=('Thorax',))
H36M_16_FORMAT = KeypointFormat('h36m16', H36M_16.names, _limbs('Foot') | _TORSO, _OWN_HEAD, layout='h36m')
# The Neck of the 17 joints is called Nose elsewhere; neither name is exact, so no head rule uses it.
H36M_17_FORMAT = KeypointFormat('h36m17', H36M_17.names, _limbs('Foot') | _TORSO | dict(Neck=('Neck',)), _OWN_HEAD,
                                layout='h36m', near=((('Hip',), _BOTH_HIPS), (('Thorax',), _BOTH_SHOULDERS)))
# Its Hip and Head are not exactly ours (common/skeletons.py).
SMPL_24_FORMAT = KeypointFormat('smpl24', SMPL_24.names, _limbs('Foot') | _TORSO | dict(Hip=_BOTH_HIPS), dict(thorax=None),
                                near=((('Hip',), _BOTH_HIPS), (('Thorax',), ('LCollar', 'RCollar'))))

FORMATS = {keypoint_format.name: keypoint_format for keypoint_format in
           (COCO_17, COCO_18, BODY_25, BODY_25B, MEDIAPIPE_33, HALPE_26, WHOLEBODY_133, HALPE_136, MPII_16, H36M_16_FORMAT,
            H36M_17_FORMAT, SMPL_24_FORMAT)}

# Bones by the names of their ends, in any format: those that a format lacks are left out.
_SIDES = (('Shoulder', 'Elbow'), ('Elbow', 'Wrist'), ('Hip', 'Knee'), ('Knee', 'Ankle'), ('Knee', 'Foot'),
          ('Ankle', 'BigToe'), ('Ankle', 'Heel'), ('Eye', 'Ear'))
_TO_SIDES = (('Nose', 'Eye'), ('Neck', 'Shoulder'), ('Thorax', 'Shoulder'), ('MidHip', 'Hip'), ('Hip', 'Hip'))
_BONES = (('Spine', 'Hip'), ('Spine', 'Thorax'), ('Thorax', 'Neck'), ('Neck', 'Head'), _BOTH_HIPS, _BOTH_SHOULDERS,
          *((side + one, side + other) for one, other in _SIDES for side in 'LR'),
          *((one, side + other) for one, other in _TO_SIDES for side in 'LR'))


def format_of(num_joints, where, name=None, layout=None, people=()):
    """The KeypointFormat of people with `num_joints` joints; InputError, naming `where`, if not exactly one fits.

    `name`: the format that the user gave, or None. Between several, the places of the joints of `people` (list of (P, J, 3))
    decide, if they leave no doubt, and otherwise `layout`, the name in the file. 24 joints are SMPL's only if they lie so, as
    there are other orders of 24.
    """
    if name is not None and len(FORMATS[name].joints) != num_joints:
        raise InputError(f'{where} holds people of {num_joints} joints, but --format {name} has '
                         f'{len(FORMATS[name].joints)}; leave --format out or choose another')
    fitting = [FORMATS[name]] if name else [each for each in FORMATS.values() if len(each.joints) == num_joints
                                            and (each is not SMPL_24_FORMAT or _has_near_joints(each, people))]
    told = _told_by_places(fitting, people) or [each for each in fitting if layout and each.layout == layout] or fitting
    if not told:
        known = ', '.join(f'{each.name} ({len(each.joints)})' for each in FORMATS.values())
        raise InputError(f'{where} holds people of {num_joints} joints; the known formats are {known}')
    if len(told) > 1:
        raise InputError(f'{where} holds people of {num_joints} joints, which may be '
                         f'{" or ".join(each.name for each in told)}; say which with --format')
    return told[0]


def _told_by_places(fitting, people):
    """A list of the one among several formats in whose order `people` look like people; empty if this cannot be told."""
    if len(fitting) < 2 or not people:
        return []
    if all(each.near for each in fitting):
        told = [each for each in fitting if _has_near_joints(each, people)]
        return told if len(told) == 1 else []
    lengths = {_bone_length(each, people): each for each in fitting}
    shortest, second, *_ = *sorted(lengths), np.inf
    return [lengths[shortest]] if shortest < CLEARLY_SHORTER * second < np.inf else []


def _bone_length(keypoint_format, people):
    """Median over the `people`, a list of (P, J, 3), of the mean length of their bones, relative to their extents.

    A bone is counted if both its ends are seen. Infinite if no bone is.
    """
    people = np.concatenate(people[:MOST_COMPARED])
    ends = np.array([[keypoint_format.joints.index(name) for name in bone] for bone in _BONES
                     if set(bone) <= set(keypoint_format.joints)])
    seen = people[..., 2] > 0
    both = seen[:, ends].all(-1)
    lengths = np.linalg.norm(people[:, ends[:, 0], :2] - people[:, ends[:, 1], :2], axis=-1)
    means = (lengths * both).sum(1)[both.any(1)] / both.sum(1)[both.any(1)]
    return float(np.median(means / np.maximum(_extents(people, seen)[both.any(1)], 1e-9))) if len(means) else np.inf


def _extents(people, seen):
    """(P,) diagonals of the boxes around the joints of `people` (P, J, 3) that are `seen` (P, J)."""
    seen = seen[..., None]
    return np.linalg.norm(np.max(people[..., :2], axis=1, initial=-np.inf, where=seen)
                          - np.min(people[..., :2], axis=1, initial=np.inf, where=seen), axis=-1)


def _has_near_joints(keypoint_format, people):
    """Whether the joints that are `near` in this format are so in most of the `people`, a list of (P, J, 3)."""
    people = np.concatenate(people[:MOST_COMPARED])
    groups = [[[keypoint_format.joints.index(name) for name in group] for group in pair] for pair in keypoint_format.near]
    needed = [joint for pair in groups for group in pair for joint in group]
    whole = people[(people[:, needed, 2] > 0).all(1)]
    if not len(whole):
        return False
    extent = _extents(whole, whole[..., 2] > 0)
    centres = ([whole[:, group, :2].mean(1) for group in pair] for pair in groups)
    return all(np.median(np.linalg.norm(one - other, axis=-1) / np.maximum(extent, 1e-9)) < NEAR for one, other in centres)

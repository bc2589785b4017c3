"""The joints of each detector, and how our 16 joints (H36M_16) are computed from them, by joint NAME.

A keypoint format lists the detector's joints in its order and, for each of our joints, the detector's joints that are
averaged. Human3.6M's Head is the top of the head, which most detectors do not give. A head rule says what replaces it:

    joint     the format's own top of the head
    thorax    thorax + 0.4 (thorax - hip), as the authors of PoseAug do for their own videos
    eyes      the midpoint of the eyes, as several later lifters do; too low
    nose      the nose, as some do; lower still

The orders of joints are those that COCO, OpenPose, MediaPipe, AlphaPose and VideoPose3D document.
"""
from typing import NamedTuple

import numpy as np

from common.errors import InputError
from common.skeleton import H36M_16, H36M_17

HEAD_RULES = ('joint', 'thorax', 'eyes', 'nose')
HEAD_BEYOND_THORAX = 0.4    # in lengths of the vector from hip to thorax


class KeypointFormat(NamedTuple):
    """The joints of one detector or data set.

    `joints`: their names in order; `sources`: our joint -> the joints averaged for it (all of ours but Head); `heads`:
    head rule -> the joints averaged for Head (None: extrapolated from Hip and Thorax), with the default rule first;
    `layout`: the name by which files refer to the format.
    """
    name: str
    joints: tuple
    sources: dict
    heads: dict
    layout: str = ''


def matrix_of(keypoint_format, head=None):
    """(16, J) float32 such that our joints = matrix @ the format's; `head` is one of HEAD_RULES (None: its default).

    InputError if the format lacks the joints that the rule needs.
    """
    rule = head or next(iter(keypoint_format.heads))
    if rule not in keypoint_format.heads:
        raise InputError(f'--head {rule}: {keypoint_format.name} has no joints for it; choose '
                         f'{" or ".join(keypoint_format.heads)}')
    rows = {name: _average(keypoint_format, sources) for name, sources in keypoint_format.sources.items()}
    rows['Head'] = _head(keypoint_format, rule, rows)
    return np.stack([rows[name] for name in H36M_16.names]).astype(np.float32)


def to_h36m_16(people, matrix):
    """(P, J, 3) x, y, confidence -> (P, 16, 3); a joint gets the lowest confidence of its sources."""
    positions = matrix @ people[..., :2]
    confidence = np.where(matrix != 0, people[..., None, :, 2], np.inf).min(-1)
    return np.concatenate([positions, confidence[..., None]], axis=-1).astype(np.float32)


def _average(keypoint_format, sources):
    row = np.zeros(len(keypoint_format.joints))
    row[[keypoint_format.joints.index(name) for name in sources]] = 1 / len(sources)
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

_COCO_JOINTS = ('Nose', 'LEye', 'REye', 'LEar', 'REar', 'LShoulder', 'RShoulder', 'LElbow', 'RElbow', 'LWrist',
                'RWrist', 'LHip', 'RHip', 'LKnee', 'RKnee', 'LAnkle', 'RAnkle')

COCO_17 = KeypointFormat('coco17', _COCO_JOINTS, _limbs('Ankle') | _MIDDLES, _FACE_HEADS, layout='coco')

BODY_25 = KeypointFormat(
    'body25',
    ('Nose', 'Neck', 'RShoulder', 'RElbow', 'RWrist', 'LShoulder', 'LElbow', 'LWrist', 'MidHip', 'RHip', 'RKnee',
     'RAnkle', 'LHip', 'LKnee', 'LAnkle', 'REye', 'LEye', 'REar', 'LEar', 'LBigToe', 'LSmallToe', 'LHeel', 'RBigToe',
     'RSmallToe', 'RHeel'),
    _limbs('Ankle') | dict(Hip=('MidHip',), Spine=('Neck', 'MidHip'), Thorax=('Neck',)), _FACE_HEADS)

MEDIAPIPE_33 = KeypointFormat(
    'mediapipe33',
    ('Nose', 'LEyeInner', 'LEye', 'LEyeOuter', 'REyeInner', 'REye', 'REyeOuter', 'LEar', 'REar', 'LMouth', 'RMouth',
     'LShoulder', 'RShoulder', 'LElbow', 'RElbow', 'LWrist', 'RWrist', 'LPinky', 'RPinky', 'LIndex', 'RIndex', 'LThumb',
     'RThumb', 'LHip', 'RHip', 'LKnee', 'RKnee', 'LAnkle', 'RAnkle', 'LHeel', 'RHeel', 'LToe', 'RToe'),
    _limbs('Ankle') | _MIDDLES, _FACE_HEADS)

HALPE_26 = KeypointFormat(
    'halpe26',
    _COCO_JOINTS + ('Head', 'Neck', 'Hip', 'LBigToe', 'RBigToe', 'LSmallToe', 'RSmallToe', 'LHeel', 'RHeel'),
    _limbs('Ankle') | dict(Hip=('Hip',), Spine=('Neck', 'Hip'), Thorax=('Neck',)), _OWN_HEAD | _FACE_HEADS)

_TORSO = dict(Hip=('Hip',), Spine=('Spine',), Thorax=('Thorax',))
H36M_16_FORMAT = KeypointFormat('h36m16', H36M_16.names, _limbs('Foot') | _TORSO, _OWN_HEAD, layout='h36m')
# The Neck of the 17 joints is called Nose elsewhere; neither name is exact, so no head rule uses it.
H36M_17_FORMAT = KeypointFormat('h36m17', H36M_17.names, _limbs('Foot') | _TORSO, _OWN_HEAD, layout='h36m')

FORMATS = {keypoint_format.name: keypoint_format for keypoint_format in
           (COCO_17, BODY_25, MEDIAPIPE_33, HALPE_26, H36M_16_FORMAT, H36M_17_FORMAT)}


def format_of(num_joints, where, name=None, layout=None):
    """The KeypointFormat of people with `num_joints` joints; InputError, naming `where`, if not exactly one fits.

    `name`: the format that the user gave, or None; `layout`: the name in the file, which decides between several.
    """
    if name is not None and len(FORMATS[name].joints) != num_joints:
        raise InputError(f'{where} holds people of {num_joints} joints, but --format {name} has '
                         f'{len(FORMATS[name].joints)}; leave --format out or choose another')
    fitting = [FORMATS[name]] if name else [each for each in FORMATS.values() if len(each.joints) == num_joints]
    told = [each for each in fitting if layout and each.layout == layout] or fitting
    if not told:
        known = ', '.join(f'{each.name} ({len(each.joints)})' for each in FORMATS.values())
        raise InputError(f'{where} holds people of {num_joints} joints; the known formats are {known}')
    if len(told) > 1:
        raise InputError(f'{where} holds people of {num_joints} joints, which may be '
                         f'{" or ".join(each.name for each in told)}; say which with --format')
    return told[0]

"""The joints of the detectors in their orders, and joints that a file names -> one of these orders.

The orders are those that COCO, OpenPose, MediaPipe, AlphaPose and MPII document.
"""
import re

import numpy as np

from common.skeleton import H36M_16

COCO_17 = ('Nose', 'LEye', 'REye', 'LEar', 'REar', 'LShoulder', 'RShoulder', 'LElbow', 'RElbow', 'LWrist', 'RWrist', 'LHip',
           'RHip', 'LKnee', 'RKnee', 'LAnkle', 'RAnkle')
COCO_18 = ('Nose', 'Neck', 'RShoulder', 'RElbow', 'RWrist', 'LShoulder', 'LElbow', 'LWrist', 'RHip', 'RKnee', 'RAnkle',
           'LHip', 'LKnee', 'LAnkle', 'REye', 'LEye', 'REar', 'LEar')
BODY_25 = COCO_18[:8] + ('MidHip',) + COCO_18[8:] + ('LBigToe', 'LSmallToe', 'LHeel', 'RBigToe', 'RSmallToe', 'RHeel')
BODY_25B = COCO_17 + ('Neck', 'Head', 'LBigToe', 'LSmallToe', 'LHeel', 'RBigToe', 'RSmallToe', 'RHeel')
MPII_16 = ('RAnkle', 'RKnee', 'RHip', 'LHip', 'LKnee', 'LAnkle', 'Hip', 'Thorax', 'Neck', 'Head', 'RWrist', 'RElbow',
           'RShoulder', 'LShoulder', 'LElbow', 'LWrist')
HALPE_26 = COCO_17 + ('Head', 'Neck', 'Hip', 'LBigToe', 'RBigToe', 'LSmallToe', 'RSmallToe', 'LHeel', 'RHeel')
HALPE_136 = HALPE_26 + tuple(f'FaceOrHand{number}' for number in range(110))
WHOLEBODY_133 = COCO_17 + tuple(f'FootFaceOrHand{number}' for number in range(116))
MEDIAPIPE_33 = ('Nose', 'LEyeInner', 'LEye', 'LEyeOuter', 'REyeInner', 'REye', 'REyeOuter', 'LEar', 'REar', 'LMouth', 'RMouth',
                'LShoulder', 'RShoulder', 'LElbow', 'RElbow', 'LWrist', 'RWrist', 'LPinky', 'RPinky', 'LIndex', 'RIndex',
                'LThumb', 'RThumb', 'LHip', 'RHip', 'LKnee', 'RKnee', 'LAnkle', 'RAnkle', 'LHeel', 'RHeel', 'LToe', 'RToe')

NUMBERS_OF_JOINTS = (16, 17, 18, 25, 26, 33, 133, 136)     # of these orders and of Human3.6M's

SIDES = dict(l='L', left='L', r='R', right='R')
SYNONYMS = dict(foot='ankle', footindex='toe', pelvis='hip', root='hip', midhip='hip', hand='wrist', headtop='head',
                upperneck='neck')
LIMBS = {f'{side}{part}' for side in 'LR' for part in ('shoulder', 'elbow', 'wrist', 'hip', 'knee', 'ankle')}


def joint_key(name):
    """One spelling for all: 'left_shoulder', 'LShoulder', 'shoulder.L' and 'leftShoulder' -> 'Lshoulder'."""
    words = [word.lower() for word in re.findall(r'[A-Z]?[a-z]+|[A-Z]+(?![a-z])', str(name))]
    sides = [SIDES[word] for word in words if word in SIDES]
    part = ''.join(word for word in words if word not in SIDES)
    if not sides and part[:1] in ('l', 'r') and part[:1].upper() + SYNONYMS.get(part[1:], part[1:]) in LIMBS | FACE:
        sides, part = [part[0].upper()], part[1:]      # 'lshoulder'
    return ''.join(sides[:1]) + SYNONYMS.get(part, part)


# joints of the trunk -> the order that has them; the first that fits
ORDERS = (({'spine', 'thorax'}, H36M_16.names), ({'thorax', 'hip', 'head'}, MPII_16), ({'neck', 'hip', 'head'}, HALPE_26),
          ({'neck', 'hip'}, BODY_25), ({'neck'}, COCO_18), (set(), COCO_17))
FACE = {f'{side}{part}' for side in 'LR' for part in ('eye', 'ear')}


def are_joint_names(names):
    """Whether these are names of a person's joints: at least the shoulders and the hips."""
    return {'Lshoulder', 'Rshoulder', 'Lhip', 'Rhip'} <= {joint_key(name) for name in names}


def in_known_order(joints):
    """{name: (C,) array} -> (J, C) in the order that has the joints of the trunk that are named; NaN for the others."""
    found = {joint_key(name): values for name, values in joints.items()}
    order = next(order for trunk, order in ORDERS if trunk <= found.keys())
    missing = np.full(len(next(iter(found.values()))), np.nan)
    return np.stack([found.get(joint_key(name), missing) for name in order])

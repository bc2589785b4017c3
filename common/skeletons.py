"""The skeletons that data sets and checkpoints name: SKELETONS. A new one is declared here and gets a name there.

A joint that two skeletons have in common has one name, although SMPL calls some otherwise:

    here     Hip     LowerSpine  Spine   Chest   Thorax  LFoot       LToe       LHand
    SMPL     pelvis  spine1      spine2  spine3  neck    left_ankle  left_foot  left_hand

Two of them are not exactly Human3.6M's: SMPL's Hip lies above the hip joints instead of between them, and its Head is the base
of the skull instead of the top of the head.
"""
from common.errors import InputError
from common.skeleton import H36M_16, H36M_17, Skeleton


def _both(*joints):
    """These joints of the left and of the right side, in pairs."""
    return tuple(side + joint for joint in joints for side in 'LR')


def _limb(side, *joints):
    return tuple(side + joint for joint in joints)


_ARM, _LEG = ('Collar', 'Shoulder', 'Elbow', 'Wrist', 'Hand'), ('Hip', 'Knee', 'Foot', 'Toe')
_TRUNK = ('LowerSpine', 'Spine', 'Chest', 'Thorax')
_HIPS = ('LHip', 'RHip', 'LowerSpine')

# SMPL's 24 joints in SMPL's order (Loper et al., SIGGRAPH Asia 2015). What does not follow from the names is declared as for
# Human3.6M: the trunk does not bend, its upper half keeps its length, and the critics' parts overlap at the hips and the chest.
SMPL_24 = Skeleton(
    names=('Hip', 'LHip', 'RHip', 'LowerSpine', 'LKnee', 'RKnee', 'Spine', 'LFoot', 'RFoot', 'Chest', 'LToe', 'RToe', 'Thorax',
           'LCollar', 'RCollar', 'Head', *_both('Shoulder', 'Elbow', 'Wrist', 'Hand')),
    parent_names=(None, 'Hip', 'Hip', 'Hip', 'LHip', 'RHip', 'LowerSpine', 'LKnee', 'RKnee', 'Spine', 'LFoot', 'RFoot', 'Chest',
                  'Chest', 'Chest', 'Thorax', *_both('Collar', 'Shoulder', 'Elbow', 'Wrist')),
    backbone=_TRUNK, fixed_length=('Chest', 'Thorax'),
    critic_parts=dict(left_arm=('Chest', *_limb('L', *_ARM)), right_arm=('Chest', *_limb('R', *_ARM)),
                      right_leg=(*_HIPS, *_limb('R', *_LEG[1:])), left_leg=(*_HIPS, *_limb('L', *_LEG[1:])),
                      torso=(*_HIPS, *_TRUNK[1:], 'Head', *_both('Collar', 'Shoulder'))),
    feedback_groups=(dict.fromkeys(_both('Hip', 'Shoulder'), 5), dict.fromkeys(_both('Knee', 'Elbow'), 2) | dict(Head=1),
                     dict.fromkeys(_both('Foot', 'Toe', 'Wrist', 'Hand'), 1)),
    graph_parts=dict(left_arm=_limb('L', *_ARM), right_arm=_limb('R', *_ARM), left_leg=_limb('L', *_LEG),
                     right_leg=_limb('R', *_LEG), torso=('Hip', *_TRUNK, 'Head')), graph_centre='Spine')

SKELETONS = dict(h36m_16=H36M_16, h36m_17=H36M_17, smpl_24=SMPL_24)


def name_of(skeleton):
    """The name of a skeleton in SKELETONS; InputError for one that has none."""
    for name, known in SKELETONS.items():
        if known == skeleton:
            return name
    raise InputError(f'a skeleton of {skeleton.num_joints} joints has no name, so no file could say which one it is; add it to '
                     'SKELETONS in common/skeletons.py')


def with_joints(names):
    """The skeleton whose joints have these names, in this order; None if there is none."""
    return next((skeleton for skeleton in SKELETONS.values() if skeleton.names == tuple(names)), None)

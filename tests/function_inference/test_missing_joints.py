"""Joints that no frame shows: their places in someone who stands, and what is kept."""
import numpy as np
import pytest

from common.errors import InputError
from common.skeleton import H36M_16
from common.skeletons import SMPL_24
from function_inference.missing_joints import require_enough, with_guessed_joints

SIDE = dict(Shoulder=(30, -100), Elbow=(35, -43), Wrist=(35, 8), Hip=(26, 0), Knee=(28, 92), Foot=(28, 182))
MIDDLE = dict(Hip=(0, 0), Spine=(0, -50), Thorax=(0, -100), Head=(0, -140))
LEGS, ARMS = ('Hip', 'Knee', 'Foot'), ('Shoulder', 'Elbow', 'Wrist')


def standing(turn=1):
    """(3, 16, 2): someone who walks to the right and faces the camera; `turn` -1: who is seen from behind."""
    pose = np.array([MIDDLE[name] if name in MIDDLE else np.multiply(SIDE[name[1:]], ({'L': turn, 'R': -turn}[name[0]], 1))
                     for name in H36M_16.names], float)
    return pose + np.array([[[300, 300]], [[310, 300]], [[320, 300]]])


def missing(*names):
    return ~np.isin(H36M_16.names, names)


@pytest.mark.parametrize('turn', [1, -1], ids=['front', 'behind'])
@pytest.mark.parametrize('names', [('LWrist',), ('RElbow', 'RWrist'), ('LFoot', 'RWrist'), ('LKnee', 'RKnee', 'LFoot', 'RFoot'),
                                   ('LHip', 'Hip', 'Spine'), ('RShoulder', 'Thorax', 'Spine', 'Head'), ('Head',),
                                   tuple(f'{side}{joint}' for side in 'LR' for joint in LEGS) + ('Hip', 'Spine'),
                                   tuple(f'{side}{joint}' for side in 'LR' for joint in ARMS) + ('Thorax', 'Spine', 'Head')],
                         ids=str)
def test_guessed_places_are_near_the_true_ones(names, turn):
    truth, ever = standing(turn), missing(*names)
    guessed = with_guessed_joints(np.where(ever[:, None], truth, 7.), ever)
    np.testing.assert_array_equal(guessed[:, ever], truth[:, ever])
    assert np.linalg.norm(guessed - truth, axis=-1).max() < 25      # the torso has 100


def test_a_limb_seen_from_the_side_is_not_mirrored():
    truth = standing() - 300
    truth[..., 0] = np.array([0, 10, 20])[:, None] + np.array([40 * name.endswith('Wrist') for name in H36M_16.names])
    guessed = with_guessed_joints(truth, missing('LWrist'))
    np.testing.assert_allclose(guessed, truth, atol=1e-6)


def test_hips_or_shoulders_are_needed():
    require_enough(missing(*(set(H36M_16.names) - {'LShoulder'})))
    with pytest.raises(InputError, match='no frame shows a hip or a shoulder'):
        require_enough(missing('Hip', 'Thorax', 'LHip', 'RHip', 'LShoulder', 'RShoulder'))


def test_of_another_skeleton_every_joint_is_needed():
    ever = ~np.isin(SMPL_24.names, ('LToe', 'RHand'))
    with pytest.raises(InputError, match='no frame shows LToe, RHand of this person'):
        require_enough(ever, SMPL_24)
    require_enough(np.ones(24, bool), SMPL_24)

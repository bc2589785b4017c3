"""The skeleton: every derived index, matrix and grouping against the published joint order, written out by hand here."""
import numpy as np
import pytest

from common.datasets.h36m_protocol import CORRUPTED, IMAGE_SIZES, SUBJECTS, action_of, cameras
from common.datasets.joint_orders import H36M_16_IN_17, H36M_16_IN_32, H36M_16_IN_SPIN_24, H36M_32_NUM_JOINTS
from common.skeleton import H36M_16, H36M_17, Skeleton, official_14

NAMES_16 = ('Hip RHip RKnee RFoot LHip LKnee LFoot Spine Thorax Head LShoulder LElbow LWrist RShoulder RElbow RWrist').split()
PARENTS_16 = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 8, 10, 11, 8, 13, 14)
BOTH = pytest.mark.parametrize('skeleton', [H36M_16, H36M_17], ids=['16', '17'])


def test_names_and_parents_of_the_sixteen():
    assert list(H36M_16.names) == NAMES_16
    assert H36M_16.parents == PARENTS_16
    assert (H36M_16.num_joints, H36M_16.num_bones) == (16, 15)


def test_the_seventeen_have_a_neck_between_thorax_and_head():
    assert list(H36M_17.names) == NAMES_16[:9] + ['Neck'] + NAMES_16[9:]
    assert H36M_17.parents == (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15)


def test_edges_are_joint_and_parent_in_bone_order():
    assert H36M_16.edges == tuple((bone + 1, PARENTS_16[bone + 1]) for bone in range(15))


def test_joints_and_bones_by_name():
    assert H36M_16.joints('Head', 'Hip', 'RWrist') == [9, 0, 15]
    assert H36M_16.bones('RHip', 'Spine', 'Thorax', 'RWrist') == [0, 6, 7, 14]


def test_bone_matrix_is_parent_minus_child():
    pose = np.random.default_rng(0).normal(size=(16, 3))
    by_hand = np.stack([pose[PARENTS_16[joint]] - pose[joint] for joint in range(1, 16)])
    np.testing.assert_allclose(H36M_16.bone_matrix @ pose, by_hand, atol=1e-12)


@BOTH
def test_chain_matrix_inverts_the_bone_matrix_up_to_the_root(skeleton):
    bones, joints = np.eye(skeleton.num_bones), np.eye(skeleton.num_joints)
    np.testing.assert_array_equal(skeleton.bone_matrix @ skeleton.chain_matrix, bones)
    np.testing.assert_array_equal(skeleton.chain_matrix @ skeleton.bone_matrix, joints - joints[:1])
    assert not skeleton.chain_matrix[0].any()


@BOTH
def test_mirror_is_an_involution_that_exchanges_the_sides(skeleton):
    mirror = np.array(skeleton.mirror)
    np.testing.assert_array_equal(mirror[mirror], np.arange(skeleton.num_joints))
    swapped = {'L': 'R', 'R': 'L'}
    for name, other in zip(skeleton.names, mirror):
        sided = name[0] in 'LR'
        assert skeleton.names[other] == (swapped[name[0]] + name[1:] if sided else name)
    assert sorted(skeleton.left_joints) == sorted(mirror[skeleton.right_joints])


def test_sides_of_the_sixteen():
    assert H36M_16.mirror == [0, 4, 5, 6, 1, 2, 3, 7, 8, 9, 13, 14, 15, 10, 11, 12]
    assert H36M_16.left_joints == [4, 5, 6, 10, 11, 12]
    assert H36M_16.right_joints == [1, 2, 3, 13, 14, 15]


@BOTH
def test_bone_mirror_agrees_with_the_joints_it_ends_in(skeleton):
    """Mirroring the pose and then taking bones is taking bones and then mirroring them."""
    pose = np.random.default_rng(1).normal(size=(skeleton.num_joints, 3))
    bones = skeleton.bone_matrix @ pose
    np.testing.assert_allclose(skeleton.bone_matrix @ pose[skeleton.mirror], bones[skeleton.bone_mirror], atol=1e-12)


def test_nine_bone_groups_shared_by_left_and_right():
    assert H36M_16.bone_groups == [0, 1, 2, 0, 1, 2, 3, 4, 5, 6, 7, 8, 6, 7, 8]


def test_symmetric_pairs_of_the_seventeen():
    pairs = {frozenset(pair) for pair in H36M_17.symmetric_pairs}
    assert pairs == {frozenset(pair) for pair in [(1, 4), (2, 5), (3, 6), (11, 14), (12, 15), (13, 16)]}


@BOTH
def test_adjacency_holds_the_edges_and_nothing_else(skeleton):
    matrix = skeleton.adjacency
    np.testing.assert_array_equal(matrix, matrix.T)
    assert matrix.sum() == 2 * skeleton.num_bones and not matrix.diagonal().any()
    assert all(matrix[edge] == 1 for edge in skeleton.edges)
    # SemGCN's 46 non-zeros for the sixteen: the edges both ways, and every joint itself
    assert skeleton is not H36M_16 or (matrix + np.eye(16) > 0).sum() == 46


def test_hops_from_the_spine_of_the_seventeen():
    by_hand = [1, 2, 3, 4, 2, 3, 4, 0, 1, 2, 3, 2, 3, 4, 2, 3, 4]
    assert H36M_17.hops_from('Spine') == by_hand


def test_places_in_the_files_people_have():
    assert H36M_32_NUM_JOINTS == 32
    assert H36M_16_IN_32 == [0, 1, 2, 3, 6, 7, 8, 12, 13, 15, 17, 18, 19, 25, 26, 27]
    assert H36M_16_IN_17 == [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16]
    assert H36M_16_IN_SPIN_24 == [14, 2, 1, 0, 3, 4, 5, 16, 12, 18, 9, 10, 11, 8, 7, 6]


def test_the_official_fourteen_have_neither_pelvis_nor_spine():
    assert official_14(H36M_16) == [1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15]


def test_a_name_that_starts_with_l_or_r_is_not_a_side_by_that_alone():
    """Sides are an L or R before a capital; 'Rump' and 'Lumbar' have none."""
    skeleton = Skeleton(names=('Rump', 'Lumbar', 'LHand', 'RHand'), parent_names=(None, 'Rump', 'Lumbar', 'Lumbar'))
    assert skeleton.mirror == [0, 1, 3, 2]
    assert skeleton.bone_groups == [0, 1, 1]


# Human3.6M's own table, which lies beside the skeleton

def test_every_subject_has_four_calibrated_views():
    assert SUBJECTS == ('S1', 'S5', 'S6', 'S7', 'S8', 'S9', 'S11')
    for subject in SUBJECTS:
        views = cameras(subject)
        assert [(view.width, view.height) for view in views] == list(IMAGE_SIZES)
        assert [(view.width, view.height) for view in views] == [(1000, 1002), (1000, 1000), (1000, 1000), (1000, 1002)]
        for view in views:
            assert abs(np.linalg.norm(view.orientation) - 1) < 1e-6
            assert view.intrinsic.shape == (9,) and view.intrinsic.dtype == np.float32
            assert 2 < view.intrinsic[0] < 2.5 and np.abs(view.intrinsic[2:4]).max() < .05
            assert 1 < np.linalg.norm(view.translation) < 10   # metres, in a room


def test_the_corrupted_recording_and_the_names_of_actions():
    assert CORRUPTED == (('S11', 'Directions'),)
    assert [action_of(name) for name in ('Walking', 'Walking 1', 'WalkTogether 2')] == ['Walking', 'Walking', 'WalkTogether']

"""What is declared beside the names of each skeleton, and the names of the skeletons themselves."""
from dataclasses import replace

import pytest

from common.skeleton import H36M_16
from common.skeletons import SKELETONS, SMPL_24, name_of, with_joints
from refusals import refusal

EACH = pytest.mark.parametrize('skeleton', SKELETONS.values(), ids=SKELETONS)
# SMPL's table of parents, by number
SMPL_PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)


def mirrored(skeleton, names):
    return {skeleton.names[skeleton.mirror[joint]] for joint in skeleton.joints(*names)}


def test_smpl_has_its_24_joints_in_its_order():
    assert SMPL_24.parents == SMPL_PARENTS
    assert [SMPL_24.names[joint] for joint in (0, 4, 10, 12, 15, 17, 18, 23)] == [
        'Hip', 'LKnee', 'LToe', 'Thorax', 'Head', 'RShoulder', 'LElbow', 'RHand']
    assert len(SMPL_24.symmetric_pairs) == 9 and SMPL_24.num_groups == 5 + 9


@EACH
def test_every_bone_belongs_to_a_part_of_the_critic_and_the_parts_of_both_sides_are_alike(skeleton):
    parts = skeleton.critic_parts
    assert {name for names in parts.values() for name in names} == {*skeleton.names[1:]}
    assert [*parts] == [*H36M_16.critic_parts]
    for left, right in (('left_arm', 'right_arm'), ('left_leg', 'right_leg'), ('torso', 'torso')):
        assert mirrored(skeleton, parts[left]) == {*parts[right]}


@EACH
def test_no_joint_counts_twice_in_the_feedback_and_both_sides_count_alike(skeleton):
    names = [name for group in skeleton.feedback_groups for name in group]
    assert len(names) == len({*names}) and {*names} < {*skeleton.names}
    for group in skeleton.feedback_groups:
        other = {skeleton.names[skeleton.mirror[skeleton.names.index(name)]]: weight for name, weight in group.items()}
        assert other == group
    assert {*skeleton.backbone} == {*skeleton.names[1:]} - {*names} - {'LCollar', 'RCollar'}      # the trunk


@EACH
def test_each_joint_is_in_one_part_of_the_graph_and_the_trunk_is_the_last(skeleton):
    names = [name for part in skeleton.graph_parts.values() for name in part]
    assert sorted(names) == sorted(skeleton.names) and skeleton.graph_centre in skeleton.graph_parts['torso']
    assert [*skeleton.graph_parts] == [*H36M_16.graph_parts]
    for side in ('arm', 'leg'):
        left, right = skeleton.graph_parts[f'left_{side}'], skeleton.graph_parts[f'right_{side}']
        assert [name.replace('L', 'R', 1) for name in left] == [*right]
    assert mirrored(skeleton, skeleton.graph_parts['torso']) == {*skeleton.graph_parts['torso']}


@EACH
def test_what_does_not_bend_or_stretch_lies_in_the_middle(skeleton):
    assert {*skeleton.fixed_length} < {*skeleton.backbone}
    assert mirrored(skeleton, skeleton.backbone) == {*skeleton.backbone}


@EACH
def test_a_skeleton_is_found_by_its_name_and_by_its_joints(skeleton):
    assert SKELETONS[name_of(skeleton)] is skeleton and with_joints([*skeleton.names]) is skeleton


def test_other_joints_have_no_skeleton_and_another_skeleton_has_no_name():
    assert with_joints(SMPL_24.names[::-1]) is None and with_joints(()) is None
    assert 'common/skeletons.py' in refusal(name_of, replace(SMPL_24, backbone=()))

"""Rigs: the ready ones, what their lines mean, and what is refused."""
import numpy as np
import pytest

from common.skeleton import H36M_16, H36M_17
from common.skeletons import SKELETONS, SMPL_24
from data.mocap.recording import Recording
from data.mocap.rig import Place, load_rig, named, place_joints, places_of, ready_rigs
from refusals import refusal

JOINTS = '[joints]\n' + '\n'.join(f'{name} = "{name.lower()}"' for name in H36M_16.names)


@pytest.fixture
def loaded(tmp_path):
    """A function that writes a text as my.toml and loads it."""
    def write_and_load(text):
        (tmp_path / 'my.toml').write_text(text)
        return load_rig(tmp_path / 'my.toml')
    return write_and_load


def recording(**positions):
    """One frame of our 16 joints in lower case, at their numbers, or at `positions`."""
    names = tuple(name.lower() for name in H36M_16.names)
    places = [positions.get(name, (number, 0, 0)) for number, name in enumerate(names)]
    return Recording('a.bvh', names, np.array([places], dtype=np.float64))


@pytest.mark.parametrize('name', ready_rigs())
def test_ready_rigs_name_a_left_and_a_right_joint_for_each_of_ours(name):
    rig = load_rig(name)
    assert set(rig.places) == {*H36M_16.names}
    for joint in ('Hip', 'Knee', 'Foot', 'Shoulder', 'Elbow', 'Wrist'):
        (left,), (right,) = rig.places['L' + joint].joints, rig.places['R' + joint].joints
        differing = [pair for pair in zip(left.lower(), right.lower())] if len(left) == len(right) else []
        assert left != right and (not differing or ('l', 'r') in differing or 'left' in left.lower())


def test_a_place_is_a_joint_a_mean_or_a_point_beyond_a_joint(loaded):
    rig = loaded(JOINTS.replace('Hip = "hip"\n', 'Hip = ["rhip", "lhip"]\n', 1).replace(
        'Head = "head"', 'Head = { joint = "head", away_from = "thorax", metres = 0.5 }'))
    assert rig.places['Head'] == Place(('head',), ('thorax',), .5)
    pose3d = place_joints(recording(rhip=(2, 0, 0), lhip=(4, 2, 0), thorax=(0, 0, 0), head=(0, 3, 4)), rig, metres=.1)
    hip, head, spine = H36M_16.joints('Hip', 'Head', 'Spine')
    assert pose3d[0, hip] == pytest.approx([.3, .1, 0]) and pose3d[0, spine] == pytest.approx([.7, 0, 0])
    assert pose3d[0, head] == pytest.approx([0, .3 + .3, .4 + .4])      # half a metre along (0, 3, 4) / 5


@pytest.mark.parametrize('name', ['mixamorig:hip', 'HIP', 'Other:Hip'])
def test_names_are_found_with_another_namespace_or_case(loaded, name):
    rig = loaded(JOINTS.replace('Hip = "hip"\n', f'Hip = "{name}"\n', 1))
    assert place_joints(recording(), rig)[0, 0] == pytest.approx([0, 0, 0])


def test_a_joint_that_the_file_lacks_is_named_with_the_nearest_ones(loaded):
    line = refusal(place_joints, recording(), loaded(JOINTS.replace('"lknee"', '"lkneee_joint"')))
    assert "'lkneee_joint'" in line and 'LKnee' in line and 'lknee' in line.split('nearest names are ')[1] and 'a.bvh' in line


def test_the_order_of_a_rig_names_the_first_joints_of_an_array(loaded):
    rig = loaded('order = ["a", "b"]\n' + JOINTS)
    unnamed = Recording('a.npy', ('0', '1', '2'), np.zeros((1, 3, 3)))
    assert named(unnamed, rig).names == ('a', 'b', '2')
    assert named(recording(), rig).names == recording().names
    assert '1 joints' in refusal(named, Recording('a.npy', ('0',), np.zeros((1, 1, 3))), rig)


WRONG = {
    'no TOML': ('up = ', ('TOML',)), 'an unknown option': ('upp = "y"\n' + JOINTS, ("upp = 'y'", 'up')),
    'an option of another type': ('fps = "many"\n' + JOINTS, ('fps',)), 'an axis': ('up = "w"\n' + JOINTS, ("'w'", '-y')),
    'a unit': ('unit = "yard"\n' + JOINTS, ("'yard'", 'inch')), 'a rate': ('fps = 0\n' + JOINTS, ('fps = 0',)),
    'no joints': ('up = "y"\n', ('LKnee',)), 'a joint too few': (JOINTS.replace('LKnee = "lknee"\n', ''), ('LKnee',)),
    'a joint too many': (JOINTS + '\nTail = "tail"', ('Tail',)), 'a pattern': ('subject = "(("\n' + JOINTS, ('subject',)),
    'a pattern without parentheses': ('subject = "a"\n' + JOINTS, ('subject', 'parentheses')),
    'a number as joint': (JOINTS.replace('"lknee"', '7'), ('LKnee', '7')),
    'an empty list': (JOINTS.replace('"lknee"', '[]'), ('LKnee',)),
    'metres from nowhere': (JOINTS.replace('"lknee"', '{ joint = "lknee", metres = 0.1 }'), ('LKnee',)),
    'a joint that the 17 have not': (JOINTS + '\n[h36m_17]\nNose = "head"', ('[h36m_17]', 'Nose')),
    'an offset of no number': ('lost_offsets = { neck = "spine" }\n' + JOINTS, ('lost_offsets', "'spine'", '1.0')),
    'another word': (JOINTS.replace('"lknee"', '{ joint = "lknee", feet = 1 }'), ('LKnee',))}


@pytest.mark.parametrize('case', WRONG)
def test_a_file_that_is_no_rig_is_refused_in_one_line(loaded, case):
    text, words = WRONG[case]
    line = refusal(loaded, text)
    assert 'my.toml' in line and all(word in line for word in words), line


def test_a_rig_that_is_not_there_lists_the_ready_ones():
    line = refusal(load_rig, 'lafan2')
    assert 'lafan2' in line and 'lafan1' in line and '.toml' in line


# other skeletons

def test_the_17_joints_are_our_16_and_one_from_their_own_table(loaded):
    rig = loaded(JOINTS + '\n[h36m_17]\nNeck = ["thorax", "head"]\n')
    pose3d = place_joints(recording(), rig, metres=.1, skeleton=H36M_17)
    ours, theirs = pose3d[:, :16], pose3d[:, 16:]
    assert np.array_equal(theirs[:, H36M_17.joints(*H36M_16.names)], ours)
    assert np.array_equal(ours, place_joints(recording(), rig, .1))
    thorax, neck, head = (pose3d[0, 16 + joint, 0] for joint in H36M_17.joints('Thorax', 'Neck', 'Head'))
    assert neck == pytest.approx((thorax + head) / 2)


def test_a_table_may_put_a_joint_elsewhere_than_joints(loaded):
    rig = loaded(JOINTS + '\n[h36m_17]\nNeck = "head"\nHead = "spine"\n')
    pose3d = place_joints(recording(), rig, skeleton=H36M_17)
    assert pose3d[0, 16 + H36M_17.names.index('Head'), 0] == H36M_16.names.index('Spine')
    assert pose3d[0, H36M_16.names.index('Head'), 0] == H36M_16.names.index('Head')


def test_a_rig_that_lacks_joints_of_the_skeleton_says_which(loaded):
    line = refusal(place_joints, recording(), loaded(JOINTS), skeleton=H36M_17)
    assert '--skeleton h36m_17' in line and 'rig my' in line and 'Neck' in line and '[h36m_17]' in line
    line = refusal(place_joints, recording(), load_rig('smpl_22')._replace(places=loaded(JOINTS).places), skeleton=SMPL_24)
    assert 'has no LowerSpine, Chest, LToe, RToe, LCollar, RCollar, LHand, RHand; ' in line


@pytest.mark.parametrize('name', ready_rigs())
def test_the_tables_of_ready_rigs_are_complete(name):
    rig = load_rig(name)
    for skeleton in map(SKELETONS.get, rig.further):
        assert [*places_of(rig, skeleton)] == [*skeleton.names]
    assert rig.further or name in ('coco_17', 'h36m_16', 'poseaug')      # whose files have no Neck between Thorax and Head


def test_smpl_has_its_own_pelvis_and_head():
    places = places_of(load_rig('smpl_24'), SMPL_24)
    assert (places['Hip'], places['Head'], places['LFoot'], places['RToe']) == tuple(
        Place((name,)) for name in ('pelvis', 'head', 'left_ankle', 'right_foot'))
    assert [place.joints for place in places.values()] == [(name,) for name in load_rig('smpl_24').order]

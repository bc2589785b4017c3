"""Detectors' joints -> ours: the indices of every format written out by hand, the head rules, and refusals."""
import numpy as np
import pytest

from common.errors import InputError
from common.skeleton import H36M_16, H36M_17
from common.skeletons import SMPL_24
from function_inference.keypoint_formats import FORMATS, HEAD_RULES, format_of, matrix_of, to_h36m_16
from mocap_clips import person, smpl_24

HIP, THORAX, HEAD = H36M_16.joints('Hip', 'Thorax', 'Head')
# for our 16 joints in order, without Head: the index of each format's joint, or those of the joints that are averaged
TABLE = dict(
    coco17=[(11, 12), 12, 14, 16, 11, 13, 15, (5, 6, 11, 12), (5, 6), None, 5, 7, 9, 6, 8, 10],
    body25=[8, 9, 10, 11, 12, 13, 14, (1, 8), 1, None, 5, 6, 7, 2, 3, 4],
    mediapipe33=[(23, 24), 24, 26, 28, 23, 25, 27, (11, 12, 23, 24), (11, 12), None, 11, 13, 15, 12, 14, 16],
    coco18=[(8, 11), 8, 9, 10, 11, 12, 13, (1, 1, 8, 11), 1, None, 5, 6, 7, 2, 3, 4],
    halpe26=[19, 12, 14, 16, 11, 13, 15, (18, 19), 18, None, 5, 7, 9, 6, 8, 10],
    mpii16=[6, 2, 1, 0, 3, 4, 5, (6, 7), 7, None, 13, 14, 15, 12, 11, 10],
    h36m16=[0, 1, 2, 3, 4, 5, 6, 7, 8, None, 10, 11, 12, 13, 14, 15],
    h36m17=[0, 1, 2, 3, 4, 5, 6, 7, 8, None, 11, 12, 13, 14, 15, 16],
    smpl24=[(1, 2), 2, 5, 8, 1, 4, 7, 6, 12, None, 16, 18, 20, 17, 19, 21])
TABLE |= dict(wholebody133=TABLE['coco17'], body25b=TABLE['coco17'], halpe136=TABLE['halpe26'])
HEADS = dict(coco17=dict(eyes=(1, 2), nose=0), coco18=dict(eyes=(14, 15), nose=0), body25=dict(eyes=(15, 16), nose=0),
             mediapipe33=dict(eyes=(2, 5), nose=0), body25b=dict(joint=18, eyes=(1, 2), nose=0), mpii16=dict(joint=9),
             halpe26=dict(joint=17, eyes=(1, 2), nose=0), h36m16=dict(joint=9), h36m17=dict(joint=10), smpl24={})
HEADS |= dict(wholebody133=HEADS['coco17'], halpe136=HEADS['halpe26'])
EVERY = pytest.mark.parametrize('name', FORMATS)


def some_people(name, count=3):
    """(count, J, 3): random places, confidences from 0.5 to 1."""
    rng, joints = np.random.default_rng(0), len(FORMATS[name].joints)
    return np.concatenate([rng.uniform(0, 1000, (count, joints, 2)), rng.uniform(.5, 1, (count, joints, 1))], axis=-1)


def mean_of(values, numbers):
    return values[:, np.atleast_1d(numbers)].mean(1)


@EVERY
def test_every_joint_is_the_mean_of_its_sources(name):
    people = some_people(name)
    ours = to_h36m_16(people, matrix_of(FORMATS[name]))
    assert ours.shape == (3, 16, 3) and ours.dtype == np.float32
    for joint, numbers in enumerate(TABLE[name]):
        if joint != HEAD:
            np.testing.assert_allclose(ours[:, joint, :2], mean_of(people[..., :2], numbers), rtol=1e-5)
            np.testing.assert_allclose(ours[:, joint, 2], people[:, np.atleast_1d(numbers), 2].min(1), rtol=1e-6)


@EVERY
def test_the_head_is_the_mean_of_the_joints_of_each_rule(name):
    people = some_people(name)
    for rule, numbers in HEADS[name].items():
        head = to_h36m_16(people, matrix_of(FORMATS[name], rule))[:, HEAD, :2]
        np.testing.assert_allclose(head, mean_of(people[..., :2], numbers), rtol=1e-5)


@EVERY
def test_the_authors_rule_extrapolates_from_hip_and_thorax(name):
    ours = to_h36m_16(some_people(name), matrix_of(FORMATS[name], 'thorax'))
    hip, thorax = ours[:, HIP], ours[:, THORAX]
    np.testing.assert_allclose(ours[:, HEAD, :2], (thorax + .4 * (thorax - hip))[:, :2], rtol=1e-4, atol=1e-2)
    np.testing.assert_array_equal(ours[:, HEAD, 2], np.minimum(hip, thorax)[:, 2])


@EVERY
def test_the_default_is_the_formats_own_joint_or_else_the_authors_rule(name):
    own = 'joint' if 'joint' in HEADS[name] else 'thorax'
    np.testing.assert_array_equal(matrix_of(FORMATS[name]), matrix_of(FORMATS[name], own))


@EVERY
def test_a_rule_without_its_joints_is_refused(name):
    served = {'thorax', *HEADS[name]}
    for rule in set(HEAD_RULES) - served:
        with pytest.raises(InputError, match=f'--head {rule}: {name} has no joints for it; choose .*thorax'):
            matrix_of(FORMATS[name], rule)
    for rule in served:
        np.testing.assert_allclose(matrix_of(FORMATS[name], rule).sum(1), 1, rtol=1e-6)


@EVERY
def test_left_stays_left(name):
    """Swapping left and right in the format swaps left and right in our joints."""
    joints = FORMATS[name].joints
    swap = {'L': 'R', 'R': 'L'}
    mirror = [joints.index(swap[joint[0]] + joint[1:]) if joint[0] in swap and joint[1].isupper() else place
              for place, joint in enumerate(joints)]
    matrix = matrix_of(FORMATS[name])
    assert mirror != list(range(len(joints)))
    np.testing.assert_array_equal(matrix[:, mirror], matrix[H36M_16.mirror])


def test_a_joint_whose_source_is_missing_is_missing():
    people = some_people('coco17')
    people[0, 11] = 0      # without the left hip there is no hip, no spine, and no head by the authors' rule
    confidence = to_h36m_16(people, matrix_of(FORMATS['coco17']))[..., 2]
    assert [H36M_16.names[joint] for joint in np.flatnonzero(confidence[0] == 0)] == ['Hip', 'LHip', 'Spine', 'Head']
    assert (confidence[1:] > 0).all()


def test_a_frame_without_people_stays_empty():
    assert to_h36m_16(np.zeros((0, 17, 3)), matrix_of(FORMATS['coco17'])).shape == (0, 16, 3)


@pytest.mark.parametrize('joints,name', [(18, 'coco18'), (136, 'halpe136'), (133, 'wholebody133'), (33, 'mediapipe33'),
                                         (26, 'halpe26')])
def test_a_format_is_told_by_its_number_of_joints(joints, name):
    assert format_of(joints, 'a file').name == name


def test_formats_of_seventeen_joints_are_told_by_the_files_layout_or_by_the_user():
    assert format_of(17, 'a file', layout='coco').name == 'coco17'
    assert format_of(17, 'a file', layout='h36m').name == 'h36m17'
    assert format_of(17, 'a file', 'h36m17', layout='coco').name == 'h36m17'
    with pytest.raises(InputError, match='a file .* 17 joints, which may be coco17 or h36m17; say which with --format'):
        format_of(17, 'a file')


def test_a_number_of_joints_that_no_format_has_is_refused():
    with pytest.raises(InputError, match=r'a file holds people of 21 joints; the known formats are coco17 \(17\), coco18'):
        format_of(21, 'a file')
    with pytest.raises(InputError, match='a file holds people of 25 joints, but --format halpe26 has 26'):
        format_of(25, 'a file', 'halpe26')


def people_in_order_of(name):
    """(1, J, 3): someone who stands."""
    places = dict(Hip=(0, 0), Spine=(0, -30), Thorax=(0, -60), Neck=(0, -68), Head=(0, -80), Nose=(0, -75), Eye=(4, -78),
                  Ear=(8, -76),
                  MidHip=(0, 0), BigToe=(16, 96), SmallToe=(19, 96), Heel=(10, 95),
                  Shoulder=(20, -60), Elbow=(25, -30), Wrist=(25, 0), Knee=(10, 45), Foot=(10, 90), Ankle=(10, 90))
    joints = []
    for joint in FORMATS[name].joints:
        side = {'L': 1, 'R': -1}.get(joint[0], 0) if joint not in places else 0
        x, y = (12, 0) if joint[1:] == 'Hip' else places[joint[1:] if side else joint]
        joints.append((200 + (side or 1) * x, 200 + y, 1))
    return np.array([joints], float)


@pytest.mark.parametrize('name', ['coco17', 'h36m17'])
def test_formats_of_seventeen_joints_are_told_by_their_places(name):
    people = [people_in_order_of(name)]
    assert format_of(17, 'a file', people=people).name == name
    assert format_of(17, 'a file', layout='coco', people=people).name == name
    assert format_of(17, 'a file', 'h36m17', people=people).name == 'h36m17'
    people[0][:, 1] = 0
    with pytest.raises(InputError, match='say which with --format'):
        format_of(17, 'a file', people=[np.zeros((0, 17, 3)), people[0] * 0])


@pytest.mark.parametrize('name', ['mpii16', 'h36m16', 'body25', 'body25b'])
@pytest.mark.parametrize('unseen', ['nothing', 'face', 'left arm', 'feet'])
def test_other_formats_with_as_many_joints_are_told_by_the_lengths_of_the_bones(name, unseen):
    parts = dict(nothing=(), face=('Nose', 'Eye', 'Ear'), feet=('Toe', 'Heel', 'Ankle', 'Foot'))
    parts['left arm'] = ('LElbow', 'LWrist')
    people, joints = people_in_order_of(name), FORMATS[name].joints
    people[:, [any(part in joint for part in parts[unseen]) for joint in joints]] = 0
    assert format_of(len(joints), 'a file', layout='coco', people=[people]).name == name


def test_in_doubt_about_sixteen_joints_the_user_is_asked():
    """A detector with 25 joints nearly always means BODY_25."""
    for people in ([some_people('h36m16') * 0], [np.zeros((0, 16, 3))], ()):
        with pytest.raises(InputError, match='a file .* 16 joints, which may be mpii16 or h36m16; say which with --format'):
            format_of(16, 'a file', layout='coco', people=people)
    assert format_of(16, 'a file', 'mpii16', people=[people_in_order_of('h36m16')]).name == 'mpii16'
    assert format_of(16, 'a file', layout='h36m').name == 'h36m16'
    assert format_of(25, 'a file', layout='coco', people=[some_people('body25') * 0]).name == 'body25'


# other skeletons

@pytest.mark.parametrize('name, skeleton', [('h36m17', H36M_17), ('smpl24', SMPL_24)])
def test_a_lifter_of_another_skeleton_takes_its_own_joints_as_they_are(name, skeleton):
    people = some_people(name)
    np.testing.assert_allclose(to_h36m_16(people, matrix_of(FORMATS[name], skeleton=skeleton)), people, rtol=1e-6)
    with pytest.raises(InputError, match='--head thorax: .* leave it out'):
        matrix_of(FORMATS[name], 'thorax', skeleton)


@pytest.mark.parametrize('name, neck', [('mpii16', 8), ('body25b', 17)])
def test_an_upper_neck_is_the_neck_of_the_17_joints(name, neck):
    people = some_people(name)
    ours, with_neck = (to_h36m_16(people, matrix_of(FORMATS[name], None, skeleton)) for skeleton in (H36M_16, H36M_17))
    np.testing.assert_array_equal(with_neck[:, H36M_17.joints(*H36M_16.names)], ours)
    np.testing.assert_allclose(with_neck[:, H36M_17.names.index('Neck')], people[:, neck], rtol=1e-6)


@pytest.mark.parametrize('name, skeleton, missing', [('coco17', H36M_17, 'Neck'), ('body25', H36M_17, 'Neck'),
                                                     ('h36m17', SMPL_24, 'LowerSpine, Chest, LToe')])
def test_a_format_that_lacks_a_joint_of_the_lifters_skeleton_is_refused(name, skeleton, missing):
    with pytest.raises(InputError, match=f'{name} has no {missing}'):
        matrix_of(FORMATS[name], skeleton=skeleton)


def test_24_joints_are_smpls_only_if_they_lie_so():
    points, _ = person()
    pixels = 500 + 300 * smpl_24(points)[..., [0, 2]] * [1, -1]
    people = [np.concatenate([pixels, np.ones((len(pixels), 24, 1))], axis=-1)]
    assert format_of(24, 'a file', people=people).name == 'smpl24'
    another_order = [8, 5, 2, 1, 4, 7, 21, 19, 17, 16, 18, 20, 12, 15, 0, 12, 6] + [15] * 7      # from the right ankle upwards
    with pytest.raises(InputError, match='people of 24 joints; the known formats are'):
        format_of(24, 'a file', people=[people[0][:, another_order]])

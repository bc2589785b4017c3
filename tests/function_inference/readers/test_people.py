"""A person as .json files write them: 2 to 4 numbers per joint, and what is refused."""
import re

import numpy as np
import pytest

from function_inference.keypoint_files import read_keypoints
from function_inference.readers.joint_names import COCO_17
from function_inference.readers.people import people_of, person_of
from keypoint_clips import SIZE, crowd, malformed, write

SIDE = dict(L='left', R='right')


def test_two_numbers_a_joint_are_certain_and_four_end_with_the_visibility(tmp_path):
    person = crowd('coco17')[1][0]
    two, four = person[:, :2].copy(), np.insert(person, 2, -.7, axis=1)
    two[5] = 0      # missing
    found = read_keypoints(write(tmp_path / 'clip.json', [two.tolist(), four.tolist()]), size=SIZE)
    np.testing.assert_array_equal(found.people[0][0], np.insert(two, 2, np.arange(17) != 5, axis=1))
    np.testing.assert_array_equal(found.people[1][0], person)


def underscored(joint):
    """'LShoulder' -> 'left_shoulder'."""
    return re.sub('^([LR])', lambda side: SIDE[side[1]] + '_', joint).lower()


@pytest.mark.parametrize('spelled', [
    lambda names, person: [dict(X=x, Y=y, Z=0, Visibility=c) for x, y, c in person],
    lambda names, person: [dict(position=dict(x=x, y=y), score=c, part=name) for name, (x, y, c) in zip(names, person)],
    lambda names, person: [dict(name=name, x=x, y=y, score=c) for name, (x, y, c) in [*zip(names, person)][::-1]],
    lambda names, person: {name: joint for name, joint in [*zip(names, person)][::-1]},
    lambda names, person: dict(x=[x for x, _, _ in person], y=[y for _, y, _ in person], visible=[c for _, _, c in person]),
    lambda names, person: dict(poseLandmarks=[dict(x=x, y=y, visibility=c) for x, y, c in person]),
    lambda names, person: dict(pose_landmarks=dict(landmark=[dict(x=x, y=y, visibility=c) for x, y, c in person])),
    lambda names, person: dict(keypoints=[[x, y] for x, y, _ in person], confidence=[c for _, _, c in person])],
    ids=['capitals', 'parts', 'named points', 'names', 'columns', 'JavaScript', 'protobuf', 'scores'])
@pytest.mark.parametrize('name', [str, underscored], ids=['LEye', 'left_eye'])
def test_a_person_in_every_spelling(spelled, name):
    person = crowd('coco17')[1][0]
    np.testing.assert_array_equal(person_of(spelled([name(joint) for joint in COCO_17], person.tolist())), person)


def test_mpiis_names_of_joints_give_mpiis_order():
    names = ['r_ankle', 'r_knee', 'r_hip', 'l_hip', 'l_knee', 'l_ankle', 'pelvis', 'thorax', 'upper_neck', 'head_top',
             'r_wrist', 'r_elbow', 'r_shoulder', 'l_shoulder', 'l_elbow', 'l_wrist']
    person = np.arange(1., 49).reshape(16, 3)
    np.testing.assert_array_equal(person_of(dict([*zip(names, person.tolist())][::-1])), person)


@pytest.mark.parametrize('missing', [None, [], [None, None, None], [None, 5, .5]], ids=str)
def test_a_joint_may_be_null(missing, tmp_path):
    person = crowd('coco17')[1][0].tolist()
    found = read_keypoints(write(tmp_path / 'clip.json', [person, person[:9] + [missing] + person[10:]]), size=SIZE)
    assert not found.people[1][0, 9].any() and (found.people[1][0, :9] == found.people[0][0, :9]).all()


@pytest.mark.parametrize('key', ['visibility', 'confidence', 'score'])
def test_a_point_may_call_its_confidence_differently_or_have_none(key):
    person = person_of([{'x': 1, 'y': 2, key: .5}, {'x': 3, 'y': 4}])
    np.testing.assert_array_equal(person, [[1, 2, .5], [3, 4, 1]])


@pytest.mark.parametrize('frame', [None, [], {}, dict(people=[]), dict(keypoints=None), dict(time=3),
                                   dict(people=[{}]), dict(people=[None]), [{}, None]], ids=str)
def test_a_frame_may_have_no_people(frame):
    assert people_of(frame) == []


@pytest.mark.parametrize('content,reason', [
    ([{'people': 3}], 'a list of people has the type int'), ([[[1, 2, 3], 'x']], 'inhomogeneous'),
    ([['a', 'b', 'c']], 'type <U1'), ([[1, 2]], 'shape (2,)'), ([[1, 2, 3, 4]], 'shape (4,)'),
    ([{'people': [7]}], 'shape (1,)'),
    ([dict(people=[dict(nose=[1, 2, 3])])], 'a person has none of keypoints'),
    ([[[10 ** 400, 2, 1]] * 17], 'type object'), ([{'landmarks': [{'x': 1}]}], "'y' is missing")])
def test_malformed_people_are_refused(content, reason, tmp_path):
    assert reason in malformed(tmp_path / 'clip.json', content)

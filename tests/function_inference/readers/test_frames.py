"""Plain .json and MMPose's: frames with people in every nesting, single frames, size and rate beside them."""
import numpy as np
import pytest

from common.errors import InputError
from function_inference.keypoint_files import read_keypoints
from keypoint_clips import SIZE, assert_same, crowd, malformed, mmpose, nested, points, write

JOINTS = [[1, 2, .5]] * 17
SEVERAL = dict(
    mmpose=mmpose, nested=nested,
    flat=lambda people: [[person.ravel().tolist() for person in found] for found in people],
    frames=lambda people: dict(frames=[[dict(keypoints=points(person)) for person in found] or None for found in people]),
    people=lambda people: [dict(people=[dict(pose_keypoints_2d=person.ravel().tolist()) for person in found])
                           for found in people])
SINGLE = dict(person=lambda person: person.tolist(), flat=lambda person: person.ravel().tolist(), points=points,
              object=lambda person: dict(landmarks=points(person)))


@pytest.mark.parametrize('form', SEVERAL)
def test_every_nesting_holds_the_same_people(form, tmp_path):
    people = crowd('coco17')
    found = read_keypoints(write(tmp_path / 'clip.json', SEVERAL[form](people)), size=SIZE)
    assert_same(found, people)
    assert (found.format.name, found.width, found.height, found.fps) == ('coco17', 640, 480, None)


@pytest.mark.parametrize('form', SINGLE)
def test_a_frame_may_be_a_person(form, tmp_path):
    people = [found[:1] for found in crowd('coco17')]
    frames = [SINGLE[form](found[0]) if len(found) else None for found in people]
    assert_same(read_keypoints(write(tmp_path / 'clip.json', frames), size=SIZE), people)


@pytest.mark.parametrize('content', [
    lambda people: dict(people=[dict(keypoints=person.tolist()) for person in people]),
    lambda people: dict(instances=nested([people])[0], width=640)], ids=['people', 'instances'])
def test_an_object_may_be_a_single_frame(content, tmp_path):
    people = crowd('coco17')[:1]
    assert_same(read_keypoints(write(tmp_path / 'clip.json', content(people[0])), size=SIZE), people)


@pytest.mark.parametrize('form', [lambda people: dict(frames=nested(people)), mmpose], ids=['frames', 'mmpose'])
def test_a_file_may_state_its_size_and_rate(form, tmp_path):
    content = dict(form(crowd('coco17')), width=640, height=480, fps=29.97)
    found = read_keypoints(write(tmp_path / 'clip.json', content))
    assert (found.width, found.height, found.fps) == (640, 480, 29.97)
    with pytest.raises(InputError, match='--size 100x100: .*clip.json says 640x480'):
        read_keypoints(tmp_path / 'clip.json', size=(100, 100))


@pytest.mark.parametrize('content,reason', [
    ([], 'it holds no people'), ([None, []], 'it holds no people'), (['keypoints'], 'a frame has the type str'),
    (dict(frames=[JOINTS], width=-5, height=4), 'its width is -5'),
    (dict(frames=[JOINTS], width=640, height=480, fps=np.inf), 'its fps is inf'),
    (dict(frames=[JOINTS], width='wide', height=4), 'could not convert')])
def test_malformed_files_are_refused(content, reason, tmp_path):
    assert reason in malformed(tmp_path / 'clip.json', content)

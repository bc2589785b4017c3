"""The checks that all detections pass: one number of joints, confidences, the image's size, pixels."""
import numpy as np
import pytest

from common.errors import InputError
from function_inference import detections
from function_inference.detections import detections_of, stack_people
from function_inference.keypoint_files import read_keypoints
from function_inference.readers.raw import RawDetections
from keypoint_clips import CROWD, SIZE, crowd, malformed, nested, refusal, results, write


def test_missing_joints_are_zero():
    person = np.array([[1, 2, .5], [0, 0, .5], [3, 4, 0], [np.nan, 2, 1], [1, np.inf, 1], [1, 2, np.nan]])
    stacked, = stack_people([[person]])
    np.testing.assert_array_equal(stacked, [[[1, 2, .5]] + [[0, 0, 0]] * 5])
    assert stacked.dtype == np.float32


def test_frames_without_people_have_the_joints_of_the_others():
    assert [each.shape for each in stack_people([[], [np.ones((17, 2))]])] == [(0, 17, 3), (1, 17, 3)]


@pytest.mark.parametrize('content,reason', [
    ([[[[1, 2, .5]] * 17, [[1, 2, .5]] * 26]], 'some people have 17 joints and some 26'),
    ([[[1, 2, -.5]] * 17], 'a confidence is -0.5'),
    ([[[1e30, 2, 1]] * 17], 'a coordinate or confidence is 1e+30, which is too large')])
def test_numbers_that_cannot_be_detections_are_refused(content, reason, tmp_path):
    assert reason in malformed(tmp_path / 'clip.json', content)


@pytest.mark.parametrize('bound,value', [('MAX_FRAMES', len(CROWD) - 1), ('MAX_PEOPLE', 1)])
def test_frames_and_people_are_bounded(bound, value, tmp_path, monkeypatch):
    path = write(tmp_path / 'clip.json', nested(crowd('coco17')))
    with monkeypatch.context() as patch:
        patch.setattr(detections, bound, value)
        assert 'more than' in refusal(path)
    assert len(read_keypoints(path, size=SIZE).people) == len(CROWD)


def test_the_size_must_be_known(tmp_path):
    path = write(tmp_path / 'clip.json', results(crowd('coco17')))
    assert 'does not say how large the image is; give --size WIDTHxHEIGHT' in refusal(path, size=None)
    raw = RawDetections([[np.ones((17, 2)) * 5]], width=640, layout='coco')
    with pytest.raises(InputError, match='a clip does not say how large'):
        detections_of(stack_people(raw.frames), raw, 'a clip')


def test_mediapipes_fractions_become_pixels(tmp_path):
    people = crowd('mediapipe33')
    fractions = [found / [640, 480, 1] for found in people]
    found = read_keypoints(write(tmp_path / 'clip.json', nested(fractions)), size=SIZE)
    for each, expected in zip(found.people, people):
        np.testing.assert_allclose(each, expected, rtol=1e-6)


def test_joints_outside_the_image_are_refused(tmp_path):
    people = crowd('coco17')
    path = write(tmp_path / 'clip.json', results(people))
    assert 'outside an image of 64x48 pixels; check --size' in refusal(path, size=(64, 48))
    fractions = write(tmp_path / 'fractions.json', [(found / 480).tolist() for found in people])
    assert 'holds fractions of the image or normalised coordinates; pixels are needed' in refusal(fractions)


def test_people_without_any_joint_are_refused(tmp_path):
    assert 'every joint of every person is missing' in refusal(write(tmp_path / 'clip.json', [[[0, 0, 0]] * 17]))

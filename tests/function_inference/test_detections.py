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


@pytest.mark.parametrize('name', ['mediapipe33', 'coco17', 'body25'])
def test_fractions_become_pixels(name, tmp_path):
    people = crowd(name)
    fractions = [found / [640, 480, 1] for found in people]
    found = read_keypoints(write(tmp_path / 'clip.json', nested(fractions)), size=SIZE)
    for each, expected in zip(found.people, people):
        np.testing.assert_allclose(each, expected, rtol=1e-6)


def test_joints_outside_the_image_are_refused(tmp_path):
    people = crowd('coco17')
    path = write(tmp_path / 'clip.json', results(people))
    assert 'outside an image of 64x48 pixels; check --size' in refusal(path, size=(64, 48))
    normalised = write(tmp_path / 'normalised.json', [(found / [240, 240, 1] - [1, 1, 0]).tolist() for found in people])
    assert 'holds normalised coordinates, from -' in refusal(normalised)


def test_people_without_any_joint_are_refused(tmp_path):
    assert 'every joint of every person is missing' in refusal(write(tmp_path / 'clip.json', [[[0, 0, 0]] * 17]))


@pytest.mark.parametrize('outside,said', [(.01, None), (.1, 'warning'), (.38, 'warning'), (.6, 'error')])
def test_a_size_that_leaves_joints_outside_is_told(outside, said, tmp_path, capsys):
    joints = np.full((10, 17, 2), 100.) + np.random.default_rng(0).uniform(0, 50, (10, 17, 2))
    joints.reshape(-1, 2)[:round(outside * 170)] += [700, 0]
    path = write(tmp_path / 'clip.json', joints.tolist())
    share = f'{round(outside * 170) / 170:.0%} of the joints lie outside'
    if said == 'error':
        assert 'outside an image of 640x480 pixels; check --size' in refusal(path)
    else:
        read_keypoints(path, size=SIZE)
        assert (share in capsys.readouterr().err) == (said == 'warning')


def test_more_than_half_of_the_joints_outside_are_refused_though_the_median_joint_is_inside(tmp_path):
    joints = np.full((17, 2), 100.) + np.random.default_rng(0).uniform(0, 50, (17, 2))
    joints[:5, 0] += 700
    joints[5:10, 1] += 700
    assert '59% of the joints lie outside an image of 640x480 pixels; check --size' in refusal(
        write(tmp_path / 'clip.json', [joints.tolist()]))


def test_a_third_number_that_is_zero_everywhere_is_no_confidence(tmp_path, capsys):
    people = [np.insert(found[..., :2], 2, 0, axis=-1) for found in crowd('coco17')]
    found = read_keypoints(write(tmp_path / 'clip.json', results(people)), size=SIZE)
    assert (found.people[1][..., 2] == 1).all() and 'the confidence of every joint is 0' in capsys.readouterr().err

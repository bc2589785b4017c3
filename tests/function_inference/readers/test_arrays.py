"""Plain arrays in .npz: one person or several, under any name, and what is refused."""
import numpy as np
import pytest

from common.errors import InputError
from function_inference.keypoint_files import read_keypoints
from keypoint_clips import SIZE, assert_same, crowd, padded, refusal, write_npz


@pytest.mark.parametrize('key', ['keypoints', 'landmarks', 'positions_2d', 'pose2d_px', 'anything'])
def test_an_array_of_one_person(key, tmp_path):
    pose2d_px = np.random.default_rng(2).uniform(1, 480, (5, 16, 2))
    pose2d_px[3, 4] = np.nan
    beside = dict(width=640, height=np.array([480]), fps=np.array([[50.]]))
    found = read_keypoints(write_npz(tmp_path / 'clip.npz', **{key: pose2d_px}, **beside), 'h36m16')
    assert (found.format.name, found.width, found.height, found.fps) == ('h36m16', 640, 480, 50)
    for frame, people in enumerate(found.people):
        seen = np.ones(16)
        seen[4] = frame != 3
        np.testing.assert_array_equal(people[0, :, 2], seen)
        np.testing.assert_allclose(people[0, :, :2], np.nan_to_num(pose2d_px[frame]), rtol=1e-6)


def test_an_array_of_several_people(tmp_path):
    people = crowd('h36m17')
    path = write_npz(tmp_path / 'clip.npz', keypoints=padded(people))
    assert_same(read_keypoints(path, 'h36m17', SIZE), people)
    with pytest.raises(InputError, match='clip.npz .* coco17 or h36m17; say which with --format'):
        read_keypoints(path, size=SIZE)


@pytest.mark.parametrize('arrays,reason', [
    (dict(keypoints=np.ones((5, 16))), 'shape (5, 16)'), (dict(keypoints=np.ones((5, 16, 5))), 'shape (5, 16, 5)'),
    (dict(keypoints=np.full((5, 16, 2), 'x')), 'type <U1'), (dict(keypoints=np.ones((5, 0, 2))), 'it holds no people'),
    (dict(keypoints=np.zeros((5, 16, 2))), 'it holds no people'),
    (dict(keypoints=np.full((5, 16, 2), np.nan)), 'it holds no people'),
    (dict(keypoints=np.ones((5, 16, 2)), width=np.ones(3), height=4), 'array')])
def test_malformed_arrays_are_refused_in_one_line(arrays, reason, tmp_path):
    assert reason in refusal(write_npz(tmp_path / 'clip.npz', **arrays))


@pytest.mark.parametrize('key', ['scores', 'keypoint_scores', 'confidence'])
@pytest.mark.parametrize('deep', [False, True], ids=['(T, J)', '(T, J, 1)'])
def test_scores_beside_the_keypoints_are_their_confidences(key, deep, tmp_path):
    people = padded([found[:1] for found in crowd('coco17')])[:, 0]
    scores = people[..., 2:] if deep else people[..., 2]
    path = write_npz(tmp_path / 'clip.npz', keypoints=people[..., :2], **{key: scores})
    assert_same(read_keypoints(path, 'coco17', SIZE), [found[:1] for found in crowd('coco17')])


def test_scores_of_another_shape_are_refused(tmp_path):
    path = write_npz(tmp_path / 'clip.npz', keypoints=np.ones((5, 17, 2)), scores=np.ones((4, 17)))
    assert 'its keypoints have shape (5, 17, 2), but their scores (4, 17)' in refusal(path, format_name='coco17')

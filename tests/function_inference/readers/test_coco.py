"""COCO's results, however their images are named, and COCO's data sets."""
import pytest

from function_inference.keypoint_files import read_keypoints
from keypoint_clips import SIZE, assert_same, coco_data_set, crowd, malformed, results, write

IMAGE = dict(id=1, file_name='1', width=1, height=1)


@pytest.mark.parametrize('image_id', ['{}.jpg'.format, int, 'view1/clip_{:05d}.png'.format],
                         ids=['named', 'numbered', 'padded'])
def test_results_hold_the_people_of_each_image(image_id, tmp_path):
    people = crowd('coco17')
    found = read_keypoints(write(tmp_path / 'clip.json', results(people, image_id)), size=SIZE)
    assert_same(found, people)
    assert (found.format.name, found.width, found.height, found.fps) == ('coco17', 640, 480, None)


@pytest.mark.parametrize('size', [None, SIZE])
def test_a_data_set_holds_all_images_in_order_and_their_size(size, tmp_path):
    people = crowd('coco17')
    found = read_keypoints(write(tmp_path / 'clip.json', coco_data_set(people)), size=size)
    assert_same(found, people)
    assert (found.format.name, found.width, found.height, found.fps) == ('coco17', 640, 480, None)


@pytest.mark.parametrize('content,reason', [
    ([dict(image_id=1)], 'a person has none of'),
    ([dict(image_id=[1], keypoints=[1] * 51)], '(image_id) has the type list'),
    ([dict(image_id=2.5, keypoints=[1] * 51)], '(image_id) has the type float'),
    ([dict(image_id=1, keypoints=[1] * 51), dict(keypoints=[1] * 51)], 'entry 1 does not say which frame'),
    (dict(annotations=[], images=[IMAGE, dict(IMAGE, id=2, width=2)]), 'its images have 2 sizes'),
    (dict(annotations=[], images=[dict(id=1, file_name='1')]), "'width' is missing"),
    (dict(annotations=[dict(image_id=5, keypoints=[1] * 51)], images=[IMAGE]), 'has the image_id 5, but no image has this id')])
def test_malformed_files_are_refused(content, reason, tmp_path):
    assert reason in malformed(tmp_path / 'clip.json', content)

"""Reading keypoints: the format is told by the number of joints or by the user; every malformed file gives one line."""
import pytest

from function_inference.keypoint_files import read_keypoints
from function_inference.keypoint_formats import FORMATS
from keypoint_clips import SIZE, assert_same, crowd, malformed, refusal, results, write


@pytest.mark.parametrize('name', ['body25', 'halpe26', 'mediapipe33', 'coco18'])
def test_the_number_of_joints_tells_the_format(name, tmp_path):
    people = crowd(name)
    found = read_keypoints(write(tmp_path / 'clip.json', results(people)), size=SIZE)
    assert found.format is FORMATS[name]
    assert_same(found, people)


def test_the_user_may_tell_the_format(tmp_path):
    path = write(tmp_path / 'clip.json', results(crowd('h36m17')))
    assert read_keypoints(path, size=SIZE).format.name == 'coco17'
    assert read_keypoints(str(path), 'h36m17', SIZE).format.name == 'h36m17'
    assert 'holds people of 17 joints, but --format halpe26 has 26' in refusal(path, format_name='halpe26')


@pytest.mark.parametrize('content,reason', [
    ([{'landmarks': [{'x': 1}]}], "('y' is missing)"),
    (dict(annotations=[], images=[dict(id=1, file_name='1', height=1)]), "('width' is missing)"),
    ([{'keypoints': ['a\nb'] * 51}], 'a person is an array of shape'), ({'a\nb': 1}, 'an object with 1 key a b'),
    (dict(annotations=[], images=[dict(id=[], file_name='1', width=1, height=1)]), 'unhashable')])
def test_any_error_of_a_reader_becomes_one_line_that_names_the_file(content, reason, tmp_path):
    line = malformed(tmp_path / 'clip.json', content)
    assert reason in line and line.endswith('; docs/inference.md lists the forms')

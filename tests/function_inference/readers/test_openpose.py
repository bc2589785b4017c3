"""OpenPose's folder: one file per frame."""
import pytest

from function_inference.keypoint_files import read_keypoints
from keypoint_clips import SIZE, assert_same, crowd, nested, refusal, write, write_openpose


def test_a_folder_holds_the_people_of_each_frame(tmp_path):
    people = crowd('body25')
    found = read_keypoints(write_openpose(tmp_path, people, first=7), size=SIZE)
    assert found.format.name == 'body25'
    assert_same(found, people)


def test_a_frame_whose_file_is_missing_has_no_people(tmp_path):
    write_openpose(tmp_path, crowd('body25'), first=7)
    (tmp_path / f'clip_{8:012d}_keypoints.json').unlink()
    assert [len(each) for each in read_keypoints(tmp_path, size=SIZE).people] == [2, 0, 0, 1]


@pytest.mark.parametrize('text', ['', '{"people": [{"pose_keyp', '{"people": 3}', '{"people": [{"pose_keypoints_2d": "x"}]}'])
def test_a_file_that_cannot_be_read_is_a_frame_without_people(text, tmp_path, capsys):
    write_openpose(tmp_path, crowd('body25'))
    (tmp_path / f'clip_{1:012d}_keypoints.json').write_text(text)
    assert [len(each) for each in read_keypoints(tmp_path, size=SIZE).people] == [2, 0, 0, 1]
    assert capsys.readouterr().err == (f'warning: {tmp_path}: 1 of 4 files cannot be read and count as frames without people: '
                                       'clip_000000000001_keypoints.json\n')


def test_a_folder_of_files_most_of_which_cannot_be_read_is_refused(tmp_path):
    write_openpose(tmp_path, crowd('body25'))
    for frame in range(3):
        (tmp_path / f'clip_{frame:012d}_keypoints.json').write_text('')
    assert '3 of its 4 files cannot be read: clip_000000000000_keypoints.json' in refusal(tmp_path)


def test_a_folder_of_other_tools_holds_one_image_per_file(tmp_path):
    people = crowd('coco17')
    for frame, found in enumerate(people):
        listed = [dict(keypoints=person[:, :2].tolist(), keypoint_scores=person[:, 2].tolist(), bbox=[0, 0, 1, 1])
                  for person in found]
        write(tmp_path / f'cam01_{frame}.json', listed if frame % 2 else dict(predictions=[listed]))
    assert_same(read_keypoints(tmp_path, size=SIZE), people)


def test_a_folder_of_one_file_is_this_file(tmp_path):
    people = crowd('coco17')
    write(tmp_path / 'clip.json', nested(people))
    assert_same(read_keypoints(tmp_path, size=SIZE), people)


def test_a_folder_of_cameras_is_refused_with_their_names(tmp_path):
    for camera in ('cam1', 'cam2'):
        write_openpose(tmp_path / camera, crowd('body25'))
    assert 'it holds the folders cam1, cam2; give one of them' in refusal(tmp_path)

"""OpenPose's folder: one file per frame."""
from function_inference.keypoint_files import read_keypoints
from keypoint_clips import SIZE, assert_same, crowd, refusal, write, write_openpose


def test_a_folder_holds_the_people_of_each_frame(tmp_path):
    people = crowd('body25')
    found = read_keypoints(write_openpose(tmp_path, people, first=7), size=SIZE)
    assert found.format.name == 'body25'
    assert_same(found, people)


def test_a_frame_whose_file_is_missing_has_no_people(tmp_path):
    write_openpose(tmp_path, crowd('body25'), first=7)
    (tmp_path / f'clip_{8:012d}_keypoints.json').unlink()
    assert [len(each) for each in read_keypoints(tmp_path, size=SIZE).people] == [2, 0, 0, 1]


def test_a_malformed_file_in_the_folder_is_refused(tmp_path):
    write_openpose(tmp_path, crowd('body25'))
    write(tmp_path / 'clip_2_keypoints.json', dict(people=3))
    assert 'a list of people has the type int' in refusal(tmp_path)

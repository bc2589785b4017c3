"""VideoPose3D's tables: of a user's video and of Human3.6M."""
import numpy as np
import pytest

from common.errors import InputError
from function_inference.keypoint_files import read_keypoints
from keypoint_clips import refusal, write_npz, write_table


@pytest.mark.parametrize('listed', [True, False], ids=['list of views', 'one view'])
def test_the_table_of_a_video_prepared_for_videopose3d(listed, tmp_path):
    people = np.random.default_rng(3).uniform(1, 480, (5, 17, 2)).astype(np.float32)
    path = write_table(tmp_path / 'data_2d_custom_clip.npz', {'clip.mp4': {'custom': [people] if listed else people}},
                       layout_name='coco', num_joints=17, video_metadata={'clip.mp4': dict(w=640, h=480)})
    found = read_keypoints(path)
    assert (found.format.name, found.width, found.height) == ('coco17', 640, 480)
    np.testing.assert_array_equal(np.stack(found.people)[:, 0, :, :2], people)


@pytest.mark.slow
def test_one_view_of_human36m(tmp_path):
    views = [np.full((3, 17, 2), 100. + view) for view in range(4)]
    path = write_table(tmp_path / 'data_2d_h36m_x.npz', {'S9': {'Walking': views, 'Eating 1': views}}, layout_name='h36m',
                       num_joints=17)
    for view, size in ((1, (1000, 1000)), (3, (1000, 1002))):
        found = read_keypoints(path, size=None, sequence=f'S9/Eating 1/{view}')
        assert (found.format.name, found.width, found.height, found.fps) == ('h36m17', *size, 50)
        assert found.people[0][0, 0, 0] == 100 + view
    for sequence in (None, 'S9/Walking', 'S1/Walking/0'):
        with pytest.raises(InputError, match='the table holds 8 sequences, such as S9/Walking/0, '):
            read_keypoints(path, sequence=sequence)


def test_a_table_without_sequences_is_refused(tmp_path):
    assert 'its table holds no sequence' in refusal(write_table(tmp_path / 'clip.npz', {'S1': {}}))


def test_a_table_needs_no_metadata(tmp_path):
    table = np.array({'S1': {'Walking': [np.full((3, 26, 2), 5.)]}}, dtype=object)
    assert read_keypoints(write_npz(tmp_path / 'clip.npz', positions_2d=table)).format.name == 'halpe26'

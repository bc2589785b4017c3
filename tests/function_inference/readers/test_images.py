"""Images -> frames: their order, gaps, and numbers that cannot be those of one clip."""
import pytest

from function_inference.readers.images import MAX_SPREAD, frames_in_order, last_number


@pytest.mark.parametrize('name,number', [('clip_000123.jpg', 123), ('clip_7_keypoints.json', 7), ('2/clip_3.png', 3), (' ', -1),
                                         ('a.mp4', -1), ('12.jpg', 12)])
def test_the_last_number_of_a_name_counts(name, number):
    assert last_number(name) == number


def test_images_are_sorted_by_number_and_gaps_have_no_people():
    assert frames_in_order([('v1_10.jpg', ['b']), ('v1_8.jpg', ['a']), ('v1_10.jpg', ['c'])]) == [['a'], [], ['b', 'c']]
    assert frames_in_order([(3, ['b']), (2, ['a'])]) == [['a'], ['b']]


def test_without_numbers_the_images_keep_their_order():
    assert frames_in_order([('b.jpg', ['b']), ('a.jpg', ['a']), ('b.jpg', ['c'])]) == [['b', 'c'], ['a']]


def test_images_that_are_not_the_frames_of_one_clip_are_refused():
    with pytest.raises(ValueError, match='its 2 images are numbered from 139 to 581929'):
        frames_in_order([(139, []), (581929, [])])
    with pytest.raises(ValueError, match='two images have the same number'):
        frames_in_order([('a_1.jpg', []), ('b_1.jpg', [])])


def test_the_longest_gap_that_is_read():
    assert len(frames_in_order([(1, []), (2 * MAX_SPREAD, [])])) == 2 * MAX_SPREAD
    with pytest.raises(ValueError, match='are numbered from 1 to 41'):
        frames_in_order([(1, []), (2 * MAX_SPREAD + 1, [])])

"""Tables of text: names and numbers of joints in columns, MocapNET's, and .trc files that hold no pixels."""
import numpy as np
import pytest

from function_inference.keypoint_files import read_keypoints
from function_inference.readers.joint_names import COCO_17, MEDIAPIPE_33
from keypoint_clips import SIZE, crowd, markers, refusal, write_text

PERSON = crowd('coco17')[1][0]


def columns_of(names, axes):
    return ','.join(axis.format(name) for name in names for axis in axes)


@pytest.mark.parametrize('axes', [('{}_x', '{}_y', '{}_visibility'), ('{}.X', '{}.Y', '{}.score'),
                                  ('2DX_{}', '2DY_{}', 'visible_{}'),
                                  ('x_{}', 'y_{}', 'conf_{}')])
def test_joints_in_columns_by_name_in_any_order(axes, tmp_path):
    order = np.random.default_rng(0).permutation(17)
    lines = [columns_of([COCO_17[joint] for joint in order], axes), ','.join(map(str, PERSON[order].ravel()))]
    found = read_keypoints(write_text(tmp_path / 'clip.csv', lines), size=SIZE)
    np.testing.assert_array_equal(found.people[0][0], PERSON)


def test_joints_in_columns_by_number_are_ordered(tmp_path):
    person = crowd('mediapipe33')[1][0]
    order = np.random.default_rng(0).permutation(len(MEDIAPIPE_33))
    lines = [columns_of(order + 1, ('x{}', 'y{}', 'v{}')), ','.join(map(str, person[order].ravel()))]
    np.testing.assert_array_equal(read_keypoints(write_text(tmp_path / 'clip.csv', lines), size=SIZE).people[0][0], person)


def test_a_half_written_last_row_is_left_out(tmp_path):
    row = ','.join(map(str, PERSON.ravel()))
    lines = [columns_of(COCO_17, ('{}_x', '{}_y', '{}_c')), row, row, row[:50]]
    path = write_text(tmp_path / 'clip.csv', lines)
    assert len(read_keypoints(path, size=SIZE).people) == 2
    assert 'row 3 has fewer columns than the header' in refusal(write_text(path, [*lines[:2], row[:50], row]))


@pytest.mark.parametrize('change,reason', [(lambda cells: [cell.replace('\t0', '\t5') for cell in cells], 'in 3D already'),
                                           (lambda cells: ['\t'.join(cell[:1] for cell in line.split('\t')) for line in cells],
                                            'in metres')], ids=['3D', 'metres'])
def test_markers_that_are_no_pixels_are_refused(change, reason, tmp_path):
    lines = markers(crowd('coco17'))
    assert reason in refusal(write_text(tmp_path / 'clip.trc', lines[:5] + change(lines[5:])))


def test_a_trc_states_its_rate(tmp_path):
    assert read_keypoints(write_text(tmp_path / 'clip.trc', markers(crowd('coco17'))), size=SIZE).fps == 30


# Without a header

STANDING = np.random.default_rng(4).uniform((300, 100, .5), (340, 220, 1), (5, 17, 3)).round(3)


@pytest.mark.parametrize('before', [lambda row: (), lambda row: (row,), lambda row: (30 + row, 7)],
                         ids=['none', 'frame', 'person'])
@pytest.mark.parametrize('flat', [lambda person: person.ravel(), lambda person: person.T.ravel(),
                                  lambda person: person[:, :2].ravel(), lambda person: person[:, :2].T.ravel()],
                         ids=['x0 y0 c0', 'x0 x1 ... y0', 'x0 y0', 'x0 x1'])
@pytest.mark.parametrize('comma', [',', ';', '\t'])
def test_numbers_without_a_header(before, flat, comma, tmp_path):
    lines = [comma.join(map(str, (*before(row), *flat(person)))) for row, person in enumerate(STANDING)]
    found = read_keypoints(write_text(tmp_path / 'clip.csv', [*lines, lines[0][:20]]), 'coco17', SIZE)
    with_scores = flat(STANDING[0]).size == 51
    expected = STANDING if with_scores else np.insert(STANDING[..., :2], 2, 1, axis=-1)
    np.testing.assert_array_equal(np.concatenate(found.people), expected.astype(np.float32))


def test_integer_pixels_are_not_taken_for_numbers_of_persons(tmp_path):
    people = np.random.default_rng(5).integers((300, 100), (340, 220), (6, 26, 2))
    lines = [','.join(map(str, (row, *person.ravel()))) for row, person in enumerate(people)]      # 53 = 2 + 3 * 17
    found = read_keypoints(write_text(tmp_path / 'clip.csv', lines), size=SIZE)
    np.testing.assert_array_equal(np.concatenate(found.people)[..., :2], people)


@pytest.mark.parametrize('count,reason', [(52, 'fit several numbers of joints'), (40, 'fit no numbers of joints')])
def test_numbers_that_may_be_anything_are_refused(count, reason, tmp_path):
    line = refusal(write_text(tmp_path / 'clip.csv', [','.join(map(str, range(count)))]))
    assert f'its {count} columns have no header, and {reason}; write one: frame,x0,y0,c0' in line

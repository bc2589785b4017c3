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

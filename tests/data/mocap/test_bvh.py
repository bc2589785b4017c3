"""Reading BVH: the tree, the order of rotations, positions of joints, and what is refused."""
import numpy as np
import pytest

from data.mocap.bvh import read_bvh
from mocap_clips import FPS, PROGRAMS, person, write_bvh, y_up
from places import SHARED
from refusals import refusal

HEAD = '''HIERARCHY
ROOT hip
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT knee
  {
    OFFSET 0 -4 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    End Site
    {
      OFFSET 0 0 1
    }
  }
}
MOTION
'''
TWO_FRAMES = HEAD + 'Frames: 2\nFrame Time: 0.0333333\n1 2 3 0 0 0 0 0 0\n0 0 0 90 90 0 0 0 90\n'


@pytest.fixture
def written(tmp_path):
    """A function that writes a text as a BVH file and reads it."""
    def write_and_read(text):
        path = tmp_path / 'clip.bvh'
        path.write_text(text)
        return read_bvh(path)
    return write_and_read


def test_a_chain_stands_where_one_computes_it_by_hand(written):
    recording = written(TWO_FRAMES)
    assert recording.names == ('hip', 'knee', 'knee_end') and recording.fps == 30
    # second frame: about Z by 90 degrees after X by 90: (0, -4, 0) -> X -> (0, 0, -4) -> Z -> (0, 0, -4);
    # the end (0, 0, 1) -> Y of the knee -> (1, 0, 0) -> X -> (1, 0, 0) -> Z -> (0, 1, 0)
    assert recording.positions == pytest.approx(np.array([[[1, 2, 3], [1, -2, 3], [1, -2, 4]],
                                                          [[0, 0, 0], [0, 0, -4], [0, 1, -4]]]), abs=1e-12)


@pytest.mark.parametrize('change', [lambda text: text.replace('\n', '\r\n'), lambda text: text.replace('  ', '\t'),
                                    lambda text: text.replace('\n{', ' {'), lambda text: '\ufeff' + text,
                                    lambda text: text.replace('Xposition', 'XPOSITION').replace('Frames:', 'FRAMES :')])
def test_line_ends_tabs_braces_and_case_do_not_matter(written, change):
    assert np.array_equal(written(change(TWO_FRAMES)).positions, written(TWO_FRAMES).positions)


def test_names_may_hold_blanks(written):
    assert written(TWO_FRAMES.replace('JOINT knee', 'JOINT Bip01 L Calf')).names == ('hip', 'Bip01 L Calf', 'Bip01 L Calf_end')


@pytest.mark.parametrize('moved, end', [('0 -5 0', -5), ('0 -0.5 0', -4.5)])
def test_positions_of_a_joint_replace_its_offset_unless_they_are_steps_from_it(written, moved, end):
    text = TWO_FRAMES.replace('CHANNELS 3 Z', 'CHANNELS 6 Xposition Yposition Zposition Z').replace(
        '1 2 3 0 0 0 0 0 0', f'1 2 3 0 0 0 {moved} 0 0 0').replace('90 90 0 0 0 90', f'90 90 0 {moved} 0 0 90')
    assert written(text).positions[0, 1, 1] == 2 + end


def test_a_lost_offset_is_that_of_another_joint_times_a_number(written, tmp_path):
    """The OFFSET of the ankle turns with the knee, as if the file had it; OFFSETs that are there stay."""
    ankle = 'JOINT ankle\n{\nOFFSET 0 0 0\nCHANNELS 1 Xrotation\nEnd Site'
    text = TWO_FRAMES.replace('End Site', ankle).replace('}\nMOTION', '}\n}\nMOTION')
    text = text.replace('3 0 0 0 0 0 0\n', '3 0 0 0 0 0 0 0\n').replace('0 0 90\n', '0 0 90 0\n')
    whole = written(text.replace('OFFSET 0 0 0\nCHANNELS 1', 'OFFSET 0 -2 0\nCHANNELS 1'))
    assert not np.array_equal(written(text).positions, whole.positions)
    restored = read_bvh(tmp_path / 'clip.bvh', dict(ankle=('knee', .5), knee=('hip', 9), toe=('knee', 1), hip=('toe', 1)))
    assert np.array_equal(restored.positions, whole.positions)


def test_three_angles_behind_an_offset_are_left_to_the_channels(written):
    text = TWO_FRAMES.replace('OFFSET 0 -4 0', 'OFFSET 0 -4 0 10 20 30').replace('OFFSET 0 0 1', 'OFFSET 0 0 1 0 0 0')
    assert np.array_equal(written(text).positions, written(TWO_FRAMES).positions)


def test_a_person_of_positions_comes_back(tmp_path):
    points, _ = person()
    names = PROGRAMS['unity']
    recording = read_bvh(write_bvh(tmp_path / 'person.bvh', points, names))
    for point, name in names.items():
        found = recording.positions[:, recording.names.index(name)]
        assert found == pytest.approx(100 * y_up(points[point]), abs=1e-3)
    assert recording.fps == FPS


BROKEN = {
    'other channels': (lambda text: text.replace('CHANNELS 3 Zrotation', 'CHANNELS 3 Xscale'), ("'Xscale'", "'knee'")),
    'too few names': (lambda text: text.replace('CHANNELS 3 Z', 'CHANNELS 4 Z'), ('CHANNELS', "'knee'")),
    'the same axis twice in a row': (lambda text: text.replace('3 Zrotation X', '3 Xrotation X'), ("'knee'",)),
    'no number': (lambda text: text.replace('OFFSET 0 -4 0', 'OFFSET 0 four 0'), ("'knee'", 'four')),
    'infinite': (lambda text: text.replace('OFFSET 0 -4 0', 'OFFSET 0 1e999 0'), ("'knee'", 'inf')),
    'two coordinates': (lambda text: text.replace('OFFSET 0 -4 0', 'OFFSET 0 -4'), ("'knee'", 'three')),
    'angles of a joint that cannot turn': (lambda text: text.replace('-4 0', '-4 0 9 9 9').replace(
        '3 Zrotation Xrotation Yrotation\n    E', '1 Xposition\n    E'), ("'knee'", '6 numbers')),
    'cut off in the head': (lambda text: text[:80], ('MOTION',)),
    'an open brace': (lambda text: text.replace('}\nMOTION', 'MOTION'), ('HIERARCHY',)),
    'cut off between frames': (lambda text: text[:text.index('0 0 0 90')], ('1 frames where it announces 2',)),
    'cut off in a frame': (lambda text: text[:-8], ('cut off',)),
    'a column too few': (lambda text: text.replace('3 0 0 0 0 0 0\n', '3 0 0 0 0 0\n').replace('0 0 90\n', '0 90\n'),
                         ('8 numbers', '9 channels')),
    'NaN': (lambda text: text.replace('1 2 3 0', '1 2 nan 0'), ('NaN', 'frame 0')),
    'no rate': (lambda text: text.replace('Frame Time: 0.0333333\n', ''), ('Frame Time',)),
    'not a number of frames': (lambda text: text.replace('Frames: 2', 'Frames: two'), ('Frames',))}


@pytest.mark.parametrize('case', BROKEN)
def test_a_damaged_file_is_refused_in_one_line(written, tmp_path, case):
    change, words = BROKEN[case]
    line = refusal(written, change(TWO_FRAMES))
    assert line.startswith(str(tmp_path / 'clip.bvh')) and all(word in line for word in words), line


def test_the_database_stands_on_the_floor_whether_its_root_adds_to_the_offset_or_not():
    files = sorted((SHARED / 'mocap' / 'raw' / 'cmu_bvh').glob('*.bvh'))
    if not files:
        pytest.skip('the recordings are not part of the project')
    for path in files:
        recording = read_bvh(path)
        feet = [recording.names.index(f'CC_Base_{side}_Foot') for side in 'LR']
        assert 5 < np.percentile(recording.positions[:, feet, 1], 2) < 20      # centimetres

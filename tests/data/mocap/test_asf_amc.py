"""Reading ASF and AMC: a skeleton computed by hand, and what is refused."""
import numpy as np
import pytest

from data.mocap.asf_amc import read_amc
from refusals import refusal

ASF = ''':version 1.10
:units
  length 0.5
  angle deg
:root
  order TX TY TZ RX RY RZ
  axis XYZ
  position 0 0 0
  orientation 0 0 0
:bonedata
  begin
    id 1
    name thigh
    direction 0 -1 0
    length 4
    axis 0 0 90 XYZ
    dof rx ry rz
    limits (-160.0 20.0)
           (-70.0 70.0)
           (-60.0 70.0)
  end
  begin
    id 2
    name shin
    direction 0 -1 0
    length 3
    axis 0 0 0 XYZ
    dof rx
  end
:hierarchy
  begin
    root thigh
    thigh shin
  end
'''
AMC = '''# a comment
:FULLY-SPECIFIED
:DEGREES
1
root 1 2 3 0 0 0
thigh 0 0 0
shin 0
2
root 0 0 0 0 0 90
thigh 90 0 0
shin 90
'''


@pytest.fixture
def written(tmp_path):
    """A function that writes the skeleton and a motion, and reads them."""
    def write_and_read(amc=AMC, asf=ASF, name='07.asf'):
        (tmp_path / name).write_text(asf)
        (tmp_path / '07_01.amc').write_text(amc)
        return read_amc(tmp_path / '07_01.amc')
    return write_and_read


def test_a_leg_stands_where_one_computes_it_by_hand(written):
    recording = written()
    assert recording.names == ('root', 'thigh', 'shin', 'shin_end') and recording.metres == pytest.approx(.0254 / .5)
    first, second = recording.positions
    assert first == pytest.approx(np.array([[1, 2, 3], [1, 2, 3], [1, -2, 3], [1, -5, 3]]), abs=1e-12)
    # The thigh's own x axis is the world's y: it turns (0, -1, 0) by nothing. The root turns by 90 degrees about z:
    # (0, -1, 0) -> (1, 0, 0). The shin bends about the x axis of the turned thigh.
    assert second[:3] == pytest.approx(np.array([[0, 0, 0], [0, 0, 0], [4, 0, 0]]), abs=1e-12)
    # about the thigh's y (90), then the shin's x (90): (0, -1, 0) -> x -> (0, 0, -1) -> y -> (-1, 0, 0) -> root -> (0, -1, 0)
    assert second[3] == pytest.approx(np.array([4, -3, 0]), abs=1e-12)


def test_axes_turn_in_the_order_of_their_names(written):
    turned = written(AMC.replace('thigh 0 0 0', 'thigh 90 0 90'), ASF.replace('axis 0 0 90', 'axis 0 0 0'))
    # first about x, then about z: (0, -1, 0) -> x -> (0, 0, -1) -> z -> (0, 0, -1)
    assert turned.positions[0, 2] == pytest.approx(np.array([1, 2, 3 - 4]), abs=1e-12)


def test_radians_are_angles_too(written):
    quarter = f'{np.pi / 2:.12f}'
    radians = written(AMC.replace(':DEGREES', ':RADIANS').replace('90', quarter))
    assert radians.positions == pytest.approx(written().positions, abs=1e-9)


def test_the_skeleton_is_the_one_that_the_name_begins_with(written, tmp_path):
    (tmp_path / '0.asf').write_text('another')
    assert len(written().positions) == 2


BROKEN = {
    'a frame cut off': (lambda amc: amc[:amc.rindex('shin')], {}, ('cut off', 'frame 2')),
    'a number cut off': (lambda amc: amc.replace('thigh 90 0 0', 'thigh 90 0'), {}, ('frame 2', 'thigh')),
    'a bone missing in the middle': (lambda amc: amc.replace('shin 0\n', ''), {}, ('07_01.amc',)),
    'no number': (lambda amc: amc.replace('shin 90', 'shin ninety'), {}, ("'shin'", 'ninety')),
    'NaN': (lambda amc: amc.replace('shin 90', 'shin nan'), {}, ('NaN', 'frame 2')),
    'no unit': (lambda amc: amc, dict(asf=ASF.replace('length 0.5', 'length 0')), ('07.asf', ':units')),
    'NaN in the skeleton': (lambda amc: amc, dict(asf=ASF.replace('length 3', 'length nan')), ("'shin'", 'NaN')),
    'no frame': (lambda amc: ':DEGREES\n', {}, ('no frame',)),
    'a bone that the skeleton lacks': (lambda amc: amc.replace('shin', 'tail'), {}, ("'tail'", '07.asf')),
    'a bone that grows': (lambda amc: amc, dict(asf=ASF.replace('dof rx\n', 'dof rx l\n')), ("'shin'", "'l'")),
    'a skeleton cut off': (lambda amc: amc, dict(asf=ASF[:ASF.index(':hierarchy')]), ('07.asf', ':hierarchy')),
    'a bone without a length': (lambda amc: amc, dict(asf=ASF.replace('    length 3\n', '')), ("'shin'", 'length')),
    'an axis of another name': (lambda amc: amc, dict(asf=ASF.replace('90 XYZ', '90 XYW')), ('07.asf', 'damaged')),
    'a parent that is missing': (lambda amc: amc, dict(asf=ASF.replace('thigh shin', 'knee shin')), ("'knee'",))}


@pytest.mark.parametrize('case', BROKEN)
def test_a_damaged_file_is_refused_in_one_line(written, case):
    change, options, words = BROKEN[case]
    line = refusal(written, change(AMC), **options)
    assert all(word in line for word in words), line


def test_a_motion_without_its_skeleton_says_which_is_needed(tmp_path):
    (tmp_path / '07_01.amc').write_text(AMC)
    assert 'put 07.asf into' in refusal(read_amc, tmp_path / '07_01.amc')


def test_two_skeletons_of_other_names_are_not_guessed_from(written, tmp_path):
    (tmp_path / '08.asf').write_text(ASF)
    assert 'named like it' in refusal(written, name='09.asf')

"""Whether a recording is a person: unit, axes, body, sides, floor, teleports."""
import numpy as np
import pytest

from common.skeleton import H36M_16
from data.mocap import checks
from mocap_clips import FPS, person
from refusals import refusal

WRIST, KNEE, FOOT = H36M_16.joints('LWrist', 'LKnee', 'LFoot')


@pytest.fixture(scope='module')
def walker():
    """(40, 16, 3) metres, z up."""
    return person()[1]


def test_the_stature_of_a_person_is_about_what_it_was_made_with():
    for tall in (1.5, 1.9):
        assert checks.stature(person(stature=tall)[1]) == pytest.approx(tall, abs=.15)


@pytest.mark.parametrize('unit', checks.UNITS)
def test_a_unit_that_nobody_says_is_found_from_the_height(walker, unit):
    assert checks.length_of_unit(checks.stature(walker) / checks.UNITS[unit], None, 'a') == checks.UNITS[unit]


@pytest.mark.parametrize('said, true', [('cm', 'inch'), ('m', 'foot'), ('mm', 'cm'), ('inch', 'm')])
def test_a_unit_that_cannot_be_is_refused_with_the_likely_one(walker, said, true):
    line = refusal(checks.length_of_unit, checks.stature(walker) / checks.UNITS[true], checks.UNITS[said], 'a.bvh')
    assert 'a.bvh' in line and f'--unit {true}' in line and ' m) tall' in line


def test_a_height_of_no_unit_is_refused():
    assert 'in no unit' in refusal(checks.length_of_unit, 4e5, None, 'a.bvh')


@pytest.mark.parametrize('up', ['x', 'y', 'z'])
def test_the_axis_that_points_up_is_found_and_turned_to_z_without_mirroring(walker, up):
    turned = np.roll(walker, 'zxy'.index(up), axis=-1)        # by one: z becomes x; by two: z becomes y; both are rotations
    assert checks.stands_along(turned) == up
    back = checks.upright(turned, up, mirrored=False)
    assert back[..., 2] == pytest.approx(walker[..., 2])
    checks.require_sides(back, 'a')


@pytest.mark.parametrize('up', checks._UPRIGHT)
def test_every_turn_is_a_rotation(up):
    matrix = np.array(checks._UPRIGHT[up])
    assert np.linalg.det(matrix) == 1 and matrix[2].tolist() == [sign * (axis == up[-1]) for sign, axis in zip(
        [-1 if up.startswith('-') else 1] * 3, 'xyz')]


def test_a_person_upside_down_stands_along_the_other_direction(walker):
    assert checks.stands_along(walker * [1, -1, -1]) == '-z'


def test_a_person_between_two_axes_stands_along_none(walker):
    turned = walker @ np.array([[1, 0, 0], [0, .7, .7], [0, -.7, .7]])
    assert checks.stands_along(turned) == '' == checks.stands_along(walker[:, [0] * 16])


@pytest.mark.parametrize('stand_along, said, up', [
    (['y', 'y', '', 'z'], None, 'y'), (['z'], None, 'z'), (['y', 'y', 'x'], 'y', 'y'), (['', 'z', ''], 'y', 'y'),
    (['-y'], '-y', '-y')])
def test_up_is_what_is_said_or_where_most_people_stand(stand_along, said, up):
    assert checks.common_up(stand_along, said, 'a') == up


@pytest.mark.parametrize('stand_along, said, words', [
    (['-y', '-y', 'y'], None, ('upside down', '--up=-y')), (['x'], None, ('--up=x',)), ([''], None, ('no axis',)),
    (['y', 'y', ''], 'z', ('z is said', '2 of 3', '--up=y'))])
def test_where_nobody_stands_upright_up_must_be_said(stand_along, said, words):
    line = refusal(checks.common_up, stand_along, said, 'folder')
    assert 'folder' in line and all(word in line for word in words), line


@pytest.mark.parametrize('stood, up, is_refused', [('-y', 'y', True), ('z', '-z', True), ('y', 'y', False), ('', 'y', False),
                                                   ('x', 'y', False)])
def test_one_person_upside_down_among_others_is_refused(stood, up, is_refused):
    if is_refused:
        assert 'upside down' in refusal(checks.require_upright, stood, up, 'a.bvh')
    else:
        checks.require_upright(stood, up, 'a.bvh')


def test_left_and_right_exchanged_or_left_handed_axes_are_noticed(walker):
    checks.require_sides(walker, 'a.bvh')
    for wrong in (walker[:, H36M_16.mirror], walker * [-1, 1, 1]):
        assert 'the knees bend backwards' in refusal(checks.require_sides, wrong, 'a.bvh')
    checks.require_sides(checks.upright(walker * [-1, 1, 1], 'z', mirrored=True), 'a.bvh')


def test_bones_of_impossible_or_changing_or_unlike_lengths_are_refused(walker):
    checks.require_body(walker, 'a.bvh')
    at_the_knee, longer, stretching = walker.copy(), walker.copy(), walker.copy()
    at_the_knee[:, FOOT] = walker[:, KNEE] + .001
    longer[:, FOOT] += .5 * (walker[:, FOOT] - walker[:, KNEE])
    stretching[:, WRIST] += np.linspace(-.3, .3, len(walker))[:, None] * (walker[:, WRIST] - walker[:, WRIST - 1])
    assert 'the bone to LFoot is 0.2 cm long' in refusal(checks.require_body, at_the_knee, 'a.bvh')
    assert 'the bone to LFoot is 65 cm long, on the other side 43 cm' in refusal(checks.require_body, longer, 'a.bvh')
    assert 'LWrist changes its length' in refusal(checks.require_body, stretching, 'a.bvh')


def test_a_person_far_from_the_floor_is_moved_to_it(walker):
    same, moved = checks.on_floor(walker)
    assert same is walker and not moved
    for shift in (5, -1):
        back, moved = checks.on_floor(walker + [0, 0, shift])
        assert moved and np.percentile(back[:, checks.FEET, 2], 2) == pytest.approx(checks.ANKLE)


def test_a_teleport_cuts_the_clip(walker):
    jumping = walker + [3, 0, 0] * (np.arange(len(walker)) >= 12)[:, None, None]
    assert checks.without_jumps(walker, FPS, 'a') == [slice(0, 40)]
    assert checks.without_jumps(jumping, FPS, 'a') == [slice(0, 12), slice(12, 40)]


def test_a_rest_pose_in_the_first_frame_is_cut_off(walker):
    fast = np.stack([np.interp(np.arange(0, 39, .25), np.arange(40), column) for column in walker.reshape(40, -1).T],
                    axis=-1).reshape(-1, 16, 3)
    fast[0, WRIST] += [0, 0, .2]        # too slow for a teleport
    assert checks.without_jumps(fast, 4 * FPS, 'a')[0] == slice(0, 1)


def test_a_person_who_teleports_all_the_time_is_refused(walker):
    shaking = walker + [3, 0, 0] * (np.arange(len(walker)) % 4 == 0)[:, None, None]
    line = refusal(checks.without_jumps, shaking, FPS, 'a.bvh')
    assert 'jumps' in line and 'before frame 1,' in line and '30 frames a second' in line

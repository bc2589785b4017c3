"""The room: upright, not mirrored, on the floor; jumps stay jumps; tilt and roll of the camera are guessed."""
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from common.skeleton import H36M_16
from function_inference.room import APART_M, followed_places, guess_angles, level, scene, straightened, upright
from motions import FACING, motion_of, posed, random_motion, turned

BENT = posed(Spine=(0, -.2, -1), Thorax=(0, -.2, -1))
LYING = FACING @ Rotation.from_euler('z', 90, degrees=True).as_matrix().T


def seen_by_a_leaning_camera(vectors, tilt_deg, roll_deg):
    """Vectors in the frame of a level camera -> in that of one that looks down, and in whose image people lean to the right."""
    return vectors @ Rotation.from_euler('xz', [tilt_deg, roll_deg], degrees=True).as_matrix().T


def test_upright_is_up_on_the_floor_and_not_mirrored():
    pose3d = dict(zip(H36M_16.names, upright(motion_of([FACING, turned(90)])).swapaxes(0, 1)))
    assert (pose3d['Head'][:, 1] > 1.5).all() and np.allclose(pose3d['LFoot'][:, 1], 0, atol=1e-6)
    assert pose3d['LWrist'][0, 0] > .1 > pose3d['RWrist'][0, 0]            # the person faces us: their left is on our right
    assert pose3d['LWrist'][1, 2] < -.1 < pose3d['RWrist'][1, 2]           # turned to their left: the left hand is away from us
    assert np.isclose(np.linalg.det(level(np.eye(3))), 1)


@pytest.mark.parametrize('angles', [(0, 0), (-20, 5), (35, -30)])
def test_a_leaning_camera_is_levelled(angles):
    path = np.linspace((-1, .3, 4), (2, .3, 6), 5)
    straight = motion_of([turned(20 * frame) for frame in range(5)], root_cam=path)
    seen = straight._replace(pose3d_rel=seen_by_a_leaning_camera(straight.pose3d_rel, *angles),
                             root_cam=seen_by_a_leaning_camera(path, *angles), tilt_deg=angles[0], roll_deg=angles[1])
    assert np.allclose(upright(seen), upright(straight), atol=1e-6)
    leaning = level(seen_by_a_leaning_camera(np.array([0, -1, 0]), *angles))
    assert np.sign(leaning[0]) == np.sign(angles[1]) and np.sign(leaning[2]) == np.sign(angles[0])


def test_someone_whose_place_is_unknown_stands_on_the_spot_on_the_floor():
    pose3d = upright(random_motion())
    assert np.allclose(pose3d[..., 1].min(axis=1), 0, atol=1e-7) and not pose3d[:, 0, ::2].any()


def test_places_in_the_room_are_those_before_the_camera():
    pose3d = upright(motion_of([FACING] * 3, root_cam=[(0, 0, 5), (1, 0, 5), (1, 0, 4)]))
    assert np.allclose(pose3d[:, 0, ::2], [(0, -5), (1, -5), (1, -4)], atol=1e-6)
    assert np.allclose(pose3d[..., 1].min(axis=1), 0, atol=1e-6)


def test_a_jump_leaves_the_floor_and_a_slope_does_not():
    """The camera is taken to be level although it looks down by 5 degrees, so the person seems to walk downhill."""
    time = np.arange(0, 4, 1 / 25)
    airborne = np.clip(time - 2, 0, 2 * np.sqrt(2 * .5 / 9.81))
    height = np.sqrt(2 * .5 * 9.81) * airborne - 9.81 / 2 * airborne ** 2
    path = np.stack([0 * time, -height, 4 + time], axis=1)
    motion = motion_of(seen_by_a_leaning_camera(np.tile(FACING, (len(time), 1, 1)), 5, 0),
                       root_cam=seen_by_a_leaning_camera(path, 5, 0))
    lowest = upright(motion)[..., 1].min(axis=1)
    assert np.abs(lowest - height).max() < .06 and lowest.min() > -1e-6
    assert lowest.max() > .45 and np.ptp(level(motion.root_cam)[time < 2, 1]) > .15


def test_people_without_places_stand_side_by_side_and_the_others_where_they_are():
    unknown = scene([motion_of([FACING])] * 3)
    assert np.allclose([pose3d[0, 0, 0] for pose3d in unknown], [-APART_M, 0, APART_M])
    known = [motion_of([FACING], root_cam=(x, 0, 5)) for x in (-.3, .4)]
    assert all(np.array_equal(pose3d, upright(motion)) for pose3d, motion in zip(scene(known), known))


def test_views_follow_the_middle_of_the_people_in_sight():
    places = np.zeros((2, 100, 1, 3))
    places[0, :, 0] = -1, .9, -5
    places[1, :, 0] = 3, .9, -6
    shown = np.ones((2, 100), bool)
    shown[1, 50:] = False
    followed = followed_places(places, shown, fps=10)
    assert np.allclose(followed[:40], [1, 0, -5.5]) and np.allclose(followed[60:], [-1, 0, -5])
    assert np.allclose(followed_places(places, ~shown, fps=10)[:40], [1, 0, -5.5])      # nobody: all count


@pytest.mark.parametrize('angles', [(0, 0), (20, 0), (-15, 0), (0, 10), (25, -8)])
def test_the_angles_of_the_camera_are_guessed_from_people_who_stand(angles):
    poses = [turned(30 * frame) for frame in range(12)] + [BENT, LYING] * 3
    tilt, roll = guess_angles([seen_by_a_leaning_camera(np.stack(poses), *angles)])
    assert tilt == pytest.approx(angles[0], abs=2) and roll == pytest.approx(angles[1], abs=2)


@pytest.mark.parametrize('pose', [LYING, BENT], ids=['lying', 'bent'])
def test_without_anybody_who_stands_the_camera_is_taken_to_be_level(pose):
    assert guess_angles([pose[None]]) == (0, 0)


def test_given_angles_are_taken_as_they_are_and_others_guessed():
    leaning = motion_of(seen_by_a_leaning_camera(FACING[None], 20, 10))
    (one, other), = [straightened([leaning, leaning], tilt_deg=3)]
    assert one.tilt_deg == other.tilt_deg == 3 and one.roll_deg == other.roll_deg == pytest.approx(10, abs=2)
    assert straightened([leaning], 0, 0)[0].tilt_deg == straightened([leaning], 0, 0)[0].roll_deg == 0

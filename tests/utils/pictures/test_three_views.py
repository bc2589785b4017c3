"""The picture of a rig: people are turned to the viewer."""
import numpy as np
import pytest

from common.skeleton import H36M_16
from utils.pictures.three_views import VIEWS, facing, save_three_views

NOSE, LEFT_HAND, LHIP, RHIP = H36M_16.joints('Head', 'LWrist', 'LHip', 'RHip')


@pytest.fixture(params=[0, 50, 180, 290], ids='{} degrees'.format)
def person(request):
    """(1, 16, 3): who looks along the world's x axis, turned about z; the head juts forward, the left hand is at the left."""
    pose3d = np.zeros((1, 16, 3)) + [3, 2, .9]
    pose3d[0, [LHIP, RHIP], 1] += [.1, -.1]
    pose3d[0, NOSE] += [.2, 0, .7]
    pose3d[0, LEFT_HAND, 1] += .5
    turn = np.radians(request.param)
    return pose3d @ np.array([[np.cos(turn), np.sin(turn), 0], [-np.sin(turn), np.cos(turn), 0], [0, 0, 1]])


def test_people_are_turned_so_that_left_front_and_up_are_the_axes(person):
    turned = facing(person)[0]
    assert turned[0] == pytest.approx([0, 0, .9])
    assert turned[NOSE] == pytest.approx([0, .2, 1.6]) and turned[LEFT_HAND] == pytest.approx([.5, 0, .9])


@pytest.mark.parametrize('view, hand, nose', [('from the front', (.5, .9), (0, 1.6)), ('from its right', (0, .9), (.2, 1.6)),
                                              ('from above', (-.5, 0), (0, .2))])
def test_each_view_shows_what_its_name_says(person, view, hand, nose):
    (shown, signs), = [value for name, value in VIEWS.items() if name.startswith(view)]
    flat = facing(person)[0][:, shown] * signs
    assert flat[LEFT_HAND] == pytest.approx(hand) and flat[NOSE] == pytest.approx(nose)


def test_a_person_beyond_the_tile_does_not_fail(tmp_path):
    poses = np.random.default_rng(0).normal(size=(2, 16, 3)) * 3
    save_three_views(tmp_path / 'a.png', poses, 'far')
    assert (tmp_path / 'a.png').stat().st_size > 1000

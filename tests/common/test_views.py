"""Views: a filmed pose can be taken apart and seen again, and each of its terms means what its name says."""
import math

import pytest
import torch

from common.camera import project, root_relative
from common.datasets.h36m import all_intrinsics, all_up
from common.views import Views, filmed, inside, kept_inside, seen, up_in

DTYPES = pytest.mark.parametrize('dtype, exact', [(torch.float32, 2e-5), (torch.float64, 1e-9)], ids=['float32', 'float64'])
COUNT = 40


def draws(seed):
    return torch.Generator().manual_seed(seed)


def scene(dtype):
    """Poses of people 3 to 6 m before Human3.6M's cameras, the vertical of these, and their intrinsics."""
    rows = torch.arange(COUNT) % 28
    body = torch.rand(COUNT, 16, 3, generator=draws(0), dtype=torch.float64) - .5
    place = torch.rand(COUNT, 1, 3, generator=draws(1), dtype=torch.float64) * torch.tensor([1., 1., 3.])
    place = place + torch.tensor([-.5, -.5, 3.])
    up = torch.nn.functional.normalize(all_up()[rows].double(), dim=-1)
    return (body + place).to(dtype), up.to(dtype), all_intrinsics()[rows].to(dtype)


def standing(count=1):
    """Upright poses (N, 16, 3): the hip at the origin, the head a metre above it, the other joints at the hip."""
    pose = torch.zeros(count, 16, 3, dtype=torch.float64)
    pose[:, 9, 1] = -1
    return pose


def pinhole(count=1, focal=2.):
    return torch.tensor([[focal, focal] + [0] * 7], dtype=torch.float64).expand(count, 9)


def level(**changes):
    """Views of one person from a level camera 5 m away, in the middle of the image."""
    zero = torch.zeros(1, dtype=torch.float64)
    views = Views(zero, zero, zero, zero + 5, torch.zeros(1, 2, dtype=torch.float64), pinhole())
    return views._replace(**{name: torch.tensor(value, dtype=torch.float64) for name, value in changes.items()})


@DTYPES
def test_a_filmed_pose_seen_in_its_own_view_is_the_same(dtype, exact):
    pose3d_cam, up, intrinsics = scene(dtype)
    upright, views = filmed(pose3d_cam, up, intrinsics)
    torch.testing.assert_close(seen(upright, views), pose3d_cam, rtol=0, atol=10 * exact)
    torch.testing.assert_close(up_in(views), up, rtol=0, atol=10 * exact)


@DTYPES
@pytest.mark.parametrize('name, value', [('azimuth', 2.), ('elevation', .6), ('roll', -.3), ('distance', 7.)])
def test_one_term_changes_and_the_others_stay(dtype, exact, name, value):
    pose3d_cam, up, intrinsics = scene(dtype)
    upright, views = filmed(pose3d_cam, up, intrinsics)
    changed = views._replace(**{name: torch.full_like(views.distance, value)})
    again, found = filmed(seen(upright, changed), up_in(changed), intrinsics)
    for other in ('elevation', 'roll', 'distance', 'place'):
        torch.testing.assert_close(getattr(found, other), getattr(changed, other), rtol=0, atol=20 * exact)
    torch.testing.assert_close(project(seen(upright, changed)[:, :1], intrinsics)[:, 0], views.place, rtol=0, atol=10 * exact)
    torch.testing.assert_close(again.norm(dim=-1), upright.norm(dim=-1), rtol=0, atol=10 * exact)


def test_the_body_is_not_deformed():
    pose3d_cam, up, intrinsics = scene(torch.float64)
    upright, _ = filmed(pose3d_cam, up, intrinsics)
    torch.testing.assert_close(torch.cdist(upright, upright), torch.cdist(pose3d_cam, pose3d_cam), rtol=0, atol=1e-9)


def test_gravity_points_down_in_the_upright_frame():
    pose3d_cam, up, intrinsics = scene(torch.float64)
    pose3d_cam[:, 9] = pose3d_cam[:, 0] + up
    upright, _ = filmed(pose3d_cam, up, intrinsics)
    torch.testing.assert_close(upright[:, 9], torch.tensor([[0., -1, 0]], dtype=torch.float64).expand(COUNT, 3))


def test_a_level_camera_sees_an_upright_person_upright():
    pose = seen(standing(), level())
    torch.testing.assert_close(pose[0, [0, 9]], torch.tensor([[0, 0, 5.], [0, -1, 5]], dtype=torch.float64))


def test_a_camera_above_looks_down():
    """From above, the head of a standing person is nearer to the camera than the hip; from below it is farther away."""
    angle = math.radians(30)
    above, below = (seen(standing(), level(elevation=[sign * angle]))[0, 9] for sign in (1, -1))
    assert float(above[2]) == pytest.approx(5 - math.sin(angle)) and float(below[2]) == pytest.approx(5 + math.sin(angle))
    assert float(above[1]) == pytest.approx(-math.cos(angle))


def test_a_positive_roll_leans_the_person_to_the_right_of_the_image():
    head = seen(standing(), level(roll=[.2]))[0, 9]
    torch.testing.assert_close(head, torch.tensor([math.sin(.2), -math.cos(.2), 5], dtype=torch.float64))


def test_the_hip_is_seen_at_its_place_through_any_lens():
    pose3d_cam, up, intrinsics = scene(torch.float64)
    upright, views = filmed(pose3d_cam, up, intrinsics)
    place = torch.rand(COUNT, 2, generator=draws(3), dtype=torch.float64) - .5
    moved = seen(upright, views._replace(place=place))
    torch.testing.assert_close(project(moved[:, :1], intrinsics)[:, 0], place, rtol=0, atol=1e-8)
    torch.testing.assert_close(moved[:, 0].norm(dim=-1), views.distance, rtol=0, atol=1e-9)


def test_people_are_moved_into_the_image_no_farther_than_needed():
    middle, outside = level(), level(place=[[.95, 0]])
    wide = standing()
    wide[:, 1, 0] = 1.      # a joint a metre to the right
    kept, fits = kept_inside(wide, middle)
    assert fits and torch.equal(kept.place, middle.place)
    kept, fits = kept_inside(wide, outside)
    assert fits and not inside(seen(wide, outside), pinhole()) and inside(seen(wide, kept), pinhole())
    assert 0 < kept.place[0, 0] < .95


def test_people_who_are_too_near_do_not_fit():
    _, fits = kept_inside(standing(), level(distance=[.5]))
    assert not fits


def test_nobody_behind_the_camera_is_inside():
    pose3d_cam = standing() - torch.tensor([0, 0, 5.])
    assert not inside(pose3d_cam, pinhole())
    assert inside(pose3d_cam * -1, pinhole())


def test_the_root_is_where_the_upright_pose_begins():
    pose3d_cam, up, intrinsics = scene(torch.float64)
    upright, _ = filmed(pose3d_cam, up, intrinsics)
    torch.testing.assert_close(upright, root_relative(upright))

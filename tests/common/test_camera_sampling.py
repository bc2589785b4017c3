"""Virtual cameras: what they see, and the distributions from which they are drawn."""
import pytest
import torch

from common.camera import project
from common.camera_sampling import CameraRanges, sample_views, view_rotation
from common.skeleton import H36M_16

HEAD, LEFT, RIGHT, FOOT = H36M_16.joints('Head', 'LShoulder', 'RShoulder', 'RFoot')
FIXED = CameraRanges(azimuth=(0, 0), elevation=(0, 0), roll=(0, 0), distance=(4, 4), place=((0, 0), (0, 0)), focal=(2, 2))


@pytest.fixture
def people():
    """(500, 16, 3) world metres: people of random shape, less than 2 m in extent, away from the origin."""
    random = torch.Generator().manual_seed(3)
    return torch.rand(500, 16, 3, generator=random) * torch.tensor([.8, .8, 1.9]) + torch.tensor([5., -3., .1])


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def standing(front):
    """(1, 16, 3): a person who looks along the world's x axis (front=1), with the left shoulder at +y."""
    pose3d = torch.zeros(1, 16, 3)
    pose3d[0, HEAD, 2], pose3d[0, FOOT, 2] = .7, -.9
    pose3d[0, LEFT, 1], pose3d[0, RIGHT, 1] = .2 * front, -.2 * front
    return pose3d + torch.tensor([1., 2., .9])


def test_all_joints_are_inside_the_image_and_before_the_camera(people):
    views = sample_views(people, CameraRanges(distance=(.2, 8)), seeded())
    assert views.pose2d.abs().max() <= 1 + 1e-5 and views.pose3d_cam[..., 2].min() >= .3 - 1e-5


def test_the_2d_pose_is_the_projection_by_the_intrinsics(people):
    views = sample_views(people, CameraRanges(), seeded())
    torch.testing.assert_close(project(views.pose3d_cam, views.intrinsics), views.pose2d)


def test_filming_moves_people_rigidly(people):
    views = sample_views(people, CameraRanges(), seeded())
    torch.testing.assert_close(torch.cdist(views.pose3d_cam, views.pose3d_cam), torch.cdist(people, people), atol=1e-3, rtol=0)


def test_a_camera_in_front_sees_the_head_above_and_the_left_side_on_the_right():
    views = sample_views(standing(front=1), FIXED, seeded())
    image = views.pose2d[0]
    assert image[HEAD, 1] < 0 < image[FOOT, 1] and image[RIGHT, 0] < 0 < image[LEFT, 0]
    assert views.pose3d_cam[0, 0, 2] == 4 and views.intrinsics[0].tolist() == [2, 2, 0, 0, 0, 0, 0, 0, 0]


def test_a_camera_that_looks_down_sees_the_head_nearer_than_the_feet():
    pose3d_cam = sample_views(standing(front=1), FIXED._replace(elevation=(40, 0)), seeded()).pose3d_cam[0]
    assert pose3d_cam[HEAD, 2] < 4 < pose3d_cam[FOOT, 2]


def test_a_camera_that_rolls_clockwise_sees_the_person_lean_to_the_left():
    image = sample_views(standing(front=1), FIXED._replace(roll=(20, 0)), seeded()).pose2d[0]
    assert image[HEAD, 0] < image[FOOT, 0]


def test_rotations_are_proper():
    rotation = view_rotation(*(torch.rand(3, 50, generator=seeded(1), dtype=torch.float64) * 6))
    torch.testing.assert_close(rotation @ rotation.transpose(1, 2), torch.eye(3, dtype=torch.float64).expand(50, 3, 3))
    torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(50, dtype=torch.float64))


@pytest.mark.parametrize('place, edge', [(((1, 1), (0, 0)), (0, 1)), (((-1, -1), (0, 0)), (0, -1)), (((0, 0), (1, 1)), (1, 1))])
def test_the_place_1_is_at_the_border_of_the_image(people, place, edge):
    axis, border = edge
    outermost = (sample_views(people, CameraRanges(place=place), seeded()).pose2d[..., axis] * border).amax(1)
    torch.testing.assert_close(outermost, torch.ones(len(people)), atol=1e-4, rtol=0)


def test_distances_and_focal_lengths_lie_in_their_ranges(people):
    views = sample_views(people, CameraRanges(distance=(3, 5), focal=(1, 1.3)), seeded())
    depth, focal = views.pose3d_cam[:, 0, 2], views.intrinsics[:, 0]
    assert 3 <= depth.min() < 3.1 and 4.9 < depth.max() <= 5
    assert 1 <= focal.min() < 1.02 and 1.27 < focal.max() <= 1.3 + 1e-6


def test_the_same_seed_gives_the_same_views_and_another_seed_others(people):
    first, second, third = (sample_views(people, CameraRanges(), seeded(seed)).pose2d for seed in (0, 0, 1))
    assert torch.equal(first, second) and not torch.isclose(first, third).any(dim=2).all(dim=1).any()

"""Cameras: round trips, the reference's figures, an independent numpy twin of the projection, and gradients behind the lens."""

import numpy as np
import pytest
import torch

import builders
from common.camera import (camera_to_world, normalised_to_pixels, perspective_divide, pixels_to_normalised,
                           pixels_to_padded, project, project_linear, root_relative, world_to_camera)
from common.datasets.h36m_protocol import SUBJECTS, cameras
from places import GOLDEN_FOLDER

GOLDEN = np.load(GOLDEN_FOLDER / 'parts.npz')
DTYPES = pytest.mark.parametrize('dtype', [torch.float32, torch.float64], ids=['float32', 'float64'])
ROUNDING = {torch.float32: 5e-6, torch.float64: 1e-13}
EVERY_CAMERA = [camera for subject in SUBJECTS for camera in cameras(subject)]


def golden(key, dtype=torch.float32):
    return torch.from_numpy(GOLDEN[key]).to(dtype)


def numpy_projection(pose3d_cam, intrinsic):
    """(J, 3) and (9,) -> (J, 2): joint by joint, term by term, float64."""
    fx, fy, cx, cy, k1, k2, k3, p1, p2 = np.asarray(intrinsic, dtype=np.float64)
    image = []
    for X, Y, Z in np.asarray(pose3d_cam, dtype=np.float64):
        x, y = min(max(X / Z, -1), 1), min(max(Y / Z, -1), 1)
        r2 = x * x + y * y
        bend = 1 + k1 * r2 + k2 * r2 ** 2 + k3 * r2 ** 3 + p1 * x + p2 * y
        image.append((fx * (x * bend + p1 * r2) + cx, fy * (y * bend + p2 * r2) + cy))
    return np.array(image)


def scattered(dtype):
    """Points all around the camera, in front and behind, on both sides of the clamp; none on the plane z = 0."""
    points = torch.randn(64, 16, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2
    points[..., 2] += points[..., 2].sign() * .3
    return points.to(dtype)


# World and camera

def test_camera_to_world_gives_the_references_figures():
    world = camera_to_world(golden('pose3d'), golden('world_R'), golden('world_t'))
    np.testing.assert_allclose(world, GOLDEN['world'], rtol=0, atol=2e-6)


def test_world_to_camera_gives_the_references_figures():
    back = world_to_camera(golden('world'), golden('world_R'), golden('world_t'))
    np.testing.assert_allclose(back, GOLDEN['world_back'], rtol=0, atol=2e-6)


@DTYPES
def test_world_and_camera_are_each_others_inverse_for_every_camera(dtype):
    pose3d = golden('pose3d', dtype)
    for camera in EVERY_CAMERA:
        place = torch.from_numpy(camera.orientation).to(dtype), torch.from_numpy(camera.translation).to(dtype)
        unit = (place[0] / place[0].norm(), place[1])
        torch.testing.assert_close(world_to_camera(camera_to_world(pose3d, *unit), *unit), pose3d, rtol=0,
                                   atol=2 * ROUNDING[dtype])
        assert world_to_camera(pose3d, *unit).dtype == dtype


def test_the_camera_stands_at_its_own_origin_and_sees_the_room_before_it():
    """The translation is a place in the world: it maps to zero, and a person in the room stands upright before it."""
    head_and_foot = torch.tensor([[0, 0, 1.7], [0, 0, 0]])
    for camera in EVERY_CAMERA:
        place = torch.from_numpy(camera.orientation), torch.from_numpy(camera.translation)
        torch.testing.assert_close(world_to_camera(place[1], *place), torch.zeros(3))
        head, foot = world_to_camera(head_and_foot, *place)
        assert 2 < head[2] < 8 and head[1] < foot[1] - 1   # y points down


# Pixels and normalised coordinates

def test_normalisation_gives_the_references_figures():
    normalised = pixels_to_normalised(GOLDEN['norm2d_in'], 1000, 1002)
    np.testing.assert_allclose(normalised, GOLDEN['norm2d_1000x1002'], rtol=0, atol=1e-12)


@DTYPES
@pytest.mark.parametrize('size', [(1000, 1002), (2048, 2048), (1920, 1080)], ids=str)
def test_pixels_and_normalised_are_each_others_inverse(dtype, size):
    pixels = torch.rand(8, 16, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype) * 2000
    back = normalised_to_pixels(pixels_to_normalised(pixels, *size), *size)
    torch.testing.assert_close(back, pixels, rtol=0, atol=1000 * ROUNDING[dtype])
    assert back.dtype == dtype


@pytest.mark.parametrize('size', [(1000, 1002), (1920, 1080)], ids=str)
def test_the_width_sets_the_scale_of_both_axes(size):
    width, height = size
    corners = np.array([[0., 0], [width, 0], [0, height], [width / 2, height / 2]])
    expected = [[-1, -height / width], [1, -height / width], [-1, height / width], [0, 0]]
    np.testing.assert_allclose(pixels_to_normalised(corners, width, height), expected, atol=1e-15)


@pytest.mark.parametrize('kind', [np.asarray, torch.as_tensor], ids=['numpy', 'torch'])
@pytest.mark.parametrize('convert', [pixels_to_normalised, normalised_to_pixels])
def test_conversion_leaves_its_input_alone(kind, convert):
    points = kind(np.ones((3, 16, 2)))
    convert(points, 1000, 1002)
    assert (points == 1).all()


# Projection

def test_projection_gives_the_references_figures():
    np.testing.assert_allclose(project(golden('pose3d'), golden('camera')), GOLDEN['pose2d'], rtol=0, atol=1e-6)
    np.testing.assert_allclose(project_linear(golden('pose3d'), golden('camera')), GOLDEN['linear2d'], rtol=0, atol=1e-6)


@DTYPES
@pytest.mark.parametrize('points', ['poses', 'all around'])
def test_projection_agrees_with_its_naive_twin(dtype, points):
    pose3d, camera = golden('pose3d', dtype) if points == 'poses' else scattered(dtype), golden('camera', dtype)
    expected = np.stack([numpy_projection(*pair) for pair in zip(pose3d, camera)])
    projected = project(pose3d, camera)
    assert projected.dtype == dtype and projected.shape == (64, 16, 2)
    np.testing.assert_allclose(projected.double(), expected, rtol=ROUNDING[dtype], atol=ROUNDING[dtype])


@pytest.mark.parametrize('view', range(4))
@pytest.mark.parametrize('subject', SUBJECTS)
def test_a_point_of_the_room_lands_on_the_pixel_the_calibration_says(subject, view):
    """World to pixels through our chain against an independent one that reads the calibration file itself."""
    world = builders.random_poses_mm(np.random.default_rng(view), 3)[:, builders.MOVING_17] / 1000
    camera = cameras(subject)[view]
    pose3d_cam = world_to_camera(torch.from_numpy(world), *(torch.from_numpy(part).double()
                                                            for part in (camera.orientation, camera.translation)))
    pose2d = project(pose3d_cam, torch.from_numpy(camera.intrinsic).double().expand(3, 9))
    pixels = normalised_to_pixels(pose2d, camera.width, camera.height)
    np.testing.assert_allclose(pixels, builders.pixels(world, subject, view), atol=2e-3)


@DTYPES
def test_without_distortion_both_projections_agree(dtype):
    camera = golden('camera', dtype)
    camera[:, 4:] = 0
    torch.testing.assert_close(project(scattered(dtype), camera), project_linear(scattered(dtype), camera),
                               rtol=0, atol=ROUNDING[dtype])


def test_every_camera_of_a_batch_is_its_own():
    pose3d, camera = golden('pose3d'), golden('camera')
    assert len(camera.unique(dim=0)) > 1
    together = project(pose3d, camera)
    for place in (0, 1, 30, 63):
        torch.testing.assert_close(project(pose3d[place:place + 1], camera[place:place + 1])[0], together[place])


def test_the_clamp_is_kept():
    """PoseAug's clamp at 45 degrees: what lies beside or behind the camera lands on the edge, finite, and scale is lost."""
    points = torch.tensor([[3., -3, 1], [.5, -.5, 1], [3, -3, -1], [.5, -.5, -1], [1, 0, 1e-9]])
    expected = torch.tensor([[1., -1], [.5, -.5], [-1, 1], [-.5, .5], [1, 0]])
    torch.testing.assert_close(perspective_divide(points), expected)
    assert torch.equal(project(points[None] * 7, golden('camera')[:1]), project(points[None] * 14, golden('camera')[:1]))


@DTYPES
def test_gradients_are_finite_and_reach_every_coordinate_of_what_is_seen(dtype):
    pose3d = golden('pose3d', dtype).requires_grad_()
    project(pose3d, golden('camera', dtype)).square().sum().backward()
    assert torch.isfinite(pose3d.grad).all() and (pose3d.grad != 0).all()


@DTYPES
def test_gradients_behind_the_camera_are_finite_and_not_all_zero(dtype):
    behind = scattered(dtype)
    behind[..., 2] = -behind[..., 2].abs()
    behind.requires_grad_()
    project(behind, golden('camera', dtype)).square().sum().backward()
    assert torch.isfinite(behind.grad).all()
    inside = (behind[..., :2] / behind[..., 2:]).abs() < 1
    assert inside.any() and (behind.grad[..., :2][inside] != 0).all()


@DTYPES
def test_a_depth_of_exactly_zero_lands_on_the_edge_with_finite_gradients(dtype):
    pose3d = golden('pose3d', dtype)
    pose3d[:, 3, 2] = 0
    pose3d.requires_grad_()
    projected = perspective_divide(pose3d)
    projected.square().sum().backward()
    assert (projected[:, 3].abs() == 1).all() and torch.isfinite(pose3d.grad).all() and not pose3d.grad[:, 3].any()


def test_gradient_is_the_slope():
    points = scattered(torch.float64)[:4].requires_grad_()
    camera = golden('camera', torch.float64)[:4].requires_grad_()
    assert torch.autograd.gradcheck(project, (points, camera))


@DTYPES
def test_root_relative_puts_the_hip_at_the_origin_and_moves_nothing_else(dtype):
    pose3d = golden('pose3d', dtype)
    rooted = root_relative(pose3d)
    assert not rooted[:, 0].any()
    torch.testing.assert_close(rooted[:, 5] - rooted[:, 3], pose3d[:, 5] - pose3d[:, 3], rtol=0, atol=ROUNDING[dtype])
    torch.testing.assert_close(root_relative(rooted), rooted, rtol=0, atol=0)
    assert root_relative(pose3d[0]).shape == (16, 3)


def test_a_portrait_image_fills_the_height_and_stays_in_the_middle():
    corners = np.array([[0, 0], [1080, 0], [0, 1920], [540, 960.]])
    normalised = pixels_to_padded(corners, 1080, 1920)
    np.testing.assert_allclose(normalised, [[-.5625, -1], [.5625, -1], [-.5625, 1], [0, 0]])


def test_a_wide_image_is_normalised_as_everywhere_else():
    px = np.random.default_rng(0).uniform(-100, 2000, (20, 16, 2))
    np.testing.assert_allclose(pixels_to_padded(px, 1920, 1080), pixels_to_normalised(px, 1920, 1080),
                               atol=1e-12)

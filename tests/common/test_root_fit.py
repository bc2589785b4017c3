"""The root that explains the 2D: exact for any pose, place and lens; weights count; undetermined places are NaN."""
import pytest
import torch

from common.camera import project_linear
from common.person_camera import rays_of
from common.root_fit import fit_root

POSES = 200


def seen_from_anywhere(dtype, seed=0):
    """(poses (B, 16, 3) root-relative metres, places (B, 3), rays (B, 16, 3)) of random pinhole cameras."""
    draw = torch.Generator().manual_seed(seed)
    pose3d_rel = .4 * torch.randn(POSES, 16, 3, generator=draw, dtype=torch.float64).clamp(-2, 2)
    pose3d_rel[:, 0] = 0
    depth = 4 + 16 * torch.rand(POSES, 1, generator=draw, dtype=torch.float64)
    place = torch.cat([depth * (torch.rand(POSES, 2, generator=draw, dtype=torch.float64) - .5), depth], dim=-1)
    lens = torch.cat([1 + 2 * torch.rand(POSES, 2, generator=draw, dtype=torch.float64),
                      torch.rand(POSES, 2, generator=draw, dtype=torch.float64) - .5, torch.zeros(POSES, 5)], dim=-1)
    image = project_linear(pose3d_rel + place[:, None], lens)
    return pose3d_rel.to(dtype), place.to(dtype), rays_of(image, lens).to(dtype)


@pytest.mark.parametrize('dtype,tolerance_m', [(torch.float64, 1e-9), (torch.float32, .01)])
def test_the_place_of_any_pose_before_any_camera_is_found(dtype, tolerance_m):
    pose3d_rel, place, rays = seen_from_anywhere(dtype)
    found = fit_root(pose3d_rel, rays)
    assert found.dtype == dtype and (found - place).abs().max() < tolerance_m


def test_the_result_minimises_the_squared_errors_across_the_rays():
    pose3d_rel, _, rays = seen_from_anywhere(torch.float64)
    noise = torch.randn(POSES, 16, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    rays[..., :2] += .01 * noise
    weights = torch.rand(POSES, 16, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    found = fit_root(pose3d_rel, rays, weights).requires_grad_()
    moved = pose3d_rel + found[:, None]
    (weights[..., None] * (moved[..., :2] - rays[..., :2] * moved[..., 2:]) ** 2).sum().backward()
    assert found.grad.abs().max() < 1e-9


def test_joints_without_weight_do_not_count():
    pose3d_rel, place, rays = seen_from_anywhere(torch.float64)
    rays[:, 3:7, :2] += 1
    weights = torch.full((POSES, 16), .7, dtype=torch.float64)
    weights[:, 3:7] = 0
    assert (fit_root(pose3d_rel, rays, weights) - place).abs().max() < 1e-9
    assert not (fit_root(pose3d_rel, rays) - place).abs().max() < .1      # NaN where the body would be behind the camera


def test_a_larger_body_is_farther_away_in_the_same_direction():
    pose3d_rel, place, rays = seen_from_anywhere(torch.float64)
    assert (fit_root(1.1 * pose3d_rel, rays) - 1.1 * place).abs().max() < 1e-9


def test_places_that_nothing_determines_are_nan_and_do_not_disturb_others():
    pose3d_rel, place, rays = seen_from_anywhere(torch.float64)
    weights = torch.ones(POSES, 16, dtype=torch.float64)
    weights[0] = 0
    rays[1] = rays[1, :1] + 1e-6 * (rays[1] - rays[1, :1])      # all joints at one point of the image
    pose3d_rel[2] *= -1      # a mirrored body would have to be behind the camera
    found = fit_root(pose3d_rel, rays, weights)
    assert found[:3].isnan().all() and (found[3:] - place[3:]).abs().max() < 1e-9

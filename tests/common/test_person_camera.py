"""The virtual camera that looks at the person: exact geometry, what it does not depend on, and the way back."""
import pytest
import torch

from common.camera import project, undistort
from common.datasets.h36m import all_intrinsics
from common.person_camera import FOCAL, SIZE, PersonLifter, lift_person, look_at, rays_of, turn_back, view_person

DTYPES = pytest.mark.parametrize('dtype, exact', [(torch.float32, 2e-5), (torch.float64, 1e-12)], ids=['float32', 'float64'])
COUNT = 32


def draws(seed=0):
    return torch.Generator().manual_seed(seed)


def people(dtype, seed=0):
    """(B, 16, 3) camera metres: people of 2 m at most, 3 to 12 m away and up to 40 degrees aside."""
    pose3d = torch.rand(COUNT, 16, 3, generator=draws(seed), dtype=torch.float64) - .5
    depth = 3 + 9 * torch.rand(COUNT, generator=draws(seed + 1), dtype=torch.float64)
    aside = torch.rand(COUNT, 2, generator=draws(seed + 2), dtype=torch.float64) * 1.2 - .6
    return (pose3d + (torch.cat([aside, torch.ones(COUNT, 1)], dim=1) * depth[:, None])[:, None]).to(dtype)


def pinhole(dtype, focal=2.3, centre=(.1, -.05)):
    return torch.tensor([focal, focal, *centre, 0, 0, 0, 0, 0], dtype=dtype).expand(COUNT, 9)


def panned(pose3d_cam, degrees):
    """The poses in the frame of a camera that has turned about its vertical axis."""
    angle = torch.deg2rad(torch.tensor(degrees, dtype=pose3d_cam.dtype))
    x, y, z = pose3d_cam.unbind(-1)
    return torch.stack([angle.cos() * x + angle.sin() * z, y, angle.cos() * z - angle.sin() * x], dim=-1)


@DTYPES
def test_the_view_is_what_a_pinhole_camera_with_that_orientation_sees(dtype, exact):
    pose3d_cam = people(dtype)
    view = view_person(project(pose3d_cam, pinhole(dtype)), pinhole(dtype))
    virtual = pose3d_cam @ view.rotation.transpose(1, 2)
    seen = virtual[..., :2] / virtual[..., 2:]
    low, high = seen.amin(1, keepdim=True), seen.amax(1, keepdim=True)
    expected = 2 * SIZE * (seen - (low + high) / 2) / (high - low).amax(-1, keepdim=True)
    torch.testing.assert_close(view.pose2d, expected, rtol=0, atol=10 * exact)


@DTYPES
def test_the_person_is_in_the_middle_and_fills_the_stated_share(dtype, exact):
    for size in (.35, .45):
        pose2d = view_person(project(people(dtype), pinhole(dtype)), pinhole(dtype), size=size).pose2d
        low, high = pose2d.amin(1), pose2d.amax(1)
        assert (low + high).abs().max() < exact
        torch.testing.assert_close((high - low).amax(1), torch.full((COUNT,), 2 * size, dtype=dtype), rtol=0, atol=exact)


@pytest.mark.parametrize('degrees', [-25, 10])
def test_a_camera_that_pans_hardly_changes_the_view(degrees):
    """The box is taken in the image, so that its middle moves a little when the camera turns about its vertical axis."""
    pose3d_cam = people(torch.float64) * torch.tensor([.3, .3, 1])
    lens = pinhole(torch.float64)
    first, second = (view_person(project(pose, lens), lens) for pose in (pose3d_cam, panned(pose3d_cam, degrees)))
    assert (first.pose2d - second.pose2d).abs().max() < .03


@DTYPES
def test_turning_back_undoes_the_rotation(dtype, exact):
    pose3d_cam = people(dtype)
    rotation = look_at(pose3d_cam.mean(1))
    torch.testing.assert_close(turn_back(pose3d_cam @ rotation.transpose(1, 2), rotation), pose3d_cam, rtol=0, atol=50 * exact)


@DTYPES
def test_focal_length_and_centre_of_the_lens_do_not_matter(dtype, exact):
    pose3d_cam = people(dtype)
    wide, tele = pinhole(dtype, .9, (0, 0)), pinhole(dtype, 6., (-.3, .2))
    first, second = (view_person(project(pose3d_cam, lens), lens) for lens in (wide, tele))
    torch.testing.assert_close(first.pose2d, second.pose2d, rtol=0, atol=20 * exact)
    torch.testing.assert_close(first.rotation, second.rotation, rtol=0, atol=20 * exact)


def test_nothing_known_of_the_camera_means_a_lens_as_long_as_the_image():
    pose2d = project(people(torch.float64), pinhole(torch.float64, FOCAL, (0, 0)))
    torch.testing.assert_close(view_person(pose2d).pose2d, view_person(pose2d, pinhole(torch.float64, FOCAL, (0, 0))).pose2d)


@DTYPES
def test_virtual_cameras_are_rotations_that_look_there_and_do_not_roll(dtype, exact):
    direction = torch.randn(COUNT, 3, generator=draws(), dtype=torch.float64).to(dtype)
    rotation = look_at(direction)
    torch.testing.assert_close(rotation @ rotation.transpose(1, 2), torch.eye(3, dtype=dtype).expand(COUNT, 3, 3),
                               rtol=0, atol=exact)
    assert (torch.linalg.det(rotation) > 0).all()
    axis = (rotation @ (direction / direction.norm(dim=1, keepdim=True))[..., None]).squeeze(-1)
    torch.testing.assert_close(axis, torch.tensor([0, 0, 1], dtype=dtype).expand(COUNT, 3), rtol=0, atol=exact)
    assert rotation[:, 0, 1].abs().max() < exact


@DTYPES
def test_a_lifter_without_error_gives_the_person_back_wherever_they_stand(dtype, exact):
    pose3d_cam = people(dtype)
    pose2d, lens = project(pose3d_cam, pinhole(dtype)), pinhole(dtype)
    rotation = view_person(pose2d, lens).rotation
    lifted = lift_person(lambda _: pose3d_cam @ rotation.transpose(1, 2), pose2d, lens)
    torch.testing.assert_close(lifted, pose3d_cam - pose3d_cam[:, :1], rtol=0, atol=50 * exact)


def test_someone_upright_before_a_level_camera_is_upright_in_the_virtual_one_wherever_they_stand():
    upright = torch.tensor([[0, -.8, 0], [0, 0, 0], [0, .8, 0]], dtype=torch.float64)
    for aside in (-3, 0, 2.5):
        pose3d = (upright + torch.tensor([aside, .1, 5], dtype=torch.float64))[None]
        pose2d = view_person(project(pose3d, pinhole(torch.float64)[:1]), pinhole(torch.float64)[:1]).pose2d[0]
        assert pose2d[:, 0].abs().max() < 1e-12 and (pose2d[1:, 1] > pose2d[:-1, 1]).all()


def test_joints_that_are_not_seen_do_not_move_the_box():
    pose2d = project(people(torch.float64), pinhole(torch.float64))
    seen = torch.ones(COUNT, 16, dtype=torch.bool)
    seen[:, 5] = False
    wild = pose2d.clone()
    wild[:, 5] = .9
    first, second = (view_person(pose, pinhole(torch.float64), seen) for pose in (pose2d, wild))
    kept = [joint for joint in range(16) if joint != 5]
    assert torch.equal(first.pose2d[:, kept], second.pose2d[:, kept]) and torch.equal(first.rotation, second.rotation)


def test_a_single_point_stays_finite():
    view = view_person(torch.full((2, 16, 2), .3))
    assert view.pose2d.isfinite().all() and view.rotation.isfinite().all()


@DTYPES
def test_the_lens_distortion_of_human36m_is_undone(dtype, exact):
    intrinsic = all_intrinsics().to(dtype)
    rays = torch.rand(len(intrinsic), 16, 2, generator=draws(), dtype=torch.float64).to(dtype) * .8 - .4
    pose2d = project(torch.cat([rays, torch.ones_like(rays[..., :1])], dim=-1), intrinsic)
    torch.testing.assert_close(undistort(pose2d, intrinsic), rays, rtol=0, atol=exact)
    torch.testing.assert_close(rays_of(pose2d, intrinsic)[..., :2], rays, rtol=0, atol=exact)


def test_gradients_reach_the_image():
    pose2d = project(people(torch.float64), pinhole(torch.float64)).requires_grad_()
    lift_person(lambda view: torch.cat([view, view.square().sum(-1, keepdim=True)], dim=-1), pose2d,
                pinhole(torch.float64)).square().sum().backward()
    assert pose2d.grad.isfinite().all() and (pose2d.grad.abs().amax((1, 2)) > 0).all()


def test_a_lifter_for_the_virtual_camera_takes_the_image_when_wrapped():
    """As run_inference.py and run_evaluate.py call it, for an unknown lens."""
    def lift(view):
        return torch.cat([view, view.square().sum(-1, keepdim=True)], dim=-1)

    class Lifter(torch.nn.Module):
        def forward(self, view):
            return lift(view)

    pose2d = project(people(torch.float64), pinhole(torch.float64))
    assert torch.equal(PersonLifter(Lifter())(pose2d), lift_person(lift, pose2d))

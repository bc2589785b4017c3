"""Statistics of poses: directions, depths and angles of poses turned by hand; the sample of an augmentor's work."""
import copy
import math

import pytest
import torch

from common.bones import bone_lengths, bone_vectors
from common.camera import project
from common.datasets.h36m import h36m_poses, read_h36m
from common.rotation import axis_angle_to_matrix
from common.skeleton import H36M_16
from function_poseaug.statistics import (BENDING, STAGES, SphereDensity, azimuth_deg, body_frames, bone_turns_deg,
                                         captions, covered_share, directions_of, elevation_deg, joint_bends_deg,
                                         mean_body, quantities, root_depth_m, sample_augmentations, sphere_density,
                                         view_directions)
from models_poseaug.augmentor import Augmentor, draw_noise

# a person who stands upright four metres before the camera and looks into it; camera metres, y down
FACING = {'Hip': (0, 0, 0), 'RHip': (-.1, 0, 0), 'RKnee': (-.1, .4, 0), 'RFoot': (-.1, .8, 0), 'LHip': (.1, 0, 0),
          'LKnee': (.1, .4, 0), 'LFoot': (.1, .8, 0), 'Spine': (0, -.25, 0), 'Thorax': (0, -.5, 0), 'Head': (0, -.7, 0),
          'LShoulder': (.15, -.5, 0), 'LElbow': (.15, -.2, 0), 'LWrist': (.15, .1, 0), 'RShoulder': (-.15, -.5, 0),
          'RElbow': (-.15, -.2, 0), 'RWrist': (-.15, .1, 0)}
ROOT = torch.tensor([0, 0, 4.])


def facing():
    return torch.tensor([FACING[name] for name in H36M_16.names])[None] + ROOT


def turned(pose3d, axis, degrees, about=ROOT):
    """The pose turned about an axis through `about`, right-handed."""
    axis_angle = torch.tensor([axis], dtype=torch.float32) * math.radians(degrees)
    return (pose3d - about) @ axis_angle_to_matrix(axis_angle).transpose(1, 2) + about


def view_of(pose3d):
    views = view_directions(pose3d)
    return azimuth_deg(views).item(), elevation_deg(views).item()


# Directions

def test_a_person_who_faces_the_camera_is_seen_from_the_front():
    assert view_of(facing()) == pytest.approx((0, 0), abs=1e-4)


def test_the_bodys_axes_are_left_up_and_front():
    expected = torch.tensor([[1., 0, 0], [0, -1, 0], [0, 0, -1]])
    torch.testing.assert_close(body_frames(facing())[0], expected)


def test_a_bodys_axes_are_a_right_handed_rotation_for_any_pose():
    poses = torch.randn(50, 16, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    frames = body_frames(poses)
    torch.testing.assert_close(frames @ frames.transpose(1, 2), torch.eye(3, dtype=torch.float64).expand(50, 3, 3))
    torch.testing.assert_close(torch.linalg.det(frames), torch.ones(50, dtype=torch.float64))


@pytest.mark.parametrize('degrees', [30, 90, -120, 175])
def test_turning_about_the_vertical_turns_the_azimuth(degrees):
    """The camera's up is -y; who turns to the left sees the camera move to the right."""
    assert view_of(turned(facing(), (0, -1, 0), degrees)) == pytest.approx((-degrees, 0), abs=1e-3)


@pytest.mark.parametrize('degrees', [20, -50])
def test_bowing_towards_the_camera_shows_it_the_crown(degrees):
    """Turning right-handed about x takes up (-y) towards the camera (-z): the camera rises in the body's eyes."""
    assert view_of(turned(facing(), (1, 0, 0), degrees)) == pytest.approx((0, degrees), abs=1e-3)


def test_swinging_body_and_place_about_the_camera_changes_nothing():
    pose = turned(turned(facing(), (0, 1, 0), 40), (1, 0, 0), 15)
    for axis, degrees in (((0, 1, 0), 70), ((0, 0, 1), 33), ((.6, 0, .8), 120)):
        assert view_of(turned(pose, axis, degrees, about=torch.zeros(3))) == pytest.approx(view_of(pose), abs=1e-3)


def test_a_step_to_the_side_shows_the_body_from_its_side():
    """Four metres to the camera's right: the camera is then off the body's front by the angle of the step."""
    azimuth, _ = view_of(facing() + torch.tensor([4., 0, 0]))
    assert azimuth == pytest.approx(-45, abs=1e-3)


def test_arms_and_legs_do_not_turn_the_body():
    pose = facing()
    pose[:, H36M_16.joints('LWrist', 'RElbow', 'LKnee', 'RFoot', 'Head')] += .3
    assert view_of(pose) == pytest.approx((0, 0), abs=1e-4)


def test_a_root_relative_pose_is_seen_along_the_cameras_axis():
    assert view_of(turned(facing(), (0, -1, 0), 60) - ROOT) == pytest.approx((-60, 0), abs=1e-3)


def test_directions_and_angles_are_each_others_inverse():
    azimuths, elevations = torch.tensor([-170., -20, 0, 135]), torch.tensor([-80., 5, 0, 45])
    directions = directions_of(azimuths, elevations)
    torch.testing.assert_close(azimuth_deg(directions), azimuths)
    torch.testing.assert_close(elevation_deg(directions), elevations, atol=1e-3, rtol=0)


def test_the_mean_body_stands_in_its_own_frame():
    several = torch.cat([turned(facing(), (.6, .8, 0), degrees) for degrees in (0, 50, 200)])
    expected = (facing()[0] - ROOT) * torch.tensor([1., -1, -1])      # left, up, front
    torch.testing.assert_close(mean_body(several), expected, atol=1e-5, rtol=0)


# Depth and angles

def test_root_depth_is_the_hips_distance_along_the_axis():
    assert root_depth_m(facing() + torch.tensor([1., 2, 1.5])).item() == pytest.approx(5.5)


@pytest.mark.parametrize('degrees', [.5, 30, 179])
def test_turning_a_forearm_turns_that_bone_alone(degrees):
    before, after = facing(), facing()
    elbow, wrist = H36M_16.joints('LElbow', 'LWrist')
    after[:, wrist] = turned(before[:, wrist], (1, 0, 0), degrees, about=before[0, elbow])
    expected = torch.zeros(15)
    expected[H36M_16.bones('LWrist')] = degrees
    torch.testing.assert_close(bone_turns_deg(before, after)[0], expected, atol=2e-3, rtol=0)
    bends = dict(zip(BENDING, joint_bends_deg(after)[0].tolist()))
    assert bends == pytest.approx(dict(LElbow=degrees, RElbow=0, LKnee=0, RKnee=0), abs=2e-3)


def test_a_bent_knee_is_measured_at_the_knee():
    pose = facing()
    pose[:, H36M_16.joints('RFoot')] = pose[:, H36M_16.joints('RKnee')] + torch.tensor([0, 0, .4])
    assert dict(zip(BENDING, joint_bends_deg(pose)[0].tolist()))['RKnee'] == pytest.approx(90, abs=1e-3)


# Density on the sphere

def area(density):
    return density.elevations_deg.deg2rad().cos()[:, None].expand_as(density.relative)


def test_a_density_has_the_mean_one_and_its_peak_where_the_views_are():
    density = sphere_density(directions_of(torch.tensor([61.5]), torch.tensor([-28.5])))
    assert float((density.relative * area(density)).sum() / area(density).sum()) == pytest.approx(1, abs=.01)
    row, column = divmod(int(density.relative.argmax()), len(density.azimuths_deg))
    assert (density.azimuths_deg[column], density.elevations_deg[row]) == (61.5, -28.5)


def test_the_covered_share_measures_area():
    azimuths, elevations = torch.arange(-178.5, 180, 3), torch.arange(-88.5, 90, 3)
    even = torch.ones(len(elevations), len(azimuths))
    upper = even * (elevations > 0)[:, None]
    assert covered_share(SphereDensity(azimuths, elevations, even)) == pytest.approx(.9, abs=.01)
    assert covered_share(SphereDensity(azimuths, elevations, upper)) == pytest.approx(.45, abs=.01)
    assert covered_share(SphereDensity(azimuths, elevations, even), part=.5) == pytest.approx(.5, abs=.01)
    cap = even * (elevations > 60)[:, None]      # of the sphere (1 - sin 60 degrees) / 2
    assert covered_share(SphereDensity(azimuths, elevations, cap)) == pytest.approx(.9 * .067, abs=.005)


def test_wider_views_cover_more():
    noise = torch.randn(500, 3, generator=torch.Generator().manual_seed(0))
    narrow = sphere_density(torch.nn.functional.normalize(noise * .1 + torch.tensor([0, 0, 1.]), dim=1))
    wide = sphere_density(torch.nn.functional.normalize(noise, dim=1))
    assert covered_share(narrow) < .2 < .7 < covered_share(wide)


# The sample

@pytest.fixture(scope='module')
def poses(tiny_root):
    return h36m_poses(read_h36m(tiny_root, 'gt'), ('S1',))


@pytest.fixture(scope='module')
def augmentor():
    torch.manual_seed(0)
    return Augmentor().eval()


@pytest.fixture(scope='module')
def templates():
    return torch.stack([torch.full((15,), .2), torch.full((15,), .3)])


def drawn(augmentor, poses, templates, count=16, seed=0):
    return sample_augmentations(augmentor, poses, templates, count, torch.Generator().manual_seed(seed))


def test_sources_have_the_templates_bones_and_every_stage_its_projection(augmentor, poses, templates):
    sample = drawn(augmentor, poses, templates)
    assert tuple(sample.pose3d_cam) == tuple(sample.pose2d) == STAGES
    lengths = bone_lengths(bone_vectors(sample.pose3d_cam['source'])).squeeze(-1)
    assert {round(float(row.mean()), 4) for row in lengths} == {.2, .3} and lengths.std(1).max() < 1e-5
    # S1's four cameras: each pose is projected by one of them
    for stage in STAGES:
        errors = [(project(sample.pose3d_cam[stage], poses.intrinsics[camera].expand(16, 9)) - sample.pose2d[stage])
                  .abs().amax((1, 2)) for camera in poses.camera.unique()]
        assert torch.stack(errors).amin(0).max() < 1e-6


def test_a_sample_depends_on_its_generator_alone_and_leaves_no_trace(augmentor, poses, templates):
    before = {name: value.clone() for name, value in augmentor.state_dict().items()}
    state = torch.random.get_rng_state()
    first, again, other = (drawn(augmentor, poses, templates, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(first.pose3d_cam['RT'], again.pose3d_cam['RT'])
    assert not torch.equal(first.pose3d_cam['RT'], other.pose3d_cam['RT'])
    assert torch.equal(state, torch.random.get_rng_state()) and not augmentor.training
    assert all(torch.equal(value, before[name]) for name, value in augmentor.state_dict().items())


def test_the_augmentor_runs_in_train_mode_as_in_the_game(augmentor, poses, templates):
    sample, draws = drawn(augmentor, poses, templates), torch.Generator().manual_seed(0)
    for size in (len(poses), len(templates)):
        torch.randint(size, (16,), generator=draws)
    source = sample.pose3d_cam['source']
    noise = draw_noise(source, draws)
    torch.testing.assert_close(sample.pose3d_cam['RT'], copy.deepcopy(augmentor).train()(source, noise).rt)
    assert not torch.allclose(sample.pose3d_cam['RT'], augmentor(source, noise).rt, atol=1e-3)


def test_quantities_name_unit_and_stages(augmentor, poses, templates):
    table = quantities(drawn(augmentor, poses, templates))
    assert {name: tuple(quantity.series) for name, quantity in table.items()} == {
        'view azimuth': ('source', 'RT'), 'view elevation': ('source', 'RT'), 'root depth': ('source', 'RT'),
        'bone turn': ('BA',), 'bone length': ('BL',), 'elbows and knees': ('source', 'BA')}
    for quantity in table.values():
        assert any(unit in quantity.label for unit in ('degrees', ', m', '%'))
        assert all(values.dim() == 1 and torch.isfinite(values).all() for values in quantity.series.values())
    assert table['bone turn'].series['BA'].numel() == 16 * 13 and table['bone length'].series['BL'].numel() == 16 * 8


def test_captions_say_what_each_stage_did(augmentor, poses, templates):
    sample = drawn(augmentor, poses, templates)
    caption = captions(sample)[5]
    low, high = (100 * sample.length_ratio[5]).aminmax()
    assert caption['BL'] == f'{low:+.0f} to {high:+.0f} %'
    assert caption['source'] == f'{sample.pose3d_cam["source"][5, 0, 2]:.1f} m away'
    assert caption['BA'].startswith('turn ') and list(caption) == list(STAGES)

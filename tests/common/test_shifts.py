"""Controlled shifts: each changes what it names, within its range, and nothing else; random numbers can be repeated."""
from dataclasses import replace

import pytest
import torch

from common import shifts
from common.bones import bone_lengths, bone_vectors
from common.camera import project, root_relative
from common.datasets.h36m import h36m_poses, read_h36m
from common.errors import InputError
from common.shifts import AS_FILMED, CURVES, FOCALS, RARE_SHARE, SHIFTS, filmed_by, views_of
from common.views import filmed

ANGLES = {'below 20-40': ('elevation', -40, -20), 'below 0-20': ('elevation', -20, 0), 'above 0-20': ('elevation', 0, 20),
          'above 20-40': ('elevation', 20, 40), 'above 40-70': ('elevation', 40, 70)}
OF_VIEW = [name for name, shift in SHIFTS.items() if shift.view and not shift.body]


@pytest.fixture(scope='module')
def poses(tiny_root):
    return h36m_poses(read_h36m(tiny_root, 'gt'), ('S9', 'S11'))


def draws(seed=0):
    return torch.Generator().manual_seed(seed)


def terms(poses):
    """The Views of a PoseSet."""
    pose3d_cam, intrinsics, up = filmed_by(poses)
    return filmed(pose3d_cam, up, intrinsics)


def shifted(poses, shift, draws):
    return shifts.shifted(poses, shift, draws).poses


def lengths(poses):
    return bone_lengths(bone_vectors(poses.pose3d_cam))


def test_as_filmed_is_the_set_itself(poses):
    again = shifted(poses, SHIFTS[AS_FILMED], draws())
    torch.testing.assert_close(again.pose3d_cam, poses.pose3d_cam, rtol=0, atol=2e-5)
    torch.testing.assert_close(again.pose2d, poses.pose2d, rtol=0, atol=1e-4)
    assert torch.equal(again.sequence, poses.sequence) and again.group_names == poses.group_names


@pytest.mark.parametrize('name', SHIFTS)
def test_the_2d_are_the_3d_projected_except_where_the_2d_are_what_is_changed(poses, name):
    made = shifted(poses, SHIFTS[name], draws())
    exact = torch.allclose(project(made.pose3d_cam, made.intrinsics[made.camera]), made.pose2d, atol=1e-4)
    assert exact == (SHIFTS[name].image is None)


@pytest.mark.slow
@pytest.mark.parametrize('name', SHIFTS)
def test_equal_seeds_give_equal_sets_and_others_do_not(poses, name):
    one, same, other = (shifted(poses, SHIFTS[name], draws(seed)) for seed in (1, 1, 2))
    assert torch.equal(one.pose2d, same.pose2d)
    drawn = any(part for part in (SHIFTS[name].view, SHIFTS[name].body, SHIFTS[name].image))
    assert (one.pose2d.shape == other.pose2d.shape and torch.equal(one.pose2d, other.pose2d)) != drawn


@pytest.mark.slow
@pytest.mark.parametrize('name', OF_VIEW)
def test_a_shift_of_the_view_leaves_the_body_alone_and_people_in_the_image(poses, name):
    made = shifted(poses, SHIFTS[name], draws())
    assert len(made) == len(poses)
    torch.testing.assert_close(lengths(made), lengths(poses), rtol=0, atol=2e-5)
    assert (made.pose2d.abs() <= 1).all() and (made.pose3d_cam[..., 2] > 0).all()


@pytest.mark.parametrize('name', ANGLES)
def test_elevation_alone_changes_and_lies_in_its_band(poses, name):
    (_, before), (_, after) = terms(poses), terms(shifted(poses, SHIFTS[name], draws()))
    term, low, high = ANGLES[name]
    angle = getattr(after, term).rad2deg()
    assert angle.min() >= low - .01 and angle.max() <= high + .01 and angle.std() > 3
    torch.testing.assert_close(after.distance, before.distance, rtol=0, atol=1e-4)
    torch.testing.assert_close(after.roll, before.roll, rtol=0, atol=2e-3)


def test_azimuth_turns_the_person_about_the_vertical(poses):
    made = shifted(poses, SHIFTS['azimuth'], draws())
    (upright, before), (turned, after) = terms(poses), terms(made)
    torch.testing.assert_close(turned[..., 1], upright[..., 1], rtol=0, atol=2e-4)     # heights
    assert (turned[..., 0] - upright[..., 0]).abs().mean() > .02
    torch.testing.assert_close(after.elevation, before.elevation, rtol=0, atol=1e-4)


def test_distances_and_lenses_lie_in_their_ranges(poses):
    for name, low, high in (('near', 2.5, 3.5), ('far', 8, 12)):
        _, views = terms(shifted(poses, SHIFTS[name], draws()))
        assert views.distance.min() >= low - .001 and views.distance.max() <= high + .001
    lens = shifted(poses, SHIFTS['long lens'], draws()).intrinsics
    assert lens[:, 0].min() >= 2.8 and lens[:, 0].max() <= 3.4 and (lens[:, 2:] == 0).all()


def test_the_roll_is_on_both_sides(poses):
    _, views = terms(shifted(poses, SHIFTS['roll'], draws()))
    angle = views.roll.rad2deg()
    assert (angle.abs() >= 14.9).all() and (angle.abs() <= 30.1).all() and (angle > 0).any() and (angle < 0).any()


def test_bones_change_by_their_limit_alike_on_both_sides(poses):
    made = shifted(poses, SHIFTS['bones'], draws())
    ratio = (lengths(made) / lengths(poses)).squeeze(-1)
    assert .849 <= ratio.min() < .9 and 1.1 < ratio.max() <= 1.151
    torch.testing.assert_close(ratio[:, poses.skeleton.bone_mirror], ratio, rtol=1e-4, atol=0)


def test_a_child_is_a_smaller_person_of_the_same_proportions(poses):
    ratio = (lengths(shifted(poses, SHIFTS['child'], draws())) / lengths(poses)).squeeze(-1)
    assert ratio.min() >= .599 and ratio.max() <= .751
    torch.testing.assert_close(ratio.amax(1), ratio.amin(1), rtol=1e-4, atol=0)


def test_two_joints_are_missing_and_lie_at_their_parents(poses):
    made, whole = shifted(poses, SHIFTS['missing'], draws()), shifted(poses, SHIFTS[AS_FILMED], draws())
    changed = (made.pose2d != whole.pose2d).any(-1)
    assert not changed[:, 0].any() and int(changed.sum(1).max()) <= 15
    child_of = torch.tensor([max(parent, 0) for parent in poses.skeleton.parents])
    at_parent = (made.pose2d == made.pose2d[:, child_of]).all(-1)
    at_parent[:, 0] = False
    assert (at_parent.sum(1) == 2).all()


def test_noise_has_the_stated_size(poses):
    off = (shifted(poses, SHIFTS['noise'], draws()).pose2d - shifted(poses, SHIFTS[AS_FILMED], draws()).pose2d) * 500
    for name, deviation in (('Hip', 3.5), ('LWrist', 7.5)):
        of_joint = off[:, poses.skeleton.names.index(name)].abs()
        assert float(of_joint.median() / .6745) == pytest.approx(deviation, rel=.15)
        assert (of_joint > 5 * deviation).any()      # outliers


def test_rare_poses_are_a_quarter_of_them(poses):
    made = shifted(poses, SHIFTS['rare poses'], draws())
    assert len(made) == pytest.approx(RARE_SHARE * len(poses), abs=2)


def test_the_curves_know_their_axes(poses):
    for name, low, high in (('elevation', -50, 75), ('distance', 2, 15)):
        values = views_of(shifted(poses, CURVES[name], draws()))[name]
        assert values.min() >= low - .01 and values.max() <= high + .01 and values.max() - values.min() > .8 * (high - low)


# test sets without cameras

@pytest.mark.slow
def test_a_pinhole_and_the_places_of_people_are_recovered_from_2d_and_3d(poses):
    lens = torch.tensor([FOCALS[16], FOCALS[16], 0, 0, 0, 0, 0, 0, 0])
    unknown = replace(poses, camera=None, intrinsics=None, pose3d_cam=root_relative(poses.pose3d_cam),
                      pose2d=project(poses.pose3d_cam, lens.expand(len(poses), 9)))
    pose3d_cam, intrinsics, up = filmed_by(unknown)
    torch.testing.assert_close(intrinsics, lens.expand(len(poses), 9))
    torch.testing.assert_close(pose3d_cam, poses.pose3d_cam, rtol=0, atol=1e-3)
    assert torch.equal(up[0], torch.tensor([0., -1., 0.]))
    far = shifted(unknown, SHIFTS['far'], draws())
    assert len(far) == len(poses) and far.pose3d_cam[:, 0].norm(dim=-1).min() >= 8


def test_2d_that_no_pinhole_explains_are_refused(poses):
    mixed = replace(poses, camera=None, intrinsics=None, pose2d=poses.pose2d.flip(0))
    with pytest.raises(InputError, match='no pinhole camera explains'):
        shifted(mixed, SHIFTS['far'], draws())

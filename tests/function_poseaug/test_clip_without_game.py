"""--augmentor random and none with a lifter of several frames: which windows it trains on, and a whole run."""
from types import SimpleNamespace

import pytest
import torch

import run_poseaug
from common.bones import bone_lengths, bone_vectors, unit_bones
from common.camera import project, root_relative
from common.clips import clip_ends
from common.datasets.h36m import h36m_poses, read_h36m
from common.views import IMAGE_HALF
from function_baseline.arguments import parse
from function_baseline.evaluate import mirror
from function_baseline.temporal import window_pairs, windows_at
from function_poseaug.arguments import poseaug_parser
from function_poseaug.clip_game import swapped_for
from function_poseaug.clip_without_game import random_windows, randomly_changed, real_windows_again, substitute_for, turned_as
from function_poseaug.refresh import templates_for
from function_poseaug.without_game import SUBSTITUTES, random_bodies
from models_baseline import build_lifter
from run_reading import same, training_state
from trainers import baseline, cut_off, poseaug
from windows import distances, drawn

CPU, BATCH, ROUNDING = torch.device('cpu'), 24, dict(rtol=0, atol=2e-5)


@pytest.fixture(scope='module')
def poses(tiny_root):
    return h36m_poses(read_h36m(tiny_root, 'gt'), ('S1',), 'Walking')


@pytest.fixture(scope='module', params=[False, True], ids=['symmetric', 'causal'])
def lifter(request):
    return build_lifter('videopose', receptive_field=9, causal=request.param).eval()


def flags(*words):
    return parse(poseaug_parser(''), ['--augmentor', 'random', *words])


def changed(poses, lifter, *words):
    """(windows before, windows after, their 2D, their cameras)."""
    index = torch.linspace(0, len(poses) - 1, BATCH).long()
    windows = windows_at(poses, index, clip_ends(poses), lifter, CPU)
    return windows.pose3d_cam, *randomly_changed(windows, poses.subset(index), lifter.target, flags(*words), drawn())


def bones_of(windows, skeleton):
    """(B, N, J, 3) -> (B, N, 15, 3)."""
    return bone_vectors(windows.flatten(0, 1), skeleton).unflatten(0, windows.shape[:2])


def test_a_random_view_moves_the_window_as_one_rigid_scene_that_its_camera_sees(poses, lifter):
    before, after, pose2d, camera = changed(poses, lifter, '--augment', 'rt')
    torch.testing.assert_close(*(distances(windows.flatten(1, 2)) for windows in (before, after)), rtol=0, atol=1e-4)
    torch.testing.assert_close(pose2d[:, 4], project(after[:, 4], camera), **ROUNDING)
    moved = (before - after).abs().amax((1, 2, 3)) > .1
    assert moved.float().mean() > .9 and (pose2d[moved].abs() <= IMAGE_HALF).all()


def test_a_window_that_does_not_fit_into_the_image_stays_as_it_was_filmed(poses, lifter, monkeypatch):
    monkeypatch.setattr('function_poseaug.without_game.DISTANCE', (.2, .3))
    before, after, pose2d, _ = changed(poses, lifter, '--augment', 'rt')
    index = torch.linspace(0, len(poses) - 1, BATCH).long()
    assert torch.equal(before, after)
    assert torch.equal(pose2d, windows_at(poses, index, clip_ends(poses), lifter, CPU).pose2d)


def test_a_bone_has_one_length_in_a_window_within_the_limit(poses, lifter):
    before, after, *_ = changed(poses, lifter, '--augment', 'bl')
    ratio = (bone_lengths(bones_of(after, poses.skeleton)) / bone_lengths(bones_of(before, poses.skeleton))).squeeze(-1)
    torch.testing.assert_close(ratio, ratio[:, :1].expand_as(ratio), rtol=0, atol=1e-3)
    assert (ratio - 1).abs().max() < .1 + 1e-3 and (ratio - 1).std() > .03


def test_bones_turn_as_in_the_lifted_frame_and_keep_their_speed(poses, lifter):
    """One rotation for all frames: angles between a bone's directions in two frames are those before."""
    before, after, *_ = changed(poses, lifter, '--augment', 'ba')
    old, new = (unit_bones(bones_of(windows, poses.skeleton)) for windows in (before, after))
    for one, other in ((0, 8), (3, 4)):
        torch.testing.assert_close(*((way[:, one] * way[:, other]).sum(-1) for way in (old, new)), rtol=0, atol=1e-4)
    turn = 1 - (old * new)[:, lifter.target].sum(-1)
    assert .03 < turn.mean(1).min() and turn.mean(1).max() < .38
    assert turn[:, poses.skeleton.bones(*poses.skeleton.backbone)].abs().max() < 1e-4


def test_the_lifted_frame_turns_as_a_single_pose(poses):
    upright = root_relative(poses.pose3d_cam[:BATCH])
    first = random_bodies(upright, flags('--augment', 'ba'), drawn(), poses.skeleton)
    scenes = torch.stack([upright, upright.roll(1, 0)], dim=1)
    turned = turned_as(first, scenes, poses.skeleton)
    torch.testing.assert_close(turned[:, 0], first, **ROUNDING)
    assert (turned[:, 1] - first).abs().max() > .01


def test_the_control_takes_the_real_windows_again(poses, lifter):
    state, index = SimpleNamespace(game=SimpleNamespace(lifter=lifter)), torch.arange(BATCH)
    fakes = real_windows_again(state, flags(), poses, None, drawn())
    assert torch.equal(fakes.pose2d, poses.pose2d)
    for made, expected in zip(fakes.take(index), window_pairs(poses, CPU, lifter, drawn())(index)):
        assert torch.equal(made, expected)


def test_without_any_change_a_window_and_its_pose_are_those_of_the_clip_with_its_swapped_bones(poses, lifter):
    state = SimpleNamespace(game=SimpleNamespace(lifter=lifter))
    templates, index = templates_for(poses), torch.arange(BATCH)
    fakes = random_windows(state, flags('--augment', 'bl', '--blr_limit', '0'), poses, templates, drawn())
    windows, pose3d_rel = fakes.take(index)
    swapped = swapped_for(lifter, poses, templates, drawn())
    assert windows.shape == (BATCH, 9, 16, 2) and len(fakes.pose2d) == len(poses)
    mirrored = (pose3d_rel - root_relative(swapped.pose3d_cam[index])).abs().amax((1, 2)) > .01
    assert .2 < mirrored.float().mean() < .8
    windows, pose3d_rel = (torch.where(mirrored.view(-1, *[1] * (part.ndim - 1)), mirror(part, poses.skeleton), part)
                           for part in (windows, pose3d_rel))
    torch.testing.assert_close(pose3d_rel, root_relative(swapped.pose3d_cam[index]), **ROUNDING)
    seen = project(swapped.pose3d_cam[index], swapped.intrinsics[swapped.camera[index]])
    torch.testing.assert_close(windows[:, lifter.target], seen, rtol=0, atol=1e-4)


@pytest.mark.parametrize('name', SUBSTITUTES)
def test_a_lifter_of_single_frames_gets_single_poses(name):
    assert substitute_for(build_lifter('mlp'), name) is SUBSTITUTES[name]


@pytest.mark.slow
@pytest.mark.usefixtures('without_pictures')
def test_a_run_is_resumed_bit_for_bit(tiny_root, runs):
    pretrained = baseline(tiny_root, runs / 'pretrained', 'videopose', '--receptive_field', 9, '--epochs', 1)

    def begin(folder):
        return poseaug(tiny_root, folder, 'videopose', pretrained, '--augmentor', 'random', '--epochs', 2, '--warmup', 0)

    whole = begin(runs / 'whole')
    cut_off('save_last', 2, begin, runs / 'cut')
    cut, = (runs / 'cut').glob('*/gt/*')
    assert run_poseaug.main(['--resume', str(cut), '--data_root', str(tiny_root)]) == cut
    assert same(training_state(cut), training_state(whole))

"""Recipe v2 on windows: what one frame gets, what is the same in a whole window, what each ingredient does, exact resume."""
import pytest
import torch

import run_baseline
from common.bones import bone_lengths, bone_vectors, pose_from_bones, unit_bones
from common.camera import project, root_relative
from common.clips import clip_ends
from common.datasets.h36m import h36m_poses, read_h36m
from function_baseline.arguments import baseline_parser, parse
from common.random_poses import lengthened_at_random
from common.skeleton import H36M_16
from function_baseline.clip_recipe import recipe_for, recipe_windows, upright_scenes, windows_filmed_anew, with_body_of
from function_baseline.recipe_v2 import INGREDIENTS, filmed_anew, recipe_pairs
from function_baseline.temporal import windows_at
from models_baseline import build_lifter
from run_reading import events, same, training_state
from trainers import baseline, cut_off
from windows import distances, drawn

CPU, BATCH, FILMED = torch.device('cpu'), 40, 30


@pytest.fixture(scope='module')
def poses(tiny_root):
    return h36m_poses(read_h36m(tiny_root, 'gt'), ('S1',), 'Walking')


@pytest.fixture(scope='module', params=[False, True], ids=['symmetric', 'causal'])
def lifter(request):
    return build_lifter('videopose', receptive_field=9, causal=request.param).eval()


def sources(poses, lifter):
    """(windows, the PoseSet of the lifted frames), from all parts of the set."""
    index = torch.linspace(0, len(poses) - 1, BATCH).long()
    return windows_at(poses, index, clip_ends(poses), lifter, CPU).pose3d_cam, poses.subset(index)


def with_another_body(poses, lifter):
    """Upright motions, each with the lifted frame first, as they were and with another body."""
    scenes, _ = upright_scenes(*sources(poses, lifter), lifter.target)
    vectors = lengthened_at_random(bone_vectors(scenes[:, 0]), .15, drawn(), H36M_16)
    return scenes, with_body_of(pose_from_bones(vectors, H36M_16), scenes, H36M_16)


def pairs(poses, lifter, *used):
    """(windows, lifted poses) of a batch with these ingredients only."""
    args = parse(baseline_parser(''), ['--recipe', 'v2'])
    args.without = ','.join(name for name in INGREDIENTS if name not in used)
    return recipe_windows(lifter, poses, CPU, args, drawn())(torch.arange(BATCH))


def test_a_window_of_one_frame_is_filmed_as_a_pose(poses):
    windows = windows_filmed_anew(poses.pose3d_cam[:, None], poses, 0, drawn())
    for window, single in zip(windows, filmed_anew(poses, drawn())):
        torch.testing.assert_close(window, single[:, None] if window.ndim == 4 else single, rtol=1e-4, atol=1e-5)


def test_a_new_view_moves_the_whole_window_as_one_rigid_scene_that_its_camera_sees(poses, lifter):
    before, lifted = sources(poses, lifter)
    after, pose2d, intrinsics = windows_filmed_anew(before, lifted, lifter.target, drawn())
    torch.testing.assert_close(*(distances(scene.flatten(1, 2)) for scene in (after, before)), rtol=0, atol=1e-4)
    torch.testing.assert_close(pose2d.flatten(1, 2), project(after.flatten(1, 2), intrinsics), rtol=0, atol=1e-5)
    assert (pose2d.abs() <= 1 + 1e-5).all() and not torch.isclose(after, before, atol=.01).all(-1).flatten(1).any()


def test_the_path_of_the_root_grows_with_the_body_and_keeps_its_form(poses, lifter):
    paths, sizes = zip(*((distances(scene[:, :, 0]), bone_lengths(bone_vectors(scene[:, 0])).sum((1, 2)))
                         for scene in with_another_body(poses, lifter)))
    size = sizes[1] / sizes[0]
    assert size.std() > .01
    torch.testing.assert_close(paths[1], size[:, None, None] * paths[0], rtol=0, atol=1e-4)


def test_another_body_has_bones_of_one_length_that_swing_as_they_did(poses, lifter):
    old, new = (bone_vectors(scene.flatten(0, 1)).unflatten(0, scene.shape[:2]) for scene in with_another_body(poses, lifter))
    ratio = bone_lengths(new) / bone_lengths(old)
    torch.testing.assert_close(ratio, ratio[:, :1].expand_as(ratio), rtol=1e-3, atol=0)
    swings = [(unit_bones(bones) * unit_bones(bones[:, :1])).sum(-1) for bones in (old, new)]      # cosines to the first frame
    torch.testing.assert_close(*swings, rtol=0, atol=1e-4)


def test_without_any_ingredient_the_windows_are_those_of_the_set(poses, lifter):
    windows = windows_at(poses, torch.arange(BATCH), clip_ends(poses), lifter, CPU)
    pose2d, pose3d_rel = pairs(poses, lifter)
    assert torch.equal(pose2d, windows.pose2d)
    assert torch.equal(pose3d_rel, root_relative(poses.pose3d_cam[:BATCH]))


def test_three_quarters_of_a_batch_are_filmed_anew_and_the_lifted_pose_is_that_of_the_middle_frame(poses, lifter):
    plain, made = pairs(poses, lifter), pairs(poses, lifter, 'views')
    assert all(torch.equal(new[FILMED:], old[FILMED:]) for new, old in zip(made, plain))
    torch.testing.assert_close(*(distances(pose3d_rel) for _, pose3d_rel in (made, plain)), rtol=0, atol=1e-4)
    assert ((made[1] - plain[1])[:FILMED].abs().amax((1, 2)) > .01).all()


def test_each_frame_gets_errors_of_its_own(poses, lifter):
    (plain, target), (noisy, same_target) = pairs(poses, lifter), pairs(poses, lifter, 'noise')
    errors = noisy - plain
    noisy = (errors != 0).any(-1).float().mean((1, 2)) > .9
    assert torch.equal(target, same_target) and .2 < noisy.float().mean() < .8
    errors = errors[noisy]
    assert abs(float(torch.corrcoef(errors.flatten(2).transpose(0, 1).flatten(1))[0, 1])) < .2


def test_a_lifter_of_single_frames_gets_the_pairs_of_the_recipe(poses):
    args = parse(baseline_parser(''), ['--recipe', 'v2'])
    found, expected = (take(torch.arange(BATCH)) for take in (
        recipe_for(build_lifter('gcn', 1), poses, CPU, args, drawn()), recipe_pairs(poses, CPU, args, drawn())))
    assert all(torch.equal(*pair) for pair in zip(found, expected))


@pytest.mark.slow
@pytest.mark.usefixtures('without_pictures')
def test_a_run_is_resumed_bit_for_bit(tiny_root, runs):
    def begin(folder):
        return baseline(tiny_root, folder, 'videopose', '--receptive_field', 9, '--recipe', 'v2', '--epochs', 2)

    whole = begin(runs / 'whole')
    cut_off('save_last', 1, begin, runs / 'cut')
    cut, = (runs / 'cut').glob('*/gt/*')
    assert run_baseline.main(['--resume', str(cut), '--data_root', str(tiny_root)]) == cut
    assert same(training_state(cut), training_state(whole)) and events(cut) == events(whole)

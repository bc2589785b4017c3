"""Shifts for lifters of several frames: one camera and one body for a window, whose lifted frame is the shifted pose itself."""
from dataclasses import replace

import pytest
import torch

import run_benchmark
from common.bones import bone_lengths, bone_vectors
from common.camera import project
from common.clips import clip_ends
from common.datasets.h36m import h36m_poses, read_h36m
from common.datasets.mpi_inf_3dhp import load_3dhp
from common.shifts import SHIFTS, Shift, shifted
from function_baseline.benchmark import Entry, cases, scores_of
from function_baseline.clip_shifts import scenes_of, standing_still, windows_of
from function_baseline.evaluate import evaluate, per_pose_errors
from function_baseline.temporal import windows_at
from models_baseline import build_lifter
from utils.runs.checkpoint import save_checkpoint
from windows import distances, drawn

CPU = torch.device('cpu')
AGAIN = Shift('the same view', view=lambda upright, views, draws: views)


@pytest.fixture(scope='module')
def poses(tiny_root):
    return h36m_poses(read_h36m(tiny_root, 'gt'), ('S9', 'S11'), 'Walking')


@pytest.fixture(scope='module', params=[False, True], ids=['symmetric', 'causal'])
def lifter(request):
    torch.manual_seed(0)
    return build_lifter('videopose', receptive_field=9, causal=request.param).eval()


@pytest.fixture(scope='module')
def causal():
    torch.manual_seed(0)
    return build_lifter('videopose', receptive_field=9, causal=True).eval()


def seen_by(poses, shift, lifter):
    """(Shifted, windows (M, N, J, 2), scenes (M, N, J, 3) of all its poses)."""
    made, ends = shifted(poses, shift, drawn()), clip_ends(poses)
    index = torch.arange(len(made.poses))
    return made, windows_of(made, index, ends, lifter, drawn(1)), scenes_of(made, index, ends, lifter)[0]


def sources(made, lifter):
    """The windows around the poses of a Shifted in its source: (M, N, J, 3) and (M, N, J, 2)."""
    return windows_at(made.source, made.rows, clip_ends(made.source), lifter, CPU)[:2]


def lengths(scenes):
    """(B, N, J, 3) -> (B, N, J - 1)."""
    return bone_lengths(bone_vectors(scenes.flatten(0, 1))).unflatten(0, scenes.shape[:2]).squeeze(-1)


@pytest.mark.parametrize('name', ['azimuth', 'above 40-70', 'roll', 'near', 'wide lens'])
def test_one_camera_sees_a_window_as_a_rigid_scene(poses, lifter, name):
    made, windows, scenes = seen_by(poses, SHIFTS[name], lifter)
    before, _ = sources(made, lifter)
    torch.testing.assert_close(*(distances(scene.flatten(1, 2)) for scene in (scenes, before)), rtol=0, atol=2e-4)
    exact = project(scenes.flatten(1, 2), made.poses.intrinsics).view_as(windows)
    torch.testing.assert_close(windows, exact, rtol=0, atol=1e-5)


def test_the_same_view_gives_the_windows_of_the_set_again(poses, lifter):
    made, windows, scenes = seen_by(poses, AGAIN, lifter)
    pose3d_cam, pose2d = sources(made, lifter)
    torch.testing.assert_close(scenes, pose3d_cam, rtol=0, atol=5e-5)
    torch.testing.assert_close(windows, pose2d, rtol=0, atol=1e-4)


@pytest.mark.parametrize('name', SHIFTS)
def test_the_lifted_frame_is_the_shifted_pose_itself(poses, lifter, name):
    made, windows, scenes = seen_by(poses, SHIFTS[name], lifter)
    assert torch.equal(windows[:, lifter.target], made.poses.pose2d)
    torch.testing.assert_close(scenes[:, lifter.target], made.poses.pose3d_cam, rtol=0, atol=1e-4)


@pytest.mark.parametrize('name', ['bones', 'child', 'everything'])
def test_a_person_has_the_same_body_in_all_frames_and_takes_steps_of_its_size(poses, lifter, name):
    made, _, scenes = seen_by(poses, SHIFTS[name], lifter)
    before, _ = sources(made, lifter)
    ratio = lengths(scenes) / lengths(before)
    torch.testing.assert_close(ratio, ratio[:, :1].expand_as(ratio), rtol=2e-3, atol=0)
    assert ratio[:, 0].std(0).min() > .01
    size = lengths(scenes)[:, lifter.target].sum(1) / lengths(before)[:, lifter.target].sum(1)
    paths = [distances(scene[:, :, 0]) for scene in (scenes, before)]
    torch.testing.assert_close(paths[0], size[:, None, None] * paths[1], rtol=0, atol=2e-4)


def test_each_frame_of_a_clip_has_errors_of_its_own_and_a_repeated_one_has_its_errors_too(poses, lifter):
    made, windows, scenes = seen_by(poses, SHIFTS['noise'], lifter)
    exact = project(scenes.flatten(1, 2), made.poses.intrinsics).view_as(windows)
    first = clip_ends(poses)[0] == torch.arange(len(poses))
    before = (windows - exact)[first][:, :lifter.target + 1]
    assert torch.equal(windows[first][:, :lifter.target + 1], windows[first][:, [lifter.target]].expand(before.shape))
    third = clip_ends(poses)[0] == torch.arange(len(poses)) - 2
    own = (windows - exact)[third][:, lifter.target - 2:lifter.target + 1].flatten(2)
    assert abs(float(torch.corrcoef(own.transpose(0, 1).flatten(1))[0, 1:].abs().max())) < .1


def test_from_where_a_person_leaves_the_image_the_window_stands_still(poses):
    lifter = build_lifter('videopose', receptive_field=9)
    count = 6
    away = poses.pose3d_cam[:count].clone()
    away[4:, :, 0] += 20
    scene = replace(poses.subset(torch.arange(count)), pose3d_cam=away)
    made, ends = shifted(scene, AGAIN, drawn()), clip_ends(scene)
    windows = windows_of(made, torch.tensor([2]), ends, lifter, drawn())[0]
    torch.testing.assert_close(windows, made.poses.pose2d[[0, 0, 0, 1, 2, 3, 3, 3, 3]], rtol=0, atol=1e-4)


def test_a_window_stands_still_to_both_sides_seen_from_its_target():
    windows = torch.arange(7.)[None, :, None, None].expand(2, 7, 1, 2)
    there = torch.tensor([[1, 0, 1, 1, 1, 0, 1], [0, 1, 1, 0, 0, 1, 1]]).bool()
    still = standing_still(windows, there, 3)[:, :, 0, 0]
    assert still.tolist() == [[2, 2, 2, 3, 4, 4, 4], [1, 1, 2, 3, 3, 3, 3]]


# scores

@pytest.mark.parametrize('camera', ['image', 'person'])
def test_on_the_set_as_it_is_the_scores_are_those_of_the_evaluation_of_whole_clips(poses, causal, camera):
    case, = cases('h36m', poses, True, {}, 0)
    found = scores_of(Entry('a', '', causal, camera), case, CPU)
    errors, _ = per_pose_errors(causal, poses, CPU, True, camera)
    torch.testing.assert_close(found.errors, 1000 * errors.double().mean(1), rtol=1e-4, atol=0)


def test_a_set_without_clips_is_lifted_as_if_everybody_stood_still(tiny_root, causal):
    single = load_3dhp(tiny_root)
    case, = cases('3dhp', single, False, {}, 0)
    found = scores_of(Entry('a', '', causal, 'person'), case, CPU)
    assert float(found.errors.mean()) == pytest.approx(evaluate(causal, single, CPU, False, 'person').mpjpe_mm, rel=1e-4)


def test_every_second_pose_is_scored_and_those_between_are_seen(poses, tiny_root, causal):
    thin = h36m_poses(read_h36m(tiny_root, 'gt'), ('S9', 'S11'), 'Walking', downsample=2)
    some = {name: SHIFTS[name] for name in ('far', 'rare poses')}
    for whole, alone in zip(cases('h36m', poses, False, some, 0, every=2), cases('h36m', thin, False, some, 0)):
        assert all(torch.equal(getattr(whole.poses, name), getattr(alone.poses, name)) for name in ('pose2d', 'pose3d_cam'))
        assert torch.equal(poses.frame[whole.made.rows] % 2, torch.zeros(len(whole.poses)))
    as_it_is, *_ = cases('h36m', poses, False, {}, 0, every=2)
    errors, _ = per_pose_errors(causal, poses, CPU, False)
    found = scores_of(Entry('a', '', causal, 'image'), as_it_is, CPU).errors
    torch.testing.assert_close(found, 1000 * errors.double().mean(1)[poses.frame % 2 == 0], rtol=1e-4, atol=0)


# the script

@pytest.fixture(scope='module')
def checkpoints(tmp_path_factory):
    """{name: path} of a lifter of one frame, and lifters of nine frames of 50 and of 25 per second."""
    folder = tmp_path_factory.mktemp('checkpoints')
    kinds = dict(single=('gcn', 1, None), clips50=('videopose', 9, 1), clips25=('videopose', 9, 2), unknown=('videopose', 9, 0))
    for name, (posenet, receptive_field, step) in kinds.items():
        torch.manual_seed(0)
        lifter = build_lifter(posenet, 1, receptive_field=receptive_field)
        save_checkpoint(folder / f'{name}.pth', dict(state_dict=lifter.state_dict(), epoch=1,
                                                     **dict(arguments=dict(dataset='h36m', downsample=step)) if step else {}))
    return {name: folder / f'{name}.pth' for name in kinds}


def run(tiny_root, checkpoints, names, *flags):
    entries = [f'{name}={checkpoints[name]}' for name in names]
    return run_benchmark.main(['--data_root', str(tiny_root), '--device', 'cpu', '--actions', 'Walking', '--dataset',
                               'h36m,3dhp', '--shifts', 'far,noise', *flags, '--evaluate', *entries])


@pytest.mark.slow
def test_lifters_of_one_frame_and_of_several_stand_in_one_table(tiny_root, checkpoints, tmp_path, capsys):
    alone = run(tiny_root, checkpoints, ['single'], '--downsample', '2')
    assert 'stood still' not in capsys.readouterr().out
    both = run(tiny_root, checkpoints, ['single', 'clips50', 'unknown'], '--downsample', '2', '--output', str(tmp_path))
    assert alone == {key: figures for key, figures in both.items() if key[0] == 'single'}
    assert both['unknown', 'h36m: far'] == both['clips50', 'h36m: far'] and len(both) == 3 * 4
    out = capsys.readouterr().out
    assert f'{checkpoints["unknown"]} does not name the frame rate of its training; of Human3.6M it sees 50 frames' in out
    assert '3dhp: lifted as if everybody stood still' in out and 'h36m: lifted' not in out
    assert (tmp_path / 'benchmark.png').is_file()


@pytest.mark.parametrize('names, downsample, message', [
    (['clips25'], '3', '25 frames per second; give --downsample 2 or a multiple'),
    (['clips25', 'clips50'], '2', 'different frame rates')])
def test_frame_rates_that_do_not_fit_are_refused(tiny_root, checkpoints, capsys, names, downsample, message):
    with pytest.raises(SystemExit) as stop:
        run(tiny_root, checkpoints, names, '--downsample', downsample)
    assert stop.value.code == 2 and message in capsys.readouterr().err

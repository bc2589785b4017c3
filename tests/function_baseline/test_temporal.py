"""A temporal lifter in training and evaluation: windows, clips, stills, errors of motion, a whole run, and what is refused."""
import shutil
from dataclasses import replace

import pytest
import torch

import run_baseline
import run_evaluate
import run_poseaug
from common.camera import root_relative
from common.clips import clip_lengths
from common.datasets.h36m import h36m_poses, read_h36m
from common.datasets.mpi_inf_3dhp import load_3dhp
from common.motion_metrics import velocity_errors
from common.person_camera import view_person
from function_baseline.arguments import baseline_parser, parse
from function_baseline.evaluate import evaluate, mirror, per_pose_errors
from function_baseline.start import starting_lifter
from function_baseline.temporal import STILL, motion_errors, window_pairs
from models_baseline import build_lifter
from refusals import refusal, refused
from run_reading import assert_motion_is_logged, checkpoint, events, log_rows, same, training_state
from trainers import baseline, cut_off
from utils.runs.checkpoint import read_lifter, save_checkpoint

CPU = torch.device('cpu')


@pytest.fixture(scope='module')
def poses(tiny_root):
    return h36m_poses(read_h36m(tiny_root, 'gt'), ('S9',), 'Walking')


@pytest.fixture(scope='module')
def lifter():
    torch.manual_seed(0)
    return build_lifter('videopose', receptive_field=9).eval()


def windows(poses, receptive_field=9):
    """(N, receptive_field, J, 2), clip by clip."""
    found, half = [], receptive_field // 2
    for clip in poses.pose2d.split(clip_lengths(poses)):
        padded = torch.cat([clip[:1]] * half + [clip] + [clip[-1:]] * half)
        found += [padded[frame:frame + receptive_field] for frame in range(len(clip))]
    return torch.stack(found)


# training

def drawn(seed):
    return torch.Generator().manual_seed(seed)


def test_a_batch_is_gathered_from_the_set_and_half_of_it_is_mirrored_whole(poses, lifter):
    index = torch.arange(len(poses)).flip(0)
    pose2d, pose3d_rel = window_pairs(poses, CPU, lifter, drawn(0))(index)
    chosen = torch.rand(len(index), generator=drawn(0)) < .5
    assert .3 < chosen.double().mean() < .7
    straight, target = windows(poses)[index], root_relative(poses.pose3d_cam[index])
    assert torch.equal(pose2d[~chosen], straight[~chosen]) and torch.equal(pose3d_rel[~chosen], target[~chosen])
    assert torch.equal(pose2d[chosen], torch.stack([mirror(window) for window in straight[chosen]]))
    assert torch.equal(pose3d_rel[chosen], mirror(target[chosen]))


def test_each_frame_of_a_window_is_seen_by_the_camera_that_looks_at_the_person(poses, lifter, monkeypatch):
    index = torch.arange(len(poses))
    monkeypatch.setattr(lifter, 'camera', 'person', raising=False)
    pose2d, pose3d_rel = window_pairs(poses, CPU, lifter, drawn(0))(index)
    straight = torch.rand(len(index), generator=drawn(0)) >= .5
    view = view_person(poses.pose2d, poses.take(index).camera)
    torch.testing.assert_close(pose2d[straight], windows(replace(poses, pose2d=view.pose2d))[straight])
    target = root_relative(poses.pose3d_cam) @ view.rotation.transpose(1, 2)
    torch.testing.assert_close(pose3d_rel[straight], target[straight])


# evaluation

@pytest.mark.parametrize('flip', [False, True], ids=['straight', 'flipped'])
@torch.no_grad()
def test_a_clip_is_scored_as_its_windows_are(poses, lifter, flip):
    straight = windows(poses)
    predicted = lifter(straight)
    if flip:
        predicted = (predicted + mirror(lifter(torch.stack([mirror(window) for window in straight])))) / 2
    errors, _ = per_pose_errors(lifter, poses, CPU, flip)
    torch.testing.assert_close(errors, (predicted - root_relative(poses.pose3d_cam)).norm(dim=-1), rtol=0, atol=1e-5)
    assert evaluate(lifter, poses, CPU, flip).mpjpe_mm == pytest.approx(1000 * float(errors.mean()), rel=1e-5)


@torch.no_grad()
def test_poses_that_are_no_clip_are_lifted_as_if_everybody_stood_still(tiny_root, lifter):
    stills = load_3dhp(tiny_root)
    predicted = lifter(stills.pose2d[:, None].repeat(1, 9, 1, 1))
    errors, _ = per_pose_errors(lifter, stills, CPU, flip=False)
    torch.testing.assert_close(errors, (predicted - root_relative(stills.pose3d_cam)).norm(dim=-1), rtol=0, atol=1e-5)
    assert motion_errors(lifter, stills, CPU, flip=False) is None


@pytest.mark.parametrize('name', ['single', 'temporal'])
@torch.no_grad()
def test_errors_of_motion_are_means_over_the_steps_within_clips(poses, lifter, name):
    if name == 'single':
        lifter = build_lifter('gcn', 1).eval()
        predicted = lifter(poses.pose2d)
    else:
        predicted = lifter(windows(poses))
    predicted, target = (root_relative(pose).double() for pose in (predicted, poses.pose3d_cam))
    lengths = clip_lengths(poses)
    steps = torch.cat([velocity_errors(*clip) for clip in zip(predicted.split(lengths), target.split(lengths))])
    assert len(steps) == len(poses) - len(lengths)
    assert motion_errors(lifter, poses, CPU, flip=False).mpjve_mm == pytest.approx(1000 * float(steps.mean()), rel=1e-4)


# a run

@pytest.mark.slow
@pytest.mark.usefixtures('without_pictures')
def test_a_run_is_logged_resumed_bit_for_bit_and_scored(tiny_root, runs, capsys):
    def begin(folder):
        return baseline(tiny_root, folder, 'videopose', '--receptive_field', 9, '--causal', '--epochs', 2, '--snapshot', 9)

    whole = begin(runs / 'whole')
    printed = capsys.readouterr().out
    assert 'epoch 2: H36M MPJVE ' in printed and '3DHP MPJVE' not in printed
    assert_motion_is_logged(whole, begun_at=1)
    weights = read_lifter(whole / 'ckpt_best.pth.tar')
    assert (weights.stages, weights.receptive_field, weights.causal) == (1, 9, True)
    assert weights.kind == 'videopose, 1 stages, 9 frames, causal'
    cut_off('save_last', 1, begin, runs / 'cut')
    cut, = (runs / 'cut').glob('*/gt/*')
    assert run_baseline.main(['--resume', str(cut), '--data_root', str(tiny_root)]) == cut
    assert same(training_state(cut), training_state(whole)) and events(cut) == events(whole)
    assert log_rows(cut) == log_rows(whole)
    capsys.readouterr()
    h36m, _ = run_evaluate.main(['--data_root', str(tiny_root), '--device', 'cpu', '--actions', 'Walking', '--evaluate',
                                 str(whole / 'ckpt_last.pth.tar')])
    assert h36m.mpjpe_mm == pytest.approx(checkpoint(whole)['history'][-1][0], rel=1e-5)
    printed = capsys.readouterr().out
    assert 'videopose, 1 stages, 9 frames, causal, epoch 2' in printed and 'mm/frame' in printed
    assert 'as if everybody stood still' in printed


@pytest.mark.slow
def test_a_run_draws_the_joints_errors_and_the_hardest_poses(tiny_root, runs):
    run = baseline(tiny_root, runs, 'videopose', '--receptive_field', 9, '--epochs', 1)
    tags = events(run)
    assert 'joint_error_h36m/LWrist' in tags and tags['lifter/hardest_and_easiest'] == {1: 'image'}


# what is refused

@pytest.fixture(scope='module')
def temporal_file(lifter, tmp_path_factory):
    path = tmp_path_factory.mktemp('temporal') / 'it.pth.tar'
    save_checkpoint(path, {'state_dict': lifter.state_dict(), 'epoch': 1})
    return path


@pytest.mark.parametrize('flags, reason', [
    (['--posenet_name', 'mlp'], 'works with videopose only'), (['--stages', '4'], 'leave --stages 4 out'),
    (['--cameras', 'sampled'], 'needs clips'), (['--poses_per_epoch', '5000'], 'needs them whole')])
def test_flags_that_do_not_go_with_several_frames(flags, reason, capsys):
    assert reason in refused(capsys, run_baseline, '--receptive_field', 27, *flags)


def test_causal_needs_several_frames(capsys):
    assert '--receptive_field' in refused(capsys, run_baseline, '--causal')
    new = '--causal', '--pretrain_path', 'a.pth.tar', '--pretrain', 'false'
    assert '--receptive_field' in refused(capsys, run_poseaug, *new)


def test_the_number_of_frames_is_one_of_five(capsys):
    assert '--receptive_field' in refused(capsys, run_baseline, '--receptive_field', 3)


def test_a_pretrained_lifter_of_several_frames_brings_its_restrictions_along(tiny_root, temporal_file, capsys):
    assert 'needs them whole' in refused(capsys, run_baseline, '--poses_per_epoch', 5000, '--pretrain_path', temporal_file,
                                         '--data_root', tiny_root, '--device', 'cpu', '--s1only', 'true')


def test_a_typed_receptive_field_that_contradicts_the_file_is_named(tiny_root, temporal_file, capsys):
    message = refused(capsys, run_evaluate, '--evaluate', temporal_file, '--receptive_field', 27, '--data_root', tiny_root)
    assert 'receptive_field 9' in message and '--receptive_field says 27' in message


def test_weights_alone_are_causal_if_the_command_says_so(tiny_root, temporal_file, capsys):
    run_evaluate.main(['--evaluate', str(temporal_file), '--causal', '--data_root', str(tiny_root), '--device', 'cpu',
                       '--actions', 'Walking'])
    assert '9 frames, causal' in capsys.readouterr().out


def test_the_table_of_a_run_says_which_poses_are_no_clips(tiny_root, temporal_file, tmp_path, capsys):
    shutil.copy(temporal_file, tmp_path / 'ckpt_last.pth.tar')
    run_evaluate.main(['--evaluate', str(tmp_path), '--data_root', str(tiny_root), '--device', 'cpu', '--actions', 'Walking'])
    printed = capsys.readouterr().out
    assert f'3DHP test set: {STILL}' in printed and printed.count(STILL) == 1


def test_a_pretrained_lifter_may_be_called_what_it_is(tmp_path):
    causal, symmetric = (pretrained_file(tmp_path / name, kind) for name, kind in (('causal', True), ('symmetric', False)))
    args = parse(baseline_parser(''), ['--causal', '--pretrain_path', str(causal)])
    assert starting_lifter(args, pretrained=True).causal and args.receptive_field == 9
    args = parse(baseline_parser(''), ['--causal', '--pretrain_path', str(symmetric)])
    assert 'holds a lifter with causal False' in refusal(starting_lifter, args, pretrained=True)


def pretrained_file(path, causal):
    lifter = build_lifter('videopose', receptive_field=9, causal=causal)
    told = dict(posenet_name='videopose', stages=1, causal=causal)
    save_checkpoint(path, {'state_dict': lifter.state_dict(), 'arguments': told})
    return path

"""PoseAug with a lifter of several frames: its iteration, the clips that it leaves for the lifter, and a whole run."""
import copy
from dataclasses import replace

import pytest
import torch

import run_poseaug
from common.bones import bone_lengths, bone_vectors
from common.clips import clip_ends, clip_lengths, window_rows
from common.datasets.h36m import h36m_poses, read_h36m
from common.skeleton import H36M_16
from function_baseline.temporal import in_windows, window_pairs, windows_at
from function_poseaug import clip_game
from function_poseaug.arguments import feedback_terms, poseaug_parser
from function_poseaug.adversarial import AdversarialEpoch
from function_poseaug.clip_game import (augmented_clips, clip_epoch, clip_generator_step, kept_clips, segments_of, swapped_for,
                                        whole_windows)
from function_poseaug.losses import generator_adversarial_loss
from function_poseaug.steps import Game, GameOptimizers, LossWeights, Pools, generator_step
from models_baseline import build_lifter
from models_baseline.temporal import is_temporal
from models_poseaug.augmentor import Augmentor, draw_noise
from models_poseaug.clip_discriminators import FRAMES, clip_discriminators, judged_frames
from models_poseaug.clips import draw_clip_noise
from models_poseaug.discriminator import Discriminator2D, Discriminator3D
from models_poseaug.replay_pool import ReplayPool
from run_reading import assert_motion_is_logged, events, log_rows, same, training_state
from trainers import baseline, cut_off, poseaug
from utils.gradients import adam
from utils.runs.checkpoint import read_lifter
from utils.runs.scalar_log import ScalarLog

pytestmark = pytest.mark.slow

CPU = torch.device('cpu')


def drawn(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope='module')
def poses(tiny_root):
    return h36m_poses(read_h36m(tiny_root, 'gt'), ('S1',), 'Walking,Photo')


def game_of(lifter):
    torch.manual_seed(0)
    critics = clip_discriminators(H36M_16, 'part', lifter) if is_temporal(lifter) else (Discriminator3D(), Discriminator2D())
    return Game(*(network.train() for network in (Augmentor(), *critics, lifter)))


@pytest.fixture(scope='module')
def game():
    torch.manual_seed(1)
    return game_of(build_lifter('videopose', receptive_field=9, dropout=0.))


# an iteration

@pytest.mark.parametrize('causal', [False, True], ids=['symmetric', 'causal'])
def test_a_step_changes_the_augmentor_alone_and_logs_what_that_of_single_frames_logs(poses, causal):
    game = game_of(build_lifter('videopose', receptive_field=9, causal=causal, dropout=0.))
    before = [copy.deepcopy(dict(network.named_parameters())) for network in game]
    feedback = feedback_terms(poseaug_parser('').parse_args([]), epoch=3)
    windows = windows_at(poses, torch.arange(8), clip_ends(poses), game.lifter, CPU)
    output, log = clip_generator_step(game, adam(game.augmentor, 1e-3), windows, LossWeights(), feedback,
                                      draw_clip_noise(8, 9, drawn()))
    changed = [any(not torch.equal(value, old[name]) for name, value in network.named_parameters())
               for network, old in zip(game, before)]
    assert changed == [True, False, False, False]
    assert all(weight.grad is None for network in game[1:] for weight in network.parameters())
    assert output.poses.rt.shape == (8, 9, 16, 3) and output.rt_pose2d.shape == (8, 9, 16, 2)
    single = game_of(build_lifter('gcn', 1))
    _, expected = generator_step(single, adam(single.augmentor, 1e-3), poses.take(torch.arange(8)), LossWeights(), feedback,
                                 draw_noise(poses.pose3d_cam[:8], drawn()))
    assert log.keys() == expected.keys() and all(figure.isfinite() for figure in log.values())


def test_windows_are_those_of_the_set(poses, game):
    index, ends = torch.tensor([0, 3, 20]), clip_ends(poses)
    windows, rows = windows_at(poses, index, ends, game.lifter, CPU), window_rows(index, ends, 9, causal=False)
    assert torch.equal(windows.pose3d_cam, poses.pose3d_cam[rows]) and torch.equal(windows.pose2d, poses.pose2d[rows])
    assert torch.equal(windows.camera, poses.intrinsics[poses.camera[index]])


@pytest.mark.parametrize('causal', [False, True], ids=['symmetric', 'causal'])
def test_the_discriminators_judge_clips_of_the_same_frames_of_real_and_augmented_windows(poses, causal):
    game = game_of(build_lifter('videopose', receptive_field=9, causal=causal, dropout=0.))
    index, ends, frames = torch.arange(8, 24), clip_ends(poses), [2, 5, 8] if causal else [1, 4, 7]
    windows, feedback = windows_at(poses, index, ends, game.lifter, CPU), feedback_terms(poseaug_parser('').parse_args([]), 3)
    judged = judged_frames(game.lifter.receptive_field, game.lifter.target)
    real3d, real2d = (in_windows(name, poses, index, ends, game.lifter, CPU, judged) for name in ('pose3d_cam', 'pose2d'))
    assert torch.equal(real3d, windows.pose3d_cam[:, frames]) and torch.equal(real2d, windows.pose2d[:, frames])
    output, log = clip_generator_step(game, adam(game.augmentor, 1e-3), windows, LossWeights(), feedback,
                                      draw_clip_noise(16, 9, drawn()))
    for name, critic, real, fake in (('g3d', game.critic3d, real3d, output.poses.ba[:, frames]),
                                     ('g2d', game.critic2d, real2d, output.rt_pose2d[:, frames])):
        with torch.no_grad():
            expected = generator_adversarial_loss(critic(real), critic(fake))
        assert float(log[f'train_G_iter_PoseAug/{name}_adv_loss']) == pytest.approx(float(expected), rel=1e-4)


def test_an_epoch_trains_the_discriminators_of_pose_and_motion_on_clips_from_the_pools(poses):
    torch.manual_seed(0)
    game = game_of(build_lifter('videopose', receptive_field=9))
    before = [copy.deepcopy(network.state_dict()) for network in game[1:3]]
    optimizers = GameOptimizers(*(adam(network, 1e-3) for network in game[:3]))
    pools = Pools(*(ReplayPool((FRAMES, 16, size)) for size in (3, 2)))
    settings = AdversarialEpoch(epoch=1, iteration=0, batch_size=32, df=1, seed=0, symmetric_filter=False,
                                weights=LossWeights(), feedback=feedback_terms(poseaug_parser('').parse_args([]), 1))
    few = poses.subset(torch.arange(64))
    fakes, iteration = clip_epoch(game, optimizers, pools, few, settings, ScalarLog(lambda *_: None, 100, what='it'),
                                  lambda *_: None)
    assert iteration == 2 and pools.fake3d.count == pools.fake2d.count == 64 and pools.fake3d.items[:64].any(-1).all()
    for network, old in zip(game[1:3], before):
        assert not any(torch.equal(value, old[name]) for name, value in network.named_parameters())


def test_all_poses_of_a_clip_get_the_same_bones(poses, game):
    lengths = clip_lengths(poses)
    templates = torch.linspace(.1, .5, 20)[:, None].expand(-1, 15)
    swapped = bone_lengths(bone_vectors(swapped_for(game.lifter, poses, templates, drawn()).pose3d_cam))[:, 0, 0]
    for clip in swapped.split(lengths):
        torch.testing.assert_close(clip, clip[:1].expand_as(clip))
    assert len(swapped.mul(1000).round().unique()) > 3


# the clips for the lifter

@pytest.mark.parametrize('segment', [250, 3])
def test_every_frame_is_augmented_once_in_segments_that_are_clips(poses, game, segment, monkeypatch):
    monkeypatch.setattr(clip_game, 'SEGMENT', segment)
    fakes = augmented_clips(game.augmentor, poses, drawn())
    expected = [min(segment, length - start) for length in clip_lengths(poses) for start in range(0, length, segment)]
    assert clip_lengths(fakes) == expected
    starts, lengths = segments_of(poses)
    assert torch.equal(torch.repeat_interleave(starts, lengths), clip_ends(fakes)[0])
    assert fakes.pose3d_cam.isfinite().all() and fakes.pose2d.isfinite().all()
    ratio = (bone_lengths(bone_vectors(fakes.pose3d_cam)) / bone_lengths(bone_vectors(poses.pose3d_cam)))[..., 0]
    for clip in ratio.split(expected):
        torch.testing.assert_close(clip, clip[:1].expand_as(clip), rtol=1e-3, atol=1e-3)
    assert torch.equal(augmented_clips(game.augmentor, poses, drawn()).pose2d, fakes.pose2d)


@pytest.mark.parametrize('causal', [False, True], ids=['symmetric', 'causal'])
def test_a_pose_is_kept_if_every_frame_of_its_window_is_inside(poses, causal):
    lifter, ends = build_lifter('videopose', receptive_field=9, causal=causal), clip_ends(poses)
    inside = torch.rand(len(poses), generator=drawn()) < .9
    rows = window_rows(torch.arange(len(poses)), ends, 9, causal)
    assert torch.equal(whole_windows(inside, ends, lifter), inside[rows].all(1)) and not inside[rows].all(1).all()


def test_the_lifter_trains_on_windows_of_the_kept_poses(poses, game):
    fakes = replace(poses, pose2d=poses.pose2d.clone())
    fakes.pose2d[2, 5, 1] = 1.01          # of the first clip, which is shorter than a window
    rows = torch.arange(clip_lengths(poses)[0], len(poses))
    kept = kept_clips(fakes, game.lifter, CPU, drawn(), symmetric_filter=False)
    assert torch.equal(kept.pose2d, poses.pose2d[rows])
    found, expected = kept.take(torch.arange(3)), window_pairs(poses, CPU, game.lifter, drawn())(rows[:3])
    assert all(torch.equal(*pair) for pair in zip(found, expected))


# a run

@pytest.mark.slow
@pytest.mark.usefixtures('without_pictures')
def test_a_run_keeps_the_kind_of_its_lifter_and_is_resumed_bit_for_bit(tiny_root, runs, capsys):
    pretrained = baseline(tiny_root, runs / 'pretrained', 'videopose', '--receptive_field', 9, '--epochs', 1)

    def begin(folder):
        return poseaug(tiny_root, folder, 'videopose', pretrained, '--epochs', 2, '--warmup', 1)

    whole = begin(runs / 'whole')
    assert 'epoch 2: H36M MPJVE' in capsys.readouterr().out
    assert_motion_is_logged(whole, begun_at=0, warmup=1)
    weights = read_lifter(whole / 'ckpt_last.pth.tar')
    assert (weights.receptive_field, weights.stages) == (9, 1)
    cut_off('save_last', 2, begin, runs / 'cut')
    cut, = (runs / 'cut').glob('*/gt/*')
    assert run_poseaug.main(['--resume', str(cut), '--data_root', str(tiny_root)]) == cut
    assert same(training_state(cut), training_state(whole)) and events(cut) == events(whole)
    assert log_rows(cut) == log_rows(whole)


@pytest.mark.slow
def test_a_run_draws_its_pictures(tiny_root, runs):
    pretrained = baseline(tiny_root, runs / 'pretrained', 'videopose', '--receptive_field', 9, '--epochs', 1)
    run = poseaug(tiny_root, runs / 'it', 'videopose', pretrained, '--epochs', 1)
    assert 'augmentation/source_BA_BL_RT' in events(run) and list((run / 'poseaug_viz').glob('*.png'))

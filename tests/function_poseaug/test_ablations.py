"""Each flag of an ablation changes what it names and nothing else; what stands for the game gives as many pairs."""
import copy

import pytest
import torch

from common.bones import bone_lengths, bone_vectors, unit_bones
from common.camera import project, root_relative
from common.datasets.h36m import h36m_poses, read_h36m
from common.errors import InputError
from common.views import Views
from function_baseline.arguments import parse
from function_poseaug.adversarial import AdversarialEpoch, adversarial_epoch
from function_poseaug.arguments import feedback_terms, loss_weights, poseaug_parser
from function_poseaug.monitor import limits
from function_poseaug.refresh import swapped_bones, templates_for
from function_poseaug.steps import HEALTH, Game, GameOptimizers, Pools, generator_step
from function_poseaug.without_game import SUBSTITUTES, random_bodies, random_views
from models_baseline import build_lifter
from models_poseaug.augmentor import HEADS, Augmentor, draw_noise
from models_poseaug.discriminator import Discriminator2D, Discriminator3D
from models_poseaug.replay_pool import ReplayPool
from run_reading import same
from trainers import started
from utils.gradients import adam
from utils.runs.scalar_log import ScalarLog
from utils.seeding import generator

AFTER_WARMUP = 5
LENGTHS = pytest.mark.parametrize('heads', ['ba', 'bl', 'rt', 'ba,bl', 'ba,rt', 'bl,rt'])


def parsed(*flags):
    return parse(poseaug_parser(''), list(flags))


@pytest.fixture(scope='module')
def training(tiny_root):
    return h36m_poses(read_h36m(tiny_root, 'gt'), ('S1', 'S5'), downsample=2)


def game_of(args):
    """A seeded game as the flags say, and its optimizers."""
    torch.manual_seed(0)
    lifter = build_lifter('mlp', 1, 0.)
    augmentor, critic2d = Augmentor(heads=args.augment), Discriminator2D()
    game = Game(augmentor, Discriminator3D(kcs=args.kcs), critic2d, lifter)
    return game, GameOptimizers(*(adam(network, 1e-4) for network in game[:3]))


def step(training, *flags, epoch=AFTER_WARMUP):
    """(augmented poses, log, source batch) of one step of the augmentor."""
    args = parsed(*flags)
    game, optimizers = game_of(args)
    source = training.take(torch.arange(64))
    noise = draw_noise(source.pose3d_cam, torch.Generator().manual_seed(1))
    fake, log = generator_step(game, optimizers.augmentor, source, loss_weights(args), feedback_terms(args, epoch), noise)
    return fake.poses, {tag: float(value) for tag, value in log.items()}, source


# --augment

@pytest.mark.slow
@LENGTHS
def test_a_head_that_is_left_out_does_not_change_the_pose(training, heads):
    whole, _, source = step(training)
    poses, _, _ = step(training, '--augment', heads)
    directions = [unit_bones(bone_vectors(pose)) for pose in (source.pose3d_cam, poses.ba)]
    if 'ba' in heads:
        assert torch.equal(poses.ba, whole.ba)
    else:
        torch.testing.assert_close(*directions, rtol=0, atol=1e-5)
        assert (poses.ba_diff == 0).all()
    lengths = [bone_lengths(bone_vectors(pose)) for pose in (poses.ba, poses.bl)]
    if 'bl' in heads:
        assert (lengths[0] - lengths[1]).abs().max() > .001
    else:
        torch.testing.assert_close(*lengths, rtol=0, atol=1e-6)
        assert (poses.bl_ratio == 0).all()
    if 'rt' in heads:
        assert torch.equal(poses.axis_angle, whole.axis_angle) and torch.equal(poses.translation, whole.translation)
    else:
        torch.testing.assert_close(poses.rt, poses.bl, rtol=0, atol=1e-6)


@LENGTHS
def test_only_the_heads_that_play_are_trained(training, heads):
    args = parsed('--augment', heads)
    game, optimizers = game_of(args)
    before = copy.deepcopy(game.augmentor)
    source = training.take(torch.arange(64))
    generator_step(game, optimizers.augmentor, source, loss_weights(args), feedback_terms(args, AFTER_WARMUP),
                   draw_noise(source.pose3d_cam))
    trained = {head for head, parts in dict(ba=['bone_angle'], bl=['bone_length'], rt=['rotation', 'translation']).items()
               if any(not torch.equal(old, new) for part in parts for old, new in
                      zip(getattr(before, part).parameters(), getattr(game.augmentor, part).parameters()))}
    assert trained == set(heads.split(','))


def test_the_monitor_does_not_watch_a_head_that_does_not_play():
    watched = {heads: {limit.tag for limit in limits(loss_weights(parsed()), feedback_terms(parsed(), 5), heads)}
               for heads in ('ba,bl,rt', 'rt', 'ba')}
    assert f'{HEALTH}/angle_spread' in watched['ba,bl,rt'] - watched['rt']
    assert f'{HEALTH}/view_spread' in watched['ba,bl,rt'] - watched['ba']


# --discriminators, --kcs, --feedback

@pytest.mark.slow
@pytest.mark.parametrize('critics, judged', [('2d', {'g2d'}), ('3d', {'g3d'}), ('none', set()), ('2d,3d', {'g2d', 'g3d'})])
def test_only_the_discriminators_that_play_are_in_the_loss(training, critics, judged):
    whole, whole_log, _ = step(training)
    poses, log, _ = step(training, '--discriminators', critics)
    assert torch.equal(poses.rt, whole.rt)
    place = 'train_G_iter_PoseAug'
    assert {tag.split('/')[1][:3] for tag in log if tag.startswith(place)} == judged
    absent = sum(weight * whole_log[f'{place}/{name}_adv_loss'] for name, weight in dict(g2d=1, g3d=6).items()
                 if name not in judged)
    assert log['train_G_iter/gen_loss'] == pytest.approx(whole_log['train_G_iter/gen_loss'] - absent, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize('critics', ['2d', '3d', 'none'])
def test_a_discriminator_that_does_not_play_is_not_trained(training, critics):
    args = parsed('--discriminators', critics, '--batch_size', '64')
    game, optimizers = game_of(args)
    before = copy.deepcopy(game)
    settings = AdversarialEpoch(epoch=1, iteration=0, batch_size=64, df=1, seed=0, symmetric_filter=False,
                                weights=loss_weights(args), feedback=feedback_terms(args, 1))
    adversarial_epoch(game, optimizers, Pools(ReplayPool((16, 3)), ReplayPool((16, 2))), training, settings,
                      ScalarLog(lambda figures, iteration: None, 100, what=''), lambda *parts: None)
    trained = {name for name, old, new in (('2d', before.critic2d, game.critic2d), ('3d', before.critic3d, game.critic3d))
               if not torch.equal(next(old.parameters()), next(new.parameters()))}
    assert trained == set(critics.split(',')) - {'none'}


def test_the_3d_discriminator_sees_all_angles_or_the_directions():
    pose = torch.randn(4, 16, 3, generator=torch.Generator().manual_seed(0))
    turned = pose[..., [1, 2, 0]]                   # a rotation of the axes
    torch.manual_seed(0)
    part, whole, off = (Discriminator3D(kcs=kcs) for kcs in ('part', 'whole', 'off'))
    assert [critic(pose).shape for critic in (part, whole, off)] == [(4, 5), (4, 1), (4, 1)]
    torch.testing.assert_close(whole(turned), whole(pose))
    assert (off(turned) - off(pose)).abs().max() > 1e-3
    bent = pose.clone()
    bent[:, [3, 12]] += torch.tensor([.3, .2, .1])      # a foot and a wrist: together in no part
    assert len(whole.branches) == 1 and len(whole.branches['body'].columns) == 15 ** 2
    assert (whole(bent) - whole(pose)).abs().max() > 1e-3


def test_feedback_off_is_logged_but_not_in_the_loss(training):
    _, warm, _ = step(training, epoch=1)
    poses, off, _ = step(training, '--feedback', 'off')
    assert off['train_G_iter/gen_loss'] == warm['train_G_iter/gen_loss']
    assert 'train_G_iter_posenet_feedback/ba_hard_mean' in off


@pytest.mark.parametrize('heads, joining', [('ba,bl', {'ba'}), ('bl,rt', {'rt'}), ('ba,bl,rt', {'ba', 'rt'})])
def test_the_feedback_of_a_head_that_is_left_out_does_not_join_the_loss(training, heads, joining):
    bands = ('--hardratio_rt', '--hardratio_rt_s', '--hardratio_ba', '--hardratio_ba_s')      # far from every ratio
    flags = ('--augment', heads, *(text for band in bands for text in (band, '90')))
    _, warm, _ = step(training, *flags, epoch=1)
    _, log, _ = step(training, *flags)
    weights = dict(ba=.1, rt=.01)
    expected = sum(weights[head] * log[f'train_G_iter_posenet_feedback/{head}_hard_mean_loss'] for head in joining)
    assert expected > 1
    assert log['train_G_iter/gen_loss'] - warm['train_G_iter/gen_loss'] == pytest.approx(expected, rel=1e-3)


# --augmentor

def substitute(name, training, *flags):
    args = parsed(*flags)
    return SUBSTITUTES[name](FakeState(), args, training, templates_for(training), generator('cpu', 0, 1, 'bone lengths'))


class FakeState:
    """The number of the epoch, which is all that a substitute needs."""
    epoch = 1


def test_the_control_trains_on_the_real_pairs_again(training):
    pairs = substitute('none', training)
    assert torch.equal(pairs.pose2d, training.pose2d) and torch.equal(pairs.pose3d_rel, root_relative(training.pose3d_cam))


def test_random_pairs_are_as_many_and_inside_the_image(training):
    pairs = substitute('random', training)
    assert len(pairs.pose2d) >= .95 * len(training) and (pairs.pose2d.abs() <= 1).all()
    assert (pairs.pose3d_rel[:, 0] == 0).all()


def test_random_pairs_without_rt_are_seen_by_the_source_s_cameras(training):
    """With no head but BL, whose limit is zero, they are the poses with swapped bone lengths."""
    pairs = substitute('random', training, '--augment', 'bl', '--blr_limit', '0')
    swapped = swapped_bones(training, templates_for(training), generator('cpu', 0, 1, 'bone lengths'))
    assert len(pairs.pose2d) == len(swapped)
    torch.testing.assert_close(pairs.pose3d_rel, root_relative(swapped.pose3d_cam), rtol=0, atol=2e-5)
    again = project(swapped.pose3d_cam, swapped.intrinsics[swapped.camera])
    assert (pairs.pose2d - again).abs().median() < 1e-4


def test_random_bones_turn_within_the_band_of_the_learned_ones(training):
    pairs = substitute('random', training, '--augment', 'ba')
    old = unit_bones(bone_vectors(swapped_bones(training, templates_for(training), generator('cpu', 0, 1, 'bone lengths'))
                                  .pose3d_cam))
    turn = 1 - (unit_bones(bone_vectors(pairs.pose3d_rel)) * old).sum(-1)
    backbone = training.skeleton.bones(*training.skeleton.backbone)
    assert turn[:, backbone].abs().max() < 1e-4
    mean = turn.mean(1)
    assert mean.min() > .035 and mean.max() < .375 and mean.std() > .05


@pytest.mark.parametrize('heads', ['ba', 'bl', 'ba,rt', 'bl,rt'])
def test_what_is_left_out_does_not_change_the_other_random_numbers(training, heads):
    args, whole = parsed('--augment', heads), parsed()
    upright, zero = root_relative(training.pose3d_cam[:50]), torch.zeros(50)
    views = Views(zero, zero, zero, zero + 5, torch.zeros(50, 2), torch.zeros(50, 9))
    (one, seen_one), (all_of_it, seen_all) = (
        (random_bodies(upright, args, draws, training.skeleton), random_views(views, draws, args.augment))
        for args, draws in ((args, generator('cpu', 0, 1, 'x')), (whole, generator('cpu', 0, 1, 'x'))))
    directions, lengths = ([change(bone_vectors(pose)) for pose in (one, all_of_it, upright)] for change in
                           (unit_bones, bone_lengths))
    for parts, drawn in ((directions, 'ba' in heads), (lengths, 'bl' in heads)):
        torch.testing.assert_close(parts[0], parts[1 if drawn else 2], rtol=0, atol=1e-5)
    assert same(seen_one, seen_all if 'rt' in heads else views)


def test_random_views_are_those_that_are_stated():
    """Elevation and roll normal with deviations of 30 and 10 degrees, azimuth and distance uniform."""
    count = 4000
    zero = torch.zeros(count)
    views = random_views(Views(zero, zero, zero, zero + 5, torch.zeros(count, 2), torch.zeros(count, 9)),
                         torch.Generator().manual_seed(0))
    assert views.elevation.rad2deg().std() == pytest.approx(30, rel=.05) and views.elevation.mean().abs() < .03
    assert views.roll.rad2deg().std() == pytest.approx(10, rel=.05)
    assert views.azimuth.rad2deg().std() == pytest.approx(360 / 12 ** .5, rel=.05)
    assert 2.5 <= views.distance.min() < 2.6 and 7.9 < views.distance.max() <= 8
    assert views.place.abs().max() <= 1 and views.place.std() == pytest.approx(3 ** -.5, rel=.05)


# bad input

@pytest.mark.parametrize('flags, message', [
    (('--augment', 'ba,xy'), 'not a comma-separated list of ba, bl, rt'), (('--augment', ''), 'not a comma-separated list'),
    (('--discriminators', '4d'), 'list of 2d, 3d, or none')])
def test_wrong_lists_are_refused_in_one_line(capsys, flags, message):
    with pytest.raises(SystemExit):
        parsed(*flags)
    assert message in capsys.readouterr().err


def test_rt_alone_needs_its_judge():
    with pytest.raises(InputError, match='--augment rt needs the 2D discriminator'):
        parsed('--augment', 'rt', '--discriminators', '3d')


def test_lists_are_put_in_order():
    args = parsed('--augment', 'rt,ba', '--discriminators', '3d,2d')
    assert args.augment == 'ba,rt' and args.discriminators == '2d,3d' and parsed().augment == ','.join(HEADS)


def test_the_flags_reach_the_networks(tmp_path):
    _, state, run = started('model_pos', tmp_path, '--augment', 'ba', '--kcs', 'whole')
    run.close()
    assert state.game.augmentor.heads == 'ba' and list(state.game.critic3d.branches) == ['body']


@pytest.mark.parametrize('kcs', ['whole', 'off'])
@pytest.mark.parametrize('frames', ['1', '9'])
def test_the_form_of_the_3d_discriminator_changes_no_other_network(tmp_path, kcs, frames):
    """All of them draw their first weights from one generator."""
    lifter = '--posenet_name', 'videopose', '--receptive_field', frames
    (_, published, first), (_, other, second) = (started('model_pos', tmp_path / name, '--kcs', name, lifter=lifter)
                                                 for name in ('part', kcs))
    first.close(), second.close()
    for player in ('augmentor', 'critic2d', 'lifter'):
        assert same(*(getattr(state.game, player).state_dict() for state in (published, other)))
    assert not same(published.game.critic3d.state_dict(), other.game.critic3d.state_dict())

"""The game's monitor: which figures it takes for a collapse of the game."""
from types import SimpleNamespace

import pytest
import torch

from function_poseaug.arguments import feedback_terms, loss_weights, poseaug_parser
from function_poseaug.monitor import BLOWN_UP, SETTLED, GameMonitor, limits
from function_poseaug.steps import HEALTH, KEPT_SHARE, spread_of

ARGS = poseaug_parser('').parse_args([])
# the means of a healthy run's fifth epoch on real motion (mlp, gt)
USUAL = {'train_G_iter_diff_log/log_angle_diff': .32, f'{HEALTH}/angle_spread': .1, f'{HEALTH}/view_spread': .8,
           f'{HEALTH}/depth_spread': .5, f'{HEALTH}/image_spread': .3, KEPT_SHARE: .9,
           'train_G_iter_posenet_feedback/ba_hard_mean': 2.2, 'train_G_iter_posenet_feedback/rt_hard_mean': 5.3}
CRITICS = {f'train_G_iter_PoseAug/{critic}_{figure}': value for critic in ('d3d', 'd2d')
           for figure, value in (('real_acc', .95), ('fake_acc', .8), ('dis_loss', .2))}


def monitor_of(first=(), second=(), start=SETTLED):
    """A GameMonitor that has seen 20 iterations, the critics in every second; the epoch's halves differ as told."""
    monitor = GameMonitor(loss_weights(ARGS), feedback_terms(ARGS, 5))
    for number in range(20):
        changed = {**USUAL, **CRITICS, **dict(first if number < 10 else second)}
        monitor.observe({tag: value for tag, value in changed.items() if number % 2 == 0 or tag not in CRITICS},
                        start + number)
    return monitor


def test_healthy_figures_raise_no_alarm():
    assert monitor_of().signs() == []


@pytest.mark.parametrize('limit', limits(loss_weights(ARGS), feedback_terms(ARGS, 5)), ids=lambda limit: limit.name)
def test_a_figure_beyond_either_limit_is_a_sign_with_its_value(limit):
    for beyond in {limit.lowest - .001, limit.highest * 1.01} - {float('inf')}:
        sign, = monitor_of(second={limit.tag: beyond}).signs()
        assert limit.name in sign and f'{beyond:.3g}' in sign
    assert monitor_of(second={limit.tag: max(limit.lowest, .001) * 1.01}).signs() == []


def test_the_first_half_of_an_epoch_does_not_count():
    """A game may begin badly: fresh critics are far from their labels."""
    assert monitor_of(first={'train_G_iter_PoseAug/d2d_dis_loss': 50 * BLOWN_UP}).signs() == []


@pytest.mark.parametrize('real, fake, words', [(1, 1, 'never wrong'), (1, 0, 'everything for real'),
                                               (0, 1, 'everything for fake'), (0, 0, 'never right')])
@pytest.mark.parametrize('critic', ['3D', '2D'])
def test_a_critic_with_pinned_accuracies_is_a_sign_once_it_has_settled(critic, real, fake, words):
    pinned = {f'train_G_iter_PoseAug/d{critic.lower()}_{side}_acc': value for side, value in (('real', real), ('fake', fake))}
    sign, = monitor_of(second=pinned).signs()
    assert critic in sign and words in sign
    assert monitor_of(second=pinned, start=SETTLED - 30).signs() == []
    pinned[f'train_G_iter_PoseAug/d{critic.lower()}_fake_acc'] = .5
    assert monitor_of(second=pinned).signs() == []


def test_spreads_are_zero_where_all_poses_are_alike_and_grow_with_their_differences():
    generator = torch.Generator().manual_seed(0)
    one, many = (torch.randn(count, 16, 3, generator=generator) + torch.tensor([0, 0, 5.]) for count in (1, 64))
    poses = {'alike': one.expand(64, -1, -1), 'different': many}
    angles = {'alike': torch.full((64, 15), .3), 'different': torch.rand(64, 15, generator=generator)}
    spreads = {name: spread_of(SimpleNamespace(rt=pose, ba_diff=angles[name]), pose[..., :2] / pose[..., 2:])
               for name, pose in poses.items()}
    assert len(spreads['alike']) == 4
    for tag, value in spreads['alike'].items():
        assert abs(float(value)) < 1e-4 and spreads['different'][tag] > .05

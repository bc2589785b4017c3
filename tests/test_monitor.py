"""The game's monitor: which figures it takes for a collapse, and what the loop then does."""
import re
import shutil
from types import SimpleNamespace

import pytest
import torch

import run_poseaug
from function_poseaug.arguments import feedback_terms, loss_weights, poseaug_parser
from function_poseaug.monitor import BLOWN_UP, SETTLED, GameMonitor, limits
from function_poseaug.steps import HEALTH, KEPT_SHARE, spread_of
from utils.checkpoint import LAST, read_checkpoint

ARGS = poseaug_parser('').parse_args([])
# the means of a healthy run's fifth epoch on real motion (mlp, gt)
HEALTHY = {'train_G_iter_diff_log/log_angle_diff': .32, f'{HEALTH}/angle_spread': .1, f'{HEALTH}/view_spread': .8,
           f'{HEALTH}/depth_spread': .5, f'{HEALTH}/image_spread': .3, KEPT_SHARE: .9,
           'train_G_iter_posenet_feedback/ba_hard_mean': 2.2, 'train_G_iter_posenet_feedback/rt_hard_mean': 5.3}
CRITICS = {f'train_G_iter_PoseAug/{critic}_{figure}': value for critic in ('d3d', 'd2d')
           for figure, value in (('real_acc', .95), ('fake_acc', .8), ('dis_loss', .2))}


def monitor_of(first=(), second=(), start=SETTLED):
    """A GameMonitor that has seen 20 iterations, the critics in every second; the epoch's halves differ as told."""
    monitor = GameMonitor(loss_weights(ARGS), feedback_terms(ARGS, 5))
    for number in range(20):
        changed = {**HEALTHY, **CRITICS, **dict(first if number < 10 else second)}
        monitor.observe({tag: value for tag, value in changed.items() if number % 2 == 0 or tag not in CRITICS},
                        start + number)
    return monitor


def signs_of(start=SETTLED, **figures):
    return monitor_of(second={tag.replace('__', '/'): value for tag, value in figures.items()}, start=start).signs()


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
    one = torch.randn(1, 16, 3, generator=generator) + torch.tensor([0, 0, 5.])
    poses = {'alike': one.expand(64, -1, -1), 'different': torch.randn(64, 16, 3, generator=generator) + torch.tensor([0, 0, 5.])}
    angles = {'alike': torch.full((64, 15), .3), 'different': torch.rand(64, 15, generator=generator)}
    spreads = {name: spread_of(SimpleNamespace(rt=pose, ba_diff=angles[name]), pose[..., :2] / pose[..., 2:])
               for name, pose in poses.items()}
    assert len(spreads['alike']) == 4
    for tag, value in spreads['alike'].items():
        assert abs(float(value)) < 1e-4 and spreads['different'][tag] > .05


def test_every_figure_that_is_watched_is_logged(tiny_root, runs):
    """A tag renamed elsewhere would blind the monitor."""
    watched = {limit.tag for limit in limits(loss_weights(ARGS), feedback_terms(ARGS, 5))} | set(CRITICS)
    seen = set()
    observe = GameMonitor.observe

    def noting(monitor, figures, iteration):
        seen.update(figures)
        observe(monitor, figures, iteration)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GameMonitor, 'observe', noting)
        play(tiny_root, runs, '--epochs', '1')
    assert watched <= seen


# the loop

@pytest.fixture
def runs(tmp_path):
    yield tmp_path / 'runs'
    shutil.rmtree(tmp_path / 'runs', ignore_errors=True)


def play(root, runs, *flags):
    """A PoseAug run on S1's walking, 56 poses, without a pretrained lifter; the run directory."""
    return run_poseaug.main(['--data_root', str(root), '--device', 'cpu', '--checkpoint', str(runs), '--posenet_name', 'mlp',
                             '--stages', '1', '--s1only', 'true', '--actions', 'Walking', '--batch_size', '8', '--note',
                             'test', '--pretrain', 'false', '--warmup', '9', *flags])


FORCED = ('--lr_g', '1', '--lr_d', '1')


def epochs_of(run):
    """The first column of log.txt's rows."""
    return [int(float(line.split('\t')[0])) for line in (run / 'log.txt').read_text().splitlines()
            if re.match(r'\d+\.\d{6}\t', line)]


def test_a_forced_collapse_is_noticed_within_two_epochs_and_healed(tiny_root, runs, capsys):
    run = play(tiny_root, runs, *FORCED, '--epochs', '4', '--on_collapse', 'restart')
    log = (run / 'log.txt').read_text()
    first = re.search(r'epoch (\d+): the game has collapsed: (.+); restart 1 of 5, from epoch \d+', log)
    assert int(first[1]) <= 2 and first[2]
    assert epochs_of(run) == [1, 2, 3, 4]           # none doubled, none missing
    content = read_checkpoint(run / LAST)
    assert content['epoch'] == 4 and 1 <= content['restarts'] <= 5
    assert all(torch.isfinite(value).all() for part in ('model_pos', 'model_g', 'model_d3d', 'model_d2d')
               for value in content[part].values())
    assert content['optimizer_g']['param_groups'][0]['lr'] < .1     # from the second restart on a tenth each
    assert 'collapsed' in capsys.readouterr().out


def test_a_run_that_may_not_restart_stops_at_its_last_healthy_epoch(tiny_root, runs, capsys):
    with pytest.raises(SystemExit) as stopped:
        play(tiny_root, runs, *FORCED, '--epochs', '4', '--on_collapse', 'stop')
    errors = capsys.readouterr().err.splitlines()
    assert stopped.value.code == 2 and 'epoch' in errors[-1] and LAST not in errors[:-1]
    run, = runs.glob('mlp/gt/*')
    assert read_checkpoint(run / LAST)['epoch'] == len(epochs_of(run)) <= 1


def test_restarts_are_counted(tiny_root, runs, capsys):
    with pytest.raises(SystemExit) as stopped:
        play(tiny_root, runs, *FORCED, '--epochs', '4', '--on_collapse', 'restart', '--max_restarts', '1')
    assert stopped.value.code == 2
    assert 'restart' in capsys.readouterr().err
    run, = runs.glob('mlp/gt/*')
    assert read_checkpoint(run / LAST)['restarts'] == 1
    assert (run / 'log.txt').read_text().count('restart 1 of 1') == 1


def test_a_warning_goes_on_and_changes_no_number(tiny_root, runs, monkeypatch):
    """Healthy or not, without a restart the game is what it was."""
    monkeypatch.setattr('function_poseaug.monitor.BLOWN_UP', -1)         # every epoch is a collapse
    warned = play(tiny_root, runs / 'warned', '--epochs', '2')
    monkeypatch.undo()
    silent = play(tiny_root, runs / 'silent', '--epochs', '2')
    assert 'warning: epoch 1: the game has collapsed' in (warned / 'log.txt').read_text()
    states = [read_checkpoint(run / LAST)['model_g'] for run in (warned, silent)]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_a_restart_draws_other_numbers_and_from_the_start_makes_other_players(tiny_root, runs, monkeypatch):
    """One false alarm in the first epoch: the run goes on from there as if it had another seed for the augmentor."""
    plain = play(tiny_root, runs / 'plain', '--epochs', '1')
    verdicts = [['a false alarm'], []]
    monkeypatch.setattr(GameMonitor, 'signs', lambda self: verdicts.pop(0))
    restarted = play(tiny_root, runs / 'restarted', '--epochs', '1', '--on_collapse', 'restart')
    states = [read_checkpoint(run / LAST) for run in (plain, restarted)]
    assert states[1]['restarts'] == 1
    for part in ('model_g', 'model_d3d', 'model_d2d'):
        assert all(not torch.equal(states[0][part][name], value) for name, value in states[1][part].items()
                   if name.endswith('.weight') and 'norm' not in name)
    rates = [state['optimizer_g']['param_groups'][0]['lr'] for state in states]
    assert rates[0] == rates[1]             # the first restart leaves them

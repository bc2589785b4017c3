"""What PoseAug's loop does when the game has collapsed: warn, stop, or go back to the last healthy epoch."""
import re
import shutil
from pathlib import Path

import pytest
import torch

import run_poseaug
from function_poseaug import loop
from function_poseaug.state import PoseAugState
from function_poseaug.monitor import GameMonitor
from run_reading import events, figures, log_rows, same, training_state
from trainers import POSES, cut_off
from utils.runs.checkpoint import HEALTHY, LAST, read_checkpoint

pytestmark = pytest.mark.usefixtures('without_pictures')
ITERATIONS = 2

def play(root, runs, *flags):
    """A PoseAug run on S1's walking, without a pretrained lifter, in epochs of ITERATIONS; the run directory."""
    return run_poseaug.main(['--data_root', str(root), '--device', 'cpu', '--checkpoint', str(runs), '--posenet_name', 'gcn',
                             '--stages', '1', '--s1only', 'true', '--actions', 'Walking', '--note', 'test',
                             '--batch_size', str(POSES // ITERATIONS), '--pretrain', 'false', '--warmup', '9', *flags])


MORE_ITERATIONS = ('--batch_size', '8')
FORCED = ('--lr_g', '1', '--lr_d', '1', *MORE_ITERATIONS)


def epochs_of(run):
    """The first column of log.txt's rows."""
    return [int(figures(row)[0]) for row in log_rows(run)]


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_run_that_may_not_restart_stops_at_its_last_healthy_epoch(tiny_root, runs, capsys):
    with pytest.raises(SystemExit) as stopped:
        play(tiny_root, runs, *FORCED, '--epochs', '4', '--on_collapse', 'stop')
    errors = capsys.readouterr().err.splitlines()
    assert stopped.value.code == 3 and 'epoch' in errors[-1] and LAST not in errors[:-1]
    run, = runs.glob('gcn/gt/*')
    assert read_checkpoint(run / LAST)['epoch'] == len(epochs_of(run)) <= 1


@pytest.mark.slow
def test_restarts_are_counted(tiny_root, runs, capsys):
    with pytest.raises(SystemExit) as stopped:
        play(tiny_root, runs, *FORCED, '--epochs', '4', '--on_collapse', 'restart', '--max_restarts', '1')
    assert stopped.value.code == 3
    assert 'restart' in capsys.readouterr().err
    run, = runs.glob('gcn/gt/*')
    assert read_checkpoint(run / LAST)['restarts'] == 1
    assert (run / 'log.txt').read_text().count('restart 1 of 1') == 1


@pytest.mark.slow
def test_under_warn_a_run_goes_on_with_the_same_numbers(tiny_root, runs, monkeypatch):
    """Healthy or not, without a restart the game is what it was."""
    monkeypatch.setattr('function_poseaug.monitor.BLOWN_UP', -1)         # every epoch is a collapse
    warned = play(tiny_root, runs / 'warned', *MORE_ITERATIONS, '--epochs', '2')
    monkeypatch.undo()
    silent = play(tiny_root, runs / 'silent', *MORE_ITERATIONS, '--epochs', '2')
    assert 'warning: epoch 1: the game has collapsed' in (warned / 'log.txt').read_text()
    states = [read_checkpoint(run / LAST)['model_g'] for run in (warned, silent)]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


@pytest.mark.slow
def test_a_restart_uses_other_random_numbers_and_before_epoch_1_new_networks(tiny_root, runs, monkeypatch):
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


# the last healthy epoch

@pytest.fixture
def ill(monkeypatch):
    """A set of epochs, to be filled, that the monitor takes for a collapse until the run goes back once."""
    epochs, restart = set(), PoseAugState.restart

    def healing(*arguments):
        restart(*arguments)
        epochs.clear()

    monkeypatch.setattr(GameMonitor, 'signs', lambda self: ['it is ill'] * (self.iteration // ITERATIONS + 1 in epochs))
    monkeypatch.setattr(PoseAugState, 'restart', healing)
    return epochs


def resume(root, run, *flags):
    return run_poseaug.main(['--data_root', str(root), '--device', 'cpu', '--resume', str(run), *flags])


def kept_epochs(run):
    """The epochs of the last checkpoint and, where there is one, of the last healthy one."""
    return [read_checkpoint(run / name)['epoch'] for name in (LAST, HEALTHY) if (run / name).exists()]


def assert_same(first, second):
    assert same(training_state(first), training_state(second)) and kept_epochs(first) == kept_epochs(second)
    assert log_rows(first) == log_rows(second) and events(first) == events(second)


@pytest.mark.slow
def test_the_last_healthy_epoch_is_kept_until_the_next_healthy_one(tiny_root, runs, ill):
    ill.update([1, 3, 4])
    run = play(tiny_root, runs, '--epochs', '4')
    assert kept_epochs(run) == [4, 2]         # that of epoch 0 was dropped after epoch 2
    ill.clear()
    run = play(tiny_root, runs / 'healthy', '--epochs', '1')
    assert kept_epochs(run) == [1]
    shutil.copy(run / LAST, run / HEALTHY)    # as a kill leaves it just before it is dropped
    assert kept_epochs(resume(tiny_root, run)) == [1]


@pytest.mark.slow
def test_a_warned_run_that_is_cut_off_keeps_its_last_healthy_epoch(tiny_root, runs, ill):
    """Before the first checkpoint of an ill epoch is written, and before an outdated healthy one is dropped."""
    ill.update([2, 4])
    whole = play(tiny_root, runs / 'whole', '--epochs', '4')
    assert kept_epochs(whole) == [4, 3]
    for method, call, left in (('save_last', 2, [1, 1]), ('drop_healthy', 1, [3, 1])):
        cut_off(method, call, play, tiny_root, runs / method, '--epochs', '4')
        run, = (runs / method).glob('gcn/gt/*')
        assert kept_epochs(run) == left
        resume(tiny_root, run)
        assert_same(run, whole)
        assert log_of(run) == log_of(whole)


def log_of(run):
    return (run / 'log.txt').read_text().split('epoch\tlr')[1]


@pytest.mark.slow
def test_a_warned_run_restarts_from_its_last_healthy_epoch_wherever_it_is_cut_off(tiny_root, runs, ill):
    """Finished or not; also where a kill comes between two of the files that a restart changes."""
    ill.update([2, 3])
    run = play(tiny_root, runs / 'run', '--epochs', '3')
    assert kept_epochs(run) == [3, 1]
    cuts = {method: shutil.copytree(run, runs / method) for method in ('rewind', 'save_last')}
    resume(tiny_root, run, '--on_collapse', 'restart')
    assert kept_epochs(run) == [3] and training_state(run)['restarts'] == 1
    line, = (line for line in log_of(run).splitlines() if 'collapsed' in line)
    assert 'epoch 3: the game has collapsed: it is ill; restart 1 of 5, from epoch 1' in line
    for method, copy in cuts.items():
        ill.update([2, 3])
        cut_off(method, 0, resume, tiny_root, copy, '--on_collapse', 'restart')
        ill.update([2, 3])
        resume(tiny_root, copy)
        assert_same(copy, run)


@pytest.mark.slow
def test_under_stop_a_collapsed_run_is_not_continued(tiny_root, runs, ill, capsys):
    ill.update([1])
    run = play(tiny_root, runs, '--epochs', '1')
    before = (run / LAST).read_bytes()
    with pytest.raises(SystemExit):
        resume(tiny_root, run, '--on_collapse', 'stop')
    assert f'{run / HEALTHY} holds the last healthy epoch' in capsys.readouterr().err
    assert kept_epochs(run) == [1, 0] and (run / LAST).read_bytes() == before
    with pytest.raises(SystemExit):
        resume(tiny_root, run / HEALTHY)
    assert '--on_collapse restart' in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize('spoil, word', [(Path.unlink, 'is no file'), (lambda path: torch.save({'a': 1}, path), 'damaged')],
                         ids=['missing', 'of no run'])
def test_a_run_without_its_healthy_checkpoint_is_refused_and_not_changed(tiny_root, runs, ill, capsys, spoil, word):
    ill.update([1])
    run = play(tiny_root, runs, '--epochs', '1')
    spoil(run / HEALTHY)
    before = (run / LAST).read_bytes()
    with pytest.raises(SystemExit) as stopped:
        resume(tiny_root, run, '--on_collapse', 'restart')
    line, = capsys.readouterr().err.splitlines()
    assert stopped.value.code == 2 and str(run / HEALTHY) in line and word in line
    assert (run / LAST).read_bytes() == before and epochs_of(run) == [1]


# the lifter's own epochs

@pytest.fixture
def poisoned(ill, monkeypatch):
    """A function: the pairs of this kind are NaN when the lifter is next trained on them."""
    def poison(tag):
        train_on, doses = loop._train_on, [float('nan')]

        def train(state, args, count, take, its_tag):
            dose = doses.pop() if tag == its_tag and doses else 1
            train_on(state, args, max(count, 8), lambda index: (take(index % count)[0] * dose, take(index % count)[1]), its_tag)

        monkeypatch.setattr(loop, '_train_on', train)
    return poison


@pytest.mark.slow
@pytest.mark.parametrize('tag', ['fake', 'real'])
def test_after_nan_in_the_lifters_training_the_run_restarts(tiny_root, runs, poisoned, tag):
    poisoned(tag)
    run = play(tiny_root, runs, '--epochs', '2', '--warmup', '0', '--on_collapse', 'restart')
    assert f'epoch 1: lifter on {tag} pairs, iteration 1: loss is nan; restart 1 of 5, from epoch 0' in log_of(run)
    content = read_checkpoint(run / LAST)
    assert epochs_of(run) == [1, 2] and content['restarts'] == 1
    assert all(value.isfinite().all() for value in content['model_pos'].values())
    assert list(events(run)['posenet_H36M_test/p1score_fake']) == [0, 1, 2]


@pytest.mark.slow
@pytest.mark.parametrize('choice, words', [
    ('warn', 'the last checkpoint is still good'), pytest.param('restart', '0 restarts were made', marks=pytest.mark.slow),
    pytest.param('stop', 'the last checkpoint is still good', marks=pytest.mark.slow)])
def test_nan_in_the_lifters_training_ends_a_run_that_may_not_restart(tiny_root, runs, poisoned, capsys, choice, words):
    poisoned('real')
    with pytest.raises(SystemExit) as stopped:
        play(tiny_root, runs, '--epochs', '1', '--warmup', '0', '--on_collapse', choice, '--max_restarts', '0')
    line, = capsys.readouterr().err.splitlines()
    assert stopped.value.code == 3 and 'epoch 1: lifter on real pairs, iteration 1: loss is nan' in line and words in line
    run, = runs.glob('gcn/gt/*')
    assert kept_epochs(run) == [0] and not log_rows(run)

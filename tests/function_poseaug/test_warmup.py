"""--warmup_kept: the game is played again in the last epoch of the warm-up until the filter keeps enough poses."""
import re

import pytest

import run_poseaug
from function_poseaug import warmup
from refusals import refused
from run_reading import events, figures, log_rows, same, training_state
from trainers import POSES

pytestmark = pytest.mark.usefixtures('without_pictures')
ITERATIONS = 7


def play(root, runs, *flags):
    """A PoseAug run of two epochs on S1's walking, the first of them warm-up; the run directory."""
    return run_poseaug.main(['--data_root', str(root), '--device', 'cpu', '--checkpoint', str(runs), '--posenet_name', 'gcn',
                             '--stages', '1', '--s1only', 'true', '--actions', 'Walking', '--note', 'test',
                             '--pretrain', 'false', '--batch_size', str(POSES // ITERATIONS), '--epochs', '2', '--warmup', '1',
                             *flags])


def kept_in(text, epoch):
    """How many poses each round of an epoch kept."""
    return [int(kept) for kept in re.findall(rf'epoch {epoch}: kept (\d+) of {POSES} augmented', text)]


@pytest.mark.slow
def test_the_last_epoch_of_the_warm_up_is_played_until_enough_poses_are_kept(tiny_root, runs, capsys):
    plain = play(tiny_root, runs / 'plain')
    first, = kept_in(capsys.readouterr().out, 1)
    enough = play(tiny_root, runs / 'enough', '--warmup_kept', str(first / POSES))
    assert same(training_state(enough), training_state(plain)) and kept_in(capsys.readouterr().out, 1) == [first]
    longer = play(tiny_root, runs / 'longer', '--warmup_kept', str((first + 1) / POSES))
    out = capsys.readouterr().out
    rounds, after = kept_in(out, 1), kept_in(out, 2)
    assert rounds[0] == first and max(rounds[:-1]) <= first < rounds[-1] and len(after) == 1
    assert [int(figures(row)[0]) for row in log_rows(longer)] == [1, 2]
    assert training_state(longer)['iteration'] == ITERATIONS * (len(rounds) + 1)


@pytest.mark.slow
def test_each_round_draws_other_random_numbers_and_their_number_has_an_end(tiny_root, runs, capsys, monkeypatch):
    monkeypatch.setattr(warmup, 'MOST_ROUNDS', 4)
    run = play(tiny_root, runs, '--warmup_kept', '1', '--lr_g', '0', '--lr_d', '0')      # the networks do not change
    out, changes = capsys.readouterr().out, events(run)['train_G_iter_diff_log/log_angle_diff']
    assert len(kept_in(out, 1)) == 5 and len(kept_in(out, 2)) == 1
    assert len({round(changes[start], 5) for start in range(0, 5 * ITERATIONS, ITERATIONS)}) == 5
    assert 'warning: after 4 more rounds of the game the filter still keeps fewer poses than --warmup_kept 1' in out


@pytest.mark.slow
def test_without_the_2d_discriminator_it_is_played_once(tiny_root, runs, capsys):
    play(tiny_root, runs, '--warmup_kept', '1', '--discriminators', '3d')
    assert len(kept_in(capsys.readouterr().out, 1)) == 1


@pytest.mark.parametrize('flags, words', [(('--warmup', '0', '--warmup_kept', '0.5'), '--warmup_kept makes the warm-up longer'),
                                          (('--warmup_kept', '95'), "'95' is not a share: give a number from 0 to 1")])
def test_a_share_that_makes_no_sense_is_refused(capsys, flags, words):
    assert words in refused(capsys, run_poseaug, *flags)

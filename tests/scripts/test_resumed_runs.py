"""Runs of both trainers that are cut off and resumed end as if nothing had happened, bit for bit on a CPU."""
import shutil

import pytest
import torch

import run_baseline
import run_poseaug
from refusals import files_below, refused
from run_reading import checkpoint, events, figures, log_rows, same, training_state
from trainers import BATCH, BATCHES, baseline, cut_off, poseaug
from utils.runs.run_directory import RunDirectory

QUICK = pytest.mark.usefixtures('without_pictures')


def interrupted(folder, begin, saves):
    """The run directory of `begin(folder)`, ended before another state is saved: with a log row that no checkpoint knows."""
    cut_off('save_last', saves, begin, folder)
    return next(folder.glob('*/gt/*'))


def assert_same_run(resumed, whole):
    assert same(training_state(resumed), training_state(whole))
    assert (resumed / 'log.txt').read_text().split('epoch\tlr')[1] == (whole / 'log.txt').read_text().split('epoch\tlr')[1]
    assert events(resumed) == events(whole)
    names = {path.name for path in whole.glob('ckpt_*')}
    assert names == {path.name for path in resumed.glob('ckpt_*')}
    for name in names:
        ours, theirs = checkpoint(resumed, name), checkpoint(whole, name)
        assert ours['epoch'] == theirs['epoch']
        assert all(same(ours[key], theirs[key]) for key in ('state_dict', 'model_pos') if key in theirs)


@pytest.mark.slow
@QUICK
@pytest.mark.parametrize('lifter, by', [('gcn', 'file'), pytest.param('mlp', 'directory', marks=pytest.mark.slow)])
def test_a_resumed_baseline_is_the_uninterrupted_one(tiny_root, runs, lifter, by):
    def begin(folder):
        return baseline(tiny_root, folder, lifter, '--epochs', 4, '--lr_decay', 3, '--snapshot', 3)

    whole, cut = begin(runs / 'whole'), interrupted(runs / 'cut', begin, saves=2)
    assert len(log_rows(cut)) == 3
    place = cut if by == 'directory' else cut / 'ckpt_last.pth.tar'
    assert run_baseline.main(['--resume', str(place), '--data_root', str(tiny_root)]) == cut
    assert_same_run(cut, whole)


@QUICK
@pytest.mark.slow
@pytest.mark.parametrize('lifter, epochs', [('gcn', 3), ('mlp', 2)])
def test_a_resumed_poseaug_run_is_the_uninterrupted_one(tiny_root, runs, pretrained, lifter, epochs):
    def begin(folder):
        return poseaug(tiny_root, folder, lifter, pretrained[lifter], '--epochs', epochs, '--warmup', 1)

    whole, cut = begin(runs / 'whole'), interrupted(runs / 'cut', begin, saves=epochs)    # one is epoch 0's
    assert len(log_rows(cut)) == epochs
    assert run_poseaug.main(['--resume', str(cut), '--data_root', str(tiny_root)]) == cut
    assert_same_run(cut, whole)
    # here no pool fills up, so a lost one would not show in the weights
    seen = len(range(0, epochs * BATCHES, 2)) * BATCH
    for pool in ('pool_3d', 'pool_2d'):
        items = training_state(cut)[pool]['items']
        assert items[:seen].abs().amax((1, 2)).min() > 0 and not items[seen:].any()


@QUICK
@pytest.mark.slow
def test_a_run_of_epochs_on_parts_of_the_poses_is_resumed_too(tiny_root, runs, pretrained):
    per_epoch = 37      # of 56: the second epoch ends the first round

    def begin_baseline(folder):
        return baseline(tiny_root, folder, 'gcn', '--epochs', 4, '--poses_per_epoch', per_epoch, '--schedule', 'cosine')

    def begin_poseaug(folder):
        return poseaug(tiny_root, folder, 'gcn', pretrained['gcn'], '--epochs', 3, '--warmup', 1,
                       '--poses_per_epoch', per_epoch)

    for script, begin, saves in ((run_baseline, begin_baseline, 2), (run_poseaug, begin_poseaug, 3)):
        whole, cut = begin(runs / 'whole'), interrupted(runs / 'cut', begin, saves)
        assert script.main(['--resume', str(cut), '--data_root', str(tiny_root), '--poses_per_epoch', str(per_epoch)]) == cut
        assert_same_run(cut, whole)
        if script is run_baseline:
            assert figures(log_rows(whole)[-1])[1] == 0      # the cosine counts the steps of such epochs
        else:
            assert training_state(whole)['iteration'] == 3 * -(-per_epoch // BATCH)
        shutil.rmtree(runs)


@QUICK
@pytest.mark.slow
@pytest.mark.parametrize('device', ['cpu', 'cuda', 'mps'])
def test_a_resumed_run_draws_the_same_numbers_on_every_device(tiny_root, runs, gcn_baseline, device):
    """Promised on a CPU: the bits. On a GPU: the same random numbers, while sums may be ordered differently.

    So the first iteration after the cut, which begins with the same weights, agrees closely; later ones of a chaotic game in
    what is drawn and counted alone.
    """
    if not dict(cpu=True, cuda=torch.cuda.is_available(), mps=torch.backends.mps.is_available())[device]:
        pytest.skip(f'this machine has no {device}')
    save_last = RunDirectory.save_last

    def save_and_copy(run, content):
        save_last(run, content)
        if content['epoch'] == 2:
            shutil.copytree(run.path, runs / 'cut', ignore=shutil.ignore_patterns('.lock'))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunDirectory, 'save_last', save_and_copy)
        whole = poseaug(tiny_root, runs, 'gcn', gcn_baseline, '--epochs', 4, '--warmup', 1, '--device', device)
    cut = run_poseaug.main(['--resume', str(runs / 'cut'), '--data_root', str(tiny_root), '--device', device])
    if device == 'cpu':
        assert_same_run(cut, whole)
    tags, wholes = events(cut), events(whole)
    assert {tag: list(steps) for tag, steps in tags.items()} == {tag: list(steps) for tag, steps in wholes.items()}
    first = 2 * BATCHES
    for tag in tags:
        if tag.startswith('train_G_iter') and first in tags[tag]:
            assert tags[tag][first] == pytest.approx(wholes[tag][first], rel=1e-2, abs=1e-4), tag
    assert [figures(row)[:2] for row in log_rows(cut)] == [figures(row)[:2] for row in log_rows(whole)]
    states = training_state(cut), training_state(whole)
    for name in ('epoch', 'iteration', 'restarts', 'signs'):
        assert states[0][name] == states[1][name]
    assert states[0]['pool_3d']['_extra_state'] == states[1]['pool_3d']['_extra_state']
    assert states[0]['optimizer_g']['state'][0]['step'] == states[1]['optimizer_g']['state'][0]['step']


def test_resuming_a_finished_run_changes_nothing(tiny_root, gcn_baseline, runs):
    run = shutil.copytree(gcn_baseline, runs / 'copy')
    assert run_baseline.main(['--resume', str(run), '--data_root', str(tiny_root)]) == run
    assert same(training_state(run), training_state(gcn_baseline)) and log_rows(run) == log_rows(gcn_baseline)


@pytest.mark.parametrize('flags, named', [
    (['--lr', '.5'], '--lr 0.5 contradicts'), (['--posenet_name', 'mlp'], '--posenet_name mlp'),
    (['--epochs', '9'], '--epochs 9'), (['--s1only', 'false'], '--s1only False')])
def test_a_flag_that_contradicts_the_run_is_refused(tiny_root, gcn_baseline, capsys, flags, named):
    before = files_below(gcn_baseline)
    assert named in refused(capsys, run_baseline, '--resume', gcn_baseline, '--data_root', tiny_root, *flags)
    assert files_below(gcn_baseline) == before


@pytest.mark.slow
def test_only_a_run_of_this_trainer_is_resumed(tiny_root, gcn_baseline, poseaugs, capsys):
    for script, place in ((run_baseline, poseaugs['gcn']), (run_poseaug, gcn_baseline),
                          (run_baseline, gcn_baseline / 'ckpt_best.pth.tar'),
                          (run_poseaug, poseaugs['gcn'] / 'ckpt_best_h36m_p1.pth.tar')):
        assert 'cannot be continued' in refused(capsys, script, '--resume', place, '--data_root', tiny_root)

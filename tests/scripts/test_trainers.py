"""Both trainers through their scripts' main(), on tiny data: what a run leaves, and that it repeats itself."""
import re

import pytest
import torch

import run_baseline
import run_evaluate
import run_poseaug
from common.skeleton import H36M_16
from function_baseline.arguments import baseline_parser, parse
from function_baseline.data import load_training
from function_poseaug.arguments import feedback_terms, loss_weights, poseaug_parser
from function_poseaug.monitor import limits
from models_baseline import LIFTERS, build_lifter
from refusals import refused
from run_reading import checkpoint, events, figures, log_rows, same, training_state
from trainers import BATCHES, POSES, baseline, poseaug, start


def slow(lifter):
    return pytest.param(lifter, marks=pytest.mark.slow)


EACH_LIFTER = pytest.mark.parametrize('lifter', ['gcn', *(slow(name) for name in LIFTERS if name != 'gcn')])
QUICK = pytest.mark.usefixtures('without_pictures')
SCORES = ('error_h36m_p1', 'error_h36m_p2', 'error_3dhp_p1', 'error_3dhp_p2')
SCORE_TAGS = ('posenet_H36M_test/p1score', 'posenet_H36M_test/p2score', 'posenet_mpi3d_loader_flip/p1score',
              'posenet_mpi3d_loader_flip/p2score')       # in the order of the log's columns
OWN_SCORE_TAGS = {f'{place}/{figure}' for place in ('posenet_H36M_test', 'posenet_mpi3d_loader_flip')
                  for figure in ('pck16', 'auc16', 'pck14', 'auc14')}      # ours, beside the reference's
DASHBOARD_TAGS = {f'joint_error_{place}/{name}' for place in ('h36m', 'dhp') for name in H36M_16.names[1:]} | {
    f'scores/{column}' for column in SCORES}
BEST = {f'ckpt_best_{name}.pth.tar' for name in ('h36m_p1', 'h36m_p2', 'dhp_p1', 'dhp_p2')}


def files_below(run):
    """Names of the files a run left, the event file's without its time and host."""
    return sorted(re.sub(r'(tfevents)\..*', r'\1', str(path.relative_to(run))) for path in run.rglob('*') if path.is_file())


def scalars(run):
    """What `events` tells of numbers alone."""
    return {tag: steps for tag, steps in events(run).items() if not any(isinstance(value, str) for value in steps.values())}


# what a run leaves

@EACH_LIFTER
def test_files_of_a_baseline(baselines, lifter):
    run = baselines[lifter]
    assert files_below(run) == ['.lock', 'ckpt_best.pth.tar', 'ckpt_epoch_0002.pth.tar', 'ckpt_last.pth.tar', 'curve.png',
                                'events.out.tfevents', 'log.txt', 'run.json']
    assert run.parent.parts[-2:] == (lifter, 'gt') and re.fullmatch(r'\d{10}_test(-\d+)?', run.name)
    assert (run / 'curve.png').read_bytes().startswith(b'\x89PNG')


@EACH_LIFTER
def test_files_of_a_poseaug_run(poseaugs, lifter):
    run = poseaugs[lifter]
    assert files_below(run) == sorted(['.lock', *BEST, 'ckpt_last.pth.tar', 'events.out.tfevents', 'log.txt', 'run.json',
                                       'poseaug_viz/epoch_0001_iter_0000.png'])
    assert run.parent.parts[-2:] == (lifter, 'gt') and re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+_test', run.name)
    assert (run / 'poseaug_viz/epoch_0001_iter_0000.png').read_bytes().startswith(b'\x89PNG')


@EACH_LIFTER
def test_log_of_a_baseline(baselines, lifter):
    lines = (baselines[lifter] / 'log.txt').read_text().splitlines()
    header = lines.index('epoch\tlr\tloss_train\t' + '\t'.join(SCORES) + '\t')
    assert {'batch_size: 11', 'epochs: 2', f'posenet_name: {lifter}'} <= set(lines[:header])
    assert len(lines) == header + 3
    for line in lines[header + 1:]:
        assert re.fullmatch(r'(\d+\.\d{6}\t){7}', line)
    assert [figures(line)[:2] for line in lines[header + 1:]] == [[1, .001], [2, .001]]


@EACH_LIFTER
def test_log_of_a_poseaug_run(poseaugs, lifter):
    lines = (poseaugs[lifter] / 'log.txt').read_text().splitlines()
    header = lines.index('epoch\tlr\t' + '\t'.join(SCORES) + '\t')
    before = lines[:header]
    assert {'hardratio_ba: 5.0', f'posenet_name: {lifter}'} <= set(before)
    assert any('BatchNorm' in line for line in before)                     # the model's text follows the arguments
    saved = [line for line in lines[header + 1:] if line.startswith('saved ckpt_best_')]
    assert {line.split(':')[0].removeprefix('saved ') for line in saved} == BEST
    rows = [line for line in lines[header + 1:] if line not in saved]
    assert rows == log_rows(poseaugs[lifter]) and len(rows) == (4 if lifter == 'mlp' else 1)
    assert all(re.fullmatch(r'(\d+\.\d{6}\t){6}', row) for row in rows)


@EACH_LIFTER
def test_tags_of_a_baseline(baselines, lifter):
    tags = scalars(baselines[lifter])
    assert tags.keys() == {*SCORE_TAGS, *OWN_SCORE_TAGS, *DASHBOARD_TAGS, 'train/loss', 'train/lr'}
    for row in log_rows(baselines[lifter]):
        epoch, lr, loss, *scores = figures(row)
        found = [tags[tag][epoch] for tag in ('train/lr', 'train/loss', *SCORE_TAGS)]
        assert found == pytest.approx([lr, loss, *scores], rel=1e-5, abs=1e-6)


@EACH_LIFTER
def test_tags_of_a_poseaug_run(poseaugs, lifter):
    """As they lie on the disk: tensorboardX puts _ where a tag has a character that it does not like."""
    tags = scalars(poseaugs[lifter])
    game = {f'train_G_iter_PoseAug/{critic}_{figure}' for critic in ('g3d', 'g2d')
            for figure in ('real_acc', 'fake_acc', 'adv_loss')}
    critics = {f'train_G_iter_PoseAug/{critic}_{figure}' for critic in ('d3d', 'd2d')
               for figure in ('real_acc', 'fake_acc', 'dis_loss')}
    feedback = {f'train_G_iter_posenet_feedback/{head}_hard_{figure}' for head in ('ba', 'rt')
                for figure in ('mean', 'std', 'mean_loss', 'std_loss', 'sample')}
    feedback |= {f'train_G_iter_posenet_feedback/{name}' for name in (
        '1__pos_pair_loss_origin', '2__pos_pair_loss_ba', '3__pos_pair_loss_rt')}
    difference = {'train_G_iter_diff_loss/loss_diff_angle', 'train_G_iter_diff_loss/loss_diff_blr',
                  'train_G_iter_diff_log/log_angle_diff', 'train_G_iter_diff_log/log_diff_blr',
                  *(f'train_G_iter_diff_log/log_angle_bone_{bone:02d}' for bone in range(15))}
    health = {f'train_G_iter_health/{figure}' for figure in (
        'angle_spread', 'depth_spread', 'image_spread', 'view_spread', 'kept_share', 'gradient_g')}
    critics |= {'train_G_iter_health/gradient_d3d', 'train_G_iter_health/gradient_d2d'}
    generator = {*game, *feedback, *difference, *health, 'train_G_iter/gen_loss', 'train_G_iter/lr_now'}
    by_epoch = {tag + suffix for tag in (*SCORE_TAGS, *OWN_SCORE_TAGS) for suffix in ('_fake', '_real')}
    assert tags.keys() == generator | critics | by_epoch | DASHBOARD_TAGS
    iterations = range(BATCHES * (4 if lifter == 'mlp' else 1))
    assert all(list(tags[tag]) == list(iterations) for tag in generator)
    assert all(list(tags[tag]) == list(iterations[::2]) for tag in critics)


@pytest.mark.slow
def test_every_figure_that_the_monitor_watches_is_logged(poseaugs):
    """A tag renamed elsewhere would blind the monitor."""
    args = poseaug_parser('').parse_args([])
    watched = {limit.tag for limit in limits(loss_weights(args), feedback_terms(args, 5))}
    watched |= {f'train_G_iter_PoseAug/{critic}_{figure}' for critic in ('d3d', 'd2d')
                for figure in ('real_acc', 'fake_acc', 'dis_loss')}
    assert watched <= scalars(poseaugs['mlp']).keys()


@pytest.mark.slow
def test_both_evaluations_are_at_step_0_and_none_in_the_warm_up(poseaugs):
    tags = scalars(poseaugs['mlp'])
    for tag in (*SCORE_TAGS, *OWN_SCORE_TAGS):
        assert list(tags[tag + '_fake']) == list(tags[tag + '_real']) == [0, 3, 4]
        assert tags[tag + '_fake'][0] == tags[tag + '_real'][0]


@pytest.mark.slow
def test_warm_up_rows_repeat_epoch_0_and_later_ones_are_the_real_scores(poseaugs):
    tags = scalars(poseaugs['mlp'])
    for row, epoch in zip(log_rows(poseaugs['mlp']), (0, 0, 3, 4)):
        found = [tags[tag + '_real'][epoch] for tag in SCORE_TAGS]
        assert figures(row)[2:] == pytest.approx(found, rel=1e-6)


@pytest.mark.slow
def test_best_checkpoints_go_by_the_real_scores_and_epoch_0(poseaugs):
    tags = scalars(poseaugs['mlp'])
    for name, tag in zip(('h36m_p1', 'h36m_p2', 'dhp_p1', 'dhp_p2'), SCORE_TAGS):
        by_epoch = tags[tag + '_real']
        best = min(by_epoch, key=by_epoch.get)
        content = checkpoint(poseaugs['mlp'], f'ckpt_best_{name}.pth.tar')
        assert content['epoch'] == best
        assert content['scores'][dict(zip(SCORE_TAGS, SCORES))[tag]] == pytest.approx(by_epoch[best], rel=1e-6)


# not of the mlp, whose run also trains its lifter
@pytest.mark.parametrize('lifter', ['gcn', *(slow(name) for name in LIFTERS if name not in ('gcn', 'mlp'))])
def test_best_checkpoint_of_epoch_0_holds_the_pretrained_weights(baselines, poseaugs, lifter):
    """PoseAug: the reference saved them with the BatchNorm statistics that the game had moved by then."""
    pretrained = checkpoint(baselines[lifter], 'ckpt_best.pth.tar')['state_dict']
    for name in BEST:
        content = checkpoint(poseaugs[lifter], name)
        assert content['epoch'] == 0 and same(content['model_pos'], pretrained)
    moved = checkpoint(poseaugs[lifter])['model_pos']
    assert {key for key in pretrained if not torch.equal(pretrained[key], moved[key])} == {
        key for key in pretrained if key.endswith(('running_mean', 'running_var', 'num_batches_tracked'))}


@EACH_LIFTER
def test_checkpoints_hold_what_others_read(baselines, poseaugs, lifter):
    for run, key, names in ((baselines[lifter], 'state_dict', ['ckpt_best.pth.tar', 'ckpt_epoch_0002.pth.tar']),
                            (poseaugs[lifter], 'model_pos', BEST)):
        for name in names:
            content = checkpoint(run, name)
            assert isinstance(content['epoch'], int) and content['arguments']['posenet_name'] == lifter
            build_lifter(lifter, 1, 0.).load_state_dict(content[key], strict=True)


@pytest.mark.slow
@pytest.mark.parametrize('lifter', ['gcn', slow('mlp')])
def test_evaluating_a_checkpoint_gives_the_logged_scores(tiny_root, baselines, poseaugs, lifter, capsys):
    """By run_evaluate and by a trainer's --evaluate, without retyping --stages."""
    for script, path, row in (
            (run_evaluate, baselines[lifter] / 'ckpt_epoch_0002.pth.tar', log_rows(baselines[lifter])[-1]),
            (run_baseline, baselines[lifter] / 'ckpt_epoch_0002.pth.tar', log_rows(baselines[lifter])[-1]),
            (run_poseaug, poseaugs[lifter] / 'ckpt_last.pth.tar', None)):
        errors = script.main(['--data_root', str(tiny_root), '--device', 'cpu', '--actions', 'Walking',
                              '--posenet_name', lifter, '--evaluate', str(path)])
        found = [figure for part in errors for figure in (part.mpjpe_mm, part.p_mpjpe_mm)]
        assert all(f'{figure:.3f}' in capsys.readouterr().out for figure in found[:1])
        if row:
            assert found == pytest.approx(figures(row)[-4:], abs=1e-5)


# learning rates

@QUICK
def test_baseline_logs_the_rate_in_use(tiny_root, runs):
    run = baseline(tiny_root, runs, 'gcn', '--epochs', 3, '--lr', '.01', '--lr_decay', 2 * BATCHES, '--lr_gamma', '.01')
    assert [figures(row)[1] for row in log_rows(run)] == pytest.approx(
        [.01 * .01 ** (1 / 10), .01 * .01, .01 * .01], abs=1e-6)
    assert checkpoint(run)['optimizer']['param_groups'][0]['lr'] == pytest.approx(.01 * .01)


@pytest.mark.slow
def test_poseaug_rates_fall_linearly_warm_up_included(poseaugs):
    """The lifter's is logged after the scheduler, the augmentor's as it was in use."""
    factors = [1 - epoch / 5 for epoch in range(5)]
    assert [figures(row)[1] for row in log_rows(poseaugs['mlp'])] == pytest.approx([1e-4 * f for f in factors[1:]], abs=1e-6)
    lr_now = events(poseaugs['mlp'])['train_G_iter/lr_now']
    assert [lr_now[BATCHES * epoch] for epoch in range(4)] == pytest.approx([1e-4 * f for f in factors[:4]])
    last = checkpoint(poseaugs['mlp'])
    for name in ('optimizer_p', 'optimizer_g', 'optimizer_d3d', 'optimizer_d2d'):
        assert last[name]['param_groups'][0]['lr'] == pytest.approx(1e-4 * factors[4])


@pytest.mark.slow
@QUICK
def test_each_network_has_its_own_rate(tiny_root, runs, gcn_baseline):
    run = poseaug(tiny_root, runs, 'gcn', gcn_baseline, '--epochs', 1, '--lr_g', '.001', '--lr_d', '.002', '--lr_p', '.003')
    rates = {name: checkpoint(run)[f'optimizer_{name}']['param_groups'][0]['lr'] for name in ('g', 'd3d', 'd2d', 'p')}
    assert rates == pytest.approx(dict(g=.0005, d3d=.001, d2d=.001, p=.0015))


# repeating a run

@pytest.mark.slow
@QUICK
def test_a_baseline_repeats_itself_bit_for_bit(tiny_root, runs):
    first, again, other = (baseline(tiny_root, runs, 'gcn', '--epochs', 2, '--random_seed', seed) for seed in (1, 1, 2))
    assert same(training_state(first), training_state(again)) and log_rows(first) == log_rows(again)
    assert not same(training_state(first)['state_dict'], training_state(other)['state_dict'])


@pytest.mark.slow
@QUICK
def test_a_poseaug_run_repeats_itself_bit_for_bit(tiny_root, runs, gcn_baseline):
    first, again, other = (poseaug(tiny_root, runs, 'gcn', gcn_baseline, '--epochs', 2, '--warmup', 1, '--random_seed', seed)
                           for seed in (1, 1, 2))
    assert same(training_state(first), training_state(again)) and log_rows(first) == log_rows(again)
    assert events(first) == events(again)
    for part in ('model_pos', 'model_g', 'model_d3d', 'model_d2d', 'pool_3d', 'pool_2d'):
        assert not same(training_state(first)[part], training_state(other)[part]), part


# divergence

@QUICK
def test_a_baseline_that_diverges_stops(tiny_root, runs, capsys):
    with pytest.raises(SystemExit) as stopped:
        baseline(tiny_root, runs, 'gcn', '--epochs', 3, '--lr', '1e30', '--no_max')
    errors = capsys.readouterr().err.splitlines()
    assert stopped.value.code == 3
    assert len(errors) == 1 and re.match(r'error: epoch 1, iteration \d: (loss|gradient) is (nan|inf)', errors[0])
    assert not list(runs.rglob('ckpt_*'))


@pytest.mark.slow
@QUICK
def test_a_poseaug_run_that_diverges_stops_and_keeps_its_checkpoint(tiny_root, runs, gcn_baseline, capsys):
    with pytest.raises(SystemExit) as stopped:
        poseaug(tiny_root, runs, 'gcn', gcn_baseline, '--epochs', 3, '--lr_g', '1e30')
    errors = capsys.readouterr().err.splitlines()
    assert stopped.value.code == 3
    assert len(errors) == 1 and re.match(r'error: epoch 1, iteration \d: train_G_iter.* is (nan|inf)', errors[0])
    run, = runs.glob('gcn/gt/*')
    assert checkpoint(run)['epoch'] == 0 and not log_rows(run)


# data

@pytest.mark.slow
@QUICK
@pytest.mark.parametrize('keypoints', ['hr', 'cpn_ft_h36m_dbb', 'detectron_ft_h36m'])
def test_every_source_of_2d_trains(tiny_root, runs, gcn_baseline, keypoints):
    pretrained = baseline(tiny_root, runs, 'gcn', '--epochs', 1, '--keypoints', keypoints)
    run = poseaug(tiny_root, runs, 'gcn', pretrained, '--epochs', 1, '--warmup', 0, '--keypoints', keypoints)
    assert run.parent == pretrained.parent == runs / 'gcn' / keypoints
    assert len(log_rows(run)) == 1 and figures(log_rows(pretrained)[0])[2:] != figures(log_rows(gcn_baseline)[0])[2:]


@pytest.mark.parametrize('flags, count', [
    ([], 4200), (['--s1only', 'true'], 840), (['--s1only', 'true', '--actions', 'Walking'], POSES),
    (['--s1only', 'true', '--actions', 'Walking,Photo'], POSES + 4 * 15), (['--s1only', 'true', '--downsample', '3'], 4 * 80)])
def test_flags_select_the_training_poses(tiny_root, flags, count):
    """Sequences have 6, 7, 8, 6, ... frames and four views; every third frame of them is 2, 3, 3."""
    args = parse(baseline_parser(''), ['--data_root', str(tiny_root), *flags])
    training, tests = load_training(args, 'cpu')
    assert len(training) == count and len(tests.dhp) == 18
    batch = training.take(torch.tensor([0, count - 1]))
    assert batch.pose3d_cam.shape == (2, 16, 3) and batch.camera.shape == (2, 9)


@pytest.mark.slow
@QUICK
def test_a_run_on_downsampled_data(tiny_root, runs):
    run = start(run_poseaug, tiny_root, runs, 'gcn', '--epochs', 1, '--downsample', 4, '--pretrain', 'false')
    assert len(log_rows(run)) == 1


# where the lifter comes from

@pytest.mark.slow
@QUICK
def test_a_note_of_debug_leaves_the_lifter_untrained_and_says_so(tiny_root, runs, capsys):
    """PoseAug: so does the reference, without a word."""
    run = start(run_poseaug, tiny_root, runs, 'gcn', '--epochs', 1, '--note', 'debug')
    output = capsys.readouterr()
    assert 'warning: the lifter starts untrained' in output.out + output.err and run.name.endswith('_debug')


@QUICK
def test_without_a_pretrained_lifter_a_run_does_not_start(tiny_root, runs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    line = refused(capsys, run_poseaug, '--data_root', tiny_root, '--device', 'cpu', '--checkpoint', runs, '--note', 'real',
                   '--posenet_name', 'gcn', '--s1only', 'true', '--actions', 'Walking')
    assert 'python3 run_baseline.py' in line and not runs.exists()


@pytest.mark.slow
@QUICK
def test_a_pretrained_lifter_is_found_where_the_baseline_left_it(tiny_root, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    pretrained = baseline(tiny_root, 'checkpoint/pretrain_baseline', 'gcn', '--epochs', 1)
    run = start(run_poseaug, tiny_root, 'checkpoint/poseaug', 'gcn', '--epochs', 1)
    assert f'{pretrained}/ckpt_best.pth.tar' in capsys.readouterr().out
    assert same(checkpoint(run, 'ckpt_best_h36m_p1.pth.tar')['model_pos'],
                checkpoint(pretrained, 'ckpt_best.pth.tar')['state_dict'])


@pytest.mark.slow
@QUICK
def test_a_fifth_lifter_goes_all_the_way(tiny_root, runs, monkeypatch, readme_lifter):
    """One line in LIFTERS, and it pretrains, is augmented, evaluated."""
    monkeypatch.setitem(LIFTERS, 'linear', readme_lifter)
    pretrained = baseline(tiny_root, runs, 'linear', '--epochs', 1)
    run = poseaug(tiny_root, runs, 'linear', pretrained, '--epochs', 1, '--warmup', 0)
    errors = run_evaluate.main(['--data_root', str(tiny_root), '--actions', 'Walking', '--device', 'cpu',
                                '--evaluate', str(run / 'ckpt_last.pth.tar')])
    assert errors[0].mpjpe_mm == pytest.approx(figures(log_rows(run)[-1])[2], abs=1e-5)

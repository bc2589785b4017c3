"""Recipe v2: what each ingredient does to the pairs, that they remain true pairs, and that resumed runs repeat them."""
import pytest
import torch

import run_baseline
from common.bones import bone_lengths, bone_vectors
from common.camera import root_relative
from common.datasets.h36m import h36m_poses, read_h36m
from common.person_camera import view_person
from function_baseline.arguments import baseline_parser, parse
from function_baseline.recipe_v2 import (INGREDIENTS, RANDOM_SHARE, apply_recipe, continue_recipe, loss_of,
                                         recipe_pairs)
from function_baseline.train import supervised_pairs, train_lifter
from refusals import refusal
from trainers import baseline, cut_off
from utils.gradients import adam
from utils.runs.checkpoint import LAST, read_checkpoint

BATCH = 200
FILMED = round(RANDOM_SHARE * BATCH)


@pytest.fixture(scope='module')
def poses(tiny_root):
    return h36m_poses(read_h36m(tiny_root, 'gt'), ('S1', 'S5'), downsample=2)


def parsed(*flags):
    args = parse(baseline_parser(''), ['--recipe', 'v2', *flags])
    apply_recipe(args)
    return args


def pairs(poses, *used, seed=0):
    """(pose2d, pose3d_rel) of one batch with these ingredients only."""
    without = ','.join(name for name in INGREDIENTS if name not in used)
    args = parsed(*(['--without', without] if without else []))
    return recipe_pairs(poses, 'cpu', args, torch.Generator().manual_seed(seed))(torch.arange(BATCH))


def lengths(pose3d):
    return bone_lengths(bone_vectors(pose3d)).squeeze(-1)


def test_without_any_ingredient_the_pairs_are_the_published_ones(poses):
    plain, recipe = supervised_pairs(poses, 'cpu')(torch.arange(BATCH)), pairs(poses)
    assert torch.equal(recipe[0], plain[0]) and torch.equal(recipe[1], plain[1])


def test_equal_generators_give_equal_pairs(poses):
    first, again, other = (pairs(poses, *INGREDIENTS, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1]) and not torch.equal(first[0], other[0])


def test_new_views_keep_the_body_and_leave_the_rest_of_the_batch_alone(poses):
    plain, (pose2d, pose3d_rel) = supervised_pairs(poses, 'cpu')(torch.arange(BATCH)), pairs(poses, 'views')
    torch.testing.assert_close(lengths(pose3d_rel), lengths(plain[1]), rtol=0, atol=2e-5)
    assert torch.equal(pose3d_rel[FILMED:], plain[1][FILMED:]) and torch.equal(pose2d[FILMED:], plain[0][FILMED:])
    assert ((pose3d_rel - plain[1])[:FILMED].abs().amax((1, 2)) > .01).all() and (pose2d.abs() <= 1 + 1e-5).all()


def test_noise_changes_the_2d_alone(poses):
    plain, (pose2d, pose3d_rel) = supervised_pairs(poses, 'cpu')(torch.arange(BATCH)), pairs(poses, 'noise')
    noisy = (pose2d != plain[0]).any(-1).float().mean(1) > .9
    assert torch.equal(pose3d_rel, plain[1]) and .35 < noisy.float().mean() < .65


def test_the_virtual_camera_sees_both(poses):
    pose2d, pose3d_rel = pairs(poses, 'camera')
    batch = poses.take(torch.arange(BATCH))
    view = view_person(batch.pose2d, batch.camera)
    assert torch.equal(pose2d, view.pose2d)
    torch.testing.assert_close(pose3d_rel, root_relative(batch.pose3d_cam) @ view.rotation.transpose(1, 2))


def test_the_recipe_sets_what_was_not_typed():
    assert (parsed().camera, parsed().schedule) == ('person', 'cosine')
    assert (parsed('--camera', 'image').camera, parsed('--schedule', 'step').schedule) == ('image', 'step')
    assert (parsed('--without', 'camera').camera, parsed('--without', 'cosine').schedule) == ('image', 'step')
    args = parse(baseline_parser(''), [])
    apply_recipe(args)
    assert (args.camera, args.schedule, args.recipe) == ('image', 'step', 'published')


def test_an_ingredient_needs_a_recipe(capsys):
    with pytest.raises(SystemExit) as stop:
        run_baseline.main(['--without', 'views'])
    assert stop.value.code == 2 and '--without takes an ingredient away from --recipe v2' in capsys.readouterr().err


@pytest.mark.slow
def test_a_pretrained_lifter_of_another_camera_is_refused(tiny_root, tmp_path, capsys):
    image = baseline(tiny_root, tmp_path, 'gcn', '--epochs', 1)
    with pytest.raises(SystemExit) as stop:
        baseline(tiny_root, tmp_path, 'gcn', '--recipe', 'v2', '--pretrain_path', image)
    assert stop.value.code == 2 and 'was trained with --camera image, not person' in capsys.readouterr().err


@pytest.mark.slow
def test_a_resumed_run_ends_like_one_that_was_never_stopped(tiny_root, tmp_path):
    flags = 'gcn', '--recipe', 'v2', '--epochs', 2, '--random_seed', 3
    whole = baseline(tiny_root, tmp_path / 'whole', *flags)
    cut_off('save_last', 1, baseline, tiny_root, tmp_path / 'cut', *flags)
    cut, = (tmp_path / 'cut').glob('gcn/gt/*')
    assert read_checkpoint(cut / LAST)['epoch'] == 1
    run_baseline.main(['--resume', str(cut), '--data_root', str(tiny_root)])
    states = [read_checkpoint(run / LAST)['state_dict'] for run in (whole, cut)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_the_loss_is_the_mean_distance_of_the_joints():
    predicted = torch.zeros(2, 3, 3, requires_grad=True)
    target = torch.zeros(2, 3, 3)
    target[0, 1], target[1, 2] = torch.tensor([3., 4., 0.]), torch.tensor([0., 0., 1.])
    distance = loss_of(parsed())(predicted, target)
    distance.backward()
    assert distance.item() == 1 and predicted.grad.isfinite().all() and not predicted.grad[0, 0].any()
    assert loss_of(parsed('--without', 'distance'))(predicted, target).item() == pytest.approx(26 / 18)


def test_an_epoch_trains_with_the_loss_that_it_is_given():
    lifter = torch.nn.Linear(2, 3, bias=False)
    torch.nn.init.zeros_(lifter.weight)
    target = torch.tensor([[[3., 4., 0.]]])
    loss = train_lifter(lifter, adam(lifter, 1e-3), [torch.arange(1)], lambda index: (torch.ones(1, 1, 2), target), 'one step',
                        loss=loss_of(parsed()))
    assert loss == 5


def test_a_run_of_an_earlier_form_of_the_recipe_is_not_continued(tmp_path):
    args = parsed()
    now, before = dict(recipe_form=args.recipe_form), {}
    continue_recipe(args, now, tmp_path)
    assert 'an earlier form of recipe v2' in refusal(continue_recipe, args, before, tmp_path)
    continue_recipe(parse(baseline_parser(''), []), before, tmp_path)      # the published training has had one form only

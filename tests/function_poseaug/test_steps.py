"""One adversarial iteration: the reference's trajectory in float64, and that each phase moves its own network alone."""
import copy

import numpy as np
import pytest
import torch

import golden_recipe
from common.camera import project, root_relative
from common.datasets.h36m import one_thread
from common.poses import PoseBatch, PoseSet
from function_baseline.train import lifter_step
from function_poseaug.adversarial import AdversarialEpoch, adversarial_epoch
from function_poseaug.arguments import feedback_terms, loss_weights, poseaug_parser
from function_poseaug.losses import FAKE, REAL, generator_adversarial_loss
from function_poseaug.steps import (HEALTH, Game, GameOptimizers, GeneratorOutput, LossWeights, Pools,
                                    discriminator_step, generator_step, inside_image)
from golden_recipe import critic3d_name, fill, generator_name, golden
from models_baseline import build_lifter
from models_poseaug.augmentor import Augmentor
from models_poseaug.discriminator import Discriminator2D, Discriminator3D
from models_poseaug.replay_pool import ReplayPool
from places import GOLDEN_FOLDER
from utils.gradients import adam
from utils.runs.scalar_log import ScalarLog

TRAJECTORY = np.load(GOLDEN_FOLDER / 'trajectory64.npz')
EPOCHS = dict(warmup=1, full=3)
ITERATIONS, BATCH = 8, 256
# acos of 1 - rounding: never compared
NOISE_TAGS = {f'train_G_iter_diff_log/log_angle@bone_{bone}' for bone in ('06', '07')}


# by how much the rounding of two processors may differ more than that of a trajectory and its twin (seen: up to 1.1)
ROUNDING_FACTOR = 10


def published(*flags):
    return poseaug_parser('').parse_args(flags)


def make_game(dtype=torch.float64):
    """Filled networks in training mode and their optimizers."""
    networks = (fill(Augmentor().to(dtype), generator_name), fill(Discriminator3D().to(dtype), critic3d_name),
                fill(Discriminator2D().to(dtype)), fill(build_lifter('mlp', 2, 0.).to(dtype)))
    game = Game(*(network.train() for network in networks))
    return game, GameOptimizers(*(adam(network, 1e-4) for network in game[:3]))


def iteration_data(number, dtype):
    """(source batch, target poses, target 2D, noise) of iteration `number` of the golden trajectory."""
    camera = golden('camera', dtype).repeat(4, 1)
    source, target = (torch.from_numpy(golden_recipe.poses(BATCH, seed)).to(dtype) for seed in (number, 500 + number))
    noise = [np.random.RandomState(7000 + 4 * number + head).randn(BATCH, 48).astype(np.float32) for head in range(4)]
    return (PoseBatch(source, project(source, camera), camera), target, project(target, camera),
            torch.from_numpy(np.stack(noise)).to(dtype))


def play(epoch, iterations, dtype, noise_factor=1):
    """Iterations 0, 1, ... of the golden trajectory -> (game, tag -> list of figures, kept 3D, kept 2D)."""
    args = published()
    game, optimizers = make_game(dtype)
    pools = Pools(ReplayPool((16, 3)).to(dtype), ReplayPool((16, 2)).to(dtype))
    figures, kept3d, kept2d = {}, [], []
    for number in range(iterations):
        source, target3d, target2d, noise = iteration_data(number, dtype)
        fake, log = generator_step(game, optimizers.augmentor, source, loss_weights(args), feedback_terms(args, epoch),
                                   noise * noise_factor)
        if number % args.df == 0:
            fake3d, fake2d = pools.fake3d.exchange(fake.poses.ba), pools.fake2d.exchange(fake.rt_pose2d)
            log.update(discriminator_step(game.critic3d, optimizers.critic3d, target3d, fake3d, 'd3d'))
            log.update(discriminator_step(game.critic2d, optimizers.critic2d, target2d, fake2d, 'd2d'))
        keep = inside_image(fake.rt_pose2d)
        kept3d.append(fake.poses.rt[keep])
        kept2d.append(fake.rt_pose2d[keep])
        for tag, value in log.items():
            figures.setdefault(tag, []).append(float(value))
    return game, figures, torch.cat(kept3d), torch.cat(kept2d)


@pytest.fixture(scope='module', params=EPOCHS)
def trajectory(request):
    """(phase, game after eight iterations, figures, kept 3D, kept 2D), in float64, on one thread."""
    with one_thread():
        yield request.param, *play(EPOCHS[request.param], ITERATIONS, torch.float64)


@pytest.fixture(scope='module')
def twin(trajectory):
    """(game, figures) of the same trajectory with its noise scaled by 1 + 1e-14: what rounding alone does to it.

    The trajectory is chaotic: rounding errors of 1e-14, which differ between processors, grow some twentyfold in each
    iteration. A difference from the golden figures counts only where it is larger than this twin explains.
    """
    game, figures, *_ = play(EPOCHS[trajectory[0]], ITERATIONS, torch.float64, 1 + 1e-14)
    return game, figures


# the reference's trajectory

def golden_tags(phase):
    """The tags of the golden figures; the learning rate is the loop's to log."""
    return {name.removeprefix(phase + '/') for name in TRAJECTORY.files if name.startswith(f'{phase}/train_')} - {
        'train_G_iter/lr_now'}


def test_every_logged_figure_of_eight_iterations(trajectory, twin):
    phase, _, figures, _, _ = trajectory
    assert {tag for tag in figures if not tag.startswith(HEALTH)} == golden_tags(phase)
    for tag in golden_tags(phase) - NOISE_TAGS:
        ours, theirs = np.array(figures[tag]), TRAJECTORY[f'{phase}/{tag}']
        rounding = np.maximum.accumulate(np.abs(ours - twin[1][tag]))
        assert (np.abs(ours - theirs) <= 1e-12 + 1e-5 * np.abs(theirs) + ROUNDING_FACTOR * rounding).all(), tag
    assert all(0 <= degrees < .05 for tag in NOISE_TAGS for degrees in figures[tag])


@pytest.mark.parametrize('network, rename', [('G', generator_name), ('d3d', critic3d_name), ('d2d', str), ('pos', str)])
def test_weights_and_statistics_after_eight_iterations(trajectory, twin, network, rename):
    phase, game, *_ = trajectory
    theirs = dict(zip(TRAJECTORY[f'{phase}/final_{network}_names'].tolist(), TRAJECTORY[f'{phase}/final_{network}_l1']))
    ours, moved = ({rename(name): float(value.double().abs().sum()) for name, value in player.state_dict().items()}
                   for player in (dict(zip(('G', 'd3d', 'd2d', 'pos'), players))[network] for players in (game, twin[0])))
    rounding = max(abs(ours[name] - moved[name]) / max(ours[name], 1e-12) for name in ours)
    assert ours == pytest.approx(theirs, rel=1e-5 + ROUNDING_FACTOR * rounding)


def test_kept_pairs_and_four_lifter_steps(trajectory):
    phase, game, _, kept3d, kept2d = trajectory
    assert len(kept2d) == TRAJECTORY[f'{phase}/buffer_count']
    assert float(kept3d.abs().sum()) == pytest.approx(float(TRAJECTORY[f'{phase}/buffer_3d_sum']), rel=1e-5)
    assert float(kept2d.abs().sum()) == pytest.approx(float(TRAJECTORY[f'{phase}/buffer_2d_sum']), rel=1e-5)
    lifter = copy.deepcopy(game.lifter)
    optimizer = adam(lifter, 1e-4)
    losses = [float(lifter_step(lifter, optimizer, pose2d, pose3d, 1.).loss) for pose2d, pose3d
              in list(zip(kept2d.split(BATCH), root_relative(kept3d).split(BATCH)))[:4]]
    assert losses == pytest.approx(TRAJECTORY[f'{phase}/lifter_loss'].tolist(), rel=1e-5)


@pytest.mark.parametrize('phase', EPOCHS)
def test_first_iteration_in_float32(phase):
    _, figures, _, _ = play(EPOCHS[phase], 1, torch.float32)
    for tag in golden_tags(phase) - NOISE_TAGS:
        assert figures[tag][0] == pytest.approx(TRAJECTORY[f'{phase}/{tag}'][0], rel=2e-5, abs=1e-9), tag
    assert all(figures[tag][0] < .05 for tag in NOISE_TAGS)


# only the phase's network moves

@pytest.fixture
def scene():
    """(game, optimizers, source batch, target 3D, noise) of a small batch, float64."""
    source, target3d, _, noise = iteration_data(0, torch.float64)
    return (*make_game(), PoseBatch(*(part[:32] for part in source)), target3d[:32], noise[:, :32])


def weights_of(network):
    return {name: value.detach().clone() for name, value in network.named_parameters()}


def moved(before, network):
    """Names of the weights that are no longer what they were."""
    return {name for name, value in network.named_parameters() if not torch.equal(value, before[name])}


@pytest.mark.parametrize('joins', [False, True])
def test_generator_step_moves_the_augmentor_alone(scene, joins):
    game, optimizers, source, _, noise = scene
    game.lifter.eval()                            # the step sets the mode itself
    before = [weights_of(network) for network in game]
    terms = feedback_terms(published(), 1)._replace(joins_loss=joins)
    fake, log = generator_step(game, optimizers.augmentor, source, LossWeights(), terms, noise)
    assert moved(before[0], game.augmentor) == before[0].keys()
    for weights, network in zip(before[1:], game[1:]):
        assert moved(weights, network) == set()
        assert all(weight.grad is None and weight.requires_grad for weight in network.parameters())
    assert game.lifter.training and game.lifter.batch_norm1.num_batches_tracked == 3
    assert not any(part.requires_grad for part in (*fake.poses, fake.rt_pose2d, *log.values()))
    assert all(value.dim() == 0 for value in log.values())


@pytest.mark.parametrize('tag', ['d3d', 'd2d'])
def test_discriminator_step_moves_its_critic_alone(scene, tag):
    game, optimizers, source, target3d, noise = scene
    poses = game.augmentor(source.pose3d_cam, noise)              # with a graph that must not be walked
    critic, optimizer, real, fake = dict(
        d3d=(game.critic3d, optimizers.critic3d, target3d, poses.ba),
        d2d=(game.critic2d, optimizers.critic2d, source.pose2d, project(poses.rt, source.camera)))[tag]
    others = [network for network in game if network is not critic]
    before, own = [weights_of(network) for network in others], weights_of(critic)
    log = discriminator_step(critic, optimizer, real, fake, tag)
    assert moved(own, critic) == own.keys()
    for weights, network in zip(before, others):
        assert moved(weights, network) == set() and all(weight.grad is None for weight in network.parameters())
    assert set(log) == {f'{HEALTH}/gradient_{tag}', *(f'train_G_iter_PoseAug/{tag}_{name}' for name in (
        'real_acc', 'fake_acc', 'dis_loss'))}


def test_what_the_generator_step_returns_was_made_before_its_update(scene):
    game, optimizers, source, _, noise = scene
    old = copy.deepcopy(game.augmentor)(source.pose3d_cam, noise)
    fake, _ = generator_step(game, optimizers.augmentor, source, LossWeights(), feedback_terms(published(), 3), noise)
    assert isinstance(fake, GeneratorOutput) and torch.equal(fake.poses.rt, old.rt) and torch.equal(fake.poses.ba, old.ba)
    assert torch.equal(fake.rt_pose2d, project(old.rt, source.camera))


@pytest.mark.parametrize('player', ['augmentor', 'critic3d', 'lifter'])
def test_gradients_are_clipped_to_norm_one(scene, player):
    """With plain descent of rate 1 a network moves by its gradient, whose norm is more than 1 here before clipping."""
    game, _, source, target3d, noise = scene
    network = getattr(game, player)
    with torch.no_grad():
        list(network.parameters())[-2].mul_(1000)                # the last layer's weight
    before, descent = weights_of(network), torch.optim.SGD(network.parameters(), lr=1., fused=True)
    if player == 'augmentor':
        generator_step(game, descent, source, LossWeights(), feedback_terms(published(), 3), noise)
    elif player == 'critic3d':
        discriminator_step(network, descent, target3d, source.pose3d_cam, 'd3d')
    else:
        lifter_step(network, descent, source.pose2d, root_relative(source.pose3d_cam), 1.)
    step = torch.stack([(weight.detach() - before[name]).norm() for name, weight in network.named_parameters()]).norm()
    assert float(step) == pytest.approx(1, rel=1e-3)


def test_a_lifter_step_without_a_limit_is_not_clipped(scene):
    game, _, source, _, _ = scene
    descent = torch.optim.SGD(game.lifter.parameters(), lr=1e-3, fused=True)
    before = weights_of(game.lifter)
    lifter_step(game.lifter, descent, source.pose2d, 100 * root_relative(source.pose3d_cam), None)
    step = torch.stack([(weight.detach() - before[name]).norm() for name, weight in game.lifter.named_parameters()]).norm()
    assert step > 2e-3


# the loss

@pytest.mark.parametrize('form', ['range', 'exp'])
def test_feedback_joins_the_loss_only_when_asked(scene, form):
    """In the warm-up it is computed and logged all the same."""
    game, _, source, _, noise = scene
    terms, logs = feedback_terms(published('--feedback', form, '--gloss_factordiv_rt', '.5'), 1), []
    for joins in (False, True):
        player = copy.deepcopy(game)
        _, log = generator_step(player, adam(player.augmentor, 1e-4), source, LossWeights(),
                                terms._replace(joins_loss=joins), noise)
        logs.append({tag: float(value) for tag, value in log.items()})
    warm, full = logs
    place = 'train_G_iter_posenet_feedback'
    feedback = (.1 * warm[f'{place}/ba_hard_mean_loss'] + .01 * warm[f'{place}/rt_hard_mean_loss']
                + .5 * warm[f'{place}/rt_hard_std_loss'])
    total = 'train_G_iter/gen_loss'
    assert full.pop(total) - warm.pop(total) == pytest.approx(feedback)
    gradients = [log.pop(f'{HEALTH}/gradient_g') for log in (warm, full)]
    assert feedback > 0 and warm == full and gradients[0] != gradients[1]


def test_the_loss_is_the_weighted_sum_of_its_logged_parts(scene):
    game, optimizers, source, _, noise = scene
    weights = LossWeights(adversarial3d=5, adversarial2d=7, difference=2, length=.5, angle_half_width=.001)
    _, log = generator_step(game, optimizers.augmentor, source, weights, feedback_terms(published(), 1), noise)
    game_log, difference = 'train_G_iter_PoseAug', 'train_G_iter_diff_loss'
    expected = (5 * log[f'{game_log}/g3d_adv_loss'] + 7 * log[f'{game_log}/g2d_adv_loss']
                + 2 * log[f'{difference}/loss_diff_angle'] + log[f'{difference}/loss_diff_blr'])
    assert float(log['train_G_iter/gen_loss']) == pytest.approx(float(expected))
    assert log[f'{difference}/loss_diff_angle'] > 0 and log[f'{difference}/loss_diff_blr'] > 0


def test_labels_of_the_generator_s_accuracies_are_the_discriminator_s(scene):
    """PoseAug: real is 1 and fake 0 in both, though the generator pulls its fakes to 1."""
    game, optimizers, source, _, noise = scene
    real, fake = game.critic3d(source.pose3d_cam), game.critic3d(game.augmentor(source.pose3d_cam, noise).ba)
    _, log = generator_step(game, optimizers.augmentor, source, LossWeights(), feedback_terms(published(), 1), noise)
    right = [float(((scores - label).abs() <= .5).double().mean()) for scores, label in ((real, REAL), (fake, FAKE))]
    assert [float(log[f'train_G_iter_PoseAug/g3d_{name}_acc']) for name in ('real', 'fake')] == pytest.approx(right)
    assert float(log['train_G_iter_PoseAug/g3d_adv_loss']) == pytest.approx(generator_adversarial_loss(real, fake).item())


# which poses are kept for the lifter

def test_the_filter_bounds_from_above_alone():
    """PoseAug: values below -1 pass; `symmetric` does what was meant."""
    pose2d = torch.zeros(5, 16, 2)
    pose2d[1, 3, 0], pose2d[2, 15, 1], pose2d[3, 0, 1], pose2d[4, 7] = 1, 1.001, -1.5, -1
    assert inside_image(pose2d).tolist() == [True, True, False, True, True]
    assert inside_image(pose2d, symmetric=True).tolist() == [True, True, False, False, True]


# an epoch of iterations

def pose_set():
    """PoseSet of the 64 golden poses, each with a camera of its own."""
    number = torch.arange(64)
    return PoseSet(golden('pose3d'), golden('pose2d'), camera=number, intrinsics=golden('camera'), subject=number % 5,
                   group=number * 0, group_names=('Walking',))


def epoch_of(batch_size, first_iteration=0, seed=0, symmetric=False):
    """(FakePairs, next iteration, iteration -> its figures, iterations with a picture) of one adversarial epoch, df 2."""
    args = published()
    game, optimizers = make_game(torch.float32)
    rows, pictures = {}, []
    settings = AdversarialEpoch(1, first_iteration, batch_size, args.df, seed, symmetric, loss_weights(args),
                                feedback_terms(args, 1))
    log = ScalarLog(lambda figures, iteration: rows.update({iteration: figures}), flush_every=3, what='the test')
    pairs, following = adversarial_epoch(game, optimizers, Pools(ReplayPool((16, 3)), ReplayPool((16, 2))), pose_set(),
                                         settings, log, lambda source, fake, iteration: pictures.append(iteration))
    return pairs, following, rows, pictures


def test_discriminators_train_at_every_second_iteration_of_the_whole_run():
    _, following, rows, pictures = epoch_of(batch_size=16, first_iteration=399)
    assert following == 403 and list(rows) == [399, 400, 401, 402] and pictures == [400]
    with_critics = {iteration for iteration, figures in rows.items() if 'train_G_iter_PoseAug/d3d_dis_loss' in figures}
    assert with_critics == {400, 402}
    assert rows[400].keys() - rows[399].keys() == {
        f'{HEALTH}/gradient_d3d', f'{HEALTH}/gradient_d2d',
        *(f'train_G_iter_PoseAug/d{critic}_{name}' for critic in ('3d', '2d') for name in ('real_acc', 'fake_acc', 'dis_loss'))}


def test_a_last_batch_of_one_pose_is_left_out():
    _, following, rows, _ = epoch_of(batch_size=21)
    assert following == 3 and len(rows) == 3


@pytest.mark.slow
def test_kept_pairs_are_root_relative_and_inside_the_image():
    pairs, *_ = epoch_of(batch_size=16)
    assert 0 < len(pairs.pose2d) == len(pairs.pose3d_rel) <= 64
    assert (pairs.pose3d_rel[:, 0] == 0).all() and pairs.pose2d.max() <= 1
    strict, *_ = epoch_of(batch_size=16, symmetric=True)
    inside = inside_image(pairs.pose2d, symmetric=True)
    assert torch.equal(strict.pose2d, pairs.pose2d[inside]) and torch.equal(strict.pose3d_rel, pairs.pose3d_rel[inside])


@pytest.mark.slow
def test_an_epoch_depends_on_its_seed_alone():
    first, again, other = (epoch_of(batch_size=16, seed=seed)[2] for seed in (1, 1, 2))
    assert first == again and first[0] != other[0]

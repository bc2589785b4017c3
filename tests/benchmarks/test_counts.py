"""What our loops ask of the machine, counted: operations, reads by the host, copies. Nothing is timed.

A bound is the count when it was written, and a little; whoever lowers a count may lower its bound.
"""
from types import SimpleNamespace

import pytest
import torch

from benchmarks.counting import count, counting
from benchmarks.side_by_side import TRAIN_POSES
from benchmarks.sides import EPOCH, PUBLISHED, Ours, new_game
from benchmarks.synthetic import held_out_poses, synthetic_poses
from common.camera import root_relative
from function_baseline.train import CHECK_EVERY, lifter_step, train_lifter
from function_poseaug.adversarial import FLUSH_EVERY, KeptPairs, critics_step, updates_of
from function_poseaug.arguments import feedback_terms, loss_weights
from function_poseaug.refresh import swapped_bones, templates_for
from function_poseaug.steps import generator_step
from models_baseline import LIFTERS
from models_poseaug.augmentor import draw_noise
from utils.runs.scalar_log import ScalarLog

pytestmark = pytest.mark.slow

BATCH = 32
# operations of one call: forward, backward, clipping and update
GENERATOR_STEP = dict(gcn=1480, mlp=1165, stgcn=1715, videopose=1315)
DISCRIMINATORS_STEP = 605
LIFTER_STEP = dict(gcn=370, mlp=108, stgcn=422, videopose=164)     # a CPU's dropout is six fast operations
EXCHANGE = 28
REFRESH = 30
EVALUATION = 65     # per chunk, mlp


def side(name):
    """Our loops around that lifter, on a few poses, their pools full."""
    game = new_game(name, torch.device('cpu'))
    return Ours(game, synthetic_poses(8 * BATCH), held_out_poses(4 * BATCH), BATCH, lambda figures, step: None)


def batch_of(ours):
    return ours.training.take(torch.arange(BATCH))


def generator_counts(ours):
    """(Counts of a generator step, its output)."""
    batch, outputs = batch_of(ours), []
    counts = count(lambda: outputs.append(generator_step(
        ours.game, ours.optimizers.augmentor, batch, loss_weights(PUBLISHED), feedback_terms(PUBLISHED, EPOCH),
        draw_noise(batch.pose3d_cam, ours.draws))))
    return counts, outputs[-1]


@pytest.fixture(scope='module')
def mlp():
    return side('mlp')


@pytest.mark.parametrize('name', LIFTERS)
def test_generator_and_lifter_step(name):
    ours = side(name)
    counts, (_, log) = generator_counts(ours)
    assert counts.host_reads == 0 and counts.operations <= GENERATOR_STEP[name]
    assert all(isinstance(value, torch.Tensor) for value in log.values())
    batch = batch_of(ours)
    counts = count(lambda: lifter_step(ours.game.lifter, ours.lifter_optimizer, batch.pose2d,
                                       root_relative(batch.pose3d_cam), max_norm=1.0))
    assert counts.host_reads == 0 and counts.operations <= LIFTER_STEP[name]


def test_critics_step(mlp):
    batch, (_, (fake, _)) = batch_of(mlp), generator_counts(mlp)
    targets = batch.pose3d_cam, batch.pose2d
    updates = updates_of(mlp.game, mlp.optimizers, mlp.settings())
    counts = count(lambda: critics_step(updates, mlp.pools, targets, fake, mlp.draws))
    assert counts.host_reads == 0 and counts.operations <= DISCRIMINATORS_STEP


def test_exchange_with_a_full_pool(mlp):
    fakes = batch_of(mlp).pose3d_cam
    counts = count(lambda: mlp.pools.fake3d.exchange(fakes, mlp.draws))
    assert counts.host_reads == 0 and counts.operations <= EXCHANGE


def test_data_refresh_and_evaluation_never_make_the_host_wait(mlp):
    assert count(lambda: mlp.batch(5)).host_reads == 0
    refresh, evaluation = (count(lambda part=part: part(1)) for part in (mlp.refresh, mlp.evaluate))
    assert refresh.host_reads == 0 and refresh.operations <= REFRESH
    assert evaluation.host_reads == 0 and evaluation.operations <= EVALUATION


def test_an_adversarial_epoch_reads_at_its_end_only(mlp):
    """Once the log (it is shorter than FLUSH_EVERY), once each kept pairs' two masks; however many iterations."""
    assert FLUSH_EVERY == 100
    assert [count(lambda n=n: mlp.gan(n)).host_reads for n in (1, 4)] == [3, 3]


def test_a_lifter_epoch_reads_its_loss_at_its_end_only(mlp):
    """Once to see that all losses are finite; and every 100 steps."""
    assert CHECK_EVERY == 100
    assert [count(lambda n=n: mlp.lifter(n)).host_reads for n in (1, 2)] == [1, 1]
    batch = batch_of(mlp)

    def take(index):
        return batch.pose2d[:2], root_relative(batch.pose3d_cam[:2])

    tiny = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(32, 48), torch.nn.Unflatten(1, (16, 3)))
    optimizer = torch.optim.SGD(tiny.parameters(), fused=True)
    counts = count(lambda: train_lifter(tiny, optimizer, [range(2)] * 250, take, 'counted'))
    assert counts.host_reads == 1 + 250 // CHECK_EVERY


def test_scalar_log_copies_once_in_a_hundred_iterations():
    figures = {f'tag{number}': torch.tensor(float(number)) for number in range(44)}
    written = []

    def hundred():
        log = ScalarLog(lambda row, step: written.append((row, step)), FLUSH_EVERY, 'counted')
        for step in range(100):
            log.add(figures, step)
        log.flush()

    counts = count(hundred)
    assert counts.host_reads == 1
    assert counts.operations <= 101      # a stack each, one cat
    assert written[-100:] == [({f'tag{number}': float(number) for number in range(44)}, step) for step in range(100)]


def test_an_epoch_at_a_tenth_of_the_full_size_holds_a_tenth_of_4_gb():
    """The training poses, the same on other bodies, all fakes, and what the filter kept of them: here all."""
    poses = synthetic_poses(TRAIN_POSES // 10)
    with counting() as operations:
        swapped = swapped_bones(poses, templates_for(poses), torch.Generator().manual_seed(0))
        kept = KeptPairs(len(poses), 'cpu')
        for index in torch.arange(len(poses)).split(1024):
            batch = swapped.take(index)
            fake = SimpleNamespace(poses=SimpleNamespace(rt=batch.pose3d_cam), rt_pose2d=batch.pose2d)
            kept.add(fake, torch.ones(len(index), dtype=torch.bool))
        pairs = kept.pairs()
    assert len(pairs.pose2d) == len(poses)
    test_share = .4 * poses.num_bytes
    assert poses.num_bytes + test_share + operations.peak_bytes < 4e9 / 10

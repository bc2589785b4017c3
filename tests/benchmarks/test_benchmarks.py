"""The benchmark: its plain side computes what ours does, its counters count, and the command runs to the end."""
import json
import platform
import subprocess
import sys
from dataclasses import replace
from textwrap import dedent
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from benchmarks import plain_loop, side_by_side, sides
from benchmarks.counting import count
from benchmarks.plain_lifters import PLAIN_LIFTERS, plain_copy
from benchmarks.plain_networks import rotation_matrix
from benchmarks.sides import PUBLISHED, part_of
from benchmarks.synthetic import held_out_poses, synthetic_poses
from common import metrics
from common.bones import bone_length_templates, swap_bone_lengths
from common.camera import project, root_relative
from common.files.paths import PROJECT_ROOT
from common.rotation import axis_angle_to_matrix
from function_baseline.evaluate import evaluate
from function_baseline.train import lifter_step
from function_poseaug.adversarial import AdversarialEpoch, KeptPairs, critics_step, updates_of
from function_poseaug.arguments import feedback_terms, loss_weights
from function_poseaug.steps import HEALTH, Game, GameOptimizers, Pools, inside_image
from models_baseline import LIFTERS, build_lifter
from models_poseaug.augmentor import Augmentor, draw_noise
from models_poseaug.discriminator import Discriminator2D, Discriminator3D
from models_poseaug.replay_pool import ReplayPool
from utils.gradients import adam

pytestmark = pytest.mark.slow

BATCH = 16


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope='module')
def poses():
    """A PoseSet of 256 poses in float64."""
    made = synthetic_poses(256)
    return replace(made, **{name: getattr(made, name).double() for name in ('pose3d_cam', 'pose2d', 'intrinsics')})


def roughened(module, seed=0):
    """The module in float64, its vectors random too: a norm of weight zero would hide what comes before it."""
    draws = seeded(seed)
    for parameter in module.double().parameters():
        if parameter.dim() == 1:
            parameter.data += .3 * torch.randn(parameter.shape, generator=draws)
    return module


def game_of(name='mlp', stages=1):
    """Players in float64 without dropout, and their optimizers."""
    torch.manual_seed(1)
    game = Game(*(roughened(network) for network in (Augmentor(), Discriminator3D(), Discriminator2D(),
                                                     build_lifter(name, stages, 0.))))
    return game, GameOptimizers(*(adam(network, 1e-4) for network in game[:3]))


def assert_same_state(ours, plain, tolerance=1e-9):
    state = plain.state_dict()
    assert ours.state_dict().keys() == state.keys()
    for name, value in ours.state_dict().items():
        assert torch.allclose(value.double(), state[name].double(), rtol=0, atol=tolerance), name


# the plain side computes the same

@pytest.mark.parametrize('name', LIFTERS)
def test_lifters_forward_backward_and_statistics(name, poses):
    torch.manual_seed(0)
    ours = roughened(build_lifter(name, 2, 0.))
    plain = plain_copy(name, ours, 2, 0.)
    outputs, gradients = [], []
    for lifter in (ours, plain):
        pose2d = poses.pose2d[:BATCH].clone().requires_grad_()
        output = lifter(pose2d)
        (output * poses.pose3d_cam[:BATCH]).sum().backward()
        outputs.append(output)
        gradients.append({'input': pose2d.grad, **{key: weight.grad for key, weight in lifter.named_parameters()}})
    assert torch.allclose(*outputs, rtol=0, atol=1e-10)
    for key, gradient in gradients[0].items():
        assert torch.allclose(gradient, gradients[1][key], rtol=1e-8, atol=1e-8), key
    assert_same_state(ours, plain)


def test_every_lifter_has_a_plain_twin_that_drops_alike():
    assert PLAIN_LIFTERS.keys() == LIFTERS.keys() == sides.RECIPES.keys()
    for name in LIFTERS:
        ours = build_lifter(name, 2, .5)
        plain = plain_copy(name, ours.eval(), 2, .5)
        assert not plain.training
        pose2d = torch.randn(4, 16, 2, generator=seeded(0))
        assert torch.allclose(ours(pose2d), plain(pose2d), atol=1e-4)
        assert not torch.equal(plain.train()(pose2d), plain(pose2d))


def test_rotation_matrices_agree_for_small_angles_too():
    axis_angle = torch.randn(50, 3, dtype=torch.float64, generator=seeded(0)) * torch.logspace(-5, .5, 50)[:, None]
    assert torch.allclose(rotation_matrix(axis_angle), axis_angle_to_matrix(axis_angle), rtol=0, atol=1e-14)


@pytest.mark.parametrize('epoch', [1, 3], ids=['warm-up', 'feedback'])
def test_gan_iterations(epoch, poses):
    """Three iterations, the critics move in the first and the third: every figure, every weight, every pair kept."""
    game, optimizers = game_of()
    players, plain_optimizers = plain_loop.plain_game(game, 'mlp', 1, 0.)
    weights, feedback = loss_weights(PUBLISHED), feedback_terms(PUBLISHED, epoch)
    written, logged = [], 0
    writer = SimpleNamespace(add_scalar=lambda *row: written.append(row))
    plain = plain_loop.PlainGan(players, plain_optimizers, writer, weights, feedback)
    updates = updates_of(game, optimizers, AdversarialEpoch(epoch, 0, BATCH, 2, 0, False, weights, feedback))
    pools, kept = Pools(ReplayPool((16, 3)).double(), ReplayPool((16, 2)).double()), KeptPairs(3 * BATCH, 'cpu')
    for number in range(3):
        source, target3d, target2d = (poses.take(torch.arange(BATCH) + BATCH * (3 * number + i)) for i in range(3))
        noise = draw_noise(source.pose3d_cam, seeded(number))
        fake, log = updates.augmentor(*source, noise)
        if number % 2 == 0:
            targets = target3d.pose3d_cam, target2d.pose2d
            log.update(critics_step(updates, pools, targets, fake, seeded(0)))
        kept.add(fake, inside_image(fake.rt_pose2d))
        theirs = plain.play((source, target3d, target2d), noise)
        logged += len(theirs)
        ours = {tag: float(value) for tag, value in log.items() if not tag.startswith(HEALTH)}
        assert ours == pytest.approx(theirs, rel=1e-7, abs=1e-6)
        assert log['train_G_iter/gen_loss'].item() == pytest.approx(theirs['train_G_iter/gen_loss'], rel=1e-9)
    for ours, theirs in zip(game, players):
        assert_same_state(ours, theirs)
    pairs = kept.pairs()
    assert 0 < len(pairs.pose2d) < 3 * BATCH
    assert np.allclose(pairs.pose2d, np.concatenate(plain.kept2d), atol=1e-5)
    assert np.allclose(pairs.pose3d_rel, np.concatenate(plain.kept3d), atol=1e-5)
    assert {step for *_, step in written} == {0, 1, 2} and len(written) == logged


def test_pools_give_and_keep_the_same():
    ours, plain, draws = ReplayPool((3,), capacity=8), plain_loop.PlainPool(capacity=8), seeded(0)
    full = torch.randn(8, 3, generator=draws)
    assert torch.equal(ours.exchange(full), plain.exchange(full))
    for _ in range(20):
        batch, swaps = torch.randn(12, 3, generator=draws), torch.rand(12, generator=draws) > .5
        slots = torch.randint(8, (12,), generator=draws)
        assert torch.equal(ours.swap(batch, swaps, slots), plain.exchange(batch, swaps, slots.tolist()))
        assert np.array_equal(ours.items, plain.items)


def test_plain_pool_draws_fair_coins():
    pool = plain_loop.PlainPool(capacity=64)
    pool.exchange(torch.zeros(64, 1))
    passed = sum(float((pool.exchange(torch.ones(64, 1) * step) == step).sum()) for step in range(1, 21)) / (20 * 64)
    assert .4 < passed < .85      # half pass untouched, and some of this batch's come back within it


def test_lifter_steps(poses):
    torch.manual_seed(0)
    ours = build_lifter('mlp', 1, 0.).double()
    plain = plain_copy('mlp', ours, 1, 0.)
    optimizers = adam(ours, 1e-3), torch.optim.Adam(plain.parameters(), lr=1e-3)
    for number in range(3):
        batch = poses.take(torch.arange(BATCH) + BATCH * number)
        loss, _ = lifter_step(ours, optimizers[0], batch.pose2d, root_relative(batch.pose3d_cam), max_norm=1.0)
        theirs = plain_loop.lifter_step(plain, optimizers[1], batch.pose2d, batch.pose3d_cam)
        assert float(loss) == pytest.approx(theirs, rel=1e-9)
    assert_same_state(ours, plain, 1e-7)


def test_evaluation_numbers(poses):
    ours = build_lifter('gcn', 1, 0.).double()
    plain = plain_copy('gcn', ours, 1, 0.)
    batches = [poses.take(index) for index in torch.arange(len(poses)).split(100)]
    errors = evaluate(ours, poses, torch.device('cpu'), flip=False)
    assert plain_loop.evaluate(plain, batches, 'cpu') == pytest.approx((errors.mpjpe_mm, errors.p_mpjpe_mm), rel=1e-9)


def test_procrustes_of_noisy_and_mirrored_poses(poses):
    target = root_relative(poses.pose3d_cam)
    noisy = target + .1 * torch.randn(target.shape, dtype=torch.float64, generator=seeded(0))
    for predicted in (noisy, noisy * torch.tensor([-1., 1., 1.])):
        theirs = plain_loop.p_mpjpe(predicted.numpy(), target.numpy())
        assert np.allclose(theirs, metrics.p_mpjpe(predicted, target), rtol=0, atol=1e-9)


def test_bone_length_swap(poses):
    templates = bone_length_templates(poses.pose3d_cam, poses.subject).double()
    rows = torch.randint(len(templates), (len(poses),), generator=seeded(0))
    ours = swap_bone_lengths(poses.pose3d_cam, templates, rows)
    batches = plain_loop.loader(plain_loop.plain_poses(poses), 100, shuffle=False, workers=0)
    plain = plain_loop.swapped_bones(batches, templates, 'cpu', rows.split(100))
    assert len(plain) == len(poses)
    assert np.allclose(plain.pose3d_cam, ours, atol=1e-12)
    assert np.allclose(plain.pose2d, project(ours, poses.intrinsics[poses.camera]), atol=1e-12)


def test_two_workers_load_what_lies_there():
    poses = synthetic_poses(64)
    loaded = list(plain_loop.loader(plain_loop.plain_poses(poses), 32, shuffle=False))
    for place, expected in enumerate((poses.pose3d_cam, poses.pose2d, poses.intrinsics[poses.camera])):
        assert torch.equal(torch.cat([batch[place] for batch in loaded]), expected)


# its data, its counters

def test_synthetic_poses():
    poses, again = synthetic_poses(50_000), synthetic_poses(50_000)
    assert len(poses) == 50_000 and torch.equal(poses.pose2d, again.pose2d)
    assert torch.equal(project(poses.pose3d_cam, poses.intrinsics[poses.camera]), poses.pose2d)
    assert poses.pose3d_cam[..., 2].min() > .3 and (poses.pose2d.abs() < 1).double().mean() > .99
    assert poses.subject.unique().tolist() == [0, 1, 2, 3, 4] and len(poses.camera.unique()) == 20
    assert held_out_poses(3000).subject.unique().tolist() == [0, 1]
    assert len(part_of(poses, 7, 5)) == 5 and torch.equal(part_of(poses, 7, 5).camera, poses.camera[7:12])


def test_counts_of_known_code():
    weight, rows = torch.randn(8, 4, requires_grad=True), torch.randn(16, 8)

    def forward_and_backward():
        (rows @ weight).relu().sum().backward()

    counts = count(forward_and_backward)
    assert counts.by_name.items() >= dict(mm=2, relu=1, sum=1).items()
    assert counts.flops == 2 * 2 * 16 * 8 * 4 and counts.host_reads == 0
    assert count(lambda: rows[2:].t()).operations == 0
    assert count(lambda: (rows + 1).mul(2).sum()).peak_bytes == 2 * rows.nbytes


@pytest.mark.parametrize('reads', [lambda t: t[0, 0].item(), lambda t: float(t.sum()), lambda t: bool(t[0, 0] > 0),
                                   lambda t: t.tolist(), lambda t: np.asarray(t), lambda t: t[t > 0], torch.nonzero])
def test_every_way_to_the_host_is_a_read(reads):
    assert count(lambda: reads(torch.ones(2, 2))).host_reads == 1


def test_an_optimizer_reads_only_its_own_counters():
    layer = torch.nn.Linear(3, 3)
    optimizer = torch.optim.Adam(layer.parameters(), foreach=False)
    layer(torch.ones(1, 3)).sum().backward()
    counts = count(optimizer.step)
    assert counts.by_name['_local_scalar_dense'] > 0 and counts.host_reads == 0


# the command

@pytest.fixture(scope='module')
def tiny_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp('benchmark')
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sides.RECIPES, 'gcn', (1, .25))
        rows = side_by_side.main(
            f'--posenet_name gcn --device cpu --poses 512 --batch_size 16 --iterations 1 --num_workers 0 '
            f'--json {folder}/it.json --figure {folder}/it.png'.split())
    return folder, rows


def test_rows(tiny_run):
    _, rows = tiny_run
    assert [row.title for row in rows] == [part.title for part in side_by_side.PARTS] + ['whole epoch (added up)']
    assert all(row.ours.milliseconds > 0 and row.plain.milliseconds > 0 and row.ratio > 0 for row in rows)
    game = next(row for row in rows if row.title == 'GAN iteration')
    assert game.ours.counts.operations < game.plain.counts.operations
    assert game.ours.counts.host_reads < 2 < 40 < game.plain.counts.host_reads
    # the 3D critic's first layer computes its own columns only
    assert .8 < game.ours.counts.flops / game.plain.counts.flops < 1.01


def test_files_and_table(tiny_run):
    folder, rows = tiny_run
    kept = json.loads((folder / 'it.json').read_text())
    assert [row['title'] for row in kept['rows']] == [row.title for row in rows]
    # the augmentor's, and the two critics' in every other iteration
    assert kept['rows'][1]['ours']['counts']['by_name']['_fused_adam_'] == 2.0
    assert {'arguments', 'device', 'environment', 'load', 'stages_dropout'} < kept.keys()
    assert (folder / 'it.png').read_bytes().startswith(b'\x89PNG')


def test_an_epoch_of_each_side(monkeypatch):
    monkeypatch.setitem(sides.RECIPES, 'gcn', (1, 0.))
    monkeypatch.setattr(side_by_side, 'PARTS', ())
    flags = '--posenet_name gcn --device cpu --poses 128 --batch_size 64 --block 2 --num_workers 0 --epoch'
    row, = side_by_side.main(flags.split())
    assert row.title == 'whole epoch (run)' and row.ratio == row.plain.milliseconds / row.ours.milliseconds


@pytest.mark.skipif(platform.libc_ver() < ('glibc', '2.35'), reason='needs the GNU C library of 2022 or a newer one')
def test_a_turn_has_the_memory_settings_of_its_side():
    program = dedent('''
        import sys
        from resource import RUSAGE_SELF, getrusage
        from types import SimpleNamespace
        import torch
        from benchmarks import side_by_side, sides

        side = SimpleNamespace(malloc=getattr(sides, sys.argv[1]).malloc, work=lambda: torch.ones(12 << 20).sum())
        faults = []
        for _ in range(6):
            before = getrusage(RUSAGE_SELF).ru_minflt
            side_by_side.turn(side, 'work')
            faults.append(getrusage(RUSAGE_SELF).ru_minflt - before)
        print(min(faults))
    ''')
    ours, plain = (int(subprocess.run([sys.executable, '-c', program, side], cwd=PROJECT_ROOT, capture_output=True, text=True,
                                      check=True).stdout) for side in ('Ours', 'Plain'))
    assert ours < 10 and plain > 20       # 48 MB: 12,288 pages, or 24 huge ones


@pytest.mark.parametrize('flags', ['--block 3', '--poses 100', '--posenet_name nothing', '--batch_size 1'])
def test_refused(flags, capsys):
    with pytest.raises(SystemExit) as refusal:
        side_by_side.main(['--device', 'cpu', *flags.split()])
    assert refusal.value.code == 2 and capsys.readouterr().err.startswith('error: ')

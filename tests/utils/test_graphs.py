"""What runs on a GPU: without one, that an update asks nothing of the host; with one, that a replay changes no bit."""
import copy

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchmarks.sides import PUBLISHED, new_game
from benchmarks.synthetic import synthetic_poses
from common.camera import root_relative
from common.poses import PoseBatch
from function_baseline.train import lifter_step, train_lifter
from function_poseaug.adversarial import AdversarialEpoch, adversarial_epoch, updates_of
from function_poseaug.arguments import feedback_terms, loss_weights
from function_poseaug.steps import GameOptimizers, Pools
from models_baseline import LIFTERS
from models_poseaug.replay_pool import ReplayPool
from utils import gradients
from utils.graphs import EAGER_CALLS, Recording, Replayed
from utils.runs.scalar_log import ScalarLog

BATCH, EPOCH = 16, 3
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason='needs an NVIDIA GPU')


class HostVisits(TorchDispatchMode):
    """Notes every operation that a tensor on the CPU takes part in, and every one of INDEXING.

    A list as index goes to the device unseen, and a mask is counted there; an update needs neither.
    """
    INDEXING = ('index', 'index_put', 'index_put_')

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        leaves = tree_leaves((args, kwargs, result))
        on_host = any(isinstance(leaf, torch.Tensor) and leaf.device.type == 'cpu' for leaf in leaves)
        if on_host or func.overloadpacket.__name__ in self.INDEXING:
            self.names.append(str(func))
        return result


def settings_of(graphs=True):
    return AdversarialEpoch(EPOCH, 0, BATCH, 2, 0, False, loss_weights(PUBLISHED), feedback_terms(PUBLISHED, EPOCH), graphs)


def inputs_on(device):
    """(PoseBatch, noise) of random numbers."""
    return (PoseBatch(torch.randn(BATCH, 16, 3, device=device), torch.randn(BATCH, 16, 2, device=device),
                      torch.randn(BATCH, 9, device=device)), torch.randn(4, BATCH, 48, device=device))


@pytest.mark.slow
@pytest.mark.parametrize('name', LIFTERS)
def test_an_update_neither_reads_from_the_device_nor_copies_to_it(name, monkeypatch):
    """A CUDA graph can hold neither. The 'meta' device computes no number, so every read of one fails; a constant that
    comes from the host is noted. Only the optimizer is another: the fused kernels do not know that device."""
    monkeypatch.setattr(gradients, '_step_if_finite', lambda optimizer, figure: (figure - figure).ne(0).float())
    game = new_game(name, torch.device('meta'))
    optimizers = GameOptimizers(*(torch.optim.Adam(network.parameters()) for network in game[:3]))
    lifter_optimizer = torch.optim.Adam(game.lifter.parameters())
    updates, (batch, noise) = updates_of(game, optimizers, settings_of()), inputs_on('meta')

    def iteration():
        fake, _ = updates.augmentor(*batch, noise)
        updates.critic3d(batch.pose3d_cam, fake.poses.ba)
        updates.critic2d(batch.pose2d, fake.rt_pose2d)
        lifter_step(game.lifter, lifter_optimizer, batch.pose2d, root_relative(batch.pose3d_cam), 1.)

    iteration()      # the skeleton's matrices are copied once
    with HostVisits() as visits:
        iteration()
    assert visits.names == []


def test_the_host_s_constants_and_reads_would_be_seen():
    features = torch.randn(3, 2, device='meta')
    for visit in (lambda: features[:, [0]], lambda: torch.zeros(2).to('meta'), lambda: features * torch.tensor(2.),
                  lambda: features.copy_(torch.zeros(3, 2))):
        with HostVisits() as visits:
            visit()
        assert visits.names
    with pytest.raises(RuntimeError):
        torch.randn((), device='meta').item()


def test_without_a_gpu_an_update_is_simply_called():
    network = torch.nn.Linear(1, 1)
    update = Replayed(lambda value: value + 1, gradients.adam(network, .1))
    assert [float(update(torch.tensor(float(number)))) for number in range(2 * EAGER_CALLS)] == [1, 2, 3, 4, 5, 6]


def test_which_calls_are_run_recorded_or_replayed(monkeypatch):
    """The order alone, on any machine: eager calls for each shape and rate, a recording, replays; a new rate begins anew."""
    network, done = torch.nn.Linear(1, 1), []
    optimizer = gradients.adam(network, .1)

    class Recorded:
        """Stands in for a CUDA graph."""
        def __init__(self, update, inputs, stream):
            assert not replayed.recordings      # none is alive that would take this one's workspaces along
            done.append('record')

        def replay(self, inputs):
            done.append('replay')

    replayed = Replayed(None, optimizer)
    replayed.stream = 'a stream'
    monkeypatch.setattr('utils.graphs.Recording', Recorded)
    monkeypatch.setattr(Replayed, '_run_on_side_stream', lambda self, inputs: done.append('eager'))

    def calls(*sizes):
        for size in sizes:
            replayed(torch.zeros(size))
        told, done[:] = ' '.join(done), []
        return told

    assert calls(4, 4, 4, 4, 4) == 'eager eager eager record replay replay'
    assert calls(3, 4) == 'eager replay'
    gradients.set_learning_rate(optimizer, .01)
    assert calls(4, 4, 4, 4) == 'eager eager eager record replay'
    assert optimizer.param_groups[0]['capturable'] is False
    assert len(replayed.recordings) == 1


def an_epoch(name, graphs, iterations=20):
    """One adversarial epoch and a lifter epoch on the GPU; (all weights, the log's rows, what was kept)."""
    torch.manual_seed(0)
    game = new_game(name, torch.device('cuda'))
    optimizers = GameOptimizers(*(gradients.adam(network, 1e-4) for network in game[:3]))
    pools = Pools(*(ReplayPool((16, size), capacity=64).cuda() for size in (3, 2)))
    poses, rows = synthetic_poses(BATCH * iterations + 5).to('cuda'), []
    log = ScalarLog(lambda figures, _: rows.append(figures), 1000, what='test')
    pairs, _ = adversarial_epoch(game, optimizers, pools, poses, settings_of(graphs), log, lambda *_: None)
    order = torch.arange(len(poses), device='cuda').split(BATCH)
    batch = poses.take(torch.arange(len(poses), device='cuda'))
    loss = train_lifter(game.lifter, gradients.adam(game.lifter, 1e-4), order,
                        lambda index: (batch.pose2d[index], root_relative(batch.pose3d_cam)[index]), 'test', graphs=graphs)
    weights = [value for network in (*game, *pools) for value in network.state_dict().values()]
    return copy.deepcopy(weights), [*rows, {'loss': loss}], pairs


@needs_cuda
@pytest.mark.parametrize('name', LIFTERS)
def test_replayed_and_eager_are_equal_to_the_bit_after_20_iterations(name, monkeypatch):
    replays, replay = [], Recording.replay
    monkeypatch.setattr(Recording, 'replay', lambda self, inputs: replays.append(1) or replay(self, inputs))
    (weights, rows, pairs), (eager_weights, eager_rows, eager_pairs) = (an_epoch(name, graphs) for graphs in (True, False))
    assert len(replays) == 17 + 7 + 7 + 17      # of 20, 10, 10 and 20 full batches, three each run eagerly
    assert rows == eager_rows
    assert all(torch.equal(one, other) for one, other in zip((*weights, *pairs), (*eager_weights, *eager_pairs))
               if isinstance(one, torch.Tensor))


@needs_cuda
def test_an_epoch_waits_for_the_device_only_at_its_end():
    game = new_game('mlp', torch.device('cuda'))
    optimizers = GameOptimizers(*(gradients.adam(network, 1e-4) for network in game[:3]))
    pools = Pools(*(ReplayPool((16, size), capacity=64).cuda() for size in (3, 2)))
    poses = synthetic_poses(BATCH * 20).to('cuda')

    class Quiet(ScalarLog):
        """What comes after the last iteration may wait."""
        def flush(self):
            torch.cuda.set_sync_debug_mode('default')
            super().flush()

    for mode in ('default', 'error'):      # the first run makes what is made once
        log = Quiet(lambda figures, _: None, 1000, what='test')
        torch.cuda.set_sync_debug_mode(mode)
        try:
            adversarial_epoch(game, optimizers, pools, poses, settings_of(graphs=False), log, lambda *_: None)
        finally:
            torch.cuda.set_sync_debug_mode('default')


@needs_cuda
def test_a_new_learning_rate_is_recorded_too():
    def final(graphs):
        torch.manual_seed(0)
        network = torch.nn.Linear(3, 3).cuda()
        optimizer = gradients.adam(network, .1)
        update = Replayed(lambda batch: gradients.descend(network(batch).square().mean(), network, optimizer), optimizer,
                          graphs)
        for step in range(6 * EAGER_CALLS):
            gradients.set_learning_rate(optimizer, .1 if step < 3 * EAGER_CALLS else .001)
            update(torch.full((4, 3), float(step), device='cuda'))
        return network.weight
    assert torch.equal(final(True), final(False))

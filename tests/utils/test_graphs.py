"""What runs on a GPU: without one, that an update asks nothing of the host; with one, that a replay changes no bit."""
import copy
from weakref import WeakSet

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchmarks.sides import PUBLISHED, new_game
from benchmarks.synthetic import synthetic_poses
from common.camera import root_relative
from common.poses import PoseBatch
from function_baseline.arguments import baseline_parser, parse
from function_baseline.train import lifter_step, train_lifter
from function_poseaug.adversarial import AdversarialEpoch, adversarial_epoch, updates_of
from function_poseaug.arguments import feedback_terms, loss_weights
from function_poseaug.steps import GameOptimizers, Pools
from models_baseline import LIFTERS
from models_poseaug.replay_pool import ReplayPool
from refusals import refusal
from utils import gradients
from utils.graphs import AUTO, EAGER_CALLS, Recording, Replayed
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
    monkeypatch.setattr(Replayed, 'compared', {optimizer})
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


# where recording fails, or a replay gives other numbers; the recordings are calls here

class Played:
    """Stands in for a Recording; a subclass has a fault."""

    def __init__(self, update, inputs, stream):
        self.update = update

    def replay(self, inputs):
        return self.update(*inputs)


class MovesAWeight(Played):
    def replay(self, inputs):
        loss, network = self.update(*inputs)
        network[0].weight.data[0, 0] += 1e-6
        return loss, network


class TellsAnotherLoss(Played):
    def replay(self, inputs):
        loss, network = self.update(*inputs)
        return loss * (1 + 1e-6), network


class DrawsOnce(Played):
    def replay(self, inputs):
        outputs = self.update(*inputs)
        torch.rand(1)
        return outputs


class ForgetsTheStatistics(Played):
    def replay(self, inputs):
        loss, network = self.update(*inputs)
        network[1].running_mean.zero_()
        return loss, network


class CannotRecord(Played):
    def __init__(self, update, inputs, stream):
        raise RuntimeError('operation not permitted when stream is capturing')


FAULTS = (MovesAWeight, TellsAnotherLoss, DrawsOnce, ForgetsTheStatistics, CannotRecord)


def trained(monkeypatch, recording, wanted=AUTO, rates=(.1,)):
    """The state of a small network with BatchNorm and dropout after six steps at each rate; None: steps called directly."""
    for name in ('get_rng_state', 'set_rng_state'):
        monkeypatch.setattr(torch.cuda, name, lambda *values, name=name: getattr(torch, name)(
            *(value for value in values if isinstance(value, torch.Tensor))))
    monkeypatch.setattr('utils.graphs.Recording', recording)
    monkeypatch.setattr(Replayed, 'compared', WeakSet())
    monkeypatch.setattr(Replayed, 'given_up', False)
    monkeypatch.setattr(Replayed, '_run_on_side_stream', lambda self, inputs: self.update(*inputs))
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.BatchNorm1d(8), torch.nn.Dropout(), torch.nn.Linear(8, 1))
    optimizer = gradients.adam(network, rates[0])

    def update(batch):
        loss = network(batch).square().mean()
        gradients.descend(loss, network, optimizer)
        return loss.detach(), Untouched(network)

    class Untouched(list):
        """The network, for a fault; no tensor, so not compared as an output."""
        def __iter__(self):
            return iter(())

    update, losses = Replayed(update, optimizer, wanted, [network]), []
    update.stream = 'a stream' if recording else None
    for rate in rates:
        gradients.set_learning_rate(optimizer, rate)
        losses += [float(update(torch.full((4, 3), float(step)) + torch.rand(4, 3))[0]) for step in range(2 * EAGER_CALLS)]
    return losses, [value.clone() for value in network.state_dict().values()], update


def assert_equal(one, other):
    assert one[0] == other[0] and all(map(torch.equal, one[1], other[1]))


def test_the_first_replay_is_compared_once_and_leaves_no_trace(monkeypatch, capsys):
    direct, calls = trained(monkeypatch, None), []

    class Counted(Played):
        def replay(self, inputs):
            calls.append(1)
            return super().replay(inputs)

    replayed = trained(monkeypatch, Counted)
    assert_equal(replayed, direct)
    assert len(calls) == 1 + EAGER_CALLS and capsys.readouterr().err == ''


@pytest.mark.parametrize('fault', FAULTS)
def test_a_replay_that_fails_or_differs_is_given_up_with_one_line_and_the_run_goes_on_directly(monkeypatch, capsys, fault):
    direct = trained(monkeypatch, None)
    assert_equal(trained(monkeypatch, fault), direct)
    line, = capsys.readouterr().err.splitlines()
    assert line.startswith('warning: a training step') and line.endswith('goes on without CUDA graphs, more slowly')
    assert Replayed.given_up


@pytest.mark.parametrize('fault', FAULTS)
def test_graphs_that_were_asked_for_are_insisted_on(monkeypatch, fault):
    assert '--graphs false' in refusal(trained, monkeypatch, fault, wanted=True)


def test_the_flag_says_whether_graphs_are_wanted(capsys):
    found = [parse(baseline_parser(''), flags).graphs for flags in ([], ['--graphs', 'auto'], ['--graphs', 'true'],
                                                                   ['--graphs', 'FALSE'])]
    assert found == [AUTO, AUTO, True, False]
    with pytest.raises(SystemExit):
        parse(baseline_parser(''), ['--graphs', 'maybe'])
    assert "'maybe' is neither auto, true nor false" in capsys.readouterr().err


def test_a_later_recording_that_fails_is_given_up_too(monkeypatch, capsys):
    class FailsTheSecondTime(Played):
        made = []

        def __init__(self, update, inputs, stream):
            super().__init__(update, inputs, stream)
            self.made.append(1)
            if len(self.made) == 2:
                raise RuntimeError('no')

    direct = trained(monkeypatch, None, rates=(.1, .01))
    assert_equal(trained(monkeypatch, FailsTheSecondTime, rates=(.1, .01)), direct)
    assert 'without CUDA graphs' in capsys.readouterr().err


def test_what_is_given_up_once_is_given_up_by_all(monkeypatch):
    _, _, update = trained(monkeypatch, CannotRecord)
    other = Replayed(lambda value: value + 1, gradients.adam(torch.nn.Linear(1, 1), .1))
    other.stream = 'a stream'
    monkeypatch.setattr(Replayed, '_run_on_side_stream', None)
    assert [float(other(torch.zeros(1))) for _ in range(2 * EAGER_CALLS)] == [1] * 2 * EAGER_CALLS


# on a GPU

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

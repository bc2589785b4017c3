"""--poses_per_epoch: every pose is met before any returns, the poses are those of the whole set, the memory stays as it is."""
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import run_baseline
import run_poseaug
from common.datasets.h36m import pose3d_h36m_path
from common.datasets.mocap import mocap_path
from common.files.flat_cache import flat_path
from common.files.npz import save_npz
from common.skeleton import H36M_17
from function_baseline.data import load_training
from function_baseline.streaming import BLOCK, StreamedPoses, counted, poses_of_epoch, subject_templates
from function_poseaug.refresh import templates_for
from mocap_clips import arrays_of, h36m_17, person
from places import ROOT
from refusals import refused

pytestmark = pytest.mark.slow

CPU = torch.device('cpu')
PER_EPOCH = 37


class Run:
    """Neighbouring poses, known by their number alone."""

    def __init__(self, numbers):
        self.numbers, self.length = numbers, len(numbers)

    def part(self, frames):
        return Run(self.numbers[frames])


def numbered(lengths, per_epoch, seed=0, epochs=20):
    """StreamedPoses of runs with these lengths, and the function that says which poses an epoch has."""
    ends = np.cumsum(lengths)
    runs = [Run(np.arange(end - length, end)) for end, length in zip(ends, lengths)]
    streamed = StreamedPoses(runs, lambda parts: np.concatenate([part.numbers for part in parts]), per_epoch, seed, epochs)
    return lambda epoch: streamed._read(epoch)


# which poses

@pytest.mark.parametrize('lengths, per_epoch', [
    ([3 * BLOCK, 5 * BLOCK], 2 * BLOCK), ([100, 1, 7, 1900, 2 * BLOCK + 9], 300), ([100, 1, 7, 1900, 2 * BLOCK + 9], 2500),
    ([41, 59], 2), ([41, 59], 99)])
def test_every_pose_is_met_before_any_returns(lengths, per_epoch):
    poses_of = numbered(lengths, per_epoch)
    met = np.zeros(sum(lengths), int)
    for epoch in range(1, 20):
        found = poses_of(epoch)
        assert len(found) == per_epoch
        np.add.at(met, found, 1)
        assert met.max() - met.min() <= 1
    assert met.sum() == 19 * per_epoch


def test_another_round_and_another_seed_have_another_order_and_an_epoch_is_always_the_same():
    lengths, per_epoch = [40 * BLOCK], 10 * BLOCK
    poses_of, again, other = (numbered(lengths, per_epoch, seed) for seed in (0, 0, 1))
    first = [poses_of(epoch) for epoch in (1, 2, 3, 4)]
    assert np.array_equal(again(3), first[2])      # read without those before it
    assert not np.array_equal(poses_of(5), first[0]) and not np.array_equal(other(1), first[0])
    assert len(np.unique(first[0] // BLOCK)) == 10 and first[0].max() > 25 * BLOCK       # whole blocks, from everywhere


# of the real data

def arguments(root, per_epoch, **changes):
    chosen = dict(data_root=root, keypoints='gt', actions='*', downsample=1, s1only=False, train_subjects='', validate_on='',
                  dataset='h36m', cameras='h36m', poses_per_epoch=per_epoch, random_seed=0, epochs=3)
    return SimpleNamespace(**{**chosen, **changes})


@pytest.fixture(scope='module')
def mocap_root(tmp_path_factory):
    root = tmp_path_factory.mktemp('root')
    save_npz(mocap_path(root, 'mine'), **arrays_of())
    seventeen = [h36m_17(*person(seed))[:count] for seed, count in zip((0, 0, 1), (40, 30, 40))]
    save_npz(mocap_path(root, 'necks'), **arrays_of(pose3d=np.concatenate(seventeen).astype(np.float32),
                                                    joints=np.array(H36M_17.names)))
    return root


@pytest.fixture(params=['h36m', 'sampled h36m', 'mine', 'sampled mine', 'thinned mine', 'necks',
                        'sampled necks'])
def changes(request):
    *cameras, dataset = request.param.split()
    return dict(dataset=dataset, cameras='sampled' if cameras == ['sampled'] else 'h36m',
                downsample=3 if cameras == ['thinned'] else 1)


@pytest.fixture
def root(changes, tiny_root, mocap_root):
    return tiny_root if changes['dataset'] == 'h36m' else mocap_root


def rows_of(streamed, epoch):
    return torch.cat([torch.arange(start, stop) for start, stop in streamed.spans(epoch)])


def test_an_epoch_s_poses_are_those_rows_of_the_whole_set(root, changes):
    whole, tests = load_training(arguments(root, 0, **changes), CPU)
    streamed, same_tests = load_training(arguments(root, PER_EPOCH, **changes), CPU)
    assert isinstance(streamed, StreamedPoses) and (len(streamed), streamed.total) == (PER_EPOCH, len(whole))
    assert streamed.skeleton == whole.skeleton == poses_of_epoch(streamed, 1).skeleton
    assert counted(streamed) == f'{PER_EPOCH} of {len(whole):,} training poses in each epoch'
    for epoch in (1, 2, 3):
        found, expected = poses_of_epoch(streamed, epoch), whole.subset(rows_of(streamed, epoch))
        drawn = {'pose3d_cam', 'pose2d', 'camera', 'intrinsics', 'up'} if found.ranges else set()
        for field in fields(found):
            ours, theirs = (getattr(poses, field.name) for poses in (found, expected))
            if field.name == 'sequence':      # Human3.6M's are numbered anew
                ours, theirs = (numbers.unique(return_inverse=True)[1] for numbers in (ours, theirs))
            if isinstance(ours, torch.Tensor) and field.name not in drawn:
                torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6 * ours.is_floating_point(), msg=field.name)
        assert found.ranges == whole.ranges and found.group_names == whole.group_names
    assert torch.equal(same_tests.h36m.pose3d_cam, tests.h36m.pose3d_cam)
    torch.testing.assert_close(subject_templates(streamed), templates_for(whole), rtol=0, atol=1e-6)


def test_more_poses_than_there_are_mean_all_of_them_to_the_bit(root, changes):
    whole, _ = load_training(arguments(root, 0, **changes), CPU)
    for per_epoch in (len(whole), 10 * len(whole)):
        found, _ = load_training(arguments(root, per_epoch, **changes), CPU)
        assert all(torch.equal(getattr(found, field.name), getattr(whole, field.name)) for field in fields(found)
                   if isinstance(getattr(whole, field.name), torch.Tensor))


def test_motion_capture_stays_on_the_disk(mocap_root):
    streamed, _ = load_training(arguments(mocap_root, PER_EPOCH, dataset='mine'), CPU)
    base = streamed.runs[0].pose3d
    while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap) and Path(base.filename) == flat_path(mocap_path(mocap_root, 'mine'))


GROWTH = '''
import sys, torch
from pathlib import Path
from types import SimpleNamespace
from function_baseline.data import load_training
def megabytes():
    return int(next(l for l in Path("/proc/self/status").read_text().splitlines() if l.startswith("RssAnon")).split()[1]) / 1024
args = SimpleNamespace(data_root=sys.argv[1], dataset="mine", cameras="h36m", downsample=1, poses_per_epoch=4096, random_seed=0,
                       epochs=40, keypoints="gt", actions="*", s1only=False, train_subjects="", validate_on="")
training, _ = load_training(args, torch.device("cpu"))
start = megabytes()
for epoch in range(1, 41):
    poses = training.of_epoch(epoch)
    if epoch == 4:
        early = megabytes()
print(len(training), training.total, early - start, megabytes() - early)
'''


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != 'linux', reason='/proc tells the memory')
def test_the_memory_does_not_grow_with_the_set_nor_with_the_epochs(tmp_path):
    """128,000 training poses are 41 MB; an epoch's are 1.4 MB."""
    clip = arrays_of()['pose3d'][:40]
    frames = np.full(801, 40)
    save_npz(mocap_path(tmp_path, 'mine'), **arrays_of(
        pose3d=np.tile(clip, (801, 1, 1)), frames=frames, subject=np.zeros(801, int), test=np.arange(801) == 800,
        clip_names=np.array([f'clip {number}' for number in range(801)]), rig_names=np.array(['rig'] * 801)))
    told = subprocess.run([sys.executable, '-c', GROWTH, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True)
    per_epoch, total, first, later = map(float, told.stdout.splitlines()[-1].split())
    assert (per_epoch, total) == (4096, 128_000)
    assert first < 20 and later < 4


# in the scripts

@pytest.mark.parametrize('flags, words', [
    (['--poses_per_epoch', '10', '--batch_size', '11'], '--poses_per_epoch 10 is less than one batch'),
    (['--poses_per_epoch', '1', '--batch_size', '2'], '--poses_per_epoch 1 is less'),
    (['--poses_per_epoch', '-5'], '--poses_per_epoch'), (['--poses_per_epoch', 'all'], '--poses_per_epoch')])
def test_too_few_poses_are_refused(tiny_root, runs, capsys, flags, words):
    for script in (run_baseline, run_poseaug):
        assert words in refused(capsys, script, '--data_root', tiny_root, '--checkpoint', runs, *flags)
    assert not runs.exists()


def test_a_copy_that_cannot_be_written_only_costs_memory(tmp_path, capsys, monkeypatch):
    save_npz(mocap_path(tmp_path, 'mine'), **arrays_of())
    monkeypatch.setattr('common.files.flat_cache.written_whole', denied)
    streamed, _ = load_training(arguments(tmp_path, PER_EPOCH, dataset='mine'), CPU)
    assert len(streamed.of_epoch(1)) == PER_EPOCH and 'mocap_mine.cache cannot be written' in capsys.readouterr().err
    assert not flat_path(pose3d_h36m_path(tmp_path)).exists()


def denied(path):
    raise PermissionError(13, 'Permission denied', str(path))

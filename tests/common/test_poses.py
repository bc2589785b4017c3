"""PoseSets: batches with their cameras, and moves from device to device."""
import pytest
import torch

from common.camera import project
from common.datasets.h36m import h36m_poses, read_h36m
from common.datasets.mpi_inf_3dhp import load_3dhp


@pytest.fixture(scope='module')
def files(tiny_root):
    return read_h36m(tiny_root, 'gt')


def test_a_batch_holds_the_poses_at_its_index_with_their_cameras(files):
    poses = h36m_poses(files, ('S1', 'S5'))
    index = torch.tensor([40, 0, 7, 40])
    batch = poses.take(index)
    assert torch.equal(batch.pose3d_cam, poses.pose3d_cam[index]) and torch.equal(batch.pose2d, poses.pose2d[index])
    assert torch.equal(batch.camera, poses.intrinsics[poses.camera[index]])
    torch.testing.assert_close(project(batch.pose3d_cam, batch.camera), batch.pose2d, rtol=0, atol=2e-5)


def test_a_batch_from_a_set_without_cameras_has_no_cameras(tiny_root):
    assert load_3dhp(tiny_root).take(torch.tensor([1, 2])).camera is None


def test_moving_a_set_to_the_cpu_changes_nothing(files):
    poses = h36m_poses(files, ('S1',))
    assert torch.equal(poses.to('cpu').pose2d, poses.pose2d)
    assert poses.resident('cpu').device == torch.device('cpu')
    assert poses.num_bytes == len(poses) * 16 * (3 + 2) * 4


@pytest.mark.parametrize('device', ['meta', pytest.param('cuda', marks=pytest.mark.skipif(
    not torch.cuda.is_available(), reason='needs an NVIDIA GPU'))])
def test_a_set_that_stays_on_the_host_gives_another_device_its_batches(device, files):
    poses, index = h36m_poses(files, ('S1',)), torch.tensor([5, 2, 2])
    left = poses.resident(device, spare=0) if device == 'cuda' else poses
    assert left.device.type == 'cpu'
    for there, here in zip(left.take(index, device), poses.take(index)):
        assert there.device.type == device and there.shape == here.shape
        assert device == 'meta' or torch.equal(there.cpu(), here)

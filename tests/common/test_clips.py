"""Clips and windows of a PoseSet: where a clip begins and ends, and what a window at its end holds."""
import torch

from common.clips import clip_ends, clip_lengths, pieces_of_clips, window_rows
from common.datasets.h36m import h36m_poses, read_h36m
from common.datasets.mocap import mocap_poses
from common.datasets.mpi_inf_3dhp import load_3dhp
from mocap_clips import arrays_of


def of_s1(tiny_root, downsample=1):
    return h36m_poses(read_h36m(tiny_root, 'gt'), ('S1',), downsample=downsample)


def test_each_view_of_each_sequence_is_a_clip(tiny_root):
    files, poses = read_h36m(tiny_root, 'gt'), of_s1(tiny_root)
    frames = [len(sequence) for sequence in files.pose3d['S1'].values()]
    assert clip_lengths(poses) == [count for count in frames for _ in range(4)]
    assert clip_lengths(of_s1(tiny_root, downsample=3)) == [-(-count // 3) for count in frames for _ in range(4)]


def test_the_ends_of_a_clip_are_the_same_for_all_its_poses(tiny_root):
    poses = of_s1(tiny_root)
    first, last = clip_ends(poses)
    for name in ('sequence', 'camera'):
        numbers = getattr(poses, name)
        assert torch.equal(numbers[first], numbers) and torch.equal(numbers[last], numbers)
    assert (poses.frame[first] == 0).all() and torch.equal(poses.frame[last] - poses.frame, last - torch.arange(len(poses)))


def test_clips_of_motion_capture_are_those_that_were_prepared():
    arrays = arrays_of()
    kept = arrays['frames'][~arrays['test']].tolist()
    assert clip_lengths(mocap_poses(arrays, False, 'h36m')) == kept * 4
    assert clip_lengths(mocap_poses(arrays, False, 'h36m', downsample=7)) == [-(-count // 7) for count in kept] * 4


def test_without_numbered_frames_or_with_a_camera_for_each_pose_each_pose_is_a_clip(tiny_root):
    for poses in (load_3dhp(tiny_root), mocap_poses(arrays_of(), False, 'sampled')):
        assert clip_lengths(poses) == [1] * len(poses)


def test_a_frame_that_is_left_out_ends_a_clip(tiny_root):
    poses = of_s1(tiny_root)
    first, second = clip_lengths(poses)[:2]
    rows = torch.tensor([row for row in range(first + second) if row != 2])
    assert clip_lengths(poses.subset(rows)) == [2, first - 3, second]
    assert clip_lengths(poses.subset(torch.arange(0, first, 2))) == [1] * len(range(0, first, 2))


def test_a_clip_does_not_go_on_in_another_view_or_another_sequence(tiny_root):
    poses = of_s1(tiny_root)
    for other in ((poses.sequence == 0) & (poses.camera == 1), (poses.sequence == 1) & (poses.camera == 0)):
        second = (other & (poses.frame == 1)).nonzero().squeeze(1)
        assert clip_lengths(poses.subset(torch.cat([torch.tensor([0]), second, second + 1]))) == [1, 2]


def test_a_window_stands_still_beyond_the_ends_of_its_clip():
    ends = torch.tensor([[0, 0, 0, 0, 4, 4, 4], [3, 3, 3, 3, 6, 6, 6]])
    index = torch.tensor([3, 4, 5])
    assert window_rows(index, ends, 5, causal=False).tolist() == [[1, 2, 3, 3, 3], [4, 4, 4, 5, 6], [4, 4, 5, 6, 6]]
    assert window_rows(index, ends, 5, causal=True).tolist() == [[0, 0, 1, 2, 3], [4, 4, 4, 4, 4], [4, 4, 4, 4, 5]]


def test_pieces_are_beginnings_of_clips(tiny_root):
    poses = of_s1(tiny_root)
    pieces = poses.subset(pieces_of_clips(poses, count=24, clips=6))
    assert clip_lengths(pieces) == [4] * 6 and len(pieces.sequence.unique()) == 6
    assert clip_lengths(poses.subset(pieces_of_clips(poses, count=1000, clips=1))) == clip_lengths(poses)[:1]

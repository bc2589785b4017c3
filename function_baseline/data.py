"""What both trainers and the evaluation load."""
from typing import NamedTuple

from common.h36m import TEST_SUBJECTS, TRAIN_SUBJECTS
from common.load_3dhp import load_3dhp
from common.load_h36m import h36m_poses, read_h36m, select_actions
from common.poses import PoseSet


class TestSets(NamedTuple):
    """Human3.6M's S9 and S11, and MPI-INF-3DHP's test set."""
    h36m: PoseSet
    dhp: PoseSet


def load_training(args, device):
    """(training PoseSet, TestSets), resident on the device."""
    select_actions(args.actions)
    dhp = load_3dhp(args.data_root).resident(device)
    files = read_h36m(args.data_root, args.keypoints)
    subjects = ('S1',) if args.s1only else TRAIN_SUBJECTS
    training = h36m_poses(files, subjects, args.actions, args.downsample).resident(device)
    return training, TestSets(_test_poses(files, args, device), dhp)


def load_test(args, device):
    """TestSets, resident on the device."""
    dhp = load_3dhp(args.data_root).resident(device)
    return TestSets(_test_poses(read_h36m(args.data_root, args.keypoints), args, device), dhp)


def _test_poses(files, args, device):
    return h36m_poses(files, TEST_SUBJECTS, args.actions, args.downsample).resident(device)

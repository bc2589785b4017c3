"""The training and test data of both trainers and of the evaluation."""
from typing import NamedTuple

from common.datasets import TEST_SETS
from common.datasets.h36m import agreeing_poses, copy_h36m, read_h36m, select_actions
from common.datasets.h36m_protocol import TEST_SUBJECTS, TRAIN_SUBJECTS
from common.errors import InputError
from common.poses import PoseSet


class EvaluationSets(NamedTuple):
    """The two test sets of the reference: Human3.6M's S9 and S11, and MPI-INF-3DHP's test set."""
    h36m: PoseSet
    dhp: PoseSet


def load_training(args, device):
    """The training PoseSet and the EvaluationSets, resident on the device; prints how many poses they hold.

    The Human3.6M files are read once for both. If they are valid, a flat copy for faster reading is written beside each.
    InputError if a file is missing or damaged, or if fewer than 2 training poses are selected.
    """
    select_actions(args.actions)      # refuse a wrong name before the long read
    dhp = TEST_SETS['3dhp'].load(args.data_root).resident(device)
    subjects = ('S1',) if args.s1only else TRAIN_SUBJECTS
    files = read_h36m(args.data_root, args.keypoints, subjects + TEST_SUBJECTS)
    selection = args.keypoints, args.actions, args.downsample
    training = agreeing_poses(files, subjects, *selection).resident(device)
    if len(training) < 2:
        raise InputError(f'--actions and --downsample select {len(training)} training poses; select at least 2 (for BatchNorm)')
    h36m = agreeing_poses(files, TEST_SUBJECTS, *selection).resident(device)
    copy_h36m(files)
    print(f'{len(training):,} training poses; tests: Human3.6M {len(h36m):,}, MPI-INF-3DHP {len(dhp):,}')
    return training, EvaluationSets(h36m, dhp)


def load_test(args, device):
    """EvaluationSets, resident on the device."""
    dhp = TEST_SETS['3dhp'].load(args.data_root).resident(device)
    h36m = TEST_SETS['h36m'].load(args.data_root, args.keypoints, args.actions, args.downsample).resident(device)
    return EvaluationSets(h36m, dhp)

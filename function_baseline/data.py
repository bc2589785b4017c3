"""What both trainers and the evaluation load."""
from typing import NamedTuple

from common.h36m import TEST_SUBJECTS, TRAIN_SUBJECTS
from common.load_3dhp import load_3dhp
from common.load_h36m import copy_h36m, h36m_poses, read_h36m, require_agreement, select_actions
from common.poses import PoseSet
from utils.errors import InputError


class EvaluationSets(NamedTuple):
    """Human3.6M's S9 and S11, and MPI-INF-3DHP's test set."""
    h36m: PoseSet
    dhp: PoseSet


def load_training(args, device):
    """(training PoseSet, EvaluationSets), resident on the device, and says how many. Files that are sound get their
    flat copies.
    """
    select_actions(args.actions)      # refuse a wrong name before the long read
    dhp = load_3dhp(args.data_root).resident(device)
    subjects = ('S1',) if args.s1only else TRAIN_SUBJECTS
    files = read_h36m(args.data_root, args.keypoints, subjects + TEST_SUBJECTS)
    training = _poses(files, subjects, args, device)
    if len(training) < 2:
        raise InputError(f'{len(training)} training poses are left by --actions and --downsample; BatchNorm needs 2')
    testing = _poses(files, TEST_SUBJECTS, args, device)
    copy_h36m(files)
    print(f'{len(training):,} training poses; tests: Human3.6M {len(testing):,}, MPI-INF-3DHP {len(dhp):,}')
    return training, EvaluationSets(testing, dhp)


def load_test(args, device):
    """EvaluationSets, resident on the device."""
    dhp = load_3dhp(args.data_root).resident(device)
    files = read_h36m(args.data_root, args.keypoints, TEST_SUBJECTS)
    testing = _poses(files, TEST_SUBJECTS, args, device)
    copy_h36m(files)
    return EvaluationSets(testing, dhp)


def _poses(files, subjects, args, device):
    poses = h36m_poses(files, subjects, args.actions, args.downsample)
    require_agreement(poses, args.keypoints, files)
    return poses.resident(device)

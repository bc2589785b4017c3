"""The training and test data of both trainers and of the evaluation."""
from typing import NamedTuple

from common.datasets import TEST_SETS
from common.datasets.h36m import agreeing_poses, copy_h36m, read_h36m, select_actions
from common.datasets.h36m_protocol import TEST_SUBJECTS, TRAIN_SUBJECTS
from common.errors import InputError
from common.poses import PoseSet


class EvaluationSets(NamedTuple):
    """The two test sets of the reference: Human3.6M's S9 and S11, and MPI-INF-3DHP's test set.

    `held_out`: the training subject on which checkpoints are chosen, or None (--validate_on).
    """
    h36m: PoseSet
    dhp: PoseSet
    held_out: PoseSet = None


def load_training(args, device):
    """The training PoseSet and the EvaluationSets, resident on the device; prints how many poses they hold.

    The Human3.6M files are read once for both. If they are valid, a flat copy for faster reading is written beside each.
    InputError if a file is missing or damaged, or if fewer than 2 training poses are selected.
    """
    select_actions(args.actions)      # refuse a wrong name before the long read
    dhp = TEST_SETS['3dhp'].load(args.data_root).resident(device)
    subjects, held_out = training_subjects(args), (args.validate_on,) if args.validate_on else ()
    files = read_h36m(args.data_root, args.keypoints, subjects + held_out + TEST_SUBJECTS)
    selection = args.keypoints, args.actions, args.downsample
    training = agreeing_poses(files, subjects, *selection).resident(device)
    if len(training) < 2:
        raise InputError(f'--actions and --downsample select {len(training)} training poses; select at least 2 (for BatchNorm)')
    h36m = agreeing_poses(files, TEST_SUBJECTS, *selection).resident(device)
    validation = agreeing_poses(files, held_out, *selection).resident(device) if held_out else None
    copy_h36m(files)
    print(f'{len(training):,} training poses; tests: Human3.6M {len(h36m):,}, MPI-INF-3DHP {len(dhp):,}'
          + (f'; held out: {args.validate_on} {len(validation):,}' if held_out else ''))
    return training, EvaluationSets(h36m, dhp, validation)


def training_subjects(args):
    """The subjects that train: those of --train_subjects, or all (--s1only: S1), without the one of --validate_on.

    InputError if none is left.
    """
    chosen = tuple(args.train_subjects.split(',')) if args.train_subjects else ('S1',) if args.s1only else TRAIN_SUBJECTS
    subjects = tuple(subject for subject in chosen if subject != args.validate_on)
    if not subjects:
        raise InputError(f'--validate_on {args.validate_on} leaves no subject to train on; add some to --train_subjects')
    return subjects


def load_test(args, device):
    """EvaluationSets, resident on the device."""
    dhp = TEST_SETS['3dhp'].load(args.data_root).resident(device)
    h36m = TEST_SETS['h36m'].load(args.data_root, args.keypoints, args.actions, args.downsample).resident(device)
    return EvaluationSets(h36m, dhp)

"""The training and test data of both trainers and of the evaluation."""
from typing import NamedTuple

from common.datasets import TEST_SETS
from common.datasets.h36m import (agreeing_poses, agreeing_views, copy_h36m, in_sampled_views, pose_set, read_h36m,
                                  select_actions)
from common.datasets.h36m_protocol import GT, TEST_SUBJECTS, TRAIN_SUBJECTS
from common.datasets.mocap import FILMED_BY, filmed_clips, mocap_clips, mocap_poses, read_mocap
from common.errors import InputError
from common.poses import PoseSet
from common.skeleton import H36M_16
from function_baseline.streaming import counted, in_epochs
from utils.runs.score_names import H36M_AND_3DHP, Scored


class EvaluationSets(NamedTuple):
    """Two test sets: of the training's domain, and of another one.

    The reference's are Human3.6M's S9 and S11, and MPI-INF-3DHP's test set. `names`: what they are called (Scored); `flips`:
    whether each is scored with test-time flip; `held_out`: the training subject on which checkpoints are chosen, or None
    (--validate_on).
    """
    h36m: PoseSet
    dhp: PoseSet
    held_out: PoseSet = None
    names: tuple = H36M_AND_3DHP
    flips: tuple = tuple(TEST_SETS[name].flip for name in ('h36m', '3dhp'))

    @property
    def both(self):
        return self.h36m, self.dhp


def load_training(args, device):
    """The training PoseSet and the EvaluationSets, resident on the device; prints how many poses they hold.

    With --poses_per_epoch the training poses may stay on the disk, as StreamedPoses.
    The Human3.6M files are read once for both. If they are valid, a flat copy for faster reading is written beside each.
    InputError if a file is missing or damaged, or if fewer than 2 training poses are selected.
    """
    if args.dataset != 'h36m':
        return _load_mocap(args, device)
    select_actions(args.actions)      # refuse a wrong name before the long read
    if args.cameras == 'sampled' and args.keypoints != GT:
        raise InputError(f'--cameras sampled needs 2D that are projected; leave out --keypoints {args.keypoints}')
    dhp = TEST_SETS['3dhp'].load(args.data_root).resident(device)
    subjects, held_out = training_subjects(args), (args.validate_on,) if args.validate_on else ()
    files = read_h36m(args.data_root, args.keypoints, subjects + held_out + TEST_SUBJECTS, mapped=args.poses_per_epoch > 0)
    selection = args.keypoints, args.actions, args.downsample
    training = _h36m_in_epochs(args, agreeing_views(files, subjects, *selection)).resident(device)
    if len(training) < 2:
        raise InputError(f'--actions and --downsample select {len(training)} training poses; select at least 2 (for BatchNorm)')
    h36m = agreeing_poses(files, TEST_SUBJECTS, *selection).resident(device)
    validation = agreeing_poses(files, held_out, *selection).resident(device) if held_out else None
    copy_h36m(files)
    print(f'{counted(training)}; tests: Human3.6M {len(h36m):,}, MPI-INF-3DHP {len(dhp):,}'
          + (f'; held out: {args.validate_on} {len(validation):,}' if held_out else ''))
    return training, EvaluationSets(h36m, dhp, validation)


def _h36m_in_epochs(args, views):
    """The training poses in the Views of Human3.6M, or each once in a view that is drawn; see `in_epochs`."""
    if args.cameras != 'sampled':
        return in_epochs(args, views, pose_set)
    return in_epochs(args, [view for view in views if view.camera == 0],
                     lambda views: in_sampled_views(pose_set(views), args.random_seed))


def training_subjects(args):
    """The subjects that train: those of --train_subjects, or all (--s1only: S1), without the one of --validate_on.

    InputError if none is left, or if the flags contradict each other.
    """
    if args.s1only and args.train_subjects not in ('', 'S1'):
        raise InputError(f'--s1only true contradicts --train_subjects {args.train_subjects}; leave one out')
    chosen = tuple(args.train_subjects.split(',')) if args.train_subjects else ('S1',) if args.s1only else TRAIN_SUBJECTS
    subjects = tuple(subject for subject in chosen if subject != args.validate_on)
    if not subjects:
        raise InputError(f'--validate_on {args.validate_on} leaves no subject to train on; add some to --train_subjects')
    return subjects


def load_test(args, device):
    """EvaluationSets, resident on the device."""
    if args.dataset != 'h36m':
        return _mocap_tests(read_mocap(args.data_root, args.dataset), args, device)
    if not any(TEST_SETS[name].path(args.data_root).is_file() for name in ('h36m', '3dhp')):
        raise InputError(f'{args.data_root} holds no test data: prepare Human3.6M and MPI-INF-3DHP (DATASETS.md), or score '
                         'your own motion capture with --dataset NAME (docs/own_data.md)')
    dhp = TEST_SETS['3dhp'].load(args.data_root).resident(device)
    h36m = TEST_SETS['h36m'].load(args.data_root, args.keypoints, args.actions, args.downsample).resident(device)
    return EvaluationSets(h36m, dhp)


def _load_mocap(args, device):
    """`load_training` for a data set of motion capture."""
    arrays = read_mocap(args.data_root, args.dataset, mapped=args.poses_per_epoch > 0)
    training = in_epochs(args, mocap_clips(arrays, False, args.cameras, args.downsample),
                         lambda clips: filmed_clips(clips, arrays, args.random_seed)).resident(device)
    if len(training) < 2:
        raise InputError(f'--downsample selects {len(training)} training poses; select at least 2 (for BatchNorm)')
    tests = _mocap_tests(arrays, args, device)
    print(f'{counted(training)}; tests: ' + ', '.join(
        f'{name.title} {len(poses):,}' for name, poses in zip(tests.names, tests.both)))
    return training, tests


def require_mocap_flags(args):
    """InputError where a flag selects what only Human3.6M has."""
    for name, only in (('keypoints', GT), ('actions', '*'), ('s1only', False), ('train_subjects', ''), ('validate_on', '')):
        if getattr(args, name, only) != only:
            raise InputError(f'--{name} {getattr(args, name)}: only Human3.6M has that; leave it out with '
                             f'--dataset {args.dataset}')


def _mocap_tests(arrays, args, device):
    """EvaluationSets of a data set of motion capture: its test clips, seen as in training, and MPI-INF-3DHP's test set.

    Where 3DHP is not prepared, or has another skeleton, the second set are the same clips in the views of the other kind of
    camera.
    """
    require_mocap_flags(args)
    chosen, other = sorted(FILMED_BY, key=lambda kind: kind != args.cameras)
    own = mocap_poses(arrays, True, chosen, args.downsample).resident(device)
    own_name = _scored(args.dataset, args.dataset, chosen)
    dhp = TEST_SETS['3dhp']
    if dhp.path(args.data_root).is_file() and own.skeleton == H36M_16:
        return EvaluationSets(own, dhp.load(args.data_root).resident(device), names=(own_name, H36M_AND_3DHP[1]),
                              flips=(False, dhp.flip))
    return EvaluationSets(own, mocap_poses(arrays, True, other, args.downsample).resident(device),
                          names=(own_name, _scored(f'{args.dataset}-{other}', args.dataset, other)), flips=(False, False))


def _scored(key, name, kind):
    return Scored(key, key, f'posenet_{key}', f'{name}: test, {kind} views', key)

"""The evaluation of one checkpoint, printed as tables."""
from common.datasets import TEST_SETS
from common.datasets.h36m_protocol import GT
from common.datasets.pw3d import OPENPOSE
from common.person_camera import camera_of
from common.skeleton import H36M_16
from function_baseline.data import load_test
from function_baseline.evaluate import evaluate
from function_baseline.scores import score
from function_baseline.temporal import STILL, in_words, motion_errors
from models_baseline.temporal import is_temporal
from utils.runs.checkpoint import load_lifter, require_skeleton

_NAME_WIDTH = 28       # the longest name of a sequence, in 3DPW
_HEADER = f'{"":<{_NAME_WIDTH}}{"poses":>9}{"MPJPE":>9}{"P-MPJPE":>9}{"PCK16":>8}{"AUC16":>8}{"PCK14":>8}{"AUC14":>8}'


def report_checkpoint(args, device, camera=None):
    """Score the checkpoint args.evaluate on the test sets of args.dataset and print the tables.

    Dataset 'h36m': returns the PoseErrors on Human3.6M and on MPI-INF-3DHP, and also prints 3DPW if it is prepared. '3dpw':
    returns the PoseErrors with projected and with detected 2D. Motion capture: like 'h36m', see `load_test`. `camera`: see
    `evaluate`. InputError if a file is missing or cannot be used.
    """
    args.dropout = 0.0      # an evaluation has no dropout
    lifter, weights = load_lifter(args.evaluate, args, skeleton=None)
    tests = None if args.dataset == '3dpw' else load_test(args, device)
    require_skeleton(weights.skeleton, tests.h36m.skeleton if tests else H36M_16, args.evaluate)
    epoch = weights.epoch if weights.epoch >= 0 else 'unknown'
    print(f'{args.evaluate}: {weights.kind}, epoch {epoch}')
    camera = camera or camera_of(lifter)
    if camera == 'person':
        print('The 2D poses are lifted as a virtual camera that looks at the person would see them (--camera person).')
    if args.dataset == '3dpw':
        return report_3dpw(lifter.to(device), args.data_root, device, camera)
    h36m, dhp = score(lifter.to(device), tests, device, camera)
    for title, errors, poses, flip in zip(titles(args, tests), (h36m, dhp), tests.both, tests.flips):
        print(f'\n{title}\n{table(errors)}')
        if is_temporal(lifter):
            print(motion_line(motion_errors(lifter, poses, device, flip, camera)))
    if TEST_SETS['3dpw'].path(args.data_root).is_file() and weights.skeleton == H36M_16:
        report_3dpw(lifter, args.data_root, device, camera)
    num_joints = weights.skeleton.num_joints
    print(f'\nPCK (150 mm) and AUC: 16 = all joints{f" (here {num_joints})" * (num_joints != 16)}, the root always a hit (the '
          'reference); 14 = the official joints.')
    return h36m, dhp


def titles(args, tests):
    """Titles of the tables of both EvaluationSets."""
    own, other = tests.names
    is_h36m = args.dataset == 'h36m'
    first = (f'{"Human3.6M S9 and S11" if is_h36m else own.title}, {args.keypoints} 2D, no test-time flip: mm and percent, '
             f'per {"action" if is_h36m else "subject"}')
    second = ('MPI-INF-3DHP test set, its own ground-truth 2D, with test-time flip: per sequence' if other.column == '3dhp'
              else f'{other.title}, {args.keypoints} 2D, no test-time flip: per subject')
    return first, second


def motion_line(errors):
    """The MotionErrors of a temporal lifter on a test set, or None, as a line below its table."""
    return in_words(errors) if errors else STILL


def report_3dpw(lifter, data_root, device, camera=None):
    """Print 3DPW's tables per sequence, with test-time flip (DATASETS.md has the protocol).

    Returns the PoseErrors with projected 2D and with the data set's detections.
    """
    pw3d, both = TEST_SETS['3dpw'], []
    for keypoints, title in ((GT, 'its 3D projected'), (OPENPOSE, 'its OpenPose detections, poses with all joints detected')):
        both.append(evaluate(lifter, pw3d.load(data_root, keypoints).resident(device), device, pw3d.flip, camera))
        print(f'\n3DPW test split, 2D: {title}; with test-time flip: per sequence')
        print(table(both[-1]))
        if is_temporal(lifter):
            print(STILL)
    return tuple(both)


def table(errors):
    """PoseErrors as text: a row per group, the mean over the groups, and the mean over all poses."""
    groups = errors.groups
    figures = [figures_of(part) for part in groups.values()]
    mean = [sum(column) / len(column) for column in zip(*figures)]
    rows = [_row(name, part.num_poses, figures_of(part)) for name, part in groups.items()]
    return '\n'.join([_HEADER, *rows, _row('mean over groups', errors.num_poses, mean),
                      _row('mean over poses', errors.num_poses, figures_of(errors))])


def figures_of(errors):
    """The six scores of PoseErrors, in the order of the table."""
    return errors.mpjpe_mm, errors.p_mpjpe_mm, errors.pck_16, errors.auc_16, errors.pck_14, errors.auc_14


def _row(name, count, figures):
    p1, p2, *percents = figures
    return f'{name:<{_NAME_WIDTH}}{count:>9,}{p1:>9.3f}{p2:>9.3f}' + ''.join(f'{value:>8.3f}' for value in percents)

"""The evaluation of one checkpoint as a person reads it."""
from function_baseline.data import load_test
from function_baseline.scores import score
from utils.checkpoint import load_lifter

_HEADER = f'{"":<22}{"poses":>9}{"MPJPE":>9}{"P-MPJPE":>9}{"PCK16":>8}{"AUC16":>8}{"PCK14":>8}{"AUC14":>8}'


def report_checkpoint(args, device):
    """Load args.evaluate, score it on both test sets, print the tables; returns both PoseErrors."""
    args.dropout = 0.0      # none in evaluation, whatever was typed
    lifter, weights = load_lifter(args.evaluate, args)
    tests = load_test(args, device)
    print(f'{args.evaluate}: {weights.posenet_name}, {weights.stages} stages, epoch {weights.epoch if weights.epoch >= 0 else "unknown"}')
    h36m, dhp = score(lifter.to(device), tests, device)
    print(f'\nHuman3.6M S9 and S11, {args.keypoints} 2D, no flip: mm and percent, per action')
    print(table(h36m))
    print('\nMPI-INF-3DHP test set, its own ground-truth 2D, flip averaged: per sequence')
    print(table(dhp))
    print('\nPCK (150 mm) and AUC: 16 = all joints, the root a sure hit (the reference); 14 = the official joints.')
    return h36m, dhp


def table(errors):
    """Rows per group, their mean, and the mean over all poses (PoseErrors with groups -> text)."""
    groups = errors.groups
    figures = [figures_of(part) for part in groups.values()]
    mean = [sum(column) / len(column) for column in zip(*figures)]
    rows = [_row(name, part.num_poses, figures_of(part)) for name, part in groups.items()]
    return '\n'.join([_HEADER, *rows, _row('mean over groups', errors.num_poses, mean),
                      _row('mean over poses', errors.num_poses, figures_of(errors))])


def figures_of(errors):
    return errors.mpjpe_mm, errors.p_mpjpe_mm, errors.pck_16, errors.auc_16, errors.pck_14, errors.auc_14


def _row(name, count, figures):
    p1, p2, *percents = figures
    return f'{name:<22}{count:>9,}{p1:>9.3f}{p2:>9.3f}' + ''.join(f'{value:>8.3f}' for value in percents)

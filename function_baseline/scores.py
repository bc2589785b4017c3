"""Scores of an evaluation as a row of log.txt, as event tags, and as a printed line."""
from function_baseline.evaluate import evaluate
from utils.runs.score_names import H36M_AND_3DHP


def score(lifter, tests, device, camera=None):
    """PoseErrors on both EvaluationSets, each with or without test-time flip as its protocol says."""
    return tuple(evaluate(lifter, poses, device, flip, camera) for poses, flip in zip(tests.both, tests.flips))


def columns(h36m, dhp):
    """The four figures of a log row."""
    return h36m.mpjpe_mm, h36m.p_mpjpe_mm, dhp.mpjpe_mm, dhp.p_mpjpe_mm


def tagged(h36m, dhp, suffix='', names=H36M_AND_3DHP):
    """Event tag -> number; `suffix` is '', '_fake' or '_real'; `names`: EvaluationSets.names."""
    figures = {}
    for place, errors in zip((name.tag for name in names), (h36m, dhp)):
        figures.update({f'{place}/p1score{suffix}': errors.mpjpe_mm, f'{place}/p2score{suffix}': errors.p_mpjpe_mm,
                        f'{place}/pck16{suffix}': errors.pck_16, f'{place}/auc16{suffix}': errors.auc_16,
                        f'{place}/pck14{suffix}': errors.pck_14, f'{place}/auc14{suffix}': errors.auc_14})
    return figures


def one_line(h36m, dhp, names=H36M_AND_3DHP):
    """The scores as the trainers print them after each epoch."""
    first, second = (name.short for name in names)
    return (f'{first} {h36m.mpjpe_mm:.2f} / {h36m.p_mpjpe_mm:.2f} mm   {second} {dhp.mpjpe_mm:.2f} / {dhp.p_mpjpe_mm:.2f} mm, '
            f'PCK {dhp.pck_16:.2f} (all joints) {dhp.pck_14:.2f} (official 14)')

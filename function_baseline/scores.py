"""Scores of an evaluation as a row of log.txt, as event tags, and as a printed line."""
from common.datasets import TEST_SETS
from function_baseline.evaluate import evaluate
from utils.runs.score_names import TAGS


def score(lifter, tests, device, camera=None):
    """PoseErrors on both EvaluationSets, each with or without test-time flip as its protocol says."""
    return (evaluate(lifter, tests.h36m, device, TEST_SETS['h36m'].flip, camera),
            evaluate(lifter, tests.dhp, device, TEST_SETS['3dhp'].flip, camera))


def columns(h36m, dhp):
    """The four figures of a log row."""
    return h36m.mpjpe_mm, h36m.p_mpjpe_mm, dhp.mpjpe_mm, dhp.p_mpjpe_mm


def tagged(h36m, dhp, suffix=''):
    """Event tag -> number; `suffix` is '', '_fake' or '_real'."""
    figures = {}
    for place, errors in ((TAGS['h36m'], h36m), (TAGS['dhp'], dhp)):
        figures.update({f'{place}/p1score{suffix}': errors.mpjpe_mm, f'{place}/p2score{suffix}': errors.p_mpjpe_mm,
                        f'{place}/pck16{suffix}': errors.pck_16, f'{place}/auc16{suffix}': errors.auc_16,
                        f'{place}/pck14{suffix}': errors.pck_14, f'{place}/auc14{suffix}': errors.auc_14})
    return figures


def one_line(h36m, dhp):
    """The scores as the trainers print them after each epoch."""
    return (f'H36M {h36m.mpjpe_mm:.2f} / {h36m.p_mpjpe_mm:.2f} mm   3DHP {dhp.mpjpe_mm:.2f} / {dhp.p_mpjpe_mm:.2f} mm, '
            f'PCK {dhp.pck_16:.2f} (16 joints) {dhp.pck_14:.2f} (official 14)')

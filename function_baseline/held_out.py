"""Choosing a checkpoint honestly: by the error on a held-out training subject (--validate_on), not on the test sets."""
from function_baseline.evaluate import evaluate
from utils.runs.checkpoint import HELD_OUT_BEST
from utils.runs.score_names import HELD_OUT_TAG

NO_SCORE = float('inf')


def keep_best_held_out(run, state, tests, device, key, lifter):
    """Score the lifter on the held-out subject, if there is one; save it under `key` if its MPJPE is the lowest so far."""
    if tests.held_out is None:
        return
    error = evaluate(lifter, tests.held_out, device, flip=False).mpjpe_mm
    print(f'epoch {state.epoch}: held-out subject {error:.2f} mm')
    run.scalars({HELD_OUT_TAG: error}, state.epoch)
    if error < state.best_held_out:
        state.best_held_out = error
        run.save_lifter(HELD_OUT_BEST, key, lifter, state.epoch, error_held_out_p1=error)
        run.log_line(f'saved {HELD_OUT_BEST}: epoch {state.epoch}, MPJPE {error:.6f}')

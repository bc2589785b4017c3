"""Which of a run's checkpoints is reported: three ways to select it, side by side.

`oracle`: the best on the test set itself, as the authors report; it knows what it is tested on. `last`: the last epoch.
`held-out`: the best on a held-out training subject (--validate_on).
"""
from pathlib import Path

from common.errors import InputError
from function_baseline.data import load_test
from function_baseline.scores import score
from utils.runs.checkpoint import BASELINE_BEST, HELD_OUT_BEST, LAST, load_lifter

ROWS = ('Human3.6M', 'MPI-INF-3DHP')
# selection -> for each of ROWS, the names that its checkpoint may have
SELECTIONS = {'oracle': (('ckpt_best_h36m_p1.pth.tar', BASELINE_BEST), ('ckpt_best_dhp_p1.pth.tar', BASELINE_BEST)),
              'last': ((LAST,), (LAST,)), 'held-out': ((HELD_OUT_BEST,), (HELD_OUT_BEST,))}


def report_run(args, device, camera=None):
    """Score the checkpoints of the run directory args.evaluate and print a table, a column for each selection.

    Returns {selection: (PoseErrors on Human3.6M, PoseErrors on MPI-INF-3DHP)}. InputError if the directory holds none.
    """
    directory, args.dropout = Path(args.evaluate), 0.
    chosen = {name: [_first(directory, names) for names in places] for name, places in SELECTIONS.items()}
    chosen = {name: paths for name, paths in chosen.items() if all(paths)}
    if not chosen:
        raise InputError(f'{directory} holds no checkpoint of a run (such as {LAST}); give a run directory or a checkpoint')
    tests, scored = load_test(args, device), {}
    for path in {path for paths in chosen.values() for path in paths}:
        lifter, weights = load_lifter(path, args)
        scored[path] = score(lifter.to(device), tests, device, camera), weights.epoch
    print(f'{directory}: MPJPE / P-MPJPE, mm (epoch)')
    print(table(chosen, scored))
    print('oracle: the best checkpoint on each test set itself, as the authors report; last: the last epoch; '
          'held-out: the best on the subject of --validate_on')
    return {name: tuple(scored[path][0][row] for row, path in enumerate(paths)) for name, paths in chosen.items()}


def table(chosen, scored):
    """The text: `chosen` {selection: a path for each of ROWS}, `scored` {path: ((PoseErrors, PoseErrors), epoch)}."""
    lines = [f'{"":<16}' + ''.join(f'{name:>24}' for name in chosen)]
    for row, title in enumerate(ROWS):
        cells = []
        for paths in chosen.values():
            errors, epoch = scored[paths[row]]
            cells.append(f'{errors[row].mpjpe_mm:.2f} / {errors[row].p_mpjpe_mm:.2f} ({epoch})')
        lines.append(f'{title:<16}' + ''.join(f'{cell:>24}' for cell in cells))
    return '\n'.join(lines)


def _first(directory, names):
    """The first of the files that exists in the directory, or None."""
    return next((directory / name for name in names if (directory / name).is_file()), None)

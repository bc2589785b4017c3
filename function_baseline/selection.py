"""Which of a run's checkpoints is reported: three ways to select it, side by side.

`oracle`: the best on the test set itself, as the authors report; it knows what it is tested on. `last`: the last epoch.
`held-out`: the best on a held-out training subject (--validate_on).
"""
from pathlib import Path

from common.errors import InputError
from function_baseline.clips import has_clips
from function_baseline.data import load_test
from function_baseline.scores import score
from function_baseline.temporal import STILL
from models_baseline.temporal import is_temporal
from utils.runs.checkpoint import BASELINE_BEST, HELD_OUT_BEST, LAST, load_lifter



def report_run(args, device, camera=None):
    """Score the checkpoints of the run directory args.evaluate and print a table, a column for each selection.

    Returns {selection: (PoseErrors on the first test set, on the second)}. InputError if the directory holds none.
    """
    directory, args.dropout = Path(args.evaluate), 0.
    if not any((directory / name).is_file() for name in (LAST, BASELINE_BEST, HELD_OUT_BEST)):
        raise InputError(f'{directory} holds no checkpoint of a run (such as {LAST}); give a run directory or a checkpoint')
    tests, scored = load_test(args, device), {}
    chosen = {name: [_first(directory, names) for names in places] for name, places in selections(tests.names).items()}
    chosen = {name: paths for name, paths in chosen.items() if all(paths)}
    for path in {path for paths in chosen.values() for path in paths}:
        lifter, weights = load_lifter(path, args, tests.h36m.skeleton)
        scored[path] = score(lifter.to(device), tests, device, camera), weights.epoch
    print(f'{directory}: MPJPE / P-MPJPE, mm (epoch)')
    print(table([name.title for name in tests.names], chosen, scored))
    for name, poses in zip(tests.names, tests.both):
        if is_temporal(lifter) and not has_clips(poses):
            print(f'{name.title}: {STILL}')
    print('oracle: the best checkpoint on each test set itself, as the authors report (of a baseline: on the first one); '
          'last: the last epoch; held-out: the best on the subject of --validate_on')
    return {name: tuple(scored[path][0][row] for row, path in enumerate(paths)) for name, paths in chosen.items()}


def selections(names):
    """Selection -> for each of the two test sets (Scored), the names that its checkpoint may have."""
    oracle = [(f'ckpt_best_{name.key}_p1.pth.tar', BASELINE_BEST) for name in names]
    return {'oracle': oracle, 'last': [(LAST,)] * 2, 'held-out': [(HELD_OUT_BEST,)] * 2}


def table(titles, chosen, scored):
    """The text: `chosen` {selection: a path for each of the titles}, `scored` {path: ((PoseErrors, PoseErrors), epoch)}."""
    width = max(map(len, titles)) + 2
    lines = [' ' * width + ''.join(f'{name:>24}' for name in chosen)]
    for row, title in enumerate(titles):
        cells = []
        for paths in chosen.values():
            errors, epoch = scored[paths[row]]
            cells.append(f'{errors[row].mpjpe_mm:.2f} / {errors[row].p_mpjpe_mm:.2f} ({epoch})')
        lines.append(title.ljust(width) + ''.join(f'{cell:>24}' for cell in cells))
    return '\n'.join(lines)


def _first(directory, names):
    """The first of the files that exists in the directory, or None."""
    return next((directory / name for name in names if (directory / name).is_file()), None)

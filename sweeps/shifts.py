"""The benchmark of a sweep: its lifters side by side on controlled shifts (docs/benchmark.md)."""
from common.errors import InputError
from sweeps.jobs import arguments_of


def benchmarks_of(sweep, jobs):
    """The flags of run_benchmark.py for each table, with the last checkpoints of the jobs that are finished.

    Seeds are repetitions. Baselines from which others start are called baseline.
    """
    shifts = sweep.shifts if isinstance(sweep.shifts, str) else ','.join(sweep.shifts)
    tables = []
    for name, own in _tables(jobs).items():
        if entries := [f'{shown_name(job, jobs)}={job.run_directory}' for job in own if job.finished]:
            tables.append(['--evaluate', *entries, '--shifts', shifts, *test_flags(arguments_of(own[0], sweep.path)),
                           '--output', str(sweep.folder / f'shifts_{name}')])
    return tables


def require_comparable(sweep, jobs):
    """InputError, before anything runs, if the lifters of a table cannot be compared."""
    for own in _tables(jobs).values():
        kinds, flags = {}, test_flags(arguments_of(own[0], sweep.path))
        for job in own:
            name, args = shown_name(job, jobs), arguments_of(job, sweep.path)
            if kinds.setdefault(name, (job.trainer, job.variant)) != (job.trainer, job.variant):
                raise InputError(f'{sweep.path}: shifts = ... would show different runs as {name!r}; rename the variant')
            if test_flags(args) != flags:
                raise InputError(f'{sweep.path}: shifts = ... needs the same test poses for all runs, but the flags of {job} '
                                 f'choose others than those of {own[0]}; leave out shifts')


def _tables(jobs):
    """{name: jobs of a lifter and source of 2D}"""
    tables = {}
    for job in jobs:
        tables.setdefault(f'{job.lifter}_{job.keypoints}', []).append(job)
    return tables


def shown_name(job, jobs):
    """The name of a job's lifter in the table."""
    if any(other.needs == job for other in jobs):
        return f'{job.variant} baseline'.lstrip()
    return job.variant or job.trainer


def test_flags(args):
    """Flags of run_benchmark.py for the test set of a trainer with these arguments."""
    return ['--shift_dataset', args.dataset, '--keypoints', args.keypoints, '--actions', args.actions, '--downsample',
            str(args.downsample), '--data_root', str(args.data_root)]

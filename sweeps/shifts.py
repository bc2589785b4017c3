"""The benchmark of a sweep: its lifters side by side on controlled shifts (docs/benchmark.md)."""
from sweeps.jobs import arguments_of


def benchmarks_of(sweep, jobs):
    """{name: flags of run_benchmark.py}, one for each lifter and source of 2D, with the last checkpoints of all finished jobs.

    Seeds are repetitions. Baselines from which others start are called baseline.
    """
    entries, flags = {}, {}
    shifts = sweep.shifts if isinstance(sweep.shifts, str) else ','.join(sweep.shifts)
    for job in jobs:
        if job.finished:
            name = f'{job.lifter}_{job.keypoints}'
            entries.setdefault(name, []).append(f'{shown_name(job, jobs)}={job.run_directory}')
            flags[name] = test_flags(arguments_of(job, sweep.path))
    return {name: ['--evaluate', *entries[name], '--shifts', shifts, *flags[name], '--output',
                   str(sweep.folder / f'shifts_{name}')] for name in entries}


def shown_name(job, jobs):
    """The name of a job's lifter in the table."""
    if any(other.needs == job for other in jobs):
        return f'{job.variant} baseline'.lstrip()
    return job.variant or job.trainer


def test_flags(args):
    """Flags of run_benchmark.py for the poses that the trainer with these arguments tests on."""
    return ['--shift_dataset', args.dataset, '--keypoints', args.keypoints, '--actions', args.actions, '--downsample',
            str(args.downsample), '--data_root', str(args.data_root), '--device', args.device]

#!/usr/bin/env python3
"""Run a whole grid of trainings with one command, on this machine or on many: python3 run_sweep.py demo (docs/sweeps.md).

All state lies in the folders of the runs: the same command goes on where it was stopped, and redoes nothing that is finished.
"""
import os
import sys
from pathlib import Path

import torch

import run_benchmark
from common.errors import InputError
from sweeps.grid import boxed, read_sweep
from sweeps.jobs import jobs_of, require_unchanged
from sweeps.on_ray import Cluster
from sweeps.plan import plan
from sweeps.play import Here, Play
from sweeps.results import groups_of, markdown, write_results
from sweeps.screen import Screen
from sweeps.shifts import benchmarks_of, require_comparable
from utils.command_line import Parser, exits_cleanly, number, positive, whole
from utils.interrupts import Stopped


@exits_cleanly
def main(argv=None):
    """Run the jobs that are not finished, and write the results; returns the folder of the sweep."""
    args = parse_args(argv)
    sweep = read_sweep(args.sweep, args.folder, args.seeds, args.data_root, args.variants)
    jobs = jobs_of(sweep)
    for job in jobs:
        require_unchanged(job, sweep.path)
    if sweep.shifts:
        require_comparable(sweep, jobs)
    if args.dry_run:
        print(described(sweep, jobs, args))
        return sweep.folder
    chosen = jobs if args.only is None else experiment(jobs, args.only)
    failed = played(chosen, place_for(sweep, args), args)
    try:
        if args.only is None:
            report(jobs, sweep.folder)
            for flags in benchmarks_of(sweep, jobs) if sweep.shifts else ():
                run_benchmark.main(flags)
    finally:
        if failed:
            leave(failed)
    return sweep.folder


def parse_args(argv=None):
    parser = Parser(__doc__.partition(':')[0])
    parser.add_argument('sweep', metavar='SWEEP', help=f'a .toml file, or one of {", ".join(boxed())}')
    parser.add_argument('--folder', type=Path, metavar='DIR', help='for all runs, instead of the one that the file says')
    parser.add_argument('--seeds', type=whole, nargs='+', metavar='N', help='instead of those that the file says')
    parser.add_argument('--variants', nargs='+', metavar='NAME', help='only these of the variants in the file')
    parser.add_argument('--data_root', type=Path, metavar='DIR', help='as in the trainers')
    parser.add_argument('--dry_run', '--dry-run', action='store_true',
                        help='show jobs, commands, resources, and an estimate of time and disk; run nothing')
    parser.add_argument('--address', default='', metavar='HOST:PORT',
                        help='run on the Ray cluster there, or auto (needs requirements-sweep.txt; default: this machine)')
    parser.add_argument('--only', type=whole, metavar='N', help='run experiment N of --dry_run alone, from 0: a task of an '
                        'array of jobs. Exit code 75: it runs elsewhere or was stopped, and may be started again')
    parser.add_argument('--at_once', type=positive, metavar='N', help='jobs side by side here (default: as many as fit)')
    parser.add_argument('--retries', type=whole, default=8, metavar='N',
                        help='how often a job that was killed goes on (default %(default)s)')
    parser.add_argument('--show', type=number, default=3., metavar='SECONDS',
                        help='between two looks at the logs; ten times as long without a terminal (default %(default)s)')
    args = parser.parse_args(argv)
    if args.address and args.only is not None:
        parser.error('--only runs here; leave out --address')
    return args


def described(sweep, jobs, args):
    """What --dry_run prints."""
    gpus = visible_gpus() if sweep.gpus else []
    return plan(sweep, jobs, slots_for(sweep, gpus, args.at_once), len(gpus))


def experiment(jobs, number):
    """The job that no other needs with this number, after the one that it needs. InputError if there is none."""
    last = [job for job in jobs if all(other.needs != job for other in jobs)]
    if number >= len(last):
        raise InputError(f'--only {number}: this sweep has the experiments 0 to {len(last) - 1}')
    return [job for job in jobs if job in (last[number], last[number].needs)]


def place_for(sweep, args):
    """Where the jobs run: Here or on a Cluster."""
    if args.address:
        return Cluster(args.address, sweep.cpus, sweep.gpus)
    gpus = visible_gpus() if sweep.gpus else []
    return Here(slots_for(sweep, gpus, args.at_once), gpus)


def slots_for(sweep, gpus, at_once=None):
    """How many jobs fit on this machine, by its cores, its memory and its GPUs; at least one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    memory_gb = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9
    slots = [cores // sweep.cpus, memory_gb // sweep.memory_gb, *([len(gpus) * int(1 / sweep.gpus + 1e-6)] if gpus else [])]
    return at_once or max(1, int(min(slots)))


def visible_gpus():
    """What CUDA_VISIBLE_DEVICES is to say for each GPU that this process may use."""
    named = os.environ.get('CUDA_VISIBLE_DEVICES', '')
    return named.split(',') if named and torch.cuda.device_count() else [str(gpu) for gpu in range(torch.cuda.device_count())]


def played(jobs, place, args):
    """Run the jobs; returns {job: Ended} of those that failed. Leaves after Ctrl-C or SIGTERM, with one line."""
    screen = Screen(args.show)
    try:
        return Play(jobs, place, args.retries, screen, patient=args.only is None).to_the_end()
    except Stopped as stop:
        screen.close()
        print(f'stopped by {stop}; the same command goes on after the last complete epoch of each job', file=sys.stderr)
        sys.exit(stop.exit_code)
    finally:
        screen.close()


def report(jobs, folder):
    """Write the results of all finished jobs, and print the table."""
    groups = groups_of(jobs)
    if groups:
        write_results(groups, folder)
        print(f'{markdown(groups)}\n\nwritten: {folder}/table.md, table.csv, runs.csv, table.png')
    else:
        print('no table: no finished job has scores on Human3.6M')


def leave(failed):
    """Exit with the code of the first job that failed; 128 + the signal, as in a shell, if a signal killed it."""
    job, ended = next(iter(failed.items()))
    others = f' ({len(failed) - 1} more failed)' * (len(failed) > 1)
    print(f'error: {job}: {(ended.why.splitlines() or [f"code {ended.code}"])[-1]}{others}', file=sys.stderr)
    sys.exit(ended.code if ended.code >= 0 else 128 - ended.code)


if __name__ == '__main__':
    main()

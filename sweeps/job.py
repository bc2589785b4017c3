"""A job of a sweep: one training command, and what its folder says about it. Nothing here is kept in memory between starts.

A job's folder holds its run directory, `output.txt` (what the command printed) and `.lock`. This module and
sweeps/lives.py import nothing heavy, because a worker of Ray does nothing else.
"""
import os
import re
import shlex
import sys
from pathlib import Path
from typing import NamedTuple

from common.files.paths import PROJECT_ROOT
from utils.runs.record import LAST, has_finished

BASELINE, POSEAUG = 'baseline', 'poseaug'
SCRIPTS = {BASELINE: 'run_baseline.py', POSEAUG: 'run_poseaug.py'}
NOTES = {BASELINE: 'pretrain', POSEAUG: 'poseaug'}
BEST = {'best': '', 'last': LAST}          # what PoseAug starts from -> file in the baseline's run directory


class Job(NamedTuple):
    """One training run. `flags`: words of the command line; `place`: its --checkpoint; `needs`: the Job of its baseline.

    `epochs`: how many it trains; `start_from`: a key of BEST; `cwd`: the folder in which the command runs.
    """
    trainer: str
    lifter: str
    keypoints: str
    variant: str
    seed: int
    flags: tuple
    epochs: int
    place: Path
    cpus: int
    cwd: str
    needs: object = None
    start_from: str = 'best'

    def __str__(self):
        return f'{self.lifter} {self.keypoints} seed {self.seed}, {self.trainer}' + f' ({self.variant})' * bool(self.variant)

    @property
    def folder(self):
        """Where its run directory lies, by the trainers' rule."""
        return self.place / self.lifter / self.keypoints

    @property
    def run_directory(self):
        """The run that can be continued; None before its first checkpoint."""
        found = sorted(self.folder.glob(f'*/{LAST}'))
        return found[-1].parent if found else None

    @property
    def finished(self):
        return self.run_directory is not None and has_finished(self.run_directory)

    def words(self):
        """The words of the command after the script's name, for a start now: a new run, or the earlier one continued."""
        shared = ['--note', NOTES[self.trainer], *self.flags, '--posenet_name', self.lifter, '--keypoints', self.keypoints,
                  '--random_seed', str(self.seed), '--checkpoint', str(self.place)]
        if self.run_directory:
            return [*shared, '--resume', str(self.run_directory)]
        return [*shared, '--pretrain_path', self.pretrained()] if self.needs else shared

    def pretrained(self):
        run = self.needs.run_directory
        return str(run / BEST[self.start_from]) if run else f"({self.needs}'s run)"

    def command(self):
        """The command as a list, for this interpreter."""
        return [sys.executable, str(PROJECT_ROOT / SCRIPTS[self.trainer]), *self.words()]

    def shown(self):
        """The command as one types it in the folder of the sweep."""
        script = os.path.relpath(PROJECT_ROOT / SCRIPTS[self.trainer], self.cwd)
        return f'python3 {shlex.join([script, *self.words()])}'

    def epochs_done(self):
        """The number of the last epoch in the run's log; 0 before the first."""
        log = self.run_directory and self.run_directory / 'log.txt'
        rows = re.findall(r'^(\d+)\.\d{6}\t', log.read_text(errors='replace'), re.MULTILINE) if log and log.exists() else []
        return int(rows[-1]) if rows else 0

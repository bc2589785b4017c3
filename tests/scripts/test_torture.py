"""kill -9 at fifty moments of a run: resumed each time, it ends with the weights, pools, log and events of one undisturbed.

A process that has everything loaded forks a child for each life of the run; a life ends when the run does or when it is
killed. Every other kill waits until a checkpoint is being written.
"""
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from places import ROOT
from run_reading import events, log_rows, same
from utils.runs.checkpoint import LAST, read_checkpoint

KILLS, EPOCHS = 25, 20          # of each trainer
ALONE = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT)}


def flags(root, runs):
    return ['--data_root', str(root), '--device', 'cpu', '--checkpoint', str(runs), '--posenet_name', 'mlp', '--stages', '1',
            '--s1only', 'true', '--actions', 'Walking', '--batch_size', '28', '--epochs', str(EPOCHS), '--note', 'test',
            '--pretrain', 'false']


@pytest.mark.parametrize('script', ['run_baseline', 'run_poseaug'])
def test_a_run_killed_at_many_moments_ends_as_one_undisturbed(script, tiny_root, tmp_path):
    torture = subprocess.run([sys.executable, __file__, script, str(tiny_root), str(tmp_path / 'killed')],
                             env=ALONE, capture_output=True, text=True)
    assert torture.returncode == 0, torture.stderr
    kills = json.loads(torture.stdout.splitlines()[-1])
    assert sum(kills.values()) == KILLS and min(kills.values()) > 2, kills
    whole = subprocess.run([sys.executable, ROOT / f'{script}.py', *flags(tiny_root, tmp_path / 'whole')],
                           env=ALONE, capture_output=True, text=True)
    assert whole.returncode == 0, whole.stderr
    runs = [next((tmp_path / name).rglob(LAST)).parent for name in ('killed', 'whole')]
    states = [read_checkpoint(run / LAST) for run in runs]
    for state in states:
        for of_this_life in ('environment', 'sizes', 'arguments'):
            del state[of_this_life]
    assert same(*states)
    assert log_rows(runs[0]) == log_rows(runs[1]) and len(log_rows(runs[0])) == EPOCHS
    assert events(runs[0]) == events(runs[1])


def main(script, root, runs):
    """Play all lives of a run; prints, as JSON, how many were killed in the middle of writing, and elsewhere."""
    import torch
    torch.set_num_threads(1)
    trainer = __import__(script)
    dice, kills = random.Random(0), dict(writing=0, elsewhere=0)
    while True:
        run = next(Path(runs).rglob('run.json'), Path('none')).parent
        begins = not (run / LAST).exists()
        if begins and run.is_dir() and run.name != '':
            shutil.rmtree(run)                   # killed before its first checkpoint
        life = os.fork()
        if life == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            trainer.main(flags(root, runs) if begins else ['--resume', str(run), '--device', 'cpu'])
            os._exit(0)
        if sum(kills.values()) < KILLS:
            kills[kill_sometime(life, run, kills['writing'] <= kills['elsewhere'], dice)] += 1
        status = os.waitpid(life, 0)[1]
        if status not in (0, signal.SIGKILL):
            sys.exit(f'a life ended with status {status}')
        if status == 0:
            break
    print(json.dumps(kills))


def kill_sometime(life, run, while_writing, dice):
    """Kill a child while it writes a checkpoint, if it does soon, or after a while; says which it was."""
    start = time.time()
    end = start + dice.uniform(.05, 1)
    while time.time() < end + 5 * while_writing:
        if while_writing and time.time() > end and is_writing(run, start):
            break
        time.sleep(.0005)
    os.kill(life, signal.SIGKILL)
    return 'writing' if is_writing(run, start) else 'elsewhere'


def is_writing(run, since):
    """Whether a half-written file lies there that is not left over from an earlier life."""
    try:
        return any(file.stat().st_mtime > since for file in run.glob('*.partial'))
    except FileNotFoundError:        # renamed between the two looks
        return False


if __name__ == '__main__':
    main(*sys.argv[1:])

"""kill -9 at many moments: a run that is resumed each time ends with the weights, pools, log and events of an undisturbed one.

A process that has everything loaded forks a child for each start of the run, and kills it after a while until KILLS is
reached. Every other kill waits until a checkpoint is being written.
"""
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import pytest
import torch

from places import ROOT
from run_reading import events, log_rows, same
from utils.runs.checkpoint import LAST, read_checkpoint

pytestmark = pytest.mark.slow
KILLS, EPOCHS = 10, 8          # of each trainer
ALONE = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': os.pathsep.join([str(ROOT), str(ROOT / 'tests')])}


def flags(root, runs):
    return ['--data_root', str(root), '--device', 'cpu', '--checkpoint', str(runs), '--posenet_name', 'mlp', '--stages', '1',
            '--s1only', 'true', '--actions', 'Walking', '--batch_size', '28', '--epochs', str(EPOCHS), '--note', 'test',
            '--pretrain', 'false']


@pytest.mark.parametrize('script', ['run_baseline', 'run_poseaug'])
def test_a_run_killed_at_many_moments_ends_as_one_undisturbed(script, tiny_root, tmp_path):
    whole = subprocess.Popen([sys.executable, ROOT / f'{script}.py', *flags(tiny_root, tmp_path / 'whole')],
                             env=ALONE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)      # meanwhile
    torture = subprocess.run([sys.executable, __file__, script, str(tiny_root), str(tmp_path / 'killed')],
                             env=ALONE, capture_output=True, text=True)
    whole_errors = whole.communicate()[1]
    assert torture.returncode == 0, torture.stderr
    assert whole.returncode == 0, whole_errors
    kills = json.loads(torture.stdout.splitlines()[-1])
    assert sum(kills.values()) == KILLS and min(kills.values()) > 2, kills
    runs = [next((tmp_path / name).rglob(LAST)).parent for name in ('killed', 'whole')]
    states = [read_checkpoint(run / LAST) for run in runs]
    for state in states:
        for of_this_start in ('environment', 'sizes', 'arguments'):
            del state[of_this_start]
    assert same(*states)
    assert log_rows(runs[0]) == log_rows(runs[1]) and len(log_rows(runs[0])) == EPOCHS
    assert events(runs[0]) == events(runs[1])


def main(script, root, runs):
    """Start the run until it ends; prints, as JSON, how many starts were killed while writing a checkpoint, and elsewhere."""
    for slow_to_import in ('torch._dynamo', 'matplotlib.backends.backend_agg', 'mpl_toolkits.mplot3d'):
        import_module(slow_to_import)
    trainer = import_module(script)
    torch.set_num_threads(1)
    dice, kills = random.Random(0), dict(writing=0, elsewhere=0)
    while True:
        run = next(Path(runs).rglob('run.json'), Path('none')).parent
        begins = not (run / LAST).exists()
        if begins and run.is_dir() and run.name != '':
            shutil.rmtree(run)                   # killed before its first checkpoint
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            trainer.main(flags(root, runs) if begins else ['--resume', str(run), '--device', 'cpu'])
            os._exit(0)
        if sum(kills.values()) < KILLS:
            kills[kill_sometime(child, runs, kills['writing'] <= kills['elsewhere'], dice)] += 1
        status = os.waitpid(child, 0)[1]
        if status not in (0, signal.SIGKILL):
            sys.exit(f'a child ended with status {status}')
        if status == 0:
            break
    print(json.dumps(kills))


def kill_sometime(child, runs, while_writing, dice):
    """Kill a child after a random time or, if `while_writing`, when it next writes a checkpoint; says which it was."""
    start = time.time()
    end = start + dice.uniform(.05, 1)
    while time.time() < end + 5 * while_writing:
        if while_writing and time.time() > end and is_writing(runs, start):
            break
        time.sleep(.0005)
    os.kill(child, signal.SIGKILL)
    return 'writing' if is_writing(runs, start) else 'elsewhere'


def is_writing(runs, since):
    """Whether there is a half-written file that is not left over from an earlier child."""
    try:
        return any(file.stat().st_mtime > since for file in Path(runs).rglob('*.partial'))
    except FileNotFoundError:        # renamed between the two looks
        return False


if __name__ == '__main__':
    main(*sys.argv[1:])

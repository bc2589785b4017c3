"""Two processes that train together give the results of one (tests/two_ranks.py computes them), and print and write as one."""
import os
import re
import socket
import subprocess
import sys

import pytest
import torch

from models_baseline import LIFTERS
from places import ROOT
from run_reading import figures, log_rows, same
from trainers import baseline

TINY = ('--device', 'cpu', '--posenet_name', 'gcn', '--stages', '1', '--s1only', 'true', '--actions', 'Walking',
        '--batch_size', '11', '--note', 'test')
pytestmark = pytest.mark.slow


def free_ports(count):
    """Ports that were free a moment ago, as text."""
    sockets = [socket.create_server(('127.0.0.1', 0)) for _ in range(count)]
    ports = [str(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def environment(**values):
    return {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': f'{ROOT}:{ROOT / "tests"}', **values}


@pytest.fixture(scope='module')
def results(tmp_path_factory):
    """[(together, alone) of each rank], both {task: result}."""
    folder = tmp_path_factory.mktemp('two_ranks')      # rank 1 computes nothing alone
    launched = dict(TORCHELASTIC_RUN_ID='test', WORLD_SIZE='2', MASTER_ADDR='127.0.0.1')
    command = [sys.executable, str(ROOT / 'tests' / 'two_ranks.py'), str(folder), *free_ports(3)]
    processes = [subprocess.Popen(command, env=environment(RANK=rank, LOCAL_RANK=rank, **launched)) for rank in '01']
    assert [process.wait(120) for process in processes] == [0, 0]
    return [torch.load(folder / f'results_{rank}.pt') for rank in '01']


def require_close(shared, alone, losses, weights):
    """Both are (losses, state): the largest differences, relative of the losses and absolute of the weights."""
    torch.testing.assert_close(shared[0], alone[0], rtol=losses, atol=0)
    torch.testing.assert_close(shared[1], alone[1], rtol=0, atol=weights)


# the same numbers

@pytest.mark.parametrize('lifter', [*LIFTERS, 'own'])
def test_a_step_of_two_processes_is_that_of_one(results, lifter):
    """Of seven poses: four and three. In float64, so that nothing but an error is larger than the tolerances.

    `own`: a lifter with other layers than ours.
    """
    shared, alone = results[0]
    require_close(shared[f'step {lifter}'], alone[f'step {lifter}'], losses=1e-12, weights=1e-8)


def test_an_epoch_with_dropout_is_that_of_one_process(results):
    shared, alone = results[0]
    require_close(shared['epoch'], alone['epoch'], losses=1e-12, weights=1e-8)
    assert len(set(alone['epoch'][0].tolist())) == 7


def test_the_first_step_in_float32_differs_by_rounding(results):
    shared, alone = results[0]
    torch.testing.assert_close(shared['float32'][0], alone['float32'][0], rtol=1e-6, atol=0)


def test_all_processes_hold_the_same_bits(results):
    (first, _), (second, _) = results
    assert same(first['epoch'], second['epoch']) and same(first['errors'], second['errors'])


@pytest.mark.parametrize('task', ['errors', 'errors of one chunk'])
def test_a_shared_evaluation_is_equal_to_the_bit(results, task):
    """Of six chunks of poses, and of one, which leaves the second process nothing to do."""
    shared, alone = results[0]
    assert same(tuple(shared[task]), tuple(alone[task]))


def test_a_run_may_go_on_with_another_number_of_processes(results):
    """Two, one and two again, an epoch each, of recipe v2 and through the virtual camera."""
    shared, alone = (part['resumed'] for part in results[0])
    assert shared['epoch'] == alone['epoch'] == 3
    torch.testing.assert_close(shared['state_dict'], alone['state_dict'], rtol=0, atol=1e-8)
    torch.testing.assert_close(shared['history'], alone['history'], rtol=1e-8, atol=0)


# one voice

def torchrun(*command):
    """Start two processes of a script; (exit code, lines of its output, lines of its errors without torchrun's own)."""
    done = subprocess.run([sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node', '2',
                           *map(str, command)], cwd=ROOT, env=environment(), capture_output=True, text=True)
    ours = [line for line in done.stderr.splitlines() if line.startswith(('error: ', 'warning: '))]
    return done.returncode, done.stdout.splitlines(), ours


def test_torchrun_trains_a_baseline_that_prints_and_writes_once(tiny_root, runs):
    """Its scores are those of one process as far as float32 permits."""
    code, output, errors = torchrun('run_baseline.py', '--data_root', tiny_root, '--checkpoint', runs, *TINY, '--epochs', 1)
    assert code == 0 and not errors
    assert [line.split(':')[0] for line in output] == ['56 training poses; tests', 'run directory', 'epoch 1']
    run, = runs.glob('gcn/gt/*')
    alone = baseline(tiny_root, runs / 'alone', 'gcn', '--epochs', 1)
    strip = [re.sub('tfevents.*', '', name) for path in (run, alone) for name in sorted(os.listdir(path))]
    assert strip[:len(strip) // 2] == strip[len(strip) // 2:]
    assert figures(log_rows(run)[0]) == pytest.approx(figures(log_rows(alone)[0]), rel=.02)


def test_poseaug_is_refused_once_and_the_sweep_named():
    code, output, errors = torchrun('run_poseaug.py')
    assert code != 0 and not output
    assert len(errors) == 1 and 'run_sweep.py' in errors[0]

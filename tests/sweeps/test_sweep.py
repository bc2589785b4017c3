"""The command, on tiny data with real trainers: run, killed, started again, and what it prints before it starts."""
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

import run_sweep
from places import ROOT
from refusals import refused
from sweeps.grid import read_sweep
from sweeps.jobs import jobs_of
from utils.runs.record import LAST, LOCK, lives
from waiting import wait_for

def run(tiny_sweep, folder, *flags):
    return run_sweep.main([str(tiny_sweep), '--folder', str(folder), *flags])


@pytest.fixture(scope='module')
def undisturbed(tiny_sweep, tmp_path_factory):
    """The folder of the sweep after one undisturbed run."""
    return run(tiny_sweep, tmp_path_factory.mktemp('runs') / 'whole')


def jobs_in(tiny_sweep, folder):
    return jobs_of(read_sweep(tiny_sweep, folder=folder))


def results_in(folder):
    names = ('table.md', 'table.csv', 'runs.csv', 'table.png', 'shifts_gcn_gt/benchmark.csv')
    return {name: (folder / name).read_bytes() for name in names}


def is_free(run):
    """Whether no trainer holds the run's directory."""
    try:
        with FileLock(run / LOCK, timeout=0):
            return True
    except Timeout:
        return False


def start(tiny_sweep, folder):
    command = [sys.executable, str(ROOT / 'run_sweep.py'), str(tiny_sweep), '--folder', str(folder)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def children_of(pid):
    return [int(child) for child in Path(f'/proc/{pid}/task/{pid}/children').read_text().split()]


# before anything runs

@pytest.mark.slow
def test_a_dry_run_shows_jobs_commands_resources_and_an_estimate(tiny_sweep, tiny_root, tmp_path, capsys):
    run(tiny_sweep, tmp_path / 'runs', '--dry-run', '--at_once', '3')
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == '  1. gcn gt seed 0, baseline: 0 of 1 epochs done'
    assert lines[1].split()[:4] == ['python3', os.path.relpath(ROOT / 'run_baseline.py'), '--note', 'pretrain']
    assert lines[2] == '  2. gcn gt seed 0, poseaug after 1: 0 of 3 epochs done --only 0'
    assert lines[4].startswith('2 jobs, 0 finished, 3 at once. Each takes: cores and threads 1, memory 3 GB, GPUs 0')
    assert lines[4].endswith(f'Folder: {tmp_path}/runs')
    assert lines[5].startswith('Estimate: 0.0 hours of training') and lines[5].endswith('GB of disk')
    assert not (tmp_path / 'runs').exists()


@pytest.mark.slow
def test_the_time_of_lifters_of_several_frames_is_not_guessed(tiny_root, tmp_path, capsys):
    def last_line(lifters):
        several = tmp_path / 'several.toml'
        several.write_text(f'lifters = {lifters}\nseeds = [0]\ntrainers = ["baseline"]\n'
                           f'[baseline]\ndata_root = "{tiny_root}"\nactions = "Walking"\n'
                           '[lifter.videopose]\nboth = { receptive_field = 9 }\n')
        run(several, tmp_path / 'runs', '--dry-run')
        return capsys.readouterr().out.splitlines()[-1]

    unknown = 'not measured yet: the time of lifters of several frames (jobs: 1); up to'
    assert last_line('["videopose"]').startswith(unknown)
    assert last_line('["mlp", "videopose"]').startswith('Estimate: ') and unknown in last_line('["mlp", "videopose"]')


def test_without_data_a_dry_run_says_so_instead_of_an_estimate(tmp_path, capsys):
    run_sweep.main(['paper', '--data_root', str(tmp_path), '--dry_run', '--seeds', '0'])
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith('No estimate of time and disk: ') and '32 jobs, 0 finished' in lines[-2]
    assert [line.split()[-1] for line in lines if '--only' in line] == [str(number) for number in range(16)]


def test_an_experiment_that_the_sweep_does_not_have_is_refused(tmp_path, capsys):
    line = refused(capsys, run_sweep, 'demo', '--folder', tmp_path, '--only', '9')
    assert '--only 9: this sweep has the experiments 0 to 8' in line


def test_only_and_a_cluster_are_refused_together(capsys):
    assert 'leave out --address' in refused(capsys, run_sweep, 'demo', '--only', '0', '--address', 'auto')


# with trainers

@pytest.mark.slow
def test_a_finished_sweep_has_its_table_and_is_not_redone(tiny_sweep, undisturbed, capsys):
    results, files = results_in(undisturbed), {path: path.stat().st_mtime_ns for path in undisturbed.rglob(LAST)}
    assert len(files) == 2 and b'| gcn' in results['table.md']
    cells = [line.split(b',') for line in results['shifts_gcn_gt/benchmark.csv'].splitlines()[1:]]
    scored = {(lifter, shift) for lifter, _, _, shift, *_ in cells}
    assert scored == {(lifter, shift) for lifter in (b'baseline', b'poseaug') for shift in (b'', b'far')}
    assert run(tiny_sweep, undisturbed) == undisturbed and results_in(undisturbed) == results
    assert {path: path.stat().st_mtime_ns for path in undisturbed.rglob(LAST)} == files
    assert all(len(lives(path.parent)) == 1 for path in files)
    run(tiny_sweep, undisturbed, '--only', '0')
    assert {path: path.stat().st_mtime_ns for path in undisturbed.rglob(LAST)} == files


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != 'linux', reason='elsewhere no trainer is tied to its parent')
def test_after_kills_of_driver_and_trainer_the_table_is_the_same(tiny_sweep, undisturbed, tmp_path, capsys):
    folder = tmp_path / 'killed'
    shutil.copytree(undisturbed / 'baseline', folder / 'baseline')
    job = jobs_in(tiny_sweep, folder)[1]
    driver = start(tiny_sweep, folder)
    directory = wait_for(lambda: job.run_directory)
    with pytest.raises(SystemExit) as stopped:
        run(tiny_sweep, folder, '--only', '0')
    assert stopped.value.code == 75 and len(lives(directory)) == 1
    driver.kill()
    driver.wait()
    wait_for(lambda: is_free(directory), seconds=5)
    driver = start(tiny_sweep, folder)
    wait_for(lambda: len(lives(directory)) == 2 and children_of(driver.pid))
    os.kill(children_of(driver.pid)[0], signal.SIGKILL)
    assert driver.wait() == 0, driver.stderr.read()
    assert len(lives(directory)) == 3 and results_in(folder) == results_in(undisturbed)


@pytest.mark.slow
def test_a_stopped_sweep_leaves_no_trainer_and_says_how_to_go_on(tiny_sweep, tmp_path):
    driver = start(tiny_sweep, tmp_path)
    wait_for(lambda: [*tmp_path.rglob('output.txt')] and children_of(driver.pid))
    driver.send_signal(signal.SIGTERM)
    _, said = driver.communicate()
    assert driver.returncode == 143 and 'the same command goes on' in said.splitlines()[-1]


@pytest.mark.slow
def test_the_code_and_the_last_words_of_a_job_that_failed(tiny_sweep, tmp_path, capsys):
    wild = '[variant.wild.baseline]\nlr = 1e30\nno_max = true\n'
    (tmp_path / 'wild.toml').write_text(tiny_sweep.read_text() + wild)
    with pytest.raises(SystemExit) as stopped:
        run_sweep.main([str(tmp_path / 'wild.toml'), '--folder', str(tmp_path / 'runs')])
    printed = capsys.readouterr()
    assert stopped.value.code == 3 and 'error: epoch 1, iteration' in printed.out
    assert printed.err.startswith('error: gcn gt seed 0, baseline (wild): error: epoch 1') and '(1 more failed)' in printed.err

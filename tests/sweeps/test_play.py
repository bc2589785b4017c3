"""Which jobs run when, on which GPU, what is tried again, and what a job's process leaves. Here they are small scripts."""
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock

from sweeps import lives, play
from sweeps.job import Job
from sweeps.lives import Ended, Life
from sweeps.on_ray import share_of_a_gpu
from sweeps.play import Here, Play
from utils.runs.record import LAST, LOCK, begin_life, end_life

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(play, 'TICK', 0)
    monkeypatch.setattr(play, 'ELSEWHERE_WAIT', 0)
    monkeypatch.setattr(play, 'LONGEST_WAIT', 0)


def job(tmp_path, name, needs=None):
    return Job('poseaug' if needs else 'baseline', 'gcn', 'gt', name, 0, (), 3, Path(tmp_path / name), 1, str(tmp_path), needs)


class Silent:
    def __init__(self):
        self.told = []

    def tell(self, text):
        self.told.append(text)

    def show(self, *_, **__):
        pass


class Scripted:
    """A place for `slots` jobs whose starts end as `ends` says, {job: [Ended, ...]}, each after two looks; notes the starts."""

    def __init__(self, ends, slots=9):
        self.ends, self.slots, self.started, self.crowds = ends, slots, [], []
        self.most, self.going, self.stopped = 0, 0, False

    def has_room(self):
        return self.going < self.slots

    def start(self, job, crowd):
        self.started.append(job)
        self.crowds.append(crowd)
        self.going += 1
        self.most = max(self.most, self.going)
        return self.Start(self, self.ends[job].pop(0))

    def stop(self):
        self.stopped = True

    class Start:
        def __init__(self, place, end):
            self.place, self.end, self.looks = place, end, 0

        def ended(self):
            self.looks += 1
            if self.looks == 2:
                self.place.going -= 1
            return self.end if self.looks >= 2 else None


def played(jobs, place, retries=2, **options):
    screen = Silent()
    return Play(jobs, place, retries, screen, **options).to_the_end(), screen.told


def test_a_job_waits_for_its_baseline_and_for_room(tmp_path):
    baselines = [job(tmp_path, name) for name in 'abc']
    jobs = [one for baseline in baselines for one in (baseline, job(tmp_path, f'of {baseline.variant}', baseline))]
    place = Scripted({one: [Ended(0)] for one in jobs}, slots=2)
    assert played(jobs, place)[0] == {}
    assert [one.variant for one in place.started] == ['a', 'b', 'of a', 'of b', 'c', 'of c']
    assert place.most == 2 and place.stopped
    assert place.crowds == [3, 3, 3, 3, 1, 1]


def test_a_killed_job_goes_on_at_most_so_many_times(tmp_path):
    one, other = job(tmp_path, 'a'), job(tmp_path, 'b')
    place = Scripted({one: [Ended(-9), Ended(143), Ended(0)], other: [Ended(-9)] * 3})
    failed, told = played([one, other], place)
    assert failed == {other: Ended(-9)} and place.started.count(one) == place.started.count(other) == 3
    assert sum('start 2 of at most 3 follows' in text for text in told) == 2


@pytest.mark.parametrize('code', [1, 2, 3])
def test_a_job_that_would_fail_again_is_not_started_again_and_its_last_lines_are_shown(tmp_path, code):
    one = job(tmp_path, 'a')
    next_one, other = job(tmp_path, 'b', one), job(tmp_path, 'c')
    place = Scripted({one: [Ended(code, 'error: so it was')], other: [Ended(0)]})
    failed, told = played([one, next_one, other], place)
    assert place.started == [one, other] and [*failed] == [one, next_one] and failed[next_one].code == code
    assert any('error: so it was' in text for text in told)


def test_a_job_that_runs_elsewhere_is_waited_for_or_given_up(tmp_path):
    one = job(tmp_path, 'a')
    elsewhere = Ended(75, elsewhere=True)
    place = Scripted({one: [elsewhere] * 9 + [Ended(0)]})
    assert played([one], place)[0] == {} and len(place.started) == 10
    assert played([one], Scripted({one: [elsewhere]}), patient=False)[0] == {one: elsewhere}


class Switch:
    """A start that lasts until `end` is set."""
    end = None

    def ended(self):
        return self.end


@pytest.mark.parametrize('gpus', [['0', '1', '5'], []])
def test_every_gpu_gets_a_job_before_any_gets_a_second(tmp_path, monkeypatch, gpus):
    seen = []
    monkeypatch.setattr(play, 'Life', lambda job, gpu: seen.append(gpu) or Switch())
    place = Here(6, gpus)
    starts = [place.start(job(tmp_path, name)) for name in 'abcdef' if place.has_room()]
    assert len(starts) == 6 and not place.has_room()
    starts[1].end = starts[4].end = starts[2].end = Ended(0)       # both of the second GPU, and one of the third
    assert place.has_room()
    place.start(job(tmp_path, 'g'))
    assert seen == [*gpus, *gpus, gpus[1]] if gpus else seen == [''] * 7


@pytest.mark.parametrize('least, gpus, jobs, share', [(.25, 8, 80, .25), (.25, 8, 8, 1), (.25, 8, 12, .66), (1, 8, 80, 1),
                                                      (0, 8, 8, 0), (.25, 0, 8, 0)])
def test_on_a_cluster_jobs_ask_for_as_much_of_a_gpu_as_lets_all_run(least, gpus, jobs, share):
    assert share_of_a_gpu(least, gpus, jobs) == share


# processes

@pytest.fixture
def scripted(monkeypatch):
    """A function: every job's command is now this Python text."""
    def becomes(text):
        monkeypatch.setattr(Job, 'command', lambda _: [sys.executable, '-c', text])
    return becomes


def ended(life):
    deadline = time.monotonic() + 30
    while life.ended() is None and time.monotonic() < deadline:
        time.sleep(.01)
    return life.ended()


def test_a_command_gets_its_threads_and_its_gpu_and_its_words_are_kept(tmp_path, scripted):
    scripted('import os; print(*map(os.environ.get, ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES"))); exit(2)')
    one = job(tmp_path, 'a')._replace(cpus=3)
    assert ended(Life(one, '5')) == Ended(2, '3 3 5')
    assert (one.folder / 'output.txt').read_text().endswith('3 3 5\n')


def test_a_job_is_not_started_while_another_process_holds_it(tmp_path, scripted):
    scripted('exit(3)')
    one = job(tmp_path, 'a')
    one.folder.mkdir(parents=True)
    with FileLock(one.folder / LOCK):
        assert Life(one).ended().elsewhere
    assert ended(Life(one)).code == 3 and ended(Life(one)).code == 3      # the lock is given back


def begun_run(one, checkpoint=True):
    run = one.folder / '0101_pretrain'
    run.mkdir(parents=True)
    life = begin_life(run)
    if checkpoint:
        (run / LAST).write_text('')
    return run, life


def test_a_finished_job_is_not_started_again(tmp_path, scripted):
    scripted('exit(3)')
    one = job(tmp_path, 'a')
    end_life(*begun_run(one))
    assert one.finished and Life(one).ended() == Ended(0)
    assert played([one], Scripted({}))[0] == {}


def test_a_command_that_ends_well_without_finishing_its_run_has_failed(tmp_path, scripted):
    scripted('pass')
    assert ended(Life(job(tmp_path, 'a'))).code == 1


def test_a_run_that_was_killed_before_its_first_checkpoint_is_set_aside_unless_it_lives(tmp_path, scripted):
    scripted('exit(3)')
    one = job(tmp_path, 'a')
    run, _ = begun_run(one, checkpoint=False)
    with FileLock(run / LOCK):
        end = Life(one).ended()
        assert (end.code, end.elsewhere) == (75, False) and run.exists()
    assert ended(Life(one)).code == 3 and not run.exists() and (one.folder / '0101_pretrain.stillborn').exists()
    assert one.run_directory is None


def test_stopping_ends_a_command_that_does_not_obey(tmp_path, scripted, monkeypatch):
    monkeypatch.setattr(lives, 'PATIENCE', .5)
    scripted('import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print("deaf", flush=True); time.sleep(60)')
    one = job(tmp_path, 'a')
    life = Life(one)
    while 'deaf' not in (one.folder / 'output.txt').read_text().splitlines():
        time.sleep(.01)
    lives.stop([life])
    assert life.ended().code == -9

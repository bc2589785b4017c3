"""Several processes of torchrun print as one: here, what the second of two does."""
import os
import signal
from types import SimpleNamespace

import pytest

from common.errors import InputError
from refusals import refusal
from utils import interrupts, ranks, torchrun
from utils.command_line import exits_cleanly


@pytest.fixture
def second_of_two(monkeypatch):
    for name, value in dict(TORCHELASTIC_RUN_ID='test', WORLD_SIZE='2', RANK='1', LOCAL_RANK='1').items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torchrun, 'PATIENCE', 0)
    monkeypatch.setattr('sys.argv', ['run_baseline.py'])


def main(argv):
    print('as usual')
    raise InputError('something is wrong')


def test_the_second_process_prints_nothing_but_why_it_failed(second_of_two, capsys):
    with pytest.raises(SystemExit) as end:
        exits_cleanly(main)([])
    assert end.value.code == 2 and capsys.readouterr() == ('', 'error: something is wrong\n')


def test_the_second_process_gives_the_first_one_time_to_say_it(second_of_two, monkeypatch, capsys):
    class Ended(BaseException):
        """torchrun ends this process."""

    def end(_):
        raise Ended
    monkeypatch.setattr('time.sleep', end)
    with pytest.raises(Ended):
        exits_cleanly(main)([])
    assert capsys.readouterr() == ('', '')


def test_a_signal_is_not_told_by_the_second_process(second_of_two, capsys):
    def stopped(argv):
        raise KeyboardInterrupt
    with pytest.raises(SystemExit) as end:
        exits_cleanly(stopped)([])
    assert end.value.code == 130 and capsys.readouterr().err == ''


def test_a_process_that_another_one_has_left_after_a_signal_stops_as_usual(second_of_two):
    with pytest.raises(interrupts.Stopped), interrupts.after_the_step():
        os.kill(os.getpid(), signal.SIGTERM)
        raise RuntimeError('Connection closed by peer')


def test_variables_of_another_launcher_make_no_ranks(monkeypatch):
    monkeypatch.delenv('TORCHELASTIC_RUN_ID', raising=False)
    monkeypatch.setenv('WORLD_SIZE', '2')
    assert torchrun.world() == 1 and torchrun.rank() == 0


@pytest.mark.parametrize('flags, named', [(dict(compile=True, batch_size=8), '--compile'),
                                          (dict(compile=False, batch_size=9), 'one of 2 for 3 processes')])
def test_what_cannot_be_shared_is_refused(monkeypatch, flags, named):
    monkeypatch.setattr(ranks, 'world', lambda: 3)
    assert named in refusal(ranks.share_work, None, SimpleNamespace(**flags), 20)

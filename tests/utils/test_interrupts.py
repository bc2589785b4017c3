"""SIGTERM and SIGINT: the step in which they come is finished, a second one acts at once."""
import os
import signal

import pytest

from utils import interrupts
from utils.command_line import exits_cleanly


@pytest.mark.parametrize('number,code', [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=['SIGTERM', 'SIGINT'])
def test_a_signal_ends_the_run_after_the_current_step(number, code, capsys):
    done, handlers = [], [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)]

    @interrupts.after_the_step()
    def main(argv):
        for step in range(5):
            interrupts.obey()
            if step == 2:
                os.kill(os.getpid(), number)
            done.append(step)
    with pytest.raises(SystemExit) as stopped:
        exits_cleanly(main)()
    assert stopped.value.code == code and done == [0, 1, 2]      # the step in which it came was finished
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and signal.Signals(number).name in lines[0]
    assert [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)] == handlers
    interrupts.obey()                                            # nothing is left over for the next run


@pytest.fixture
def pythons_handler():
    """Python's own handler of SIGINT: pytest-xdist makes its workers ignore the signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_second_signal_acts_at_once(pythons_handler):
    with pytest.raises(KeyboardInterrupt):
        with interrupts.after_the_step():
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            pytest.fail('the second signal was only noted')

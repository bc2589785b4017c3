"""How a command ends: one line and an exit code that says why for what is expected, a traceback for a bug."""
import os

import pytest

from common.errors import Diverged, InputError, InUse
from function_poseaug.monitor import Collapsed
from utils.command_line import exits_cleanly


def test_an_input_error_becomes_one_line_and_exit_code_2(capsys):
    @exits_cleanly
    def main(argv=None):
        """Says so."""
        raise InputError('the file\nis\n   broken')
    with pytest.raises(SystemExit) as stopped:
        main([])
    out, err = capsys.readouterr()
    assert stopped.value.code == 2 and out == '' and err == 'error: the file is broken\n'
    assert main.__doc__ == 'Says so.'


@pytest.mark.parametrize('error, code', [(Diverged, 3), (Collapsed, 3), (InUse, 75)])
def test_the_exit_code_says_whether_another_try_may_help(error, code):
    def main(argv):
        raise error('so it was')
    with pytest.raises(SystemExit) as stopped:
        exits_cleanly(main)([])
    assert stopped.value.code == code


@pytest.mark.parametrize('act', [lambda: open('/nowhere/file'), lambda: os.mkdir('/proc/nowhere')])
def test_a_file_that_cannot_be_opened_or_made_becomes_one_line_too(act, capsys):
    with pytest.raises(SystemExit) as stopped:
        exits_cleanly(lambda argv: act())()
    lines = capsys.readouterr().err.splitlines()
    assert stopped.value.code == 2 and len(lines) == 1 and 'nowhere' in lines[0]


def test_a_result_passes_through_and_a_bug_keeps_its_traceback():
    assert exits_cleanly(lambda argv: argv + [1])([0]) == [0, 1]
    with pytest.raises(ZeroDivisionError):
        exits_cleanly(lambda argv: 1 / 0)()

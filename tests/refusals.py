"""How bad input is refused, and a file that asks for code to be run."""
import pytest

from common.errors import InputError


def refusal(function, *arguments, **options):
    """The message of the InputError that a call raises; it must be one line."""
    with pytest.raises(InputError) as refused:
        function(*arguments, **options)
    assert '\n' not in str(refused.value)
    return str(refused.value)


def refused(capsys, command, *arguments):
    """Run a command that must refuse its input: exit code 2 and one line on stderr, which is returned."""
    with pytest.raises(SystemExit) as stopped:
        command.main([str(argument) for argument in arguments])
    lines = capsys.readouterr().err.splitlines()
    assert stopped.value.code == 2
    assert len(lines) == 1 and lines[0].startswith('error: '), lines
    return lines[0]


def files_below(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob('*') if path.is_file())


class RunsCode:
    """Its pickle asks for a file to be made."""
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), 'w'))

"""The data root: the folder that holds data/ and data_extra/, by default the project itself.

Where a data set's prepared file lies below it, and which command makes that file, its module in common/datasets says.
"""
import shlex
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[2]


def at_root(command, data_root):
    """A preparation command as it is typed for this data root: `--data_root` is added unless it is the project."""
    return command if Path(data_root).resolve() == PROJECT_ROOT else f'{command} --data_root {shlex.quote(str(data_root))}'


def add_data_root(parser):
    """Add the flag `--data_root`, which every script that reads or writes data shares."""
    parser.add_argument('--data_root', type=Path, default=PROJECT_ROOT, metavar='DIR',
                        help='folder that holds data/ and data_extra/ (default: the project)')

"""Where the prepared files lie. A data root is the folder that holds data/ and data_extra/; by default the project."""
import shlex
from pathlib import Path

from common.h36m import GT

PROJECT_ROOT = Path(__file__).resolve().parents[1]
MAKE_3D_H36M = 'python3 data/prepare_data_h36m.py --from-archive h36m.zip'
MAKE_3DHP = 'python3 data_extra/prepare_data_3dhp.py'
MAKE_3DPW = 'python3 data_extra/prepare_data_3dpw.py'


def pose3d_h36m_path(data_root):
    return Path(data_root) / 'data' / 'data_3d_h36m.npz'


def pose2d_h36m_path(data_root, keypoints):
    return Path(data_root) / 'data' / f'data_2d_h36m_{keypoints}.npz'


def pose_3dhp_path(data_root):
    return Path(data_root) / 'data_extra' / 'test_set' / 'test_3dhp.npz'


def pose_3dpw_path(data_root, split='test'):
    return Path(data_root) / 'data_extra' / 'test_set' / f'{split}_3dpw.npz'


def make_2d_h36m(keypoints):
    """The command that makes a file of 2D poses: the ground truth comes with the 3D."""
    if keypoints == GT:
        return MAKE_3D_H36M
    return f'python3 data/prepare_data_2d_h36m.py --keypoints {keypoints}'


def at_root(command, data_root):
    """A preparation `command` as it is typed for this data root: as it is for the project itself."""
    return command if Path(data_root).resolve() == PROJECT_ROOT else f'{command} --data_root {shlex.quote(str(data_root))}'


def add_data_root(parser):
    """The flag `--data_root`, shared by every script that reads or writes data."""
    parser.add_argument('--data_root', type=Path, default=PROJECT_ROOT, metavar='DIR',
                        help='folder that holds data/ and data_extra/ (default: the project)')

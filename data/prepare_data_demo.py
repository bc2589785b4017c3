"""Make the demo data set: synthetic people in the formats of Human3.6M and MPI-INF-3DHP, to try the code.

    python3 data/prepare_data_demo.py --data_root demo [--seed N]

Writes demo/data/data_3d_h36m.npz and data_2d_h36m_gt.npz in the format of prepare_data_h36m.py, and a test set in
SPIN's format, which prepare_data_3dhp.py then prepares. --data_root is required, to keep demo data apart from real data.
"""
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))    # so that it runs as a script from any folder
from common.datasets.h36m import pose2d_h36m_path, pose3d_h36m_path
from common.datasets.joint_orders import H36M_16_IN_32, H36M_16_IN_SPIN_24, H36M_32_NUM_JOINTS
from common.datasets.mpi_inf_3dhp import pose_3dhp_path
from common.datasets.preparation import METADATA_16, require_free, summary, write_checked
from common.errors import InputError
from common.files.npz import save_npz
from common.files.paths import PROJECT_ROOT
from data.demo.motion import clips, cross_domain
from data.prepare_data_h36m import project_all
from data_extra import prepare_data_3dhp
from utils.command_line import Parser, exits_cleanly

NUM_SPIN_JOINTS = prepare_data_3dhp.NUM_SPIN_JOINTS


@exits_cleanly
def main(argv=None):
    """Make both data sets in --data_root; InputError if that is the project's own folder or already holds such files."""
    args = parse_args(argv)
    if args.data_root.resolve() == PROJECT_ROOT:
        raise InputError('--data_root is the folder of the project; give a separate one, so that demo data are '
                         'not mistaken for real data')
    pose3d_path, pose2d_path = pose3d_h36m_path(args.data_root), pose2d_h36m_path(args.data_root, 'gt')
    require_free(pose3d_path, pose2d_path, pose_3dhp_path(args.data_root))
    positions_3d = {subject: {name: with_32_joints(pose3d) for name, pose3d in sequences.items()}
                    for subject, sequences in clips(args.seed).items()}
    positions_2d = project_all(positions_3d)
    write_checked({pose3d_path: {'positions_3d': positions_3d},
                   pose2d_path: {'positions_2d': positions_2d, 'metadata': METADATA_16}}, made_by='make demo')
    print(summary(pose2d_path, positions_2d))
    source = args.data_root / 'data_extra' / 'dataset_extras' / 'mpi_inf_3dhp_valid.npz'
    save_npz(source, **spin_arrays(*cross_domain(args.seed)))
    prepare_data_3dhp.main(['--data_root', str(args.data_root)])


def parse_args(argv):
    parser = Parser('Make the demo data set of synthetic people, to try the code without the real data sets.')
    parser.add_argument('--data_root', type=Path, required=True, metavar='DIR', help='folder to make the data set in')
    parser.add_argument('--seed', type=int, default=0,
                        help='random seed: other seeds give other people and motions (default: %(default)s)')
    return parser.parse_args(argv)


def with_32_joints(pose3d):
    """(T, 16, 3) -> (T, 32, 3) in the order of Human3.6M's 32 joints; the others are zero."""
    full = np.zeros((len(pose3d), H36M_32_NUM_JOINTS, 3), dtype=np.float32)
    full[:, H36M_16_IN_32] = pose3d
    return full


def spin_arrays(pose3d_cam, pose2d_px, sequence):
    """Dict of the arrays of SPIN's file, from (N, 16, 3) camera metres, (N, 16, 2) pixels and sequence numbers (N,)."""
    count = len(sequence)
    part, coordinates = np.zeros((count, NUM_SPIN_JOINTS, 3)), np.zeros((count, NUM_SPIN_JOINTS, 4))
    part[:, H36M_16_IN_SPIN_24, :2], part[:, H36M_16_IN_SPIN_24, 2] = pose2d_px, 1
    coordinates[:, H36M_16_IN_SPIN_24, :3], coordinates[:, H36M_16_IN_SPIN_24, 3] = pose3d_cam, 1
    names = [f'demo/TS{number}/imageSequence/img_{frame:06d}.jpg' for frame, number in enumerate(sequence)]
    return dict(imgname=np.array(names), part=part, S=coordinates)


if __name__ == '__main__':
    main()

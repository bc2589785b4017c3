"""Prepare the test set of MPI-INF-3DHP from the file that SPIN provides.

    python3 data_extra/prepare_data_3dhp.py [--source FILE.npz]

Reads data_extra/dataset_extras/mpi_inf_3dhp_valid.npz: `imgname` (N,); `part` (N, 24, 3) x, y in pixels and visibility;
`S` (N, 24, 4) position in camera metres and a confidence flag.

Writes data_extra/test_set/test_3dhp.npz: `pose3d` (N, 16, 3) camera frame in metres, not root-relative; `pose2d`
(N, 16, 2) normalised by the image width, (0, 0) for invisible joints; `sequence` (N,), 1 to 6 for TS1 to TS6.
"""
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))    # so that it runs as a script from any folder
from common.camera import pixels_to_normalised
from common.datasets.joint_orders import H36M_16_IN_SPIN_24
from common.datasets.mpi_inf_3dhp import MAKE_3DHP, pose_3dhp_path
from common.datasets.preparation import finite_float32, require_free, require_source, write_checked
from common.errors import InputError
from common.files.npz import load_npz
from common.files.paths import add_data_root, at_root
from utils.command_line import Parser, exits_cleanly

UNKNOWN, *TEST_SEQUENCES = range(7)    # TS1 to TS6
SQUARE, WIDE = (2048, 2048), (1920, 1080)
# width, height. PoseAug: frames whose path names none of the six sequences are treated as square
IMAGE_SIZES = {UNKNOWN: SQUARE, 1: SQUARE, 2: SQUARE, 3: SQUARE, 4: SQUARE, 5: WIDE, 6: WIDE}
OFFICIAL_FRAMES = 2929
NUM_SPIN_JOINTS = 24


@exits_cleanly
def main(argv=None):
    args = parse_args(argv)
    output = pose_3dhp_path(args.data_root)
    source = args.source or args.data_root / 'data_extra' / 'dataset_extras' / 'mpi_inf_3dhp_valid.npz'
    require_free(output)
    arrays = read_test_set(source)
    sequence = arrays['sequence']
    write_checked({output: arrays}, made_by=at_root(MAKE_3DHP, args.data_root))
    for line in warnings(sequence):
        print(f'warning: {line}')
    print(f'wrote {output}: {len(sequence):,} poses; '
          + ', '.join(f'TS{number} {np.count_nonzero(sequence == number):,}' for number in TEST_SEQUENCES))


def parse_args(argv):
    parser = Parser('Prepare the test set of MPI-INF-3DHP from the file that SPIN provides (see DATASETS.md).')
    parser.add_argument('--source', type=Path, metavar='FILE',
                        help="SPIN's mpi_inf_3dhp_valid.npz (default: the one in data_extra/dataset_extras)")
    add_data_root(parser)
    return parser.parse_args(argv)


def read_test_set(source):
    """Dict of the arrays of test_3dhp.npz, from SPIN's file; InputError if it is unreadable or not all finite."""
    names, part, coordinates = read_spin(source)
    sequence = sequence_numbers(names)
    pose2d_norm = normalise(part[:, H36M_16_IN_SPIN_24], sequence)
    return {'pose3d': finite_float32(coordinates[:, H36M_16_IN_SPIN_24, :3], f"{source}: 'S', our joints,"),
            'pose2d': finite_float32(pose2d_norm, f"{source}: 'part', our joints,"),
            'sequence': sequence}


def read_spin(path):
    """Read SPIN's file: list of N image names, `part` (N, 24, 3), `S` (N, 24, 4); InputError for wrong keys or shapes."""
    require_source(path, "SPIN's file of MPI-INF-3DHP's test frames")
    arrays = load_npz(path, ['imgname', 'part', 'S'], 'the download that DATASETS.md names')
    names, part, coordinates = (np.asarray(arrays[key]) for key in ('imgname', 'part', 'S'))
    expected = {'part': (part, (NUM_SPIN_JOINTS, 3), 'fiu'), 'S': (coordinates, (NUM_SPIN_JOINTS, 4), 'fiu'),
                'imgname': (names, (), 'USO')}
    for key, (array, shape, kinds) in expected.items():
        if array.ndim == 0 or array.shape != (len(part), *shape) or array.dtype.kind not in kinds:
            raise InputError(f'{path} holds {key!r} of shape {array.shape} and type {array.dtype} where '
                             f'{("N", *shape)} is needed; get it by the download that DATASETS.md names')
    # a list, because a text array stores every name with the length of the longest
    return [name.decode('latin1') if isinstance(name, bytes) else str(name) for name in names], part, coordinates


def sequence_numbers(names):
    """(N,) int8 from N image paths: 1 to 6 if the path contains '/TS1/' to '/TS6/', otherwise 0."""
    sequence = np.full(len(names), UNKNOWN, dtype=np.int8)
    for row, name in enumerate(names):
        for number in TEST_SEQUENCES:
            if f'/TS{number}/' in name:
                sequence[row] = number
    return sequence


def normalise(part, sequence):
    """(N, 16, 3) x, y in pixels and visibility, (N,) sequence -> (N, 16, 2) normalised, float64, times the visibility."""
    pose2d_norm = np.empty((*part.shape[:2], 2))
    with np.errstate(over='ignore', invalid='ignore'):      # the caller refuses numbers that are not finite
        for number, (width, height) in IMAGE_SIZES.items():
            chosen = sequence == number
            pose2d_norm[chosen] = pixels_to_normalised(part[chosen, :, :2].astype(np.float64), width, height)
        # PoseAug: multiplied after normalising, which puts invisible joints at the image centre
        return pose2d_norm * part[..., 2:]


def warnings(sequence):
    """Yield warnings if the sequence numbers (N,) differ from the official test set."""
    if len(sequence) != OFFICIAL_FRAMES:
        yield f'the official test set has {OFFICIAL_FRAMES:,} frames, this file has {len(sequence):,}'
    unknown = np.count_nonzero(sequence == UNKNOWN)
    if unknown:
        yield f'the paths of {unknown:,} frames name none of TS1 to TS6; their image size is assumed to be 2048 x 2048'


if __name__ == '__main__':
    main()

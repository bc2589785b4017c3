"""Prepare the test set of MPI-INF-3DHP from SPIN's file.

    python3 data_extra/prepare_data_3dhp.py [--source FILE.npz]

Reads data_extra/dataset_extras/mpi_inf_3dhp_valid.npz: `imgname` (N,), `part` (N, 24, 3) pixels and visibility, `S`
(N, 24, 4) camera metres and a flag. Writes data_extra/test_set/test_3dhp.npz: `pose3d` (N, 16, 3) camera metres, not
root-relative; `pose2d` (N, 16, 2) normalised by the image's width, (0, 0) where invisible; `sequence` (N,), 1 to 6 for
TS1 to TS6.
"""
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))    # run as a script, from wherever
from common.camera import pixels_to_normalised
from common.datasets.mpi_inf_3dhp import MAKE_3DHP, pose_3dhp_path
from common.datasets.preparation import finite_float32, require_free, require_source, write_checked
from common.errors import InputError
from common.files.npz import load_npz
from common.files.paths import add_data_root, at_root
from common.skeleton import H36M_16_IN_SPIN_24
from utils.command_line import Parser, exits_cleanly

UNKNOWN, *TEST_SEQUENCES = range(7)    # TS1 to TS6
SQUARE, WIDE = (2048, 2048), (1920, 1080)
# width, height. PoseAug: a frame that names none of the six counts as square
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
    parser = Parser('Prepare the test set of MPI-INF-3DHP (DATASETS.md).')
    parser.add_argument('--source', type=Path, metavar='FILE',
                        help="SPIN's mpi_inf_3dhp_valid.npz (default: in data_extra/dataset_extras)")
    add_data_root(parser)
    return parser.parse_args(argv)


def read_test_set(source):
    """SPIN's file -> the arrays of test_3dhp.npz; InputError where it cannot be read or its numbers are not finite."""
    names, part, coordinates = read_spin(source)
    sequence = sequence_numbers(names)
    pose2d_norm = normalise(part[:, H36M_16_IN_SPIN_24], sequence)
    return {'pose3d': finite_float32(coordinates[:, H36M_16_IN_SPIN_24, :3], f"{source}: 'S', our joints,"),
            'pose2d': finite_float32(pose2d_norm, f"{source}: 'part', our joints,"),
            'sequence': sequence}


def read_spin(path):
    """SPIN's file -> N texts imgname, part (N, 24, 3), S (N, 24, 4); InputError where the shapes are others."""
    require_source(path, "SPIN's file of MPI-INF-3DHP's test frames")
    arrays = load_npz(path, ['imgname', 'part', 'S'], 'the download that DATASETS.md names')
    names, part, coordinates = (np.asarray(arrays[key]) for key in ('imgname', 'part', 'S'))
    expected = {'part': (part, (NUM_SPIN_JOINTS, 3), 'fiu'), 'S': (coordinates, (NUM_SPIN_JOINTS, 4), 'fiu'),
                'imgname': (names, (), 'USO')}
    for key, (array, shape, kinds) in expected.items():
        if array.ndim == 0 or array.shape != (len(part), *shape) or array.dtype.kind not in kinds:
            raise InputError(f'{path} holds {key!r} of shape {array.shape} and type {array.dtype} where '
                             f'{("N", *shape)} is needed; get it by the download that DATASETS.md names')
    # one by one: an array of text would give every name the room of the longest
    return [name.decode('latin1') if isinstance(name, bytes) else str(name) for name in names], part, coordinates


def sequence_numbers(names):
    """N paths of images -> (N,) int8, 1 to 6 by '/TS1/' to '/TS6/' in the path, 0 where there is none."""
    sequence = np.full(len(names), UNKNOWN, dtype=np.int8)
    for row, name in enumerate(names):
        for number in TEST_SEQUENCES:
            if f'/TS{number}/' in name:
                sequence[row] = number
    return sequence


def normalise(part, sequence):
    """(N, 16, 3) pixels and visibility -> (N, 16, 2) normalised, times the visibility, float64."""
    pose2d_norm = np.empty((*part.shape[:2], 2))
    with np.errstate(over='ignore', invalid='ignore'):      # what is not finite is refused by whoever stores it
        for number, (width, height) in IMAGE_SIZES.items():
            chosen = sequence == number
            pose2d_norm[chosen] = pixels_to_normalised(part[chosen, :, :2].astype(np.float64), width, height)
        return pose2d_norm * part[..., 2:]      # PoseAug: after normalising, so an invisible joint is the centre


def warnings(sequence):
    """Lines for the user where this is not the official test set, by the (N,) sequence numbers."""
    if len(sequence) != OFFICIAL_FRAMES:
        yield f'the official test set has {OFFICIAL_FRAMES:,} frames, this file {len(sequence):,}'
    unknown = np.count_nonzero(sequence == UNKNOWN)
    if unknown:
        yield f'{unknown:,} frames name none of TS1 to TS6; their images are taken to measure 2048 x 2048'


if __name__ == '__main__':
    main()

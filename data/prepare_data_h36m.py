"""Prepare Human3.6M: 3D poses, and ground-truth 2D poses by projecting them into the four cameras.

    python3 data/prepare_data_h36m.py --from-archive h36m.zip
    python3 data/prepare_data_h36m.py --from-source DIR

h36m.zip holds h36m/<subject>/MyPoses/3D_positions/<sequence>.h5, dataset '3D_positions', (96, T) world millimetres,
rows joint-major x, y, z. DIR holds the data set's own <subject>/MyPoseFeatures/D3_Positions/<sequence>.cdf.mat, (T, 96)
world millimetres. Writes data/data_3d_h36m.npz, (T, 32, 3) world metres, and data/data_2d_h36m_gt.npz, four (T, 16, 2)
pixels per sequence.
"""
import io
import re
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import h5py
import numpy as np
import torch
from scipy.io import loadmat

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))    # run as a script, from wherever
from common.camera import normalised_to_pixels, project, world_to_camera
from common.datasets.h36m import MAKE_3D_H36M, pose2d_h36m_path, pose3d_h36m_path
from common.datasets.h36m_protocol import ACTIONS, SEQUENCES_PER_SUBJECT, SUBJECTS, action_of, cameras
from common.datasets.preparation import (METADATA_16, ParserApart, finite_float32, progress, require_free,
                                         sequence_name, summary, write_checked)
from common.errors import InputError, in_short
from common.files.npz import member_bytes, members, open_archive
from common.files.paths import add_data_root, at_root
from common.skeleton import H36M_16_IN_32, H36M_32_NUM_JOINTS
from utils.command_line import Parser, exits_cleanly

MEMBER = re.compile(r'h36m/(S\d+)/MyPoses/3D_positions/(\w[\w ]*)\.h5')
SOURCE_FOLDER = 'MyPoseFeatures/D3_Positions'
SOURCE_SUFFIX = '.cdf.mat'
DATASET = '3D_positions'
MAX_SEQUENCE_BYTES = 64 << 20       # the longest honest sequence, some 6,300 frames, takes 5 MB
MAX_FRAMES = 1 << 20                # Human3.6M has some 530,000
SEQUENCES_PER_ACTION = SEQUENCES_PER_SUBJECT // len(ACTIONS)


@exits_cleanly
def main(argv=None):
    args = parse_args(argv)
    pose3d_path, pose2d_path = pose3d_h36m_path(args.data_root), pose2d_h36m_path(args.data_root, 'gt')
    require_free(pose3d_path, pose2d_path)
    positions_3d = read_archive(args.from_archive) if args.from_archive else read_source(args.from_source)
    positions_2d = project_all(positions_3d)
    write_checked({pose3d_path: {'positions_3d': positions_3d},
                   pose2d_path: {'positions_2d': positions_2d, 'metadata': METADATA_16}},
                  made_by=at_root(MAKE_3D_H36M, args.data_root))
    print(summary(pose3d_path, positions_3d))
    print(summary(pose2d_path, positions_2d))


def parse_args(argv):
    parser = Parser('Prepare 3D and ground-truth 2D poses of Human3.6M (DATASETS.md).')
    origin = parser.add_mutually_exclusive_group(required=True)
    origin.add_argument('--from-archive', type=Path, metavar='ZIP', help='h36m.zip with one .h5 file per sequence')
    origin.add_argument('--from-source', type=Path, metavar='DIR', help='the original data, DIR/S1/MyPoseFeatures/...')
    add_data_root(parser)
    return parser.parse_args(argv)


def read_archive(path):
    """h36m.zip -> table of (T, 32, 3) float32 world metres. The members are read in memory, never extracted."""
    if not path.is_file():
        raise InputError(f'{path} {"is a folder" if path.is_dir() else "is missing"}; --from-archive takes the path of h36m.zip (DATASETS.md)')
    with ExitStack() as stack:
        try:
            archive = stack.enter_context(open_archive(path))
        except Exception as error:              # damage makes zipfile raise nearly anything
            raise InputError(f'{path} is no whole .zip archive ({in_short(error)}); fetch it again') from None
        matches = [(MEMBER.fullmatch(info.filename), info) for info in archive.infolist()]
        found = tabulate(((match[1], match[2], info) for match, info in matches if match), path)
        require_sound(archive, found, path)
        parse = stack.enter_context(ParserApart(parse_h5))
        return read_all(found, lambda info: read_member(archive, info, parse, f'{path}: {info.filename}'), path)


def require_sound(archive, found, path):
    """InputError where members of the table `found` cannot be what they declare."""
    try:
        members(archive, [info.filename for sequences in found.values() for info in sequences.values()])
    except Exception as error:                  # damage makes zipfile raise nearly anything
        raise InputError(f'{path} is no sound archive ({in_short(error)}); fetch it again') from None


def read_source(folder):
    """The data set's own .cdf.mat files -> table of (T, 32, 3) float32 world metres."""
    if not folder.is_dir():
        raise InputError(f'{folder} is no folder; --from-source takes the one that holds S1/{SOURCE_FOLDER}')
    files = [(subject, file.name.removesuffix(SOURCE_SUFFIX), file) for subject in SUBJECTS
             for file in (folder / subject / SOURCE_FOLDER).glob(f'[!.]*{SOURCE_SUFFIX}')]
    with ParserApart(parse_mat) as parse:
        return read_all(tabulate(files, folder), lambda path: read_mat(path, parse), folder)


def tabulate(items, origin):
    """(subject, name in the source, item) triples -> complete table of items, subjects and sequences in a fixed order.

    Raises InputError, naming `origin`, unless each subject has its 30 sequences, each once. Others are left out.
    """
    found = {subject: {} for subject in SUBJECTS}
    for subject, name, item in items:
        sequences, sequence = found.get(subject, {}), sequence_name(name)
        if sequence in sequences:
            raise InputError(f'{origin} holds {subject} {sequence} twice; remove one of the two')
        sequences[sequence] = item
    for subject, sequences in found.items():
        if len(sequences) != SEQUENCES_PER_SUBJECT:
            raise InputError(f'{origin} holds {len(sequences)} sequences of {subject} where {SEQUENCES_PER_SUBJECT} '
                             f'are needed ({uneven_actions(sequences)}); fetch what is missing (DATASETS.md)')
    return {subject: dict(sorted(sequences.items())) for subject, sequences in found.items()}


def uneven_actions(sequences):
    """In words: the actions that do not have their two sequences."""
    if not sequences:
        return 'none found'
    counts = Counter({action: 0 for action in ACTIONS})
    counts.update(map(action_of, sequences))
    return ', '.join(f'{action} {count} of {SEQUENCES_PER_ACTION if action in ACTIONS else 0}'
                     for action, count in counts.items() if count != SEQUENCES_PER_ACTION or action not in ACTIONS)


def read_all(found, read, origin):
    """Table of items -> table of what `read` makes of them, with a progress bar.

    InputError, naming `origin`, where they add up to more frames than there are.
    """
    positions_3d, frames = {subject: {} for subject in found}, 0
    flat = [(subject, sequence, item) for subject, sequences in found.items() for sequence, item in sequences.items()]
    with progress(flat, 'reading 3D') as bar:
        for subject, sequence, item in bar:
            positions_3d[subject][sequence] = read(item)
            frames += len(positions_3d[subject][sequence])
            if frames > MAX_FRAMES:
                raise InputError(f'{origin} holds more than {MAX_FRAMES:,} frames, which Human3.6M has not; '
                                 'fetch it again')
    return positions_3d


def read_member(archive, info, parse, where):
    """One .h5 member of the open archive -> (T, 32, 3) float32 world metres; InputError names `where`."""
    if info.file_size > MAX_SEQUENCE_BYTES:
        raise InputError(f'{where} declares {info.file_size:,} bytes, which no sequence has; fetch the archive again')
    try:
        coordinates_mm = parse(member_bytes(archive, info)).T
    except Exception as error:                  # damage makes zipfile raise nearly anything, too
        raise InputError(f'{where} is no readable .h5 file with a dataset {DATASET!r} ({in_short(error)}); '
                         'fetch the archive again') from None
    return to_metres(coordinates_mm, where)


def parse_h5(content):
    """Bytes of an .h5 file -> the array of DATASET; an error of any type tells that there is none."""
    with h5py.File(io.BytesIO(content), 'r') as file:
        if not isinstance(file.get(DATASET, getlink=True), h5py.HardLink):
            raise ValueError('it has none of its own')
        dataset = file[DATASET]
        if dataset.external or dataset.is_virtual or dataset.dtype.kind not in 'fiu':
            raise ValueError('it holds no numbers of its own')
        if dataset.size * dataset.dtype.itemsize > MAX_SEQUENCE_BYTES:
            raise ValueError(f'it declares an array of shape {dataset.shape}')
        return np.asarray(dataset[()])


def read_mat(path, parse):
    """One .cdf.mat file -> (T, 32, 3) float32 world metres."""
    if not path.is_file():
        raise InputError(f'{path} is no file; fetch it again')
    if path.stat().st_size > MAX_SEQUENCE_BYTES:
        raise InputError(f'{path} has {path.stat().st_size:,} bytes, which no sequence has; fetch it again')
    try:
        coordinates_mm = parse(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f'{path} is no readable .mat file with a cell "data" ({in_short(error)}); '
                         'fetch it again') from None
    return to_metres(coordinates_mm, path)


def parse_mat(content):
    """Bytes of a .mat file -> the array in its cell "data"; an error of any type tells that there is none."""
    return np.asarray(loadmat(io.BytesIO(content), variable_names=['data'])['data'][0, 0])


def to_metres(coordinates_mm, where):
    """(T, 96) millimetres, joint-major x, y, z -> (T, 32, 3) float32 metres; InputError names `where`."""
    numbers = H36M_32_NUM_JOINTS * 3
    if coordinates_mm.ndim != 2 or coordinates_mm.shape[1] != numbers or coordinates_mm.dtype.kind not in 'fiu':
        raise InputError(f'{where} holds an array of shape {coordinates_mm.shape} (frames first) and type '
                         f'{coordinates_mm.dtype} where (frames, {numbers}) numbers are needed; fetch it again')
    with np.errstate(over='ignore', invalid='ignore'):      # what is not finite is refused below
        metres = coordinates_mm.reshape(-1, H36M_32_NUM_JOINTS, 3).astype(np.float64) / 1000
    return finite_float32(metres, where)


def project_all(positions_3d):
    """Table of (T, 32, 3) world metres -> table of lists of four (T, 16, 2) float32 pixels."""
    positions_2d = {subject: {} for subject in positions_3d}
    flat = [(subject, sequence) for subject, sequences in positions_3d.items() for sequence in sequences]
    with progress(flat, 'projecting') as bar:
        for subject, sequence in bar:
            pose3d_world = torch.from_numpy(positions_3d[subject][sequence][:, H36M_16_IN_32])
            positions_2d[subject][sequence] = [
                finite_float32(project_view(pose3d_world, camera), f'{subject} {sequence} in camera {camera.id}')
                for camera in cameras(subject)]
    return positions_2d


def project_view(pose3d_world, camera):
    """(T, J, 3) world metres -> (T, J, 2) pixels of that camera."""
    orientation, translation = torch.from_numpy(camera.orientation), torch.from_numpy(camera.translation)
    pose3d_cam = world_to_camera(pose3d_world, orientation, translation)
    pose2d_norm = project(pose3d_cam, torch.from_numpy(camera.intrinsic)[None])
    return normalised_to_pixels(pose2d_norm.double(), camera.width, camera.height).numpy()


if __name__ == '__main__':
    main()

"""Prepare Human3.6M: 3D poses, and ground-truth 2D poses by projecting them into the four cameras.

    python3 data/prepare_data_h36m.py --from-archive h36m.zip
    python3 data/prepare_data_h36m.py --from-source DIR
    python3 data/prepare_data_h36m.py --from-prepared [data_3d_h36m.npz]

h36m.zip, packed or unpacked, contains <subject>/MyPoses/3D_positions/<sequence>.h5 with the dataset '3D_positions', (96, T) in
world millimetres: 32 joints, each with x, y, z. DIR contains the original files of the data set, <subject>/MyPoseFeatures/
D3_Positions/<sequence>.cdf.mat, (T, 96) in world millimetres. data_3d_h36m.npz is ours, or VideoPose3D's, which is the same.

Writes data/data_3d_h36m.npz with (T, 32, 3) world metres per sequence, and data/data_2d_h36m_gt.npz with four views of
(T, 16, 2) pixels per sequence.
"""
import io
import re
import sys
import zipfile
from collections import Counter
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import torch
from scipy.io import loadmat

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))    # so that it runs as a script from any folder
from common.camera import normalised_to_pixels, project, world_to_camera
from common.datasets.h36m import MAKE_3D_H36M, pose2d_h36m_path, pose3d_h36m_path
from common.datasets.h36m_protocol import ACTIONS, CORRUPTED, SEQUENCES_PER_SUBJECT, SUBJECTS, action_of, cameras
from common.datasets.joint_orders import H36M_16_IN_32, H36M_32_NUM_JOINTS
from common.datasets.preparation import (METADATA_16, finite_float32, progress, require_free, sequence_name, summary,
                                         write_checked)
from common.errors import InputError, in_short
from common.files.limited import read_limited
from common.files.npz import load_npz
from common.files.paths import add_data_root, at_root
from utils.command_line import Parser, exits_cleanly

MEMBER = re.compile(r'(?:.*/)?(S\d+)/MyPoses/3D_positions/(\w[\w ]*)\.h5')     # not ._Walking.h5, which a Mac adds
SOURCE_FOLDER = 'MyPoseFeatures/D3_Positions'
SOURCE_SUFFIX = '.cdf.mat'
DATASET = '3D_positions'
MAX_SEQUENCE_BYTES = 64 << 20       # the longest sequence, about 6,300 frames, takes 5 MB
FARTHEST_METRES = 100               # beyond it a number is no metre; the room has ten
MAX_FRAMES = 1 << 20                # Human3.6M has about 530,000
SEQUENCES_PER_ACTION = SEQUENCES_PER_SUBJECT // len(ACTIONS)


@exits_cleanly
def main(argv=None):
    args = parse_args(argv)
    pose3d_path, pose2d_path = pose3d_h36m_path(args.data_root), pose2d_h36m_path(args.data_root, 'gt')
    prepared = pose3d_path if args.from_prepared is True else args.from_prepared
    in_place = prepared is not None and prepared.resolve() == pose3d_path.resolve()
    new_paths = [pose2d_path] if in_place else [pose3d_path, pose2d_path]
    require_free(*new_paths)
    positions_3d = read(args, prepared)
    tables = {pose3d_path: {'positions_3d': positions_3d},
              pose2d_path: {'positions_2d': project_all(positions_3d), 'metadata': METADATA_16}}
    write_checked({path: tables[path] for path in new_paths}, made_by=at_root(MAKE_3D_H36M, args.data_root))
    for path in new_paths:
        print(summary(path, next(iter(tables[path].values()))))


def parse_args(argv):
    parser = Parser('Prepare 3D and ground-truth 2D poses of Human3.6M (see DATASETS.md).')
    origin = parser.add_mutually_exclusive_group(required=True)
    origin.add_argument('--from-archive', type=Path, metavar='ZIP',
                        help='h36m.zip, with an .h5 file per sequence, or the folder that it was unpacked to')
    origin.add_argument('--from-source', type=Path, metavar='DIR',
                        help='folder of the original data, with S1/MyPoseFeatures/... in it')
    origin.add_argument('--from-prepared', type=Path, metavar='NPZ', nargs='?', const=True,
                        help="data_3d_h36m.npz, ours or VideoPose3D's (default: the one in data/)")
    add_data_root(parser)
    return parser.parse_args(argv)


def read(args, prepared):
    """Table of (T, 32, 3) float32 world metres from the origin that was typed; `prepared`: its path if it is an .npz."""
    if prepared is not None:
        return read_prepared(prepared)
    if args.from_source is not None:
        return read_source(args.from_source)
    return read_unpacked(args.from_archive) if args.from_archive.is_dir() else read_archive(args.from_archive)


def read_prepared(path):
    """Read data_3d_h36m.npz: table of (T, 32, 3) float32 world metres."""
    table = load_npz(path, ['positions_3d'], MAKE_3D_H36M)['positions_3d']
    if not isinstance(table, dict) or not all(isinstance(sequences, dict) for sequences in table.values()):
        raise InputError(f'{path} holds no dict subject -> sequence -> poses; give another --from-prepared')
    items = [(subject, name, poses) for subject, sequences in table.items() for name, poses in sequences.items()]
    return {subject: {sequence: checked_metres(poses, f'{path}: {subject} {sequence}') for sequence, poses in sequences.items()}
            for subject, sequences in tabulate(items, path).items()}


def checked_metres(poses, where):
    """(T, 32, 3) metres as float32; InputError, naming `where`, for another shape or numbers that are no metres."""
    if not isinstance(poses, np.ndarray) or poses.shape[1:] != (H36M_32_NUM_JOINTS, 3) or poses.dtype.kind != 'f':
        raise InputError(f'{where} holds no poses of shape (frames, {H36M_32_NUM_JOINTS}, 3) but '
                         f'{getattr(poses, "shape", type(poses).__name__)}; all 32 joints are needed (DATASETS.md)')
    metres = finite_float32(poses, where)
    if np.abs(metres).max() > FARTHEST_METRES:
        raise InputError(f'{where} holds coordinates up to {np.abs(metres).max():,.0f}, which are not metres; '
                         'divide millimetres by 1,000')
    return metres


def read_unpacked(folder):
    """Read the .h5 files of an unpacked h36m.zip in `folder`: table of (T, 32, 3) float32 world metres."""
    paths = {path.absolute().as_posix(): path for path in folder.rglob('*.h5')}
    matches = [MEMBER.fullmatch(name) for name in paths]
    files = [(match[1], match[2], paths[match[0]]) for match in matches if match]
    if not files:
        raise InputError(f'{folder} is a folder without S1/MyPoses/3D_positions/*.h5; --from-archive takes h36m.zip or the '
                         'folder that it was unpacked to (the original .cdf.mat files: --from-source)')
    return read_all(tabulate(files, folder), parse_h5_files, f'.h5 file with a dataset {DATASET!r}', folder)


def read_archive(path):
    """Read h36m.zip: table of (T, 32, 3) float32 world metres. Its members are read in memory, not extracted to disk."""
    if not path.is_file():
        raise InputError(f'{path} is missing; --from-archive takes the path of h36m.zip or of its folder (DATASETS.md)')
    try:
        with open(path, 'rb') as file:
            names = read_limited(parse_names, file)
    except (OSError, ValueError) as error:
        raise InputError(f'{path} is not a complete .zip archive ({in_short(error)}); fetch it again') from None
    matches = [MEMBER.fullmatch(name) for name in names]
    found = tabulate(((match[1], match[2], match[0]) for match in matches if match), path)
    with open(path, 'rb') as file:
        return read_all(found, partial(parse_members, file), f'.h5 file with a dataset {DATASET!r}', path, f'{path}: ')


def parse_names(file):
    """Names of the members of an open .zip archive."""
    with zipfile.ZipFile(file) as archive:
        return archive.namelist()


def read_source(folder):
    """Read the original .cdf.mat files in `folder`: table of (T, 32, 3) float32 world metres."""
    if not folder.is_dir():
        raise InputError(f'{folder} is not a folder; give the folder that contains S1/{SOURCE_FOLDER} as --from-source')
    files = [(subject, file.name.removesuffix(SOURCE_SUFFIX), file) for subject in SUBJECTS
             for file in (folder / subject / SOURCE_FOLDER).glob(f'[!.]*{SOURCE_SUFFIX}')]
    if not files:
        raise InputError(f'{folder} is a folder without S1/{SOURCE_FOLDER}/*{SOURCE_SUFFIX}; give the folder that contains S1 '
                         '(an unpacked h36m.zip: --from-archive)')
    return read_all(tabulate(files, folder), parse_mats, '.mat file with a cell "data"', folder)


def tabulate(items, origin):
    """Table of items, in a fixed order of subjects and sequences, from triples (subject, sequence name, item).

    InputError, naming `origin`, unless each of our subjects has 30 different sequences; only the corrupted recording may
    be missing. Other subjects are left out.
    """
    found = {subject: {} for subject in SUBJECTS}
    for subject, name, item in items:
        sequences, sequence = found.get(subject, {}), sequence_name(name)
        if sequence in sequences:
            raise InputError(f'{origin} holds {subject} {sequence} twice; remove one of the two')
        sequences[sequence] = item
    for subject, sequences in found.items():
        may_lack = {sequence for owner, sequence in CORRUPTED if owner == subject and sequence not in sequences}
        if len(sequences) + len(may_lack) != SEQUENCES_PER_SUBJECT:
            raise InputError(f'{origin} holds {len(sequences)} sequences of {subject} where {SEQUENCES_PER_SUBJECT} '
                             f'are needed ({uneven_actions(sequences)}); fetch what is missing (DATASETS.md)')
    return {subject: dict(sorted(sequences.items())) for subject, sequences in found.items()}


def uneven_actions(sequences):
    """Text about the actions that do not have two sequences, such as 'Walking 1 of 2'."""
    if not sequences:
        return 'none found'
    counts = Counter({action: 0 for action in ACTIONS})
    counts.update(map(action_of, sequences))
    return ', '.join(f'{action} {count} of {SEQUENCES_PER_ACTION if action in ACTIONS else 0}'
                     for action, count in counts.items() if count != SEQUENCES_PER_ACTION or action not in ACTIONS)


def read_all(found, parse, kind, origin, prefix=''):
    """Table of items -> table of poses (T, 32, 3), float32 world metres, with a progress bar.

    `parse` takes a list of items and yields a (T, 96) array of millimetres for each. InputError names the first item that
    is not a readable `kind`, after `prefix`, or `origin` if all sequences together have more than MAX_FRAMES frames.
    """
    positions_3d, frames = {subject: {} for subject in found}, 0
    with progress(found.items(), 'reading 3D', 'subject') as bar:
        for subject, items in bar:
            for (sequence, item), coordinates_mm in zip(items.items(), read_items(parse, [*items.values()], kind, prefix)):
                frames += len(coordinates_mm) if coordinates_mm.ndim else 0
                if frames > MAX_FRAMES:
                    raise InputError(f'{origin} holds more than {MAX_FRAMES:,} frames, but Human3.6M has fewer; '
                                     'fetch it again')
                positions_3d[subject][sequence] = to_metres(coordinates_mm, f'{prefix}{item}')
    return positions_3d


def read_items(parse, items, kind, prefix):
    """The arrays of all items, read in one limited process; if that fails, one by one, to name the damaged one."""
    try:
        return read_limited(parse, items)
    except ValueError as error:
        if len(items) > 1:
            return [array for item in items for array in read_items(parse, [item], kind, prefix)]
        raise InputError(f'{prefix}{items[0]} is not a readable {kind} ({in_short(error)}); fetch it again') from None


def parse_members(file, names):
    """Yield the transposed array of DATASET in each of these .h5 members of an open archive."""
    with zipfile.ZipFile(file) as archive:
        for name in names:
            yield parse_h5(io.BytesIO(archive.read(name)))


def parse_h5_files(paths):
    """Yield the transposed array of DATASET in each of these .h5 files."""
    for file in opened(paths):
        yield parse_h5(file)


def parse_h5(file):
    """The transposed array of DATASET in an open .h5 file."""
    with h5py.File(file, 'r') as content:
        if not isinstance(content.get(DATASET, getlink=True), h5py.HardLink):
            raise ValueError('it has none, or only a link to one')
        dataset = content[DATASET]
        if dataset.external or dataset.is_virtual or dataset.dtype.kind not in 'fiu':
            raise ValueError('its values are not numbers or are stored in another file')
        return sequence_of(dataset).T


def parse_mats(paths):
    """Yield the array in the cell "data" of each of these .mat files."""
    for file in opened(paths):
        yield sequence_of(loadmat(file, variable_names=['data'])['data'][0, 0])


def opened(paths):
    """Yield each of these files, open; ValueError where a path is no plain file."""
    for path in paths:
        if not path.is_file():
            raise ValueError('it is not a file')
        with open(path, 'rb') as file:
            yield file


def sequence_of(array):
    """An array or an h5py dataset as an array in memory; ValueError if it is larger than any sequence."""
    if array.size * array.dtype.itemsize > MAX_SEQUENCE_BYTES:
        raise ValueError(f'its array of shape {array.shape} is too large')
    return np.asarray(array[()])


def to_metres(coordinates_mm, where):
    """(T, 96) millimetres, x, y, z of 32 joints -> (T, 32, 3) float32 metres; InputError, naming `where`, if invalid."""
    numbers = H36M_32_NUM_JOINTS * 3
    if coordinates_mm.ndim != 2 or coordinates_mm.shape[1] != numbers or coordinates_mm.dtype.kind not in 'fiu':
        raise InputError(f'{where} holds an array of shape {coordinates_mm.shape} (frames first) and type '
                         f'{coordinates_mm.dtype} where (frames, {numbers}) numbers are needed; fetch it again')
    with np.errstate(over='ignore', invalid='ignore'):      # numbers that are not finite are refused below
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
    """(T, J, 3) world metres -> (T, J, 2) pixels in the image of `camera`, with its lens distortion."""
    orientation, translation = torch.from_numpy(camera.orientation), torch.from_numpy(camera.translation)
    pose3d_cam = world_to_camera(pose3d_world, orientation, translation)
    pose2d_norm = project(pose3d_cam, torch.from_numpy(camera.intrinsic)[None])
    return normalised_to_pixels(pose2d_norm.double(), camera.width, camera.height).numpy()


if __name__ == '__main__':
    main()

"""Prepare detected 2D poses of Human3.6M from the files of other projects, with 16 joints and as many frames as the 3D.

    python3 data/prepare_data_2d_h36m.py --keypoints cpn_ft_h36m_dbb   [--source FILE.npz]   VideoPose3D's 17 joints
    python3 data/prepare_data_2d_h36m.py --keypoints detectron_ft_h36m [--source FILE.npz]   VideoPose3D's 17 joints
    python3 data/prepare_data_2d_h36m.py --keypoints hr                [--source DIR]        EvoSkeleton's .npy files

The default source folder is data/sources/. Needs data/data_3d_h36m.npz (from prepare_data_h36m.py) for the number of
frames of each sequence. Writes data/data_2d_h36m_<keypoints>.npz: for each sequence with 3D four views of (T, 16, 2)
pixels.
"""
import re
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))    # so that it runs as a script from any folder
from common.datasets.h36m import MAKE_3D_H36M, make_2d_h36m, pose2d_h36m_path, pose3d_h36m_path
from common.datasets.h36m_protocol import CORRUPTED, KEYPOINTS, SUBJECTS, cameras
from common.datasets.joint_orders import H36M_16_IN_17, H36M_16_IN_32, H36M_32_NUM_JOINTS
from common.datasets.preparation import (METADATA_16, finite_float32, progress, require_free, require_source,
                                         sequence_name, summary, write_checked)
from common.errors import InputError
from common.files.npz import load_npy, load_npz
from common.files.paths import add_data_root, at_root
from common.skeleton import H36M_17
from utils.command_line import Parser, exits_cleanly


class Layout(NamedTuple):
    """The format of a source: the shape of one frame of a view, and the indices of our 16 joints among its joints."""
    frame_shape: tuple
    joints: list


VIDEOPOSE3D = Layout((H36M_17.num_joints, 2), H36M_16_IN_17)
EVOSKELETON = Layout((H36M_32_NUM_JOINTS * 2,), H36M_16_IN_32)
EVOSKELETON_FILES = ('twoDPose_HRN_train.npy', 'twoDPose_HRN_test.npy')
EVOSKELETON_VIEW = re.compile(r'(.+)\.(\d+)\.h5(?:-sh)?')
DETECTORS = [name for name in KEYPOINTS if name != 'gt']
CAMERA_IDS = [camera.id for camera in cameras(SUBJECTS[0])]     # the same four cameras for all subjects
WHERE = 'DATASETS.md, section 1'
DOWNLOAD = f'a new download ({WHERE})'


@exits_cleanly
def main(argv=None):
    args = parse_args(argv)
    output = pose2d_h36m_path(args.data_root, args.keypoints)
    usual_source = default_source(args.data_root, args.keypoints)
    source = args.source or usual_source
    if source.resolve() == output.resolve():
        raise InputError(f'{source} would be both source and output; move the source to {usual_source}')
    require_free(output, or_else='' if args.keypoints == 'hr' else
                 f"; if it is VideoPose3D's original file, move it to {usual_source.parent}/")
    frames = mocap_lengths(pose3d_h36m_path(args.data_root), at_root(MAKE_3D_H36M, args.data_root))
    read, layout = (read_hr, EVOSKELETON) if args.keypoints == 'hr' else (read_videopose3d, VIDEOPOSE3D)
    table = read(source)
    ignored = without_3d(table, frames)
    if ignored:
        print(f'ignored, because they have no 3D: {", ".join(ignored)}')
    positions_2d = convert(table, layout, frames, source)
    write_checked({output: {'positions_2d': positions_2d, 'metadata': METADATA_16}},
                  made_by=at_root(make_2d_h36m(args.keypoints), args.data_root))
    print(summary(output, positions_2d))


def parse_args(argv):
    parser = Parser('Prepare detected 2D poses of Human3.6M (see DATASETS.md).')
    parser.add_argument('--keypoints', required=True, choices=DETECTORS, help='detector that the 2D poses come from')
    parser.add_argument('--source', type=Path, metavar='PATH',
                        help="VideoPose3D's .npz file, or for hr the folder of EvoSkeleton's .npy files "
                             '(default: in data/sources)')
    add_data_root(parser)
    return parser.parse_args(argv)


def default_source(data_root, keypoints):
    """Default path of the source: a file, or for `hr` a folder with two files."""
    folder = data_root / 'data' / 'sources'
    return folder if keypoints == 'hr' else folder / f'data_2d_h36m_{keypoints}.npz'


def mocap_lengths(path, made_by):
    """Table of the number of 3D frames of each sequence in `path`; InputError, naming `made_by`, if it is damaged."""
    positions_3d = load_npz(path, ['positions_3d'], made_by)['positions_3d']
    try:
        return {subject: {sequence: len(pose3d) for sequence, pose3d in sequences.items()}
                for subject, sequences in positions_3d.items()}
    except (AttributeError, TypeError):
        raise InputError(f'{path} holds no dict subject -> sequence -> poses; delete it and run: {made_by}') from None


def read_videopose3d(path):
    """Read VideoPose3D's file: table of lists of four raw views (T, 17, 2) in pixels; InputError for other content."""
    require_source(path, "VideoPose3D's file of detections")
    positions_2d = load_npz(path, ['positions_2d'], DOWNLOAD)['positions_2d']
    try:
        table = {subject: {sequence_name(name): list(views) for name, views in sequences.items()}
                 for subject, sequences in positions_2d.items()}
    except (AttributeError, TypeError):
        raise InputError(f'{path} holds no dict subject -> sequence -> four views; download it again ({WHERE})') from None
    for subject, sequences in table.items():
        for sequence, views in sequences.items():
            if len(views) != len(CAMERA_IDS):
                raise InputError(f'{path} holds {len(views)} views of {subject} {sequence} where {len(CAMERA_IDS)} are '
                                 f'needed; download it again ({WHERE})')
    return table


def read_hr(folder):
    """Read EvoSkeleton's two files: table of lists of four raw views (T, 64) in pixels, None for missing views."""
    if folder.is_file():
        raise InputError(f'{folder} is a file; for hr --source takes the folder of {" and ".join(EVOSKELETON_FILES)}')
    table = {}
    for path in (folder / name for name in EVOSKELETON_FILES):
        require_source(path, "EvoSkeleton's file of detections")
        views = load_npy(path, DOWNLOAD)
        if not isinstance(views, dict):
            raise InputError(f'{path} holds no dict (subject, action, view) -> poses; download it again ({WHERE})')
        for key, view in views.items():
            subject, sequence, place = parse_hr_key(key, path)
            four = table.setdefault(subject, {}).setdefault(sequence, [None] * len(CAMERA_IDS))
            if four[place] is not None:
                raise InputError(f'{path} holds {subject} {sequence} of camera {CAMERA_IDS[place]} a second time; '
                                 f'download it again ({WHERE})')
            four[place] = view
    return table


def parse_hr_key(key, path):
    """(9, 'Walking', 'Walking_1.54138969.h5-sh') -> ('S9', 'Walking 1', 0), with the index of the camera."""
    try:
        subject, _, view = key
        sequence, camera_id = EVOSKELETON_VIEW.fullmatch(view).groups()
        return f'S{int(subject)}', sequence_name(sequence), CAMERA_IDS.index(camera_id)
    except (AttributeError, TypeError, ValueError):
        raise InputError(f'{path} holds the key {key!r} where (subject, action, "Sequence.camera.h5-sh") is needed, '
                         f'the camera one of {", ".join(CAMERA_IDS)}; download it again ({WHERE})') from None


def without_3d(table, frames):
    """List of the subjects and sequences that have detections but no 3D poses, as texts."""
    subjects = [f'{subject} (all its sequences)' for subject in table if subject not in frames]
    return subjects + [f'{subject} {sequence}' for subject in frames for sequence in table.get(subject, {})
                       if sequence not in frames[subject]]


def convert(table, layout, frames, source):
    """Table of raw views -> table of lists of four (T, 16, 2) float32 pixels, for each sequence with 3D poses.

    InputError, naming `source`, if a sequence has no detections; only the corrupted recording may lack them.
    """
    flat = [(subject, sequence) for subject, sequences in frames.items() for sequence in sequences]
    missing = [key for key in flat if key[1] not in table.get(key[0], {})]
    needed = [' '.join(key) for key in missing if key not in CORRUPTED]
    if needed:
        raise InputError(f'{source} lacks detections of {len(needed)} sequences that have 3D: {", ".join(needed)}; '
                         f'download it again ({WHERE})')
    positions_2d = {subject: {} for subject in frames}
    with progress([key for key in flat if key not in missing], 'converting') as bar:
        for subject, sequence in bar:
            length, where = frames[subject][sequence], f'{source}: {subject} {sequence}'
            positions_2d[subject][sequence] = [convert_view(view, layout, length, f'{where}, camera {camera_id},')
                                               for view, camera_id in zip(table[subject][sequence], CAMERA_IDS)]
    return positions_2d


def convert_view(view, layout, frames, where):
    """A raw view -> (frames, 16, 2) float32 pixels; InputError, naming `where`, for a wrong shape or too few frames."""
    if view is None:
        raise InputError(f'{where} is missing; download it again ({WHERE})')
    view = view if isinstance(view, np.ndarray) else np.empty((), dtype=object)     # np.asarray fails on ragged lists
    if view.shape[1:] != layout.frame_shape or view.dtype.kind not in 'fiu':
        raise InputError(f'{where} holds an array of shape {view.shape} and type {view.dtype} where (frames, '
                         f'{", ".join(map(str, layout.frame_shape))}) numbers are needed; download it again ({WHERE})')
    if len(view) < frames:
        raise InputError(f'{where} holds {len(view)} frames where the motion capture has {frames}; '
                         f'download it again ({WHERE})')
    return finite_float32(view[:frames].reshape(frames, -1, 2)[:, layout.joints], where)


if __name__ == '__main__':
    main()

"""Prepare 3DPW (von Marcard et al., ECCV 2018) from its sequence files.

    python3 data_extra/prepare_data_3dpw.py [--split test] [--source DIR]

Reads data_extra/dataset_extras/3dpw/sequenceFiles/<split>/*.pkl, each one sequence of T frames and P people:
`jointPositions` P x (T, 72) 24 SMPL joints in world metres; `poses2d` P x (T, 3, 18) detections of OpenPose's COCO
model, x, y in pixels and confidence, zeros if missing; `cam_poses` (T, 4, 4) world to camera; `cam_intrinsics` (3, 3)
in pixels; `campose_valid` P x (T,); `sequence`, its name. The images are not needed.

Writes data_extra/test_set/<split>_3dpw.npz, N poses of S sequences: `pose3d` (N, 16, 3) camera frame in metres, not
root-relative; `pose2d` (N, 16, 2) its projection and `pose2d_openpose` (N, 16, 2) the detections, both normalised in
the image padded to a square; `openpose_whole` (N,) whether every joint was detected; `sequence` (N,) indices into
`sequence_names` (S,); `person` and `frame` (N,) indices in the source; `intrinsics` (S, 9) normalised like the 2D.
"""
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))    # so that it runs as a script from any folder
from common.camera import pixels_to_padded
from common.datasets.preparation import finite_float32, progress, require_free, write_checked
from common.datasets.pw3d import MAKE_3DPW, pose_3dpw_path
from common.errors import InputError
from common.files.layout import require_layout
from common.files.npz import load_pickle
from common.files.paths import add_data_root, at_root
from common.skeleton import H36M_16
from function_inference.keypoint_formats import KeypointFormat, matrix_of, to_h36m_16
from utils.command_line import Parser, exits_cleanly

OFFICIAL_SEQUENCES = dict(train=24, validation=12, test=24)
SIZES = ((1920, 1080), (1080, 1920))     # width, height of the phone's videos, landscape or portrait
FAR_OUTSIDE = 1.5       # normalised: a quarter of the padded image's side outside it
RIGID = 1e-2            # allowed deviation of R R^T from the identity, for a rotation matrix R

SMPL_24 = ('pelvis', 'left_hip', 'right_hip', 'spine1', 'left_knee', 'right_knee', 'spine2', 'left_ankle',
           'right_ankle', 'spine3', 'left_foot', 'right_foot', 'neck', 'left_collar', 'right_collar', 'head',
           'left_shoulder', 'right_shoulder', 'left_elbow', 'right_elbow', 'left_wrist', 'right_wrist', 'left_hand',
           'right_hand')
# SMPL's head joint is the base of the skull, lower than Human3.6M's top of the head; spine2 is as high as our Spine
H36M_IN_SMPL = dict(Hip='pelvis', RHip='right_hip', RKnee='right_knee', RFoot='right_ankle', LHip='left_hip',
                    LKnee='left_knee', LFoot='left_ankle', Spine='spine2', Thorax='neck', Head='head',
                    LShoulder='left_shoulder', LElbow='left_elbow', LWrist='left_wrist', RShoulder='right_shoulder',
                    RElbow='right_elbow', RWrist='right_wrist')
H36M_16_IN_SMPL_24 = [SMPL_24.index(H36M_IN_SMPL[name]) for name in H36M_16.names]
# OpenPose's COCO model has a neck but no mid hip and no spine; `openpose_matrix` computes the spine
OPENPOSE_18 = KeypointFormat(
    'openpose18',
    ('Nose', 'Neck', 'RShoulder', 'RElbow', 'RWrist', 'LShoulder', 'LElbow', 'LWrist', 'RHip', 'RKnee', 'RAnkle',
     'LHip', 'LKnee', 'LAnkle', 'REye', 'LEye', 'REar', 'LEar'),
    {name: (name.replace('Foot', 'Ankle'),) for name in H36M_16.names if name[0] in 'LR'}
    | dict(Hip=('LHip', 'RHip'), Spine=('Neck', 'LHip', 'RHip'), Thorax=('Neck',)), dict(thorax=None))
_LAYOUT = dict(cam_poses=(('frames', 4, 4), 'fiu'), cam_intrinsics=((3, 3), 'fiu'),
               jointPositions=(('people', 'frames', 3 * len(SMPL_24)), 'fiu'),
               poses2d=(('people', 'frames', 3, len(OPENPOSE_18.joints)), 'fiu'),
               campose_valid=(('people', 'frames'), 'biuf'))
_REMEDY = 'get the sequence files again, as DATASETS.md says'


class Sequence(NamedTuple):
    """The n poses of a sequence that are kept, ordered by person, then frame.

    `poses`: the output arrays of length n by name, still float64; `intrinsic` (9,) normalised units; `unaligned` and
    `outliers`: numbers of poses left out, without a valid camera pose and far outside the image.
    """
    name: str
    poses: dict
    intrinsic: np.ndarray
    unaligned: int
    outliers: int


@exits_cleanly
def main(argv=None):
    args = parse_args(argv)
    output = pose_3dpw_path(args.data_root, args.split)
    folder = args.source or args.data_root / 'data_extra' / 'dataset_extras' / '3dpw' / 'sequenceFiles' / args.split
    require_free(output)
    sequences = read_sequences(sequence_files(folder))
    write_checked({output: joined(sequences, folder)}, made_by=at_root(f'{MAKE_3DPW} --split {args.split}', args.data_root))
    if len(sequences) != OFFICIAL_SEQUENCES[args.split]:
        print(f'warning: the official {args.split} split has {OFFICIAL_SEQUENCES[args.split]} sequences, {folder} has '
              f'{len(sequences)}')
    print(summary(output, sequences))


def parse_args(argv):
    parser = Parser('Prepare a split of 3DPW from its sequence files (see DATASETS.md).')
    parser.add_argument('--split', default='test', choices=OFFICIAL_SEQUENCES, metavar='NAME',
                        help=f'split to prepare: {", ".join(OFFICIAL_SEQUENCES)} (default: %(default)s, used for evaluation)')
    parser.add_argument('--source', type=Path, metavar='DIR', help='folder with the .pkl files of this split '
                        '(default: data_extra/dataset_extras/3dpw/sequenceFiles/<split>)')
    add_data_root(parser)
    return parser.parse_args(argv)


def sequence_files(folder):
    """Sorted list of the sequence files in `folder`; InputError if there is none."""
    files = sorted(folder.glob('[!.]*.pkl'))
    if not files:
        raise InputError(f"{folder} holds no .pkl file, but should hold 3DPW's sequence files; get them as DATASETS.md "
                         'says or give their folder as --source')
    return files


def read_sequences(files):
    """Read the files as a list of Sequences; InputError if two have the same name."""
    sequences = {}
    with progress(files, 'reading 3DPW') as bar:
        for path in bar:
            sequence = read_sequence(path)
            if sequence.name in sequences:
                raise InputError(f'{path} holds the sequence {sequence.name!r}, but another file holds it too; '
                                 'delete one of them')
            sequences[sequence.name] = sequence
    return list(sequences.values())


def read_sequence(path):
    """Read one file as a Sequence: poses with a valid camera pose (`campose_valid`), without outliers (`is_outlier`)."""
    record = read_record(path)
    size = image_size(record['cam_intrinsics'], path)
    person, frame = np.nonzero(record['campose_valid'])
    pose3d_cam = to_camera(record['jointPositions'].reshape(*record['campose_valid'].shape, -1, 3)[person, frame],
                           record['cam_poses'][frame])[:, H36M_16_IN_SMPL_24]
    broken = ~np.isfinite(pose3d_cam).all((1, 2))
    if broken.any():
        raise InputError(f'{path}: person {person[broken][0]}, frame {frame[broken][0]} has joints that are not '
                         f'finite; {_REMEDY}')
    pose2d_norm = pixels_to_padded(project_to_pixels(pose3d_cam, record['cam_intrinsics']), *size)
    pose2d_openpose, whole = from_openpose(record['poses2d'][person, frame].swapaxes(1, 2), size)
    outlier = is_outlier(pose3d_cam, pose2d_norm)
    poses = dict(pose3d=pose3d_cam, pose2d=pose2d_norm, pose2d_openpose=pose2d_openpose, openpose_whole=whole,
                 person=person, frame=frame)
    return Sequence(record['sequence'], {key: array[~outlier] for key, array in poses.items()},
                    intrinsic_vector(record['cam_intrinsics'], size), record['campose_valid'].size - len(frame),
                    np.count_nonzero(outlier))


def read_record(path):
    """The needed fields of a sequence file, checked: float64 arrays, but `campose_valid` bool and `sequence` str."""
    record = load_pickle(path)
    missing = [key for key in ('sequence', *_LAYOUT) if not isinstance(record, dict) or key not in record]
    if missing:
        raise InputError(f'{path} holds no {missing[0]!r}: it is not a sequence file of 3DPW; {_REMEDY}')
    arrays = {key: _array(record[key], f'{path}: {key!r}') for key in _LAYOUT}
    require_layout(arrays, _LAYOUT, path, _REMEDY)
    arrays = {key: array.astype(np.float64) for key, array in arrays.items()}
    name, valid = record['sequence'], arrays['campose_valid']
    if not isinstance(name, str) or not np.isin(valid, (0, 1)).all():
        raise InputError(f"{path}: 'sequence' is not a text, or 'campose_valid' holds values other than 0 and 1; {_REMEDY}")
    require_rigid(arrays['cam_poses'][valid.any(0)], path)
    return {**arrays, 'sequence': name, 'campose_valid': valid != 0}


def _array(value, where):
    """An array, or a list with an array per person, as one array; InputError if the shapes differ between people."""
    try:
        return np.asarray(value)
    except ValueError:
        raise InputError(f'{where} differs in shape from person to person; {_REMEDY}') from None


def require_rigid(cam_poses, path):
    """InputError unless all `cam_poses` (T, 4, 4) are rigid transforms, a rotation and a translation of column vectors."""
    rotation = cam_poses[:, :3, :3]
    with np.errstate(all='ignore'):                        # overflow and NaN fail the comparison
        near_identity = np.abs(rotation @ rotation.swapaxes(1, 2) - np.eye(3)) < RIGID
        unmirrored = np.linalg.det(rotation) > 0
    if not (near_identity.all() and unmirrored.all() and (cam_poses[:, 3] == (0, 0, 0, 1)).all()):
        raise InputError(f"{path}: 'cam_poses' holds a matrix that is not a rotation and translation; {_REMEDY}")


def image_size(intrinsics_px, path):
    """(width, height) from SIZES, whose centre is near the principal point of the intrinsics (3, 3); or InputError."""
    is_camera = (np.diag(intrinsics_px) > 0).all() and (intrinsics_px[2] == (0, 0, 1)).all()
    for size in SIZES:
        if is_camera and (np.abs(intrinsics_px[:2, 2] / size - .5) < .1).all():
            return size
    raise InputError(f"{path}: 'cam_intrinsics' does not fit images of 1920 x 1080 or 1080 x 1920 pixels (its centre is "
                     f'{intrinsics_px[:2, 2].tolist()}); {_REMEDY}')


def to_camera(joints_world, cam_poses):
    """(n, J, 3) world metres and (n, 4, 4) world-to-camera matrices -> (n, J, 3) camera metres."""
    with np.errstate(all='ignore'):                          # the caller refuses numbers that are not finite
        return joints_world @ cam_poses[:, :3, :3].swapaxes(1, 2) + cam_poses[:, None, :3, 3]


def project_to_pixels(pose3d_cam, intrinsics_px):
    """(n, J, 3) camera metres, (3, 3) intrinsics -> (n, J, 2) pixels, without distortion.

    Unlike `project` in common/camera.py it does not clamp the result.
    """
    with np.errstate(all='ignore'):                          # joints at depth 0 are outliers, left out later
        projected = pose3d_cam @ intrinsics_px.T
        return projected[..., :2] / projected[..., 2:]


def intrinsic_vector(intrinsics_px, size):
    """(3, 3) intrinsics in pixels -> (9,) in normalised units, the format of common/camera.py, without distortion."""
    focal = 2 * np.diag(intrinsics_px)[:2] / max(size)
    return np.concatenate([focal, pixels_to_padded(intrinsics_px[:2, 2], *size), np.zeros(5)])


def is_outlier(pose3d_cam, pose2d_norm):
    """(n,) bool: whether a joint has depth <= 0, or its projection lies far outside the image (FAR_OUTSIDE)."""
    return (pose3d_cam[..., 2] <= 0).any(1) | (np.abs(pose2d_norm) > FAR_OUTSIDE).any((1, 2))


def openpose_matrix():
    """(16, 18) weights of OpenPose joints for each of ours; Head by PoseAug's rule, Spine midway from Hip to Thorax."""
    matrix = matrix_of(OPENPOSE_18)
    hip, spine, thorax = H36M_16.joints('Hip', 'Spine', 'Thorax')
    matrix[spine] = (matrix[hip] + matrix[thorax]) / 2
    return matrix


def from_openpose(openpose_px, size):
    """(n, 18, 3) x, y, confidence -> (n, 16, 2) normalised, and (n,) bool: whether all needed joints were detected.

    A pose with a missing joint is all zeros.
    """
    with np.errstate(all='ignore'):                          # joints that are not finite count as missing
        found = to_h36m_16(openpose_px, openpose_matrix())
    whole = (found[..., 2] > 0).all(1) & np.isfinite(found).all((1, 2))
    return np.where(whole[:, None, None], pixels_to_padded(found[..., :2], *size), 0), whole


def joined(sequences, folder):
    """The arrays of the output file by name; InputError, naming `folder`, for numbers that are not finite."""
    poses = {key: np.concatenate([sequence.poses[key] for sequence in sequences]) for key in sequences[0].poses}
    for key in ('pose3d', 'pose2d', 'pose2d_openpose'):
        poses[key] = finite_float32(poses[key], f'{folder}: {key!r} of the poses that are kept')
    counts = [len(sequence.poses['frame']) for sequence in sequences]
    return {**poses, 'sequence': np.repeat(np.arange(len(sequences)), counts),
            'sequence_names': np.array([sequence.name for sequence in sequences]),
            'intrinsics': np.stack([sequence.intrinsic for sequence in sequences]).astype(np.float32)}


def summary(output, sequences):
    """One line about the written file: numbers of poses kept and left out."""
    kept = sum(len(sequence.poses['frame']) for sequence in sequences)
    whole = sum(np.count_nonzero(sequence.poses['openpose_whole']) for sequence in sequences)
    unaligned, outliers = (sum(getattr(sequence, key) for sequence in sequences) for key in ('unaligned', 'outliers'))
    return (f'wrote {output}: {kept:,} poses of {len(sequences)} sequences, {whole:,} with all joints detected; left '
            f'out {unaligned:,} without a valid camera pose and {outliers:,} far outside the image')


if __name__ == '__main__':
    main()

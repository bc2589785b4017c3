"""Small data sets in the formats people download, for tests: a few frames each, all seven subjects, 30 sequences each.

`build_h36m_sources` writes them; `pixels` projects in plain numpy float64, as an independent check of the torch code.
"""
import io
import json
import shutil
import zipfile
from pathlib import Path

import h5py
import numpy as np
from scipy.io import savemat

from common.files.npz import load_npz
from places import ROOT

SUBJECTS = ('S1', 'S5', 'S6', 'S7', 'S8', 'S9', 'S11')
ACTIONS = ('Directions', 'Discussion', 'Eating', 'Greeting', 'Phoning', 'Photo', 'Posing', 'Purchases', 'Sitting',
           'SittingDown', 'Smoking', 'Waiting', 'WalkDog', 'Walking', 'WalkTogether')
SEQUENCES = tuple(action + suffix for action in ACTIONS for suffix in ('', ' 1'))
ORIGINAL_NAMES = {'Photo': 'TakingPhoto', 'WalkDog': 'WalkingDog'}
MOVING_17 = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]
CAMERA_IDS = ('54138969', '55011271', '58860488', '60457274')
CAMERAS = json.loads((ROOT / 'common' / 'datasets' / 'h36m_cameras.json').read_text())
# a standing person, metres, z up, in the order of the 17 moving joints
STANDING = np.array([[0, 0, .95],
                     [-.13, 0, .95], [-.13, .02, .5], [-.13, 0, .05], [.13, 0, .95], [.13, .02, .5], [.13, 0, .05],
                     [0, .01, 1.18], [0, .02, 1.43], [0, .08, 1.5], [0, .06, 1.62],
                     [.15, 0, 1.4], [.2, 0, 1.12], [.2, .05, .88], [-.15, 0, 1.4], [-.2, 0, 1.12], [-.2, .05, .88]])


def build_h36m_sources(directory, frames=6, seed=0):
    """Write every source the preparation commands read into `directory`; returns it as a Path.

    h36m.zip; source/<S>/MyPoseFeatures/D3_Positions/*.cdf.mat, the same poses; VideoPose3D's two files, with 0 to 2
    frames more than the motion capture and a subject S2 that has no 3D; EvoSkeleton's two files, some names with an
    underscore; mpi_inf_3dhp_valid.npz. Sequences have `frames` to `frames` + 2 frames.
    """
    directory, rng = Path(directory), np.random.default_rng(seed)
    directory.mkdir(parents=True, exist_ok=True)
    world_mm = {subject: {sequence: random_poses_mm(rng, frames + number % 3)
                          for number, sequence in enumerate(SEQUENCES)} for subject in SUBJECTS}
    write_archive(directory / 'h36m.zip', world_mm)
    write_source(directory / 'source', world_mm)
    for name, noise in (('cpn_ft_h36m_dbb', 3), ('detectron_ft_h36m', 5)):
        write_videopose3d(directory / f'data_2d_h36m_{name}.npz', world_mm, noise, rng)
    write_hr(directory, world_mm, rng)
    write_spin(directory / 'mpi_inf_3dhp_valid.npz', rng)
    return directory


def positions(root, name, key):
    """A table of a prepared Human3.6M file: positions(root, '3d_h36m', 'positions_3d')."""
    return load_npz(root / 'data' / f'data_{name}.npz', [key], 'the test')[key]


def with_3d(tiny_root, root):
    """A data root that holds the tiny 3D only."""
    (root / 'data').mkdir(parents=True, exist_ok=True)
    shutil.copy(tiny_root / 'data' / 'data_3d_h36m.npz', root / 'data')
    return root


def random_poses_mm(rng, frames):
    """(frames, 32, 3) world millimetres: a person who stands near the room's centre and fidgets."""
    place = np.append(rng.uniform(-.5, .5, 2), 0)
    poses_mm = np.zeros((frames, 32, 3))
    poses_mm[:, MOVING_17] = 1000 * (STANDING + place + rng.normal(0, .03, (frames, 17, 3)))
    return poses_mm


def write_archive(path, world_mm):
    """h36m.zip of a table of (T, 32, 3) world millimetres, with a directory entry and a file to be passed over."""
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('h36m/', b'')
        archive.writestr('h36m/README.txt', b'not a sequence')
        for subject, sequences in world_mm.items():
            for sequence, poses_mm in sequences.items():
                archive.writestr(member_name(subject, sequence), h5_bytes(poses_mm.reshape(len(poses_mm), 96).T))


def member_name(subject, sequence):
    return f'h36m/{subject}/MyPoses/3D_positions/{sequence}.h5'


def h5_bytes(array, key='3D_positions'):
    """An .h5 file with one dataset, as bytes."""
    buffer = io.BytesIO()
    with h5py.File(buffer, 'w') as file:
        file[key] = array
    return buffer.getvalue()


def write_source(directory, world_mm):
    """The original's tree of .cdf.mat files, under the original's names of actions."""
    for subject, sequences in world_mm.items():
        folder = directory / subject / 'MyPoseFeatures' / 'D3_Positions'
        folder.mkdir(parents=True)
        for sequence, poses_mm in sequences.items():
            write_mat(folder / f'{original_name(sequence)}.cdf.mat', poses_mm.reshape(len(poses_mm), 96))


def original_name(sequence):
    """'Photo 1' -> 'TakingPhoto 1'."""
    action, *number = sequence.split(' ')
    return ' '.join([ORIGINAL_NAMES.get(action, action), *number])


def write_mat(path, array):
    """A .mat file whose `data` is a 1 x 1 cell that holds the array."""
    cell = np.empty((1, 1), dtype=object)
    cell[0, 0] = array
    savemat(path, {'data': cell})


def pixels(world, subject, view):
    """(T, J, 3) world metres -> (T, J, 2) pixels in camera `view` of `subject`: numpy, float64, rotation matrix."""
    inner, outer = CAMERAS['intrinsics'][view], CAMERAS['extrinsics'][subject][view]
    camera = (world - np.array(outer['translation']) / 1000) @ rotation_matrix(outer['orientation'])
    xy = np.clip(camera[..., :2] / camera[..., 2:], -1, 1)
    r2 = (xy ** 2).sum(-1, keepdims=True)
    k, p = inner['radial_distortion'], inner['tangential_distortion']
    bent = xy * (1 + k[0] * r2 + k[1] * r2 ** 2 + k[2] * r2 ** 3 + xy @ np.array(p)[:, None]) + np.array(p) * r2
    return np.array(inner['focal_length']) * bent + np.array(inner['center'])


def rotation_matrix(quaternion):
    """(3, 3) matrix of a unit quaternion, w first, acting on columns."""
    w, x, y, z = quaternion
    return np.array([[1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                     [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                     [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)]])


def detections(world_mm, subject, joints, noise, rng):
    """Four (T, J, 2) float32 views of (T, 32, 3) world millimetres with Gaussian noise, pixels."""
    clean = [pixels(world_mm[:, joints] / 1000, subject, view) for view in range(4)]
    return [(view + rng.normal(0, noise, view.shape)).astype(np.float32) for view in clean]


def write_videopose3d(path, world_mm, noise, rng):
    """VideoPose3D's file of 17-joint detections: 0 to 2 frames longer than the 3D, and an S2 without 3D."""
    positions_2d = {subject: {} for subject in world_mm}
    for subject, sequences in world_mm.items():
        for number, (sequence, poses_mm) in enumerate(sequences.items()):
            views = detections(poses_mm, subject, MOVING_17, noise, rng)
            positions_2d[subject][sequence] = [np.concatenate([view, view[:(number + place) % 3]])
                                               for place, view in enumerate(views)]
    positions_2d['S2'] = {'Directions': positions_2d['S1']['Directions']}
    symmetry = [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]]
    np.savez_compressed(path, positions_2d=positions_2d,
                        metadata={'layout_name': 'h36m', 'num_joints': 17, 'keypoints_symmetry': symmetry})


def write_hr(directory, world_mm, rng):
    """EvoSkeleton's two files; second sequences of an action are named with an underscore."""
    tables = {'train': {}, 'test': {}}
    for subject, sequences in world_mm.items():
        table = tables['test' if subject in ('S9', 'S11') else 'train']
        for sequence, poses_mm in sequences.items():
            for camera_id, view in zip(CAMERA_IDS, detections(poses_mm, subject, MOVING_17, 2, rng)):
                full = np.zeros((len(view), 32, 2), np.float32)
                full[:, MOVING_17] = view
                name = f'{sequence.replace(" ", "_")}.{camera_id}.h5-sh'
                table[int(subject[1:]), sequence.split(' ')[0], name] = full.reshape(len(view), 64)
    for split, table in tables.items():
        np.save(directory / f'twoDPose_HRN_{split}.npy', table, allow_pickle=True)


def write_spin(path, rng, frames_per_sequence=3):
    """SPIN's file: TS1 to TS6 one after the other; about one joint in five is invisible."""
    names = [f'mpi_inf_3dhp_test_set/TS{number}/imageSequence/img_{frame:06d}.jpg'
             for number in range(1, 7) for frame in range(frames_per_sequence)]
    part, coordinates = np.ones((len(names), 24, 3)), np.ones((len(names), 24, 4))
    part[..., :2] = rng.uniform(0, 1080, part[..., :2].shape)
    part[..., 2] = rng.random(part.shape[:2]) > .2
    coordinates[..., :3] = rng.normal(0, .5, (len(names), 24, 3)) + [0, 0, 4]
    np.savez(path, imgname=np.array(names), part=part, S=coordinates,
             center=part[:, 14, :2], scale=np.full(len(names), 5.))

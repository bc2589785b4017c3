"""Small 3DPW sequence files: `sequence_record` makes a sequence, `write_record` writes it as Python 2 did."""
import pickle
import struct

import numpy as np

from common.datasets.pw3d import pose_3dpw_path
from common.files.npz import load_npz

ARRAYS = ('pose3d', 'pose2d', 'pose2d_openpose', 'openpose_whole', 'sequence', 'person', 'frame', 'sequence_names',
          'intrinsics')
PORTRAIT = np.array([[1961.9, 0, 540], [0, 1969.2, 960], [0, 0, 1.]])
LANDSCAPE = np.array([[1950.3, 0, 962], [0, 1948.7, 538.5], [0, 0, 1.]])
# a person's 24 SMPL joints about the pelvis, metres, x to the person's left, y up
SMPL_POSE = np.array([[0, 0, 0], [.06, -.09, 0], [-.06, -.09, 0], [0, .12, -.02], [.1, -.47, 0], [-.1, -.47, 0], [0, .25, 0],
                      [.09, -.87, -.03], [-.09, -.87, -.03], [0, .31, 0], [.11, -.92, .1], [-.11, -.92, .1], [0, .52, -.02],
                      [.08, .43, -.02], [-.08, .43, -.02], [0, .61, .03], [.18, .46, -.02], [-.18, .46, -.02],
                      [.3, .25, 0], [-.3, .25, 0], [.35, .02, .05], [-.35, .02, .05], [.37, -.07, .07], [-.37, -.07, .07]])


class Python2Pickler(pickle._Pickler):
    """Writes as Python 2 with its numpy did: text and bytes are one, and numpy's modules have their old names."""
    dispatch = dict(pickle._Pickler.dispatch)

    def save_string(self, value):
        content = value if isinstance(value, bytes) else value.encode('latin1')
        self.write(pickle.BINSTRING + struct.pack('<i', len(content)) + content if self.proto else
                   pickle.STRING + repr(content).removeprefix('b').encode() + b'\n')
        self.memoize(value)

    def save_global(self, value, name=None):
        module = value.__module__.replace('numpy._core', 'numpy.core')
        self.write(pickle.GLOBAL + f'{module}\n{name or value.__name__}\n'.encode())
        self.memoize(value)

    dispatch[str] = dispatch[bytes] = save_string


def write_record(folder, record, name=None, protocol=2):
    """A sequence file; its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f'{name or record["sequence"]}.pkl'
    with open(path, 'wb') as file:
        Python2Pickler(file, protocol).dump(record)
    return path


def rotation(axis_angle):
    """(3, 3) by Rodrigues' formula, of an axis times an angle."""
    angle = np.linalg.norm(axis_angle)
    x, y, z = axis_angle / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def sequence_record(name, intrinsics, people=1, frames=6, seed=0):
    """A camera that wanders about people who stand 4 m away, each turned as chance has it; every frame is valid."""
    rng = np.random.default_rng(seed)
    world_to_camera = np.tile(np.eye(4), (frames, 1, 1))
    joints = np.empty((people, frames, 24, 3))
    for frame, matrix in enumerate(world_to_camera):
        matrix[:3, :3], matrix[:3, 3] = rotation(np.array([np.pi, 0, 0]) + rng.normal(0, .1, 3)), rng.normal(0, .2, 3)
        for person in range(people):
            place_cam = np.array([.4 * person - .2, .1, 4])
            place = matrix[:3, :3].T @ (place_cam - matrix[:3, 3])
            joints[person, frame] = SMPL_POSE @ rotation(np.array([.01, rng.uniform(-3, 3), 0])).T + place
    joints += rng.normal(0, .02, joints.shape)
    openpose = rng.uniform(100, 900, (people, frames, 3, 18))
    openpose[:, :, 2] = rng.uniform(.1, 1, (people, frames, 18))
    return dict(sequence=name, jointPositions=[part.reshape(frames, 72) for part in joints], poses2d=list(openpose),
                cam_poses=world_to_camera, cam_intrinsics=intrinsics,
                campose_valid=[np.ones(frames, dtype=bool) for _ in range(people)],
                # fields that are not used, of the kinds that the originals have
                genders=['m'] * people, img_frame_ids=np.arange(frames), betas=[np.zeros(10)] * people, texture_maps=[])


def two_records():
    """Two sequences: portrait with two people of whom the second is lost at times, and landscape."""
    portrait = sequence_record('downtown_pair_00', PORTRAIT, people=2, frames=7, seed=1)
    portrait['campose_valid'][1] = np.array([1, 0, 1, 1, 0, 0, 1])
    portrait['jointPositions'][1][4:6] = np.nan
    portrait['poses2d'][0][2, :, 3] = 0          # the right elbow of frame 2 is missing, and a joint that is not used
    portrait['poses2d'][0][2, :, 14] = 0
    portrait['poses2d'][0][3, :, 0] = 0
    return [portrait, sequence_record('flat_wide_00', LANDSCAPE, frames=5, seed=2)]


def arrays_of(root):
    return load_npz(pose_3dpw_path(root), ARRAYS, 'the test')

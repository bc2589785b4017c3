"""3DPW from sequence files to scores: values against computations of their own, portrait, people, frames, outliers, bad files.

`sequence_record` makes a small sequence, `write_record` writes it as Python 2 did.
"""
import pickle
import struct
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

import run_baseline
import run_evaluate
from common.camera import pixels_to_normalised, pixels_to_padded, project, root_relative
from common.datasets.pw3d import MAKE_3DPW, load_3dpw, pose_3dpw_path
from common.errors import InputError
from common.files.layout import require_layout
from common.files.npz import load_npz, save_npz
from data_extra import prepare_data_3dpw
from function_baseline.evaluate import evaluate
from function_baseline.report import table
from models_baseline import LIFTERS
from places import ROOT
from refusals import RunsCode, files_below, refused
from utils.runs.checkpoint import save_checkpoint

CPU = torch.device('cpu')
SMPL_JOINTS = [0, 2, 5, 8, 1, 4, 7, 6, 12, 15, 16, 18, 20, 17, 19, 21]     # SMPL's numbers of our 16 joints, written down
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


@pytest.fixture
def record():
    return sequence_record('downtown_test_00', PORTRAIT)


@pytest.fixture(scope='module')
def records():
    """Two sequences: portrait with two people of whom the second is lost at times, and landscape."""
    portrait = sequence_record('downtown_pair_00', PORTRAIT, people=2, frames=7, seed=1)
    portrait['campose_valid'][1] = np.array([1, 0, 1, 1, 0, 0, 1])
    portrait['jointPositions'][1][4:6] = np.nan
    portrait['poses2d'][0][2, :, 3] = 0          # the right elbow of frame 2 is missing, and a joint that is not used
    portrait['poses2d'][0][2, :, 14] = 0
    portrait['poses2d'][0][3, :, 0] = 0
    return [portrait, sequence_record('flat_wide_00', LANDSCAPE, frames=5, seed=2)]


@pytest.fixture(scope='module')
def root(records, tmp_path_factory):
    """A data root with the two sequences, prepared from where the command looks by itself."""
    data_root = tmp_path_factory.mktemp('root')
    for record in records:
        write_record(data_root / 'data_extra/dataset_extras/3dpw/sequenceFiles/test', record)
    prepare_data_3dpw.main(['--data_root', str(data_root)])
    return data_root


@pytest.fixture
def prepare(tmp_path):
    """A function: prepare records and return the arrays of the output."""
    def prepared(*records):
        for record in records:
            write_record(tmp_path / 'source', record)
        prepare_data_3dpw.main(['--source', str(tmp_path / 'source'), '--data_root', str(tmp_path)])
        return arrays_of(tmp_path)
    return prepared


def arrays_of(root):
    return load_npz(pose_3dpw_path(root), ARRAYS, 'the test')


def by_hand(record, person, frame):
    """One pose: (16, 3) camera metres and (16, 2) pixels, joint by joint in homogeneous coordinates."""
    world = record['jointPositions'][person][frame].reshape(24, 3)
    camera, pixels = [], []
    for joint in SMPL_JOINTS:
        camera.append((record['cam_poses'][frame] @ [*world[joint], 1])[:3])
        u, v, w = record['cam_intrinsics'] @ camera[-1]
        pixels.append((u / w, v / w))
    return np.array(camera), np.array(pixels)


# Values

def test_poses_and_projections_by_hand(root, records):
    made, kept = arrays_of(root), 0
    for place, (record, (width, height)) in enumerate(zip(records, [(1080, 1920), (1920, 1080)])):
        for person, valid in enumerate(record['campose_valid']):
            for frame in np.flatnonzero(valid):
                camera, px = by_hand(record, person, frame)
                assert (made['sequence'][kept], made['person'][kept], made['frame'][kept]) == (place, person, frame)
                np.testing.assert_allclose(made['pose3d'][kept], camera, atol=1e-6)
                padded = px + [(1920 - width) / 2, (1920 - height) / 2]          # into the middle of a square of 1920
                np.testing.assert_allclose(made['pose2d'][kept], padded / 960 - 1, atol=1e-6)
                kept += 1
    assert kept == len(made['pose3d']) == len(made['pose2d']) == 7 + 4 + 5
    assert made['sequence_names'].tolist() == ['downtown_pair_00', 'flat_wide_00']
    assert made['pose3d'].dtype == made['pose2d'].dtype == made['intrinsics'].dtype == np.float32


def test_the_joints_are_ours_by_name(root, records):
    """A joint in the wrong place would bend this person: sides, order down the limbs, and up the back."""
    for pose3d_cam in arrays_of(root)['pose3d']:
        hip, rhip, rknee, rfoot, lhip, lknee, lfoot, spine, thorax, head, lsh, lel, lwr, rsh, rel, rwr = pose3d_cam
        assert head[1] < thorax[1] < spine[1] < hip[1] < min(lknee[1], rknee[1]) < min(lfoot[1], rfoot[1])
        for left, right in ((lhip, rhip), (lknee, rknee), (lsh, rsh), (lel, rel), (lwr, rwr)):
            assert (left - right) @ (lsh - rsh) > 0
    assert [prepare_data_3dpw.SMPL_24[joint] for joint in SMPL_JOINTS] == list(prepare_data_3dpw.H36M_IN_SMPL.values())


def test_the_stored_cameras_project_the_3d_onto_the_2d(root):
    poses = load_3dpw(root)
    torch.testing.assert_close(project(poses.pose3d_cam, poses.take(torch.arange(len(poses))).camera), poses.pose2d,
                               rtol=0, atol=2e-6)


def test_a_portrait_image_fills_the_height_and_stays_in_the_middle():
    corners = np.array([[0, 0], [1080, 0], [0, 1920], [540, 960.]])
    normalised = pixels_to_padded(corners, 1080, 1920)
    np.testing.assert_allclose(normalised, [[-.5625, -1], [.5625, -1], [-.5625, 1], [0, 0]])


def test_a_wide_image_is_normalised_as_everywhere_else():
    px = np.random.default_rng(0).uniform(-100, 2000, (20, 16, 2))
    np.testing.assert_allclose(pixels_to_padded(px, 1920, 1080), pixels_to_normalised(px, 1920, 1080),
                               atol=1e-12)


def test_detections_by_hand(root, records):
    made, record = arrays_of(root), records[0]
    x, y, _ = record['poses2d'][0][5]
    px = {'hip': ((x[8] + x[11]) / 2, (y[8] + y[11]) / 2), 'thorax': (x[1], y[1]), 'wrist': (x[4], y[4])}
    px['spine'] = np.add(px['hip'], px['thorax']) / 2
    px['head'] = np.add(px['thorax'], .4 * np.subtract(px['thorax'], px['hip']))
    for joint, name in ((0, 'hip'), (8, 'thorax'), (15, 'wrist'), (7, 'spine'), (9, 'head')):
        expected = (np.array(px[name]) + [420, 0]) / 960 - 1
        np.testing.assert_allclose(made['pose2d_openpose'][5, joint], expected, atol=1e-6)
    order = [None, 8, 9, 10, 11, 12, 13, None, 1, None, 5, 6, 7, 2, 3, 4]
    for ours, theirs in enumerate(order):
        if theirs is not None:
            np.testing.assert_allclose(made['pose2d_openpose'][5, ours], ((x[theirs] - 540) / 960, (y[theirs] - 960) / 960),
                                       atol=1e-6)


def test_a_missing_detection_marks_the_pose_if_its_joint_is_used(root):
    made = arrays_of(root)
    assert np.flatnonzero(~made['openpose_whole']).tolist() == [2]        # not 3, which lacks the nose
    assert not made['pose2d_openpose'][2].any() and made['pose2d_openpose'][3].all()


@pytest.mark.parametrize('protocol', [0, 1, 2])
def test_every_protocol_of_python_2_is_read(tmp_path, record, protocol):
    made = prepare_data_3dpw.read_sequence(write_record(tmp_path, record, protocol=protocol))
    path = tmp_path / 'ours.pkl'
    path.write_bytes(pickle.dumps(record))
    again = prepare_data_3dpw.read_sequence(path)
    assert made.name == again.name == 'downtown_test_00'
    np.testing.assert_equal(made.poses, again.poses)
    np.testing.assert_allclose(made.poses['pose3d'][0], by_hand(record, 0, 0)[0])


# Frames and outliers

def test_frames_without_an_aligned_camera_are_left_out_whatever_they_hold(prepare, record, capsys):
    record['campose_valid'] = [np.array([0, 1, 0, 0, 0, 1])]
    record['jointPositions'][0][0], record['cam_poses'][3] = np.nan, np.nan
    assert prepare(record)['frame'].tolist() == [1, 5]
    assert '2 poses of 1 sequences' in (printed := capsys.readouterr().out)
    assert 'left out 4 without a valid camera pose and 0 far outside' in printed


def moved(record, frame, direction_cam):
    """The record with everybody in `frame` shifted, in metres of the camera's frame."""
    for joints in record['jointPositions']:
        joints[frame] += np.tile(record['cam_poses'][frame, :3, :3].T @ direction_cam, 24)
    return record


@pytest.mark.parametrize('direction,kept', [((0, 0, -8), False), ((0, 0, -4), False), ((3.5, 0, 0), False),
                                            ((0, -4, 0), False), ((2, 0, 0), True), ((0, 1.5, 0), True), ((0, 0, 9), True)],
                         ids=['behind', 'around the camera', 'far right', 'far above', 'beside', 'below', 'distant'])
def test_poses_far_outside_the_image_are_left_out(prepare, record, capsys, direction, kept):
    made = prepare(moved(record, 3, np.array(direction)))
    assert made['frame'].tolist() == [0, 1, 2, *[3] * kept, 4, 5]
    assert f'and {1 - kept} far outside the image' in capsys.readouterr().out


def test_the_limit_is_a_quarter_of_the_side_beyond_the_padded_image():
    """480 pixels beyond the edges of a square of 1920; one joint decides."""
    pose3d_cam, pose2d_px = np.ones((4, 16, 3)), np.full((4, 16, 2), 500.)
    pose2d_px[:, 9] = [(-420 - 479, 0), (-420 - 481, 0), (540, 1920 + 479), (540, 1920 + 481)]
    pose2d_norm = pixels_to_padded(pose2d_px, 1080, 1920)
    assert prepare_data_3dpw.is_outlier(pose3d_cam, pose2d_norm).tolist() == [False, True, False, True]


@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize('joint', [(-.1, -.1, -3), (.1, .1, 0), (0, 0, 0)], ids=['behind', 'beside', 'in the camera'])
def test_a_joint_behind_the_camera_or_in_it_makes_an_outlier(joint):
    """The one behind projects into the image."""
    pose3d_cam = np.tile([.1, .1, 3.], (1, 16, 1))
    pose3d_cam[0, 12] = joint
    pose2d_norm = pixels_to_padded(prepare_data_3dpw.project_to_pixels(pose3d_cam, PORTRAIT), 1080, 1920)
    assert prepare_data_3dpw.is_outlier(pose3d_cam, pose2d_norm).tolist() == [True]
    assert joint[2] == 0 or np.abs(pose2d_norm).max() < 1


def test_a_sequence_of_which_nothing_is_left_keeps_its_place(prepare, record):
    lost = sequence_record('a_lost_00', LANDSCAPE)
    lost['campose_valid'][0][:] = False
    made = prepare(lost, record)
    assert made['sequence_names'].tolist() == ['a_lost_00', 'downtown_test_00'] and set(made['sequence']) == {1}


# Files and places

def test_the_script_runs_from_elsewhere_on_another_split(tmp_path, record):
    source = write_record(tmp_path / 'validation', record).parent
    (source / '._downtown_test_00.pkl').write_bytes(b'what some systems leave beside a file')
    run = subprocess.run([sys.executable, ROOT / 'data_extra' / 'prepare_data_3dpw.py', '--split', 'validation', '--source',
                          source, '--data_root', tmp_path / 'root'], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert files_below(tmp_path / 'root') == ['data_extra/test_set/validation_3dpw.npz']
    assert 'warning: the official validation split has 12 sequences' in run.stdout
    assert '6 poses of 1 sequences, 6 with all joints detected' in run.stdout


def test_nothing_is_overwritten(root, capsys):
    before = pose_3dpw_path(root).read_bytes()
    assert 'exists already and is not overwritten' in refused(capsys, prepare_data_3dpw, '--data_root', root)
    assert pose_3dpw_path(root).read_bytes() == before


# Bad sequence files

def refusal(tmp_path, capsys, folder='source'):
    """The one line that refuses the files of a folder; nothing is written."""
    before = files_below(tmp_path)
    line = refused(capsys, prepare_data_3dpw, '--source', tmp_path / folder, '--data_root', tmp_path / 'root')
    assert files_below(tmp_path) == before
    return line


def test_a_folder_that_is_missing_or_empty(tmp_path, capsys):
    assert 'holds no .pkl file' in refusal(tmp_path, capsys) and not files_below(tmp_path)
    line = refused(capsys, prepare_data_3dpw, '--data_root', tmp_path)
    assert 'dataset_extras/3dpw/sequenceFiles/test' in line and 'DATASETS.md' in line


def test_a_pickle_that_asks_for_code_is_refused_unrun(tmp_path, capsys, record):
    sign = tmp_path / 'it ran'
    (tmp_path / 'source').mkdir()
    (tmp_path / 'source' / 'a.pkl').write_bytes(pickle.dumps({**record, 'genders': RunsCode(sign)}, protocol=2))
    assert 'a.pkl cannot be read' in refusal(tmp_path, capsys) and not sign.exists()


@pytest.mark.parametrize('spoil', [lambda content: content[:len(content) // 2], lambda _: b'', lambda _: b'<html>404</html>',
                                   lambda _: pickle.dumps([1, 2])], ids=['truncated', 'empty', 'page', 'list'])
def test_a_file_that_is_no_sequence(tmp_path, capsys, record, spoil):
    write_record(tmp_path / 'source', record)
    path = write_record(tmp_path / 'source', {**record, 'sequence': 'z'})
    path.write_bytes(spoil(path.read_bytes()))
    assert 'z.pkl' in refusal(tmp_path, capsys)


@pytest.mark.parametrize('key', ['sequence', 'jointPositions', 'poses2d', 'cam_poses', 'cam_intrinsics', 'campose_valid'])
def test_a_missing_field_is_named(tmp_path, capsys, record, key):
    del record[key]
    write_record(tmp_path / 'source', record, name='a')
    line = refusal(tmp_path, capsys)
    assert f'a.pkl holds no {key!r}' in line and 'DATASETS.md' in line


def reflected(record):
    return record['cam_poses'] * np.array([-1, 1, 1, 1])[:, None]


BAD = {
    'joints of another model': ('jointPositions', lambda _: [np.zeros((6, 51))], '(1, 6, 51)'),
    'joints of other frames': ('jointPositions', lambda r: [r['jointPositions'][0][:5]], '(1, 6, 72) is needed'),
    'people of two lengths': ('jointPositions', lambda r: [np.zeros((6, 72)), np.zeros((5, 72))], 'person to person'),
    'one person more': ('jointPositions', lambda r: r['jointPositions'] * 2, "'poses2d' has shape (1, 6, 3, 18)"),
    'nobody': ('jointPositions', lambda _: [], '(0,)'),
    'text for joints': ('jointPositions', lambda _: 'lost', "'jointPositions' has shape ()"),
    'a dict for cameras': ('cam_poses', lambda _: {'0': 1}, "'cam_poses' has shape () and type object"),
    'cameras of three rows': ('cam_poses', lambda r: r['cam_poses'][:, :3], '(6, 3, 4)'),
    'another detector': ('poses2d', lambda _: [np.zeros((6, 3, 25))], '(1, 6, 3, 25)'),
    'a flag that is no flag': ('campose_valid', lambda _: [np.full(6, 2)], 'other than 0 and 1'),
    'a flag that is NaN': ('campose_valid', lambda _: [np.full(6, np.nan)], 'other than 0 and 1'),
    'a name that is none': ('sequence', lambda _: 5, "'sequence' is not a text"),
    'a mirrored camera': ('cam_poses', reflected, 'not a rotation and translation'),
    'a scaled camera': ('cam_poses', lambda r: r['cam_poses'] * [1.1, 1.1, 1.1, 1], 'not a rotation and translation'),
    'a camera with another last row': ('cam_poses', lambda r: r['cam_poses'] + np.eye(4)[3], 'not a rotation and translation'),
    'a transposed camera': ('cam_poses', lambda r: r['cam_poses'].swapaxes(1, 2), 'not a rotation and translation'),
    'a camera that is NaN': ('cam_poses', lambda r: r['cam_poses'] * np.nan, 'not a rotation and translation'),
    'a huge camera': ('cam_poses', lambda r: r['cam_poses'] * 1e300, 'not a rotation and translation'),
    'joints that are NaN': ('jointPositions', lambda r: [r['jointPositions'][0] * np.nan], 'person 0, frame 0'),
    'joints that overflow': ('jointPositions', lambda r: [r['jointPositions'][0] * 0 + np.array([0, 0, -1e300] * 24)],
                             'not finite'),
    'another image': ('cam_intrinsics', lambda _: np.array([[500., 0, 320], [0, 500, 240], [0, 0, 1]]), '[320.0, 240.0]'),
    'a transposed lens': ('cam_intrinsics', lambda _: PORTRAIT.T, 'does not fit images of 1920 x 1080'),
    'a lens that mirrors': ('cam_intrinsics', lambda _: PORTRAIT * [-1, 1, 1], 'does not fit images of 1920 x 1080'),
    'a lens with another last row': ('cam_intrinsics', lambda _: PORTRAIT + np.diag([0, 0, 1]),
                                     'does not fit images of 1920 x 1080'),
    'a lens that is NaN': ('cam_intrinsics', lambda _: PORTRAIT * np.nan, 'does not fit images of 1920 x 1080'),
}


@pytest.mark.parametrize('case', BAD)
def test_a_bad_field_is_named(tmp_path, capsys, record, case):
    key, spoil, message = BAD[case]
    record[key] = spoil(record)
    write_record(tmp_path / 'source', record, name='a')
    line = refusal(tmp_path, capsys)
    assert message in line and ('get the sequence files again' in line or 'fetch it again' in line), line


def test_a_joint_that_is_not_finite_in_a_valid_frame_is_named(tmp_path, capsys, record):
    record['jointPositions'][0][4, 7] = np.inf
    write_record(tmp_path / 'source', record)
    assert 'person 0, frame 4 has joints that are not finite' in refusal(tmp_path, capsys)


def test_a_sequence_that_is_there_twice(tmp_path, capsys, record):
    for name in ('a', 'b'):
        write_record(tmp_path / 'source', record, name=name)
    assert "b.pkl holds the sequence 'downtown_test_00', but another file" in refusal(tmp_path, capsys)


def test_a_split_without_a_single_pose(tmp_path, capsys, record):
    record['campose_valid'][0][:] = False
    write_record(tmp_path / 'source', record)
    assert 'holds no frame' in refusal(tmp_path, capsys)


# Loading

def test_poses_know_their_sequence_person_and_camera(root, records):
    poses, made = load_3dpw(root), arrays_of(root)
    assert poses.group_names == ('downtown_pair_00', 'flat_wide_00')
    assert poses.group.tolist() == poses.camera.tolist() == [0] * 11 + [1] * 5
    assert poses.subject.tolist() == [0] * 7 + [1] * 4 + [0] * 5
    np.testing.assert_array_equal(poses.pose3d_cam, made['pose3d'])
    np.testing.assert_array_equal(poses.pose2d, made['pose2d'])
    assert poses.pose3d_cam[:, 0, 2].min() > 3 and poses.pose2d.abs().max() < 1


def test_detections_are_loaded_where_they_are_whole(root):
    poses, made = load_3dpw(root, 'openpose'), arrays_of(root)
    whole = [place for place in range(16) if place != 2]
    np.testing.assert_array_equal(poses.pose2d, made['pose2d_openpose'][whole])
    np.testing.assert_array_equal(poses.pose3d_cam, made['pose3d'][whole])
    assert len(poses) == len(poses.subject) == len(poses.group) == 15


def load_refusal(tmp_path, keypoints='gt', **arrays):
    save_npz(pose_3dpw_path(tmp_path), **arrays)
    with pytest.raises(InputError) as error:
        load_3dpw(tmp_path, keypoints)
    return str(error.value)


def test_a_missing_file_names_its_command(tmp_path):
    with pytest.raises(InputError, match='test_3dpw.npz is missing') as error:
        load_3dpw(tmp_path)
    assert str(error.value).endswith(f'{MAKE_3DPW} --data_root {tmp_path}')


@pytest.mark.parametrize('key,spoil,message', [
    ('pose3d', lambda array: array[:-1], '(15, 16, 2) is needed'), ('pose3d', lambda array: array[:, :14], '(16, 14, 3)'),
    ('pose2d', lambda array: array.astype(str), 'type <U'), ('pose2d', lambda array: array * np.nan, 'NaN or inf'),
    ('pose2d', lambda array: array * 1000, 'seems to be in pixels'),
    ('intrinsics', lambda array: array[:1], '(2, 9) is needed'),
    ('sequence', lambda array: array + 1, 'other than 0 to 1'), ('sequence', lambda array: array - 1, 'other than 0 to 1'),
    ('sequence', lambda array: array[:, None], '(16, 1)'), ('person', lambda array: array * .5, 'float64')])
def test_a_broken_prepared_file_is_refused(root, tmp_path, key, spoil, message):
    arrays = arrays_of(root)
    arrays[key] = spoil(arrays[key])
    line = load_refusal(tmp_path, **arrays)
    assert message in line and line.endswith(f'delete it and run: {MAKE_3DPW} --data_root {tmp_path}'), line


def test_a_file_without_an_array_or_without_a_detected_pose(root, tmp_path):
    arrays = arrays_of(root)
    assert "'openpose'" in load_refusal(tmp_path, 'openpose', **{**arrays, 'openpose_whole': np.zeros(16, bool)})
    del arrays['frame']
    assert "has no array 'frame'" in load_refusal(tmp_path, **arrays)


def test_a_layout_binds_its_sizes_by_name():
    layout = dict(one=(('n', 2), 'f'), other=(('n',), 'i'))
    require_layout(dict(one=np.zeros((3, 2)), other=np.zeros(3, int)), layout, 'here', 'go')
    with pytest.raises(InputError, match=r"^here: 'other' has shape \(4,\) and type int64 where \(3\) is needed; go$"):
        require_layout(dict(one=np.zeros((3, 2)), other=np.zeros(4, int)), layout, 'here', 'go')


# Scores

class Turned(nn.Module):
    """Answers every 2D pose of a set with its 3D, turned about, enlarged and shifted; and its mirror image alike."""

    def __init__(self, poses, scale):
        super().__init__()
        self.questions = poses.pose2d.flatten(1)
        turn = torch.tensor(rotation(np.array([.3, .2, -.1])), dtype=torch.float32)
        self.answers = scale * root_relative(poses.pose3d_cam) @ turn + 1

    def forward(self, pose2d):
        return self.answers[torch.cdist(pose2d.flatten(1), self.questions).argmin(1)]


def test_a_similar_pose_has_an_error_but_none_after_alignment(root):
    poses = load_3dpw(root)
    errors = evaluate(Turned(poses, 1.2), poses, CPU, flip=False)
    assert errors.p_mpjpe_mm < .01 and errors.mpjpe_mm > 50
    turned = 1.2 * root_relative(poses.pose3d_cam).numpy() @ rotation(np.array([.3, .2, -.1]))
    distance = np.linalg.norm(turned - root_relative(poses.pose3d_cam).numpy(), axis=-1)
    assert errors.mpjpe_mm == pytest.approx(1000 * distance.mean(), rel=1e-4)
    assert errors.groups['flat_wide_00'].mpjpe_mm == pytest.approx(1000 * distance[11:].mean(), rel=1e-4)


@pytest.mark.parametrize('keypoints,counts', [('gt', (11, 5, 16)), ('openpose', (10, 5, 15))])
def test_the_table_has_a_row_per_sequence(root, readme_lifter, keypoints, counts):
    torch.manual_seed(0)
    errors = evaluate(readme_lifter(2, 0.), load_3dpw(root, keypoints), CPU, flip=True)
    rows = {line.split('  ')[0]: line.split() for line in table(errors).splitlines()[1:]}
    assert list(rows) == ['downtown_pair_00', 'flat_wide_00', 'mean over groups', 'mean over poses']
    assert (int(rows['downtown_pair_00'][1]), int(rows['flat_wide_00'][1]), int(rows['mean over poses'][3])) == counts
    assert 0 < errors.p_mpjpe_mm < errors.mpjpe_mm


def test_the_script_scores_3dpw_alone_with_both_kinds_of_2d(root, readme_lifter, tmp_path, monkeypatch, capsys):
    """No Human3.6M and no MPI-INF-3DHP lie below this data root."""
    monkeypatch.setitem(LIFTERS, 'linear', readme_lifter)
    lifter = readme_lifter(stages=1, dropout=0)
    save_checkpoint(tmp_path / 'linear.pth.tar', dict(state_dict=lifter.state_dict(), epoch=1,
                                                      arguments=dict(posenet_name='linear', stages=1)))
    scores = run_evaluate.main(['--dataset', '3dpw', '--evaluate', str(tmp_path / 'linear.pth.tar'), '--device', 'cpu',
                                '--data_root', str(root)])
    expected = [evaluate(lifter, load_3dpw(root, keypoints), 'cpu', flip=True) for keypoints in ('gt', 'openpose')]
    assert list(scores) == expected and scores[0] != scores[1]
    assert capsys.readouterr().out.count('3DPW test split') == 2


def test_the_trainers_do_not_train_on_3dpw(capsys):
    with pytest.raises(SystemExit) as refused:
        run_baseline.main(['--dataset', '3dpw'])
    assert refused.value.code == 2 and '3dpw' in capsys.readouterr().err

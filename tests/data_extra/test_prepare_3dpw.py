"""prepare_data_3dpw.py: values against computations by hand, portrait images, several people, frames, outliers, bad files."""
import pickle
import subprocess
import sys

import numpy as np
import pytest

from common.camera import pixels_to_padded
from common.datasets.pw3d import pose_3dpw_path
from data_extra import prepare_data_3dpw
from places import ROOT
from refusals import RunsCode, files_below, refused
from sequences_3dpw import LANDSCAPE, PORTRAIT, arrays_of, sequence_record, write_record

SMPL_JOINTS = [0, 2, 5, 8, 1, 4, 7, 6, 12, 15, 16, 18, 20, 17, 19, 21]     # SMPL's numbers of our 16 joints, written down


@pytest.fixture
def record():
    return sequence_record('downtown_test_00', PORTRAIT)


@pytest.fixture
def prepare(tmp_path):
    """A function: prepare records and return the arrays of the output."""
    def prepared(*records):
        for record in records:
            write_record(tmp_path / 'source', record)
        prepare_data_3dpw.main(['--source', str(tmp_path / 'source'), '--data_root', str(tmp_path)])
        return arrays_of(tmp_path)
    return prepared


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

def test_poses_and_projections_by_hand(root_3dpw, records_3dpw):
    made, kept = arrays_of(root_3dpw), 0
    for place, (record, (width, height)) in enumerate(zip(records_3dpw, [(1080, 1920), (1920, 1080)])):
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


def test_the_joints_are_ours_by_name(root_3dpw, records_3dpw):
    """A joint in the wrong place would bend this person: sides, order down the limbs, and up the back."""
    for pose3d_cam in arrays_of(root_3dpw)['pose3d']:
        hip, rhip, rknee, rfoot, lhip, lknee, lfoot, spine, thorax, head, lsh, lel, lwr, rsh, rel, rwr = pose3d_cam
        assert head[1] < thorax[1] < spine[1] < hip[1] < min(lknee[1], rknee[1]) < min(lfoot[1], rfoot[1])
        for left, right in ((lhip, rhip), (lknee, rknee), (lsh, rsh), (lel, rel), (lwr, rwr)):
            assert (left - right) @ (lsh - rsh) > 0
    assert [prepare_data_3dpw.SMPL_24[joint] for joint in SMPL_JOINTS] == list(prepare_data_3dpw.H36M_IN_SMPL.values())


def test_detections_by_hand(root_3dpw, records_3dpw):
    made, record = arrays_of(root_3dpw), records_3dpw[0]
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


def test_a_missing_detection_marks_the_pose_if_its_joint_is_used(root_3dpw):
    made = arrays_of(root_3dpw)
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

def test_frames_without_an_aligned_camera_are_left_out_even_if_they_hold_nan(prepare, record, capsys):
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


@pytest.mark.slow
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


def test_a_sequence_without_any_valid_pose_keeps_its_number(prepare, record):
    lost = sequence_record('a_lost_00', LANDSCAPE)
    lost['campose_valid'][0][:] = False
    made = prepare(lost, record)
    assert made['sequence_names'].tolist() == ['a_lost_00', 'downtown_test_00'] and set(made['sequence']) == {1}


# Files and places

@pytest.mark.slow
def test_the_script_runs_from_elsewhere_on_another_split(tmp_path, record):
    source = write_record(tmp_path / 'validation', record).parent
    (source / '._downtown_test_00.pkl').write_bytes(b'what some systems leave beside a file')
    run = subprocess.run([sys.executable, ROOT / 'data_extra' / 'prepare_data_3dpw.py', '--split', 'validation', '--source',
                          source, '--data_root', tmp_path / 'root'], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert files_below(tmp_path / 'root') == ['data_extra/test_set/validation_3dpw.npz']
    assert 'warning: the official validation split has 12 sequences' in run.stdout
    assert '6 poses of 1 sequences, 6 with all joints detected' in run.stdout


def test_nothing_is_overwritten(root_3dpw, capsys):
    before = pose_3dpw_path(root_3dpw).read_bytes()
    assert 'exists already and is not overwritten' in refused(capsys, prepare_data_3dpw, '--data_root', root_3dpw)
    assert pose_3dpw_path(root_3dpw).read_bytes() == before


# Bad sequence files

def refused_folder(tmp_path, capsys, folder='source'):
    """The one line that refuses the files of a folder; nothing is written."""
    before = files_below(tmp_path)
    line = refused(capsys, prepare_data_3dpw, '--source', tmp_path / folder, '--data_root', tmp_path / 'root')
    assert files_below(tmp_path) == before
    return line


def test_a_folder_that_is_missing_or_empty(tmp_path, capsys):
    assert 'holds no .pkl file' in refused_folder(tmp_path, capsys) and not files_below(tmp_path)
    line = refused(capsys, prepare_data_3dpw, '--data_root', tmp_path)
    assert 'dataset_extras/3dpw/sequenceFiles/test' in line and 'DATASETS.md' in line


def test_a_pickle_that_asks_for_code_is_refused_unrun(tmp_path, capsys, record):
    sign = tmp_path / 'it ran'
    (tmp_path / 'source').mkdir()
    (tmp_path / 'source' / 'a.pkl').write_bytes(pickle.dumps({**record, 'genders': RunsCode(sign)}, protocol=2))
    line = refused_folder(tmp_path, capsys)
    assert 'a.pkl is no readable' in line and 'its pickle asks for io.open' in line and not sign.exists()


@pytest.mark.parametrize('spoil', [lambda content: content[:len(content) // 2], lambda _: b'', lambda _: b'<html>404</html>',
                                   lambda _: pickle.dumps([1, 2])], ids=['truncated', 'empty', 'page', 'list'])
def test_a_file_that_is_not_a_sequence(tmp_path, capsys, record, spoil):
    write_record(tmp_path / 'source', record)
    path = write_record(tmp_path / 'source', {**record, 'sequence': 'z'})
    path.write_bytes(spoil(path.read_bytes()))
    assert 'z.pkl' in refused_folder(tmp_path, capsys)


@pytest.mark.parametrize('key', ['sequence', 'jointPositions', 'poses2d', 'cam_poses', 'cam_intrinsics', 'campose_valid'])
def test_a_missing_field_is_named(tmp_path, capsys, record, key):
    del record[key]
    write_record(tmp_path / 'source', record, name='a')
    line = refused_folder(tmp_path, capsys)
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


@pytest.mark.slow
@pytest.mark.parametrize('case', BAD)
def test_a_bad_field_is_named(tmp_path, capsys, record, case):
    key, spoil, message = BAD[case]
    record[key] = spoil(record)
    write_record(tmp_path / 'source', record, name='a')
    line = refused_folder(tmp_path, capsys)
    assert message in line and ('get the sequence files again' in line or 'fetch it again' in line), line


def test_a_joint_that_is_not_finite_in_a_valid_frame_is_named(tmp_path, capsys, record):
    record['jointPositions'][0][4, 7] = np.inf
    write_record(tmp_path / 'source', record)
    assert 'person 0, frame 4 has joints that are not finite' in refused_folder(tmp_path, capsys)


def test_a_sequence_that_is_there_twice(tmp_path, capsys, record):
    for name in ('a', 'b'):
        write_record(tmp_path / 'source', record, name=name)
    assert "b.pkl holds the sequence 'downtown_test_00', but another file" in refused_folder(tmp_path, capsys)


def test_a_split_without_a_single_pose(tmp_path, capsys, record):
    record['campose_valid'][0][:] = False
    write_record(tmp_path / 'source', record)
    assert 'holds no frame' in refused_folder(tmp_path, capsys)

"""Files of a motion: npz and json hold all of it, BVH plays the same motion, and nothing is upside down or mirrored."""
import json
import warnings

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from common.errors import InputError
from common.files.atomic import written_whole
from common.skeleton import H36M_16, H36M_17
from common.skeletons import SMPL_24
from function_inference.motion import at_constant_rate, in_sight, nearest_frames
from function_inference.motion_files import require_motion, write_bvh, write_json, write_npz
from function_inference.room import upright
from motions import BONES, FACING, motion_of, posed, random_motion, turned

WRITERS = pytest.mark.parametrize('write', [write_npz, write_json, write_bvh])


# An independent reader of BVH

def read_bvh(path):
    """(names, parents, offsets (N, 3), channels, table (T, sum of channels), frame time); end sites are called NAME_end."""
    names, parents, offsets, channels, open_joints = [], [], [], [], []
    hierarchy, motion = path.read_text().split('MOTION\n')
    for words in map(str.split, hierarchy.splitlines()):
        if words[0] in ('ROOT', 'JOINT', 'End'):
            parents.append(open_joints[-1] if open_joints else -1)
            names.append(names[parents[-1]] + '_end' if words[0] == 'End' else words[1])
            channels.append([])
        elif words[0] == '{':
            open_joints.append(len(names) - 1)
        elif words[0] == '}':
            open_joints.pop()
        elif words[0] == 'OFFSET':
            offsets.append([float(word) for word in words[1:]])
        elif words[0] == 'CHANNELS':
            channels[-1] = words[2:]
            assert int(words[1]) == len(words) - 2
    frames, frame_time, *rows = motion.splitlines()
    table = np.array([row.split() for row in rows], dtype=float)
    assert not open_joints and frames == f'Frames: {len(table)}' and table.shape[1] == sum(map(len, channels))
    return names, parents, np.array(offsets), channels, table, float(frame_time.removeprefix('Frame Time: '))


def played(path):
    """BVH -> (name -> (T, 3) position, name -> (T, 3, 3) rotation from the rest pose)."""
    names, parents, offsets, channels, table, _ = read_bvh(path)
    places, turns, columns = {}, {}, iter(table.T)
    for name, parent, offset, kinds in zip(names, parents, offsets, channels):
        place, turn = np.tile(offset, (len(table), 1)), np.tile(np.eye(3), (len(table), 1, 1))
        for kind in kinds:
            axis, what = 'XYZ'.index(kind[0]), kind[1:]
            column = next(columns)
            if what == 'position':
                place[:, axis] += column
            else:
                turn = turn @ Rotation.from_euler('xyz'[axis], column[:, None], degrees=True).as_matrix()
        if parent >= 0:
            place = places[names[parent]] + (turns[names[parent]] @ place[..., None])[..., 0]
            turn = turns[names[parent]] @ turn
        places[name], turns[name] = place, turn
    return places, turns


def bones_of(places):
    """Name of each of our bones -> (T, 3) vector from parent to child."""
    return {name: places[name] - places[H36M_16.parent_names[1:][number]] for number, name in enumerate(BONES)}


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


# npz and json

def test_npz_holds_the_motion_and_the_skeleton_without_pickles(tmp_path):
    motion = random_motion()
    write_npz(tmp_path / 'new' / 'it.npz', motion)
    with np.load(tmp_path / 'new' / 'it.npz', allow_pickle=False) as read:
        fields = {name: value for name, value in motion._asdict().items() if name != 'skeleton'}
        assert read['time'].shape == (12,) and set(read) == {*fields, 'joints', 'parents'}
        for field, value in fields.items():
            assert np.array_equal(read[field], value) and read[field].dtype == np.asarray(value).dtype
        assert tuple(read['joints']) == H36M_16.names and tuple(read['parents']) == H36M_16.parents


def test_json_holds_the_motion_and_its_units(tmp_path):
    path = np.random.default_rng(1).normal(0, 3, (12, 3)).astype(np.float32)
    motion = random_motion()._replace(root_cam=path, tilt_deg=12., roll_deg=-3.)
    write_json(tmp_path / 'it.json', motion)
    read = json.loads((tmp_path / 'it.json').read_text())
    assert (read['joints'], read['parents']) == (list(H36M_16.names), list(H36M_16.parents))
    assert (read['fps'], read['width'], read['height'], read['person'], read['frames']) == (25, 640, 480, 'person 0', 12)
    assert np.abs(np.array(read['pose3d_rel']) - motion.pose3d_rel).max() < 5.1e-5
    assert np.abs(np.array(read['pose2d_px']) - motion.pose2d_px).max() < 5.1e-3
    assert np.allclose(read['time'], np.arange(12) / 25) and (read['tilt_deg'], read['roll_deg']) == (12, -3)
    assert np.abs(np.array(read['root_cam']) - motion.root_cam).max() < 5.1e-5 and 'hip' in read['units']['root_cam']
    assert np.array_equal(read['guessed'], motion.guessed) and read['guessed'][0][0] is False
    assert 'metres' in read['units']['pose3d_rel'] and 'y down' in read['units']['pose3d_rel']


# BVH

@pytest.mark.parametrize('angles', [(0, 0), (15, -8)])
def test_bvh_keeps_every_direction_and_the_median_lengths(tmp_path, angles):
    motion = random_motion(frames=30)._replace(tilt_deg=angles[0], roll_deg=angles[1])
    write_bvh(tmp_path / 'it.bvh', motion)
    places, _ = played(tmp_path / 'it.bvh')
    expected = -H36M_16.bone_matrix @ upright(motion)
    lengths_cm = 100 * np.median(np.linalg.norm(expected, axis=-1), axis=0)
    for number, (name, vectors) in enumerate(bones_of(places).items()):
        assert np.abs(unit(vectors) - unit(expected[:, number])).max() < 2e-5, name
        assert np.allclose(np.linalg.norm(vectors, axis=-1), lengths_cm[number], atol=2e-3), name


@pytest.mark.parametrize('skeleton', [H36M_17, SMPL_24], ids=['17', '24'])
def test_files_of_another_skeleton_hold_its_joints(tmp_path, skeleton):
    motion = random_motion(skeleton=skeleton)
    for write, name in ((write_npz, 'it.npz'), (write_json, 'it.json'), (write_bvh, 'it.bvh')):
        write(tmp_path / name, motion)
    read = json.loads((tmp_path / 'it.json').read_text())
    assert tuple(read['joints']) == tuple(np.load(tmp_path / 'it.npz')['joints']) == skeleton.names
    assert tuple(read['parents']) == skeleton.parents
    places, _ = played(tmp_path / 'it.bvh')
    expected = -skeleton.bone_matrix @ upright(motion)
    for number, (name, parent) in enumerate(zip(skeleton.names[1:], skeleton.parent_names[1:])):
        assert np.abs(unit(places[name] - places[parent]) - unit(expected[:, number])).max() < 2e-5, name


def test_bvh_of_constant_bones_is_the_motion_itself_in_centimetres(tmp_path):
    path = np.linspace((0, .2, 5), (1, .2, 4), 9)
    motion = motion_of([turned(angle) for angle in range(0, 90, 10)], fps=50, root_cam=path)
    write_bvh(tmp_path / 'it.bvh', motion)
    places, _ = played(tmp_path / 'it.bvh')
    expected_cm = 100 * upright(motion)
    for number, name in enumerate(H36M_16.names):
        assert np.abs(places[name] - expected_cm[:, number]).max() < 2e-3, name
    assert read_bvh(tmp_path / 'it.bvh')[-1] == pytest.approx(.02)


def test_bvh_has_all_our_joints_and_end_sites(tmp_path):
    write_bvh(tmp_path / 'it.bvh', random_motion())
    names, parents, offsets, channels, _, _ = read_bvh(tmp_path / 'it.bvh')
    ends = [name for name in names if name.endswith('_end')]
    assert set(H36M_16.names) <= set(names) and len(names) == len(set(names))
    assert ends == [f'{name}_end' for name in ('RFoot', 'LFoot', 'Head', 'LWrist', 'RWrist')]
    assert channels[0] == ['Xposition', 'Yposition', 'Zposition', 'Zrotation', 'Xrotation', 'Yrotation']
    assert all(kinds == ([] if name in ends else ['Zrotation', 'Xrotation', 'Yrotation'])
               for name, kinds in list(zip(names, channels))[1:])
    for name, parent, offset in zip(names[1:], parents[1:], offsets[1:]):      # only extra joints have no length
        assert np.linalg.norm(offset) > 0 or names[parent] in ('Hip', 'Thorax'), name


def test_the_rest_pose_is_a_t_seen_from_the_front(tmp_path):
    pose = posed(Spine=(0, -1, 0), Thorax=(0, -1, 0), Head=(0, -1, 0),
                 **{side + name: (0, 1, 0) for side in 'LR' for name in ('Knee', 'Foot')},
                 **{'L' + name: (1, 0, 0) for name in ('Hip', 'Shoulder', 'Elbow', 'Wrist')},
                 **{'R' + name: (-1, 0, 0) for name in ('Hip', 'Shoulder', 'Elbow', 'Wrist')})
    write_bvh(tmp_path / 'it.bvh', motion_of([pose, pose]))
    _, _, _, _, table, _ = read_bvh(tmp_path / 'it.bvh')
    assert np.abs(table[:, 3:]).max() < 1e-3 and table[0, 1] > 85


def test_the_torso_turns_with_hips_and_shoulders(tmp_path):
    """Shoulders, arms and head turned by 40 degrees to the left: alone, then with the whole body."""
    upper = ('LShoulder', 'LElbow', 'LWrist', 'RShoulder', 'RElbow', 'RWrist', 'Head')
    write_bvh(tmp_path / 'it.bvh', motion_of([FACING, turned(40, upper), turned(40)]))
    _, turns = played(tmp_path / 'it.bvh')
    about_y = {name: np.degrees(np.arctan2(turns[name][:, 0, 2], turns[name][:, 0, 0])) for name in turns}
    assert np.allclose(about_y['Hip'], [0, 0, 40], atol=.1)
    assert np.allclose(about_y['LHip'], [0, 0, 40], atol=1)
    for name in ('Spine', 'Thorax'):
        assert np.allclose(about_y[name], [0, 40, 40], atol=3), name


def test_angles_do_not_jump_when_a_person_spins(tmp_path):
    write_bvh(tmp_path / 'it.bvh', motion_of([turned(angle) for angle in range(0, 720, 20)]))
    _, _, _, _, table, _ = read_bvh(tmp_path / 'it.bvh')
    assert np.abs(np.diff(table, axis=0)).max() < 30 and np.ptp(table[:, 5]) > 650


SQUARE = dict(RHip=(-1, 0, 0), LHip=(1, 0, 0), Spine=(0, -1, 0), Thorax=(0, -1, 0), RShoulder=(-1, 0, 0), LShoulder=(1, 0, 0))


@pytest.mark.parametrize('pose', [
    posed(**SQUARE, LElbow=(-1, 0, 0), RKnee=(0, -1, 0)), posed(**SQUARE, LKnee=(0, 0, -1), RElbow=(0, 0, 1)),
    posed(LHip=(0, 0, 1), RHip=(0, 0, -1)), posed(LHip=(1, 0, 0), RHip=(-1, 0, 0), Spine=(1, 0, 0))],
    ids=['limbs turned by 180 degrees', 'gimbal lock', 'hips along the view', 'spine along the hips'])
def test_degenerate_poses_keep_their_directions(tmp_path, pose):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        write_bvh(tmp_path / 'it.bvh', motion_of([pose, pose]))
    places, _ = played(tmp_path / 'it.bvh')
    expected = unit(-H36M_16.bone_matrix @ upright(motion_of([pose])))
    for number, (name, vectors) in enumerate(bones_of(places).items()):
        assert np.abs(unit(vectors) - expected[:, number]).max() < 2e-5, name


def test_a_frame_in_which_all_joints_coincide_leaves_the_others_intact(tmp_path):
    motion = motion_of([FACING, np.zeros((16, 3)), FACING])
    write_bvh(tmp_path / 'it.bvh', motion)
    places, _ = played(tmp_path / 'it.bvh')
    assert all(np.isfinite(place).all() for place in places.values())
    assert np.abs(places['LFoot'][[0, 2]] - 100 * upright(motion)[[0, 2], H36M_16.joints('LFoot')[0]]).max() < 2e-3


# Uneven frames

def uneven():
    """A person who turns by 90 degrees a second; at 10 frames per second, the frames 2 to 4 and 7 are missing."""
    time = np.array([0, 1, 5, 6, 8, 9]) / 10
    path = time[:, None] * [1, 0, .5] + [0, 0, 5]
    return motion_of([turned(90 * each) for each in time], fps=10., root_cam=path)._replace(time=time)


def test_uneven_frames_are_interpolated_at_a_constant_rate():
    found = at_constant_rate(uneven())
    assert np.allclose(found.time, np.arange(10) / 10)
    assert nearest_frames(uneven()).tolist() == [0, 1, 1, 1, 2, 2, 3, 3, 4, 5]
    assert np.array_equal(found.guessed, uneven().guessed[nearest_frames(uneven())])
    for field in ('pose3d_rel', 'pose2d_px', 'root_cam'):
        before, after = getattr(uneven(), field), getattr(found, field)
        assert after.dtype == np.float32 and np.allclose(after[[0, 1, 5, 6, 8, 9]], before, atol=1e-6)
        assert np.allclose(after[3], (before[1] + before[2]) / 2, atol=1e-6)


@pytest.mark.parametrize('shaken', [0, .004])
def test_frames_that_are_almost_even_are_left_as_they_are(shaken):
    motion = motion_of([FACING] * 6)
    motion = motion._replace(time=motion.time + shaken * np.array([0, 1, -1, 1, -1, 1]))
    assert at_constant_rate(motion) is motion and nearest_frames(motion).tolist() == [*range(6)]


def test_bvh_has_a_constant_rate_and_the_other_files_the_times_of_the_frames(tmp_path):
    write_bvh(tmp_path / 'it.bvh', uneven())
    _, _, _, _, table, frame_time = read_bvh(tmp_path / 'it.bvh')
    assert len(table) == 10 and frame_time == pytest.approx(.1)
    write_json(tmp_path / 'it.json', uneven())
    read = json.loads((tmp_path / 'it.json').read_text())
    assert read['time'] == [0, .1, .5, .6, .8, .9] and read['frames'] == 6


# Who is in sight

def test_people_are_in_sight_from_the_first_to_the_last_frame_with_a_joint_that_is_not_guessed():
    motions = [random_motion(6) for _ in range(3)]
    for motion, frames in zip(motions, ([0, 1, 3, 5], [], range(6))):
        motion.guessed[list(frames)] = True
    assert [list(np.flatnonzero(shown)) for shown in in_sight(motions)] == [[2, 3, 4], [0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5]]
    assert in_sight(motions[:1])[0].all()                    # a single person is shown throughout


# Writing

@WRITERS
def test_one_frame_is_enough(tmp_path, write):
    write(tmp_path / 'it', motion_of([FACING]))
    assert [path.name for path in tmp_path.iterdir()] == ['it']


@WRITERS
@pytest.mark.parametrize('broken', [dict(fps=0.), dict(fps=float('nan')), dict(pose3d_rel=np.full((2, 16, 3), np.nan)),
                                    dict(pose2d_px=np.full((2, 16, 2), np.inf)), dict(pose3d_rel=np.zeros((0, 16, 3))),
                                    dict(time=np.array([0., 0.])), dict(time=np.array([0., np.nan])),
                                    dict(root_cam=np.full((2, 3), np.nan))],
                         ids=str)
def test_an_invalid_motion_is_refused_and_an_older_file_is_kept(tmp_path, write, broken):
    (tmp_path / 'it').write_text('as it was')
    with pytest.raises(InputError, match='person 0'):
        write(tmp_path / 'it', motion_of([FACING, FACING])._replace(**broken))
    assert (tmp_path / 'it').read_text() == 'as it was' and len(list(tmp_path.iterdir())) == 1


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / 'folder' / 'it.txt'
    with written_whole(path) as partial:
        partial.write_text('first')
        assert partial.suffix == '.txt' and not path.exists()
    with pytest.raises(ZeroDivisionError), written_whole(path) as partial:
        partial.write_text('second')
        raise ZeroDivisionError
    assert path.read_text() == 'first' and len(list(path.parent.iterdir())) == 1


def test_a_valid_motion_is_accepted():
    assert require_motion(random_motion()) is None

"""Finding our joints by the names of a recording."""
import numpy as np
import pytest

from common.skeleton import H36M_16, H36M_17
from data.mocap.bvh import read_bvh
from data.mocap.clips import Source, Wishes, read_clips, rig_for
from data.mocap.matching import match
from data.mocap.recording import Recording
from data.mocap.rig import Place, load_rig, ready_rigs
from function_inference.motion import Motion
from function_inference.motion_files import write_bvh as write_ours
from mocap_clips import ANATOMY, FPS, PROGRAMS, person, write_bvh
from refusals import refusal

HEAD, THORAX = H36M_16.joints('Head', 'Thorax')
LIMBS = [joint for joint, name in enumerate(H36M_16.names) if name[0] in 'LR']


def clip_of(path):
    (clip,), _ = read_clips(Source(path, None, ''), Wishes(fps=FPS))
    return clip


@pytest.mark.parametrize('program', PROGRAMS)
def test_joints_are_found_by_the_names_that_programs_give_them(tmp_path, program):
    points, pose3d = person()
    clip = clip_of(write_bvh(tmp_path / 'clip.bvh', points, PROGRAMS[program]))
    apart = np.linalg.norm(clip.pose3d - pose3d, axis=-1).max(axis=0)
    assert clip.rig == 'by names' and apart[LIMBS].max() < 1e-3
    assert apart.max() < .06        # the head and the neck, where they are not among the names, are guessed
    if 'top' in PROGRAMS[program]:
        assert apart[HEAD] < 1e-3
    if 'neck' in PROGRAMS[program]:
        assert apart[THORAX] < 1e-3


def test_fingers_do_not_hide_the_hand(tmp_path):
    """With three joints to a finger, more than half of the names say Hand."""
    points, pose3d = person()
    fingers = [f'{side}{finger}{joint}' for side in 'LR' for finger in 'ABCDEF' for joint in '123']
    points |= {name: points[name[0] + 'wrist'] for name in fingers}
    names = PROGRAMS['motion builder'] | {name: f'{"Left" if name[0] == "L" else "Right"}Hand{name[1:]}' for name in fingers}
    path = write_bvh(tmp_path / 'clip.bvh', points, names, parents=ANATOMY | {name: name[0] + 'wrist' for name in fingers})
    assert np.linalg.norm(clip_of(path).pose3d - pose3d, axis=-1)[:, LIMBS].max() < 1e-3


def test_the_spine_is_the_joint_of_the_trunk_nearest_to_its_middle(tmp_path):
    points, _ = person()
    names = dict(PROGRAMS['xsens'], spine='Chest3', chest='Chest4')
    assert match(read_bvh(write_bvh(tmp_path / 'a.bvh', points, names))).places['Spine'] == Place(('Chest3',))
    points['spine'], points['chest'] = points['pelvis'], points['neck']
    far = match(read_bvh(write_bvh(tmp_path / 'b.bvh', points, names))).places['Spine']
    assert far == Place(('LeftHip', 'RightHip', 'Neck', 'Neck'))


def test_the_motion_that_we_write_is_found_too(tmp_path):
    """BVH by function_inference/motion_files.py, which bends a T-pose by rotations, root-relative: an independent writer."""
    _, pose3d = person()
    pose3d_rel = (pose3d - pose3d[:, :1]) @ np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]]).T       # z up -> camera, y down
    frames = len(pose3d)
    motion = Motion(pose3d_rel, np.zeros((frames, 16, 2)), np.zeros((frames, 16), bool), float(FPS), 1000, 1000, 'person 0',
                    np.arange(frames) / FPS, np.zeros((frames, 3)))
    write_ours(tmp_path / 'ours.bvh', motion)
    clip = clip_of(tmp_path / 'ours.bvh')
    found = clip.pose3d
    assert clip.rig == 'poseaug'
    assert found - found[:, :1] == pytest.approx(pose3d - pose3d[:, :1], abs=2e-3)


@pytest.mark.parametrize('rig', sorted(name for name, path in ready_rigs().items() if load_rig(path).known_by))
def test_a_recording_with_the_names_of_a_ready_rig_gets_that_rig(rig):
    chosen = load_rig(rig)
    names = {*chosen.known_by, *(name for place in chosen.places.values() for name in place.joints + place.away_from)}
    assert rig_for(Recording('a.bvh', tuple(sorted(names)), np.zeros((2, len(names), 3)))).name == rig


@pytest.mark.parametrize('count, rig', [(22, 'smpl_22'), (24, 'smpl_24'), (52, 'smpl_22'), (55, 'smpl_22')])
def test_joints_without_names_are_smpls_if_there_are_as_many(count, rig):
    assert rig_for(Recording('a.npy', tuple(map(str, range(count))), np.zeros((2, count, 3)))).name == rig


def test_another_number_of_joints_without_names_is_refused():
    line = refusal(rig_for, Recording('a.npy', tuple(map(str, range(17))), np.zeros((2, 17, 3))))
    assert '17 joints without names' in line and 'h36m_17' in line


def test_a_joint_that_no_name_fits_is_named_with_all_that_there_are(tmp_path):
    points, _ = person()
    names = PROGRAMS['unity'] | dict(Lwrist='LeftThing')
    path = write_bvh(tmp_path / 'clip.bvh', points, names)
    line = refusal(match, read_bvh(path))
    assert 'LWrist' in line and 'RWrist' not in line and 'LeftThing' in line and '--rig' in line


def test_a_leg_without_a_shin_is_not_hip_and_knee_at_once(tmp_path):
    points, _ = person()
    names = PROGRAMS['soma'] | dict(Lknee='LeftThing', Rknee='RightThing')
    assert 'no joint is named like LHip, RHip;' in refusal(match, read_bvh(write_bvh(tmp_path / 'clip.bvh', points, names)))


@pytest.mark.parametrize('program, base', [('unity', 'Head'), ('3ds max biped', 'Bip01 Head'), ('no neck', 'Head')])
def test_the_neck_of_the_17_joints_is_the_base_of_the_skull(tmp_path, program, base):
    """The joint of the head, where our Head is a point beyond it."""
    points, _ = person()
    path = write_bvh(tmp_path / 'clip.bvh', points, PROGRAMS[program])
    assert match(read_bvh(path)).further == dict(h36m_17=dict(Neck=Place((base,))))
    (clip,), _ = read_clips(Source(path, None, ''), Wishes(fps=FPS, skeleton=H36M_17))
    assert clip.pose3d[:, H36M_17.names.index('Neck')] == pytest.approx(points['head'], abs=1e-3)


def test_without_a_joint_at_the_base_of_the_skull_there_is_no_neck(tmp_path):
    points, _ = person()
    path = write_bvh(tmp_path / 'clip.bvh', points | dict(head=points['top']), PROGRAMS['unity'])
    assert not match(read_bvh(path)).further
    line = refusal(read_clips, Source(path, None, ''), Wishes(fps=FPS, skeleton=H36M_17))
    assert '--skeleton h36m_17: the rig by names has no Neck; ' in line


@pytest.mark.parametrize('name', ['smpl_24', 'h36m_17', 'coco_17'])
def test_an_array_whose_names_are_those_of_a_rig_gets_it(name):
    """Words alone would take the Neck of Human3.6M's 17 joints for our Thorax."""
    names = load_rig(name).order
    assert rig_for(Recording('a.npz', names, np.zeros((2, len(names), 3)))).name == name


def test_an_array_with_as_many_joints_as_the_wanted_skeleton_is_in_its_order():
    assert rig_for(Recording('a.npy', tuple(map(str, range(17))), np.zeros((2, 17, 3))), H36M_17).name == 'h36m_17'
    assert rig_for(Recording('a.npy', tuple(map(str, range(22))), np.zeros((2, 22, 3))), H36M_17).name == 'smpl_22'

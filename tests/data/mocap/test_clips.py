"""From files to clips: rates, names of clips and subjects, cuts, files in which nobody stands."""
import re
from collections import Counter

import numpy as np
import pytest

from common.skeleton import H36M_16
from data.demo.moves import lie, nothing, stand
from data.mocap.checks import median_bones
from data.mocap.clips import Source, Wishes, files_of, read_clips, resampled
from data.mocap.rig import load_rig
from mocap_clips import FPS, PROGRAMS, person, write_bvh, write_still_bvh
from refusals import refusal

NAMES = PROGRAMS['unity']
# a body in the form of B. Hahne's BVH files of the CMU database, left side and trunk: {joint: (parent, OFFSET)}, with 0 where
# the files have lost a bone; the numbers are those of subject 1, whose ASF file is in the same unit
CGSPEED = dict(Hips=(None, (0, 0, 0)), LHipJoint=('Hips', (0, 0, 0)), LeftUpLeg=('LHipJoint', (1.36, -1.79, .84)),
               LeftLeg=('LeftUpLeg', (2.45, -6.73, 0)), LeftFoot=('LeftLeg', (2.56, -7.04, 0)),
               LeftToeBase=('LeftFoot', (.16, -.43, 2.32)), LowerBack=('Hips', (0, 0, 0)),
               Spine=('LowerBack', (.03, 2.04, -.19)), Spine1=('Spine', (.06, 2.05, -.04)), Neck=('Spine1', (0, 0, 0)),
               Neck1=('Neck', (-.05, 1.75, .17)), Head=('Neck1', (.1, 1.76, -.12)), LeftShoulder=('Spine1', (0, 0, 0)),
               LeftArm=('LeftShoulder', (3.36, 1.2, -.31)), LeftForeArm=('LeftArm', (4.98, 0, 0)),
               LeftHand=('LeftForeArm', (3.48, 0, 0)), LeftFingerBase=('LeftHand', (0, 0, 0)),
               LFingers=('LeftFingerBase', (.72, 0, 0)))


def clips_of(folder, **wishes):
    return read_clips(Source(folder, None, ''), Wishes(fps=FPS)._replace(**wishes))


def test_the_subject_is_the_folder_or_what_a_pattern_finds(tmp_path):
    points, _ = person()
    for name in ('anna/walk.bvh', 'ben/day 1/walk.bvh', 'carl_walk.bvh'):
        write_bvh(tmp_path / 'clips' / name, points, NAMES)
    by_folder, _ = clips_of(tmp_path / 'clips')
    assert [(clip.name, clip.subject) for clip in by_folder] == [('anna/walk', 'anna'), ('ben/day 1/walk', 'ben'),
                                                                 ('carl_walk', 'clips')]
    one, _ = clips_of(tmp_path / 'clips' / 'carl_walk.bvh', subject='^([a-z]+)_')
    assert one[0].subject == 'carl'
    assert "'^([0-9]+)_' finds no subject" in refusal(clips_of, tmp_path / 'clips', subject='^([0-9]+)_')


def test_clips_of_one_file_are_like_files_in_a_folder(tmp_path, capsys):
    _, pose3d = person()
    clips = {'anna/walk': pose3d, 'anna/run': pose3d[:30], 'ben/walk': pose3d, 'stroll': pose3d, 'ben/bad': pose3d[:9] * 7,
             'ben/gap': np.where(np.arange(40)[:, None, None] == 3, np.nan, pose3d)}
    np.savez(tmp_path / 'all.npz', **clips)
    source = Source(tmp_path / 'all.npz', load_rig('h36m_16'), '')
    found, remarks = read_clips(source, Wishes(fps=FPS, source_fps=FPS, skip_bad=True))
    assert [(clip.name, clip.subject, len(clip.pose3d)) for clip in found] == [
        ('all/anna/run', 'anna', 30), ('all/anna/walk', 'anna', 40), ('all/ben/walk', 'ben', 40), ('all/stroll', 'all', 40)]
    printed = capsys.readouterr().out
    assert all(f'warning: left out: {tmp_path}/all.npz ({name}): ' in printed for name in ('ben/bad', 'ben/gap'))
    assert remarks['file: holds 6 clips'] == 1


def test_the_pattern_of_a_rig_does_not_bind_files_of_other_names(tmp_path):
    points, _ = person()
    write_bvh(tmp_path / 'me' / 'walk.bvh', points, NAMES)
    rig = load_rig('lafan1')._replace(places=load_rig('lafan1').places | clip_places())
    clips, _ = read_clips(Source(tmp_path, rig, ''), Wishes())
    assert clips[0].subject == 'me'


def clip_places():
    """The places of a rig for NAMES."""
    from data.mocap.matching import match
    from data.mocap.recording import Recording
    names = tuple(NAMES.values())
    return match(Recording('a', names, np.random.default_rng(0).normal(size=(2, len(names), 3)))).places


@pytest.mark.parametrize('rate', [30, 60, 120])
def test_another_rate_keeps_the_motion(rate):
    seconds = np.arange(2 * rate + 1) / rate
    pose3d = np.sin(2 * np.pi * seconds)[:, None, None] * np.ones((1, 16, 3))
    found = resampled(pose3d, rate, 50)
    assert found.shape == (101, 16, 3) and found.dtype == np.float32
    assert found[:, 0, 0] == pytest.approx(np.sin(2 * np.pi * np.arange(101) / 50), abs=2e-3)


def test_the_same_rate_keeps_the_frames():
    pose3d = np.random.default_rng(0).normal(size=(7, 16, 3))
    assert np.array_equal(resampled(pose3d, 49.999, 50), pose3d.astype(np.float32))


def test_a_teleport_makes_two_clips_and_is_told(tmp_path):
    points, pose3d = person()
    moved = {point: place + [3, 0, 0] * (np.arange(len(place)) >= 15)[:, None] for point, place in points.items()}
    clips, remarks = clips_of(write_bvh(tmp_path / 'a.bvh', moved, NAMES))
    assert [(clip.name, len(clip.pose3d)) for clip in clips] == [('a#1', 15), ('a#2', 25)]
    assert remarks['file: cut where the body teleports'] == 1
    hip = H36M_16.names.index('Hip')
    assert clips[1].pose3d[:, hip] == pytest.approx(pose3d[15:, hip] + [3, 0, 0], abs=1e-3)


def test_in_a_file_where_nobody_stands_up_is_where_it_is_in_the_others(tmp_path):
    lying, pose3d = person(recipe=(lie, nothing))
    write_bvh(tmp_path / 'a_lying.bvh', lying, NAMES)
    assert '--up' in refusal(clips_of, tmp_path)
    for name in 'bc':
        write_bvh(tmp_path / f'{name}_standing.bvh', person(recipe=(stand, nothing))[0], NAMES)
    clips, remarks = clips_of(tmp_path)
    assert remarks['file: nobody stands, with y up as in the other files'] == 1
    (found,) = [clip.pose3d for clip in clips if clip.name == 'a_lying']
    knee = H36M_16.names.index('LKnee')
    assert found[:, knee] == pytest.approx(pose3d[:, knee], abs=1e-3)


def test_bad_files_stop_it_or_are_left_out_with_a_warning(tmp_path, capsys):
    write_bvh(tmp_path / 'good.bvh', person()[0], NAMES)
    (tmp_path / 'bad.bvh').write_text('HIERARCHY')
    assert 'bad.bvh' in refusal(clips_of, tmp_path)
    clips, remarks = clips_of(tmp_path, skip_bad=True)
    assert [clip.name for clip in clips] == ['good'] and remarks['file: left out'] == 1
    assert 'warning: left out: ' in capsys.readouterr().out
    (tmp_path / 'good.bvh').unlink()
    assert 'no file of' in refusal(clips_of, tmp_path, skip_bad=True)


@pytest.mark.parametrize('rate, words', [(1 / 30, '0.0333 frames a second'), (5000, '5e+03 frames a second')])
def test_a_rate_that_cannot_be_is_refused(tmp_path, rate, words):
    assert words in refusal(clips_of, write_bvh(tmp_path / 'a.bvh', person()[0], NAMES, fps=rate))


def test_a_rate_that_nobody_says_must_be_given(tmp_path):
    _, pose3d = person()
    np.savez(tmp_path / 'a.npz', pose=pose3d, names=np.array(H36M_16.names))
    assert '--source_fps' in refusal(clips_of, tmp_path)
    clips, _ = clips_of(tmp_path, source_fps=FPS)
    assert clips[0].pose3d == pytest.approx(pose3d, abs=.06)        # the head is guessed


def test_what_holds_no_motion_is_refused(tmp_path):
    (tmp_path / 'a.fbx').write_text('')
    (tmp_path / '.hidden.bvh').write_text('')
    for path, words in ((tmp_path, 'holds no motion'), (tmp_path / 'a.fbx', 'not of a form'),
                        (tmp_path / 'none', 'is missing')):
        line = refusal(files_of, path)
        assert words in line and '.bvh' in line


def test_a_short_clip_is_refused(tmp_path):
    path = write_bvh(tmp_path / 'a.bvh', {point: place[:3] for point, place in person()[0].items()}, NAMES)
    assert '3 frames' in refusal(clips_of, path)


def test_remarks_are_counted_per_file(tmp_path):
    for name in 'ab':
        write_bvh(tmp_path / f'{name}.bvh', {point: place + [0, 0, 3] for point, place in person()[0].items()}, NAMES)
    _, remarks = clips_of(tmp_path)
    assert isinstance(remarks, Counter) and remarks['file: moved up or down to the floor'] == 2


@pytest.mark.parametrize('rig, apart', [('h36m_16', 1e-3), ('h36m_17', 1e-3), ('coco_17', .1), ('smpl_24', .06)])
def test_arrays_without_names_are_read_in_the_order_of_their_rig(tmp_path, rig, apart):
    points, pose3d = person()
    at = {name.lower(): pose3d[:, joint] for joint, name in enumerate(H36M_16.names)}
    at |= {side + joint: points[letter + joint] for side, letter in (('left_', 'L'), ('right_', 'R'))
           for joint in ('hip', 'knee', 'ankle', 'shoulder', 'elbow', 'wrist')}
    at |= dict(head=points['head'] if rig == 'smpl_24' else points['top'], neck=points['neck'], spine2=points['spine'])
    order = [name.lower() for name in load_rig(rig).order]
    np.savez(tmp_path / 'a.npz', pose=np.stack([at.get(name, pose3d[:, 0]) for name in order], axis=1), fps=FPS)
    clips, _ = read_clips(Source(tmp_path, load_rig(rig), ''), Wishes(fps=FPS))
    limbs = [joint for joint, name in enumerate(H36M_16.names) if name[0] in 'LR']
    errors = np.linalg.norm(clips[0].pose3d - pose3d, axis=-1).max(axis=0)
    assert errors.max() < apart and errors[limbs].max() < 1e-3


def test_the_same_names_are_the_same_joints_in_all_files(tmp_path):
    """The joint nearest to the middle of the trunk is found once, in the first file."""
    points, _ = person()
    write_bvh(tmp_path / 'a.bvh', points, NAMES)
    low = .8 * points['pelvis'] + .2 * points['spine']
    write_bvh(tmp_path / 'b.bvh', points | dict(spine=low, chest=points['spine']), NAMES)
    (first, second), _ = clips_of(tmp_path)
    spine = H36M_16.names.index('Spine')
    assert first.pose3d[:, spine] == pytest.approx(points['spine'], abs=1e-3)
    assert second.pose3d[:, spine] == pytest.approx(low, abs=1e-3)


def mirrored(tree):
    """A tree with the right side behind the left one."""
    def other(name):
        return re.sub('^L(?!ower)(eft)?', lambda found: 'Right' if found[1] else 'R', name) if name else name
    right = {other(name): (other(parent), (-x, y, z)) for name, (parent, (x, y, z)) in tree.items() if name != other(name)}
    return tree | right


def test_the_bones_that_cgspeeds_files_lost_come_back(tmp_path):
    """Lengths in centimetres from 01.asf: upperback and thorax 11.57 + 11.66, lradius and lwrist 19.66 + 9.83."""
    tree = mirrored(CGSPEED)
    row = [0, 17, 0] + [0] * 3 * len(tree)
    (clip,), remarks = clips_of(write_still_bvh(tmp_path / '01_01.bvh', tree, [row] * FPS))
    lengths = dict(zip(H36M_16.names[1:], 100 * median_bones(clip.pose3d)))
    assert clip.rig == 'cmu_bvh_cgspeed' and clip.subject == '01'
    assert (lengths['Thorax'], lengths['LWrist'], lengths['RWrist']) == pytest.approx((23.2, 29.5, 29.5), abs=.1)
    assert remarks['file: the rig puts in bones where such files have lost them'] == 1


def test_where_no_rig_was_given_a_refusal_tells_how_the_joints_were_found(tmp_path):
    points, _ = person()
    exchanged = NAMES | {side + point: NAMES[other + point] for side, other in ('LR', 'RL')
                         for point in ('hip', 'knee', 'ankle', 'shoulder', 'elbow', 'wrist')}
    line = refusal(clips_of, write_bvh(tmp_path / 'a.bvh', points, exchanged))
    assert 'the knees bend backwards' in line and line.endswith('Head Head + 15 cm)') and 'LKnee LeftLowerLeg' in line
    rows = np.random.default_rng(0).normal(size=(30, 52, 3))
    np.savez(tmp_path / 'b.npz', pose=rows, fps=FPS)
    assert refusal(clips_of, tmp_path / 'b.npz').endswith('(52 joints without names, taken in the order of the rig smpl_22)')


def test_names_that_cannot_be_printed_do_not_reach_the_screen(tmp_path):
    names = NAMES | dict(Lwrist='Left\x1b[2JThing')
    line = refusal(clips_of, write_bvh(tmp_path / 'a.bvh', person()[0], names))
    assert line.isprintable() and 'Left?[2JThing' in line

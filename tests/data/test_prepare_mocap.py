"""The command that prepares motion capture: the file, its splits, pictures, and what is refused."""
import numpy as np
import pytest
from PIL import Image

from common.bones import bone_length_templates
from common.datasets.mocap import mocap_path, mocap_poses, read_mocap
from common.skeleton import H36M_16, H36M_17
from common.skeletons import SMPL_24
from data import prepare_data_mocap
from data.mocap.clips import Clip
from mocap_clips import FPS, PROGRAMS, h36m_17, person, smpl_24, write_bvh, y_up
from places import SHARED
from refusals import files_below, refused

STATURES = dict(anna=1.55, ben=1.85, carl=1.7)


@pytest.fixture(scope='module')
def recordings(tmp_path_factory):
    """A folder with a folder for each person, two clips in each."""
    folder = tmp_path_factory.mktemp('recordings')
    for seed, (name, stature) in enumerate(STATURES.items()):
        for clip in ('first', 'second'):
            write_bvh(folder / name / f'{clip}.bvh', person(seed, stature=stature)[0], PROGRAMS['unity'])
    return folder


@pytest.fixture
def prepared(recordings, tmp_path, capsys):
    """A function that prepares `recordings` with further arguments: the arrays of the file, and what was printed."""
    def prepare(*arguments, name='mine', source=recordings):
        prepare_data_mocap.main(['--source', str(source), '--name', name, '--data_root', str(tmp_path), *map(str, arguments)])
        return read_mocap(tmp_path, name), capsys.readouterr().out
    return prepare


def test_the_file_holds_the_motion_of_all_clips_by_subject(prepared):
    arrays, printed = prepared('--fps', FPS, '--picture', 'false')
    assert arrays['subject_names'].tolist() == ['anna', 'ben', 'carl'] and arrays['fps'] == FPS
    assert arrays['clip_names'].tolist() == [f'{name}/{clip}' for name in STATURES for clip in ('first', 'second')]
    assert arrays['test'].tolist() == [False, False, True, True, False, False]
    for place, seed in enumerate((0, 0, 1, 1, 2, 2)):
        truth = person(seed, stature=[*STATURES.values()][seed])[1]
        found = arrays['pose3d'][40 * place:40 * (place + 1)]
        apart = np.linalg.norm(found - truth, axis=-1).max(axis=0)
        assert apart[:9].max() < 1e-3 and apart.max() < .06        # the head is guessed
    assert 'training 160 poses of anna, carl; test 80 of ben' in printed
    assert 'joints found by their names: LHip LeftUpperLeg' in printed
    assert 'file: 30 frames a second, a unit is 1 cm, y points up (in 6 of the recordings)' in printed


def test_the_templates_are_the_bones_of_the_people(prepared):
    arrays, _ = prepared('--picture', 'false')
    training = mocap_poses(arrays, False, 'h36m')
    templates = bone_length_templates(training.pose3d_cam, training.subject)
    thigh = templates[:, H36M_16.bones('LKnee')[0]]
    assert thigh.tolist() == pytest.approx([.248 * STATURES[name] for name in ('anna', 'carl')], rel=.05)


def test_test_subjects_and_the_rate_can_be_chosen(prepared):
    arrays, printed = prepared('--test_subjects', 'anna', 'ben', '--picture', 'false')
    assert arrays['test'].tolist() == [True] * 4 + [False] * 2
    assert arrays['frames'].tolist() == [66] * 6 and '50 frames per second' in printed       # 39 / 30 s at 50 Hz


def test_of_one_person_the_end_of_each_clip_is_the_test(prepared, recordings):
    arrays, printed = prepared('--fps', FPS, '--picture', 'false', source=recordings / 'anna')
    assert list(zip(arrays['frames'], arrays['test'])) == [(32, False), (8, True)] * 2
    assert 'warning: there is one subject' in printed


def test_several_sources_with_their_own_rigs_are_joined(prepared, recordings, tmp_path):
    rig = tmp_path / 'mine.toml'
    theirs = ('Hips RightUpperLeg RightLowerLeg RightFoot LeftUpperLeg LeftLowerLeg LeftFoot Chest Neck Head LeftUpperArm '
              'LeftLowerArm LeftHand RightUpperArm RightLowerArm RightHand').split()
    rig.write_text('[joints]\n' + '\n'.join(f'{ours} = "{theirs}"' for ours, theirs in zip(H36M_16.names, theirs)))
    arrays, _ = prepared('--source', recordings / 'ben', '--rig', 'auto', '--rig', rig, '--picture', 'false',
                         source=recordings / 'anna')
    assert arrays['rig_names'].tolist() == ['by names'] * 2 + ['mine'] * 2
    assert arrays['subject_names'].tolist() == ['anna/anna', 'ben/ben']
    head = H36M_16.names.index('Head')
    neck_to_head = np.linalg.norm(arrays['pose3d'][:, head] - arrays['pose3d'][:, head - 1], axis=-1)
    assert neck_to_head[:132].min() > .15 > neck_to_head[132:].max()      # the second rig takes the base of the skull


@pytest.mark.slow
def test_a_picture_of_each_rig_is_drawn(prepared, tmp_path):
    _, printed = prepared()
    picture = tmp_path / 'data' / 'mocap_mine_by_names.png'
    assert str(picture) in printed and files_below(tmp_path) == ['data/mocap_mine.npz', 'data/mocap_mine_by_names.png']
    drawn = np.asarray(Image.open(picture).convert('RGB')).reshape(-1, 3)
    for colour in ((0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)):
        assert (np.abs(drawn.astype(int) - colour).max(axis=1) < 10).sum() > 500       # left and right limbs


def test_the_joints_of_another_skeleton_are_moved_and_turned_like_ours(prepared, tmp_path):
    """Centimetres, y up, half a metre below the floor: the 16 joints tell it, and all 24 are put right."""
    truth = smpl_24(person()[0])
    source = tmp_path / 'positions'
    source.mkdir()
    np.savez(source / 'walk.npz', pose=y_up(100 * (truth - [0, 0, .5])), fps=FPS)
    ours, _ = prepared('--fps', FPS, '--picture', 'false', name='ours', source=source)
    arrays, printed = prepared('--fps', FPS, '--picture', 'false', '--skeleton', 'smpl_24', source=source)
    assert tuple(arrays['joints']) == SMPL_24.names and 'moved up or down to the floor' in printed
    assert arrays['pose3d'] - truth == pytest.approx(np.broadcast_to(arrays['pose3d'][:1, :1] - truth[:1, :1], truth.shape),
                                                     abs=1e-3)
    both = [name for name in H36M_16.names if name not in ('Hip', 'Head')]
    assert np.array_equal(arrays['pose3d'][:, SMPL_24.joints(*both)], ours['pose3d'][:, H36M_16.joints(*both)])


@pytest.mark.slow
def test_the_picture_shows_all_joints_of_the_skeleton(prepared, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(prepare_data_mocap, 'save_three_views', lambda *arguments: drawn.append(arguments))
    (tmp_path / 'positions').mkdir()
    np.save(tmp_path / 'positions' / 'walk.npy', h36m_17(*person()))
    prepared('--skeleton', 'h36m_17', '--source_fps', FPS, source=tmp_path / 'positions')
    assert drawn[0][1].shape == (6, 17, 3) and drawn[0][3] is H36M_17


def test_bones_of_the_other_joints_are_checked_too(tmp_path, capsys):
    positions = smpl_24(person()[0])
    positions[:, 22] += [0, 0, .5]
    np.save(tmp_path / 'walk.npy', positions)
    line = refused(capsys, prepare_data_mocap, '--source', tmp_path / 'walk.npy', '--source_fps', FPS, '--name', 'a',
                   '--data_root', tmp_path, '--skeleton', 'smpl_24')
    assert 'the bone to LHand is' in line and files_below(tmp_path) == ['walk.npy']


WRONG = {
    'no source': (['--source', 'nowhere', '--name', 'a'], 'nowhere'),
    'a reserved name': (['--source', '.', '--name', 'h36m'], '--name h36m'),
    'a name with a folder': (['--source', '.', '--name', '../a'], '--name ../a'),
    'more rigs than sources': (['--source', '.', '--rig', 'a', '--rig', 'b', '--name', 'a'], '2 times'),
    'an unknown rig': (['--source', '.', '--rig', 'lafan2', '--name', 'a'], 'lafan2'),
    'a pattern': (['--source', '.', '--name', 'a', '--subject', '('], '--subject'),
    'a share': (['--source', '.', '--name', 'a', '--test_share', '1'], '--test_share'),
    'a rate': (['--source', '.', '--name', 'a', '--fps', '0'], '--fps')}


@pytest.mark.parametrize('case', WRONG)
def test_arguments_that_cannot_work_are_refused(case, tmp_path, capsys):
    arguments, words = WRONG[case]
    assert words in refused(capsys, prepare_data_mocap, *arguments, '--data_root', tmp_path)


@pytest.mark.parametrize('arguments, words', [
    (['--unit', 'inch'], '--unit cm'), (['--up', 'z'], '--up=y'), (['--mirrored'], 'the knees bend backwards'),
    (['--test_subjects', 'dora'], 'anna, ben, carl'), (['--test_subjects', 'anna', 'ben', 'carl'], 'some, not all'),
    (['--rig', 'lafan1'], "no joint 'LeftUpLeg'"), (['--skeleton', 'smpl_24'], 'has no LowerSpine, Chest'),
    (['--skeleton', 'smpl_22'], '--skeleton')])
def test_what_does_not_fit_the_files_is_refused_and_nothing_is_left(arguments, words, recordings, tmp_path, capsys):
    line = refused(capsys, prepare_data_mocap, '--source', recordings, '--name', 'a', '--data_root', tmp_path, *arguments)
    assert words in line and files_below(tmp_path) == []


def test_a_prepared_file_is_not_overwritten(prepared, recordings, tmp_path, capsys):
    prepared('--picture', 'false')
    before = mocap_path(tmp_path, 'mine').read_bytes()
    line = refused(capsys, prepare_data_mocap, '--source', recordings, '--name', 'mine', '--data_root', tmp_path)
    assert 'is not overwritten' in line and mocap_path(tmp_path, 'mine').read_bytes() == before


@pytest.mark.parametrize('count, share, tests', [(2, .2, [1]), (5, .2, [2]), (10, .2, [2, 7]), (3, .9, [0, 2])])
def test_test_subjects_are_spread_over_the_sorted_ones(count, share, tests):
    clips = [Clip(f'{number}', f'{number:02}', 'rig', np.zeros((1, 16, 3))) for number in range(count)]
    assert [place for place, (_, test) in enumerate(prepare_data_mocap.split(clips, (), share)) if test] == tests


@pytest.mark.parametrize('folder, rig, statures', [
    pytest.param('cmu_asfamc', 'cmu_asf_amc', (1.5, 1.8), marks=pytest.mark.slow), ('cmu_bvh', 'cc_base', (1.7, 2)),
    ('bandai_namco', 'bandai_namco', (1.4, 1.7))])
def test_real_recordings_get_their_rigs(prepared, folder, rig, statures):
    source = SHARED / 'mocap' / 'raw' / folder
    if not source.is_dir():
        pytest.skip(f'{source} is not here: the recordings are not part of the project')
    arrays, printed = prepared('--picture', 'false', name=folder, source=source)
    assert {*arrays['rig_names']} == {rig}
    low, high = (float(text) for text in printed.split('people about ')[1].split(' m')[0].split(' to '))
    assert statures[0] < low <= high < statures[1]
    assert 'moved up or down' not in printed and 'change their length' not in printed and 'teleports' not in printed


def test_the_axis_that_an_error_advises_can_be_given(tmp_path, capsys):
    _, pose3d = person()
    np.savez(tmp_path / 'camera.npz', pose=pose3d * [1, -1, -1], fps=FPS)
    command = ['--source', tmp_path / 'camera.npz', '--rig', 'h36m_16', '--name', 'a', '--data_root', tmp_path,
               '--picture', 'false']
    advised = refused(capsys, prepare_data_mocap, *command).split('name it: ')[1]
    path = prepare_data_mocap.main([*map(str, command), advised, '--fps', str(FPS)])
    found = read_mocap(tmp_path, 'a')['pose3d']
    assert path.is_file() and found[..., 2] == pytest.approx(pose3d[..., 2], abs=1e-4)

"""Pixels -> metres: normalisation for every image shape, lifting in chunks, and run_inference.py from end to end."""
import json
import re
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.spatial.transform import Rotation

import builders
import run_inference
from common.camera import pixels_to_normalised, pixels_to_padded
from common.datasets.joint_orders import H36M_16_IN_17
from common.person_camera import lift_person
from common.skeleton import H36M_16
from function_baseline.evaluate import CHUNK, predict_flipped
from function_inference.detections import Detections
from function_inference.keypoint_formats import COCO_17
from function_inference.lifting import ASSUMED_FPS, frames_apart, lift, smoothing_window, timing
from models_baseline import LIFTERS, build_lifter
from models_baseline.temporal import ClipLifter
from places import SHARED

FRAMES = 6
UNTURNED = np.eye(3)
# a standing person who faces the camera, in pixels, in the order of COCO's joints
STANDING = np.array([(200, 60), (205, 55), (195, 55), (212, 58), (188, 58), (230, 100), (170, 100), (240, 150), (160, 150),
                     (245, 200), (155, 200), (220, 210), (180, 210), (222, 290), (178, 290), (224, 370), (176, 370)], float)


def random_pixels(count, width=640, height=480):
    return (np.random.default_rng(0).uniform(0, 1, (count, 16, 2)) * [width, height]).astype(np.float32)


@pytest.fixture(scope='module')
def lifter():
    torch.manual_seed(0)
    return build_lifter('mlp', stages=1, dropout=.5)


@pytest.fixture(scope='module')
def checkpoint(lifter, tmp_path_factory):
    path = tmp_path_factory.mktemp('lifter') / 'ckpt_best.pth.tar'
    torch.save({'state_dict': lifter.state_dict(), 'epoch': 1}, path)
    return path


# normalisation

@pytest.mark.parametrize('width,height', [(1000, 1002), (1000, 1000), (1920, 1080)])
def test_landscape_images_and_those_of_human36m_are_normalised_as_in_training(width, height):
    pose2d_px = random_pixels(5, width, height)
    expected = pixels_to_normalised(pose2d_px.copy(), width, height)
    np.testing.assert_array_equal(pixels_to_padded(pose2d_px, width, height), expected)


def test_the_height_of_a_portrait_image_is_normalised_to_minus_one_to_one():
    corners = np.array([[0, 0], [1080, 1920], [540, 960]], np.float32)
    np.testing.assert_allclose(pixels_to_padded(corners, 1080, 1920), [[-.5625, -1], [.5625, 1], [0, 0]], atol=1e-6)


def test_padding_an_image_to_a_square_changes_nothing():
    for width, height in ((480, 640), (640, 480)):
        pose2d_px = random_pixels(5, width, height)
        margin = np.array([640 - width, 640 - height], np.float32) / 2
        np.testing.assert_allclose(pixels_to_padded(pose2d_px, width, height), pixels_to_padded(pose2d_px + margin, 640, 640),
                                   atol=1e-6)


def test_normalisation_does_not_change_its_input():
    pose2d_px = random_pixels(2)
    before = pose2d_px.copy()
    pixels_to_padded(pose2d_px, 640, 640)
    np.testing.assert_array_equal(pose2d_px, before)


# lifting

@pytest.mark.parametrize('name', LIFTERS)
def test_every_lifter_gives_root_relative_metres(name):
    pose3d_rel = lift(build_lifter(name, 1, .5), random_pixels(3), 640, 480, 'cpu')
    assert pose3d_rel.shape == (3, 16, 3) and pose3d_rel.dtype == np.float32 and np.isfinite(pose3d_rel).all()
    assert not pose3d_rel[:, 0].any() and pose3d_rel[:, 1:].any()


def test_a_lifter_of_several_frames_sees_the_whole_clip():
    torch.manual_seed(0)
    lifter, pose2d_px = build_lifter('videopose', receptive_field=9), random_pixels(20)
    found = lift(lifter, pose2d_px, 640, 480, 'cpu', camera='image')
    with torch.no_grad():
        expected = ClipLifter(lifter.eval())(torch.from_numpy(pixels_to_normalised(pose2d_px, 640, 480)))
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-6)


def test_at_twice_the_rate_of_its_training_a_lifter_of_several_frames_sees_every_second_frame():
    torch.manual_seed(0)
    lifter, pose2d_px = build_lifter('videopose', receptive_field=9), random_pixels(21)
    found = lift(lifter, pose2d_px, 640, 480, 'cpu', every=2)
    for first in range(2):
        np.testing.assert_allclose(found[first::2], lift(lifter, pose2d_px[first::2], 640, 480, 'cpu'), atol=1e-6)
    assert lift(lifter, pose2d_px[:1], 640, 480, 'cpu', every=2).shape == (1, 16, 3)


@pytest.mark.parametrize('trained, fps, every', [(25, 30, 1), (25, 60, 2), (25, 120, 5), (25, 12, 1), (None, 60, 1)])
def test_frames_lie_about_as_far_apart_as_in_the_training(trained, fps, every):
    assert frames_apart(trained, fps) == every


@pytest.mark.slow
@pytest.mark.parametrize('camera', ['image', 'person'])
@pytest.mark.parametrize('flip', [False, True])
def test_chunks_and_flip_give_what_the_lifter_gives(lifter, flip, camera):
    pose2d_px = random_pixels(CHUNK + 1)
    lifter.train()      # even a lifter in train mode must be used without dropout
    found = lift(lifter, pose2d_px, 640, 480, 'cpu', flip, camera)
    pose2d_norm = torch.from_numpy(pixels_to_normalised(pose2d_px, 640, 480))
    lifted = partial(predict_flipped, lifter) if flip else lifter
    with torch.no_grad():
        expected = lifted(pose2d_norm) if camera == 'image' else lift_person(lifted, pose2d_norm)
    np.testing.assert_allclose(found, (expected - expected[:, :1]).numpy(), atol=1e-5)
    assert not np.allclose(found[0], found[-1])


def person_before_the_camera(focal_px, width, height, place=(1.5, -.3, 6.), turn=UNTURNED):
    """(1, 16, 2) pixels of a standing person, turned by `turn` (3, 3), at `place`, metres in the frame of a pinhole camera."""
    standing = (builders.STANDING - builders.STANDING[0])[H36M_16_IN_17]
    pose3d_cam = np.stack([standing[:, 0], -standing[:, 2], standing[:, 1]], axis=1) @ turn.T + np.array(place)
    pixels = pose3d_cam[:, :2] / pose3d_cam[:, 2:] * focal_px + np.array([width, height]) / 2
    return pixels[None].astype(np.float32)


@pytest.mark.parametrize('focal_px, width, height', [(1000, 1920, 1080), (3000, 1920, 1080), (1500, 1080, 1920),
                                                     (1000, 1000, 1002)])
def test_a_known_lens_does_not_change_the_result(lifter, focal_px, width, height):
    """Wide angle or tele, landscape, portrait or square: the person stands at the same place of the room."""
    reference = lift(lifter, person_before_the_camera(1500, 4000, 4000), 4000, 4000, 'cpu', focal_px=1500)
    found = lift(lifter, person_before_the_camera(focal_px, width, height), width, height, 'cpu', focal_px=focal_px)
    np.testing.assert_allclose(found, reference, atol=1e-3)
    wrong = lift(lifter, person_before_the_camera(focal_px, width, height), width, height, 'cpu', focal_px=3 * focal_px)
    assert np.abs(wrong - reference).max() > 1e-2


@pytest.mark.parametrize('distance', [4., 8., 16.])
def test_how_small_a_person_is_hardly_matters(lifter, distance):
    """The lifter is shown the same size from anywhere; only the perspective within the body changes with the distance."""
    found, near = (lift(lifter, person_before_the_camera(1500, 1920, 1080, (0, 0, depth)), 1920, 1080, 'cpu', focal_px=1500)
                   for depth in (distance, 8.))
    assert np.abs(found - near).max() < .1 * np.abs(near).max()


# the script

def test_the_lens_may_be_told_as_an_angle_or_in_pixels(capsys):
    args = run_inference.parse_args(['--input', 'x', '--evaluate', 'x', '--output', 'x', '--fov', '90'])
    assert run_inference.focal_length(args, 1080, 1920) == pytest.approx(960)
    args = run_inference.parse_args(['--input', 'x', '--evaluate', 'x', '--output', 'x', '--focal', '1234'])
    assert run_inference.focal_length(args, 1920, 1080) == 1234
    args = run_inference.parse_args(['--input', 'x', '--evaluate', 'x', '--output', 'x', '--camera', 'image', '--fov', '60',
                                     '--root', 'centre'])
    run_inference.focal_length(args, 1920, 1080)
    assert 'warning: --fov has no effect' in capsys.readouterr().err


def clip_json(folder, width=640, height=480, **changes):
    """A clip of FRAMES frames: a person walks to the right, the left wrist missing once; another is seen for two frames."""
    frames = []
    for frame in range(FRAMES):
        walker = np.insert(STANDING + [5 * frame, 0], 2, .9, axis=1)
        walker[COCO_17.joints.index('LWrist'), 2] = .1 if frame == 3 else .9
        passer_by = np.insert(STANDING / 2 + [350, 200], 2, .9, axis=1)
        frames.append([walker.tolist()] + [passer_by.tolist()] * (frame < 2))
    path = folder / 'clip.json'
    path.write_text(json.dumps(dict(dict(width=width, height=height, fps=24, frames=frames), **changes)))
    return path


@pytest.fixture
def run(tmp_path, checkpoint):
    """A function that runs the script on a file, without a video; returns its Motion, or the list with --person all."""
    def of_flags(path, *flags):
        argv = ['--input', path, '--evaluate', checkpoint, '--output', tmp_path / 'out', '--video', 'none', '--device', 'cpu']
        motions = run_inference.main([str(each) for each in (*argv, *flags)])
        return motions if 'all' in flags else motions[0]
    return of_flags


@pytest.fixture
def refusal(run, tmp_path, capsys):
    """A function that returns the one line with which the script refuses its arguments; no file is written."""
    def of_flags(*arguments):
        before = sorted(tmp_path.rglob('*'))
        with pytest.raises(SystemExit) as stopped:
            run(*arguments)
        assert stopped.value.code == 2 and sorted(tmp_path.rglob('*')) == before
        line, = capsys.readouterr().err.splitlines()
        return line
    return of_flags


@pytest.mark.parametrize('downsample, fps, warned', [(1, 24, True), (2, 24, False), (2, 50, False), (2, 10, True)])
def test_a_lifter_of_several_frames_warns_of_a_frame_rate_that_is_not_about_its_training_s(tmp_path, downsample, fps, warned,
                                                                                           capsys):
    told = {'posenet_name': 'videopose', 'stages': 1, 'dataset': 'h36m', 'downsample': downsample}
    state = build_lifter('videopose', receptive_field=9).state_dict()
    torch.save({'state_dict': state, 'arguments': told}, tmp_path / 'it')
    argv = ['--input', clip_json(tmp_path), '--evaluate', tmp_path / 'it', '--output', tmp_path / 'out', '--video', 'none']
    motion, = run_inference.main([str(each) for each in (*argv, '--device', 'cpu', '--fps', fps, '--smooth', 0)])
    warning = f'was trained on clips of {50 / downsample:g} frames per second, and these are {fps}'
    assert (warning in capsys.readouterr().err) == warned
    lifter = build_lifter('videopose', receptive_field=9)
    lifter.load_state_dict(state)
    every = frames_apart(50 / downsample, fps)
    expected = lift(lifter, motion.pose2d_px, motion.width, motion.height, 'cpu', every=every)
    np.testing.assert_allclose(motion.pose3d_rel, expected, atol=1e-5)


def test_the_script_writes_every_kind_of_file(run, tmp_path, lifter, capsys):
    motion = run(clip_json(tmp_path), '--video', 'gif')
    out = tmp_path / 'out'
    files = [f'motion.{kind}' for kind in ('npz', 'json', 'bvh', 'html', 'gif')]
    assert sorted(path.name for path in out.iterdir()) == sorted(files) and all((out / name).stat().st_size for name in files)
    said = capsys.readouterr().out
    for words in ('mlp, 1 stages', 'coco17, 640x480, 6 frames', 'person 0 of 2', 'seen in 6 of 6 frames'):
        assert words in said
    assert [line for line in said.splitlines() if line.startswith(str(out))] == [str(out / name) for name in files]
    with np.load(out / 'motion.npz') as arrays:
        assert arrays['time'].tolist() == [frame / 24 for frame in range(FRAMES)]
        for name, value in motion._asdict().items():
            if name == 'skeleton':
                continue
            np.testing.assert_array_equal(arrays[name], value)
    assert (motion.fps, motion.width, motion.height, motion.person) == (24, 640, 480, 'person 0')


def test_the_motion_is_the_lifters_output_and_marks_guessed_joints(run, tmp_path, lifter):
    motion = run(clip_json(tmp_path))
    assert motion.pose3d_rel.shape == (FRAMES, 16, 3) and motion.pose2d_px.shape == (FRAMES, 16, 2)
    assert np.argwhere(motion.guessed).tolist() == [[3, *H36M_16.joints('LWrist')]]
    hip, thorax, head, foot = H36M_16.joints('Hip', 'Thorax', 'Head', 'LFoot')
    np.testing.assert_allclose(motion.pose2d_px[2, [hip, thorax, head, foot]], [(210, 210), (210, 100), (210, 56), (234, 370)],
                               atol=1e-3)
    np.testing.assert_allclose(motion.pose3d_rel, lift(lifter, motion.pose2d_px, 640, 480, 'cpu'), atol=1e-6)


@pytest.mark.slow
def test_a_motion_can_be_lifted_again(run, tmp_path):
    first = run(clip_json(tmp_path))
    again = run(tmp_path / 'out' / 'motion.npz', '--output', tmp_path / 'again')
    np.testing.assert_allclose(again.pose3d_rel, first.pose3d_rel, atol=1e-5)
    assert again.fps == first.fps


def test_flags_choose_the_person_the_head_and_the_rate(run, tmp_path, capsys):
    path = clip_json(tmp_path)
    motion = run(path, '--person', '1', '--head', 'nose', '--fps', '12.5', '--smooth', '0', '--flip', 'true')
    assert motion.person == 'person 1' and motion.fps == 12.5
    np.testing.assert_allclose(motion.pose2d_px[0, H36M_16.joints('Head')], [(450, 230)], atol=1e-3)
    assert motion.guessed[2:].all() and not motion.guessed[:2].any()
    assert '66.7% of the joints were missing or uncertain and are guessed' in capsys.readouterr().out


def test_an_unknown_frame_rate_is_assumed_and_said(run, tmp_path, capsys):
    motion = run(clip_json(tmp_path, fps=None))
    assert motion.fps == ASSUMED_FPS == 25
    assert '25 frames per second are assumed' in capsys.readouterr().out


def found_in(frames, fps):
    return Detections([np.zeros((0, 17, 3), np.float32)] * frames, COCO_17, 640, 480, fps)


@pytest.mark.parametrize('stated,rate', [(20, 20), (20.001, 20.001), (90000, 20), (None, 20)])
def test_even_times_of_the_frames_correct_a_wrong_frame_rate(stated, rate, capsys):
    fps, time = timing(found_in(5, stated), time=np.arange(5) / 20)
    assert fps == pytest.approx(rate) and time.tolist() == [0, .05, .1, .15, .2]
    assert capsys.readouterr() == ('', '')


def test_uneven_frames_are_warned_of_in_one_line_unless_the_rate_is_given(capsys):
    fps, time = timing(found_in(5, None), time=np.array([0, .04, .3, .34, .4]))
    assert fps == pytest.approx(10) and time.tolist() == [0, .04, .3, .34, .4]
    line, = capsys.readouterr().err.splitlines()
    assert line.startswith('warning: the times between frames vary from 40 to 260 ms') and 'resampled to 10 frames' in line
    fps, time = timing(found_in(5, 30), 20, np.array([0, .04, .3, .34, .4]))
    assert fps == 20 and time.tolist() == [0, .05, .1, .15, .2] and capsys.readouterr() == ('', '')


@pytest.mark.parametrize('seconds,fps,frames,window', [
    (.3, 30, 100, 9), (.3, 29.97, 100, 9), (.3, 25, 100, 7), (.3, 60, 100, 19), (.2, 25, 100, 5),
    (.3, 12.5, 100, 0), (0, 1000, 100, 0), (.3, 30, 9, 9), (.3, 30, 8, 0), (.3, 25, 1, 0)])
def test_the_smoothing_filter_is_a_time_and_never_longer_than_the_clip(seconds, fps, frames, window):
    assert smoothing_window(seconds, fps, frames) == window


@pytest.mark.slow
def test_the_2d_is_smoothed_by_default(run, tmp_path):
    frames = [[np.insert(STANDING + [5 * (frame % 2), 0], 2, .9, axis=1).tolist()] for frame in range(30)]
    path = clip_json(tmp_path, frames=frames, fps=30)
    hip, = H36M_16.joints('Hip')
    steps = {smooth: np.abs(np.diff(run(path, *flags, '--output', tmp_path / smooth).pose2d_px[:, hip, 0])).mean()
             for smooth, flags in (('default', ()), ('little', ('--smooth', '0.2')), ('not', ('--smooth', '0')))}
    assert steps['not'] == pytest.approx(5, abs=1e-3) and steps['default'] < steps['little'] < 3
    shorter_than_the_filter = run(path, '--smooth', '2').pose2d_px[:, hip, 0]
    assert np.abs(np.diff(shorter_than_the_filter)).mean() == pytest.approx(5, abs=1e-3)


@pytest.mark.slow
def test_nothing_is_overwritten_unless_asked_for(run, refusal, tmp_path):
    path = clip_json(tmp_path)
    run(path, '--root', 'centre')
    before = (tmp_path / 'out' / 'motion.npz').stat().st_mtime_ns
    assert 'motion.bvh exists already; give another --output, or --overwrite' in refusal(path)
    assert (tmp_path / 'out' / 'motion.npz').stat().st_mtime_ns == before
    run(path, '--overwrite', '--head', 'eyes')
    assert (tmp_path / 'out' / 'motion.npz').stat().st_mtime_ns > before


def test_flags_without_effect_on_this_input_are_named(run, tmp_path, capsys):
    run(clip_json(tmp_path), '--weights', 'x', '--detector', 'rtmpose', '--root', 'centre')
    assert capsys.readouterr().err.splitlines() == ['warning: --detector has no effect on this input',
                                                    'warning: --weights has no effect on this input']


# the person's place

@pytest.fixture
def walker_json(tmp_path):
    """A clip of a person who goes from 4 to 6 m before a camera of 1,500 px focal length."""
    def write(tilt_deg=0, frames=20):
        turn = Rotation.from_euler('x', tilt_deg, degrees=True).as_matrix()
        poses = [person_before_the_camera(1500, 1920, 1080, (.5, .2, depth), turn)[0].tolist()
                 for depth in np.linspace(4, 6, frames)]
        path = tmp_path / f'walker_{tilt_deg}.json'
        path.write_text(json.dumps(dict(width=1920, height=1080, fps=10, frames=[[pose] for pose in poses])))
        return path
    return write


@pytest.fixture
def released():
    """The path of the released SemGCN; skips where it is missing."""
    path = SHARED / 'official' / 'semgcn_gt_poseaug.pth.tar'
    if not path.is_file():
        pytest.skip(f'{path} is not here: the released weights are not part of the project')
    return path


def test_the_place_of_a_person_is_found_and_written(run, released, tmp_path, walker_json):
    motion = run(walker_json(), '--evaluate', released, '--focal', '1500')
    error = motion.root_cam - np.stack([np.full(20, .5), np.full(20, .2), np.linspace(4, 6, 20)], axis=1)
    assert np.abs(error[:, :2]).max() < .1 and np.abs(error[:, 2]).max() < .4
    with np.load(tmp_path / 'out' / 'motion.npz') as arrays:
        np.testing.assert_array_equal(arrays['root_cam'], motion.root_cam)
        assert (arrays['tilt_deg'], arrays['roll_deg']) == (motion.tilt_deg, motion.roll_deg) == (0, 0)
    centred = run(walker_json(), '--evaluate', released, '--root', 'centre', '--overwrite')
    assert not centred.root_cam.any() and not centred.is_placed


@pytest.mark.slow
def test_the_tilt_of_the_camera_is_guessed_or_given(run, released, walker_json, capsys):
    guessed = run(walker_json(25), '--evaluate', released, '--focal', '1500')
    assert 8 < guessed.tilt_deg < 35 and guessed.roll_deg == 0
    assert f'the camera is taken to look down by {guessed.tilt_deg:g} and to lean by 0 degrees' in capsys.readouterr().out
    given = run(walker_json(25), '--evaluate', released, '--tilt', '-3', '--roll', '4', '--overwrite')
    assert (given.tilt_deg, given.roll_deg) == (-3, 4) and 'is taken to' not in capsys.readouterr().out


# the clip under the 2D

def folder_of_images(path, count, size=(64, 48)):
    path.mkdir()
    for number in range(count):
        Image.new('RGB', size, (20 * number, 0, 0)).save(path / f'{number}.png')
    return path


@pytest.mark.slow
def test_keypoints_are_drawn_over_a_background(run, tmp_path):
    run(clip_json(tmp_path), '--background', folder_of_images(tmp_path / 'images', FRAMES + 1), '--video', 'gif')
    page = (tmp_path / 'out' / 'motion.html').read_text()
    assert len(json.loads(re.search(r'"pictures":(\[[^]]*\])', page)[1])) == FRAMES
    assert '"files":["motion.npz","motion.bvh"]' in page
    with Image.open(tmp_path / 'out' / 'motion.gif') as gif:
        assert gif.width == 426 + 480


@pytest.mark.parametrize('count,size,reason', [
    (FRAMES - 1, (64, 48), 'has 5 frames, but there are keypoints for 6'),
    (FRAMES, (48, 64), 'is 48x64, but the keypoints are for 640x480; give the clip in which they were detected')])
def test_a_background_that_does_not_fit_is_refused(refusal, tmp_path, count, size, reason):
    images = folder_of_images(tmp_path / 'images', count, size)
    assert f'--background {images} {reason}' in refusal(clip_json(tmp_path), '--background', images)


@pytest.mark.slow
def test_a_background_that_is_missing_or_no_clip_is_refused(refusal, tmp_path):
    path = clip_json(tmp_path)
    assert f'--background {path} is not a video' in refusal(path, '--background', path)
    assert '--background none.mp4 is neither a file nor a folder' in refusal(path, '--background', 'none.mp4')


# all people

def crossing_json(folder, frames=30):
    """Two people who cross, in alternating order in the file, and one of whom only the left wrist is seen."""
    def found(place, size=1.):
        return np.insert(STANDING * size + place, 2, .9, axis=1)
    content = []
    for frame in range(frames):
        stranger = found([480, 30], .4)
        stranger[np.arange(17) != COCO_17.joints.index('LWrist')] = 0
        people = [found([-120 + 12 * frame, 0]), found([240 - 12 * frame, 20], .9)][::1 if frame % 2 else -1]
        content.append([person.tolist() for person in people + [stranger] * (frame > 2)])
    path = folder / 'crossing.json'
    path.write_text(json.dumps(dict(width=640, height=480, fps=24, frames=content)))
    return path


@pytest.mark.slow
def test_all_people_are_lifted_and_two_who_cross_keep_their_numbers(run, tmp_path, lifter, capsys):
    path = crossing_json(tmp_path)
    motions = run(path, '--person', 'all', '--video', 'gif', '--root', 'centre')
    out, said = tmp_path / 'out', capsys.readouterr()
    own = [f'motion_{number}.{kind}' for number in (0, 1) for kind in ('npz', 'json', 'bvh')]
    assert sorted(each.name for each in out.iterdir()) == sorted([*own, 'motion.html', 'motion.gif'])
    assert [motion.person for motion in motions] == ['person 0', 'person 1']
    assert said.err.splitlines() == ['warning: person 2 is left out: no frame shows a hip or a shoulder']
    hip, = H36M_16.joints('Hip')
    steps = [np.diff(motion.pose2d_px[:, hip, 0]) for motion in motions]      # the first one in frame 0 walks to the left
    assert np.allclose(steps[0], -12, atol=1e-3) and np.allclose(steps[1], 12, atol=1e-3)
    for number, motion in enumerate(motions):
        np.testing.assert_allclose(motion.pose3d_rel, lift(lifter, motion.pose2d_px, 640, 480, 'cpu'), atol=1e-6)
        with np.load(out / f'motion_{number}.npz') as arrays:
            np.testing.assert_array_equal(arrays['pose3d_rel'], motion.pose3d_rel)
            assert arrays['person'] == f'person {number}'


@pytest.mark.slow
def test_a_persons_files_with_all_are_those_of_this_person_alone(run, tmp_path):
    path = crossing_json(tmp_path)
    level = ('--tilt', '0', '--roll', '0')      # else the angles are guessed from both people
    run(path, '--person', 'all', *level)
    run(path, '--person', '1', '--output', tmp_path / 'one', *level)
    for kind in ('npz', 'json', 'bvh'):
        assert (tmp_path / 'out' / f'motion_1.{kind}').read_bytes() == (tmp_path / 'one' / f'motion.{kind}').read_bytes()


@pytest.mark.slow
def test_files_of_one_person_and_of_all_are_not_mixed(run, refusal, tmp_path, capsys):
    path = crossing_json(tmp_path)
    run(path, '--person', 'all')
    capsys.readouterr()
    assert 'exists already' in refusal(path)
    run(path, '--overwrite', '--root', 'centre')
    warnings = capsys.readouterr().err.splitlines()
    assert len(warnings) == 6 and warnings[0] == f'warning: {tmp_path / "out" / "motion_0.bvh"} is from an earlier run'


def standing_without(folder, *names):
    """A clip of a person of whom these joints of COCO are never seen."""
    person = np.insert(STANDING, 2, .9, axis=1)
    person[[COCO_17.joints.index(name) for name in names]] = 0
    path = folder / 'partly.json'
    path.write_text(json.dumps(dict(width=640, height=480, fps=24, frames=[[person.tolist()]] * 3)))
    return path


@pytest.mark.slow
def test_people_without_hips_and_shoulders_are_refused(refusal, tmp_path):
    path = standing_without(tmp_path, 'LHip', 'RHip', 'LShoulder', 'RShoulder')
    assert 'no frame shows a hip or a shoulder of this person' in refusal(path)
    assert '--person all: no frame shows a hip or a shoulder of anybody' in refusal(path, '--person', 'all')


@pytest.mark.parametrize('flags', [(), ('--person', 'all')])
def test_a_joint_that_is_never_seen_is_guessed_with_a_warning(flags, run, tmp_path, capsys):
    motions = run(standing_without(tmp_path, 'LWrist', 'RAnkle'), *flags)
    motion = motions[0] if isinstance(motions, list) else motions
    assert 'warning: no frame shows RFoot, LWrist of person 0; guessed from the other joints\n' in capsys.readouterr().err
    assert (motion.guessed.all(0) == [name in ('RFoot', 'LWrist') for name in H36M_16.names]).all()
    assert not motion.guessed[:, ~motion.guessed.all(0)].any()


REFUSED = [(['--fov', '0'], "'0': give from 1 to 170 degrees"), (['--focal', '0'], "'0' is not a number greater than 0"),
           (['--fov', '50', '--focal', '900'], 'not allowed with argument --fov'),
           (['--head', 'joint'], '--head joint: coco17 has no joints for it'),
           (['--person', '2'], '--person 2: 2 people were tracked'),
           (['--person', 'both'], "'both' is neither all nor a whole number"),
           (['--smooth', '9'], "'9': --smooth takes seconds now, not frames; give less than 3"),
           (['--smooth', '3'], "'3': --smooth takes seconds now"), (['--smooth', '-1'], "'-1' is not a finite number"),
           (['--format', 'halpe26'], 'holds people of 17 joints, but --format halpe26 has 26'),
           (['--size', '640'], "'640' is not a size"),
           (['--size', '640x481'], 'clip.json says 640x480'), (['--fps', '0'], '0 frames per second is not a frame rate'),
           (['--fps', '1e-5'], 'give --fps from 0.01 to 10,000'), (['--fps', '1e9'], 'is not a valid frame rate'),
           (['--min_confidence', 'much'], "'much' is not a finite number"),
           (['--tilt', '91'], "'91': give from -90 to 90 degrees"), (['--roll', '-91'], "'-91': give from -90 to 90"),
           (['--root', 'middle'], "invalid choice: 'middle'"),
           (['--evaluate', 'none.tar'], 'none.tar is no file'),
           (['--input', 'none.json'], 'none.json is neither a file nor a folder'),
           (['--format', 'coco19'], "invalid choice: 'coco19'"), (['--output', __file__], 'is a file; give a folder')]


@pytest.mark.slow
@pytest.mark.parametrize('flags,reason', REFUSED)
def test_bad_arguments_are_refused_in_one_line(refusal, tmp_path, flags, reason):
    line = refusal(clip_json(tmp_path), *flags)
    assert line.startswith('error: ') and reason in line

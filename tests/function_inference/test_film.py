"""Videos of a motion: all frames at the right rate, the clip beside the 3D from three sides; refusals leave no files behind."""
import sys

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from common.errors import InputError
from common.skeleton import H36M_16
from function_inference import film
from function_inference.film import GIF_HEIGHT_PX, MP4_HEIGHT_PX, require_encoder, write_video
from motions import FACING, motion_of, posed, turned
from utils.pictures.drawing import LEFT, MIDDLE, RIGHT

GREEN = np.array([20, 200, 20], np.uint8)


def walking(frames=8, fps=10.0):
    return motion_of([turned(10 * frame) for frame in range(frames)], fps=fps)


def frames_of(path):
    """(frames (T, height, width, 3) uint8, their durations in ms) of a GIF."""
    with Image.open(path) as gif:
        frames, durations = [], []
        for number in range(gif.n_frames):
            gif.seek(number)
            frames.append(np.asarray(gif.convert('RGB')))
            durations.append(gif.info['duration'])
    return np.stack(frames), durations


def halves(frames):
    """The image's part and the turning view's, a square, of (T, height, width, 3)."""
    height = frames.shape[1]
    return frames[:, :, :-height - height // 2], frames[:, :, -height - height // 2:-(height // 2)]


def still_views(frames):
    """The views from the side and from the top, squares, of (T, height, width, 3)."""
    half = frames.shape[1] // 2
    return frames[:, :half, -half:], frames[:, half:, -half:]


def grey(count):
    """Images of `motion_of`'s size."""
    return [np.full((480, 640, 3), 240, np.uint8)] * count


def pixel(half, motion, joint, frame=0):
    """The pixel at a joint in the input's part (T, height, width, 3) of a video."""
    x, y = motion.pose2d_px[frame, H36M_16.joints(joint)[0]] * half.shape[1] / motion.height
    return half[frame, round(float(y)), round(float(x))]


def near(picture, colour, within=40):
    """Mask of the pixels that have the colour."""
    return np.abs(picture.astype(int) - 255 * np.array(to_rgb(colour))).max(axis=-1) < within


def centre(mask):
    """(right, down) of a mask's pixels, in pixels."""
    return np.argwhere(mask).mean(axis=0)[::-1]


def last_column(mask):
    """The number of the last column of a mask with a pixel."""
    return np.flatnonzero(mask.any(axis=0)).max()


def written(path, *motions, **options):
    write_video(path, motions, **options)
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    return frames_of(path)


def test_a_gif_has_every_frame_at_its_time_and_does_not_mirror_the_person(tmp_path):
    motion = walking()
    frames, durations = written(tmp_path / 'it.gif', motion, frames=grey(8))
    assert frames.shape == (8, GIF_HEIGHT_PX, 426 + 3 * GIF_HEIGHT_PX // 2, 3) and durations == [100] * 8
    for half in halves(frames):
        left, right, trunk = (near(half[0, 60:], colour) for colour in (LEFT, RIGHT, MIDDLE))
        assert left.sum() > 100 and right.sum() > 100
        assert centre(left)[0] > centre(right)[0] + 10          # the person faces us
        assert centre(trunk)[1] < centre(left)[1]               # head up
    for frame in (0, 7):
        assert near(pixel(halves(frames)[0], motion, 'LWrist', frame), LEFT)
        assert near(pixel(halves(frames)[0], motion, 'RFoot', frame), RIGHT)


def test_the_skeleton_turns_while_the_input_stays(tmp_path):
    still = motion_of([FACING] * 4, fps=1)
    frames, _ = written(tmp_path / 'it.gif', still, frames=grey(4))
    left, right = halves(frames)
    for picture in (left, *still_views(frames)):
        assert (near(picture[0], LEFT) == near(picture[3], LEFT)).mean() > .999      # but for the colours of a GIF
    places = [centre(near(picture[60:], LEFT))[0] - centre(near(picture[60:], RIGHT))[0] for picture in right[:3]]
    assert places[0] > 1.5 * places[2] > 10                    # a sixth of a turn in two of twelve seconds


def test_nearer_bones_cover_farther_bones(tmp_path):
    """Seen from the front with one leg before the other, more of the nearer leg's colour is visible."""
    for side, shows, hidden in (('L', LEFT, RIGHT), ('R', RIGHT, LEFT)):
        other = 'R' if side == 'L' else 'L'
        pose = posed(**{side + 'Hip': (0, 0, -1), other + 'Hip': (0, 0, 1)},
                     **{leg + joint: (0, 1, 0) for leg in 'LR' for joint in ('Knee', 'Foot')})
        frames, _ = written(tmp_path / side / 'it.gif', motion_of([pose, pose]))
        legs = halves(frames)[1][0, GIF_HEIGHT_PX // 2:]
        assert near(legs, shows).sum() > near(legs, hidden).sum() + 50


def test_without_images_only_the_3d_is_shown(tmp_path):
    frames, _ = written(tmp_path / 'it.gif', motion_of([FACING] * 2))
    assert frames.shape[2] == 3 * GIF_HEIGHT_PX // 2 and halves(frames)[0].size == 0
    assert near(halves(frames)[1][0, 60:], LEFT).sum() > 100


def test_the_still_views_are_from_the_side_and_from_the_top(tmp_path):
    """The person faces us: seen from their right side they look to the right, and from the top their left is on our right."""
    pose = posed(LElbow=(1, 0, 0), LWrist=(1, 0, 0), RElbow=(0, 0, -1), RWrist=(0, 0, -1))
    side, top = still_views(written(tmp_path / 'it.gif', motion_of([pose] * 2)._replace(guessed=np.zeros((2, 16), bool)))[0])
    side, top = side[0, 20:], top[0, 20:]
    assert last_column(near(side, RIGHT)) > last_column(near(side, MIDDLE)) + 10       # the right arm points to the camera
    assert centre(near(top, LEFT))[0] > centre(near(top, RIGHT))[0] + 10
    assert last_column(near(top, RIGHT).T) > last_column(near(top, LEFT).T) + 10


@pytest.mark.slow
def test_the_views_follow_a_person_who_walks_away_and_the_floor_stays(tmp_path):
    path = np.stack([np.linspace(-4, 4, 81), np.zeros(81), np.full(81, 6)], axis=1)
    frames, _ = written(tmp_path / 'it.gif', motion_of([FACING] * 81, fps=12.5, root_cam=path))
    top = still_views(frames)[1]
    person = [centre(near(picture[20:], LEFT))[0] for picture in top[20:60]]
    lines = [near(picture[-10:], '0.85', 12).all(axis=0).argmax() for picture in top[20:60]]
    assert np.ptp(person) < 3 and np.ptp(lines) > 10


def test_guessed_joints_are_hollow_in_the_image_and_their_limbs_pale(tmp_path):
    guessed, seen = motion_of([FACING, FACING]), motion_of([FACING, FACING])
    guessed.guessed[:], seen.guessed[:] = True, False
    frames, seen_frames = (halves(written(tmp_path / name / 'it.gif', motion, frames=grey(2))[0]) for name, motion in
                           (('guessed', guessed), ('seen', seen)))
    for half, seen_half in zip(frames, seen_frames):
        assert near(half[0, 60:], LEFT).sum() < near(seen_half[0, 60:], LEFT).sum() - 50
    assert near(pixel(frames[0], guessed, 'LWrist'), 'white') and near(pixel(seen_frames[0], seen, 'LWrist'), LEFT)


@pytest.mark.slow
@pytest.mark.parametrize('size', [(320, 240), (180, 320), (1280, 300)], ids=str)
def test_the_clips_images_are_shown_in_order_and_not_stretched(tmp_path, size):
    width, height = size
    images = (np.full((height, width, 3), GREEN + np.uint8(5 * number)) for number in range(8))
    frames, _ = written(tmp_path / 'it.gif', walking()._replace(width=width, height=height), frames=images)
    for number, picture in enumerate(halves(frames)[0]):
        shown = np.abs(picture.astype(int) - GREEN - 5 * number).max(axis=-1) < 3
        rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
        assert np.ptp(columns) / np.ptp(rows) == pytest.approx(width / height, rel=.02)


def test_uneven_frames_are_shown_at_a_constant_rate_each_with_its_image(tmp_path):
    motion = walking(4)._replace(width=640, height=480, time=np.array([0, .1, .5, .6]))
    images = (np.full((48, 64, 3), shade, np.uint8) for shade in (0, 60, 120, 180))
    frames, durations = written(tmp_path / 'it.gif', motion, frames=images)
    assert durations == [100] * 7
    np.testing.assert_allclose(frames[:, 5, 30, 0], [0, 60, 60, 60, 120, 120, 180], atol=8)


@pytest.mark.slow
def test_the_gif_of_a_fast_or_long_motion_has_fewer_frames_and_the_same_duration(tmp_path, monkeypatch):
    images = [np.full((48, 64, 3), GREEN + np.uint8(10 * (number // 4))) for number in range(12)]
    motion = walking(12, fps=50.0)._replace(width=64, height=48)
    frames, durations = written(tmp_path / 'fast' / 'it.gif', motion, frames=images)
    assert len(frames) == 3 and sum(durations) == 240
    green = [np.median(picture[80:160, :80], axis=(0, 1)) for picture in halves(frames)[0]]
    assert np.abs(np.array(green) - [GREEN + 10 * number for number in range(3)]).max() < 3
    monkeypatch.setattr(film, 'GIF_FRAMES', 2)
    frames, durations = written(tmp_path / 'long' / 'it.gif', motion)
    assert len(frames) == 2 and sum(durations) == 240


def test_durations_do_not_drift(tmp_path):
    _, durations = written(tmp_path / 'it.gif', walking(9, fps=8.0))
    assert set(durations) == {120, 130} and sum(durations) == pytest.approx(9 / 8 * 1000, abs=5)


@pytest.mark.slow
def test_a_single_pose_is_shown_for_one_turn(tmp_path, monkeypatch):
    monkeypatch.setattr(film, 'TURN_SECONDS', 1)
    image = np.full((48, 64, 3), GREEN)
    frames, durations = written(tmp_path / 'it.gif', motion_of([FACING])._replace(width=64, height=48), frames=iter([image]))
    assert len(frames) == film.STILL_FPS and sum(durations) == 1000
    half_a_turn = halves(frames)[1][len(frames) // 2, 60:]
    assert centre(near(half_a_turn, LEFT))[0] < centre(near(half_a_turn, RIGHT))[0]       # seen from behind


def test_tilt_puts_the_skeleton_upright(tmp_path):
    lying, standing = motion_of([FACING @ [[1, 0, 0], [0, 0, 1], [0, -1, 0]]] * 2), motion_of([FACING] * 2)
    films = [halves(written(tmp_path / f'{tilt}' / 'it.gif', motion._replace(tilt_deg=tilt))[0])[1][0, 60:]
             for motion, tilt in ((lying, 90), (standing, 0), (lying, 0))]
    assert (near(films[0], LEFT) == near(films[1], LEFT)).mean() > .999 > (near(films[2], LEFT) == near(films[1], LEFT)).mean()


@pytest.mark.slow
def test_an_mp4_has_every_frame_at_its_rate(tmp_path):
    imageio_ffmpeg = pytest.importorskip('imageio_ffmpeg')
    motion = walking(12, fps=29.97)._replace(width=201, height=301)
    write_video(tmp_path / 'it.mp4', [motion], frames=[np.full((301, 201, 3), GREEN)] * 12)
    assert [path.name for path in tmp_path.iterdir()] == ['it.mp4']
    video = imageio_ffmpeg.read_frames(tmp_path / 'it.mp4')
    facts = next(video)
    frames = [np.frombuffer(frame, np.uint8).reshape(*facts['size'][::-1], 3) for frame in video]
    assert len(frames) == 12 and facts['fps'] == pytest.approx(29.97) and facts['codec'] == 'h264'
    assert facts['pix_fmt'].startswith('yuv420p') and facts['size'] == (320 + 3 * MP4_HEIGHT_PX // 2, MP4_HEIGHT_PX)
    assert np.abs(np.median(frames[5][100:300, 60:150], axis=(0, 1)) - GREEN).max() < 12
    assert near(frames[0], LEFT).sum() > 100 and near(frames[0], RIGHT).sum() > 100


# Several people

def crossing(first, last):
    """Two people, on the left and the right of the image; the second is in sight from frame `first` to `last`."""
    one, other = walking()._replace(person='person 0'), walking()._replace(person='person 3')
    one.pose2d_px[..., 0] -= 150
    other.pose2d_px[..., 0] += 150
    other.guessed[:first] = other.guessed[last + 1:] = True
    return one, other


@pytest.mark.slow
def test_people_without_places_stand_side_by_side_and_share_the_image(tmp_path):
    frames, _ = written(tmp_path / 'it.gif', *crossing(0, 7), frames=grey(8))
    image, turning = (near(half[0], LEFT) for half in halves(frames))
    middle = GIF_HEIGHT_PX // 2
    assert turning[60:, :middle].sum() > 100 and turning[60:, middle:].sum() > 100
    assert image[:, :213].sum() > 50 and image[:, 213:].sum() > 50


@pytest.mark.slow
def test_a_person_out_of_sight_is_not_shown(tmp_path):
    frames, _ = written(tmp_path / 'it.gif', *crossing(2, 5), frames=grey(8))
    image, turning = halves(frames)
    shown = [near(picture[:, 213:], LEFT).sum() > 50 for picture in image]
    assert shown == [2 <= number <= 5 for number in range(8)]
    trunks = np.array([near(picture[60:], MIDDLE).sum() for picture in turning])
    assert trunks[2:6].min() > 1.2 * trunks[[0, 1, 6, 7]].max() > 100


def test_people_stand_where_they_are_in_the_room(tmp_path):
    """Seen from above, the person at the left of the image is at the left, and the one farther away is higher."""
    near_by, far = (motion_of([turned(90)] * 2, root_cam=place)._replace(guessed=np.zeros((2, 16), bool))
                    for place in ((-1, 0, 5), (1, 0, 8)))
    far = far._replace(person='person 1', pose3d_rel=far.pose3d_rel[:, H36M_16.mirror])      # its left side in front
    top = still_views(written(tmp_path / 'it.gif', near_by, far)[0])[1][0, 20:]
    trunk = near(top, MIDDLE)
    left, right = trunk[:, :trunk.shape[1] // 2], trunk[:, trunk.shape[1] // 2:]
    assert centre(left)[1] > centre(right)[1] + 20


# Refusals

@pytest.mark.parametrize('name', ['it.avi', 'it', 'it.mp4.txt'])
def test_other_names_are_refused(tmp_path, name):
    with pytest.raises(InputError, match='.mp4 or .gif'):
        write_video(tmp_path / name, [walking()])
    assert not list(tmp_path.iterdir())


def test_without_ffmpeg_the_error_says_what_to_install_and_gif_still_works(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'imageio_ffmpeg', None)
    for refused in (lambda: require_encoder(tmp_path / 'it.mp4'), lambda: write_video(tmp_path / 'it.mp4', [walking()])):
        with pytest.raises(InputError, match='pip install imageio-ffmpeg') as error:
            refused()
        assert '.gif' in str(error.value) and '\n' not in str(error.value)
    assert not list(tmp_path.iterdir())
    require_encoder(tmp_path / 'it.gif')
    written(tmp_path / 'it.gif', walking(2))


@pytest.mark.parametrize('name', ['it.gif', 'it.mp4'])
def test_a_clip_that_ends_too_early_is_refused_and_an_older_file_is_kept(tmp_path, name):
    if name == 'it.mp4':
        pytest.importorskip('imageio_ffmpeg')
    (tmp_path / name).write_text('as it was')
    with pytest.raises(InputError, match='frame 3'):
        write_video(tmp_path / name, [walking()], frames=[np.zeros((480, 640, 3), np.uint8)] * 3)
    assert (tmp_path / name).read_text() == 'as it was' and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize('frames', [2, 60])
def test_a_failure_of_ffmpeg_is_one_line(tmp_path, monkeypatch, frames):
    imageio_ffmpeg = pytest.importorskip('imageio_ffmpeg')
    write_frames = imageio_ffmpeg.write_frames
    monkeypatch.setattr(imageio_ffmpeg, 'write_frames', lambda *a, **k: write_frames(*a, **{**k, 'codec': 'no-such-codec'}))
    with pytest.raises(InputError, match='free some disk space') as error:
        write_video(tmp_path / 'it.mp4', [walking(frames)])
    assert '\n' not in str(error.value) and not list(tmp_path.iterdir())

"""The path of a person: found again from what a camera sees, jumps included; gaps and single bad frames do not show."""
import numpy as np
import pytest

from function_inference.lifting import FollowedPerson, smoothing_window
from function_inference.root import outliers, smooth_path, with_roots
from function_inference.tracks import smooth
from motions import motion_of, turned

FPS, FOCAL_PX, WIDTH, HEIGHT = 30.0, 1100, 1080, 1920
TIME = np.arange(0, 4, 1 / FPS)
WINDOW = smoothing_window(.3, FPS, len(TIME))


def jumping(height_m, times=TIME, start=1.5):
    """(T, 3) metres: somebody walks away to the right and jumps once."""
    speed = np.sqrt(2 * 9.81 * height_m)
    airborne = np.clip(times - start, 0, 2 * speed / 9.81)
    return np.stack([.4 * times - 1, .1 - speed * airborne + 9.81 / 2 * airborne ** 2, 5 + .5 * times], axis=1)


def filmed(path, window, scale=1., weights=None):
    """(Motion without a place, FollowedPerson) as a perfect lifter would see them, the 2D smoothed as in run_inference.py."""
    pose3d_rel = np.stack([turned(2 * frame) for frame in range(len(path))])
    pose3d_cam = pose3d_rel + path[:, None]
    pose2d_px = pose3d_cam[..., :2] / pose3d_cam[..., 2:] * FOCAL_PX + np.array([WIDTH, HEIGHT]) / 2
    pose2d_px = smooth(pose2d_px, window) if window else pose2d_px
    motion = motion_of(pose3d_rel * np.broadcast_to(scale, len(path))[:, None, None], fps=FPS)._replace(
        pose2d_px=pose2d_px, width=WIDTH, height=HEIGHT)
    weights = np.ones(pose2d_px.shape[:2], np.float32) if weights is None else weights
    return motion, FollowedPerson('person 0', pose2d_px, motion.guessed, weights)


def found(path, window=WINDOW, **options):
    motion, person = filmed(path, window, **options)
    placed, = with_roots([motion], [person], FOCAL_PX, window)
    return placed.root_cam


def test_a_jump_of_half_a_metre_survives():
    path = jumping(.5)
    root_cam = found(path)
    assert root_cam.dtype == np.float32 and np.linalg.norm(root_cam - path, axis=1).max() < .05
    assert (.1 - root_cam[:, 1]).max() == pytest.approx(.5, abs=.02)


def test_without_smoothing_every_frame_is_exact():
    path = jumping(.5)
    assert np.abs(found(path, window=0) - path).max() < 1e-3


def test_a_body_that_grows_and_shrinks_stays_where_it_is():
    path = jumping(0)
    scale = 1 + .1 * np.sin(np.arange(len(TIME)))
    assert np.abs(found(path, window=0, scale=scale) - path)[:, 2].max() < .03


def test_frames_in_which_nothing_is_seen_are_filled_in():
    weights = np.ones((len(TIME), 16), np.float32)
    weights[50:60] = weights[100:] = 0
    path = jumping(0)
    root_cam = found(path, weights=weights)
    assert np.abs(root_cam - path)[:95].max() < .05 and np.abs(root_cam[105:] - root_cam[-1]).max() < .05


def test_a_person_whose_place_no_frame_determines_stays_in_place_with_a_warning(capsys):
    assert not found(jumping(0), weights=np.zeros((len(TIME), 16), np.float32)).any()
    assert 'warning: the place of person 0 in the room cannot be determined' in capsys.readouterr().err


@pytest.mark.parametrize('frames', [[40], [40, 41, 90], [0], [len(TIME) - 1]], ids=str)
def test_bad_frames_do_not_show(frames):
    path = jumping(.5)
    bad = path.copy()
    bad[frames] *= 1.4
    assert list(np.flatnonzero(outliers(bad, FPS))) == frames
    assert np.linalg.norm(smooth_path(bad, 9, FPS) - path, axis=1).max() < .1
    assert np.array_equal(smooth_path(bad, 0, FPS), bad)


@pytest.mark.parametrize('fps', [12, 25, 50, 120])
def test_a_jump_is_not_an_outlier_at_any_frame_rate(fps):
    for start in np.linspace(1.5, 1.6, 7):
        assert not outliers(jumping(.6, np.arange(0, 4, 1 / fps), start), fps).any()


def test_noise_of_the_depth_is_smoothed():
    rng = np.random.default_rng(0)
    path = jumping(0)
    noisy = path * (1 + .02 * rng.normal(size=(len(path), 1)))
    smoothed = smooth_path(noisy, 9, FPS)
    assert np.abs(np.diff(smoothed[:, 2] - path[:, 2])).mean() < .15 * np.abs(np.diff(noisy[:, 2] - path[:, 2])).mean()


@pytest.mark.parametrize('frames', [1, 2, 4, 9])
def test_short_clips_have_places_too(frames):
    path = jumping(0)[:frames]
    window = smoothing_window(.3, FPS, frames)
    assert np.abs(found(path, window) - path).max() < .01

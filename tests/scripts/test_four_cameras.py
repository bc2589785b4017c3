"""The four calibrated cameras of examples/four_cameras.py: reading the calibration, triangulation, and the figures."""
import numpy as np
import pytest

from common.errors import InputError
from common.skeleton import H36M_16
from examples.four_cameras import calibrated, figures, triangulated
from sequences_3dpw import rotation

CAMERA = '''<calibration><cameras><camera serial="cam0{number}">
<transform r11="{r[0][0]}" r12="{r[0][1]}" r13="{r[0][2]}" r21="{r[1][0]}" r22="{r[1][1]}" r23="{r[1][2]}" r31="{r[2][0]}"
 r32="{r[2][1]}" r33="{r[2][2]}" x="{x[0]}" y="{x[1]}" z="{x[2]}"/>
<intrinsic centerPointU="32000" centerPointV="64000" focalLengthU="96000" focalLengthV="96640" radialDistortion1="-0.04"
 radialDistortion2="0.1" tangentalDistortion1="0.001" tangentalDistortion2="0.002"/></camera></cameras></calibration>'''


def looking_at_the_origin(place):
    """Axes (rows right, up, backwards) of a camera at `place`, metres, z up."""
    back = np.array(place) / np.linalg.norm(place)
    right = np.cross([0, 0, 1.], back)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(back, right), back])


def views_of(tmp_path, places):
    views = []
    for number, place in enumerate(places):
        path = tmp_path / f'{number}.txt'
        path.write_text(CAMERA.format(number=number, r=looking_at_the_origin(place), x=1000 * np.array(place)))
        views += calibrated(path)
    return views


def test_the_calibration_is_in_pixels_and_metres(tmp_path):
    view, = views_of(tmp_path, [(3., 1., 1.5)])
    np.testing.assert_allclose(view.matrix, [[1500, 0, 500], [0, 1510, 1000], [0, 0, 1]])
    np.testing.assert_allclose(view.distortion, [-.04, .1, .001, .002])
    ahead = view.rotation @ np.zeros(3) + view.shift
    np.testing.assert_allclose(ahead, [0, 0, np.linalg.norm([3, 1, 1.5])], atol=1e-12)
    above = view.rotation @ np.array([0, 0, 1.]) + view.shift
    assert above[1] < 0 and abs(above[0]) < 1e-12      # y points down in the image


def test_points_are_found_where_they_are_without_a_camera_that_does_not_see_them(tmp_path):
    views = views_of(tmp_path, [(3., 1., 1.5), (-2., 3., 1.), (-3., -2., 2.), (2., -3., 1.2)])
    world = np.random.default_rng(0).normal(size=(5, 16, 3)) * .4
    cameras = [world @ view.rotation.T + view.shift for view in views]
    rays = np.stack([camera[..., :2] / camera[..., 2:] for camera in cameras])
    seen = np.ones(rays.shape[:-1], dtype=bool)
    rays[0, 2], seen[0, 2] = 9., False
    np.testing.assert_allclose(triangulated(rays, seen, views), world, atol=1e-9)


def test_a_turned_and_larger_pose_has_errors_of_place_and_length_but_none_after_alignment():
    truth = np.random.default_rng(1).normal(size=(6, 16, 3))
    found = figures(1.1 * (truth - truth[:, :1]) @ rotation(np.array([.3, .2, -.1])), truth)
    bones = np.stack([np.linalg.norm(truth[:, joint] - truth[:, parent], axis=-1) for joint, parent in H36M_16.edges], axis=1)
    assert found[0] < 1e-6 and found[1] > 100
    assert found[2:] == pytest.approx((100 * bones.mean(), 1100 * bones.std(0, ddof=1).mean()))


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match='takes the folder Demo_SinglePerson'):
        calibrated(tmp_path / 'calibration' / 'Calib.qca.txt')

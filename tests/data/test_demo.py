"""The synthetic people: anatomy, names, determinism, and what the cameras see of them."""
import numpy as np
import pytest
import torch

from common.camera import project, world_to_camera
from common.datasets.h36m_protocol import ACTIONS, SEQUENCES_PER_SUBJECT, SUBJECTS, action_of, cameras
from common.skeleton import H36M_16
from data.demo.kinematics import bend_to, unit
from data.demo.motion import FILMINGS, clips, cross_domain

HIP, RHIP, RKNEE, RFOOT, LHIP, LKNEE, LFOOT = H36M_16.joints('Hip', 'RHip', 'RKnee', 'RFoot', 'LHip', 'LKnee', 'LFoot')


@pytest.fixture(scope='module')
def people():
    return clips()


@pytest.fixture(scope='module')
def filmed():
    return cross_domain()


def bone_lengths(pose3d):
    return np.linalg.norm(H36M_16.bone_matrix @ pose3d, axis=-1)


def whole(person):
    """All sequences of a subject: (T, 16, 3)."""
    return np.concatenate(list(person.values()))


def flexion(pose3d, *joints):
    """Degrees by which a limb of three named joints departs from straight: (T,)."""
    start, middle, end = (pose3d[:, joint] for joint in H36M_16.joints(*joints))
    upper, lower = middle - start, end - middle
    cosine = (upper * lower).sum(-1) / np.linalg.norm(upper, axis=-1) / np.linalg.norm(lower, axis=-1)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def test_seven_subjects_with_human36m_names(people):
    assert tuple(people) == SUBJECTS
    for person in people.values():
        assert len(person) == SEQUENCES_PER_SUBJECT
        assert sorted(person) == sorted(f'{action}{suffix}' for action in ACTIONS for suffix in ('', ' 1'))
        assert {action_of(name) for name in person} == set(ACTIONS)


def test_arrays_are_finite_float32_of_the_asked_length():
    for person in clips(frames_per_clip=7).values():
        for pose3d in person.values():
            assert pose3d.shape == (7, 16, 3) and pose3d.dtype == np.float32 and np.isfinite(pose3d).all()


def test_bones_are_rigid_and_symmetric_and_people_differ(people):
    bodies = []
    for person in people.values():
        lengths = bone_lengths(whole(person))
        assert np.ptp(lengths, axis=0).max() < 1e-5
        np.testing.assert_allclose(lengths[0], lengths[0, H36M_16.bone_mirror], atol=1e-5)
        bodies.append(lengths[0])
    assert np.ptp(bodies, axis=0).min() > 0.01


@pytest.mark.slow
def test_same_seed_same_motion_other_seed_other_motion(people):
    again, other = clips(seed=0), clips(seed=1)
    for subject, person in people.items():
        for name, pose3d in person.items():
            np.testing.assert_array_equal(pose3d, again[subject][name])
            assert np.abs(pose3d - other[subject][name]).max() > 0.01


def test_nothing_sinks_into_the_floor_and_someone_touches_it(people):
    lowest = np.concatenate([whole(person)[..., 2].min(axis=1) for person in people.values()])
    assert lowest.min() > -0.01
    assert np.median(lowest) < 0.12


def test_people_stay_in_the_room(people):
    for person in people.values():
        assert np.abs(whole(person)[:, HIP, :2]).max() < 1.6


@pytest.mark.parametrize('limb, limit', [(('Hip', 'Knee', 'Foot'), 140), (('Shoulder', 'Elbow', 'Wrist'), 152)])
def test_knees_and_elbows_bend_within_their_range(people, limb, limit):
    for person in people.values():
        for side in 'LR':
            assert flexion(whole(person), *(side + joint for joint in limb)).max() <= limit


def test_knees_bend_backwards_only(people):
    """The shank folds behind the thigh: turning from thigh to shank goes about the pelvis's axis towards its left."""
    for person in people.values():
        pose3d = whole(person)
        leftwards = pose3d[:, LHIP] - pose3d[:, RHIP]
        leftwards /= np.linalg.norm(leftwards, axis=-1, keepdims=True)
        for hip, knee, foot in ((RHIP, RKNEE, RFOOT), (LHIP, LKNEE, LFOOT)):
            thigh, shank = pose3d[:, knee] - pose3d[:, hip], pose3d[:, foot] - pose3d[:, knee]
            hinge = np.cross(thigh, shank) / np.linalg.norm(thigh[0]) / np.linalg.norm(shank[0])
            assert (hinge * leftwards).sum(-1).min() > -np.sin(np.radians(5))


def test_elbows_never_bend_behind_a_hanging_arm(people):
    """With the upper arm along the trunk the forearm cannot point backwards."""
    neck, mid, left, right = H36M_16.joints('Thorax', 'Spine', 'LShoulder', 'RShoulder')
    for person in people.values():
        pose3d = whole(person)
        up, across = pose3d[:, neck] - pose3d[:, mid], pose3d[:, left] - pose3d[:, right]
        ahead = unit(np.cross(across, up))
        for side in 'LR':
            names = (side + joint for joint in ('Shoulder', 'Elbow', 'Wrist'))
            shoulder, elbow, wrist = (pose3d[:, joint] for joint in H36M_16.joints(*names))
            upper, forearm = elbow - shoulder, wrist - elbow
            hanging = (unit(upper) * unit(up)).sum(-1) < -.94
            backwards = (np.cross(unit(upper), np.cross(forearm, unit(upper))) * ahead).sum(-1)
            assert hanging.any()
            assert np.percentile(backwards[hanging], 2) > -0.12


def test_every_camera_sees_nearly_everything(people):
    for subject, person in people.items():
        pose3d = torch.from_numpy(whole(person))
        for camera in cameras(subject):
            intrinsic, orientation, translation = (torch.from_numpy(array) for array in camera[3:])
            pose3d_cam = world_to_camera(pose3d, orientation, translation)
            pose2d_norm = project(pose3d_cam, intrinsic.expand(len(pose3d), -1))
            assert pose3d_cam[..., 2].min() > 1
            assert (pose2d_norm.abs() <= 1).float().mean() > 0.995


def test_headings_cover_all_sides(people):
    across = np.concatenate([whole(person)[:, LHIP] - whole(person)[:, RHIP] for person in people.values()])
    share, _ = np.histogram(np.arctan2(across[:, 1], across[:, 0]), bins=8, range=(-np.pi, np.pi))
    assert share.min() > 0.06 * share.sum()


def test_cross_domain_lies_inside_its_images(filmed):
    pose3d_cam, pose2d_px, sequence = filmed
    assert pose3d_cam.shape == (2929, 16, 3) and pose2d_px.shape == (2929, 16, 2) and pose3d_cam.dtype == np.float32
    assert sorted(set(sequence)) == [1, 2, 3, 4, 5, 6] and (np.diff(sequence) >= 0).all()
    sizes = np.array([(filming.width, filming.height) for filming in FILMINGS])[sequence - 1]
    assert (sizes[sequence <= 4] == 2048).all() and (sizes[sequence > 4] == (1920, 1080)).all()
    assert pose3d_cam[..., 2].min() > 0.5
    assert (pose2d_px >= 0).all() and (pose2d_px <= sizes[:, None]).all()


def test_cross_domain_2d_is_the_pinhole_projection_of_its_3d(filmed):
    """About the image's centre, pixels over x / z is one focal length for all joints of a frame and for both axes."""
    pose3d_cam, pose2d_px, sequence = filmed
    centre = np.array([(filming.width / 2, filming.height / 2) for filming in FILMINGS])[sequence - 1]
    plane, offset = pose3d_cam[..., :2] / pose3d_cam[..., 2:], pose2d_px - centre[:, None]
    focal = (plane * offset).sum((1, 2), keepdims=True) / (plane ** 2).sum((1, 2), keepdims=True)
    np.testing.assert_allclose(offset, focal * plane, atol=0.05)
    assert np.ptp(focal) > 100


def test_cross_domain_is_filmed_from_other_heights(filmed):
    """The sequences' elevations, seen in how upright bodies lean in the camera, differ more than Human3.6M's."""
    spread = []
    for subject in SUBJECTS:
        for camera in cameras(subject):
            axis = world_to_camera(torch.tensor([[0., 0., 1.], [0., 0., 0.]]), torch.from_numpy(camera.orientation),
                                   torch.from_numpy(camera.translation))
            spread.append(float(axis[0, 2] - axis[1, 2]))          # minus the sine of the angle by which it looks down
    upright = filmed[0][:, H36M_16.joints('Thorax')[0]] - filmed[0][:, HIP]
    leaning = upright[:, 2] / np.linalg.norm(upright, axis=-1)
    per_sequence = [np.median(leaning[filmed[2] == number]) for number in range(1, 7)]
    assert np.ptp(per_sequence) > 2 * np.ptp(spread)


def test_cross_domain_is_deterministic_and_takes_a_count(filmed):
    np.testing.assert_array_equal(cross_domain(count=120)[1], cross_domain(count=120)[1])
    assert len(cross_domain(count=120)[2]) == 120
    assert np.abs(cross_domain(seed=1, count=120)[0] - cross_domain(count=120)[0]).max() > 0.01


def test_inverse_kinematics_keeps_lengths_and_reaches():
    rng = np.random.default_rng(0)
    start, hint = rng.normal(size=(2, 200, 3))
    target = start + .4 * rng.normal(size=(200, 3))
    middle, end = bend_to(start, target, (.3, .25), hint)
    np.testing.assert_allclose(np.linalg.norm(middle - start, axis=-1), .3, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(end - middle, axis=-1), .25, atol=1e-9)
    within = (np.linalg.norm(target - start, axis=-1) < .54) & (np.linalg.norm(target - start, axis=-1) > .2)
    np.testing.assert_allclose(end[within], target[within], atol=1e-9)
    line = unit(end - start)
    aside = middle - start - ((middle - start) * line).sum(-1, keepdims=True) * line
    assert ((aside * hint).sum(-1) > 0).all()

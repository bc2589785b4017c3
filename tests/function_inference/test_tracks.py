"""Tracking people over frames: identities, the choice of a person, interpolation, and smoothing."""
import numpy as np
import pytest

from common.errors import InputError
from common.skeleton import H36M_16
from function_inference.tracks import (EVERYONE, FARTHEST_STEP, PATIENCE, Track, choose_people, complete, describe,
                                       never_found, smooth, track_people)

HIP, WRIST = H36M_16.joints('Hip', 'LWrist')
FRAMES = 40
POSE = np.random.default_rng(0).uniform(-50, 50, (16, 2))      # about 100 pixels wide and high


def walker(start, speed, frames=FRAMES, confidence=.9):
    """(frames, 16, 3): a rigid person who moves by `speed` (2,) pixels per frame."""
    places = np.asarray(start) + np.arange(frames)[:, None] * np.asarray(speed)
    return np.concatenate([POSE + places[:, None], np.full((frames, 16, 1), confidence)], axis=-1).astype(np.float32)


def crowd(*walkers, seed=1):
    """The people of each frame, in random order, as from a detector."""
    rng = np.random.default_rng(seed)
    return [np.stack([walker[frame] for walker in walkers])[rng.permutation(len(walkers))] for frame in range(FRAMES)]


def track(joints):
    """Track of a person who is in every frame of `joints` (T, 16, 3)."""
    return Track(np.arange(len(joints)), joints)


def test_people_keep_their_number_while_they_pass_each_other():
    walkers = walker((0, 100), (10, 0)), walker((400, 180), (-10, 0)), walker((200, 500), (0, 0))
    tracks = track_people(crowd(*walkers))
    assert [list(each.frames) for each in tracks] == [list(range(FRAMES))] * 3
    for each in tracks:
        assert any(np.array_equal(each.joints, walker) for walker in walkers)


@pytest.mark.parametrize('hidden', [(), (18, 19, 20, 21)], ids=['in sight', 'occluded'])
def test_two_equal_people_who_meet_head_on_keep_their_number(hidden):
    """Each comes nearest to where the other was, so only their velocity tells them apart; one may occlude the other."""
    right, left = walker((0, 100), (8, 0)), walker((314, 100), (-8, 0))
    people = [found[:1] if frame in hidden else found
              for frame, found in enumerate(np.stack([right, left], axis=1))]
    first, second = track_people(people)
    np.testing.assert_array_equal(first.joints, right)
    np.testing.assert_array_equal(second.joints, np.delete(left, hidden, axis=0))


def test_a_person_who_stops_while_out_of_sight_is_found_again():
    person = walker((0, 100), (6, 0))
    person[15:] = person[15]
    gone = [person[frame:frame + 1][:0 if 15 <= frame < 35 else 1] for frame in range(FRAMES)]
    assert len(track_people(gone)) == 1


def test_a_person_who_moves_too_far_gets_a_new_track():
    extent = np.linalg.norm(np.ptp(POSE, axis=0))
    for step, count in ((.9, 1), (1.1, 2)):
        jump = walker((0, 0), (0, 0))
        jump[20:, :, 0] += step * FARTHEST_STEP * extent
        assert len(track_people([person[None] for person in jump])) == count


@pytest.mark.parametrize('gap,count', [(PATIENCE - 1, 1), (PATIENCE, 2)])
def test_a_person_who_was_away_for_long_gets_a_new_track(gap, count):
    still = walker((0, 0), (0, 0), 2)
    people = [still[:1]] + [still[:0]] * gap + [still[:1]]
    tracks = track_people(people)
    assert len(tracks) == count
    assert [frame for each in tracks for frame in each.frames] == [0, gap + 1]


def test_only_joints_seen_in_both_frames_are_compared():
    person = walker((300, 300), (1, 0), 2)
    person[1, :8] = 0
    assert len(track_people([each[None] for each in person])) == 1
    person[0, 8:] = 0      # no joint is seen in both
    assert len(track_people([each[None] for each in person])) == 2


def test_people_without_any_joint_are_ignored():
    assert track_people([np.zeros((2, 16, 3)), np.zeros((0, 16, 3))]) == []


def test_the_largest_sum_of_confidences_is_chosen_unless_a_person_is_given():
    short, sure, unsure = (track(walker((0, 0), (0, 0), *kind)) for kind in ((10, .9), (30, .9), (30, .5)))
    tracks = [short, unsure, sure]
    assert choose_people(tracks) == [2]
    assert choose_people(tracks[:2]) == [1]
    assert choose_people(tracks, 0) == [0]
    assert choose_people(tracks, EVERYONE) == [0, 1, 2]
    with pytest.raises(InputError, match='--person 3: 3 people were tracked, numbered from 0 to 2'):
        choose_people(tracks, 3)
    with pytest.raises(InputError, match='no people were found'):
        choose_people([], EVERYONE)


def test_the_description_of_a_person():
    tracks = [track(walker((0, 0), (0, 0), 10)), Track(np.array([4, 5, 9]), walker((0, 0), (0, 0), 3, .5))]
    assert describe(tracks, 1, 40) == ('person 1 of 2 (numbered from 0 as they appear): seen in 3 of 40 frames, 4 to 9, '
                                       'mean confidence 0.50')


# gaps

def test_joints_that_are_seen_are_kept():
    joints = walker((0, 0), (3, 1))
    pose2d_px, guessed, _ = complete(track(joints), FRAMES, .3)
    assert pose2d_px.dtype == np.float32 and not guessed.any()
    np.testing.assert_allclose(pose2d_px, joints[..., :2], rtol=1e-6, atol=1e-4)


def test_missing_and_uncertain_joints_are_interpolated_in_time_and_marked():
    joints = walker((100, 100), (3, 1))
    damaged = joints.copy()
    damaged[10:20, WRIST] = 0
    damaged[25, WRIST] = 999, 999, .29
    pose2d_px, guessed, weights = complete(track(damaged), FRAMES, .3)
    np.testing.assert_array_equal(weights, np.where(guessed, 0, joints[..., 2]))
    assert sorted(zip(*np.nonzero(guessed))) == [(frame, WRIST) for frame in (*range(10, 20), 25)]
    np.testing.assert_allclose(pose2d_px, joints[..., :2], atol=1e-3)      # the wrist moved with constant velocity


def test_a_hidden_hand_moves_with_the_hip():
    joints = walker((100, 100), (0, 0))
    joints[..., 0] += 30 * np.sin(np.arange(FRAMES) / 5)[:, None]          # with changing velocity
    damaged = joints.copy()
    damaged[30:, WRIST] = 0
    pose2d_px, _, _ = complete(track(damaged), FRAMES, .3)
    np.testing.assert_allclose(pose2d_px, joints[..., :2], atol=1e-3)


def test_missing_frames_are_interpolated_and_the_ends_are_held():
    joints = walker((100, 100), (3, 1))
    kept = np.array([5, 6, 7, 20, 30])
    pose2d_px, guessed, _ = complete(Track(kept, joints[kept]), FRAMES, .3)
    np.testing.assert_array_equal(guessed, ~np.isin(np.arange(FRAMES), kept)[:, None].repeat(16, 1))
    np.testing.assert_allclose(pose2d_px[5:31], joints[5:31, :, :2], atol=1e-3)
    np.testing.assert_allclose(pose2d_px[:5], joints[[5] * 5, :, :2], atol=1e-3)
    np.testing.assert_allclose(pose2d_px[31:], joints[[30] * 9, :, :2], atol=1e-3)


def test_a_joint_of_low_confidence_in_every_frame_is_taken_as_detected():
    joints = walker((100, 100), (1, 1))
    joints[:, WRIST, 2] = .1
    pose2d_px, guessed, weights = complete(track(joints), FRAMES, .3)
    np.testing.assert_allclose(pose2d_px, joints[..., :2], atol=1e-3)
    np.testing.assert_array_equal(weights, joints[..., 2])
    assert guessed[:, WRIST].all() and guessed.sum() == FRAMES
    assert not complete(track(joints), FRAMES, 0)[1].any()


def test_a_joint_that_is_never_found_is_named():
    joints = walker((0, 0), (1, 1))
    joints[:, WRIST] = 0
    assert never_found(track(joints)) == ['LWrist'] and never_found(track(walker((0, 0), (1, 1)))) == []


def test_a_wrist_that_is_never_found_gets_a_place_and_is_marked():
    joints = walker((0, 0), (1, 1))
    joints[:, WRIST] = 0
    pose2d_px, guessed, _ = complete(track(joints), FRAMES, .3)
    assert guessed[:, WRIST].all() and guessed.sum() == FRAMES and np.isfinite(pose2d_px).all()
    np.testing.assert_allclose(np.delete(pose2d_px, WRIST, 1), np.delete(joints[..., :2], WRIST, 1), atol=1e-3)


def test_a_person_without_hips_and_shoulders_is_refused():
    joints = walker((0, 0), (1, 1))
    joints[:, H36M_16.joints('Hip', 'Thorax', 'LHip', 'RHip', 'LShoulder', 'RShoulder')] = 0
    with pytest.raises(InputError, match='no frame shows a hip or a shoulder of this person; choose another --person'):
        complete(track(joints), FRAMES, 0)


def test_a_confidence_of_zero_is_missing_even_without_a_threshold():
    joints = walker((100, 100), (0, 0))
    joints[3, WRIST] = 0
    assert complete(track(joints), FRAMES, 0)[1].sum() == 1


# smoothing

@pytest.mark.slow
def test_the_filter_keeps_parabolas_and_reduces_noise():
    time = np.arange(30.)
    parabola = np.stack([.3 * time ** 2 - 4 * time, -time ** 2 + 100], axis=-1)[:, None].repeat(16, 1).astype(np.float32)
    smoothed = smooth(parabola, 7)
    assert smoothed.dtype == np.float32
    np.testing.assert_allclose(smoothed, parabola, atol=1e-3)
    noisy = parabola + np.random.default_rng(3).normal(0, 5, parabola.shape).astype(np.float32)
    error = np.abs(smooth(noisy, 11) - parabola)[5:-5].mean() / np.abs(noisy - parabola)[5:-5].mean()
    assert error < .6


def test_a_window_longer_than_the_clip_is_refused():
    assert smooth(np.zeros((5, 16, 2), np.float32), 5).shape == (5, 16, 2)
    with pytest.raises(InputError, match='--smooth 7: the clip has only 5 frames'):
        smooth(np.zeros((5, 16, 2), np.float32), 7)

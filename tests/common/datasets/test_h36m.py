"""Prepared Human3.6M files -> PoseSets: what is loaded, in which order and frame, and how a file can be wrong."""
from dataclasses import replace

import numpy as np
import pytest
import torch

import builders
from common.camera import pixels_to_normalised, project, world_to_camera
from common.datasets.h36m import h36m_poses, read_h36m, require_agreement, select_actions
from common.datasets.h36m_protocol import ACTIONS, KEYPOINTS, SUBJECTS, TEST_SUBJECTS, TRAIN_SUBJECTS, cameras
from common.files.npz import save_npz
from refusals import refusal

SIXTEEN_IN_32 = [0, 1, 2, 3, 6, 7, 8, 12, 13, 15, 17, 18, 19, 25, 26, 27]
MAKE_3D = 'python3 data/prepare_data_h36m.py --from-archive h36m.zip'


@pytest.fixture(scope='module')
def files(tiny_root):
    return read_h36m(tiny_root, 'gt')


@pytest.fixture
def small(files):
    """The tables of one sequence of S1, S9 and S11 each, free to be changed."""
    def copy(table, deep):
        return {subject: {'Walking 1': deep(table[subject]['Walking 1'])} for subject in ('S1', 'S9', 'S11')}
    return files._replace(pose3d=copy(files.pose3d, np.copy),
                          pose2d=copy(files.pose2d, lambda views: [np.copy(view) for view in views]))


def walk(files, subjects, keep=lambda subject, sequence: True):
    """(subject, sequence, view, frames) in the promised order: subject, sequence, view."""
    return [(subject, sequence, view, len(files.pose3d[subject][sequence])) for subject in subjects
            for sequence in files.pose3d[subject] if keep(subject, sequence) for view in range(4)]


def not_corrupted(subject, sequence):
    return (subject, sequence) != ('S11', 'Directions')


@pytest.mark.slow
@pytest.mark.parametrize('keypoints', KEYPOINTS)
def test_every_pose_of_the_training_subjects_in_four_views(tiny_root, keypoints):
    files = read_h36m(tiny_root, keypoints)
    poses = h36m_poses(files, TRAIN_SUBJECTS)
    assert len(poses) == sum(frames for *_, frames in walk(files, TRAIN_SUBJECTS))
    assert poses.pose3d_cam.shape == (len(poses), 16, 3) and poses.pose2d.shape == (len(poses), 16, 2)
    assert poses.pose3d_cam.dtype == poses.pose2d.dtype == torch.float32
    assert {SUBJECTS[row] for row in poses.subject.unique()} == set(TRAIN_SUBJECTS)
    assert torch.isfinite(poses.pose3d_cam).all() and torch.isfinite(poses.pose2d).all()


def test_poses_are_ordered_by_subject_sequence_view_and_time(files):
    poses, start = h36m_poses(files, ('S5', 'S1')), 0
    for subject, sequence, view, frames in walk(files, ('S5', 'S1')):
        span = slice(start, start + frames)
        start += frames
        world = files.pose3d[subject][sequence][:, SIXTEEN_IN_32].astype(np.float64)
        outer = builders.CAMERAS['extrinsics'][subject][view]
        camera = (world - np.array(outer['translation']) / 1000) @ builders.rotation_matrix(outer['orientation'])
        np.testing.assert_allclose(poses.pose3d_cam[span], camera, atol=5e-6)
        width, height = [(1000, 1002), (1000, 1000), (1000, 1000), (1000, 1002)][view]
        pixels = files.pose2d[subject][sequence][view].astype(np.float64)
        np.testing.assert_allclose(poses.pose2d[span], pixels / width * 2 - [1, height / width], atol=1e-6)
        assert (poses.camera[span] == SUBJECTS.index(subject) * 4 + view).all()
        assert (poses.subject[span] == SUBJECTS.index(subject)).all()
        assert (poses.group[span] == ACTIONS.index(sequence.split(' ')[0])).all()
    assert start == len(poses)


def test_the_3d_projects_onto_the_ground_truth_2d(files):
    poses = h36m_poses(files, SUBJECTS)
    projected = project(poses.pose3d_cam, poses.intrinsics[poses.camera])
    torch.testing.assert_close(projected, poses.pose2d, rtol=0, atol=2e-5)
    assert poses.pose3d_cam[:, 0].norm(dim=-1).min() > 1    # camera frame, not root-relative


def test_s11_directions_is_left_out_and_only_that(files):
    poses = h36m_poses(files, TEST_SUBJECTS)
    assert len(poses) == sum(frames for *_, frames in walk(files, TEST_SUBJECTS, not_corrupted))
    directions = poses.group == ACTIONS.index('Directions')
    of_s11 = poses.subject == SUBJECTS.index('S11')
    assert (directions & of_s11).sum() == 4 * len(files.pose3d['S11']['Directions 1'])
    assert (directions & ~of_s11).sum() == 4 * sum(len(files.pose3d['S9'][name]) for name in ('Directions', 'Directions 1'))


def test_actions_select_both_takes_of_an_action_and_no_namesake(files):
    poses = h36m_poses(files, ('S1',), 'Walking,Photo')
    wanted = ('Walking', 'Walking 1', 'Photo', 'Photo 1')        # neither WalkTogether nor WalkDog
    assert len(poses) == sum(frames for *_, frames in walk(files, ('S1',), lambda _, name: name in wanted))
    assert {ACTIONS[place] for place in poses.group.unique()} == {'Walking', 'Photo'}


def test_a_star_selects_every_action():
    assert select_actions('*') == set(builders.ACTIONS)


@pytest.mark.parametrize('names', ['Running', 'Walking,Running', 'walking', '', 'Walking 1'])
def test_an_unknown_action_is_named(names):
    message = refusal(select_actions, names)
    assert '--actions' in message and repr(names.split(',')[-1]) in message and 'WalkTogether' in message


@pytest.mark.parametrize('step', [2, 3, 100])
def test_downsample_keeps_every_nth_frame_of_every_view_with_its_camera(files, step):
    whole, thin = h36m_poses(files, ('S1', 'S9')), h36m_poses(files, ('S1', 'S9'), downsample=step)
    kept, start = [], 0
    for *_, frames in walk(files, ('S1', 'S9')):
        kept.extend(range(start, start + frames, step))
        start += frames
    for name in ('pose3d_cam', 'pose2d', 'camera', 'subject', 'group'):
        assert torch.equal(getattr(thin, name), getattr(whole, name)[kept]), name


def test_one_subject_alone(files):
    poses = h36m_poses(files, ('S1',))
    assert poses.subject.unique().tolist() == [0]
    assert len(poses) == sum(frames for *_, frames in walk(files, ('S1',)))


def test_longer_detections_are_cut_to_the_motion_capture(small):
    expected = h36m_poses(small, ('S1',))
    views = small.pose2d['S1']['Walking 1']
    for extra, view in enumerate(views):
        views[extra] = np.concatenate([view, np.full((extra, 16, 2), 1e4, np.float32)])
    assert torch.equal(h36m_poses(small, ('S1',)).pose2d, expected.pose2d)


def test_subjects_and_sequences_without_3d_are_passed_over(small):
    expected = h36m_poses(small, ('S1',))
    small.pose2d['S2'] = {}
    small.pose2d['S1']['Sitting'] = [np.zeros((3, 16, 2))] * 4
    assert torch.equal(h36m_poses(small, ('S1',)).pose2d, expected.pose2d)


@pytest.mark.parametrize('keypoints', KEYPOINTS)
def test_a_missing_2d_file_names_its_command(tmp_path, tiny_root, keypoints):
    path = 'data/data_3d_h36m.npz'
    (tmp_path / 'data').mkdir()
    (tmp_path / path).symlink_to(tiny_root / path)
    command = ('python3 data/prepare_data_h36m.py --from-prepared' if keypoints == 'gt' else
               f'python3 data/prepare_data_2d_h36m.py --keypoints {keypoints}')
    message = refusal(read_h36m, tmp_path, keypoints)
    assert f'data_2d_h36m_{keypoints}.npz is missing' in message and message.endswith(f'{command} --data_root {tmp_path}')


def test_a_missing_3d_file_names_its_command(tmp_path):
    message = refusal(read_h36m, tmp_path, 'gt')
    assert 'data_3d_h36m.npz is missing' in message and message.endswith(f'{MAKE_3D} --data_root {tmp_path}')


@pytest.mark.parametrize('table', [np.zeros((3, 32, 3)), {'S1': np.zeros((3, 32, 3))}, [1]], ids=['array', 'flat', 'list'])
def test_a_file_that_holds_no_table_is_refused(tmp_path, tiny_root, table):
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data/data_2d_h36m_gt.npz').symlink_to(tiny_root / 'data/data_2d_h36m_gt.npz')
    table = np.array(table, dtype=object) if isinstance(table, dict) else table
    save_npz(tmp_path / 'data/data_3d_h36m.npz', positions_3d=table)
    assert 'data_3d_h36m.npz holds no table' in refusal(read_h36m, tmp_path, 'gt')


def test_detections_of_seventeen_joints_are_named_as_such(small):
    small.pose2d['S1']['Walking 1'][2] = np.zeros((20, 17, 2), np.float32)
    message = refusal(h36m_poses, small, ('S1',))
    assert 'S1 Walking 1, camera 2' in message and '(20, 17, 2)' in message and 'VideoPose3D' in message


@pytest.mark.parametrize('shape', [(8, 17, 3), (8, 96), (8,), (), (8, 32, 2)], ids=str)
def test_3d_of_another_shape_is_refused(small, shape):
    small.pose3d['S1']['Walking 1'] = np.zeros(shape)
    message = refusal(h36m_poses, small, ('S1',))
    assert 'data_3d_h36m.npz: S1 Walking 1 has shape' in message and '(frames, 32, 3)' in message


@pytest.mark.parametrize('content', [np.full((8, 16, 2), 'text'), np.full((8, 16, 2), None)], ids=['text', 'objects'])
def test_poses_that_are_not_numbers_are_refused(small, content):
    small.pose2d['S1']['Walking 1'][0] = content
    assert 'camera 0' in refusal(h36m_poses, small, ('S1',))


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
def test_the_first_frame_that_is_not_finite_is_named(small, value):
    small.pose3d['S1']['Walking 1'][3, 7, 1] = value
    assert 'S1 Walking 1 holds NaN or inf, first in frame 3' in refusal(h36m_poses, small, ('S1',))
    small.pose3d['S1']['Walking 1'][3, 7, 1] = 0
    small.pose2d['S1']['Walking 1'][1][4:, 0, 0] = value
    assert 'S1 Walking 1, camera 1 holds NaN or inf, first in frame 4' in refusal(h36m_poses, small, ('S1',))


def test_shorter_detections_are_refused_with_both_lengths(small):
    views = small.pose2d['S1']['Walking 1']
    frames = len(views[3])
    views[3] = views[3][:-1]
    message = refusal(h36m_poses, small, ('S1',))
    assert 'S1 Walking 1, camera 3' in message and f'{frames - 1} frames' in message and str(frames) in message


def _forget_sequence(files):
    del files.pose2d['S1']['Walking 1']


def _forget_subject(files):
    del files.pose2d['S1']


def _forget_view(files):
    files.pose2d['S1']['Walking 1'].pop()


@pytest.mark.parametrize('forget,view', [(_forget_sequence, 0), (_forget_subject, 0), (_forget_view, 3)])
def test_3d_without_2d_is_refused(small, forget, view):
    forget(small)
    assert f'data_2d_h36m_gt.npz has no 2D poses of S1 Walking 1, camera {view}' in refusal(h36m_poses, small, ('S1',))


def test_a_subject_that_the_3d_file_lacks_is_refused(small):
    message = refusal(h36m_poses, small, ('S1', 'S5'))
    assert 'no subject S5' in message and 'S1, S9, S11' in message and MAKE_3D in message


def test_a_selection_without_any_sequence_is_refused(small):
    assert '--actions Sitting' in refusal(h36m_poses, small, ('S1',), 'Sitting')


def test_a_sequence_that_is_no_action_is_refused_not_dropped(small):
    """A misspelt sequence must not silently shrink the data set."""
    for table in (small.pose3d, small.pose2d):
        table['S1']['WalkingDog'] = table['S1']['Walking 1']
    assert 'S1 WalkingDog is not an action' in refusal(h36m_poses, small, ('S1',))


def test_a_sequence_without_frames_does_no_harm(small):
    expected = h36m_poses(small, ('S1',))
    small.pose3d['S1']['Sitting'] = np.zeros((0, 32, 3), np.float32)
    small.pose2d['S1']['Sitting'] = [np.zeros((0, 16, 2), np.float32)] * 4
    assert torch.equal(h36m_poses(small, ('S1',)).pose2d, expected.pose2d)


def test_subjects_follow_in_the_order_given(files):
    s1, s5 = h36m_poses(files, ('S1',)), h36m_poses(files, ('S5',))
    both = h36m_poses(files, ('S1', 'S5'))
    for name in ('pose3d_cam', 'pose2d', 'camera', 'subject', 'group'):
        assert torch.equal(torch.cat([getattr(s1, name), getattr(s5, name)]), getattr(both, name))


def test_many_views_are_to_the_bit_what_each_is_alone(files):
    """The naive twin: turn and normalise one sequence of one camera after the other, then join them."""
    poses, parts = h36m_poses(files, ('S9', 'S11'), downsample=2), []
    for subject, sequence, view, frames in walk(files, ('S9', 'S11'), not_corrupted):
        camera = cameras(subject)[view]
        world = torch.from_numpy(files.pose3d[subject][sequence][::2, SIXTEEN_IN_32])
        pixels = torch.from_numpy(files.pose2d[subject][sequence][view][:frames:2])
        parts.append((world_to_camera(world, torch.from_numpy(camera.orientation), torch.from_numpy(camera.translation)),
                      pixels_to_normalised(pixels, camera.width, camera.height)))
    assert torch.equal(poses.pose3d_cam, torch.cat([pose3d_cam for pose3d_cam, _ in parts]))
    assert torch.equal(poses.pose2d, torch.cat([pose2d for _, pose2d in parts]))


def test_loading_leaves_the_number_of_threads_as_it_was(files):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        h36m_poses(files, ('S1',))
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


# Do the 2D belong to the 3D?

@pytest.mark.slow
@pytest.mark.parametrize('keypoints', KEYPOINTS)
def test_files_prepared_from_the_same_sources_agree(tiny_root, keypoints):
    files = read_h36m(tiny_root, keypoints)
    require_agreement(h36m_poses(files, SUBJECTS), keypoints, files)


@pytest.mark.parametrize('keypoints', KEYPOINTS)
def test_2d_of_another_subject_is_refused_with_both_files(tiny_root, keypoints):
    files = read_h36m(tiny_root, keypoints)
    pose2d = dict(files.pose2d)
    pose2d['S5'] = {name: [np.resize(view, (len(view) + 9, 16, 2)) for view in views]
                    for name, views in files.pose2d['S1'].items()}
    poses = h36m_poses(files._replace(pose2d=pose2d), ('S1', 'S5'))
    message = refusal(require_agreement, poses, keypoints, files)
    assert 'data_2d_h36m' in message and 'data_3d_h36m.npz' in message and 'S5' in message


def test_ground_truth_may_be_a_pixel_off_and_no_more(files):
    poses = h36m_poses(files, ('S1',))
    for pixels, agrees in ((.9, True), (1.2, False)):
        moved = replace(poses, pose2d=poses.pose2d + torch.tensor([pixels / 500, 0]))
        require_agreement(moved, 'gt', files) if agrees else refusal(require_agreement, moved, 'gt', files)


def test_a_few_wild_detections_are_accepted(files):
    poses = h36m_poses(files, ('S1',))
    wild = poses.pose2d.clone()
    wild[:, :5] += 1.
    require_agreement(replace(poses, pose2d=wild), 'hr', files)

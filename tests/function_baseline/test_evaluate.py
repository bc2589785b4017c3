"""Evaluation: what is re-rooted, flipped and averaged, against figures by hand; the authors' weights on the stand-in data."""
import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import run_evaluate
from common import metrics
from common.camera import root_relative
from common.datasets.h36m import h36m_poses, read_h36m
from common.datasets.mpi_inf_3dhp import load_3dhp
from common.person_camera import view_person
from function_baseline import scores
from function_baseline.batches import in_batches, shuffled_batches
from function_baseline.data import EvaluationSets
from function_baseline.evaluate import CHUNK, evaluate, mirror, per_pose_errors, predict_flipped, scoring_device
from function_baseline.report import table
from models_baseline import build_lifter
from places import SHARED
from trainers import baseline

CPU = torch.device('cpu')
SWAPPED = [0, 4, 5, 6, 1, 2, 3, 7, 8, 9, 13, 14, 15, 10, 11, 12]
OFFICIAL = [1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15]
FLIPS = pytest.mark.parametrize('flip', [False, True], ids=['straight', 'flipped'])


class Oracle(nn.Module):
    """Knows the answer to every 2D pose of a set, and errs on purpose: answer + offset, per joint."""

    def __init__(self, poses, offset=0.):
        super().__init__()
        self.questions, self.answers = poses.pose2d.flatten(1), root_relative(poses.pose3d_cam) + offset

    def forward(self, pose2d):
        return self.answers[torch.cdist(pose2d.flatten(1), self.questions).argmin(1)]


class Affine(nn.Module):
    """A lifter that is not symmetric and does not put its root at the origin; the same for any batch."""

    def __init__(self):
        super().__init__()
        self.weight = torch.randn(32, 48, generator=torch.Generator().manual_seed(0)) * .1

    def forward(self, pose2d):
        return (pose2d.flatten(1) @ self.weight + .2).view(-1, 16, 3)


@pytest.fixture(scope='module')
def h36m(tiny_root):
    return h36m_poses(read_h36m(tiny_root, 'gt'), ('S9', 'S11'))


@pytest.fixture(scope='module')
def dhp(tiny_root):
    return load_3dhp(tiny_root)


def by_hand(poses, flip):
    """Predictions of `Affine` as the reference scores them: flip, average, then root; (N, 16) millimetres, float64."""
    weight = Affine().weight.double().numpy()

    def lift(pose2d):
        return (pose2d.reshape(-1, 32) @ weight + .2).reshape(-1, 16, 3)

    def turned(pose):
        return pose[:, SWAPPED] * np.array([-1] + [1] * (pose.shape[-1] - 1))

    pose2d, target = poses.pose2d.double().numpy(), poses.pose3d_cam.double().numpy()
    predicted = (lift(pose2d) + turned(lift(turned(pose2d)))) / 2 if flip else lift(pose2d)
    return 1000 * np.linalg.norm(predicted - predicted[:, :1] - target + target[:, :1], axis=-1)


# Figures

@FLIPS
def test_figures_are_those_computed_by_hand(h36m, dhp, flip):
    for poses in (h36m, dhp):
        errors, result = by_hand(poses, flip), evaluate(Affine(), poses, CPU, flip)
        assert result.mpjpe_mm == pytest.approx(errors.mean(), rel=1e-5)
        assert result.pck_16 == pytest.approx(100 * (errors < 150).mean(), abs=.05)
        assert result.pck_14 == pytest.approx(100 * (errors[:, OFFICIAL] < 150).mean(), abs=.05)
        aucs = [np.mean([100 * (part < threshold).mean() for threshold in range(0, 151, 5)])
                for part in (errors, errors[:, OFFICIAL])]
        assert (result.auc_16, result.auc_14) == pytest.approx(aucs, abs=.05)
        assert result.num_poses == len(poses)


def test_the_flip_is_averaged_before_the_root_is_subtracted(dhp):
    """Flipped and straight differ for this lifter, so the agreement above is one about the average."""
    straight, flipped = by_hand(dhp, False).mean(), by_hand(dhp, True).mean()
    assert abs(straight - flipped) > 1


def test_mirror_negates_x_and_exchanges_the_sides():
    pose = torch.arange(2 * 16 * 3.).view(2, 16, 3)
    kept = pose.clone()
    expected = pose[:, SWAPPED] * torch.tensor([-1., 1, 1])
    assert torch.equal(mirror(pose), expected) and torch.equal(mirror(mirror(pose)), pose)
    assert torch.equal(mirror(pose[..., :2]), expected[..., :2])
    assert torch.equal(pose, kept)     # the input stays as it was


def test_a_symmetric_lifter_is_not_changed_by_the_flip(dhp):
    """A lifter that mirrors with its input: its second answer is its first."""
    class Symmetric(nn.Module):
        def forward(self, pose2d):
            return torch.cat([pose2d, pose2d[..., 1:]], dim=-1)
    pose2d = dhp.pose2d
    torch.testing.assert_close(predict_flipped(Symmetric(), pose2d), Symmetric()(pose2d))


@FLIPS
def test_predictions_are_re_rooted_so_a_shift_of_all_joints_costs_nothing(h36m, flip):
    plain = evaluate(Affine(), h36m, CPU, flip)
    shifted = Affine()
    shifted.forward = lambda pose2d: Affine.forward(shifted, pose2d) + torch.tensor([0, 5., -3])
    moved = evaluate(shifted, h36m, CPU, flip)
    assert moved.mpjpe_mm == pytest.approx(plain.mpjpe_mm, rel=1e-5)
    errors, _ = per_pose_errors(shifted, h36m, CPU, flip)
    assert not errors[:, 0].any()


def test_a_perfect_lifter_has_no_error_and_every_hit(h36m):
    result = evaluate(Oracle(h36m, offset=torch.tensor([.1, 0, 7])), h36m, CPU, flip=False)
    assert result.mpjpe_mm < 1e-3 and result.p_mpjpe_mm < 1e-3
    assert result.pck_16 == result.pck_14 == 100
    assert result.auc_16 == pytest.approx(100 * 30 / 31) and result.auc_14 == pytest.approx(100 * 30 / 31)


def test_one_wrong_joint_costs_its_share(h36m):
    """The left wrist 160 mm off: a sixteenth of that, one joint in sixteen missed, and one in the official fourteen."""
    offset = torch.zeros(16, 3)
    offset[12, 1] = .16
    result = evaluate(Oracle(h36m, offset), h36m, CPU, flip=False)
    assert result.mpjpe_mm == pytest.approx(10, abs=1e-3)
    assert (result.pck_16, result.pck_14) == pytest.approx((100 * 15 / 16, 100 * 13 / 14))
    assert 0 < result.p_mpjpe_mm < 20


def test_a_wrong_spine_is_not_seen_by_the_official_joints(h36m):
    offset = torch.zeros(16, 3)
    offset[7, 0] = .3
    result = evaluate(Oracle(h36m, offset), h36m, CPU, flip=False)
    assert result.pck_14 == 100 and result.pck_16 == pytest.approx(100 * 15 / 16)


# Groups and means

def test_each_action_is_scored_on_its_own_poses(h36m):
    errors, result = by_hand(h36m, False), evaluate(Affine(), h36m, CPU, flip=False)
    assert len(result.groups) == 15
    for name, part in result.groups.items():
        of_group = (h36m.group == h36m.group_names.index(name)).numpy()
        assert part.num_poses == of_group.sum() and part.groups == {}
        assert part.mpjpe_mm == pytest.approx(errors[of_group].mean(), rel=1e-5)
    assert sum(part.num_poses for part in result.groups.values()) == len(h36m)


def test_each_test_sequence_of_3dhp_is_a_group(dhp):
    assert list(evaluate(Affine(), dhp, CPU, flip=True).groups) == ['TS1', 'TS2', 'TS3', 'TS4', 'TS5', 'TS6']


def test_the_mean_over_poses_weighs_groups_by_their_size(h36m):
    """Directions has fewer poses than the others (S11's first take is left out), so the two means differ."""
    result = evaluate(Affine(), h36m, CPU, flip=False)
    weighed = sum(part.mpjpe_mm * part.num_poses for part in result.groups.values()) / result.num_poses
    assert result.mpjpe_mm == pytest.approx(weighed, rel=1e-9)
    plain = np.mean([part.mpjpe_mm for part in result.groups.values()])
    assert abs(plain - weighed) > 1e-3
    rows = {line[:22].strip(): line[22:].split() for line in table(result).splitlines()[1:]}
    assert float(rows['mean over groups'][1]) == pytest.approx(plain, abs=6e-4)
    assert float(rows['mean over poses'][1]) == pytest.approx(weighed, abs=6e-4)
    assert float(rows['Walking'][1]) == pytest.approx(result.groups['Walking'].mpjpe_mm, abs=6e-4)
    assert len(rows) == 17


def test_the_size_of_chunks_does_not_show(dhp):
    """2,000 poses in two chunks score as the mean of their parts."""
    count = CHUNK + 37
    many = replace(dhp, pose3d_cam=dhp.pose3d_cam.repeat(60, 1, 1)[:count], pose2d=dhp.pose2d.repeat(60, 1, 1)[:count],
                   subject=dhp.subject.repeat(60)[:count], group=dhp.group.repeat(60)[:count])
    errors, aligned = per_pose_errors(Affine(), many, CPU, flip=True)
    assert errors.shape == (count, 16) and aligned.shape == (count,)
    np.testing.assert_allclose(errors.double() * 1000, by_hand(many, True), rtol=1e-4, atol=1e-2)


def test_aligned_errors_are_p_mpjpe_of_the_predictions(h36m):
    _, aligned = per_pose_errors(Affine(), h36m, CPU, flip=False)
    expected = metrics.p_mpjpe(Affine()(h36m.pose2d).double(), h36m.pose3d_cam.double())
    torch.testing.assert_close(aligned.double(), expected, rtol=0, atol=1e-6)


@pytest.mark.slow
def test_evaluation_changes_nothing_in_the_lifter(h36m):
    """Evaluation mode: statistics stay, dropout is off, no gradient is kept."""
    lifter = build_lifter('gcn', stages=1, dropout=.5).train()
    before = {name: value.clone() for name, value in lifter.state_dict().items()}
    first, second = (evaluate(lifter, h36m, CPU, flip=False).mpjpe_mm for _ in range(2))
    assert first == second
    assert all(torch.equal(value, before[name]) for name, value in lifter.state_dict().items())
    assert not per_pose_errors(lifter, h36m, CPU, flip=True)[0].requires_grad


def test_scores_are_without_flip_for_human36m_and_with_it_for_3dhp(h36m, dhp):
    both = scores.score(Affine(), EvaluationSets(h36m, dhp), CPU)
    assert [part.mpjpe_mm for part in both] == pytest.approx([by_hand(h36m, False).mean(), by_hand(dhp, True).mean()], rel=1e-5)
    assert scores.columns(*both) == (both[0].mpjpe_mm, both[0].p_mpjpe_mm, both[1].mpjpe_mm, both[1].p_mpjpe_mm)


@pytest.mark.parametrize('suffix', ['', '_fake', '_real'])
def test_tags_that_the_summary_and_dashboards_read(h36m, dhp, suffix):
    first, second = evaluate(Affine(), h36m, CPU, False), evaluate(Affine(), dhp, CPU, True)
    tags = scores.tagged(first, second, suffix)
    assert tags[f'posenet_H36M_test/p1score{suffix}'] == first.mpjpe_mm
    assert tags[f'posenet_H36M_test/p2score{suffix}'] == first.p_mpjpe_mm
    assert tags[f'posenet_mpi3d_loader_flip/p1score{suffix}'] == second.mpjpe_mm
    assert tags[f'posenet_mpi3d_loader_flip/p2score{suffix}'] == second.p_mpjpe_mm


def test_errors_are_computed_where_there_is_float64():
    """Apple's GPUs have none, and the Procrustes alignment needs it."""
    assert [scoring_device(name).type for name in ('cpu', 'cuda', 'mps')] == ['cpu', 'cuda', 'cpu']


# Batches

@pytest.mark.parametrize('count,sizes', [(10, [4, 4, 2]), (8, [4, 4]), (9, [4, 4]), (2, [2]), (1, []), (3, [3])], ids=str)
def test_a_last_batch_of_one_is_left_out(count, sizes):
    batches = in_batches(torch.arange(count), 4)
    assert [len(batch) for batch in batches] == sizes
    assert torch.cat([torch.arange(0), *batches]).tolist() == list(range(sum(sizes)))


def test_shuffled_batches_visit_every_pose_once_and_repeat_with_the_seed():
    first, again, other = (shuffled_batches(103, 10, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert sorted(torch.cat(first).tolist()) == list(range(103))
    assert torch.equal(torch.cat(first), torch.cat(again)) and not torch.equal(torch.cat(first), torch.cat(other))
    assert torch.cat(first).tolist() != list(range(103))


# The authors' own weights (../shared/official/README.md has the figures; they are an outside reference)

RELEASED = {'semgcn_gt_baseline.pth.tar': ((60.072, 46.616), (150.865, 99.355, 57.863, 30.534), 77),
            'semgcn_gt_poseaug.pth.tar': ((51.936, 39.805), (119.332, 82.987, 70.628, 38.759), 50)}


@pytest.mark.parametrize('name', RELEASED)
def test_released_weights_score_on_the_standin_what_the_reference_gives_them(name, standin_root, capsys):
    path = SHARED / 'official' / name
    if not path.is_file():
        pytest.skip(f'{path} is not here: released weights are not part of the project')
    on_h36m, on_3dhp, epoch = RELEASED[name]
    h36m, dhp = run_evaluate.main(['--posenet_name', 'gcn', '--keypoints', 'gt', '--evaluate', str(path), '--device', 'cpu',
                                   '--data_root', str(standin_root)])
    assert (h36m.mpjpe_mm, h36m.p_mpjpe_mm) == pytest.approx(on_h36m, abs=.01)
    assert (dhp.mpjpe_mm, dhp.p_mpjpe_mm, dhp.pck_16, dhp.auc_16) == pytest.approx(on_3dhp, abs=.01)
    assert (h36m.num_poses, dhp.num_poses) == (62180, 2929)
    printed = capsys.readouterr().out
    assert f'gcn, 4 stages, epoch {epoch}' in printed


@pytest.mark.parametrize('dataset,count', [('3dpw', 3), ('h36m', 0)])
def test_flags_of_human36m_do_nothing_for_3dpw_and_say_so(dataset, count, capsys):
    with pytest.raises(SystemExit):
        run_evaluate.main(['--dataset', dataset, '--keypoints', 'hr', '--actions', 'Walking', '--downsample', '5',
                           '--evaluate', 'none', '--device', 'cpu'])
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith('warning: ')]
    assert len(warnings) == count and all('does nothing here' in line for line in warnings)


# The virtual camera that looks at the person

def test_the_persons_camera_is_that_of_the_pose_set(h36m):
    """With the intrinsics that the set knows, a lifter without error stays without error, wherever people stand."""
    class Perfect(torch.nn.Module):
        """Gives the true 3D of the virtual views, chunk by chunk, over and over."""
        def forward(self, _):
            return next(answers)

    batch = h36m.take(torch.arange(len(h36m)))
    view = view_person(batch.pose2d, batch.camera)
    answers = itertools.cycle((batch.pose3d_cam @ view.rotation.transpose(1, 2)).split(CHUNK))
    assert evaluate(Perfect(), h36m, CPU, flip=False, camera='person').mpjpe_mm < .01
    assert evaluate(Perfect(), h36m, CPU, flip=False).mpjpe_mm > 10


def test_run_evaluate_scores_the_released_weights_better_on_3dhp_with_the_persons_camera(standin_root, capsys):
    """Figures measured with the stand-in data: 119.3 mm as it is in the image, 90.6 with the virtual camera."""
    path = SHARED / 'official' / 'semgcn_gt_poseaug.pth.tar'
    if not path.is_file():
        pytest.skip(f'{path} is not here: the released weights are not part of the project')
    flags = ['--evaluate', str(path), '--data_root', str(standin_root), '--device', 'cpu', '--downsample', '20']
    _, image = run_evaluate.main(flags)
    _, person = run_evaluate.main([*flags, '--camera', 'person'])
    assert '--camera person' in capsys.readouterr().out
    assert image.mpjpe_mm == pytest.approx(119.33, abs=.05) and person.mpjpe_mm == pytest.approx(90.60, abs=.05)


# a run directory: the three selections

@pytest.mark.slow
def test_a_run_directory_gives_a_column_for_each_selection(tiny_root, tmp_path, capsys):
    subjects = '--s1only', 'false', '--train_subjects', 'S1,S8', '--validate_on', 'S8'
    run = baseline(tiny_root, tmp_path, 'gcn', '--epochs', 2, *subjects)
    found = run_evaluate.main(['--data_root', str(tiny_root), '--device', 'cpu', '--actions', 'Walking',
                               '--evaluate', str(run)])
    assert list(found) == ['oracle', 'last', 'held-out']
    rows = [line.split('\t') for line in (run / 'log.txt').read_text().splitlines() if line.startswith(('1.0', '2.0'))]
    h36m = [float(row[3]) for row in rows]
    assert found['last'][0].mpjpe_mm == pytest.approx(h36m[-1], abs=1e-3)
    assert found['oracle'][0].mpjpe_mm == pytest.approx(min(h36m), abs=1e-3)
    assert 'held-out' in capsys.readouterr().out


def test_an_empty_directory_is_no_run(tiny_root, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run_evaluate.main(['--data_root', str(tiny_root), '--device', 'cpu', '--evaluate', str(tmp_path)])
    assert 'holds no checkpoint of a run' in capsys.readouterr().err

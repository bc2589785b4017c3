"""Metrics: the reference's figures, a naive twin of the Procrustes alignment, and what each error must not depend on."""

import numpy as np
import pytest
import torch

from common.camera import root_relative
from common.metrics import (AUC_THRESHOLDS, PCK_THRESHOLD, auc, joint_errors, mpjpe, n_mpjpe, p_mpjpe, pck,
                            procrustes_align, rotation_by_squaring, rotation_by_svd, thresholds_above)
from common.rotation import quaternion_rotate
from places import GOLDEN_FOLDER

GOLDEN = np.load(GOLDEN_FOLDER / 'parts.npz')
DTYPES = pytest.mark.parametrize('dtype', [torch.float32, torch.float64], ids=['float32', 'float64'])
ROUNDING = {torch.float32: 2e-6, torch.float64: 1e-12}
TARGET = root_relative(torch.from_numpy(GOLDEN['pose3d']))
PREDICTED = torch.from_numpy(GOLDEN['metric_pred'])
FAR = torch.from_numpy(GOLDEN['metric_pred_far'])


def naive_procrustes(predicted, target):
    """One pose (J, 3) onto another: Kabsch's rotation (no reflection), then the scale and shift by least squares."""
    predicted, target = np.asarray(predicted, np.float64), np.asarray(target, np.float64)
    source, goal = predicted - predicted.mean(0), target - target.mean(0)
    u, _, vt = np.linalg.svd(source.T @ goal)
    if np.linalg.det(vt.T @ u.T) < 0:
        vt[-1] *= -1
    rotation = vt.T @ u.T
    turned = source @ rotation.T
    return (turned * goal).sum() / (turned ** 2).sum() * turned + target.mean(0)


def similar(poses, scale=1.7, seed=3):
    """The same poses turned, scaled and moved, each in its own way."""
    draw = torch.Generator().manual_seed(seed)
    quaternion = torch.randn(len(poses), 1, 4, generator=draw, dtype=torch.float64)
    quaternion = (quaternion / quaternion.norm(dim=-1, keepdim=True)).to(poses)
    return scale * quaternion_rotate(quaternion, poses) + torch.randn(len(poses), 1, 3, generator=draw).to(poses)


# The reference's figures

def test_position_errors_are_the_references():
    assert mpjpe(PREDICTED, TARGET).mean() * 1000 == pytest.approx(float(GOLDEN['mpjpe_mm']), rel=1e-6)
    assert n_mpjpe(PREDICTED, TARGET).mean() * 1000 == pytest.approx(float(GOLDEN['n_mpjpe_mm']), rel=1e-6)


@pytest.mark.parametrize('predicted,key', [(PREDICTED, 'p_mpjpe_mm'), (FAR, 'p_mpjpe_far_mm')], ids=['near', 'far'])
def test_aligned_errors_are_the_references(predicted, key):
    assert p_mpjpe(predicted, TARGET).mean() * 1000 == pytest.approx(float(GOLDEN[key]), rel=2e-6)


@pytest.mark.parametrize('predicted,suffix', [(PREDICTED, ''), (FAR, '_far')], ids=['near', 'far'])
def test_hit_rates_are_the_references(predicted, suffix):
    errors = joint_errors(predicted, TARGET)
    assert float(pck(errors)) == pytest.approx(float(GOLDEN['pck150' + suffix]), abs=1e-9)
    assert float(auc(errors)) == pytest.approx(float(GOLDEN['auc' + suffix]), abs=1e-9)


# MPJPE

@DTYPES
def test_mpjpe_is_the_mean_distance_per_pose(dtype):
    predicted, target = FAR.to(dtype), TARGET.to(dtype)
    by_hand = np.sqrt(((predicted.double().numpy() - target.double().numpy()) ** 2).sum(-1))
    errors = joint_errors(predicted, target)
    assert errors.dtype == dtype and errors.shape == (64, 16)
    np.testing.assert_allclose(errors.double(), by_hand, rtol=0, atol=ROUNDING[dtype])
    np.testing.assert_allclose(mpjpe(predicted, target).double(), by_hand.mean(1), rtol=0, atol=ROUNDING[dtype])


@DTYPES
def test_n_mpjpe_forgives_scale_and_nothing_else(dtype):
    target = TARGET.to(dtype)
    torch.testing.assert_close(n_mpjpe(.4 * target, target), torch.zeros(64, dtype=dtype), rtol=0, atol=ROUNDING[dtype])
    assert (n_mpjpe(target + .1, target) > .01).all()
    torch.testing.assert_close(n_mpjpe(3 * FAR.to(dtype), target), n_mpjpe(FAR.to(dtype), target), rtol=0, atol=ROUNDING[dtype])


# Procrustes

def special_poses():
    """name -> (predicted, target), (1, 16, 3) float64: what makes an alignment by SVD go wrong."""
    target = TARGET[:1].double()
    mirrored = target * torch.tensor([-1, 1, 1], dtype=torch.float64)
    flat = target * torch.tensor([1, 1, 0], dtype=torch.float64)
    line = torch.linspace(-1, 1, 16, dtype=torch.float64)[None, :, None] * torch.tensor([.3, .5, -.2], dtype=torch.float64)
    return {'mirrored': (mirrored, target), 'both flat': (flat, flat.flip(1)), 'flat to solid': (flat, target),
            'solid to flat': (FAR[:1].double(), flat), 'line to solid': (line, target), 'line to line': (line, 2 * line + 1),
            'line to solid, reversed': (line.flip(1), target)}


@DTYPES
def test_alignment_agrees_with_its_naive_twin(dtype):
    for predicted in (PREDICTED.to(dtype), FAR.to(dtype), similar(TARGET).to(dtype), -TARGET.to(dtype)):
        aligned = procrustes_align(predicted, TARGET.to(dtype))
        expected = np.stack([naive_procrustes(*pair) for pair in zip(predicted, TARGET)])
        assert aligned.dtype == dtype
        np.testing.assert_allclose(aligned, expected, rtol=0, atol=ROUNDING[dtype])


@pytest.mark.parametrize('name', special_poses())
def test_alignment_of_special_poses_agrees_with_the_twin(name):
    predicted, target = special_poses()[name]
    aligned = procrustes_align(predicted, target)
    error = float(mpjpe(aligned, target))
    assert np.isfinite(error)
    naive = naive_procrustes(predicted[0], target[0])
    assert error == pytest.approx(np.linalg.norm(naive - target[0].numpy(), axis=-1).mean(), abs=1e-9)


@pytest.mark.parametrize('name', special_poses())
def test_alignment_is_a_rotation_scale_and_shift(name):
    """Distances within the pose all change by one factor, and no solid pose is turned inside out."""
    predicted, target = special_poses()[name]
    aligned = procrustes_align(predicted, target)
    before, after = torch.pdist(predicted[0]), torch.pdist(aligned[0])
    torch.testing.assert_close(after * before[0], before * after[0], rtol=0, atol=1e-9)
    volumes = [float(torch.linalg.det(pose[0, [1, 4, 9]] - pose[0, :1])) for pose in (predicted, aligned)]
    assert volumes[0] * volumes[1] > -1e-12


def test_a_mirror_image_is_not_forgiven():
    """A reflection would align perfectly; excluded, centimetres remain."""
    assert (p_mpjpe(TARGET * torch.tensor([-1., 1, 1]), TARGET) > .01).all()


def test_no_other_similarity_comes_nearer():
    """Least squares: shaking the aligned pose by small similarities only raises the squared error."""
    target, aligned = TARGET.double(), procrustes_align(FAR.double(), TARGET.double())
    best = (aligned - target).square().sum((1, 2))
    for seed in range(5):
        draw = torch.Generator().manual_seed(seed)
        spin = torch.cat([torch.ones(64, 1, 1), .05 * torch.randn(64, 1, 3, generator=draw)], -1).double()
        shaken = quaternion_rotate(spin / spin.norm(dim=-1, keepdim=True), aligned)
        shaken = shaken * (1 + .02 * torch.randn(64, 1, 1, generator=draw).double())
        shaken = shaken + .01 * torch.randn(64, 1, 3, generator=draw).double()
        assert ((shaken - target).square().sum((1, 2)) >= best).all()


@DTYPES
def test_p_mpjpe_does_not_see_a_similarity_of_the_prediction(dtype):
    predicted, target = FAR.to(dtype), TARGET.to(dtype)
    torch.testing.assert_close(p_mpjpe(similar(predicted), target), p_mpjpe(predicted, target), rtol=0, atol=ROUNDING[dtype])
    torch.testing.assert_close(p_mpjpe(similar(target), target), torch.zeros(64, dtype=dtype), rtol=0, atol=ROUNDING[dtype])


def test_p_mpjpe_turns_and_grows_with_the_target():
    target = similar(TARGET.double(), scale=2)
    torch.testing.assert_close(p_mpjpe(FAR.double(), target), 2 * p_mpjpe(FAR.double(), TARGET.double()), rtol=0, atol=1e-12)


def test_the_order_of_poses_and_batches_does_not_matter():
    together = p_mpjpe(FAR, TARGET)
    alone = torch.cat([p_mpjpe(FAR[place:place + 1], TARGET[place:place + 1]) for place in range(64)])
    torch.testing.assert_close(alone, together, rtol=0, atol=1e-7)
    torch.testing.assert_close(p_mpjpe(FAR.flip(0), TARGET.flip(0)).flip(0), together, rtol=0, atol=1e-7)


def test_a_collapsed_prediction_has_a_finite_error():
    """All joints in one point: nothing can be turned or scaled, the target's spread about its mean remains."""
    spread = mpjpe(TARGET.mean(1, keepdim=True).expand_as(TARGET), TARGET)
    torch.testing.assert_close(p_mpjpe(torch.ones_like(TARGET), TARGET), spread, rtol=0, atol=1e-6)


# PCK and AUC

def test_a_hit_lies_strictly_below_150_mm():
    assert PCK_THRESHOLD == .15
    errors = torch.tensor([[.15, np.nextafter(.15, 0), .1499, .2, 0.]], dtype=torch.float64)
    assert float(pck(errors)) == 60


def test_thirty_one_thresholds_from_zero_to_150_mm():
    np.testing.assert_allclose(AUC_THRESHOLDS, np.arange(0, 151, 5) / 1000, atol=1e-15)
    assert len(AUC_THRESHOLDS) == 31 and AUC_THRESHOLDS[0] == 0 and AUC_THRESHOLDS[-1] == PCK_THRESHOLD
    # a perfect pose misses at threshold zero, for nothing lies strictly below it
    assert float(auc(torch.zeros(2, 16))) == pytest.approx(100 * 30 / 31)


def test_auc_is_the_mean_of_pck():
    errors = joint_errors(FAR, TARGET).double()
    by_hand = np.mean([100 * (errors.numpy() < millimetres / 1000).mean() for millimetres in range(0, 151, 5)])
    assert float(auc(errors)) == pytest.approx(by_hand, abs=1e-10)


def test_one_joint_off_by_a_known_distance():
    """77 mm: hits at thresholds 80, 85, ... 150, fifteen of 31."""
    assert float(auc(torch.full((1, 1), .077))) == pytest.approx(100 * 15 / 31)


def test_a_sure_hit_at_the_root_lifts_the_rate_by_a_known_amount():
    errors = joint_errors(FAR, TARGET)
    errors[:, 0] = 0
    without_root = pck(errors[:, 1:])
    assert 0 < float(without_root) < 100
    assert float(pck(errors)) == pytest.approx((15 * float(without_root) + 100) / 16, abs=1e-10)


def test_the_last_threshold_of_auc_is_pck_s():
    """One search counts both: what lies below no threshold of AUC is no hit of PCK."""
    errors = torch.rand(200, 16, generator=torch.Generator().manual_seed(0)) * .3
    assert AUC_THRESHOLDS[-1] == PCK_THRESHOLD
    assert float(pck(errors)) == pytest.approx(100 * float((thresholds_above(errors) > 0).double().mean()))
    by_hand = [100 * float((errors < threshold).double().mean()) for threshold in AUC_THRESHOLDS]
    assert float(auc(errors)) == pytest.approx(sum(by_hand) / len(by_hand))


@pytest.mark.parametrize('flatten', [(1, 1, 1), (-1, 1, 1), (1, 1, 0), (-1, 1, 0), (1, 0, 0), (0, 0, 0)],
                         ids=['noisy', 'mirrored', 'planar', 'planar and mirrored', 'collinear', 'a point'])
def test_the_rotation_by_squaring_fits_as_well_as_that_by_svd(flatten):
    """Also where the best rotation is not the only one: then the fit is compared, not the rotation."""
    goal = TARGET.double()
    source = (goal + .1 * torch.randn(goal.shape, generator=torch.Generator().manual_seed(0), dtype=goal.dtype))
    source = source * torch.tensor(flatten)
    correlation = goal.transpose(1, 2) @ source
    fits = [(rotation(correlation) * correlation).sum((1, 2)) for rotation in (rotation_by_svd, rotation_by_squaring)]
    assert torch.allclose(*fits, rtol=1e-13, atol=1e-13)
    rotation = rotation_by_squaring(correlation)
    assert torch.allclose(rotation @ rotation.transpose(1, 2), torch.eye(3, dtype=goal.dtype).expand_as(rotation), atol=1e-13)
    assert torch.allclose(torch.linalg.det(rotation), torch.ones(len(goal), dtype=goal.dtype), atol=1e-13)

"""Rotations: properties in both precisions, the reference's figures, and gradients at the angles that invite NaN."""
import math

import numpy as np
import pytest
import torch

import builders
from common.rotation import axis_angle_to_matrix, quaternion_inverse, quaternion_rotate, quaternion_to_matrix, skew
from places import GOLDEN_FOLDER

GOLDEN = np.load(GOLDEN_FOLDER / 'parts.npz')
DTYPES = pytest.mark.parametrize('dtype', [torch.float32, torch.float64], ids=['float32', 'float64'])
ROUNDING = {torch.float32: 2e-6, torch.float64: 1e-14}
AXIS_SHORTFALL = 1e-6     # what is added to the angle before the division


def quaternions(count, dtype, seed=0):
    values = torch.randn(count, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (values / values.norm(dim=-1, keepdim=True)).to(dtype)


def vectors(*shape, dtype, seed=1):
    return torch.randn(*shape, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def axis_angles(dtype):
    """Random axes with angles from a tenth of a degree to beyond half a turn."""
    axes = vectors(60, dtype=torch.float64)
    angles = torch.linspace(.002, 4, 60, dtype=torch.float64)[:, None]
    return (axes / axes.norm(dim=-1, keepdim=True) * angles).to(dtype)


# Quaternions

@DTYPES
def test_quaternion_rotation_is_the_matrix_product(dtype):
    quaternion, vector = quaternions(20, dtype), vectors(20, dtype=dtype)
    matrices = np.stack([builders.rotation_matrix(q) for q in quaternion.double().numpy()])
    expected = (matrices @ vector.double().numpy()[..., None])[..., 0]
    rotated = quaternion_rotate(quaternion, vector)
    assert rotated.dtype == dtype
    np.testing.assert_allclose(rotated.double(), expected, atol=4 * ROUNDING[dtype])


@DTYPES
def test_quaternion_inverse_undoes_the_rotation(dtype):
    quaternion, vector = quaternions(20, dtype), vectors(20, dtype=dtype)
    back = quaternion_rotate(quaternion_inverse(quaternion), quaternion_rotate(quaternion, vector))
    torch.testing.assert_close(back, vector, rtol=0, atol=4 * ROUNDING[dtype])


@DTYPES
def test_quaternion_rotation_keeps_lengths_and_handedness(dtype):
    quaternion, (a, b) = quaternions(20, dtype), vectors(2, 20, dtype=dtype)
    rotated_a, rotated_b = quaternion_rotate(quaternion, a), quaternion_rotate(quaternion, b)
    torch.testing.assert_close(rotated_a.norm(dim=-1), a.norm(dim=-1), rtol=0, atol=4 * ROUNDING[dtype])
    rotated_cross = quaternion_rotate(quaternion, torch.linalg.cross(a, b))
    torch.testing.assert_close(torch.linalg.cross(rotated_a, rotated_b), rotated_cross, rtol=0, atol=20 * ROUNDING[dtype])


def test_one_quaternion_serves_any_leading_shape():
    quaternion, vector = quaternions(1, torch.float64)[0], vectors(3, 5, dtype=torch.float64)
    rotated = quaternion_rotate(quaternion, vector)
    assert rotated.shape == (3, 5, 3)
    torch.testing.assert_close(rotated[2, 4], quaternion_rotate(quaternion, vector[2, 4]))


def test_first_number_is_the_real_part():
    """(1, 0, 0, 0) is no rotation; (cos 45, 0, 0, sin 45) is a quarter turn about z: x becomes y."""
    x = torch.tensor([1., 0, 0])
    torch.testing.assert_close(quaternion_rotate(torch.tensor([1., 0, 0, 0]), x), x)
    quarter = torch.tensor([math.sqrt(.5), 0, 0, math.sqrt(.5)])
    torch.testing.assert_close(quaternion_rotate(quarter, x), torch.tensor([0., 1, 0]), rtol=0, atol=1e-6)


# Axis and angle

def test_axis_angle_gives_the_references_matrices():
    matrices = axis_angle_to_matrix(torch.from_numpy(GOLDEN['axis_angle']))
    np.testing.assert_allclose(matrices, GOLDEN['rotation_matrix'], rtol=0, atol=1e-6)


@DTYPES
def test_matrices_are_rotations_up_to_the_axis_shortfall(dtype):
    """The axis is 1e-6 / angle short of unit length, so orthonormality and determinant are off by a few times that."""
    axis_angle = axis_angles(dtype)
    matrices = axis_angle_to_matrix(axis_angle).double()
    bound = 4 * AXIS_SHORTFALL + 8 * ROUNDING[dtype]
    identity = torch.eye(3, dtype=torch.float64).expand_as(matrices)
    torch.testing.assert_close(matrices @ matrices.transpose(1, 2), identity, rtol=0, atol=bound)
    torch.testing.assert_close(torch.linalg.det(matrices), torch.ones(len(matrices), dtype=torch.float64), rtol=0, atol=bound)


def test_the_axis_is_a_millionth_short_and_no_shorter():
    """PoseAug's quirk, kept: sin(angle) [axis]x with the axis divided by angle + 1e-6; visible in float64."""
    axis_angle = torch.tensor([[0, 0, 1.]], dtype=torch.float64)
    matrix = axis_angle_to_matrix(axis_angle)[0]
    np.testing.assert_allclose(matrix[1, 0], math.sin(1) / (1 + 1e-6), rtol=1e-14)
    np.testing.assert_allclose(matrix[2, 2], math.cos(1) + (1 - math.cos(1)) / (1 + 1e-6) ** 2, rtol=1e-14)


@DTYPES
def test_matrix_turns_by_its_angle_about_its_axis(dtype):
    """Against the matrix exponential, an independent way to the same rotation."""
    axis_angle = axis_angles(dtype)
    expected = torch.linalg.matrix_exp(skew(axis_angle.double()))
    torch.testing.assert_close(axis_angle_to_matrix(axis_angle).double(), expected, rtol=0,
                               atol=4 * AXIS_SHORTFALL + 8 * ROUNDING[dtype])


@DTYPES
def test_negated_axis_angle_is_the_inverse(dtype):
    axis_angle = axis_angles(dtype)
    torch.testing.assert_close(axis_angle_to_matrix(-axis_angle), axis_angle_to_matrix(axis_angle).transpose(1, 2),
                               rtol=0, atol=ROUNDING[dtype])


@DTYPES
def test_below_a_thousandth_of_a_radian_it_is_the_first_order_matrix(dtype):
    axis_angle = torch.tensor([[0, 0, 0], [9e-4, 0, 0], [5e-4, -5e-4, 5e-4]], dtype=dtype)
    matrices = axis_angle_to_matrix(axis_angle)
    torch.testing.assert_close(matrices, torch.eye(3, dtype=dtype) + skew(axis_angle), rtol=0, atol=0)


@DTYPES
def test_skew_is_the_cross_product(dtype):
    a, b = vectors(2, 20, dtype=dtype)
    torch.testing.assert_close((skew(a) @ b[..., None])[..., 0], torch.linalg.cross(a, b), rtol=0, atol=ROUNDING[dtype] * 8)


@DTYPES
@pytest.mark.parametrize('angle', [0, 1e-12, 5e-4, 2e-3, 1, math.pi, 5], ids=str)
def test_gradient_is_finite_and_not_zero_at_every_angle(dtype, angle):
    axis = torch.tensor([[2., -1, 2]], dtype=dtype) / 3
    axis_angle = (axis * angle).requires_grad_()
    weights = torch.arange(9, dtype=dtype).view(3, 3)
    (axis_angle_to_matrix(axis_angle) * weights).sum().backward()
    assert torch.isfinite(axis_angle.grad).all()
    assert (axis_angle.grad != 0).all()


def test_gradient_is_the_slope():
    axis_angle = torch.cat([axis_angles(torch.float64)[::6], torch.full((1, 3), 1e-4, dtype=torch.float64)])
    assert torch.autograd.gradcheck(axis_angle_to_matrix, (axis_angle.requires_grad_(),), eps=1e-7, atol=1e-5)


def test_a_batch_may_mix_small_and_large_angles():
    mixed = torch.tensor([[0., 0, 0], [.3, .2, -.4], [1e-5, 0, 0]])
    alone = torch.cat([axis_angle_to_matrix(row[None]) for row in mixed])
    torch.testing.assert_close(axis_angle_to_matrix(mixed), alone, rtol=0, atol=0)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_the_matrix_rotates_as_the_quaternion_does(dtype):
    generator = torch.Generator().manual_seed(0)
    quaternion = torch.nn.functional.normalize(torch.randn(9, 4, generator=generator, dtype=dtype), dim=-1)
    vector = torch.randn(9, 3, generator=generator, dtype=dtype)
    matrix = quaternion_to_matrix(quaternion)
    tolerance = 1e-6 if dtype == torch.float32 else 1e-14
    torch.testing.assert_close((matrix @ vector[..., None]).squeeze(-1), quaternion_rotate(quaternion, vector),
                               rtol=0, atol=10 * tolerance)
    torch.testing.assert_close(matrix @ matrix.transpose(1, 2), torch.eye(3, dtype=dtype).expand(9, 3, 3), rtol=0,
                               atol=10 * tolerance)
    torch.testing.assert_close(torch.linalg.det(matrix), torch.ones(9, dtype=dtype), rtol=0, atol=10 * tolerance)

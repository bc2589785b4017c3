"""Where the root of a lifted pose is: the translation that best explains the 2D pose of a camera with known focal length.

A joint p of the root-relative pose (metres, camera frame), moved by the root's place t, is seen along the ray (u, v, 1) if
p_x + t_x = u (p_z + t_z) and p_y + t_y = v (p_z + t_z). Both are linear in t, so the least-squares solution over all joints
is a closed form. The error of a joint is measured in metres across the rays.
"""
import torch

LEAST_SPREAD = 1e-4      # of the rays on the plane z = 1: 1.7 m look as small from 5 km; then the depth is unknown


def fit_root(pose3d_rel, rays, weights=None):
    """(B, J, 3) metres, camera frame, and rays (B, J, 3) on the plane z = 1 -> (B, 3) metres: the root in the camera frame.

    `weights` (B, J): how much each joint counts, such as its confidence; None: all alike. NaN where no place is determined:
    no joint counts, all rays coincide, or the body would be behind the camera.
    """
    xy, z, uv = pose3d_rel[..., :2], pose3d_rel[..., 2:], rays[..., :2]
    weights = torch.ones_like(z) if weights is None else weights[..., None]
    weights = weights / weights.sum(-2, keepdim=True)
    offset = xy - uv * z      # is t_z * uv - t_xy for a pose that fits exactly
    middle_uv, middle_offset = (weights * uv).sum(-2, keepdim=True), (weights * offset).sum(-2, keepdim=True)
    across = uv - middle_uv
    spread = (weights * across ** 2).sum((-2, -1))
    depth = (weights * across * (offset - middle_offset)).sum((-2, -1)) / spread
    root = torch.cat([depth[:, None] * middle_uv[:, 0] - middle_offset[:, 0], depth[:, None]], dim=-1)
    in_front = (z[..., 0] + depth[:, None]).amin(-1) > 0
    determined = (spread > LEAST_SPREAD ** 2) & in_front
    return root.where(determined[:, None], torch.full_like(root, torch.nan))

"""Cameras in Human3.6M's convention, as VideoPose3D's calibration file publishes them.

Frames and units
    world    metres, z up
    camera   metres, x right, y down, z forward
    image    pixels, or NORMALISED: x / width * 2 - 1 and y / width * 2 - height / width (the width scales both axes,
             so a normalised x lies in [-1, 1] and a normalised y in [-height / width, height / width])
A camera's intrinsic vector holds 9 numbers in normalised units: focal length (2), centre (2), radial distortion k (3),
tangential distortion p (2). Its orientation is a unit quaternion, w first, from camera to world; its translation is its
position in the world, metres.
"""
import torch

from common.rotation import quaternion_to_matrix

NEARLY_SQUARE = 1.01     # largest height / width of an image that counts as square, like Human3.6M's 1000 x 1002 pixels


def world_to_camera(pose3d_world, orientation, translation):
    """(..., 3) world metres -> camera metres; `orientation` (4,) camera to world, `translation` (3,) metres."""
    return (pose3d_world - translation) @ quaternion_to_matrix(orientation)      # row vectors: this is the inverse rotation


def camera_to_world(pose3d_cam, orientation, translation):
    """(..., 3) camera metres -> world metres; the inverse of `world_to_camera`."""
    return pose3d_cam @ quaternion_to_matrix(orientation).T + translation


def pixels_to_normalised(pose2d_px, width, height):
    """(..., 2) pixels -> normalised image coordinates; numpy or torch."""
    scaled = pose2d_px / width * 2
    scaled[..., 0] -= 1
    scaled[..., 1] -= height / width
    return scaled


def padded_side(width, height):
    """Length in pixels that `pixels_to_padded` scales to 2: the height of a portrait image, otherwise the width."""
    return height if height > NEARLY_SQUARE * width else width


def pixels_to_padded(pose2d_px, width, height):
    """(..., 2) pixels -> normalised image coordinates, after a portrait image was padded left and right to a square.

    The padding keeps a portrait image within [-1, 1], the range on which lifters were trained, and a flip still negates x.
    Other images are normalised as in training, by `pixels_to_normalised`. Takes numpy arrays and tensors.
    """
    if padded_side(width, height) == width:
        return pixels_to_normalised(pose2d_px, width, height)
    shifted = pose2d_px * 1
    shifted[..., 0] += (height - width) / 2
    return pixels_to_normalised(shifted, height, height)


def normalised_to_pixels(pose2d_norm, width, height):
    """(..., 2) normalised -> pixels; the inverse of `pixels_to_normalised`; numpy or torch."""
    shifted = pose2d_norm * 1
    shifted[..., 0] += 1
    shifted[..., 1] += height / width
    return shifted * width / 2


def perspective_divide(pose3d_cam):
    """(..., 3) camera metres -> (..., 2) on the plane z = 1, each coordinate clamped to [-1, 1].

    PoseAug: the clamp comes from VideoPose3D. It also changes points more than 45 degrees off the optical axis, and gives
    points beside or behind the camera finite coordinates, which then look like those of points in front of it.
    """
    depth = pose3d_cam[..., 2:] + 1e-18       # keeps the gradient at a depth of 0 finite; in float32 other depths stay
    return torch.clamp(pose3d_cam[..., :2] / depth, min=-1, max=1)


def project(pose3d_cam, intrinsic):
    """Project with lens distortion: (B, J, 3) camera metres, (B, 9) intrinsic vectors -> (B, J, 2) normalised.

    f * (xy * (1 + k . (r2, r2^2, r2^3) + p . xy) + p * r2) + c. PoseAug: with p in this order, Brown's model has
    2 p . xy instead of p . xy.
    """
    focal, centre, k, p = _split(intrinsic)
    xy = perspective_divide(pose3d_cam)
    factor, shift = _distortion(xy, k, p)
    return focal * (xy * factor + shift) + centre


def _distortion(xy, k, p):
    """(B, J, 2) points on the plane z = 1 -> factor (B, J, 1), shift (B, J, 2): the lens moves xy to xy * factor + shift."""
    r2 = (xy ** 2).sum(-1, keepdim=True)
    radial = 1 + (k * torch.cat([r2, r2 ** 2, r2 ** 3], dim=-1)).sum(-1, keepdim=True)
    tangential = (p * xy).sum(-1, keepdim=True)
    return radial + tangential, p * r2


def undistort(pose2d_norm, intrinsic, iterations=20):
    """The inverse of `project` up to depth: (B, J, 2) normalised, (B, 9) intrinsic vectors -> (B, J, 2) on the plane z = 1.

    Fixed-point iteration, since there is no closed form. It is exact up to rounding for lenses without distortion or with
    as little as Human3.6M's.
    """
    focal, centre, k, p = _split(intrinsic)
    distorted = (pose2d_norm - centre) / focal
    xy = distorted
    for _ in range(iterations):
        factor, shift = _distortion(xy, k, p)
        xy = (distorted - shift) / factor
    return xy


def project_linear(pose3d_cam, intrinsic):
    """`project` without lens distortion: (B, J, 3), (B, 9) -> (B, J, 2)."""
    focal, centre, _, _ = _split(intrinsic)
    return focal * perspective_divide(pose3d_cam) + centre


def _split(intrinsic):
    """(B, 9) -> focal (B, 1, 2), centre (B, 1, 2), radial (B, 1, 3), tangential (B, 1, 2)."""
    return intrinsic[:, None].split([2, 2, 3, 2], dim=-1)


def root_relative(pose3d):
    """(..., J, 3) -> the same with joint 0 (Hip) at the origin."""
    return pose3d - pose3d[..., :1, :]

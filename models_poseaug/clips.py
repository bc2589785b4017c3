"""The augmentor on clips: bone angles change smoothly, while bone lengths and the camera stay the same in a whole clip.

BA sees each frame, with noise that is drawn every KEY_EVERY frames and passes smoothly from one draw to the next. BL and RT see
one frame, and their output is applied to all frames: the bone lengths stay the same, and the clip is turned and moved as a
whole, so the path through the room stays as smooth as it was. A clip of one frame is augmented as Augmentor augments a pose.
"""
import math
from typing import NamedTuple

import torch

from common.bones import bone_lengths, bone_vectors, pose_from_bones, scale_by_group
from common.camera import root_relative
from common.product import product
from common.rotation import axis_angle_to_matrix
from models_poseaug.augmentor import NOISE_SIZE, AugmentedPoses

KEY_EVERY = 25      # frames


class ClipNoise(NamedTuple):
    """Standard normal numbers for B clips of T frames: `ba` (B, T, 48), `bl` (B, 48), `rt` (2, B, 48)."""
    ba: torch.Tensor
    bl: torch.Tensor
    rt: torch.Tensor


def draw_clip_noise(count, length, generator):
    """ClipNoise on the generator's device; drawn in the order BA, BL, R, T."""
    def normal(*shape):
        return torch.randn(*shape, NOISE_SIZE, generator=generator, device=generator.device)

    return ClipNoise(between_keys(normal(count, -(-length // KEY_EVERY) + 1), length), normal(count), normal(2, count))


def between_keys(keys, length):
    """(B, K, 48) standard normal numbers at every KEY_EVERY-th frame -> (B, length, 48), standard normal in every frame.

    From key to key the numbers go along a quarter of an ellipse, which keeps their variance, and rest a moment at the keys.
    """
    place = torch.arange(length, device=keys.device) / KEY_EVERY
    before = place.long()
    part = place - before
    angle = (part ** 2 * (3 - 2 * part) * math.pi / 2)[:, None]
    return angle.cos() * keys[:, before] + angle.sin() * keys[:, before + 1]


def augment_clips(augmentor, pose3d_cam, noise, chosen):
    """Clips (B, T, J, 3), metres, camera frame -> AugmentedPoses of all frames.

    `noise`: a ClipNoise; `chosen`: the frame that BL and RT see. Of the result `ba`, `bl` and `rt` are (B, T, J, 3) and
    `ba_diff` (B, T, 15); `bl_ratio`, `axis_angle` and `translation`, that of the chosen frame, have one row for each clip.
    """
    skeleton, shape = augmentor.skeleton, pose3d_cam.shape[:2]
    frames, root = pose3d_cam.flatten(0, 1), pose3d_cam[:, :, :1]
    vectors, one, anchor = bone_vectors(frames, skeleton), pose3d_cam[:, chosen], root[:, chosen]
    source, own_vectors = root_relative(one).flatten(1), bone_vectors(one, skeleton)
    ba_vectors, ba_diff = augmentor.turn_bones(vectors, root_relative(frames).flatten(1), noise.ba.flatten(0, 1))
    _, bl_ratio = augmentor.stretch_bones(own_vectors, bone_lengths(own_vectors), source, noise.bl)
    longer = (1 + scale_by_group(bl_ratio, skeleton)).repeat_interleave(shape[1], dim=0)[..., None]
    ba, bl = (pose_from_bones(bones, skeleton).unflatten(0, shape) for bones in (ba_vectors, ba_vectors * longer))
    _, axis_angle, translation = augmentor.move(root_relative(one), anchor, source, noise.rt)
    from_anchor = (bl + (root - anchor[:, None])).flatten(1, 2)
    turned = product(from_anchor, axis_angle_to_matrix(axis_angle).transpose(1, 2)).unflatten(1, (shape[1], -1))
    return AugmentedPoses(ba + root, ba_diff.unflatten(0, shape), bl + root, bl_ratio, turned + translation[:, None],
                          axis_angle, translation)

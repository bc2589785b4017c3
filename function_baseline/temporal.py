"""Training of a temporal lifter on windows, and the errors of the motion that it predicts."""
from typing import NamedTuple

import torch

from common.camera import root_relative
from common.clips import clip_ends, clip_lengths, window_rows
from common.motion_metrics import acceleration_errors, velocity_errors
from common.person_camera import camera_of, view_person
from common.poses import PoseBatch
from common.product import full_precision
from function_baseline.clips import clips_of
from function_baseline.evaluate import mirror, predict, scoring_device
from function_baseline.train import supervised_pairs
from models_baseline.temporal import is_temporal
from utils import interrupts
from utils.runs.score_names import MOTION_SCORES, motion_columns, score_columns

STILL = 'lifted as if everybody stood still: these poses are no clips'


class MotionErrors(NamedTuple):
    """Means over all steps of all clips: millimetres per frame (MPJVE), and per frame^2."""
    mpjve_mm: float
    acceleration_mm: float


def pairs_for(lifter, poses, device, draws):
    """The `take` of `train_lifter` for a PoseSet and any lifter: `supervised_pairs`, or `window_pairs` with these `draws`."""
    if is_temporal(lifter):
        return window_pairs(poses, device, lifter, draws)
    return supervised_pairs(poses, device, camera_of(lifter))


def window_pairs(poses, device, lifter, draws):
    """The `take` of `train_lifter` for a temporal lifter: index (B,) of target poses -> windows (B, receptive_field, 16, 2) of
    normalised 2D, and their root-relative poses (B, 16, 3), metres, on `device`.

    Half of the windows are mirrored, as VideoPose3D does it; `draws`: the generator of these draws, on the device.
    """
    ends = clip_ends(poses)

    def take(index):
        batch, windows = poses.take(index, device), in_windows('pose2d', poses, index, ends, lifter, device)
        pair = windows_as_lifted(lifter, windows, root_relative(batch.pose3d_cam), batch.camera)
        return mirrored_at_random(*pair, draws, poses.skeleton)

    return take


def mirrored_at_random(windows, pose3d_rel, draws, skeleton):
    """Half of the pairs are mirrored: x negated, left and right exchanged; a window (N, J, 2) as a whole."""
    chosen = torch.rand(len(windows), generator=draws, device=draws.device) < .5
    return (torch.where(chosen[:, None, None, None], mirror(windows, skeleton), windows),
            torch.where(chosen[:, None, None], mirror(pose3d_rel, skeleton), pose3d_rel))


def in_windows(name, poses, index, ends, lifter, device, frames=slice(None)):
    """One field, 'pose3d_cam' or 'pose2d', of these `frames` of the windows around the poses `index` (B,)."""
    rows = window_rows(index.to(poses.device), ends, lifter.receptive_field, lifter.causal)[:, frames]
    return poses.take_only(name, rows.flatten(), device).unflatten(0, rows.shape)


def windows_at(poses, index, ends, lifter, device):
    """PoseBatch of the windows around the poses `index` (B,): (B, N, 16, 3), (B, N, 16, 2), and cameras (B, 9)."""
    pose3d_cam, pose2d = (in_windows(name, poses, index, ends, lifter, device) for name in ('pose3d_cam', 'pose2d'))
    return PoseBatch(pose3d_cam, pose2d, poses.take(index, device).camera)


def windows_as_lifted(lifter, windows, pose3d_rel, intrinsic, camera=None):
    """`as_lifted` for windows (B, N, J, 2) and the poses (B, J, 3) of their lifted frames; an intrinsic vector for each window.

    With the camera 'person' (None: as the lifter was trained) each frame has a virtual camera of its own.
    """
    if (camera or camera_of(lifter)) == 'image':
        return windows, pose3d_rel
    each = None if intrinsic is None else intrinsic.repeat_interleave(windows.shape[1], dim=0)
    view = view_person(windows.flatten(0, 1), each)
    pose2d, rotation = (part.unflatten(0, windows.shape[:2]) for part in view)
    return pose2d, pose3d_rel @ rotation[:, lifter.target].transpose(-1, -2)


@torch.no_grad()
@full_precision()
def motion_errors(lifter, poses, device, flip, camera=None):
    """MotionErrors of any lifter on a PoseSet, or None if it has no clip of three poses. Arguments as for `evaluate`."""
    lifter.eval()
    camera, steps, bends = camera or camera_of(lifter), [], []
    for index, lift in clips_of(lifter, poses):
        interrupts.obey()
        batch = poses.take(index, device)
        predicted = predict(lift, batch.pose2d, flip, camera, batch.camera, poses.skeleton)
        motions = [pose.to(scoring_device(device)).double() for pose in (predicted, root_relative(batch.pose3d_cam))]
        steps.append(velocity_errors(*motions))
        bends.append(acceleration_errors(*motions))
    if not steps:
        return None
    return MotionErrors(*(1000 * float(torch.cat(errors).mean()) for errors in (steps, bends)))


def log_columns(lifter, tests):
    """The columns of log.txt for the scores on EvaluationSets, and for what `report_motion` returns."""
    moving = [name for name, poses in zip(tests.names, tests.both) if max(clip_lengths(poses), default=0) >= 3]
    return score_columns(tests.names) + motion_columns(moving if is_temporal(lifter) else ())


def report_motion(run, lifter, epoch, tests, device):
    """Print and log the MotionErrors of a temporal lifter on the test sets that have clips; returns them for log.txt."""
    row = []
    if not is_temporal(lifter):
        return row
    for name, poses, flip in zip(tests.names, tests.both, tests.flips):
        errors = motion_errors(lifter, poses, device, flip)
        if not errors and epoch <= 1:
            print(f'{name.short}: {STILL}')
        if errors:
            print(f'epoch {epoch}: {name.short} {in_words(errors)}')
            run.scalars({f'{name.tag}/{score}': error for score, error in zip(MOTION_SCORES, errors)}, epoch)
            row += errors
    return row


def in_words(errors):
    """MotionErrors as they are printed."""
    return f'MPJVE {errors.mpjve_mm:.2f} mm/frame, acceleration error {errors.acceleration_mm:.2f} mm/frame^2'

"""Which poses a lifter sees together: one pose, the clip of a temporal lifter, or, in training, windows of it."""
from functools import partial

import torch

from common.clips import clip_lengths
from models_baseline.temporal import ClipLifter, for_clips, is_temporal


def parts_of(lifter, poses, chunk):
    """Yield (rows of a PoseSet, what lifts their 2D (B, J, 2) to (B, J, 3)), in order: `chunk` poses at once, or clip by clip.

    Where a temporal lifter meets a set without clips, each person is taken to stand still.
    """
    rows = torch.arange(len(poses), device=poses.device)
    if not is_temporal(lifter):
        yield from ((part, lifter) for part in rows.split(chunk))
    elif has_clips(poses):
        yield from ((part, ClipLifter(lifter)) for part in rows.split(clip_lengths(poses)))
    else:
        yield from ((part, partial(lift_stills, lifter)) for part in rows.split(max(chunk // lifter.receptive_field, 1)))


def clips_of(lifter, poses):
    """Yield (rows, what lifts them) of each clip of at least three poses; for lifters of one frame too."""
    rows = torch.arange(len(poses), device=poses.device)
    yield from ((part, for_clips(lifter)) for part in rows.split(clip_lengths(poses)) if len(part) >= 3)


def has_clips(poses):
    """Whether some poses of a PoseSet follow each other in time."""
    return max(clip_lengths(poses), default=0) > 1


def lift_stills(lifter, pose2d):
    """(B, J, 2) -> (B, J, 3) by a temporal lifter, as if each person had not moved in the whole window."""
    return lifter(pose2d[:, None].expand(-1, lifter.receptive_field, -1, -1))

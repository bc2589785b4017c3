"""The bone-length swap before each epoch: poses get the bone lengths of other people and are projected again."""
from dataclasses import replace

import numpy as np
import torch

from common.bones import swap_bone_lengths
from common.camera import project
from common.errors import InputError
from common.files.npz import load_npy
from function_baseline.streaming import subject_templates

CHUNK = 8192          # poses at once; more do not fit into a CPU's cache
LONGEST_BONE = 10     # metres, beyond any person's


def templates_for(training, path=''):
    """(S, 15) float32 bone lengths in metres, on the CPU: the rows of the .npy file `path`, or one row per training subject.

    InputError if the file cannot be read or does not hold such a table.
    """
    if not path:
        return subject_templates(training)
    num_bones, rows = training.skeleton.num_bones, np.asarray(load_npy(path, 'see DATASETS.md, bone-length templates'))
    is_table = rows.ndim == 2 and rows.shape[1] == num_bones and len(rows) > 0 and rows.dtype.kind == 'f'
    with np.errstate(over='ignore'):
        lengths = rows.astype(np.float32) if is_table else None
    if not (is_table and (lengths > 0).all() and (lengths < LONGEST_BONE).all()):       # NaN fails both
        raise InputError(f'{path} has shape {rows.shape}; --bl_templates needs (rows, {num_bones}) positive '
                         f'bone lengths in metres, each below {LONGEST_BONE}')
    return torch.from_numpy(lengths)


def swapped_bones(poses, templates, generator, rows=None):
    """PoseSet whose poses have the bone lengths of random rows of `templates` (S, 15), metres, and are projected again.

    `rows` (N,) int64, on the set's device: these instead of random ones.
    """
    if rows is None:
        rows = torch.randint(len(templates), (len(poses),), generator=generator, device=generator.device).to(poses.device)
    templates = templates.to(poses.device)
    pose3d_cam, pose2d = torch.empty_like(poses.pose3d_cam), torch.empty_like(poses.pose2d)
    for start in range(0, len(poses), CHUNK):
        span = slice(start, start + CHUNK)
        pose3d_cam[span] = swap_bone_lengths(poses.pose3d_cam[span], templates, rows[span], poses.skeleton)
        pose2d[span] = project(pose3d_cam[span], poses.intrinsics.index_select(0, poses.camera[span]))
    return replace(poses, pose3d_cam=pose3d_cam, pose2d=pose2d)

"""What TensorBoard shows of a run beside its scalars: made once an epoch from a bounded sample of poses.

What is shown comes back as a Summary for the event file, or as tag -> number; nothing is drawn from torch's own random numbers,
and no network changes but that the lifter is left in eval mode, as an evaluation leaves it.
"""
from dataclasses import replace

import numpy as np
import torch
from tensorboardX import summary
from tensorboardX.proto.summary_pb2 import Summary

from common import metrics
from common.camera import root_relative
from common.datasets import TEST_SETS
from common.product import full_precision
from common.skeleton import H36M_16
from function_baseline.evaluate import per_pose_errors
from utils.pictures.sheets import Lifted, hardness_figure
from utils.runs.score_names import SCORE_COLUMNS, TAGS

SAMPLE = 1024      # poses looked at
SHOWN = 6          # of the hardest, and of the easiest
SCORES = [f'scores/{column}' for column in SCORE_COLUMNS]     # named alike by both trainers: one table for all runs
# arguments that say where a run lies or do nothing
NO_HYPER_PARAMETERS = ('action_wise', 'checkpoint', 'data_root', 'dataset', 'decay_epoch', 'device', 'evaluate',
                       'graphs', 'keep_snapshots', 'num_workers', 'pretrain_path', 'snapshot')

# Charts of several curves: title -> charts -> patterns, each of which the start of a scalar's tag has to match. The
# same title in another run's layout means the same chart, so both trainers' errors stand in one.
SET_NAMES = dict(h36m='Human3.6M S9, S11', dhp='MPI-INF-3DHP')
ERRORS = {f'{SET_NAMES[place]}, {protocol}': ['Multiline', [f'{tag}/{score}(_real)?$']]
          for place, tag in TAGS.items() for protocol, score in (('MPJPE', 'p1score'), ('P-MPJPE', 'p2score'))}
JOINTS = {name: ['Multiline', [f'joint_error_{place}/']] for place, name in SET_NAMES.items()}
LAYOUT = {'Errors, mm': ERRORS, 'Errors of joints, mm': JOINTS,
          'Lifter': {'loss': ['Multiline', ['train/loss']], 'learning rate': ['Multiline', ['train/lr']]}}


def start_summary(arguments, layout=LAYOUT):
    """Written when a run starts: its hyper-parameters, the scores they shall be judged by, the charts.

    `arguments` name -> string, number or boolean. TensorBoard takes each score's last value for the final one.
    """
    chosen = {name: value for name, value in arguments.items() if name not in NO_HYPER_PARAMETERS}
    experiment, session, _ = summary.hparams(chosen, dict.fromkeys(SCORES))
    return merged(experiment, session, summary.custom_scalars(layout))


def end_summary():
    """Written when a run has ended well."""
    return summary.hparams({}, {})[2]


def epoch_summary(lifter, training, tests, row, device):
    """The lifter after an epoch: scores, errors of joints on both test sets, its hardest and easiest training poses.

    `row` are the log's four scores, mm. The same poses are looked at after every epoch.
    """
    batch = training.take(spread_out(len(training)), device)
    return merged(scalars(dict(zip(SCORES, row))), scalars(joint_errors(lifter, tests, device)),
                  hardness_image('lifter/hardest_and_easiest', lifter, batch.pose2d, batch.pose3d_cam))


def joint_errors(lifter, tests, device):
    """Mean error of every joint but the root, mm, on SAMPLE poses of each test set: joint_error_<set>/<joint> -> mm."""
    figures = {}
    for place, name, poses in (('h36m', 'h36m', tests.h36m), ('dhp', '3dhp', tests.dhp)):
        errors, _ = per_pose_errors(lifter, thinned(poses), device, TEST_SETS[name].flip)
        means_mm = (1000 * errors.mean(0)).tolist()
        figures.update({f'joint_error_{place}/{name}': mean for name, mean in zip(H36M_16.names[1:], means_mm[1:])})
    return figures


def hardness_image(tag, lifter, pose2d, pose3d_cam):
    """A picture of `hardest_and_easiest`; an empty Summary where there are no poses."""
    if len(pose2d) == 0:
        return Summary()
    return figure_summary(tag, hardness_figure(*hardest_and_easiest(lifter, pose2d, pose3d_cam)))


@torch.no_grad()
@full_precision()
def hardest_and_easiest(lifter, pose2d, pose3d_cam):
    """The poses on which the lifter errs most, and those on which it errs least, worst and best first: two Lifted.

    Of (B, 16, 2) normalised and (B, 16, 3) camera metres.
    """
    lifter.eval()
    truth, predicted = root_relative(pose3d_cam), root_relative(lifter(pose2d))
    errors_mm = 1000 * metrics.mpjpe(predicted, truth)
    order = errors_mm.argsort(descending=True)
    return tuple(Lifted(*(part[index].cpu().numpy() for part in (pose2d, truth, predicted, errors_mm)))
                 for index in (order[:SHOWN], order.flip(0)[:SHOWN]))


def figure_summary(tag, figure):
    """A matplotlib Figure as an image."""
    figure.canvas.draw()
    return summary.image(tag, np.asarray(figure.canvas.buffer_rgba())[..., :3], dataformats='HWC')


def thinned(poses):
    """SAMPLE poses of a PoseSet, or all where there are fewer, evenly spread over it."""
    index = spread_out(len(poses)).to(poses.device)
    parts = {name: getattr(poses, name) for name in ('pose3d_cam', 'pose2d', 'camera', 'subject', 'group')}
    return replace(poses, **{name: part[index] for name, part in parts.items() if part is not None})


def spread_out(count):
    """(SAMPLE,) int64, or (count,) where that is less: places from 0 to count - 1, evenly spread."""
    sample = min(SAMPLE, count)
    return torch.arange(sample) * count // sample


def scalars(figures):
    """A Summary of tag -> number."""
    return merged(*(summary.scalar(tag, value) for tag, value in figures.items()))


def merged(*summaries):
    """One Summary of several."""
    whole = Summary()
    for part in summaries:
        whole.MergeFrom(part)
    return whole

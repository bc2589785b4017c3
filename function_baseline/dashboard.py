"""What TensorBoard shows of a run besides its scalars, made once an epoch from a limited sample of poses.

The functions return a Summary for the event file, or tag -> number. They do not draw from torch's global random numbers
and change no network, except that the lifter is left in eval mode, as after an evaluation.
"""

import numpy as np
import torch
from tensorboardX import summary
from tensorboardX.proto.summary_pb2 import Summary

from common import metrics
from common.camera import root_relative
from common.clips import pieces_of_clips
from common.product import full_precision
from common.skeleton import H36M_16
from function_baseline.clips import has_clips
from function_baseline.evaluate import per_pose_errors, predict
from models_baseline.temporal import for_clips, is_temporal
from utils.pictures.sheets import Lifted, hardness_figure
from utils.runs.score_names import H36M_AND_3DHP, TAGS, score_columns

SAMPLE = 1024      # poses in the sample
SHOWN = 4          # poses drawn: as many of the hardest as of the easiest
# arguments that do not influence the results, or that follow from others
NO_HYPER_PARAMETERS = ('action_wise', 'checkpoint', 'data_root', 'decay_epoch', 'device', 'evaluate',
                       'graphs', 'keep_snapshots', 'num_workers', 'pretrain_path', 'skeleton', 'snapshot')

# Charts of several curves: title -> chart -> patterns for the beginning of the tags of its curves. Charts of the same
# title in the layouts of several runs are one chart, so the errors of both trainers appear together.
SET_NAMES = dict(h36m='Human3.6M S9, S11', dhp='MPI-INF-3DHP')
ERRORS = {f'{SET_NAMES[place]}, {protocol}': ['Multiline', [f'{tag}/{score}(_real)?$']]
          for place, tag in TAGS.items() for protocol, score in (('MPJPE', 'p1score'), ('P-MPJPE', 'p2score'))}
JOINTS = {name: ['Multiline', [f'joint_error_{place}/']] for place, name in SET_NAMES.items()}
LAYOUT = {'Errors, mm': ERRORS, 'Errors of joints, mm': JOINTS,
          'Lifter': {'loss': ['Multiline', ['train/loss']], 'learning rate': ['Multiline', ['train/lr']]}}


def score_tags(names=H36M_AND_3DHP):
    """The four tags of the scores in the log row: the same in both trainers, for one table of all runs."""
    return [f'scores/{column}' for column in score_columns(names)]


def start_summary(arguments, defaults, layout=LAYOUT, names=H36M_AND_3DHP):
    """The Summary for a run's start: its hyper-parameters, the names of the scores to compare runs by, the charts.

    `arguments` and `defaults`: name -> string, number or boolean; only those that differ are hyper-parameters. TensorBoard
    takes each score's last value.
    """
    chosen = {name: value for name, value in arguments.items()
              if name not in NO_HYPER_PARAMETERS and value != defaults.get(name)}
    experiment, session, _ = summary.hparams(chosen, dict.fromkeys(score_tags(names)))
    return merged(experiment, session, summary.custom_scalars(layout))


def end_summary():
    """The Summary for the end of a run that has finished."""
    return summary.hparams({}, {})[2]


def epoch_summary(lifter, training, tests, row, device):
    """The Summary of an epoch: scores, errors per joint on both test sets, the hardest and easiest training poses.

    `row`: the four scores of the log, mm. The sample of poses is the same after every epoch.
    """
    batch = training.take(sample_rows(lifter, training, clips=1), device)
    return merged(scalars(dict(zip(score_tags(tests.names), row))), scalars(joint_errors(lifter, tests, device)),
                  hardness_image('lifter/hardest_and_easiest', for_clips(lifter), batch.pose2d, batch.pose3d_cam,
                                 training.skeleton, batch.camera))


def joint_errors(lifter, tests, device):
    """Mean error of every joint except the root on SAMPLE poses of each test set: joint_error_<set>/<joint> -> mm."""
    figures = {}
    for name, poses, flip in zip(tests.names, tests.both, tests.flips):
        errors, _ = per_pose_errors(lifter, sampled(lifter, poses), device, flip)
        means_mm = (1000 * errors.mean(0)).tolist()
        figures.update({f'joint_error_{name.key}/{joint}': mean
                        for joint, mean in zip(poses.skeleton.names[1:], means_mm[1:])})
    return figures


def hardness_image(tag, lifter, pose2d, pose3d_cam, skeleton=H36M_16, intrinsic=None):
    """Summary with a picture of `hardest_and_easiest`; an empty one if there are no poses."""
    if len(pose2d) == 0:
        return Summary()
    return figure_summary(tag, hardness_figure(*hardest_and_easiest(lifter, pose2d, pose3d_cam, intrinsic), skeleton=skeleton))


@torch.no_grad()
@full_precision()
def hardest_and_easiest(lifter, pose2d, pose3d_cam, intrinsic=None):
    """Two Lifted: the SHOWN poses with the largest errors of the lifter, and those with the smallest.

    `pose2d` (B, 16, 2) normalised, `pose3d_cam` (B, 16, 3) metres, camera frame.
    """
    lifter.eval()
    truth, predicted = root_relative(pose3d_cam), predict(lifter, pose2d, intrinsic=intrinsic)
    errors_mm = 1000 * metrics.mpjpe(predicted, truth)
    order = errors_mm.argsort(descending=True)
    return tuple(Lifted(*(part[index].cpu().numpy() for part in (pose2d, truth, predicted, errors_mm)))
                 for index in (order[:SHOWN], order.flip(0)[:SHOWN]))


def figure_summary(tag, figure):
    """Summary with a matplotlib Figure as an image: 100 pixels an inch are shown, and twice as many are there to zoom."""
    figure.set_dpi(200)
    figure.canvas.draw()
    return summary.image(tag, np.asarray(figure.canvas.buffer_rgba())[..., :3], dataformats='HWC')


def sampled(lifter, poses):
    """PoseSet of SAMPLE evenly spaced poses, or of all if there are fewer; for a temporal lifter, of pieces of clips."""
    return poses.subset(sample_rows(lifter, poses).to(poses.device))


def sample_rows(lifter, poses, clips=8):
    """(M,) int64 rows of the poses of `sampled`; `clips`: of how many clips a temporal lifter gets a piece."""
    return pieces_of_clips(poses, SAMPLE, clips) if is_temporal(lifter) and has_clips(poses) else spread_out(len(poses))


def spread_out(count):
    """min(SAMPLE, count) evenly spaced indices from 0 to count - 1, int64."""
    sample = min(SAMPLE, count)
    return torch.arange(sample) * count // sample


def scalars(figures):
    """Summary of tag -> number."""
    return merged(*(summary.scalar(tag, value) for tag, value in figures.items()))


def merged(*summaries):
    """One Summary of several."""
    whole = Summary()
    for part in summaries:
        whole.MergeFrom(part)
    return whole

"""What goes into the baseline's event files beside scalars: errors of joints, pictures, hyper-parameters."""
import numpy as np
import pytest
import torch
from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData
from torch import nn

from common.camera import root_relative
from common.skeleton import H36M_16
from function_baseline import dashboard
from function_baseline.arguments import baseline_parser
from function_poseaug.arguments import poseaug_parser
from models_baseline import build_lifter
from run_reading import values
from utils.runs.run_directory import plain_arguments
from utils.runs.score_names import SCORE_COLUMNS

ROW = (50., 40., 80., 60.)


class Offset(nn.Module):
    """Knows every 2D pose's answer and errs on purpose: pose i's wrist by i millimetres."""

    def __init__(self, poses):
        super().__init__()
        self.questions, self.answers = poses.pose2d.flatten(1), root_relative(poses.pose3d_cam).clone()
        self.answers[:, H36M_16.joints('LWrist'), 0] += torch.arange(len(poses))[:, None] / 1000

    def forward(self, pose2d):
        return self.answers[torch.cdist(pose2d.flatten(1), self.questions,
                                        compute_mode='donot_use_mm_for_euclid_dist').argmin(1)]


def test_an_epoch_of_the_baseline_looks_at_its_lifter(training, tests):
    of_epoch = dashboard.epoch_summary(build_lifter('mlp', 1, 0.), training, tests, ROW, 'cpu')
    assert set(values(of_epoch, 'image')) == {'lifter/hardest_and_easiest'} and not values(of_epoch, 'histo')
    assert {name: values(of_epoch, 'simple_value')[f'scores/{name}'] for name in SCORE_COLUMNS} == dict(
        zip(SCORE_COLUMNS, ROW))


def test_without_poses_there_is_no_picture():
    assert not dashboard.hardness_image('tag', build_lifter('mlp', 1, .25), torch.zeros(0, 16, 2), torch.zeros(0, 16, 3)).value


# Errors

def test_joint_errors_are_those_of_the_lifter(training, tests):
    figures = dashboard.joint_errors(Offset(tests.h36m), tests, 'cpu')
    assert figures['joint_error_h36m/LWrist'] == pytest.approx((len(tests.h36m) - 1) / 2, rel=1e-4)
    others = [figures[f'joint_error_h36m/{name}'] for name in H36M_16.names[1:] if name != 'LWrist']
    assert max(others) < 1e-3 < figures['joint_error_dhp/Head']


def test_the_hardest_poses_are_sorted_from_the_hardest_and_the_easiest_from_the_easiest(training):
    lifter, count = Offset(training), len(training)
    hardest, easiest = dashboard.hardest_and_easiest(lifter, training.pose2d, training.pose3d_cam)
    worst, shown = (count - 1) / 16, np.arange(4)
    np.testing.assert_allclose(hardest.errors_mm, worst - shown / 16, rtol=1e-4)
    np.testing.assert_allclose(easiest.errors_mm, shown / 16, atol=1e-4)
    np.testing.assert_array_equal(hardest.pose2d[0], training.pose2d[-1])
    np.testing.assert_array_equal(easiest.pose3d[2], root_relative(training.pose3d_cam)[2])


@pytest.mark.parametrize('count', [3, 1024, 100_000])
def test_a_sample_is_bounded_and_spread_over_the_whole(count):
    places = dashboard.spread_out(count)
    assert len(places) == len(places.unique()) == min(count, dashboard.SAMPLE)
    assert places[0] == 0 and count - count // len(places) - 1 <= places[-1] < count


def test_a_thinned_set_keeps_its_pairs_and_cameras(training, tests):
    few = dashboard.sampled(None, training)
    place = int(dashboard.spread_out(len(training))[7])
    assert torch.equal(few.pose3d_cam[7], training.pose3d_cam[place]) and few.camera[7] == training.camera[place]
    assert torch.equal(few.pose2d[7], training.pose2d[place]) and few.group[7] == training.group[place]
    assert dashboard.sampled(None, tests.dhp).camera is None


# Once a run

def hparams_of(summary):
    """tag -> what TensorBoard's hyper-parameter page reads."""
    return {value.tag: HParamsPluginData.FromString(value.metadata.plugin_data.content) for value in summary.value
            if value.metadata.plugin_data.plugin_name == 'hparams'}


@pytest.mark.parametrize('parser', [baseline_parser, poseaug_parser], ids=['baseline', 'poseaug'])
def test_a_run_starts_with_what_differs_from_the_defaults_and_the_scores_to_judge_it_by(parser):
    typed = ['--posenet_name', 'gcn', '--dropout', '0', '--s1only', 'true', '--data_root', 'elsewhere', '--stages', '4']
    arguments, defaults = (plain_arguments(parser('').parse_args(words)) for words in (typed, []))
    parts = hparams_of(dashboard.start_summary(arguments, defaults))
    chosen = parts['_hparams_/session_start_info'].session_start_info.hparams
    assert (chosen['posenet_name'].string_value, chosen['dropout'].number_value, chosen['s1only'].bool_value) == (
        'gcn', 0, True)
    assert set(chosen) == {'posenet_name', 'dropout', 's1only'}
    metrics = [metric.name.tag for metric in parts['_hparams_/experiment'].experiment.metric_infos]
    assert metrics == [f'scores/{column}' for column in SCORE_COLUMNS]
    assert '_hparams_/session_end_info' in hparams_of(dashboard.end_summary())

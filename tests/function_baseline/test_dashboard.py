"""What goes into the event files beside scalars: read back, and made without touching the training."""
import io
import re
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.layout_pb2 import Layout
from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData
from tensorboardX.summary import scalar
from torch import nn

import function_baseline.dashboard as baseline_dashboard
import function_poseaug.dashboard as poseaug_dashboard
from common.camera import root_relative
from common.datasets.h36m import h36m_poses, read_h36m
from common.datasets.mpi_inf_3dhp import load_3dhp
from common.skeleton import H36M_16
from function_baseline import scores
from function_baseline.arguments import baseline_parser
from function_baseline.evaluate import PoseErrors
from function_poseaug.arguments import feedback_terms, loss_weights, poseaug_parser
from function_poseaug.refresh import templates_for
from function_poseaug.statistics import sample_augmentations
from function_poseaug.steps import KEPT_SHARE, Game, discriminator_step, generator_step
from models_baseline import build_lifter
from models_poseaug.augmentor import Augmentor, draw_noise
from models_poseaug.discriminator import Discriminator2D, Discriminator3D
from utils.gradients import adam
from utils.runs.run_directory import plain_arguments
from utils.runs.score_names import SCORE_COLUMNS
from utils.seeding import generator

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


@pytest.fixture(scope='module')
def training(tiny_root):
    return h36m_poses(read_h36m(tiny_root, 'gt'), ('S1',), downsample=3)


@pytest.fixture(scope='module')
def tests(tiny_root):
    return SimpleNamespace(h36m=h36m_poses(read_h36m(tiny_root, 'gt'), ('S9',), 'Walking'), dhp=load_3dhp(tiny_root))


@pytest.fixture(scope='module')
def game():
    torch.manual_seed(0)
    return Game(Augmentor(), Discriminator3D(), Discriminator2D(), build_lifter('mlp', 1, .25))


@pytest.fixture(scope='module')
def of_epoch(game, training, tests):
    return poseaug_dashboard.epoch_summary(game, training, templates_for(training), tests, ROW,
                                           generator('cpu', 0, 1, 'dashboard'))


def values(summary, kind):
    """tag -> value of one kind: 'simple_value', 'image' or 'histo'."""
    return {value.tag: getattr(value, kind) for value in summary.value if value.WhichOneof('value') == kind}


def picture(image):
    return np.asarray(Image.open(io.BytesIO(image.encoded_image_string)))


# Once an epoch

def test_an_epoch_of_poseaug_leaves_images_histograms_and_scalars(of_epoch):
    assert set(values(of_epoch, 'image')) == {'augmentation/source_BA_BL_RT', 'augmentation/hardest_and_easiest'}
    assert set(values(of_epoch, 'histo')) == {
        'view_azimuth/source', 'view_azimuth/RT', 'view_elevation/source', 'view_elevation/RT', 'root_depth/source',
        'root_depth/RT', 'bone_turn/BA', 'bone_length/BL', 'elbows_and_knees/source', 'elbows_and_knees/BA'}
    joints = {f'joint_error_{place}/{name}' for place in ('h36m', 'dhp') for name in H36M_16.names if name != 'Hip'}
    assert set(values(of_epoch, 'simple_value')) == joints | set(baseline_dashboard.SCORES)


def test_an_epoch_of_the_baseline_looks_at_its_lifter(training, tests):
    of_epoch = baseline_dashboard.epoch_summary(build_lifter('mlp', 1, 0.), training, tests, ROW, 'cpu')
    assert set(values(of_epoch, 'image')) == {'lifter/hardest_and_easiest'} and not values(of_epoch, 'histo')
    assert {name: values(of_epoch, 'simple_value')[f'scores/{name}'] for name in SCORE_COLUMNS} == dict(
        zip(SCORE_COLUMNS, ROW))


def test_images_are_drawn_in_colour_and_of_the_size_they_say(of_epoch):
    for tag, image in values(of_epoch, 'image').items():
        pixels = picture(image)
        assert pixels.shape == (image.height, image.width, 3) and image.width > 600
        assert (pixels == 255).mean() > .5
        for colour in ((0, 0x72, 0xB2), (0xD5, 0x5E, 0)):
            assert (pixels == colour).all(-1).sum() > 20, tag


def test_histograms_count_every_value_of_the_sample(of_epoch):
    counts = {tag: sum(histogram.bucket) for tag, histogram in values(of_epoch, 'histo').items()}
    sample = baseline_dashboard.SAMPLE
    assert counts['view_azimuth/RT'] == counts['root_depth/source'] == sample
    assert counts['bone_turn/BA'] == 13 * sample and counts['bone_length/BL'] == 8 * sample
    assert counts['elbows_and_knees/BA'] == 4 * sample


def test_a_person_far_away_is_counted_in_the_last_bin(game, training):
    sample = sample_augmentations(game.augmentor, training, templates_for(training), 16, generator('cpu', 0, 1, 'far'))
    far = {**sample.pose3d_cam, 'RT': sample.pose3d_cam['RT'] + torch.tensor([0, 0, 99.])}
    histogram = values(poseaug_dashboard.histograms(sample._replace(pose3d_cam=far)), 'histo')['root_depth/RT']
    assert sum(histogram.bucket) == histogram.bucket[-1] == 16 and histogram.bucket_limit[-1] == 15


def test_the_training_goes_on_as_if_nobody_had_looked(game, training, tests):
    state = torch.random.get_rng_state()
    weights = [{name: value.clone() for name, value in network.state_dict().items()} for network in game]
    first, second = (poseaug_dashboard.epoch_summary(game, training, templates_for(training), tests, ROW,
                                                     generator('cpu', 0, 1, 'dashboard')) for _ in range(2))
    assert first == second and torch.equal(state, torch.random.get_rng_state())
    for network, before in zip(game, weights):
        assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_no_kept_pose_is_no_picture(game):
    assert not baseline_dashboard.hardness_image('tag', game.lifter, torch.zeros(0, 16, 2), torch.zeros(0, 16, 3)).value


# Errors

def test_joint_errors_are_those_of_the_lifter(training, tests):
    figures = baseline_dashboard.joint_errors(Offset(tests.h36m), tests, 'cpu')
    assert figures['joint_error_h36m/LWrist'] == pytest.approx((len(tests.h36m) - 1) / 2, rel=1e-4)
    others = [figures[f'joint_error_h36m/{name}'] for name in H36M_16.names[1:] if name != 'LWrist']
    assert max(others) < 1e-3 < figures['joint_error_dhp/Head']


def test_the_hardest_come_first_and_the_easiest_first_too(training):
    lifter, count = Offset(training), len(training)
    hardest, easiest = baseline_dashboard.hardest_and_easiest(lifter, training.pose2d, training.pose3d_cam)
    worst = (count - 1) / 16
    np.testing.assert_allclose(hardest.errors_mm, worst - np.arange(6) / 16, rtol=1e-4)
    np.testing.assert_allclose(easiest.errors_mm, np.arange(6) / 16, atol=1e-4)
    np.testing.assert_array_equal(hardest.pose2d[0], training.pose2d[-1])
    np.testing.assert_array_equal(easiest.pose3d[2], root_relative(training.pose3d_cam)[2])


@pytest.mark.parametrize('count', [3, 1024, 100_000])
def test_a_sample_is_bounded_and_spread_over_the_whole(count):
    places = baseline_dashboard.spread_out(count)
    assert len(places) == len(places.unique()) == min(count, baseline_dashboard.SAMPLE)
    assert places[0] == 0 and count - count // len(places) - 1 <= places[-1] < count


def test_a_thinned_set_keeps_its_pairs_and_cameras(training, tests):
    few = baseline_dashboard.thinned(training)
    place = int(baseline_dashboard.spread_out(len(training))[7])
    assert torch.equal(few.pose3d_cam[7], training.pose3d_cam[place]) and few.camera[7] == training.camera[place]
    assert torch.equal(few.pose2d[7], training.pose2d[place]) and few.group[7] == training.group[place]
    assert baseline_dashboard.thinned(tests.dhp).camera is None


# Once a run

def hparams_of(summary):
    """tag -> what TensorBoard's hyper-parameter page reads."""
    return {value.tag: HParamsPluginData.FromString(value.metadata.plugin_data.content) for value in summary.value
            if value.metadata.plugin_data.plugin_name == 'hparams'}


@pytest.mark.parametrize('parser', [baseline_parser, poseaug_parser], ids=['baseline', 'poseaug'])
def test_a_run_starts_with_its_hyper_parameters_and_the_scores_to_judge_them_by(parser):
    arguments = plain_arguments(parser('').parse_args(['--posenet_name', 'gcn', '--dropout', '0', '--s1only', 'true']))
    parts = hparams_of(baseline_dashboard.start_summary(arguments))
    chosen = parts['_hparams_/session_start_info'].session_start_info.hparams
    assert (chosen['posenet_name'].string_value, chosen['dropout'].number_value, chosen['s1only'].bool_value) == (
        'gcn', 0, True)
    assert 'data_root' not in chosen and 'batch_size' in chosen
    metrics = [metric.name.tag for metric in parts['_hparams_/experiment'].experiment.metric_infos]
    assert metrics == [f'scores/{column}' for column in SCORE_COLUMNS]
    assert '_hparams_/session_end_info' in hparams_of(baseline_dashboard.end_summary())


def written_tags(game, training):
    """Every scalar's tag on the disk: both trainers' scores, one iteration of the game, the dashboard's own."""
    errors = PoseErrors(*[1.] * 6, 1, {})
    args = poseaug_parser('').parse_args([])
    batch = training.take(torch.arange(8))
    fake, log = generator_step(game, adam(game.augmentor, 1e-4), batch, loss_weights(args), feedback_terms(args, 1),
                               draw_noise(batch.pose3d_cam))
    log.update(discriminator_step(game.critic3d, adam(game.critic3d, 1e-4), batch.pose3d_cam, fake.poses.ba, 'd3d'))
    log.update(discriminator_step(game.critic2d, adam(game.critic2d, 1e-4), batch.pose2d, fake.rt_pose2d, 'd2d'))
    figures = {'train/loss', 'train/lr', *log, KEPT_SHARE, 'joint_error_h36m/Head', 'joint_error_dhp/Head'}
    for suffix in ('', '_fake', '_real'):
        figures |= set(scores.tagged(errors, errors, suffix))
    return {scalar(tag, 0).value[0].tag for tag in figures}


def test_every_chart_shows_scalars_that_are_written(training):
    torch.manual_seed(0)
    tags = written_tags(Game(Augmentor(), Discriminator3D(), Discriminator2D(), build_lifter('mlp', 1, 0.)), training)
    for layout in (baseline_dashboard.LAYOUT, poseaug_dashboard.LAYOUT):
        summary = baseline_dashboard.start_summary({}, layout)
        value, = (value for value in summary.value if value.tag == 'custom_scalars__config__')
        categories = Layout.FromString(value.tensor.string_val[0]).category
        charts = [chart for category in categories for chart in category.chart]
        assert len(charts) == sum(map(len, layout.values()))
        for chart in charts:
            for pattern in chart.multiline.tag:
                assert any(re.match(pattern, tag) for tag in tags), (chart.title, pattern)
    # the charts of errors: the lifter's own score, not that from before the real pairs
    pattern, = baseline_dashboard.ERRORS['MPI-INF-3DHP, MPJPE'][1]
    assert {tag for tag in tags if re.match(pattern, tag)} == {f'posenet_mpi3d_loader_flip/p1score{end}'
                                                               for end in ('', '_real')}


def test_tensorboard_reads_it_all_back(of_epoch, tmp_path):
    accumulator = pytest.importorskip('tensorboard.backend.event_processing.event_accumulator')
    writer = EventsWriter(str(tmp_path / 'events'))
    for step, summary in enumerate((baseline_dashboard.start_summary({'lr': 1e-3}), of_epoch,
                                    baseline_dashboard.end_summary())):
        writer.write_event(Event(wall_time=time.time(), step=step, summary=summary))
    writer.close()
    read = accumulator.EventAccumulator(str(tmp_path)).Reload()
    assert set(read.Tags()['images']) == set(values(of_epoch, 'image'))
    assert set(read.Tags()['histograms']) == set(values(of_epoch, 'histo'))
    assert read.Scalars('scores/error_h36m_p1')[0].value == 50
    assert read.Images('augmentation/source_BA_BL_RT')[0].step == 1
    assert set(read.PluginTagToContent('hparams')) == {f'_hparams_/{name}' for name in (
        'experiment', 'session_start_info', 'session_end_info')}

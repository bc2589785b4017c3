"""What goes into PoseAug's event files beside scalars: read back, and made without touching the training."""
import io
import itertools
import re
import time

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.layout_pb2 import Layout
from tensorboardX.summary import scalar

import function_baseline.dashboard as baseline_dashboard
import function_poseaug.dashboard as poseaug_dashboard
from common.skeleton import H36M_16
from function_baseline import scores
from function_baseline.evaluate import PoseErrors
from function_poseaug.arguments import feedback_terms, loss_weights, poseaug_parser
from function_poseaug.refresh import templates_for
from function_poseaug.statistics import sample_augmentations
from function_poseaug.steps import KEPT_SHARE, Game, discriminator_step, generator_step
from models_baseline import build_lifter
from models_poseaug.augmentor import Augmentor, draw_noise
from models_poseaug.discriminator import Discriminator2D, Discriminator3D
from run_reading import values
from utils.gradients import adam
from utils.pictures.sheets import NARROW, Lifted, augmentation_figure, hardness_figure
from utils.seeding import generator

ROW = (50., 40., 80., 60.)
CAP_HEIGHT = .73     # of a capital letter, as a share of the font size


@pytest.fixture(scope='module')
def game():
    torch.manual_seed(0)
    return Game(Augmentor(), Discriminator3D(), Discriminator2D(), build_lifter('mlp', 1, .25))


@pytest.fixture(scope='module')
def of_epoch(game, training, tests):
    return poseaug_dashboard.epoch_summary(game, training, templates_for(training), tests, ROW,
                                           generator('cpu', 0, 1, 'dashboard'))


def picture(image):
    return np.asarray(Image.open(io.BytesIO(image.encoded_image_string)))


def test_an_epoch_of_poseaug_leaves_images_histograms_and_scalars(of_epoch):
    assert set(values(of_epoch, 'image')) == {'augmentation/source_BA_BL_RT', 'augmentation/hardest_and_easiest'}
    assert set(values(of_epoch, 'histo')) == {
        'view_azimuth/source', 'view_azimuth/RT', 'view_elevation/source', 'view_elevation/RT', 'root_depth/source',
        'root_depth/RT', 'bone_turn/BA', 'bone_length/BL', 'elbows_and_knees/source', 'elbows_and_knees/BA'}
    joints = {f'joint_error_{place}/{name}' for place in ('h36m', 'dhp') for name in H36M_16.names if name != 'Hip'}
    assert set(values(of_epoch, 'simple_value')) == joints | set(baseline_dashboard.score_tags())


def test_images_are_drawn_in_colour_and_of_the_size_they_say(of_epoch):
    for tag, image in values(of_epoch, 'image').items():
        pixels = picture(image)
        assert pixels.shape == (image.height, image.width, 3) and image.width > 600
        assert (pixels == 255).mean() > .5
        for colour in ((0, 0x72, 0xB2), (0xD5, 0x5E, 0)):
            assert (pixels == colour).all(-1).sum() > 20, tag


def test_images_are_legible_400_pixels_wide_as_tensorboard_shows_them():
    """No letter is lower than 9 pixels, none overlaps another, and none is cut off."""
    stages, poses = ('source', 'BA', 'BL', 'RT'), np.zeros((4, 16, 3))
    texts = [dict(source='10.6 m away', BA='turn 160°', BL='-17 to +116 %', RT='10.0 m away')] * 2
    lifted = Lifted(poses[..., :2], poses, poses, np.full(4, 1340.))
    spaces, images = dict.fromkeys(stages, poses[:2]), dict.fromkeys(stages, poses[:2, :, :2])
    for figure in (augmentation_figure(spaces, images, texts, 1, NARROW), hardness_figure(lifted, lifted)):
        figure.set_dpi(400 / figure.get_figwidth())
        figure.canvas.draw()
        drawn = [text for axes in figure.axes for text in axes.texts if text.get_text()]
        drawn += [*figure.legends[0].get_texts(), figure.legends[0].get_title()]
        boxes = [text.get_window_extent() for text in drawn]
        assert min(text.get_fontsize() * figure.dpi / 72 for text in drawn) >= 9 / CAP_HEIGHT
        assert all(0 <= box.x0 and box.x1 <= 400 and 0 <= box.y0 for box in boxes)
        assert not [texts for texts in itertools.combinations(zip(boxes, drawn), 2) if texts[0][0].overlaps(texts[1][0])]


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


@pytest.mark.slow
def test_the_dashboard_changes_neither_random_state_nor_weights(game, training, tests):
    state = torch.random.get_rng_state()
    weights = [{name: value.clone() for name, value in network.state_dict().items()} for network in game]
    first, second = (poseaug_dashboard.epoch_summary(game, training, templates_for(training), tests, ROW,
                                                     generator('cpu', 0, 1, 'dashboard')) for _ in range(2))
    assert first == second and torch.equal(state, torch.random.get_rng_state())
    for network, before in zip(game, weights):
        assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


# Both trainers

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
        summary = baseline_dashboard.start_summary({}, {}, layout)
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
    for step, summary in enumerate((baseline_dashboard.start_summary({'lr': 1e-3}, {}), of_epoch,
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

"""Pictures: colours by side, equal axes, bars and histograms of the right height, files in the formats asked for."""
import numpy as np
import pytest
import torch
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex

from common.skeleton import H36M_16, H36M_17
from function_poseaug.statistics import Quantity, SphereDensity
from utils.pictures.bars import ALL, ErrorBars, Spread, draw_bars, error_bars, groups_figure, joint_order, joints_figure
from utils.pictures.drawing import (GHOST, LEFT, MIDDLE, RIGHT, SERIES, STAGE_COLOURS, bone_colours, bone_segments,
                                    draw_2d, draw_3d, joint_colours, new_figure, save_augmentation, save_curves,
                                    save_figure)
from utils.pictures.sheets import (CELL, Lifted, augmentation_figure, camera_view, clipped, draw_sheet,
                                   hardness_figure, image_view, image_window, side_view)
from utils.pictures.views import draw_histogram, draw_map, histograms_figure, views_figure

RNG = np.random.default_rng(0)
POSES = RNG.uniform(-.3, .3, (6, 16, 3)) + [0, 0, 4]
IMAGES = RNG.uniform(-.5, .5, (6, 16, 2))
PNG = b'\x89PNG'


def lines_of(axes):
    return [collection for collection in axes.collections if isinstance(collection, LineCollection)]


# Colours

@pytest.mark.parametrize('skeleton', [H36M_16, H36M_17], ids=['16 joints', '17 joints'])
def test_a_joint_has_its_sides_colour_and_a_bone_its_joints(skeleton):
    colours = joint_colours(skeleton)
    for name, colour in zip(skeleton.names, colours):
        side = {'L': LEFT, 'R': RIGHT}.get(name[0] if name[1:2].isupper() else '', MIDDLE)
        assert colour == side, name
    assert bone_colours(skeleton) == colours[1:]


def test_nothing_else_has_the_colours_of_the_sides():
    others = {*SERIES, *STAGE_COLOURS.values(), GHOST}
    assert not others & {LEFT, RIGHT, MIDDLE} and len(set(SERIES)) == len(SERIES)


def test_every_drawing_of_a_pose_colours_its_bones_alike():
    figure = new_figure()
    space, image, sheet = figure.add_subplot(131, projection='3d'), figure.add_subplot(132), figure.add_subplot(133)
    draw_3d(space, POSES[0], '')
    draw_2d(image, IMAGES[0], '')
    draw_sheet(sheet, POSES[:1], POSES[:1], IMAGES[:1], [('', '')])
    figure.canvas.draw()
    drawn = [part.get_colors() for part in (space.collections[0], *lines_of(image), *lines_of(sheet)[3:6])]
    assert len(drawn) == 5
    for colours in drawn:
        # matplotlib's space sorts lines by depth
        assert sorted(map(to_hex, colours)) == sorted(colour.lower() for colour in bone_colours())
    assert [to_hex(colour) for colour in drawn[1]] == [colour.lower() for colour in bone_colours()]


# Sheets

def test_a_metre_is_as_long_in_every_tile_and_direction():
    """Across, down and away: 0.5 m each."""
    pose = np.zeros((1, 16, 3))
    pose[0, 1:] = [.5, 0, 0]
    np.testing.assert_allclose(camera_view(pose)[0, 1], [.5, 0])
    np.testing.assert_allclose(camera_view(np.roll(pose, 1, axis=-1))[0, 1], [0, -.5])     # y is down
    np.testing.assert_allclose(side_view(np.roll(pose, 2, axis=-1))[0, 1], [.5, 0])        # away is to the right
    axes = new_figure().add_subplot()
    draw_sheet(axes, POSES[:2], POSES[:2], IMAGES[:2], [('a', 'b')] * 2)
    assert axes.get_aspect() == 1
    segments = np.array(lines_of(axes)[3].get_segments())
    np.testing.assert_allclose(segments[:15], bone_segments(camera_view(POSES[0])), atol=1e-12)
    np.testing.assert_allclose(segments[15:] - [CELL, 0], bone_segments(camera_view(POSES[1])), atol=1e-12)


def test_the_window_of_the_images_is_one_for_all_and_holds_every_pose():
    images = np.stack([IMAGES[0] * .3 + [.5, -.2], IMAGES[1] * .3 + [.4, 0]])
    axes = new_figure().add_subplot()
    draw_sheet(axes, POSES[:2], POSES[:2], images, [('', '')] * 2)
    drawn = np.array(lines_of(axes)[5].get_segments()).reshape(2, 15, 2, 2)
    tiles = drawn - np.array([[[[0, -2 * CELL]]], [[[CELL, -2 * CELL]]]])
    _, half = image_window(image_view(images))
    assert np.abs(tiles).max() == pytest.approx(1 / 1.1) and half < .3
    truth = bone_segments(image_view(images))
    np.testing.assert_allclose(np.diff(tiles, axis=-2) * half, np.diff(truth, axis=-2), atol=1e-12)
    np.testing.assert_allclose((tiles[0] - tiles[1]) * half, truth[0] - truth[1], atol=1e-12)
    assert f'image, {100 * half:.0f} %\nof its width' in [text.get_text() for text in axes.texts]


def test_the_window_never_leaves_the_image():
    for flat, centre, half in ((np.array([[[-3., 0], [3, 0]]]), (0, 0), 1),
                               (np.array([[[.9, .9], [1, 1]]]), (.945, .945), .055)):
        found = image_window(flat)
        np.testing.assert_allclose(found[0], centre, atol=1e-12)
        assert found[1] == pytest.approx(half)


def test_what_leaves_a_tile_is_cut():
    segments = np.array([[[0, 0], [.5, -.5]], [[0, 0], [4, 0]], [[-4, .5], [4, .5]], [[2, 2], [3, 1]], [[2, 0], [2, 9]],
                         [[np.nan, 0], [0, 0]]], dtype=float)
    expected = [[[0, 0], [.5, -.5]], [[0, 0], [1, 0]], [[-1, .5], [1, .5]]]
    np.testing.assert_allclose(clipped(segments, 1)[:3], expected, atol=1e-9)
    assert np.isnan(clipped(segments, 1)[3:]).all(axis=(1, 2)).tolist() == [True, True, True]


def test_cut_pieces_lie_on_their_segments_and_within():
    segments = RNG.normal(0, 1.5, (500, 2, 2))
    cut = clipped(segments, 1)
    kept = ~np.isnan(cut).any(axis=(1, 2))
    assert 100 < kept.sum() < 500 and np.abs(cut[kept]).max() <= 1 + 1e-12
    whole, piece = segments[kept, 1] - segments[kept, 0], cut[kept, 1] - cut[kept, 0]
    np.testing.assert_allclose(whole[:, 0] * piece[:, 1], whole[:, 1] * piece[:, 0], atol=1e-12)
    inside = (np.abs(segments) <= 1).all(axis=(1, 2))
    np.testing.assert_allclose(cut[inside], segments[inside])


@pytest.mark.slow
@pytest.mark.parametrize('count', [1, 2, 5])
def test_a_gallery_has_no_more_blocks_than_poses(count):
    stages = ('source', 'RT')
    figure = augmentation_figure(dict.fromkeys(stages, POSES[:count]), dict.fromkeys(stages, IMAGES[:count]),
                                 [dict.fromkeys(stages, '')] * count)
    assert len(figure.axes) == count and not any(axes.axison for axes in figure.axes)
    places = {tuple(axes.get_position().p0.round(3)) for axes in figure.axes}
    assert len(places) == count and all(0 <= low < 1 for place in places for low in place)


def test_a_gallery_names_every_stage_and_shows_the_one_before():
    stages = dict(source=POSES, BA=POSES + .01, BL=POSES - .01, RT=POSES * 2)
    captions = [dict.fromkeys(stages, f'pose {number}') for number in range(6)]
    figure = augmentation_figure(stages, dict.fromkeys(stages, IMAGES), captions)
    assert len(figure.axes) == 6
    texts = [text.get_text() for text in figure.axes[4].texts]
    assert [text for text in texts if text in stages] == list(stages) and texts.count('pose 4') == 4
    ghosts = [segment for segment in lines_of(figure.axes[0])[0].get_segments() if len(segment)]
    assert len(ghosts) == 3 * 15       # none behind the source
    assert 'mean over the bones' in figure.legends[0].get_title().get_text()
    np.testing.assert_allclose(ghosts[15:30] - np.array([2 * CELL, 0]), bone_segments(camera_view(POSES[0] + .01)),
                               atol=1e-12)


def test_a_pose_and_its_error_stand_together():
    lifted = Lifted(IMAGES, POSES, POSES + .05, np.arange(6) * 10.)
    figure = hardness_figure(lifted, lifted)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert [text for text in texts if text.endswith(' mm')] == [f'{10 * number} mm' for number in range(6)]
    assert 'mean over the joints' in figure.legends[0].get_title().get_text()
    assert 'hardest' in texts and 'easiest' in [text.get_text() for text in figure.axes[1].texts]


# Errors

def test_error_bars_are_means_and_quartiles_in_millimetres():
    errors = torch.arange(1, 9)[:, None] * torch.ones(8, 16) / 1000
    errors[:, 0] = 0
    bars = error_bars(errors, torch.tensor([0, 0, 0, 0, 2, 2, 2, 2]), ('Walking', 'Photo', 'Eating'))
    assert bars.joints['LWrist'] == pytest.approx(Spread(4.5, 2.75, 6.25))
    assert list(bars.groups) == ['Walking', 'Eating', ALL]
    assert bars.groups['Eating'].mean_mm == pytest.approx(6.5 * 15 / 16)
    assert bars.joints[ALL] == bars.groups[ALL] and bars.joints[ALL].mean_mm == pytest.approx(4.5 * 15 / 16)


def test_joints_stand_left_beside_right_without_the_root():
    names = [H36M_16.names[joint] for joint in joint_order()]
    assert names[:3] == ['Spine', 'Thorax', 'Head'] and 'Hip' not in names and len(names) == 15
    assert all((left[0], right[0], left[1:]) == ('L', 'R', right[1:]) for left, right in zip(names[3::2], names[4::2]))


def test_bars_have_the_means_heights_and_all_stands_apart():
    lifters = {'baseline': {'Walking': Spread(50, 40, 60), ALL: Spread(55, 45, 65)},
               'PoseAug': {'Walking': Spread(40, 30, 50), ALL: Spread(45, 35, 55)}}
    axes = new_figure().add_subplot()
    draw_bars(axes, lifters, 'title')
    assert [bar.get_height() for bar in axes.patches] == [50, 55, 40, 45]
    assert [to_hex(bar.get_facecolor()) for bar in axes.patches[::2]] == [colour.lower() for colour in SERIES[:2]]
    assert axes.get_xticks().tolist() == [0, 1.5] and axes.get_ylabel() == 'error, mm' and axes.get_ylim()[0] == 0
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ['baseline: 55.0 mm', 'PoseAug: 45.0 mm']


def test_figures_of_errors_have_a_row_per_test_set_and_names_in_their_sides_colour():
    errors = RNG.uniform(0, .1, (40, 16))
    bars = error_bars(errors, np.zeros(40, int), ('Walking',))
    panels = {'first': {'a': bars, 'b': bars}, 'second': {'a': bars, 'b': bars}}
    joints, groups = joints_figure(panels), groups_figure(panels)
    assert isinstance(bars, ErrorBars) and len(joints.axes) == len(groups.axes) == 2
    colours = {label.get_text(): label.get_color() for label in joints.axes[1].get_xticklabels()}
    assert (colours['LKnee'], colours['RKnee'], colours['Head'], colours[ALL]) == (LEFT, RIGHT, MIDDLE, 'black')


# Views and histograms

def density_at(azimuth, elevation, height=7):
    azimuths, elevations = torch.arange(-165., 180, 30), torch.arange(-75., 90, 30)
    relative = torch.zeros(len(elevations), len(azimuths))
    relative[(elevations == elevation).nonzero()[0], (azimuths == azimuth).nonzero()[0]] = height
    return SphereDensity(azimuths, elevations, relative)


def test_the_bodys_left_is_on_the_left_of_the_map_and_above_is_up():
    axes = new_figure().add_subplot(projection='mollweide')
    mesh = draw_map(axes, density_at(75, 45), top=7)
    corners = mesh.get_coordinates().reshape(-1, 2)
    cells = (corners.reshape(7, 13, 2)[:-1, :-1] + corners.reshape(7, 13, 2)[1:, 1:]) / 2
    place = cells.reshape(-1, 2)[np.asarray(mesh.get_array()).argmax()]
    np.testing.assert_allclose(np.rad2deg(place), [-75, 45])


def test_spheres_and_maps_of_all_sets_share_one_scale():
    panels = {name: (RNG.normal(size=(50, 3)), density_at(75, 45, height), share)
              for name, height, share in (('a', 7, .1), ('b', 3, .25))}
    figure = views_figure(panels, RNG.normal(0, .3, (16, 3)))
    texts = [text.get_text() for text in figure.texts]
    assert '9 in 10 views lie on 25 % of the sphere' in texts
    meshes = [axes.collections[0] for axes in figure.axes if axes.name == 'mollweide']
    assert len(meshes) == 2 and {mesh.norm.vmax for mesh in meshes} == {7}
    boxes = [axes for axes in figure.axes if axes.name == '3d']
    assert all(axes.get_xlim() == axes.get_ylim() == axes.get_zlim() for axes in boxes)


def test_a_histogram_counts_all_and_what_lies_beyond_in_the_outermost_bins():
    axes = new_figure().add_subplot()
    draw_histogram(axes, np.array([-9., .5, 1.5, 1.5, 99]), [0, 1, 2, 3], 'RT', 'black')
    np.testing.assert_allclose(axes.patches[1].get_data().values, [40, 40, 20])


def test_histograms_carry_their_labels_and_their_stages_colour():
    figure = histograms_figure({'depth': Quantity('m', [0, 1, 2], 1, dict(source=torch.ones(3), RT=torch.zeros(4)))})
    axes, = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ('m', 'share, %')
    assert [to_hex(steps.get_edgecolor()) for steps in axes.patches[1::2]] == [
        STAGE_COLOURS['source'].lower(), STAGE_COLOURS['RT'].lower()]


# Files

def test_a_figure_is_written_in_every_format_asked_for(tmp_path):
    paths = save_figure(new_figure(figsize=(2, 2)), tmp_path / 'new', 'name', ['png', 'pdf', 'svg'])
    assert [path.name for path in paths] == ['name.png', 'name.pdf', 'name.svg']
    assert [path.read_bytes()[:4] for path in paths[:2]] == [PNG, b'%PDF'] and b'<svg' in paths[2].read_bytes()


def test_pictures_of_training_are_written(tmp_path):
    save_augmentation(tmp_path / 'augmentation.png', dict(source=torch.from_numpy(POSES[0]), RT=POSES[1]),
                      dict(source=torch.from_numpy(IMAGES[0]), RT=IMAGES[1]))
    save_curves(tmp_path / 'curve.png', 'title', dict(a=[3, 2, 1]))
    for name in ('augmentation.png', 'curve.png'):
        assert (tmp_path / name).read_bytes()[:4] == PNG

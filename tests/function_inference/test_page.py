"""The page: one file that loads nothing else, holds the motion and the clip, escapes names, and works in a browser."""
import base64
import html
import io
import itertools
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from common.errors import InputError
from common.skeleton import H36M_16, H36M_17
from common.skeletons import SMPL_24
from function_inference import page
from function_inference.motion import in_sight
from function_inference.page import write_page
from function_inference.room import followed_places, scene, upright
from motions import FACING, motion_of, random_motion
from utils.pictures.drawing import LEFT, RIGHT, bone_colours

BROWSER = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)


PATH = np.linspace((-1, .3, 5), (1, .5, 4), 12).astype(np.float32)


class Scripts(HTMLParser):
    """The scripts and the attributes of all elements, as a browser parses them."""

    def __init__(self, text):
        super().__init__()
        self.scripts, self.attributes, self.tag = [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tag = tag
        self.attributes += attributes
        self.scripts += [''] * (tag == 'script')

    def handle_endtag(self, tag):
        self.tag = None

    def handle_data(self, data):
        if self.tag == 'script':
            self.scripts[-1] += data


def page_of(tmp_path, *motions, **options):
    """(the page, the content of its JSON)."""
    write_page(tmp_path / 'it.html', motions, **options)
    page = (tmp_path / 'it.html').read_text(encoding='utf-8')
    data, _ = Scripts(page).scripts
    return page, json.loads(data)


@pytest.mark.parametrize('skeleton, limbs', [(H36M_16, 15), (H36M_17, 15), (SMPL_24, 23)])
def test_the_page_of_any_skeleton_has_its_bones_and_limbs(tmp_path, skeleton, limbs):
    """Of 17 joints, the bone from Neck to Head lies in the head; the head of SMPL is above its Head."""
    _, data = page_of(tmp_path, random_motion(skeleton=skeleton))
    assert data['bones'] == [list(edge) for edge in skeleton.edges] and len(data['colours']) == skeleton.num_joints
    assert len(data['limbs']) == limbs == len(data['limb_widths_mm']) - 1 and len(data['people'][0]['pose3d_mm'][0]) == 3 * len(
        data['colours'])
    assert [skeleton.names[joint] for joint in data['neck_and_head']] == ['Thorax', 'Head']
    assert all(share > 1 for share in data['head_ends']) == (skeleton is SMPL_24)


def test_the_page_holds_the_motion(tmp_path):
    motion = random_motion()._replace(tilt_deg=12., roll_deg=-5., root_cam=PATH)
    _, data = page_of(tmp_path, motion)
    expected_mm = 1000 * (motion.pose3d_rel + PATH[:, None])
    person, = data['people']
    assert np.abs(np.reshape(person['pose3d_mm'], (12, 16, 3)) - expected_mm).max() <= .501
    assert np.abs(np.reshape(person['pose2d_px'], (12, 16, 2)) - motion.pose2d_px).max() <= .0501
    assert [set(joints) for joints in person['guessed']] == [set(np.flatnonzero(joints)) for joints in motion.guessed]
    assert (person['name'], person['first'], person['last']) == ('person 0', 0, 11)
    assert (data['fps'], data['width'], data['height'], data['title']) == (25, 640, 480, 'person 0')
    assert (data['tilt'], data['roll'], person['placed']) == (12, -5, True)


def test_the_page_holds_all_people_and_when_they_are_in_sight(tmp_path):
    one, other = random_motion(), random_motion(seed=1)._replace(person='person 4')
    other.guessed[[0, 1, 5, 11]] = True
    _, data = page_of(tmp_path, one, other)
    assert data['title'] == '2 people' and data['frames'] == 12
    spans = [(each['name'], each['first'], each['last']) for each in data['people']]
    assert spans == [('person 0', 0, 11), ('person 4', 2, 10)]
    assert np.abs(np.reshape(data['people'][1]['pose2d_px'], (12, 16, 2)) - other.pose2d_px).max() <= .0501


def test_uneven_frames_are_played_at_a_constant_rate(tmp_path):
    motion = random_motion(4)._replace(time=np.array([0, .04, .2, .24]))
    _, data = page_of(tmp_path, motion)
    assert data['frames'] == len(data['people'][0]['pose3d_mm']) == len(data['people'][0]['guessed']) == 7 and data['fps'] == 25
    assert np.abs(np.reshape(data['people'][0]['pose2d_px'][-1], (16, 2)) - motion.pose2d_px[-1]).max() <= .0501


def test_bones_and_colours_are_those_of_the_pictures(tmp_path):
    _, data = page_of(tmp_path, random_motion())
    assert [tuple(bone) for bone in data['bones']] == list(H36M_16.edges)
    assert [data['colours'][joint] for joint, _ in data['bones']] == bone_colours()
    assert (data['left'], data['right']) == (LEFT, RIGHT)


@pytest.mark.parametrize('person', ['</script><script>alert(1)</script>', '<!--<script>', '"\\\u2028&amp;', 'Zoë 舞'])
def test_a_name_cannot_break_out_of_its_script(tmp_path, person):
    page, data = page_of(tmp_path, random_motion()._replace(person=person))      # page_of unpacks two scripts
    assert data['title'] == data['people'][0]['name'] == person and 'alert(1)</script>' not in page


def test_the_page_loads_nothing_else(tmp_path):
    page, _ = page_of(tmp_path, random_motion())
    assert not re.search(r'https?:|@import|url\(|fetch\(|XMLHttpRequest|import\(', page)
    attributes = Scripts(page).attributes
    assert not {'src', 'href', 'srcset', 'data'} & {name for name, _ in attributes}
    assert any(name == 'content' and value.startswith("default-src 'none'") for name, value in attributes)
    assert [path.name for path in tmp_path.iterdir()] == ['it.html']


def test_a_long_motion_makes_a_small_file(tmp_path):
    write_page(tmp_path / 'it.html', [motion_of(np.tile(FACING, (5000, 1, 1)))])
    assert (tmp_path / 'it.html').stat().st_size < 2.5e6


def pictures_of(data):
    """(N, height, width, 3): the pictures of the clip in the page's JSON."""
    return np.stack([np.asarray(Image.open(io.BytesIO(base64.b64decode(picture)))) for picture in data['pictures']])


def test_the_clip_is_shown_in_small_pictures_in_order(tmp_path, monkeypatch):
    images = [np.full((480, 640, 3), 20 * number, np.uint8) for number in range(12)]
    _, data = page_of(tmp_path, random_motion(), frames=iter(images))
    pictures = pictures_of(data)
    assert pictures.shape == (12, 240, 320, 3) and data['picture_step'] == 1
    assert np.abs(pictures[:, 100, 100, 0] - 20 * np.arange(12)).max() <= 2
    monkeypatch.setattr(page, 'MOST_PICTURES', 5)
    _, data = page_of(tmp_path, random_motion(), frames=iter(images))
    assert data['picture_step'] == 3 and np.abs(pictures_of(data)[:, 100, 100, 0] - [0, 60, 120, 180]).max() <= 2
    assert page_of(tmp_path, random_motion())[1]['pictures'] == []


def test_the_pictures_of_a_long_clip_are_a_few_megabytes(tmp_path):
    y, x = np.mgrid[:240, :320]
    noise = np.random.default_rng(0).integers(0, 60, (240, 320, 3))
    image = (100 + 60 * np.sin(x / 9 + y / 15)[..., None] + noise).astype(np.uint8)
    write_page(tmp_path / 'it.html', [motion_of(np.tile(FACING, (1000, 1, 1)))], itertools.repeat(image))
    assert .5e6 < (tmp_path / 'it.html').stat().st_size < 6e6


def test_a_clip_that_ends_too_early_is_refused_and_an_older_page_is_kept(tmp_path):
    (tmp_path / 'it.html').write_text('as it was')
    with pytest.raises(InputError, match='the clip ends before frame 3'):
        write_page(tmp_path / 'it.html', [random_motion()], [np.zeros((48, 64, 3), np.uint8)] * 3)
    assert (tmp_path / 'it.html').read_text() == 'as it was'


def test_an_invalid_motion_is_refused(tmp_path):
    with pytest.raises(InputError, match='NaN'):
        write_page(tmp_path / 'it.html', [motion_of(np.full((2, 16, 3), np.nan))])
    assert not list(tmp_path.iterdir())


# In a browser

def in_browser(tmp_path, motions, program, **options):
    """Return value, in headless Chromium, of `program`: the body of a JavaScript function that runs after the page's own."""
    if not BROWSER:
        pytest.skip('no Chromium here')
    page, _ = page_of(tmp_path, *motions, **options)
    program = ('<script>document.body.dataset.result = JSON.stringify((() => {'
               f'try {{ {program} }} catch (error) {{ return String(error); }} }})());</script></body>')
    (tmp_path / 'it.html').write_text(page.replace('</body>', program), encoding='utf-8')
    done = subprocess.run([BROWSER, '--headless', '--no-sandbox', '--disable-gpu', f'--user-data-dir={tmp_path / "profile"}',
                           '--window-size=1000,700', '--dump-dom', f'file://{tmp_path / "it.html"}'],
                          capture_output=True, text=True, timeout=60)
    return json.loads(html.unescape(re.search(r'data-result="([^"]*)"', done.stdout)[1]))


def test_in_a_browser_all_controls_work(tmp_path):
    """Drawing, keys, mouse, sliders and buttons, in one test as a browser takes seconds to start."""
    motion = random_motion()._replace(tilt_deg=20., roll_deg=-5., root_cam=PATH)
    seen = in_browser(tmp_path, [motion], program='''
        const seen = {playing: player.playing, title: document.title, tilt: tilt.value, poses: scene.poses[0]};
        const key = (key, options) =>
            document.body.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, ...options}));
        const frame = () => { const text = element('time').value; return Number(text.match(/frame (\\d+) of 12/)[1]); };
        const colours = canvas => {
            const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height), found = new Set();
            for (let i = 0; i < data.length; i += 4) {
                found.add('#' + [0, 1, 2].map(k => data[i + k].toString(16).padStart(2, '0')).join('').toUpperCase());
            }
            return [motion.left, motion.right].map(colour => found.has(colour));
        };
        key(' '); seen.paused = !player.playing;
        seen.frames = [];
        for (const [name, options] of [['Home'], ['ArrowRight'], ['ArrowRight', {shiftKey: true}], ['ArrowRight'],
                                       ['ArrowLeft'], ['End'], ['ArrowRight']]) {
            key(name, options); seen.frames.push(frame());
        }
        scrub.value = 4; scrub.dispatchEvent(new Event('input')); seen.frames.push(frame());
        seen.colours = [colours(image), colours(space)];
        const pointer = (type, x, y) => space.dispatchEvent(new PointerEvent(type, {pointerId: 1, clientX: x, clientY: y}));
        space.setPointerCapture = () => {};
        const before = {...view};
        pointer('pointerdown', 700, 300); pointer('pointermove', 760, 312); pointer('pointerup', 760, 312);
        pointer('pointermove', 900, 312);
        seen.turned = [view.yaw - before.yaw, view.pitch - before.pitch];
        space.dispatchEvent(new WheelEvent('wheel', {deltaY: -300, cancelable: true})); seen.zoom = view.zoom;
        element('camera').click(); seen.camera = [view.yaw, view.pitch];
        const [right, , near] = [[1000, 0, 0], [0, 0, 0], [0, 0, 1000]].map(projection(400, 400, 3, view));
        seen.right = right[0]; seen.nearness = near[2];
        element('play').click(); seen.again = player.playing;
        return seen;''')
    assert isinstance(seen, dict), seen
    assert seen['playing'] and seen['paused'] and seen['again'] and seen['title'] == 'person 0' and seen['tilt'] == '20'
    assert np.abs(np.array(seen['poses']) - 1000 * upright(motion)).max() < 2
    assert seen['frames'] == [1, 2, 12, 12, 11, 12, 12, 5]
    assert seen['colours'] == [[True, True], [True, True]]
    assert seen['turned'] == pytest.approx([.5, .1]) and seen['zoom'] == pytest.approx(np.exp(.5))
    assert seen['camera'] == pytest.approx([0, np.radians(20)]) and seen['right'] > 0 and seen['nearness'] > 0


def test_in_a_browser_a_single_pose_can_be_turned_but_not_played(tmp_path):
    seen = in_browser(tmp_path, [motion_of([FACING])], '''
        return [element('play').disabled, scrub.disabled, player.playing, element('time').value];''')
    assert seen == [True, True, False, 'frame 1 of 1, 0.00 s']


def test_in_a_browser_the_scene_is_that_of_the_other_files(tmp_path):
    """Upright poses, with and without places, before and after the sliders are moved; and the place that the views follow."""
    motions = [random_motion(seed=seed)._replace(root_cam=PATH * [side, 1, 1], person=f'person {seed}') for seed, side in
               enumerate((1, -1))]
    motions[1].guessed[9:] = True
    seen = in_browser(tmp_path, motions, '''
        const before = scene.poses;
        tilt.value = 10; roll.value = -20; roll.dispatchEvent(new Event('input'));
        return {before, after: scene.poses, places: scene.places};''')
    tilted = [motion._replace(tilt_deg=10., roll_deg=-20.) for motion in motions]
    assert np.abs(np.array(seen['before']) - 1000 * np.stack(scene(motions))).max() < 3
    assert np.abs(np.array(seen['after']) - 1000 * np.stack(scene(tilted))).max() < 3
    places = followed_places(np.stack(scene(tilted)), np.stack(in_sight(tilted)), 25)
    assert np.abs(np.array(seen['places']) - 1000 * places[:, ::2]).max() < 3


def test_in_a_browser_people_without_places_stand_side_by_side_while_they_are_in_sight(tmp_path):
    motions = [motion_of([FACING] * 3, person=f'person {number}') for number in range(3)]
    motions[1].guessed[2] = True
    seen = in_browser(tmp_path, motions, '''
        const limbs = frame => {
            show(frame);
            const {data} = space.getContext('2d').getImageData(0, 0, space.width, space.height);
            let count = 0;
            for (let i = 0; i < data.length; i += 4) count += data[i] === 0 && data[i + 1] === 114 && data[i + 2] === 178;
            return count;
        };
        return {poses: scene.poses, limbs: [0, 2].map(limbs), shown: people.map(person => inSight(person, 2))};''')
    assert np.abs(np.array(seen['poses']) - 1000 * np.stack(scene(motions))).max() < 2
    assert seen['shown'] == [True, False, True] and seen['limbs'][0] > 1.2 * seen['limbs'][1] > 0


def test_in_a_browser_the_clip_lies_under_the_2d_and_files_can_be_downloaded(tmp_path):
    images = [np.full((480, 640, 3), (200, 10 * number, 0), np.uint8) for number in range(12)]
    seen = in_browser(tmp_path, [random_motion()], '''
        show(4);
        const [x, y] = [Math.round(image.width / 2), Math.round(image.height / 2) + 100];
        const {data} = image.getContext('2d').getImageData(x, y, 1, 1);
        const links = [...document.querySelectorAll('#files a')].map(link => [link.getAttribute('href'), link.download]);
        return {links, decoded: pictures.map(picture => picture.complete && picture.naturalWidth), data: [...data]};''',
                      frames=images, files=['motion.npz', 'motion 1.bvh'])
    assert seen['links'] == [['motion.npz', 'motion.npz'], ['motion%201.bvh', 'motion 1.bvh']]
    assert seen['decoded'] == [320] * 12 and np.abs(np.array(seen['data'][:3]) - [200, 40, 0]).max() < 12

"""Keypoint files: the same people in every form come out the same; what is missing, unsaid or malformed."""
import json

import numpy as np
import pytest

from common.errors import InputError
from function_inference import keypoint_files
from function_inference.keypoint_files import read_keypoints
from function_inference.keypoint_formats import FORMATS

SIZE = (640, 480)
FRAMES = 4
# people in each frame; the third shows nobody
CROWD = (2, 1, 0, 1)


def crowd(name):
    """Per frame (P, J, 3): numbers that every form holds exactly; one joint is missing in the first frame."""
    rng, joints = np.random.default_rng(1), len(FORMATS[name].joints)
    people = [np.concatenate([rng.integers(1, 480, (count, joints, 2)), rng.integers(1, 5, (count, joints, 1)) / 4], axis=-1)
              for count in CROWD]
    people[0][0, 3] = 0
    return people


@pytest.fixture
def clip():
    return crowd('coco17')


def write(path, content):
    path.write_text(json.dumps(content))
    return path


def results(people, image_id='{}.jpg'.format):
    """COCO's and AlphaPose's list, one object for each person."""
    return [dict(image_id=image_id(frame), category_id=1, keypoints=person.ravel().tolist(), score=2.5)
            for frame, found in enumerate(people) for person in found]


def coco_dataset(people):
    images = [dict(id=100 + frame, file_name=f'clip_{frame}.png', width=640, height=480) for frame in range(len(people))]
    entries = [dict(entry, image_id=100 + int(entry['image_id'].split('.')[0])) for entry in results(people)]
    return dict(images=images[::-1], annotations=entries, categories=[dict(id=1, name='person')])


def mmpose(people):
    instances = [[dict(keypoints=person[:, :2].tolist(), keypoint_scores=person[:, 2].tolist()) for person in found]
                 for found in people]
    return dict(meta_info={}, instance_info=[dict(frame_id=number, instances=found) for number, found in enumerate(instances, 1)])


def points(person):
    return [dict(x=x, y=y, visibility=confidence) for x, y, confidence in person.tolist()]


JSON_FORMS = dict(
    results=results,
    numbered=lambda people: results(people, int),
    padded=lambda people: results(people, 'view1/clip_{:05d}.png'.format),
    dataset=coco_dataset,
    mmpose=mmpose,
    nested=lambda people: [found.tolist() for found in people],
    flat=lambda people: [[person.ravel().tolist() for person in found] for found in people],
    frames=lambda people: dict(frames=[[dict(keypoints=points(person)) for person in found] or None for found in people]),
    people=lambda people: [dict(people=[dict(pose_keypoints_2d=person.ravel().tolist()) for person in found])
                           for found in people])


def assert_same(found, people):
    assert [each.shape for each in found.people] == [each.shape for each in people]
    for each, expected in zip(found.people, people):
        assert each.dtype == np.float32
        np.testing.assert_array_equal(each, expected)


@pytest.mark.parametrize('form', JSON_FORMS)
def test_every_form_of_json_holds_the_same_people(form, clip, tmp_path):
    path = write(tmp_path / 'clip.json', JSON_FORMS[form](clip))
    found = read_keypoints(path, size=SIZE)
    assert_same(found, clip)
    assert (found.format.name, found.width, found.height, found.fps) == ('coco17', 640, 480, None)


@pytest.mark.parametrize('name', ['body25', 'halpe26', 'mediapipe33', 'h36m16'])
def test_the_number_of_joints_tells_the_format(name, tmp_path):
    people = crowd(name)
    found = read_keypoints(write(tmp_path / 'clip.json', results(people)), size=SIZE)
    assert found.format is FORMATS[name]
    assert_same(found, people)


SINGLE_FORMS = dict(person=lambda person: person.tolist(), flat=lambda person: person.ravel().tolist(), points=points,
                    object=lambda person: dict(landmarks=points(person)))


@pytest.mark.parametrize('form', SINGLE_FORMS)
def test_a_frame_may_be_a_person(form, clip, tmp_path):
    people = [found[:1] for found in clip]
    frames = [SINGLE_FORMS[form](found[0]) if len(found) else None for found in people]
    assert_same(read_keypoints(write(tmp_path / 'clip.json', frames), size=SIZE), people)


def test_two_numbers_a_joint_are_certain_and_four_end_with_the_visibility(clip, tmp_path):
    person = clip[1][0]
    two, four = person[:, :2].copy(), np.insert(person, 2, -.7, axis=1)
    two[5] = 0      # missing
    found = read_keypoints(write(tmp_path / 'clip.json', [two.tolist(), four.tolist()]), size=SIZE)
    np.testing.assert_array_equal(found.people[0][0], np.insert(two, 2, np.arange(17) != 5, axis=1))
    np.testing.assert_array_equal(found.people[1][0], person)


def test_a_file_may_say_its_size_and_rate(clip, tmp_path):
    content = dict(width=640, height=480, fps=29.97, frames=JSON_FORMS['nested'](clip))
    found = read_keypoints(write(tmp_path / 'clip.json', content))
    assert (found.width, found.height, found.fps) == (640, 480, 29.97)
    with pytest.raises(InputError, match='--size 100x100: .*clip.json says 640x480'):
        read_keypoints(tmp_path / 'clip.json', size=(100, 100))


def test_an_openpose_folder(tmp_path):
    people = crowd('body25')
    for frame, found in enumerate(people):
        content = dict(version=1.3, people=[dict(person_id=[-1], pose_keypoints_2d=person.ravel().tolist()) for person in found])
        write(tmp_path / f'clip_{frame + 7:012d}_keypoints.json', content)
    found = read_keypoints(tmp_path, size=SIZE)
    assert found.format.name == 'body25'
    assert_same(found, people)
    (tmp_path / f'clip_{8:012d}_keypoints.json').unlink()      # a frame that was dropped
    assert [len(each) for each in read_keypoints(tmp_path, size=SIZE).people] == [2, 0, 0, 1]


def test_mediapipes_fractions_become_pixels(tmp_path):
    people = crowd('mediapipe33')
    fractions = [found / [640, 480, 1] for found in people]
    found = read_keypoints(write(tmp_path / 'clip.json', [each.tolist() for each in fractions]), size=SIZE)
    for each, expected in zip(found.people, people):
        np.testing.assert_allclose(each, expected, rtol=1e-6)


# npz

@pytest.mark.parametrize('key', ['keypoints', 'landmarks', 'positions_2d', 'pose2d_px', 'anything'])
def test_an_array_of_an_npz(key, tmp_path):
    pose2d_px = np.random.default_rng(2).uniform(1, 480, (5, 16, 2))
    pose2d_px[3, 4] = np.nan
    np.savez(tmp_path / 'clip.npz', **{key: pose2d_px}, width=640, height=np.array([480]), fps=np.array([[50.]]))
    found = read_keypoints(tmp_path / 'clip.npz')
    assert (found.format.name, found.width, found.height, found.fps) == ('h36m16', 640, 480, 50)
    for frame, people in enumerate(found.people):
        seen = np.ones(16)
        seen[4] = frame != 3
        np.testing.assert_array_equal(people[0, :, 2], seen)
        np.testing.assert_allclose(people[0, :, :2], np.nan_to_num(pose2d_px[frame]), rtol=1e-6)


def test_an_array_of_several_people(tmp_path):
    people = crowd('h36m17')
    array = np.full((FRAMES, 2, 17, 3), np.nan)
    for frame, found in enumerate(people):
        array[frame, :len(found)] = found
    np.savez(tmp_path / 'clip.npz', keypoints=array)
    assert_same(read_keypoints(tmp_path / 'clip.npz', 'h36m17', SIZE), people)
    with pytest.raises(InputError, match='clip.npz .* coco17 or h36m17; say which with --format'):
        read_keypoints(tmp_path / 'clip.npz', size=SIZE)


def table(path, positions_2d, **metadata):
    np.savez(path, positions_2d=np.array(positions_2d, dtype=object), metadata=np.array(metadata, dtype=object))
    return path


def test_the_table_of_a_video_prepared_for_videopose3d(tmp_path):
    people = np.random.default_rng(3).uniform(1, 480, (5, 17, 2)).astype(np.float32)
    path = table(tmp_path / 'data_2d_custom_clip.npz', {'clip.mp4': {'custom': [people]}}, layout_name='coco', num_joints=17,
                 video_metadata={'clip.mp4': dict(w=640, h=480)})
    found = read_keypoints(path)
    assert (found.format.name, found.width, found.height) == ('coco17', 640, 480)
    np.testing.assert_array_equal(np.stack(found.people)[:, 0, :, :2], people)


def test_one_view_of_human36m(tmp_path):
    views = [np.full((3, 17, 2), 100. + view) for view in range(4)]
    path = table(tmp_path / 'data_2d_h36m_x.npz', {'S9': {'Walking': views, 'Eating 1': views}}, layout_name='h36m', num_joints=17)
    for view, size in ((1, (1000, 1000)), (3, (1000, 1002))):
        found = read_keypoints(path, size=None, sequence=f'S9/Eating 1/{view}')
        assert (found.format.name, found.width, found.height, found.fps) == ('h36m17', *size, 50)
        assert found.people[0][0, 0, 0] == 100 + view
    for sequence in (None, 'S9/Walking', 'S1/Walking/0'):
        with pytest.raises(InputError, match='the table holds 8 sequences, such as S9/Walking/0, '):
            read_keypoints(path, sequence=sequence)


# what is refused

def refusal(path, **options):
    with pytest.raises(InputError) as refused:
        read_keypoints(path, **{'size': SIZE, **options})
    assert str(path) in str(refused.value) and '\n' not in str(refused.value)
    return str(refused.value)


def test_the_size_must_be_known(clip, tmp_path):
    path = write(tmp_path / 'clip.json', results(clip))
    assert 'does not say how large the image is; say it with --size WIDTHxHEIGHT' in refusal(path, size=None)


@pytest.mark.parametrize('content,reason', [
    ([], 'it holds nobody'), ({}, 'it has none of frames, instance_info'), ([None, []], 'it holds nobody'), (7, 'a file is a int'),
    (['keypoints'], 'a frame is a str'), ([{'people': 3}], 'a list of people is a int'), ([[[1, 2, 3], 'x']], 'inhomogeneous'),
    ([['a', 'b', 'c']], 'type <U1'), ([[1, 2]], 'shape (2,)'), ([[1, 2, 3, 4]], 'shape (4,)'),
    ([{'people': [None]}], 'a person is a None'),
    ([dict(people=[dict(joints=[1, 2, 3])])], 'a person has none of keypoints'), ([dict(image_id=1)], 'a person has none of'),
    ([dict(image_id=[1], keypoints=[1] * 51)], '(image_id) is a list'),
    ([dict(image_id=2.5, keypoints=[1] * 51)], '(image_id) is a float'),
    ([[[[1, 2, .5]] * 17, [[1, 2, .5]] * 26]], 'some people have 17 joints and some 26'),
    ([[[1, 2, -.5]] * 17], 'a confidence is -0.5'), ([[[1e30, 2, 1]] * 17], 'a number is 1e+30, which is no place in an image'),
    ([[[10 ** 400, 2, 1]] * 17], 'type object'), ([{'landmarks': [{'x': 1}]}], "'y' is missing"),
    (dict(frames=[[[1, 2, .5]] * 17], width=-5, height=4), 'its width is -5'),
    (dict(frames=[[[1, 2, .5]] * 17], width='wide', height=4), 'could not convert'),
    (dict(annotations=[], images=[dict(id=1, file_name='1', width=1, height=1), dict(id=2, file_name='2', width=2, height=1)]),
     'its images have 2 sizes'),
    (dict(annotations=[dict(image_id=5, keypoints=[1] * 51)], images=[dict(id=1, file_name='1', width=1, height=1)]),
     '5 is missing')])
def test_malformed_json_is_refused_in_one_line(content, reason, tmp_path):
    line = refusal(write(tmp_path / 'clip.json', content))
    assert 'is no file of keypoints that can be read' in line and reason in line


@pytest.mark.parametrize('text', ['', '{', '[' * 100_000, '<html>404</html>', '\x00'])
def test_text_that_is_no_json_is_refused(text, tmp_path):
    (tmp_path / 'clip.json').write_text(text)
    assert 'is no file of keypoints that can be read' in refusal(tmp_path / 'clip.json')


@pytest.mark.parametrize('arrays,reason', [
    (dict(a=np.ones(3), b=np.ones(3)), 'none of the arrays keypoints, landmarks, positions_2d, pose2d_px but a, b'),
    (dict(keypoints=np.ones((5, 16))), 'shape (5, 16)'), (dict(keypoints=np.ones((5, 16, 5))), 'shape (5, 16, 5)'),
    (dict(keypoints=np.full((5, 16, 2), 'x')), 'type <U1'), (dict(keypoints=np.ones((5, 0, 2))), 'it holds nobody'),
    (dict(keypoints=np.zeros((5, 16, 2))), 'it holds nobody'), (dict(keypoints=np.full((5, 16, 2), np.nan)), 'it holds nobody'),
    (dict(keypoints=np.ones((5, 16, 2)), width=np.ones(3), height=4), 'array')])
def test_malformed_arrays_are_refused_in_one_line(arrays, reason, tmp_path):
    np.savez(tmp_path / 'clip.npz', **arrays)
    assert reason in refusal(tmp_path / 'clip.npz')


class RunsCode:
    """Its pickle asks for a file to be made."""
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), 'w')


def test_a_pickle_that_asks_for_code_is_refused_unrun(tmp_path):
    sign = tmp_path / 'it ran'
    np.savez(tmp_path / 'clip.npz', keypoints=np.array([RunsCode(sign)], dtype=object))
    sign.unlink(missing_ok=True)
    refusal(tmp_path / 'clip.npz')
    assert not sign.exists()


def test_paths_that_hold_no_keypoints(tmp_path):
    (tmp_path / 'clip.csv').write_text('1,2,3')
    assert 'keypoints come as .json, .npz or a folder' in refusal(tmp_path / 'clip.csv')
    assert 'is neither a file nor a folder' in refusal(tmp_path / 'none.json')
    (tmp_path / 'empty').mkdir()
    assert 'holds neither *_keypoints.json (OpenPose) nor images' in refusal(tmp_path / 'empty')
    (tmp_path / 'clip.npz').write_text('no archive')
    assert 'is no readable .npz file' in refusal(tmp_path / 'clip.npz')


def test_places_that_no_image_of_that_size_has(clip, tmp_path):
    path = write(tmp_path / 'clip.json', results(clip))
    assert 'outside an image of 64x48 pixels; check --size' in refusal(path, size=(64, 48))
    fractions = write(tmp_path / 'fractions.json', [(found / 480).tolist() for found in clip])
    assert 'holds fractions of the image or normalised coordinates; pixels are needed' in refusal(fractions)


def test_images_that_are_no_frames_of_one_clip(tmp_path):
    person = dict(keypoints=[5.] * 51)
    far = [dict(person, image_id=139), dict(person, image_id=581929)]
    assert 'its 2 images are numbered from 139 to 581929' in refusal(write(tmp_path / 'far.json', far))
    twice = [dict(person, image_id='a_1.jpg'), dict(person, image_id='b_1.jpg')]
    assert 'two images have the same number' in refusal(write(tmp_path / 'twice.json', twice))
    unnumbered = [dict(person, image_id='b.jpg'), dict(person, image_id='a.jpg')]
    assert len(read_keypoints(write(tmp_path / 'unnumbered.json', unnumbered), size=(10, 10)).people) == 2


def test_sizes_are_bounded(clip, tmp_path, monkeypatch):
    path = write(tmp_path / 'clip.json', JSON_FORMS['nested'](clip))
    for bound, value in (('MAX_JSON_BYTES', 100), ('MAX_FRAMES', FRAMES - 1), ('MAX_PEOPLE', 1)):
        with monkeypatch.context() as patch:
            patch.setattr(keypoint_files, bound, value)
            assert 'more than' in refusal(path)
    assert len(read_keypoints(path, size=SIZE).people) == FRAMES

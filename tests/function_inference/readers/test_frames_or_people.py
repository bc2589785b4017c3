"""Lists without frame numbers, rows with them, and objects with a key per frame or person: what is a frame, what a person."""
import numpy as np
import pytest

from common.errors import InputError
from function_inference.keypoint_files import read_keypoints
from keypoint_clips import SIZE, assert_same, crowd, refusal, rows, write


def shown(people):
    """Frames of one person, who moves a little, and the same pose far to the side."""
    return people[0][:1] + [[[step, 0, 0]] for step in range(3)], people[0][:1] + [[[step * 500, 0, 0]] for step in range(3)]


NEAR, FAR = shown(crowd('coco17'))
BOX = dict(bbox=[0, 0, 9, 9], bbox_score=.5)


def objects(people, **beside):
    return [dict(keypoints=person.tolist(), **beside) for person in people]


def assert_equal_poses(found, expected):
    """Equal where a joint is seen; a joint that is missing has no place."""
    seen = np.array(expected)[..., 2:] > 0
    np.testing.assert_array_equal(found, np.where(seen, expected, 0))


def counts(path, people=None):
    return [len(frame) for frame in read_keypoints(path, size=(2000, 2000), people=people).people]


@pytest.mark.parametrize('entries,expected', [
    (objects(FAR, **BOX), [3]), (objects(FAR, score=1), [3]), (objects(NEAR), [1, 1, 1]), (objects(NEAR[:2], **BOX), [2]),
    ([dict(entry, track_id=5) for entry in objects(NEAR, **BOX)], [1, 1, 1]), (objects(FAR[:1], **BOX), [1]),
    ([dict(entry, track_id=number) for number, entry in enumerate(objects(FAR))], [3])])
def test_boxes_numbers_and_places_tell_people_from_frames(entries, expected, tmp_path):
    assert counts(write(tmp_path / 'clip.json', entries)) == expected


@pytest.mark.parametrize('entries', [objects(NEAR, **BOX), objects(FAR), [person.tolist() for person in FAR]])
def test_in_doubt_the_user_is_asked(entries, tmp_path):
    path = write(tmp_path / 'clip.json', entries)
    line = refusal(path)
    assert 'its 3 people have no frame number' in line and '--people frames' in line and '--people image' in line
    assert counts(path, 'frames') == [1, 1, 1] and counts(path, 'image') == [3]


@pytest.mark.parametrize('wrap', [lambda listed: listed, lambda listed: dict(annotations=listed),
                                  lambda listed: dict(results=dict(frames=listed))], ids=['list', 'annotations', 'nested'])
@pytest.mark.parametrize('key', ['frame_id', 'frame', 'frame_idx', 'image_name'])
def test_rows_are_ordered_by_their_frame(wrap, key, tmp_path):
    people = crowd('coco17')
    listed = [{key: f'{row.pop("frame_id")}.png', **row} if key == 'image_name' else {key: row.pop('frame_id'), **row}
              for row in rows(people)]
    found = read_keypoints(write(tmp_path / 'clip.json', wrap(listed)), size=SIZE)
    assert [len(each) for each in found.people] == [2, 1, 0, 1]
    np.testing.assert_array_equal(found.people[3], people[3])


def test_rows_some_of_which_have_no_frame_are_refused(tmp_path):
    listed = rows(crowd('coco17'))
    del listed[2]['frame_id']
    assert 'entry 2 does not say which frame it belongs to' in refusal(write(tmp_path / 'clip.json', listed))


@pytest.mark.parametrize('lacking', [[1], [0, 3]], ids=['inside', 'at the ends'])
@pytest.mark.parametrize('first', [0, 7])
def test_entries_without_a_number_between_numbered_ones_are_counted(lacking, first, tmp_path):
    entries = [dict(entry, frame=first + place) for place, entry in enumerate(objects([*NEAR, NEAR[0]]))]
    for place in lacking:
        del entries[place]['frame']
    entries[lacking[0]] = entries[lacking[0]]['keypoints']      # a plain list is an entry too
    found = read_keypoints(write(tmp_path / 'clip.json', entries), size=SIZE)
    assert_equal_poses(np.concatenate(found.people), [*NEAR, NEAR[0]])


def test_an_entry_without_a_number_is_not_left_out_in_silence(tmp_path):
    entries = objects(NEAR)
    entries[0]['frame'], entries[1], entries[2]['frame'] = 0, NEAR[1].tolist(), 1
    assert 'entry 1 does not say which frame it belongs to' in refusal(write(tmp_path / 'clip.json', entries))


def test_numbers_of_persons_without_numbers_of_frames_are_refused(tmp_path):
    listed = [dict(entry, track_id=number % 2) for number, entry in enumerate(objects([*NEAR, FAR[0]]))]
    assert 'the numbers of persons but no numbers of frames' in refusal(write(tmp_path / 'clip.json', listed))


@pytest.mark.parametrize('content', [
    lambda people: {str(frame): found.tolist() for frame, found in enumerate(people)},
    lambda people: {f'frame_{frame:04d}': dict(people=[dict(keypoints=person.tolist()) for person in found])
                    for frame, found in enumerate(people)},
    lambda people: {'clip.mp4': {f'{frame}.png': [dict(keypoints=person.tolist()) for person in found]
                                 for frame, found in enumerate(people)}},
    lambda people: dict(frames={str(frame): {str(number): person.tolist() for number, person in enumerate(found)}
                                for frame, found in enumerate(people)})], ids=['frames', 'names', 'video', 'persons'])
def test_frames_by_key(content, tmp_path):
    people = crowd('coco17')
    assert_same(read_keypoints(write(tmp_path / 'clip.json', content(people)), size=SIZE), people)


@pytest.mark.parametrize('content', [
    dict(person_0=NEAR.tolist(), person_1=(NEAR + [[[500, 0, 0]]] * 3)[1:].tolist()),
    {'0': NEAR.tolist(), '1': (NEAR + [[[500, 0, 0]]] * 3)[1:].tolist()}], ids=['named', 'numbered'])
def test_frames_of_each_person_by_key(content, tmp_path):
    assert counts(write(tmp_path / 'clip.json', content)) == [2, 2, 1]


def test_persons_with_frames_of_their_own(tmp_path):
    content = dict(person_0={'3': NEAR[0].tolist(), '4': NEAR[1].tolist()},
                   person_1={'4': NEAR[2].tolist(), '6': NEAR[0].tolist()})
    assert counts(write(tmp_path / 'clip.json', content)) == [1, 2, 0, 1]


def test_a_size_may_be_called_canvas_and_must_be_the_same_in_all_frames(tmp_path):
    frames = [dict(people=[dict(pose_keypoints_2d=person.ravel().tolist())], canvas_width=900, canvas_height=800)
              for person in NEAR]
    found = read_keypoints(write(tmp_path / 'clip.json', frames))
    assert (found.width, found.height) == (900, 800)
    frames[1]['canvas_width'] = 901
    with pytest.raises(InputError, match='its images have 2 sizes'):
        read_keypoints(write(tmp_path / 'clip.json', frames))


@pytest.mark.parametrize('content', [
    [dict(track_id=1, frames=[3, 4], keypoints=NEAR[:2].tolist()), dict(track_id=2, frames=[4, 6], keypoints=FAR[:2].tolist())],
    {'1': dict(frame_ids=[3, 4], keypoints=NEAR[:2].tolist()), '2': dict(frame_ids=[4, 6], keypoints=FAR[:2].tolist())}],
    ids=['list', 'keys'])
def test_persons_with_the_numbers_of_their_frames(content, tmp_path):
    assert counts(write(tmp_path / 'clip.json', content)) == [1, 2, 0, 1]


def test_joints_may_have_their_numbers_as_keys(tmp_path):
    frames = [{str(joint): dict(x=x, y=y) for joint, (x, y) in [*enumerate(person[:, :2].tolist())][::-1]} for person in NEAR]
    found = read_keypoints(write(tmp_path / 'clip.json', frames), size=SIZE)
    np.testing.assert_array_equal(np.concatenate(found.people)[..., :2], NEAR[..., :2])


OTHER = NEAR + [[[300, 0, 0]]]


def frames_of(person, first=None):
    return [dict(keypoints=pose.tolist(), **({} if first is None else dict(frame=first + place)))
            for place, pose in enumerate(person)]


@pytest.mark.parametrize('wrap', [lambda one, other: dict(people=[dict(frames=one), dict(frames=other)]),
                                  lambda one, other: [dict(id=4, frames=one), dict(id=2, frames=other)],
                                  lambda one, other: dict(people={'0': dict(frames=one), '1': dict(frames=other)}),
                                  lambda one, other: dict(info={}, tracks=[dict(sequence=one), dict(sequence=other)])],
                         ids=['people', 'list', 'keys', 'tracks'])
def test_people_with_a_list_of_frames_each(wrap, tmp_path):
    path = tmp_path / 'clip.json'
    for one, other in ((frames_of(NEAR), frames_of(OTHER[:2])), (NEAR.tolist(), OTHER[:2].tolist())):
        found = read_keypoints(write(path, wrap(one, other)), size=(2000, 2000))
        assert [len(people) for people in found.people] == [2, 2, 1]
        assert_equal_poses(found.people[1], [NEAR[1], OTHER[1]])
    numbered = read_keypoints(write(path, wrap(frames_of(NEAR, 5), frames_of(OTHER[:2], 6))), size=(2000, 2000))
    assert [len(people) for people in numbered.people] == [1, 2, 2]
    assert_equal_poses(numbered.people[2], [NEAR[2], OTHER[1]])


def test_numbered_detections_of_each_person_are_no_people_of_one_frame(tmp_path):
    content = dict(tracks=[dict(track_id=1, detections=frames_of(NEAR, 5)), dict(track_id=2, detections=frames_of(OTHER, 6))])
    assert counts(write(tmp_path / 'clip.json', content)) == [1, 2, 2, 1]


def test_detections_of_each_image_are_people_of_one_frame(tmp_path):
    images = [dict(image=f'{number}.png', detections=objects([NEAR[number], OTHER[number]])) for number in range(3)]
    assert counts(write(tmp_path / 'clip.json', images)) == [2, 2, 2]
    content = dict(images=[dict(detections=objects([NEAR[number], OTHER[number]])) for number in range(3)])
    assert counts(write(tmp_path / 'clip.json', content)) == [2, 2, 2]


def test_people_with_the_joints_of_all_frames(tmp_path):
    content = dict(people=[dict(keypoints=NEAR.tolist()), dict(keypoints=OTHER[:2].tolist())])
    assert counts(write(tmp_path / 'clip.json', content)) == [2, 2, 1]


@pytest.mark.parametrize('content', [
    {'a.mp4': dict(frames=frames_of(NEAR)), 'b.mp4': dict(frames=frames_of(OTHER))},
    dict(cam1=dict(frames=frames_of(NEAR)), cam2=dict(frames=frames_of(OTHER))),
    [dict(video='a.mp4', frames=frames_of(NEAR)), dict(video='b.mp4', frames=frames_of(OTHER))],
    dict(views=[dict(camera=0, frames=frames_of(NEAR)), dict(camera=1, frames=frames_of(OTHER))])],
    ids=['videos by key', 'cameras by key', 'videos', 'cameras'])
def test_videos_and_cameras_are_not_taken_for_people(content, tmp_path):
    assert 'it holds the frames of 2 videos or cameras' in refusal(write(tmp_path / 'clip.json', content))


def test_people_of_one_video_may_name_it(tmp_path):
    content = {'clip.mp4': [dict(video='clip.mp4', camera=2, frames=frames_of(person)) for person in (NEAR, OTHER)]}
    assert counts(write(tmp_path / 'clip.json', content)) == [2, 2, 2]

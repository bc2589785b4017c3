"""A clip's keypoints in the forms that files have, and what is expected of the reader."""
import json

import numpy as np
import pytest

from common.errors import InputError
from function_inference.keypoint_files import read_keypoints
from function_inference.keypoint_formats import FORMATS

SIZE = (640, 480)
CROWD = (2, 1, 0, 1)         # people in each frame; the third frame has none


def crowd(name):
    """Per frame (P, J, 3), in numbers that every form holds exactly; one joint is missing in the first frame."""
    rng, joints = np.random.default_rng(1), len(FORMATS[name].joints)
    people = [np.concatenate([rng.integers(1, 480, (count, joints, 2)), rng.integers(1, 5, (count, joints, 1)) / 4], axis=-1)
              for count in CROWD]
    people[0][0, 3] = 0
    return people


def write(path, content):
    path.write_text(json.dumps(content))
    return path


def results(people, image_id='{}.jpg'.format):
    """COCO's and AlphaPose's list, one object per person."""
    return [dict(image_id=image_id(frame), category_id=1, keypoints=person.ravel().tolist(), score=2.5)
            for frame, found in enumerate(people) for person in found]


def coco_data_set(people):
    images = [dict(id=100 + frame, file_name=f'clip_{frame}.png', width=640, height=480) for frame in range(len(people))]
    entries = [dict(entry, image_id=100 + int(entry['image_id'].split('.')[0])) for entry in results(people)]
    return dict(images=images[::-1], annotations=entries, categories=[dict(id=1, name='person')])


def mmpose(people):
    instances = [[dict(keypoints=person[:, :2].tolist(), keypoint_scores=person[:, 2].tolist()) for person in found]
                 for found in people]
    frames = [dict(frame_id=number, instances=found) for number, found in enumerate(instances, 1)]
    return dict(meta_info={}, instance_info=frames)


def nested(people):
    """For each frame a list of people, who are lists of joints."""
    return [found.tolist() for found in people]


def points(person):
    """A person's joints as objects, as MediaPipe has them."""
    return [dict(x=x, y=y, visibility=confidence) for x, y, confidence in person.tolist()]


def write_openpose(folder, people, first=0, name='clip_{:012d}_keypoints.json'.format):
    """OpenPose's folder, whose files are numbered from `first`."""
    folder.mkdir(exist_ok=True)
    for frame, found in enumerate(people, first):
        listed = [dict(person_id=[-1], pose_keypoints_2d=person.ravel().tolist()) for person in found]
        write(folder / name(frame), dict(version=1.3, people=listed))
    return folder


def rows(people):
    """One object per person, in random order, with the frame and the person's number."""
    listed = [dict(frame_id=frame, track_id=number, keypoints=person.ravel().tolist())
              for frame, found in enumerate(people) for number, person in enumerate(found)]
    return listed[1:] + listed[:1] if len(people[0]) == 1 else listed[2:] + listed[:2]


def columns(people):
    """Lines of a .csv, a row per person, with the joints' numbers in the columns."""
    joints = range(people[0].shape[1])
    head = ','.join(f'x{joint},y{joint},visibility{joint}' for joint in joints)
    return [f'frame,person,{head}'] + [','.join(map(str, (frame, number, *person.ravel())))
                                       for frame, found in enumerate(people)
                                       for number, person in enumerate(found)]


def single(people):
    """The first person of each frame, all of whose joints that are seen are certain."""
    return [np.insert(found[:1, :, :2], 2, (found[:1, :, 2] > 0), axis=-1) for found in people]


def markers(people):
    """Lines of a .trc with the first person of each frame, as Sports2D writes it."""
    names = FORMATS['coco17'].joints
    cells = [[f'{x}\t{y}\t0' if c else '\t\t' for x, y, c in (found[0] if len(found) else np.zeros((17, 3)))]
             for found in people]
    return ['PathFileType\t4\t(X/Y/Z)\tclip.trc', 'DataRate\tCameraRate\tNumFrames', f'30\t30\t{len(people)}',
            'Frame#\tTime\t' + '\t\t\t'.join(names), '\t\t' + '\t'.join(f'X{n}\tY{n}\tZ{n}' for n in range(1, 18)),
            *('\t'.join((str(frame), str(frame / 30), *row)) for frame, row in enumerate(cells))]


def write_text(path, lines):
    path.write_text('\n'.join(lines) + '\n')
    return path


def write_npy(path, array):
    np.save(path, array)
    return path


def write_detectron(path, people):
    """VideoPose3D's infer_video_d2.py: for each frame a list per class, of whom the second are people (4, J)."""
    keypoints, boxes = np.empty(len(people), object), np.empty(len(people), object)
    for frame, found in enumerate(people):
        four = np.insert(found, 2, 5, axis=-1)
        keypoints[frame], boxes[frame] = [[], four.swapaxes(1, 2)], [[], np.zeros((len(found), 5))]
    return write_npz(path, boxes=boxes, keypoints=keypoints, segments=np.array(None), metadata=np.array(dict(w=640, h=480)))


def padded(people):
    """(T, most people, J, 3) of people per frame, NaN where there is nobody."""
    array = np.full((len(people), max(map(len, people)), *people[0].shape[1:]), np.nan)
    for frame, found in enumerate(people):
        array[frame, :len(found)] = found
    return array


def write_npz(path, **arrays):
    np.savez(path, **arrays)
    return path


def write_table(path, positions_2d, **metadata):
    """VideoPose3D's table; `positions_2d`: subject -> action -> list of (T, J, 2)."""
    return write_npz(path, positions_2d=np.array(positions_2d, dtype=object), metadata=np.array(metadata, dtype=object))


def assert_same(found, people):
    """Detections hold exactly these people."""
    assert [each.shape for each in found.people] == [each.shape for each in people]
    for each, expected in zip(found.people, people):
        assert each.dtype == np.float32
        np.testing.assert_array_equal(each, expected)


def refusal(path, **options):
    """The one line, naming the path, with which `read_keypoints` refuses it."""
    with pytest.raises(InputError) as refused:
        read_keypoints(path, **{'size': SIZE, **options})
    assert str(path) in str(refused.value) and '\n' not in str(refused.value)
    return str(refused.value)


def malformed(path, content):
    """The line that refuses this content of a .json file as malformed."""
    line = refusal(write(path, content))
    assert 'cannot be read as keypoints' in line
    return line

"""The table of forms: the right row recognises each form and reads it, and every row is documented."""
import json
import re

import numpy as np
import pytest

from function_inference.keypoint_files import read_keypoints
from function_inference.readers import FORMS, form_of
from function_inference.readers.joint_names import COCO_17
from function_inference.readers.sources import OPENERS, open_source
from keypoint_clips import (SIZE, assert_same, coco_data_set, columns, crowd, malformed, markers, mmpose, nested,
                            padded, refusal, results, rows, single, write, write_detectron, write_npy, write_npz,
                            write_openpose, write_table, write_text)
from places import ROOT

# name of each form -> function(folder, people) that writes them and returns the path; all people are in COCO's format
SAMPLES = {
    'OpenPose': lambda folder, people: write_openpose(folder / 'clip', people),
    'COCO data set': lambda folder, people: write(folder / 'clip.json', coco_data_set(people)),
    'COCO results': lambda folder, people: write(folder / 'clip.json', results(people)),
    'MMPose': lambda folder, people: write(folder / 'clip.json', mmpose(people)),
    'folder of .json': lambda folder, people: write_openpose(folder / 'clip', people, name='cam01_{:06d}.json'.format),
    'easy_ViTPose': lambda folder, people: write(folder / 'clip.json', dict(
        keypoints=[{str(number): person[:, [1, 0, 2]].tolist() for number, person in enumerate(found)} for found in people],
        skeleton={str(number): name for number, name in enumerate(COCO_17)})),
    'numbered people': lambda folder, people: write(folder / 'clip.json', rows(people)),
    'one image': lambda folder, people: write(folder / 'clip.json', [
        dict(keypoints=person.tolist(), bbox=[0, 0, 1, 1], bbox_score=.5) for person in people[0]]),
    'keyed frames': lambda folder, people: write(folder / 'clip.json', {
        f'{frame}.jpg': dict(version='x', bodies=[dict(joints=person.ravel().tolist()) for person in found])
        for frame, found in enumerate(people)}),
    'list of frames': lambda folder, people: write(folder / 'clip.json', nested(people)),
    'lines of JSON': lambda folder, people: write_text(folder / 'clip.jsonl', [json.dumps(
        dict(frame=frame, predictions=[dict(keypoints=person.ravel().tolist()) for person in found]))
        for frame, found in enumerate(people, 1)]),
    'Detectron2': lambda folder, people: write_detectron(folder / 'clip.npz', people),
    'MHFormer': lambda folder, people: write_npz(folder / 'clip.npz', reconstruction=padded(people).swapaxes(0, 1)),
    'plain array': lambda folder, people: write_npy(folder / 'clip.npy', padded(people)),
    'joints in columns': lambda folder, people: write_text(folder / 'clip.csv', columns(people)),
    'numbers in columns': lambda folder, people: write_text(folder / 'clip.csv', [
        ','.join(map(str, (frame, number, *person.ravel()))) for frame, found in enumerate(people)
        for number, person in enumerate(found)]),
    'people in rows': lambda folder, people: write_text(folder / 'clip.csv', ['frame;track_id;keypoints', *(
        f'{frame};{number};{person.ravel().tolist()}' for frame, found in enumerate(people)
        for number, person in enumerate(found))]),
    'joints in rows': lambda folder, people: write_text(folder / 'clip.csv', [
        'frame,person,landmark,x,y,z,visibility',
        *(f'{frame},{number},{joint},{x},{y},0,{c}' for frame, found in enumerate(people)
                                                   for number, person in enumerate(found)
                                                   for joint, (x, y, c) in enumerate(person))]),
    'markers': lambda folder, people: write_text(folder / 'clip.trc', markers(people)),
    'VideoPose3D': lambda folder, people: write_table(folder / 'clip.npz', {'S1': {'Walking': [padded(people)]}}),
    'array': lambda folder, people: write_npz(folder / 'clip.npz', keypoints=padded(people))}


@pytest.mark.slow
@pytest.mark.parametrize('form', FORMS, ids=lambda form: form.name)
def test_every_form_is_recognised_and_read(form, tmp_path):
    people = crowd('coco17')
    path = SAMPLES[form.name](tmp_path, people)
    assert form_of(open_source(path)) is form
    size = None if form.name in ('COCO data set', 'VideoPose3D', 'Detectron2') else SIZE      # they say it themselves
    expected = people[:1] if form.name == 'one image' else single(people) if form.name == 'markers' else people
    assert_same(read_keypoints(path, 'coco17', size), expected)


def test_every_form_has_a_name_of_its_own_and_an_opener():
    assert {form.name for form in FORMS} == set(SAMPLES) and len(FORMS) == len(SAMPLES)
    assert {form.kind for form in FORMS} == set(OPENERS)


@pytest.mark.parametrize('form', FORMS, ids=lambda form: form.name)
def test_every_form_is_in_the_documentation(form):
    section = re.search(r'## What it reads\n(.*?)\n## ', (ROOT / 'docs' / 'inference.md').read_text(), re.DOTALL)[1]
    assert form.name in ' '.join(section.split())


@pytest.mark.parametrize('content,holds', [
    ({}, 'it holds an object with 0 keys'), (dict(joint=1), "it holds an object with 1 key joint"),
    (dict(frames=3), "it holds an object with 1 key frames"), (7, 'it holds one value of type int'),
    ('keypoints', 'it holds one value of type str'), (None, 'it holds one value of type NoneType')])
def test_json_of_no_form_is_refused_with_the_forms_that_are_known(content, holds, tmp_path):
    line = malformed(tmp_path / 'clip.json', content)
    assert holds in line
    assert '; forms read from .json: COCO data set, COCO results, MMPose, easy_ViTPose, numbered people, ' in line


def test_other_folders_and_archives_of_no_form_are_refused_too(tmp_path):
    (tmp_path / 'empty').mkdir()
    assert 'holds neither images nor files of keypoints; forms read from a folder: OpenPose' in refusal(tmp_path / 'empty')
    path = write_npz(tmp_path / 'clip.npz', a=np.ones(3), b=np.ones(3), width=3)
    known = 'forms read from .npz: Detectron2, VideoPose3D, MHFormer, array'
    assert f"it holds the arrays ['a', 'b', 'width']; {known}" in refusal(path)


@pytest.mark.parametrize('keys,name', [
    (('annotations', 'images', 'frames', 'instance_info', 'people'), 'COCO data set'),
    (('frames', 'instance_info'), 'list of frames'),
    (('instance_info', 'people'), 'MMPose'), (('people',), 'list of frames')])
def test_an_object_that_fits_several_forms_has_one(keys, name, tmp_path):
    assert form_of(open_source(write(tmp_path / 'clip.json', {key: [] for key in keys}))).name == name

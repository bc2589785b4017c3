"""COCO's two kinds of .json: results, a list with one object per person, and a data set of images and annotations."""
from function_inference.readers.images import frames_in_order, last_number
from function_inference.readers.people import is_person_object, person_of, require_type
from function_inference.readers.raw import RawDetections, size_and_rate


def is_results(source):
    entries = source.content
    return isinstance(entries, list) and bool(entries) and all(isinstance(entry, dict) and 'image_id' in entry
                                                               for entry in entries)


def read_results(source):
    """A list of objects with image_id and keypoints; AlphaPose writes the same."""
    entries = [(require_type(entry['image_id'], (int, str), 'name of an image (image_id)'), [person_of(entry)])
               for entry in _with_joints(source.content)]
    return RawDetections(frames_in_order(entries), layout='coco')


def is_data_set(source):
    return isinstance(source.content, dict) and {'annotations', 'images'} <= source.content.keys()


def read_data_set(source):
    """All images in the order of their names, including those without people; they must have one size."""
    content = source.content
    images = sorted(content['images'], key=lambda image: (last_number(image['file_name']), image['file_name']))
    sizes = {(image['width'], image['height']) for image in images}
    if len(sizes) != 1:
        raise ValueError(f'its images have {len(sizes)} sizes; the frames of a clip must all have the same')
    people = {image['id']: [] for image in images}
    for entry in _with_joints(content['annotations']):
        if entry['image_id'] not in people:
            raise ValueError(f'an annotation has the image_id {entry["image_id"]!r}, but no image has this id')
        people[entry['image_id']].append(person_of(entry))
    meta = dict(zip(('width', 'height'), *sizes))
    return RawDetections(list(people.values()), *size_and_rate(meta), layout='coco')


def _with_joints(entries):
    """The entries of people, without those of other categories, which have a box and no joints."""
    return [entry for entry in entries if is_person_object(entry)] or entries

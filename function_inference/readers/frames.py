"""JSON that holds the frames of a clip: a list, an object that holds such a list, or an object with a key per frame.

A frame is null, one person, a list of people, or an object with people, as function_inference.readers.people reads it. An
object in a list may say to which frame it belongs (FRAME_KEYS); then it may be one person of several in this frame, and frames
without one have no people. The object that holds the list may have width, height and fps too. Instead, each person may have a
list of frames.
"""
import re
from itertools import zip_longest

import numpy as np

from common.errors import in_short
from function_inference.readers.frames_or_people import FRAMES, IMAGE, PERSON_KEY, are_people_of_one_image, first_key_is_person
from function_inference.readers.images import frames_in_order
from function_inference.readers.people import PEOPLE_KEYS, PERSON_KEYS, depth, is_person, is_person_object, people_of
from function_inference.readers.raw import HEIGHTS, WIDTHS, RawDetections, size_and_rate

LIST_KEYS = ('frames', 'instance_info', 'predictions', 'annotations', 'results', 'data', 'detections', 'poses', 'pose_results',
             'images', 'sequence')
FRAME_KEYS = ('image_id', 'frame_id', 'frame', 'frame_number', 'frame_index', 'frame_idx', 'frame_num', 'frame_no', 'frameId',
              'frameNumber', 'frameIndex', 'imgname', 'img_name', 'image_name', 'file_name', 'filename', 'image_path', 'image',
              'img')
CLIP_KEYS = ('frames', 'sequence')        # of LIST_KEYS; others may hold the people of one frame
VIEW_KEYS = ('video', 'video_name', 'video_path', 'video_id', 'clip', 'camera', 'camera_id', 'cam', 'view')
ONE_FRAME_KEYS = ('people', 'instances', 'bodies', 'persons', 'objects')      # of PEOPLE_KEYS; others may hold frames
NUMBERS_KEYS = ('frame_ids', 'frame_numbers', 'frame_indices', 'frames')
# has a number that is not the one of 2D or 3D, or is the name of an image; and is not that of a video
FRAME_OR_PERSON = re.compile(r'(?!.*\.(mp4|mov|avi|mkv|webm)$)(.*\d(?!d).*|.*\.(jpe?g|png|bmp|webp|tiff?))', re.IGNORECASE)
FEWEST_JOINTS = 12           # of a list that may be one person
MAX_LEVELS = 4               # objects around the frames


def is_mmpose(source):
    return _holds_list(source.content, 'instance_info') and not _holds_list(source.content, 'frames')


def read_mmpose(source):
    return _detections(source.content['instance_info'], source.content, source)


def is_one_image(source):
    """A list of people without a frame each, such as MMPose and openpifpaf write for an image."""
    return _is_list_of_people(source.content) and are_people_of_one_image(source.content, source.people)


def read_one_image(source):
    return _of_frames([[person for entry in source.content for person in people_of(entry)]], {})


def is_rows(source):
    rows = _list_of(source.content)
    return isinstance(rows, list) and any(map(_frame_of, filter(_is_object, rows)))


def read_rows(source):
    return _detections(_list_of(source.content), source.content, source)


def is_keyed(source):
    return _is_keyed(source.content)


def read_keyed(source):
    return _detections(source.content, {}, source)


def is_frames(source):
    content = source.content
    return (isinstance(content, list) or _list_of(content) is not content or _is_single_frame(content)
            or _inside(content) is not None or _clips_of_people(content) is not None)


def read_frames(source):
    return _detections(_list_of(source.content), source.content, source)


def _detections(frames, meta, source):
    return _of_frames(frames_in(frames, source.people), meta if isinstance(meta, dict) else {}, frames)


def _of_frames(frames, meta, entries=()):
    """17 joints are taken to be COCO's: nearly everything that writes 17 joints to .json means those."""
    width, height, fps = size_and_rate(meta)
    if width is None or height is None:
        width, height, fps = *size_in_frames(entries), fps
    return RawDetections(frames, width, height, fps, layout='coco')


def size_in_frames(entries):
    """The image size (width, height) that the objects of the frames state; (None, None) if they do not."""
    entries = entries.values() if isinstance(entries, dict) else entries
    sizes = {size_and_rate({key: entry.get(key) for key in WIDTHS + HEIGHTS})[:2] for entry in entries
             if isinstance(entry, dict) and any(key in entry for key in PEOPLE_KEYS)} - {(None, None)}
    if len(sizes) > 1:
        raise ValueError(f'its images have {len(sizes)} sizes; the frames of a clip must all have the same')
    return sizes.pop() if sizes else (None, None)


def frames_in(value, choice, levels=0):
    """List of people for every frame of what holds them; `choice`: what --people says, or None."""
    if levels > MAX_LEVELS:
        raise ValueError('it holds objects in objects in objects')
    if choice != IMAGE and (clips := _clips_of_people(value)):
        return _together(clips, levels)
    if isinstance(value, list):
        return _frames_of_list(value, choice)
    if _is_keyed(value):
        return _frames_by_key(value, choice, levels)
    inner = _list_of(value)
    if inner is not value and not (isinstance(inner, list) and _is_single_frame(value)):
        return frames_in(inner, choice, levels + 1)
    if not _is_single_frame(value) and _inside(value) is not None:
        return frames_in(_inside(value), choice, levels + 1)
    clip = next((value[key] for key in PERSON_KEYS if _is_clip(value.get(key))), None)
    if clip is not None and choice != IMAGE:
        return [people_of(frame) for frame in _with_scores(value, clip)]
    return [people_of(value)]


def _frames_of_list(entries, choice):
    if pairs := _numbered(entries):
        return frames_in_order(pairs)
    if len(entries) > 1 and _are_clips(entries):
        return _together(entries, 0)
    one_person = len(entries) >= FEWEST_JOINTS and isinstance(entries[0], (list, dict, float, int)) and is_person(entries)
    if choice == IMAGE or one_person:
        return [people_of(entries)]
    if _is_list_of_people(entries) and are_people_of_one_image(entries, choice):
        return [[person for entry in entries for person in people_of(entry)]]
    return [people_of(entry) for entry in entries]


def _numbered(entries):
    """(frame or image, people) of every entry that has people; None if the entries do not say which frames they are.

    ValueError if only some say so.
    """
    if isinstance(entries, dict):
        numbers = next((entries[key] for key in NUMBERS_KEYS if isinstance(entries.get(key), list)), None)
        clip = next((entries[key] for key in PERSON_KEYS if _is_clip(entries.get(key))), None)
        if numbers is not None and clip is not None and len(numbers) == len(clip):
            return [(int(number), people_of(frame)) for number, frame in zip(numbers, _with_scores(entries, clip))]
        if not _is_keyed(entries):
            return None
        return [(int(key) if str(key).isdecimal() else str(key), people_of(entry)) for key, entry in entries.items()
                if entry is None or isinstance(entry, (list, dict))]
    places = {place: entry for place, entry in enumerate(entries) if entry}
    frames = {place: _frame_of(entry)[0] for place, entry in places.items() if isinstance(entry, dict) and _frame_of(entry)}
    if not frames:
        return None
    if len(frames) < len(places):
        frames = _numbers_by_place(frames, places)
    return [(frames[place], people_of(_without_frame(entry) if isinstance(entry, dict) else entry))
            for place, entry in places.items()]


def _numbers_by_place(frames, places):
    """{place: frame} of all `places`, if those in `frames` are numbered one by one; ValueError otherwise."""
    offsets = {frame - place if isinstance(frame, int) else None for place, frame in frames.items()}
    if len(frames) < 2 or len(offsets) > 1 or None in offsets:
        missing = next(place for place in places if place not in frames)
        raise ValueError(f'entry {missing} does not say which frame it belongs to, others do; give every entry the number of '
                         'its frame')
    return {place: place + min(offsets) for place in places}


def _frames_by_key(value, choice, levels):
    """{frame or image: people}, {person: frames}, or both inside each other."""
    values = {key: entry for key, entry in value.items() if isinstance(entry, (list, dict))}
    if _are_clips(values.values()):
        return _together(values.values(), levels)
    if not first_key_is_person(values, choice):
        return frames_in_order(_numbered(value))
    return _together(values.values(), levels)


def _clips_of_people(value):
    """For each person all frames, if a list or object holds people with frames of their own; None otherwise.

    Such as {"people": [{"id": 1, "frames": [...]}, ...]}.
    """
    for key, listed in ((None, value), *(value.items() if isinstance(value, dict) else ())):
        entries = listed.values() if isinstance(listed, dict) else listed if isinstance(listed, list) else ()
        clips = [entry if key in ONE_FRAME_KEYS and _are_clips([entry]) else _clip_of(entry) for entry in entries]
        if clips and all(clips):
            _require_one_view(listed)
            return clips
    return None


def _require_one_view(entries):
    """ValueError if entries with a list of frames each are not the people of one video but several videos or cameras."""
    if isinstance(entries, dict):
        views = {key for key in map(str, entries) if not key.isdecimal() and not PERSON_KEY.match(key.lower())}
    else:
        views = {' '.join(str(entry[key]) for key in VIEW_KEYS if key in entry) for entry in entries}
    if len(views) > 1:
        raise ValueError(f'it holds the frames of {len(views)} videos or cameras, {in_short(", ".join(sorted(views)[:3]))}; '
                         'give one at a time')


def _clip_of(entry):
    """The frames that an object of one person holds; None if it is one of a frame, or holds none."""
    if not isinstance(entry, dict) or _frame_of(entry):
        return None
    for key in LIST_KEYS:
        inner = entry.get(key)
        rows = [*inner.values()] if isinstance(inner, dict) else inner if isinstance(inner, list) else []
        rows = [row for row in rows if isinstance(row, (dict, list)) and row]
        if rows and (key in CLIP_KEYS or all(isinstance(row, dict) and _frame_of(row) for row in rows)):
            return inner
    return None


def _are_clips(entries):
    """Whether each entry holds the joints of one person in all frames, (T, J, C)."""
    return bool(entries) and all(isinstance(entry, dict) and any(depth(entry.get(key)) == 3 for key in PERSON_KEYS)
                                 and not any(key in entry for key in PEOPLE_KEYS) for entry in entries)


def _together(entries, levels):
    """The frames of several people, each entry with all frames of one, with the frames' numbers or from the first frame on."""
    numbered = [_numbered(entry) for entry in entries]
    if all(numbered):
        return frames_in_order(pair for pairs in numbered for pair in pairs)
    people = [frames_in(entry, FRAMES, levels + 1) for entry in entries]
    return [[person for found in frames for person in found or ()] for frames in zip_longest(*people)]


def _frame_of(entry):
    """(number or name,) of the frame that an object says it belongs to; () if it does not say."""
    for key in FRAME_KEYS:
        frame = entry.get(key)
        if isinstance(frame, str) and frame or isinstance(frame, (int, float)) and frame == int(frame):
            return (int(frame) if isinstance(frame, float) or isinstance(frame, int) or frame.isdecimal() else frame,)
    return ()


def _without_frame(entry):
    return {key: value for key, value in entry.items() if key not in FRAME_KEYS}


def _with_scores(value, clip):
    """The frames of a nested list of joints, with the confidences that a list beside it has."""
    scores = next((value[key] for key in ('scores', 'keypoint_scores', 'confidence', 'confidences', 'visibility')
                   if isinstance(value.get(key), list) and len(value[key]) == len(clip)), None)
    if scores is None or depth(clip) < 3 or depth(scores) != depth(clip) - 1:
        return clip
    array = np.concatenate([np.array(clip, float)[..., :2], np.array(scores, float)[..., None]], axis=-1)
    return array.tolist()


def _is_clip(value):
    """Whether a value is a list of frames and not the joints of one person: (T, J, C), (T, people, J, C), or objects."""
    return depth(value) >= 3 or (isinstance(value, list) and bool(value) and not is_person(value))


def _is_object(entry):
    return isinstance(entry, dict) and bool(entry)


def _list_of(content):
    """The list or object of frames that an object holds under one of LIST_KEYS; the content itself if there is none."""
    if not isinstance(content, dict):
        return content
    return next((content[key] for key in LIST_KEYS if isinstance(content.get(key), (list, dict))), content)


def _holds_list(content, key):
    return isinstance(content, dict) and isinstance(content.get(key), list)


def _is_list_of_people(entries):
    """Whether each entry of a list is one person, and there are no others."""
    def is_one(entry):
        if isinstance(entry, dict):
            return (is_person_object(entry) and not any(key in entry for key in PEOPLE_KEYS) and not _frame_of(entry)
                    and not _are_clips([entry]))
        return isinstance(entry, list) and bool(entry) and is_person(entry)

    return isinstance(entries, list) and len(entries) > 1 and all(map(is_one, entries))


def _inside(content):
    """What is in an object around the frames, such as {"clip.mp4": {...}}; None if the object holds several things or none."""
    inside = [entry for entry in content.values() if isinstance(entry, (list, dict)) and entry] if _is_object(content) else []
    return inside[0] if len(inside) == 1 and (isinstance(inside[0], dict) or depth(inside[0]) > 1
                                              or isinstance(inside[0][0], dict)) else None


def _is_single_frame(content):
    return isinstance(content, dict) and (is_person_object(content) or any(key in content for key in ONE_FRAME_KEYS))


def _is_keyed(content):
    """Whether an object has one key per image, frame or person, each with a number in it."""
    if not _is_object(content) or _is_single_frame(content) or _list_of(content) is not content:
        return False
    inside = [key for key, entry in content.items() if isinstance(entry, (list, dict))]
    return bool(inside) and any(content[key] for key in inside) and all(FRAME_OR_PERSON.fullmatch(str(key)) for key in inside)

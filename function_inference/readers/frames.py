"""Plain .json: a list of frames, an object that holds such a list, or an object that is a single frame.

A frame is null, one person, a list of people, or an object with people, as function_inference.readers.people reads it.
The object that holds the list may have width, height and fps too. MMPose calls its list instance_info.
"""
from function_inference.readers.people import PEOPLE_KEYS, PERSON_KEYS, people_of
from function_inference.readers.raw import RawDetections, size_and_rate


def is_mmpose(source):
    return _holds_list(source, 'instance_info') and not _holds_list(source, 'frames')


def read_mmpose(source):
    return _read(source.content['instance_info'], source.content)


def is_frames(source):
    content = source.content
    return isinstance(content, list) or _holds_list(source, 'frames') or _is_single_frame(content)


def read_frames(source):
    content = source.content
    if isinstance(content, list):
        return _read(content, {})
    return _read(content['frames'] if _holds_list(source, 'frames') else [content], content)


def _holds_list(source, key):
    return isinstance(source.content, dict) and isinstance(source.content.get(key), list)


def _is_single_frame(content):
    return isinstance(content, dict) and any(key in content for key in PEOPLE_KEYS + PERSON_KEYS)


def _read(frames, meta):
    """17 joints are taken to be COCO's: nearly everything that writes 17 joints to .json means those."""
    return RawDetections([people_of(frame) for frame in frames], *size_and_rate(meta), layout='coco')

"""Folders with one .json per frame, each with all people: OpenPose's, or those of another tool."""
from function_inference.readers.frames import frames_in, size_in_frames
from function_inference.readers.frames_or_people import IMAGE
from function_inference.readers.images import frames_in_order
from function_inference.readers.raw import RawDetections
from function_inference.readers.sources import load_json, warn_of_bad

PATTERN = '*_keypoints.json'
UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError)


def is_folder(source):
    return any(source.path.glob(PATTERN))


def read_folder(source):
    return _read(source.path, PATTERN)


def is_folder_of_json(source):
    return any(source.path.glob('*.json'))


def read_folder_of_json(source):
    return _read(source.path, '*.json')


def _read(folder, pattern):
    """A file that cannot be read, such as the last one of a detector that was stopped, is a frame without people."""
    files = sorted(file for file in folder.glob(pattern) if file.is_file())
    entries, sizes, bad = [], [], []
    for file in files:
        people = []
        try:
            content = load_json(file)
            people = [person for frame in frames_in(content, IMAGE) for person in frame]
            sizes.append(content)
        except UNREADABLE:
            bad.append(file.name)
        entries.append((file.name, people))
    warn_of_bad(folder, bad, len(files), 'files')
    return RawDetections(frames_in_order(entries), *size_in_frames(sizes), layout='coco')

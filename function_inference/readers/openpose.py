"""OpenPose's folder: one NAME_keypoints.json per frame, each with all people."""
from function_inference.readers.images import frames_in_order
from function_inference.readers.people import people_of
from function_inference.readers.raw import RawDetections
from function_inference.readers.sources import load_json

PATTERN = '*_keypoints.json'


def is_folder(source):
    return any(source.path.glob(PATTERN))


def read_folder(source):
    files = sorted(source.path.glob(PATTERN))
    return RawDetections(frames_in_order((file.name, people_of(load_json(file))) for file in files))

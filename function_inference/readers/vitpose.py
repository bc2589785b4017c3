"""easy_ViTPose's .json: `keypoints`, for each frame an object from a person's number to joints, and `skeleton`, their names.

Each joint is y, x, confidence.
"""
import numpy as np

from function_inference.readers.joint_names import are_joint_names, in_known_order
from function_inference.readers.people import person_of
from function_inference.readers.raw import RawDetections, size_and_rate


def is_vitpose(source):
    content = source.content
    return isinstance(content, dict) and isinstance(content.get('keypoints'), list) and isinstance(content.get('skeleton'), (
        dict, list))


def read_vitpose(source):
    skeleton = source.content['skeleton']
    names = list(skeleton.values()) if isinstance(skeleton, dict) else skeleton
    frames = [[person_of(person) for person in (frame.values() if isinstance(frame, dict) else frame or ())]
              for frame in source.content['keypoints']]
    if not _stands_in_x(frames):
        frames = [[person[:, [1, 0, 2]] for person in people] for people in frames]
    if all(isinstance(name, str) for name in names) and are_joint_names(names):
        frames = [[in_known_order(dict(zip(names, person))) for person in people] for people in frames]
    return RawDetections(frames, *size_and_rate(source.content), layout='coco')


def _stands_in_x(frames):
    """Whether the people are upright only if the first number of a joint is x, as in files that another script wrote."""
    extents = [np.ptp(person[person[:, -1] > 0][:, :2], axis=0) for people in frames for person in people
               if (person[:, -1] > 0).any()]
    first, second = np.median(extents, axis=0) if extents else (1, 0)
    return first < second

"""Human3.6M: subjects, actions and cameras (their calibration in h36m_cameras.json, as published with VideoPose3D)."""
import json
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from common.camera import pixels_to_normalised

TRAIN_SUBJECTS = ('S1', 'S5', 'S6', 'S7', 'S8')
TEST_SUBJECTS = ('S9', 'S11')
SUBJECTS = TRAIN_SUBJECTS + TEST_SUBJECTS
CORRUPTED = (('S11', 'Directions'),)          # the recording is broken; all protocols leave it out
ACTIONS = ('Directions', 'Discussion', 'Eating', 'Greeting', 'Phoning', 'Photo', 'Posing', 'Purchases', 'Sitting',
           'SittingDown', 'Smoking', 'Waiting', 'WalkDog', 'Walking', 'WalkTogether')
SEQUENCES_PER_SUBJECT = 30
GT = 'gt'
KEYPOINTS = (GT, 'cpn_ft_h36m_dbb', 'detectron_ft_h36m', 'hr')
IMAGE_SIZES = ((1000, 1002), (1000, 1000), (1000, 1000), (1000, 1002))   # width, height of the four cameras


class Camera(NamedTuple):
    """One calibrated camera; `width` and `height` of its images in pixels.

    `intrinsic` (9,) in normalised units (common/camera.py), `orientation` (4,) quaternion camera to world,
    `translation` (3,) position in world metres.
    """
    id: str
    width: int
    height: int
    intrinsic: np.ndarray
    orientation: np.ndarray
    translation: np.ndarray


@lru_cache(maxsize=None)
def cameras(subject):
    """Tuple of the subject's four Cameras, in the order of the views in the 2D files."""
    table = json.loads((Path(__file__).parent / 'h36m_cameras.json').read_text())
    views = zip(table['intrinsics'], table['extrinsics'][subject], IMAGE_SIZES)
    return tuple(_camera(inner, outer, size) for inner, outer, size in views)


def _camera(inner, outer, size):
    width, height = size
    focal = np.asarray(inner['focal_length']) / width * 2
    centre = pixels_to_normalised(np.asarray(inner['center']), width, height)
    intrinsic = np.concatenate([focal, centre, inner['radial_distortion'], inner['tangential_distortion']])
    return Camera(inner['id'], width, height, intrinsic.astype(np.float32),
                  np.asarray(outer['orientation'], dtype=np.float32),
                  np.asarray(outer['translation'], dtype=np.float32) / 1000)


def action_of(sequence):
    """The action of a sequence: 'Walking 1' -> 'Walking'."""
    return sequence.split(' ')[0]

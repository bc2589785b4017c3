"""Motions as one HTML file that works offline: the 3D skeletons, to rotate, play and scrub, beside the 2D input."""
import json
from pathlib import Path

import numpy as np

from common.files.atomic import written_whole
from common.skeleton import H36M_16
from function_inference.motion import at_constant_rate, in_sight
from function_inference.motion_files import require_motion
from function_inference.room import APART_M, FLOOR_SECONDS
from utils.pictures.drawing import LEFT, RIGHT, joint_colours

TEMPLATE = Path(__file__).with_name('page.html')
PLACE = '__MOTION__'
MILLIMETRES = 1000


def write_page(path, motions):
    """Write the page for the Motions of one clip.

    3D is rounded to the millimetre and 2D to a tenth of a pixel: about 400 bytes per frame and person. Uneven frames are
    interpolated at a constant rate.
    """
    for motion in motions:
        require_motion(motion)
    motions = [*map(at_constant_rate, motions)]
    page = TEMPLATE.read_text(encoding='utf-8').replace(PLACE, page_data(motions))
    with written_whole(path) as partial:
        partial.write_text(page, encoding='utf-8')


def page_data(motions):
    """The Motions as JSON for a <script> element: for each frame a flat list of coordinates, and the guessed joints.

    3D is in the camera frame, as tilt and roll can be changed in the page, which computes the upright frame
    (function_inference.room).
    """
    clip = motions[0]
    content = dict(title=clip.person if len(motions) == 1 else f'{len(motions)} people', frames=len(clip.pose3d_rel),
                   fps=float(clip.fps), width=int(clip.width), height=int(clip.height),
                   tilt=float(clip.tilt_deg), roll=float(clip.roll_deg), apart=APART_M * MILLIMETRES,
                   floor_seconds=FLOOR_SECONDS,
                   bones=H36M_16.edges, colours=joint_colours(), left=LEFT, right=RIGHT,
                   people=[_person(motion, shown) for motion, shown in zip(motions, in_sight(motions))])
    # `</script>` or `<!--` in a name would end the element, so `<` is written as its JSON escape
    return json.dumps(content, separators=(',', ':'), allow_nan=False).replace('<', '\\u003c')


def _person(motion, shown):
    first, last = np.flatnonzero(shown)[[0, -1]].tolist()
    return dict(name=motion.person, first=first, last=last, placed=motion.is_placed,
                pose3d_mm=_flat((motion.pose3d_rel + motion.root_cam[:, None]) * MILLIMETRES).round().astype(int).tolist(),
                pose2d_px=_flat(motion.pose2d_px).astype(np.float64).round(1).tolist(),
                guessed=[np.flatnonzero(joints).tolist() for joints in motion.guessed])


def _flat(poses):
    return poses.reshape(len(poses), -1)

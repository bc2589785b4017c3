"""Motions as one HTML file that works offline: the 3D, to rotate, play and scrub, beside the 2D over the clip."""
import base64
import io
import json
import math
from pathlib import Path

import numpy as np
from tqdm import tqdm

from common.files.atomic import written_whole
from function_inference.film import scaled_images
from function_inference.motion import at_constant_rate, in_sight, nearest_frames
from function_inference.motion_files import require_motion
from function_inference.room import APART_M, FLOOR_SECONDS
from utils.pictures.drawing import LEFT, PALE, RIGHT, head_ends, joint_colours, limb_edges, limb_widths_m

TEMPLATE = Path(__file__).with_name('page.html')
PLACE = '__MOTION__'
MILLIMETRES = 1000
PICTURE_PX, MOST_PICTURES, JPEG_QUALITY = 320, 250, 50      # of the longer side; about 2 MB in all


def write_page(path, motions, frames=None, files=()):
    """Write the page for the Motions of one clip.

    `frames`: an iterable over the clip's images, RGB uint8 (height, width, 3), or None; at most MOST_PICTURES of them are
    shown, evenly spaced and small. `files`: names of files in the same folder that the page offers for download. 3D is rounded
    to the millimetre and 2D to a tenth of a pixel: about 400 bytes per frame and person. Uneven frames are interpolated at a
    constant rate. InputError if a motion is not valid or there are too few frames.
    """
    for motion in motions:
        require_motion(motion)
    nearest, motions = nearest_frames(motions[0]), [*map(at_constant_rate, motions)]
    step = math.ceil(len(nearest) / MOST_PICTURES)
    pictures = [] if frames is None else _pictures(frames, nearest[::step], motions[0])
    data = dict(page_data(motions), pictures=pictures, picture_step=step, files=list(files))
    # `</script>` or `<!--` in a name would end the element, so `<` is written as its JSON escape
    text = json.dumps(data, separators=(',', ':'), allow_nan=False).replace('<', '\\u003c')
    page = TEMPLATE.read_text(encoding='utf-8').replace(PLACE, text)
    with written_whole(path) as partial:
        partial.write_text(page, encoding='utf-8')


def _pictures(frames, shown, motion):
    """The `shown` frames as small JPEGs in base64."""
    from PIL import Image
    scale = PICTURE_PX / max(motion.width, motion.height)
    size = max(1, round(scale * motion.width)), max(1, round(scale * motion.height))
    pictures = []
    images = scaled_images(frames, shown, size)
    for image in tqdm(images, desc='drawing the page', total=len(shown), unit='picture', leave=False, disable=None):
        file = io.BytesIO()
        Image.fromarray(image).save(file, 'JPEG', quality=JPEG_QUALITY)
        pictures.append(base64.b64encode(file.getvalue()).decode('ascii'))
    return pictures


def page_data(motions):
    """The Motions as a dict for the page's JSON: for each frame a flat list of coordinates, and the guessed joints.

    3D is in the camera frame, as tilt and roll can be changed in the page, which computes the upright frame
    (function_inference.room).
    """
    clip, skeleton = motions[0], motions[0].skeleton
    return dict(title=clip.person if len(motions) == 1 else f'{len(motions)} people', frames=len(clip.pose3d_rel),
                fps=float(clip.fps), width=int(clip.width), height=int(clip.height),
                tilt=float(clip.tilt_deg), roll=float(clip.roll_deg), apart=APART_M * MILLIMETRES, floor_seconds=FLOOR_SECONDS,
                bones=skeleton.edges, limbs=limb_edges(skeleton), colours=joint_colours(skeleton), left=LEFT, right=RIGHT,
                neck_and_head=skeleton.joints('Thorax', 'Head'), head_ends=head_ends(skeleton), pale=PALE,
                limb_widths_mm=(limb_widths_m(skeleton) * MILLIMETRES).tolist(),
                people=[_person(motion, shown) for motion, shown in zip(motions, in_sight(motions))])


def _person(motion, shown):
    first, last = np.flatnonzero(shown)[[0, -1]].tolist()
    return dict(name=motion.person, first=first, last=last, placed=motion.is_placed,
                pose3d_mm=_flat((motion.pose3d_rel + motion.root_cam[:, None]) * MILLIMETRES).round().astype(int).tolist(),
                pose2d_px=_flat(motion.pose2d_px).astype(np.float64).round(1).tolist(),
                guessed=[np.flatnonzero(joints).tolist() for joints in motion.guessed])


def _flat(poses):
    return poses.reshape(len(poses), -1)

"""The forms in which people have 2D keypoints. A new form is one row of FORMS and its two functions, in a module here.

Both functions take a `Source` (sources.py), an opened file or folder. `recognise` returns a bool. `read` returns
RawDetections (raw.py); it may raise ValueError, KeyError or the like for a malformed file, which `read_keypoints` turns
into an InputError that names the file.
"""
from collections.abc import Callable
from typing import NamedTuple

from function_inference.readers import arrays, coco, frames, openpose, videopose3d
from function_inference.readers.sources import describe


class Form(NamedTuple):
    """A form of file: its name in the documentation, who writes it, where it is looked for, and its two functions."""
    name: str
    written_by: str
    kind: str       # 'folder' or a suffix, a key of sources.OPENERS
    recognise: Callable
    read: Callable


# The first form that recognises a source reads it, so a narrow form stands above a wide one.
FORMS = (
    Form('OpenPose', 'OpenPose with --write_json', 'folder', openpose.is_folder, openpose.read_folder),
    Form('COCO data set', 'annotation tools for COCO', '.json', coco.is_data_set, coco.read_data_set),
    Form('COCO results', "detectors that are scored on COCO; AlphaPose's default", '.json', coco.is_results,
         coco.read_results),
    Form('MMPose', "MMPose's demos with --save-predictions", '.json', frames.is_mmpose, frames.read_mmpose),
    Form('list of frames', "MMPose's inferencer; scripts of your own", '.json', frames.is_frames, frames.read_frames),
    Form('VideoPose3D', "VideoPose3D's preparation of Human3.6M and of videos", '.npz', videopose3d.is_table,
         videopose3d.read_table),
    Form('array', 'scripts of your own; motion.npz of run_inference.py', '.npz', arrays.is_array, arrays.read_array))


def form_of(source):
    """The first Form that recognises a Source; ValueError, saying what the source holds, if there is none."""
    fitting = [form for form in FORMS if form.kind == source.kind]
    for form in fitting:
        if form.recognise(source):
            return form
    kind = 'a folder' if source.kind == 'folder' else source.kind
    raise ValueError(f'it holds {describe(source)}; forms read from {kind}: {", ".join(form.name for form in fitting)}')

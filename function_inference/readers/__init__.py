"""The forms in which people have 2D keypoints. A new form is one row of FORMS and its two functions, in a module here.

Both functions take a `Source` (sources.py), an opened file or folder. `recognise` returns a bool. `read` returns
RawDetections (raw.py); it may raise ValueError, KeyError or the like for a malformed file, which `read_keypoints` turns
into an InputError that names the file.
"""
from collections.abc import Callable
from typing import NamedTuple

from function_inference.readers import arrays, coco, detectron, frames, openpose, tables, trc, videopose3d, vitpose
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
    Form('folder of .json', 'Pose2Sim, MMPose, AlphaPose with --sep_json, DWPose', 'folder', openpose.is_folder_of_json,
         openpose.read_folder_of_json),
    Form('COCO data set', 'annotation tools for COCO', '.json', coco.is_data_set, coco.read_data_set),
    Form('COCO results', "detectors that are scored on COCO; AlphaPose's default", '.json', coco.is_results,
         coco.read_results),
    Form('MMPose', "MMPose's demos with --save-predictions", '.json', frames.is_mmpose, frames.read_mmpose),
    Form('easy_ViTPose', 'easy_ViTPose with --save-json', '.json', vitpose.is_vitpose, vitpose.read_vitpose),
    Form('numbered people', 'trackers; scripts of your own', '.json', frames.is_rows, frames.read_rows),
    Form('one image', "MMPose's inferencer and openpifpaf, for an image", '.json', frames.is_one_image, frames.read_one_image),
    Form('keyed frames', "AlphaPose's cmu and open formats; scripts of your own", '.json', frames.is_keyed, frames.read_keyed),
    Form('list of frames', "MMPose's inferencer; ultralytics; DWPose; scripts of your own", '.json', frames.is_frames,
         frames.read_frames),
    Form('lines of JSON', 'openpifpaf, for a video', '.jsonl', frames.is_frames, frames.read_frames),
    Form('Detectron2', "VideoPose3D's infer_video_d2.py", '.npz', detectron.is_detectron, detectron.read_detectron),
    Form('VideoPose3D', "VideoPose3D's preparation of Human3.6M and of videos", '.npz', videopose3d.is_table,
         videopose3d.read_table),
    Form('MHFormer', 'MHFormer and its kin', '.npz', arrays.is_people_first, arrays.read_people_first),
    Form('array', 'rtmlib and other scripts; motion.npz of run_inference.py', '.npz', arrays.is_array, arrays.read_array),
    Form('plain array', 'numpy.save', '.npy', arrays.is_array, arrays.read_array),
    Form('joints in columns', 'MocapNET; scripts of your own with MediaPipe', '.csv', tables.is_joints_in_columns,
         tables.read_joints_in_columns),
    Form('numbers in columns', 'numpy.savetxt', '.csv', tables.is_without_header, tables.read_without_header),
    Form('people in rows', 'scripts of your own', '.csv', tables.is_people_in_rows, tables.read_people_in_rows),
    Form('joints in rows', 'scripts of your own with MediaPipe', '.csv', tables.is_joints_in_rows, tables.read_joints_in_rows),
    Form('markers', 'Sports2D, in pixels', '.trc', trc.is_trc, trc.read_trc))


def form_of(source):
    """The first Form that recognises a Source; ValueError, saying what the source holds, if there is none."""
    fitting = [form for form in FORMS if form.kind == source.kind]
    for form in fitting:
        if form.recognise(source):
            return form
    kind = 'a folder' if source.kind == 'folder' else source.kind
    raise ValueError(f'it holds {describe(source)}; forms read from {kind}: {", ".join(form.name for form in fitting)}')

"""The .npz that VideoPose3D's infer_video_d2.py writes with Detectron2, one per video."""
import numpy as np

from function_inference.readers.raw import RawDetections, size_and_rate

PERSON = 1      # class of COCO; the lists of the other classes are empty


def is_detectron(source):
    return {'boxes', 'keypoints'} <= source.content.names


def read_detectron(source):
    """keypoints[t][PERSON] is (people, 4, 17): x, y, logit and probability; metadata holds the image's size."""
    loaded = source.content.loaded
    size = loaded.get('metadata') or {}
    frames = [[np.asarray(person, float).T for person in classes[PERSON]] if len(classes) > PERSON else []
              for classes in loaded['keypoints']]
    return RawDetections(frames, *size_and_rate(dict(width=size.get('w'), height=size.get('h'), fps=size.get('fps'))),
                         layout='coco')

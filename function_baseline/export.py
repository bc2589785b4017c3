"""Export of a trained lifter for other programs: ONNX, TorchScript, or PyTorch's ExportedProgram (.pt2).

Input of every file: `pose2d_norm` (B, 16, 2) float32, normalised image coordinates (x / width * 2 - 1,
y / width * 2 - height / width), for any B of at least 1. Output: `pose3d` (B, 16, 3) float32 metres in the camera frame
(x right, y down, z forward). SemGCN and ST-GCN also predict the root, so subtract the first joint. Each file contains
METADATA that says this. A lifter of another skeleton has as many joints as that. For a lifter of several frames, the first
axis is time: all frames of a clip, of any length.
"""
import importlib.util
import json
import logging
import warnings
from argparse import Namespace
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch

from common.errors import InputError
from common.files.atomic import written_whole
from common.person_camera import PersonLifter
from common.skeleton import H36M_16
from models_baseline.temporal import ClipLifter, for_clips
from utils.runs.checkpoint import load_lifter

INPUT, OUTPUT = 'pose2d_norm', 'pose3d'
OPSET = 18            # PyTorch's exporter writes none that is older; ONNX Runtime 1.17 reads it
NEWEST_OPSET = 23     # that of ONNX 1.18
NUM_POSES = 1000
BATCHES = (1, 7, NUM_POSES - 8)     # a file may be right for one batch size only
TOLERANCE_M = 1e-4    # 0.1 mm; float32 rounding alone reaches 2e-5 for inputs far from the training poses
METADATA = 'metadata.json'          # its name in .torchscript.pt and .pt2 files; ONNX files have metadata entries
ONNX_PACKAGES = ('onnx', 'onnxscript', 'onnxruntime')


class Exported(NamedTuple):
    """A written file: its path, its largest absolute difference from PyTorch in metres, and its size."""
    path: Path
    difference_m: float
    num_bytes: int


class Format(NamedTuple):
    """`write(lifter, metadata, path, opset)` writes a file (`opset`: of ONNX); `opened(path)` is a function like the lifter."""
    suffix: str
    write: Callable
    opened: Callable


def export_lifter(checkpoint, formats, folder=None, overwrite=False, opset=OPSET):
    """Yield an Exported for each of `formats` (names in FORMATS), beside the checkpoint or in `folder`; `opset`: of ONNX.

    Each file is compared with PyTorch on 1,000 poses before it gets its final name. InputError if the checkpoint
    cannot be read, a package is missing, a file exists already (unless `overwrite`), or the results differ.
    """
    checkpoint = Path(checkpoint)
    lifter, weights = load_lifter(checkpoint, Namespace(dropout=0.0, explicit=()), skeleton=None)
    lifter.eval().requires_grad_(False)
    lifter = for_clips(lifter)
    if weights.camera == 'person':
        lifter = PersonLifter(lifter).eval()
    lifter.skeleton = weights.skeleton
    if 'onnx' in formats:
        require_onnx()
    folder = checkpoint.parent if folder is None else Path(folder)
    paths = {name: folder / (stem(checkpoint) + FORMATS[name].suffix) for name in formats}
    for path in paths.values():
        if path.exists() and not overwrite:
            raise InputError(f'{path} exists already; give --overwrite or another --output')
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in paths.items():
        yield _write_and_compare(FORMATS[name], lifter, describe(weights, checkpoint), path, opset)


def stem(checkpoint):
    """ckpt_best.pth.tar -> ckpt_best."""
    return checkpoint.name.removesuffix('.tar').removesuffix('.pth')


def require_onnx():
    """InputError that names the packages needed for ONNX which are not installed."""
    missing = [name for name in ONNX_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(f'ONNX needs {", ".join(missing)}: pip install -r requirements-export.txt, '
                         'or choose --format torchscript pt2')


def describe(weights, checkpoint):
    """The metadata that users of the file need: name -> text."""
    axis, skeleton = 'batch' if weights.receptive_field == 1 else 'frames', weights.skeleton
    return dict(
        lifter=weights.posenet_name, stages=str(weights.stages), epoch=str(weights.epoch), checkpoint=checkpoint.name,
        receptive_field=str(weights.receptive_field), causal=str(weights.causal).lower(),
        joints=','.join(skeleton.names), input=f'{INPUT} ({axis}, {skeleton.num_joints}, 2) float32',
        input_units='normalised image coordinates: x / width * 2 - 1, y / width * 2 - height / width',
        camera='the image' if weights.camera == 'image' else 'a virtual one that looks at the person; focal length: the width',
        output=f'{OUTPUT} ({axis}, {skeleton.num_joints}, 3) float32',
        output_units=f'metres; camera axes x right, y down, z forward; subtract joint 0, {skeleton.names[0]}')


def _write_and_compare(form, lifter, metadata, path, opset):
    """Write the file under a temporary name and rename it once it is known to be right."""
    with written_whole(path) as partial:
        with _quiet():
            form.write(lifter, metadata, partial, opset)
            difference_m = largest_difference(lifter, form.opened(partial))
        if not difference_m <= TOLERANCE_M:      # NaN is refused too
            raise InputError(f'{path} is not written: it would differ from PyTorch by {difference_m:.1e} m, more than '
                             f'{TOLERANCE_M:.0e}; try another torch or onnxruntime')
    return Exported(path, difference_m, path.stat().st_size)


def largest_difference(lifter, opened):
    """Largest absolute difference in metres on 1,000 fixed poses, whose joints lie anywhere in a square image."""
    pose2d_norm = torch.rand(NUM_POSES, _num_joints(lifter), 2, generator=torch.Generator().manual_seed(0)) * 2 - 1
    differences = [(opened(batch) - lifter(batch)).abs() for batch in pose2d_norm.split(BATCHES)]
    return float(torch.cat(differences).max())


@contextmanager
def _quiet():
    """Silence the exporters' warnings, such as that TorchScript is deprecated."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        logging.disable(before)


def _num_joints(lifter):
    return getattr(lifter, 'skeleton', H36M_16).num_joints


def _example(lifter):
    """Two poses; with one, the exporters would fix the batch size to one."""
    return torch.zeros(2, _num_joints(lifter), 2)


def exported_program(lifter):
    """torch.export's ExportedProgram of the lifter with a free first axis, without the paths of its source files."""
    program = torch.export.export(lifter, (_example(lifter),), dynamic_shapes=_first_axis(lifter))
    for node in program.graph.nodes:
        node.meta.pop('stack_trace', None)
    return program


def _first_axis(lifter):
    """What torch.export needs to know about it: its name, and that its length is free."""
    of_clips = any(isinstance(module, ClipLifter) for module in lifter.modules())
    return ({0: torch.export.Dim('frames' if of_clips else 'batch', min=1)},)


def write_onnx(lifter, metadata, path, opset=OPSET):
    """Write one file that contains the weights; the free dimension of its shapes is called `batch`, or `frames` of a clip."""
    from onnx import helper
    model = torch.onnx.export(exported_program(lifter), dynamo=True, opset_version=opset, verbose=False,
                              input_names=[INPUT], output_names=[OUTPUT], dynamic_shapes=_first_axis(lifter))
    model.model.metadata_props.update(metadata)
    model.model.ir_version = helper.find_min_ir_version_for([helper.make_opsetid('', opset)])      # programs refuse newer ones
    model.save(path)


def open_onnx(path):
    import onnxruntime
    try:
        session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    except Exception as error:      # onnxruntime has many exception types of its own
        raise InputError(f'onnxruntime {onnxruntime.__version__} cannot read the ONNX file; give another --opset, or install a '
                         f'newer onnxruntime ({error})') from None
    return lambda pose2d_norm: torch.from_numpy(session.run([OUTPUT], {INPUT: pose2d_norm.numpy()})[0])


def write_torchscript(lifter, metadata, path, _opset=None):
    traced = torch.jit.trace(lifter, _example(lifter), check_trace=False)      # 1,000 poses will check it
    torch.jit.save(traced, str(path), _extra_files={METADATA: json.dumps(metadata)})


def write_pt2(lifter, metadata, path, _opset=None):
    torch.export.save(exported_program(lifter), path, extra_files={METADATA: json.dumps(metadata)})


FORMATS = dict(onnx=Format('.onnx', write_onnx, open_onnx),
               torchscript=Format('.torchscript.pt', write_torchscript, lambda path: torch.jit.load(str(path))),
               pt2=Format('.pt2', write_pt2, lambda path: torch.export.load(path).module()))

"""Exported files: they compute what PyTorch computes, at any batch size, and say what they are."""
import json
import subprocess
import sys
from argparse import Namespace

import numpy as np
import pytest
import torch

import run_export
from common.errors import InputError
from common.person_camera import PersonLifter
from common.skeleton import H36M_16
from function_baseline import export
from function_baseline.export import FORMATS, Format, export_lifter
from models_baseline import build_lifter
from models_baseline.temporal import ClipLifter
from utils.runs.checkpoint import load_lifter, save_checkpoint

pytestmark = pytest.mark.filterwarnings('ignore:.*torch.jit:DeprecationWarning')      # it works, and people use it
from places import SHARED

OFFICIAL = SHARED / 'official' / 'semgcn_gt_poseaug.pth.tar'


def write_checkpoint(folder, name):
    """A checkpoint of a small lifter whose BatchNorm statistics have moved."""
    torch.manual_seed(0)
    lifter = build_lifter(name, stages=1)
    with torch.no_grad():
        lifter(torch.rand(64, 16, 2))
    path = folder / f'{name}.pth.tar'
    save_checkpoint(path, {'model_pos': lifter.state_dict(), 'epoch': 3})
    return path


@pytest.fixture(scope='module')
def onnx_file(tmp_path_factory):
    """(file, checkpoint) of a SemGCN: an ONNX export takes seconds, so one serves all tests."""
    for package in export.ONNX_PACKAGES:
        pytest.importorskip(package)
    checkpoint = write_checkpoint(tmp_path_factory.mktemp('onnx'), 'gcn')
    exported, = export_lifter(checkpoint, ['onnx'])
    return exported.path, checkpoint


def lifter_of(checkpoint):
    return load_lifter(checkpoint, Namespace(dropout=0., explicit=()))[0].eval()


def poses(count):
    return torch.rand(count, 16, 2, generator=torch.Generator().manual_seed(count)) * 2 - 1


def agrees(opened, lifter, batches=(1, 7, 30)):
    """Within a tenth of a millimetre at every batch size, and not by giving nothing."""
    with torch.no_grad():
        pairs = [(opened(poses(count)), lifter(poses(count))) for count in batches]
    return all(torch.allclose(found, expected, rtol=0, atol=1e-4) and found.abs().max() > 1e-3
               for found, expected in pairs)


@pytest.mark.slow
@pytest.mark.parametrize('name', ['gcn', 'mlp', pytest.param('stgcn', marks=pytest.mark.slow), 'videopose'])
def test_torchscript_of_every_lifter_runs_at_any_batch_size(tmp_path, name):
    checkpoint = write_checkpoint(tmp_path, name)
    exported, = export_lifter(checkpoint, ['torchscript'])
    metadata = {'metadata.json': ''}
    opened = torch.jit.load(exported.path, _extra_files=metadata)
    assert agrees(opened, lifter_of(checkpoint)) and exported.difference_m <= export.TOLERANCE_M
    described = json.loads(metadata['metadata.json'])
    assert (described['lifter'], described['joints'].split(',')) == (name, list(H36M_16.names))


@pytest.mark.slow
def test_pt2_runs_at_any_batch_size_and_holds_no_path_of_this_machine(tmp_path):
    checkpoint = write_checkpoint(tmp_path, 'gcn')
    exported, = export_lifter(checkpoint, ['pt2'])
    metadata = {'metadata.json': ''}
    opened = torch.export.load(exported.path, extra_files=metadata).module()
    assert agrees(opened, lifter_of(checkpoint)) and json.loads(metadata['metadata.json'])['lifter'] == 'gcn'
    assert b'models_baseline/' not in exported.path.read_bytes()


@pytest.fixture(scope='module')
def temporal_checkpoint(tmp_path_factory):
    """Of a lifter of nine frames, trained for the camera that looks at the person."""
    torch.manual_seed(0)
    lifter = build_lifter('videopose', receptive_field=9)
    path = tmp_path_factory.mktemp('temporal') / 'temporal.pth.tar'
    arguments = {'posenet_name': 'videopose', 'stages': 1, 'camera': 'person', 'causal': True}
    save_checkpoint(path, {'state_dict': lifter.state_dict(), 'epoch': 3, 'arguments': arguments})
    return path


@pytest.mark.slow
@pytest.mark.parametrize('name', ['onnx', 'torchscript'])
def test_a_temporal_lifter_is_exported_with_a_time_axis(temporal_checkpoint, tmp_path, name):
    if name == 'onnx':
        onnx = pytest.importorskip('onnx')
        pytest.importorskip('onnxruntime')
    exported, = export_lifter(temporal_checkpoint, [name], tmp_path)
    lifter = PersonLifter(ClipLifter(lifter_of(temporal_checkpoint)))
    assert agrees(FORMATS[name].opened(exported.path), lifter, batches=(1, 2, 5, 40))
    if name == 'onnx':
        model = onnx.load(exported.path, load_external_data=False)
        assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == 'frames'
        described = {entry.key: entry.value for entry in model.metadata_props}
        assert (described['receptive_field'], described['causal'], described['input']) == (
            '9', 'true', 'pose2d_norm (frames, 16, 2) float32')


ALONE = """
import json, sys
import numpy as np, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1], providers=['CPUExecutionProvider'])
(given,), (made,) = session.get_inputs(), session.get_outputs()
poses = np.load(sys.argv[2])
np.savez(sys.argv[3], **{name: session.run(None, {given.name: pose2d})[0] for name, pose2d in poses.items()})
print(json.dumps([given.name, given.shape, made.name, made.shape, session.get_modelmeta().custom_metadata_map,
                  sorted({'torch', 'onnx', 'common', 'utils'} & set(sys.modules))]))
"""


def test_onnx_runs_with_numpy_and_onnxruntime_alone(onnx_file, tmp_path):
    path, checkpoint = onnx_file
    np.savez(tmp_path / 'poses.npz', **{str(count): poses(count).numpy() for count in (1, 7, 1000)})
    done = subprocess.run([sys.executable, '-c', ALONE, str(path), 'poses.npz', 'out.npz'], cwd=tmp_path, check=True,
                          capture_output=True, text=True)
    given, given_shape, made, made_shape, metadata, loaded = json.loads(done.stdout)
    assert (given, given_shape) == ('pose2d_norm', ['batch', 16, 2])
    assert (made, made_shape, loaded) == ('pose3d', ['batch', 16, 3], [])
    assert metadata['lifter'] == 'gcn' and metadata['joints'].split(',') == list(H36M_16.names)
    assert 'metres' in metadata['output_units'] and 'width' in metadata['input_units']
    results = np.load(tmp_path / 'out.npz')
    assert agrees(lambda pose2d: torch.from_numpy(results[str(len(pose2d))]), lifter_of(checkpoint),
                  batches=(1, 7, 1000))


def test_onnx_is_one_file_that_older_programs_read_without_paths_of_this_machine(onnx_file):
    import onnx
    model = onnx.load(onnx_file[0], load_external_data=False)
    assert export.OPSET == 18 and model.ir_version == 8      # ONNX Runtime 1.17 reads up to opset 20 and IR version 9
    onnx.checker.check_model(model, full_check=True)
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [('', export.OPSET)]
    assert b'models_baseline/' not in onnx_file[0].read_bytes()
    assert not [weight for weight in model.graph.initializer if weight.external_data]


def test_another_opset_can_be_chosen(onnx_file, tmp_path):
    import onnx
    flags = ['--evaluate', str(onnx_file[1]), '--format', 'onnx', '--opset', '20', '--output', str(tmp_path)]
    exported, = run_export.main(flags)
    model = onnx.load(exported.path)
    assert model.opset_import[0].version == 20 and model.ir_version == 9


@pytest.mark.parametrize('opset', ['17', '24', 'new'])
def test_other_opsets_are_refused_in_one_line(opset, capsys):
    with pytest.raises(SystemExit) as left:
        run_export.main(['--evaluate', 'it.pth.tar', '--opset', opset])
    message = capsys.readouterr().err
    assert left.value.code == 2 and message.count('\n') == 1 and '--opset' in message and opset in message


def test_an_onnxruntime_that_cannot_read_the_file_is_named_in_one_line(tmp_path):
    pytest.importorskip('onnxruntime')
    (tmp_path / 'it.onnx').write_bytes(b'no network')
    with pytest.raises(InputError, match='onnxruntime [0-9.]+ cannot read the ONNX file; give another --opset') as error:
        export.open_onnx(tmp_path / 'it.onnx')
    assert '\n' not in str(error.value)


@pytest.mark.slow
def test_the_authors_checkpoint_is_exported(tmp_path):
    if not OFFICIAL.is_file():
        pytest.skip(f'{OFFICIAL} is not here: the released weights are not part of the project')
    exported, = export_lifter(OFFICIAL, ['torchscript'], folder=tmp_path / 'new')
    assert exported.path == tmp_path / 'new' / 'semgcn_gt_poseaug.torchscript.pt'
    assert agrees(torch.jit.load(exported.path), lifter_of(OFFICIAL))


# What is refused

@pytest.fixture
def gcn(tmp_path):
    return write_checkpoint(tmp_path, 'gcn')


@pytest.mark.slow
def test_the_command_says_what_it_wrote_and_keeps_what_was_there(gcn, capsys):
    flags = ['--evaluate', str(gcn), '--format', 'torchscript']
    exported, = run_export.main(flags)
    line = capsys.readouterr().out
    assert f'{exported.path}: ' in line and 'largest difference from PyTorch on 1,000 poses' in line
    exported.path.write_bytes(b'precious')
    with pytest.raises(SystemExit) as left:
        run_export.main(flags)
    assert left.value.code == 2 and 'exists already' in capsys.readouterr().err
    assert exported.path.read_bytes() == b'precious'
    run_export.main([*flags, '--overwrite'])
    assert agrees(torch.jit.load(exported.path), lifter_of(gcn))


def test_nothing_is_written_where_one_of_several_files_is_there_already(gcn):
    gcn.with_name('gcn.pt2').write_bytes(b'precious')
    with pytest.raises(InputError, match='gcn.pt2 exists already'):
        list(export_lifter(gcn, ['torchscript', 'pt2']))
    assert sorted(path.name for path in gcn.parent.iterdir()) == ['gcn.pt2', 'gcn.pth.tar']


def off_by(metres):
    """A format whose file computes something else."""
    def opened(path):
        lifter = torch.jit.load(path)
        return lambda pose2d: lifter(pose2d) + metres
    return Format('.pt', export.write_torchscript, opened)


@pytest.mark.parametrize('metres', [2e-4, float('nan')])
def test_a_file_that_computes_something_else_is_refused_and_deleted(gcn, monkeypatch, metres):
    monkeypatch.setitem(FORMATS, 'wrong', off_by(metres))
    gcn.with_name('gcn.pt').write_bytes(b'old and good')
    with pytest.raises(InputError, match='gcn.pt is not written: it would differ from PyTorch by'):
        list(export_lifter(gcn, ['wrong'], overwrite=True))
    assert sorted(path.name for path in gcn.parent.iterdir()) == ['gcn.pt', 'gcn.pth.tar']
    assert gcn.with_name('gcn.pt').read_bytes() == b'old and good'


@pytest.mark.slow
def test_a_difference_within_the_tolerance_is_reported(gcn, monkeypatch):
    monkeypatch.setitem(FORMATS, 'wrong', off_by(5e-5))
    exported, = export_lifter(gcn, ['wrong'])
    assert exported.difference_m == pytest.approx(5e-5, rel=.05) and exported.num_bytes == exported.path.stat().st_size


class OneBatchSize(torch.nn.Module):
    """What a lifter must not do: in a trace len() is a number, not a size."""

    def forward(self, pose2d):
        return torch.cat([pose2d, pose2d[..., :1]], dim=2).reshape(len(pose2d), 16, 3)


@pytest.mark.filterwarnings('ignore')
def test_a_file_for_one_batch_size_alone_is_found_out(tmp_path):
    export.write_torchscript(OneBatchSize(), {}, tmp_path / 'it.pt')
    with pytest.raises(RuntimeError, match='invalid for input of size'):
        export.largest_difference(OneBatchSize(), torch.jit.load(tmp_path / 'it.pt'))


def test_without_the_packages_of_onnx_the_command_is_named(gcn, monkeypatch, capsys):
    monkeypatch.setattr(export, 'ONNX_PACKAGES', ('torch', 'onnx_that_is_not_installed'))
    with pytest.raises(SystemExit) as left:
        run_export.main(['--evaluate', str(gcn)])
    message = capsys.readouterr().err
    assert left.value.code == 2 and message.count('\n') == 1
    assert 'ONNX needs onnx_that_is_not_installed: pip install -r requirements-export.txt' in message
    assert [path.name for path in gcn.parent.iterdir()] == ['gcn.pth.tar']


def test_a_file_that_is_not_a_checkpoint_is_refused(tmp_path, capsys):
    (tmp_path / 'it.pth.tar').write_text('404: Not Found')
    with pytest.raises(SystemExit) as left:
        run_export.main(['--evaluate', str(tmp_path / 'it.pth.tar'), '--output', str(tmp_path / 'new')])
    assert left.value.code == 2 and 'it.pth.tar is no checkpoint' in capsys.readouterr().err
    assert not (tmp_path / 'new').exists()

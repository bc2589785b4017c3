"""Data sets of 24 and of 17 joints in the scripts: from positions to a trained, scored, drawn, exported and used lifter."""
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import run_baseline
import run_benchmark
import run_evaluate
import run_export
import run_inference
import run_poseaug
import run_visualize
from common.datasets.mocap import mocap_path
from common.files.npz import save_npz
from common.skeletons import SMPL_24
from data import prepare_data_mocap
from function_baseline.data import load_test
from function_poseaug.statistics import view_directions
from mocap_clips import FPS, arrays_of, h36m_17, person, smpl_24
from refusals import files_below, refused
from run_reading import checkpoint
from utils.pictures.drawing import RIGHT

POSITIONS = dict(smpl_24=lambda points, _: smpl_24(points), h36m_17=h36m_17)
CPU = ['--device', 'cpu']


def prepared(name, root):
    """A data root with 'mine', made from positions of a walk of two people by the command."""
    for seed, who in enumerate(('anna', 'ben')):
        (root / 'clips' / who).mkdir(parents=True)
        np.save(root / 'clips' / who / 'walk.npy', POSITIONS[name](*person(seed)))
    prepare_data_mocap.main(['--source', str(root / 'clips'), '--skeleton', name, '--source_fps', str(FPS), '--name', 'mine',
                             '--data_root', str(root), '--picture', 'false'])
    return root


def train(script, root, *flags):
    return script.main([*data_of(root), '--cameras', 'sampled', '--checkpoint', str(root / 'runs'), '--posenet_name', 'gcn',
                        '--stages', '1', '--epochs', '1', '--batch_size', '16', '--note', 'test', *map(str, flags)])


def data_of(root):
    return ['--dataset', 'mine', '--data_root', str(root), *CPU]


@pytest.fixture(scope='module')
def smpl(tmp_path_factory):
    """(data root, run of PoseAug) of 24 joints, with one epoch of each trainer."""
    root = prepared('smpl_24', tmp_path_factory.mktemp('root'))
    return root, train(run_poseaug, root, '--warmup', '0', '--pretrain_path', train(run_baseline, root))


@pytest.mark.slow
def test_checkpoints_of_a_run_name_the_skeleton(smpl):
    _, run = smpl
    for file in ('ckpt_last.pth.tar', 'ckpt_best_mine_p1.pth.tar', 'ckpt_best_mine-h36m_p2.pth.tar'):
        assert checkpoint(run, file)['arguments']['skeleton'] == 'smpl_24'


@pytest.mark.slow
def test_24_joints_are_scored(smpl, capsys):
    root, run = smpl
    scores = run_evaluate.main([*data_of(root), '--evaluate', str(run / 'ckpt_last.pth.tar')])
    assert [errors.num_poses for errors in scores] == [4 * 66, 66] and 0 < scores[0].p_mpjpe_mm < scores[0].mpjpe_mm
    assert '16 = all joints (here 24)' in capsys.readouterr().out
    summary = run_benchmark.main(['--data_root', str(root), '--shift_dataset', 'mine', '--shifts', 'rare poses,everything',
                                  '--evaluate', f'a={run}', *CPU])
    assert {title for _, title in summary} == {'mine', 'mine: rare poses', 'mine: everything'}


@pytest.mark.slow
def test_the_second_test_set_of_24_joints_is_never_3dhp(smpl, tiny_root, tmp_path):
    shutil.copytree(smpl[0] / 'data', tmp_path / 'data')
    shutil.copytree(tiny_root / 'data_extra' / 'test_set', tmp_path / 'data_extra' / 'test_set')
    args = SimpleNamespace(dataset='mine', cameras='sampled', downsample=8, data_root=tmp_path)
    tests = load_test(args, 'cpu')
    assert [name.key for name in tests.names] == ['mine', 'mine-h36m'] and tests.dhp.skeleton is SMPL_24


@pytest.mark.slow
def test_24_joints_are_drawn(smpl):
    root, run = smpl
    for kind in ('views', 'histograms', 'gallery'):
        picture, = run_visualize.main([kind, '--run', str(run), '--poses', '2', '--output', str(root / 'pictures')])
        assert picture.name == f'{kind}.png' and picture.stat().st_size


@pytest.mark.slow
def test_the_errors_of_24_joints_have_their_names(smpl):
    root, run = smpl
    args = run_visualize.parser().parse_args(['errors', *data_of(root), '--downsample', '4', '--evaluate',
                                              str(run / 'ckpt_last.pth.tar')])
    labels = args.draw(args)['errors_joints'].axes[0].get_xticklabels()
    assert {label.get_text() for label in labels} == {*SMPL_24.names[1:], 'all'}
    assert {label.get_text(): label.get_color() for label in labels}['RHand'] == RIGHT


@pytest.mark.slow
def test_the_views_of_24_joints_are_measured_from_these_joints(smpl, monkeypatch):
    root, run = smpl
    drawn = []
    monkeypatch.setattr(run_visualize.views, 'views_figure', lambda *arguments: drawn.append(arguments))
    run_visualize.views_figure(run_visualize.parser().parse_args(['views', '--run', str(run), '--poses', '2']))
    (panels, body, skeleton), = drawn
    args = SimpleNamespace(dataset='mine', cameras='sampled', downsample=1, data_root=root)
    expected = view_directions(load_test(args, 'cpu').dhp.pose3d_cam, SMPL_24)
    torch.testing.assert_close(panels['mine: test, h36m views'][0], expected)
    assert skeleton is SMPL_24 and body[SMPL_24.names.index('Head'), 1] > .3 > -.5 > body[SMPL_24.names.index('LToe'), 1]


@pytest.mark.slow
def test_a_lifter_of_24_joints_is_exported_and_lifts_keypoints_of_24_joints(smpl):
    root, run = smpl
    best = str(run / 'ckpt_best_mine_p1.pth.tar')
    file, = run_export.main(['--evaluate', best, '--format', 'torchscript', '--output', str(root / 'exported')])
    assert torch.jit.load(file.path)(torch.zeros(3, 24, 2)).shape == (3, 24, 3)
    np.save(root / 'video.npy', pixels(smpl_24(person(3)[0])[:6]))
    motion, = run_inference.main(['--input', str(root / 'video.npy'), '--size', '1000x1000', '--fps', '2', '--evaluate', best,
                                  '--output', str(root / 'lifted'), '--video', 'gif', '--flip', 'true', *CPU])
    assert motion.skeleton is SMPL_24 and motion.pose3d_rel.shape == (6, 24, 3)
    assert files_below(root / 'lifted') == [f'motion.{kind}' for kind in ('bvh', 'gif', 'html', 'json', 'npz')]


def pixels(pose3d):
    """2D of a person (T, J, 3), z up, in a video of 1000 x 1000 pixels."""
    return 500 + 300 * (pose3d - pose3d[:1, :1])[..., [0, 2]] * [1, -1]


@pytest.mark.slow
def test_17_joints_from_positions_to_an_exported_lifter(tmp_path, without_pictures):
    root = prepared('h36m_17', tmp_path)
    run = train(run_poseaug, root, '--warmup', '0', '--pretrain_path', train(run_baseline, root))
    best = str(run / 'ckpt_best_mine_p1.pth.tar')
    scores = run_evaluate.main([*data_of(root), '--evaluate', best])
    file, = run_export.main(['--evaluate', best, '--format', 'torchscript'])
    assert scores[0].num_poses == 264 and torch.jit.load(file.path)(torch.zeros(1, 17, 2)).shape == (1, 17, 3)


@pytest.mark.slow
def test_other_joints_than_the_lifters_are_refused_in_one_line(smpl, tmp_path, capsys):
    _, run = smpl
    best = run / 'ckpt_last.pth.tar'
    save_npz(mocap_path(tmp_path, 'ours'), **arrays_of())
    ours = ('--dataset', 'ours', '--data_root', tmp_path, *CPU)
    for script, flags in ((run_evaluate, ('--evaluate', best)), (run_visualize, ('--evaluate', best)),
                          (run_benchmark, ('--evaluate', best, '--shifts', 'none')),
                          (run_baseline, ('--pretrain_path', best, '--checkpoint', tmp_path / 'runs'))):
        line = refused(capsys, script, *('errors',) * (script is run_visualize), *ours, *flags)
        assert f'{best} is a lifter of 24 joints (smpl_24), but ' in line and '16 (h36m_16)' in line
    assert files_below(tmp_path) == ['data/mocap_ours.npz']


@pytest.mark.slow
def test_what_lacks_the_24_joints_is_refused_in_one_line(smpl, tmp_path, capsys):
    _, run = smpl
    flags = ('--evaluate', run / 'ckpt_last.pth.tar', '--output', tmp_path / 'out', '--size', '1000x1000', *CPU)
    (tmp_path / 'clip.mp4').write_bytes(b'')
    np.save(tmp_path / '17.npy', pixels(h36m_17(*person())))
    for name, words in (('clip.mp4', 'an array (T, 24, 2)'), ('17.npy', 'h36m17 has no LowerSpine, Chest')):
        assert words in refused(capsys, run_inference, '--input', tmp_path / name, *flags)
    assert not (tmp_path / 'out').exists()

"""Motion capture in the scripts: --dataset NAME and --cameras, and the commands of docs/own_data.md."""
import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import run_baseline
import run_evaluate
import run_inference
import run_poseaug
import run_visualize
from common.camera_sampling import CameraRanges
from common.datasets.h36m import h36m_poses, in_sampled_views, read_h36m
from common.datasets.h36m_protocol import SUBJECTS
from common.datasets.mocap import mocap_path
from common.files.npz import save_npz
from common.skeleton import H36M_16
from data import prepare_data_mocap
from mocap_clips import PROGRAMS, arrays_of, person, write_bvh
from places import ROOT
from refusals import refused
from run_reading import checkpoint, figures, log_rows
from trainers import cut_off

OWN, OTHER = ('error_mine_p1', 'error_mine_p2'), ('error_mine-sampled_p1', 'error_mine-sampled_p2')


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """A data root with the motion capture 'mine' and nothing else."""
    root = tmp_path_factory.mktemp('root')
    save_npz(mocap_path(root, 'mine'), **arrays_of())
    return root


def train(script, root, runs, *flags):
    return script.main(['--dataset', 'mine', '--data_root', str(root), '--checkpoint', str(runs), '--device', 'cpu',
                        '--epochs', '2', '--posenet_name', 'gcn', '--stages', '1', '--batch_size', '16', '--note', 'test',
                        *map(str, flags)])


def columns_of(run):
    return next(line.split() for line in (run / 'log.txt').read_text().splitlines() if line.startswith('epoch\t'))


@pytest.mark.slow
def test_a_baseline_trains_and_is_scored_on_the_other_cameras_without_3dhp(root, runs, without_pictures, capsys):
    run = train(run_baseline, root, runs)
    assert columns_of(run) == ['epoch', 'lr', 'loss_train', *OWN, *OTHER]
    assert len(log_rows(run)) == 2 and all(np.isfinite(figures(row)).all() for row in log_rows(run))
    printed = capsys.readouterr().out
    assert '280 training poses; tests: mine: test, h36m views 160, mine: test, sampled views 40' in printed
    assert re.search(r'epoch 1: loss .* mine .* mm   mine-sampled .* mm', printed)
    scores = run_evaluate.main(['--dataset', 'mine', '--evaluate', str(run / 'ckpt_last.pth.tar'), '--data_root', str(root),
                                '--device', 'cpu'])
    assert [errors.num_poses for errors in scores] == [160, 40] and set(scores[0].groups) == {'ben'}
    assert figures(log_rows(run)[-1])[3:] == pytest.approx([value for errors in scores for value in errors[:2]], rel=1e-5)
    assert 'mine: test, sampled views, gt 2D, no test-time flip: per subject' in capsys.readouterr().out


def test_3dhp_is_the_second_test_where_it_is_prepared(root, tiny_root, runs, tmp_path, without_pictures):
    shutil.copytree(root / 'data', tmp_path / 'root' / 'data')
    shutil.copytree(tiny_root / 'data_extra' / 'test_set', tmp_path / 'root' / 'data_extra' / 'test_set')
    run = train(run_baseline, tmp_path / 'root', runs, '--cameras', 'sampled', '--epochs', '1')
    assert columns_of(run)[3:] == [*OWN, 'error_3dhp_p1', 'error_3dhp_p2']


@pytest.mark.slow
def test_a_resumed_run_sees_the_views_of_the_uninterrupted_one(root, runs, without_pictures):
    def begin(folder):
        return train(run_baseline, root, folder, '--cameras', 'sampled')

    whole = begin(runs / 'whole')
    cut_off('save_last', 1, begin, runs / 'cut')
    (cut,) = (runs / 'cut').glob('*/*/*')
    resumed = run_baseline.main(['--resume', str(cut), '--device', 'cpu'])
    assert log_rows(resumed) == log_rows(whole)
    for name, value in checkpoint(whole)['state_dict'].items():
        assert torch.equal(checkpoint(resumed)['state_dict'][name], value), name


@pytest.mark.slow
def test_poseaug_trains_and_its_best_checkpoints_are_called_after_the_tests(root, runs, without_pictures):
    lifter = train(run_baseline, root, runs / 'lifter', '--cameras', 'sampled', '--epochs', '1')
    run = train(run_poseaug, root, runs / 'poseaug', '--cameras', 'sampled', '--warmup', '0', '--pretrain_path',
                lifter / 'ckpt_best.pth.tar')
    assert columns_of(run) == ['epoch', 'lr', *OWN, 'error_mine-h36m_p1', 'error_mine-h36m_p2']
    assert {path.name for path in run.glob('ckpt_best_*')} == {
        f'ckpt_best_{name}_{protocol}.pth.tar' for name in ('mine', 'mine-h36m') for protocol in ('p1', 'p2')}
    pictures = run_visualize.main(['views', '--run', str(run), '--poses', '40'])
    pictures += run_visualize.main(['errors', '--dataset', 'mine', '--data_root', str(root), '--device', 'cpu', '--output',
                                    str(runs / 'pictures'), '--evaluate', str(run / 'ckpt_last.pth.tar')])
    assert [path.name for path in pictures] == ['views.png', 'errors_joints.png', 'errors_actions.png']


def test_human36m_too_can_be_seen_by_sampled_cameras(tiny_root):
    files = read_h36m(tiny_root, 'gt')
    poses = h36m_poses(files, ('S1', 'S5'), 'Walking')
    sampled = in_sampled_views(poses, seed=0)
    assert len(sampled) * 4 == len(poses) and sampled.ranges == CameraRanges()
    assert {*sampled.subject.tolist()} == {SUBJECTS.index('S1'), SUBJECTS.index('S5')}
    assert sampled.group_names == poses.group_names
    for subject in ('S1', 'S5'):
        first = sampled.pose3d_world[sampled.subject == SUBJECTS.index(subject)][0, 0]
        assert first.numpy() == pytest.approx(files.pose3d[subject]['Walking'][0, 0], abs=1e-4)


@pytest.mark.slow
def test_a_run_on_human36m_trains_on_sampled_views(tiny_root, runs, without_pictures, capsys):
    run = train(run_baseline, tiny_root, runs, '--dataset', 'h36m', '--actions', 'Walking', '--cameras', 'sampled',
                '--epochs', '1')
    assert columns_of(run)[3:] == ['error_h36m_p1', 'error_h36m_p2', 'error_3dhp_p1', 'error_3dhp_p2']
    assert re.search(r'^70 training poses; tests: Human3.6M', capsys.readouterr().out, re.MULTILINE)


@pytest.mark.parametrize('flags, words', [
    (['--dataset', 'yours'], 'yours is not prepared'), (['--keypoints', 'hr'], '--keypoints hr: only Human3.6M has that'),
    (['--actions', 'Walking'], '--actions Walking'), (['--s1only', 'true'], '--s1only True'),
    (['--dataset', '../x'], '--dataset'),
    (['--cameras', 'drone'], '--cameras')])
def test_what_motion_capture_cannot_do_is_refused(flags, words, root, runs, capsys):
    line = refused(capsys, run_baseline, '--dataset', 'mine', '--data_root', root, '--checkpoint', runs, *flags)
    assert words in line and not runs.exists()


def test_a_single_training_pose_is_refused(tmp_path, runs, capsys):
    save_npz(mocap_path(tmp_path, 'mine'), **arrays_of(test=np.array([False, True, True])))
    line = refused(capsys, run_baseline, '--dataset', 'mine', '--cameras', 'sampled', '--downsample', '40',
                   '--data_root', tmp_path, '--checkpoint', runs)
    assert '--downsample selects 1 training poses' in line


def test_sampled_views_of_detections_are_refused(tiny_root, capsys):
    line = refused(capsys, run_baseline, '--keypoints', 'hr', '--cameras', 'sampled', '--data_root', tiny_root)
    assert '--cameras sampled' in line and '--keypoints hr' in line


SCRIPTS = {'data/prepare_data_mocap.py': prepare_data_mocap, 'run_baseline.py': run_baseline, 'run_poseaug.py': run_poseaug,
           'run_evaluate.py': run_evaluate, 'run_inference.py': run_inference}


@pytest.mark.slow
def test_the_commands_from_bvh_files_to_a_lifted_video(tmp_path, monkeypatch, without_pictures):
    """The commands of docs/own_data.md as they stand there, in a folder with two clips and the keypoints of a video.

    Only added: a data root, few epochs and small batches, and the CPU. BASELINE and POSEAUG are what the trainers left. The
    last two commands score the lifter in the box and train from it.
    """
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(('anna', 'ben')):
        write_bvh(tmp_path / 'my_clips' / name / 'walk.bvh', person(seed)[0], PROGRAMS['unity'])
    (tmp_path / 'video.json').write_text(json.dumps(coco_of(person(3)[1])))
    shown = re.findall(r'^    python3 (\S+) (.*)$', (ROOT / 'docs' / 'own_data.md').read_text(), re.MULTILINE)
    commands = [(script, shlex.split(flags)) for script, flags in shown]
    assert [script for script, _ in commands] == [*SCRIPTS, 'run_evaluate.py', 'run_baseline.py']
    for script, argv in commands:
        assert SCRIPTS[script].main([path_instead(argument) for argument in argv] + added_to(script, tmp_path)) is not None
    assert {'motion.npz', 'motion.bvh'} <= {path.name for path in (tmp_path / 'lifted').iterdir()}
    assert np.load(tmp_path / 'lifted' / 'motion.npz')['pose3d_rel'].shape == (40, 16, 3)


def path_instead(argument):
    """The newest checkpoint in place of BASELINE or POSEAUG, and the path of a file of the project."""
    if argument not in ('BASELINE', 'POSEAUG'):
        return str(ROOT / argument) if argument.startswith('checkpoint/') else argument
    return str(max(Path('checkpoint').rglob('ckpt_best*'), key=lambda path: path.stat().st_mtime_ns))


def added_to(script, root):
    if script.startswith('data/'):
        return ['--data_root', str(root)]
    trains = ['--epochs', '3', '--batch_size', '16'] if script in ('run_baseline.py', 'run_poseaug.py') else []
    return ['--device', 'cpu', *trains] + (['--data_root', str(root)] if script != 'run_inference.py' else [])


def coco_of(pose3d_world):
    """COCO keypoints of a person in a video of 1000 x 1000 pixels, as detectors write them."""
    names = ['Head'] * 5 + [side + joint for joint in ('Shoulder', 'Elbow', 'Wrist', 'Hip', 'Knee', 'Foot') for side in 'LR']
    at_hip = pose3d_world - pose3d_world[:1, :1]
    pixels = 500 + 300 * at_hip[:, H36M_16.joints(*names)][..., [0, 2]] * [1, -1]
    keypoints = np.concatenate([pixels, np.ones((len(pixels), 17, 1))], axis=-1).reshape(len(pixels), -1).tolist()
    return [dict(image_id=f'{frame:06}.jpg', category_id=1, score=1., keypoints=each) for frame, each in enumerate(keypoints)]

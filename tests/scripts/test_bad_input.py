"""Bad input, as a user meets it: one line, exit code 2, no traceback, nothing written.

What each reader refuses, and in which words, is tested beside it; here one case of each kind goes the whole way: one of each
script in a process of its own, which costs seconds, the others through the script's main().
"""
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

import run_baseline
import run_evaluate
import run_poseaug
from common.files.npz import load_npz
from models_baseline import build_lifter
from places import ROOT


@pytest.fixture
def root(tiny_root, tmp_path):
    """A data root to spoil."""
    for folder in ('data', 'data_extra/test_set'):
        (tmp_path / 'root' / folder).mkdir(parents=True)
        for file in (tiny_root / folder).glob('*.npz'):
            shutil.copy(file, tmp_path / 'root' / folder)
    return tmp_path / 'root'


class RunsCode:
    """Its pickle asks for a file to be made."""
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), 'w')


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob('*') if path.is_file()}


@pytest.fixture
def refusal(tmp_path, monkeypatch, capsys):
    """A function: run a script's main() in `tmp_path`, where it must write nothing; its one line without 'error: '."""
    monkeypatch.chdir(tmp_path)

    def refused(script, *flags):
        before = contents(tmp_path)
        with pytest.raises(SystemExit) as stopped:
            script.main(['--device', 'cpu', *map(str, flags)])
        assert contents(tmp_path) == before
        return only_line(stopped.value.code, capsys.readouterr().err)

    return refused


def refusal_of_process(folder, script, *flags):
    """The same of a process of its own that runs `script` in `folder`."""
    before = contents(folder)
    process = subprocess.run([sys.executable, str(ROOT / script), '--device', 'cpu', *map(str, flags)], cwd=folder, text=True,
                             capture_output=True, env={**os.environ, 'OMP_NUM_THREADS': '1'}, timeout=120)
    assert contents(folder) == before
    return only_line(process.returncode, process.stderr)


def only_line(exit_code, errors):
    lines = [line for line in errors.splitlines() if not line.startswith(('usage: ', ' '))]
    assert exit_code == 2, errors
    assert len(lines) == 1 and lines[0].startswith('error: '), errors
    return lines[0].removeprefix('error: ')


def lifter_checkpoint(path, state):
    torch.save({'state_dict': state, 'epoch': 1}, path)
    return path


# data

@pytest.mark.slow
def test_a_missing_file_names_the_command_that_makes_it(root, tmp_path):
    (root / 'data' / 'data_2d_h36m_hr.npz').unlink()
    line = refusal_of_process(tmp_path, 'run_baseline.py', '--data_root', root, '--keypoints', 'hr')
    assert 'data_2d_h36m_hr.npz is missing' in line and 'python3 data/prepare_data_2d_h36m.py --keypoints hr' in line


def test_detections_as_their_authors_publish_them(root, tiny_sources, refusal):
    """VideoPose3D's files have 17 joints."""
    name = 'data_2d_h36m_cpn_ft_h36m_dbb.npz'
    shutil.copy(tiny_sources / name, root / 'data' / name)
    line = refusal(run_poseaug, '--data_root', root, '--keypoints', 'cpn_ft_h36m_dbb')
    assert name in line and '17 joints' in line and 'DATASETS.md' in line


@pytest.mark.slow
def test_poses_that_hold_nan(root, tmp_path):
    path = root / 'data' / 'data_3d_h36m.npz'
    table = load_npz(path, ['positions_3d'], 'the test')['positions_3d']
    table['S7']['Eating 1'][3, 8] = np.nan
    np.savez_compressed(path, positions_3d=table)
    line = refusal_of_process(tmp_path, 'run_poseaug.py', '--data_root', root, '--note', 'debug')
    assert 'data_3d_h36m.npz: S7 Eating 1 holds NaN or inf, first in frame 3' in line


def test_a_file_that_is_not_an_npz(root, refusal):
    (root / 'data_extra' / 'test_set' / 'test_3dhp.npz').write_text('<html>404 Not Found</html>')
    line = refusal(run_baseline, '--data_root', root)
    assert 'test_3dhp.npz is no readable .npz file' in line and 'prepare_data_3dhp.py' in line


def test_a_pickle_that_asks_for_code_is_refused_unrun(root, tmp_path, refusal):
    sign = tmp_path / 'it ran'
    np.savez(root / 'data' / 'data_2d_h36m_gt.npz', positions_2d=np.array({'S1': RunsCode(sign)}, dtype=object))
    sign.unlink(missing_ok=True)
    line = refusal(run_baseline, '--data_root', root)
    assert 'data_2d_h36m_gt.npz' in line and not sign.exists()


def test_a_data_root_that_does_not_exist(tmp_path, refusal):
    line = refusal(run_baseline, '--data_root', tmp_path / 'nowhere')
    assert f'is missing ({tmp_path / "nowhere"} is no folder)' in line


# flags

def test_an_unknown_action(tiny_root, refusal):
    line = refusal(run_baseline, '--data_root', tiny_root, '--actions', 'Walking,Jumping')
    assert "'Jumping'" in line and 'WalkTogether' in line


def test_an_unknown_source_of_2d(tiny_root, refusal):
    line = refusal(run_poseaug, '--data_root', tiny_root, '--keypoints', 'openpose')
    assert 'openpose' in line and 'cpn_ft_h36m_dbb' in line


# checkpoints

@pytest.mark.slow
def test_where_no_pretrained_lifter_can_be_taken_from(tiny_root, tmp_path, refusal):
    flags = '--data_root', tiny_root, '--posenet_name', 'mlp', '--note', 'real'
    assert f'no pretrained lifter {tmp_path}/checkpoint/pretrain_baseline/mlp/gt/' in refusal(run_poseaug, *flags)
    place = tmp_path / 'runs'
    assert f'--pretrain_path {place} is missing' in refusal(run_poseaug, *flags, '--pretrain_path', place)
    place.mkdir()
    assert f"--checkpoint '{place}'" in refusal(run_poseaug, *flags, '--pretrain_path', place)
    for name in ('ckpt_last.pth.tar', 'ckpt_best_dhp_p1.pth.tar'):        # a PoseAug run
        (place / name).write_bytes(b'')
    line = refusal(run_poseaug, *flags, '--pretrain_path', place)
    assert f'{place} holds no ckpt_best.pth.tar' in line and '(ckpt_best_dhp_p1.pth.tar, ckpt_last.pth.tar)' in line


def test_a_checkpoint_of_another_lifter(tiny_root, tmp_path, refusal):
    path = lifter_checkpoint(tmp_path / 'ckpt_best.pth.tar', build_lifter('gcn', 2).state_dict())
    line = refusal(run_poseaug, '--data_root', tiny_root, '--posenet_name', 'mlp', '--note', 'real',
                   '--pretrain_path', path)
    assert str(path) in line and 'gcn' in line and 'mlp' in line


def test_a_checkpoint_of_another_width(tiny_root, tmp_path, refusal):
    state = {name: value[..., :512].clone() for name, value in build_lifter('mlp', 1).state_dict().items() if value.dim()}
    path = lifter_checkpoint(tmp_path / 'ckpt_best.pth.tar', state)
    line = refusal(run_evaluate, '--data_root', tiny_root, '--posenet_name', 'mlp', '--evaluate', path)
    assert str(path) in line and 'width' in line


@pytest.mark.slow
def test_a_checkpoint_that_asks_for_code_is_refused_unrun(tiny_root, tmp_path):
    sign, path = tmp_path / 'it ran', tmp_path / 'ckpt_best.pth.tar'
    torch.save({'state_dict': RunsCode(sign), 'epoch': 1}, path)
    sign.unlink(missing_ok=True)
    line = refusal_of_process(tmp_path, 'run_evaluate.py', '--data_root', tiny_root, '--evaluate', path)
    assert str(path) in line and not sign.exists()

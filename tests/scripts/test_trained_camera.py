"""--camera person in training: the lifter learns what the virtual camera sees, and its checkpoint says so to every script."""
import pytest
import torch

import run_evaluate
from common.camera import root_relative
from common.datasets.h36m import h36m_poses, read_h36m
from common.person_camera import camera_of, lift_person, view_person
from function_baseline.evaluate import evaluate
from function_baseline.train import supervised_pairs
from function_poseaug.adversarial import KeptPairs
from function_poseaug.steps import GeneratorOutput
from models_poseaug.augmentor import Augmentor
from trainers import baseline, poseaug
from utils.runs.checkpoint import LAST, read_lifter

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def person_run(tiny_root, tmp_path_factory):
    return baseline(tiny_root, tmp_path_factory.mktemp('runs'), 'gcn', '--epochs', 1, '--camera', 'person')


def score(tiny_root, path, *flags):
    h36m, _ = run_evaluate.main(['--data_root', str(tiny_root), '--device', 'cpu', '--evaluate', str(path), *flags])
    return h36m.mpjpe_mm


def test_pairs_are_what_the_virtual_camera_sees(tiny_root):
    poses = h36m_poses(read_h36m(tiny_root, 'gt'), ('S1',), downsample=3)
    index = torch.arange(20)
    pose2d, pose3d_rel = supervised_pairs(poses, 'cpu', 'person')(index)
    batch = poses.take(index)
    view = view_person(batch.pose2d, batch.camera)
    assert torch.equal(pose2d, view.pose2d)
    back = lift_person(lambda seen: pose3d_rel, batch.pose2d, batch.camera)
    torch.testing.assert_close(back, root_relative(batch.pose3d_cam), rtol=0, atol=1e-5)


def test_the_checkpoint_knows_its_camera(person_run):
    assert read_lifter(person_run / LAST).camera == 'person'


def test_evaluation_uses_the_trained_camera_unless_told_otherwise(tiny_root, person_run, capsys):
    own, person, image = (score(tiny_root, person_run / LAST, *flags) for flags in ((), ('--camera', 'person'),
                                                                                    ('--camera', 'image')))
    assert own == person != image
    assert 'as a virtual camera that looks at the person would see them' in capsys.readouterr().out


def test_the_trainer_scores_with_the_same_camera(tiny_root, person_run):
    row = dict(zip(*(line.split('\t') for line in (person_run / 'log.txt').read_text().splitlines()[-2:])))
    assert float(row['error_h36m_p1']) == pytest.approx(score(tiny_root, person_run / LAST, '--actions', 'Walking'), abs=1e-3)


def test_poseaug_goes_on_with_the_camera_of_its_lifter(tiny_root, person_run, tmp_path):
    run = poseaug(tiny_root, tmp_path, 'gcn', person_run, '--epochs', 2, '--warmup', 1)
    assert read_lifter(run / LAST).camera == 'person'


def test_another_camera_than_the_lifter_s_is_refused(tiny_root, person_run, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        poseaug(tiny_root, tmp_path, 'gcn', person_run, '--camera', 'image')
    assert stop.value.code == 2 and 'was trained with --camera person, not image' in capsys.readouterr().err


def test_kept_pairs_are_seen_by_the_virtual_camera_too(tiny_root):
    batch = h36m_poses(read_h36m(tiny_root, 'gt'), ('S1',), downsample=3).take(torch.arange(20))
    poses = Augmentor(heads='ba').eval()(batch.pose3d_cam)
    kept = KeptPairs(20, 'cpu')
    kept.add(GeneratorOutput(poses, batch.pose2d), torch.ones(20, dtype=torch.bool), batch.camera, 'person')
    view = view_person(batch.pose2d, batch.camera)
    pairs = kept.pairs()
    assert torch.equal(pairs.pose2d, view.pose2d)
    turned = root_relative(poses.rt) @ view.rotation.transpose(1, 2)
    torch.testing.assert_close(pairs.pose3d_rel, turned)


def test_a_lifter_without_a_word_lifts_the_image(tiny_root):
    assert camera_of(torch.nn.Identity()) == 'image'
    poses = h36m_poses(read_h36m(tiny_root, 'gt'), ('S9',), downsample=3)

    class Flat(torch.nn.Module):
        def forward(self, pose2d):
            return torch.cat([pose2d, pose2d[..., :1]], dim=-1)

    lifter = Flat()
    image = evaluate(lifter, poses, 'cpu', False).mpjpe_mm
    lifter.camera = 'person'
    assert evaluate(lifter, poses, 'cpu', False).mpjpe_mm == evaluate(lifter, poses, 'cpu', False, 'person').mpjpe_mm != image

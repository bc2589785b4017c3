"""Other skeletons: with 17 and with 24 joints every lifter trains as a baseline and through the game, to the last file."""
import pytest
import torch

from common.bones import bone_vectors, pose_from_bones
from common.camera import project, root_relative
from common.datasets.h36m import all_intrinsics
from common.poses import PoseSet
from common.skeleton import H36M_16, H36M_17
from common.skeletons import SMPL_24
from function_baseline.arguments import baseline_parser, parse
from function_baseline.data import EvaluationSets
from function_baseline.evaluate import evaluate, mirror
from function_baseline.loop import train_baseline
from function_poseaug.arguments import poseaug_parser
from function_poseaug.loop import train_poseaug
from function_poseaug.losses import feedback_matrix, group_errors
from mocap_clips import h36m_17, person, smpl_24
from models_baseline import LIFTERS, build_lifter
from models_poseaug.augmentor import Augmentor
from models_poseaug.discriminator import Discriminator3D
from run_reading import events

pytestmark = pytest.mark.slow

FLAGS = ['--pretrain', 'false', '--stages', '1', '--batch_size', '16', '--device', 'cpu', '--epochs', '1']
OTHERS = {'17': H36M_17, '24': SMPL_24}


def people(count, seed, skeleton):
    """PoseSet of `count` people in one pose, who fidget and turn in front of the first camera."""
    draws = torch.Generator().manual_seed(seed)
    points, pose3d = person()
    standing = torch.tensor(smpl_24(points) if skeleton == SMPL_24 else h36m_17(points, pose3d), dtype=torch.float32)[0]
    standing = standing - standing[0]
    standing = torch.stack([standing[:, 0], -standing[:, 2], standing[:, 1]], dim=-1)       # z up -> y down
    pose3d_rel = standing + .02 * torch.randn(count, skeleton.num_joints, 3, generator=draws)
    angle = 2 * torch.pi * torch.rand(count, generator=draws)
    x, y, z = pose3d_rel.unbind(-1)
    cos, sin = angle.cos()[:, None], angle.sin()[:, None]
    pose3d_cam = torch.stack([cos * x + sin * z, y, cos * z - sin * x], dim=-1) + torch.tensor([0, 0, 4.5])
    camera = torch.zeros(count, dtype=torch.int64)
    return PoseSet(pose3d_cam, project(pose3d_cam, all_intrinsics()[camera]), camera, all_intrinsics(),
                   subject=torch.arange(count) % 3, group=torch.arange(count) % 2, group_names=('first', 'second'),
                   skeleton=skeleton)


@pytest.fixture(scope='module', params=OTHERS.values(), ids=OTHERS)
def data(request):
    """(training PoseSet, EvaluationSets) of 17 or 24 joints."""
    return people(48, 0, request.param), EvaluationSets(people(20, 1, request.param), people(20, 2, request.param))


def arguments(parser, name, folder, *flags):
    args = parse(parser, ['--posenet_name', name, '--note', 'other', '--checkpoint', str(folder), *FLAGS, *flags])
    args.keep_snapshots = False
    return args


def baseline_and_game(name, data, folder):
    """The run directories of both trainers, after one epoch each."""
    trainers = (train_baseline, baseline_parser, ()), (train_poseaug, poseaug_parser, ('--warmup', '0'))
    return [train(arguments(parser(''), name, folder / train.__name__, *flags), *data, torch.device('cpu'))
            for train, parser, flags in trainers]


@pytest.mark.parametrize('name', LIFTERS)
def test_a_baseline_and_a_game_of_other_joints(name, data, tmp_path, without_pictures):
    training, tests = data
    baseline, game = baseline_and_game(name, data, tmp_path)
    assert (baseline / 'ckpt_best.pth.tar').is_file()
    assert {path.name for path in game.glob('ckpt_*')} >= {'ckpt_last.pth.tar', 'ckpt_best_dhp_p1.pth.tar'}
    state = torch.load(game / 'ckpt_last.pth.tar', weights_only=True)
    lifter = build_lifter(name, 1, 0., training.skeleton)
    lifter.load_state_dict(state['model_pos'])
    assert lifter.eval()(training.pose2d[:2]).shape == (2, training.skeleton.num_joints, 3)
    assert evaluate(lifter, tests.dhp, 'cpu', flip=True).mpjpe_mm > 0


def test_pictures_of_other_joints_are_drawn(data, tmp_path):
    baseline, game = baseline_and_game('gcn', data, tmp_path)
    assert (baseline / 'curve.png').is_file() and list((game / 'poseaug_viz').glob('*.png'))
    for run, picture in ((baseline, 'lifter/hardest_and_easiest'), (game, 'augmentation/source_BA_BL_RT')):
        assert events(run)[picture] == {1: 'image'}


def test_what_is_declared_beside_the_names_reaches_every_player():
    augmentor, critic = Augmentor(skeleton=H36M_17), Discriminator3D(H36M_17)
    assert augmentor.may_turn.flatten().tolist() == [float(name not in ('Spine', 'Thorax')) for name in H36M_17.names[1:]]
    assert [group for group in range(H36M_17.num_groups) if augmentor.may_stretch[group] == 0] == [
        H36M_17.bone_groups[H36M_17.names.index('Thorax') - 1]]
    assert critic(torch.randn(3, 17, 3)).shape == (3, 5)
    matrix = feedback_matrix(H36M_17)
    assert matrix.shape == (17, 3) and matrix[H36M_17.names.index('Neck')].tolist() == pytest.approx([0, 1 / 6, 0])
    assert group_errors(torch.zeros(2, 17, 3), torch.ones(2, 17, 3), H36M_17).shape == (2, 3)


def test_bones_and_mirror_of_17_joints():
    pose3d = torch.randn(5, 17, 3)
    rebuilt = pose_from_bones(bone_vectors(pose3d, H36M_17), H36M_17)
    torch.testing.assert_close(rebuilt, root_relative(pose3d), rtol=0, atol=1e-5)
    flipped = mirror(pose3d, H36M_17)
    left, right = H36M_17.joints('LWrist', 'RWrist')
    assert torch.equal(flipped[:, left], pose3d[:, right] * torch.tensor([-1, 1, 1]))
    assert torch.equal(mirror(flipped, H36M_17), pose3d)


def test_a_skeleton_of_16_is_completed_by_a_neck_midway():
    pose = torch.randn(16, 3)
    completed = torch.as_tensor(H36M_16.completion_matrix()) @ pose
    thorax, head = (pose[joint] for joint in H36M_16.joints('Thorax', 'Head'))
    torch.testing.assert_close(completed[H36M_17.names.index('Neck')], (thorax + head) / 2)
    assert torch.equal(completed[H36M_17.joints(*H36M_16.names)], pose)

"""The two critics: the reference's numbers, what each sees, and what each is blind to."""
import pytest
import torch

from common.bones import bone_vectors, mix_points, swap_bone_lengths, unit_bones
from common.rotation import axis_angle_to_matrix
from common.skeleton import H36M_16
from golden_recipe import SHAPES, critic3d_name, distance, fill, golden
from models_poseaug.discriminator import Discriminator2D, Discriminator3D, kinematic_chain_space

# PoseAug: the reference has the sides of the legs the wrong way round
REFERENCE_PARTS = dict(left_arm='left_arm', right_arm='right_arm', right_leg='left_leg', left_leg='right_leg', torso='torso')


@pytest.fixture(scope='module')
def critic3d():
    return fill(Discriminator3D().double(), critic3d_name)


@pytest.fixture(scope='module')
def critic2d():
    return fill(Discriminator2D().double())


# the reference's numbers

def test_names_and_shapes_of_the_weights():
    critic3d, critic2d = Discriminator3D().state_dict(), Discriminator2D().state_dict()
    assert {critic3d_name(name): list(value.shape) for name, value in critic3d.items()} == SHAPES['d3d']
    assert {name: list(value.shape) for name, value in critic2d.items()} == SHAPES['d2d']


@torch.no_grad()
def test_golden_scores():
    assert distance(fill(Discriminator3D(), critic3d_name)(golden('pose3d')), golden('d3d')) < 2e-6
    assert distance(fill(Discriminator2D())(golden('pose2d')), golden('d2d')) < 2e-6


@pytest.mark.parametrize('part', H36M_16.critic_parts)
def test_golden_kinematic_chain_space(part):
    """Of the reference's 225 columns a branch computes those of its own pairs of bones; the others are zero."""
    branch = Discriminator3D().branches[part]
    theirs = golden(f'kcs_{REFERENCE_PARTS[part]}').flatten(1)
    kcs = kinematic_chain_space(mix_points(branch.choice, unit_bones(bone_vectors(golden('pose3d')[:8])))).flatten(1)
    assert distance(torch.zeros(8, 225).index_copy(1, branch.columns, kcs), theirs) < 1e-6


def test_columns_of_other_parts_have_no_gradient(critic3d):
    weights = {part: branch.kcs_layer_1.weight for part, branch in critic3d.branches.items()}
    gradients = torch.autograd.grad(critic3d(golden('pose3d', torch.float64)).sum(), weights.values())
    for branch, gradient in zip(critic3d.branches.values(), gradients):
        seen = (gradient != 0).any(0).nonzero().flatten()
        assert torch.equal(seen, branch.columns)


def test_linear_layers_start_kaiming_normal():
    torch.manual_seed(0)
    for critic in (Discriminator3D(), Discriminator2D()):
        for layer in critic.modules():
            if isinstance(layer, torch.nn.Linear) and layer.weight.numel() > 1000:
                assert layer.weight.std().item() == pytest.approx((2 / layer.in_features) ** .5, rel=.1)


# what they see

def test_branches_see_the_bones_of_their_part():
    """By bone number, as published."""
    published = dict(left_arm=[7, 9, 10, 11], right_arm=[7, 12, 13, 14], right_leg=[0, 1, 2, 3, 6],
                     left_leg=[0, 3, 4, 5, 6], torso=[0, 3, 6, 7, 8, 9, 12])
    assert {part: sorted(H36M_16.bones(*names)) for part, names in H36M_16.critic_parts.items()} == published
    for branch, bones in zip(Discriminator3D().branches.values(), published.values()):
        numbered = torch.arange(15.)[None, :, None].expand(1, 15, 3)
        assert mix_points(branch.choice, numbered)[0, :, 0].tolist() == bones
        assert branch.columns.tolist() == [15 * first + second for first in bones for second in bones]


@pytest.mark.parametrize('joint, parts', [
    ('LWrist', ['left_arm']), ('RElbow', ['right_arm']), ('RFoot', ['right_leg']), ('LKnee', ['left_leg']),
    ('Head', ['torso'])])
@torch.no_grad()
def test_a_moved_joint_is_seen_by_its_part_alone(critic3d, joint, parts):
    pose3d = golden('pose3d', torch.float64)
    moved = pose3d.clone()
    moved[:, H36M_16.names.index(joint)] += torch.tensor([.1, .05, -.08], dtype=torch.float64)
    changed = ((critic3d(moved) - critic3d(pose3d)).abs() > 1e-9).any(0)
    assert [part for part, seen in zip(H36M_16.critic_parts, changed) if seen] == parts


# what they are blind to

@torch.no_grad()
def test_3d_critic_is_blind_to_place_bone_lengths_and_view(critic3d):
    pose3d = golden('pose3d', torch.float64)
    scores = critic3d(pose3d)
    place = pose3d + torch.tensor([1., -2., 3.], dtype=torch.float64)
    lengths = torch.rand(5, 15, generator=torch.Generator().manual_seed(1)) + .1
    other_body = swap_bone_lengths(pose3d, lengths, torch.arange(64) % 5)
    turn = axis_angle_to_matrix(torch.tensor([[.3, -1.2, .7]], dtype=torch.float64))
    for change, seen_as in (('place', place), ('lengths', other_body), ('scale', 2.5 * pose3d), ('view', pose3d @ turn[0].T)):
        assert torch.allclose(critic3d(seen_as), scores, rtol=0, atol=1e-5), change
    assert not torch.allclose(critic3d(pose3d.flip(0)), scores, atol=.01)


@torch.no_grad()
def test_2d_critic_sees_place_and_scale(critic2d):
    pose2d = golden('pose2d', torch.float64)
    scores = critic2d(pose2d)
    assert scores.shape == (64, 1)
    assert torch.equal(critic2d(pose2d.flatten(1)), scores)
    assert (critic2d(pose2d + .1) - scores).abs().min() > 1e-6 and (critic2d(pose2d * 1.1) - scores).abs().min() > 1e-6


# gradients

@pytest.mark.parametrize('dtype', [torch.float32, torch.float64], ids=['float32', 'float64'])
def test_gradients_reach_every_weight_and_the_pose(dtype):
    for critic, given in ((fill(Discriminator3D().to(dtype), critic3d_name), golden('pose3d', dtype)),
                          (fill(Discriminator2D().to(dtype)), golden('pose2d', dtype))):
        given.requires_grad_()
        critic(given).square().sum().backward()
        for name, tensor in [('input', given), *critic.named_parameters()]:
            assert tensor.grad.isfinite().all() and tensor.grad.abs().max() > 0, name

"""The augmentor: the reference's numbers, and what each of its steps may and may not change."""
import numpy as np
import pytest
import torch

from common.bones import bone_lengths, bone_vectors, unit_bones
from common.camera import root_relative
from common.skeleton import H36M_16
from golden_recipe import SHAPES, distance, fill, generator_name, golden
from models_poseaug.augmentor import MAX_ANGLE, Augmentor, draw_noise

REFERENCE_NAMES = dict(ba='pose_ba', ba_diff='ba_diff', bl='pose_bl', bl_ratio='blr', rt='pose_rt', axis_angle='r',
                       translation='t')
DTYPES = dict(float32=torch.float32, float64=torch.float64)


def filled(dtype=torch.float64):
    return fill(Augmentor().to(dtype), generator_name)


@pytest.fixture(scope='module')
def augmented():
    """(source (64, 16, 3), AugmentedPoses), float64, in training mode."""
    source = golden('pose3d', torch.float64)
    with torch.no_grad():
        return source, filled().train()(source, golden('noise_ba_bl_r_t', torch.float64))


def lengths(pose3d):
    """(B, 15) metres."""
    return bone_lengths(bone_vectors(pose3d)).squeeze(-1)


def directions(pose3d):
    return unit_bones(bone_vectors(pose3d))


# the reference's numbers

def test_names_and_shapes_of_the_weights():
    state = Augmentor().state_dict()
    assert {generator_name(name): list(value.shape) for name, value in state.items()} == SHAPES['generator']


@pytest.mark.parametrize('mode, dtype, tolerance', [('eval', torch.float32, 2e-5), ('train', torch.float64, 2e-4),
                                                    ('train', torch.float32, 4e-4)], ids=str)
@torch.no_grad()
def test_golden_poses(mode, dtype, tolerance):
    """In training BatchNorm amplifies rounding: the golden values, which are float32, lie 1.7e-4 from our float64.

    Our float32 may be as far from float64 in the other direction, depending on the processor.
    """
    poses = filled(dtype).train(mode == 'train')(golden('pose3d', dtype), golden('noise_ba_bl_r_t', dtype))
    for ours, theirs in REFERENCE_NAMES.items():
        assert distance(getattr(poses, ours), golden(f'gen_{mode}_{theirs}')) < tolerance, ours


def test_linear_layers_start_kaiming_normal():
    torch.manual_seed(0)
    layers = [layer for layer in Augmentor().modules() if isinstance(layer, torch.nn.Linear)]
    assert len(layers) == 4 * 6
    for layer in layers:
        assert layer.weight.std().item() == pytest.approx((2 / layer.in_features) ** .5, rel=.1)


# bone angles

def test_ba_turns_bones_about_the_root(augmented):
    source, poses = augmented
    assert torch.allclose(lengths(poses.ba), lengths(source), rtol=1e-12)
    assert torch.equal(poses.ba[:, 0], source[:, 0])


def test_ba_leaves_the_backbone_s_direction(augmented):
    source, poses = augmented
    still = H36M_16.bones('Spine', 'Thorax')
    turned = (directions(poses.ba) - directions(source)).norm(dim=-1)
    assert turned[:, still].max() < 1e-12
    assert turned[:, [bone for bone in range(15) if bone not in still]].max(0).values.min() > .1
    assert poses.ba_diff[:, still].abs().max() < 1e-12


def test_ba_diff_is_one_minus_the_cosine(augmented):
    source, poses = augmented
    cosine = (directions(source) * directions(poses.ba)).sum(-1)
    assert torch.allclose(poses.ba_diff, 1 - cosine, rtol=0, atol=1e-12)
    assert poses.ba_diff.min() > -1e-12 and poses.ba_diff.max() <= 2


# bone lengths

def test_bl_changes_lengths_alone(augmented):
    _, poses = augmented
    assert torch.allclose(directions(poses.bl), directions(poses.ba), rtol=0, atol=1e-12)
    assert torch.equal(poses.bl[:, 0], poses.ba[:, 0])


def test_bl_stretches_left_and_right_alike_and_spine_to_thorax_not_at_all(augmented):
    _, poses = augmented
    change = lengths(poses.bl) / lengths(poses.ba) - 1
    assert torch.allclose(change, change[:, H36M_16.bone_mirror], rtol=0, atol=1e-12)
    # hips, thighs, shins, Spine, Thorax, Head, shoulders, upper arms, forearms
    kinds = H36M_16.bones('RHip', 'RKnee', 'RFoot', 'Spine', 'Thorax', 'Head', 'LShoulder', 'LElbow', 'LWrist')
    assert torch.allclose(change[:, kinds], poses.bl_ratio, rtol=0, atol=1e-12)
    assert (poses.bl_ratio[:, 4] == 0).all() and poses.bl_ratio[:, [0, 1, 2, 3, 5, 6, 7, 8]].abs().min() > 0


@pytest.mark.parametrize('limit', [.2, .05])
@torch.no_grad()
def test_bl_is_bounded(limit):
    """However large what the network says: here its last layer says a hundred times as much."""
    augmentor = fill(Augmentor(limit), generator_name)
    augmentor.bone_length.w2.weight.mul_(100)
    ratio = augmentor(golden('pose3d'), golden('noise_ba_bl_r_t')).bl_ratio
    assert .9 * limit < ratio.abs().max() <= limit * (1 + 1e-6)


# rotation and translation

def test_rt_is_rigid(augmented):
    _, poses = augmented
    # the axis is r / (angle + 1e-6), so the rotation is one to about a millionth of a turn
    assert torch.allclose(torch.cdist(poses.rt, poses.rt), torch.cdist(poses.bl, poses.bl), rtol=0, atol=1e-5)
    after, before = (torch.linalg.det(root_relative(pose)[:, [1, 2, 7]]) for pose in (poses.rt, poses.bl))
    handedness = after / before
    assert torch.allclose(handedness, torch.ones_like(handedness), rtol=0, atol=1e-3)


def test_rt_puts_the_root_at_the_translation(augmented):
    source, poses = augmented
    assert torch.equal(poses.rt[:, :1], poses.translation)
    assert poses.translation[..., 2].min() >= 0 > poses.translation[..., :2].min()
    assert poses.axis_angle.abs().max() <= MAX_ANGLE
    assert (poses.rt - source).abs().max() > .1


# noise, gradients

def test_every_head_has_its_own_noise_in_the_order_ba_bl_r_t():
    augmentor, source = filled().eval(), golden('pose3d', torch.float64)
    noise = golden('noise_ba_bl_r_t', torch.float64)
    before = augmentor(source, noise)
    changes = {}
    for head in range(4):
        other = noise.clone()
        other[head] += 1
        after = augmentor(source, other)
        changes[head] = {name for name in REFERENCE_NAMES if not torch.equal(getattr(before, name), getattr(after, name))}
    assert changes == {0: {'ba', 'ba_diff', 'bl', 'rt'}, 1: {'bl', 'bl_ratio', 'rt'}, 2: {'rt', 'axis_angle'},
                       3: {'rt', 'translation'}}


@pytest.mark.parametrize('dtype', DTYPES.values(), ids=DTYPES)
def test_noise_is_drawn_where_none_is_given(dtype):
    augmentor, source = filled(dtype).eval(), golden('pose3d', dtype)
    noise = draw_noise(source, torch.Generator().manual_seed(5))
    assert noise.shape == (4, 64, 48) and noise.dtype == dtype
    assert abs(noise.mean()) < .05 and abs(noise.std() - 1) < .05
    torch.manual_seed(5)
    drawn = augmentor(source)
    assert torch.equal(drawn.rt, augmentor(source, noise).rt)
    assert not torch.equal(drawn.rt, augmentor(source).rt)


def test_heads_see_the_pose_without_its_place(augmented):
    """Moved before the camera, a pose gets the same angles, ratios, rotation and translation."""
    source, poses = augmented
    moved = filled().train()(source + torch.tensor([1., -2., 3.], dtype=torch.float64),
                             golden('noise_ba_bl_r_t', torch.float64))
    for name in ('ba_diff', 'bl_ratio', 'rt', 'axis_angle', 'translation'):
        assert torch.allclose(getattr(moved, name), getattr(poses, name), rtol=0, atol=1e-9), name
    assert torch.allclose(root_relative(moved.bl), root_relative(poses.bl), rtol=0, atol=1e-9)


@pytest.mark.parametrize('dtype', DTYPES.values(), ids=DTYPES)
def test_every_weight_has_a_gradient(dtype):
    augmentor = filled(dtype).eval()
    poses = augmentor(golden('pose3d', dtype), golden('noise_ba_bl_r_t', dtype))
    (poses.rt.square().mean() + poses.ba_diff.mean()).backward()
    for name, weight in augmentor.named_parameters():
        assert weight.grad.isfinite().all() and weight.grad.abs().max() > 0, name


def test_backbone_and_spine_to_thorax_send_no_gradient():
    """What is thrown away cannot teach: BA's six numbers of the backbone, BL's entry 4."""
    augmentor = filled().eval()
    augmentor(golden('pose3d', torch.float64), golden('noise_ba_bl_r_t', torch.float64)).rt.square().mean().backward()
    angle, length = augmentor.bone_angle.w2.bias.grad, augmentor.bone_length.w2.bias.grad
    backbone = np.add.outer([3 * bone for bone in H36M_16.bones('Spine', 'Thorax')], [0, 1, 2]).ravel()
    assert (angle == 0).nonzero().flatten().tolist() == backbone.tolist()
    assert (length == 0).nonzero().flatten().tolist() == [4]

"""The four lifters: the reference's weights and numbers, shapes, initialisation, gradients; how a fifth one is added."""
import importlib.util
import math

import pytest
import torch
from torch import nn

import golden_recipe
from common.camera import root_relative
from function_baseline.arguments import baseline_parser
from golden_recipe import PARTS, SHAPES, distance, fill, golden
from models_baseline import LIFTERS, build_lifter
from models_baseline.gcn import normalised_adjacency
from models_baseline.layers import PointwiseConv1d, PointwiseConv2d, ReluDropout
from models_baseline.stgcn import joint_adjacency, part_adjacency
from places import SHARED

NETWORKS = dict(gcn4=('gcn', 4), mlp2=('mlp', 2), mlp4=('mlp', 4), stgcn4=('stgcn', 4), videopose4=('videopose', 4))
DTYPES = dict(float32=torch.float32, float64=torch.float64)
# the README of the golden numbers: largest difference relative to the largest entry (mlp: as nearly everything)
DX_TOLERANCE = dict(gcn4=1.6e-3, mlp2=1e-4, mlp4=1e-4, stgcn4=1.5e-2, videopose4=2.5e-3)
TRAIN_TOLERANCE, GRADNORM_TOLERANCE = 5e-5, 2.3e-4
# The golden numbers are float32 themselves. Ours in float64 differ by their rounding alone, in float32 by both roundings;
# ours is up to twice theirs, depending on the processor and the threads (ST-GCN's prediction: 2.1e-5 to 1.02e-4).
ROUNDINGS = dict(float32=3, float64=1.05)


def filled(network, dtype=torch.float32):
    return fill(build_lifter(*NETWORKS[network], dropout=0.).to(dtype))


@pytest.fixture(scope='module', params=[(network, dtype) for network in NETWORKS for dtype in DTYPES], ids='-'.join)
def trained_once(request):
    """(network's name, roundings, dict of what one training forward and backward on the golden poses gives)."""
    network, dtype = request.param
    lifter = filled(network, DTYPES[dtype]).train()
    pose2d = golden('pose2d', DTYPES[dtype]).requires_grad_()
    predicted = lifter(pose2d)
    loss = nn.functional.mse_loss(predicted, root_relative(golden('pose3d', DTYPES[dtype])))
    loss.backward()
    gradnorms = {name: weight.grad.norm().item() for name, weight in lifter.named_parameters()}
    buffers = [value.double().sum() for name, value in lifter.state_dict().items() if 'running_' in name]
    return network, ROUNDINGS[dtype], dict(predicted=predicted, loss=loss.item(), dx=pose2d.grad, gradnorms=gradnorms,
                                           buffers=torch.stack(buffers))


# the reference's numbers

@pytest.mark.parametrize('count, seed', [(1, 0), (7, 503)])
def test_recipe_is_the_one_of_the_golden_numbers(count, seed):
    path = SHARED / 'golden' / 'recipe.py'
    if not path.is_file():
        pytest.skip(f'{path} is not here')
    spec = importlib.util.spec_from_file_location('reference_recipe', path)
    theirs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(theirs)
    assert (golden_recipe.poses(count, seed) == theirs.poses(count, seed)).all()
    # bit for bit in float64: the golden trajectory is chaotic
    ours = filled('stgcn4', torch.float64).state_dict()
    other = theirs.fill(build_lifter('stgcn', 4, 0.).double()).state_dict()
    assert all(torch.equal(value, other[name]) for name, value in ours.items())


@pytest.mark.parametrize('network', NETWORKS)
def test_names_and_shapes_of_the_weights(network):
    state = build_lifter(*NETWORKS[network], dropout=0.).state_dict()
    assert {name: list(value.shape) for name, value in state.items()} == SHAPES[network]


@pytest.mark.slow
@pytest.mark.parametrize('network', NETWORKS)
@torch.no_grad()
def test_prediction(network):
    lifter = filled(network).eval()
    assert distance(lifter(golden('pose2d')), golden(f'{network}_eval')) < 2e-6
    assert distance(lifter(golden('pose2d').flatten(1)), golden(f'{network}_eval_flat')) < 2e-6


def test_prediction_in_training(trained_once):
    network, roundings, result = trained_once
    assert distance(result['predicted'], golden(f'{network}_train')) < roundings * TRAIN_TOLERANCE
    assert result['loss'] == pytest.approx(float(PARTS[f'{network}_loss']), rel=roundings * TRAIN_TOLERANCE)


def test_gradient_on_the_input(trained_once):
    network, roundings, result = trained_once
    assert distance(result['dx'], golden(f'{network}_dx')) < roundings * DX_TOLERANCE[network]


def test_gradient_norms(trained_once):
    network, roundings, result = trained_once
    names = PARTS[f'{network}_paramnames'].tolist()
    assert result['gradnorms'].keys() == set(names)
    ours = torch.tensor([result['gradnorms'][name] for name in names])
    assert distance(ours, PARTS[f'{network}_gradnorms']) < roundings * GRADNORM_TOLERANCE


def test_running_statistics(trained_once):
    network, _, result = trained_once
    assert distance(result['buffers'], PARTS[f'{network}_buffers']) < 1e-6


def test_adjacencies():
    assert torch.equal(normalised_adjacency(), golden('semgcn_adjacency'))
    assert torch.equal(joint_adjacency(), golden('stgcn_A'))
    assert torch.equal(part_adjacency(), golden('stgcn_A_pool'))


# shapes

@pytest.mark.parametrize('dtype', DTYPES.values(), ids=DTYPES)
@pytest.mark.parametrize('lifter', LIFTERS)
@torch.no_grad()
def test_shapes(lifter, dtype):
    network = build_lifter(lifter, 2, 0.).to(dtype).eval()
    pose2d = golden('pose2d', dtype)
    predicted = network(pose2d)
    assert predicted.shape == (64, 16, 3) and predicted.dtype == dtype
    assert torch.equal(network(pose2d.flatten(1)), predicted)
    assert network(pose2d[:1]).shape == (1, 16, 3)
    assert distance(network(pose2d[:1]), predicted[:1]) < 1e-5


@pytest.mark.parametrize('network, is_zero', [('gcn4', False), ('mlp2', True), ('stgcn4', False), ('videopose4', True)])
@torch.no_grad()
def test_the_predicted_root(network, is_zero):
    """PoseAug: SemGCN and ST-GCN predict the root like any other joint."""
    root = filled(network).eval()(golden('pose2d'))[:, 0]
    assert (root == 0).all() if is_zero else root.abs().min() > 0


@pytest.mark.parametrize('stages', [1, 3])
@pytest.mark.parametrize('lifter, units_per_stage', [('gcn', 'gconv_layers'), ('mlp', 'linear_stages'),
                                                     ('videopose', 'layers_conv')])
def test_stages_are_residual_blocks(lifter, units_per_stage, stages):
    network = build_lifter(lifter, stages, 0.)
    assert len(getattr(network, units_per_stage)) == stages * (2 if lifter == 'videopose' else 1)


def test_pointwise_convolutions_are_convolutions():
    torch.manual_seed(0)
    rows = torch.randn(5, 7, 6, dtype=torch.float64)
    for ours, theirs in ((PointwiseConv1d(6, 4), nn.Conv1d(6, 4, 1)),
                         (PointwiseConv1d(6, 4, bias=False), nn.Conv1d(6, 4, 1, bias=False)),
                         (PointwiseConv2d(6, 4), nn.Conv2d(6, 4, 1))):
        ours, theirs = ours.double(), theirs.double()
        theirs.load_state_dict(ours.state_dict())
        image = rows.transpose(1, 2)[..., None] if isinstance(theirs, nn.Conv2d) else rows.transpose(1, 2)
        assert torch.allclose(ours(rows), theirs(image).flatten(2).transpose(1, 2), rtol=0, atol=1e-14)


# dropout and BatchNorm

def dropouts(lifter, rate):
    network = build_lifter(lifter, 2, rate)
    return {name: layer.p for name, layer in network.named_modules() if isinstance(layer, (nn.Dropout, ReluDropout))}


def test_stgcn_keeps_its_own_dropouts_where_the_rate_is_negative():
    names = PARTS['stgcn_default_dropout_names'].tolist()
    assert dropouts('stgcn', -1.) == dict(zip(names, PARTS['stgcn_default_dropouts']))


@pytest.mark.parametrize('lifter', LIFTERS)
def test_dropout_rate_is_honoured(lifter):
    assert set(dropouts(lifter, .125).values()) == {.125}


@pytest.mark.parametrize('lifter', LIFTERS)
def test_batch_norms_are_pytorch_s_but_for_one_eps(lifter):
    """PoseAug: ST-GCN's first BatchNorm has its momentum as eps, and released weights depend on it."""
    norms = {name: layer for name, layer in build_lifter(lifter, 2, 0.).named_modules() if isinstance(layer, nn.BatchNorm1d)}
    assert norms and all(norm.momentum == .1 for norm in norms.values())
    assert {name: norm.eps for name, norm in norms.items()} == {
        name: .1 if name == 'stgcn.data_bn' else 1e-5 for name in norms}


# initialisation

@pytest.fixture(scope='module', params=LIFTERS)
def fresh(request):
    """(lifter's name, a freshly initialised network)."""
    torch.manual_seed(3)
    return request.param, build_lifter(request.param, 2, 0.)


def test_linear_layers_start_kaiming_normal(fresh):
    name, network = fresh
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    assert bool(layers) == (name == 'mlp')
    for layer in layers:
        fan_in = layer.in_features
        assert layer.weight.std().item() == pytest.approx(math.sqrt(2 / fan_in), rel=.03)
        assert layer.weight.abs().max() > 3 * math.sqrt(2 / fan_in)      # normal, not uniform
        assert layer.bias.abs().max() <= 1 / math.sqrt(fan_in)           # PyTorch's own


def test_convolutions_start_as_pytorch_leaves_them(fresh):
    _, network = fresh
    for layer in network.modules():
        if isinstance(layer, (nn.Conv1d, nn.Conv2d)):
            bound = 1 / math.sqrt(layer.in_channels)
            assert .95 * bound < layer.weight.abs().max() <= bound * (1 + 1e-6)


def test_graph_convolutions_start_xavier_uniform():
    torch.manual_seed(4)
    network = build_lifter('gcn', 2, 0.)
    for name, weight in network.named_parameters():
        if name.endswith('W'):
            _, inputs, outputs = weight.shape
            bound = 1.414 * math.sqrt(6 / (outputs * (inputs + 2)))      # Xavier over the whole (2, in, out) tensor
            assert .98 * bound < weight.abs().max() <= bound * (1 + 1e-6)
        elif name.endswith('.e'):
            assert torch.equal(weight, torch.ones(1, 46))
        elif name.endswith('gconv.bias'):
            assert .9 / math.sqrt(128) < weight.abs().max() <= 1 / math.sqrt(128)
    assert network.gconv_output.bias.abs().max() <= 1 / math.sqrt(3)


def test_non_local_block_starts_as_the_identity():
    block = build_lifter('stgcn', 2, 0.).stgcn.non_local
    joints, parts, copy_back = torch.randn(4, 17, 256), torch.randn(4, 5, 256), torch.rand(17, 5)
    assert (block.W[1].weight == 0).all() and (block.W[1].bias == 0).all()
    assert torch.equal(block(joints, parts, copy_back), torch.cat([joints, copy_back @ parts], dim=-1))


# gradients

@pytest.mark.slow
@pytest.mark.parametrize('dtype', DTYPES)
@pytest.mark.parametrize('network', NETWORKS)
def test_every_weight_has_a_gradient(network, dtype):
    """In eval mode: in training a bias before a BatchNorm does nothing, and its gradient is rounding noise."""
    gradients = gradients_of(filled(network, DTYPES[dtype]))
    # softmax over the source joints does not see what all of them have in common, and that is what phi's bias adds
    useless = 'stgcn.non_local.phi.bias'
    assert all(gradient.isfinite().all() for gradient in gradients.values())
    assert {name for name, gradient in gradients.items() if not gradient.abs().max() > 0} - {useless} == set()
    if network == 'stgcn4':
        assert gradients[useless].norm() < 1e-4 * gradients['stgcn.non_local.phi.weight'].norm()


@pytest.mark.parametrize('lifter', LIFTERS)
def test_every_fresh_weight_has_a_gradient(lifter):
    """But for those behind the non-local block's last BatchNorm, whose weight starts at zero: it must move first."""
    torch.manual_seed(5)
    gradients = gradients_of(build_lifter(lifter, 2, 0.))
    asleep = {name for name in gradients if 'non_local' in name and '.W.1.' not in name}
    assert {name for name, gradient in gradients.items() if not gradient.abs().max() > 0} == asleep


def gradients_of(network):
    """Weight's name -> gradient of the golden poses' loss, in eval mode."""
    dtype = next(network.parameters()).dtype
    predicted = network.eval()(golden('pose2d', dtype))
    nn.functional.mse_loss(predicted, root_relative(golden('pose3d', dtype))).backward()
    return {name: weight.grad for name, weight in network.named_parameters()}


# a fifth lifter

def test_a_fifth_lifter_is_one_line(monkeypatch, readme_lifter):
    monkeypatch.setitem(LIFTERS, 'linear', readme_lifter)
    args = baseline_parser('').parse_args(['--posenet_name', 'linear'])
    lifter = build_lifter(args.posenet_name, args.stages, args.dropout)
    assert isinstance(lifter, readme_lifter) and lifter(golden('pose2d')).shape == (64, 16, 3)

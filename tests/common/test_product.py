"""--tf32 and --compile: what they leave alone."""
import pytest
import torch

from benchmarks.synthetic import synthetic_poses
from common.product import allow_tf32, full_precision, product
from function_baseline.arguments import baseline_parser
from function_baseline.evaluate import per_pose_errors
from function_baseline.start import starting_lifter
from models_baseline import build_lifter
from utils.device import choose_device


@pytest.fixture(autouse=True)
def as_it_was():
    yield
    allow_tf32(False)


def precise():
    return not torch.backends.cuda.matmul.allow_tf32 and not torch.backends.cudnn.allow_tf32


SHAPES = [((15, 16), (4, 16, 3)), ((4, 9), (9, 15)), ((4, 16, 3), (4, 3, 3)), ((4, 5, 3), (4, 3, 5))]


@pytest.mark.parametrize('left, right', SHAPES, ids=str)
def test_a_product_of_geometry_keeps_its_value_and_gradients_under_tf32(left, right):
    torch.manual_seed(0)
    factors = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in (left, right)]
    plain = product(*factors)
    expected = torch.autograd.grad(plain.square().sum(), factors)
    allow_tf32()
    careful = product(*factors)
    assert torch.equal(careful, plain) and careful.grad_fn.name() != plain.grad_fn.name()
    for one, other in zip(torch.autograd.grad(careful.square().sum(), factors), expected):
        assert torch.allclose(one, other, rtol=1e-13)
    assert not precise()
    assert torch.autograd.gradcheck(product, factors)


def test_full_precision_holds_within_its_block_alone():
    allow_tf32()
    with full_precision():
        assert precise()
    assert not precise()


def test_evaluation_is_in_full_precision():
    seen = []

    class Lifter(torch.nn.Module):
        """Notes the arithmetic that it runs in."""
        def forward(self, pose2d):
            seen.append(precise())
            return torch.zeros(len(pose2d), 16, 3)

    allow_tf32()
    per_pose_errors(Lifter(), synthetic_poses(8), 'cpu', flip=True)
    assert seen == [True, True]


def test_choosing_a_device_sets_the_arithmetic_and_warns_where_tf32_is_idle(capsys):
    choose_device('cpu', tf32=True)
    assert not precise() and 'warning: --tf32 has no effect on cpu' in capsys.readouterr().err
    choose_device('cpu')
    assert precise() and not capsys.readouterr().err


@pytest.mark.slow
def test_a_compiled_lifter_keeps_the_names_of_its_weights():
    args = baseline_parser('').parse_args(['--posenet_name', 'gcn', '--stages', '1', '--compile'])
    lifter = starting_lifter(args, pretrained=False)
    assert lifter._compiled_call_impl is not None
    assert lifter.state_dict().keys() == build_lifter('gcn', 1, 0.).state_dict().keys()
    with torch.compiler.set_stance('force_eager'):
        assert lifter(torch.zeros(2, 16, 2)).shape == (2, 16, 3)

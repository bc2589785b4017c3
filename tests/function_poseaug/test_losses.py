"""The losses: golden numbers, small numbers by hand, and what has no gradient."""
import math

import numpy as np
import pytest
import torch

from function_poseaug.arguments import feedback_terms, loss_weights, poseaug_parser
from function_poseaug.losses import (FEEDBACKS, HardnessBand, accuracy, discriminator_loss, exponential_feedback,
                                     generator_adversarial_loss, group_errors, limit_loss, range_feedback, range_loss)
from function_poseaug.steps import LossWeights, difference_loss
from golden_recipe import PARTS, golden
from models_poseaug.augmentor import AugmentedPoses

BAND = HardnessBand(centre=3., half_width=2., weight=.1, spread_weight=.5)


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


# golden numbers

def test_golden_range_losses():
    values = golden('range_in')
    assert float(range_loss(values, .205, .165)) == pytest.approx(float(PARTS['diff_range_loss_.205_.165']), rel=1e-6)
    assert float(limit_loss(values - .3, .1)) == pytest.approx(float(PARTS['rectified_l2_.1']), rel=1e-6)


# by hand

def test_range_loss_by_hand():
    """Zero inside the band and on its edge; the WHOLE distance from the centre squared outside."""
    assert float(range_loss(tensor(1, 2, 3, 4, 5), 3, 1)) == pytest.approx((4 + 4) / 5)
    assert float(limit_loss(tensor(-.3, -.125, .125, .2), .125)) == pytest.approx((.09 + .04) / 4)


def test_range_loss_has_no_gradient_inside_the_band():
    values = tensor(2.5, 6).requires_grad_()
    range_loss(values, 3, 1).backward()
    assert values.grad.tolist() == [0, 3]


def test_adversarial_losses_by_hand():
    real, fake = tensor(1, .5), tensor(.25, -1)
    assert float(generator_adversarial_loss(real, fake)) == .5 * ((1 + .25) / 2 + (.5625 + 4) / 2)
    assert float(discriminator_loss(real, fake)) == .5 * ((0 + .25) / 2 + (.0625 + 1) / 2)


def test_accuracy_counts_scores_exactly_half_away_from_the_label():
    scores = tensor(.5, 1.5, .4999, 1.5001, 0, 1)
    assert float(accuracy(scores, 1.)) == pytest.approx(3 / 6)
    assert float(accuracy(tensor(-.5, .5, .5001, -.5001), 0.)) == pytest.approx(2 / 4)
    assert float(accuracy(tensor(1, 1, 0, 0).view(2, 2), 1.)) == .5     # all scores count, not all poses


def test_difference_loss_by_hand():
    """The angle's band holds the mean over a pose's bones, the length's limit each of the nine entries."""
    ba_diff = torch.stack([torch.full((15,), .2), torch.full((15,), .5), torch.arange(15) / 7 * .205]).double()
    bl_ratio = torch.zeros(3, 9, dtype=torch.float64)
    bl_ratio[0, 2], bl_ratio[1, 0] = -.2, .05
    nothing = torch.zeros(3, 16, 3)
    poses = AugmentedPoses(nothing, ba_diff, nothing, bl_ratio, nothing, nothing[:, 0], nothing[:, :1])
    loss, log = difference_loss(poses, LossWeights(length=10.))
    angle, length = (.5 - .205) ** 2 / 3, .04 / 27
    assert float(loss) == pytest.approx(angle + 10 * length)
    assert float(log['train_G_iter_diff_loss/loss_diff_angle']) == pytest.approx(angle)
    assert float(log['train_G_iter_diff_loss/loss_diff_blr']) == pytest.approx(length)
    assert float(log['train_G_iter_diff_log/log_diff_blr']) == pytest.approx(-.15 / 27)
    assert float(log['train_G_iter_diff_log/log_angle_diff']) == pytest.approx((.2 + .5 + .205) / 3)
    # PoseAug: the log's degrees are 57.29 per radian
    last = np.mean([math.acos(.8), math.acos(.5), math.acos(1 - .41)]) * 57.29
    assert float(log['train_G_iter_diff_log/log_angle@bone_14']) == pytest.approx(last)


# feedback

def literal_group_errors(predicted, target):
    """As the specification has it, with its joint numbers."""
    weights = [1, 5, 2, 1, 5, 2, 1, 1, 1, 1, 5, 2, 1, 5, 2, 1]
    groups = ([1, 4, 10, 13], [2, 5, 9, 11, 14], [3, 6, 12, 15])
    result = np.zeros((len(predicted), 3))
    for pose in range(len(predicted)):
        errors = [math.dist(predicted[pose, joint], target[pose, joint]) * weights[joint] for joint in range(16)]
        result[pose] = [sum(errors[joint] for joint in group) / len(group) for group in groups]
    return result


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64], ids=['float32', 'float64'])
def test_group_errors_are_the_specification_s(dtype):
    predicted, target = golden('metric_pred_far', dtype), golden('pose3d', dtype)
    ours = group_errors(predicted, target)
    assert ours.dtype == dtype
    assert np.allclose(ours.numpy(), literal_group_errors(predicted.numpy(), target.numpy()), rtol=1e-6)


def test_range_feedback_by_hand():
    source, harder = tensor(1, 2, 4).view(1, 3), tensor(2, 12, 16).view(1, 3)      # ratios 2, 6, 4
    source, harder = torch.cat([source, source]), torch.cat([harder, harder * 2])  # and 4, 12, 8
    ratios = np.array([2, 6, 4, 4, 12, 8])
    found = range_feedback(harder, source, BAND)
    mean_loss, std = (9 + 81 + 25) / 6, ratios.std(ddof=1)
    assert float(found.mean_loss) == pytest.approx(mean_loss)
    assert float(found.std) == pytest.approx(std) and float(found.std_loss) == pytest.approx((std - 2) ** 2)
    assert float(found.mean) == pytest.approx(6) and float(found.sample) == pytest.approx(4)
    assert float(found.loss) == pytest.approx(.1 * mean_loss + .5 * (std - 2) ** 2)


def test_exponential_feedback_by_hand():
    """Equation 9 of the paper; what is logged of the ratios stays the same."""
    source, harder = tensor(.1, .2, .3).view(1, 3), tensor(.5, .6, .7).view(1, 3)
    found = exponential_feedback(harder, source, BAND)
    expected = np.mean([abs(1 - math.exp(.5 - .3)), abs(1 - math.exp(.6 - .6)), abs(1 - math.exp(.7 - .9))])
    assert float(found.mean_loss) == pytest.approx(expected)
    assert float(found.mean) == pytest.approx(np.mean([5, 3, 7 / 3]))
    assert float(exponential_feedback(3 * source, source, BAND).mean_loss) == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize('form', FEEDBACKS)
def test_feedback_sends_no_gradient_through_the_source_s_errors(form):
    source = tensor(.1, .2, .3, .4, .5, .6).view(2, 3).requires_grad_()
    harder = (8 * source.detach()).requires_grad_()
    FEEDBACKS[form](harder, source, BAND).loss.backward()
    assert source.grad is None and harder.grad.abs().min() > 0


# from the command line

def parsed(*flags):
    return poseaug_parser('').parse_args(flags)


def test_weights_of_the_command_line_are_the_published_ones():
    assert loss_weights(parsed()) == LossWeights()
    changed = loss_weights(parsed('--gloss_factord2d', '2', '--gloss_factord3d', '3', '--gloss_factordiff', '4', '--ba_range_m',
                                  '.5', '--ba_range_w', '.6', '--blr_limit', '.7', '--gloss_factorblr', '8'))
    assert changed == LossWeights(adversarial3d=3, adversarial2d=2, difference=4, angle_centre=.5, angle_half_width=.6,
                                  length_limit=.7, length=8)


def test_bands_move_linearly_with_the_epoch():
    args = parsed('--hardratio_rt_s', '10', '--gloss_factordiv_ba', '.5', '--gloss_factordiv_rt', '.25')
    terms = feedback_terms(args, 20)
    assert terms.ba == HardnessBand(pytest.approx(3 + 2 * 20 / 50), 2, .1, .5)
    assert terms.rt == HardnessBand(pytest.approx(10 + 7 * 20 / 50), 15, .01, .25)
    assert feedback_terms(args, 50).ba.centre == 5


def test_feedback_joins_after_the_warm_up():
    assert [feedback_terms(parsed(), epoch).joins_loss for epoch in (1, 2, 3)] == [False, False, True]
    assert feedback_terms(parsed('--warmup', '0', '--feedback', 'exp'), 1)[::3] == ('exp', True)

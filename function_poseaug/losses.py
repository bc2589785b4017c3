"""PoseAug's losses and the figures logged with them: pure functions of tensors and numbers (Gong et al., CVPR 2021)."""
from functools import lru_cache
from typing import NamedTuple

import torch
from torch.nn import functional as F

from common.product import product
from common.skeleton import H36M_16

REAL, FAKE = 1.0, 0.0


def generator_adversarial_loss(real_scores, fake_scores):
    """The least-squares GAN loss (Mao et al., ICCV 2017) of the generator.

    PoseAug: the term of the real scores gives the generator no gradient but is part of the logged value.
    """
    return 0.5 * (_mse_to(real_scores, FAKE) + _mse_to(fake_scores, REAL))


def discriminator_loss(real_scores, fake_scores):
    """The least-squares GAN loss of the discriminator."""
    return 0.5 * (_mse_to(real_scores, REAL) + _mse_to(fake_scores, FAKE))


def accuracy(scores, label):
    """Share of the scores within 0.5 of the label. PoseAug: the same labels in the generator's and the discriminator's step."""
    return ((scores - label).abs() <= 0.5).to(scores.dtype).mean()


def range_loss(values, centre, half_width):
    """Mean of (x - centre)^2 where |x - centre| > half_width, else 0."""
    off = values - centre
    return torch.where(off.abs() > half_width, off ** 2, 0).mean()


def limit_loss(ratios, limit):
    """Mean of x^2 where |x| > limit, else 0."""
    return range_loss(ratios, 0, limit)


@lru_cache(maxsize=None)
def feedback_matrix(skeleton=H36M_16, dtype=torch.float32, device=None):
    """(16, 3): joint errors @ matrix = the mean of weight * error over the joints of each of the 3 feedback groups."""
    matrix = torch.zeros(skeleton.num_joints, len(skeleton.feedback_groups), dtype=dtype, device=device)
    for group, weights in enumerate(skeleton.feedback_groups):
        for name, weight in weights.items():
            matrix[skeleton.names.index(name), group] = weight / len(weights)
    return matrix


def group_errors(predicted, target_rel, skeleton=H36M_16):
    """How hard each pose is for the lifter: two (B, 16, 3) in metres -> (B, 3) weighted mean errors, metres.

    PoseAug: the raw output is compared; the root of a lifter that predicts it is not subtracted here.
    """
    errors = (predicted - target_rel).norm(dim=-1)
    return product(errors, feedback_matrix(skeleton, errors.dtype, errors.device))


class HardnessBand(NamedTuple):
    """The band for the ratio of an augmented pose's error to its source's, and the weights of the penalties."""
    centre: float
    half_width: float
    weight: float
    spread_weight: float


class Hardness(NamedTuple):
    """The feedback on one set of augmented poses: the loss and the logged figures, 0-d tensors.

    `std`, `mean`: of all error ratios; `sample`: the first pose's mean ratio; `mean_loss`, `std_loss`: the terms of the
    loss before weighting.
    """
    loss: torch.Tensor
    std: torch.Tensor
    mean: torch.Tensor
    sample: torch.Tensor
    mean_loss: torch.Tensor
    std_loss: torch.Tensor


def range_feedback(errors, source_errors, band):
    """The released code's feedback: error ratios (B, 3) outside the band are penalised. Source errors get no gradient."""
    ratio = errors / source_errors.detach()
    return _hardness(ratio, range_loss(ratio, band.centre, band.half_width), band)


def exponential_feedback(errors, source_errors, band):
    """The paper's equation 9: the mean of |1 - exp(error - band.centre * source error)| over poses and groups."""
    easier = source_errors.detach()
    return _hardness(errors / easier, (1 - torch.exp(errors - band.centre * easier)).abs().mean(), band)


FEEDBACKS = dict(range=range_feedback, exp=exponential_feedback)


def _hardness(ratio, mean_loss, band):
    std = ratio.std()
    std_loss = (std - band.half_width) ** 2    # PoseAug: the half-width is also the target of the spread
    loss = band.weight * mean_loss + band.spread_weight * std_loss
    return Hardness(loss, std, ratio.mean(), ratio[0].mean(), mean_loss, std_loss)


def _mse_to(scores, label):
    return F.mse_loss(scores, torch.full_like(scores, label))

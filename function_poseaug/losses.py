"""PoseAug's losses and the figures logged beside them: pure functions of tensors and numbers."""
from functools import lru_cache
from typing import NamedTuple

import torch
from torch.nn import functional as F

from common.product import product
from common.skeleton import H36M_16

# Joints of the lifter's feedback: three groups by distance from the trunk, each joint's error with its own weight.
# Hip, Spine and Thorax belong to no group; Head counts with the knees and elbows.
FEEDBACK_GROUPS = (('RHip', 'LHip', 'LShoulder', 'RShoulder'),
                   ('RKnee', 'LKnee', 'Head', 'LElbow', 'RElbow'),
                   ('RFoot', 'LFoot', 'LWrist', 'RWrist'))
FEEDBACK_WEIGHTS = dict(RHip=5, LHip=5, LShoulder=5, RShoulder=5, RKnee=2, LKnee=2, LElbow=2, RElbow=2)  # others 1

REAL, FAKE = 1.0, 0.0


def generator_adversarial_loss(real_scores, fake_scores):
    """Least squares (Mao et al., ICCV 2017), the generator's side.

    PoseAug: the first half has no gradient for the generator and stays in the logged value.
    """
    return 0.5 * (_mse_to(real_scores, FAKE) + _mse_to(fake_scores, REAL))


def discriminator_loss(real_scores, fake_scores):
    """Least squares, the critic's side."""
    return 0.5 * (_mse_to(real_scores, REAL) + _mse_to(fake_scores, FAKE))


def accuracy(scores, label):
    """Share of scores at most 0.5 away from the label. PoseAug: the same labels for both sides of the game."""
    return ((scores - label).abs() <= 0.5).to(scores.dtype).mean()


def range_loss(values, centre, half_width):
    """Mean of (x - centre)^2 where |x - centre| > half_width, and 0 inside the band."""
    off = values - centre
    return torch.where(off.abs() > half_width, off ** 2, 0).mean()


def limit_loss(ratios, limit):
    """Mean of x^2 where |x| > limit, else 0."""
    return range_loss(ratios, 0, limit)


@lru_cache(maxsize=None)
def feedback_matrix(dtype=torch.float32, device=None):
    """(16, 3): joint errors @ matrix = each group's sum of weight * error, divided by how many joints it has."""
    matrix = torch.zeros(H36M_16.num_joints, len(FEEDBACK_GROUPS), dtype=dtype, device=device)
    for group, names in enumerate(FEEDBACK_GROUPS):
        for name in names:
            matrix[H36M_16.names.index(name), group] = FEEDBACK_WEIGHTS.get(name, 1) / len(names)
    return matrix


def group_errors(predicted, target_rel):
    """How hard each pose is for the lifter: (B, 16, 3) metres twice -> (B, 3) means of the weighted errors, metres.

    PoseAug: the raw output is compared; a lifter that predicts the root is not re-rooted here.
    """
    errors = (predicted - target_rel).norm(dim=-1)
    return product(errors, feedback_matrix(errors.dtype, errors.device))


class HardnessBand(NamedTuple):
    """Wanted ratio of an augmented pose's error to its source's, and the weights of leaving it."""
    centre: float
    half_width: float
    weight: float
    spread_weight: float


class Hardness(NamedTuple):
    """Feedback of one augmented pose set: the loss, and what is logged of it (0-d tensors).

    `std`, `mean`: of all ratios; `sample`: the first pose's mean ratio; `mean_loss`, `std_loss`: the unweighted terms.
    """
    loss: torch.Tensor
    std: torch.Tensor
    mean: torch.Tensor
    sample: torch.Tensor
    mean_loss: torch.Tensor
    std_loss: torch.Tensor


def range_feedback(errors, source_errors, band):
    """The released code's feedback: error ratios (B, 3) pulled into a band. No gradient through the source's errors."""
    ratio = errors / source_errors.detach()
    return _hardness(ratio, range_loss(ratio, band.centre, band.half_width), band)


def exponential_feedback(errors, source_errors, band):
    """The paper's equation 9: |1 - exp(harder - ratio * easier)|, mean over poses and groups.

    `band.centre` is the ratio.
    """
    easier = source_errors.detach()
    return _hardness(errors / easier, (1 - torch.exp(errors - band.centre * easier)).abs().mean(), band)


FEEDBACKS = dict(range=range_feedback, exp=exponential_feedback)


def _hardness(ratio, mean_loss, band):
    std = ratio.std()
    std_loss = (std - band.half_width) ** 2    # PoseAug: the band's half-width is also the wanted spread
    loss = band.weight * mean_loss + band.spread_weight * std_loss
    return Hardness(loss, std, ratio.mean(), ratio[0].mean(), mean_loss, std_loss)


def _mse_to(scores, label):
    return F.mse_loss(scores, torch.full_like(scores, label))

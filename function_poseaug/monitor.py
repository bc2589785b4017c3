"""Detects a collapse of the adversarial training ("the game") from its logged values, which reach the host anyway.

The limits are wide: ten healthy runs on real motion stay far inside (docs/faithful.md has the measured ranges).
"""
from typing import NamedTuple

from common.errors import Unstable
from function_poseaug.steps import HEALTH, KEPT_SHARE
from models_poseaug.augmentor import HEADS

BLOWN_UP = 100        # least-squares loss of a discriminator whose scores are about 10 away from their labels
SETTLED = 200         # iterations before the accuracies of a new discriminator are meaningful
PINNED = .005         # an accuracy nearer to 0 or 1 than this


class Limit(NamedTuple):
    """The range in which the mean of a figure over the second half of an epoch should lie."""
    tag: str
    name: str
    lowest: float
    highest: float


class Collapsed(Unstable):
    """The game has collapsed, and --on_collapse or --max_restarts does not allow the run to continue."""


def limits(weights, feedback, heads=HEADS):
    """The Limits that follow from LossWeights, FeedbackTerms and the augmentor's heads."""
    of_heads = dict(ba=('diff_log/', '/angle_spread', '/ba_hard'), rt=('/view_spread', '/depth_spread', '/rt_hard'))
    idle = [part for head, parts in of_heads.items() if head not in heads for part in parts]
    return tuple(limit for limit in _all_limits(weights, feedback) if not any(part in limit.tag for part in idle))


def _all_limits(weights, feedback):
    infinite = float('inf')
    return (
        Limit('train_G_iter_diff_log/log_angle_diff', 'bone-angle change, mean of 1 - cos',
              (weights.angle_centre - weights.angle_half_width) / 4, 2 * (weights.angle_centre + weights.angle_half_width)),
        Limit(f'{HEALTH}/angle_spread', 'spread of the bone-angle change', .005, infinite),
        Limit(f'{HEALTH}/view_spread', 'spread of the views', .02, infinite),
        Limit(f'{HEALTH}/depth_spread', 'relative spread of the depth', .005, infinite),
        Limit(f'{HEALTH}/image_spread', 'spread of the 2D', .005, infinite),
        Limit(KEPT_SHARE, 'share of poses kept', .02, infinite),
        Limit('train_G_iter_posenet_feedback/ba_hard_mean', 'hardness of BA poses', .5, 10 * feedback.ba.centre),
        Limit('train_G_iter_posenet_feedback/rt_hard_mean', 'hardness of RT poses', .5, 10 * feedback.rt.centre),
        Limit('train_G_iter_PoseAug/d3d_dis_loss', "3D critic's loss", 0, BLOWN_UP),
        Limit('train_G_iter_PoseAug/d2d_dis_loss', "2D critic's loss", 0, BLOWN_UP))


class GameMonitor:
    """The monitor of one epoch: `observe` each row of its log, then ask for the `signs` of a collapse."""

    def __init__(self, weights, feedback, heads=HEADS):
        self.limits = limits(weights, feedback, heads)
        self.rows, self.iteration = [], 0

    def observe(self, figures, iteration):
        """Take in one row of the log, tag -> number."""
        self.rows.append(figures)
        self.iteration = iteration

    def means(self):
        """Tag -> mean over the second half of the rows (the discriminators do not train in every iteration)."""
        second_half = self.rows[len(self.rows) // 2:]
        tags = {tag for row in second_half for tag in row}
        values = {tag: [row[tag] for row in second_half if tag in row] for tag in tags}
        return {tag: sum(numbers) / len(numbers) for tag, numbers in values.items()}

    def signs(self):
        """A list of texts, one for each sign of a collapse."""
        means = self.means()
        beyond = [f'{limit.name} is {means[limit.tag]:.3g} (healthy: {limit.lowest:.3g} to {limit.highest:.3g})'
                  for limit in self.limits if limit.tag in means and not limit.lowest <= means[limit.tag] <= limit.highest]
        return beyond + [f'the {critic} critic {what}' for critic in ('3D', '2D')
                         if self.iteration >= SETTLED and (what := _pinned(means, f'd{critic.lower()}'))]


def _pinned(means, tag):
    """How a discriminator fails that is always right or always wrong about real and about fake poses; '' for any other."""
    tags = [f'train_G_iter_PoseAug/{tag}_{side}_acc' for side in ('real', 'fake')]
    if not all(tag in means for tag in tags):
        return ''
    real, fake = (0 if means[tag] < PINNED else 1 if means[tag] > 1 - PINNED else None for tag in tags)
    return {(1, 1): 'is never wrong', (1, 0): 'takes everything for real', (0, 1): 'takes everything for fake',
            (0, 0): 'is never right'}.get((real, fake), '')

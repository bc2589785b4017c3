"""Errors of predicted motion: how much a clip trembles, which the errors of single poses do not show.

Motions are (T, J, 3) in metres, consecutive frames; for root-relative errors, pass root-relative poses. Results are per step of
one frame, and depend on the frame rate: at half the rate a person moves twice as far between two frames.
"""
from common.metrics import mpjpe


def velocity_errors(predicted, target):
    """(T - 1,) metres per frame: mean per-joint velocity error (MPJVE; Pavllo et al., CVPR 2019) of each step."""
    return mpjpe(predicted.diff(dim=0), target.diff(dim=0))


def acceleration_errors(predicted, target):
    """(T - 2,) metres per frame^2: mean per-joint acceleration error (Kanazawa et al., CVPR 2019)."""
    return mpjpe(predicted.diff(n=2, dim=0), target.diff(n=2, dim=0))

"""What the tests of windows share: random numbers, and the form of a scene."""
import torch


def drawn(seed=0):
    return torch.Generator().manual_seed(seed)


def distances(points):
    """(B, M, D) -> (B, M, M)."""
    return torch.cdist(points, points, compute_mode='donot_use_mm_for_euclid_dist')

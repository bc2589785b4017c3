"""Errors of motion: figures by hand."""
import pytest
import torch

from common.motion_metrics import acceleration_errors, velocity_errors


def test_a_constant_error_does_not_tremble():
    motion = torch.rand(7, 16, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    moved = motion + torch.tensor([.2, 0, -.1])
    for errors, steps in ((velocity_errors, 6), (acceleration_errors, 5)):
        found = errors(moved, motion)
        assert found.shape == (steps,) and found.abs().max() < 1e-12


def test_one_joint_that_jumps_for_one_frame():
    """By 80 mm of one joint in sixteen: 5 mm there and back; the change of velocity is twice as large in the middle."""
    still = torch.zeros(5, 16, 3, dtype=torch.float64)
    jumping = still.clone()
    jumping[2, 12, 1] = .08
    assert velocity_errors(jumping, still).tolist() == pytest.approx([0, .005, .005, 0])
    assert acceleration_errors(jumping, still).tolist() == pytest.approx([.005, .01, .005])

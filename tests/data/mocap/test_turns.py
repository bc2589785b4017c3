"""Rotations about axes, beside scipy's."""
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from data.mocap.turns import turns


@pytest.mark.parametrize('axes', ['xyz', 'zxy', 'yzx', 'xyx', 'zy', 'y'])
def test_the_product_is_scipys_of_turning_axes(axes):
    degrees = np.random.default_rng(0).uniform(-180, 180, (9, len(axes)))
    theirs = Rotation.from_euler(axes.upper(), degrees, degrees=True).as_matrix()
    assert turns(axes, degrees) == pytest.approx(theirs, abs=1e-12)

"""Arguments of a run whose directory lies below tmp_path."""
import argparse
from pathlib import Path

import pytest


@pytest.fixture
def args(tmp_path):
    return argparse.Namespace(checkpoint=str(tmp_path / 'runs'), posenet_name='mlp', keypoints='gt', note='trial', lr=.001,
                              s1only=False, dropout=.25, epochs=50, evaluate='', data_root=Path('/data'), explicit={'lr'},
                              resume='')

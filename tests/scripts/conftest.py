"""Finished runs of both trainers on tiny data, each trained once a session. Only read them."""
import shutil

import pytest

from models_baseline import LIFTERS
from trainers import baseline, poseaug


@pytest.fixture(scope='session')
def kept_runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp('runs')
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope='session')
def baselines(tiny_root, kept_runs):
    """Lifter's name -> a finished run of two epochs."""
    return {lifter: baseline(tiny_root, kept_runs, lifter, '--epochs', 2, '--snapshot', 2) for lifter in LIFTERS}


@pytest.fixture(scope='session')
def poseaugs(tiny_root, kept_runs, baselines):
    """Lifter's name -> a finished run from the baseline: four epochs, two of them warm-up, of the mlp, one of the others."""
    return {lifter: poseaug(tiny_root, kept_runs, lifter, baselines[lifter], '--epochs', 4 if lifter == 'mlp' else 1)
            for lifter in LIFTERS}

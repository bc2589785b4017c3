"""Finished runs of both trainers on tiny data, each trained once a session, when it is first needed. Tests only read them.

Such runs draw pictures. A test that uses `without_pictures` therefore takes `gcn_baseline` or `pretrained`, which pytest
makes before it applies that fixture.
"""
import shutil

import pytest

from trainers import baseline, poseaug


class OnDemand(dict):
    """Lifter's name -> what `make` returns for it, made once."""

    def __init__(self, make):
        super().__init__()
        self.make = make

    def __missing__(self, lifter):
        self[lifter] = self.make(lifter)
        return self[lifter]


@pytest.fixture(scope='session')
def kept_runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp('runs')
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope='session')
def baselines(tiny_root, kept_runs):
    """Lifter's name -> a finished run of two epochs."""
    return OnDemand(lambda lifter: baseline(tiny_root, kept_runs, lifter, '--epochs', 2, '--snapshot', 2))


@pytest.fixture(scope='session')
def poseaugs(tiny_root, kept_runs, baselines):
    """Lifter's name -> a finished run from the baseline: four epochs, two of them warm-up, of the mlp, one of the others."""
    return OnDemand(lambda lifter: poseaug(tiny_root, kept_runs, lifter, baselines[lifter],
                                           '--epochs', 4 if lifter == 'mlp' else 1))


@pytest.fixture(scope='session')
def gcn_baseline(baselines):
    """The finished baseline of the gcn."""
    return baselines['gcn']


@pytest.fixture(scope='session')
def pretrained(baselines):
    """Lifter's name -> a finished baseline."""
    return {lifter: baselines[lifter] for lifter in ('gcn', 'mlp')}

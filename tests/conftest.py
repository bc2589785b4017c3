"""Fixtures for every test: prepared data, tiny or from the stand-in, each built once a session, which tests only read; and
what runs of the trainers need.
"""
import os
import shutil
import subprocess
import sys
import textwrap

import pytest
from filelock import FileLock
from tensorboardX.proto.summary_pb2 import Summary

from builders import build_h36m_sources
from data import prepare_data_2d_h36m, prepare_data_h36m
from data_extra import prepare_data_3dhp, prepare_data_3dpw
from places import ROOT, SHARED
from sequences_3dpw import two_records, write_record
from trainers import few_poses


def pytest_collection_modifyitems(items):
    """Tests that need a fixture which takes seconds to make are slow."""
    for item in items:
        if {'standin_root', 'trajectory', 'onnx_file'} & {*item.fixturenames}:
            item.add_marker(pytest.mark.slow)


def prepare_all(sources, root):
    """Run every preparation command on a folder of sources that lie where the commands look for them by themselves."""
    for folder, pattern in (('data/sources', '*_2d_*.npz'), ('data/sources', '*.npy'),
                            ('data_extra/dataset_extras', 'mpi*')):
        (root / folder).mkdir(parents=True, exist_ok=True)
        for source in sources.glob(pattern):
            shutil.copy(source, root / folder)
    data_root = ['--data_root', str(root)]
    prepare_data_h36m.main(['--from-archive', str(sources / 'h36m.zip'), *data_root])
    for keypoints in prepare_data_2d_h36m.DETECTORS:
        prepare_data_2d_h36m.main(['--keypoints', keypoints, *data_root])
    prepare_data_3dhp.main(data_root)
    return root


@pytest.fixture(scope='session')
def tiny_sources(tmp_path_factory):
    """A folder of sources by `build_h36m_sources`: seven subjects, 30 sequences each, six to eight frames."""
    return build_h36m_sources(tmp_path_factory.mktemp('tiny_sources'))


@pytest.fixture(scope='session')
def tiny_root(tiny_sources, tmp_path_factory):
    """A data root prepared from `tiny_sources`: 3D, all four kinds of 2D, and 3DHP."""
    return prepare_all(tiny_sources, tmp_path_factory.mktemp('tiny_root'))


@pytest.fixture(scope='session')
def records_3dpw():
    return two_records()


@pytest.fixture(scope='session')
def training(tiny_root):
    """A PoseSet: a third of S1's tiny poses."""
    return few_poses(tiny_root)[0]


@pytest.fixture(scope='session')
def tests(tiny_root):
    """EvaluationSets: S9's tiny poses of walking, and 3DHP's."""
    return few_poses(tiny_root)[1]


@pytest.fixture(scope='session')
def root_3dpw(records_3dpw, tmp_path_factory):
    """A data root with `records_3dpw`, prepared from where the command looks by itself."""
    data_root = tmp_path_factory.mktemp('root_3dpw')
    for record in records_3dpw:
        write_record(data_root / 'data_extra/dataset_extras/3dpw/sequenceFiles/test', record)
    prepare_data_3dpw.main(['--data_root', str(data_root)])
    return data_root


@pytest.fixture(scope='session')
def standin_root(tmp_path_factory):
    """A data root prepared from the stand-in: 34,366 training poses, four views each, and 2,929 poses of 3DHP.

    All processes of a test run share it. Skips where the checkout has no ../shared.
    """
    maker = SHARED / 'mocap' / 'make_standin.py'
    if not maker.is_file():
        pytest.skip(f'{maker} is not here: the stand-in data are not part of the project')
    own = tmp_path_factory.getbasetemp()
    folder = own.parent if 'PYTEST_XDIST_WORKER' in os.environ else own
    with FileLock(folder / 'standin.lock'):
        if not (folder / 'standin').exists():
            subprocess.run([sys.executable, str(maker), str(own / 'standin_sources')], check=True)
            prepare_all(own / 'standin_sources', own / 'standin_unfinished').rename(folder / 'standin')
    return folder / 'standin'


@pytest.fixture
def without_pictures(monkeypatch):
    """Runs of both trainers draw nothing: pictures take most of a tiny run's time."""
    monkeypatch.setattr('function_baseline.dashboard.epoch_summary', lambda *_: Summary())
    monkeypatch.setattr('function_baseline.loop.save_curves', lambda *_: None)
    monkeypatch.setattr('function_poseaug.dashboard.epoch_summary', lambda *_: Summary())
    monkeypatch.setattr('function_poseaug.loop.picture_of', lambda *_: None)


@pytest.fixture
def runs(tmp_path):
    """A folder for checkpoints, emptied afterwards: they are large."""
    yield tmp_path / 'runs'
    shutil.rmtree(tmp_path / 'runs', ignore_errors=True)


@pytest.fixture(scope='session')
def readme_lifter():
    """The class that docs/extending.md shows as a lifter of one's own, made from its text."""
    text = (ROOT / 'docs' / 'extending.md').read_text()
    block = text.split('    # models_baseline/linear.py\n')[1].split('\nand one line')[0]
    namespace = {}
    exec(textwrap.dedent(block), namespace)
    return namespace['Linear']

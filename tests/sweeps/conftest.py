"""A sweep of two jobs on tiny data."""
import pytest

TINY = '''
lifters = ["gcn"]
seeds = [0]
shifts = ["far"]
[both]
device = "cpu"
s1only = true
actions = "Walking"
stages = 1
batch_size = 14
[baseline]
epochs = 1
[poseaug]
epochs = 3
warmup = 1
'''


@pytest.fixture(scope='session')
def tiny_sweep(tiny_root, tmp_path_factory):
    """A sweep of two jobs; its TOML file."""
    path = tmp_path_factory.mktemp('sweep') / 'tiny.toml'
    path.write_text(f'{TINY}\n[lifter.gcn.both]\ndata_root = "{tiny_root}"\n')
    return path

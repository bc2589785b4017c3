"""A Ray cluster of a head and two nodes on the loopback; one of them is killed while PoseAug trains there."""
import subprocess
import sys

import pytest

from places import ROOT
from sweeps.grid import read_sweep
from sweeps.jobs import jobs_of
from utils.runs.record import lives
from waiting import wait_for

pytest.importorskip('ray', reason='Ray is not installed: pip install -r requirements-sweep.txt')
pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != 'linux', reason='needs addresses such as 127.0.0.2')]
MEMORY = 80 << 20      # bytes of the object store, nearly the least; by default it is a third of the machine's memory


def place(number):
    return dict(node_ip_address=f'127.0.0.{number}', object_store_memory=MEMORY)      # 127.0.0.1 does not work


@pytest.fixture
def cluster(monkeypatch):
    """The cluster; only its own processes are ended. Its head runs no jobs."""
    from ray.cluster_utils import Cluster
    monkeypatch.setenv('RAY_USAGE_STATS_ENABLED', '0')
    monkeypatch.setenv('RAY_worker_niceness', '0')
    made = Cluster(initialize_head=True, head_node_args=dict(num_cpus=0, include_dashboard=False, **place(2)))
    yield made
    made.shutdown()


def sweep(path, folder, *flags):
    return subprocess.Popen([sys.executable, str(ROOT / 'run_sweep.py'), str(path), '--folder', str(folder), *flags],
                            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_a_node_that_dies_during_poseaug_changes_nothing_in_the_table(tiny_sweep, tmp_path, cluster):
    longer = tmp_path / 'longer.toml'
    longer.write_text(tiny_sweep.read_text().replace('epochs = 3', 'epochs = 6'))
    whole = sweep(longer, tmp_path / 'whole')
    said, _ = whole.communicate()
    assert whole.returncode == 0, said
    first = cluster.add_node(num_cpus=1, **place(3))
    driver = sweep(longer, tmp_path / 'ray', '--address', cluster.address)
    job = jobs_of(read_sweep(longer, folder=tmp_path / 'ray'))[1]
    wait_for(lambda: job.epochs_done() >= 1)
    cluster.remove_node(first, allow_graceful=False)
    cluster.add_node(num_cpus=1, **place(4))
    said, _ = driver.communicate(timeout=300)
    assert driver.returncode == 0, said
    assert len(lives(job.run_directory)) == 2
    for name in ('table.md', 'table.csv', 'runs.csv'):
        assert (tmp_path / 'whole' / name).read_bytes() == (tmp_path / 'ray' / name).read_bytes()

"""Runs jobs on a Ray cluster, whose nodes see the project and the sweep's folder under the same paths."""
import math
import os
import platform

from common.errors import InputError
from common.files.paths import PROJECT_ROOT
from sweeps.lives import Ended, begin_and_wait

OLDEST = (2, 59)      # before, whoever reached the cluster's port could run code there


class Cluster:
    """The nodes of a Ray cluster. Ray queues the jobs, and chooses a node for each."""

    def __init__(self, address, cpus, gpus):
        """`cpus`, `gpus`: of each job."""
        self.ray = attached(address)
        nodes = [node['Resources'] for node in self.ray.nodes() if node['Alive']]
        if not any(node.get('CPU', 0) >= cpus for node in nodes):
            raise InputError(f'no node of the cluster at {address} has {cpus} cores, as many as a job of this sweep needs; '
                             'lower cpus')
        self.gpus, self.num_gpus = gpus, sum(node.get('GPU', 0) for node in nodes)
        self.lead = self.ray.remote(num_cpus=cpus, max_retries=0)(lead)

    def has_room(self):
        return True

    def start(self, job, crowd):
        """Queue the job; `crowd`: how many jobs could run now."""
        share = share_of_a_gpu(self.gpus, self.num_gpus, crowd)
        return _Distant(self.ray, self.lead.options(name=str(job), num_gpus=share).remote(job))

    def stop(self):
        """Leave the cluster. Ray then kills our workers, and with them the trainers."""
        self.ray.shutdown()


class _Distant:
    """A Life on some node."""

    def __init__(self, ray, reference):
        self.ray, self.reference = ray, reference

    def ended(self):
        """As Life.ended. If a worker or its node dies, its job was killed; an error on the node makes it fail."""
        if not self.ray.wait([self.reference], timeout=0)[0]:
            return None
        try:
            return self.ray.get(self.reference)
        except self.ray.exceptions.RayTaskError as error:
            return Ended(1, str(error).strip().splitlines()[-1])
        except self.ray.exceptions.RayError as error:
            return Ended(-9, f'{type(error).__name__}: the worker or its node died')


def attached(address):
    """The module ray, attached to the cluster at this address. InputError without a suitable Ray."""
    os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')
    try:
        import ray
    except ImportError:
        raise InputError('--address needs Ray: pip install -r requirements-sweep.txt') from None
    if tuple(map(int, ray.__version__.split('.')[:2])) < OLDEST:
        raise InputError(f'Ray {ray.__version__} lets anybody who reaches its port run code; '
                         'pip install -r requirements-sweep.txt')
    # for an address on the loopback Ray would take another interface for this end
    loopback = dict(_node_ip_address=address.split(':')[0]) if address.startswith('127.') else {}
    try:
        ray.init(address, log_to_driver=False, logging_level='warning', **loopback,
                 runtime_env=dict(env_vars=dict(PYTHONPATH=str(PROJECT_ROOT))))
    except (ConnectionError, ValueError) as error:
        raise InputError(f'--address {address}: there is no Ray cluster ({error})') from None
    return ray


def share_of_a_gpu(least, num_gpus, num_jobs):
    """The share of a GPU that each job asks for: the largest with which all jobs run at once, but not less than `least`.

    Ray fills one GPU before it uses the next, so with smaller shares some GPUs would be idle while others are shared.
    """
    if least == 0 or num_gpus == 0:
        return 0
    return max(least, math.floor(100 * min(1, num_gpus / num_jobs)) / 100)


def lead(job):
    """On a node: run the job to its end; returns the Ended."""
    priority = at_full_priority()
    ended = begin_and_wait(job)
    warning = f'warning: it ran at a low priority on {platform.node()}; start the nodes with RAY_worker_niceness=0'
    return ended if priority else ended._replace(why=f'{ended.why}\n{warning}')


def at_full_priority():
    """Undo the niceness of 15 that Ray gives its workers by default; whether this succeeded."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, 0)
    except PermissionError:
        return False
    return True

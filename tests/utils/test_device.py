"""The choice of the device, and the memory that the process keeps."""
import platform
import resource
from types import SimpleNamespace

import pytest
import torch

from refusals import refusal
from utils import device
from utils.device import DEVICES, choose_device


def test_the_cpu_can_always_be_chosen_and_auto_finds_a_device():
    assert choose_device('cpu') == torch.device('cpu')
    assert choose_device().type in DEVICES
    assert (choose_device('auto').type == 'cuda') == torch.cuda.is_available()


@pytest.mark.skipif(platform.libc_ver() < ('glibc', '2.35'), reason='needs the GNU C library of 2022 or a newer one')
def test_memory_that_is_freed_is_used_again_without_asking_the_system():
    """A megabyte that comes anew from the system costs 256 page faults."""
    choose_device('cpu')
    megabytes, times = 40, 20     # more than the library would keep of its own accord
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        torch.ones(megabytes << 20, dtype=torch.uint8)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < times * 256 * megabytes / 2


def test_tf32_is_off():
    torch.backends.cudnn.allow_tf32 = True
    choose_device('cpu')
    assert not torch.backends.cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32


@pytest.mark.parametrize('name', ['tpu', 'gpu', '', 'cuda:x', 'cuda:-1', 'CPU', 'cpu:', ':0', 'auto:1', 'cpu:²'])
def test_a_device_that_does_not_exist_anywhere_is_refused(name):
    assert f'--device {name}' in refusal(choose_device, name)


@pytest.mark.parametrize('name', ['cuda:99', 'cuda', 'mps'])
def test_a_device_that_this_machine_lacks_is_refused(name):
    present = dict(cuda=torch.cuda.is_available(), mps=torch.backends.mps.is_available()).get(name, False)
    if present:
        pytest.skip(f'this machine has {name}')
    assert f'--device {name}' in refusal(choose_device, name)


def test_an_older_c_library_keeps_as_much_memory_as_it_can(monkeypatch):
    """Before 2.35 it refused thresholds beyond 32 MB, and stopped moving its own of 128 KB."""
    settings = {}

    def mallopt(parameter, value):
        taken = parameter != device.MMAP_THRESHOLD or value <= 32 << 20
        settings.update({parameter: value} if taken else {})
        return int(taken)

    monkeypatch.setattr(device.sys, 'platform', 'linux')
    monkeypatch.setattr(device.ctypes, 'CDLL', lambda _: SimpleNamespace(mallopt=mallopt))
    device.keep_freed_memory()
    assert settings == {**dict(device.KEPT_MEMORY), device.MMAP_THRESHOLD: 32 << 20}

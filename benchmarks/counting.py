"""Count operations, FLOPs, host reads (waiting for a result of the device) and peak memory while code runs."""
import math
import warnings
import weakref
from contextlib import ExitStack, contextmanager
from typing import NamedTuple
from unittest import mock

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

# Operations for whose result the host must wait on any device. Indexing with a boolean mask is another.
WAITING = ('_local_scalar_dense', 'nonzero', 'masked_select')
# Methods that give a tensor to the host: no operation on a CPU, but on a GPU a copy for which the host waits.
HOST_METHODS = ('tolist', 'numpy')
FREE = ('empty', 'empty_like', 'empty_strided', 'new_empty', 'new_empty_strided', '_unsafe_view')     # not counted
FLOPS = {}      # operations unknown to torch's counter -> function of the shapes of the arguments
CPU = torch.device('cpu')
if torch.backends.mkldnn.is_available():
    FLOPS[torch.ops.mkldnn._linear_pointwise] = lambda rows, weight, *_, **__: 2 * math.prod(rows) * weight[0]


class Counts(NamedTuple):
    """The counts of one run.

    operations: number of kernels (without views and allocations); host_reads: how often the host waits for a result (on
    CUDA as CUDA reports it; elsewhere without the optimizers' step counters, which are on the host anyway); flops:
    FLOPs of matrix products and convolutions; peak_bytes: largest total size of the tensors made during the run;
    by_name: {operation: number}.
    """
    operations: int
    host_reads: int
    flops: int
    peak_bytes: int
    by_name: dict


class Operations(TorchDispatchMode):
    """Counts all operations of forward and backward that reach the dispatcher below autograd in this process."""

    def __init__(self):
        super().__init__()
        self.by_name, self.host_reads, self.in_optimizer = {}, 0, False
        self.live_bytes, self.peak_bytes, self.live = 0, 0, {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if not func.is_view and name not in FREE:
            self.by_name[name] = self.by_name.get(name, 0) + 1
        if name in WAITING or _uses_mask(name, args):
            self.note_read()
        self._follow(args, result)
        return result

    def note_read(self):
        """Count a host read, except within an optimizer's step."""
        self.host_reads += not self.in_optimizer

    def _follow(self, args, result):
        """Count the bytes of storages in the result that no argument shares, until they are freed."""
        known = {leaf.untyped_storage().data_ptr() for leaf in tree_leaves(args) if isinstance(leaf, torch.Tensor)}
        for leaf in tree_leaves(result):
            if not isinstance(leaf, torch.Tensor) or leaf.untyped_storage().data_ptr() in known:
                continue
            storage = leaf.untyped_storage()
            if id(storage) not in self.live:
                self.live[id(storage)] = weakref.ref(storage, self._forget(id(storage), storage.nbytes()))
                self.live_bytes += storage.nbytes()
        self.peak_bytes = max(self.peak_bytes, self.live_bytes)

    def _forget(self, key, size):
        def freed(_):
            self.live.pop(key, None)
            self.live_bytes -= size
        return freed


def _uses_mask(name, args):
    """Whether an index operation has a boolean mask: its true entries must be counted first, for which the host waits."""
    return name in ('index', 'index_put', 'index_put_') and any(
        isinstance(leaf, torch.Tensor) and leaf.dtype == torch.bool for leaf in tree_leaves(args[1]))


@contextmanager
def counting():
    """Context manager: an Operations that counts within the block, including conversions to Python or numpy."""
    operations = Operations()

    def noting(method):
        def wrapped(tensor, *args, **kwargs):
            operations.note_read()
            return method(tensor, *args, **kwargs)
        return wrapped

    def inside(value):
        def hook(*_):
            operations.in_optimizer = value
        return hook

    with ExitStack() as stack:
        for name in HOST_METHODS:
            stack.enter_context(mock.patch.object(torch.Tensor, name, noting(getattr(torch.Tensor, name))))
        for register, value in ((register_optimizer_step_pre_hook, True), (register_optimizer_step_post_hook, False)):
            stack.callback(register(inside(value)).remove)
        yield stack.enter_context(operations)


def count(run, device=CPU):
    """The Counts of one call of `run()`, which is called twice (on CUDA three times). FLOPs come from torch's counter."""
    with FlopCounterMode(display=False, custom_mapping=FLOPS) as flops:
        run()
    with counting() as operations:
        run()
    reads, peak = (operations.host_reads, operations.peak_bytes) if device.type != 'cuda' else _ask_cuda(run, device)
    return Counts(sum(operations.by_name.values()), reads, flops.get_total_flops(), peak, operations.by_name)


def _ask_cuda(run, device):
    """What CUDA reports for one run: (synchronising calls, peak bytes above the allocation before)."""
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    torch.cuda.set_sync_debug_mode('warn')
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            run()
    finally:
        torch.cuda.set_sync_debug_mode('default')
    synchronising = sum('synchronizing CUDA operation' in str(warning.message) for warning in caught)
    return synchronising, torch.cuda.max_memory_allocated(device) - before

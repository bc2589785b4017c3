"""What code asks of the machine, counted while it runs: operations, FLOPs, reads by the host, peak memory."""
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

# Operations whose result the host waits for wherever they run. Indexing with a boolean mask is another.
WAITING = ('_local_scalar_dense', 'nonzero', 'masked_select')
# Ways of a tensor to the host that are no operations of their own on a CPU; on a GPU each is a copy that is waited for.
HOST_METHODS = ('tolist', 'numpy')
FREE = ('empty', 'empty_like', 'empty_strided', 'new_empty', 'new_empty_strided', '_unsafe_view')     # views and allocations
FLOPS = {}      # of operations that torch's counter does not know: function of the arguments' shapes
if torch.backends.mkldnn.is_available():
    FLOPS[torch.ops.mkldnn._linear_pointwise] = lambda rows, weight, *_, **__: 2 * math.prod(rows) * weight[0]


class Counts(NamedTuple):
    """What one run asked for.

    operations: kernels (views and allocations are free); host_reads: times the host waits for a result (on CUDA as it
    reports them; elsewhere without an optimizer's own step counters, which lie on the host anyway); flops: of matrix
    products and convolutions; peak_bytes: the most that tensors made meanwhile take; by_name: operations by name.
    """
    operations: int
    host_reads: int
    flops: int
    peak_bytes: int
    by_name: dict


class Operations(TorchDispatchMode):
    """Counts what reaches the dispatcher below autograd, forward and backward alike, in this process."""

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
        self.host_reads += not self.in_optimizer

    def _follow(self, args, result):
        """Add the storages that the result does not share with an argument, until they are freed."""
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
    """Whether an index operation gets a boolean mask, whose true entries must be counted first."""
    return name in ('index', 'index_put', 'index_put_') and any(
        isinstance(leaf, torch.Tensor) and leaf.dtype == torch.bool for leaf in tree_leaves(args[1]))


@contextmanager
def counting():
    """Operations that counts within the block, also what goes to Python or numpy without an operation."""
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


def count(run, device=torch.device('cpu')):
    """Run `run()` twice (on CUDA three times) and count -> Counts of one run. FLOPs come from torch's own counter."""
    with FlopCounterMode(display=False, custom_mapping=FLOPS) as flops:
        run()
    with counting() as operations:
        run()
    reads, peak = (operations.host_reads, operations.peak_bytes) if device.type != 'cuda' else _ask_cuda(run, device)
    return Counts(sum(operations.by_name.values()), reads, flops.get_total_flops(), peak, operations.by_name)


def _ask_cuda(run, device):
    """CUDA's own account of one run: synchronising calls, and bytes above what was allocated before."""
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

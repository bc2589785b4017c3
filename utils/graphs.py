"""Training steps recorded as CUDA graphs: the host then makes one call instead of launching some thousand kernels."""
import sys
from contextlib import contextmanager
from functools import lru_cache
from weakref import WeakSet

import torch

from common.errors import InputError

AUTO = 'auto'        # of --graphs: record, but where that fails go on without
EAGER_CALLS = 3      # libraries, allocator and optimizer must finish their lazy set-up before recording


class Replayed:
    """Callable like `update(*tensors)`, a training step of one optimizer, but replayed as a CUDA graph on a GPU.

    A replay runs the same kernels as a direct call, so the results are the same. Host values that `update` reads are
    fixed in the recording; only the optimizer's learning rate may change between calls, and that causes a new recording.
    The outputs of a replay are overwritten by the next replay.

    For each learning rate and set of input shapes the first EAGER_CALLS calls run directly, and the next one is recorded
    and replaces all earlier recordings. (The smaller last batch of an epoch therefore always runs directly.) If the rate
    changes more often than every hundred steps, or two shapes alternate, recording costs more than replaying saves.
    Without a GPU, or with `wanted` False, every call runs directly.

    The first replay of an optimizer's updates is compared with a direct call on the same inputs, in everything that it
    returns or changes: the `networks` that the update changes (also in their BatchNorm), and the optimizer's state. If it
    differs in any bit, or the recording fails, all updates run directly from then on, after one line of warning; with
    `wanted` True instead of AUTO, InputError.
    """

    compared = WeakSet()      # the optimizers whose updates were compared
    given_up = False          # for all at once, because the end of one recording makes the others unusable (`_side_stream`)

    def __init__(self, update, optimizer, wanted=AUTO, networks=()):
        self.update, self.optimizer, self.wanted, self.networks = update, optimizer, wanted, networks
        self.device = optimizer.param_groups[0]['params'][0].device
        self.stream = _side_stream(self.device) if wanted and self.device.type == 'cuda' else None
        self.calls, self.recordings = {}, {}

    def __call__(self, *inputs):
        if self.stream is None or Replayed.given_up:
            return self.update(*inputs)
        key = (self.optimizer.param_groups[0]['lr'], *(tensor.shape for tensor in inputs))
        self.calls[key] = self.calls.get(key, 0) + 1
        if self.calls[key] <= EAGER_CALLS:
            return self._run_on_side_stream(inputs)
        try:
            if key not in self.recordings:
                self._record(key, inputs)
            if self.optimizer not in Replayed.compared:
                self._compare(key, inputs)
        except InputError as error:
            self._give_up(error)
            return self.update(*inputs)
        return self.recordings[key].replay(inputs)

    def _run_on_side_stream(self, inputs):
        """Run directly, on the side stream: gradients first made on another stream cannot be recorded here."""
        current = torch.cuda.current_stream(self.stream.device)
        self.stream.wait_stream(current)
        with torch.cuda.stream(self.stream):
            outputs = self.update(*inputs)
        current.wait_stream(self.stream)
        return outputs

    def _record(self, key, inputs):
        # clear first: freeing a graph also frees the cuBLAS workspaces of its stream (torch 2.13)
        self.recordings.clear()
        try:
            with _capturable(self.optimizer):
                self.recordings[key] = Recording(self.update, inputs, self.stream)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            reason = str(error.__context__ or error).partition('\n')[0]     # the failed recording's end raises too
            raise InputError(f'a training step could not be recorded as a CUDA graph ({reason}); start again with '
                             '--graphs false') from error

    def _compare(self, key, inputs):
        """InputError unless a direct call and a replay give the same; the state is then as before both."""
        changed = [*_tensors(network.state_dict() for network in self.networks), *_tensors(self.optimizer.state.values())]
        before, results = _copies(changed, self.device), []
        for call in (lambda: self._run_on_side_stream(inputs), lambda: self.recordings[key].replay(inputs)):
            results.append(_copies(_tensors(call()) + changed, self.device))
            _restore(changed, before, self.device)
        if not all(torch.allclose(one, other, rtol=0, atol=0, equal_nan=True) for one, other in zip(*results)):
            raise InputError('a training step that was recorded as a CUDA graph gives other numbers than a direct one; start '
                             'again with --graphs false')
        Replayed.compared.add(self.optimizer)

    def _give_up(self, error):
        """Record no more in this process, or raise the `error` if recording was insisted on or has left the GPU unusable."""
        if self.wanted is True:
            raise error
        try:
            draws = _copies([], self.device)
            torch.rand((), device=self.device)
            _restore([], draws, self.device)
        except RuntimeError:
            raise error from None
        Replayed.given_up = True
        reason = str(error).partition('; start again')[0]
        print(f'warning: {reason}; the run goes on without CUDA graphs, more slowly', file=sys.stderr)


class Recording:
    """One update as a CUDA graph, with its static input and output tensors."""

    def __init__(self, update, inputs, stream):
        """Record the update; no kernel runs yet."""
        self.inputs = [tensor.clone() for tensor in inputs]
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph, stream=stream):
            self.outputs = update(*self.inputs)

    def replay(self, inputs):
        for own, given in zip(self.inputs, inputs):
            own.copy_(given)
        self.graph.replay()
        return self.outputs


def _copies(tensors, device):
    """Copies of the tensors, and of the state of the device's random numbers."""
    return [*(tensor.clone() for tensor in tensors), torch.cuda.get_rng_state(device)]


@torch.no_grad()
def _restore(tensors, copies, device):
    for tensor, copy in zip(tensors, copies):
        tensor.copy_(copy)
    torch.cuda.set_rng_state(copies[-1], device)


def _tensors(value):
    """List of all tensors in nested containers, in their order."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    return [] if isinstance(value, (str, float, int, type(None))) else [tensor for part in value for tensor in _tensors(part)]


@lru_cache(maxsize=None)
def _side_stream(device):
    """The stream of the device that all updates share, because cuBLAS keeps a workspace for each stream it has used.

    Freeing one recording frees this workspace, so no other recording may be replayed afterwards: free all recordings of
    an epoch together.
    """
    return torch.cuda.Stream(device)


@contextmanager
def _capturable(optimizer):
    """Context manager: set the optimizer's `capturable` flag, which PyTorch requires for recording.

    The fused kernels can be recorded anyway; the flag is reset so that it does not get into checkpoints.
    """
    for group in optimizer.param_groups:
        group['capturable'] = True
    try:
        yield
    finally:
        for group in optimizer.param_groups:
            group['capturable'] = False

"""Training steps recorded as CUDA graphs: the host then makes one call instead of launching some thousand kernels."""
from contextlib import contextmanager
from functools import lru_cache

import torch

from common.errors import InputError

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
    """

    def __init__(self, update, optimizer, wanted=True):
        self.update, self.optimizer = update, optimizer
        device = optimizer.param_groups[0]['params'][0].device
        self.stream = _side_stream(device) if wanted and device.type == 'cuda' else None
        self.calls, self.recordings = {}, {}

    def __call__(self, *inputs):
        if self.stream is None:
            return self.update(*inputs)
        key = (self.optimizer.param_groups[0]['lr'], *(tensor.shape for tensor in inputs))
        self.calls[key] = self.calls.get(key, 0) + 1
        if self.calls[key] <= EAGER_CALLS:
            return self._run_on_side_stream(inputs)
        if key not in self.recordings:
            # clear first: freeing a graph also frees the cuBLAS workspaces of its stream (torch 2.13)
            self.recordings.clear()
            self.recordings[key] = self._record(inputs)
        return self.recordings[key].replay(inputs)

    def _run_on_side_stream(self, inputs):
        """Run directly, on the side stream: gradients first made on another stream cannot be recorded here."""
        current = torch.cuda.current_stream(self.stream.device)
        self.stream.wait_stream(current)
        with torch.cuda.stream(self.stream):
            outputs = self.update(*inputs)
        current.wait_stream(self.stream)
        return outputs

    def _record(self, inputs):
        try:
            with _capturable(self.optimizer):
                return Recording(self.update, inputs, self.stream)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            reason = str(error.__context__ or error).partition('\n')[0]     # the failed recording's end raises too
            raise InputError(f'a training step could not be recorded as a CUDA graph ({reason}); start again with '
                             '--graphs false') from error


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

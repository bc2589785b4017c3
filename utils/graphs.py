"""Updates recorded into CUDA graphs: the host then issues one call where it issued some thousand kernels."""
from contextlib import contextmanager
from functools import lru_cache

import torch

from common.errors import InputError

EAGER_CALLS = 3      # before recording: libraries, allocator and optimizer make then what may not be made while recording


class Replayed:
    """`update(*tensors)`, a training step of one optimizer; on a GPU recorded once and then replayed.

    The same kernels run either way, so the numbers are the same. What `update` reads on the host is recorded as it is:
    nothing but the optimizer's learning rate may change between calls; it is recorded anew then. What comes back from
    a replay is overwritten by the next one. The first EAGER_CALLS calls of each rate and set of shapes run as they are
    written, so an epoch's last batch always does, and so does every call without a GPU or where not `wanted`. The next is
    recorded in place of any earlier recording: a rate that changes within a hundred steps, or two shapes in turn, cost
    more in recordings than replays save.
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
            return self._run_beside(inputs)
        if key not in self.recordings:
            self.recordings.clear()      # first: a graph that goes takes its stream's cuBLAS workspaces along (torch 2.13)
            self.recordings[key] = self._record(inputs)
        return self.recordings[key].replay(inputs)

    def _run_beside(self, inputs):
        """On a stream of its own: a gradient that met the default stream cannot be recorded on another."""
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
            reason = str(error.__context__ or error).partition('\n')[0]     # ending a broken recording raises too
            raise InputError(f'an update could not be recorded in a CUDA graph ({reason}); start again with --graphs '
                             'false') from error


class Recording:
    """One update in a CUDA graph, with the tensors that it reads its inputs from and leaves its outputs in."""

    def __init__(self, update, inputs, stream):
        """Record; nothing is computed yet."""
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
    """One for all updates: cuBLAS keeps a workspace for every stream that it has seen.

    So no recording may go while another is still to be replayed: those of an epoch go together.
    """
    return torch.cuda.Stream(device)


@contextmanager
def _capturable(optimizer):
    """Within the block PyTorch's optimizer agrees to be recorded. The fused kernels always can; a checkpoint need not know."""
    for group in optimizer.param_groups:
        group['capturable'] = True
    try:
        yield
    finally:
        for group in optimizer.param_groups:
            group['capturable'] = False

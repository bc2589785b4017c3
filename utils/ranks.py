"""Several processes (ranks), started by torchrun, that compute each training step together as one process would.

Every rank has all poses and the same weights. It draws the order, the noise and the dropout of the whole batch, but computes
the predictions for its own rows only, and gets those of the others; so on every rank the loss is that of the whole batch.
BatchNorm takes its statistics over all ranks, and `descend` adds up the gradients. The results equal those of one process but
for the rounding of sums. In one process, nothing here changes or computes anything.
"""
import os
from contextlib import contextmanager

import torch
from torch import distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm

from common.errors import InputError
from utils import torchrun
from utils.device import choose_device


def world():
    """The number of ranks that are connected; 1 in a single process."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def rank():
    """The number of this rank, from 0, which prints and writes."""
    return distributed.get_rank() if world() > 1 else 0


@contextmanager
def connected(name='auto', tf32=False):
    """Context manager in which the processes that torchrun has started are ranks; gives the device of this one.

    On GPUs each rank has its own. InputError for a device that cannot be used so. One process gets `choose_device(name, tf32)`.
    """
    if torchrun.world() == 1:
        yield choose_device(name, tf32)
        return
    device = _own_device(name, tf32)
    distributed.init_process_group('nccl' if device.type == 'cuda' else 'gloo')
    yield device
    distributed.destroy_process_group()      # not after an error: it would wait for the others


def _own_device(name, tf32):
    kind, number = choose_device(name).type, int(os.environ['LOCAL_RANK'])
    if kind == 'mps' or ':' in name:
        raise InputError(f'--device {name}: with torchrun, give cuda, where each process takes a GPU of its own, or cpu')
    if kind == 'cuda' and number >= torch.cuda.device_count():
        raise InputError(f'torchrun has started more processes than this machine has GPUs; give it --nproc_per_node '
                         f'{torch.cuda.device_count()}')
    return choose_device(f'cuda:{number}' if kind == 'cuda' else kind, tf32)


def share_work(lifter, args, count):
    """Change `lifter` in place so that each rank computes its part of every training batch; the weights keep their names.

    InputError for --compile, and where one of the batches of an epoch of `count` poses has fewer poses than there are ranks.
    """
    if world() == 1:
        return
    if args.compile:
        raise InputError('--compile works in one process only; leave it out, or start without torchrun')
    last = count % args.batch_size
    smallest = last if last > 1 else min(count, args.batch_size)       # a last batch of a single pose is left out
    if smallest < world():
        raise InputError(f'{count:,} poses in batches of {args.batch_size:,} leave one of {smallest} for {world()} processes; '
                         'choose another --batch_size, or fewer processes')
    for value in lifter.state_dict().values():
        distributed.broadcast(value, src=0)
    batch = _SharedBatch(getattr(lifter, 'batch_dim', 0))
    lifter.register_forward_pre_hook(batch.own_rows)
    lifter.register_forward_hook(batch.all_rows)
    for module in lifter.modules():
        kind = type(module)
        if isinstance(module, _BatchNorm):      # behind `kind`, which may reshape its input first, as RowBatchNorm does
            module.__class__ = type(kind.__name__, (kind, _SharedBatchNorm), {})
        elif isinstance(module, nn.Dropout):
            module.__class__, module.batch = type(kind.__name__, (_SharedDropout, kind), {}), batch


def share_of(whole, dim=0):
    """This rank's rows of a whole batch, contiguous in order of the ranks; `dim` is the dimension of the poses."""
    return whole.tensor_split(world(), dim)[rank()]


class _SharedBatch:
    """The training batch in work: `size` is the number of its poses, `dim` their dimension inside the lifter."""

    def __init__(self, dim):
        self.dim, self.size = dim, 0

    def own_rows(self, lifter, inputs):
        if lifter.training:
            self.size = len(inputs[0])
            return share_of(inputs[0])

    def all_rows(self, lifter, inputs, output):
        if lifter.training:
            return _AllRows.apply(output, self.size)


class _AllRows(torch.autograd.Function):
    """This rank's rows -> those of all ranks. Every rank computes the whole loss, so the gradient is not added up."""

    @staticmethod
    def forward(ctx, own, size):
        whole = own.new_zeros(size, *own.shape[1:])
        share_of(whole).copy_(own)
        distributed.all_reduce(whole)
        return whole

    @staticmethod
    def backward(ctx, gradient):
        return share_of(gradient), None


class _Total(torch.autograd.Function):
    """The sum over all ranks. Each rank's rows depend on it, so its gradient is the sum of what the ranks find."""

    @staticmethod
    def forward(ctx, values):
        values = values.clone()
        distributed.all_reduce(values)
        return values

    @staticmethod
    def backward(ctx, gradient):
        return _Total.apply(gradient)


class _SharedBatchNorm(_BatchNorm):
    """BatchNorm whose statistics are those of the whole batch. (torch.nn.SyncBatchNorm does not work on a CPU.)"""

    def forward(self, features):
        """(N, channels) or (N, channels, ...)."""
        if not self.training:
            return super().forward(features)
        rows = features.transpose(1, -1)
        flat = rows.flatten(0, -2)
        sums = _Total.apply(torch.cat([flat.sum(0), flat.new_full((1,), len(flat))]))
        count = sums[-1].detach()
        mean = sums[:-1] / count
        centred = rows - mean
        variance = _Total.apply(centred.flatten(0, -2).square().sum(0)) / count
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        return (centred * (variance + self.eps).rsqrt() * self.weight + self.bias).transpose(1, -1)


class _SharedDropout(nn.Dropout):
    """Dropout by this rank's part of the mask of the whole batch, which is drawn as one process draws it."""

    def forward(self, features):
        if not (self.training and self.p):
            return super().forward(features)
        shape = list(features.shape)
        shape[self.batch.dim] = self.batch.size
        with torch.no_grad():
            mask = super().forward(features.new_ones(shape))
        self.eval()
        features = super().forward(features)      # what the layer does besides, as ReluDropout does
        self.train()
        return features * share_of(mask, self.batch.dim)


def sum_gradients(network):
    """Add up the gradients of a network over all ranks, in one message."""
    if world() == 1:
        return
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    for gradient, total in zip(gradients, flat.split([gradient.numel() for gradient in gradients])):
        gradient.copy_(total.view_as(gradient))


def own_part(items):
    """The items of a sequence that this rank works on."""
    return items[rank()::world()]


def merged(results):
    """The results (tensors) for the whole sequence, in its order, from the list of those for `own_part` of it."""
    if world() == 1:
        return results
    of_ranks = [None] * world()
    distributed.all_gather_object(of_ranks, [result.cpu() for result in results])
    return [of_ranks[place % world()][place // world()] for place in range(sum(map(len, of_ranks)))]

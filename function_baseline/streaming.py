"""More poses than memory: each epoch trains on another part of the poses, read from the disk (--poses_per_epoch).

The poses lie in flat copies of the prepared files, which are mapped (common/files/flat_cache.py). Their order is cut into
blocks of BLOCK neighbours. A round goes through all blocks in random order, and an epoch takes the next poses of it, so each
pose is met once before any is met again. The order depends on the seed and the number of the round alone: any epoch can be
read without those before it. While an epoch trains, a thread reads the next one.
"""
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import numpy as np
import torch

from common.bones import bone_length_templates, bone_lengths, bone_vectors
from common.datasets.h36m import one_thread
from utils.seeding import generator

BLOCK = 256           # poses that are read together; about five seconds of one recording
CHUNK = 65536         # poses at once when all are gone through


def in_epochs(args, runs, read):
    """The training poses of the command line: StreamedPoses if --poses_per_epoch is less than all, else one PoseSet.

    `runs`: the poses in pieces, each with its `length`, `camera` and `part(slice)`; `read(runs)` makes a PoseSet of pieces. The
    poses that camera 0 or None sees are seen by the others too.
    """
    total = sum(run.length for run in runs)
    if not 0 < args.poses_per_epoch < total:
        return read(runs)
    return StreamedPoses(runs, read, args.poses_per_epoch, args.random_seed, args.epochs)


def poses_of_epoch(training, epoch):
    """The PoseSet on which an epoch, counted from 1, trains: all poses, or those that StreamedPoses have for it."""
    return training.of_epoch(epoch) if isinstance(training, StreamedPoses) else training


def subject_templates(training):
    """Each training subject's mean bone lengths, see `bone_length_templates`, of all poses, also of StreamedPoses."""
    if isinstance(training, StreamedPoses):
        return training.templates()
    return bone_length_templates(training.pose3d_cam.cpu(), training.subject.cpu(), training.skeleton)


def counted(training):
    """How many training poses there are, in words."""
    rest = f' of {training.total:,}' if isinstance(training, StreamedPoses) else ''
    return f'{len(training):,}{rest} training poses' + ' in each epoch' * bool(rest)


class StreamedPoses:
    """Training poses on the disk, of which each epoch reads `poses_per_epoch`; see the module, and `in_epochs`."""

    def __init__(self, runs, read, poses_per_epoch, seed, epochs):
        self.runs, self.read, self.poses_per_epoch, self.seed, self.epochs = runs, read, poses_per_epoch, seed, epochs
        self.total = sum(run.length for run in runs)
        self.device, self.reader, self.coming = 'cpu', ThreadPoolExecutor(1), {}

    def __len__(self):
        """Poses of an epoch."""
        return self.poses_per_epoch

    @cached_property
    def skeleton(self):
        return self.read([self.runs[0].part(slice(0, 1))]).skeleton

    def resident(self, device):
        """The same poses, whose epochs will be on `device` as PoseSet.resident says."""
        self.device = device
        return self

    def of_epoch(self, epoch):
        """The PoseSet of an epoch, counted from 1. Begins to read the next one."""
        asked = self.coming.pop(epoch, None) or self.reader.submit(self._read, epoch)
        poses = asked.result().resident(self.device)
        self.coming = {epoch + 1: self.reader.submit(self._read, epoch + 1)} if epoch < self.epochs else {}
        return poses

    def templates(self):
        """(S, 15) float32 metres: `bone_length_templates` of all poses, which have the same bones in all views."""
        runs, sums, counts = [run for run in self.runs if not run.camera], {}, {}
        total = sum(run.length for run in runs)
        for start in range(0, total, CHUNK):
            poses = self.read(_parts(runs, [(start, min(start + CHUNK, total))]))
            lengths = bone_lengths(bone_vectors(poses.pose3d_cam, self.skeleton)).squeeze(-1).double()
            for subject in poses.subject.unique().tolist():
                own = poses.subject == subject
                sums[subject] = sums.get(subject, 0) + lengths[own].sum(0)
                counts[subject] = counts.get(subject, 0) + int(own.sum())
        rows = torch.stack([sums[subject] / counts[subject] for subject in sorted(sums)])
        return ((rows + rows[:, self.skeleton.bone_mirror]) / 2).float()

    def spans(self, epoch):
        """The poses of an epoch as pairs (start, stop) in the order of all poses, ascending."""
        first, last, spans = (epoch - 1) * len(self), epoch * len(self), []
        while first < last:
            number, place = divmod(first, self.total)
            stop = min(place + last - first, self.total)
            spans += self._of_round(number, place, stop)
            first += stop - place
        return sorted(spans)

    def _of_round(self, number, first, last):
        """The pairs of the poses at the places `first` to `last` of the order of a round, counted from 0."""
        draws = generator('cpu', self.seed, number, 'blocks of poses')
        starts = BLOCK * torch.randperm(-(-self.total // BLOCK), generator=draws).numpy()
        stops = np.minimum(starts + BLOCK, self.total)
        ends = np.cumsum(stops - starts)
        skipped = np.maximum(first - (ends - (stops - starts)), 0)
        pairs = zip((starts + skipped).tolist(), (stops - np.maximum(ends - last, 0)).tolist())
        return [(start, stop) for start, stop in pairs if start < stop]

    def _read(self, epoch):
        with one_thread():
            return self.read(_parts(self.runs, self.spans(epoch)))


def _parts(runs, spans):
    """The parts of the runs that lie in the spans, pairs (start, stop) in the order of all poses."""
    starts, parts = np.cumsum([0, *(run.length for run in runs)]), []
    for start, stop in spans:
        number = int(np.searchsorted(starts, start, side='right')) - 1
        while start < stop:
            end = min(stop, int(starts[number + 1]))
            parts.append(runs[number].part(slice(start - starts[number], end - starts[number])))
            start, number = end, number + 1
    return parts

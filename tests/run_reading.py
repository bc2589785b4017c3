"""What a run directory holds, read for comparison."""
import re
import struct

import pytest
import torch
from tensorboardX.proto.event_pb2 import Event


def checkpoint(run, name='ckpt_last.pth.tar'):
    return torch.load(run / name, weights_only=True)


def log_rows(run):
    """The log's rows of figures, as text."""
    return [line for line in (run / 'log.txt').read_text().splitlines() if re.match(r'\d+\.\d+\t', line)]


def figures(row):
    """The numbers of a row of the log."""
    return [float(text) for text in row.split('\t')[:-1]]


def events(run):
    """Tag -> {step: value} as the event files hold them: records of length, checksum, protobuf, checksum.

    Of a picture, a histogram, ... the value is its kind.
    """
    found = {}
    for file in sorted(run.glob('events.out.tfevents.*')):
        content, place = file.read_bytes(), 0
        while place < len(content):
            length, = struct.unpack_from('<Q', content, place)
            event = Event.FromString(content[place + 12:place + 12 + length])
            place += length + 16
            for value in event.summary.value:
                kind = value.WhichOneof('value')
                assert event.step not in found.setdefault(value.tag, {}), f'{value.tag} twice at step {event.step}'
                found[value.tag][event.step] = value.simple_value if kind == 'simple_value' else str(kind)
    return found


def assert_motion_is_logged(run, begun_at, warmup=0):
    """The last two columns of the log are the errors of motion on Human3.6M, which the event files hold from `begun_at` on.

    The rows of the warm-up repeat those of epoch 0.
    """
    head, = (line for line in (run / 'log.txt').read_text().splitlines() if line.startswith('epoch\t'))
    names = head.rstrip('\t').split('\t')
    assert names[-3:] == ['error_3dhp_p2', 'mpjve_h36m', 'acceleration_h36m']
    rows = [figures(row) for row in log_rows(run)]
    assert rows and {len(row) for row in rows} == {len(names)}
    for place, tag in ((-2, 'posenet_H36M_test/mpjve'), (-1, 'posenet_H36M_test/acceleration')):
        scored = events(run)[tag]
        assert list(scored) == [epoch for epoch in range(begun_at, len(rows) + 1) if not 0 < epoch <= warmup]
        for row in rows:
            assert row[place] == pytest.approx(scored[0 if row[0] <= warmup else int(row[0])], rel=1e-5)


def values(summary, kind):
    """tag -> value of one kind in a Summary: 'simple_value', 'image' or 'histo'."""
    return {value.tag: getattr(value, kind) for value in summary.value if value.WhichOneof('value') == kind}


def training_state(run):
    """What --resume continues from, without what only this start knows."""
    return {key: value for key, value in checkpoint(run).items() if key not in ('arguments', 'environment', 'sizes')}


def same(first, second):
    """Equal containers, tensors bit for bit."""
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(map(same, first, second))
    return first == second

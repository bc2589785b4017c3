"""What a run directory holds, read for comparison."""
import re
import struct

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

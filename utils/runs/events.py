"""Event files for TensorBoard: written at once and in order, and read without TensorFlow.

tensorboardX's SummaryWriter hands events to a thread and cannot say when they are on the disk; a run that resumes must
know. Its own pieces are used here without the thread. All figures of a step are one event: 40 times fewer than one by
one.
"""
import struct
import sys
import time
from functools import lru_cache

from google.protobuf.message import DecodeError
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.summary_pb2 import Summary
from tensorboardX.record_writer import masked_crc32c
from tensorboardX.summary import scalar

PATTERN = 'events.out.tfevents.*'


class EventFile:
    """One event file in `directory`; each life of a run has its own, told apart by its number."""

    def __init__(self, directory):
        number = len(list(directory.glob(PATTERN)))
        self.writer = EventsWriter(str(directory / 'events'), filename_suffix=f'.{number}')

    def scalars(self, figures, step):
        """Write a dict tag -> number. Tags are cleaned as tensorboardX does: `1) x` lands on the disk as `1__x`."""
        summary = Summary()
        for tag, value in figures.items():
            summary.MergeFrom(scalar(tag, value))
        self.summary(summary, step)

    def summary(self, summary, step):
        """Write a Summary: images, histograms, what a page of TensorBoard reads."""
        self.writer.write_event(Event(wall_time=time.time(), step=step, summary=summary))

    def flush(self):
        """Return once everything written so far is on the disk."""
        self.writer.flush()

    def close(self):
        self.writer.close()


# Reading. A record is a length, its checksum, an Event, and the Event's checksum (TensorFlow's TFRecord framing).

def records(path):
    """Yield (offset, bytes, checksum) of each record; warns and ends where the file is cut off or damaged."""
    content, place = path.read_bytes(), 0
    while place < len(content):
        if len(content) - place < 12:
            return _warn_of_end(path, place)
        length, = struct.unpack_from('<Q', content, place)
        if _length_checksum(length) != struct.unpack_from('<I', content, place + 8)[0]:
            return _warn(f'{path} is damaged at byte {place:,}; it is read up to there')
        end = place + 12 + length
        if len(content) < end + 4:
            return _warn_of_end(path, place)
        yield place, content[place + 12:end], struct.unpack_from('<I', content, end)[0]
        place = end + 4


@lru_cache(maxsize=4096)
def _length_checksum(length):
    return masked_crc32c(struct.pack('<Q', length))


def _warn_of_end(path, place):
    _warn(f'{path} ends within a record at byte {place:,} (its run goes on or was stopped); it is read up to there')


def _warn(line):
    print(f'warning: {line}', file=sys.stderr)


def read_events(path, wanted, most=None):
    """Events that name one of the tags, or beginnings of tags, in `wanted`: all, or about `most` evenly spread ones.

    Other records are passed over without a look at their checksums, which cost more than all the rest.
    """
    wanted = [text.encode() for text in wanted]
    found = [record for record in records(path) if any(text in record[1] for text in wanted)]
    events = []
    for place, data, checksum in found[::max(1, len(found) // most)] if most else found:
        if masked_crc32c(data) != checksum:
            _warn(f'{path} is damaged at byte {place:,}; what follows is passed over')
            break
        try:
            events.append(Event.FromString(data))
        except DecodeError:
            _warn(f'{path} holds no event at byte {place:,}; what follows is passed over')
            break
    return events


def read_scalars(directory, wanted, most=None):
    """(tag -> {step: number} of a run's event files, time of the first); see `read_events`. A later file wins."""
    scalars, times = {}, []
    for path in sorted(directory.glob(PATTERN)):
        for event in read_events(path, wanted, most):
            times.append(event.wall_time)
            for value in event.summary.value:
                if value.HasField('simple_value') and value.tag.startswith(tuple(wanted)):
                    scalars.setdefault(value.tag, {})[event.step] = value.simple_value
    return scalars, min(times, default=0.)

"""TensorBoard event files: written synchronously and in order, and read without TensorFlow.

tensorboardX's SummaryWriter writes in a thread and cannot tell when an event is on the disk, which a run needs to know
before it saves a checkpoint to resume from. So tensorboardX's parts are used here without the thread. All scalars of a
step are one event, which gives 40 times fewer events than one per scalar.
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
    """An event file in `directory`. Each start or resume of a run makes a new one with the next number."""

    def __init__(self, directory):
        number = len(list(directory.glob(PATTERN)))
        self.writer = EventsWriter(str(directory / 'events'), filename_suffix=f'.{number}')

    def scalars(self, figures, step):
        """Write `figures`, a dict {tag: number}. tensorboardX cleans the tags: `1) x` is stored as `1__x`."""
        summary = Summary()
        for tag, value in figures.items():
            summary.MergeFrom(scalar(tag, value))
        self.summary(summary, step)

    def summary(self, summary, step):
        """Write a Summary protobuf, for example images or histograms, as the event of this step."""
        self.writer.write_event(Event(wall_time=time.time(), step=step, summary=summary))

    def flush(self):
        """Return once everything written so far is on the disk."""
        self.writer.flush()

    def close(self):
        self.writer.close()


# Reading. TensorFlow's TFRecord format: each record is a length, its checksum, an Event, and the Event's checksum.

def records(path):
    """Yield (offset, bytes, checksum) of each record; warns and stops where the file is cut off or damaged."""
    content, place = path.read_bytes(), 0
    while place < len(content):
        if len(content) - place < 12:
            return _warn_of_end(path, place)
        length, = struct.unpack_from('<Q', content, place)
        if _length_checksum(length) != struct.unpack_from('<I', content, place + 8)[0]:
            return _warn(f'{path} is damaged at byte {place:,}; only the events before it are read')
        end = place + 12 + length
        if len(content) < end + 4:
            return _warn_of_end(path, place)
        yield place, content[place + 12:end], struct.unpack_from('<I', content, end)[0]
        place = end + 4


@lru_cache(maxsize=4096)
def _length_checksum(length):
    return masked_crc32c(struct.pack('<Q', length))


def _warn_of_end(path, place):
    _warn(f'{path} ends within a record at byte {place:,} (its run is still going or was stopped); the events before it '
          'are read')


def _warn(line):
    print(f'warning: {line}', file=sys.stderr)


def read_events(path, wanted, most=None):
    """List of the Events that contain one of the texts in `wanted`, which are tags or prefixes of tags.

    `most`: keep about this many of them, evenly spread (None: all). The checksums of other records are not verified,
    because that would take longer than everything else here. Warns and stops at a damaged record.
    """
    wanted = [text.encode() for text in wanted]
    found = [record for record in records(path) if any(text in record[1] for text in wanted)]
    events = []
    for place, data, checksum in found[::max(1, len(found) // most)] if most else found:
        if masked_crc32c(data) != checksum:
            _warn(f'{path} is damaged at byte {place:,}; the events after it are skipped')
            break
        try:
            events.append(Event.FromString(data))
        except DecodeError:
            _warn(f'{path} holds no valid event at byte {place:,}; the events after it are skipped')
            break
    return events


def read_scalars(directory, wanted, most=None):
    """Read all event files of a run: ({tag: {step: number}}, wall time of the first event in seconds, 0 without any).

    `wanted` (here prefixes of tags) and `most` as in `read_events`. If two files have the same tag and step, the number
    in the later file is used.
    """
    scalars, times = {}, []
    for path in sorted(directory.glob(PATTERN)):
        for event in read_events(path, wanted, most):
            times.append(event.wall_time)
            for value in event.summary.value:
                if value.HasField('simple_value') and value.tag.startswith(tuple(wanted)):
                    scalars.setdefault(value.tag, {})[event.step] = value.simple_value
    return scalars, min(times, default=0.)

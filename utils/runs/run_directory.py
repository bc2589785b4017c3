"""What a run leaves behind: its directory, log.txt, event files, checkpoints, and a record of how it was started."""
import json
import os
import platform
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import tensorboardX
import torch
from filelock import FileLock, Timeout

from common.errors import InputError, in_short
from common.files.atomic import written_whole
from common.files.paths import PROJECT_ROOT
from utils.runs.checkpoint import HEALTHY, LAST, read_checkpoint, save_checkpoint
from utils.runs.events import PATTERN, EventFile

RECORD, LOCK = 'run.json', '.lock'


def baseline_stamp():
    return datetime.now().strftime('%m%d%H%M%S')


def poseaug_stamp():
    return datetime.now().isoformat()


class RunDirectory:
    """`<checkpoint>/<posenet>/<keypoints>/<stamp>_<note>/`, made new: two runs never write into one directory."""

    def __init__(self, args, stamp, columns, preamble='', room=0):
        """Make it, with run.json and the head of log.txt: arguments, `preamble`, names of the `columns`.

        InputError where it cannot be made, or where the disk has less than `room` bytes left for what is to come.
        """
        _require_room(Path(args.checkpoint), room, 'make room or choose another --checkpoint')
        self.path = _make_new(Path(args.checkpoint) / args.posenet_name / args.keypoints, f'{stamp}_{args.note}')
        self.lock = _lock(self.path)
        self.args, self.environment = plain_arguments(args), environment()
        self._record()
        lines = [f'{name}: {value}' for name, value in self.args.items()] + ([preamble] if preamble else [])
        self.log_line('\n'.join(lines))
        self.log_line(''.join(f'{column}\t' for column in columns))
        self._open_events()
        print(f'run directory: {self.path}')

    @classmethod
    def reopen(cls, path, args, sizes, room=0):
        """Continue in an existing directory.

        `sizes`, from its last checkpoint: file name -> bytes of log and event files then. What was written after that
        checkpoint is cut off, since it will be written again. InputError, and nothing is changed, where the disk has less
        than `room` bytes left.
        """
        _require_room(Path(path), room, 'make room')
        run = cls.__new__(cls)
        run.path, run.args, run.environment = Path(path), plain_arguments(args), environment()
        run.lock = _lock(run.path)
        run._cut(sizes)
        for leftover in run.path.glob('*.partial*'):         # of a life that was killed while it wrote
            leftover.unlink()
        run._record()
        run._open_events()
        print(f'run directory: {run.path} (resumed)')
        return run

    def rewind(self, sizes):
        """Forget, in log and event files, what was written after the checkpoint that holds these `sizes`."""
        self.events.close()
        self._cut(sizes)
        self._open_events()

    def _cut(self, sizes):
        """Cut the growing files to these sizes; a shorter one is told of, but no reason not to go on: the weights are whole."""
        found = {file.name: file.stat().st_size for file in self._growing_files()}
        for name, size in sizes.items():
            if found.get(name, 0) < size:
                print(f'warning: {self.path / in_short(name)} has {found.get(name, 0):,} bytes, and had {size:,} when the last '
                      'checkpoint was written: it was edited, or not copied whole; the run goes on without what is missing')
        for name, size in found.items():
            if name not in sizes:
                (self.path / name).unlink()
            elif sizes[name] < size:
                os.truncate(self.path / name, sizes[name])

    def _record(self):
        """Add this life of the run to run.json."""
        file = self.path / RECORD
        lives = _lives_of(file) if file.exists() else []
        with written_whole(file) as partial:
            partial.write_text(json.dumps([*lives, dict(arguments=self.args, **self.environment)], indent=1) + '\n')

    def _open_events(self):
        self.events = EventFile(self.path)

    def log_line(self, text):
        with open(self.path / 'log.txt', 'a') as log:
            log.write(text + '\n')

    def log_row(self, values):
        self.log_line(''.join(f'{value:.6f}\t' for value in values))

    def scalars(self, values, step):
        """Write a dict tag -> number to the event file."""
        self.events.scalars(values, step)

    def summary(self, summary, step):
        """Write a Summary (images, histograms, ...) to the event file."""
        self.events.summary(summary, step)

    def save(self, name, content):
        """Save a checkpoint that describes itself: arguments and versions travel with the weights."""
        save_checkpoint(self.path / name, dict(content, arguments=self.args, environment=self.environment))

    def save_lifter(self, name, key, lifter, epoch, **figures):
        """Save a lifter alone, as the reference names its weights: `key` is what this trainer calls them."""
        self.save(name, {key: lifter.state_dict(), 'epoch': epoch, **figures})

    def save_last(self, content):
        """Save what --resume needs, once the log and the events up to here are on the disk, safe from a power cut."""
        self.events.flush()
        sizes = {file.name: _synced_size(file) for file in self._growing_files()}
        self.save(LAST, dict(content, sizes=sizes))

    def keep_healthy(self):
        """Keep the last checkpoint, which the coming ones overwrite, as that of the last healthy epoch."""
        save_checkpoint(self.path / HEALTHY, read_checkpoint(self.path / LAST))

    def drop_healthy(self):
        """The last checkpoint is of a healthy epoch again."""
        (self.path / HEALTHY).unlink(missing_ok=True)

    def _growing_files(self):
        return [*self.path.glob('log.txt'), *sorted(self.path.glob(PATTERN))]

    def close(self):
        self.events.close()
        self.lock.release()


def _synced_size(path):
    """Bytes of a file, all of them on the disk."""
    with open(path, 'rb+') as file:
        os.fsync(file.fileno())
        return file.seek(0, os.SEEK_END)


def plain_arguments(args):
    """The arguments as strings, numbers and booleans, without what only this start knows."""
    return {name: str(value) if isinstance(value, Path) else value
            for name, value in sorted(vars(args).items()) if name not in ('explicit', 'resume')}


def environment():
    """Command line, versions, threads and commit: what a run's numbers depend on beside its arguments."""
    return dict(command=' '.join(sys.argv), threads=torch.get_num_threads(), python=platform.python_version(),
                torch=str(torch.__version__), numpy=np.__version__, tensorboardX=tensorboardX.__version__,
                commit=_commit())


def _lives_of(file):
    """What run.json holds; nothing where it is damaged: the record is no reason not to go on."""
    try:
        return json.loads(file.read_text())
    except ValueError:
        return []


def _commit():
    try:
        result = subprocess.run(['git', 'describe', '--always', '--dirty'], cwd=PROJECT_ROOT, capture_output=True,
                                text=True)
    except OSError:
        return ''
    return result.stdout.strip()


def weight_bytes(*networks):
    """What networks take in a checkpoint of their weights alone."""
    return sum(value.nbytes for network in networks for value in network.state_dict().values())


def trained_bytes(*networks):
    """What networks take in a checkpoint that can be resumed: their weights, and Adam's two moments of each."""
    return 3 * weight_bytes(*networks)


def _require_room(folder, num_bytes, advice):
    existing = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(existing).free
    if free < num_bytes:
        raise InputError(f'{existing} has {free / 1e6:,.0f} MB free and the run needs about {num_bytes / 1e6:,.0f}; '
                         f'{advice}')


def _lock(path):
    """Hold the run directory; the system lets go when the process ends, however it ends. InputError where another holds it."""
    lock = FileLock(path / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError(f'{path} is in use by another process, which still trains there; wait for it or stop it'
                         ) from None
    except (OSError, NotImplementedError) as error:
        raise InputError(f'{path} cannot be locked ({error}); permit it or choose another --checkpoint') from None
    return lock


def _make_new(parent, name):
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for number in range(1, 1000):
            path = parent / (name if number == 1 else f'{name}-{number}')
            try:
                path.mkdir()
                return path
            except FileExistsError:
                continue
    except OSError as error:
        raise InputError(f'the run directory {parent / name} cannot be made ({error}); '
                         'choose another --checkpoint') from None
    raise InputError(f'{parent} holds 999 runs named {name}; choose another --note')

"""The directory of a training run: log.txt, event files, checkpoints, and run.json, which records how it was started."""
import os
import platform
import re
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import tensorboardX
import torch
from filelock import FileLock, Timeout

from common.errors import InputError, InUse, in_short
from common.files.paths import PROJECT_ROOT
from utils.runs.checkpoint import HEALTHY, read_checkpoint, save_checkpoint
from utils.runs.events import PATTERN, EventFile
from utils.runs.record import LAST, LOCK, begin_life, end_life, require_last


def baseline_stamp():
    return datetime.now().strftime('%m%d%H%M%S')


def poseaug_stamp():
    return datetime.now().isoformat()


class RunDirectory:
    """A new directory `<checkpoint>/<posenet>/<keypoints>/<stamp>_<note>/`; two runs never write into the same one."""

    def __init__(self, args, stamp, columns, preamble='', room=0):
        """Make the directory with run.json and the head of log.txt: arguments, `preamble`, names of the `columns`.

        `room`: bytes that the run will need. InputError if the directory cannot be made or the disk has less space.
        """
        _require_room(Path(args.checkpoint), room, 'make room or choose another --checkpoint')
        self.path = _make_new(Path(args.checkpoint) / args.posenet_name / args.keypoints, f'{stamp}_{args.note}')
        self.lock = _lock(self.path)
        self.args, self.environment = plain_arguments(args), environment()
        self._record()
        lines = [f'{name}: {value}' for name, value in self.args.items()] + ([preamble] if preamble else [])
        self.log_line('\n'.join(lines))
        self.log_line(''.join(f'{column}\t' for column in columns))
        self.num_columns = len(columns)
        self._open_events()
        print(f'run directory: {self.path}')

    @classmethod
    def reopen(cls, path, args, sizes, room=0):
        """Continue a run in its existing directory.

        `sizes` comes from the last checkpoint: {file name: bytes} of log.txt and the event files when it was saved. These
        files are cut to these sizes, because what followed will be written again. InputError if the disk has less than
        `room` bytes left; nothing is changed then.
        """
        _require_room(Path(path), room, 'make room')
        run = cls.__new__(cls)
        run.path, run.args, run.environment = Path(path), plain_arguments(args), environment()
        run.lock = _lock(run.path)
        run._cut(sizes)
        run.num_columns = _columns_in(run.path / 'log.txt')
        for leftover in run.path.glob('*.partial*'):         # the run was killed while it wrote a file
            leftover.unlink()
        run._record()
        run._open_events()
        print(f'run directory: {run.path} (resumed)')
        return run

    def rewind(self, sizes):
        """Cut log.txt and the event files to `sizes`, from a checkpoint; new events go to a new file. See `reopen`."""
        self.events.close()
        self._cut(sizes)
        self._open_events()

    def _cut(self, sizes):
        """Cut the growing files to these sizes. A file that is shorter only gives a warning: the weights are complete."""
        found = {file.name: file.stat().st_size for file in self._growing_files()}
        for name, size in sizes.items():
            if found.get(name, 0) < size:
                print(f'warning: {self.path / in_short(name)} has {found.get(name, 0):,} bytes but had {size:,} when the '
                      'last checkpoint was written: it was edited or only partly copied; the run continues without the rest')
        for name, size in found.items():
            if name not in sizes:
                (self.path / name).unlink()
            elif sizes[name] < size:
                os.truncate(self.path / name, sizes[name])

    def _record(self):
        """Append this start of the run to run.json."""
        self.life = begin_life(self.path, arguments=self.args, **self.environment)

    def _open_events(self):
        self.events = EventFile(self.path)

    def log_line(self, text):
        with open(self.path / 'log.txt', 'a') as log:
            log.write(text + '\n')

    def log_row(self, values):
        """Write a row of log.txt. If the run was begun when there were fewer columns, the values beyond them are left out."""
        require_last(self.path, self.life)
        self.log_line(''.join(f'{value:.6f}\t' for value in values[:self.num_columns]))

    def scalars(self, values, step):
        """Write `values`, a dict {tag: number}, to the event file."""
        self.events.scalars(values, step)

    def summary(self, summary, step):
        """Write a Summary protobuf (images, histograms, ...) to the event file."""
        self.events.summary(summary, step)

    def save(self, name, content):
        """Save the dict `content` as checkpoint `name`, together with the run's arguments and software versions.

        InUse if another process has continued the run meanwhile.
        """
        require_last(self.path, self.life)
        save_checkpoint(self.path / name, dict(content, arguments=self.args, environment=self.environment))

    def save_lifter(self, name, key, lifter, epoch, **figures):
        """Save only the lifter; `key` is the checkpoint key of its weights, which is another in each trainer."""
        self.save(name, {key: lifter.state_dict(), 'epoch': epoch, **figures})

    def save_last(self, content):
        """Sync the log and the events to the disk, then save the checkpoint for --resume with their sizes."""
        self.events.flush()
        sizes = {file.name: _synced_size(file) for file in self._growing_files()}
        self.save(LAST, dict(content, sizes=sizes))

    def keep_healthy(self):
        """Copy the last checkpoint, which the next ones will overwrite, as the checkpoint of the last healthy epoch."""
        require_last(self.path, self.life)
        save_checkpoint(self.path / HEALTHY, read_checkpoint(self.path / LAST))

    def drop_healthy(self):
        """Delete that copy: the last checkpoint comes from a healthy epoch again."""
        (self.path / HEALTHY).unlink(missing_ok=True)

    def _growing_files(self):
        return [*self.path.glob('log.txt'), *sorted(self.path.glob(PATTERN))]

    def finish(self):
        """Close the run, and note in run.json that it is complete."""
        self.events.flush()
        end_life(self.path, self.life)
        self.close()

    def close(self):
        self.events.close()
        self.lock.release()


def _columns_in(log):
    """The number of columns of log.txt, from its line of their names; None without one."""
    heads = re.findall(r'^epoch\t.*$', log.read_text(errors='replace'), re.MULTILINE) if log.exists() else []
    return heads[-1].count('\t') if heads else None


def _synced_size(path):
    """Sync the file to the disk; returns its size in bytes."""
    with open(path, 'rb+') as file:
        os.fsync(file.fileno())
        return file.seek(0, os.SEEK_END)


def plain_arguments(args):
    """The arguments as a dict of strings, numbers and booleans, without those that only concern this start."""
    return {name: str(value) if isinstance(value, Path) else value
            for name, value in sorted(vars(args).items()) if name not in ('explicit', 'resume')}


def environment():
    """Dict of what a run's results depend on besides its arguments: command line, versions, threads, git commit."""
    return dict(command=' '.join(sys.argv), threads=torch.get_num_threads(), python=platform.python_version(),
                torch=str(torch.__version__), numpy=np.__version__, tensorboardX=tensorboardX.__version__,
                commit=_commit())


def _commit():
    try:
        result = subprocess.run(['git', 'describe', '--always', '--dirty'], cwd=PROJECT_ROOT, capture_output=True,
                                text=True)
    except OSError:
        return ''
    return result.stdout.strip()


def weight_bytes(*networks):
    """Bytes of a checkpoint with only the weights of these networks."""
    return sum(value.nbytes for network in networks for value in network.state_dict().values())


def trained_bytes(*networks):
    """Bytes of a checkpoint to resume from: the weights of these networks and Adam's two moments of each weight."""
    return 3 * weight_bytes(*networks)


def _require_room(folder, num_bytes, advice):
    existing = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(existing).free
    if free < num_bytes:
        raise InputError(f'{existing} has {free / 1e6:,.0f} MB free but the run needs about {num_bytes / 1e6:,.0f}; '
                         f'{advice}')


def _lock(path):
    """Lock the run directory until the process ends, in any way. InUse if another process holds the lock."""
    lock = FileLock(path / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InUse(f'{path} is in use by another process that is still training; wait for it or stop it') from None
    except (OSError, NotImplementedError) as error:
        raise InputError(f'{path} cannot be locked ({error}); check its permissions or choose another --checkpoint') from None
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

"""One start of a job's command: a process with its own log and device, that dies with the process which started it."""
import os
import signal
import subprocess
import sys
import time
from typing import NamedTuple

from filelock import FileLock, Timeout

from common.errors import InUse
from utils.runs.record import LAST, LOCK, RECORD

OUTPUT = 'output.txt'
PATIENCE = 60      # seconds in which a trainer must obey SIGTERM
# Run by the interpreter before the command. On Linux the kernel then kills the command when its parent dies, in any way.
LEASH = '''
import ctypes, os, signal, sys
if sys.platform == 'linux':
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != int(sys.argv[1]):
        sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
'''


class Ended(NamedTuple):
    """How a start of a job ended: its exit code (0: the run is finished; below 0: killed by that signal), and why.

    `elsewhere`: it was not started, because another process runs this job.
    """
    code: int
    why: str = ''
    elsewhere: bool = False


class Life:
    """A job that is being run by this process. It holds the job's lock until it has ended."""

    def __init__(self, job, device=''):
        """Start the job, unless it is finished or runs elsewhere. `device`: what the command sees of the machine's GPUs."""
        self.job, self.over, self.lock = job, None, FileLock(job.folder / LOCK)
        job.folder.mkdir(parents=True, exist_ok=True)
        try:
            self.lock.acquire(timeout=0)
        except Timeout:
            self.over = Ended(InUse.exit_code, f'{job.folder} is in use by another process', elsewhere=True)
            return
        if job.finished:
            self._end(Ended(0))
        else:
            self._start(device)

    def _start(self, device):
        if busy := set_stillborn_aside(self.job):
            return self._end(Ended(InUse.exit_code, f'{busy} is in use by another process'))
        command = self.job.command()
        with open(self.job.folder / OUTPUT, 'ab') as output:
            output.write(f'{time.strftime("%F %T")} $ {" ".join(command)}\n'.encode())
            output.flush()
            self.mark = output.tell()
            self.process = subprocess.Popen([sys.executable, '-c', LEASH, str(os.getpid()), *command], cwd=self.job.cwd,
                                            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                            env=environment(self.job, device), start_new_session=True)

    def _end(self, ended):
        self.over = ended
        self.lock.release()

    def ended(self):
        """The Ended of this start; None while it lasts."""
        if self.over is None and (code := self.process.poll()) is not None:
            code = 1 if code == 0 and not self.job.finished else code
            self._end(Ended(code, self.said() if code else ''))
        return self.over

    def said(self):
        """The last lines that the command printed."""
        with open(self.job.folder / OUTPUT, 'rb') as output:
            output.seek(self.mark)
            return '\n'.join(output.read().decode(errors='replace').replace('\r', '\n').splitlines()[-10:])


def environment(job, device):
    """The environment of the job's command: as many threads as it has cores, on whichever machine; one GPU."""
    threads = dict.fromkeys(('OMP_NUM_THREADS', 'MKL_NUM_THREADS'), str(job.cpus))
    return {**os.environ, **threads, **({'CUDA_VISIBLE_DEVICES': device} if device else {})}


def set_stillborn_aside(job):
    """Rename the directories of runs that were killed before their first checkpoint, which cannot be continued.

    Returns the directory of one that still lives, or None.
    """
    for record in job.folder.glob(f'*/{RECORD}'):
        run = record.parent
        if run.suffix != '.stillborn' and not (run / LAST).exists():
            try:
                with FileLock(run / LOCK, timeout=0):
                    run.rename(run.with_name(f'{run.name}.stillborn'))
            except Timeout:
                return run
    return None


def stop(lives):
    """End all of the lives: SIGTERM, which a trainer obeys after the step at hand, and SIGKILL if it does not."""
    going = [life for life in lives if life.ended() is None]
    for life in going:
        life.process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while any(life.ended() is None for life in going):
        if time.monotonic() > deadline:
            for life in going:
                life.process.kill()
        time.sleep(.05)


def begin_and_wait(job, device=''):
    """Run the job here to its end; returns the Ended."""
    life = Life(job, device)
    while life.ended() is None:
        time.sleep(.2)
    return life.ended()

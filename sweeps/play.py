"""Runs the jobs of a sweep to their end, in whichever place, and decides what is tried again.

What is done lies in the jobs' folders alone, so this may be killed at any moment, and started again.
"""
import time
from collections import Counter

from common.errors import InUse
from sweeps import lives
from sweeps.lives import Ended, Life
from utils import interrupts

TICK = .2                 # seconds between two looks at the jobs
LONGEST_WAIT = 120        # seconds before another try; an NFS server keeps the lock of a dead machine for 90
ELSEWHERE_WAIT = 10       # seconds before another look at a job that another process runs
# killed by a signal, stopped by Ctrl-C or SIGTERM, directory in use; the codes above 128 also as a shell reports them
AGAIN = (InUse.exit_code, 130, 137, 143)


class Here:
    """This machine: jobs side by side, each new one on the GPU that has the fewest."""

    def __init__(self, slots, gpus=()):
        self.slots, self.gpus, self.begun = slots, gpus, []

    def has_room(self):
        return len(self._going()) < self.slots

    def start(self, job, crowd=1):
        self.begun = self._going()
        busy = Counter(gpu for _, gpu in self.begun)
        gpu = min(self.gpus, key=busy.__getitem__, default='')
        self.begun.append((Life(job, gpu), gpu))
        return self.begun[-1][0]

    def _going(self):
        return [(life, gpu) for life, gpu in self.begun if life.ended() is None]

    def stop(self):
        lives.stop([life for life, _ in self.begun])


class Play:
    """The state of a sweep that is being run. `place`: Here, or Cluster of sweeps/on_ray.py."""

    def __init__(self, jobs, place, retries, screen, patient=True):
        """`retries`: how often a job that was killed is started again. `patient`: wait for jobs that run elsewhere."""
        self.jobs, self.place, self.retries, self.screen, self.patient = jobs, place, retries, screen, patient
        self.waiting = [job for job in jobs if not job.finished]
        self.unfinished = {*self.waiting}
        self.running, self.failed, self.tries, self.not_before = {}, {}, Counter(), {}

    @interrupts.after_the_step()
    def to_the_end(self):
        """Run all jobs; returns {job: Ended} of those that failed. Stopped after SIGTERM or Ctrl-C, with no job running."""
        try:
            while self.waiting or self.running:
                interrupts.obey()
                self._start()
                self._collect()
                self.screen.show(self.jobs, self.running, len(self.failed))
                time.sleep(TICK)
            self.screen.show(self.jobs, self.running, len(self.failed), now=True)
        finally:
            self.place.stop()
        return self.failed

    def _start(self):
        for job in [job for job in self.waiting if job.needs in self.failed]:
            self.waiting.remove(job)
            self._fail(job, Ended(self.failed[job.needs].code, f'not started, because this failed: {job.needs}'))
        ready = [job for job in self.waiting if self._may_begin(job)]
        crowd = len(self.running) + len(ready)
        for job in ready:
            if self.place.has_room():
                self.waiting.remove(job)
                self.running[job] = self.place.start(job, crowd)

    def _may_begin(self, job):
        return job.needs not in self.unfinished and time.monotonic() >= self.not_before.get(job, 0)

    def _collect(self):
        for job, life in [*self.running.items()]:
            if ended := life.ended():
                del self.running[job]
                self._judge(job, ended)

    def _judge(self, job, ended):
        """Decide what follows from the end of a job's start: nothing, another start, or failure."""
        if ended.code == 0:
            self.unfinished.remove(job)
            self.screen.tell(f'finished: {job}\n{indented(ended.why)}')
        elif ended.elsewhere and self.patient:
            self._again(job, ELSEWHERE_WAIT)
        elif not ended.elsewhere and (ended.code < 0 or ended.code in AGAIN) and self.tries[job] < self.retries:
            wait = min(2 ** self.tries[job], LONGEST_WAIT)
            self.tries[job] += 1
            self._again(job, wait)
            starts = f'start {self.tries[job] + 1} of at most {self.retries + 1}'
            self.screen.tell(f'stopped: {job}: code {ended.code} after epoch {job.epochs_done()}; {starts} follows\n'
                             f'{indented(ended.why)}')
        else:
            self._fail(job, ended)

    def _again(self, job, wait):
        self.waiting.append(job)
        self.waiting.sort(key=self.jobs.index)
        self.not_before[job] = time.monotonic() + wait

    def _fail(self, job, ended):
        self.failed[job] = ended
        self.screen.tell(f'failed: {job}: code {ended.code}\n{indented(ended.why)}')


def indented(text):
    return '\n'.join(f'    {line}' for line in text.splitlines())

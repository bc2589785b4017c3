"""What a sweep shows while it runs: on a terminal a bar of all epochs and one for each running job; else lines."""
import sys
import time

from tqdm import tqdm

FORM = '{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} epochs{postfix}'


class Screen:
    """`every`: seconds between two looks at the jobs' logs, on a terminal; ten times as many between two lines elsewhere."""

    def __init__(self, every=1.):
        self.is_terminal = sys.stderr.isatty()
        self.every, self.next, self.bars = every if self.is_terminal else 10 * every, 0., {}

    def tell(self, text):
        """Print a text above the bars."""
        tqdm.write(f'{time.strftime("%H:%M:%S")} {text}'.rstrip(), file=sys.stdout)
        sys.stdout.flush()

    def show(self, jobs, running, num_failed, now=False):
        """Show how far the jobs are; unless `now`, does nothing if they were shown a short while ago."""
        if time.monotonic() < self.next and not now:
            return
        self.next = time.monotonic() + self.every
        done = {job: job.epochs_done() for job in jobs}
        finished = sum(job.finished for job in jobs)
        summary = f'{finished} of {len(jobs)} jobs finished' + f', {num_failed} failed' * (num_failed > 0)
        if self.is_terminal:
            self._draw(jobs, running, done, summary)
        else:
            self.tell('; '.join([summary, *(f'{job}: {done[job]}/{job.epochs} epochs' for job in running)]))

    def _draw(self, jobs, running, done, summary):
        rows = {'sweep': (sum(done.values()), sum(job.epochs for job in jobs), summary)}
        rows |= {str(job): (done[job], job.epochs, '') for job in running}
        for name in self.bars.keys() - rows.keys():
            self.bars.pop(name).close()
        for name, (epochs, total, note) in rows.items():
            bar = self.bars.get(name) or tqdm(total=total, desc=name, bar_format=FORM, leave=name == 'sweep')
            self.bars[name] = bar
            bar.n = epochs
            bar.set_postfix_str(note)

    def close(self):
        for bar in self.bars.values():
            bar.close()

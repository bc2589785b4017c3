"""Scalars that stay on the device until they are worth a look."""
import torch

from common.errors import Diverged


class ScalarLog:
    """Collects dicts of 0-d tensors; every `flush_every` additions they cross to the host in one copy and are written.

    `write(figures, step)` takes a dict of numbers. Raises Diverged where one is not finite, naming tag and iteration.
    """

    def __init__(self, write, flush_every, what):
        self.write, self.flush_every, self.what = write, flush_every, what
        self.rows = []

    def add(self, figures, step):
        self.rows.append((tuple(figures), torch.stack([value.float() for value in figures.values()]), step))
        if len(self.rows) >= self.flush_every:
            self.flush()

    def flush(self):
        """Write what was collected, in order, and forget it. Waits for the device; raises Diverged."""
        if not self.rows:
            return
        numbers = iter(torch.cat([values for _, values, _ in self.rows]).tolist())
        for tags, _, step in self.rows:
            figures = {tag: next(numbers) for tag in tags}
            for tag, value in figures.items():
                if value - value != 0:   # NaN or infinite
                    raise Diverged(f'{self.what}, iteration {step}: {tag} is {value}; the last checkpoint is still '
                                   'good: lower the learning rates or choose another --random_seed')
            self.write(figures, step)
        self.rows = []

"""Scalars for the log that stay on the device until a batch of them is copied to the host."""
import torch

from common.errors import Diverged


class ScalarLog:
    """Collects dicts {tag: 0-d tensor}, and copies every `flush_every` of them to the host at once to be written.

    `write(figures, step)` gets a dict of numbers; `what` names the training phase in errors. Raises Diverged, with tag
    and iteration, if a number is not finite.
    """

    def __init__(self, write, flush_every, what):
        self.write, self.flush_every, self.what = write, flush_every, what
        self.rows = []

    def add(self, figures, step):
        """Collect `figures`, {tag: 0-d tensor}, of the iteration `step`; may flush and raise Diverged."""
        self.rows.append((tuple(figures), torch.stack([value.float() for value in figures.values()]), step))
        if len(self.rows) >= self.flush_every:
            self.flush()

    def flush(self):
        """Write everything collected so far, in order. Waits for the device; raises Diverged."""
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

"""The learning rate of each step of the baseline's training (--schedule)."""
import math

from utils.gradients import set_learning_rate


class StepDecay:
    """SimpleBaseline's schedule: lr * gamma^(step / decay), set at step 1 and at every multiple of `decay`."""

    def __init__(self, optimizer, lr, gamma, decay):
        self.optimizer, self.initial, self.gamma, self.decay = optimizer, lr, gamma, decay
        self.step, self.lr = 0, lr

    def advance(self):
        """Called before each optimizer step."""
        self.step += 1
        if self.step == 1 or self.step % self.decay == 0:
            self.lr = self.initial * self.gamma ** (self.step / self.decay)
            set_learning_rate(self.optimizer, self.lr)

    def state_dict(self):
        return dict(step=self.step, lr=self.lr)

    def load_state_dict(self, state):
        self.step, self.lr = state['step'], state['lr']


class CosineDecay(StepDecay):
    """The learning rate falls to zero along half a cosine over `steps` steps; not in the paper."""

    def __init__(self, optimizer, lr, steps):
        super().__init__(optimizer, lr, gamma=1, decay=1)
        self.steps = steps

    def advance(self):
        self.step += 1
        self.lr = self.initial * (1 + math.cos(math.pi * min(self.step / self.steps, 1))) / 2
        set_learning_rate(self.optimizer, self.lr)


def schedule_of(args, optimizer, num_poses):
    """The schedule of --schedule for an optimizer that takes all batches of `num_poses` poses in each epoch."""
    if args.schedule == 'cosine':
        return CosineDecay(optimizer, args.lr, args.epochs * math.ceil(num_poses / args.batch_size))
    return StepDecay(optimizer, args.lr, args.lr_gamma, args.lr_decay)

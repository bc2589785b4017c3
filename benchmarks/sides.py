"""The two sides that benchmarks/side_by_side.py compares; their methods do `n` units of a part of training.

A unit is one batch of `batch_size` poses, or one iteration on such batches. `Ours` calls the functions that the scripts
use; `Plain` does the same with benchmarks/plain_loop.py, starting from the same weights.
"""
from itertools import cycle, islice

import numpy as np
import torch

from benchmarks import plain_loop
from common.bones import bone_length_templates
from common.camera import root_relative
from function_baseline.batches import shuffled_batches
from function_baseline.evaluate import evaluate, per_pose_errors
from function_baseline.train import train_lifter
from function_poseaug.adversarial import FLUSH_EVERY, AdversarialEpoch, adversarial_epoch
from function_poseaug.arguments import feedback_terms, loss_weights, poseaug_parser
from function_poseaug.refresh import swapped_bones
from function_poseaug.steps import Game, GameOptimizers, Pools
from models_baseline import build_lifter
from models_poseaug.augmentor import Augmentor
from models_poseaug.discriminator import Discriminator2D, Discriminator3D
from models_poseaug.replay_pool import ReplayPool
from utils.device import KEPT_MEMORY
from utils.gradients import adam
from utils.runs.scalar_log import ScalarLog
from utils.seeding import generator, seed_everything

RECIPES = dict(gcn=(4, 0.), mlp=(2, .25), stgcn=(4, 0.), videopose=(4, .25))    # stages, dropout of the PoseAug runs
EPOCH, SEED = 3, 0      # the first epoch whose loss includes the feedback
PUBLISHED = poseaug_parser('').parse_args([])


def part_of(poses, start, count):
    """PoseSet of `count` consecutive poses of `poses`, from `start`."""
    return poses.each(lambda values: values[start:start + count])


def new_game(name, device):
    """A Game with newly initialised networks, as at the start of a PoseAug run with the lifter `name`."""
    seed_everything(SEED)
    networks = Augmentor(), Discriminator3D(), Discriminator2D(), build_lifter(name, *RECIPES[name])
    return Game(*(network.to(device) for network in networks))


class Ours:
    """The training of this project, on parts of the PoseSets `training` and `test`, which are on the device.

    `write(figures, step)` writes the log of an iteration, as for ScalarLog. `graphs`: see Replayed.
    """

    malloc = KEPT_MEMORY        # settings of the C library's memory in the turns of this side

    def __init__(self, game, training, test, batch_size, write, graphs=True):
        self.device = training.device
        self.game, self.training, self.test, self.size, self.write = game, training, test, batch_size, write
        self.graphs = graphs
        self.optimizers = GameOptimizers(*(adam(network, 1e-4) for network in game[:3]))
        self.lifter_optimizer = adam(game.lifter, 1e-4)
        self.pools = Pools(ReplayPool((16, 3)).to(self.device), ReplayPool((16, 2)).to(self.device))
        self.draws = generator(self.device, SEED, EPOCH, 'benchmark')
        self.order = cycle(shuffled_batches(len(training), batch_size, self.draws))
        self.templates = bone_length_templates(training.pose3d_cam.cpu(), training.subject.cpu())
        self.iteration, self.place, self.played, self.kept = 0, 0, 0, 0
        self.pool(plain_loop.PlainPool().capacity // batch_size + 1)

    def batch(self, n):
        """Fetch training batches."""
        for index in islice(self.order, n):
            self.training.take(index, self.device)

    def gan(self, n):
        """Adversarial iterations with batches and log; the discriminators are updated in every second one."""
        return self.play(self._some(n))

    def play(self, poses):
        """One adversarial epoch on a PoseSet; returns its FakePairs."""
        log = ScalarLog(self.write, FLUSH_EVERY, what='the benchmark')
        fakes, self.iteration = adversarial_epoch(self.game, self.optimizers, self.pools, poses, self.settings(), log,
                                                  lambda *_: None)
        self.played, self.kept = self.played + len(poses), self.kept + len(fakes.pose2d)
        return fakes

    def settings(self):
        """The AdversarialEpoch with the published settings, for an epoch after the warm-up."""
        return AdversarialEpoch(EPOCH, self.iteration, self.size, PUBLISHED.df, SEED, False, loss_weights(PUBLISHED),
                                feedback_terms(PUBLISHED, EPOCH), self.graphs)

    def lifter(self, n):
        """Supervised steps on real pairs."""
        self._train(list(islice(self.order, n)), self._real)

    def evaluate(self, n):
        """Errors (MPJPE and P-MPJPE) of each pose in batches of the test set."""
        return per_pose_errors(self.game.lifter, part_of(self.test, 0, n * self.size), self.device, flip=False)

    def refresh(self, n):
        """Poses with new bone lengths, and their projections."""
        return swapped_bones(self._some(n), self.templates, self.draws)

    def pool(self, n):
        """Exchange a batch with each of the two replay pools."""
        for start in range(0, n * self.size, self.size):
            batch = part_of(self.training, start % len(self.training), self.size)
            self.pools.fake3d.exchange(batch.pose3d_cam, self.draws)
            self.pools.fake2d.exchange(batch.pose2d, self.draws)

    def epoch(self):
        """A whole PoseAug epoch after the warm-up: refresh, GAN, lifter on fake and real pairs, two evaluations."""
        fakes = self.play(swapped_bones(self.training, self.templates, self.draws))
        self._train(shuffled_batches(len(fakes.pose2d), self.size, self.draws),
                    lambda index: (fakes.pose2d[index], fakes.pose3d_rel[index]))
        evaluate(self.game.lifter, self.test, self.device, flip=False)
        self._train(shuffled_batches(len(self.training), self.size, self.draws), self._real)
        evaluate(self.game.lifter, self.test, self.device, flip=False)

    def _some(self, n):
        """PoseSet of the next `n` batches of training poses."""
        count = n * self.size
        self.place = self.place if self.place + count <= len(self.training) else 0
        self.place += count
        return part_of(self.training, self.place - count, count)

    def _train(self, batches, take):
        train_lifter(self.game.lifter, self.lifter_optimizer, batches, take, task='benchmark', graphs=self.graphs)

    def _real(self, index):
        batch = self.training.take(index, self.device)
        return batch.pose2d, root_relative(batch.pose3d_cam)


class Plain:
    """The plain implementation, with the weights of `game` and the same methods; `training` and `test` are on the CPU."""

    malloc = plain_loop.MALLOC

    def __init__(self, name, game, training, test, batch_size, writer, workers):
        self.device, self.size, self.workers = next(game.lifter.parameters()).device, batch_size, workers
        players, optimizers = plain_loop.plain_game(game, name, *RECIPES[name])
        self.play = plain_loop.PlainGan(players, optimizers, writer, loss_weights(PUBLISHED),
                                        feedback_terms(PUBLISHED, EPOCH), PUBLISHED.df)
        self.model = players.lifter
        self.lifter_optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-4)
        self.templates = bone_length_templates(training.pose3d_cam, training.subject)
        self.training, self.test = plain_loop.plain_poses(training), plain_loop.plain_poses(test)
        self.loaders = [self._endless(self.training) for _ in range(3)]
        self.test_batches = self._endless(self.test)
        self.pool(self.play.pool3d.capacity // batch_size + 1)

    def batch(self, n):
        for batch in islice(self.loaders[0], n):
            self._moved(batch)

    def gan(self, n):
        for batches in islice(zip(*self.loaders), n):
            self.play.play([self._moved(batch) for batch in batches])
        self.play.kept3d.clear()
        self.play.kept2d.clear()

    def lifter(self, n):
        self._train(islice(self.loaders[0], n))

    def evaluate(self, n):
        return plain_loop.evaluate(self.model, islice(self.test_batches, n), self.device)

    def refresh(self, n):
        return plain_loop.swapped_bones(islice(self.loaders[0], n), self.templates, self.device)

    def pool(self, n):
        for start in range(0, n * self.size, self.size):
            at = start % len(self.training)
            for pool, array in ((self.play.pool3d, self.training.pose3d_cam), (self.play.pool2d, self.training.pose2d)):
                pool.exchange(torch.from_numpy(array[at:at + self.size]).to(self.device))

    def epoch(self):
        swapped = plain_loop.swapped_bones(self._loader(self.training), self.templates, self.device)
        for batches in zip(*(self._loader(swapped) for _ in range(3))):
            self.play.play([self._moved(batch) for batch in batches])
        fakes3d, fakes2d = np.concatenate(self.play.kept3d), np.concatenate(self.play.kept2d)
        fakes = plain_loop.PlainPoses(fakes3d, fakes2d, np.zeros((len(fakes2d), 9), np.float32))
        for pairs in (fakes, self.training):
            self._train(self._loader(pairs))
            plain_loop.evaluate(self.model, self._loader(self.test), self.device)

    def _train(self, batches):
        for pose3d, pose2d, _ in map(self._moved, batches):
            plain_loop.lifter_step(self.model, self.lifter_optimizer, pose2d, pose3d)

    def _moved(self, batch):
        return [tensor.to(self.device) for tensor in batch]

    def _loader(self, dataset, keep_workers=False):
        return plain_loop.loader(dataset, self.size, workers=self.workers, keep_workers=keep_workers)

    def _endless(self, dataset):
        """Yield the batches of epoch after epoch with the same workers.

        Epochs are short here: starting new workers for each would take too large a share of the time, also because of
        the memory pages that are copied after a fork.
        """
        loader = self._loader(dataset, keep_workers=True)
        while True:
            yield from loader

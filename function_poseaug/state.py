"""Everything that changes while PoseAug trains: its networks, pools, optimizers, counts and scores, saved and loaded whole."""
from common.errors import InputError
from common.skeleton import H36M_16
from function_baseline.arguments import NO_NOTE
from function_baseline.held_out import NO_SCORE
from function_baseline.start import starting_lifter
from function_poseaug.steps import Game, GameOptimizers, Pools
from models_baseline.temporal import is_temporal
from models_poseaug.augmentor import Augmentor
from models_poseaug.clip_discriminators import FRAMES, clip_discriminators
from models_poseaug.discriminator import KCS_FORMS, Discriminator2D, Discriminator3D
from models_poseaug.replay_pool import ReplayPool
from utils.gradients import adam, set_learning_rate
from utils.runs.checkpoint import POSEAUG_KEY, load_adam, load_network, take_over
from utils.runs.run_directory import trained_bytes, weight_bytes
from utils.seeding import seed_everything

ITERATION_BYTES, EPOCH_BYTES = 3000, 250_000     # in the event file, for an iteration's figures and an epoch's pictures
# the scores for which the best checkpoint is kept, in the order of scores.columns
BEST = ('h36m_p1', 'h36m_p2', 'dhp_p1', 'dhp_p2')


class PoseAugState:
    """Everything that changes while PoseAug trains."""

    def __init__(self, args, device, skeleton=H36M_16):
        """Create the networks. The name and stages of a pretrained lifter are written into `args`."""
        seed_everything(args.random_seed)
        self.skeleton = skeleton
        lifter = starting_lifter(args, wants_pretrained(args), skeleton)
        networks = *self._new_players(args, lifter), lifter
        self.game = Game(*(network.to(device) for network in networks))
        self.optimizers = GameOptimizers(adam(self.game.augmentor, args.lr_g), adam(self.game.critic3d, args.lr_d),
                                         adam(self.game.critic2d, args.lr_d))
        self.lifter_optimizer = adam(self.game.lifter, args.lr_p)
        clip = (FRAMES,) if is_temporal(lifter) else ()
        self.pools = Pools(*(ReplayPool((*clip, skeleton.num_joints, size)).to(device) for size in (3, 2)))
        self.epoch, self.iteration, self.restarts = 0, 0, 0
        self.round = 0      # of the game in this epoch (function_poseaug/warmup.py)
        self.signs = ''     # signs of a collapse in this epoch; empty if it was healthy
        self.best = dict.fromkeys(BEST, float('inf'))
        self.best_held_out = NO_SCORE
        self.epoch0_scores = None     # PoseAug: the log rows of the warm-up repeat them

    def _new_players(self, args, lifter):
        """A new augmentor and new discriminators. The 2D discriminator starts with the same weights whatever --kcs says."""
        augmentor = Augmentor(args.blr_tanhlimit, self.skeleton, args.augment)
        critic3d, critic2d = self._critics(KCS_FORMS[0], lifter)
        return augmentor, critic3d if args.kcs == KCS_FORMS[0] else self._critics(args.kcs, lifter)[0], critic2d

    def _critics(self, kcs, lifter):
        """New discriminators, of clips for a temporal lifter."""
        if is_temporal(lifter):
            return clip_discriminators(self.skeleton, kcs, lifter)
        return Discriminator3D(self.skeleton, kcs), Discriminator2D(self.skeleton)

    @property
    def parts(self):
        """Networks, pools and optimizers by their keys in a checkpoint."""
        return {POSEAUG_KEY: self.game.lifter, 'model_g': self.game.augmentor, 'model_d3d': self.game.critic3d,
                'model_d2d': self.game.critic2d, 'pool_3d': self.pools.fake3d, 'pool_2d': self.pools.fake2d,
                'optimizer_p': self.lifter_optimizer, 'optimizer_g': self.optimizers.augmentor,
                'optimizer_d3d': self.optimizers.critic3d, 'optimizer_d2d': self.optimizers.critic2d}

    def state_dict(self):
        own = dict(epoch=self.epoch, iteration=self.iteration, restarts=self.restarts, signs=self.signs, best=self.best,
                   best_held_out=self.best_held_out, epoch0_scores=self.epoch0_scores)
        return {**own, **{name: part.state_dict() for name, part in self.parts.items()}}

    def load_state_dict(self, state):
        """Load the result of `state_dict` in place. ValueError, KeyError and the like if `state` holds anything else."""
        if is_temporal(self.game.lifter) and 'pose_layer_1.weight' in state['model_d2d']:      # those of single poses
            raise InputError('--resume: this run was begun with an earlier form of the discriminators for clips, which judged '
                             'single poses, and cannot be continued; start a new one from the same baseline (--pretrain_path)')
        for name, part in self.parts.items():
            load = load_adam if name.startswith('optimizer') else load_network
            load(part, state[name])
        self.epoch, self.iteration, self.restarts = state['epoch'], state['iteration'], state.get('restarts', 0)
        self.signs, self.best, self.epoch0_scores = state.get('signs', ''), dict(state['best']), tuple(state['epoch0_scores'])
        self.best_held_out = state.get('best_held_out', NO_SCORE)
        self._require_sound()

    def _require_sound(self):
        """ValueError unless the counts and figures just loaded have possible values."""
        counts = [(self.iteration, 1 << 40), (self.restarts, 1 << 31),
                  *((pool.count, len(pool.items)) for pool in self.pools)]
        figures = [*self.best.values(), *self.epoch0_scores, self.best_held_out]
        if not (all(type(count) is int and 0 <= count <= most for count, most in counts) and isinstance(self.signs, str)
                and self.best.keys() == set(BEST) and len(self.epoch0_scores) >= len(BEST)
                and all(type(figure) is float and figure == figure for figure in figures)):      # no NaN
            raise ValueError('its iteration, restarts, signs, scores or replay pool counts are damaged')

    def schedule(self, args):
        """Set every learning rate to its initial value * (1 - k / (epochs + 1)) after k epochs, including the warm-up.

        Each restart after the first divides the rates of augmentor and discriminators by ten.
        """
        factor = 1 - self.epoch / (args.epochs + 1)
        players = .1 ** max(0, self.restarts - 1)
        initial_rates = args.lr_g * players, args.lr_d * players, args.lr_d * players, args.lr_p
        for optimizer, initial in zip((*self.optimizers, self.lifter_optimizer), initial_rates):
            set_learning_rate(optimizer, initial * factor)

    def seed(self, args):
        """The seed of all random numbers of an epoch. It changes with each restart, and each further round of an epoch."""
        changes = ''.join(f' {name} {number}' for name, number in (('restart', self.restarts), ('round', self.round)) if number)
        return f'{args.random_seed}{changes}' if changes else args.random_seed

    def restart(self, content, args, path):
        """Go back to the `content` of the checkpoint `path` with other random numbers.

        If that is the state before the first epoch, augmentor and discriminators are initialised anew too. InputError if
        the content does not fit this run.
        """
        restarts = self.restarts + 1
        take_over(self, content, path)
        self.restarts, self.round, self.signs = restarts, 0, ''
        if self.epoch == 0:
            seed_everything(self.seed(args))
            for player, fresh in zip(self.game, self._new_players(args, self.game.lifter)):
                player.load_state_dict(fresh.state_dict())
        self.schedule(args)


def wants_pretrained(args):
    """Whether the run starts from a pretrained lifter; prints a warning if not.

    PoseAug: with the default note 'debug' it does not, unless --pretrain_path names a lifter.
    """
    if args.pretrain and (args.note != NO_NOTE or args.pretrain_path):
        return True
    why = '--pretrain false' if not args.pretrain else f'because --note is {NO_NOTE}, the default; give another note'
    if not args.resume:
        print(f'warning: the lifter starts untrained ({why})')
    return False


def room(state, args, iterations):
    """Disk space in bytes that the run still needs: for the last checkpoint and its successor, which is written before the
    old one is replaced; the checkpoint of the last healthy epoch; copies of the lifter; and the event files.
    """
    epochs = args.epochs - state.epoch
    copies = len(BEST) + args.keep_snapshots * (epochs // args.snapshot + 1)
    pools = sum(pool.items.nbytes for pool in state.pools)
    return bool(epochs) * (3 * (trained_bytes(*state.game) + pools) + copies * weight_bytes(state.game.lifter)
                           + (ITERATION_BYTES * iterations + EPOCH_BYTES) * epochs)

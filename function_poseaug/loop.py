"""PoseAug's outer loop: swap bone lengths, play the game, train the lifter on fake and real pairs, evaluate, schedule."""
from common.camera import project
from common.errors import Diverged
from common.skeleton import H36M_16
from function_baseline import scores
from function_baseline.arguments import NO_NOTE
from function_baseline.batches import shuffled_batches
from function_baseline.dashboard import end_summary, start_summary
from function_baseline.start import starting_lifter
from function_baseline.train import supervised_pairs, train_lifter
from function_poseaug import dashboard
from function_poseaug.adversarial import FLUSH_EVERY, AdversarialEpoch, adversarial_epoch
from function_poseaug.arguments import feedback_terms, loss_weights
from function_poseaug.monitor import Collapsed, GameMonitor
from function_poseaug.refresh import swapped_bones, templates_for
from function_poseaug.restarts import go_back, heed, keep_last
from function_poseaug.steps import Game, GameOptimizers, Pools
from models_poseaug.augmentor import Augmentor
from models_poseaug.discriminator import Discriminator2D, Discriminator3D
from models_poseaug.replay_pool import ReplayPool
from utils import interrupts
from utils.gradients import adam, set_learning_rate
from utils.pictures.drawing import save_augmentation
from utils.runs.checkpoint import POSEAUG_KEY, load_adam, load_network, snapshot_name, take_over
from utils.runs.run_directory import RunDirectory, poseaug_stamp, trained_bytes, weight_bytes
from utils.runs.scalar_log import ScalarLog
from utils.runs.score_names import SCORE_COLUMNS
from utils.seeding import generator, seed_everything

COLUMNS = ('epoch', 'lr') + SCORE_COLUMNS
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
        networks = *self._new_players(args), lifter
        self.game = Game(*(network.to(device) for network in networks))
        self.optimizers = GameOptimizers(adam(self.game.augmentor, args.lr_g), adam(self.game.critic3d, args.lr_d),
                                         adam(self.game.critic2d, args.lr_d))
        self.lifter_optimizer = adam(self.game.lifter, args.lr_p)
        self.pools = Pools(*(ReplayPool((skeleton.num_joints, dimensions)).to(device) for dimensions in (3, 2)))
        self.epoch, self.iteration, self.restarts = 0, 0, 0
        self.signs = ''     # signs of a collapse in this epoch; empty if it was healthy
        self.best = dict.fromkeys(BEST, float('inf'))
        self.epoch0_scores = None     # PoseAug: the log rows of the warm-up repeat them

    def _new_players(self, args):
        """A new augmentor and new discriminators."""
        return (Augmentor(args.blr_tanhlimit, self.skeleton), Discriminator3D(self.skeleton),
                Discriminator2D(self.skeleton))

    @property
    def parts(self):
        """Networks, pools and optimizers by their keys in a checkpoint."""
        return {POSEAUG_KEY: self.game.lifter, 'model_g': self.game.augmentor, 'model_d3d': self.game.critic3d,
                'model_d2d': self.game.critic2d, 'pool_3d': self.pools.fake3d, 'pool_2d': self.pools.fake2d,
                'optimizer_p': self.lifter_optimizer, 'optimizer_g': self.optimizers.augmentor,
                'optimizer_d3d': self.optimizers.critic3d, 'optimizer_d2d': self.optimizers.critic2d}

    def state_dict(self):
        own = dict(epoch=self.epoch, iteration=self.iteration, restarts=self.restarts, signs=self.signs, best=self.best,
                   epoch0_scores=self.epoch0_scores)
        return {**own, **{name: part.state_dict() for name, part in self.parts.items()}}

    def load_state_dict(self, state):
        """Load the result of `state_dict` in place. ValueError, KeyError and the like if `state` holds anything else."""
        for name, part in self.parts.items():
            load = load_adam if name.startswith('optimizer') else load_network
            load(part, state[name])
        self.epoch, self.iteration, self.restarts = state['epoch'], state['iteration'], state.get('restarts', 0)
        self.signs, self.best, self.epoch0_scores = state.get('signs', ''), dict(state['best']), tuple(state['epoch0_scores'])
        self._require_sound()

    def _require_sound(self):
        """ValueError unless the counts and figures just loaded have possible values."""
        counts = [(self.iteration, 1 << 40), (self.restarts, 1 << 31),
                  *((pool.count, len(pool.items)) for pool in self.pools)]
        figures = [*self.best.values(), *self.epoch0_scores]
        if not (all(type(count) is int and 0 <= count <= most for count, most in counts) and isinstance(self.signs, str)
                and self.best.keys() == set(BEST) and len(self.epoch0_scores) == len(BEST)
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
        """The seed of all random numbers of an epoch. It changes with each restart."""
        return f'{args.random_seed} restart {self.restarts}' if self.restarts else args.random_seed

    def restart(self, content, args, path):
        """Go back to the `content` of the checkpoint `path` with other random numbers.

        If that is the state before the first epoch, augmentor and discriminators are initialised anew too. InputError if
        the content does not fit this run.
        """
        restarts = self.restarts + 1
        take_over(self, content, path)
        self.restarts, self.signs = restarts, ''
        if self.epoch == 0:
            seed_everything(self.seed(args))
            for player, fresh in zip(self.game, self._new_players(args)):
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


@interrupts.after_the_step()
def train_poseaug(args, training, tests, device, resumed=None):
    """Evaluate the pretrained lifter, then train for args.epochs epochs; returns the run directory. Raises as `go_back`."""
    templates = templates_for(training, args.bl_templates)
    state = PoseAugState(args, device, training.skeleton)
    iterations = len(training) // args.batch_size
    run = _reopened(state, args, resumed, iterations) if resumed else _begun(state, args, tests, device, iterations)
    while state.epoch < args.epochs:
        state.epoch += 1
        try:
            fakes = play(run, state, args, swapped_bones(training, templates, generator(
                device, args.random_seed, state.epoch, 'bone lengths')))
            row = train_and_score(run, state, args, fakes, training, tests, device)
        except (Collapsed, Diverged) as trouble:
            go_back(run, state, args, trouble)
            continue
        state.schedule(args)
        run.log_row([state.epoch, state.lifter_optimizer.param_groups[0]['lr'], *row])
        if state.epoch > args.warmup:
            keep_best(run, state, row)
        if args.keep_snapshots and state.epoch % args.snapshot == 0:     # off by default, as in the reference
            run.save_lifter(snapshot_name(state.epoch), POSEAUG_KEY, state.game.lifter, state.epoch)
        run.summary(dashboard.epoch_summary(state.game, training, templates, tests, row, generator(
            device, args.random_seed, state.epoch, 'dashboard'), args.symmetric_filter), state.epoch)
        keep_last(run, state)
    run.summary(end_summary(), state.epoch)
    run.close()
    return run.path


def _begun(state, args, tests, device, iterations):
    """Create the directory of a new run and evaluate the pretrained lifter; returns the RunDirectory."""
    run = RunDirectory(args, poseaug_stamp(), COLUMNS, preamble=str(state.game.lifter), room=_room(state, args, iterations))
    run.summary(start_summary(run.args, dashboard.LAYOUT), state.epoch)
    evaluate_pretrained(run, state, tests, device)
    return run


def _reopened(state, args, resumed, iterations):
    """The RunDirectory of a resumed run. If its last epoch collapsed, --on_collapse decides how it continues."""
    take_over(state, resumed.content, resumed.directory)
    run = RunDirectory.reopen(resumed.directory, args, resumed.content['sizes'], _room(state, args, iterations))
    if not state.signs:
        run.drop_healthy()      # left over if the run was killed just before this
    elif args.on_collapse != 'warn':
        go_back(run, state, args, Collapsed(f'epoch {state.epoch}: the game has collapsed: {state.signs}'))
    return run


def _room(state, args, iterations):
    """Disk space in bytes that the run still needs: for the last checkpoint and its successor, which is written before the
    old one is replaced; the checkpoint of the last healthy epoch; copies of the lifter; and the event files.
    """
    epochs = args.epochs - state.epoch
    copies = len(BEST) + args.keep_snapshots * (epochs // args.snapshot + 1)
    pools = sum(pool.items.nbytes for pool in state.pools)
    return bool(epochs) * (3 * (trained_bytes(*state.game) + pools) + copies * weight_bytes(state.game.lifter)
                           + (ITERATION_BYTES * iterations + EPOCH_BYTES) * epochs)


def evaluate_pretrained(run, state, tests, device):
    """Epoch 0: score the lifter, write the scores as events (_fake and _real) but no log row, save the first checkpoints."""
    h36m, dhp = scores.score(state.game.lifter, tests, device)
    print(f'epoch 0 (before training): {scores.one_line(h36m, dhp)}')
    run.scalars({**scores.tagged(h36m, dhp, '_fake'), **scores.tagged(h36m, dhp, '_real')}, 0)
    state.epoch0_scores = scores.columns(h36m, dhp)
    keep_best(run, state, state.epoch0_scores)
    run.save_last(state.state_dict())


def play(run, state, args, poses):
    """One adversarial epoch on `poses`, a PoseSet with swapped bone lengths; returns its FakePairs.

    Raises Diverged if a logged value is not finite. After a collapse, raises Collapsed unless --on_collapse is 'warn'.
    """
    settings = AdversarialEpoch(epoch=state.epoch, iteration=state.iteration, batch_size=args.batch_size, df=args.df,
                                seed=state.seed(args), symmetric_filter=args.symmetric_filter,
                                weights=loss_weights(args), feedback=feedback_terms(args, state.epoch), graphs=args.graphs)
    monitor = GameMonitor(settings.weights, settings.feedback)
    lr_g = state.optimizers.augmentor.param_groups[0]['lr']

    def write(figures, iteration):
        monitor.observe(figures, iteration)
        run.scalars({**figures, 'train_G_iter/lr_now': lr_g}, iteration)

    def picture(source, fake, iteration):
        folder = run.path / 'poseaug_viz'
        folder.mkdir(exist_ok=True)
        picture_of(folder / f'epoch_{state.epoch:04d}_iter_{iteration:04d}.png', source, fake, poses.skeleton)

    fakes, state.iteration = adversarial_epoch(state.game, state.optimizers, state.pools, poses, settings,
                                               ScalarLog(write, FLUSH_EVERY, what=f'epoch {state.epoch}'), picture)
    print(f'epoch {state.epoch}: kept {len(fakes.pose2d):,} of {len(poses):,} augmented poses')
    heed(run, state, args, '; '.join(monitor.signs()))
    return fakes


def train_and_score(run, state, args, fakes, training, tests, device):
    """Train the lifter on fake and then on real pairs, score it after each; returns the scores for the log row.

    PoseAug: in the warm-up the lifter is not trained, and the row repeats the scores of epoch 0.
    """
    if state.epoch <= args.warmup:
        return state.epoch0_scores
    _train_on(state, args, len(fakes.pose2d), lambda index: (fakes.pose2d[index], fakes.pose3d_rel[index]), 'fake')
    evaluate(run, state, tests, device, '_fake')
    _train_on(state, args, len(training), supervised_pairs(training, device), 'real')
    return evaluate(run, state, tests, device, '_real')


def picture_of(path, source, fake, skeleton):
    """Save a picture of the first pose of a PoseBatch after each stage: source, BA, BL and RT, 3D above 2D."""
    steps = (source.pose3d_cam, fake.poses.ba, fake.poses.bl, fake.poses.rt)
    stages = {name: pose[:1] for name, pose in zip(('source', 'BA', 'BL', 'RT'), steps)}
    save_augmentation(path, {name: pose[0].cpu() for name, pose in stages.items()},
                      {name: project(pose, source.camera[:1])[0].cpu() for name, pose in stages.items()}, skeleton)


def _train_on(state, args, count, take, tag):
    """Train the lifter for one epoch on `count` pairs."""
    if count < 2:
        print(f'warning: epoch {state.epoch}: there are no {tag} pairs to train the lifter on')
        return
    device = next(state.game.lifter.parameters()).device
    seed_everything(state.seed(args), state.epoch, f'lifter {tag}')
    order = generator(device, state.seed(args), state.epoch, f'lifter {tag} order')
    train_lifter(state.game.lifter, state.lifter_optimizer, shuffled_batches(count, args.batch_size, order), take,
                 task=f'epoch {state.epoch}: lifter on {tag} pairs', graphs=args.graphs)


def evaluate(run, state, tests, device, suffix):
    """Score the lifter and write the event file; returns the four scores of the log row."""
    h36m, dhp = scores.score(state.game.lifter, tests, device)
    print(f'epoch {state.epoch}{suffix}: {scores.one_line(h36m, dhp)}')
    run.scalars(scores.tagged(h36m, dhp, suffix), state.epoch)
    return scores.columns(h36m, dhp)


def keep_best(run, state, row):
    """Save a checkpoint for each of the four scores that is the best so far.

    PoseAug: the best is chosen on the test sets, as the authors did.
    """
    for name, value in zip(BEST, row):
        if value < state.best[name]:
            state.best[name] = value
            run.save_lifter(f'ckpt_best_{name}.pth.tar', POSEAUG_KEY, state.game.lifter, state.epoch,
                            scores=dict(zip(SCORE_COLUMNS, row)))
            run.log_line(f'saved ckpt_best_{name}.pth.tar: epoch {state.epoch}, {name} {value:.6f}')

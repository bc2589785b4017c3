"""PoseAug's outer loop: swap bones, play the game, train the lifter on fake and on real pairs, evaluate, schedule."""
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
from function_poseaug.steps import Game, GameOptimizers, Pools
from models_poseaug.augmentor import Augmentor
from models_poseaug.discriminator import Discriminator2D, Discriminator3D
from models_poseaug.replay_pool import ReplayPool
from utils import interrupts
from utils.gradients import adam, set_learning_rate
from utils.pictures.drawing import save_augmentation
from utils.runs.checkpoint import HEALTHY, LAST, POSEAUG_KEY, load_adam, load_network, read_checkpoint, snapshot_name, take_over
from utils.runs.resume import require_sound
from utils.runs.run_directory import RunDirectory, poseaug_stamp, trained_bytes, weight_bytes
from utils.runs.scalar_log import ScalarLog
from utils.runs.score_names import SCORE_COLUMNS
from utils.seeding import generator, seed_everything

COLUMNS = ('epoch', 'lr') + SCORE_COLUMNS
ITERATION_BYTES, EPOCH_BYTES = 3000, 250_000     # in the event file: an iteration's figures, an epoch's pictures
# what a best checkpoint is chosen by, in the order of scores.columns
BEST = ('h36m_p1', 'h36m_p2', 'dhp_p1', 'dhp_p2')


class PoseAugState:
    """Everything that changes while PoseAug trains."""

    def __init__(self, args, device):
        """New players around `starting_lifter`, which may write the lifter's own name and stages into `args`."""
        seed_everything(args.random_seed)
        lifter = starting_lifter(args, pretrained=wants_pretrained(args))
        networks = Augmentor(args.blr_tanhlimit), Discriminator3D(), Discriminator2D(), lifter
        self.game = Game(*(network.to(device) for network in networks))
        self.optimizers = GameOptimizers(adam(self.game.augmentor, args.lr_g), adam(self.game.critic3d, args.lr_d),
                                         adam(self.game.critic2d, args.lr_d))
        self.lifter_optimizer = adam(self.game.lifter, args.lr_p)
        self.pools = Pools(*(ReplayPool((H36M_16.num_joints, dimensions)).to(device) for dimensions in (3, 2)))
        self.epoch, self.iteration, self.restarts = 0, 0, 0
        self.signs = ''     # of a collapse in this epoch; empty where it was healthy
        self.best = dict.fromkeys(BEST, float('inf'))
        self.epoch0_scores = None     # PoseAug: the warm-up's log rows repeat them

    @property
    def parts(self):
        """Everything with a state of its own, by the name it has in a checkpoint."""
        return {POSEAUG_KEY: self.game.lifter, 'model_g': self.game.augmentor, 'model_d3d': self.game.critic3d,
                'model_d2d': self.game.critic2d, 'pool_3d': self.pools.fake3d, 'pool_2d': self.pools.fake2d,
                'optimizer_p': self.lifter_optimizer, 'optimizer_g': self.optimizers.augmentor,
                'optimizer_d3d': self.optimizers.critic3d, 'optimizer_d2d': self.optimizers.critic2d}

    def state_dict(self):
        own = dict(epoch=self.epoch, iteration=self.iteration, restarts=self.restarts, signs=self.signs, best=self.best,
                   epoch0_scores=self.epoch0_scores)
        return {**own, **{name: part.state_dict() for name, part in self.parts.items()}}

    def load_state_dict(self, state):
        """Take over, in place, what `state_dict` gave; ValueError, KeyError, ... where it cannot have given that."""
        for name, part in self.parts.items():
            load = load_adam if name.startswith('optimizer') else load_network
            load(part, state[name])
        self.epoch, self.iteration, self.restarts = state['epoch'], state['iteration'], state.get('restarts', 0)
        self.signs, self.best, self.epoch0_scores = state.get('signs', ''), dict(state['best']), tuple(state['epoch0_scores'])
        self._require_sound()

    def _require_sound(self):
        """ValueError unless the counts and figures taken over are such."""
        counts = [(self.iteration, 1 << 40), (self.restarts, 1 << 31),
                  *((pool.count, len(pool.items)) for pool in self.pools)]
        figures = [*self.best.values(), *self.epoch0_scores]
        if not (all(type(count) is int and 0 <= count <= most for count, most in counts) and isinstance(self.signs, str)
                and self.best.keys() == set(BEST) and len(self.epoch0_scores) == len(BEST)
                and all(type(figure) is float and figure == figure for figure in figures)):      # no NaN
            raise ValueError('its iteration, restarts, signs, scores or the filling of its pools are damaged')

    def schedule(self, args):
        """After k epochs every learning rate is its initial value * (1 - k / (epochs + 1)), warm-up included.

        From the second restart on the players' rates are a tenth of it, a hundredth, ...
        """
        factor = 1 - self.epoch / (args.epochs + 1)
        players = .1 ** max(0, self.restarts - 1)
        initial_rates = args.lr_g * players, args.lr_d * players, args.lr_d * players, args.lr_p
        for optimizer, initial in zip((*self.optimizers, self.lifter_optimizer), initial_rates):
            set_learning_rate(optimizer, initial * factor)

    def seed(self, args):
        """What the game's and the lifter's draws are seeded with: another number after each restart."""
        return f'{args.random_seed} restart {self.restarts}' if self.restarts else args.random_seed

    def restart(self, content, args, path):
        """Go back to the `content` of the checkpoint `path` with other random numbers, before the first epoch with other
        players too; InputError where it is none of such a run's.
        """
        restarts = self.restarts + 1
        take_over(self, content, path)
        self.restarts, self.signs = restarts, ''
        if self.epoch == 0:
            seed_everything(self.seed(args))
            for player, fresh in zip(self.game, (Augmentor(args.blr_tanhlimit), Discriminator3D(), Discriminator2D())):
                player.load_state_dict(fresh.state_dict())
        self.schedule(args)


def wants_pretrained(args):
    """Whether the run starts from a pretrained lifter; says so where it does not.

    PoseAug: a note of 'debug', the default, means that it does not (unless --pretrain_path names one).
    """
    if args.pretrain and (args.note != NO_NOTE or args.pretrain_path):
        return True
    why = '--pretrain false' if not args.pretrain else f'a --note of {NO_NOTE!r}, the default, means that; give another'
    if not args.resume:
        print(f'warning: the lifter starts untrained ({why})')
    return False


@interrupts.after_the_step()
def train_poseaug(args, training, tests, device, resumed=None):
    """Train for args.epochs after the evaluation of the pretrained lifter; returns the run directory's path."""
    templates = templates_for(training, args.bl_templates)
    state = PoseAugState(args, device)
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
        if args.keep_snapshots and state.epoch % args.snapshot == 0:     # idle by default, as in the reference
            run.save_lifter(snapshot_name(state.epoch), POSEAUG_KEY, state.game.lifter, state.epoch)
        run.summary(dashboard.epoch_summary(state.game, training, templates, tests, row, generator(
            device, args.random_seed, state.epoch, 'dashboard'), args.symmetric_filter), state.epoch)
        keep_last(run, state)
    run.summary(end_summary(), state.epoch)
    run.close()
    return run.path


def _begun(state, args, tests, device, iterations):
    """The RunDirectory of a new run, its pretrained lifter evaluated."""
    run = RunDirectory(args, poseaug_stamp(), COLUMNS, preamble=str(state.game.lifter), room=_room(state, args, iterations))
    run.summary(start_summary(run.args, dashboard.LAYOUT), state.epoch)
    evaluate_pretrained(run, state, tests, device)
    return run


def _reopened(state, args, resumed, iterations):
    """The RunDirectory of a run that goes on after its last epoch, or, where that had collapsed, as --on_collapse says."""
    take_over(state, resumed.content, resumed.directory)
    run = RunDirectory.reopen(resumed.directory, args, resumed.content['sizes'], _room(state, args, iterations))
    if not state.signs:
        run.drop_healthy()      # left by a kill before it was dropped
    elif args.on_collapse != 'warn':
        go_back(run, state, args, Collapsed(f'epoch {state.epoch}: the game has collapsed: {state.signs}'))
    return run


def _room(state, args, iterations):
    """Bytes of disk for what is to come: the last checkpoint, it once more, written beside, and that of the last healthy
    epoch; the lifter's copies; the events.
    """
    epochs = args.epochs - state.epoch
    copies = len(BEST) + args.keep_snapshots * (epochs // args.snapshot + 1)
    pools = sum(pool.items.nbytes for pool in state.pools)
    return bool(epochs) * (3 * (trained_bytes(*state.game) + pools) + copies * weight_bytes(state.game.lifter)
                           + (ITERATION_BYTES * iterations + EPOCH_BYTES) * epochs)


def evaluate_pretrained(run, state, tests, device):
    """Epoch 0: both tags at step 0, no log row, the first best checkpoints (of the weights that were scored)."""
    h36m, dhp = scores.score(state.game.lifter, tests, device)
    print(f'epoch 0 (before training): {scores.one_line(h36m, dhp)}')
    run.scalars({**scores.tagged(h36m, dhp, '_fake'), **scores.tagged(h36m, dhp, '_real')}, 0)
    state.epoch0_scores = scores.columns(h36m, dhp)
    keep_best(run, state, state.epoch0_scores)
    run.save_last(state.state_dict())


def play(run, state, args, poses):
    """One adversarial epoch on bone-swapped poses; returns the FakePairs it kept.

    Raises Diverged where the game met NaN or infinity, and Collapsed where `heed` does.
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
        picture_of(folder / f'epoch_{state.epoch:04d}_iter_{iteration:04d}.png', source, fake)

    fakes, state.iteration = adversarial_epoch(state.game, state.optimizers, state.pools, poses, settings,
                                               ScalarLog(write, FLUSH_EVERY, what=f'epoch {state.epoch}'), picture)
    print(f'epoch {state.epoch}: kept {len(fakes.pose2d):,} of {len(poses):,} augmented poses')
    heed(run, state, args, '; '.join(monitor.signs()))
    return fakes


def heed(run, state, args, signs):
    """Signs of a collapse, in words: Collapsed unless --on_collapse says to warn and go on.

    Before the first epoch with signs overwrites it, the last healthy epoch's checkpoint is kept.
    """
    what = f'epoch {state.epoch}: the game has collapsed: {signs}'
    if signs and args.on_collapse != 'warn':
        raise Collapsed(what)
    if signs:
        print(f'warning: {what}')
        run.log_line(f'warning: {what}')
        if not state.signs:
            run.keep_healthy()
    state.signs = signs


def go_back(run, state, args, trouble):
    """Go back to the last healthy epoch with other random numbers; raises where --on_collapse or --max_restarts forbid it.

    That epoch becomes the last checkpoint before log and events are cut, so a kill in between resumes there, the restart
    uncounted; at the end it is saved once more, the restart counted.
    """
    what = str(trouble).partition(';')[0] if isinstance(trouble, Diverged) else str(trouble)
    if isinstance(trouble, Diverged) and args.on_collapse != 'restart':
        raise trouble
    path = run.path / (HEALTHY if state.signs else LAST)
    if args.on_collapse == 'stop' or state.restarts >= args.max_restarts:
        run.log_line(what)
        raise Collapsed(f'{what}; {state.restarts} restarts were made; {path} is of the last healthy epoch: choose another '
                        '--random_seed, or lower the learning rates')
    content = dict(read_checkpoint(path), best=state.best)      # the best checkpoints of the epochs since then stay
    require_sound(content, args, path)
    state.restart(content, args, path)      # refuses what is none of this run's before a file changes
    run.save(LAST, content)
    run.rewind(content['sizes'])
    line = (f'{what}; restart {state.restarts} of {args.max_restarts}, from epoch {state.epoch}, with other random numbers '
            f'and lr_g {state.optimizers.augmentor.param_groups[0]["lr"]:.3g}')
    print(line)
    run.log_line(line)
    keep_last(run, state)


def keep_last(run, state):
    """Save what --resume needs; after a healthy epoch no older one is needed to go back to."""
    run.save_last(state.state_dict())
    if not state.signs:
        run.drop_healthy()


def train_and_score(run, state, args, fakes, training, tests, device):
    """Train the lifter on fake and on real pairs, score it after each; returns the log row's scores.

    PoseAug: in the warm-up the lifter rests, and the row repeats epoch 0's.
    """
    if state.epoch <= args.warmup:
        return state.epoch0_scores
    _train_on(state, args, len(fakes.pose2d), lambda index: (fakes.pose2d[index], fakes.pose3d_rel[index]), 'fake')
    evaluate(run, state, tests, device, '_fake')
    _train_on(state, args, len(training), supervised_pairs(training, device), 'real')
    return evaluate(run, state, tests, device, '_real')


def picture_of(path, source, fake):
    """The first pose of a PoseBatch and what became of it: source, BA, BL and RT, 3D above 2D."""
    steps = (source.pose3d_cam, fake.poses.ba, fake.poses.bl, fake.poses.rt)
    stages = {name: pose[:1] for name, pose in zip(('source', 'BA', 'BL', 'RT'), steps)}
    save_augmentation(path, {name: pose[0].cpu() for name, pose in stages.items()},
                      {name: project(pose, source.camera[:1])[0].cpu() for name, pose in stages.items()})


def _train_on(state, args, count, take, tag):
    """One lifter epoch on `count` pairs."""
    if count < 2:
        print(f'warning: epoch {state.epoch}: no {tag} pairs to train the lifter on')
        return
    device = next(state.game.lifter.parameters()).device
    seed_everything(state.seed(args), state.epoch, f'lifter {tag}')
    order = generator(device, state.seed(args), state.epoch, f'lifter {tag} order')
    train_lifter(state.game.lifter, state.lifter_optimizer, shuffled_batches(count, args.batch_size, order), take,
                 task=f'epoch {state.epoch}: lifter on {tag} pairs', graphs=args.graphs)


def evaluate(run, state, tests, device, suffix):
    """Score the lifter, write the event file; the log row's four figures."""
    h36m, dhp = scores.score(state.game.lifter, tests, device)
    print(f'epoch {state.epoch}{suffix}: {scores.one_line(h36m, dhp)}')
    run.scalars(scores.tagged(h36m, dhp, suffix), state.epoch)
    return scores.columns(h36m, dhp)


def keep_best(run, state, row):
    """A checkpoint for each of the four scores that is the best so far.

    PoseAug: the best is chosen on the test sets, as the authors did.
    """
    for name, value in zip(BEST, row):
        if value < state.best[name]:
            state.best[name] = value
            run.save_lifter(f'ckpt_best_{name}.pth.tar', POSEAUG_KEY, state.game.lifter, state.epoch,
                            scores=dict(zip(SCORE_COLUMNS, row)))
            run.log_line(f'saved ckpt_best_{name}.pth.tar: epoch {state.epoch}, {name} {value:.6f}')

"""PoseAug's outer loop: swap bone lengths, play the game, train the lifter on fake and real pairs, evaluate, schedule."""
from common.camera import project
from common.camera_sampling import filmed_anew
from common.errors import Diverged
from function_baseline import dashboard as lifter_dashboard
from function_baseline import scores
from function_baseline.batches import shuffled_batches
from function_baseline.dashboard import end_summary, start_summary
from function_baseline.held_out import keep_best_held_out
from function_baseline.streaming import poses_of_epoch
from function_baseline.temporal import log_columns, pairs_for, report_motion
from function_baseline.train import train_lifter
from function_poseaug import dashboard
from function_poseaug.adversarial import FLUSH_EVERY, AdversarialEpoch
from function_poseaug.arguments import LEARNED, feedback_terms, loss_weights, poseaug_parser
from function_poseaug.clip_game import fake_take, play_epoch, swapped_for
from function_poseaug.clip_without_game import substitute_for
from function_poseaug.monitor import Collapsed, GameMonitor
from function_poseaug.refresh import templates_for
from function_poseaug.restarts import go_back, heed, keep_last
from function_poseaug.state import BEST, PoseAugState, room
from function_poseaug.warmup import until_enough_are_kept
from utils import interrupts
from utils.pictures.drawing import save_augmentation
from utils.runs.checkpoint import POSEAUG_KEY, snapshot_name, take_over
from utils.runs.run_directory import RunDirectory, plain_arguments, poseaug_stamp
from utils.runs.scalar_log import ScalarLog
from utils.runs.score_names import score_columns
from utils.seeding import generator, seed_everything

COLUMNS = ('epoch', 'lr')


@interrupts.after_the_step()
def train_poseaug(args, training, tests, device, resumed=None):
    """Evaluate the pretrained lifter, then train for args.epochs epochs; returns the run directory. Raises as `go_back`."""
    templates = templates_for(training, args.bl_templates)
    state = PoseAugState(args, device, training.skeleton)
    iterations = len(training) // args.batch_size
    run = _reopened(state, args, resumed, iterations) if resumed else _begun(state, args, tests, device, iterations)
    while state.epoch < args.epochs:
        state.epoch += 1
        poses = filmed_anew(poses_of_epoch(training, state.epoch), generator(device, args.random_seed, state.epoch, 'cameras'))
        try:
            fakes = augmented_pairs(run, state, args, poses, templates, device)
            row = train_and_score(run, state, args, fakes, poses, tests, device)
        except (Collapsed, Diverged) as trouble:
            go_back(run, state, args, trouble)
            continue
        state.schedule(args)
        run.log_row([state.epoch, state.lifter_optimizer.param_groups[0]['lr'], *row])
        if state.epoch > args.warmup:
            keep_best(run, state, row, tests.names)
            keep_best_held_out(run, state, tests, device, POSEAUG_KEY, state.game.lifter)
        if args.keep_snapshots and state.epoch % args.snapshot == 0:     # off by default, as in the reference
            run.save_lifter(snapshot_name(state.epoch), POSEAUG_KEY, state.game.lifter, state.epoch)
        run.summary(_pictures(state, args, poses, templates, tests, row, device), state.epoch)
        keep_last(run, state)
    run.summary(end_summary(), state.epoch)
    run.finish()
    return run.path


def _begun(state, args, tests, device, iterations):
    """Create the directory of a new run and evaluate the pretrained lifter; returns the RunDirectory."""
    run = RunDirectory(args, poseaug_stamp(), COLUMNS + log_columns(state.game.lifter, tests), str(state.game.lifter),
                       room=room(state, args, iterations))
    defaults = plain_arguments(poseaug_parser('').parse_args([]))
    run.summary(start_summary(run.args, defaults, dashboard.LAYOUT, tests.names), state.epoch)
    evaluate_pretrained(run, state, tests, device)
    return run


def _reopened(state, args, resumed, iterations):
    """The RunDirectory of a resumed run. If its last epoch collapsed, --on_collapse decides how it continues."""
    take_over(state, resumed.content, resumed.directory)
    run = RunDirectory.reopen(resumed.directory, args, resumed.content['sizes'], room(state, args, iterations))
    if not state.signs:
        run.drop_healthy()      # left over if the run was killed just before this
    elif args.on_collapse != 'warn':
        go_back(run, state, args, Collapsed(f'epoch {state.epoch}: the game has collapsed: {state.signs}'))
    return run


def evaluate_pretrained(run, state, tests, device):
    """Epoch 0: score the lifter, write the scores as events (_fake and _real) but no log row, save the first checkpoints."""
    h36m, dhp = scores.score(state.game.lifter, tests, device)
    print(f'epoch 0 (before training): {scores.one_line(h36m, dhp, tests.names)}')
    run.scalars({**scores.tagged(h36m, dhp, '_fake', tests.names), **scores.tagged(h36m, dhp, '_real', tests.names)}, 0)
    state.epoch0_scores = *scores.columns(h36m, dhp), *report_motion(run, state.game.lifter, 0, tests, device)
    keep_best(run, state, state.epoch0_scores, tests.names)
    run.save_last(state.state_dict())


def augmented_pairs(run, state, args, training, templates, device):
    """The FakePairs of an epoch: from the game, or, with --augmentor random or none, from what stands for it."""
    draws = generator(device, args.random_seed, state.epoch, 'bone lengths')
    if args.augmentor == LEARNED:
        return until_enough_are_kept(lambda: play(run, state, args, swapped_for(state.game.lifter, training, templates, draws)),
                                     state, args, len(training))
    return substitute_for(state.game.lifter, args.augmentor)(state, args, training, templates, draws)


def play(run, state, args, poses):
    """One adversarial epoch on `poses`, a PoseSet with swapped bone lengths; returns its FakePairs.

    Raises Diverged if a logged value is not finite. After a collapse, raises Collapsed unless --on_collapse is 'warn'.
    """
    settings = AdversarialEpoch(epoch=state.epoch, iteration=state.iteration, batch_size=args.batch_size, df=args.df,
                                seed=state.seed(args), symmetric_filter=args.symmetric_filter,
                                weights=loss_weights(args), feedback=feedback_terms(args, state.epoch), graphs=args.graphs)
    monitor = GameMonitor(settings.weights, settings.feedback, args.augment)
    lr_g = state.optimizers.augmentor.param_groups[0]['lr']

    def write(figures, iteration):
        monitor.observe(figures, iteration)
        run.scalars({**figures, 'train_G_iter/lr_now': lr_g}, iteration)

    def picture(source, fake, iteration):
        folder = run.path / 'poseaug_viz'
        folder.mkdir(exist_ok=True)
        picture_of(folder / f'epoch_{state.epoch:04d}_iter_{iteration:04d}.png', source, fake, poses.skeleton)

    fakes, state.iteration = play_epoch(state.game, state.optimizers, state.pools, poses, settings,
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
    _train_on(state, args, len(fakes.pose2d), fake_take(fakes), 'fake')
    evaluate(run, state, tests, device, '_fake')
    draws = generator(device, state.seed(args), state.epoch, 'mirror real')
    _train_on(state, args, len(training), pairs_for(state.game.lifter, training, device, draws), 'real')
    motion = report_motion(run, state.game.lifter, state.epoch, tests, device)
    return *evaluate(run, state, tests, device, '_real'), *motion


def _pictures(state, args, training, templates, tests, row, device):
    """What TensorBoard shows of an epoch."""
    if args.augmentor != LEARNED:
        return lifter_dashboard.epoch_summary(state.game.lifter, training, tests, row, device)
    return dashboard.epoch_summary(state.game, training, templates, tests, row, generator(
        device, args.random_seed, state.epoch, 'dashboard'), args.symmetric_filter)


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
    print(f'epoch {state.epoch}{suffix}: {scores.one_line(h36m, dhp, tests.names)}')
    run.scalars(scores.tagged(h36m, dhp, suffix, tests.names), state.epoch)
    return scores.columns(h36m, dhp)


def keep_best(run, state, row, names):
    """Save a checkpoint for each of the four scores that is the best so far.

    PoseAug: the best is chosen on the test sets, as the authors did.
    """
    files = [f'{name.key}_{protocol}' for name in names for protocol in ('p1', 'p2')]
    for best, name, value in zip(BEST, files, row):
        if value < state.best[best]:
            state.best[best] = value
            run.save_lifter(f'ckpt_best_{name}.pth.tar', POSEAUG_KEY, state.game.lifter, state.epoch,
                            scores=dict(zip(score_columns(names), row)))
            run.log_line(f'saved ckpt_best_{name}.pth.tar: epoch {state.epoch}, {name} {value:.6f}')

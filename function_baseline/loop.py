"""The baseline: supervised training of a lifter."""
from common.camera_sampling import filmed_anew
from common.skeleton import H36M_16
from function_baseline import dashboard, scores
from function_baseline.arguments import baseline_parser
from function_baseline.batches import shuffled_batches
from function_baseline.clip_recipe import recipe_for
from function_baseline.held_out import NO_SCORE, keep_best_held_out
from function_baseline.recipe_v2 import loss_of
from function_baseline.schedules import schedule_of
from function_baseline.start import starting_lifter
from function_baseline.streaming import poses_of_epoch
from function_baseline.temporal import log_columns, pairs_for, report_motion
from function_baseline.train import train_lifter
from utils import interrupts, ranks
from utils.gradients import adam
from utils.pictures.drawing import save_curves
from utils.runs.checkpoint import BASELINE_BEST, BASELINE_KEY, load_adam, load_network, snapshot_name, take_over
from utils.runs.no_directory import NoDirectory
from utils.runs.run_directory import RunDirectory, baseline_stamp, plain_arguments, trained_bytes, weight_bytes
from utils.seeding import generator, seed_everything

COLUMNS = ('epoch', 'lr', 'loss_train')


class BaselineState:
    """Everything that changes while a baseline trains."""

    def __init__(self, args, device, skeleton=H36M_16, num_poses=1):
        """Create the lifter, to be trained on `num_poses` poses. A pretrained one writes its name and stages into `args`."""
        seed_everything(args.random_seed)
        pretrained = args.pretrain or bool(args.pretrain_path)
        self.lifter = starting_lifter(args, pretrained, skeleton).to(device)
        ranks.share_work(self.lifter, args, num_poses)      # if there are several processes
        self.optimizer = adam(self.lifter, args.lr)
        self.schedule = schedule_of(args, self.optimizer, num_poses)
        self.epoch, self.best_h36m, self.best_held_out = 0, float('inf'), NO_SCORE
        self.history = []      # MPJPE on Human3.6M and 3DHP after each epoch, mm

    def state_dict(self):
        return {BASELINE_KEY: self.lifter.state_dict(), 'epoch': self.epoch, 'optimizer': self.optimizer.state_dict(),
                'schedule': self.schedule.state_dict(), 'best_h36m': self.best_h36m,
                'best_held_out': self.best_held_out, 'history': self.history}

    def load_state_dict(self, state):
        """Load the result of `state_dict` in place. ValueError, KeyError and the like if `state` holds anything else."""
        load_network(self.lifter, state[BASELINE_KEY])
        load_adam(self.optimizer, state['optimizer'])
        self.schedule.load_state_dict(state['schedule'])
        self.epoch, self.best_h36m = state['epoch'], state['best_h36m']
        self.best_held_out = state.get('best_held_out', NO_SCORE)
        self.history = [list(pair) for pair in state['history']]
        figures = [self.schedule.lr, self.best_h36m, self.best_held_out, *(figure for pair in self.history for figure in pair)]
        if not (type(self.schedule.step) is int and 0 <= self.schedule.step < 1 << 40
                and all(len(pair) == 2 for pair in self.history)
                and all(type(figure) is float and figure == figure for figure in figures)):      # no NaN
            raise ValueError('its schedule or scores are damaged')


@interrupts.after_the_step()
def train_baseline(args, training, tests, device, resumed=None):
    """Train for args.epochs epochs, evaluate after each; returns the path of the run directory. Raises Diverged."""
    state = BaselineState(args, device, training.skeleton, len(training))
    Directory = RunDirectory if ranks.rank() == 0 else NoDirectory
    if resumed:
        take_over(state, resumed.content, resumed.directory)
        run = Directory.reopen(resumed.directory, args, resumed.content['sizes'], room(state, args))
    else:
        run = Directory(args, baseline_stamp(), COLUMNS + log_columns(state.lifter, tests), room=room(state, args))
        defaults = plain_arguments(baseline_parser('').parse_args([]))
        run.summary(dashboard.start_summary(run.args, defaults, names=tests.names), state.epoch)
    while state.epoch < args.epochs:
        state.epoch += 1
        poses = filmed_anew(poses_of_epoch(training, state.epoch), generator(device, args.random_seed, state.epoch, 'cameras'))
        loss = _train_epoch(state, args, poses, device)
        h36m, dhp = scores.score(state.lifter, tests, device)
        print(f'epoch {state.epoch}: loss {loss:.6f}   {scores.one_line(h36m, dhp, tests.names)}')
        motion = report_motion(run, state.lifter, state.epoch, tests, device)
        run.log_row([state.epoch, state.schedule.lr, loss, *scores.columns(h36m, dhp), *motion])
        figures = scores.tagged(h36m, dhp, names=tests.names)
        run.scalars({'train/loss': loss, 'train/lr': state.schedule.lr, **figures}, state.epoch)
        run.summary(dashboard.epoch_summary(state.lifter, poses, tests, scores.columns(h36m, dhp), device), state.epoch)
        state.history.append([h36m.mpjpe_mm, dhp.mpjpe_mm])
        keep_best_held_out(run, state, tests, device, BASELINE_KEY, state.lifter)
        _keep_checkpoints(run, state, args, h36m.mpjpe_mm)
        if ranks.rank() == 0:
            save_curves(run.path / 'curve.png', f'{args.posenet_name}, {args.keypoints}: MPJPE',
                        dict(zip((name.title for name in tests.names), zip(*state.history))))
    run.summary(dashboard.end_summary(), state.epoch)
    run.finish()
    return run.path


def room(state, args):
    """Disk space in bytes that the run still needs: for the snapshots, and for the last and the best checkpoint, each twice,
    because a new one is written before the old one is replaced.
    """
    epochs = args.epochs - state.epoch
    return bool(epochs) * (2 * trained_bytes(state.lifter) + (2 + epochs // args.snapshot) * weight_bytes(state.lifter))


def _train_epoch(state, args, training, device):
    seed_everything(args.random_seed, state.epoch, 'dropout')
    order = generator(device, args.random_seed, state.epoch, 'order')
    draws = generator(device, args.random_seed, state.epoch, 'recipe v2' if args.recipe == 'v2' else 'mirror')
    take = (recipe_for(state.lifter, training, device, args, draws) if args.recipe == 'v2' else
            pairs_for(state.lifter, training, device, draws))
    return train_lifter(state.lifter, state.optimizer, shuffled_batches(len(training), args.batch_size, order), take,
                        task=f'epoch {state.epoch}', max_norm=1.0 if args.max_norm else None,
                        before_step=state.schedule.advance, loss=loss_of(args),
                        graphs=args.graphs if ranks.world() == 1 else args.graphs is True)


def _keep_checkpoints(run, state, args, error_h36m):
    if error_h36m < state.best_h36m:
        state.best_h36m = error_h36m
        run.save_lifter(BASELINE_BEST, BASELINE_KEY, state.lifter, state.epoch, error_h36m_p1=error_h36m)
    if state.epoch % args.snapshot == 0:
        run.save_lifter(snapshot_name(state.epoch), BASELINE_KEY, state.lifter, state.epoch)
    run.save_last(state.state_dict())

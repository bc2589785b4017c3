"""What happens when the game collapses: warn, stop, or go back to the last healthy epoch (--on_collapse)."""
from common.errors import Diverged
from function_poseaug.monitor import Collapsed
from utils.runs.checkpoint import HEALTHY, LAST, read_checkpoint
from utils.runs.resume import require_sound


def heed(run, state, args, signs):
    """If there are `signs` of a collapse (a text), print and log them if --on_collapse is 'warn', else raise Collapsed.

    The last healthy epoch's checkpoint is kept before the first epoch with signs overwrites it.
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
    """Go back to the last healthy epoch with other random numbers.

    Raises Diverged or Collapsed if --on_collapse or --max_restarts forbids this.

    That epoch's checkpoint becomes the last one before log and event files are cut, so that a run that is killed in
    between resumes there, without this restart counted. At the end it is saved again with the restart counted.
    """
    what = str(trouble).partition(';')[0] if isinstance(trouble, Diverged) else str(trouble)
    if isinstance(trouble, Diverged) and args.on_collapse != 'restart':
        raise trouble
    path = run.path / (HEALTHY if state.signs else LAST)
    if args.on_collapse == 'stop' or state.restarts >= args.max_restarts:
        run.log_line(what)
        raise Collapsed(f'{what}; {state.restarts} restarts were made; {path} holds the last healthy epoch; choose another '
                        '--random_seed, or lower the learning rates')
    # the best checkpoints saved since then stay valid
    content = dict(read_checkpoint(path), best=state.best, best_held_out=state.best_held_out)
    require_sound(content, args, path)
    state.restart(content, args, path)      # refuses a checkpoint that does not fit before any file changes
    run.save(LAST, content)
    run.rewind(content['sizes'])
    line = (f'{what}; restart {state.restarts} of {args.max_restarts}, from epoch {state.epoch}, with other random numbers '
            f'and lr_g {state.optimizers.augmentor.param_groups[0]["lr"]:.3g}')
    print(line)
    run.log_line(line)
    keep_last(run, state)


def keep_last(run, state):
    """Save what --resume needs. After a healthy epoch, the kept checkpoint of an older one is removed."""
    run.save_last(state.state_dict())
    if not state.signs:
        run.drop_healthy()

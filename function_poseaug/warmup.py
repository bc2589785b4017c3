"""A warm-up that goes on until the filter keeps enough of the augmented poses (--warmup_kept; not in the paper)."""
from common.errors import InputError

MOST_ROUNDS = 50      # of the game in the last epoch of the warm-up, after its first one


def require_warmup(args):
    """InputError if --warmup_kept is given but there is no warm-up that could go on."""
    if args.warmup_kept and not args.warmup:
        raise InputError('--warmup_kept makes the warm-up longer, and there is none; give --warmup 1 or more too')


def until_enough_are_kept(play, state, args, count):
    """The FakePairs that `play()` returns for `count` poses.

    In the last epoch of the warm-up it is called again, with other random numbers and at the same learning rates, while the
    filter keeps less than the share --warmup_kept of the poses, but at most MOST_ROUNDS times. Without the 2D discriminator,
    which makes the poses stay in the image, it is not.
    """
    fakes = play()
    last = state.epoch == args.warmup and '2d' in args.discriminators
    while last and len(fakes.pose2d) < args.warmup_kept * count:
        if state.round == MOST_ROUNDS:
            print(f'warning: after {MOST_ROUNDS} more rounds of the game the filter still keeps fewer poses than '
                  f'--warmup_kept {args.warmup_kept:g}; the lifter starts all the same')
            break
        state.round += 1
        fakes = play()
    state.round = 0
    return fakes

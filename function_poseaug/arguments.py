"""Flags of run_poseaug.py: shared ones and those of the adversarial training. Names and defaults are the reference's."""
from common.errors import InputError
from function_baseline.arguments import TrainerParser, add_data_args, add_lifter_args, add_run_args, add_training_args
from function_poseaug.losses import FEEDBACKS, HardnessBand
from function_poseaug.steps import CRITICS, FeedbackTerms, LossWeights
from models_poseaug.augmentor import HEADS
from models_poseaug.discriminator import KCS_FORMS
from utils.command_line import number, positive, share, some_of, whole

IDLE = ('num_workers', 'decay_epoch', 'max_norm')
LEARNED, OFF = 'learned', 'off'
SUBSTITUTE_NAMES = ('random', 'none')


class PoseAugParser(TrainerParser):
    """TrainerParser that also checks the flags of an ablation."""

    @staticmethod
    def require_consistent(args):
        TrainerParser.require_consistent(args)
        if args.augmentor == LEARNED and args.augment == 'rt' and '2d' not in args.discriminators:
            raise InputError('--augment rt needs the 2D discriminator: nothing else judges rotation and translation before the '
                             'feedback begins; add it to --discriminators')


def poseaug_parser(description):
    """Flags of run_poseaug.py."""
    parser = PoseAugParser(description)
    add_data_args(parser).add_argument('--bl_templates', default='', metavar='FILE',
                                       help='.npy file of bone lengths, (rows, 15) metres '
                                            '(default: the training subjects\')')
    add_lifter_args(parser)
    add_run_args(parser, snapshot=2, pretrain=True)
    add_training_args(parser)
    add_game_args(parser)
    add_ablation_args(parser)
    add_loss_args(parser)
    return parser


def add_game_args(parser):
    """Flags for the game: learning rates, warm-up, how often the discriminators train, which poses train the lifter."""
    group = parser.add_argument_group('adversarial game')
    group.add_argument('--lr_g', default=1e-4, type=number, help='learning rate of the augmentor')
    group.add_argument('--lr_d', default=1e-4, type=number, help='learning rate of both discriminators')
    group.add_argument('--lr_p', default=1e-4, type=number, help='learning rate of the lifter')
    group.add_argument('--decay_epoch', default=0, type=int, help='does nothing')
    group.add_argument('--warmup', default=2, type=whole, metavar='EPOCHS', help='epochs before the lifter is trained')
    group.add_argument('--warmup_kept', default=0, type=share, metavar='SHARE',
                       help='play the last epoch of the warm-up again until the filter keeps this share of the augmented poses '
                            '(default: never)')
    group.add_argument('--df', default=2, type=positive, metavar='N',
                       help='train the discriminators every N iterations')
    group.add_argument('--symmetric_filter', action='store_true',
                       help='give the lifter only poses whose 2D lies within [-1, 1] '
                            '(default: only the upper bound is checked)')
    group.add_argument('--feedback', default='range', choices=[*sorted(FEEDBACKS), OFF],
                       help="form of the lifter's feedback: range (released code), exp (the paper's equation 9), or off")
    group.add_argument('--on_collapse', default='warn', choices=['warn', 'restart', 'stop'],
                       help='when the game collapses: print a warning and go on, restart from the last healthy epoch with '
                            'other random numbers (also when the loss is NaN), or stop (default %(default)s)')
    group.add_argument('--max_restarts', default=5, type=whole, metavar='N',
                       help='limit of --on_collapse restart; each restart after the first divides the learning rates of '
                            'augmentor and discriminators by ten (default %(default)s)')


def add_ablation_args(parser):
    """Flags that take a part of PoseAug away, or replace it."""
    group = parser.add_argument_group('ablation')
    group.add_argument('--augmentor', default=LEARNED, choices=(LEARNED, *SUBSTITUTE_NAMES),
                       help='learned: PoseAug; random: random bone angles, bone lengths and views in its place; none: the real '
                            'pairs again, so that the lifter takes at least as many steps (default %(default)s)')
    group.add_argument('--augment', default=','.join(HEADS), type=some_of(HEADS, nothing=None), metavar='LIST',
                       help='what the augmentor changes: bone angles, bone lengths, rotation and translation '
                            '(default %(default)s)')
    group.add_argument('--discriminators', default=','.join(CRITICS), type=some_of(CRITICS, nothing='none'), metavar='LIST',
                       help='those that play: 2d, 3d, both or none (default %(default)s)')
    group.add_argument('--kcs', default=KCS_FORMS[0], choices=KCS_FORMS,
                       help='what the 3D discriminator sees: the angles between the bones of each body part (part), between '
                            'all bones (whole), or the directions of the bones (off) (default %(default)s)')


def without_effect(args, parser):
    """Names of the flags that only the game reads, if --augmentor says that there is none, and of those of parts left out."""
    idle = of_parts_left_out(args)
    if args.augmentor == LEARNED:
        return idle
    names = [action.dest for action in parser._actions]
    idle += tuple(name for name in names if name.startswith(('gloss_', 'hardratio_')))
    idle += ('lr_g', 'lr_d', 'df', 'warmup_kept', 'feedback', 'discriminators', 'kcs', 'blr_tanhlimit', 'symmetric_filter',
             'on_collapse', 'max_restarts')
    if args.augmentor == 'none':
        idle += ('augment', 'ba_range_m', 'ba_range_w', 'blr_limit', 'bl_templates')
    return idle


def of_parts_left_out(args):
    """Names of the flags that shape a part which --discriminators, --augment or --feedback leaves out."""
    feedback = {head: (f'gloss_factorfeedback_{head}', f'gloss_factordiv_{head}') for head in ('ba', 'rt')}
    names = {'2d': ('gloss_factord2d', 'warmup_kept'), '3d': ('gloss_factord3d', 'kcs'),
             'ba': ('ba_range_m', 'ba_range_w', *feedback['ba']),
             'bl': ('blr_limit', 'blr_tanhlimit', 'gloss_factorblr'), 'rt': feedback['rt']}
    playing = f'{args.discriminators},{args.augment}'.split(',')
    idle = sum((own for part, own in names.items() if part not in playing), ())
    return idle + feedback['ba'] + feedback['rt'] if args.feedback == OFF else idle


def add_loss_args(parser):
    """Flags for the terms of the generator's loss, read by `loss_weights` and `feedback_terms`."""
    group = parser.add_argument_group('generator loss')
    group.add_argument('--hardratio_std_ba', default=2.0, type=number,
                       help='half-width of the band for (error on BA poses) / (error on source poses)')
    group.add_argument('--hardratio_ba_s', default=3.0, type=number, help='centre of BA\'s band at the start of training')
    group.add_argument('--hardratio_ba', default=5.0, type=number, help='centre of BA\'s band at the end of training')
    group.add_argument('--hardratio_std_rt', default=15.0, type=number,
                       help='half-width of the band for (error on RT poses) / (error on source poses)')
    group.add_argument('--hardratio_rt_s', default=17.0, type=number, help='centre of RT\'s band at the start of training')
    group.add_argument('--hardratio_rt', default=17.0, type=number, help='centre of RT\'s band at the end of training')
    group.add_argument('--ba_range_m', default=0.205, type=number,
                       help='centre of the range for 1 - cos of the angle by which bones turn (mean over bones)')
    group.add_argument('--ba_range_w', default=0.165, type=number, help='half-width of the range around --ba_range_m')
    group.add_argument('--blr_tanhlimit', default=0.2, type=number, help='largest possible relative change of bone lengths')
    group.add_argument('--blr_limit', default=0.1, type=number,
                       help='largest relative change of bone lengths without penalty')
    group.add_argument('--gloss_factord2d', default=1.0, type=number, help='weight of the 2D adversarial loss')
    group.add_argument('--gloss_factord3d', default=6.0, type=number, help='weight of the 3D adversarial loss')
    group.add_argument('--gloss_factordiff', default=3.0, type=number, help='weight of the angle and length losses together')
    group.add_argument('--gloss_factorblr', default=1.0, type=number,
                       help='weight of the length loss relative to the angle loss (no effect in the reference)')
    group.add_argument('--gloss_factorfeedback_ba', default=0.1, type=number, help='weight of the feedback on BA')
    group.add_argument('--gloss_factordiv_ba', default=0.0, type=number, help='weight of the spread term in the feedback on BA')
    group.add_argument('--gloss_factorfeedback_rt', default=0.01, type=number, help='weight of the feedback on RT')
    group.add_argument('--gloss_factordiv_rt', default=0.0, type=number, help='weight of the spread term in the feedback on RT')


def loss_weights(args):
    """LossWeights of the command line."""
    return LossWeights(args.gloss_factord3d, args.gloss_factord2d, args.gloss_factordiff, args.ba_range_m,
                       args.ba_range_w, args.blr_limit, args.gloss_factorblr, tuple(args.discriminators.split(',')))


def feedback_terms(args, epoch):
    """FeedbackTerms of an epoch. The centres of the bands move linearly with epoch / epochs."""
    progress = epoch / args.epochs
    ba_centre = args.hardratio_ba_s + (args.hardratio_ba - args.hardratio_ba_s) * progress
    rt_centre = args.hardratio_rt_s + (args.hardratio_rt - args.hardratio_rt_s) * progress
    return FeedbackTerms(
        'range' if args.feedback == OFF else args.feedback,
        HardnessBand(ba_centre, args.hardratio_std_ba, args.gloss_factorfeedback_ba, args.gloss_factordiv_ba),
        HardnessBand(rt_centre, args.hardratio_std_rt, args.gloss_factorfeedback_rt, args.gloss_factordiv_rt),
        joins_loss=epoch > args.warmup and args.feedback != OFF)

"""Command-line flags in groups; each script takes the groups that it needs. Names and defaults are the reference's."""
import argparse
import sys

from common.datasets.h36m_protocol import KEYPOINTS, TRAIN_SUBJECTS
from common.datasets.mocap import FILMED_BY, is_mocap_name
from common.errors import InputError
from common.files.paths import add_data_root
from common.person_camera import CAMERAS
from function_baseline.recipe_v2 import INGREDIENTS
from models_baseline import LIFTERS, STAGELESS
from models_baseline.temporal import RECEPTIVE_FIELDS, STAGES
from utils.command_line import Parser, boolean, explicit_flags, number, positive, some_of, whole
from utils.device import DEVICES
from utils.graphs import AUTO

NO_NOTE = 'debug'


class TrainerParser(Parser):
    """Parser of the trainers and of run_evaluate.py; checks that the flags fit together."""

    @staticmethod
    def require_consistent(args):
        """InputError where two flags contradict each other."""
        if args.dropout < 0 and args.posenet_name != 'stgcn' and not args.evaluate:
            raise InputError(f'--dropout {args.dropout} works with stgcn only, whose layers have rates of their own; give a '
                             f'rate of at least 0 for {args.posenet_name}')
        if args.evaluate:      # the other flags say nothing about a checkpoint
            return
        if 0 < args.poses_per_epoch < args.batch_size:
            raise InputError(f'--poses_per_epoch {args.poses_per_epoch} is less than one batch, --batch_size '
                             f'{args.batch_size}; give more poses, or smaller batches')
        require_temporal(args)


def require_temporal(args):
    """InputError where a flag contradicts --receptive_field, or needs it."""
    if args.receptive_field == 1:
        if args.causal and not brings_its_frames(args):
            raise InputError('--causal needs several frames; give --receptive_field 9, 27, 81 or 243 too')
        return
    blocks, several = STAGES[args.receptive_field], f'--receptive_field {args.receptive_field}'
    if args.posenet_name != 'videopose':
        raise InputError(f'{several} works with videopose only; give --posenet_name videopose')
    if args.stages != blocks and 'stages' in args.explicit:
        raise InputError(f'{several} has {blocks} residual blocks; leave --stages {args.stages} out')
    if args.poses_per_epoch:
        raise InputError(f'--poses_per_epoch {args.poses_per_epoch} takes clips apart, and {several} needs them whole; '
                         'leave one out')
    if args.cameras == 'sampled':
        raise InputError(f'--cameras sampled draws a camera for each pose, and {several} needs clips; leave one out')


def brings_its_frames(args):
    """Whether the training starts from a given lifter, which knows its number of frames."""
    return args.pretrain_path and (args.pretrain or 'pretrain' not in args.explicit)


def dropout_rate(text):
    """A number below 1; a negative one stands for ST-GCN's own rates."""
    value = float(text)
    if not value < 1:
        raise argparse.ArgumentTypeError(f'{text!r} is not a dropout rate: give a number from 0 to below 1, or -1')
    return value


def auto_or_boolean(text):
    try:
        return AUTO if text == AUTO else boolean(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f'{text!r} is neither {AUTO}, true nor false') from None


def batch_size(text):
    """A whole number of at least 2."""
    value = positive(text)
    if value < 2:
        raise argparse.ArgumentTypeError('BatchNorm needs at least 2 poses in a batch')
    return value


def add_data_args(parser, datasets=('h36m',)):
    """Flags that choose the poses, for scripts that load training poses. Returns their group, for further flags."""
    group = add_test_args(parser)
    add_dataset(group, datasets)
    group.add_argument('--s1only', default=False, type=boolean, metavar='BOOL', help='train on subject S1 alone')
    group.add_argument('--train_subjects', default='', type=some_of(TRAIN_SUBJECTS), metavar='LIST',
                       help=f'train on these of {", ".join(TRAIN_SUBJECTS)} (comma-separated; default: all)')
    group.add_argument('--validate_on', default='', choices=('', *TRAIN_SUBJECTS), metavar='SUBJECT',
                       help='hold this training subject out, and keep the checkpoint with the lowest error on it')
    group.add_argument('--num_workers', default=2, type=int, metavar='N',
                       help='does nothing: all poses are in memory')
    return group


def add_test_args(parser):
    """Flags that choose the poses, for scripts that load test poses. Returns their group."""
    group = parser.add_argument_group('data')
    group.add_argument('--keypoints', default='gt', choices=KEYPOINTS, metavar='NAME',
                       help=f'source of the 2D poses: {", ".join(KEYPOINTS)} (default %(default)s)')
    group.add_argument('--actions', default='*', metavar='LIST', help='comma-separated actions, or * for all')
    group.add_argument('--downsample', default=1, type=positive, metavar='N', help='keep every N-th frame')
    add_data_root(group)
    return group


def add_dataset(group, datasets=('h36m',)):
    """Flags that choose the data set and its cameras; `datasets`: those that are not motion capture."""
    def name(text):
        if text in datasets or is_mocap_name(text):
            return text
        raise argparse.ArgumentTypeError(f'{text!r} is no data set; give {" or ".join(datasets)}, or the name of motion '
                                         'capture that you have prepared')

    group.add_argument('--dataset', default='h36m', type=name, metavar='NAME',
                       help='h36m: Human3.6M and MPI-INF-3DHP' + '; 3dpw: its test split alone' * ('3dpw' in datasets)
                            + '; or motion capture that data/prepare_data_mocap.py has prepared (default %(default)s)')
    group.add_argument('--cameras', default='h36m', choices=FILMED_BY,
                       help="h36m: Human3.6M's four calibrated cameras; sampled: one for each training pose, drawn anew each "
                            'epoch (default %(default)s)')


def add_lifter_args(parser):
    """Flags that choose the lifter and its size."""
    group = parser.add_argument_group('lifter')
    group.add_argument('--posenet_name', default='videopose', choices=sorted(LIFTERS), metavar='NAME',
                       help=f'{", ".join(sorted(LIFTERS))} (default %(default)s)')
    group.add_argument('--stages', default=4, type=positive, metavar='N', help='residual blocks (does nothing for stgcn)')
    group.add_argument('--receptive_field', default=1, type=int, choices=RECEPTIVE_FIELDS, metavar='N',
                       help='videopose: frames that a pose is lifted from, 1, 9, 27, 81 or 243 (default %(default)s)')
    group.add_argument('--causal', action='store_true',
                       help='with --receptive_field: look at earlier frames only, to lift streams')
    group.add_argument('--camera', default='image', choices=CAMERAS,
                       help='image: lift the 2D as they are, as the reference does; person: as a virtual camera that looks '
                            'at the person sees them (default %(default)s; run_evaluate.py: as the checkpoint was trained)')
    group.add_argument('--dropout', default=0.25, type=dropout_rate, metavar='RATE',
                       help='dropout rate; with stgcn, -1 stands for each layer\'s own rate (default %(default)s)')
    return group


def add_run_args(parser, snapshot, pretrain):
    """Flags for where a run is written and what it starts from. The trainers differ in two defaults.

    Returns the group, for further flags.
    """
    group = parser.add_argument_group('run')
    group.add_argument('--checkpoint', default='checkpoint/debug', metavar='DIR', help='folder of all runs')
    group.add_argument('--note', default=NO_NOTE, metavar='TEXT', help='ends the name of the run directory')
    group.add_argument('--snapshot', default=snapshot, type=positive, metavar='N',
                       help='keep a checkpoint every N epochs')
    group.add_argument('--resume', default='', metavar='PATH', help='run directory or checkpoint to continue')
    group.add_argument('--evaluate', default='', metavar='FILE',
                       help='score this checkpoint instead of training (run_evaluate.py: or a run directory; default: the '
                            'lifter that comes with the project)')
    group.add_argument('--pretrain', default=pretrain, type=boolean, metavar='BOOL',
                       help='start from a pretrained lifter (default %(default)s)')
    group.add_argument('--pretrain_path', default='', metavar='PATH',
                       help='its checkpoint, or a folder of runs (default: the newest in checkpoint/pretrain_baseline)')
    group.add_argument('--random_seed', default=0, type=int, metavar='N')
    group.add_argument('--device', default='auto', metavar='NAME', help=f'{", ".join(DEVICES)} (default %(default)s)')
    return group


def add_training_args(parser):
    """Flags that both trainers' loops share. Returns their group, for further flags."""
    group = parser.add_argument_group('training')
    group.add_argument('--batch_size', default=1024, type=batch_size, metavar='N')
    group.add_argument('--epochs', default=50, type=positive, metavar='N')
    group.add_argument('--poses_per_epoch', default=0, type=whole, metavar='N',
                       help='for sets larger than the memory: train each epoch on N poses, read from the disk, and on others '
                            'in the next, until all were met (default: 0, on all poses, which are kept in memory)')
    group.add_argument('--graphs', default=AUTO, type=auto_or_boolean, metavar='MODE',
                       help='on an NVIDIA GPU: record each update as a CUDA graph once an epoch and replay it: the same '
                            'numbers, faster; true: stop if that fails; false: no graphs (default %(default)s: '
                            'if it fails, go on without)')
    group.add_argument('--compile', action='store_true',
                       help='compile the lifter with torch.compile: faster, rounds differently')
    group.add_argument('--tf32', action='store_true',
                       help='on an NVIDIA GPU: permit TF32 in the networks while they train, never in geometry or '
                            'evaluation: faster, other numbers')
    group.add_argument('--no_max', dest='max_norm', default=True, action='store_false',
                       help='do not clip gradients (baseline only: PoseAug always clips)')
    return group


def baseline_parser(description, datasets=('h36m',)):
    """Flags of run_baseline.py, and of run_evaluate.py, which accepts all of them and knows more `datasets`."""
    parser = TrainerParser(description)
    add_data_args(parser, datasets)
    add_lifter_args(parser)
    add_run_args(parser, snapshot=25, pretrain=False)
    group = add_training_args(parser)
    group.add_argument('--lr', default=1e-3, type=number, help='learning rate (default %(default)s)')
    group.add_argument('--recipe', default='published', choices=('published', 'v2'),
                       help='v2: random cameras and 2D noise, through a virtual camera (docs/recipe_v2.md)')
    group.add_argument('--without', default='', type=some_of(INGREDIENTS), metavar='LIST',
                       help=f'take these ingredients out of recipe v2: {", ".join(INGREDIENTS)}')
    group.add_argument('--schedule', default='step', choices=('step', 'cosine'),
                       help='step: --lr_decay and --lr_gamma; cosine: down to zero along half a cosine (default %(default)s)')
    group.add_argument('--lr_decay', default=100000, type=positive, metavar='STEPS', help='steps between decays')
    group.add_argument('--lr_gamma', default=0.96, type=number, help='factor by which a decay multiplies the learning rate')
    group.add_argument('--action-wise', default=True, type=boolean, metavar='BOOL',
                       help='does nothing: the table per action is always printed')
    return parser


def parse(parser, argv, idle=(), used=None):
    """Parse the command line. `args.explicit` names the flags that were given; those without effect cause a warning.

    `idle`: names of flags without effect in this script; if `used` is given, flags not in it have no effect either.
    """
    args = parser.parse_args(argv)
    args.explicit = explicit_flags(parser, argv)
    idle = idle + ('stages',) * (args.posenet_name in STAGELESS)
    for action in parser._actions:
        is_idle = action.dest in idle or used is not None and action.dest not in used
        if is_idle and action.dest in args.explicit:
            print(f'warning: {action.option_strings[0]} does nothing here', file=sys.stderr)
    if not getattr(args, 'resume', ''):      # the flags of a run are checked together when they are known
        parser.require_consistent(args)
    args.stages = STAGES.get(args.receptive_field, args.stages)
    return args

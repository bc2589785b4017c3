"""Prepare motion capture as a data set for --dataset NAME (docs/own_data.md).

    python3 data/prepare_data_mocap.py --source FOLDER --name NAME
    python3 data/prepare_data_mocap.py --source CMU --rig cmu_asf_amc --source OTHER --rig RIG.toml --name NAME

Reads BVH, ASF/AMC and C3D files, and joint positions (T, J, 3) in .npz and .npy files. A rig says which of their joints are
ours: a file in data/rigs/ or one of your own (data/mocap/rig.py describes it). Without --rig they are found by their names.
With --skeleton the data set has the joints of another skeleton than our 16.

Writes data/mocap_NAME.npz, N poses in C clips of S subjects: `pose3d` (N, 16, 3) float32 world metres, z up, clip after clip;
`frames` (C,) lengths of the clips; `clip_names`, `rig_names` (C,); `subject` (C,) indices into `subject_names` (S,); `test`
(C,) whether a clip is for the test; `fps`; `joints` (16,) their names, which tell the skeleton. And for each rig
data/mocap_NAME_RIG.png, a few frames in three views: look at it before you train.
"""
import sys
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))    # so that it runs as a script from any folder
from common.datasets.mocap import RESERVED, is_mocap_name, make_mocap, mocap_path
from common.datasets.preparation import require_free, write_checked
from common.errors import InputError
from common.files.paths import add_data_root, at_root
from common.skeleton import H36M_16
from common.skeletons import SKELETONS, name_of
from data.mocap.clips import Source, Wishes, read_clips
from data.mocap.rig import UNITS, UPS, load_rig, require_pattern
from utils.command_line import Parser, boolean, exits_cleanly, number
from utils.pictures.three_views import save_three_views

PICTURED = 6         # frames in a picture


@exits_cleanly
def main(argv=None):
    """Prepare the data set; returns its path."""
    args = parse_args(argv)
    path = mocap_path(args.data_root, args.name)
    require_free(path)
    require_pattern(args.subject, '--subject')
    skeleton = SKELETONS[args.skeleton]
    wishes = Wishes(args.fps, args.up, args.unit, args.source_fps, args.mirrored, args.subject, args.skip_bad, skeleton)
    clips, remarks = read_all(sources_of(args), wishes)
    clips = split(clips, args.test_subjects, args.test_share)
    write_checked({path: arrays_of(clips, args.fps, skeleton)}, made_by=at_root(make_mocap(args.name), args.data_root))
    for line in summary(path, clips, remarks, args.fps):
        print(line)
    if args.picture:
        print('look at these before you train:', *pictures(path, clips, skeleton))
    return path


def parse_args(argv):
    parser = Parser('Prepare motion capture as a data set (docs/own_data.md).')
    parser.add_argument('--source', action='append', required=True, type=Path, metavar='PATH',
                        help='folder with BVH, AMC, C3D, .npz or .npy files, or one such file; may be given several times')
    parser.add_argument('--rig', action='append', default=[], metavar='RIG',
                        help='a ready rig or a .toml file: one for all sources, or one for each in their order, where auto '
                             'stands for none (default: the joints are found by their names)')
    parser.add_argument('--name', required=True, metavar='NAME', help='name of the data set')
    parser.add_argument('--skeleton', default=name_of(H36M_16), choices=SKELETONS,
                        help=f'joints of the data set: {", ".join(SKELETONS)} (default %(default)s)')
    parser.add_argument('--fps', default=50, type=number, metavar='N',
                        help='frames per second of the data set (default %(default)s)')
    parser.add_argument('--subject', metavar='REGEX', help='what its parentheses find in the name of a file is the subject '
                        '(default: what the rig says, or the folder of the file)')
    parser.add_argument('--test_subjects', nargs='+', default=(), metavar='NAME', help='subjects for the test')
    parser.add_argument('--test_share', default=.2, type=number, metavar='SHARE',
                        help='share of the subjects for the test, or of each clip of a single subject (default %(default)s)')
    parser.add_argument('--up', choices=UPS, help='axis of the files that points up (default: the rig\'s)')
    parser.add_argument('--unit', choices=UNITS, help='unit of the files (default: the rig\'s)')
    parser.add_argument('--source_fps', type=number, metavar='N',
                        help='frames per second of the files (default: what they say)')
    parser.add_argument('--mirrored', action='store_true', help='the axes of the files are left-handed')
    parser.add_argument('--skip_bad', action='store_true', help='leave out files that cannot be used, with a warning for each')
    parser.add_argument('--picture', default=True, type=boolean, metavar='BOOL',
                        help='draw a picture for each rig (default true)')
    add_data_root(parser)
    args = parser.parse_args(argv)
    if not is_mocap_name(args.name):
        parser.error(f'--name {args.name}: give letters, digits, - and _, and none of {", ".join(RESERVED)}')
    if not args.fps or args.source_fps == 0 or not 0 < args.test_share < 1:
        parser.error('--fps and --source_fps are more than 0, --test_share lies between 0 and 1')
    return args


def sources_of(args):
    """List of Sources; InputError unless there is no rig, one, or one for each source."""
    if len(args.rig) not in (0, 1, len(args.source)):
        raise InputError(f'--rig is given {len(args.rig)} times, --source {len(args.source)} times; give one rig for all '
                         'sources, or one for each')
    rigs = args.rig * (len(args.source) if len(args.rig) == 1 else 1) or ['auto'] * len(args.source)
    loaded = [None if rig == 'auto' else load_rig(rig) for rig in rigs]
    prefixes = [f'{path.resolve().name}/' if len(args.source) > 1 else '' for path in args.source]
    return [Source(*source) for source in zip(args.source, loaded, prefixes)]


def read_all(sources, wishes):
    """All Clips of the sources, and the Counter of remarks about their files."""
    clips, remarks = [], Counter()
    for source in sources:
        found, about = read_clips(source, wishes)
        clips += found
        remarks += about
    names = Counter(clip.name for clip in clips)
    name, count = names.most_common(1)[0]
    if count > 1:
        raise InputError(f'--source: {count} clips are called {name}; give folders with different names, or rename the files')
    return clips, remarks


def split(clips, test_subjects, share):
    """List of (Clip, whether it is for the test): by subject, or with one subject the end of each clip.

    Without `test_subjects` they are spread evenly over the sorted subjects. InputError if training or test would be empty.
    """
    subjects = sorted({clip.subject for clip in clips})
    unknown = sorted(set(test_subjects) - set(subjects))
    if unknown or len(set(test_subjects)) == len(subjects):
        raise InputError(f'--test_subjects: {", ".join(unknown) or "all subjects"}; choose some, not all, of '
                         f'{", ".join(subjects)}')
    if len(subjects) == 1:
        return [part for clip in clips for part in _cut(clip, share)]
    count = min(max(1, round(share * len(subjects))), len(subjects) - 1)
    chosen = set(test_subjects) or {subjects[(2 * place + 1) * len(subjects) // (2 * count)] for place in range(count)}
    return [(clip, clip.subject in chosen) for clip in clips]


def _cut(clip, share):
    """The clip as training and test: its beginning and its end."""
    count = len(clip.pose3d)
    first = min(max(1, round((1 - share) * count)), count - 1)
    if count < 2:
        return [(clip, False)]
    return [(clip._replace(pose3d=clip.pose3d[:first]), False),
            (clip._replace(name=f'{clip.name}#test', pose3d=clip.pose3d[first:]), True)]


def arrays_of(clips, fps, skeleton=H36M_16):
    """The arrays of the file, of a list of (Clip, is test)."""
    subjects = sorted({clip.subject for clip, _ in clips})
    return dict(pose3d=np.concatenate([clip.pose3d for clip, _ in clips]),
                frames=np.array([len(clip.pose3d) for clip, _ in clips]),
                clip_names=np.array([clip.name for clip, _ in clips]), rig_names=np.array([clip.rig for clip, _ in clips]),
                subject=np.array([subjects.index(clip.subject) for clip, _ in clips]), subject_names=np.array(subjects),
                test=np.array([test for _, test in clips]), fps=np.array(float(fps)), joints=np.array(skeleton.names))


def summary(path, clips, remarks, fps):
    """Lines about the written file."""
    counts = [sum(len(clip.pose3d) for clip, test in clips if test is part) for part in (False, True)]
    names = {part: sorted({clip.subject for clip, test in clips if test is part}) for part in (False, True)}
    yield (f'wrote {path}: {len(clips)} clips, {fps:g} frames per second; training {counts[0]:,} poses of '
           f'{_some(names[False])}; test {counts[1]:,} of {_some(names[True])}')
    if names[False] == names[True]:
        yield 'warning: there is one subject, so the test is the end of each clip, of the same person as in training'
    for rig in sorted({clip.rig for clip, _ in clips}):
        own = np.array([clip.stature for clip, _ in clips if clip.rig == rig])
        yield f'rig {rig}: {len(own)} clips; people about {own.min():.2f} to {own.max():.2f} m tall'
    for remark, count in remarks.items():
        if count:
            yield f'{remark} (in {count} of the recordings)'


def _some(names):
    return ', '.join(names[:8]) + (f' and {len(names) - 8} more subjects' if len(names) > 8 else '')


def pictures(path, clips, skeleton=H36M_16):
    """Draw a few frames for each rig; returns the paths."""
    paths = []
    for rig in sorted({clip.rig for clip, _ in clips}):
        own = [clip for clip, _ in clips if clip.rig == rig]
        pose3d = np.concatenate([clip.pose3d for clip in own])
        frames = np.linspace(0, len(pose3d) - 1, PICTURED).round().astype(int)
        paths.append(path.with_name(f'{path.stem}_{rig.replace(" ", "_")}.png'))
        save_three_views(paths[-1], pose3d[frames], f'{path.stem.removeprefix("mocap_")}: rig {rig}, {len(own)} clips',
                         skeleton)
    return paths


if __name__ == '__main__':
    main()

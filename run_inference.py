#!/usr/bin/env python3
"""2D in, 3D out: python3 run_inference.py --input CLIP --evaluate CHECKPOINT --output DIR (README.md)."""
import argparse
import re
import sys
from pathlib import Path

from common.errors import InputError
from function_inference.detectors import DETECTORS, detect_people, is_clip, open_clip
from function_inference.film import require_encoder, write_video
from function_inference.keypoint_files import read_keypoints
from function_inference.keypoint_formats import FORMATS, HEAD_RULES
from function_inference.lifting import follow_people, lift_people
from function_inference.motion_files import write_bvh, write_json, write_npz
from function_inference.page import write_page
from function_inference.tracks import EVERYONE
from utils.command_line import Parser, boolean, exits_cleanly, explicit_flags, number, whole
from utils.device import DEVICES, choose_device
from utils.runs.checkpoint import load_lifter

KINDS = ('npz', 'json', 'bvh')      # one of each for each person; page and film show everybody
FILMS = ('mp4', 'gif')
OUTPUTS = re.compile(r'motion(_[0-9]+)?\.(npz|json|bvh)|motion\.(html|mp4|gif)')
DETECTOR_FLAGS = ('detector', 'weights')
FILE_FLAGS = ('format', 'size', 'sequence')


@exits_cleanly
def main(argv=None):
    """Find people, follow one or all, lift, write; returns a list of Motions."""
    args = parse_args(argv)
    args.video = args.video or video_kind()
    require_free(args)
    device = choose_device(args.device)
    lifter, weights = load_lifter(args.evaluate, args)
    print(f'{args.evaluate}: {weights.posenet_name}, {weights.stages} stages')
    clip = open_clip(args.input) if is_clip(args.input) else None
    warn_of_idle(args, FILE_FLAGS if clip else DETECTOR_FLAGS)
    found = find_people(args, clip, device)
    people = follow_people(found, args.head, args.person, args.min_confidence, args.smooth)
    motions = lift_people(lifter, people, found, args.fps, device, args.flip)
    write_all(args, motions, clip)
    return motions


def find_people(args, clip, device):
    """Detections of a clip or of a file of keypoints."""
    if clip is None:
        return read_keypoints(args.input, args.format, args.size, args.sequence)
    return detect_people(clip, args.detector, args.input, args.weights, device)


def warn_of_idle(args, flags):
    for flag in flags:
        if flag in args.explicit:
            print(f'warning: --{flag} does nothing for this input', file=sys.stderr)


def video_kind():
    """'mp4' where it can be written here, else 'gif'."""
    try:
        require_encoder('motion.mp4')
        return 'mp4'
    except InputError:
        return 'gif'


def require_free(args):
    """InputError, before any work is done, where an output lies there already or the video cannot be written."""
    if args.output.exists() and not args.output.is_dir():
        raise InputError(f'--output {args.output} is a file; give a folder')
    if not args.overwrite and (taken := outputs_in(args.output)):
        raise InputError(f'{taken[0]} exists already; give another --output, or --overwrite')
    if args.video in FILMS:
        require_encoder(f'motion.{args.video}')


def outputs_in(folder):
    """What lies there of this script's files."""
    return sorted(path for path in folder.glob('motion*') if OUTPUTS.fullmatch(path.name))


def write_all(args, motions, clip):
    """Every kind of file, the video, which takes longest, last; then names what an earlier run has left beside them."""
    paths = []
    for motion in motions:
        name = motion.person.replace('person ', 'motion_') if args.person == EVERYONE else 'motion'
        npz, data, bvh = own = [args.output / f'{name}.{kind}' for kind in KINDS]
        write_npz(npz, motion)
        write_json(data, motion)
        write_bvh(bvh, motion, args.tilt)
        paths += own
    paths.append(args.output / 'motion.html')
    write_page(paths[-1], motions, args.tilt)
    if args.video in FILMS:
        paths.append(args.output / f'motion.{args.video}')
        write_video(paths[-1], motions, clip and clip.read(), args.tilt)
    print('\n'.join(map(str, paths)))
    for path in outputs_in(args.output):
        if path not in paths:
            print(f'warning: {path} is of an earlier run', file=sys.stderr)


def parse_args(argv):
    parser = inference_parser()
    args = parser.parse_args(argv)
    args.explicit, args.dropout = explicit_flags(parser, argv), 0.0      # load_lifter asks for both
    return args


def inference_parser():
    """The flags, by task."""
    parser = Parser(__doc__)
    add_input_args(parser.add_argument_group('input'))
    add_person_args(parser.add_argument_group('person'))
    group = parser.add_argument_group('lifter')
    group.add_argument('--evaluate', required=True, metavar='FILE', help='checkpoint; it tells which lifter it is')
    group.add_argument('--flip', default=False, type=boolean, metavar='BOOL',
                       help='average with the mirror image (default %(default)s)')
    group.add_argument('--device', default='auto', metavar='NAME', help=f'{", ".join(DEVICES)} (default %(default)s)')
    group = parser.add_argument_group('output')
    group.add_argument('--output', required=True, type=Path, metavar='DIR',
                       help='folder for motion.npz, .json, .bvh (motion_0.npz and so on of all), .html and the video')
    group.add_argument('--video', choices=(*FILMS, 'none'), help='(default: mp4, or gif without imageio-ffmpeg)')
    group.add_argument('--tilt', default=0.0, type=degrees, metavar='DEGREES',
                       help='how far the camera looked down: stands the person upright in BVH, page and video')
    group.add_argument('--overwrite', action='store_true', help='replace what lies there')
    return parser


def add_input_args(group):
    """What to read, and what the file may leave unsaid."""
    group.add_argument('--input', required=True, type=Path, metavar='PATH',
                       help='video, image, folder of images; keypoints as .json, .npz or folder of *_keypoints.json')
    group.add_argument('--detector', default='mediapipe', choices=DETECTORS, help='for videos and images '
                       '(default %(default)s)')
    group.add_argument('--weights', type=Path, metavar='PATH', help="the detector's (default: its package's own)")
    group.add_argument('--format', choices=FORMATS, metavar='NAME',
                       help=f'of keypoints: {", ".join(FORMATS)} (default: told by the file)')
    group.add_argument('--size', type=image_size, metavar='WxH', help='of the image in pixels, where no file says it')
    group.add_argument('--fps', type=frame_rate, metavar='N', help='frames per second (default: as the input says)')
    group.add_argument('--sequence', metavar='NAME', help="one of a table's, such as S1/Walking/0")


def add_person_args(group):
    """Whom to lift, and how joints are made of what was seen."""
    group.add_argument('--person', type=person, metavar='N', help='number of the person, in order of appearance, or '
                       'all (default: the one seen longest and most surely)')
    group.add_argument('--head', choices=HEAD_RULES, help="what stands for the top of the head (default: the format's "
                       'own joint, else thorax: thorax + 0.4 (thorax - hip))')
    group.add_argument('--min_confidence', default=0.3, type=number, metavar='C',
                       help='joints less sure than this are interpolated (default %(default)s)')
    group.add_argument('--smooth', type=odd_window, metavar='FRAMES',
                       help='Savitzky-Golay filter over that many frames, an odd number (default: none)')


def person(text):
    """A number from 0, or EVERYONE."""
    try:
        return text if text == EVERYONE else whole(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f'{text!r} is neither {EVERYONE} nor a whole number of at least 0') from None


def image_size(text):
    """'1920x1080' -> (1920, 1080)."""
    if not (match := re.fullmatch(r'([1-9][0-9]{0,4})x([1-9][0-9]{0,4})', text)):
        raise argparse.ArgumentTypeError(f'{text!r} is no size; write WIDTHxHEIGHT, such as 1920x1080')
    return int(match[1]), int(match[2])


def odd_window(text):
    value = whole(text, least=3)
    if value % 2 == 0:
        raise argparse.ArgumentTypeError(f'{text!r} is no odd number of frames')
    return value


def frame_rate(text):
    value = number(text)
    if not value:
        raise argparse.ArgumentTypeError('0 frames per second is no rate')
    return value


def degrees(text):
    """A tilt from -90 (straight up) to 90."""
    value = number(text.removeprefix('-'))
    if value > 90:
        raise argparse.ArgumentTypeError(f'{text!r}: the camera looks down by 90 degrees at most')
    return -value if text.startswith('-') else value


if __name__ == '__main__':
    main()

#!/usr/bin/env python3
"""Lift a video, images or 2D keypoints to 3D: run_inference.py --input CLIP --evaluate CHECKPOINT --output DIR."""
import argparse
import math
import re
import sys
from contextlib import nullcontext, redirect_stdout
from pathlib import Path

from common.errors import InputError
from common.person_camera import CAMERAS
from common.skeleton import H36M_16
from common.skeletons import name_of
from function_inference import live, streams
from function_inference.detections import Detections
from function_inference.detectors import DETECTORS, detect_people, frame_times, is_clip, only_python_logs, open_clip
from function_inference.film import require_encoder, write_video
from function_inference.keypoint_files import read_keypoints
from function_inference.keypoint_formats import FORMATS, HEAD_RULES
from function_inference.lifting import follow_people, frames_apart, lift_people, smoothing_window, timing
from function_inference.motion_files import write_bvh, write_json, write_npz
from function_inference.page import write_page
from function_inference.readers.frames_or_people import CHOICES
from function_inference.room import straightened
from function_inference.root import with_roots
from function_inference.tracks import EVERYONE
from models_baseline.temporal import require_causal
from utils.command_line import Parser, boolean, exits_cleanly, explicit_flags, number, whole
from utils.device import DEVICES, choose_device
from utils.runs.checkpoint import load_lifter
from utils.runs.shipped import checkpoint_or_shipped

KINDS = ('npz', 'json', 'bvh')      # one file of each per person; the page and the video show all people
VIDEOS = ('mp4', 'gif')
OUTPUTS = re.compile(r'motion(_[0-9]+)?\.(npz|json|bvh)|motion\.(html|mp4|gif)')
SAME_SHAPE = 0.02      # relative difference of width / height
OTHER_RATE = 1.3       # ratio of two frame rates
DETECTOR_FLAGS = ('detector', 'weights')
FILE_FLAGS = ('format', 'size', 'sequence', 'people')


@exits_cleanly
def main(argv=None):
    """Detect people, track one or all, lift and write; returns a list of Motion."""
    args = parse_args(argv)
    args.video = args.video or ('none' if args.stream else video_kind())
    require_free(args)
    lines = sys.stdout if args.input == streams.STANDARD_INPUT else None      # only the poses go there
    with redirect_stdout(sys.stderr if lines else sys.stdout):
        device = choose_device(args.device)
        args.evaluate = checkpoint_or_shipped(args.evaluate)
        lifter, weights = load_lifter(args.evaluate, args, skeleton=None)
        require_keypoints(args, weights.skeleton)
        print(f'{args.evaluate}: {weights.kind}')
        if args.camera == 'image' and weights.camera == 'person':
            print('warning: this lifter was trained for --camera person; with --camera image its poses will be wrong',
                  file=sys.stderr)
        motions = lift_live(args, lifter, device, lines) if args.stream else lift_clip(args, lifter, device, weights)
        warn_of_rate(weights.fps, motions[0].fps, 1 if args.stream else frames_apart(weights.fps, motions[0].fps))
        return motions


def warn_of_rate(trained, fps, every):
    """Warn where a lifter of several frames was trained on clips of notably fewer or more frames per second.

    `every`: how many frames apart it sees them.
    """
    if trained and not 1 / OTHER_RATE < fps / every / trained < OTHER_RATE:
        print(f'warning: this lifter was trained on clips of {trained:g} frames per second, and these are {fps:g}: to it, '
              'people move too fast or too slowly; see --downsample in docs/temporal.md', file=sys.stderr)


def require_keypoints(args, skeleton):
    """InputError where a lifter of another skeleton than ours is to lift anything but a file of keypoints."""
    if skeleton != H36M_16 and (args.stream or is_clip(args.input)):
        raise InputError(f'{args.evaluate} lifts {skeleton.num_joints} joints ({name_of(skeleton)}), which come from files of '
                         f'keypoints only, without --stream; give an array (T, {skeleton.num_joints}, 2) as .npz or .npy, or '
                         'lift with a checkpoint of 16 joints')


def lift_clip(args, lifter, device, weights):
    """Lift a clip or a file of keypoints and write all files; returns a list of Motion."""
    clip = open_clip(args.input) if is_clip(args.input) else None
    warn_of_idle(args, (*FILE_FLAGS, 'background') if clip else DETECTOR_FLAGS)
    found = find_people(args, clip, device)
    shown = clip or args.background and open_background(args.background, found)
    fps, time = timing(found, args.fps, clip and frame_times(clip))
    window = smoothing_window(args.smooth, fps, len(found.people))
    people = follow_people(found, args.head, args.person, args.min_confidence, window, weights.skeleton)
    focal_px = focal_length(args, found.width, found.height)
    motions = lift_people(lifter, people, found, fps, time, device, flip=args.flip, camera=args.camera, focal_px=focal_px,
                          skeleton=weights.skeleton, every=frames_apart(weights.fps, fps))
    motions = place_people(args, motions, people, focal_px, window)
    write_all(args, motions, shown)
    return motions


def lift_live(args, lifter, device, lines):
    """Lift a stream while it comes, then write all files; `lines`: where to write each pose at once, or None."""
    require_causal(lifter)
    with only_python_logs() if lines is None else nullcontext():
        stream, show = open_stream(args, device, lines)
        focal_px = focal_length(args, stream.width, stream.height)
        lift_frame = live.LiveLifter(lifter, stream, live.LivePerson(args.min_confidence, args.smooth), args.head,
                                     args.root == 'fit', device=device, flip=args.flip, camera=args.camera, focal_px=focal_px)
        seconds, poses = live.lift_stream(stream, lift_frame, show)
    found = Detections(poses, stream.format, stream.width, stream.height, stream.fps)
    fps, seconds = timing(found, args.fps, seconds - seconds[0] if len(seconds) > 1 else None)
    motions = straighten(args, [live.motion_of_live(poses, stream, fps, seconds)])
    write_all(args, motions, None)
    return motions


def open_stream(args, device, lines):
    """(Stream, what shows each frame) of --input; `lines` as in `lift_live`."""
    if isinstance(args.input, Path):
        return play_file(args, device), live.no_window
    warn_of_idle(args, ('sequence', 'people', 'person', 'background') + (DETECTOR_FLAGS if lines else ('format', 'size')))
    if lines:
        sys.stdin.reconfigure(encoding='utf-8', errors='replace')
        return streams.stream_of_lines(sys.stdin, args.format, args.size, args.fps), live.json_writer(lines)
    capture = streams.open_capture(args.input)
    print('waiting for somebody to come into view; Ctrl-C stops and writes the files', file=sys.stderr)
    stream = streams.stream_of_capture(capture, args.detector, args.weights, device)
    import cv2      # an optional package, which open_capture has found
    return stream, live.window(cv2) or live.no_window


def play_file(args, device):
    """Stream of a video, images or a file of keypoints."""
    from_images = is_clip(args.input)
    warn_of_idle(args, ('person', 'background', *(FILE_FLAGS if from_images else DETECTOR_FLAGS)))
    if from_images:
        return streams.stream_of_clip(open_clip(args.input), args.detector, args.weights, device, args.fps)
    return streams.stream_of_keypoints(find_people(args, None, device), args.fps)


def place_people(args, motions, people, focal_px, window):
    """The Motions with their places, as --root says, and straightened."""
    if args.root == 'fit':
        motions = with_roots(motions, people, focal_px, window)
    return straighten(args, motions)


def straighten(args, motions):
    """The Motions with the angles of the camera, given or guessed."""
    motions = straightened(motions, args.tilt, args.roll)
    if None in (args.tilt, args.roll):
        tilt, roll = motions[0].tilt_deg, motions[0].roll_deg
        print(f'the camera is taken to look {"down" if tilt >= 0 else "up"} by {abs(tilt):g} and to lean by {roll:g} degrees; '
              'correct it with --tilt and --roll')
    return motions


def focal_length(args, width, height):
    """The focal length in pixels that --focal or --fov says; None if neither was given."""
    if args.camera == 'image' and args.root == 'centre':
        warn_of_idle(args, ('fov', 'focal'))
    return max(width, height) / 2 / math.tan(math.radians(args.fov) / 2) if args.fov else args.focal


def find_people(args, clip, device):
    """Detections of the clip, or of the file of keypoints if `clip` is None."""
    if clip is None:
        return read_keypoints(args.input, args.format, args.size, args.sequence, args.people)
    return detect_people(clip, args.detector, args.input, args.weights, device)


def open_background(path, found):
    """The Clip on which keypoints were detected; InputError if it has another shape or fewer frames than the Detections."""
    if path.exists() and not is_clip(path):
        raise InputError(f'--background {path} is not a video, an image or a folder of images')
    try:
        clip = open_clip(path)
        count = sum(1 for _ in clip.read())
    except InputError as error:
        raise InputError(str(error).replace('--input', '--background', 1)) from None
    if abs(clip.width * found.height / (clip.height * found.width) - 1) > SAME_SHAPE:
        raise InputError(f'--background {path} is {clip.width}x{clip.height}, but the keypoints are for '
                         f'{found.width}x{found.height}; give the clip in which they were detected')
    if count < len(found.people):
        raise InputError(f'--background {path} has {count} frames, but there are keypoints for {len(found.people)}')
    return clip


def warn_of_idle(args, flags):
    """Warn of each of these flags that was given."""
    for flag in flags:
        if flag in args.explicit:
            print(f'warning: --{flag} has no effect on this input', file=sys.stderr)


def video_kind():
    """'mp4' if it can be written here, else 'gif'."""
    try:
        require_encoder('motion.mp4')
        return 'mp4'
    except InputError:
        return 'gif'


def require_free(args):
    """InputError, before any work, if an output exists already or the video cannot be written."""
    if args.output.exists() and not args.output.is_dir():
        raise InputError(f'--output {args.output} is a file; give a folder')
    if not args.overwrite and (taken := outputs_in(args.output)):
        raise InputError(f'{taken[0]} exists already; give another --output, or --overwrite')
    if args.video in VIDEOS:
        require_encoder(f'motion.{args.video}')


def outputs_in(folder):
    """The files of this script that are in the folder."""
    return sorted(path for path in folder.glob('motion*') if OUTPUTS.fullmatch(path.name))


def write_all(args, motions, shown):
    """Write all files, the slow video last, and print their names; warn of files that an earlier run left there.

    `shown`: the Clip to draw the 2D over, or None.
    """
    paths = []
    for motion in motions:
        name = motion.person.replace('person ', 'motion_') if args.person == EVERYONE else 'motion'
        npz, data, bvh = own = [args.output / f'{name}.{kind}' for kind in KINDS]
        write_npz(npz, motion)
        write_json(data, motion)
        write_bvh(bvh, motion)
        paths += own
    downloads = [path.name for path in paths if path.suffix in ('.npz', '.bvh')]
    paths.append(args.output / 'motion.html')
    write_page(paths[-1], motions, shown and shown.read(), downloads)
    if args.video in VIDEOS:
        paths.append(args.output / f'motion.{args.video}')
        write_video(paths[-1], motions, shown and shown.read())
    print('\n'.join(map(str, paths)))
    for path in outputs_in(args.output):
        if path not in paths:
            print(f'warning: {path} is from an earlier run', file=sys.stderr)


def parse_args(argv):
    parser = inference_parser()
    args = parser.parse_args(argv)
    args.explicit, args.dropout = explicit_flags(parser, argv), 0.0      # load_lifter needs both
    args.stream = args.stream or isinstance(args.input, str)      # see clip_or_stream
    return args


def inference_parser():
    """The flags, in groups."""
    parser = Parser(__doc__)
    add_input_args(parser.add_argument_group('input'))
    add_person_args(parser.add_argument_group('person'))
    group = parser.add_argument_group('lifter')
    group.add_argument('--evaluate', default='', metavar='FILE',
                       help='checkpoint; the lifter is read from it (default: the one that comes with the project)')
    group.add_argument('--flip', default=False, type=boolean, metavar='BOOL',
                       help='test-time flip: average with the flipped prediction (default %(default)s)')
    group.add_argument('--camera', default='person', choices=CAMERAS,
                       help='person: lift what a virtual camera sees that looks at the person, so that people who are '
                            'small or stand aside do not lean; image: lift the 2D as they are (default %(default)s)')
    lens = group.add_mutually_exclusive_group()
    lens.add_argument('--fov', type=field_of_view, metavar='DEGREES',
                      help="the camera's field of view along the longer side of the image, for --camera person and --root fit")
    lens.add_argument('--focal', type=positive_number, metavar='PIXELS',
                      help='its focal length (default: the longer side of the image, a field of view of 53 degrees)')
    group.add_argument('--device', default='auto', metavar='NAME', help=f'{", ".join(DEVICES)} (default %(default)s)')
    add_output_args(parser.add_argument_group('output'))
    return parser


def add_output_args(group):
    """Where and what to write, and how the people are placed and turned upright."""
    group.add_argument('--output', required=True, type=Path, metavar='DIR',
                       help='folder for motion.npz, .json, .bvh (motion_0.npz, ... with --person all), .html and video')
    group.add_argument('--video', choices=(*VIDEOS, 'none'),
                       help='kind of video (default: mp4, or gif without imageio-ffmpeg)')
    group.add_argument('--root', default='fit', choices=('fit', 'centre'),
                       help='place of the hip: the one that best explains the 2D, or always the centre (default %(default)s)')
    group.add_argument('--background', type=Path, metavar='PATH',
                       help='video or images over which the 2D of a file of keypoints is drawn in page and video')
    group.add_argument('--tilt', type=degrees, metavar='DEGREES', help='how far the camera looked down: puts people upright in '
                       'BVH, page and video (default: guessed from people who stand or walk)')
    group.add_argument('--roll', type=degrees, metavar='DEGREES',
                       help='how far upright people lean to the right in the image (default: guessed likewise)')
    group.add_argument('--overwrite', action='store_true', help='replace existing files')


def add_input_args(group):
    """What to read, and details that a file may lack."""
    group.add_argument('--input', required=True, type=clip_or_stream, metavar='PATH',
                       help='video, image, folder of images; keypoints as .json, .npz, .npy, .csv, .trc or folder '
                            'of .json; lifted live: the number of a camera, an rtsp:// or http:// stream, or - for lines of '
                            'JSON with keypoints on the standard input')
    group.add_argument('--stream', action='store_true', help='lift a file frame by frame too, as if it came live, and print '
                       'the latency and the frames per second')
    group.add_argument('--detector', default='mediapipe', choices=DETECTORS, help='for videos and images '
                       '(default %(default)s)')
    group.add_argument('--weights', type=Path, metavar='PATH', help="of the detector (default: its package's weights)")
    group.add_argument('--format', choices=FORMATS, metavar='NAME',
                       help=f'order of joints: {", ".join(FORMATS)} (default: determined from the file)')
    group.add_argument('--size', type=image_size, metavar='WxH', help='of the image in pixels, if the file does not say')
    group.add_argument('--fps', type=frame_rate, metavar='N', help='frames per second (default: from the input)')
    group.add_argument('--people', choices=CHOICES, help='what the entries of a list without frame numbers are: one person in '
                       'consecutive frames, or the people of one image (default: determined from the file)')
    group.add_argument('--sequence', metavar='NAME', help='the sequence of a table to read, such as S1/Walking/0')


def add_person_args(group):
    """Whom to lift, and how joints are computed from the detected ones."""
    group.add_argument('--person', type=person, metavar='N', help='number of the person, in order of appearance, or '
                       'all (default: the person with the largest sum of confidences)')
    group.add_argument('--head', choices=HEAD_RULES, help="what replaces the top of the head (default: the format's "
                       'own joint, else thorax: thorax + 0.4 (thorax - hip))')
    group.add_argument('--min_confidence', default=0.3, type=number, metavar='C',
                       help='joints with a lower confidence are interpolated (default %(default)s)')
    group.add_argument('--smooth', default=0.3, type=smooth_seconds, metavar='SECONDS',
                       help='smooth the 2D by a Savitzky-Golay filter over the odd number of frames nearest to this time; 0: '
                       'not at all, as with fewer than 5 frames (default %(default)s)')


def person(text):
    """A whole number from 0, or EVERYONE."""
    try:
        return text if text == EVERYONE else whole(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f'{text!r} is neither {EVERYONE} nor a whole number of at least 0') from None


def clip_or_stream(text):
    """A Path, or the text of a stream as it is."""
    return text if streams.is_stream(text) else Path(text)


def image_size(text):
    """'1920x1080' -> (1920, 1080)."""
    if not (match := re.fullmatch(r'([1-9][0-9]{0,4})x([1-9][0-9]{0,4})', text)):
        raise argparse.ArgumentTypeError(f'{text!r} is not a size; write WIDTHxHEIGHT, such as 1920x1080')
    return int(match[1]), int(match[2])


def smooth_seconds(text):
    """The length of the smoothing filter; larger numbers are frames, which --smooth counted before."""
    value = number(text)
    if value >= 3:
        raise argparse.ArgumentTypeError(f'{text!r}: --smooth takes seconds now, not frames; give less than 3, such as 0.3')
    return value


def frame_rate(text):
    value = number(text)
    if not value:
        raise argparse.ArgumentTypeError('0 frames per second is not a frame rate')
    return value


def positive_number(text):
    value = number(text)
    if not value:
        raise argparse.ArgumentTypeError(f'{text!r} is not a number greater than 0')
    return value


def field_of_view(text):
    """An angle from 1 to 170 degrees, beyond which no pinhole camera can be meant."""
    value = number(text)
    if not 1 <= value <= 170:
        raise argparse.ArgumentTypeError(f'{text!r}: give from 1 to 170 degrees')
    return value


def degrees(text):
    """An angle from -90 to 90; as a tilt, the camera looked straight up or straight down."""
    value = number(text.removeprefix('-'))
    if value > 90:
        raise argparse.ArgumentTypeError(f'{text!r}: give from -90 to 90 degrees')
    return -value if text.startswith('-') else value


if __name__ == '__main__':
    main()

"""Motions as an mp4 or gif video: the input on the left, the slowly turning 3D skeletons on the right.

The static parts are drawn once and the moving parts are drawn over them for every frame. The 3D is drawn in the upright
frame of function_inference.motion_files, seen slightly from above in an orthographic projection. The people's places in
the room are unknown, so each turns on a floor of their own, side by side in the order of their numbers.
"""
import itertools
import math
from contextlib import closing
from pathlib import Path

import numpy as np
from tqdm import tqdm

from common.errors import InputError
from common.files.atomic import written_whole
from function_inference.motion import at_constant_rate, in_sight, nearest_frames
from function_inference.motion_files import require_motion
from function_inference.room import upright
from utils.pictures.drawing import LEFT, RIGHT, bone_colours, bone_segments, joint_colours, new_figure

DPI = 100
MP4_HEIGHT_PX, GIF_HEIGHT_PX = 480, 320
INPUT_SHAPES = (9 / 16, 16 / 9)            # width / height; a narrower or wider input gets margins
TURN_SECONDS = 12
ELEVATION = math.radians(15)
STILL_FPS = 20                             # frame rate for a single pose, which is shown for one turn
GIF_FPS = 12.5                             # at most: GIFs of photographs are large
GIF_FRAMES = 600                           # at most: Pillow and viewers keep all of them in memory
GRID_M, GRID_SQUARES = 0.5, 6
INSTALL = 'pip install imageio-ffmpeg'     # includes ffmpeg, or finds the system's


def require_encoder(path):
    """InputError unless a video of this name can be written here; call it before any long work."""
    if Path(path).suffix == '.mp4':
        _imageio_ffmpeg(path)
    elif Path(path).suffix != '.gif':
        raise InputError(f'{path} is not the name of a video; choose a name that ends in .mp4 or .gif')


def write_video(path, motions, frames=None):
    """Write an .mp4 (with ffmpeg) or a .gif (with Pillow, at most 600 frames), depending on the name of `path`.

    `motions`: those of the people in one clip; `frames`: an iterable over its images, RGB uint8 (height, width, 3), read
    once and in order (None: an empty image). InputError if a motion or the name is not valid, if there are too few frames, or
    if ffmpeg fails. Uneven frames are shown at a constant rate: poses
    interpolated, images repeated or left out. Shows a progress bar.
    """
    for motion in motions:
        require_motion(motion)
    require_encoder(path)
    is_gif = Path(path).suffix == '.gif'
    height_px, save = (GIF_HEIGHT_PX, _save_gif) if is_gif else (MP4_HEIGHT_PX, _save_mp4)
    nearest, motions = nearest_frames(motions[0]), [*map(at_constant_rate, motions)]
    shown, fps = _schedule(motions[0], is_gif)
    film = _Film(motions, height_px)
    images = itertools.repeat(None) if frames is None else _images(iter(frames), nearest[shown], film.input_px)
    with (written_whole(path) as partial,
          tqdm(shown, desc=f'drawing {path}', unit='frame', leave=False, disable=None) as bar):
        save(partial, _drawn(film, bar, images, fps), fps)


def _schedule(motion, is_gif):
    """(frames to show, frames per second): every n-th for a GIF; a single pose is repeated for one turn."""
    count = len(motion.pose3d_rel)
    if count == 1:
        return [0] * (TURN_SECONDS * STILL_FPS), STILL_FPS
    step = max(math.ceil(motion.fps / GIF_FPS), math.ceil(count / GIF_FRAMES)) if is_gif else 1
    return range(0, count, step), motion.fps / step


def _images(frames, shown, size):
    """The image of each shown frame, scaled to `size` (width, height), as an RGB array."""
    from PIL import Image
    taken = -1
    for wanted in shown:
        if wanted > taken:                 # a frame may be shown again and again
            frame = next(itertools.islice(frames, wanted - taken - 1, None), None)
            if frame is None:
                raise InputError(f'the clip ends before frame {wanted} of the motion; give the clip of this motion')
            image = Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR, reducing_gap=1)
            scaled, taken = np.asarray(image), wanted
        yield scaled


def _drawn(film, shown, images, fps):
    """Yield each frame as (height, width, 4) uint8 RGBA, in one buffer that each frame overwrites."""
    for place, (frame, image) in enumerate(zip(shown, images)):
        yield film.draw(frame, image, 2 * math.pi * place / fps / TURN_SECONDS)


class _Skeleton:
    """Bones and joints on matplotlib axes, which `move` to a new pose."""

    def __init__(self, axes, width):
        from matplotlib.collections import LineCollection
        from matplotlib.colors import to_rgba_array
        self.bone_colours, self.joint_colours = to_rgba_array(bone_colours()), to_rgba_array(joint_colours())
        halo = LineCollection([], linewidths=width + 2, colors='white', capstyle='round')      # to stand out on photographs
        self.bones = LineCollection([], linewidths=width, capstyle='round')
        self.lines = halo, self.bones
        nowhere = np.zeros(len(self.joint_colours))
        self.joints = axes.scatter(nowhere, nowhere, s=(2 * width) ** 2, edgecolors=self.joint_colours, linewidths=1.5)
        self.artists = [*map(axes.add_artist, self.lines), self.joints]

    def move(self, points, guessed, nearness=None):
        """Move to `points` (16, 2); `guessed` (16,) bool: joints to draw hollow.

        With `nearness` (16,), nearer bones cover farther ones.
        """
        segments, colours = bone_segments(points), self.bone_colours
        if nearness is not None:
            order = np.argsort(bone_segments(nearness[:, None]).mean(axis=(1, 2)))
            segments, colours = segments[order], colours[order]
        for lines in self.lines:
            lines.set_segments(segments)
        self.bones.set_color(colours)
        self.joints.set_offsets(points)
        self.joints.set_facecolors(np.where(guessed[:, None], 1, self.joint_colours))


class _Floor:
    """One person in 3D who turns on a floor, on axes of their own; a text of `size` points says who and when."""

    def __init__(self, axes, motion, pose3d, shown, size):
        from matplotlib.collections import LineCollection
        self.motion, self.pose3d, self.shown = motion, pose3d, shown
        self.lines = axes.add_collection(LineCollection([], colors='0.85', linewidths=1), autolim=False)
        self.shadow = axes.add_collection(LineCollection([], colors='0.75', linewidths=2), autolim=False)
        self.skeleton = _Skeleton(axes, 3)
        self.words = axes.text(.01, .98, '', transform=axes.transAxes, color='0.3', va='top', fontsize=size,
                               parse_math=False)
        self.of_person = [self.shadow, *self.skeleton.artists]
        self.artists = [self.lines, *self.of_person, self.words]

    def move(self, frame, yaw):
        pose3d, there = self.pose3d[frame], bool(self.shown[frame])
        for artist in self.of_person:
            artist.set_visible(there)
        self.lines.set_segments(_seen(_floor(), yaw)[..., :2])
        self.shadow.set_segments(bone_segments(_seen(pose3d * (1, 0, 1), yaw)[:, :2]))
        seen = _seen(pose3d, yaw)
        self.skeleton.move(seen[:, :2], self.motion.guessed[frame], nearness=seen[:, 2])
        when = f'{frame / self.motion.fps:.2f} s' if there else 'out of sight'
        self.words.set_text(f'{self.motion.person}\n{when}')


class _InImage:
    """One person's 2D pose on the input's axes; `name`, in `size` points, is written above the highest joint."""

    def __init__(self, axes, motion, shown, name, size):
        self.motion, self.shown, self.skeleton = motion, shown, _Skeleton(axes, 2)
        self.name = axes.text(0, 0, name, fontsize=size, ha='center', va='bottom', clip_on=True, parse_math=False,
                              bbox=dict(facecolor='white', edgecolor='none', alpha=.7, pad=1))
        self.artists = [*self.skeleton.artists, self.name]

    def move(self, frame):
        for artist in self.artists:
            artist.set_visible(bool(self.shown[frame]))
        pose2d_px = self.motion.pose2d_px[frame]
        self.skeleton.move(pose2d_px, self.motion.guessed[frame])
        x, y = pose2d_px[pose2d_px[:, 1].argmin()]
        self.name.set_position((x, y - .02 * self.motion.height))


class _Film:
    """The figure: static parts, drawn once as the background, and moving parts."""

    def __init__(self, motions, height):
        self.motions, self.clip, self.height = motions, motions[0], height
        self.shown, self.several, self.words_pt = in_sight(motions), len(motions) > 1, height / 44
        self.input_width = 2 * round(np.clip(self.clip.width / self.clip.height, *INPUT_SHAPES) * height / 2)
        self.rows = math.ceil(math.sqrt(len(motions) / 2))       # at most about twice as many columns as rows
        self.columns, self.side = math.ceil(len(motions) / self.rows), 2 * (height // self.rows // 2)
        self.width = self.input_width + self.columns * self.side      # a square for each person
        self.input_px = self._size_of_input()
        self.figure = new_figure(figsize=(self.width / DPI, height / DPI), dpi=DPI)
        self.in_image, self.floors = self._add_input(), self._add_floors()
        self._add_words()
        self.moving = [artist for part in (*self.in_image, *self.floors) for artist in part.artists]
        for artist in self.moving:
            artist.set_animated(True)           # left out of the background
        self.figure.canvas.draw()
        self.background = self.figure.canvas.copy_from_bbox(self.figure.bbox)

    def _size_of_input(self):
        """(width, height) in pixels at which the input is shown."""
        scale = min(self.input_width / self.clip.width, self.height / self.clip.height)
        return max(1, round(scale * self.clip.width)), max(1, round(scale * self.clip.height))

    def _add_axes(self, left, top, width, height):
        """Axes of this size in pixels, with their upper left corner at (left, top) of the figure."""
        axes = self.figure.add_axes((left / self.width, 1 - (top + height) / self.height, width / self.width,
                                     height / self.height))
        axes.set_axis_off()
        axes.set_aspect('equal')
        return axes

    def _add_input(self):
        axes = self._add_axes(0, 0, self.input_width, self.height)
        width, height = self.clip.width, self.clip.height
        axes.set(xlim=(0, width), ylim=(height, 0))
        axes.fill([0, width, width, 0], [0, 0, height, height], color='0.96')
        return [_InImage(axes, motion, shown, motion.person.split()[-1] if self.several else '', self.words_pt)
                for motion, shown in zip(self.motions, self.shown)]

    def _add_floors(self):
        """A _Floor for each person, all at the one scale at which every pose fits in from every side."""
        poses3d = [_centred(upright(motion)) for motion in self.motions]
        seen = np.concatenate([pose3d[shown] for pose3d, shown in zip(poses3d, self.shown)])
        tallest = seen[..., 1].max()
        widest = np.linalg.norm(seen[..., ::2], axis=-1).max()
        half = 1.15 * max(tallest / 2 + widest * math.sin(ELEVATION), widest, 1e-3)
        middle = tallest / 2 * math.cos(ELEVATION)
        floors = []
        for place, (motion, pose3d, shown) in enumerate(zip(self.motions, poses3d, self.shown)):
            row, column = divmod(place, self.columns)
            axes = self._add_axes(self.input_width + column * self.side, row * self.side, self.side, self.side)
            axes.set(xlim=(-half, half), ylim=(middle - half, middle + half))
            floors.append(_Floor(axes, motion, pose3d, shown, self.words_pt))
        return floors

    def _add_words(self):
        guessed = any(motion.guessed[shown].any() for motion, shown in zip(self.motions, self.shown))
        words = [('left', LEFT), ('right', RIGHT)] + [('hollow: guessed', '0.3')] * guessed
        for line, (word, colour) in enumerate(words):
            self.figure.text(.99, .98 - .045 * line, word, color=colour, ha='right', va='top', fontsize=self.words_pt)

    def draw(self, frame, image, yaw):
        """A frame as RGBA (height, width, 4); `image`: RGB uint8 of size `input_px`, or None; `yaw` in radians."""
        for person in self.in_image:
            person.move(frame)
        for floor in self.floors:
            floor.move(frame, yaw)
        canvas = self.figure.canvas
        canvas.restore_region(self.background)
        pixels = np.asarray(canvas.buffer_rgba())
        if image is not None:
            height, width = image.shape[:2]
            top, left = (self.height - height) // 2, (self.input_width - width) // 2
            pixels[top:top + height, left:left + width, :3] = image
        for artist in self.moving:
            artist.draw(canvas.renderer)
        return pixels


def _centred(pose3d):
    """(T, 16, 3), upright frame, moved sideways such that the middle of the hip's path is at the origin."""
    path = pose3d[:, 0]
    return pose3d - (path.min(axis=0) + path.max(axis=0)) / 2 * (1, 0, 1)


def _floor():
    """(lines, 2, 3) metres in the upright frame: a grid with squares of GRID_M around the person."""
    places = (np.arange(GRID_SQUARES + 1) - GRID_SQUARES / 2) * GRID_M
    ends = np.array([[(place, 0, places[0]), (place, 0, places[-1])] for place in places])
    return np.concatenate([ends, ends[..., ::-1]])


def _seen(points, yaw):
    """(..., 3) metres, upright frame -> (..., 3) right, up, towards the viewer, who sees it turned by `yaw` radians."""
    x, y, z = np.moveaxis(points, -1, 0)
    right, towards = x * math.cos(yaw) + z * math.sin(yaw), z * math.cos(yaw) - x * math.sin(yaw)
    sine, cosine = math.sin(ELEVATION), math.cos(ELEVATION)
    return np.stack([right, y * cosine - towards * sine, y * sine + towards * cosine], axis=-1)


def _imageio_ffmpeg(path):
    """The module; InputError if it or an ffmpeg is missing."""
    try:
        import imageio_ffmpeg
        imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError):
        raise InputError(f'{path}: an .mp4 needs ffmpeg; {INSTALL}, or choose a name that ends in .gif') from None
    return imageio_ffmpeg


def _save_mp4(path, drawn, fps):
    """H.264 in yuv420p, which all players support; the frames are counted afterwards, as ffmpeg can fail silently."""
    imageio_ffmpeg, first = _imageio_ffmpeg(path), next(drawn)
    encoder = imageio_ffmpeg.write_frames(str(path), first.shape[1::-1], pix_fmt_in='rgba', fps=fps, quality=7,
                                          macro_block_size=2, ffmpeg_log_level='error')
    with closing(encoder):
        encoder.send(None)
        count = 0
        for pixels in itertools.chain([first], drawn):
            count += 1
            try:
                encoder.send(pixels)
            except OSError:                # ffmpeg has stopped; the count below shows it
                break
    try:
        whole = imageio_ffmpeg.count_frames_and_secs(str(path))[0] == count
    except RuntimeError:
        whole = False
    if not whole:
        raise InputError(f'{path.parent}: ffmpeg could not write the whole video there; free some disk space, or '
                         'choose a name that ends in .gif')


def _save_gif(path, drawn, fps):
    pictures = (_picture(pixels, place, fps) for place, pixels in enumerate(drawn))
    next(pictures).save(path, save_all=True, append_images=pictures, loop=0)


def _picture(pixels, place, fps):
    """A frame, RGBA, as a Pillow image with 256 colours and a duration.

    A GIF counts in hundredths of a second. The end of each frame is rounded, not its duration, so that the errors do
    not add up.
    """
    from PIL import Image
    picture = Image.fromarray(pixels[..., :3]).quantize(method=Image.Quantize.FASTOCTREE)
    picture.info['duration'] = 10 * (round(100 * (place + 1) / fps) - round(100 * place / fps))
    return picture

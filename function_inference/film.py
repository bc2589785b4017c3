"""Motions as a film, mp4 or gif: the input on the left, the slowly turning skeletons on the right.

What stays is drawn once, what moves is drawn over it frame by frame. The 3D is seen from a little above, without
perspective, in the upright frame of function_inference.motion_files. Where people stand in the room is not known: each of several
turns on a floor of their own, side by side in the order of their numbers.
"""
import itertools
import math
from contextlib import closing
from pathlib import Path

import numpy as np
from tqdm import tqdm

from common.errors import InputError
from common.files.atomic import written_whole
from function_inference.motion import in_sight
from function_inference.motion_files import require_motion, upright
from utils.pictures.drawing import LEFT, RIGHT, bone_colours, bone_segments, joint_colours, new_figure

DPI = 100
MP4_HEIGHT_PX, GIF_HEIGHT_PX = 480, 320
INPUT_SHAPES = (9 / 16, 16 / 9)            # width by height; what is narrower or wider gets a margin
TURN_SECONDS = 12
ELEVATION = math.radians(15)
STILL_FPS = 20                             # a single pose is shown for one turn
GIF_FPS = 12.5                             # at most: photographs make large GIFs
GIF_FRAMES = 600                           # at most: Pillow keeps them all in memory, and so do those who show them
GRID_M, GRID_SQUARES = 0.5, 6
INSTALL = 'pip install imageio-ffmpeg'     # brings ffmpeg along, or finds the system's


def require_encoder(path):
    """InputError unless a film of this name can be written here; scripts ask before their long work."""
    if Path(path).suffix == '.mp4':
        _imageio_ffmpeg(path)
    elif Path(path).suffix != '.gif':
        raise InputError(f'{path} is no name of a film; choose one that ends in .mp4 or .gif')


def write_video(path, motions, frames=None, tilt_deg=0.0):
    """Write an .mp4 (by ffmpeg) or a .gif (by Pillow, of 600 frames at most) as the name says, with a progress bar.

    `motions` are those of the people of one clip, `frames` an iterable of its images, RGB uint8 (height, width, 3),
    read once and in order; without it the 2D stand on an empty image. `tilt_deg`: how far the camera looked down.
    """
    for motion in motions:
        require_motion(motion)
    require_encoder(path)
    is_gif = Path(path).suffix == '.gif'
    height_px, save = (GIF_HEIGHT_PX, _save_gif) if is_gif else (MP4_HEIGHT_PX, _save_mp4)
    shown, fps = _schedule(motions[0], is_gif)
    film = _Film(motions, tilt_deg, height_px)
    images = itertools.repeat(None) if frames is None else _images(iter(frames), shown, film.input_px)
    with (written_whole(path) as partial,
          tqdm(shown, desc=f'drawing {path}', unit='frame', leave=False, disable=None) as bar):
        save(partial, _drawn(film, bar, images, fps), fps)


def _schedule(motion, is_gif):
    """Which frames are shown, and how many a second: every n-th in a GIF of many; a single pose for a whole turn."""
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
        if wanted > taken:                 # a still is shown again and again
            frame = next(itertools.islice(frames, wanted - taken - 1, None), None)
            if frame is None:
                raise InputError(f'the clip ends before frame {wanted} of the motion; give the one it was made from')
            image = Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR, reducing_gap=1)
            scaled, taken = np.asarray(image), wanted
        yield scaled


def _drawn(film, shown, images, fps):
    """One frame after the other as (height, width, 4) uint8 RGBA, which is the figure's own memory."""
    for place, (frame, image) in enumerate(zip(shown, images)):
        yield film.draw(frame, image, 2 * math.pi * place / fps / TURN_SECONDS)


class _Skeleton:
    """Bones and joints on axes of matplotlib, to be moved."""

    def __init__(self, axes, width):
        from matplotlib.collections import LineCollection
        from matplotlib.colors import to_rgba_array
        self.bone_colours, self.joint_colours = to_rgba_array(bone_colours()), to_rgba_array(joint_colours())
        halo = LineCollection([], linewidths=width + 2, colors='white', capstyle='round')      # on photographs
        self.bones = LineCollection([], linewidths=width, capstyle='round')
        self.lines = halo, self.bones
        nowhere = np.zeros(len(self.joint_colours))
        self.joints = axes.scatter(nowhere, nowhere, s=(2 * width) ** 2, edgecolors=self.joint_colours, linewidths=1.5)
        self.artists = [*map(axes.add_artist, self.lines), self.joints]

    def move(self, points, guessed, nearness=None):
        """To `points` (16, 2); joints that are `guessed` (16,) become hollow; what is nearer covers what is farther."""
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
    """One person who turns, on axes of their own; `words` of `size` points say who, and when."""

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
    """One person's 2D on the axes of the input; `name`, of `size` points, stands over the highest joint."""

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
    """The figure and what moves in it."""

    def __init__(self, motions, tilt_deg, height):
        self.motions, self.clip, self.height = motions, motions[0], height
        self.shown, self.several, self.words_pt = in_sight(motions), len(motions) > 1, height / 44
        self.input_width = 2 * round(np.clip(self.clip.width / self.clip.height, *INPUT_SHAPES) * height / 2)
        self.rows = math.ceil(math.sqrt(len(motions) / 2))       # at most about twice as wide as high
        self.columns, self.side = math.ceil(len(motions) / self.rows), 2 * (height // self.rows // 2)
        self.width = self.input_width + self.columns * self.side      # each person turns in a square
        self.input_px = self._size_of_input()
        self.figure = new_figure(figsize=(self.width / DPI, height / DPI), dpi=DPI)
        self.in_image, self.floors = self._add_input(), self._add_floors(tilt_deg)
        self._add_words()
        self.moving = [artist for part in (*self.in_image, *self.floors) for artist in part.artists]
        for artist in self.moving:
            artist.set_animated(True)           # not drawn with what stays
        self.figure.canvas.draw()
        self.background = self.figure.canvas.copy_from_bbox(self.figure.bbox)

    def _size_of_input(self):
        """(width, height) of the input on the screen, pixels."""
        scale = min(self.input_width / self.clip.width, self.height / self.clip.height)
        return max(1, round(scale * self.clip.width)), max(1, round(scale * self.clip.height))

    def _add_axes(self, left, top, width, height):
        """Axes whose upper left corner is that pixel of the figure."""
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

    def _add_floors(self, tilt_deg):
        """A _Floor for each person, which holds the whole of any motion, however it is turned: all have one scale."""
        poses3d = [upright(motion.pose3d_rel, tilt_deg) for motion in self.motions]
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
        """This frame of the motion as RGBA; `image` RGB uint8 of size `input_px` or None, `yaw` radians."""
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


def _floor():
    """(lines, 2, 3) upright metres: squares of GRID_M about the person."""
    places = (np.arange(GRID_SQUARES + 1) - GRID_SQUARES / 2) * GRID_M
    ends = np.array([[(place, 0, places[0]), (place, 0, places[-1])] for place in places])
    return np.concatenate([ends, ends[..., ::-1]])


def _seen(points, yaw):
    """(..., 3) upright metres -> (..., 3) right, up and towards the eye, after a turn by `yaw` about the vertical."""
    x, y, z = np.moveaxis(points, -1, 0)
    right, towards = x * math.cos(yaw) + z * math.sin(yaw), z * math.cos(yaw) - x * math.sin(yaw)
    sine, cosine = math.sin(ELEVATION), math.cos(ELEVATION)
    return np.stack([right, y * cosine - towards * sine, y * sine + towards * cosine], axis=-1)


def _imageio_ffmpeg(path):
    """The module, where it finds an ffmpeg."""
    try:
        import imageio_ffmpeg
        imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError):
        raise InputError(f'{path}: an mp4 needs ffmpeg: {INSTALL}, or choose a name that ends in .gif') from None
    return imageio_ffmpeg


def _save_mp4(path, drawn, fps):
    """H.264 in yuv420p, which everything plays; read back, as ffmpeg's failures are easily missed."""
    imageio_ffmpeg, first = _imageio_ffmpeg(path), next(drawn)
    encoder = imageio_ffmpeg.write_frames(str(path), first.shape[1::-1], pix_fmt_in='rgba', fps=fps, quality=7,
                                          macro_block_size=2, ffmpeg_log_level='error')
    with closing(encoder):
        encoder.send(None)
        for count, pixels in enumerate(itertools.chain([first], drawn), start=1):
            try:
                encoder.send(pixels)
            except OSError:                # it has given up, and its film is too short
                break
    try:
        whole = imageio_ffmpeg.count_frames_and_secs(str(path))[0] == count
    except RuntimeError:
        whole = False
    if not whole:
        raise InputError(f'{path.parent}: ffmpeg could not write the whole film there; make room, or choose a name '
                         'that ends in .gif')


def _save_gif(path, drawn, fps):
    pictures = (_picture(pixels, place, fps) for place, pixels in enumerate(drawn))
    next(pictures).save(path, save_all=True, append_images=pictures, loop=0)


def _picture(pixels, place, fps):
    """RGBA as an image of Pillow's with 256 colours.

    It lasts whole hundredths of a second, as the format has it; where it ends is rounded, so that no error adds up.
    """
    from PIL import Image
    picture = Image.fromarray(pixels[..., :3]).quantize(method=Image.Quantize.FASTOCTREE)
    picture.info['duration'] = 10 * (round(100 * (place + 1) / fps) - round(100 * place / fps))
    return picture

"""Motions as an mp4 or gif video: the clip with the 2D drawn over it, the slowly turning 3D, and its side and top views.

The static parts are drawn once and the moving parts are drawn over them for every frame. The 3D is drawn in the upright
frame of function_inference.room in orthographic projections, which follow the people.
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
from function_inference.room import followed_places, scene
from utils.pictures.drawing import (LEFT, RIGHT, bone_colours, bone_segments, joint_colours, limb_colours, limb_widths_m,
                                    limbs_of, new_figure)

DPI = 100
MP4_HEIGHT_PX, GIF_HEIGHT_PX = 480, 320
INPUT_SHAPES = (9 / 16, 16 / 9)            # width / height; a narrower or wider input gets margins
TURN_SECONDS = 12
ELEVATION = math.radians(15)               # of the turning view
STILL_FPS = 20                             # frame rate for a single pose, which is shown for one turn
GIF_FPS = 12.5                             # at most: GIFs of photographs are large
GIF_FRAMES = 600                           # at most: Pillow and viewers keep all of them in memory
GRID_M, LEAST_SQUARES = 0.5, 6
MARGIN = 1.15                              # of a view, beyond the farthest joint
OUTLINE_PT, POINTS_PER_INCH = 2, 72
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
    once and in order (None: only the 3D is shown). InputError if a motion or the name is not valid, if there are too few
    frames, or if ffmpeg fails. Uneven frames are shown at a constant rate: poses interpolated, images repeated or left out.
    Shows a progress bar.
    """
    for motion in motions:
        require_motion(motion)
    require_encoder(path)
    is_gif = Path(path).suffix == '.gif'
    height_px, save = (GIF_HEIGHT_PX, _save_gif) if is_gif else (MP4_HEIGHT_PX, _save_mp4)
    nearest, motions = nearest_frames(motions[0]), [*map(at_constant_rate, motions)]
    shown, fps = _schedule(motions[0], is_gif)
    film = _Film(motions, height_px, frames is not None)
    images = itertools.repeat(None) if frames is None else scaled_images(frames, nearest[shown], film.input_px)
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


def scaled_images(frames, shown, size):
    """Yield the image of each of the `shown` frames (ascending numbers), scaled to `size` (width, height), as an RGB array.

    `frames`: an iterable over all images of the clip. InputError if it ends too early.
    """
    from PIL import Image
    frames, taken = iter(frames), -1
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


class _InImage:
    """One person's 2D pose on the image's axes; `name`, in `size` points, is written above the highest joint."""

    def __init__(self, axes, motion, shown, name, size):
        from matplotlib.collections import LineCollection
        from matplotlib.colors import to_rgba_array
        self.motion, self.shown, self.colours = motion, shown, to_rgba_array(joint_colours(motion.skeleton))
        halo = LineCollection([], linewidths=4, colors='white', capstyle='round')      # to stand out on photographs
        bones = LineCollection([], linewidths=2, colors=bone_colours(motion.skeleton), capstyle='round')
        self.lines = [axes.add_artist(lines) for lines in (halo, bones)]
        nowhere = np.zeros(len(self.colours))
        self.joints = axes.scatter(nowhere, nowhere, s=16, edgecolors=self.colours, linewidths=1.5)
        self.name = axes.text(0, 0, name, fontsize=size, ha='center', va='bottom', clip_on=True, parse_math=False,
                              bbox=dict(facecolor='white', edgecolor='none', alpha=.7, pad=1))
        self.artists = [*self.lines, self.joints, self.name]

    def move(self, frame):
        for artist in self.artists:
            artist.set_visible(bool(self.shown[frame]))
        pose2d_px = self.motion.pose2d_px[frame]
        for lines in self.lines:
            lines.set_segments(bone_segments(pose2d_px, self.motion.skeleton))
        self.joints.set_offsets(pose2d_px)
        self.joints.set_facecolors(np.where(self.motion.guessed[frame, :, None], 1, self.colours))
        x, y = pose2d_px[pose2d_px[:, 1].argmin()]
        self.name.set_position((x, y - .02 * self.motion.height))


class _Stage:
    """The people in the room as the views show them, relative to the place that the views follow."""

    def __init__(self, motions):
        shown, poses3d = np.stack(in_sight(motions)), np.stack(scene(motions))
        self.skeleton = motions[0].skeleton
        self.shown, self.guessed = shown, np.stack([motion.guessed for motion in motions])
        self.places = followed_places(poses3d, shown, motions[0].fps)
        self.poses3d = poses3d - self.places[:, None]
        self.tallest = limbs_of(self.poses3d[shown], self.skeleton)[..., 1].max()
        self.widest = np.linalg.norm(self.poses3d[shown][..., ::2], axis=-1).max()

    def floor(self, frame):
        """(lines, 2, 3) metres: a grid with squares of GRID_M, which stays where it is in the room."""
        squares = max(LEAST_SQUARES, math.ceil(2 * self.widest / GRID_M))
        ends = (np.array([0, squares]) - squares // 2) * GRID_M
        lines = (np.arange(squares + 1) - squares // 2) * GRID_M
        grid = np.array([[(place, 0, ends[0]), (place, 0, ends[1])] for place in lines])
        moved = self.places[frame] % GRID_M
        return np.concatenate([grid, grid[..., ::-1]]) - moved


class _View:
    """The people in 3D on square axes, seen from `elevation` radians above the horizon; `names` are written above the heads."""

    def __init__(self, axes, stage, elevation, names, size):
        from matplotlib.collections import LineCollection
        self.stage, self.elevation = stage, elevation
        middle = stage.tallest / 2 * math.cos(elevation)
        half = MARGIN * max(middle + stage.widest * math.sin(elevation), stage.widest, stage.tallest / 2, 1e-3)
        axes.set(xlim=(-half, half), ylim=(middle - half, middle + half))
        self.points_per_metre = axes.get_window_extent().width / (2 * half) * POINTS_PER_INCH / DPI
        self.floor, self.shadow, self.limbs = (
            axes.add_collection(LineCollection([], capstyle='round', **options), autolim=False)
            for options in (dict(colors='0.85', linewidths=1), dict(colors='0.75', linewidths=2), {}))
        self.names = [axes.text(0, 0, name, fontsize=size, ha='center', va='bottom', clip_on=True, parse_math=False)
                      for name in names]
        self.artists = [self.floor, self.shadow, self.limbs, *self.names]

    def move(self, frame, yaw):
        shown, poses3d = self.stage.shown[:, frame], self.stage.poses3d[:, frame]
        self.floor.set_segments(self._seen(self.stage.floor(frame), yaw)[..., :2])
        below = self._seen(poses3d[shown] * (1, 0, 1), yaw)[..., :2]
        self.shadow.set_segments(bone_segments(below, self.stage.skeleton).reshape(-1, 2, 2))
        seen = self._seen(poses3d, yaw)
        self._move_limbs(seen[shown], self.stage.guessed[shown, frame])
        for name, there, pose in zip(self.names, shown, seen):
            name.set_visible(bool(there))
            name.set_position(pose[pose[:, 1].argmax(), :2] + (0, .05))

    def _move_limbs(self, seen, guessed):
        """Nearer limbs cover farther ones, and each has a white outline; those that end in a guessed joint are pale."""
        skeleton = self.stage.skeleton
        segments = limbs_of(seen, skeleton).reshape(-1, 2, 3)
        order = np.argsort(segments[..., 2].mean(axis=-1))
        colours = limb_colours(guessed, skeleton)[order]
        widths = np.tile(limb_widths_m(skeleton), len(seen))[order] * self.points_per_metre
        self.limbs.set_segments(np.repeat(segments[order, :, :2], 2, axis=0))
        self.limbs.set_linewidths(np.stack([widths + OUTLINE_PT, widths], axis=1).ravel())
        self.limbs.set_color(np.stack([np.ones_like(colours), colours], axis=1).reshape(-1, 4))

    def _seen(self, points, yaw):
        """(..., 3) metres, upright frame -> (..., 3) right, up, towards the viewer, who sees it turned by `yaw` radians."""
        x, y, z = np.moveaxis(points, -1, 0)
        right, towards = x * math.cos(yaw) + z * math.sin(yaw), z * math.cos(yaw) - x * math.sin(yaw)
        sine, cosine = math.sin(self.elevation), math.cos(self.elevation)
        return np.stack([right, y * cosine - towards * sine, y * sine + towards * cosine], axis=-1)


class _Film:
    """The figure: static parts, drawn once as the background, and moving parts. The image has a panel if `with_image`."""

    def __init__(self, motions, height, with_image):
        self.motions, self.clip, self.height = motions, motions[0], height
        self.words_pt, self.stage = height / 44, _Stage(motions)
        shape = np.clip(self.clip.width / self.clip.height, *INPUT_SHAPES)
        self.input_width = 2 * round(shape * height / 2) if with_image else 0
        self.width = self.input_width + height + height // 2
        self.input_px = self._size_of_input()
        self.figure = new_figure(figsize=(self.width / DPI, height / DPI), dpi=DPI)
        names = [motion.person.split()[-1] if len(motions) > 1 else '' for motion in motions]
        self.in_image = self._add_input(names) if with_image else []
        self.turning, *self.still = self._add_views(names)
        self._add_words()
        self.moving = [artist for part in (*self.in_image, self.turning, *self.still) for artist in part.artists] + [self.words]
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

    def _add_input(self, names):
        axes = self._add_axes(0, 0, self.input_width, self.height)
        axes.set(xlim=(0, self.clip.width), ylim=(self.clip.height, 0))
        return [_InImage(axes, motion, shown, name, self.words_pt)
                for motion, shown, name in zip(self.motions, self.stage.shown, names)]

    def _add_views(self, names):
        """The turning view, and beside it the views from the side and from the top, half as large."""
        left, half = self.input_width + self.height, self.height // 2
        places = ((self.input_width, 0, self.height, ELEVATION), (left, 0, half, 0), (left, half, half, math.pi / 2))
        for title, top in (('side', 0), ('top', half)):
            self.figure.text((left + 6) / self.width, .98 - top / self.height, title, color='0.3', va='top',
                             fontsize=self.words_pt)
        return [_View(self._add_axes(left, top, side, side), self.stage, elevation, names, self.words_pt)
                for left, top, side, elevation in places]

    def _add_words(self):
        self.words = self.figure.text((self.input_width + 6) / self.width, .98, '', color='0.3', va='top',
                                      fontsize=self.words_pt, parse_math=False)
        guessed = bool((self.stage.guessed & self.stage.shown[..., None]).any())
        words = [('left', LEFT), ('right', RIGHT)] + [('pale: guessed', '0.3')] * guessed
        for line, (word, colour) in enumerate(words):
            self.figure.text((self.input_width + self.height - 6) / self.width, .98 - .045 * line, word, color=colour,
                             ha='right', va='top', fontsize=self.words_pt)

    def draw(self, frame, image, yaw):
        """A frame as RGBA (height, width, 4); `image`: RGB uint8 of size `input_px`, or None; `yaw` in radians."""
        for person in self.in_image:
            person.move(frame)
        self.turning.move(frame, yaw)
        for view, its_yaw in zip(self.still, (math.pi / 2, 0)):
            view.move(frame, its_yaw)
        self.words.set_text(f'{self.clip.person if len(self.motions) == 1 else ""}\n{frame / self.clip.fps:.2f} s'.strip())
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

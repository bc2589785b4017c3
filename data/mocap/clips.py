"""From recordings to clips: our 16 joints in metres, z up, on the floor, at one frame rate, checked.

The joints of another skeleton are carried behind the 16, by which every recording is checked.
"""
import re
from collections import Counter
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from scipy.interpolate import make_interp_spline

from common.datasets.preparation import progress
from common.errors import InputError
from common.files.layout import FARTHEST
from common.skeleton import H36M_16, Skeleton
from common.skeletons import name_of
from data.mocap import checks
from data.mocap.asf_amc import read_amc
from data.mocap.bvh import read_bvh
from data.mocap.c3d import read_c3d
from data.mocap.matching import match
from data.mocap.positions import read_positions
from data.mocap.recording import with_printable_names
from data.mocap.rig import UNITS, Rig, are_unnamed, has_joints, load_rig, named, place_joints, ready_rigs

READERS = {'.bvh': read_bvh, '.amc': read_amc, '.c3d': read_c3d, '.npz': read_positions, '.npy': read_positions}
# number of joints of an array without names -> its rig; SMPL-H has 52 and SMPL-X 55, of which the first 22 are SMPL's
ARRAYS = {22: 'smpl_22', 24: 'smpl_24', 52: 'smpl_22', 55: 'smpl_22'}
LEAST_SECONDS = 0.2      # shorter parts between two teleports are left out
RATES = (4, 2000)        # plausible frames per second
SAME_RATE = 1e-3         # frames are kept as they are if the rates differ by less, as a share


class Clip(NamedTuple):
    """`pose3d` (T, J, 3) float32 world metres, z up; the names of clip, subject and rig; the person's height in metres."""
    name: str
    subject: str
    rig: str
    pose3d: np.ndarray
    stature: float = np.nan


class Source(NamedTuple):
    """A folder or file of the user's, with its rig (None: found by names); `prefix` of its subjects' names."""
    path: object
    rig: object
    prefix: str


class Body(NamedTuple):
    """A clip of a file: names of clip and subject, the Rig, and `pose3d` (T, 16 or more, 3) float32 metres in its axes.

    `where`: the file, for messages; `metres`: length of its unit; `said_up`: axis that is said to point up (None: nobody says);
    `stands_along`: the one along which the person stands ('': none).
    """
    where: object
    name: str
    subject: str
    rig: Rig
    pose3d: np.ndarray
    metres: float
    fps: float
    said_up: str
    stands_along: str


class Wishes(NamedTuple):
    """What the command line says of all files; each overrides rig and file. `fps` and `skeleton` are those of the clips."""
    fps: float = 50.
    up: str = None
    unit: str = None
    source_fps: float = None
    mirrored: bool = False
    subject: str = None
    skip_bad: bool = False
    skeleton: Skeleton = H36M_16


def files_of(path):
    """The files of motion in a folder and those below it, or the one file; InputError if there is none."""
    if path.is_file():
        if path.suffix.lower() not in READERS:
            raise InputError(f'--source: {path} is not of a form that is read; give {", ".join(READERS)}')
        return [path]
    files = sorted(file for file in path.rglob('*') if file.suffix.lower() in READERS and file.is_file()
                   and not file.name.startswith('.'))
    if not files:
        raise InputError(f'--source: {path} {"holds no motion" if path.is_dir() else "is missing"}; give a folder with '
                         f'{", ".join(READERS)} files, or one such file')
    return files


def read_clips(source, wishes):
    """List of the Clips of a Source, and a Counter of remarks about its files."""
    clips, remarks, bodies, rigs = [], Counter(), [], {}
    with progress(files_of(source.path), f'reading {source.path.name}', unit='file') as bar:
        for path in bar:
            recordings = _unless_bad(recordings_of, path, wishes, remarks)
            remarks[f'file: holds {len(recordings)} clips'] += len(recordings) > 1
            for recording in recordings:
                bodies += _unless_bad(lambda recording: [body_of(recording, source, wishes, rigs)], recording, wishes, remarks)
    ups = {said: checks.common_up([body.stands_along for body in bodies if body.said_up == said], said, source.path)
           for said in {body.said_up for body in bodies}}
    for body in bodies:
        clips += _unless_bad(lambda body: clips_of(body, ups[body.said_up], wishes, remarks), body, wishes, remarks)
    if not clips:
        raise InputError(f'--source: no file of {source.path} could be used; see the warnings above')
    return clips, remarks


def _unless_bad(function, item, wishes, remarks):
    """`function(item)`, a list; with --skip_bad an InputError is printed as a warning and gives an empty list."""
    try:
        return function(item)
    except InputError as error:
        if not wishes.skip_bad:
            raise
        print(f'warning: left out: {error}')
        remarks['file: left out'] += 1
        return []


def recordings_of(path):
    """The Recordings in a file; InputError if it is damaged."""
    found = READERS[path.suffix.lower()](path)
    return [with_printable_names(recording) for recording in (found if isinstance(found, list) else [found])]


def body_of(recording, source, wishes, rigs):
    """The Body in a Recording; InputError if it is no person.

    `rigs`: {names of joints: Rig} of earlier files, so that the same names are the same joints in all files.
    """
    if not source.rig and recording.names not in rigs:
        rigs[recording.names] = rig_for(recording, wishes.skeleton)
    rig = source.rig or rigs[recording.names]
    if rig.lost_offsets and recording.path.suffix.lower() == '.bvh':
        recording = with_printable_names(read_bvh(recording.path, rig.lost_offsets))
    return _body(named(recording, rig), rig, source, wishes)


def _body(recording, rig, source, wishes):
    where = recording.where
    rough = place_joints(recording, rig, skeleton=wishes.skeleton)
    _require_numbers(rough, where)
    said = UNITS.get(wishes.unit or rig.unit, recording.metres)
    with _telling(rig):
        metres = checks.length_of_unit(checks.stature(rough), said, where)
        pose3d = place_joints(recording, rig, metres, wishes.skeleton)
        checks.require_body(pose3d, where)
        if wishes.skeleton != H36M_16:
            checks.require_bones(_own(pose3d), wishes.skeleton, where)
    return Body(where, *_names(recording, source, wishes.subject, rig), rig, pose3d.astype(np.float32), metres,
                _rate(recording, rig, wishes), wishes.up or rig.up, checks.stands_along(pose3d))


@contextmanager
def _telling(rig):
    """Where no rig was given, an InputError ends with how the joints were found."""
    try:
        yield
    except InputError as error:
        raise InputError(f'{error} ({rig.found})') if rig.found else error from None


def _own(pose3d):
    """(T, 16 + J, 3) -> (T, J, 3): the joints of the other skeleton, if there is one."""
    return pose3d[:, H36M_16.num_joints:] if pose3d.shape[1] > H36M_16.num_joints else pose3d


def _rate(recording, rig, wishes):
    fps = wishes.source_fps or recording.fps or rig.fps
    if not fps or not RATES[0] <= fps <= RATES[1]:
        said = f'has {fps:.3g} frames a second' if fps else 'does not say how many frames a second it has'
        raise InputError(f'{recording.path} {said}; give --source_fps, or fps in the rig')
    return fps


def clips_of(body, up, wishes, remarks):
    """The Clips of a Body: one, or several where it teleports. Counts in `remarks` what was repaired."""
    pose3d = checks.upright(body.pose3d.astype(np.float64), up, wishes.mirrored or body.rig.mirrored)
    checks.require_upright(body.stands_along, up, body.where)
    with _telling(body.rig):
        checks.require_sides(pose3d, body.where)
    parts = [part for part in checks.without_jumps(pose3d, body.fps, body.where)
             if part.stop - part.start >= LEAST_SECONDS * body.fps]
    if not parts:
        raise InputError(f'{body.where} has {len(pose3d)} frames, less than {LEAST_SECONDS} s without a jump; leave it out')
    pose3d, moved = checks.on_floor(pose3d)
    remarks[f'file: {body.rig.found}'] += body.rig.found is not None
    remarks[f'file: {body.fps:g} frames a second, a unit is {100 * body.metres:.4g} cm, {up} points up'] += 1
    remarks[f'file: nobody stands, with {up} up as in the other files'] += body.stands_along != up
    remarks['file: the rig puts in bones where such files have lost them'] += len(body.rig.lost_offsets) > 0
    remarks['file: moved up or down to the floor'] += moved
    remarks[f'file: limbs change their length by more than {100 * checks.RIGID:.0f} %'] += (
        checks.limb_changes(pose3d).max() > checks.RIGID)
    _remark_cuts(parts, len(pose3d), remarks)
    return [Clip(body.name + f'#{number}' * (len(parts) > 1), body.subject, body.rig.name,
                 resampled(_own(pose3d)[part], body.fps, wishes.fps), checks.stature(pose3d))
            for number, part in enumerate(parts, start=1)]


def _remark_cuts(parts, count, remarks):
    first_left_out = parts[0].start > 0 and len(parts) == 1 and parts[0].stop == count
    remarks['file: its first frames, a rest pose, were left out'] += first_left_out
    remarks['file: cut where the body teleports'] += not first_left_out and (len(parts) > 1 or parts[0] != slice(0, count))


def rig_for(recording, skeleton=H36M_16):
    """The first ready rig that knows this recording, or one found by the names of the joints.

    With another skeleton than ours, an array of as many joints as that has is taken to be in its order.
    """
    if are_unnamed(recording):
        count = len(recording.names)
        is_in_order = skeleton != H36M_16 and count == skeleton.num_joints
        if not is_in_order and count not in ARRAYS:
            raise InputError(f'{recording.path} has {count} joints without names; give a --rig with their order, such as '
                             'h36m_17 or coco_17')
        rig = load_rig(name_of(skeleton) if is_in_order else ARRAYS[count])
        return rig._replace(found=f'{count} joints without names, taken in the order of the rig {rig.name}')
    fitting = (rig for rig in map(load_rig, ready_rigs()) if rig.order == recording.names or has_joints(recording.names, rig))
    return next(fitting, None) or match(recording)


def _require_numbers(pose3d, path):
    broken = ~(np.abs(pose3d) < FARTHEST).all(axis=(1, 2))       # also finds NaN
    if broken.any():
        raise InputError(f'{path}: joints are missing, NaN or beyond {FARTHEST:,.0f} in {broken.sum()} of {len(broken)} '
                         f'frames, first in frame {broken.argmax()}; fill the gaps or leave out the file')


def _names(recording, source, pattern, rig):
    """Names of clip and subject. The subject is what the pattern, or the rig's, finds in the clip's name; or its folder.

    The name of a clip is that of its file, or its own in a file of several; S1/Walking there is like a file in a folder S1.
    """
    path = recording.path
    inside = path.relative_to(source.path if source.path.is_dir() else source.path.parent)
    found = re.search(pattern or rig.subject or '()^', recording.clip.rpartition('/')[2] or path.stem)
    if pattern and not found:
        raise InputError(f'{recording.where}: the pattern {pattern!r} finds no subject in its name; give --subject with '
                         'another one')
    name = inside.with_suffix('').as_posix()
    folder = inside.parts[0] if len(inside.parts) > 1 else path.resolve().parent.name
    if recording.clip:
        name, folder = f'{name}/{recording.clip}', recording.clip.rpartition('/')[0] or path.stem
    return source.prefix + name, source.prefix + (found[1] if found and found[1] else folder)


def resampled(pose3d, fps, wanted):
    """(T, J, 3) at `fps` -> float32 at `wanted` frames per second, by cubic splines."""
    if abs(fps - wanted) > SAME_RATE * fps and len(pose3d) > 1:
        seconds = np.arange(len(pose3d)) / fps
        spline = make_interp_spline(seconds, pose3d, k=min(3, len(pose3d) - 1))
        pose3d = spline(np.arange(int(seconds[-1] * wanted + 1e-6) + 1) / wanted)
    return pose3d.astype(np.float32)

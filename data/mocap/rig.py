"""Rigs: which joints of a recording are ours. A rig is a TOML file in data/rigs/, or one of the user's own.

    up = "y"                        the axis that points up: x, y, z or -x, -y, -z; left out: found from head and feet
    unit = "cm"                     a name in UNITS; left out: what the format says, or found from the height of the body
    fps = 120                       frames per second, for files that do not say
    mirrored = true                 the axes of the file are left-handed
    subject = '^([0-9]+)_'          regular expression; what its parentheses find in the name of a file is the subject
    order = ["pelvis", ...]         names of the joints, or of the first ones, of an array (T, J, 3) without names
    known_by = ["LHipJoint"]        without --rig, this rig is taken for files that have these joints
    lost_offsets = { Neck = ["Spine1", 1.0] }       of BVH files: where Neck's OFFSET is 0, it becomes that of Spine1, times 1
    [joints]                        for each of our 16 joints one of
    LKnee = "LeftLeg"                                                       a joint
    Hip = ["LeftUpLeg", "RightUpLeg"]                                       the mean of several
    Head = { joint = "Head", away_from = "Neck", metres = 0.15 }            a point on the line from one through another
    [h36m_17], [smpl_24]            for data sets with such a skeleton (--skeleton): those of its joints that [joints] lacks, or
                                    that are elsewhere in it; the others are taken from there (common/skeletons.py)
"""
import difflib
import re
import tomllib
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from common.errors import InputError
from common.skeleton import H36M_16
from common.skeletons import SKELETONS, name_of

FOLDER = Path(__file__).resolve().parents[1] / 'rigs'
UNITS = dict(m=1., cm=.01, mm=.001, inch=.0254, foot=.3048, cmu=.0254 / .45)      # cmu: that of the database's ASF files
UPS = ('x', 'y', 'z', '-x', '-y', '-z')
_FURTHER = {name: skeleton for name, skeleton in SKELETONS.items() if skeleton != H36M_16}
_OPTIONS = dict(title=str, up=str, unit=str, fps=(int, float), mirrored=bool, subject=str, order=list, known_by=list,
                lost_offsets=dict, joints=dict, **dict.fromkeys(_FURTHER, dict))


class Place(NamedTuple):
    """A point: the mean of `joints`, moved by `metres` away from the mean of the joints `away_from`."""
    joints: tuple
    away_from: tuple = ()
    metres: float = 0.


class Rig(NamedTuple):
    """A rig as its file describes it (see the module); `places`: {our joint: Place}; `found`: what was matched by names.

    `further`: {name of another skeleton: {joint: Place}}, the joints that it has in other places than ours, or besides them.
    """
    name: str
    places: dict
    up: str = None
    unit: str = None
    fps: float = None
    mirrored: bool = False
    subject: str = None
    order: tuple = ()
    known_by: tuple = ()
    found: str = None
    lost_offsets: dict = MappingProxyType({})
    further: dict = MappingProxyType({})


def ready_rigs():
    """{name: path} of the rigs in data/rigs/."""
    return {path.stem: path for path in sorted(FOLDER.glob('*.toml'))}


def load_rig(name_or_path):
    """The Rig of a ready rig's name or of a .toml file. InputError if there is none, or if it is not a rig."""
    ready = ready_rigs()
    path = Path(ready.get(str(name_or_path), name_or_path))
    if not path.is_file():
        raise InputError(f'--rig: {name_or_path} is neither a file nor a ready rig; give a .toml file (docs/own_data.md), or '
                         f'one of {", ".join(ready)}')
    try:
        options = tomllib.loads(path.read_text(encoding='utf-8'))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f'{path} is no TOML file ({error}); correct it as in data/rigs/') from None
    _require_options(options, path)
    places = _places(options.pop('joints'), path)
    further = {name: _places(options.pop(name), path) for name in _FURTHER if name in options}
    options.pop('title', None)
    lists = {key: tuple(map(str, options.pop(key, ()))) for key in ('order', 'known_by')}
    return Rig(path.stem, places, **options, **lists, further=further)


def _require_options(options, path):
    """InputError unless the options and the names of the joints are those of a rig."""
    for key, value in options.items():
        if key not in _OPTIONS or not isinstance(value, _OPTIONS[key]):
            raise InputError(f'{path}: {key} = {value!r} is not an option of a rig; they are {", ".join(_OPTIONS)}')
    if not all(_is_share(value) for value in options.get('lost_offsets', {}).values()):
        raise InputError(f'{path}: lost_offsets = {options["lost_offsets"]}; give for each joint another one and a number, '
                         'such as Neck = ["Spine1", 1.0]')
    for key, choices in (('up', UPS), ('unit', UNITS)):
        if options.get(key, next(iter(choices))) not in choices:
            raise InputError(f'{path}: {key} = {options[key]!r}; choose from {", ".join(choices)}')
    if not options.get('fps', 1) > 0:
        raise InputError(f'{path}: fps = {options["fps"]}; give the frames per second, more than 0')
    require_pattern(options.get('subject'), f'{path}: subject')
    wrong = set(options.get('joints', {})) ^ set(H36M_16.names)
    if wrong:
        raise InputError(f'{path}: [joints] lacks, or has besides ours, {", ".join(sorted(wrong))}; it needs each of '
                         f'{", ".join(H36M_16.names)} once')
    for name, skeleton in _FURTHER.items():
        if wrong := set(options.get(name, {})) - set(skeleton.names):
            raise InputError(f'{path}: [{name}] has {", ".join(sorted(wrong))}, which are no joints of that skeleton; they are '
                             f'{", ".join(skeleton.names)}')


def _is_share(value):
    return isinstance(value, list) and [type(part) for part in value] in ([str, float], [str, int])


def require_pattern(pattern, where):
    """InputError, naming `where`, unless the pattern is None or a regular expression with one pair of parentheses."""
    try:
        valid = pattern is None or re.compile(pattern).groups == 1
    except re.error:
        valid = False
    if not valid:
        raise InputError(f'{where} = {pattern!r} is no regular expression with one pair of parentheses, such as ^([0-9]+)_')


def _places(table, path):
    return {name: _place(value, f'{path}: {name}') for name, value in table.items()}


def _place(value, where):
    """The Place that a value in [joints] describes; InputError, naming `where`, where it describes none."""
    fields = value if isinstance(value, dict) else dict(joint=value)
    point, away_from, metres = (fields.get(key, default) for key, default in (('joint', ()), ('away_from', ()), ('metres', 0.)))
    names = [(name,) if isinstance(name, str) else tuple(name) if isinstance(name, list | tuple) else (0,)
             for name in (point, away_from)]
    are_texts = bool(names[0]) and all(isinstance(name, str) for name in sum(names, ()))
    is_offset = isinstance(metres, int | float) and bool(metres) == bool(names[1])
    if not (are_texts and is_offset and fields.keys() <= {'joint', 'away_from', 'metres'}):
        raise InputError(f'{where} = {value!r} is neither a joint, nor a list of joints, nor {{ joint, away_from, metres }}')
    return Place(*names, float(metres))


def are_unnamed(recording):
    """Whether the joints are called 0, 1, ..., because the file does not name them."""
    return recording.names == tuple(map(str, range(len(recording.names))))


def named(recording, rig):
    """The recording with the names in the rig's `order`, if its joints have none."""
    if not (rig.order and are_unnamed(recording)):
        return recording
    if len(rig.order) > len(recording.names):
        raise InputError(f'{recording.path} has {len(recording.names)} joints where the rig {rig.name} has {len(rig.order)}; '
                         'give the rig of this file')
    return recording._replace(names=rig.order + recording.names[len(rig.order):])


def place_joints(recording, rig, metres=1., skeleton=H36M_16):
    """(T, 16, 3): our joints in the axes of the file, in metres if `metres` is the length of the file's unit.

    Behind them those of another `skeleton`, (T, 16 + J, 3). InputError if the rig does not say where a joint is, or if the
    recording lacks one that it names.
    """
    joints = [*places_of(rig, H36M_16).items()] + [*places_of(rig, skeleton).items()] * (skeleton != H36M_16)
    return np.stack([_point(recording, rig, joint, place, metres) for joint, place in joints], axis=1)


def places_of(rig, skeleton):
    """{joint: Place} of all joints of a skeleton, in its order; InputError if the rig lacks one."""
    name = name_of(skeleton)
    known = {**rig.places, **rig.further.get(name, {})}
    missing = [joint for joint in skeleton.names if joint not in known]
    if missing:
        raise InputError(f'--skeleton {name}: the rig {rig.name} has no {", ".join(missing)}; if the files have such joints, '
                         f'give a --rig with a table [{name}] that names them (docs/own_data.md)')
    return {joint: known[joint] for joint in skeleton.names}


def _point(recording, rig, joint, place, metres):
    point, base = (_mean(recording, names, rig, joint) * metres if names else None for names in (place.joints, place.away_from))
    if base is None:
        return point
    direction = point - base
    return point + place.metres * direction / np.maximum(np.linalg.norm(direction, axis=-1, keepdims=True), 1e-9)


def _mean(recording, names, rig, joint):
    return recording.positions[:, [_index(recording, name, rig, joint) for name in names]].mean(axis=1)


def _index(recording, name, rig, joint):
    """Index of a joint by its name, with or without a namespace (mixamorig:), in upper or lower case."""
    index = _find(recording.names, name)
    if index is None:
        near = difflib.get_close_matches(_bare(name), recording.names, n=4, cutoff=0) if recording.names else ()
        raise InputError(f'{recording.path} has no joint {name!r}, which the rig {rig.name} names for {joint}; the nearest '
                         f'names are {", ".join(near)}: correct the rig, or leave out --rig to find the joints by their names')
    return index


def _find(names, name):
    for form in (str, _bare, lambda text: _bare(text).lower()):
        forms = [form(other) for other in names]
        if form(name) in forms:
            return forms.index(form(name))
    return None


def _bare(name):
    return name.rpartition(':')[2]


def has_joints(names, rig):
    """Whether a recording with these joint names has all that the rig and its `known_by` name, letter for letter."""
    wanted = {*rig.known_by, *(name for place in rig.places.values() for name in place.joints + place.away_from)}
    return bool(rig.known_by) and wanted <= set(names)

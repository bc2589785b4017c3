"""Reading ASF (the skeleton) and AMC (its motion), the Acclaim format of the CMU database.

The joint where a bone starts has the bone's name, so `lfemur` is the left hip and `ltibia` the left knee; where the last bone
of a limb ends is called after it: `head_end`. A bone turns about axes of its own: its rotation is C M C^-1 on that of its
parent, where C are the angles of its `axis` and M those of the frame, both about fixed axes in the order that ASF names. CMU
writes lengths in inches times the number in `length`.
"""
from typing import NamedTuple

import numpy as np

from common.errors import InputError, in_short
from data.mocap.recording import Recording, numbers, text_of
from data.mocap.turns import turns

INCH = 0.0254
ROOT = 'root'


class _Bone(NamedTuple):
    """`vector` (3,) from the bone's start to its end; `axis` (3, 3), C above; `order` of the axes; `dof` as in the file."""
    vector: np.ndarray
    axis: np.ndarray
    order: str
    dof: tuple


class _Skeleton(NamedTuple):
    """`parents`: {bone: parent}, parents first, without the root; `bones`: {name: _Bone}; `metres`: length of a unit."""
    parents: dict
    bones: dict
    metres: float


def read_amc(path):
    """The Recording of an AMC file, with the ASF file beside it. InputError if one is missing or damaged."""
    asf = asf_of(path)
    try:
        skeleton = _read_asf(asf)
        names, positions = _positions(skeleton, _read_frames(path, skeleton, asf))
    except (KeyError, IndexError, ValueError) as error:
        raise InputError(f'{asf} or {path.name} is damaged ({in_short(error)}); fetch both again') from None
    return Recording(path, names, positions, fps=None, metres=skeleton.metres)


def asf_of(path):
    """The ASF file of an AMC file: the one in its folder that its name begins with (02_01.amc: 02.asf), or the only one."""
    found = sorted(file for file in path.parent.iterdir() if file.suffix.lower() == '.asf')
    fitting = [file for file in found if path.stem.startswith(file.stem)] or found
    longest = max(fitting, key=lambda file: len(file.stem), default=None)
    if not found or len(fitting) > 1 and not path.stem.startswith(longest.stem):
        raise InputError(f'{path} needs its skeleton, the .asf file, beside it ({len(found)} are there, none named like it); '
                         f'put {path.stem.partition("_")[0]}.asf into {path.parent}')
    return longest


def _read_asf(path):
    sections = _sections(text_of(path))
    if not {'units', 'root', 'bonedata', 'hierarchy'} <= sections.keys():
        raise InputError(f'{path} lacks one of :units, :root, :bonedata and :hierarchy; fetch it again')
    units = dict(words[:2] for words in sections['units'] if len(words) > 1)
    radians = units.get('angle', 'deg').startswith('rad')
    bones = {ROOT: _root(sections['root'], path, radians), **_bones(sections['bonedata'], path, radians)}
    parents = {child: words[0] for words in sections['hierarchy'] for child in words[1:]}
    lost = [name for name in (*parents, *parents.values()) if name not in bones]
    if lost:
        raise InputError(f'{path}: :hierarchy names the bone {lost[0]!r}, which :bonedata lacks; fetch the file again')
    scale = numbers([units.get('length', '1')], f'{path}: length')[0]
    if not scale > 0:
        raise InputError(f'{path}: the length in :units is {scale:g} where a number above 0 is needed; fetch the file again')
    return _Skeleton(parents, bones, INCH / scale)


def _sections(text):
    """{section: list of the words of each line}; comments are left out."""
    sections, current = {}, []
    for line in text.splitlines():
        words = line.partition('#')[0].split()
        if words and words[0].startswith(':'):
            current = sections.setdefault(words[0][1:].lower(), [])
        elif words:
            current.append(words)
    return sections


def _root(lines, path, radians):
    fields = {words[0].lower(): words[1:] for words in lines}
    order = ''.join(fields.get('axis', ['XYZ'])).lower()
    turn = _matrix(order, numbers(fields.get('orientation', [0, 0, 0]), f'{path}: orientation of the root'), radians)
    dof = tuple(word.lower() for word in fields.get('order', 'tx ty tz rx ry rz'.split()))
    return _Bone(np.zeros(3), turn, order, dof)


def _bones(lines, path, radians):
    bones, fields = {}, {}
    for words in lines:
        if words[0] == 'begin':
            fields = {}
        elif words[0] == 'end':
            bones[fields['name'][0]] = _bone(fields, path, radians)
        else:
            fields.setdefault(words[0].lower(), words[1:])
    return bones


def _bone(fields, path, radians):
    where = f'{path}: bone {fields["name"][0]!r}'
    if not {'direction', 'length', 'axis'} <= fields.keys() or len(fields['axis']) < 4:
        raise InputError(f'{where} lacks direction, length or axis; fetch the file again')
    direction, (length,) = numbers(fields['direction'], where), numbers(fields['length'][:1], where)
    *angles, order = fields['axis'][:4]
    dof = tuple(word.lower() for word in fields.get('dof', ()))
    other = [word for word in dof if word not in ('rx', 'ry', 'rz')]
    if other:
        raise InputError(f'{where} can change by {other[0]!r}; only rotations rx, ry and rz are read')
    return _Bone(np.array(direction) * length, _matrix(order.lower(), numbers(angles, where), radians), order.lower(), dof)


def _matrix(order, angles, radians):
    """(3, 3): rotations by three angles, one after the other, about fixed axes in this order."""
    return _fixed_axes(order, np.array([angles]) * (180 / np.pi if radians else 1))[0]


def _fixed_axes(order, degrees):
    """(T, 3, 3) of (T, 3): about fixed axes the first rotation is the last factor."""
    return turns(order[::-1], degrees[:, ::-1])


def _read_frames(path, skeleton, asf):
    """{bone: (T, degrees of freedom)} of an AMC file, degrees and units."""
    text = text_of(path)
    in_radians = ':RADIANS' in text.upper()
    lines = [line for line in text.splitlines() if line.strip() and line.lstrip()[0] not in '#:']
    starts = [number for number, line in enumerate(lines) if line.strip().isdigit()]
    if not starts:
        raise InputError(f'{path} holds no frame; fetch it again')
    per_frame = (starts[1] if len(starts) > 1 else len(lines)) - starts[0]
    lines = lines[starts[0]:]
    if len(lines) % per_frame or len(lines) // per_frame != len(starts):
        raise InputError(f'{path} was cut off, or a frame lacks bones: frame {len(starts)} ends after '
                         f'{len(lines) - starts[-1] + starts[0] - 1} of {per_frame - 1} bones; fetch it again')
    frames = {}
    for place in range(1, per_frame):
        bone = lines[place].split()[0]
        if bone not in skeleton.bones:
            raise InputError(f'{path} moves the bone {bone!r}, which {asf.name} lacks; put the .asf of this subject beside it')
        dof = skeleton.bones[bone].dof
        frames[bone] = _column(lines[place::per_frame], bone, len(dof), path)
        if in_radians:
            frames[bone] *= [180 / np.pi if name.startswith('r') else 1 for name in dof]
    return frames


def _column(lines, bone, width, path):
    """(T, width) values of a bone in all frames."""
    rows = [line.split() for line in lines]
    for frame, row in enumerate(rows, start=1):
        if row[0] != bone or len(row) != width + 1:
            raise InputError(f'{path}: frame {frame} has {" ".join(row[:5])!r} where {bone} and {width} numbers are needed: it '
                             'was cut off or belongs to another .asf; fetch it again')
    try:
        values = np.array([row[1:] for row in rows], dtype=np.float64)
    except ValueError as error:
        raise InputError(f'{path}: bone {bone!r}: {error}; fetch it again') from None
    broken = ~np.isfinite(values).all(axis=1)
    if broken.any():
        raise InputError(f'{path} holds NaN or inf, first in frame {broken.argmax() + 1}; repair or leave out the file')
    return values


def _positions(skeleton, frames):
    """Names and (T, J, 3) positions: the root, the start of each bone, and the ends of the last bones."""
    count = len(next(iter(frames.values())))
    turns, ends = {}, {}
    names, positions = [ROOT], []
    turns[ROOT], ends[ROOT] = _placed_root(skeleton.bones[ROOT], frames.get(ROOT, np.zeros((count, 6))))
    positions.append(ends[ROOT])
    for name in _parents_first(skeleton.parents):
        parent, bone = skeleton.parents[name], skeleton.bones[name]
        turns[name] = turns[parent] @ _turn(bone, frames.get(name), count)
        ends[name] = ends[parent] + turns[name] @ bone.vector
        names.append(name)
        positions.append(ends[parent])
    for name in set(skeleton.parents) - set(skeleton.parents.values()):
        names.append(f'{name}_end')
        positions.append(ends[name])
    return tuple(names), np.stack(positions, axis=1)


def _parents_first(parents):
    """The bones of {bone: parent} in an order in which parents precede children."""
    ordered = [ROOT]
    for bone in ordered:
        ordered += [child for child, parent in parents.items() if parent == bone]
    return ordered[1:]


def _placed_root(bone, values):
    """Rotations (T, 3, 3) and positions (T, 3) of the root."""
    columns = dict(zip(bone.dof, values.T))
    zero = np.zeros(len(values))
    place = np.stack([columns.get(name, zero) for name in ('tx', 'ty', 'tz')], axis=-1)
    return _angles(bone, columns, zero) @ bone.axis, place


def _turn(bone, values, count):
    """(T, 3, 3): C M C^-1 of the bone; the identity for a bone that does not move."""
    if values is None:
        return np.eye(3)
    return bone.axis @ _angles(bone, dict(zip(bone.dof, values.T)), np.zeros(count)) @ bone.axis.T


def _angles(bone, columns, zero):
    return _fixed_axes(bone.order, np.stack([columns.get(f'r{axis}', zero) for axis in bone.order], axis=-1))

"""What --input names, opened once: every form looks at its content, then one of them reads it."""
import json
from pathlib import Path
from typing import NamedTuple

from common.errors import InputError, in_short
from common.files.npz import load_npz, npz_keys

MAX_JSON_BYTES = 64 << 20
DETECTOR = 'the detector that wrote it'
KEYPOINT_ARRAYS = ('keypoints', 'landmarks', 'positions_2d', 'pose2d_px')
META_ARRAYS = ('width', 'height', 'fps', 'metadata')


class Source(NamedTuple):
    """An opened file or folder of keypoints.

    `kind`: a key of OPENERS; `content`: what that opener returns; `sequence`: the name given as --sequence, or None.
    """
    path: Path
    kind: str
    content: object
    sequence: str


class Arrays(NamedTuple):
    """The content of an .npz file.

    `names`: of all arrays; `loaded`: name -> value of those in META_ARRAYS, and 'keypoints' -> the joints. These are the
    first array of KEYPOINT_ARRAYS, or else the only one that is not in META_ARRAYS; otherwise the key is missing.
    """
    names: set
    loaded: dict


def open_source(path, sequence=None):
    """Source of a path; InputError for a path or suffix that cannot be read, ValueError or OSError for bad content."""
    if not path.is_dir() and not path.is_file():
        raise InputError(f'--input {path} is neither a file nor a folder')
    kind = 'folder' if path.is_dir() else path.suffix.lower()
    if kind not in OPENERS:
        suffixes = ', '.join(each for each in OPENERS if each != 'folder')
        raise InputError(f'--input {path}: keypoints come as {suffixes} or a folder of such files; docs/inference.md lists the '
                         'forms')
    return Source(path, kind, OPENERS[kind](path), sequence)


def load_json(path):
    """The value in a JSON file; ValueError if it is too large or not JSON."""
    if path.stat().st_size > MAX_JSON_BYTES:
        raise ValueError(f'it has more than {MAX_JSON_BYTES >> 20:,} MiB')
    return json.loads(path.read_bytes())


def open_npz(path):
    """Arrays of an .npz file; InputError if it is damaged."""
    names = npz_keys(path, DETECTOR)
    meta = [name for name in META_ARRAYS if name in names]
    chosen = next((name for name in KEYPOINT_ARRAYS if name in names), None)
    if chosen is None and len(names - set(meta)) == 1:
        chosen, = names - set(meta)
    if chosen is None:
        return Arrays(names, {})
    loaded = load_npz(path, [chosen, *meta], DETECTOR)
    return Arrays(names, {'keypoints': loaded.pop(chosen), **loaded})


def describe(source):
    """What a source holds, in a few words, for the error line when no form recognises it."""
    if source.kind == 'folder':
        return 'neither images nor files of keypoints'
    if isinstance(source.content, Arrays):
        return f'the arrays {in_short(sorted(source.content.names))}'
    if isinstance(source.content, dict):
        return f'an object with the keys {in_short(list(source.content))}'
    return f'one value of type {type(source.content).__name__}'


OPENERS = {'folder': Path, '.json': load_json, '.npz': open_npz}      # suffix -> function(path) -> content

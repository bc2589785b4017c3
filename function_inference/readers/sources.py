"""What --input names, opened once: every form looks at its content, then one of them reads it."""
import json
import sys
from pathlib import Path
from typing import NamedTuple

from common.errors import InputError, in_short
from common.files.npz import load_npy, load_npz, npz_keys

MAX_JSON_BYTES = 64 << 20
DETECTOR = 'the detector that wrote it'
KEYPOINT_ARRAYS = ('keypoints', 'landmarks', 'positions_2d', 'pose2d_px', 'reconstruction', 'kpts', 'keypoints_2d', 'joints_2d')
SCORE_ARRAYS = ('scores', 'keypoint_scores', 'keypoints_scores', 'confidence', 'confidences', 'conf', 'visibility', 'score')
META_ARRAYS = ('width', 'height', 'fps', 'metadata')


class Source(NamedTuple):
    """An opened file or folder of keypoints.

    `kind`: a key of OPENERS; `content`: what that opener returns; `sequence` and `people`: what --sequence and --people say,
    or None.
    """
    path: Path
    kind: str
    content: object
    sequence: str = None
    people: str = None


class Arrays(NamedTuple):
    """The content of an .npz file.

    `names`: of all arrays; `loaded`: name -> value of those in META_ARRAYS, and 'keypoints' -> the joints. These are the
    first array of KEYPOINT_ARRAYS, or else the only one that is in neither META_ARRAYS nor SCORE_ARRAYS; otherwise the key is
    missing. 'scores' is the first array of SCORE_ARRAYS. `chosen`: the name that the joints have in the file.
    """
    names: set
    loaded: dict
    chosen: str = None


def open_source(path, sequence=None, people=None):
    """Source of a path; InputError for a path or suffix that cannot be read, ValueError or OSError for bad content."""
    if not path.is_dir() and not path.is_file():
        raise InputError(f'--input {path} is neither a file nor a folder')
    path = _only_file(path)
    kind = 'folder' if path.is_dir() else path.suffix.lower()
    if kind not in OPENERS:
        suffixes = ', '.join(each for each in OPENERS if each != 'folder')
        raise InputError(f'--input {path}: keypoints come as {suffixes} or a folder of such files; docs/inference.md lists the '
                         'forms')
    return Source(path, kind, OPENERS[kind](path), sequence, people)


def _only_file(path):
    """The file in a folder that holds one file of keypoints and nothing else, otherwise the path itself."""
    inside = list(path.iterdir()) if path.is_dir() else []
    return inside[0] if len(inside) == 1 and inside[0].is_file() and inside[0].suffix.lower() in OPENERS else path


def load_json(path):
    """The value in a JSON file, or the list of those on its lines; ValueError if it is too large or not JSON."""
    text = _bytes_of(path)
    try:
        return json.loads(text)
    except ValueError:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2 or not lines[0].lstrip().startswith((b'{', b'[')) or not lines[0].rstrip().endswith((b'}', b']')):
            raise
    return _json_lines(lines, path)


def _json_lines(lines, path):
    """The values of the lines, with a warning for those that are not JSON, of which there may be a few."""
    values, bad = [], []
    for number, line in enumerate(lines, 1):
        try:
            values.append(json.loads(line))
        except ValueError:
            values.append(None)
            bad.append(f'line {number}')
    warn_of_bad(path, bad, len(lines), 'lines')
    return values


def warn_of_bad(path, bad, count, what):
    """Warn of the `bad` ones among `count` files or lines; ValueError if these are more than half."""
    if len(bad) * 2 > count:
        raise ValueError(f'{len(bad)} of its {count} {what} cannot be read: {in_short(", ".join(bad[:3]))}')
    if bad:
        print(f'warning: {path}: {len(bad)} of {count} {what} cannot be read and count as frames without people: '
              f'{in_short(", ".join(bad[:3]))}{", ..." if len(bad) > 3 else ""}', file=sys.stderr)


def _bytes_of(path):
    if path.stat().st_size > MAX_JSON_BYTES:
        raise ValueError(f'it has more than {MAX_JSON_BYTES >> 20:,} MiB')
    return path.read_bytes()


def load_text(path):
    """The lines of a text file."""
    return _bytes_of(path).decode('utf-8-sig').splitlines()


def load_json_lines(path):
    return _json_lines([line for line in _bytes_of(path).splitlines() if line.strip()], path)


def open_npy(path):
    """Arrays of an .npy file, which holds one without a name."""
    return Arrays({'keypoints'}, {'keypoints': load_npy(path, DETECTOR)}, 'keypoints')


def open_npz(path):
    """Arrays of an .npz file; InputError if it is damaged."""
    names = npz_keys(path, DETECTOR)
    meta = [name for name in META_ARRAYS if name in names]
    chosen = next((name for name in KEYPOINT_ARRAYS if name in names), None)
    others = names - set(META_ARRAYS) - set(SCORE_ARRAYS)
    if chosen is None and len(others) == 1:
        chosen, = others
    if chosen is None:
        return Arrays(names, {})
    scores = [name for name in SCORE_ARRAYS if name in names and name != chosen][:1]
    loaded = load_npz(path, [chosen, *scores, *meta], DETECTOR)
    named = {chosen: 'keypoints', **dict.fromkeys(scores, 'scores')}
    return Arrays(names, {named.get(name, name): value for name, value in loaded.items()}, chosen)


def describe(source):
    """What a source holds, in a few words, for the error line when no form recognises it."""
    if source.kind == 'folder':
        folders = sorted(each.name for each in source.path.iterdir() if each.is_dir())
        return f'the folders {in_short(", ".join(folders[:4]))}; give one of them' if folders else (
            'neither images nor files of keypoints')
    if isinstance(source.content, Arrays):
        return f'the arrays {in_short(sorted(source.content.names))}'
    if source.kind in ('.csv', '.trc'):
        return f'a table that begins with {in_short(repr((source.content or [""])[0][:80]))}'
    return describe_value(source.content)


def describe_value(value):
    """'an object with 3 keys a, b, c', 'a list of 5 numbers' and the like."""
    if isinstance(value, dict):
        keys = ', '.join(map(str, list(value)[:6])) + (', ...' if len(value) > 6 else '')
        return f'an object with {len(value)} key{"s" * (len(value) != 1)} {in_short(keys)}'.rstrip()
    if isinstance(value, list) and value:
        return f'a list of {len(value)}, the first of them {describe_value(value[0])}'
    return f'one value of type {type(value).__name__}'


# suffix -> function(path) -> content
OPENERS = {'folder': Path, '.json': load_json, '.jsonl': load_json_lines, '.npz': open_npz, '.npy': open_npy, '.csv': load_text,
           '.trc': load_text}

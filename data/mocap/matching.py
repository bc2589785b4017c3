"""A rig for joints of unknown names, found by the words in the names.

A name is cut into words (LeftUpLeg: left, up, leg; lfemur: l, femur; Bip01 L Thigh: bip, l, thigh). Words that most names
share, and those that mean nothing here (J_Bip_C_Neck), are left out; left, l, right and r are the side. What remains must be
one of the words below. Those that come first are preferred: a LeftShoulder is the collar bone where a LeftArm exists, and
the shoulder otherwise.
"""
import re
from collections import Counter
from typing import NamedTuple

import numpy as np

from common.errors import InputError
from data.mocap.rig import Place, Rig

SIDED = dict(
    Hip=('upleg', 'upperleg', 'legupper', 'thigh', 'femur', 'hip', 'buttock', 'leg'),
    Knee=('knee', 'lowerleg', 'lowleg', 'loleg', 'leglower', 'shin', 'shank', 'calf', 'tibia', 'leg'),
    Foot=('ankle', 'talus', 'foot'),
    Shoulder=('upperarm', 'uparm', 'uarm', 'armupper', 'humerus', 'shldr', 'arm', 'shoulder'),
    Elbow=('elbow', 'forearm', 'lowerarm', 'lowarm', 'loarm', 'larm', 'armlower', 'radius'),
    Wrist=('wrist', 'hand'))
NECK = ('neck', 'lowerneck', 'necklower', 'necktwist', 'neckbase', 'thorax')
HEAD = ('head', 'skull')
HEAD_TOP = ('headtop', 'headtopend', 'headend', 'headsite', 'headnub', 'topofhead', 'headsiteend')
TRUNK = ('spine', 'torso', 'chest', 'upperchest', 'abdomen', 'abdomenlower', 'abdomenupper', 'chestlower', 'chestupper', 'back',
         'lowerback', 'upperback', 'waist', 'belly', 'thorax', 'ribs', 'midspine')
_SIDED_WORDS = {word for words in SIDED.values() for word in words}
LEFT_RIGHT = {'left': 'L', 'l': 'L', 'lft': 'L', 'right': 'R', 'r': 'R', 'rgt': 'R'}
LEFT_OUT = ('c', 'm', 'center', 'centre', 'mid', 'middle', 'jnt', 'bone', 'def', 'bind', 'stretch')
SHARED = 0.6             # share of the names that must have a word, for it to be left out
BESIDE = 0.25            # a joint of the trunk is our Spine up to this distance from the middle of the trunk, in trunk lengths
SHORT_HEAD = 0.3         # neck to head, in trunk lengths: a shorter one ends at the base of the skull
SKULL = 0.15             # metres from the base of the skull to its top
HEAD_OVER_NECK = 0.2     # metres, where no joint of the head is known: the rule of PoseAug's authors for detections


class _Name(NamedTuple):
    """`full`: the name; `side`: 'L', 'R' or ''; `word`: its other words, joined."""
    full: str
    side: str
    word: str


def match(recording):
    """The Rig for a recording, with axes and unit left open. InputError, listing what was found, if a joint is missing."""
    names = _names(recording.names)
    found = {side + joint: _first(names, side, words) for side in 'LR' for joint, words in SIDED.items()}
    for side in 'LR':
        if found[side + 'Hip'] == found[side + 'Knee']:         # a LeftLeg is the hip only where the knee is a LeftShin
            found[side + 'Hip'] = None
    missing = [joint for joint, name in found.items() if name is None]
    if missing:
        raise InputError(f'{recording.path}: no joint is named like {", ".join(missing)}; write a rig (docs/own_data.md) and '
                         f'give it as --rig. The joints are {_listed(recording.names)}')
    places = {joint: Place((name,)) for joint, name in found.items()}
    places['Hip'] = Place((found['LHip'], found['RHip']))
    places['Thorax'] = _thorax(names, places)
    places |= dict(Spine=_spine(recording, places, names), Head=_head(recording, places, names))
    return Rig('by names', places, found=f'joints found by their names: {_described(places)}', further=_further(names, places))


def _further(names, places):
    """Human3.6M's Neck, between Thorax and Head: a joint of the head, if our Head is a point beyond it."""
    base = _first(names, '', HEAD)
    return {} if base is None or places['Head'] == Place((base,)) else dict(h36m_17=dict(Neck=Place((base,))))


def _described(places):
    """'LHip LeftUpLeg, ...' for the line that tells what was found."""
    return ', '.join(f'{joint} {" + ".join(place.joints)}' + f' + {100 * place.metres:.0f} cm' * bool(place.away_from)
                     for joint, place in places.items())


def _thorax(names, places):
    neck = _first(names, '', NECK)
    return Place((neck,)) if neck else Place(places['LShoulder'].joints + places['RShoulder'].joints)


def _listed(names):
    return ', '.join(names[:60]) + (', ...' if len(names) > 60 else '')


def _words(name):
    return [word.lower() for word in re.findall(r'[A-Z]+(?![a-z])|[A-Z]?[a-z]+', name.rpartition(':')[2])]


def _names(names):
    """_Names, without words that most joints share (a prefix such as the name of the character)."""
    words = {name: _words(name) for name in names}
    counts = Counter(word for own in words.values() for word in {*own})
    common = {word for word, count in counts.items() if count > SHARED * len(names)} - LEFT_RIGHT.keys() - _SIDED_WORDS
    return [_name(full, [word for word in own if word not in common]) for full, own in words.items()]


def _name(full, words):
    side = next((LEFT_RIGHT[word] for word in words if word in LEFT_RIGHT), '')
    word = ''.join(word for word in words if word not in LEFT_RIGHT and word not in LEFT_OUT)
    for prefix in ('left', 'right', 'l', 'r'):
        if not side and word.startswith(prefix) and word.removeprefix(prefix) in _SIDED_WORDS:
            return _Name(full, LEFT_RIGHT[prefix], word.removeprefix(prefix))
    return _Name(full, side, word)


def _first(names, side, words):
    """The first name of this side with the first of the words that any has; None without one."""
    return next((name.full for word in words for name in names if (name.side, name.word) == (side, word)), None)


def _spine(recording, places, names):
    """The joint of the trunk nearest to its middle, or the mean of hips and neck where none is near."""
    hips, necks = places['Hip'].joints, places['Thorax'].joints
    hip, neck = _middle(recording, hips), _middle(recording, necks)
    length = np.linalg.norm(neck - hip, axis=-1)
    candidates = {name.full: np.median(np.linalg.norm(_middle(recording, (name.full,)) - (hip + neck) / 2, axis=-1) / length)
                  for name in names if not name.side and name.word in TRUNK and name.full not in necks}
    nearest = min(candidates, key=candidates.get, default=None)
    if nearest is not None and candidates[nearest] < BESIDE:
        return Place((nearest,))
    return Place(hips + necks * (2 // len(necks)))


def _head(recording, places, names):
    """The top of the head, if the recording has it; otherwise above the base of the skull, or above the neck."""
    hips, neck = places['Hip'].joints, places['Thorax'].joints
    trunk, top, head = _distance(recording, hips, neck), _first(names, '', HEAD_TOP), _first(names, '', HEAD)
    if head is None:
        return Place((top,)) if top else Place(neck, hips, HEAD_OVER_NECK)
    head = (head,)
    if top is not None and _distance(recording, neck, (top,)) > _distance(recording, neck, head) + 0.1 * trunk:
        return Place((top,))
    if _distance(recording, neck, head) < SHORT_HEAD * trunk:
        return Place(head, neck, SKULL)
    return Place(head)


def _middle(recording, names):
    return recording.positions[:, [recording.names.index(name) for name in names]].mean(axis=1)


def _distance(recording, names, others):
    return np.median(np.linalg.norm(_middle(recording, names) - _middle(recording, others), axis=-1))

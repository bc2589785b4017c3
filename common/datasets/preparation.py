"""Shared by the commands that prepare data: names, checks of inputs and outputs, writing and reading back.

A table is a dict {subject: {sequence: value}} with subjects like 'S1' and sequences like 'Walking' or 'Walking 1'.
"""
import os

import numpy as np
from tqdm import tqdm

from common.datasets.h36m_protocol import CORRUPTED, SUBJECTS, TEST_SUBJECTS, TRAIN_SUBJECTS
from common.errors import InputError
from common.files.layout import FARTHEST
from common.files.npz import load_npz, refuse_overwrite, save_npz
from common.skeleton import H36M_16

METADATA_16 = {'layout_name': 'h36m', 'num_joints': H36M_16.num_joints,
               'keypoints_symmetry': [H36M_16.left_joints, H36M_16.right_joints]}
_RENAMED_ACTIONS = {'TakingPhoto': 'Photo', 'WalkingDog': 'WalkDog'}


def progress(items, task, unit='sequence'):
    """A tqdm bar, shown only in a terminal. Use it in a `with` block: its line is then cleared before an error line."""
    return tqdm(items, desc=task, unit=unit, leave=False, disable=None)


def sequence_name(name):
    """The name of a sequence in our files: 'TakingPhoto_1' and 'TakingPhoto 1' -> 'Photo 1'."""
    action, _, number = name.replace('_', ' ').partition(' ')
    return ' '.join([_RENAMED_ACTIONS.get(action, action)] + ([number] if number else []))


def require_free(*paths, or_else=''):
    """InputError if an output exists or cannot be written; called before the long work. See `refuse_overwrite`."""
    for path in paths:
        refuse_overwrite(path, or_else)
        folder = next(parent for parent in path.absolute().parents if parent.exists())
        if not (folder.is_dir() and os.access(folder, os.W_OK)):
            raise InputError(f'{path} cannot be written: {folder} is not a folder where you may write; '
                             'choose another --data_root')


def require_source(path, origin):
    """InputError if the source file `path` is missing; `origin` describes the file in the error line."""
    if path.is_dir():
        raise InputError(f'{path} is a folder where {origin} is needed; point --source at the file')
    if not path.is_file():
        raise InputError(f'{path} is missing: it is {origin}; get it as DATASETS.md says or point --source at it')


def finite_float32(array, where):
    """`array` (T, ...) as float32; InputError, naming `where`, if it has no frame, or NaN or numbers beyond FARTHEST."""
    if len(array) == 0:
        raise InputError(f'{where} holds no frame; fetch it again')
    with np.errstate(over='ignore', invalid='ignore'):      # too large numbers become inf and are refused below
        converted = np.ascontiguousarray(array, dtype=np.float32)
    broken = ~(np.abs(converted) < FARTHEST).reshape(len(converted), -1).all(axis=1)     # also finds NaN
    if broken.any():
        raise InputError(f'{where} holds numbers that are not finite or beyond {FARTHEST:,.0f}, first in frame '
                         f'{broken.argmax()} of {len(broken)}; fetch it again or repair it')
    return converted


def write_checked(outputs, made_by):
    """Write `outputs`, {path: {array name: value}}, as .npz files, then read each back and compare.

    On any error all files are deleted. InputError if a file cannot be written or does not read back equal; `made_by` is
    the command that its error lines advise.
    """
    written = []
    try:
        for path, arrays in outputs.items():
            save_npz(path, **arrays)
            written.append(path)
            if not _same(load_npz(path, arrays, made_by), arrays):
                raise InputError(f'{path} does not read back as it was written; check the disk and try again')
    except BaseException as error:
        for complete in written:
            complete.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise InputError(f'{path} cannot be written: {error}; make room or choose another --data_root') from None
        raise


def _same(left, right):
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return np.array_equal(left, right) and np.asarray(left).dtype == np.asarray(right).dtype


def summary(path, table):
    """One line about the written file: numbers of sequences and poses; `table` holds poses or lists of views of poses.

    The poses of all views are counted, but not those of S11's corrupted recording, which no protocol uses.
    """
    totals = {subject: sum(_num_poses(value) for sequence, value in table.get(subject, {}).items()
                           if (subject, sequence) not in CORRUPTED) for subject in SUBJECTS}
    training, test = (sum(totals[subject] for subject in group) for group in (TRAIN_SUBJECTS, TEST_SUBJECTS))
    return (f'wrote {path}: {sum(map(len, table.values()))} sequences; poses '
            + ', '.join(f'{subject} {count:,}' for subject, count in totals.items())
            + f'; training {training:,}, test {test:,} (without {" ".join(CORRUPTED[0])})')


def _num_poses(value):
    return sum(map(len, value)) if isinstance(value, list) else len(value)

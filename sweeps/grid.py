"""A sweep as its TOML file describes it.

    title = "what for"
    folder = "checkpoint/mine"            for all runs (default: checkpoint/ and the name of the file)
    lifters = ["mlp", "gcn"]
    keypoints = ["gt"]                    sources of the 2D (default: gt alone)
    seeds = [0, 1, 2]
    trainers = ["baseline", "poseaug"]    or ["baseline"] (default: both; each PoseAug run starts from its baseline)
    shifts = "all"                        at the end, all lifters on these shifts of run_benchmark.py (default: no such table)
    start_from = "best"                   the baseline's best or last checkpoint
    cpus = 1                              cores, which are threads, of each job
    gpus = 1                              of each job, where there are GPUs: 1, a part such as 0.25, or 0
    memory_gb = 3                         main memory of each job
    [both]                                flags of both trainers (docs/scripts.md), as in epochs = 20
    [baseline]                            flags of run_baseline.py
    [poseaug]                             flags of run_poseaug.py
    [lifter.gcn.poseaug]                  flags for one lifter: both, baseline or poseaug
    [variant."no BA".poseaug]             flags of one variant of every experiment: both, baseline or poseaug

Variants whose baselines have the same flags share a baseline.
"""
import difflib
import tomllib
from pathlib import Path
from typing import NamedTuple

from common.datasets.h36m_protocol import KEYPOINTS
from common.errors import InputError
from common.shifts import SHIFTS
from models_baseline import LIFTERS
from sweeps.job import BASELINE, BEST, SCRIPTS

BOX = Path(__file__).parent / 'box'
TRAINERS = tuple(SCRIPTS)
PARTS = ('both', *TRAINERS)        # of a table of flags


class Sweep(NamedTuple):
    """What the file says; see the module."""
    path: Path
    folder: Path
    lifters: tuple
    seeds: tuple
    keypoints: tuple = ('gt',)
    trainers: tuple = TRAINERS
    shifts: object = ''
    start_from: str = 'best'
    cpus: int = 1
    gpus: float = 1
    memory_gb: float = 3
    title: str = ''
    both: dict = {}
    baseline: dict = {}
    poseaug: dict = {}
    lifter: dict = {}
    variant: dict = {}


def boxed():
    """{name: path} of the sweeps in the box."""
    return {path.stem: path for path in sorted(BOX.glob('*.toml'))}


def read_sweep(name_or_path, folder=None, seeds=None, data_root=None, variants=None):
    """The Sweep of a file or of one in the box. The other arguments, where given, replace what it says.

    InputError where it is no sweep.
    """
    path = Path(boxed().get(str(name_or_path), name_or_path))
    if not path.is_file():
        raise InputError(f'{name_or_path} is neither a file nor a sweep in the box ({", ".join(boxed())}); docs/sweeps.md says '
                         'what a sweep looks like')
    try:
        content = tomllib.loads(path.read_text(encoding='utf-8'))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f'{path} is no TOML file ({error}); correct it as in docs/sweeps.md') from None
    content |= {key: value for key, value in dict(folder=folder, seeds=seeds).items() if value is not None}
    content = {key: _checked(key, value, path) for key, value in content.items()}
    for key in ('lifters', 'seeds'):
        if key not in content:
            raise InputError(f'{path}: {key} is missing; give for example {key} = {_KEYS[key].example}')
    if variants:
        content['variant'] = _chosen(content.get('variant', {}), variants, path)
    sweep = Sweep(path, Path(content.pop('folder', f'checkpoint/{path.stem}')).absolute(), **content)
    return sweep._replace(both={**sweep.both, 'data_root': str(data_root)}) if data_root else sweep


def _chosen(variants, names, path):
    """The variants with these names, in the file's order. InputError if there is no such variant."""
    if unknown := [name for name in names if name not in variants]:
        raise InputError(f'--variants: {path} has no variant {unknown[0]!r}; choose from {", ".join(variants) or "none"}')
    return {name: parts for name, parts in variants.items() if name in names}


def _checked(key, value, path):
    """The value of a key; lists become tuples. InputError if there is no such key, or if the value is not possible."""
    if key not in _KEYS:
        near = difflib.get_close_matches(key, _KEYS, n=1)
        raise InputError(f'{path}: there is no key {key!r}; '
                         + (f'did you mean {near[0]}?' if near else f'the keys are {", ".join(_KEYS)}'))
    if not _KEYS[key].permits(value):
        raise InputError(f'{path}: {key} = {value!r} is not possible; give {_KEYS[key].example}')
    return tuple(value) if isinstance(value, list) else value


class _Key(NamedTuple):
    """A key of the file: a function that says whether a value is possible, and an example."""
    permits: object
    example: str


def _some_of(names):
    """Whether a value is a list of some of `names`, each once."""
    def permits(value):
        return isinstance(value, list) and all(name in names for name in value) and len({*value}) == len(value) > 0
    return _Key(permits, f'a list of some of {", ".join(names)}')


def _number(lowest, highest, kind, example):
    return _Key(lambda value: type(value) in kind and lowest <= value <= highest, example)


def _are_seeds(value):
    return isinstance(value, (list, tuple)) and all(type(seed) is int and seed >= 0 for seed in value) and (
        len({*value}) == len(value) > 0)


def _are_tables(value, is_name):
    """Whether a value is {name: {both, baseline or poseaug: flags}}."""
    return isinstance(value, dict) and all(
        is_name(name) and isinstance(parts, dict) and all(part in PARTS and isinstance(flags, dict)
                                                          for part, flags in parts.items())
        for name, parts in value.items())


def folder_name(variant):
    """The name of the folder of a variant's runs."""
    return variant.replace(' ', '_')


def _are_variants(value):
    """Whether a value is a table of variants, each with a name of its own for its folder."""
    return _are_tables(value, _is_name) and len({folder_name(name).lower() for name in value}) == len(value)


def _is_name(name):
    return name.strip(' .') == name != '' and all(letter.isalnum() or letter in ' .-_' for letter in name)


_TEXT = _Key(lambda value: isinstance(value, (str, Path)) and str(value) != '', 'a text')
_FLAGS = _Key(lambda value: isinstance(value, dict), 'a table of flags, such as epochs = 20')
_KEYS = dict(
    title=_TEXT, folder=_TEXT, lifters=_some_of([*LIFTERS]), keypoints=_some_of([*KEYPOINTS]),
    seeds=_Key(_are_seeds, 'a list of different whole numbers, such as [0, 1, 2]'),
    trainers=_Key(lambda value: value in ([BASELINE], [*TRAINERS]), '["baseline", "poseaug"] or ["baseline"]'),
    shifts=_Key(lambda value: value in ('all', 'none') or _some_of([*SHIFTS]).permits(value),
                f'"all", "none" (only the test sets as they are), or a list of some of {", ".join(SHIFTS)}'),
    start_from=_Key(lambda value: value in [*BEST], ' or '.join(f'"{name}"' for name in BEST)),
    cpus=_number(1, 1024, (int,), 'a whole number of cores, at least 1'),
    gpus=_number(0, 1, (int, float), 'the share of a GPU, from 0 to 1'),
    memory_gb=_number(.1, 1e6, (int, float), 'a number of gigabytes'),
    both=_FLAGS, baseline=_FLAGS, poseaug=_FLAGS,
    lifter=_Key(lambda value: _are_tables(value, LIFTERS.__contains__), 'tables such as [lifter.gcn.poseaug], of a lifter and '
                f'one of {", ".join(PARTS)}'),
    variant=_Key(_are_variants, 'tables such as [variant.control.poseaug], of different names of letters, digits and spaces, '
                 f'and one of {", ".join(PARTS)}'))

"""The jobs of a sweep, with flags that its trainers accept."""
import difflib
import os
from argparse import Namespace

from common.errors import InputError
from function_baseline.arguments import baseline_parser
from function_baseline.data import require_mocap_flags
from function_baseline.recipe_v2 import apply_recipe
from function_poseaug.arguments import poseaug_parser
from models_baseline.temporal import STAGES
from sweeps.grid import folder_name
from sweeps.job import BASELINE, POSEAUG, SCRIPTS, Job
from utils.command_line import explicit_flags
from utils.runs.record import lives
from utils.runs.resume import FREE_TO_CHANGE
from utils.runs.run_directory import plain_arguments

PARSERS = {BASELINE: baseline_parser, POSEAUG: poseaug_parser}
FROM_THE_SWEEP = ('note', 'posenet_name', 'keypoints', 'random_seed', 'checkpoint', 'resume', 'evaluate', 'pretrain')
# a PoseAug run takes these from its baseline, unless they are typed
FROM_THE_LIFTER = ('posenet_name', 'stages', 'receptive_field', 'causal', 'camera')


def jobs_of(sweep):
    """The Jobs of a Sweep, in the order in which they begin: seed by seed, each after the one that it needs.

    InputError where a trainer would refuse a flag.
    """
    jobs = {}
    for seed in sweep.seeds:
        for keypoints in sweep.keypoints:
            for lifter in sweep.lifters:
                for variant in sweep.variant or ('',):
                    _add_experiment(jobs, sweep, (lifter, keypoints, variant, seed))
    return [*jobs]


def _add_experiment(jobs, sweep, experiment):
    """Add the jobs of an experiment (lifter, keypoints, variant, seed) to the dict `jobs`, whose keys they are."""
    lifter, keypoints, variant, seed = experiment
    shares = not {'both', BASELINE} & sweep.variant.get(variant, {}).keys()
    needs = None
    for trainer in sweep.trainers:
        own = '' if trainer == BASELINE and shares else variant
        words = words_of(sweep, trainer, lifter, own)
        job = Job(trainer, lifter, keypoints, own, seed, words, 0, _place(sweep, trainer, own, seed), sweep.cpus, os.getcwd(),
                  needs, sweep.start_from)
        job = job._replace(epochs=arguments_of(job, sweep.path).epochs)
        jobs[job] = needs = job


def _place(sweep, trainer, variant, seed):
    return sweep.folder.joinpath(trainer, *([folder_name(variant)] if variant else []), f'seed_{seed}')


def words_of(sweep, trainer, lifter, variant):
    """The flags of a trainer, as words of a command line, for one lifter and variant; the special ones replace the general."""
    tables = {f'[{part}]': getattr(sweep, part) for part in ('both', trainer)}
    for kind, name in (('lifter', lifter), ('variant', variant)):
        parts = getattr(sweep, kind).get(name, {})
        tables |= {f'[{kind}.{name}.{part}]': parts[part] for part in ('both', trainer) if part in parts}
    flags = {name: (value, f'{sweep.path}: {table} {name}') for table, values in tables.items()
             for name, value in values.items()}
    actions = _actions(trainer)
    return tuple(word for name, (value, where) in flags.items() for word in _words(actions, trainer, name, value, where))


def _actions(trainer):
    """{name of a flag: its argparse action}"""
    return {option.removeprefix('--'): action for action in PARSERS[trainer]('')._actions
            for option in action.option_strings if option.startswith('--')}


def _words(actions, trainer, name, value, where):
    """A flag's words. InputError where the trainer has no such flag, or none that takes such a value."""
    if name in FROM_THE_SWEEP:
        raise InputError(f'{where}: the sweep gives this flag itself; leave it out')
    if name not in actions:
        near = difflib.get_close_matches(name, actions, n=1)
        raise InputError(f'{where}: {SCRIPTS[trainer]} has no flag --{name}' + f'; did you mean {" ".join(near)}?' * bool(near))
    switch = actions[name].nargs == 0
    if not isinstance(value, bool if switch else (bool, str, int, float, list)):
        raise InputError(f'{where} = {value!r}: give ' + ('true or false' if switch else 'a number, a text or a list'))
    if switch:
        return [f'--{name}'] * value
    return [f'--{name}', str(value).lower() if isinstance(value, bool) else
            ','.join(map(str, value)) if isinstance(value, list) else str(value)]


def arguments_of(job, where):
    """The Namespace that the trainer makes of the job's flags. InputError, naming the file `where`, if it refuses them."""
    def refuse(message):
        raise InputError(f'{where}: {job}: {message}')

    parser, words = PARSERS[job.trainer](''), job.words()
    parser.error = refuse
    args = parser.parse_args(words)
    args.explicit = explicit_flags(parser, words)
    if job.needs:
        lifter = arguments_of(job.needs, where)
        vars(args).update({name: getattr(lifter, name) for name in FROM_THE_LIFTER if name not in args.explicit})
    try:
        parser.require_consistent(args)
        args.stages = STAGES.get(args.receptive_field, args.stages)
        if args.dataset != 'h36m':
            require_mocap_flags(args)
        if job.trainer == BASELINE:
            apply_recipe(args)
    except InputError as error:
        refuse(error)
    return args


def require_unchanged(job, where):
    """InputError if the job's run was trained with other flags than the sweep has now."""
    run = job.run_directory
    if run is None or not lives(run):
        return
    args = arguments_of(job, where)
    was, now = lives(run)[-1].get('arguments', {}), plain_arguments(Namespace(**vars(args)))
    for name in sorted(now.keys() & was.keys() - {*FREE_TO_CHANGE, 'pretrain_path'}):
        inherited = job.trainer == POSEAUG and name in FROM_THE_LIFTER and name not in args.explicit
        if was[name] != now[name] and not inherited:
            raise InputError(f'{run} was trained with --{name} {was[name]}, but {where} now says {now[name]}; change it '
                             'back, or give another --folder')

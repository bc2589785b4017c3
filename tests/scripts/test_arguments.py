"""The command line: the reference's names and defaults, written out by hand; strict values; no flag that does nothing."""
import ast
import re

import pytest

import run_baseline
import run_evaluate
import run_poseaug
from function_baseline.arguments import baseline_parser, parse
from function_poseaug.arguments import poseaug_parser
from places import ROOT
from utils.command_line import boolean, explicit_flags

SHARED = {'--dataset': 'h36m', '--keypoints': 'gt', '--actions': '*', '--checkpoint': 'checkpoint/debug', '--note': 'debug',
          '--evaluate': '', '--posenet_name': 'videopose', '--stages': 4, '--dropout': .25, '--batch_size': 1024,
          '--epochs': 50, '--random_seed': 0, '--downsample': 1, '--s1only': False, '--num_workers': 2}
BASELINE = {**SHARED, '--snapshot': 25, '--pretrain': False, '--lr': 1e-3, '--lr_decay': 100000, '--lr_gamma': .96,
            '--action-wise': True}
POSEAUG = {**SHARED, '--snapshot': 2, '--pretrain': True, '--resume': '', '--decay_epoch': 0, '--lr_g': 1e-4, '--lr_d': 1e-4,
           '--lr_p': 1e-4, '--warmup': 2, '--df': 2, '--hardratio_std_ba': 2, '--hardratio_ba_s': 3, '--hardratio_ba': 5,
           '--hardratio_std_rt': 15, '--hardratio_rt_s': 17, '--hardratio_rt': 17, '--ba_range_m': .205, '--ba_range_w': .165,
           '--blr_tanhlimit': .2, '--blr_limit': .1, '--gloss_factord2d': 1, '--gloss_factord3d': 6, '--gloss_factordiff': 3,
           '--gloss_factorblr': 1, '--gloss_factorfeedback_ba': .1, '--gloss_factordiv_ba': 0, '--gloss_factorfeedback_rt': .01,
           '--gloss_factordiv_rt': 0}
# ours, beyond the reference's
NEW = {'--data_root', '--device', '--pretrain_path', '--graphs', '--compile', '--tf32', '--camera', '--train_subjects',
       '--validate_on', '--cameras', '--poses_per_epoch', '--receptive_field', '--causal'}
NEW_BASELINE, NEW_POSEAUG = NEW | {'--resume', '--schedule', '--recipe', '--without'}, NEW | {
    '--bl_templates', '--symmetric_filter', '--feedback', '--on_collapse', '--max_restarts', '--warmup_kept', '--augmentor',
    '--augment', '--discriminators', '--kcs'}

TRAINERS = {'baseline': (baseline_parser, BASELINE, NEW_BASELINE), 'poseaug': (poseaug_parser, POSEAUG, NEW_POSEAUG)}
BOTH = pytest.mark.parametrize('trainer', TRAINERS)


def parser_of(trainer):
    return TRAINERS[trainer][0]('')


def value_of(parser, args, flag):
    action = parser._option_string_actions[flag]
    return getattr(args, action.dest)


def refused(parser, *argv):
    """Whether argparse stops with exit code 2."""
    with pytest.raises(SystemExit) as stopped:
        parser.parse_args(list(argv))
    return stopped.value.code == 2


# Names and defaults

@BOTH
def test_every_flag_of_the_reference_has_its_default(trainer):
    parser, table = parser_of(trainer), TRAINERS[trainer][1]
    args = parser.parse_args([])
    assert {flag: value_of(parser, args, flag) for flag in table} == table
    for flag, value in table.items():
        assert type(value_of(parser, args, flag)) in (type(value), float), flag


@BOTH
def test_there_are_no_other_flags(trainer):
    flags = {flag for flag in parser_of(trainer)._option_string_actions if flag.startswith('--')}
    assert flags == {*TRAINERS[trainer][1], *TRAINERS[trainer][2], '--no_max', '--help'}


@BOTH
def test_the_defaults_typed_out_are_accepted_and_mean_the_same(trainer):
    parser, table = parser_of(trainer), {flag: value for flag, value in TRAINERS[trainer][1].items()}
    argv = [text for flag, value in table.items() for text in (flag, str(value))]
    assert vars(parser.parse_args(argv)) == vars(parser.parse_args([]))


@BOTH
def test_gradients_are_clipped_unless_no_max_is_typed(trainer):
    assert parser_of(trainer).parse_args([]).max_norm is True
    assert parser_of(trainer).parse_args(['--no_max']).max_norm is False


RECIPES = {
    'baseline': ['--note pretrain --dropout 0 --lr 2e-2 --epochs 100 --posenet_name gcn --checkpoint ./checkpoint/pretrained',
                 '--note pretrain --lr 1e-3 --stages 2 --posenet_name mlp --keypoints detectron_ft_h36m',
                 '--note pretrain --dropout -1 --lr 1e-3 --posenet_name stgcn --keypoints cpn_ft_h36m_dbb',
                 '--note pretrain --lr 1e-3 --posenet_name videopose --keypoints hr'],
    'poseaug': ["--note poseaug --dropout 0 --posenet_name 'gcn' --lr_p 1e-3 --checkpoint ./checkpoint/poseaug --keypoints gt",
                "--note poseaug --posenet_name 'mlp' --lr_p 1e-4 --stages 2",
                "--note poseaug --dropout 0 --posenet_name 'stgcn' --lr_p 1e-4",
                "--note poseaug --posenet_name 'videopose' --lr_p 1e-4"]}


@pytest.mark.parametrize('trainer,line', [(trainer, line) for trainer, lines in RECIPES.items() for line in lines])
def test_the_references_recipes_are_understood(trainer, line):
    argv = line.replace("'", '').split()
    args = parser_of(trainer).parse_args(argv)
    for flag, text in zip(argv[::2], argv[1::2]):
        value = getattr(args, flag[2:])
        assert value == (text if isinstance(value, str) else float(text))


# Values

@pytest.mark.parametrize('text,value', [('true', True), ('false', False), ('True', True), ('FALSE', False)])
def test_booleans_are_the_texts_true_and_false(text, value):
    assert boolean(text) is value
    assert baseline_parser('').parse_args(['--s1only', text]).s1only is value


@pytest.mark.parametrize('flag', ['--s1only', '--pretrain'])
@pytest.mark.parametrize('text', ['yes', 'no', '1', '0', 't', '', 'none', ' true'])
def test_any_other_text_for_a_boolean_is_refused(flag, text, capsys):
    assert refused(baseline_parser(''), flag, text)
    assert f'{text!r} is neither true nor false' in capsys.readouterr().err


WRONG = [('--posenet_name', 'resnet'), ('--keypoints', 'openpose'), ('--dataset', '3dhp'), ('--stages', '0'),
         ('--stages', '2.5'), ('--stages', '-1'), ('--epochs', '0'), ('--downsample', '0'), ('--snapshot', '0'),
         ('--batch_size', '1'), ('--batch_size', 'many'), ('--dropout', '1'), ('--dropout', 'nan'), ('--dropout', 'x'),
         ('--random_seed', 'x'), ('--unknown', '1'), ('--stages', '²')]
WRONG_RATES = ['nan', 'inf', '-1e-3', 'fast', '']


@BOTH
@pytest.mark.parametrize('flag,text', WRONG)
def test_values_that_cannot_work_are_refused_at_once(trainer, flag, text, capsys):
    assert refused(parser_of(trainer), flag, text)
    assert flag in capsys.readouterr().err


@pytest.mark.parametrize('text', WRONG_RATES)
@pytest.mark.parametrize('trainer,flag', [('baseline', '--lr'), ('poseaug', '--lr_g'), ('poseaug', '--lr_d'),
                                          ('poseaug', '--lr_p')])
def test_learning_rates_are_finite_and_not_negative(trainer, flag, text):
    assert refused(parser_of(trainer), flag, text)


@pytest.mark.parametrize('form', ['exponential', ''])
def test_only_two_forms_of_feedback(form):
    assert refused(poseaug_parser(''), '--feedback', form)
    assert [poseaug_parser('').parse_args(['--feedback', form]).feedback for form in ('range', 'exp')] == ['range', 'exp']


@BOTH
def test_a_wrong_command_line_is_one_line_and_abbreviations_are_wrong(trainer, capsys):
    for argv in (['--posenet', 'mlp'], ['--stages'], ['mlp'], ['--stages', 'two']):
        assert refused(parser_of(trainer), *argv)
        out, err = capsys.readouterr()
        assert out == '' and err.startswith('error: ') and err.count('\n') == 1


# What was typed

@BOTH
def test_typed_flags_are_known_even_where_they_repeat_the_default(trainer):
    parser = parser_of(trainer)
    assert explicit_flags(parser, []) == set()
    typed = ['--stages', '4', '--posenet_name=mlp', '--s1only', 'false']
    assert explicit_flags(parser, typed) == {'stages', 'posenet_name', 's1only'}


@BOTH
def test_asking_what_was_typed_leaves_the_parser_as_it_was(trainer):
    parser = parser_of(trainer)
    before = vars(parser.parse_args([]))
    explicit_flags(parser, ['--stages', '2'])
    assert vars(parser.parse_args([])) == before


def test_parsing_gives_values_and_what_was_typed():
    args = parse(baseline_parser(''), ['--stages', '2', '--no_max'])
    assert args.stages == 2 and args.max_norm is False and args.posenet_name == 'videopose'
    assert 'stages' in args.explicit and 'posenet_name' not in args.explicit


# Flags that do nothing

IDLE = {run_baseline: [('--num_workers', '4'), ('--action-wise', 'true')],
        run_poseaug: [('--num_workers', '4'), ('--decay_epoch', '5'), ('--no_max',)]}


@pytest.mark.parametrize('script,flag', [(script, flag) for script, flags in IDLE.items() for flag in flags],
                         ids=lambda value: value[0] if isinstance(value, tuple) else value.__name__)
def test_a_typed_flag_without_effect_gives_a_warning(script, flag, capsys):
    """Before anything else happens: the device is refused after that, so no data are needed here."""
    with pytest.raises(SystemExit):
        script.main([*flag, '--device', 'nonsense'])
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith('warning')]
    assert len(warnings) == 1 and flag[0] in warnings[0], warnings


@pytest.mark.parametrize('without, flag', [
    (['--discriminators', '2d'], '--kcs whole'), (['--discriminators', '3d'], '--gloss_factord2d 2'),
    (['--discriminators', '3d'], '--warmup_kept .5'),
    (['--augment', 'bl,rt'], '--ba_range_m .1'), (['--augment', 'ba,rt'], '--blr_limit .2'),
    (['--augment', 'ba,bl'], '--gloss_factorfeedback_rt .1'), (['--feedback', 'off'], '--gloss_factorfeedback_ba 1')])
def test_a_flag_of_a_part_that_is_left_out_gives_a_warning(without, flag, capsys):
    for flags, count in ((without, 1), ([], 0)):
        with pytest.raises(SystemExit):
            run_poseaug.main([*flags, *flag.split(), '--device', 'nonsense'])
        assert capsys.readouterr().err.count(f'warning: {flag.split()[0]} does nothing here') == count


@pytest.mark.parametrize('script', [run_baseline, run_poseaug, run_evaluate], ids=lambda script: script.__name__)
def test_stages_of_the_lifter_without_stages_say_so(script, capsys):
    for name, count in (('stgcn', 1), ('mlp', 0)):
        with pytest.raises(SystemExit):
            script.main(['--stages', '2', '--posenet_name', name, '--device', 'nonsense'])
        assert capsys.readouterr().err.count('warning: --stages does nothing') == count


@pytest.mark.parametrize('script', [run_baseline, run_poseaug], ids=lambda script: script.__name__)
def test_flags_that_were_not_typed_warn_of_nothing(script, capsys):
    with pytest.raises(SystemExit):
        script.main(['--device', 'nonsense'])
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith('error: --device nonsense')


def imported_by(path, seen=None):
    """Every file of the project that a script imports, directly or not."""
    seen = {} if seen is None else seen
    source = path.read_text()
    seen[path] = source
    for node in ast.walk(ast.parse(source)):
        modules = []
        if isinstance(node, ast.ImportFrom):
            modules = [node.module, *(f'{node.module}.{name.name}' for name in node.names)]
        elif isinstance(node, ast.Import):
            modules = [name.name for name in node.names]
        for module in modules:
            for place in (ROOT / (module.replace('.', '/') + '.py'), ROOT / module.replace('.', '/') / '__init__.py'):
                if place.is_file() and place not in seen:
                    imported_by(place, seen)
    return seen


@pytest.mark.parametrize('script,parser', [('run_baseline.py', baseline_parser), ('run_poseaug.py', poseaug_parser)])
def test_every_flag_is_read_by_the_scripts_code_or_gives_that_warning(script, parser):
    """A flag with one choice has nothing to say; the others are read as args.<name> somewhere, or warn (test above)."""
    sources = imported_by(ROOT / script)
    read = {name for source in sources.values() for name in re.findall(r'\bargs\.(\w+)', source)}
    declared = {parser('')._option_string_actions[flag[0]].dest
                for flag in IDLE[dict(run_baseline=run_baseline, run_poseaug=run_poseaug)[script[:-3]]]}
    actions = [action for action in parser('')._actions if action.dest != 'help' and len(action.choices or 'any') > 1]
    unread = {action.dest for action in actions} - read - declared
    assert not unread, f'{script}: nothing reads {sorted(unread)}'


def test_evaluation_takes_every_flag_of_the_baseline(tmp_path, capsys):
    """And then looks for the data, with the lifter that comes with the project."""
    argv = [text for flag, value in BASELINE.items() if flag not in ('--evaluate', '--posenet_name', '--stages')
            for text in (flag, str(value))]
    with pytest.raises(SystemExit) as stopped:
        run_evaluate.main([*argv, '--data_root', str(tmp_path)])
    assert stopped.value.code == 2 and 'holds no test data: prepare Human3.6M and MPI-INF-3DHP' in capsys.readouterr().err

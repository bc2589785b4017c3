"""What the README shows is what the scripts take."""
import re
import shlex

import pytest

import run_demo
import run_export
import run_inference
import run_visualize
from common.datasets.h36m_protocol import KEYPOINTS
from data import prepare_data_2d_h36m, prepare_data_h36m
from data_extra import prepare_data_3dhp, prepare_data_3dpw
from function_baseline.arguments import baseline_parser, parse
from function_poseaug.arguments import poseaug_parser
from models_baseline import LIFTERS
from places import ROOT

README = (ROOT / 'README.md').read_text()
ALL_COMMANDS = [(script, flags.partition('#')[0]) for script, flags in
                re.findall(r'^    python3 (run_\w+\.py) (.*)$', README, re.MULTILINE)]
PARSERS = {'run_baseline.py': baseline_parser, 'run_evaluate.py': baseline_parser, 'run_poseaug.py': poseaug_parser}
COMMANDS = [(script, flags) for script, flags in ALL_COMMANDS if script in PARSERS]
USES = {'run_inference.py': run_inference.inference_parser, 'run_visualize.py': run_visualize.parser,
        'run_export.py': run_export.parser}


@pytest.mark.parametrize('keypoints', KEYPOINTS)
def test_the_experiments_are_sixteen_baselines_and_sixteen_poseaug_runs(keypoints):
    seen = []
    for script, flags in COMMANDS:
        args = parse(PARSERS[script](''), shlex.split(flags.replace('--keypoints gt', f'--keypoints {keypoints}')))
        assert args.keypoints == keypoints
        if script != 'run_evaluate.py':
            seen.append((script, args.posenet_name, args.stages, args.dropout, getattr(args, 'lr_p', None)))
    assert sorted(seen, key=str) == sorted([
        ('run_baseline.py', 'gcn', 4, 0., None), ('run_baseline.py', 'videopose', 4, .25, None),
        ('run_baseline.py', 'mlp', 2, .25, None), ('run_baseline.py', 'stgcn', 4, -1., None),
        ('run_poseaug.py', 'gcn', 4, 0., 1e-3), ('run_poseaug.py', 'videopose', 4, .25, 1e-4),
        ('run_poseaug.py', 'mlp', 2, .25, 1e-4), ('run_poseaug.py', 'stgcn', 4, 0., 1e-4)], key=str)


def test_the_other_commands_parse():
    others = [(script, flags) for script, flags in ALL_COMMANDS if script not in PARSERS]
    assert {script for script, _ in others} == USES.keys()
    for script, flags in others:
        USES[script]().parse_args(shlex.split(flags))


@pytest.mark.parametrize('document', ['poseaug.md', 'faq.md', 'scripts.md'])
def test_the_commands_of_the_other_pages_parse(document):
    parse_flags = {'run_demo.py': run_demo.parse_args, 'run_baseline.py': baseline_parser('').parse_args,
                   'run_evaluate.py': baseline_parser('', datasets=('h36m', '3dpw')).parse_args,
                   'run_poseaug.py': poseaug_parser('').parse_args,
                   **{script: make().parse_args for script, make in USES.items()}}
    commands = re.findall(r'^    python3 (run_\w+\.py) (.*)$', (ROOT / 'docs' / document).read_text(), re.MULTILINE)
    assert commands
    for script, flags in commands:
        parse_flags[script](shlex.split(flags.partition('#')[0]))


@pytest.mark.parametrize('document', ['README.md', 'DATASETS.md'])
def test_the_preparation_commands_parse(document):
    parsers = {'data/prepare_data_h36m.py': prepare_data_h36m, 'data/prepare_data_2d_h36m.py': prepare_data_2d_h36m,
               'data_extra/prepare_data_3dhp.py': prepare_data_3dhp, 'data_extra/prepare_data_3dpw.py': prepare_data_3dpw}
    commands = re.findall(r'^ *python3 (data\w*/prepare_\w+\.py)([^#\n]*)', (ROOT / document).read_text(), re.MULTILINE)
    assert {script for script, _ in commands} == set(parsers)
    for script, flags in commands:
        parsers[script].parse_args(shlex.split(flags))


def test_the_readme_s_lifter_and_its_line_are_what_the_code_takes(readme_lifter):
    assert readme_lifter.__name__ == 'Linear' and '\n    from models_baseline.linear import Linear\n    LIFTERS = ' in README
    line = re.search(r'LIFTERS = dict\((.*)\)', README)[1]
    assert line.removesuffix(', linear=Linear') == ', '.join(f'{name}={c.__name__}' for name, c in LIFTERS.items())


def test_files_that_the_documents_link_to_exist():
    for document in (ROOT / 'README.md', ROOT / 'DATASETS.md', *(ROOT / 'docs').glob('*.md')):
        for target in re.findall(r'\]\(([^)#:]+)\)', document.read_text()):
            assert (document.parent / target).exists(), (document.name, target)

"""What the documents say that can be checked: links, paths, names, commands, the size of the core, the rooms."""
import ast
import re
import shlex

import pytest

import run_benchmark
import run_demo
import run_export
import run_inference
import run_results
import run_selfcheck
import run_sweep
import run_visualize
from benchmarks import side_by_side, streaming, temporal, temporal_matrix
from common.datasets.h36m_protocol import KEYPOINTS
from data import prepare_data_2d_h36m, prepare_data_demo, prepare_data_h36m, prepare_data_mocap
from data_extra import prepare_data_3dhp, prepare_data_3dpw
from function_baseline.arguments import baseline_parser, parse
from function_inference.detectors import DETECTORS
from function_inference.keypoint_formats import FORMATS
from function_poseaug.arguments import poseaug_parser
from function_poseaug.losses import FEEDBACKS
from models_baseline import LIFTERS
from places import ROOT

TEXTS = {str(path.relative_to(ROOT)): path.read_text() for path in
         (*(ROOT / name for name in ('README.md', 'DATASETS.md', 'CONTRIBUTING.md')), *sorted((ROOT / 'docs').glob('*.md')))}
EVERY_DOCUMENT = pytest.mark.parametrize('document', TEXTS)
PREPARATION = {'data/prepare_data_h36m.py': prepare_data_h36m, 'data/prepare_data_2d_h36m.py': prepare_data_2d_h36m,
               'data_extra/prepare_data_3dhp.py': prepare_data_3dhp, 'data_extra/prepare_data_3dpw.py': prepare_data_3dpw}
# a path into the project, but not of what commands write: data/ and checkpoint/ hold mostly that
OWN_PATH = re.compile(r'(common|models_\w+|function_\w+|sweeps|utils|tests|benchmarks|docs)/[\w./-]*|data(_extra)?/[\w/]+\.py'
                      r'|checkpoint/\w+\.ipynb|[\w-]+\.(py|md)|Makefile|LICENSE|requirements[\w-]*\.txt')


def commands_in(document):
    """(script, list of its arguments) of each command that stands on a line of its own."""
    found = re.findall(r'^ *python3 ((?:\w+/)?\w+\.py)\b([^#\n]*)', TEXTS[document], re.MULTILINE)
    return [(script, shlex.split(flags)) for script, flags in found]


def parser_of(script):
    """A function that takes a list of arguments as the script takes it, and refuses what the script refuses."""
    if script in PREPARATION:
        return PREPARATION[script].parse_args
    parsers = {
        'run_demo.py': run_demo.parse_args,
        'data/prepare_data_mocap.py': prepare_data_mocap.parse_args,
        'data/prepare_data_demo.py': prepare_data_demo.parse_args,
        'run_baseline.py': lambda argv: parse(baseline_parser(''), argv),
        'run_poseaug.py': lambda argv: parse(poseaug_parser(''), argv),
        'run_evaluate.py': lambda argv: parse(baseline_parser('', datasets=('h36m', '3dpw')), argv),
        'run_inference.py': run_inference.inference_parser().parse_args,
        'run_visualize.py': run_visualize.parser().parse_args,
        'run_export.py': run_export.parser().parse_args,
        'run_results.py': run_results.main,
        'run_sweep.py': run_sweep.parse_args,
        'run_benchmark.py': run_benchmark.parser().parse_args,
        'run_selfcheck.py': run_selfcheck.parse_args,
        'benchmarks/side_by_side.py': side_by_side.parse_args,
        'benchmarks/streaming.py': streaming.parse_args,
        'benchmarks/temporal.py': temporal.parser().parse_args,
        'benchmarks/temporal_matrix.py': temporal_matrix.parser().parse_args}
    return parsers[script]


def slug(heading):
    """The anchor that GitHub gives a heading."""
    return re.sub(r'[^\w -]', '', heading.replace('`', '').lower()).replace(' ', '-')


def code_spans(text):
    """Every `span` outside of blocks of code."""
    prose = re.sub(r'^(    .*|```[\s\S]*?^```)$', '', text, flags=re.MULTILINE)
    return re.findall(r'`([^`\n]+)`', prose)


def rows_of(text, heading):
    """The rows of the table below a heading, each a list of cells."""
    section = text.split(f'\n## {heading}\n')[1].split('\n## ')[0]
    table = [line for line in section.splitlines() if line.startswith('|')]
    return [[cell.strip() for cell in line.strip('|').split('|')] for line in table[2:]]


@EVERY_DOCUMENT
def test_links_lead_to_files_and_headings_that_exist(document):
    for target, anchor in re.findall(r'\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)', TEXTS[document]):
        path = (ROOT / document).parent / target if target else ROOT / document
        assert path.exists(), target
        if anchor:
            assert anchor in map(slug, re.findall(r'^#+ (.*)$', path.read_text(), re.MULTILINE)), (target, anchor)


@EVERY_DOCUMENT
def test_paths_that_a_document_names_exist(document):
    missing = [span for span in code_spans(TEXTS[document]) if OWN_PATH.fullmatch(span) and not (ROOT / span).exists()]
    assert not missing


def test_the_search_for_paths_finds_those_that_have_moved():
    text = 'see `common/gone.py`, `data/gone.py`, `gone.py`,\n\n    `common/shown.py`\n\nand `data/gone.npz`'
    assert [span for span in code_spans(text) if OWN_PATH.fullmatch(span)] == ['common/gone.py', 'data/gone.py', 'gone.py']


@EVERY_DOCUMENT
def test_commands_are_what_the_scripts_take(document, monkeypatch):
    if document == 'docs/extending.md':       # what a reader has plugged in by then
        for table, name in ((LIFTERS, 'linear'), (FORMATS, 'body15'), (DETECTORS, 'mine'), (FEEDBACKS, 'log')):
            assert name not in table
            monkeypatch.setitem(table, name, None)
    monkeypatch.setattr(run_results, 'find_runs', lambda folder: [])
    monkeypatch.setattr(run_results, 'require_csv_place', lambda path, overwrite: None)
    monkeypatch.setattr(run_results, 'write_csv', lambda rows, path: None)
    for script, argv in commands_in(document):
        parser_of(script)(argv)


@pytest.mark.parametrize('document, scripts', [
    ('README.md', ['run_baseline.py', 'run_poseaug.py', 'run_evaluate.py', 'run_inference.py', 'run_results.py', *PREPARATION]),
    ('DATASETS.md', [*PREPARATION]),
    ('docs/inference.md', ['run_inference.py']),
    ('docs/scripts.md', ['run_demo.py', 'run_baseline.py', 'run_poseaug.py', 'run_evaluate.py', 'run_visualize.py',
                         'run_results.py', 'run_export.py', 'run_selfcheck.py', 'run_sweep.py', *PREPARATION]),
    ('docs/extending.md', ['run_baseline.py', 'run_poseaug.py', 'run_evaluate.py', 'run_inference.py']),
    ('docs/sweeps.md', ['data/prepare_data_demo.py', 'run_sweep.py']),
    ('docs/poseaug.md', ['run_demo.py', 'run_visualize.py']),
    ('docs/faq.md', ['run_evaluate.py', 'run_inference.py']),
    ('docs/benchmark.md', ['run_benchmark.py']),
    ('docs/own_data.md', ['data/prepare_data_mocap.py', 'run_baseline.py', 'run_poseaug.py', 'run_evaluate.py',
                          'run_inference.py']),
    ('docs/performance.md', ['benchmarks/side_by_side.py', 'benchmarks/streaming.py'])])
def test_a_document_shows_the_commands_of_its_scripts(document, scripts):
    assert {script for script, _ in commands_in(document)} == {*scripts}


@pytest.mark.parametrize('keypoints', KEYPOINTS)
def test_the_experiments_are_sixteen_baselines_and_sixteen_poseaug_runs(keypoints):
    seen = []
    for script, argv in commands_in('docs/experiments.md'):
        if script in ('run_baseline.py', 'run_poseaug.py'):
            args = parser_of(script)([keypoints if argument == 'gt' else argument for argument in argv])
            assert args.keypoints == keypoints
            seen.append((script, args.posenet_name, args.stages, args.dropout, args.epochs, getattr(args, 'lr', None),
                         getattr(args, 'lr_p', None)))
    assert sorted(seen, key=str) == sorted([
        ('run_baseline.py', 'gcn', 4, 0., 100, 2e-2, None), ('run_baseline.py', 'videopose', 4, .25, 50, 1e-3, None),
        ('run_baseline.py', 'mlp', 2, .25, 50, 1e-3, None), ('run_baseline.py', 'stgcn', 4, -1., 50, 1e-3, None),
        ('run_poseaug.py', 'gcn', 4, 0., 50, None, 1e-3), ('run_poseaug.py', 'videopose', 4, .25, 50, None, 1e-4),
        ('run_poseaug.py', 'mlp', 2, .25, 50, None, 1e-4), ('run_poseaug.py', 'stgcn', 4, 0., 50, None, 1e-4)], key=str)


def test_a_lifter_of_ones_own_and_its_line_are_what_the_code_takes(readme_lifter):
    text = TEXTS['docs/extending.md']
    assert readme_lifter.__name__ == 'Linear' and '\n    from models_baseline.linear import Linear\n    LIFTERS = ' in text
    line = re.search(r'LIFTERS = dict\((.*)\)', text)[1]
    assert line.removesuffix(', linear=Linear') == ', '.join(f'{name}={c.__name__}' for name, c in LIFTERS.items())


def test_the_core_is_as_long_as_the_index_says():
    index = TEXTS['docs/README.md']
    total, listed = 0, set()
    for lines, files, _ in rows_of(index, 'The core, in reading order'):
        paths = re.findall(r'`(.*?)`', files)
        counted = sum(len((ROOT / path).read_text().splitlines()) for path in paths)
        assert abs(counted - int(lines)) <= 30, (files, counted)
        total, listed = total + counted, listed | {*paths}
    assert total < 2500 and abs(total - int(re.search(r'have ([\d,]+) lines', index)[1].replace(',', ''))) <= 60
    not_of_the_paper = {'models_baseline/temporal.py'}
    lifters = {str(path.relative_to(ROOT)) for path in (ROOT / 'models_baseline').glob('*.py')}
    assert lifters - not_of_the_paper <= listed and not listed & not_of_the_paper


@pytest.mark.parametrize('walk', ['One pose, from the file to the loss', 'One command, from its options to the checkpoint'])
def test_the_tour_names_what_its_files_define(walk):
    for path, names, _ in rows_of(TEXTS['docs/tour.md'], walk):
        tree = ast.parse((ROOT / path.strip('`')).read_text())
        defined = {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
        assert {*re.findall(r'`(.*?)`', names)} <= defined, path


def test_the_index_lists_every_document():
    linked = re.findall(r'\]\(([^)#]+)\)', TEXTS['docs/README.md'].split('\n## ')[0])
    assert {(ROOT / 'docs' / target).resolve() for target in linked} == {
        (ROOT / document).resolve() for document in TEXTS} - {ROOT / 'docs' / 'README.md'}

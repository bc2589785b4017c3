"""The experiment of benchmarks/ablation.py: what is missing is trained, what is finished is not, and all of it is scored."""
import pytest

from benchmarks import ablation
from benchmarks.ablation import EXPERIMENTS, POSEAUG, RECIPE
from function_baseline.arguments import baseline_parser, parse
from function_baseline.recipe_v2 import INGREDIENTS, apply_recipe
from function_poseaug.arguments import poseaug_parser
from utils.runs.checkpoint import LAST


def run(tiny_root, folder, experiment, *flags):
    return ablation.main([experiment, '--folder', str(folder), '--data_root', str(tiny_root), '--device', 'cpu', '--seeds', '1',
                          '--downsample', '4', '--posenet_name', 'gcn', *flags])


@pytest.mark.parametrize('name', POSEAUG)
def test_every_variant_of_poseaug_changes_one_thing(name):
    parsed, plain = (vars(parse(poseaug_parser(''), flags.split())) for flags in (POSEAUG[name], ''))
    differing = {flag for flag in plain if parsed[flag] != plain[flag]} - {'explicit'}
    assert len(differing) == (name != 'poseaug')


def test_every_variant_of_the_recipe_takes_one_ingredient_away():
    assert {*RECIPE} == {'plain', 'v2', *(f'no {name}' for name in INGREDIENTS)}
    for name in INGREDIENTS:
        args = parse(baseline_parser(''), RECIPE[f'no {name}'].split())
        apply_recipe(args)
        assert args.without == name and args.recipe == 'v2'
        assert (args.camera, args.schedule) == ('image' if name == 'camera' else 'person',
                                                'step' if name == 'cosine' else 'cosine')


@pytest.mark.slow
def test_missing_runs_are_trained_once_and_then_scored(tiny_root, tmp_path):
    flags = ('--variants', 'control', 'poseaug', '--baseline_epochs', '1', '--epochs', '2', '--warmup', '1')
    summary = run(tiny_root, tmp_path, 'poseaug', *flags)
    assert {name for name, _ in summary} == {'baseline', 'control', 'poseaug'}
    checkpoints = {path: path.stat().st_mtime_ns for path in tmp_path.rglob(LAST)}
    assert len(checkpoints) == 3 and (tmp_path / 'poseaug_gcn' / 'runs.csv').is_file()
    again = run(tiny_root, tmp_path, 'poseaug', *flags)
    assert again == summary and {path: path.stat().st_mtime_ns for path in tmp_path.rglob(LAST)} == checkpoints


def test_there_are_two_experiments():
    assert {*EXPERIMENTS} == {'poseaug', 'recipe'}

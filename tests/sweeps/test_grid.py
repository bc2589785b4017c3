"""A sweep's TOML file: what it may say, and the one line that refuses anything else."""
import textwrap

import pytest

from function_baseline.arguments import baseline_parser, parse
from function_baseline.recipe_v2 import INGREDIENTS, apply_recipe
from function_poseaug.arguments import poseaug_parser
from places import ROOT
from refusals import refusal
from sweeps.grid import boxed, read_sweep
from sweeps.jobs import jobs_of, words_of
from sweeps.shifts import require_comparable

LEAST = 'lifters = ["gcn"]\nseeds = [0]\n'


@pytest.fixture
def sweep(tmp_path):
    """A function: the Sweep of a text."""
    def read(text, **options):
        (tmp_path / 'mine.toml').write_text(text)
        return read_sweep(tmp_path / 'mine.toml', **options)
    return read


def test_the_least_that_a_file_may_say(sweep, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    read = sweep(LEAST)
    assert (read.lifters, read.keypoints, read.seeds) == (('gcn',), ('gt',), (0,))
    assert read.trainers == ('baseline', 'poseaug') and read.folder == tmp_path / 'checkpoint/mine'


def test_what_is_typed_replaces_what_the_file_says(sweep, tmp_path):
    read = sweep('folder = "there"\n' + LEAST, folder=tmp_path / 'here', seeds=[3, 4], data_root='data')
    assert (read.folder, read.seeds, read.both) == (tmp_path / 'here', (3, 4), {'data_root': 'data'})


@pytest.mark.parametrize('text, words', [
    ('lifters = [', 'is no TOML file'),
    ('seeds = [0]', 'lifters is missing'),
    ('lifters = ["gcn"]', 'seeds is missing'),
    (LEAST + 'lifter = "gcn"', 'lifter = '),
    (LEAST + 'seed = [1]', "there is no key 'seed'; did you mean seeds?"),
    ('lifters = ["gnc"]\nseeds = [0]', "lifters = ['gnc'] is not possible; give a list of some of gcn, mlp"),
    ('lifters = "gcn"\nseeds = [0]', 'a list of some of'),
    ('lifters = ["gcn", "gcn"]\nseeds = [0]', 'a list of some of'),
    ('lifters = ["gcn"]\nseeds = 3', 'a list of different whole numbers'),
    ('lifters = ["gcn"]\nseeds = [0, -1]', 'a list of different whole numbers'),
    ('lifters = ["gcn"]\nseeds = [true]', 'a list of different whole numbers'),
    ('lifters = ["gcn"]\nseeds = []', 'a list of different whole numbers'),
    (LEAST + 'keypoints = ["openpose"]', 'keypoints'),
    (LEAST + 'trainers = ["poseaug"]', '["baseline", "poseaug"] or ["baseline"]'),
    (LEAST + 'start_from = "first"', '"best" or "last"'),
    (LEAST + 'shifts = ["fur"]', '"none" (only the test sets as they are), or a list of some of'),
    (LEAST + 'cpus = 0', 'cores'), (LEAST + 'cpus = 1.5', 'cores'), (LEAST + 'gpus = 2', 'share of a GPU'),
    (LEAST + 'gpus = nan', 'share of a GPU'), (LEAST + 'memory_gb = "2"', 'gigabytes'),
    (LEAST + '[lifter.mpl.both]', 'lifter'), (LEAST + '[lifter.gcn.game]', 'both, baseline, poseaug'),
    (LEAST + '[variant.control]\naugmentor = "none"', 'both, baseline, poseaug'),
    (LEAST + '[variant."../up".poseaug]', 'names of letters'),
    (LEAST + '[variant."no BA".poseaug]\n[variant.no_ba.poseaug]', 'different names')])
def test_anything_else_is_refused_in_one_line(sweep, tmp_path, text, words):
    line = refusal(sweep, text)
    assert words in line and str(tmp_path / 'mine.toml') in line


def test_a_sweep_that_is_not_there_is_refused_with_those_in_the_box():
    assert 'nowhere.toml is neither a file nor a sweep in the box (ablation, demo, paper, recipe)' in refusal(
        read_sweep, 'nowhere.toml')


@pytest.mark.parametrize('name, jobs', [('paper', 160), ('ablation', 2 * (3 + 27)), ('recipe', 3 * (2 + len(INGREDIENTS))),
                                        ('demo', 3 + 9)])
def test_the_sweeps_in_the_box_are_what_the_trainers_take(name, jobs):
    assert name in boxed() and len(jobs_of(read_sweep(name))) == jobs


@pytest.mark.parametrize('name', read_sweep('ablation').variant)
def test_every_variant_of_the_ablation_changes_one_thing(name):
    parsed, plain = (vars(parse(poseaug_parser(''), words_of(read_sweep('ablation'), 'poseaug', 'mlp', variant)))
                     for variant in (name, 'poseaug'))
    differing = {flag for flag in plain if parsed[flag] != plain[flag]} - {'explicit'}
    assert len(differing) == (name != 'poseaug')


def test_every_variant_of_the_recipe_takes_one_ingredient_away():
    recipe = read_sweep('recipe')
    assert {*recipe.variant} == {'plain', 'v2', *(f'no {name}' for name in INGREDIENTS)}
    for name in INGREDIENTS:
        args = parse(baseline_parser(''), words_of(recipe, 'baseline', 'mlp', f'no {name}'))
        apply_recipe(args)
        assert args.without == name and args.recipe == 'v2'
        assert (args.camera, args.schedule) == ('image' if name == 'camera' else 'person',
                                                'step' if name == 'cosine' else 'cosine')


@pytest.mark.parametrize('text, words', [
    ('[variant.baseline.poseaug]\n[variant.other.poseaug]', "different runs as 'baseline'"),
    ('[variant.a.poseaug]\n[variant.b.poseaug]\ndownsample = 4', 'the same test poses')])
def test_runs_that_one_table_cannot_compare_are_refused_before_they_run(sweep, text, words):
    read = sweep(f'lifters = ["videopose"]\nseeds = [0]\nshifts = "all"\n{text}')
    assert words in refusal(require_comparable, read, jobs_of(read))


def test_some_of_the_variants_can_be_chosen():
    assert {job.variant for job in jobs_of(read_sweep('ablation', variants=['no BA', 'control']))} == {'', 'control', 'no BA'}
    assert "has no variant 'no ba'; choose from control" in refusal(lambda: read_sweep('ablation', variants=['no ba']))


def test_the_example_of_the_documentation_is_what_the_trainers_take(sweep, tmp_path):
    text = (ROOT / 'docs' / 'sweeps.md').read_text()
    block = text.split('## A sweep of your own\n\n')[1].split('\n\n')[0]
    jobs = jobs_of(sweep(textwrap.dedent(block), folder=tmp_path))
    assert len(jobs) == 12 + 24 and {job.epochs for job in jobs if job.trainer == 'poseaug'} == {20}

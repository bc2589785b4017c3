"""The jobs of a sweep: their order, their commands, and the flags that are refused before anything is started."""
import json
import re
import shlex

import pytest

from function_baseline.arguments import baseline_parser
from function_poseaug.arguments import poseaug_parser
from places import ROOT
from refusals import refusal
from sweeps.grid import read_sweep
from sweeps.jobs import jobs_of, require_unchanged
from utils.runs.record import LAST

PARSERS = dict(baseline=baseline_parser, poseaug=poseaug_parser)
LEAST = 'lifters = ["gcn"]\nseeds = [0]\n'


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    """A function: the jobs of a text."""
    monkeypatch.chdir(tmp_path)

    def made(text):
        (tmp_path / 'mine.toml').write_text(text)
        return jobs_of(read_sweep(tmp_path / 'mine.toml', folder=tmp_path / 'runs'))
    return made


def began(job, **arguments):
    """A run of the job that has a checkpoint, and these arguments; its directory."""
    run = job.folder / '0101_test'
    run.mkdir(parents=True)
    (run / LAST).write_text('')
    (run / 'run.json').write_text(json.dumps([dict(arguments=arguments)]))
    return run


def test_seed_by_seed_and_each_after_its_baseline(jobs):
    made = jobs('lifters = ["gcn", "mlp"]\nseeds = [0, 1]\nkeypoints = ["gt", "hr"]\n')
    assert [str(job) for job in made[:4]] == ['gcn gt seed 0, baseline', 'gcn gt seed 0, poseaug', 'mlp gt seed 0, baseline',
                                              'mlp gt seed 0, poseaug']
    assert [job.seed for job in made] == [0] * 8 + [1] * 8
    assert [job.needs for job in made] == [made[place - 1] if place % 2 else None for place in range(16)]
    assert len({job.folder for job in made}) == 16


def test_variants_share_a_baseline_unless_they_change_it(jobs):
    made = jobs(LEAST + '[variant]\ncontrol.poseaug = { augmentor = "none" }\nlong.baseline = { epochs = 9 }\n'
                '"no BA".poseaug = { augment = "bl,rt" }\n')
    assert [str(job).partition(', ')[2] for job in made] == [
        'baseline', 'poseaug (control)', 'baseline (long)', 'poseaug (long)', 'poseaug (no BA)']
    assert [job.needs and made.index(job.needs) for job in made] == [None, 0, None, 2, 0]


def test_special_flags_replace_general_ones(jobs):
    made = jobs(LEAST + '[both]\nepochs = 5\nbatch_size = 8\n[poseaug]\nepochs = 6\nwarmup = 1\n[lifter.gcn.both]\nepochs = 7\n'
                '[variant.short.poseaug]\nepochs = 3\nsymmetric_filter = true\naugment = ["ba", "rt"]\n')
    assert made[0].flags == ('--epochs', '7', '--batch_size', '8')
    assert made[1].flags == ('--epochs', '3', '--batch_size', '8', '--warmup', '1', '--symmetric_filter', '--augment', 'ba,rt')
    assert [job.epochs for job in made] == [7, 3]


def test_a_switch_that_is_off_is_left_out_and_a_yes_or_no_is_written_out(jobs):
    assert jobs(LEAST + '[both]\ntf32 = false\ns1only = true\n')[0].flags == ('--s1only', 'true')


@pytest.mark.parametrize('text, words', [
    ('[baseline]\nepochz = 3', '[baseline] epochz: run_baseline.py has no flag --epochz; did you mean epochs?'),
    ('[both]\nlr_p = 1e-4', '[both] lr_p: run_baseline.py has no flag --lr_p'),
    ('[lifter.gcn.poseaug]\nlr = 1e-4', '[lifter.gcn.poseaug] lr: run_poseaug.py has no flag --lr'),
    ('[both]\nepochs = 0', "argument --epochs: '0' is not a whole number of at least 1"),
    ('[both]\nrandom_seed = 3', '[both] random_seed: the sweep gives this flag itself'),
    ('[both]\ntf32 = 1', 'give true or false'),
    ('[both]\nepochs = 2026-01-01', 'give a number, a text or a list'),
    ('[both]\ndropout = -1', '--dropout -1'),
    ('[baseline]\nwithout = "views"', '--without takes an ingredient away from --recipe v2'),
    ('[variant.odd.poseaug]\naugment = "rt"\ndiscriminators = "3d"', '--augment rt needs the 2D discriminator')])
def test_flags_that_a_trainer_refuses_are_refused_before_anything_is_started(jobs, tmp_path, text, words):
    line = refusal(jobs, LEAST + text)
    assert words in line and str(tmp_path / 'mine.toml') in line and not (tmp_path / 'runs').exists()


def test_the_papers_commands_are_those_of_the_documentation(tmp_path):
    """docs/experiments.md shows them; the sweep adds only where, which seed, and which baseline."""
    text = (ROOT / 'docs/experiments.md').read_text()
    shown = re.findall(r'^ *python3 (run_baseline|run_poseaug)\.py (.*)$', text, re.MULTILINE)
    documented = {}
    for script, flags in shown:
        trainer = script.removeprefix('run_')
        args = PARSERS[trainer]('').parse_args(shlex.split(flags))
        documented[trainer, args.posenet_name] = args
    made = [job for job in jobs_of(read_sweep('paper', folder=tmp_path)) if job.keypoints == 'gt' and job.seed == 0]
    assert len(made) == len(documented) == 8
    for job in made:
        args = vars(PARSERS[job.trainer]('').parse_args(job.words()))
        expected = vars(documented[job.trainer, job.lifter])
        assert {name for name in args if args[name] != expected[name]} <= {'checkpoint', 'pretrain_path'}


def test_a_job_begins_anew_or_goes_on(jobs):
    baseline, poseaug = jobs(LEAST + 'start_from = "last"\n')
    assert '--resume' not in baseline.words() and "(gcn gt seed 0, baseline's run)" in poseaug.words()
    run = began(baseline)
    assert baseline.words()[-2:] == ['--resume', str(run)]
    assert poseaug.words()[-2:] == ['--pretrain_path', str(run / LAST)]
    own = began(poseaug)
    assert poseaug.words()[-2:] == ['--resume', str(own)] and '--pretrain_path' not in poseaug.words()


def test_a_run_with_other_flags_is_not_taken_for_this_one(jobs):
    first, second = jobs(LEAST + '[both]\nepochs = 5\n')
    run = began(first, epochs=5, batch_size=1024, stages=4, data_root='elsewhere', checkpoint='moved')
    began(second, epochs=5, stages=1)      # PoseAug takes this from its baseline
    require_unchanged(first, 'it')
    require_unchanged(second, 'it')
    longer = jobs(LEAST + '[both]\nepochs = 6\n')[0]
    assert refusal(require_unchanged, longer, 'it') == (
        f'{run} was trained with --epochs 5, but it now says 6; change it back, or give another --folder')


def test_a_poseaug_run_has_the_frames_of_its_baseline(jobs):
    temporal = LEAST.replace('gcn', 'videopose') + '[baseline]\nreceptive_field = 27\n'
    baseline, poseaug = jobs(temporal)
    for job in (baseline, poseaug):
        began(job, stages=2, receptive_field=27, causal=False)
        require_unchanged(job, 'it')
    assert 'takes clips apart' in refusal(jobs, temporal + '[poseaug]\nposes_per_epoch = 5000\n')


def test_flags_that_a_data_set_refuses_are_refused_too(jobs):
    assert '--validate_on S1: only Human3.6M' in refusal(jobs, LEAST + '[both]\ndataset = "mine"\nvalidate_on = "S1"\n')

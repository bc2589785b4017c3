"""The first page: short, and its commands are those of the experiments."""
import re

from places import ROOT

README = (ROOT / 'README.md').read_text()
EXPERIMENTS = (ROOT / 'docs' / 'experiments.md').read_text()


def test_it_is_short():
    assert len(README.splitlines()) <= 150


def test_its_two_commands_are_targets_of_the_makefile():
    makefile = (ROOT / 'Makefile').read_text()
    targets = re.findall(r'^    make (\w[\w-]*)', README, re.MULTILINE)
    assert targets == ['demo', 'test'] and all(f'\n{target}:' in makefile for target in targets)


def test_its_training_commands_are_one_lifter_s_of_the_experiments():
    training = r'^    (python3 (run_baseline|run_poseaug)\.py .*)$'
    shown = re.findall(training, README, re.MULTILINE)
    assert [script for _, script in shown] == ['run_baseline', 'run_poseaug']
    assert {*shown} <= {*re.findall(training, EXPERIMENTS, re.MULTILINE)}

"""The checkpoint that a held-out subject chooses: saved only when its error is the lowest so far."""
from types import SimpleNamespace

import pytest
import torch

from common.datasets.h36m import h36m_poses, read_h36m
from common.errors import InputError
from function_baseline.data import training_subjects
from function_baseline.held_out import keep_best_held_out
from trainers import started
from utils.runs.checkpoint import BASELINE_KEY, HELD_OUT_BEST


@pytest.mark.parametrize('s1only, subjects, held_out, message', [
    (True, 'S5', '', 'contradicts --train_subjects S5; leave one out'), (False, 'S8', 'S8', 'leaves no subject to train on')])
def test_flags_that_contradict_each_other_are_refused(s1only, subjects, held_out, message):
    with pytest.raises(InputError, match=message):
        training_subjects(SimpleNamespace(s1only=s1only, train_subjects=subjects, validate_on=held_out))


def test_a_worse_epoch_does_not_replace_a_better_one(tiny_root, tmp_path):
    _, state, run = started('state_dict', tmp_path)
    tests = SimpleNamespace(held_out=h36m_poses(read_h36m(tiny_root, 'gt'), ('S8',), 'Walking'))
    for best, saved in ((1., False), (1e9, True)):
        state.best_held_out = best
        keep_best_held_out(run, state, tests, torch.device('cpu'), BASELINE_KEY, state.lifter)
        assert (run.path / HELD_OUT_BEST).is_file() == saved and (state.best_held_out == best) != saved
    run.close()


def test_without_a_held_out_subject_nothing_is_scored(tmp_path):
    _, state, run = started('state_dict', tmp_path)
    keep_best_held_out(run, state, SimpleNamespace(held_out=None), torch.device('cpu'), BASELINE_KEY, state.lifter)
    run.close()
    assert not (run.path / HELD_OUT_BEST).exists()

"""The baseline's loop: its learning rate, the state it saves and takes over, and the room it needs."""
import pytest
import torch
from torch import nn

from function_baseline.arguments import baseline_parser
from function_baseline.loop import BaselineState, room
from function_baseline.schedules import StepDecay
from refusals import refusal
from trainers import started
from utils.gradients import adam
from utils.runs.checkpoint import take_over


def test_step_decay_is_set_at_step_1_and_at_multiples():
    schedule = StepDecay(adam(nn.Linear(1, 1), .5), .5, gamma=.25, decay=4)
    rates = []
    for _ in range(9):
        schedule.advance()
        rates.append(schedule.optimizer.param_groups[0]['lr'])
    first = .5 * .25 ** (1 / 4)
    assert rates == pytest.approx([first] * 3 + [.125] * 4 + [.03125] * 2)


@pytest.mark.parametrize('place, value', [('schedule', {'step': -1, 'lr': .1}), ('schedule', {'step': 3, 'lr': float('nan')}),
                                          ('history', [[1.]]), ('history', [['a', 'b']]), ('best_h36m', None), ('history', 5),
                                          ('optimizer', {}), ('state_dict', {})])
def test_a_damaged_state_is_not_taken_over(tmp_path, place, value):
    _, state, run = started('state_dict', tmp_path)
    run.close()
    content = state.state_dict()
    take_over(state, content, run.path)
    assert str(run.path) in refusal(take_over, state, {**content, place: value}, run.path)


def test_a_run_needs_less_room_towards_its_end_and_none_after_it():
    args = baseline_parser('').parse_args(['--posenet_name', 'gcn', '--stages', '1', '--epochs', '60', '--snapshot', '25'])
    state, needs = BaselineState(args, torch.device('cpu')), []
    for state.epoch in (0, 30, 59, 60):
        needs.append(room(state, args))
    assert needs == sorted(needs, reverse=True) and needs[0] > needs[1] >= needs[2] > needs[3] == 0

"""--resume: which runs are continued, with which arguments, and what a checkpoint must hold for that."""
import argparse
from pathlib import Path

import pytest
import torch

from function_baseline.arguments import baseline_parser, parse
from refusals import refusal
from trainers import STATES, started
from utils.runs.checkpoint import LAST, load_lifter, read_checkpoint, save_checkpoint
from utils.runs.resume import resume
from utils.runs.run_directory import RunDirectory

PARSER = baseline_parser('')


@pytest.fixture
def stopped(args):
    """The directory of a run that can be continued."""
    run = RunDirectory(args, 'stamp', ('epoch',))
    run.save_last({'state_dict': {}, 'optimizer': {}, 'epoch': 4})
    run.save('ckpt_best.pth.tar', {'state_dict': {}, 'epoch': 3})
    run.close()
    return run.path


@pytest.fixture
def continued(args, stopped):
    """A function: resume the run, or `place`, with these flags typed; Resumed, and the arguments it goes on with.

    `defaults` are arguments that were not typed.
    """
    def resumed(place=stopped, kind='state_dict', defaults=(), **typed):
        several = dict(poses_per_epoch=0, receptive_field=1, causal=False)
        later = argparse.Namespace(**{**vars(args), **several, **dict(defaults), **typed, 'resume': str(place),
                                      'explicit': set(typed)})
        return resume(later, kind, PARSER), later
    return resumed


def change_saved_argument(stopped, name, value):
    content = read_checkpoint(stopped / LAST)
    content['arguments'][name] = value
    save_checkpoint(stopped / LAST, content)


def test_a_run_is_continued_with_the_arguments_it_had(stopped, continued):
    resumed, later = continued(defaults=dict(lr=5., note='other'))
    assert resumed.directory == stopped and resumed.content['epoch'] == 4
    assert later.lr == .001 and later.note == 'trial'


def test_the_checkpoint_itself_may_be_given(stopped, continued):
    assert continued(stopped / LAST)[0].directory == stopped


@pytest.mark.parametrize('epochs, told', [(5, 0), (4, 1)])
def test_a_finished_run_says_that_all_its_epochs_are_done(stopped, continued, capsys, epochs, told):
    change_saved_argument(stopped, 'epochs', epochs)
    continued()
    assert capsys.readouterr().out.count(f'all {epochs} epochs are done') == told


def test_a_typed_flag_that_contradicts_the_run_is_refused(continued):
    assert '--lr 0.5' in refusal(continued, lr=.5)
    continued(lr=.001)


@pytest.mark.slow
@pytest.mark.parametrize('name, value', [('batch_size', 0), ('snapshot', 0), ('keypoints', 'mine'), ('dropout', 1.5),
                                         ('lr', -1.)])
def test_an_argument_that_the_command_line_would_refuse_is_refused_in_a_checkpoint(stopped, continued, name, value):
    change_saved_argument(stopped, name, value)
    assert f'it has {name} {value}' in refusal(continued, defaults={name: getattr(PARSER.parse_args([]), name)})


def test_the_data_root_may_change(continued):
    assert continued(data_root=Path('/elsewhere'))[1].data_root == Path('/elsewhere')


def test_a_run_of_the_other_trainer_or_a_best_checkpoint_cannot_be_continued(stopped, continued):
    assert 'no ckpt_last.pth.tar of this trainer' in refusal(continued, kind='model_pos')
    assert 'no ckpt_last.pth.tar of this trainer' in refusal(continued, stopped / 'ckpt_best.pth.tar')


def test_a_folder_without_a_last_checkpoint_is_refused(continued, tmp_path):
    assert LAST in refusal(continued, tmp_path)


# Both trainers' states through a file and back

@pytest.mark.slow
@pytest.mark.parametrize('kind', STATES)
def test_what_a_trainer_saves_last_can_be_resumed(kind, tmp_path):
    args, state, run = started(kind, tmp_path)
    state.epoch, state.epoch0_scores = 3, (1., 2., 3., 4.)
    run.save_last(state.state_dict())
    run.close()
    parser, State = STATES[kind]
    later = parse(parser(''), ['--resume', str(run.path)])
    resumed = resume(later, kind, parser(''))
    fresh = State(later, torch.device('cpu'))
    fresh.load_state_dict(resumed.content)
    assert later.posenet_name == 'gcn' and later.stages == 1 and fresh.epoch == 3
    mine, theirs = state.state_dict()[kind], fresh.state_dict()[kind]
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)


@pytest.mark.parametrize('kind', STATES)
def test_a_run_from_pretrained_weights_saves_their_lifter_and_stages(kind, tmp_path):
    """Lifter and stages come from --pretrain_path's file, no flag says them; the run's checkpoints must say the same."""
    _, state, first = started('state_dict', tmp_path)
    first.save('ckpt_best.pth.tar', state.state_dict())
    first.close()
    _, state, run = started(kind, tmp_path, '--pretrain_path', first.path / 'ckpt_best.pth.tar', '--note', 'other', lifter=())
    run.save('ckpt_best.pth.tar', state.state_dict())
    run.close()
    _, weights = load_lifter(run.path / 'ckpt_best.pth.tar', parse(baseline_parser(''), []))
    assert (weights.posenet_name, weights.stages) == ('gcn', 1)

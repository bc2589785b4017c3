"""The small tools of every run: seeds, gradients, the log on the device, the device itself, refusals, the run directory."""
import argparse
import copy
import hashlib
import json
import os
import platform
import random
import re
import resource
import signal
import struct
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tensorboardX.proto import event_pb2
from torch import nn

from common.errors import Diverged, InputError
from function_baseline import loop as baseline_loop
from function_baseline.arguments import baseline_parser, parse
from function_baseline.loop import BaselineState
from function_poseaug import loop as poseaug_loop
from function_poseaug.arguments import poseaug_parser
from function_poseaug.loop import PoseAugState
from utils import device, interrupts
from utils.command_line import exits_cleanly
from utils.device import DEVICES, choose_device
from utils.gradients import adam, descend, frozen, set_learning_rate
from utils.runs.checkpoint import LAST, load_lifter, read_checkpoint, save_checkpoint, take_over
from utils.runs.resume import resume
from utils.runs.run_directory import RunDirectory, baseline_stamp, poseaug_stamp
from utils.runs.scalar_log import ScalarLog
from utils.seeding import derived_seed, generator, seed_everything


def refusal(function, *arguments):
    """The InputError's message, which is one line."""
    with pytest.raises(InputError) as refused:
        function(*arguments)
    assert '\n' not in str(refused.value)
    return str(refused.value)


# Seeding

def test_a_seed_depends_on_the_runs_seed_the_epoch_and_the_purpose():
    seeds = [derived_seed(seed, epoch, purpose) for seed in (0, 1) for epoch in (0, 1, 10) for purpose in ('order', 'noise')]
    seeds += [derived_seed(11, 0, 'order'), derived_seed(1, 10, 'order')]
    assert len(set(seeds)) == len(seeds) - 1     # (1, 10, 'order') stands there twice, and nothing else
    assert all(0 <= seed < 2 ** 63 for seed in seeds)


def test_a_seed_is_the_same_in_every_process():
    """Figures computed once by hand from SHA-256, not by Python's own hash, which is salted."""
    digest = hashlib.sha256(b'3/7/noise').hexdigest()
    assert derived_seed(3, 7, 'noise') == int(digest[:16], 16) // 2


def test_generators_repeat_and_do_not_touch_the_global_state():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, again = (torch.rand(9, generator=generator('cpu', 0, 3, 'order')) for _ in range(2))
    assert torch.equal(first, again)
    assert torch.equal(torch.rand(3), expected)
    others = [generator('cpu', *parts) for parts in ((1, 3, 'order'), (0, 4, 'order'), (0, 3, 'noise'))]
    assert all(not torch.equal(first, torch.rand(9, generator=other)) for other in others)


def test_seeding_everything_repeats_initial_weights_and_dropout():
    def draw(*parts):
        seed_everything(*parts)
        return torch.cat([nn.Linear(5, 5).weight.flatten(), nn.functional.dropout(torch.ones(25), .5)])
    assert torch.equal(draw(0), draw(0)) and not torch.equal(draw(0), draw(1))
    assert torch.equal(draw(0, 2, 'dropout'), draw(0, 2, 'dropout'))
    assert not torch.equal(draw(0, 2, 'dropout'), draw(0, 3, 'dropout'))


def test_seeding_leaves_python_and_numpy_alone():
    """Nothing in the project draws from them, so a caller's own draws are not disturbed."""
    random.seed(1), np.random.seed(1)
    expected = random.random(), np.random.rand()
    random.seed(1), np.random.seed(1)
    seed_everything(0)
    assert (random.random(), np.random.rand()) == expected


# Gradients

def test_frozen_networks_pass_gradients_on_but_keep_none():
    network, pose = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)), torch.randn(8, 4, requires_grad=True)
    mean = network[1].running_mean.clone()
    with frozen(network):
        assert not any(parameter.requires_grad for parameter in network.parameters())
        network(pose).square().sum().backward()
    assert all(parameter.requires_grad and parameter.grad is None for parameter in network.parameters())
    assert torch.isfinite(pose.grad).all() and (pose.grad != 0).any()
    assert not torch.equal(network[1].running_mean, mean)      # the statistics still move


def test_frozen_restores_after_an_error_and_leaves_frozen_what_was_frozen():
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    first.bias.requires_grad_(False)
    with pytest.raises(ZeroDivisionError):
        with frozen(first, second):
            1 / 0
    assert first.weight.requires_grad and not first.bias.requires_grad
    assert second.weight.requires_grad and second.bias.requires_grad


def step_of(gradient, **options):
    """How far plain gradient descent of rate 1 moves a weight whose loss has this gradient."""
    network = nn.Linear(len(gradient), 1, bias=False)
    before = network.weight.detach().clone()
    network.weight.grad = torch.full_like(network.weight, 1e6)          # left over from something else
    descend(network(torch.tensor([gradient])).sum(), network, torch.optim.SGD(network.parameters(), lr=1, fused=True), **options)
    return (before - network.weight.detach())[0]


def test_descend_clips_the_norm_to_one_and_keeps_the_direction():
    torch.testing.assert_close(step_of([3., -4]), torch.tensor([.6, -.8]), rtol=0, atol=1e-5)
    torch.testing.assert_close(step_of([.3, -.4]), torch.tensor([.3, -.4]), rtol=0, atol=1e-6)
    torch.testing.assert_close(step_of([3., -4], max_norm=2.5), torch.tensor([1.5, -2]), rtol=0, atol=1e-5)


def test_descend_may_leave_the_norm_alone():
    torch.testing.assert_close(step_of([3., -4], max_norm=None), torch.tensor([3., -4]), rtol=0, atol=1e-5)


def test_adam_takes_the_textbooks_first_step():
    """Both moments are unbiased, so the first step is the learning rate in each coordinate, against the gradient."""
    network = nn.Linear(3, 1, bias=False)
    before = network.weight.detach().clone()
    descend(network(torch.tensor([[.1, -2, 5]])).sum(), network, adam(network, lr=.01))
    torch.testing.assert_close(before - network.weight.detach(), torch.tensor([[.01, -.01, .01]]), rtol=1e-3, atol=0)


@pytest.mark.parametrize('factor', [float('nan'), float('inf'), -float('inf'), 0.])
def test_descend_leaves_weights_and_moments_alone_where_loss_or_gradient_is_not_finite(factor):
    """A factor of 0 has a finite loss here, but a gradient that is not: 0 * sqrt(0)'s is 0 * inf."""
    network = nn.Linear(3, 1)
    optimizer = adam(network, lr=.1)
    descend(network(torch.ones(2, 3)).sum(), network, optimizer)
    before = copy.deepcopy((network.state_dict(), optimizer.state_dict()))
    outputs = network(torch.ones(2, 3)).sum()
    loss = outputs * factor if factor else torch.sqrt(outputs - outputs.detach()) * factor
    assert not descend(loss, network, optimizer).isfinite()
    now = network.state_dict(), optimizer.state_dict()
    assert all(torch.equal(value, before[0][name]) for name, value in now[0].items())
    for place, moments in now[1]['state'].items():
        assert all(torch.equal(value, before[1]['state'][place][name]) for name, value in moments.items())
    descend(network(torch.ones(2, 3)).sum(), network, optimizer)
    assert not torch.equal(network.weight, before[0]['weight'])


def test_descend_gives_the_norm_before_clipping():
    network = nn.Linear(2, 1, bias=False)
    norm = descend(network(torch.tensor([[3., 4]])).sum(), network, adam(network, lr=.1))
    assert float(norm) == pytest.approx(5)


def test_the_learning_rate_of_every_group_is_set():
    optimizer = adam(nn.Linear(2, 2), lr=1)
    optimizer.add_param_group({'params': nn.Linear(2, 2).parameters(), 'lr': 5})
    set_learning_rate(optimizer, .25)
    assert [group['lr'] for group in optimizer.param_groups] == [.25, .25]


# Scalars on the device

class Written(list):
    """Remembers what was written, in order."""

    def __call__(self, figures, step):
        self.append((step, list(figures.items())))


def test_scalars_are_written_in_order_when_enough_have_come():
    written = Written()
    log = ScalarLog(written, flush_every=3, what='epoch 1')
    for step in range(10, 14):
        log.add({'b': torch.tensor(step + .5), 'a': torch.tensor(step)}, step)
        if step == 11:
            assert written == []
    expected = [(step, [('b', step + .5), ('a', float(step))]) for step in range(10, 14)]
    assert written == expected[:3]
    log.flush()
    assert written == expected
    log.flush()
    assert written == expected


def test_steps_may_have_different_tags():
    """The critics are trained every second iteration only, and only then they are logged."""
    written = Written()
    log = ScalarLog(written, flush_every=2, what='')
    log.add({'g': torch.tensor(1.), 'd': torch.tensor(2., dtype=torch.float64)}, 0)
    log.add({'g': torch.tensor(3.)}, 1)
    assert written == [(0, [('g', 1.), ('d', 2.)]), (1, [('g', 3.)])]


@pytest.mark.parametrize('value', [float('nan'), float('inf'), float('-inf')])
def test_a_figure_that_is_not_finite_names_tag_and_iteration(value):
    written = Written()
    log = ScalarLog(written, flush_every=3, what='epoch 4')
    log.add({'gen_loss': torch.tensor(1.)}, 40)
    log.add({'gen_loss': torch.tensor(2.), 'd3d_loss': torch.tensor(value)}, 41)
    with pytest.raises(Diverged) as diverged:
        log.add({'gen_loss': torch.tensor(value)}, 42)
    assert 'epoch 4, iteration 41: d3d_loss is' in str(diverged.value)
    assert written == [(40, [('gen_loss', 1.)])]


# The device

def test_the_cpu_can_always_be_chosen_and_auto_finds_something():
    assert choose_device('cpu') == torch.device('cpu')
    assert choose_device().type in DEVICES
    assert (choose_device('auto').type == 'cuda') == torch.cuda.is_available()


@pytest.mark.skipif(platform.libc_ver() < ('glibc', '2.35'), reason='needs the GNU C library of 2022 or a newer one')
def test_memory_that_is_freed_is_used_again_without_asking_the_system():
    """A megabyte that comes anew from the system costs 256 page faults."""
    choose_device('cpu')
    megabytes, times = 40, 20     # more than the library would keep of its own accord
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        torch.ones(megabytes << 20, dtype=torch.uint8)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < times * 256 * megabytes / 2


def test_tf32_is_off():
    torch.backends.cudnn.allow_tf32 = True
    choose_device('cpu')
    assert not torch.backends.cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32


@pytest.mark.parametrize('name', ['tpu', 'gpu', '', 'cuda:x', 'cuda:-1', 'CPU', 'cpu:', ':0', 'auto:1', 'cpu:²'])
def test_a_device_that_does_not_exist_anywhere_is_refused(name):
    assert f'--device {name}' in refusal(choose_device, name)


@pytest.mark.parametrize('name', ['cuda:99', 'cuda', 'mps'])
def test_a_device_that_this_machine_lacks_is_refused(name):
    present = dict(cuda=torch.cuda.is_available(), mps=torch.backends.mps.is_available()).get(name, False)
    if present:
        pytest.skip(f'this machine has {name}')
    assert f'--device {name}' in refusal(choose_device, name)


def test_an_older_c_library_keeps_what_it_can(monkeypatch):
    """Before 2.35 it refused thresholds beyond 32 MB, and stopped moving its own of 128 KB."""
    settings = {}

    def mallopt(parameter, value):
        taken = parameter != device.MMAP_THRESHOLD or value <= 32 << 20
        settings.update({parameter: value} if taken else {})
        return int(taken)

    monkeypatch.setattr(device.sys, 'platform', 'linux')
    monkeypatch.setattr(device.ctypes, 'CDLL', lambda _: SimpleNamespace(mallopt=mallopt))
    device.keep_freed_memory()
    assert settings == {**dict(device.KEPT_MEMORY), device.MMAP_THRESHOLD: 32 << 20}


# Refusals

def test_an_input_error_becomes_one_line_and_exit_code_2(capsys):
    @exits_cleanly
    def main(argv=None):
        """Says so."""
        raise InputError('the file\nis\n   broken')
    with pytest.raises(SystemExit) as stopped:
        main([])
    out, err = capsys.readouterr()
    assert stopped.value.code == 2 and out == '' and err == 'error: the file is broken\n'
    assert main.__doc__ == 'Says so.'


@pytest.mark.parametrize('act', [lambda: open('/nowhere/file'), lambda: os.mkdir('/proc/nowhere')])
def test_a_file_that_cannot_be_used_becomes_one_line_too(act, capsys):
    with pytest.raises(SystemExit) as stopped:
        exits_cleanly(lambda argv: act())()
    lines = capsys.readouterr().err.splitlines()
    assert stopped.value.code == 2 and len(lines) == 1 and 'nowhere' in lines[0]


def test_a_result_passes_through_and_a_bug_keeps_its_traceback():
    assert exits_cleanly(lambda argv: argv + [1])([0]) == [0, 1]
    with pytest.raises(ZeroDivisionError):
        exits_cleanly(lambda argv: 1 / 0)()


# Signals

@pytest.mark.parametrize('number,code', [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=['SIGTERM', 'SIGINT'])
def test_a_signal_is_noted_and_obeyed_between_two_steps(number, code, capsys):
    done, handlers = [], [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)]

    @interrupts.after_the_step()
    def main(argv):
        for step in range(5):
            interrupts.obey()
            if step == 2:
                os.kill(os.getpid(), number)
            done.append(step)
    with pytest.raises(SystemExit) as stopped:
        exits_cleanly(main)()
    assert stopped.value.code == code and done == [0, 1, 2]      # the step in which it came was finished
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and signal.Signals(number).name in lines[0]
    assert [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)] == handlers
    interrupts.obey()                                            # nothing is left over for the next run


def test_a_second_signal_acts_at_once():
    with pytest.raises(KeyboardInterrupt):
        with interrupts.after_the_step():
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            pytest.fail('the second signal was only noted')


# The run directory

COLUMNS = ('epoch', 'lr', 'error_h36m_p1')


@pytest.fixture
def args(tmp_path):
    return argparse.Namespace(checkpoint=str(tmp_path / 'runs'), posenet_name='mlp', keypoints='gt', note='trial', lr=.001,
                              s1only=False, dropout=.25, epochs=50, evaluate='', data_root=Path('/data'), explicit={'lr'}, resume='')


def log_of(run):
    return (run.path / 'log.txt').read_text()


def events_of(path):
    """(tag, step, value) of every scalar in an event file, whose records are length, checksum, event, checksum."""
    content, place, scalars = path.read_bytes(), 0, []
    while place < len(content):
        length, = struct.unpack_from('<Q', content, place)
        event = event_pb2.Event.FromString(content[place + 12:place + 12 + length])
        scalars += [(value.tag, event.step, value.simple_value) for value in event.summary.value
                    if value.WhichOneof('value') == 'simple_value']
        place += length + 16
    return scalars


def test_the_directorys_name_says_lifter_2d_stamp_and_note(args, tmp_path):
    run = RunDirectory(args, '0102030405', COLUMNS)
    run.close()
    assert run.path == tmp_path / 'runs/mlp/gt/0102030405_trial'


def test_stamps_of_both_trainers():
    assert re.fullmatch(r'\d{10}', baseline_stamp())
    assert re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?', poseaug_stamp())


def test_two_runs_of_one_second_get_two_directories(args):
    runs = [RunDirectory(args, 'stamp', COLUMNS) for _ in range(3)]
    for place, run in enumerate(runs):
        run.log_row([place, 0, 0])
        run.close()
    assert len({run.path for run in runs}) == 3
    assert [log_of(run).splitlines()[-1].split('\t')[0] for run in runs] == ['0.000000', '1.000000', '2.000000']


def test_a_place_that_cannot_be_written_is_refused(args, tmp_path):
    (tmp_path / 'runs').write_text('a file where the folder should be')
    assert '--checkpoint' in refusal(RunDirectory, args, 'stamp', COLUMNS)


def test_the_log_has_arguments_preamble_header_and_rows(args):
    run = RunDirectory(args, 'stamp', COLUMNS, preamble='Lifter(\n  (w1): Linear\n)')
    run.log_row([1, .001, 61.23456789])
    run.log_row([2, 1e-7, 5])
    run.log_line('saved ckpt_best_h36m_p1.pth.tar')
    run.close()
    *arguments, model, inner, end, header, first, second, saved = log_of(run).splitlines()
    assert dict(line.split(': ', 1) for line in arguments) == {
        'checkpoint': args.checkpoint, 'data_root': '/data', 'dropout': '0.25', 'epochs': '50', 'evaluate': '', 'keypoints': 'gt', 'lr': '0.001',
        'note': 'trial', 'posenet_name': 'mlp', 's1only': 'False'}
    assert (model, inner, end) == ('Lifter(', '  (w1): Linear', ')')
    assert header == 'epoch\tlr\terror_h36m_p1\t'
    assert first == '1.000000\t0.001000\t61.234568\t' and second == '2.000000\t0.000000\t5.000000\t'
    assert saved == 'saved ckpt_best_h36m_p1.pth.tar' and log_of(run).endswith('\n')


def test_the_record_says_how_the_run_was_started(args):
    run = RunDirectory(args, 'stamp', COLUMNS)
    run.close()
    record, = json.loads((run.path / 'run.json').read_text())
    assert record['arguments']['lr'] == .001 and record['arguments']['s1only'] is False
    assert record['torch'] == torch.__version__ and record['numpy'] == np.__version__
    assert {'command', 'python', 'commit'} <= record.keys()
    assert not {'explicit', 'resume'} & record['arguments'].keys()
    RunDirectory.reopen(run.path, args, {'log.txt': 0}).close()
    assert len(json.loads((run.path / 'run.json').read_text())) == 2      # each life of the run has its own


def test_scalars_land_in_the_event_file(args):
    run = RunDirectory(args, 'stamp', COLUMNS)
    run.scalars({'posenet_H36M_test/p1score': 61.5, 'train_G_iter_diff_log/log_angle@bone_00': .25}, 3)
    run.scalars({'posenet_H36M_test/p1score': 60.5}, 4)
    run.close()
    path, = run.path.glob('events.out.tfevents.*')
    assert events_of(path) == [('posenet_H36M_test/p1score', 3, 61.5), ('train_G_iter_diff_log/log_angle_bone_00', 3, .25),
                               ('posenet_H36M_test/p1score', 4, 60.5)]      # tensorboardX cleans tags: @ becomes _


def test_a_saved_checkpoint_describes_itself(args):
    run = RunDirectory(args, 'stamp', COLUMNS)
    run.save('ckpt_best.pth.tar', {'state_dict': {}, 'epoch': 3})
    run.save_last({'state_dict': {}, 'epoch': 4})
    run.close()
    best = read_checkpoint(run.path / 'ckpt_best.pth.tar')
    assert best['epoch'] == 3 and best['arguments'] == run.args and best['environment']['torch'] == torch.__version__
    assert read_checkpoint(run.path / LAST)['epoch'] == 4


@pytest.mark.parametrize('last', [0, 1, 3])
def test_reopening_cuts_off_what_was_written_after_the_last_checkpoint(args, last):
    """Stopped within epoch 4, checkpointed after epoch `last`: the log and the events of the later ones are written again."""
    run = RunDirectory(args, 'stamp', COLUMNS, preamble='(0): Linear')
    for epoch in range(4):
        if epoch:
            run.log_row([epoch, .1, 50])
            run.scalars({'score': epoch}, epoch)
            run.log_line(f'saved ckpt_best: epoch {epoch}')
        if epoch <= last:
            run.save_last({'epoch': epoch})
            kept = log_of(run)
    run.close()
    again = RunDirectory.reopen(run.path, args, read_checkpoint(run.path / LAST)['sizes'])
    assert again.path == run.path and log_of(again) == kept and kept.count('saved') == last
    again.log_row([last + 1, .1, 50])
    again.scalars({'score': 10.}, last + 1)
    again.close()
    assert log_of(again) == kept + f'{last + 1}.000000\t0.100000\t50.000000\t\n'
    scalars = [scalar for path in sorted(run.path.glob('events*')) for scalar in events_of(path)]
    assert sorted(step for _, step, _ in scalars) == list(range(1, last + 2))
    assert all(value == (step if step <= last else 10) for _, step, value in scalars)


def test_a_run_may_be_reopened_twice(args):
    """The events of every life of the run stay."""
    run = RunDirectory(args, 'stamp', COLUMNS)
    for epoch in (1, 2, 3):
        run.log_row([epoch, .1, 50])
        run.scalars({'score': epoch}, epoch)
        run.save_last({'epoch': epoch})
        run.scalars({'lost': epoch}, epoch)
        run.close()
        run = RunDirectory.reopen(run.path, args, read_checkpoint(run.path / LAST)['sizes'])
    run.close()
    scalars = [scalar for path in run.path.glob('events*') for scalar in events_of(path)]
    assert sorted(scalars) == [('score', 1, 1.), ('score', 2, 2.), ('score', 3, 3.)]
    assert log_of(run).count('0.100000') == 3


def test_what_a_checkpoint_promises_is_on_the_disk_before_it(args, monkeypatch):
    """After a power cut there may be more bytes in log and events than it says, never fewer."""
    run, synced, fsync = RunDirectory(args, 'stamp', COLUMNS), [], os.fsync

    def note(number):
        fsync(number)
        synced.append((os.fstat(number).st_ino, os.fstat(number).st_size))

    run.log_row([1, .1, 50])
    run.scalars({'score': 1.}, 1)
    monkeypatch.setattr(os, 'fsync', note)
    run.save_last({'epoch': 1})
    *grown, (last, _) = synced
    run.close()
    assert last == (run.path / LAST).stat().st_ino
    sizes = read_checkpoint(run.path / LAST)['sizes']
    assert len(sizes) == 2 and set(grown) == {((run.path / name).stat().st_ino, size) for name, size in sizes.items()}


@pytest.mark.parametrize('change', [lambda file: file.write_text('edited\n'), Path.unlink])
def test_a_log_shorter_than_the_checkpoint_says_is_told_of_and_no_reason_to_stop(args, capsys, change):
    run = RunDirectory(args, 'stamp', COLUMNS)
    run.save_last({'epoch': 1})
    run.close()
    change(run.path / 'log.txt')
    content = read_checkpoint(run.path / LAST)
    capsys.readouterr()
    again = RunDirectory.reopen(run.path, args, content['sizes'])
    warning, _ = capsys.readouterr().out.splitlines()
    assert warning.startswith(f'warning: {run.path / "log.txt"} has ') and f'{content["sizes"]["log.txt"]:,}' in warning
    again.log_row([2, .1, 50])
    again.save_last({'epoch': 2})
    again.close()
    assert log_of(again).endswith('2.000000\t0.100000\t50.000000\t\n')


def test_a_run_is_reopened_only_where_there_is_room(args):
    run = RunDirectory(args, 'stamp', COLUMNS)
    run.save_last({'epoch': 1})
    run.close()
    run.log_row([2, .1, 50])
    before = {file.name: file.read_bytes() for file in run.path.iterdir()}
    message = refusal(RunDirectory.reopen, run.path, args, {'log.txt': 0}, 1e18)
    assert str(run.path) in message and 'make room' in message
    assert {file.name: file.read_bytes() for file in run.path.iterdir()} == before


# Continuing a run

PARSER = baseline_parser('')


@pytest.fixture
def stopped(args):
    """A run directory with a last checkpoint that can be continued."""
    run = RunDirectory(args, 'stamp', COLUMNS)
    run.save_last({'state_dict': {}, 'optimizer': {}, 'epoch': 4})
    run.close()
    return run


def continued(args, stopped, **changes):
    return argparse.Namespace(**{**vars(args), 'resume': str(stopped.path), 'explicit': set(changes), **changes})


def test_a_run_is_continued_with_the_arguments_it_had(args, stopped):
    later = continued(args, stopped)
    later.lr, later.note = 5., 'other'        # defaults that were not typed
    resumed = resume(later, 'state_dict', PARSER)
    assert resumed.directory == stopped.path and resumed.content['epoch'] == 4
    assert later.lr == .001 and later.note == 'trial'


@pytest.mark.parametrize('epochs, told', [(5, 0), (4, 1)])
def test_a_finished_run_is_told_of(args, stopped, capsys, epochs, told):
    content = read_checkpoint(stopped.path / LAST)
    content['arguments']['epochs'] = epochs
    save_checkpoint(stopped.path / LAST, content)
    resume(continued(args, stopped), 'state_dict', PARSER)
    assert capsys.readouterr().out.count(f'all {epochs} epochs are done') == told


def test_the_checkpoint_may_be_named_itself(args, stopped):
    later = continued(args, stopped)
    later.resume = str(stopped.path / LAST)
    assert resume(later, 'state_dict', PARSER).directory == stopped.path


def test_a_typed_flag_that_contradicts_the_run_is_refused(args, stopped):
    assert '--lr 0.5' in refusal(resume, continued(args, stopped, lr=.5), 'state_dict', PARSER)
    resume(continued(args, stopped, lr=.001), 'state_dict', PARSER)


@pytest.mark.parametrize('name, value', [('batch_size', 0), ('snapshot', 0), ('keypoints', 'mine'), ('dropout', 1.5), ('lr', -1.)])
def test_an_argument_that_the_command_line_would_refuse_is_refused_in_a_checkpoint(args, stopped, name, value):
    content = read_checkpoint(stopped.path / LAST)
    content['arguments'][name] = value
    save_checkpoint(stopped.path / LAST, content)
    later = continued(args, stopped)
    setattr(later, name, getattr(PARSER.parse_args([]), name))
    assert f'it has {name} {value}' in refusal(resume, later, 'state_dict', PARSER)


def test_where_data_and_device_are_may_change(args, stopped):
    later = continued(args, stopped, data_root=Path('/elsewhere'))
    resume(later, 'state_dict', PARSER)
    assert later.data_root == Path('/elsewhere')


def test_a_run_of_the_other_trainer_or_a_best_checkpoint_cannot_be_continued(args, stopped):
    assert 'no ckpt_last.pth.tar of this trainer' in refusal(resume, continued(args, stopped), 'model_pos', PARSER)
    stopped.save('ckpt_best.pth.tar', {'state_dict': {}, 'epoch': 3})
    later = continued(args, stopped)
    later.resume = str(stopped.path / 'ckpt_best.pth.tar')
    refusal(resume, later, 'state_dict', PARSER)


def test_a_folder_without_a_last_checkpoint_is_refused(args, tmp_path):
    args.resume = str(tmp_path)
    assert LAST in refusal(resume, args, 'state_dict', PARSER)


# both trainers' states through a file and back

STATES = {'state_dict': (baseline_parser, BaselineState), 'model_pos': (poseaug_parser, PoseAugState)}


def started(kind, folder, *argv):
    """Arguments, state and run directory of a trainer at its start; SemGCN with one stage, the smallest lifter there is."""
    parser, State = STATES[kind]
    args = parse(parser(''), ['--checkpoint', str(folder), *argv])
    state = State(args, torch.device('cpu'))
    return args, state, RunDirectory(args, 'stamp', COLUMNS)


@pytest.mark.parametrize('kind', STATES)
def test_what_a_trainer_saves_last_can_be_resumed(kind, tmp_path):
    args, state, run = started(kind, tmp_path, '--posenet_name', 'gcn', '--stages', '1')
    state.epoch, state.epoch0_scores = 3, (1., 2., 3., 4.)
    run.save_last(state.state_dict())
    run.close()
    parser = STATES[kind][0]('')
    later = parse(parser, ['--resume', str(run.path)])
    resumed = resume(later, kind, parser)
    fresh = STATES[kind][1](later, torch.device('cpu'))
    fresh.load_state_dict(resumed.content)
    assert later.posenet_name == 'gcn' and later.stages == 1 and fresh.epoch == 3
    mine, theirs = state.state_dict()[kind], fresh.state_dict()[kind]
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)


@pytest.mark.parametrize('kind', STATES)
def test_a_run_that_started_from_a_file_describes_what_it_trains(kind, tmp_path):
    """The lifter's name and stages come from the file, nothing was typed; the checkpoints of the run must say the same."""
    _, state, first = started('state_dict', tmp_path, '--posenet_name', 'gcn', '--stages', '1')
    first.save('ckpt_best.pth.tar', state.state_dict())
    first.close()
    args, state, run = started(kind, tmp_path, '--pretrain_path', str(first.path / 'ckpt_best.pth.tar'), '--note', 'other')
    run.save('ckpt_best.pth.tar', state.state_dict())
    run.close()
    _, weights = load_lifter(run.path / 'ckpt_best.pth.tar', parse(baseline_parser(''), []))
    assert (weights.posenet_name, weights.stages) == ('gcn', 1)


@pytest.mark.parametrize('place, value', [('schedule', {'step': -1, 'lr': .1}), ('schedule', {'step': 3, 'lr': float('nan')}),
                                          ('history', [[1.]]), ('history', [['a', 'b']]), ('best_h36m', None), ('history', 5),
                                          ('optimizer', {}), ('state_dict', {})])
def test_a_damaged_state_of_the_baseline_is_not_taken_over(tmp_path, place, value):
    _, state, run = started('state_dict', tmp_path, '--posenet_name', 'gcn', '--stages', '1')
    run.close()
    content = state.state_dict()
    take_over(state, content, run.path)
    assert str(run.path) in refusal(take_over, state, {**content, place: value}, run.path)


def test_a_run_at_its_end_needs_no_room():
    args = baseline_parser('').parse_args(['--posenet_name', 'gcn', '--stages', '1', '--epochs', '60', '--snapshot', '25'])
    state, needs = BaselineState(args, torch.device('cpu')), []
    for state.epoch in (0, 30, 59, 60):
        needs.append(baseline_loop._room(state, args))
    assert needs == sorted(needs, reverse=True) and needs[0] > needs[1] >= needs[2] > needs[3] == 0


def test_a_poseaug_run_needs_room_for_three_checkpoints_of_its_players(tmp_path):
    """The last one, its successor beside it until that is whole, and that of the last healthy epoch."""
    args, state, run = started('model_pos', tmp_path, '--posenet_name', 'gcn', '--stages', '1')
    for optimizer in (*state.optimizers, state.lifter_optimizer):       # moments come with the first step
        for parameter in optimizer.param_groups[0]['params']:
            parameter.grad = torch.ones_like(parameter)
        optimizer.step()
    state.epoch0_scores = (1., 2., 3., 4.)
    run.save_last(state.state_dict())
    run.close()
    written = (run.path / LAST).stat().st_size
    args.keep_snapshots = False
    assert 2.5 * written < poseaug_loop._room(state, args, iterations=0) < 5 * written

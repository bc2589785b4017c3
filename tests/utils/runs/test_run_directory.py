"""The run directory: its name, log, record, event files and checkpoints, and how it is opened again."""
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from common.errors import InUse
from refusals import refusal
from run_reading import events
from utils.runs.checkpoint import LAST, read_checkpoint
from utils.runs.record import begin_life, has_finished, lives
from utils.runs.run_directory import RunDirectory, baseline_stamp, poseaug_stamp

COLUMNS = ('epoch', 'lr', 'error_h36m_p1')


def started(args, **options):
    return RunDirectory(args, 'stamp', COLUMNS, **options)


def reopened(run, args):
    """The run as `--resume` opens it: with the file sizes that its last checkpoint holds."""
    return RunDirectory.reopen(run.path, args, read_checkpoint(run.path / LAST)['sizes'])


def log_of(run):
    return (run.path / 'log.txt').read_text()


def row(epoch):
    """The line that `log_row([epoch, .1, 50])` writes."""
    return f'{epoch}.000000\t0.100000\t50.000000\t\n'


# A new directory

def test_the_directorys_name_says_lifter_2d_stamp_and_note(args, tmp_path):
    run = RunDirectory(args, '0102030405', COLUMNS)
    run.close()
    assert run.path == tmp_path / 'runs/mlp/gt/0102030405_trial'


def test_stamps_of_both_trainers():
    assert re.fullmatch(r'\d{10}', baseline_stamp())
    assert re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?', poseaug_stamp())


def test_runs_started_in_the_same_second_get_directories_of_their_own(args):
    runs = [started(args) for _ in range(3)]
    for place, run in enumerate(runs):
        run.log_row([place, .1, 50])
        run.close()
    assert len({run.path for run in runs}) == 3
    assert all(log_of(run).endswith(row(place)) and log_of(run).count('50.000000') == 1 for place, run in enumerate(runs))


def test_a_place_that_cannot_be_written_is_refused(args, tmp_path):
    (tmp_path / 'runs').write_text('a file where the folder should be')
    assert '--checkpoint' in refusal(started, args)


def test_the_log_has_arguments_preamble_header_and_rows(args):
    run = started(args, preamble='Lifter(\n  (w1): Linear\n)')
    run.log_row([1, .001, 61.23456789])
    run.log_row([2, 1e-7, 5])
    run.log_line('saved ckpt_best_h36m_p1.pth.tar')
    run.close()
    *arguments, model, inner, end, header, first, second, saved = log_of(run).splitlines()
    assert dict(line.split(': ', 1) for line in arguments) == {
        'checkpoint': args.checkpoint, 'data_root': '/data', 'dropout': '0.25', 'epochs': '50', 'evaluate': '',
        'keypoints': 'gt', 'lr': '0.001', 'note': 'trial', 'posenet_name': 'mlp', 's1only': 'False'}
    assert (model, inner, end) == ('Lifter(', '  (w1): Linear', ')')
    assert header == 'epoch\tlr\terror_h36m_p1\t'
    assert first == '1.000000\t0.001000\t61.234568\t' and second == '2.000000\t0.000000\t5.000000\t'
    assert saved == 'saved ckpt_best_h36m_p1.pth.tar' and log_of(run).endswith('\n')


def test_a_run_that_was_begun_with_fewer_columns_keeps_them(args):
    run = started(args)
    run.save_last({'epoch': 0})
    run.close()
    again = reopened(run, args)
    again.log_row([1, .1, 50, 7.5, 3.5])
    again.close()
    assert log_of(run).endswith(f'epoch\tlr\terror_h36m_p1\t\n{row(1)}')


def test_a_log_whose_columns_were_cut_off_gets_whole_rows(args):
    run = started(args)
    run.close()
    again = RunDirectory.reopen(run.path, args, {'log.txt': 0})
    again.log_row([1, .1, 50])
    again.close()
    assert log_of(run) == row(1)


def test_the_record_says_how_the_run_was_started(args):
    run = started(args)
    run.close()
    record, = json.loads((run.path / 'run.json').read_text())
    assert record['arguments']['lr'] == .001 and record['arguments']['s1only'] is False
    assert record['torch'] == torch.__version__ and record['numpy'] == np.__version__
    assert {'command', 'python', 'commit'} <= record.keys()
    assert not {'explicit', 'resume'} & record['arguments'].keys()
    RunDirectory.reopen(run.path, args, {'log.txt': 0}).close()
    assert len(json.loads((run.path / 'run.json').read_text())) == 2      # one entry for each time the run was started


def test_the_record_says_when_a_run_has_finished(args):
    run = started(args)
    run.save_last({'epoch': 1})
    run.close()
    assert not has_finished(run.path)
    again = reopened(run, args)
    again.finish()
    first, second = lives(run.path)
    assert has_finished(run.path) and 'finished' not in first and second['finished'] >= second['started']


@pytest.mark.parametrize('act', [lambda run: run.log_row([2, .1, 50]), lambda run: run.save_last({'epoch': 2}),
                                 RunDirectory.keep_healthy, RunDirectory.finish],
                         ids=['row', 'save', 'healthy', 'finish'])
def test_a_run_that_another_process_has_continued_writes_nothing_more(args, act):
    """Even where no lock keeps the other one out, as on some shared disks."""
    run = started(args)
    run.save_last({'epoch': 1})
    begin_life(run.path)
    before = {file.name: file.read_bytes() for file in run.path.iterdir()}
    with pytest.raises(InUse, match='belongs to another process'):
        act(run)
    assert {file.name: file.read_bytes() for file in run.path.iterdir()} == before
    run.close()


@pytest.mark.parametrize('content', ['', '{', '3', '[1]'])
def test_a_damaged_record_is_begun_anew(args, content):
    run = started(args)
    run.save_last({'epoch': 1})
    run.close()
    (run.path / 'run.json').write_text(content)
    again = reopened(run, args)
    again.save_last({'epoch': 2})
    again.close()
    assert len(lives(run.path)) == 1



def test_scalars_land_in_the_event_file(args):
    run = started(args)
    run.scalars({'posenet_H36M_test/p1score': 61.5, 'train_G_iter_diff_log/log_angle@bone_00': .25}, 3)
    run.scalars({'posenet_H36M_test/p1score': 60.5}, 4)
    run.close()
    assert len([*run.path.glob('events.out.tfevents.*')]) == 1
    assert events(run.path) == {'posenet_H36M_test/p1score': {3: 61.5, 4: 60.5},
                                'train_G_iter_diff_log/log_angle_bone_00': {3: .25}}      # tensorboardX turns @ into _


def test_a_saved_checkpoint_describes_itself(args):
    run = started(args)
    run.save('ckpt_best.pth.tar', {'state_dict': {}, 'epoch': 3})
    run.save_last({'state_dict': {}, 'epoch': 4})
    run.close()
    best = read_checkpoint(run.path / 'ckpt_best.pth.tar')
    assert best['epoch'] == 3 and best['arguments'] == run.args and best['environment']['torch'] == torch.__version__
    assert read_checkpoint(run.path / LAST)['epoch'] == 4


def test_log_and_events_are_synced_to_disk_before_the_checkpoint_that_holds_their_sizes(args, monkeypatch):
    """After a power cut the files may be longer than the checkpoint says, never shorter."""
    run, synced, fsync = started(args), [], os.fsync

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


def test_a_saved_state_knows_of_every_event_before_it(args):
    """tensorboardX writes from a thread of its own: its queue must be on the disk before the sizes are taken."""
    run = started(args)
    for step in range(20):
        run.scalars({f'tag/{number}': number for number in range(50)}, step)
    run.save_last({})
    file, = run.path.glob('events.out.tfevents.*')
    size = read_checkpoint(run.path / LAST)['sizes'][file.name]
    run.close()
    assert size == file.stat().st_size
    assert len(events(run.path)) == 50 and all(len(by_step) == 20 for by_step in events(run.path).values())


# Opened again

@pytest.mark.parametrize('last', [0, 1, 3])
def test_reopening_cuts_off_what_was_written_after_the_last_checkpoint(args, last):
    """The run stopped in epoch 4 and its last checkpoint is of epoch `last`: log and events of later epochs are removed."""
    run = started(args, preamble='(0): Linear')
    for epoch in range(4):
        if epoch:
            run.log_row([epoch, .1, 50])
            run.scalars({'score': epoch}, epoch)
            run.log_line(f'saved ckpt_best: epoch {epoch}')
        if epoch <= last:
            run.save_last({'epoch': epoch})
            kept = log_of(run)
    run.close()
    again = reopened(run, args)
    assert again.path == run.path and log_of(again) == kept and kept.count('saved') == last
    again.log_row([last + 1, .1, 50])
    again.scalars({'score': 10.}, last + 1)
    again.close()
    assert log_of(again) == kept + row(last + 1)
    assert events(run.path) == {'score': {**{epoch: epoch for epoch in range(1, last + 1)}, last + 1: 10}}


def test_a_run_may_be_reopened_twice(args):
    """The events from each time the run was started stay."""
    run = started(args)
    for epoch in (1, 2, 3):
        run.log_row([epoch, .1, 50])
        run.scalars({'score': epoch}, epoch)
        run.save_last({'epoch': epoch})
        run.scalars({'lost': epoch}, epoch)
        run.close()
        run = reopened(run, args)
    run.close()
    assert events(run.path) == {'score': {1: 1, 2: 2, 3: 3}}
    assert log_of(run).endswith(row(1) + row(2) + row(3))


@pytest.mark.parametrize('change', [lambda file: file.write_text('edited\n'), Path.unlink])
def test_a_log_shorter_than_the_checkpoint_says_gives_a_warning_and_the_run_goes_on(args, capsys, change):
    run = started(args)
    run.save_last({'epoch': 1})
    run.close()
    change(run.path / 'log.txt')
    size = read_checkpoint(run.path / LAST)['sizes']['log.txt']
    capsys.readouterr()
    again = reopened(run, args)
    warning, _ = capsys.readouterr().out.splitlines()
    assert warning.startswith(f'warning: {run.path / "log.txt"} has ') and f'{size:,}' in warning
    again.log_row([2, .1, 50])
    again.save_last({'epoch': 2})
    again.close()
    assert log_of(again).endswith(row(2))


def test_a_run_is_reopened_only_where_the_disk_has_room(args):
    run = started(args)
    run.save_last({'epoch': 1})
    run.close()
    run.log_row([2, .1, 50])
    before = {file.name: file.read_bytes() for file in run.path.iterdir()}
    message = refusal(RunDirectory.reopen, run.path, args, {'log.txt': 0}, 1e18)
    assert str(run.path) in message and 'make room' in message
    assert {file.name: file.read_bytes() for file in run.path.iterdir()} == before

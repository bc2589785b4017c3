"""The table of results: the right epochs of the right runs, from event files of ours and of the reference."""
import csv
import re

import pytest

import run_results
from common.errors import InputError
from function_poseaug.arguments import poseaug_parser
from places import ROOT
from run_files import BASELINE, POSEAUG, make_runs, make_runs_of_the_reference, write_run
from utils.runs import events, published, results, results_table
from utils.runs.events import PATTERN
from utils.runs.record import begin_life
from utils.runs.score_names import HELD_OUT_TAG

README = (ROOT / 'README.md').read_text()


def rows_of(folder, every=False):
    return results_table.table(results.pairs(results.find_runs(folder), every))


def row(rows, test_set, score):
    found, = [row for row in rows if (row.test_set, row.score) == (results.TITLES[test_set], score)]
    return found


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
    return make_runs(tmp_path_factory.mktemp('runs'))


# The table

def test_each_score_of_the_authors_way_and_of_the_last_epoch(runs):
    rows = rows_of(runs)
    h36m, dhp = row(rows, 'h36m', 'MPJPE, mm'), row(rows, 'dhp', 'MPJPE, mm')
    assert (h36m.lifter, h36m.keypoints) == ('mlp', 'gt')
    assert (h36m.baseline, h36m.poseaug_best, h36m.difference_best, h36m.best_epoch) == (70, 64, -6, 4)
    assert (dhp.baseline, dhp.poseaug_best, dhp.difference_best, dhp.best_epoch) == (120, 95, -25, 3)
    assert (h36m.baseline_last, h36m.poseaug_last, h36m.difference_last, h36m.last_epoch) == (75, 65, -10, 5)
    assert (dhp.baseline_last, dhp.poseaug_last, dhp.difference_last, dhp.last_epoch) == (110, 102, -8, 5)
    assert (h36m.published_baseline, h36m.published_poseaug) == (41.4, 38.4)
    assert (dhp.published_difference, row(rows, 'dhp', 'P-MPJPE, mm').published_baseline) == (pytest.approx(-9.3), None)
    assert h36m.poseaug_run.name.endswith('_poseaug') and h36m.baseline_run.name.endswith('_pretrain')


def test_of_percents_the_highest_is_the_best(runs):
    pck = row(rows_of(runs), 'dhp', 'PCK, %, official 14 joints')
    assert (pck.baseline, pck.poseaug_best, pck.best_epoch, pck.poseaug_last) == (84, 99 - 95 / 8, 3, 86.25)


def test_runs_of_the_reference_give_the_same_table(runs, tmp_path):
    theirs = rows_of(make_runs_of_the_reference(tmp_path))
    assert {row.score for row in theirs} == {'MPJPE, mm', 'P-MPJPE, mm'}      # it writes no PCK
    for found in theirs:
        ours = next(row for row in rows_of(runs) if (row.test_set, row.score) == (found.test_set, found.score))
        assert (found.lifter, found.keypoints) == ('gcn', 'hr')
        assert found[4:8] == pytest.approx(ours[4:8]) and found[11:15] == pytest.approx(ours[11:15])
    assert (theirs[0].published_baseline, theirs[0].published_poseaug) == (56.5, 55.4)


def test_a_baseline_alone_shows_the_epoch_of_its_best_checkpoint(tmp_path):
    write_run(tmp_path / 'stgcn/gt/run', BASELINE)
    rows = rows_of(tmp_path)
    assert [row(rows, 'dhp', 'MPJPE, mm')[place] for place in (4, 5, 6, 11, 12)] == [120, None, None, 110, None]


def test_a_poseaug_run_alone_compares_with_its_epoch_0(tmp_path):
    write_run(tmp_path / 'mlp/gt/run', POSEAUG)
    found = row(rows_of(tmp_path), 'h36m', 'MPJPE, mm')
    assert (found.baseline, found.difference_best, found.baseline_last, found.difference_last) == (70, -6, None, None)


def test_a_baseline_that_poseaug_did_not_start_from_is_not_its_own(tmp_path):
    """It has the same score on Human3.6M in one epoch and on 3DHP in another."""
    write_run(tmp_path / 'mlp/gt/other', [(1, '', 70, 119), (2, '', 71, 120)])
    write_run(tmp_path / 'mlp/gt/run', POSEAUG)
    assert row(rows_of(tmp_path), 'h36m', 'MPJPE, mm').baseline_run is None


def test_the_held_out_subject_chooses_a_third_epoch(runs, tmp_path):
    run = write_run(tmp_path / 'mlp/gt/run', POSEAUG)
    written = events.EventFile(run)
    for epoch, error in ((3, 90.), (4, 80.), (5, 85.)):
        written.scalars({HELD_OUT_TAG: error}, epoch)
    written.close()
    found = row(rows_of(tmp_path), 'h36m', 'MPJPE, mm')
    assert found.poseaug_held_out == 64 and found.baseline_held_out is None
    assert 'PoseAug held-out' in results_table.markdown(rows_of(tmp_path))
    assert 'PoseAug held-out' not in results_table.markdown(rows_of(runs)).split('- baseline')[0]


def test_the_motion_of_a_lifter_of_several_frames_is_shown_too(runs, tmp_path):
    def motion(scores):
        return [(epoch, {'posenet_H36M_test/mpjve': error, 'posenet_H36M_test/acceleration': error + 1})
                for epoch, error in scores.items()]

    write_run(tmp_path / 'a/videopose/gt/baseline', BASELINE, more=motion({1: 12., 2: 10., 3: 11.}))
    write_run(tmp_path / 'b/videopose/gt/poseaug', POSEAUG, more=motion({0: 10., 3: 8., 4: 7., 5: 9.}))
    rows = rows_of(tmp_path)
    mpjve, acceleration = (row(rows, 'h36m', title) for title in ('MPJVE, mm/frame', 'acceleration error, mm/frame^2'))
    assert (mpjve.baseline, mpjve.poseaug_best, mpjve.best_epoch, mpjve.baseline_last, mpjve.poseaug_last) == (10, 7, 4, 11, 9)
    assert acceleration.poseaug_last == 10 and acceleration.published_baseline is None
    assert '### Human3.6M: MPJVE, mm/frame' in results_table.markdown(rows)
    assert 'frame' not in results_table.markdown(rows_of(runs))


def test_the_newest_run_is_shown_or_every_one(tmp_path):
    make_runs(tmp_path)
    newest = write_run(tmp_path / 'poseaug/mlp/gt/a_name_that_sorts_first',
                       [(0, '_real', 71, 121), (1, '_real', 61, 111)])
    write_run(tmp_path / 'control/mlp/gt/control', [(1, '', 80, 130)])
    assert [row.poseaug_run for row in rows_of(tmp_path) if row.score == 'MPJPE, mm'] == [newest] * 2
    every = [row for row in rows_of(tmp_path, every=True) if row.score == 'MPJPE, mm' and row.test_set == 'Human3.6M']
    assert [(row.poseaug_last, row.baseline_last) for row in every] == [(65, 75), (61, None), (None, 80)]


def test_experiments_stand_in_the_published_order(tmp_path):
    for name in ('videopose/gt', 'linear/gt', 'mlp/gt', 'mlp/cpn_ft_h36m_dbb', 'gcn/hr'):
        write_run(tmp_path / name / 'run', BASELINE)
    rows = [row for row in rows_of(tmp_path) if row.score == 'MPJPE, mm' and row.test_set == 'Human3.6M']
    assert [(row.lifter, row.keypoints) for row in rows] == [
        ('mlp', 'cpn_ft_h36m_dbb'), ('mlp', 'gt'), ('gcn', 'hr'), ('videopose', 'gt'), ('linear', 'gt')]
    assert rows[-1].published_baseline is None


def test_a_score_that_is_not_a_number_is_not_the_best(tmp_path):
    nan = float('nan')
    write_run(tmp_path / 'mlp/gt/run', [(0, '_real', nan, nan), (1, '_real', 70, 120), (2, '_real', 69, 111)])
    write_run(tmp_path / 'gcn/gt/run', [(1, '', nan, nan), (2, '', 70, 120)])
    mlp, gcn = (row for row in rows_of(tmp_path) if (row.test_set, row.score) == ('Human3.6M', 'MPJPE, mm'))
    assert (mlp.poseaug_best, mlp.best_epoch, gcn.baseline) == (69, 2, 70)


def test_the_published_figures_are_those_of_the_readme():
    lines = re.findall(r'^\| (\w+) \|((?: [\d.]+→[\d.]+ \|){8})$', README, re.MULTILINE)
    shown = {name: [tuple(map(float, cell.split('→'))) for cell in cells.strip(' |').split(' | ')]
             for name, cells in lines}
    assert shown == {name: [*table['h36m'], *table['dhp']] for name, table in published.PUBLISHED_MM.items()}
    heads = {'DET': 'detectron_ft_h36m', 'CPN': 'cpn_ft_h36m_dbb', 'HR': 'hr', 'GT': 'gt'}
    assert tuple(heads[name] for name in re.search(r'H36M DET \| (.*?) \| 3DHP', README)[0].replace('H36M ', '').split(
        ' | ')[:4]) == published.PUBLISHED_KEYPOINTS


# Reading event files

def event_file(folder):
    return next(folder.glob(f'poseaug/*/*/*/{PATTERN}'))


def test_a_file_cut_anywhere_is_read_up_to_there(tmp_path, capsys):
    path, = write_run(tmp_path, POSEAUG).glob(PATTERN)
    content, seen = path.read_bytes(), set()
    ends = {place for place, _, _ in events.records(path)}
    for length in sorted({*range(0, len(content), 17), *(end + more for end in ends for more in (0, 5))}):
        path.write_bytes(content[:length])
        curve = events.read_scalars(tmp_path, ['posenet_'])[0].get('posenet_H36M_test/p1score_real', {})
        assert curve == {epoch: h36m for epoch, suffix, h36m, _ in POSEAUG if suffix == '_real' and epoch in curve}
        assert ('ends within a record' in capsys.readouterr().err) == (length not in ends)
        seen.add(len(curve))
    assert seen == {0, 1, 2, 3}


def test_a_whole_file_warns_of_nothing(runs, capsys):
    rows_of(runs)
    assert capsys.readouterr().err == ''


def test_a_damaged_record_ends_the_reading_with_a_warning(runs, tmp_path, capsys):
    content = bytearray(event_file(runs).read_bytes())
    path = tmp_path / event_file(runs).name
    epoch0_h36m, epoch0_dhp, epoch3_h36m, *_ = [match.start() for match in re.finditer(b'p1score_real', content)]
    content[epoch3_h36m] ^= 1
    path.write_bytes(content)
    curve = events.read_scalars(tmp_path, ['posenet_'])[0]['posenet_H36M_test/p1score_real']
    assert curve == {0: 70} and f'{path} is damaged at byte' in capsys.readouterr().err


def test_a_damaged_length_ends_the_reading_with_a_warning(runs, tmp_path, capsys):
    content, path = bytearray(event_file(runs).read_bytes()), tmp_path / event_file(runs).name
    content[1] ^= 1
    path.write_bytes(content)
    assert events.read_scalars(tmp_path, ['posenet_']) == ({}, 0)
    assert f'{path} is damaged at byte 0' in capsys.readouterr().err


def test_a_later_file_of_a_resumed_run_wins(tmp_path):
    write_run(tmp_path, [(1, '', 90, 140), (2, '', 80, 130)])
    write_run(tmp_path, [(2, '', 79, 129), (3, '', 70, 120)])
    assert events.read_scalars(tmp_path, ['posenet_'])[0]['posenet_H36M_test/p1score'] == {1: 90, 2: 79, 3: 70}


def test_a_long_curve_can_be_thinned(runs):
    directory = event_file(runs).parent
    whole = events.read_scalars(directory, ['train_G_iter/gen_loss'])[0]['train_G_iter/gen_loss']
    thin = events.read_scalars(directory, ['train_G_iter/gen_loss'], most=100)[0]['train_G_iter/gen_loss']
    assert len(whole) == 3000 and 90 <= len(thin) <= 110
    assert thin.items() <= whole.items() and max(thin) > 2900


def test_a_run_that_is_not_poseaug_as_published_is_named_as_such(tmp_path):
    run = make_runs(tmp_path) / 'poseaug/mlp/gt/2026-01-02T00:00:00_poseaug'
    listed = f'1. PoseAug `{run}`, baseline'
    assert listed in results_table.markdown(rows_of(tmp_path))
    for changed, named in ((dict(), ''), (dict(augmentor='none', kcs='off'), ', but with --augmentor none --kcs off,')):
        begin_life(run, arguments={**results.PUBLISHED_GAME, 'epochs': 3, **changed})
        assert listed.replace('PoseAug', f'PoseAug{named}', 1) in results_table.markdown(rows_of(tmp_path))


def test_what_is_published_is_what_the_flags_say_by_default():
    args = poseaug_parser('').parse_args([])
    assert {name: getattr(args, name) for name in results.PUBLISHED_GAME} == results.PUBLISHED_GAME


# The command

def test_the_command_prints_markdown_and_writes_csv(runs, tmp_path, capsys):
    rows = run_results.main([str(runs), '--csv', str(tmp_path / 'table.csv')])
    printed = capsys.readouterr().out
    first = next(line for line in printed.splitlines() if line.startswith('|   1 |'))
    assert [cell.strip() for cell in first.strip('|').split('|')] == [
        '1', 'mlp', 'gt', '70.0', '64.0', '-6.0', '4', '41.4', '38.4', '-3.0', '75.0', '65.0', '-10.0', '5']
    assert '–' not in first and '### MPI-INF-3DHP: AUC, %, official 14 joints' in printed
    with open(tmp_path / 'table.csv', newline='') as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(rows) == 8
    assert (lines[0]['difference_best'], lines[1]['published_baseline'], lines[0]['last_epoch']) == ('-6.0000', '', '5')


def refusal_of_csv(runs, capsys, path, *flags):
    """The one line with which the command refuses to write its table to `path`; nothing is printed before it."""
    with pytest.raises(SystemExit) as left:
        run_results.main([str(runs), '--csv', str(path), *flags])
    printed = capsys.readouterr()
    assert left.value.code == 2 and printed.out == ''
    return printed.err


def test_a_file_that_is_not_a_table_is_replaced_only_on_request(runs, tmp_path, capsys):
    path = tmp_path / 'thesis.csv'
    for content in (b'', b'lifter,keypoints\n', b'\xff\xfe' * 500):
        path.write_bytes(content)
        assert f'{path} exists already' in refusal_of_csv(runs, capsys, path) and path.read_bytes() == content
    rows = run_results.main([str(runs), '--csv', str(path), '--overwrite'])
    with open(path, newline='') as file:
        assert len(list(csv.DictReader(file))) == len(rows)


def test_an_earlier_table_is_replaced(runs, tmp_path):
    path = tmp_path / 'table.csv'
    results_table.write_csv([], path)
    rows = run_results.main([str(runs), '--csv', str(path)])
    assert len(path.read_text().splitlines()) == 1 + len(rows)


def test_a_place_where_no_table_can_be_written_is_refused_before_the_table_is_made(runs, tmp_path, capsys):
    assert f'the folder {tmp_path / "nowhere"} is missing' in refusal_of_csv(runs, capsys, tmp_path / 'nowhere' / 'a.csv')
    assert f'{tmp_path} is a folder' in refusal_of_csv(runs, capsys, tmp_path, '--overwrite')


def test_every_line_of_a_markdown_table_has_the_same_columns(runs, tmp_path):
    make_runs_of_the_reference(make_runs(tmp_path) / 'theirs')
    for table in re.findall(r'(?:^\|.*\n)+', results_table.markdown(rows_of(tmp_path)), re.MULTILINE):
        assert len({line.count('|') for line in table.splitlines()}) == 1
        assert len({len(line) for line in table.splitlines()}) == 1


def test_folders_without_runs_are_refused(tmp_path, capsys):
    with pytest.raises(SystemExit) as left:
        run_results.main([str(tmp_path), '--csv', str(tmp_path / 'table.csv')])
    assert left.value.code == 2 and f'{tmp_path} holds no run' in capsys.readouterr().err
    assert not (tmp_path / 'table.csv').exists()
    with pytest.raises(InputError, match='is not a folder'):
        results.find_runs(tmp_path / 'nowhere')

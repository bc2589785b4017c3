"""The benchmark: figures against errors by hand, intervals over sequences and runs, curves; and the script itself."""
import csv
import io
from dataclasses import replace

import pytest
import torch
from torch import nn

import run_benchmark
from common.camera import root_relative
from common.datasets.h36m import h36m_poses, read_h36m
from common.datasets.mocap import mocap_path
from common.errors import InputError
from common.files.npz import save_npz
from common.metrics import mpjpe, n_mpjpe, p_mpjpe
from common.shifts import SHIFTS, views_of
from function_baseline.benchmark import (COVERAGE, FIGURES, Entry, Scores, Column, cases, chosen_shifts, curve, intervals,
                                         score_all, scores_of)
from function_baseline.benchmark_report import figure, markdown
from function_baseline.evaluate import evaluate
from mocap_clips import arrays_of
from models_baseline import build_lifter
from places import SHARED
from utils.runs.checkpoint import save_checkpoint

CPU = torch.device('cpu')
FEW = ('as filmed', 'far', 'noise')


class Stretched(nn.Module):
    """Answers with what it was given as a third dimension: the same for any batch, and wrong."""

    def forward(self, pose2d):
        return torch.cat([pose2d, pose2d[..., :1] ** 2], dim=-1)


@pytest.fixture(scope='module')
def poses(tiny_root):
    return h36m_poses(read_h36m(tiny_root, 'gt'), ('S9', 'S11'), downsample=2)


@pytest.fixture(scope='module')
def entry():
    return Entry('a', 'a.pth', Stretched(), 'image')


@pytest.fixture
def two_checkpoints(tmp_path):
    """Paths of two lifters that differ by their random weights."""
    paths = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        paths.append(tmp_path / f'seed{seed}.pth.tar')
        save_checkpoint(paths[-1], dict(state_dict=build_lifter('gcn', 1, 0.).state_dict(), epoch=1))
    return paths


def test_the_figures_are_means_over_the_poses(poses, entry):
    predicted, target = root_relative(Stretched()(poses.pose2d)), root_relative(poses.pose3d_cam)
    figures = intervals([scores_of(entry, Column('h36m', '', poses, False), CPU)])
    for cell, metric in zip(figures, (mpjpe, p_mpjpe, n_mpjpe)):
        assert cell.mean == pytest.approx(1000 * float(metric(predicted, target).double().mean()), rel=1e-5)
    whole = evaluate(Stretched(), poses, CPU, flip=False)
    assert figures[0].mean == pytest.approx(whole.mpjpe_mm) and figures[3].mean == pytest.approx(whole.pck_14)
    assert figures[4].mean == pytest.approx(whole.auc_14)


def test_a_sequence_is_a_recording_with_all_its_views(poses, entry):
    scores = scores_of(entry, Column('h36m', '', poses, False), CPU)
    assert len(scores.counts) == 2 * 30 - 1      # S11's Directions is broken
    assert int(scores.counts.sum()) == len(poses)


def test_intervals_are_of_sequences_and_shrink_with_their_number():
    few, many = (Scores(torch.randn(count, 5, generator=torch.Generator().manual_seed(0)).double() + 50,
                        torch.ones(count, dtype=torch.int64), None, None) for count in (10, 1000))
    wide, narrow = (intervals([scores])[0] for scores in (few, many))
    assert wide.low < wide.mean < wide.high and wide.high - wide.low > 3 * (narrow.high - narrow.low)
    expected = 2 * 1.96 / 1000 ** .5
    assert narrow.high - narrow.low == pytest.approx(expected, rel=.2) and COVERAGE == .95


def test_runs_of_one_kind_are_averaged_and_widen_the_interval():
    counts = torch.ones(50, dtype=torch.int64)
    runs = [Scores(torch.full((50, 5), value, dtype=torch.float64), counts, None, None) for value in (40., 50., 60.)]
    alone, together = intervals(runs[:1])[0], intervals(runs)[0]
    assert alone == pytest.approx((40, 40, 40)) and together.mean == pytest.approx(50)
    assert together.low < 45 and together.high > 55


def test_a_curve_has_the_mean_error_of_each_bin_and_no_point_without_poses(poses, entry):
    case = Column('h36m', '', poses, False)
    run = scores_of(entry, case, CPU)
    distance = views_of(poses)['distance']
    split = float(distance.median())
    values = curve([run], poses, 'distance', [0., split, 100., 200.])
    near = run.errors[distance <= split].mean()
    assert values[0] == pytest.approx(float(near), rel=1e-4) and values[1] is not None and values[2] is None


def test_every_device_and_every_lifter_scores_the_same_poses(poses):
    few = chosen_shifts(','.join(FEW))
    first, again = (list(cases('h36m', poses, False, few, seed=3)) for _ in range(2))
    other = list(cases('h36m', poses, False, few, seed=4))
    assert [case.title for case in first] == ['h36m', 'h36m: as filmed', 'h36m: far', 'h36m: noise']
    assert all(torch.equal(one.poses.pose2d, two.poses.pose2d) for one, two in zip(first, again))
    assert not torch.equal(first[2].poses.pose2d, other[2].poses.pose2d)


def test_the_camera_of_the_entry_is_used(poses):
    torch.manual_seed(0)
    lifter, case = build_lifter('gcn', 1, 0.).eval(), Column('h36m', '', poses, False)
    image, person = (scores_of(Entry('a', '', lifter, camera), case, CPU) for camera in ('image', 'person'))
    assert float(person.errors.mean()) == pytest.approx(evaluate(lifter, poses, CPU, False, 'person').mpjpe_mm, rel=1e-5)
    assert not torch.equal(image.errors, person.errors)


def test_a_set_without_numbered_recordings_is_resampled_by_its_groups(poses, entry):
    case = Column('h36m', '', replace(poses, sequence=None), False)
    assert len(scores_of(entry, case, CPU).counts) == 15


def test_prepared_motion_is_a_test_set_too(tmp_path, two_checkpoints):
    save_npz(mocap_path(tmp_path, 'own'), **arrays_of())
    summary = run_benchmark.main(['--data_root', str(tmp_path), '--device', 'cpu', '--evaluate', f'a={two_checkpoints[0]}',
                                  '--shifts', 'far', '--shift_dataset', 'own'])
    assert {title for _, title in summary} == {'own', 'own: far'}


def test_names_of_shifts_are_checked():
    assert chosen_shifts('all') == SHIFTS and chosen_shifts('none') == {}
    assert list(chosen_shifts('far,near')) == list(chosen_shifts('far, near')) == ['far', 'near']
    with pytest.raises(InputError, match="no shift 'sideways'; choose from as filmed, azimuth"):
        chosen_shifts('far,sideways')


# the script

def run(tiny_root, *flags):
    return run_benchmark.main(['--data_root', str(tiny_root), '--device', 'cpu', '--shifts', ','.join(FEW), *map(str, flags)])


@pytest.mark.slow
def test_the_script_writes_table_figures_and_picture(tiny_root, two_checkpoints, tmp_path, capsys):
    summary = run(tiny_root, '--evaluate', f'kind={tmp_path}/seed*.pth.tar', f'single={two_checkpoints[0]}',
                  '--output', tmp_path)
    assert {name for name, _ in summary} == {'kind', 'single'}
    assert {title for _, title in summary} == {'h36m', '3dhp', *(f'h36m: {name}' for name in FEW)}
    rows = list(csv.DictReader((tmp_path / 'benchmark.csv').read_text().splitlines()))
    assert len(rows) == 2 * 5 * (len(FIGURES) + 16)
    row = next(row for row in rows if (row['lifter'], row['shift'], row['figure']) == ('kind', 'far', 'MPJPE'))
    cell = summary['kind', 'h36m: far'][0]
    assert (row['runs'], float(row['mean']), float(row['low'])) == ('2', pytest.approx(cell.mean, abs=1e-3),
                                                                     pytest.approx(cell.low, abs=1e-3))
    each = list(csv.DictReader((tmp_path / 'runs.csv').read_text().splitlines()))
    own = [float(row['MPJPE']) for row in each if (row['lifter'], row['shift']) == ('kind', 'far')]
    assert len(own) == 2 and sum(own) / 2 == pytest.approx(cell.mean, abs=1e-3)
    points = list(csv.DictReader((tmp_path / 'curves.csv').read_text().splitlines()))
    assert [(row['quantity'], row['from'], row['to'], row['lifter']) for row in points][:13:12] == [
        ('elevation', '-50.0', '-40.0', 'kind'), ('elevation', '-50.0', '-40.0', 'single')]
    assert len(points) == 2 * (12 + 11) and 0 < float(points[6]['MPJPE']) < 2000
    assert (tmp_path / 'benchmark.png').read_bytes().startswith(b'\x89PNG')
    assert f'{cell.mean:.1f} (' in (tmp_path / 'benchmark.md').read_text() and '| h36m: far |' in capsys.readouterr().out


@pytest.mark.parametrize('flags, message', [
    (('--evaluate', 'a=nothing*.pth'), 'no file or directory fits'), (('--evaluate', 'nothing.pth'), 'no file'),
    (('--dataset', 'h36n'), "no test set 'h36n'"), (('--shifts', 'up'), "no shift 'up'")])
def test_wrong_input_is_one_line(tiny_root, two_checkpoints, capsys, flags, message):
    with pytest.raises(SystemExit) as stop:
        run(tiny_root, '--evaluate', two_checkpoints[0], *flags)
    assert stop.value.code == 2 and message in capsys.readouterr().err


def test_an_output_that_is_no_folder_is_refused_before_the_scoring(tiny_root, two_checkpoints, capsys):
    with pytest.raises(SystemExit) as stop:
        run(tiny_root, '--evaluate', two_checkpoints[0], '--output', two_checkpoints[1])
    out, err = capsys.readouterr()
    assert stop.value.code == 2 and str(two_checkpoints[1]) in err and 'MPJPE' not in out


# the authors' weights on the stand-in, every 16th frame: 2026-11-28

@pytest.mark.parametrize('kind, figures', [
    ('baseline', {'as filmed': 60.1, 'above 40-70': 193.6, 'below 20-40': 166.8, 'near': 81.3, 'far': 187.6}),
    ('poseaug', {'as filmed': 52.1, 'above 40-70': 173.7, 'below 20-40': 138.7, 'near': 62.4, 'far': 149.5})])
def test_the_released_weights_have_known_errors_under_shifts(standin_root, kind, figures):
    path = SHARED / 'official' / f'semgcn_gt_{kind}.pth.tar'
    if not path.is_file():
        pytest.skip(f'{path} is not here: the released weights are not part of the project')
    summary = run_benchmark.main(['--data_root', str(standin_root), '--device', 'cpu', '--dataset', 'h36m', '--downsample',
                                  '16', '--shifts', ','.join(figures), '--evaluate', f'{kind}={path}'])
    found = {name: summary[kind, f'h36m: {name}'][0].mean for name in figures}
    assert found == pytest.approx(figures, abs=.15)


def test_names_are_shown_as_they_were_typed(poses, entry):
    names, case = ['_hidden', '$x_{', 'a|b'], Column('h36m', '', poses.subset(torch.arange(9)), False)
    entries = [entry._replace(name=name) for name in names]
    summary = {key: intervals(runs) for key, runs in score_all(entries, [case], CPU).items()}
    assert markdown(entries, [case], summary).splitlines()[0] == r'| MPJPE, mm | poses | _hidden | $x_{ | a\|b |'
    made = figure(entries, [case], summary, {})
    made.savefig(io.BytesIO(), format='png', dpi=20)
    assert [text.get_text() for text in made.axes[0].get_legend().get_texts()] == names


def test_the_figure_says_what_each_shift_changes(poses, entry):
    columns = list(cases('h36m', poses.subset(torch.arange(9)), False, chosen_shifts(','.join(FEW)), 0))
    summary = {key: intervals(runs) for key, runs in score_all([entry], columns, CPU).items()}
    labels = [text.get_text() for text in figure([entry], columns, summary, {}).axes[0].get_yticklabels()]
    assert labels == ['h36m', 'h36m: as filmed', 'h36m: far\nat 8 to 12 m', 'h36m: noise\n2D noise of 5 pixels, with outliers']


def test_scores_of_all_entries_are_in_one_table(poses, entry):
    case = Column('h36m', '', poses, False)
    table = score_all([entry, entry._replace(name='b'), entry], [case], CPU)
    assert {key: len(runs) for key, runs in table.items()} == {('a', 'h36m'): 2, ('b', 'h36m'): 1}

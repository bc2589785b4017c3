"""The table of a sweep: means and deviations over seeds, of the jobs' own runs alone."""
import csv
import json
from pathlib import Path

import pytest

from run_files import BASELINE, POSEAUG, write_run
from sweeps.job import Job
from sweeps.results import groups_of, markdown, write_results
from utils.runs.record import LAST


def finished(job, epochs, by=0.):
    """A finished run of the job with these scores, `by` mm higher."""
    run = write_run(job.folder / '0101_test', [(epoch, suffix, h36m + by, dhp + by) for epoch, suffix, h36m, dhp in epochs])
    (run / LAST).write_text('')
    (run / 'run.json').write_text(json.dumps([dict(finished='now')]))
    return job


def pair(folder, seed, variant=''):
    baseline = Job('baseline', 'mlp', 'gt', '', seed, (), 3, folder / f'baseline/seed_{seed}', 1, '')
    place = folder / f'poseaug/{variant}/seed_{seed}'
    return baseline, Job('poseaug', 'mlp', 'gt', variant, seed, (), 5, place, 1, '', baseline)


@pytest.fixture
def jobs(tmp_path):
    """Two seeds that have finished, 2 mm apart, and one whose PoseAug run has not."""
    pairs = [pair(tmp_path, seed) for seed in range(3)]
    for by, (baseline, poseaug) in zip((0., 2.), pairs):
        finished(baseline, BASELINE, by)
        finished(poseaug, POSEAUG, by)
    finished(pairs[2][0], BASELINE)
    return [job for both in pairs for job in both]


def first_row(text):
    table = text.splitlines()[2:5]
    head, _, row = ([cell.strip() for cell in line.strip('|').split('|')] for line in table)
    return dict(zip(head, row))


def test_means_and_deviations_of_the_finished_seeds(jobs):
    row = first_row(markdown(groups_of(jobs[:4])))
    assert row == {'lifter': 'mlp', '2D': 'gt', 'variant': '–', 'seeds': '2', 'baseline last': '76.0 ± 1.4',
                   'PoseAug last': '66.0 ± 1.4', 'difference last': '-10.0 ± 0.0', 'baseline': '71.0 ± 1.4',
                   'PoseAug best': '65.0 ± 1.4', 'difference best': '-6.0 ± 0.0', 'published baseline': '41.4',
                   'published PoseAug': '38.4'}


def test_a_baseline_counts_for_its_seed_until_its_poseaug_run_has_finished(jobs):
    row = first_row(markdown(groups_of(jobs)))
    assert (row['seeds'], row['baseline last'], row['PoseAug last']) == ('3', '75.7 ± 1.2', '66.0 ± 1.4')


def test_every_variant_has_a_row_beside_the_baseline_that_they_share(tmp_path):
    baseline, control = pair(tmp_path, 0, 'control')
    none = pair(tmp_path, 0, 'no BA')[1]
    made = [finished(baseline, BASELINE), finished(control, POSEAUG), finished(none, POSEAUG, 3.)]
    groups = [group for group in groups_of(made) if (group.test_set, group.score) == ('Human3.6M', 'MPJPE, mm')]
    assert [(group.variant, group.values('baseline_last'), group.values('poseaug_last')) for group in groups] == [
        ('control', [75], [65]), ('no BA', [75], [68])]


def test_the_files_hold_the_same_figures_and_no_paths(jobs, tmp_path):
    write_results(groups_of(jobs[:4]), tmp_path)
    with open(tmp_path / 'table.csv', newline='') as file:
        means = {(line['test_set'], line['score'], line['figure']): line for line in csv.DictReader(file)}
    line = means['MPI-INF-3DHP', 'MPJPE, mm', 'poseaug_last']
    assert (line['seeds'], line['mean'], line['deviation']) == ('2', '103.0000', '1.4142')
    with open(tmp_path / 'runs.csv', newline='') as file:
        runs = [line for line in csv.DictReader(file) if (line['test_set'], line['score']) == ('Human3.6M', 'MPJPE, mm')]
    shown = [(line['seed'], line['poseaug_last'], line['last_epoch']) for line in runs]
    assert shown == [('0', '65.0000', '5'), ('1', '67.0000', '5')]
    assert (tmp_path / 'table.png').read_bytes().startswith(b'\x89PNG')
    assert all(str(tmp_path) not in (tmp_path / name).read_text() for name in ('table.md', 'table.csv', 'runs.csv'))


def test_a_job_without_scores_gives_no_row(tmp_path):
    assert groups_of([finished(pair(Path(tmp_path), 0)[0], [])]) == []

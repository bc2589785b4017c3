"""The summary notebook: stored without outputs, and it runs."""

import pytest

from places import ROOT
from run_files import make_runs, make_runs_of_the_reference, write_run

pytestmark = pytest.mark.slow

nbformat = pytest.importorskip('nbformat')
nbclient = pytest.importorskip('nbclient')
pytest.importorskip('ipykernel')

NOTEBOOK = ROOT / 'checkpoint' / 'PoseAug_result_summary.ipynb'


@pytest.fixture
def notebook():
    return nbformat.read(NOTEBOOK, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == 'code']


def outputs(notebook, kind):
    """What the cells show, of one MIME type."""
    return [output.data[kind] for cell in code_cells(notebook) for output in cell.outputs
            if output.output_type in ('display_data', 'execute_result') and kind in output.data]


def executed(notebook, folder):
    """Run all cells on the runs in a folder; started in checkpoint/, as Jupyter does."""
    setup = code_cells(notebook)[0]
    assert "FOLDER = ROOT / 'checkpoint'" in setup.source
    setup.source = setup.source.replace("ROOT / 'checkpoint'", repr(str(folder)))
    nbclient.NotebookClient(notebook, timeout=120, resources={'metadata': {'path': str(NOTEBOOK.parent)}}).execute()


def test_it_is_stored_without_outputs(notebook):
    nbformat.validate(notebook)
    assert all(not cell.outputs and cell.execution_count is None for cell in code_cells(notebook))


def test_it_shows_the_table_and_the_curves_of_each_experiment(notebook, tmp_path):
    """Ours, the reference's, and a baseline alone."""
    make_runs_of_the_reference(make_runs(tmp_path))
    write_run(tmp_path / 'stgcn/gt/run', [(1, '', 90, 140)])
    executed(notebook, tmp_path)
    table, = outputs(notebook, 'text/markdown')
    assert '|   1 | mlp    | gt |     70.0 |         64.0 |       -6.0 |        4 |               41.4 |' in table
    assert len(outputs(notebook, 'image/png')) == 1 + 3
    assert not [output for cell in code_cells(notebook) for output in cell.outputs if output.output_type == 'stream']


def test_without_runs_it_says_so_in_one_line(notebook, tmp_path):
    executed(notebook, tmp_path)
    shown, = [output for cell in code_cells(notebook) for output in cell.outputs]
    assert shown.output_type == 'stream' and shown.text.count('\n') == 1
    assert f'{tmp_path} holds no run with scores' in shown.text


def test_its_first_cell_finds_the_project_from_the_root_too(notebook, monkeypatch):
    for place in (ROOT, ROOT / 'checkpoint'):
        monkeypatch.chdir(place)
        monkeypatch.setattr('sys.path', ['elsewhere'])
        found = {}
        exec(code_cells(notebook)[0].source, found)
        assert found['FOLDER'] == ROOT / 'checkpoint' and found['sys'].path[0] == str(ROOT)

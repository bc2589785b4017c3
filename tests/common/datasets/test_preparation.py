"""What the preparation commands share: names of sequences, and outputs that are written whole or not at all."""
import numpy as np
import pytest

from common.datasets.preparation import sequence_name, write_checked
from common.errors import InputError
from refusals import files_below


@pytest.mark.parametrize('name, expected', [
    ('TakingPhoto', 'Photo'), ('TakingPhoto_1', 'Photo 1'), ('Walking 1', 'Walking 1'), ('WalkingDog 2', 'WalkDog 2'),
    ('SittingDown', 'SittingDown')])
def test_sequence_names(name, expected):
    assert sequence_name(name) == expected


def test_all_outputs_appear_or_none(tmp_path):
    (tmp_path / 'file').write_text('')
    arrays = {'numbers': np.arange(3)}
    outputs = {tmp_path / 'first.npz': arrays, tmp_path / 'file' / 'second.npz': arrays}
    with pytest.raises(InputError, match='second.npz cannot be written'):
        write_checked(outputs, 'the test')
    assert files_below(tmp_path) == ['file']


def test_a_file_that_does_not_read_back_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr('common.datasets.preparation.load_npz', lambda *_: {'numbers': np.array([0, 1, 5])})
    with pytest.raises(InputError, match='does not read back'):
        write_checked({tmp_path / 'first.npz': {'numbers': np.arange(3)}}, 'the test')
    assert files_below(tmp_path) == []

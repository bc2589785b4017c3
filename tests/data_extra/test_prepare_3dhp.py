"""prepare_data_3dhp.py: values against computations by hand, and bad sources, which are refused in one line."""
import pickle

import numpy as np
import pytest

from data_extra import prepare_data_3dhp
from refusals import refused

SPIN_JOINTS = [14, 2, 1, 0, 3, 4, 5, 16, 12, 18, 9, 10, 11, 8, 7, 6]


def test_3dhp_by_hand(tiny_sources, tiny_root):
    raw = np.load(tiny_sources / 'mpi_inf_3dhp_valid.npz')
    made = np.load(tiny_root / 'data_extra' / 'test_set' / 'test_3dhp.npz')
    assert set(made.files) == {'pose3d', 'pose2d', 'sequence'}
    assert made['pose3d'].dtype == made['pose2d'].dtype == np.float32 and made['sequence'].dtype == np.int8
    np.testing.assert_array_equal(made['sequence'], np.repeat(range(1, 7), 3))
    np.testing.assert_array_equal(made['pose3d'], raw['S'][:, SPIN_JOINTS, :3].astype(np.float32))
    invisible = 0
    for frame, name in enumerate(raw['imgname']):
        width, height = (1920, 1080) if 'TS5' in name or 'TS6' in name else (2048, 2048)
        for joint, spin in enumerate(SPIN_JOINTS):
            x, y, visible = raw['part'][frame, spin]
            expected = (x / width * 2 - 1, y / width * 2 - height / width) if visible else (0, 0)
            np.testing.assert_allclose(made['pose2d'][frame, joint], expected, atol=1e-7)
            invisible += not visible
    assert 10 < invisible < 150


def test_3dhp_frames_of_no_known_sequence_count_as_square(tiny_sources, tmp_path, capsys):
    raw = dict(np.load(tiny_sources / 'mpi_inf_3dhp_valid.npz'))
    raw['imgname'] = np.char.replace(raw['imgname'], '/TS6/', '/elsewhere/').astype('S')   # bytes, as Python 2 writes
    np.savez(tmp_path / 'spin.npz', **raw)
    prepare_data_3dhp.main(['--source', str(tmp_path / 'spin.npz'), '--data_root', str(tmp_path)])
    made = np.load(tmp_path / 'data_extra' / 'test_set' / 'test_3dhp.npz')
    np.testing.assert_array_equal(made['sequence'][-4:], [5, 0, 0, 0])
    hip = raw['part'][-1, 14]
    np.testing.assert_allclose(made['pose2d'][-1, 0], (hip[:2] / 1024 - 1) * hip[2], atol=1e-7)
    output = capsys.readouterr().out
    assert '2,929 frames, this file has 18' in output and '3 frames name none of TS1 to TS6' in output


# Bad input

@pytest.mark.parametrize('key, value, message', [
    ('part', np.zeros((18, 17, 3)), "holds 'part' of shape (18, 17, 3)"),
    ('part', np.array(3), "holds 'part' of shape ()"),
    ('part', np.full((18, 24, 3), np.nan),
     "'part', our joints, holds numbers that are not finite or beyond 60,000, first in frame 0"),
    ('S', np.zeros((18, 24, 3)), "holds 'S' of shape (18, 24, 3)"),
    ('S', np.zeros((17, 24, 4)), "holds 'S' of shape (17, 24, 4)"),
    ('S', np.full((18, 24, 4), np.inf), "'S', our joints, holds numbers that are not finite"),
    ('S', None, "has no array 'S'"),
    ('imgname', np.array(['a'] * 5), "holds 'imgname' of shape (5,)"),
    ('imgname', np.zeros(18), "holds 'imgname' of shape (18,) and type float64")])
def test_a_bad_array_of_3dhp_is_named(tiny_sources, tmp_path, capsys, key, value, message):
    raw = dict(np.load(tiny_sources / 'mpi_inf_3dhp_valid.npz'))
    raw[key] = value
    np.savez(tmp_path / 'spin.npz', **{name: array for name, array in raw.items() if array is not None})
    line = refused(capsys, prepare_data_3dhp, '--source', tmp_path / 'spin.npz', '--data_root', tmp_path / 'root')
    assert message in line and 'spin.npz' in line
    assert not (tmp_path / 'root').exists()


def test_3dhp_source_missing_or_no_npz(tmp_path, capsys):
    line = refused(capsys, prepare_data_3dhp, '--data_root', tmp_path)
    assert "mpi_inf_3dhp_valid.npz is missing: it is SPIN's" in line
    (tmp_path / 'spin.npz').write_bytes(pickle.dumps({'part': 1}))
    line = refused(capsys, prepare_data_3dhp, '--source', tmp_path / 'spin.npz', '--data_root', tmp_path)
    assert 'spin.npz is no readable .npz file' in line

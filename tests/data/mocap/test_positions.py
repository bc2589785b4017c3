"""Reading joint positions in .npz and .npy, and markers in C3D."""
import sys
from types import ModuleType

import numpy as np
import pytest

from data.mocap.c3d import read_c3d, without_short_gaps
from data.mocap.positions import read_positions
from refusals import refusal

POSE = np.arange(60, dtype=np.float32).reshape(5, 4, 3)


def test_an_npy_has_joints_without_names(tmp_path):
    np.save(tmp_path / 'a.npy', POSE)
    recording, = read_positions(tmp_path / 'a.npy')
    assert recording.names == ('0', '1', '2', '3') and recording.fps is None and np.array_equal(recording.positions, POSE)


def test_an_npz_may_name_its_joints_and_its_rate(tmp_path):
    names = np.array(['hip', 'a', 'b', 'c'])
    np.savez(tmp_path / 'a.npz', pose=POSE, joint_names=names, mocap_framerate=120, betas=np.zeros(10))
    recording, = read_positions(tmp_path / 'a.npz')
    assert recording.names == ('hip', 'a', 'b', 'c') and recording.fps == 120


def test_arrays_of_the_same_joints_and_different_lengths_are_clips(tmp_path):
    np.savez(tmp_path / 'a.npz', fps=25, **{'S1/Walking': POSE, 'S1/Sitting': POSE[:3], 'S2/Walking': POSE})
    recordings = read_positions(tmp_path / 'a.npz')
    assert {recording.clip: (len(recording.positions), recording.fps) for recording in recordings} == {
        'S1/Walking': (5, 25), 'S1/Sitting': (3, 25), 'S2/Walking': (5, 25)}


@pytest.mark.parametrize('arrays, words', [
    (dict(first=POSE, second=POSE), ('2 arrays', 'first', 'second')),
    (dict(first=POSE, second=POSE[:3, :3]), ('2 arrays', 'first', 'second')),
    (dict(poses=np.zeros((5, 156)), betas=np.zeros(16), trans=np.zeros((5, 3))), ('body model',)),
    (dict(features=np.zeros((5, 263))), ('0 arrays', '(5, 263)')),
    (dict(pose=POSE, fps=0), ("'fps'",))])
def test_what_is_not_one_array_of_positions_is_refused(tmp_path, arrays, words):
    np.savez(tmp_path / 'a.npz', **arrays)
    line = refusal(read_positions, tmp_path / 'a.npz')
    assert all(word in line for word in words), line


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / 'a.npz').write_bytes(b'PK\x03\x04 and no more')
    assert str(tmp_path / 'a.npz') in refusal(read_positions, tmp_path / 'a.npz')


def test_c3d_without_ezc3d_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'ezc3d', None)
    assert 'pip install ezc3d' in refusal(read_c3d, tmp_path / 'a.c3d')


def test_markers_of_a_c3d_are_read_as_ezc3d_gives_them(tmp_path, monkeypatch):
    """ezc3d is optional: its answer, (4, markers, frames) with the unit among the parameters, is written out here."""
    reader = ModuleType('ezc3d')
    points = np.concatenate([POSE.transpose(2, 1, 0), np.ones((1, 4, 5))])
    reader.c3d = lambda path: dict(data=dict(points=points), parameters=dict(POINT=dict(
        LABELS=dict(value=['LKNE', 'b', 'c', 'd']), RATE=dict(value=[100.]), UNITS=dict(value=['mm']))))
    monkeypatch.setitem(sys.modules, 'ezc3d', reader)
    recording = read_c3d(tmp_path / 'a.c3d')
    assert recording.names[0] == 'LKNE' and recording.fps == 100 and recording.metres == .001
    assert np.array_equal(recording.positions, POSE)


def test_a_c3d_file_comes_back_from_ezc3d(tmp_path):
    ezc3d = pytest.importorskip('ezc3d')
    content = ezc3d.c3d()
    content['parameters']['POINT']['RATE']['value'] = [100]
    content['parameters']['POINT']['LABELS']['value'] = ['LKNE', 'b', 'c', 'd']
    content['parameters']['POINT']['UNITS']['value'] = ['mm']
    content['data']['points'] = np.concatenate([POSE.transpose(2, 1, 0), np.ones((1, 4, 5))])
    content.write(str(tmp_path / 'a.c3d'))
    recording = read_c3d(tmp_path / 'a.c3d')
    assert recording.names[0] == 'LKNE' and recording.fps == 100 and recording.metres == .001
    assert recording.positions == pytest.approx(POSE)
    (tmp_path / 'b.c3d').write_bytes(b'no C3D file at all')
    assert 'no readable C3D file' in refusal(read_c3d, tmp_path / 'b.c3d')


def test_short_gaps_of_a_marker_are_filled_on_a_straight_line_and_long_ones_stay():
    straight = np.arange(10.)[:, None, None] * np.ones((1, 2, 3))
    seen = straight.copy()
    seen[2:4, 0], seen[5:8, 1], seen[9, 0] = np.nan, np.nan, np.nan
    filled = without_short_gaps(seen, longest=2)
    assert filled[:9, 0] == pytest.approx(straight[:9, 0]) and np.isnan(filled[9, 0]).all()
    assert np.isnan(filled[5:8, 1]).all() and np.isfinite(filled[:5, 1]).all()

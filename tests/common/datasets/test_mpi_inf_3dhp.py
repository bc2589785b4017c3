"""The prepared MPI-INF-3DHP test set -> a PoseSet, and how its file can be wrong."""
import numpy as np
import pytest
import torch

from common.datasets.mpi_inf_3dhp import SEQUENCES, load_3dhp
from common.files.npz import load_npz, save_npz
from refusals import refusal

MAKE_3DHP = 'python3 data_extra/prepare_data_3dhp.py'


@pytest.fixture
def prepared(tiny_root):
    """The arrays of the prepared test set, free to be changed."""
    return load_npz(tiny_root / 'data_extra/test_set/test_3dhp.npz', ['pose3d', 'pose2d'], MAKE_3DHP)


def write_3dhp(root, **arrays):
    save_npz(root / 'data_extra/test_set/test_3dhp.npz', **arrays)
    return root


def test_3dhp_is_loaded_as_it_lies_on_disk(tiny_root, prepared):
    poses = load_3dhp(tiny_root)
    np.testing.assert_array_equal(poses.pose3d_cam, prepared['pose3d'].astype(np.float32))
    np.testing.assert_array_equal(poses.pose2d, prepared['pose2d'].astype(np.float32))    # not normalised a second time
    assert poses.pose3d_cam.dtype == poses.pose2d.dtype == torch.float32
    assert poses.camera is None and poses.intrinsics is None
    assert len(poses) == 18


def test_3dhp_knows_its_sequences(tiny_root):
    poses = load_3dhp(tiny_root)
    assert poses.group_names is SEQUENCES and SEQUENCES[1:] == ('TS1', 'TS2', 'TS3', 'TS4', 'TS5', 'TS6')
    assert poses.group.tolist() == [number for number in range(1, 7) for _ in range(3)]


def test_a_3dhp_file_of_the_reference_has_no_sequences_and_loads(tmp_path, prepared):
    """The reference writes pose3d and pose2d alone: one group of unknown sequences."""
    poses = load_3dhp(write_3dhp(tmp_path, **prepared))
    assert poses.group.unique().tolist() == [0]
    np.testing.assert_array_equal(poses.pose2d, prepared['pose2d'].astype(np.float32))


def test_a_missing_3dhp_file_names_its_command(tmp_path):
    message = refusal(load_3dhp, tmp_path)
    assert 'test_3dhp.npz is missing' in message and message.endswith(f'{MAKE_3DHP} --data_root {tmp_path}')


@pytest.mark.parametrize('key,shape', [('pose3d', (18, 17, 3)), ('pose3d', (18, 48)), ('pose3d', (18, 16, 4)),
                                       ('pose2d', (18, 16, 3)), ('pose2d', (18, 17, 2)), ('pose2d', ())], ids=str)
def test_3dhp_of_another_shape_is_refused(tmp_path, prepared, key, shape):
    message = refusal(load_3dhp, write_3dhp(tmp_path, **{**prepared, key: np.zeros(shape, np.float32)}))
    assert repr(key) in message and str(shape) in message and message.endswith(f'{MAKE_3DHP} --data_root {tmp_path}')


@pytest.mark.parametrize('key', ['pose3d', 'pose2d'])
@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_3dhp_that_is_not_finite_is_refused(tmp_path, prepared, key, value):
    prepared[key][5, 3, 1] = value
    assert f"{key!r} holds NaN or inf" in refusal(load_3dhp, write_3dhp(tmp_path, **prepared))


def test_3dhp_of_different_lengths_is_refused(tmp_path, prepared):
    prepared['pose2d'] = prepared['pose2d'][:-1]
    message = refusal(load_3dhp, write_3dhp(tmp_path, **prepared))
    assert "'pose2d' has shape (17, 16, 2)" in message and '(18, 16, 2) is needed' in message


@pytest.mark.parametrize('sequence', [np.arange(17), np.zeros((18, 2)), np.array(['TS1'] * 18)], ids=['short', 'wide', 'text'])
def test_3dhp_with_broken_sequence_numbers_is_refused(tmp_path, prepared, sequence):
    assert MAKE_3DHP in refusal(load_3dhp, write_3dhp(tmp_path, **prepared, sequence=sequence))


def test_a_3dhp_file_without_an_array_names_it(tmp_path, prepared):
    assert "'pose2d'" in refusal(load_3dhp, write_3dhp(tmp_path, pose3d=prepared['pose3d']))

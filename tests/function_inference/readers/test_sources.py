"""Opening files: suffixes, text that is not JSON, damaged archives, and pickles that ask for code."""
import numpy as np
import pytest

from common.errors import InputError
from function_inference.keypoint_files import read_keypoints
from function_inference.readers import sources
from function_inference.readers.sources import open_source
from keypoint_clips import SIZE, crowd, nested, refusal, write, write_npz
from refusals import RunsCode


def test_paths_that_hold_no_keypoints(tmp_path):
    (tmp_path / 'clip.xml').write_text('1,2,3')
    assert 'keypoints come as .json, .jsonl, .npz, .npy, .csv, .trc or a folder' in refusal(tmp_path / 'clip.xml')
    assert 'is neither a file nor a folder' in refusal(tmp_path / 'none.json')
    (tmp_path / 'clip.npz').write_text('no archive')
    with pytest.raises(InputError, match='clip.npz .*read.*the detector that wrote it'):
        open_source(tmp_path / 'clip.npz')


def test_the_suffix_may_be_in_capitals_and_a_folder_may_have_one(tmp_path):
    assert open_source(write(tmp_path / 'clip.JSON', [])).kind == '.json'
    (tmp_path / 'folder.json').mkdir()
    assert open_source(tmp_path / 'folder.json').kind == 'folder'


@pytest.mark.parametrize('text', ['', '{', '[' * 100_000, '<html>404</html>', '\x00'])
def test_text_that_is_not_json_is_refused(text, tmp_path):
    (tmp_path / 'clip.json').write_text(text)
    assert 'cannot be read as keypoints' in refusal(tmp_path / 'clip.json')


def test_a_large_file_is_refused_unread(tmp_path, monkeypatch):
    path = write(tmp_path / 'clip.json', nested(crowd('coco17')))
    with monkeypatch.context() as patch:
        patch.setattr(sources, 'MAX_JSON_BYTES', 100)
        assert 'more than' in refusal(path)
    assert len(read_keypoints(path, size=SIZE).people) == 4


def test_the_arrays_of_an_archive(tmp_path):
    arrays = open_source(write_npz(tmp_path / 'a.npz', landmarks=np.ones(1), pose2d_px=np.ones(2), other=3, fps=4)).content
    assert arrays.names == {'landmarks', 'pose2d_px', 'other', 'fps'} and set(arrays.loaded) == {'keypoints', 'fps'}
    assert arrays.loaded['keypoints'].shape == (1,)
    assert set(open_source(write_npz(tmp_path / 'b.npz', one=3, width=4)).content.loaded) == {'keypoints', 'width'}
    assert open_source(write_npz(tmp_path / 'c.npz', one=3, two=3, width=4)).content.loaded == {}


def test_a_pickle_that_asks_for_code_is_refused_unrun(tmp_path):
    sign = tmp_path / 'it ran'
    np.savez(tmp_path / 'clip.npz', keypoints=np.array([RunsCode(sign)], dtype=object))
    sign.unlink(missing_ok=True)
    refusal(tmp_path / 'clip.npz')
    assert not sign.exists()

"""Checkpoints: architecture read off the weights, every wrong file refused in one line, and a file whole or not at all."""
import io
import os
import pickle
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from common.errors import InputError
from common.skeleton import H36M_16, H36M_17
from common.skeletons import SKELETONS
from models_baseline import build_lifter
from models_baseline.layers import ReluDropout
from refusals import refusal
from utils.runs.checkpoint import (BASELINE_BEST, find_pretrained, load_adam, load_lifter, load_network,
                                   parse_checkpoint, read_checkpoint, read_lifter, save_checkpoint)

LIFTERS = ['gcn', 'mlp', 'stgcn', 'videopose']
KEYS = pytest.mark.parametrize('key', ['state_dict', 'model_pos'])


def arguments(*typed, posenet_name='videopose', stages=4, dropout=.25):
    """What the parser hands over: values, and the names of the flags that were typed."""
    return SimpleNamespace(posenet_name=posenet_name, stages=stages, dropout=dropout, explicit=set(typed))


def saved(path, lifter, key='state_dict', epoch=7):
    save_checkpoint(path, {key: lifter.state_dict(), 'epoch': epoch})
    return path


class Runs:
    """Unpickles by running a command."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.fixture(scope='module')
def mlp(tmp_path_factory):
    """A checkpoint of the smallest lifter that has stages."""
    return saved(tmp_path_factory.mktemp('mlp') / 'mlp.pth.tar', build_lifter('mlp', stages=2))


# Continuing

def stepped(rate=.1):
    """A layer, and an Adam that has made a step."""
    torch.manual_seed(0)
    layer = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(layer.parameters(), lr=rate, fused=True)
    layer(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    return layer, optimizer


@pytest.mark.slow
def test_an_adam_takes_over_moments_and_learning_rate_only():
    (_, first), (layer, second) = stepped(), stepped(rate=.5)
    state = first.state_dict()
    state['param_groups'][0] |= {'lr': .25, 'betas': (0, 0), 'fused': None, 'strange': 1}
    load_adam(second, state)
    group, = second.param_groups
    assert group['lr'] == .25 and group['betas'] == (.9, .999) and group['fused'] and 'strange' not in group
    assert torch.equal(second.state[layer.weight]['exp_avg'], first.state_dict()['state'][0]['exp_avg'])


@pytest.mark.slow
def test_moments_of_other_parameters_are_refused():
    _, optimizer = stepped()
    state = optimizer.state_dict()
    state['state'][0]['exp_avg'] = state['state'][0]['exp_avg'].T
    with pytest.raises(ValueError, match='moment exp_avg is not a finite'):
        load_adam(optimizer, state)


@pytest.mark.parametrize('lay_out', [lambda moment: torch.full((1, 1), 3.).expand(moment.shape),
                                     lambda moment: moment.T.contiguous().T], ids=['one number for all', 'transposed'])
def test_a_moment_that_lies_in_memory_otherwise_is_copied(lay_out):
    """PyTorch's fused kernel walks over it as over its parameter: beyond its end, or in another order."""
    (layer, first), (twin, second) = stepped(), stepped()
    state = first.state_dict()
    state['state'][0]['exp_avg'] = lay_out(torch.arange(6.).view(2, 3))
    honest = {**state, 'state': {**state['state'], 0: {name: value.clone(memory_format=torch.contiguous_format)
                                                       for name, value in state['state'][0].items()}}}
    for optimizer, given in ((first, state), (second, honest)):
        load_adam(optimizer, given)
        optimizer.step()
    assert first.state[layer.weight]['exp_avg'].is_contiguous()
    assert torch.equal(layer.weight, twin.weight)


def test_weights_of_another_type_are_refused_where_torch_would_cast_them():
    layer, _ = stepped()
    load_network(layer, layer.state_dict())
    with pytest.raises(ValueError, match='bias'):
        load_network(layer, {'weight': layer.weight, 'bias': layer.bias.double()})


# Reading

@KEYS
@pytest.mark.parametrize('name', LIFTERS)
def test_a_lifter_is_recognised_by_its_weights_under_either_key(tmp_path, name, key):
    lifter = build_lifter(name, stages=1)
    found = read_lifter(saved(tmp_path / 'it', lifter, key, epoch=31))
    assert (found.posenet_name, found.epoch) == (name, 31)
    assert all(torch.equal(found.state[weight], value) for weight, value in lifter.state_dict().items())


@pytest.mark.parametrize('stages', [1, 2, 3, 5, 11])
def test_stages_are_counted(tmp_path, stages):
    """Eleven: the highest number counts, not the last in alphabetical order. (SemGCN's are the smallest weights.)"""
    assert read_lifter(saved(tmp_path / 'it', build_lifter('gcn', stages))).stages == stages


@pytest.mark.slow
@pytest.mark.parametrize('name,stages', [('mlp', 1), ('mlp', 3), ('videopose', 1), ('videopose', 3)])
def test_stages_of_the_wide_lifters_are_counted(tmp_path, name, stages):
    assert read_lifter(saved(tmp_path / 'it', build_lifter(name, stages))).stages == stages


# Lifters of several frames

@pytest.mark.slow
@pytest.mark.parametrize('receptive_field, stages, causal', [(9, 1, False), (27, 2, True)])
def test_a_lifter_of_several_frames_comes_back(tmp_path, receptive_field, stages, causal):
    lifter = build_lifter('videopose', receptive_field=receptive_field, causal=causal).eval()
    told = {'posenet_name': 'videopose', 'stages': stages, 'causal': causal, 'dataset': 'h36m', 'downsample': 2}
    save_checkpoint(tmp_path / 'it', {'state_dict': lifter.state_dict(), 'arguments': told})
    loaded, weights = load_lifter(tmp_path / 'it', arguments())
    assert (weights.stages, weights.receptive_field, weights.causal, weights.fps) == (stages, receptive_field, causal, 25)
    assert weights.kind == f'videopose, {stages} stages, {receptive_field} frames' + ', causal' * causal
    windows = torch.randn(2, receptive_field, 16, 2)
    assert torch.equal(loaded.eval()(windows), lifter(windows))


def test_weights_of_several_frames_that_also_predict_the_root_are_read_relative_to_it(tmp_path):
    """As VideoPose3D releases them: 17 joints, under the key model_pos, without a word about the architecture."""
    lifter = build_lifter('videopose', skeleton=H36M_17, receptive_field=9).eval()
    root = torch.randn(3, 1024, 1), torch.randn(3)
    state = lifter.state_dict()
    for name, row in zip(('shrink.weight', 'shrink.bias'), root):
        state[name] = torch.cat([row, state[name] + row.repeat(16, *[1] * (row.ndim - 1))])
    torch.save({'model_pos': state, 'epoch': 80, 'lr': 1e-4}, tmp_path / 'it')
    loaded, weights = load_lifter(tmp_path / 'it', arguments(), H36M_17)
    assert (weights.posenet_name, weights.receptive_field, weights.causal, weights.fps) == ('videopose', 9, False, None)
    windows = torch.randn(2, 9, 17, 2)
    torch.testing.assert_close(loaded.eval()(windows), lifter(windows), rtol=0, atol=1e-5)
    assert '17 joints' in refusal(load_lifter, tmp_path / 'it', arguments())      # the tests have 16 joints


def test_more_frames_than_any_known_lifter_sees_are_refused(tmp_path):
    state = {'expand_conv.weight': torch.zeros(4, 32, 3), 'layers_conv.9.weight': torch.zeros(4, 4, 1)}
    torch.save(state, tmp_path / 'it')
    assert 'weights for 729 frames' in refusal(read_lifter, tmp_path / 'it')


@pytest.mark.slow
@pytest.mark.parametrize('name', LIFTERS)
def test_a_loaded_lifter_gives_the_same_poses(tmp_path, name):
    lifter, pose2d = build_lifter(name, stages=2, dropout=0).eval(), torch.randn(3, 16, 2)
    loaded, weights = load_lifter(saved(tmp_path / 'it', lifter), arguments())
    assert weights.posenet_name == name
    assert torch.equal(loaded.eval()(pose2d), lifter(pose2d))


def test_the_dropout_rate_is_the_command_lines(mlp):
    loaded, _ = load_lifter(mlp, arguments(dropout=.125))
    rates = {module.p for module in loaded.modules() if isinstance(module, ReluDropout)}
    assert rates == {.125}


@pytest.mark.parametrize('epoch', [None, 'last', 3.5])
def test_a_checkpoint_without_an_epoch_is_read(tmp_path, mlp, epoch):
    save_checkpoint(tmp_path / 'it', {'state_dict': read_checkpoint(mlp)['state_dict'], 'epoch': epoch})
    assert read_lifter(tmp_path / 'it').epoch == -1


@pytest.mark.slow
def test_our_own_checkpoints_say_what_they_hold(tmp_path, mlp):
    """The arguments that travel with the weights are asked first; they must fit the weights all the same."""
    content = read_checkpoint(mlp)
    save_checkpoint(tmp_path / 'it', {**content, 'arguments': {'posenet_name': 'mlp', 'stages': 2}})
    assert load_lifter(tmp_path / 'it', arguments())[1].stages == 2
    for wrong in ({'posenet_name': 'mlp', 'stages': 3}, {'posenet_name': 'gcn', 'stages': 2},
                  {'posenet_name': 'resnet', 'stages': 2}, {'stages': 2}, {'posenet_name': 'mlp', 'stages': -1}):
        save_checkpoint(tmp_path / 'it', {**content, 'arguments': wrong})
        refusal(load_lifter, tmp_path / 'it', arguments())


def test_more_keys_do_no_harm(tmp_path, mlp):
    save_checkpoint(tmp_path / 'it', {**read_checkpoint(mlp), 'optimizer': {'lr': .1}, 'step': 9, 'lr': 1e-3, 'error': 50.})
    assert read_lifter(tmp_path / 'it').stages == 2


# Weights that were saved otherwise

def under(prefix, state):
    return {prefix + name: value for name, value in state.items()}


@KEYS
@pytest.mark.parametrize('prefix', ['module.', '_orig_mod.', 'module._orig_mod.', '_orig_mod.module.'])
def test_the_names_that_dataparallel_and_compile_give_are_read(tmp_path, prefix, key):
    lifter = build_lifter('gcn', stages=1)
    save_checkpoint(tmp_path / 'it', {key: under(prefix, lifter.state_dict()), 'epoch': 4})
    loaded, weights = load_lifter(tmp_path / 'it', arguments())
    assert (weights.posenet_name, weights.stages, weights.epoch) == ('gcn', 1, 4)
    assert all(torch.equal(loaded.state_dict()[weight], value) for weight, value in lifter.state_dict().items())


@pytest.mark.slow
def test_torchs_own_wrappers_give_such_names(tmp_path):
    lifter = build_lifter('gcn', stages=1)
    torch.save(torch.compile(torch.nn.DataParallel(lifter)).state_dict(), tmp_path / 'it')
    assert read_lifter(tmp_path / 'it').state.keys() == lifter.state_dict().keys()


def test_a_prefix_that_only_some_names_have_is_not_removed(tmp_path, mlp):
    def rename_one(state):
        state['module.w1.bias'] = state.pop('w1.bias')
    assert 'module.w1.bias has shape (1024,)' in refusal(load_lifter, changed(tmp_path / 'it', mlp, rename_one), arguments())


@pytest.mark.slow
@pytest.mark.parametrize('prefix', ['', 'module.'])
@pytest.mark.parametrize('name', LIFTERS)
def test_a_bare_state_dict_is_recognised(tmp_path, name, prefix):
    lifter = build_lifter(name, stages=2)
    torch.save(under(prefix, lifter.state_dict()), tmp_path / 'it')
    weights = load_lifter(tmp_path / 'it', arguments())[1]
    assert (weights.posenet_name, weights.epoch) == (name, -1) and (weights.stages == 2 or name == 'stgcn')


def test_the_only_weights_under_another_key_are_taken_and_two_sets_are_refused(tmp_path):
    state = build_lifter('gcn', stages=2).state_dict()
    torch.save({'model_state_dict': state, 'epoch': 8}, tmp_path / 'one')
    assert read_lifter(tmp_path / 'one').epoch == 8
    torch.save({'model': state, 'ema': state}, tmp_path / 'two')
    assert 'it has ema, model' in refusal(read_lifter, tmp_path / 'two')


def test_weights_that_no_name_gives_away_need_the_typed_lifter(tmp_path):
    torch.save({'layer.weight': torch.zeros(3, 2)}, tmp_path / 'it')
    assert 'no known lifter' in refusal(load_lifter, tmp_path / 'it', arguments())
    assert read_lifter(tmp_path / 'it', ('mlp', 2))[:2] == ('mlp', 2)
    message = refusal(load_lifter, tmp_path / 'it', arguments('posenet_name', posenet_name='mlp'))
    assert 'this lifter has' in message


NUMPYS = {'epoch': np.int64(3), 'score': np.float64(51.25), 'done': np.bool_(True), 'rows': np.arange(6.).reshape(2, 3),
          'turned': np.asfortranarray(np.arange(6, dtype='>i2').reshape(2, 3)), 'names': np.array(['S9', 'S11']),
          'none': np.zeros((0, 4), np.float32), 'mixed': np.array([None, 'a', 2.5], object)}


@pytest.mark.parametrize('legacy', [False, True], ids=['zip', 'legacy'])
def test_numbers_and_arrays_of_numpy_beside_the_weights_are_read(tmp_path, legacy):
    state = build_lifter('gcn', stages=1).state_dict()
    torch.save({'state_dict': state, **NUMPYS}, tmp_path / 'it', _use_new_zipfile_serialization=not legacy)
    assert read_lifter(tmp_path / 'it').epoch == 3
    content = read_checkpoint(tmp_path / 'it')
    for name, value in NUMPYS.items():
        np.testing.assert_array_equal(content[name], value)
        assert np.asarray(content[name]).dtype == value.dtype.newbyteorder('='), name


def test_the_functions_for_numpy_are_lent_to_torch_for_one_file_only(tmp_path):
    before = set(torch.serialization.get_safe_globals())
    torch.save(NUMPYS, tmp_path / 'it')
    with open(tmp_path / 'it', 'rb') as file:
        parse_checkpoint(file)
    assert set(torch.serialization.get_safe_globals()) == before


# Flags that contradict the file

def test_flags_that_were_not_typed_give_way_to_the_file(mlp):
    lifter, weights = load_lifter(mlp, arguments(posenet_name='gcn', stages=4))
    assert (weights.posenet_name, weights.stages) == ('mlp', 2)
    assert lifter.state_dict().keys() == weights.state.keys()


def test_flags_that_were_typed_and_agree_are_accepted(mlp):
    load_lifter(mlp, arguments('posenet_name', 'stages', posenet_name='mlp', stages=2))


@pytest.mark.parametrize('flag,value', [('posenet_name', 'gcn'), ('stages', 4)])
def test_a_typed_flag_that_contradicts_the_file_is_named(mlp, flag, value):
    message = refusal(load_lifter, mlp, arguments(flag, **{flag: value}))
    assert f'--{flag} says {value}' in message and str(mlp) in message


def test_stages_typed_for_a_lifter_without_stages_do_nothing(tmp_path):
    path = saved(tmp_path / 'it', build_lifter('stgcn'))
    load_lifter(path, arguments('stages', stages=7))


# Wrong files

def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / 'nowhere.pth.tar', tmp_path):
        assert f'{path} is no file' in refusal(read_checkpoint, path)


def broken_zip(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as archive:
        for name, data in members.items():
            if not name.endswith('data/0'):
                archive.writestr(name, data)
    return buffer.getvalue()


NO_CHECKPOINTS = {'empty': b'', 'text': b'404: Not Found\n', 'page': b'<html></html>' * 100, 'zeros': bytes(1000),
                  'zip': b'PK\x03\x04' * 30, 'pickle of text': pickle.dumps('hello'), 'pickle of a number': pickle.dumps(5),
                  'a cut pickle': pickle.dumps([1])[:-3]}


@pytest.mark.parametrize('name', NO_CHECKPOINTS)
def test_a_file_that_is_not_a_checkpoint_is_refused_by_name(tmp_path, name):
    path = tmp_path / 'it.pth.tar'
    path.write_bytes(NO_CHECKPOINTS[name])
    assert str(path) in refusal(read_checkpoint, path)


@pytest.mark.slow
def test_a_file_cut_anywhere_or_without_a_member_is_refused(tmp_path):
    buffer = io.BytesIO()
    torch.save({'state_dict': build_lifter('gcn', stages=1).state_dict(), 'epoch': 1}, buffer)
    content, path = buffer.getvalue(), tmp_path / 'it.pth.tar'
    for length in range(0, len(content), len(content) // 40):
        path.write_bytes(content[:length])
        refusal(read_checkpoint, path)
    path.write_bytes(broken_zip(content))
    refusal(read_checkpoint, path)


@pytest.mark.parametrize('content', [[1, 2], torch.ones(3), 'text', 5], ids=['list', 'tensor', 'text', 'number'])
def test_a_checkpoint_is_a_dict(tmp_path, content):
    torch.save(content, tmp_path / 'it')
    assert type(content).__name__ in refusal(read_checkpoint, tmp_path / 'it')


@pytest.mark.parametrize('content', [{}, {'epoch': 3}, {'state_dict': None}, {'model_pos': [1]}, {1: 2}], ids=str)
def test_a_checkpoint_without_a_lifter_says_what_it_has(tmp_path, content):
    torch.save(content, tmp_path / 'it')
    message = refusal(read_lifter, tmp_path / 'it')
    assert "'state_dict'" in message and "'model_pos'" in message


def test_weights_of_another_network_are_refused(tmp_path):
    message = refusal(read_lifter, saved(tmp_path / 'it', torch.nn.Linear(3, 4)))
    assert 'no known lifter' in message and 'videopose' in message


@pytest.mark.parametrize('legacy', [False, True], ids=['zip', 'legacy'])
def test_a_checkpoint_that_runs_something_is_refused_and_not_run(tmp_path, legacy):
    marker, path = tmp_path / 'marker', tmp_path / 'it.pth.tar'
    content = {'state_dict': build_lifter('gcn', stages=1).state_dict(), 'epoch': Runs(f'touch {marker}')}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    assert 'system' in refusal(read_lifter, path)
    assert not marker.exists()


@pytest.mark.parametrize('page', ['<html></html>' * 100, '\ufeff\n <!DOCTYPE html>', '<?xml version="1.0"?><Error>'])
def test_a_page_in_place_of_a_checkpoint_is_called_one(tmp_path, page):
    (tmp_path / 'it').write_text(page, encoding='utf-8')
    assert f'{tmp_path / "it"} is no checkpoint but an HTML page' in refusal(read_checkpoint, tmp_path / 'it')


def test_a_pointer_of_git_lfs_is_called_one(tmp_path):
    (tmp_path / 'it').write_text('version https://git-lfs.github.com/spec/v1\noid sha256:0a\nsize 9\n')
    assert 'a pointer of Git LFS' in refusal(read_checkpoint, tmp_path / 'it')


WHOLE = build_lifter('gcn', stages=1)


@pytest.mark.parametrize('content,expected', [
    (WHOLE, 'asks for models_baseline.gcn.SemGCN, which weights do not need; save only the state_dict()'),
    ({'state_dict': WHOLE.state_dict(), 'seen': {'a': np.random.RandomState(0)}}, 'asks for numpy.random'),
    ({f'a rather long name {place}': place for place in range(300)}, 'it has a rather long name 0, '),
    ({f'layer{place}.weight': torch.zeros(1) for place in range(300)}, 'no known lifter')])
def test_a_refusal_fits_on_the_screen_and_does_not_advise_to_trust_the_file(tmp_path, content, expected):
    torch.save(content, tmp_path / 'it')
    message = refusal(load_lifter, tmp_path / 'it', arguments())
    assert expected in message and 'weights_only' not in message
    assert len(message.replace(str(tmp_path), '')) < 200


# The skeleton

def of_skeleton(path, name, num_joints=24, **others):
    """A checkpoint whose arguments name a skeleton, of a lifter of so many joints."""
    skeleton = next(each for each in SKELETONS.values() if each.num_joints == num_joints)
    lifter = build_lifter('gcn', 1, skeleton=skeleton)
    named = dict(posenet_name='gcn', stages=1) | (dict(skeleton=name) if name else {})
    save_checkpoint(path, dict({'state_dict': lifter.state_dict(), 'epoch': 3, 'arguments': named}, **others))
    return path


@pytest.mark.parametrize('name', SKELETONS)
def test_a_checkpoint_names_its_skeleton(tmp_path, name):
    path = of_skeleton(tmp_path / 'it', name, SKELETONS[name].num_joints)
    lifter, weights = load_lifter(path, arguments(), skeleton=None)
    assert weights.skeleton is SKELETONS[name] and load_lifter(path, arguments(), SKELETONS[name])[1].epoch == 3
    assert lifter.eval()(torch.zeros(2, weights.skeleton.num_joints, 2)).shape == (2, weights.skeleton.num_joints, 3)


def test_a_lifter_of_another_skeleton_than_is_needed_is_refused(tmp_path):
    message = refusal(load_lifter, of_skeleton(tmp_path / 'it', 'smpl_24'), arguments())
    assert 'a lifter of 24 joints (smpl_24), but the data have 16 (h36m_16)' in message and str(tmp_path / 'it') in message


def test_without_a_name_it_has_16_joints(mlp, tmp_path):
    assert read_lifter(mlp).skeleton is H36M_16
    assert 'another skeleton than h36m_16' in refusal(load_lifter, of_skeleton(tmp_path / 'it', None), arguments())


@pytest.mark.parametrize('name', ['smpl_23', 7, ['h36m_16'], None])
def test_an_unknown_skeleton_is_refused(tmp_path, name):
    path = of_skeleton(tmp_path / 'it', 'smpl_24', arguments=dict(posenet_name='gcn', stages=1, skeleton=name))
    assert 'none of h36m_16, h36m_17, smpl_24' in refusal(load_lifter, path, arguments(), skeleton=None)


def test_weights_that_contradict_the_name_are_refused(tmp_path):
    path = of_skeleton(tmp_path / 'it', 'smpl_24', num_joints=17)
    assert 'another skeleton than smpl_24' in refusal(load_lifter, path, arguments(), skeleton=None)


# Weights that do not fit

def changed(path, mlp, change):
    content = read_checkpoint(mlp)
    change(content['state_dict'])
    save_checkpoint(path, content)
    return path


def _drop(state):
    del state['linear_stages.1.w2.bias']


def _widen(state):
    state['w1.weight'] = torch.zeros(512, 32)


def _add(state):
    state['w9.weight'] = torch.zeros(3)


def _poison(state):
    state['w1.weight'][5, 5] = float('nan')


def _poison_statistics(state):
    state['batch_norm1.running_var'][3] = float('inf')


def _replace_by_text(state):
    state['w1.bias'] = 'text'


@pytest.mark.slow
@pytest.mark.parametrize('change,name', [(_drop, 'linear_stages.1.w2.bias'), (_widen, 'w1.weight'), (_add, 'w9.weight'),
                                         (_poison, 'w1.weight'), (_poison_statistics, 'batch_norm1.running_var'),
                                         (_replace_by_text, 'w1.bias')])
def test_the_first_weight_that_does_not_fit_is_named(tmp_path, mlp, change, name):
    message = refusal(load_lifter, changed(tmp_path / 'it', mlp, change), arguments())
    assert f': {name} has' in message or f': {name} holds NaN or inf' in message


def _entry_as_text(state):
    state['linear_stages.x'] = torch.zeros(1)


def _number_as_name(state):
    state[5] = torch.zeros(1)


@pytest.mark.slow
@pytest.mark.parametrize('change', [_entry_as_text, _number_as_name])
def test_strange_entries_are_refused_without_a_traceback(tmp_path, mlp, change):
    refusal(load_lifter, changed(tmp_path / 'it', mlp, change), arguments())


@pytest.mark.slow
def test_an_absurd_number_of_stages_is_refused_before_anything_is_built(tmp_path, mlp):
    """One forged name must not make us build a network of a million stages."""
    def forge(state):
        state['linear_stages.1000000.w1.weight'] = torch.zeros(1)
    refusal(read_lifter, changed(tmp_path / 'it', mlp, forge))


# Writing

def test_what_we_save_loads_with_weights_only(tmp_path):
    content = {'state_dict': build_lifter('gcn', stages=1).state_dict(), 'epoch': 3,
               'arguments': {'lr': .1, 'note': 'x', 's1only': False},
               'best': {'h36m_p1': float('inf')}, 'scores': (1., 2.)}
    save_checkpoint(tmp_path / 'it', content)
    read = torch.load(tmp_path / 'it', weights_only=True)
    assert read['arguments'] == content['arguments'] and read['best'] == content['best'] and read['scores'] == content['scores']
    assert os.listdir(tmp_path) == ['it']


class FailsHalfway:
    """Cannot be pickled, and stands after a tensor that was written already."""

    def __reduce__(self):
        raise OSError('No space left on device')


def test_a_failing_write_leaves_the_old_file_and_no_partial_one(tmp_path):
    path = tmp_path / 'it.pth.tar'
    save_checkpoint(path, {'epoch': 1})
    with pytest.raises(InputError) as refused:
        save_checkpoint(path, {'weights': torch.zeros(1000), 'epoch': FailsHalfway()})
    assert 'cannot be written (No space left on device)' in str(refused.value)
    assert os.listdir(tmp_path) == ['it.pth.tar']
    assert read_checkpoint(path) == {'epoch': 1}


def test_a_programming_error_while_writing_leaves_no_partial_file_either(tmp_path):
    path = tmp_path / 'it.pth.tar'
    save_checkpoint(path, {'epoch': 1})
    with pytest.raises((AttributeError, pickle.PicklingError)):
        save_checkpoint(path, {'epoch': lambda: 0})
    assert os.listdir(tmp_path) == ['it.pth.tar']
    assert read_checkpoint(path) == {'epoch': 1}


def test_a_folder_that_is_not_there_is_named(tmp_path):
    path = tmp_path / 'nowhere' / 'it.pth.tar'
    assert str(path) in refusal(save_checkpoint, path, {'epoch': 1})


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='this system has no /dev/full')
def test_a_full_disk_is_one_line(tmp_path):
    """Everything written to /dev/full fails with 'no space left'."""
    path = tmp_path / 'it.pth.tar'
    save_checkpoint(path, {'epoch': 1})
    (tmp_path / 'it.pth.tar.partial').symlink_to('/dev/full')
    message = refusal(save_checkpoint, path, {'weights': torch.zeros(100000)})
    assert str(path) in message
    assert os.listdir(tmp_path) == ['it.pth.tar'] and read_checkpoint(path) == {'epoch': 1}


# The pretrained lifter

def place(root, run, seconds):
    path = root / 'mlp' / 'gt' / run / BASELINE_BEST
    path.parent.mkdir(parents=True)
    path.write_bytes(b'')
    os.utime(path, (seconds, seconds))
    return path


def test_the_newest_pretrained_lifter_is_taken(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = tmp_path / 'checkpoint' / 'pretrain_baseline'
    place(root, '0101000000_pretrain', 1000)
    newest = place(root, '0202000000_pretrain', 3000)
    place(root, '0303000000_pretrain', 2000)          # a later name, but written earlier
    (root / 'gcn' / 'gt' / 'x').mkdir(parents=True)
    assert find_pretrained('mlp', 'gt').resolve() == newest
    assert find_pretrained('mlp', 'gt', str(root)) == newest


def test_a_file_given_by_its_path_is_taken_as_it_is(tmp_path):
    (tmp_path / 'mine.pth.tar').write_bytes(b'')
    assert find_pretrained('mlp', 'gt', str(tmp_path / 'mine.pth.tar')) == tmp_path / 'mine.pth.tar'


@pytest.mark.parametrize('name,keypoints', [('gcn', 'gt'), ('mlp', 'hr')])
def test_without_a_pretrained_lifter_the_command_is_named(tmp_path, name, keypoints):
    place(tmp_path, '0101000000_pretrain', 1000)
    message = refusal(find_pretrained, name, keypoints, str(tmp_path))
    assert f'{tmp_path}/{name}/{keypoints}/*/ckpt_best.pth.tar' in message
    assert f"run_baseline.py --note pretrain --posenet_name '{name}' --keypoints {keypoints}" in message

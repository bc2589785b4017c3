"""VideoPose over time: three forms of one network, equal to the published one; its released weights; what it sees."""
import pytest
import torch
from torch import nn

from common.skeleton import H36M_17
from models_baseline import build_lifter, temporal
from models_baseline.temporal import ClipLifter, StreamLifter, TemporalVideoPose, without_root
from models_baseline.videopose import VideoPose
from refusals import refusal

pytestmark = pytest.mark.slow

TOLERANCES = {torch.float32: 1e-5, torch.float64: 1e-12}
KINDS = pytest.mark.parametrize('causal', [False, True], ids=['symmetric', 'causal'])


def lifter_of(receptive_field, causal=False, dtype=torch.float64, skeleton=None):
    """A lifter in evaluation mode whose BatchNorms have statistics of some training."""
    torch.manual_seed(receptive_field)
    options = {} if skeleton is None else {'skeleton': skeleton}
    lifter = build_lifter('videopose', dropout=.25, receptive_field=receptive_field, causal=causal, **options)
    for norm in (module for module in lifter.modules() if isinstance(module, nn.BatchNorm1d)):
        nn.init.normal_(norm.running_mean, std=.1)
        nn.init.uniform_(norm.running_var, .5, 1.5)
        nn.init.normal_(norm.bias, std=.1)
    return lifter.to(dtype).eval()


def clip_of(length, joints=16, dtype=torch.float64):
    return torch.rand(length, joints, 2, generator=torch.Generator().manual_seed(length)).to(dtype) * 2 - 1


def windows_of(clip, receptive_field, causal):
    """(T, receptive_field, J, 2), frame by frame: the clip stands still before its beginning and after its end."""
    first = -(receptive_field - 1) if causal else -(receptive_field - 1) // 2
    rows = torch.arange(len(clip))[:, None] + torch.arange(first, first + receptive_field)
    return clip[rows.clamp(0, len(clip) - 1)]


# one network in three forms

@KINDS
@pytest.mark.parametrize('dtype', TOLERANCES, ids=str)
@pytest.mark.parametrize('receptive_field, lengths', [(9, (1, 2, 8, 9, 10, 37)), (27, (1, 13, 30)), (81, (20,))])
@torch.no_grad()
def test_windows_clips_and_streams_give_the_same_poses(receptive_field, lengths, dtype, causal):
    lifter = lifter_of(receptive_field, causal, dtype)
    for length in lengths:
        clip = clip_of(length, dtype=dtype)
        expected = lifter(windows_of(clip, receptive_field, causal))
        assert expected.shape == (length, 16, 3) and not expected[:, 0].any() and expected.abs().max() > .05
        forms = [ClipLifter(lifter)(clip)]
        if causal:
            stream = StreamLifter(lifter)
            forms.append(torch.cat([stream(frame[None]) for frame in clip]))
        for found in forms:
            torch.testing.assert_close(found, expected, rtol=0, atol=TOLERANCES[dtype])


@torch.no_grad()
def test_the_pieces_in_which_a_long_clip_is_lifted_do_not_show(monkeypatch):
    lifter, clip = ClipLifter(lifter_of(9)), clip_of(50)
    whole = lifter(clip)
    monkeypatch.setattr(temporal, 'PIECE', 7)
    torch.testing.assert_close(lifter(clip), whole, rtol=0, atol=1e-12)


@torch.no_grad()
def test_a_stream_starts_anew_after_it_was_told_to_forget():
    lifter = lifter_of(9, causal=True)
    stream, first, second = StreamLifter(lifter), clip_of(5), clip_of(6)
    for frame in first:
        stream(frame[None])
    stream.forget()
    found = torch.cat([stream(frame[None]) for frame in second])
    torch.testing.assert_close(found, ClipLifter(lifter)(second), rtol=0, atol=1e-12)


@KINDS
@pytest.mark.parametrize('receptive_field', [9, 27])
def test_a_pose_depends_on_every_frame_of_its_window_and_on_no_other(receptive_field, causal):
    clip, middle = clip_of(2 * receptive_field + 5).requires_grad_(), receptive_field + 2
    ClipLifter(lifter_of(receptive_field, causal))(clip)[middle].sum().backward()
    half = receptive_field // 2
    first, last = (middle - 2 * half, middle) if causal else (middle - half, middle + half)
    assert clip.grad.flatten(1).abs().amax(1).nonzero().squeeze(1).tolist() == list(range(first, last + 1))


@KINDS
def test_every_weight_has_a_gradient(causal):
    lifter = lifter_of(9, causal)
    lifter(windows_of(clip_of(4), 9, causal)).square().sum().backward()
    assert all(weight.grad.abs().max() > 0 for weight in lifter.parameters())


# the published network

class Published(nn.Module):
    """As the paper describes it: dilated convolutions over (B, channels, frames), all 17 joints, no padding inside."""

    def __init__(self, blocks, causal, joints=17):
        super().__init__()
        self.causal, channels = causal, 1024
        self.expand_conv, self.expand_bn = nn.Conv1d(2 * joints, channels, 3, bias=False), nn.BatchNorm1d(channels)
        self.layers_conv, self.layers_bn = nn.ModuleList(), nn.ModuleList()
        for block in range(blocks):
            self.layers_conv.append(nn.Conv1d(channels, channels, 3, dilation=3 ** (block + 1), bias=False))
            self.layers_conv.append(nn.Conv1d(channels, channels, 1, bias=False))
            self.layers_bn += [nn.BatchNorm1d(channels), nn.BatchNorm1d(channels)]
        self.shrink = nn.Conv1d(channels, 3 * joints, 1)

    def forward(self, padded):
        """(T + receptive field - 1, J, 2) -> (T, J, 3)."""
        features = self.expand_bn(self.expand_conv(padded.flatten(1).T[None])).relu()
        for block in range(len(self.layers_conv) // 2):
            first, second = 2 * block, 2 * block + 1
            edge = 3 ** (block + 1)
            kept = features[..., 2 * edge:] if self.causal else features[..., edge:-edge]
            hidden = self.layers_bn[first](self.layers_conv[first](features)).relu()
            features = kept + self.layers_bn[second](self.layers_conv[second](hidden)).relu()
        return self.shrink(features)[0].T.unflatten(1, (-1, 3))


@KINDS
@pytest.mark.parametrize('receptive_field, blocks', [(9, 1), (27, 2)])
@torch.no_grad()
def test_weights_of_the_published_network_give_its_poses_relative_to_its_root(receptive_field, blocks, causal):
    published = Published(blocks, causal).double().eval()
    lifter = lifter_of(receptive_field, causal, skeleton=H36M_17)
    lifter.load_state_dict(without_root(published.state_dict()))
    padded = clip_of(receptive_field + 19, joints=17)
    expected = published(padded)
    torch.testing.assert_close(lifter.frames(padded), expected - expected[:, :1], rtol=0, atol=1e-12)
    assert expected[:, 0].abs().max() > 1e-3


def test_names_and_shapes_of_the_released_weights_of_243_frames():
    """17 joints, 1024 channels. Its output has a row for each coordinate of the root too, and ours has none."""
    released = {name: list(value.shape) for name, value in Published(4, causal=False).state_dict().items()}
    ours = {name: list(value.shape) for name, value in TemporalVideoPose(243, False, .25, H36M_17).state_dict().items()}
    assert released['expand_conv.weight'] == [1024, 34, 3] and released['layers_conv.6.weight'] == [1024, 1024, 3]
    assert released.pop('shrink.weight') == [51, 1024, 1] and ours.pop('shrink.weight') == [48, 1024, 1]
    assert released.pop('shrink.bias') == [51] and ours.pop('shrink.bias') == [48]
    assert ours == released


# one frame, and wrong input

def test_a_receptive_field_of_one_frame_is_the_network_of_single_frames():
    assert type(build_lifter('videopose', 2, receptive_field=1)) is VideoPose


@pytest.mark.parametrize('shape', [(4, 16, 2), (4, 32), (4, 27, 16, 2)], ids=str)
def test_2d_that_are_no_windows_are_refused(shape):
    assert 'needs windows (B, 9, J, 2)' in refusal(lifter_of(9), torch.zeros(shape, dtype=torch.float64))


def test_a_lifter_that_sees_later_frames_is_no_lifter_for_a_stream():
    assert '--causal' in refusal(StreamLifter, lifter_of(9))

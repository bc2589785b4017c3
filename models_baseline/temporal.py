"""VideoPose3D (Pavllo et al., CVPR 2019) over time: the pose of a frame from the 2D poses of the frames around it.

Each block looks at three frames that lie three times as far apart as in the block before, so 1, 2, 3 or 4 blocks see 9, 27, 81
or 243 frames, the receptive field. The same weights are computed in two forms that give the same poses:

    strided    windows of exactly the receptive field -> one pose each; every frame is used once. For training
    dilated    the frames of a clip, one after the other -> a pose for every frame; neighbours share their work. For evaluation

Before its first and after its last frame a clip stands still: these frames are repeated. A causal network sees only the frame
itself and those before it, so that it can lift a stream.
"""
import torch
from torch import nn

from common.errors import InputError
from common.skeleton import H36M_16
from models_baseline.layers import PointwiseConv1d, ReluDropout, RowBatchNorm, linear, prepend_root

WIDTH, TAPS = 1024, 3
STAGES = {9: 1, 27: 2, 81: 3, 243: 4}       # receptive field -> residual blocks
RECEPTIVE_FIELDS = (1, *STAGES)             # 1: the lifters of a single frame
PIECE = 1024                                # frames of a clip that are lifted at once


class TemporalConv1d(nn.Conv1d):
    """nn.Conv1d of kernel size TAPS on the frames it sees: TAPS rows (..., in_channels) -> (..., out_channels)."""

    def __init__(self, in_channels, out_channels):
        super().__init__(in_channels, out_channels, TAPS, bias=False)

    def forward(self, frames):
        return linear(torch.stack(frames, dim=-1).flatten(-2), self.weight.flatten(1))


class TemporalVideoPose(nn.Module):
    """Windows of normalised 2D (B, receptive_field, J, 2) -> (B, J, 3) metres, camera frame, root-relative: the root is zero.

    The pose is that of the window's middle frame, or, if the network is causal, of its last one. For whole clips see
    ClipLifter. Block i consists of the layers 2 i and 2 i + 1 of `layers_conv` and `layers_bn`, as VideoPose3D names them.
    """

    def __init__(self, receptive_field, causal, dropout, skeleton=H36M_16):
        super().__init__()
        self.receptive_field, self.causal = receptive_field, causal
        self.expand_conv = TemporalConv1d(2 * skeleton.num_joints, WIDTH)
        self.expand_bn = RowBatchNorm(WIDTH)
        self.layers_conv, self.layers_bn = nn.ModuleList(), nn.ModuleList()
        for _ in range(STAGES[receptive_field]):
            self.layers_conv += [TemporalConv1d(WIDTH, WIDTH), PointwiseConv1d(WIDTH, WIDTH, bias=False)]
            self.layers_bn += [RowBatchNorm(WIDTH), RowBatchNorm(WIDTH)]
        self.shrink = PointwiseConv1d(WIDTH, 3 * (skeleton.num_joints - 1))
        self.activate = ReluDropout(dropout)

    @property
    def target(self):
        """The frame of a window whose pose is lifted."""
        return self.receptive_field - 1 if self.causal else self.receptive_field // 2

    def forward(self, windows):
        if windows.ndim != 4 or windows.shape[1] != self.receptive_field:
            raise InputError(f'a lifter of {self.receptive_field} frames cannot lift 2D of shape {tuple(windows.shape)}; it '
                             f'needs windows (B, {self.receptive_field}, J, 2), or clips through ClipLifter')
        return self._lift(windows, strided)[:, 0]

    def frames(self, padded):
        """The dilated form: (T + receptive_field - 1, J, 2), a clip with `padded` ends -> the T poses (T, J, 3)."""
        return self._lift(padded[None], dilated)[0]

    def _lift(self, pose2d, neighbours):
        """(B, frames, J, 2) -> (B, frames with neighbours, J, 3). `neighbours`: `strided` or `dilated`."""
        seen = neighbours(pose2d.flatten(2), 1)
        features = self.activate(self.expand_bn(self.expand_conv(seen)))
        layers = list(zip(self.layers_conv, self.layers_bn))
        for stage, ((conv1, norm1), (conv2, norm2)) in enumerate(zip(layers[::2], layers[1::2])):
            seen = neighbours(features, TAPS ** (stage + 1))
            hidden = self.activate(norm1(conv1(seen)))
            features = seen[-1 if self.causal else 1] + self.activate(norm2(conv2(hidden)))
        return prepend_root(self.shrink(features).flatten(0, 1)).unflatten(0, features.shape[:2])


def strided(rows, _):
    """(B, 3 T, C) -> the first, second and third frame of every three: (B, T, C) each."""
    return rows.unflatten(1, (-1, TAPS)).unbind(2)


def dilated(rows, step):
    """(B, T + 2 step, C) -> for each of T frames, those that lie 0, `step` and 2 `step` frames later: (B, T, C) each."""
    return rows[:, :-2 * step], rows[:, step:-step], rows[:, 2 * step:]


class ClipLifter(nn.Module):
    """A temporal lifter for whole clips: (T, J, 2), the 2D of consecutive frames -> (T, J, 3), a pose for each of them.

    Clips of any length; they are lifted in pieces, so that a long one needs no more memory than a short one.
    """

    def __init__(self, lifter):
        super().__init__()
        self.lifter = lifter

    @property
    def camera(self):
        """The camera whose 2D poses the lifter was trained on; see `camera_of` in common/person_camera.py."""
        return getattr(self.lifter, 'camera', 'image')

    def forward(self, clip):
        context = self.lifter.receptive_field - 1
        padded = stand_still(clip, self.lifter.target, context - self.lifter.target)
        if torch.jit.is_tracing() or torch.compiler.is_compiling():      # an exported file takes clips of any length
            return self.lifter.frames(padded)
        return torch.cat([self.lifter.frames(padded[start:start + PIECE + context]) for start in range(0, len(clip), PIECE)])


def stand_still(clip, before, after):
    """(T, J, 2) -> (before + T + after, J, 2): the first and the last frame are repeated."""
    return torch.cat([clip[:1].expand(before, -1, -1), clip, clip[-1:].expand(after, -1, -1)])


class StreamLifter(nn.Module):
    """A causal lifter for streams: (B, J, 2), the next frame of each of B people -> (B, J, 3), as ClipLifter gives them.

    It remembers the 2D of the last `receptive_field` frames. `forget()` before other people.
    """

    def __init__(self, lifter):
        super().__init__()
        require_causal(lifter)
        self.lifter, self.past = lifter, None

    def forget(self):
        """The next frames are the first ones of their clips."""
        self.past = None

    def forward(self, pose2d):
        now = pose2d[:, None]
        past = now.expand(-1, self.lifter.receptive_field, -1, -1) if self.past is None else self.past
        self.past = torch.cat([past[:, 1:], now], dim=1)
        return self.lifter(self.past)


def require_causal(lifter):
    """InputError for a lifter that needs later frames, which a stream does not have yet."""
    if is_temporal(lifter) and not lifter.causal:
        raise InputError(f'this lifter sees {lifter.receptive_field} frames, also later ones, so it cannot lift a stream; '
                         'train one with --causal, or lift a file without --stream')


def is_temporal(lifter):
    """Whether a lifter needs windows or clips instead of single poses."""
    return isinstance(lifter, TemporalVideoPose)


def for_clips(lifter):
    """The lifter as a function of the frames of a clip, (T, J, 2) -> (T, J, 3); one of single frames is that already."""
    return ClipLifter(lifter) if is_temporal(lifter) else lifter


def without_root(state):
    """Weights of VideoPose3D, which also predict the root, as ours: each joint relative to the predicted root.

    Other weights are returned as they are.
    """
    joints = state['expand_conv.weight'].shape[1] // 2
    outputs = {name: state[name] for name in ('shrink.weight', 'shrink.bias') if isinstance(state.get(name), torch.Tensor)}
    if {len(values) for values in outputs.values() if values.ndim} != {3 * joints}:
        return state
    by_joint = {name: values.unflatten(0, (joints, 3)) for name, values in outputs.items()}
    return {**state, **{name: (values[1:] - values[:1]).flatten(0, 1) for name, values in by_joint.items()}}

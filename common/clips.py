"""Clips: poses of a PoseSet that one camera saw in consecutive frames. Their rows follow each other.

A temporal lifter sees windows of a clip, which are tensors of rows: the poses themselves are stored once, however long the
windows are. Where a set does not number its frames (PoseSet.frame), or every pose has a camera of its own, each pose is a clip.
"""
import torch


def clip_lengths(poses):
    """List of the numbers of poses of the clips, in the order of the rows."""
    starts = torch.cat([starts_of_clips(poses).nonzero().squeeze(1), torch.tensor([len(poses)], device=poses.device)])
    return starts.diff().tolist()


def starts_of_clips(poses):
    """(N,) bool: whether a pose is the first one of its clip."""
    starts = torch.ones(len(poses), dtype=torch.bool, device=poses.device)
    if poses.frame is not None and poses.sequence is not None:
        goes_on = (poses.frame.diff() == 1) & (poses.sequence.diff() == 0)
        starts[1:] = ~(goes_on if poses.camera is None else goes_on & (poses.camera.diff() == 0))
    return starts


def clip_ends(poses):
    """(2, N) int64: for each pose the first and the last row of its clip."""
    lengths = torch.tensor(clip_lengths(poses), device=poses.device)
    after = lengths.cumsum(0)
    return torch.stack([after - lengths, after - 1]).repeat_interleave(lengths, dim=1)


def window_rows(index, ends, receptive_field, causal):
    """(B,) rows of target poses -> (B, receptive_field) rows of the frames around them, or, causal, up to them.

    `ends`: those of `clip_ends`. Before its first and after its last frame a clip stands still.
    """
    before = receptive_field - 1 if causal else receptive_field // 2
    rows = index[:, None] + torch.arange(-before, receptive_field - before, device=index.device)
    first, last = ends[:, index, None].unbind()
    return rows.clamp(first, last)


def pieces_of_clips(poses, count, clips=8):
    """(M,) rows, at most `count` or so: the beginnings of `clips` clips, evenly chosen among those that there are."""
    lengths = clip_lengths(poses)
    chosen = sorted({place * len(lengths) // clips for place in range(clips)})
    starts = torch.tensor([0, *lengths]).cumsum(0).tolist()
    each = max(count // len(chosen), 1)
    return torch.cat([torch.arange(starts[clip], starts[clip] + min(each, lengths[clip])) for clip in chosen])

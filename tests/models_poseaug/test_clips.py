"""The augmentor on clips: what stays the same in a clip, what changes smoothly, and that a clip of one frame is a pose."""
import pytest
import torch

from common.bones import bone_lengths, bone_vectors, unit_bones
from common.camera import root_relative
from golden_recipe import golden
from models_poseaug.augmentor import Augmentor
from models_poseaug.clips import KEY_EVERY, ClipNoise, augment_clips, between_keys, draw_clip_noise

CLIPS, LENGTH, CHOSEN = 4, 16, 9


@pytest.fixture(scope='module')
def augmentor():
    """Untrained: its changes are large."""
    torch.manual_seed(0)
    return Augmentor().double().train()


def noise_of(count, length, seed=0):
    return ClipNoise(*(part.double() for part in draw_clip_noise(count, length, torch.Generator().manual_seed(seed))))


@pytest.fixture(scope='module')
def augmented(augmentor):
    """(source (4, 16, 16, 3), AugmentedPoses): four clips of different poses, each a person who moves through the room."""
    source = golden('pose3d', torch.float64).unflatten(0, (CLIPS, LENGTH))
    with torch.no_grad():
        return source, augment_clips(augmentor, source, noise_of(CLIPS, LENGTH), CHOSEN)


@torch.no_grad()
def test_a_clip_of_one_frame_is_augmented_like_a_pose(augmentor):
    source, noise = golden('pose3d', torch.float64), golden('noise_ba_bl_r_t', torch.float64)
    clips = augment_clips(augmentor, source[:, None], ClipNoise(noise[0, :, None], noise[1], noise[2:]), 0)
    poses = augmentor(source, noise)
    for name in ('ba', 'ba_diff', 'bl', 'rt'):
        torch.testing.assert_close(getattr(clips, name)[:, 0], getattr(poses, name), rtol=0, atol=1e-12)
    for name in ('bl_ratio', 'axis_angle', 'translation'):
        torch.testing.assert_close(getattr(clips, name), getattr(poses, name), rtol=0, atol=1e-12)


def test_a_body_keeps_its_changed_bone_lengths(augmented):
    source, clips = augmented
    ratios = [bone_lengths(bone_vectors(pose.flatten(0, 1))).unflatten(0, (CLIPS, LENGTH)) for pose in (clips.bl, source)]
    ratio = ratios[0] / ratios[1]
    torch.testing.assert_close(ratio, ratio[:, :1].expand_as(ratio))
    assert (ratio - 1).abs().max() > .01 and (ratio[0] - ratio[1]).abs().max() > 1e-3


def test_a_clip_is_turned_and_moved_as_a_whole(augmented):
    """All distances between joints of any two frames stay, and another clip is seen from elsewhere."""
    _, clips = augmented
    distances = [torch.cdist(points, points) for points in (clips.bl.flatten(1, 2), clips.rt.flatten(1, 2))]
    torch.testing.assert_close(*distances, rtol=0, atol=1e-5)     # the rotation's axis is nearly of length one
    assert (clips.axis_angle[0] - clips.axis_angle[1]).norm() > .01
    torch.testing.assert_close(clips.rt[:, CHOSEN, 0], clips.translation[:, 0])


@torch.no_grad()
def test_bl_and_rt_see_the_chosen_frame_alone(augmentor, augmented):
    source, clips = augmented
    noise, frame = noise_of(CLIPS, LENGTH), slice(CHOSEN, CHOSEN + 1)
    alone = augment_clips(augmentor, source[:, frame], noise._replace(ba=noise.ba[:, frame]), 0)
    for name in ('bl_ratio', 'axis_angle', 'translation'):
        torch.testing.assert_close(getattr(alone, name), getattr(clips, name), rtol=0, atol=1e-12)


def test_after_ba_and_bl_people_are_where_they_were(augmented):
    source, clips = augmented
    for poses in (clips.ba, clips.bl):
        assert torch.equal(poses[:, :, 0], source[:, :, 0])


@torch.no_grad()
def test_bones_of_a_person_who_stands_still_turn_smoothly(augmentor):
    still = golden('pose3d', torch.float64)[:2, None].expand(2, 4 * KEY_EVERY, -1, -1)
    clips = augment_clips(augmentor.eval(), still, noise_of(2, 4 * KEY_EVERY), 0)
    augmentor.train()
    directions = unit_bones(bone_vectors(root_relative(clips.ba).flatten(0, 1))).unflatten(0, (2, 4 * KEY_EVERY))
    steps, whole = (directions.diff(dim=1).norm(dim=-1).mean(), (directions - directions[:, :1]).norm(dim=-1).mean())
    assert whole > .2 and steps < .2 * whole


def test_noise_between_keys_is_standard_normal_and_the_keys_themselves_at_the_keys():
    keys = torch.randn(3000, 3, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    track = between_keys(keys, 2 * KEY_EVERY)
    assert track.shape == (3000, 2 * KEY_EVERY, 1)
    for place in (0, 1):
        torch.testing.assert_close(track[:, place * KEY_EVERY], keys[:, place])
    assert (track.std(0) - 1).abs().max() < .06 and track.mean(0).abs().max() < .08
    assert track.diff(dim=1).abs().max() < .5 and track.diff(n=2, dim=1).abs().max() < .1


def test_every_head_has_a_gradient(augmentor):
    clips = augment_clips(augmentor, golden('pose3d', torch.float64).unflatten(0, (CLIPS, LENGTH)), noise_of(CLIPS, LENGTH), 3)
    augmentor.zero_grad()
    clips.rt.square().sum().backward()
    for head in ('bone_angle', 'bone_length', 'rotation', 'translation'):
        assert getattr(augmentor, head).w2.weight.grad.abs().max() > 0, head

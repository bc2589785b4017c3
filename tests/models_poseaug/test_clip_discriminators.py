"""The discriminators of clips: the frames they judge, what each score depends on, what the motion networks are blind to."""
import pytest
import torch

from common.bones import bone_vectors, pose_from_bones
from common.rotation import axis_angle_to_matrix
from common.skeleton import H36M_16
from golden_recipe import poses
from models_baseline import build_lifter
from models_baseline.temporal import STAGES
from models_poseaug.clip_discriminators import FRAMES, clip_discriminators, judged_frames, with_changes

PARTS = list(H36M_16.critic_parts)


@pytest.fixture(scope='module', params=[False, True], ids=['symmetric', 'causal'])
def lifter(request):
    return build_lifter('videopose', receptive_field=9, causal=request.param)


@pytest.fixture(scope='module')
def clips():
    return torch.from_numpy(poses(4 * FRAMES)).double().unflatten(0, (4, FRAMES))


def critics(lifter, kcs='part'):
    torch.manual_seed(0)
    return [critic.double() for critic in clip_discriminators(H36M_16, kcs, lifter)]


@pytest.mark.parametrize('receptive_field', STAGES)
def test_the_lifted_frame_is_the_middle_of_the_judged_ones_or_if_causal_their_last(receptive_field):
    frames = torch.arange(receptive_field)
    for target, place in ((receptive_field // 2, 1), (receptive_field - 1, 2)):
        judged = frames[judged_frames(receptive_field, target)]
        assert len(judged) == FRAMES and judged[place] == target and (judged.diff() == 3).all()


@pytest.mark.parametrize('kcs, scores', [('part', 5), ('whole', 1), ('off', 1)])
@torch.no_grad()
def test_the_first_scores_are_those_of_the_lifted_pose_alone(lifter, clips, kcs, scores):
    critic3d, critic2d = critics(lifter, kcs)
    for critic, seen, count in ((critic3d, clips, scores), (critic2d, clips[..., :2], 1)):
        found = critic(seen)
        assert found.shape == (4, 2 * count)
        assert torch.equal(found[:, :count], critic.pose(seen[:, 2 if lifter.causal else 1]))


@pytest.mark.parametrize('kcs', ['part', 'whole', 'off'])
def test_the_motion_is_judged_in_every_frame(lifter, clips, kcs):
    critic3d, critic2d = critics(lifter, kcs)
    for critic, seen in ((critic3d, clips), (critic2d, clips[..., :2])):
        gradient, = torch.autograd.grad(critic.motion(at := seen.clone().requires_grad_()).sum(), at)
        assert (gradient != 0).any(-1).any(-1).all()


@pytest.mark.parametrize('part', PARTS)
def test_each_body_part_has_a_score_of_its_motion(lifter, clips, part):
    motion = critics(lifter)[0].motion
    vectors = bone_vectors(clips.flatten(0, 1)).requires_grad_()
    scores = motion(pose_from_bones(vectors).unflatten(0, (4, FRAMES)))
    gradient, = torch.autograd.grad(scores[:, PARTS.index(part)].sum(), vectors)
    seen = gradient.abs().amax((0, 2)) > 1e-12
    assert seen.nonzero().flatten().tolist() == sorted(H36M_16.bones(*H36M_16.critic_parts[part]))


@torch.no_grad()
def test_the_3d_motion_is_the_same_from_every_side_and_for_every_body(lifter, clips):
    motion = critics(lifter)[0].motion
    turn = axis_angle_to_matrix(torch.tensor([[.3, -.8, .4]], dtype=torch.float64))
    moved = 1.3 * clips @ turn.transpose(1, 2) + torch.tensor([.1, .2, 2.])
    torch.testing.assert_close(motion(moved), motion(clips), rtol=0, atol=1e-5)


def test_a_row_holds_the_frames_and_their_differences():
    values = torch.arange(2 * FRAMES * 2.).view(2 * FRAMES, 2) ** 2
    expected = [0, 1, 4, 9, 16, 25, 4, 8, 12, 16]
    assert with_changes(values, 2)[0].tolist() == expected

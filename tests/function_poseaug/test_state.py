"""PoseAug's state: the room on the disk that a run needs."""
import torch

from function_poseaug.state import room
from models_poseaug.discriminator import Discriminator2D, Discriminator3D
from refusals import refusal
from trainers import started
from utils.runs.checkpoint import LAST, take_over


def test_a_run_needs_room_for_three_checkpoints_of_its_networks(tmp_path):
    """The last one, the next one while it is being written, and that of the last healthy epoch."""
    args, state, run = started('model_pos', tmp_path)
    for optimizer in (*state.optimizers, state.lifter_optimizer):       # Adam's moments come with the first step
        for parameter in optimizer.param_groups[0]['params']:
            parameter.grad = torch.ones_like(parameter)
        optimizer.step()
    state.epoch0_scores = (1., 2., 3., 4.)
    run.save_last(state.state_dict())
    run.close()
    written = (run.path / LAST).stat().st_size
    args.keep_snapshots = False
    assert 2.5 * written < room(state, args, iterations=0) < 5 * written


def test_a_run_of_clips_whose_discriminators_judged_single_poses_is_not_continued(tmp_path):
    """As they did before there were discriminators of motion."""
    _, state, run = started('model_pos', tmp_path, lifter=('--posenet_name', 'videopose', '--receptive_field', '9'))
    run.close()
    begun = {**state.state_dict(), 'epoch0_scores': (1., 2., 3., 4.)}
    take_over(state, begun, run.path)
    begun.update(model_d3d=Discriminator3D().state_dict(), model_d2d=Discriminator2D().state_dict())
    message = refusal(take_over, state, begun, run.path)
    assert 'which judged single poses' in message and 'from the same baseline (--pretrain_path)' in message

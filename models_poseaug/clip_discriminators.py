"""The discriminators of clips: they judge the lifted pose as a single one is judged, and with further networks its motion.

A clip here is three frames of a window, APART frames apart, the lifted one among them. The motion networks see, in these frames
and as differences between them, the angles between the bones (3D; after the temporal kinematic chain space of Cheng et al.,
"Occlusion-aware networks for 3D human pose estimation in video", ICCV 2019) and the joints in the image (2D). The scores of
pose and motion count alike in the loss.
"""
import torch
from torch import nn

from common.bones import bone_vectors, unit_bones
from common.initialisation import kaiming_linears
from models_poseaug.discriminator import Discriminator2D, Discriminator3D, kinematic_chain_space

FRAMES, APART = 3, 3


def judged_frames(receptive_field, target):
    """The slice of a window that is judged. `target`: the frame that is lifted, the window's middle or last one."""
    last = min(target + FRAMES // 2 * APART, receptive_field - 1)
    return slice(last - (FRAMES - 1) * APART, last + 1, APART)


def clip_discriminators(skeleton, kcs, lifter):
    """The 3D and the 2D discriminator for a temporal lifter, as ClipDiscriminators."""
    lifted = (lifter.target - judged_frames(lifter.receptive_field, lifter.target).start) // APART
    return (ClipDiscriminator(Discriminator3D(skeleton, kcs), Motion3D(skeleton, kcs), lifted),
            ClipDiscriminator(Discriminator2D(skeleton), Motion2D(skeleton), lifted))


class ClipDiscriminator(nn.Module):
    """Clips (B, FRAMES, J, 3 or 2) -> the scores of the frame `lifted` as a pose, and beside them those of the motion."""

    def __init__(self, pose, motion, lifted):
        super().__init__()
        self.pose, self.motion, self.lifted = pose, motion, lifted

    def forward(self, clips):
        return torch.cat([self.pose(clips[:, self.lifted]), self.motion(clips)], dim=1)


class Motion3D(nn.Module):
    """(B, FRAMES, J, 3) poses in any frame -> a score for each body part; `kcs` as for Discriminator3D."""

    def __init__(self, skeleton, kcs='part'):
        super().__init__()
        self.skeleton, self.kcs, count = skeleton, kcs, skeleton.num_bones
        parts = skeleton.critic_parts if kcs == 'part' else {'body': skeleton.names[1:]}
        self.networks = nn.ModuleDict()
        for part, names in parts.items():
            bones = torch.tensor(sorted(skeleton.bones(*names)))
            self.register_buffer(f'pairs_{part}', (bones[:, None] * count + bones).flatten(), persistent=False)
            self.networks[part] = motion_network(3 * count if kcs == 'off' else len(bones) ** 2, 256)

    def forward(self, clips):
        directions = unit_bones(bone_vectors(clips.flatten(0, 1), self.skeleton))
        if self.kcs == 'off':
            return self.networks['body'](with_changes(directions, len(clips)))
        angles = kinematic_chain_space(directions).flatten(1)
        return torch.cat([network(with_changes(angles.index_select(1, getattr(self, f'pairs_{part}')), len(clips)))
                          for part, network in self.networks.items()], dim=1)


class Motion2D(nn.Module):
    """(B, FRAMES, J, 2) poses in normalised image coordinates -> (B, 1) scores."""

    def __init__(self, skeleton):
        super().__init__()
        self.network = motion_network(2 * skeleton.num_joints, 100)

    def forward(self, clips):
        return self.network(with_changes(clips.flatten(0, 1), len(clips)))


def motion_network(size, width):
    """From `size` values in each frame, through `with_changes`, to a score."""
    network = nn.Sequential(nn.Linear((2 * FRAMES - 1) * size, width), nn.LeakyReLU(), nn.Linear(width, width), nn.LeakyReLU(),
                            nn.Linear(width, 100), nn.LeakyReLU(), nn.Linear(100, 1))
    kaiming_linears(network)
    return network


def with_changes(values, count):
    """Values (B FRAMES, ...) of the frames of B = `count` clips -> one row for each clip: these, and their differences."""
    frames = values.unflatten(0, (count, FRAMES))
    return torch.cat([frames, frames.diff(dim=1)], dim=1).flatten(1)

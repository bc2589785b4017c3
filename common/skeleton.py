"""The skeleton as a value: names and parents, from which every index, matrix and grouping is derived by joint NAME.

Convention (Human3.6M, 16 joints): a joint hangs from its parent; bone b ends in joint b + 1 and carries that joint's
name; a bone's vector is PARENT MINUS CHILD. No joint number but the root's, 0, is written elsewhere.
"""
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Skeleton:
    """Joint names and the parent of each joint (by name; None for the root, which comes first)."""
    names: tuple
    parent_names: tuple

    @cached_property
    def parents(self):
        """Parent index per joint, -1 for the root."""
        return tuple(-1 if name is None else self.names.index(name) for name in self.parent_names)

    @property
    def num_joints(self):
        return len(self.names)

    @property
    def num_bones(self):
        return len(self.names) - 1

    @cached_property
    def edges(self):
        """(joint, parent) index pairs, one per bone, in bone order."""
        return tuple((joint, parent) for joint, parent in enumerate(self.parents) if parent >= 0)

    def joints(self, *names):
        """Indices of the named joints, in the order given."""
        return [self.names.index(name) for name in names]

    def bones(self, *names):
        """Indices of the bones that end in the named joints."""
        return [self.names.index(name) - 1 for name in names]

    @cached_property
    def bone_matrix(self):
        """(bones, joints): bone vectors = bone_matrix @ pose, parent minus child."""
        matrix = np.zeros((self.num_bones, self.num_joints), dtype=np.float32)
        for joint, parent in self.edges:
            matrix[joint - 1, parent], matrix[joint - 1, joint] = 1, -1
        return matrix

    @cached_property
    def chain_matrix(self):
        """(joints, bones): root-relative pose = chain_matrix @ bone vectors.

        Minus one for each bone on the way to the root.
        """
        matrix = np.zeros((self.num_joints, self.num_bones), dtype=np.float32)
        for joint, parent in self.edges:
            matrix[joint] = matrix[parent]
            matrix[joint, joint - 1] = -1
        return matrix

    @cached_property
    def mirror(self):
        """Joint permutation that exchanges left and right."""
        return [self.names.index(_other_side(name)) for name in self.names]

    @cached_property
    def bone_mirror(self):
        """Bone permutation that exchanges left and right."""
        return [joint - 1 for joint in self.mirror[1:]]

    @cached_property
    def symmetric_pairs(self):
        """(right, left) joint index pairs."""
        return tuple((j, m) for j, m in enumerate(self.mirror) if _side(self.names[j]) == 'R')

    @cached_property
    def bone_groups(self):
        """Group of each bone: left and right share one, numbered by first appearance (9 groups for H36M_16)."""
        kinds = [_without_side(name) for name in self.names[1:]]
        order = list(dict.fromkeys(kinds))
        return [order.index(kind) for kind in kinds]

    @cached_property
    def left_joints(self):
        return [j for j, name in enumerate(self.names) if _side(name) == 'L']

    @cached_property
    def right_joints(self):
        return [j for j, name in enumerate(self.names) if _side(name) == 'R']

    @cached_property
    def adjacency(self):
        """(joints, joints) symmetric 0/1 matrix of the bones, without self-loops."""
        matrix = np.zeros((self.num_joints, self.num_joints), dtype=np.float32)
        for joint, parent in self.edges:
            matrix[joint, parent] = matrix[parent, joint] = 1
        return matrix

    def hops_from(self, name):
        """Number of bones between each joint and the named one, walking `adjacency`."""
        distance = {self.names.index(name): 0}
        frontier = list(distance)
        while frontier:
            joint = frontier.pop(0)
            for other in np.flatnonzero(self.adjacency[joint]):
                if other not in distance:
                    distance[int(other)] = distance[joint] + 1
                    frontier.append(int(other))
        return [distance[j] for j in range(self.num_joints)]


def _side(name):
    """'L' or 'R' of a name like 'LHip', '' of one like 'Root'."""
    return name[0] if name[0] in 'LR' and name[1:2].isupper() else ''


def _without_side(name):
    return name[1:] if _side(name) else name


def _other_side(name):
    return {'L': 'R', 'R': 'L', '': ''}[_side(name)] + _without_side(name)


H36M_16 = Skeleton(
    names=('Hip', 'RHip', 'RKnee', 'RFoot', 'LHip', 'LKnee', 'LFoot', 'Spine', 'Thorax', 'Head',
           'LShoulder', 'LElbow', 'LWrist', 'RShoulder', 'RElbow', 'RWrist'),
    parent_names=(None, 'Hip', 'RHip', 'RKnee', 'Hip', 'LHip', 'LKnee', 'Hip', 'Spine', 'Thorax',
                  'Thorax', 'LShoulder', 'LElbow', 'Thorax', 'RShoulder', 'RElbow'))

# Human3.6M's 17 moving joints: the same with Neck (also called Nose) between Thorax and Head.
H36M_17 = Skeleton(
    names=('Hip', 'RHip', 'RKnee', 'RFoot', 'LHip', 'LKnee', 'LFoot', 'Spine', 'Thorax', 'Neck', 'Head',
           'LShoulder', 'LElbow', 'LWrist', 'RShoulder', 'RElbow', 'RWrist'),
    parent_names=(None, 'Hip', 'RHip', 'RKnee', 'Hip', 'LHip', 'LKnee', 'Hip', 'Spine', 'Thorax', 'Neck',
                  'Thorax', 'LShoulder', 'LElbow', 'Thorax', 'RShoulder', 'RElbow'))

# Where the 17 stand among the 32 of Human3.6M's files, in the order of H36M_17.
H36M_32_NUM_JOINTS = 32
H36M_17_IN_32 = dict(zip(H36M_17.names, (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)))
H36M_16_IN_32 = [H36M_17_IN_32[name] for name in H36M_16.names]
H36M_16_IN_17 = H36M_17.joints(*H36M_16.names)

# SPIN's 24 joints that are ours, and the same by name for the 3DHP file (DATASETS.md has the table).
SPIN_24 = dict(Hip=14, RHip=2, RKnee=1, RFoot=0, LHip=3, LKnee=4, LFoot=5, Spine=16, Thorax=12, Head=18,
               LShoulder=9, LElbow=10, LWrist=11, RShoulder=8, RElbow=7, RWrist=6)
H36M_16_IN_SPIN_24 = [SPIN_24[name] for name in H36M_16.names]

# The official protocol of MPI-INF-3DHP scores 14 joints: neither pelvis nor spine.
OFFICIAL_14 = H36M_16.joints(*(name for name in H36M_16.names if name not in ('Hip', 'Spine')))

"""Skeletons: joint names and parents. Joint indices, bone matrices and groups of bones are derived from the names.

Conventions: the root is the first joint. A bone runs from a joint's parent to the joint; bone b ends in joint b + 1 and
has that joint's name. A bone's vector is PARENT MINUS CHILD (PoseAug's sign). The names of a left and a right joint differ
only in a leading L or R (LKnee, RKnee). No other module contains indices of these joints, except 0 for the root.
"""
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Skeleton:
    """Joint names, the parent of each joint, and settings of PoseAug and ST-GCN that do not follow from these.

    `names`, `parent_names`: one per joint; the root comes first and has the parent None; parents precede children.
    `backbone`: bones whose direction BA does not change. `fixed_length`: bones whose length BL does not change.
    `critic_parts`: body part -> bones that its branch of the 3D discriminator ("critic") sees.
    `feedback_groups`: groups of joints in the lifter's feedback, each a dict joint -> weight of its error.
    `graph_parts`: body part -> joints that ST-GCN pools into it. `graph_centre`: joint from which ST-GCN counts distances
    in the graph. `completed`: the skeleton on which ST-GCN works, if it needs more joints than this one; each additional
    joint is the midpoint of its parent and its child.
    """
    names: tuple
    parent_names: tuple
    backbone: tuple = ()
    fixed_length: tuple = ()
    critic_parts: Mapping = field(default_factory=dict, hash=False)
    feedback_groups: tuple = field(default=(), hash=False)
    graph_parts: Mapping = field(default_factory=dict, hash=False)
    graph_centre: str = ''
    completed: 'Skeleton' = None

    @cached_property
    def parents(self):
        """Index of each joint's parent, -1 for the root."""
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
        """(joints, bones): root-relative pose = chain_matrix @ bone vectors; -1 for each bone between joint and root."""
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
        """Group index of each bone, numbered by first appearance. A left bone and the same bone on the right share a group."""
        kinds = [_without_side(name) for name in self.names[1:]]
        order = list(dict.fromkeys(kinds))
        return [order.index(kind) for kind in kinds]

    @property
    def num_groups(self):
        """Number of bone groups (9 for H36M_16)."""
        return max(self.bone_groups) + 1

    @cached_property
    def fixed_groups(self):
        """The groups of the bones in `fixed_length`."""
        return [self.bone_groups[bone] for bone in self.bones(*self.fixed_length)]

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

    def completion_matrix(self):
        """(joints of `completed`, joints): copies this skeleton's joints and adds the midpoints; see `completed`."""
        whole = self.completed or self
        matrix = np.zeros((whole.num_joints, self.num_joints), dtype=np.float32)
        for row, name in zip(matrix, whole.names):
            sources = (name,) if name in self.names else whole.neighbours(name)
            row[self.joints(*sources)] = 1 / len(sources)
        return matrix

    def neighbours(self, name):
        """The names of a joint's parent and children."""
        children = [child for child, parent in zip(self.names, self.parent_names) if parent == name]
        return (self.parent_names[self.names.index(name)], *children)

    def hops_from(self, name):
        """Number of bones between each joint and the named one."""
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


_LIMBS = dict(left_arm=('LShoulder', 'LElbow', 'LWrist'), right_arm=('RShoulder', 'RElbow', 'RWrist'),
              left_leg=('LHip', 'LKnee', 'LFoot'), right_leg=('RHip', 'RKnee', 'RFoot'))


def _human36m(torso_to_head, **options):
    """Human3.6M's skeleton; `torso_to_head` are the joints above Thorax, each the parent of the next."""
    arms = [side + joint for side in 'LR' for joint in ('Shoulder', 'Elbow', 'Wrist')]
    above = ('Thorax', *torso_to_head)
    return Skeleton(
        names=('Hip', 'RHip', 'RKnee', 'RFoot', 'LHip', 'LKnee', 'LFoot', 'Spine', *above, *arms),
        parent_names=(None, 'Hip', 'RHip', 'RKnee', 'Hip', 'LHip', 'LKnee', 'Hip', 'Spine', *above[:-1],
                      'Thorax', 'LShoulder', 'LElbow', 'Thorax', 'RShoulder', 'RElbow'),
        backbone=('Spine', 'Thorax'), fixed_length=('Thorax',),
        # PoseAug: the reference calls the third branch the left leg and the fourth the right leg; here they are named after
        # their joints. Each leg's branch also sees the hip bone of the other side. The columns of the critic's output have
        # this order.
        critic_parts=dict(left_arm=('Thorax', 'LShoulder', 'LElbow', 'LWrist'),
                          right_arm=('Thorax', 'RShoulder', 'RElbow', 'RWrist'),
                          right_leg=('RHip', 'RKnee', 'RFoot', 'LHip', 'Spine'),
                          left_leg=('RHip', 'LHip', 'LKnee', 'LFoot', 'Spine'),
                          torso=('RHip', 'LHip', 'Spine', *above, 'LShoulder', 'RShoulder')),
        # PoseAug: three groups by distance from the trunk. Hip, Spine and Thorax are in no group; Head, and Neck if the
        # skeleton has it, are in the group of the knees and elbows, with a smaller weight.
        feedback_groups=(dict(RHip=5, LHip=5, LShoulder=5, RShoulder=5),
                         dict(RKnee=2, LKnee=2, LElbow=2, RElbow=2, **dict.fromkeys(torso_to_head, 1)),
                         dict(RFoot=1, LFoot=1, LWrist=1, RWrist=1)),
        graph_parts=dict(_LIMBS, torso=('Hip', 'Spine', *above)), graph_centre='Spine', **options)


# Human3.6M's 17 moving joints. Neck (also called Nose) lies between Thorax and Head.
H36M_17 = _human36m(('Neck', 'Head'))
# PoseAug's 16 joints: the same without Neck.
H36M_16 = _human36m(('Head',), completed=H36M_17)

# MPI-INF-3DHP's official protocol scores 14 joints: these 16 without Hip and Spine.
OFFICIAL_14_NAMES = tuple(name for name in H36M_16.names if name not in ('Hip', 'Spine'))


def official_14(skeleton):
    """Indices of the official 14 joints in a skeleton that contains all of them."""
    return [joint for joint, name in enumerate(skeleton.names) if name in OFFICIAL_14_NAMES]

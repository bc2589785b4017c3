"""Forward kinematics of a body: bone lengths and joint angles -> joint positions; inverse kinematics for hands and feet.

Frames and units
    world    metres, z up
    person   x forward, y left, z up; in the rest pose the person stands upright with hanging arms
    angles   degrees. Trunk joints: (twist to the left, bend forward, tilt to the right). Angles of limbs are defined for
             the LEFT side and mirrored for the right side. Arrays of limbs have a side axis, left first.
The joints are Human3.6M's 16 (common.skeleton.H36M_16). Shoulder angles follow the ISB's recommendation (Wu et al.,
J. Biomech. 38, 2005): plane of elevation, elevation, axial rotation.
"""
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from common.skeleton import H36M_16

SIDES = ('L', 'R')
MIRROR = np.array([1.0, -1.0])                          # left, right: sign of the angles that mirroring inverts
ARM = [[H36M_16.names.index(side + joint) for side in SIDES] for joint in ('Shoulder', 'Elbow', 'Wrist')]
LEG = [[H36M_16.names.index(side + joint) for side in SIDES] for joint in ('Hip', 'Knee', 'Foot')]
HIP, SPINE, THORAX, HEAD = H36M_16.joints('Hip', 'Spine', 'Thorax', 'Head')

# Bone directions of the rest pose: the lumbar spine leans forward and the chest backward (lordosis, kyphosis), the head
# is in front of the base of the neck, and the shoulder joints are slightly below and behind it.
REST_SPINE = np.array([0.08, 0.0, 1.0])
REST_CHEST = np.array([-0.06, 0.0, 1.0])
REST_HEAD = np.array([0.15, 0.0, 0.98])
REST_SHOULDER = np.array([-0.10, 1.0, -0.24])
# Direction of the left elbow when the hand is moved to a target: out, down and slightly back, in the chest's frame.
ELBOW_ASIDE = np.array([-0.3, 0.7, -0.6])
DOWN, FORWARD, LEFT = np.array([0, 0, -1.0]), np.array([1.0, 0, 0]), np.array([0, 1.0, 0])

# Minimum height of each joint's centre above the floor in metres: the soft tissue below it and, for the ankle, the height
# of the foot (0.039 of the stature: Drillis & Contini 1966).
CLEARANCE = dict(Foot=0.07, Knee=0.06, Hip=0.10, Spine=0.11, Thorax=0.10, Head=0.06, Shoulder=0.08, Elbow=0.05,
                 Wrist=0.04)


class Body(NamedTuple):
    """Bone `lengths` (15,) in metres, in the order of H36M_16's bones, equal on both sides."""
    lengths: np.ndarray

    def length(self, joint):
        """Length in metres of the bone that ends in `joint`."""
        return self.lengths[H36M_16.bones(joint)[0]]

    @property
    def arm(self):
        """Length of the stretched arm from shoulder to wrist, in metres."""
        return self.length('LElbow') + self.length('LWrist')


@dataclass
class Motion:
    """Joint angles of a person in T frames; angles in degrees as defined at the top of the file.

    place (T, 2): x, y of the pelvis in world metres; lift (T,): height of the lowest joint above the floor, metres
    pelvis, lumbar, chest, neck (T, 3): twist, bend, tilt, relative to the previous joint (pelvis: to the world)
    girdle (T, 2, 2): elevation and protraction (forward movement) of the shoulder
    arms (T, 2, 4): plane of elevation (0 sideways, 90 forward), elevation, internal rotation, elbow flexion
    legs (T, 2, 4): hip flexion, abduction, internal rotation, knee flexion
    hands (T, 2, 3): targets of the wrists relative to Thorax, chest frame, in arm lengths
    feet (T, 2, 3): targets of the ankles, world metres, z above the height of a standing ankle
    hand_pull, foot_pull (T, 2): from 0 (follow the angles) to 1 (reach the target)
    """
    place: np.ndarray
    lift: np.ndarray
    pelvis: np.ndarray
    lumbar: np.ndarray
    chest: np.ndarray
    neck: np.ndarray
    girdle: np.ndarray
    arms: np.ndarray
    legs: np.ndarray
    hands: np.ndarray
    hand_pull: np.ndarray
    feet: np.ndarray
    foot_pull: np.ndarray

    @classmethod
    def rest(cls, frames):
        """A Motion of `frames` frames in the rest pose: all angles and positions are zero."""
        shapes = dict(place=(2,), lift=(), pelvis=(3,), lumbar=(3,), chest=(3,), neck=(3,), girdle=(2, 2), arms=(2, 4),
                      legs=(2, 4), hands=(2, 3), hand_pull=(2,), feet=(2, 3), foot_pull=(2,))
        return cls(**{field.name: np.zeros((frames,) + shapes[field.name]) for field in fields(cls)})


def rotation(axis, angle):
    """Rotation matrices (..., 3, 3) by `angle` (...) degrees about the axis 'x', 'y' or 'z'."""
    a, b = {'x': (1, 2), 'y': (2, 0), 'z': (0, 1)}[axis]
    matrix = np.zeros(np.shape(angle) + (3, 3))
    matrix[..., range(3), range(3)] = 1
    matrix[..., a, a] = matrix[..., b, b] = np.cos(np.radians(angle))
    matrix[..., b, a] = np.sin(np.radians(angle))
    matrix[..., a, b] = -matrix[..., b, a]
    return matrix


def trunk_rotation(angles):
    """Angles (T, 3) twist, bend, tilt -> rotation matrices (T, 3, 3)."""
    return rotation('z', angles[:, 0]) @ rotation('y', angles[:, 1]) @ rotation('x', angles[:, 2])


def upper_arm_rotation(arms):
    """Angles of arms (T, 2, 4) -> rotation matrices (T, 2, 3, 3) in the chest's frame.

    With internal rotation 0 the hanging arm is raised by the shortest rotation.
    """
    plane, elevation, internal = (arms[..., i] * MIRROR for i in range(3))
    return rotation('z', -plane) @ rotation('x', elevation) @ rotation('z', plane - internal)


def thigh_rotation(legs):
    """Angles of legs (T, 2, 4) -> rotation matrices (T, 2, 3, 3) in the pelvis's frame."""
    return (rotation('y', -legs[..., 0]) @ rotation('x', legs[..., 1] * MIRROR)
            @ rotation('z', -legs[..., 2] * MIRROR))


def shoulder_direction(girdle, arms):
    """Angles (T, 2, 2) and (T, 2, 4) -> (T, 2, 3) unit vectors from Thorax to the shoulder joint, chest frame.

    A raised arm moves its shoulder: from 30 to 180 degrees of arm elevation the collar bone rises by about 30 degrees
    (Inman, Saunders & Abbott 1944), and it moves forward with the arm.
    """
    plane, elevation = np.radians(arms[..., 0]), arms[..., 1]
    raised = girdle[..., 0] + np.maximum(elevation - 30, 0) / 5
    drawn = girdle[..., 1] + np.sin(plane) * np.sin(np.radians(elevation)) * 15
    return turn(rotation('z', -drawn * MIRROR) @ rotation('x', raised * MIRROR), both_sides(unit(REST_SHOULDER)))


def turn(matrix, vector):
    """Rotate vectors: matrices (..., 3, 3), vectors (..., 3) -> (..., 3)."""
    return np.einsum('...ij,...j->...i', matrix, vector)


def both_sides(vector):
    """Vector (3,) of the left side -> (2, 3): left and mirrored right."""
    return np.stack([vector, vector * [1, -1, 1]])


def unit(vector):
    return vector / np.linalg.norm(vector, axis=-1, keepdims=True)


def bend_to(start, target, lengths, hint):
    """Two-bone inverse kinematics: `start`, `target` (..., 3) and two lengths -> middle and end joint, each (..., 3).

    The middle joint lies on the side of the line from start to target to which `hint` (..., 3) points. The flexion is
    limited to 3 to 150 degrees: targets too far or too near are only approached.
    """
    first, second = lengths
    span = np.sqrt(first ** 2 + second ** 2 + 2 * first * second * np.cos(np.radians([150, 3])))
    offset = target - start
    distance = np.linalg.norm(offset, axis=-1, keepdims=True)
    line = offset / np.maximum(distance, 1e-6)
    distance = np.clip(distance, *span)
    along = (first ** 2 - second ** 2 + distance ** 2) / (2 * distance)
    aside = unit(hint - (hint * line).sum(-1, keepdims=True) * line)
    return start + along * line + np.sqrt(first ** 2 - along ** 2) * aside, start + distance * line


def _trunk(motion, body, pose):
    """Set the trunk joints of `pose`, pelvis at the origin; returns the rotations (T, 3, 3) of pelvis and chest."""
    pelvis = trunk_rotation(motion.pelvis)
    loin = pelvis @ trunk_rotation(motion.lumbar)
    chest = loin @ trunk_rotation(motion.chest)
    head = chest @ trunk_rotation(motion.neck)
    bones = ((SPINE, HIP, loin, REST_SPINE), (THORAX, SPINE, chest, REST_CHEST), (HEAD, THORAX, head, REST_HEAD))
    for joint, parent, frame, rest in bones:
        pose[:, joint] = pose[:, parent] + frame @ unit(rest) * body.lengths[joint - 1]
    return pelvis, chest


def _limb(pose, joints, frame, hinge, lengths):
    """Set middle and end joint of a limb: `frame` (T, 2, 3, 3) rotates the upper bone, `hinge` (T, 2) is the bend."""
    _, middle, end = joints
    pose[:, middle] = pose[:, joints[0]] + frame @ DOWN * lengths[0]
    pose[:, end] = pose[:, middle] + (frame @ rotation('y', hinge)) @ DOWN * lengths[1]


def _pull(pose, joints, targets, pull, hint, lengths):
    """Move the end of a limb towards `targets` (T, 2, 3) by the fraction `pull` (T, 2); 0 changes nothing."""
    start, middle, end = (pose[:, joint] for joint in joints)
    goal = end + pull[..., None] * (targets - end)
    bent_middle, bent_end = bend_to(start, goal, lengths, hint)
    moved = pull[..., None] > 0
    pose[:, joints[1]] = np.where(moved, bent_middle, middle)
    pose[:, joints[2]] = np.where(moved, bent_end, end)


def _elbow_hint(motion, chest, upper_arm):
    """(T, 2, 3) direction of the elbow: from the arm's angles (pull 0) to ELBOW_ASIDE (pull 1)."""
    pull = motion.hand_pull[..., None]
    return (1 - pull) * (upper_arm @ -FORWARD) + pull * turn(chest[:, None], both_sides(ELBOW_ASIDE))


def _floor_gap(pose):
    """(T, 16, 3) -> (T,) metres: smallest height of a joint above its minimum height (CLEARANCE)."""
    clearance = np.array([CLEARANCE[name.lstrip('LR') or name] for name in H36M_16.names])
    return (pose[..., 2] - clearance).min(axis=-1)


def pose_body(motion, body):
    """Motion -> (T, 16, 3) world metres: applies the angles, puts the body on the floor, then moves feet and hands."""
    pose = np.zeros((len(motion.lift), H36M_16.num_joints, 3))
    pelvis, chest = _trunk(motion, body, pose)
    thigh = pelvis[:, None] @ thigh_rotation(motion.legs)
    upper_arm = chest[:, None] @ upper_arm_rotation(motion.arms)
    arm_lengths = body.lengths[H36M_16.bones('LElbow', 'LWrist')]
    leg_lengths = body.lengths[H36M_16.bones('LKnee', 'LFoot')]

    pose[:, LEG[0]] = (pelvis @ LEFT)[:, None] * MIRROR[:, None] * body.length('LHip')
    shoulders = turn(chest[:, None], shoulder_direction(motion.girdle, motion.arms))
    pose[:, ARM[0]] = pose[:, [THORAX]] + shoulders * body.length('LShoulder')
    _limb(pose, LEG, thigh, motion.legs[..., 3], leg_lengths)
    _limb(pose, ARM, upper_arm, -motion.arms[..., 3], arm_lengths)

    pose[..., :2] += motion.place[:, None]
    pose[..., 2] += (motion.lift - _floor_gap(pose))[:, None]
    ankles = motion.feet + [0, 0, CLEARANCE['Foot']]
    _pull(pose, LEG, ankles, motion.foot_pull, thigh @ (FORWARD + DOWN), leg_lengths)
    wrists = pose[:, [THORAX]] + turn(chest[:, None], motion.hands) * body.arm
    _pull(pose, ARM, wrists, motion.hand_pull, _elbow_hint(motion, chest, upper_arm), arm_lengths)
    return pose

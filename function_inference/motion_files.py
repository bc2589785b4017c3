"""Writing a person's motion: npz and json in the camera frame, BVH for Blender and other animation programs.

npz and json hold the camera frame in metres, BVH the upright frame (function_inference.room) in centimetres.
"""
import json
import warnings
from functools import cache

import numpy as np

from common.errors import InputError
from common.files.atomic import written_whole
from common.files.npz import save_npz
from function_inference.motion import at_constant_rate
from function_inference.room import level, on_floor

CENTIMETRES = 100
END_CM = 5               # length of the end sites, so that programs can draw the last bones
TINY = 1e-9

# BVH's rest pose is a T-pose that faces along z, left arm along x: the direction of the bone that ends in each joint
_REST = {name: np.array(direction) for direction, names in {
    (0, 1, 0): ('LowerSpine', 'Spine', 'Chest', 'Thorax', 'Neck', 'Head'), (0, -1, 0): ('RKnee', 'RFoot', 'LKnee', 'LFoot'),
    (0, 0, 1): ('LToe', 'RToe'), (1, 0, 0): ('LHip', 'LCollar', 'LShoulder', 'LElbow', 'LWrist', 'LHand'),
    (-1, 0, 0): ('RHip', 'RCollar', 'RShoulder', 'RElbow', 'RWrist', 'RHand'),
}.items() for name in names}
# A BVH joint rotates all bones that start in it together. Where several bones start, each gets an extra joint of its own
# at the same place, as in the BVH files of CMU's motion capture.
_OWN_JOINT = dict(RHip='RHipJoint', LHip='LHipJoint', LowerSpine='Pelvis', Spine='LowerBack', Thorax='LowerNeck',
                  Neck='LowerNeck', Head='Neck', LCollar='LClavicle', RCollar='RClavicle', LShoulder='LCollar',
                  RShoulder='RCollar')


def require_motion(motion):
    """InputError unless the Motion has frames, finite coordinates, a valid frame rate and increasing times."""
    if not len(motion.pose3d_rel):
        raise InputError(f'{motion.person} has no frames, so there is nothing to write')
    if not all(np.isfinite(each).all() for each in (motion.pose3d_rel, motion.pose2d_px, motion.root_cam)):
        raise InputError(f'{motion.person} has joints that are NaN or inf; give finite keypoints')
    if not 0 < motion.fps < np.inf:
        raise InputError(f'{motion.person} has {motion.fps} frames per second; give the true frame rate')
    if not (np.isfinite(motion.time).all() and (np.diff(motion.time) > 0).all()):
        raise InputError(f'{motion.person} has frames whose times do not increase; give the frame rate with --fps')


def write_npz(path, motion):
    """Write the fields of the Motion, and the joints' names and parents (-1 for the root)."""
    require_motion(motion)
    arrays = motion._asdict()
    skeleton = arrays.pop('skeleton')
    save_npz(path, joints=np.array(skeleton.names), parents=np.array(skeleton.parents), **arrays)


def write_json(path, motion):
    """Write the same as lists [frame][joint][coordinate], metres rounded to four digits and pixels to two."""
    require_motion(motion)
    content = dict(
        person=motion.person, fps=float(motion.fps), width=int(motion.width), height=int(motion.height),
        frames=len(motion.pose3d_rel), joints=motion.skeleton.names, parents=motion.skeleton.parents,
        tilt_deg=float(motion.tilt_deg), roll_deg=float(motion.roll_deg),
        units=dict(pose3d_rel='metres, relative to the hip; x right, y down, z forward, as the camera sees it',
                   pose2d_px='pixels; x right, y down, from the upper left corner of the image',
                   guessed='true where the joint was missing or unsure in the frame: interpolated, or the guess of the '
                           'detector',
                   time='seconds from the first frame',
                   root_cam='metres; place of the hip in the same frame, from the camera; all zero: unknown',
                   tilt_deg='degrees by which the camera looked down',
                   roll_deg='degrees by which upright people lean to the right in the image'),
        time=rounded(motion.time, 6),
        pose3d_rel=rounded(motion.pose3d_rel, 4), root_cam=rounded(motion.root_cam, 4),
        pose2d_px=rounded(motion.pose2d_px, 2), guessed=np.asarray(motion.guessed, dtype=bool).tolist())
    with written_whole(path) as partial:
        partial.write_text(json.dumps(content, allow_nan=False), encoding='utf-8')


def rounded(array, digits):
    return np.asarray(array, dtype=np.float64).round(digits).tolist()


def write_bvh(path, motion):
    """Write BVH in centimetres, y up, the person upright on the floor.

    Bones keep their median lengths: their directions are exact, the joints' positions approximate. Uneven frames are
    interpolated at a constant rate. In Blender: File > Import > Motion Capture, with scale 0.01 for metres.
    """
    require_motion(motion)
    motion = at_constant_rate(motion)
    skeleton = motion.skeleton
    directions, lengths = _bones(level(motion.pose3d_rel, motion.tilt_deg, motion.roll_deg), skeleton)
    offsets = {name: lengths[bone] * _REST[name] * CENTIMETRES for bone, name in enumerate(skeleton.names[1:])}
    table = np.hstack([_root_cm(directions, lengths, motion), *_local_angles(directions, skeleton)])
    with written_whole(path) as partial, open(partial, 'w', encoding='ascii') as file:
        file.write('\n'.join(['HIERARCHY', *_joint_lines('Hip', offsets, skeleton), 'MOTION', f'Frames: {len(table)}',
                              f'Frame Time: {1 / motion.fps:.9f}']) + '\n')
        np.savetxt(file, table, fmt='%.4f')


def _bones(pose3d, skeleton):
    """(T, 16, 3) -> (T, 15, 3) unit vectors from parent to child, zero for a zero length; (15,) median lengths."""
    vectors = -skeleton.bone_matrix.astype(np.float64) @ pose3d
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.maximum(lengths, TINY), np.median(lengths, axis=0).squeeze(-1)


def _root_cm(directions, lengths, motion):
    """(T, 3) centimetres: position of the hip, for bones of median length."""
    root = level(motion.root_cam, motion.tilt_deg, motion.roll_deg)[:, None]
    return on_floor(root - motion.skeleton.chain_matrix @ (directions * lengths[:, None]), motion)[:, 0] * CENTIMETRES


@cache
def _bvh_parents(skeleton):
    """BVH joint -> its parent (None for the root), in the order of the file."""
    parents = {}
    for name, parent in zip(skeleton.names, skeleton.parent_names):
        turning = _turning_joint(name, parent, skeleton)
        if turning != parent:
            parents[turning] = parent
        parents[name] = turning
    return {name: parents[name] for name in _below(skeleton.names[0], parents)}


def _below(name, parents):
    """The joint and all joints below it, each chain to its end, as they stand in the file."""
    children = [child for child, parent in parents.items() if parent == name]
    return [name] + [joint for child in children for joint in _below(child, parents)]


def _turning_joint(name, parent, skeleton):
    """The BVH joint that turns the bone from `parent` to the joint `name`: the parent, or an extra joint at its place."""
    return _OWN_JOINT[name] if parent is not None and skeleton.parent_names.count(parent) > 1 else parent


def _joint_lines(name, offsets, skeleton, depth=0):
    """Lines of a joint and its descendants; `offsets`: name -> (3,) centimetres from the parent, zero if left out."""
    parents = _bvh_parents(skeleton)
    children = [child for child, parent in parents.items() if parent == name]
    lines = [f'{"JOINT" if depth else "ROOT"} {name}', '{',
             '\tOFFSET ' + _numbers(offsets.get(name, np.zeros(3))),
             '\tCHANNELS ' + ('3' if depth else '6 Xposition Yposition Zposition') + ' Zrotation Xrotation Yrotation']
    for child in children:
        lines += _joint_lines(child, offsets, skeleton, depth + 1)
    if not children:
        lines += ['\tEnd Site', '\t{', '\t\tOFFSET ' + _numbers(_REST[name] * END_CM), '\t}']
    return [('\t' if depth else '') + line for line in [*lines, '}']]


def _numbers(vector):
    return ' '.join(f'{number:.4f}' for number in vector)


def _local_angles(directions, skeleton):
    """List of (T, 3) Euler angles in degrees, intrinsic ZXY: the rotation of each BVH joint relative to its parent.

    The angles are unwrapped over time, so they do not jump by 360 degrees.
    """
    turns, angles = _turns(directions, skeleton), []
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', message='Gimbal lock')      # any of the solutions is right
        for name, parent in _bvh_parents(skeleton).items():
            local = turns[name] if parent is None else turns[parent].inv() * turns[name]
            angles.append(np.unwrap(local.as_euler('ZXY', degrees=True), period=360, axis=0))
    return angles


def _turns(directions, skeleton):
    """BVH joint -> Rotation (T) from the rest pose to the upright frame.

    Hip and Thorax (of SMPL: Chest) follow the lines between the hips and the shoulders. Every other joint starts from its
    parent's rotation and turns by the smallest angle that aligns its bone; Spine starts from Thorax's, so that the ribs twist
    with the shoulders. Limbs get no other twist about their own axis, as joint positions do not show it.
    """
    bones = dict(zip(skeleton.names[1:], directions.swapaxes(0, 1)))
    above_hip, top = skeleton.neighbours('Hip')[-1], _top_of_trunk(skeleton)
    left, right = skeleton.neighbours(top)[-2:]
    turns = {'Hip': _torso_turn(bones['LHip'] - bones['RHip'], bones[above_hip]),
             top: _torso_turn(bones[left] - bones[right], bones[top])}
    parents = _bvh_parents(skeleton)
    for name, parent in zip(skeleton.names[1:], skeleton.parent_names[1:]):
        joint = _turning_joint(name, parent, skeleton)
        before = turns[top if name == top else parents[joint]]
        turns[joint] = _aimed(before, _REST[name], bones[name])
    return {name: turns.get(name, turns.get(parent)) for name, parent in parents.items()}      # an end joint follows its parent


def _top_of_trunk(skeleton):
    """The joint in which both arms start: Thorax, or SMPL's Chest."""
    return next(name for name in skeleton.names[1:] if skeleton.parent_names.count(name) > 1)


def _torso_turn(across, up):
    """Rotation (T) that maps x to the direction `across` (T, 3), and y as close to `up` (T, 3) as possible."""
    axes, triangle = np.linalg.qr(np.stack([across, up], axis=-1))
    signs = np.where(np.diagonal(triangle, axis1=-2, axis2=-1) < 0, -1, 1)
    x, y = (axes * signs[:, None]).transpose(2, 0, 1)
    from scipy.spatial.transform import Rotation  # slow to import and needed for BVH only
    return Rotation.from_matrix(np.stack([x, y, np.cross(x, y)], axis=-1))


def _aimed(before, rest, direction):
    """Rotation (T): `before`, then the smallest one that makes `rest` (3,) point along `direction` (T, 3)."""
    carried = before.apply(rest)
    normal = np.cross(carried, direction)
    sine, cosine = np.linalg.norm(normal, axis=-1, keepdims=True), (carried * direction).sum(-1, keepdims=True)
    any_normal = before.apply(np.roll(rest, 1))          # for a bone turned by 180 degrees any axis is right
    axis = np.where(sine > TINY, normal / np.maximum(sine, TINY), any_normal)
    from scipy.spatial.transform import Rotation
    return Rotation.from_rotvec(axis * np.arctan2(sine, cosine)) * before

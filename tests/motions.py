"""Small motions with known poses."""
import numpy as np
from scipy.spatial.transform import Rotation

from builders import STANDING
from common.datasets.joint_orders import H36M_16_IN_17
from common.skeleton import H36M_16
from function_inference.motion import Motion

# builders' person stands in a room with z up and looks against y; this camera is level and looks them in the face
FACING = (STANDING - STANDING[0])[H36M_16_IN_17] @ np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])
BONES = H36M_16.names[1:]


def motion_of(pose3d_rel, fps=25.0, person='person 0', root_cam=(0, 0, 0)):
    """Motion of (T, 16, 3) at `root_cam` (3,) or (T, 3); its 2D are those of a camera far away, some joints are guessed."""
    pose3d_rel = np.asarray(pose3d_rel, dtype=np.float32)
    guessed = np.zeros(pose3d_rel.shape[:2], dtype=bool)
    guessed[::3, H36M_16.joints('RWrist', 'Head')] = True
    return Motion(pose3d_rel, pose3d_rel[..., :2] * 200 + np.float32([320, 240]), guessed, fps, 640, 480, person,
                  np.arange(len(pose3d_rel)) / fps, np.zeros((len(pose3d_rel), 3), np.float32) + np.float32(root_cam))


def random_motion(frames=12, seed=0, skeleton=H36M_16):
    """Poses that no person can take, each bone of each frame in another direction and of another length."""
    pose3d = np.random.default_rng(seed).normal(0, .3, (frames, skeleton.num_joints, 3))
    return motion_of(pose3d - pose3d[:, :1])._replace(skeleton=skeleton)


def posed(**directions):
    """The facing person's pose with some bones, by name, pointing elsewhere: camera frame, lengths kept."""
    vectors = H36M_16.bone_matrix @ FACING
    for name, direction in directions.items():
        bone, = H36M_16.bones(name)
        vectors[bone] = -np.linalg.norm(vectors[bone]) * np.array(direction) / np.linalg.norm(direction)
    return H36M_16.chain_matrix @ vectors


def turned(degrees, joints=BONES):
    """The facing person with the bones to these joints turned to their left, about the vertical."""
    turn = Rotation.from_euler('y', -degrees, degrees=True).as_matrix()
    bones = H36M_16.bone_matrix @ FACING
    chosen = H36M_16.bones(*joints)
    bones[chosen] = bones[chosen] @ turn.T
    return H36M_16.chain_matrix @ bones

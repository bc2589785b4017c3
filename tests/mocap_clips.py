"""Motion capture for tests: a synthetic person in the joints of many rigs, and writers of BVH, ASF and AMC.

A person is a dict {point: (T, 3)} in metres, z up. `ANATOMY` names the points; the writers give them the names of a rig.
"""
import numpy as np

from common.skeleton import H36M_16
from data.demo.motion import make_body, make_style, perform
from data.demo.moves import gesture, walk

FPS = 30
# point -> its parent; a side stands for both
_SIDED = dict(hip='pelvis', knee='hip', ankle='knee', toe='ankle', collar='chest', shoulder='collar', elbow='shoulder',
              wrist='elbow', fingers='wrist')
ANATOMY = dict(pelvis=None, spine='pelvis', chest='spine', neck='chest', head='neck', top='head') | {
    side + point: side + parent if parent in _SIDED else parent for side in 'LR' for point, parent in _SIDED.items()}


def person(seed=0, frames=40, stature=1.7, recipe=(walk, gesture)):
    """(dict of points in ANATOMY, (T, 16, 3) our joints): a synthetic person who walks and gestures, metres, z up."""
    rng = np.random.default_rng(seed)
    pose3d = perform(rng, recipe, make_body(rng, stature), make_style(rng), frames, FPS).astype(np.float64)
    at = dict(zip(H36M_16.names, np.moveaxis(pose3d, 1, 0)))
    points = dict(pelvis=at['Hip'], spine=at['Spine'], chest=_between(at['Spine'], at['Thorax'], .6), neck=at['Thorax'],
                  head=_between(at['Thorax'], at['Head'], .4), top=at['Head'])
    front = np.cross(at['LHip'] - at['RHip'], [0, 0, 1])
    front /= np.linalg.norm(front, axis=-1, keepdims=True)
    for side in 'LR':
        points |= {side + joint.lower().replace('foot', 'ankle'): at[side + joint]
                   for joint in ('Hip', 'Knee', 'Foot', 'Shoulder', 'Elbow', 'Wrist')}
        points |= {side + 'toe': at[side + 'Foot'] + .15 * front,
                   side + 'collar': _between(at['Thorax'], at[side + 'Shoulder'], .2),
                   side + 'fingers': _between(at[side + 'Elbow'], at[side + 'Wrist'], 1.5)}
    return points, pose3d


def _between(one, other, share):
    return one + share * (other - one)


def y_up(points):
    """World metres, z up -> y up, as most programs write it."""
    return points @ np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]]).T


def write_bvh(path, points, names, unit=100, turn=y_up, fps=FPS, parents=None):
    """BVH of the points in `names`, {point: name}, in the tree of `parents`; each joint has position channels alone.

    `unit`: units per metre. `turn`: from z up to the file's axes.
    """
    parents = parents or ANATOMY
    tree = {point: _nearest(point, names, parents) for point in names}
    places = {point: unit * turn(points[point]) for point in names}
    columns, lines = [], ['HIERARCHY']
    root = next(point for point, parent in tree.items() if parent is None)

    def joint(point, depth):
        indent = '  ' * depth
        step = places[point] - (places[tree[point]] if tree[point] else 0)
        columns.append(step)
        offset = ' '.join(f'{value:.6f}' for value in step[0])
        lines.extend([f'{indent}{"JOINT" if depth else "ROOT"} {names[point]}', f'{indent}{{', f'{indent}  OFFSET {offset}',
                      f'{indent}  CHANNELS 3 Xposition Yposition Zposition'])
        children = [child for child, parent in tree.items() if parent == point]
        for child in children:
            joint(child, depth + 1)
        if not children:
            lines.extend([f'{indent}  End Site', f'{indent}  {{', f'{indent}    OFFSET 0 0 0', f'{indent}  }}'])
        lines.append(f'{indent}}}')

    joint(root, 0)
    table = np.concatenate(columns, axis=1)
    lines += ['MOTION', f'Frames: {len(table)}', f'Frame Time: {1 / fps:.6f}']
    lines += [' '.join(f'{value:.5f}' for value in row) for row in table]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('\n'.join(lines) + '\n')
    return path


def write_still_bvh(path, tree, rows):
    """BVH of a tree {joint: (parent, OFFSET)}, parents first, whose joints turn about Z, Y, X; `rows` (T, 3 + 3 joints)."""
    lines = ['HIERARCHY']

    def joint(name):
        parent, offset = tree[name]
        lines.extend([f'{"JOINT" if parent else "ROOT"} {name}', '{', 'OFFSET ' + ' '.join(map(str, offset)), 'CHANNELS ' + (
            '' if parent else '6 Xposition Yposition Zposition ') + '3 ' * bool(parent) + 'Zrotation Yrotation Xrotation'])
        children = [child for child, (above, _) in tree.items() if above == name]
        for child in children:
            joint(child)
        lines.extend(['End Site', '{', 'OFFSET 0 1 0', '}'] * (not children) + ['}'])

    joint(next(iter(tree)))
    lines += ['MOTION', f'Frames: {len(rows)}', f'Frame Time: {1 / FPS}', *(' '.join(map(str, row)) for row in rows)]
    path.write_text('\n'.join(lines) + '\n')
    return path


def _nearest(point, names, parents):
    """The nearest ancestor of a point that the rig has; None for the root."""
    above = parents[point]
    while above is not None and above not in names:
        above = parents[above]
    return above


def sided(pattern, left='Left', right='Right', **names):
    """{point: name} of both sides: sided('@{}', hip='UpLeg') -> Lhip LeftUpLeg, Rhip RightUpLeg."""
    return {side + point: pattern.replace('@', word).replace('{}', name)
            for side, word in (('L', left), ('R', right)) for point, name in names.items()}


_MIXAMO = dict(hip='UpLeg', knee='Leg', ankle='Foot', toe='ToeBase', collar='Shoulder', shoulder='Arm', elbow='ForeArm',
               wrist='Hand')
_UPPER = dict(hip='UpperLeg', knee='LowerLeg', ankle='Foot', toe='Toes', collar='Shoulder', shoulder='UpperArm',
              elbow='LowerArm', wrist='Hand')
_BIPED = dict(hip='Thigh', knee='Calf', ankle='Foot', toe='Toe0', collar='Clavicle', shoulder='UpperArm', elbow='Forearm',
              wrist='Hand')
_JOINTS = dict(hip='Hip', knee='Knee', ankle='Ankle', toe='Toe', collar='Collar', shoulder='Shoulder', elbow='Elbow',
               wrist='Wrist')
# names of joints as programs write them; none of these tables is that of a rig in data/rigs/
PROGRAMS = {
    'motion builder': dict(pelvis='Hips', spine='Spine', chest='Spine1', neck='Neck', head='Head', **sided('@{}', **_MIXAMO)),
    'a namespace': dict(pelvis='actor1:Hips', spine='actor1:Spine', neck='actor1:Neck', head='actor1:Head',
                        top='actor1:HeadTop_End', **sided('actor1:@{}', **_MIXAMO)),
    '3ds max biped': dict(pelvis='Bip01 Pelvis', spine='Bip01 Spine1', neck='Bip01 Neck', head='Bip01 Head',
                          top='Bip01 HeadNub', **sided('Bip01 @ {}', 'L', 'R', **_BIPED)),
    'unreal': dict(pelvis='pelvis', spine='spine_02', chest='spine_03', neck='neck_01', head='head',
                   **sided('{}_@', 'l', 'r', hip='thigh', knee='calf', ankle='foot', toe='ball', collar='clavicle',
                           shoulder='upperarm', elbow='lowerarm', wrist='hand')),
    'unity': dict(pelvis='Hips', spine='Chest', chest='UpperChest', neck='Neck', head='Head', **sided('@{}', **_UPPER)),
    'vrm': dict(pelvis='J_Bip_C_Hips', spine='J_Bip_C_Spine', neck='J_Bip_C_Neck', head='J_Bip_C_Head',
                **sided('J_Bip_@_{}', 'L', 'R', **_UPPER)),
    'blender': dict(pelvis='hips', spine='spine', chest='chest', neck='neck', head='head',
                    **sided('{}.@', 'L', 'R', hip='thigh', knee='shin', ankle='foot', toe='toe', collar='shoulder',
                            shoulder='upper_arm', elbow='forearm', wrist='hand')),
    'xsens': dict(pelvis='Hips', spine='Chest2', chest='Chest3', neck='Neck', head='Head', **sided('@{}', **_JOINTS)),
    'smpl in bvh': dict(pelvis='Pelvis', spine='Spine', chest='Chest', neck='Neck', head='Head',
                        **sided('@_{}', 'L', 'R', **_JOINTS | dict(collar='Thorax', toe='Foot', fingers='Hand'))),
    'lower case': dict(pelvis='root', spine='torso', neck='neck', head='head',
                       **sided('@{}', 'left', 'right', hip='thigh', knee='shin', ankle='foot', shoulder='upperarm',
                               elbow='forearm', wrist='hand')),
    'advanced skeleton': dict(pelvis='Root_M', spine='Spine2_M', chest='Chest_M', neck='Neck_M', head='Head_M', top='HeadEnd_M',
                              **sided('{}_@', 'L', 'R', **_JOINTS | dict(collar='Scapula'))),
    'kinect': dict(pelvis='SpineBase', spine='SpineMid', neck='Neck', head='Head',
                   **sided('{}@', **_JOINTS | dict(collar='Clavicle', toe='Foot', fingers='Hand'))),
    'opensim': dict(pelvis='pelvis', chest='torso', head='head',
                    **sided('{}_@', 'l', 'r', hip='femur', knee='tibia', ankle='talus', shoulder='humerus', elbow='radius',
                            wrist='hand')),
    'rokoko': dict(pelvis='Hips', spine='Spine2', neck='Neck', head='Head',
                   **sided('@{}', **_MIXAMO | dict(hip='Thigh', knee='Shin'))),
    'soma': dict(pelvis='Hips', spine='Spine2', chest='Chest', neck='Neck1', head='Head', top='HeadEnd',
                 **sided('@{}', **_MIXAMO | dict(hip='Leg', knee='Shin'))),
    'no neck': dict(pelvis='Hip', spine='Waist', **sided('@{}', **_JOINTS), head='Head', top='Head_Top'),
}


def arrays_of(**changes):
    """The arrays of a prepared file: three clips of two people, 70 frames of anna for training, 40 of ben for the test."""
    pose3d = np.concatenate([person(seed)[1][:count] for seed, count in zip((0, 0, 1), (40, 30, 40))]).astype(np.float32)
    return dict(pose3d=pose3d, frames=np.array([40, 30, 40]), clip_names=np.array(['a', 'b', 'c']),
                rig_names=np.array(['r'] * 3), subject=np.array([0, 0, 1]), subject_names=np.array(['anna', 'ben']),
                test=np.array([False, False, True]), fps=np.array(50.), joints=np.array(H36M_16.names)) | changes


# SMPL's order of the points of a person, which has SMPL's joints but two
SMPL_24_POINTS = ('pelvis Lhip Rhip spine1 Lknee Rknee spine Lankle Rankle chest Ltoe Rtoe neck Lcollar Rcollar head Lshoulder '
                  'Rshoulder Lelbow Relbow Lwrist Rwrist Lfingers Rfingers').split()


def smpl_24(points):
    """(T, 24, 3) positions of SMPL's joints, in its order, of the points of a `person`; the pelvis is 7 cm above the hips."""
    pelvis = points['pelvis'] + [0, 0, .07]
    points = points | dict(pelvis=pelvis, spine1=_between(pelvis, points['spine'], .5))
    return np.stack([points[name] for name in SMPL_24_POINTS], axis=1)


def h36m_17(points, pose3d):
    """(T, 17, 3): the 16 joints of a `person` with the base of the skull as Neck."""
    return np.insert(pose3d, H36M_16.names.index('Head'), points['head'], axis=1)

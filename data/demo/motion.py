"""Synthetic people for `make demo`: the subjects and sequences of Human3.6M, and a test set filmed by other cameras.

RECIPES lists the movements from data.demo.moves that stand for each action of Human3.6M. Bone lengths are the stature
times the segment proportions of Drillis & Contini (1966), with random variation. No recorded motion is used.
Frames and units: world metres, z up; camera metres, x right, y down, z forward.
"""
from typing import NamedTuple

import numpy as np

from common.datasets.h36m_protocol import ACTIONS, SUBJECTS
from common.skeleton import H36M_16
from data.demo.kinematics import Body, pose_body
from data.demo.moves import (Take, all_fours, balance, bend_over, box, carry, crouch, eat, free_arms, gesture, jump,
                             kneel, lead_dog, lean_on_floor, lie, lunge, nothing, phone, photo, point, reach_down,
                             reach_shelf, rest_hands, run, side_step, sit, sit_down, sit_on_floor, smoke, sneak, stand,
                             stretch, sway, turn_around, twist_trunk, walk, wave, within_limits)

# Movements that stand for each action of Human3.6M: (base, manners...). Each subject performs two of them per action.
RECIPES = {
    'Directions': [(stand, point), (turn_around, point), (walk, point), (stand, sway), (lunge, point)],
    'Discussion': [(stand, gesture), (stand, sway), (walk, gesture), (stand, rest_hands), (turn_around, gesture),
                   (sit, gesture)],
    'Eating': [(stand, eat), (walk, eat), (stand, reach_shelf), (sit, eat)],
    'Greeting': [(stand, wave), (walk, wave), (bend_over, nothing), (jump, nothing), (stand, carry),
                 (turn_around, wave)],
    'Phoning': [(stand, phone), (walk, phone), (turn_around, phone), (walk, phone), (sit, phone)],
    'Photo': [(stand, photo), (walk, photo), (stand, photo), (lunge, photo), (kneel, photo), (crouch, photo)],
    'Posing': [(balance, free_arms), (lunge, stretch), (stand, free_arms, twist_trunk), (balance, sway),
               (jump, free_arms)],
    'Purchases': [(bend_over, reach_down), (stand, reach_shelf), (walk, carry), (bend_over, reach_shelf),
                  (walk, reach_shelf)],
    'Sitting': [(sit, rest_hands), (sit, gesture), (sit_down, nothing), (sit, sway), (sit, reach_down)],
    'SittingDown': [(sit_down, nothing), (sit_on_floor, rest_hands), (crouch, reach_down), (sit_down, sway),
                    (kneel, nothing), (sit_on_floor, lean_on_floor), (all_fours, nothing), (lie, nothing)],
    'Smoking': [(stand, smoke), (walk, smoke), (stand, smoke), (turn_around, smoke), (sit, smoke)],
    'Waiting': [(stand, sway), (stand, nothing), (side_step, nothing), (stand, stretch), (jump, sway),
                (stand, rest_hands)],
    'WalkDog': [(walk, lead_dog), (run, nothing), (sneak, lead_dog), (side_step, lead_dog), (walk, sway)],
    'Walking': [(walk, nothing), (walk, nothing), (walk, sway), (run, nothing), (sneak, nothing)],
    'WalkTogether': [(walk, nothing), (run, nothing), (balance, nothing), (walk, gesture), (side_step, box),
                     (run, sway)],
}
# Movements of the cross-domain test set: more sport, more on the floor, arms in any pose.
CROSS_RECIPES = [(stand, free_arms), (balance, free_arms), (walk, gesture), (lunge, stretch), (sit, gesture),
                 (run, nothing), (crouch, reach_down), (turn_around, stretch), (jump, free_arms),
                 (sit_on_floor, lean_on_floor), (stand, stretch), (bend_over, free_arms), (walk, wave),
                 (kneel, free_arms), (lunge, box), (sit, free_arms), (sneak, sway), (all_fours, nothing),
                 (stand, free_arms, twist_trunk), (walk, carry), (lie, nothing), (stand, gesture)]


class Filming(NamedTuple):
    """How a sequence of the cross-domain test set is filmed: number of frames, image size and focal length in pixels,
    height of the camera and its horizontal distance in metres."""
    frames: int
    width: int
    height: int
    focal: float
    camera_height: float
    distance: float


# Frames and image sizes as in MPI-INF-3DHP's TS1 to TS6; camera heights from the knee to far above the head.
FILMINGS = (Filming(603, 2048, 2048, 2000, 1.1, 3.8), Filming(540, 2048, 2048, 1900, 0.5, 3.6),
            Filming(505, 2048, 2048, 2200, 2.3, 3.8), Filming(553, 2048, 2048, 2100, 3.0, 3.4),
            Filming(276, 1920, 1080, 1500, 0.8, 4.2), Filming(452, 1920, 1080, 1700, 2.0, 5.0))
SCENE_FRAMES = 20


STATURES = dict(zip(SUBJECTS, (1.66, 1.57, 1.86, 1.73, 1.79, 1.82, 1.62)))      # metres
# Segment lengths as fractions of the stature (after Drillis & Contini): half the distance between the hip joints, thigh,
# shank, pelvis to mid-trunk, mid-trunk to neck base, neck and head, neck base to shoulder joint, upper arm, forearm.
SHARES = np.array([.076, .248, .250, .134, .146, .103, .086, .161, .144])
SPREAD = np.array([.05, .02, .02, .03, .02, .06, .05, .02, .02])                # standard deviation between people


def make_body(rng, stature):
    """A random Body of a person of `stature` metres, with equal bone lengths on both sides."""
    lengths = stature * SHARES * rng.normal(1, SPREAD)
    return Body(lengths[H36M_16.bone_groups])


def make_style(rng):
    """A person's random posture: dict of angles of trunk, head, shoulders and feet in degrees."""
    return dict(lean=rng.uniform(-4, 3), stoop=rng.uniform(-5, 5), chin=rng.uniform(-12, 6),
                shoulders=rng.uniform([-4, -5], [4, 5]), toes_in=rng.uniform(-15, 5))


def perform(rng, recipe, body, style, frames, rate):
    """Perform a recipe (base, manners...): (T, 16, 3) float32 world metres, `rate` frames per second."""
    take = Take(rng, frames, rate, style)
    base, *manners = recipe
    motion = base(take)
    for manner in manners:
        manner(take, motion)
    return pose_body(within_limits(motion), body).astype(np.float32)


def clips(seed=0, frames_per_clip=26, rate=2.0):
    """Motion of seven people in Human3.6M's room: {subject: {sequence: (T, 16, 3) float32 world metres}}.

    `rate` is in frames per second. It is low, so that the few frames of a clip differ enough to train on; a clip lasts
    13 seconds. Subjects and sequences are named as in Human3.6M ('Walking', 'Walking 1'). The result depends on `seed`.
    """
    return {subject: _subject_clips(np.random.default_rng([seed, number]), number, subject, frames_per_clip, rate)
            for number, subject in enumerate(SUBJECTS)}


def _subject_clips(rng, number, subject, frames, rate):
    body, style = make_body(rng, STATURES[subject]), make_style(rng)
    sequences = {}
    for action in ACTIONS:
        recipes = RECIPES[action]
        for repeat, name in enumerate((action, f'{action} 1')):
            recipe = recipes[(2 * number + repeat) % len(recipes)]
            sequences[name] = perform(rng, recipe, body, style, frames, rate)
    return sequences


def cross_domain(seed=0, count=2929):
    """A test set of other people, motions and cameras; six sequences, divided like MPI-INF-3DHP's test set.

    Returns pose3d_cam (N, 16, 3) float32 metres, pose2d_px (N, 16, 2) float32 pixels (pinhole camera, all joints inside
    the image) and sequence (N,) int, 1 to 6, which determines the image size (FILMINGS).
    """
    ends = np.rint(np.cumsum([filming.frames for filming in FILMINGS]) / sum(f.frames for f in FILMINGS) * count)
    sizes = np.diff(ends, prepend=0).astype(int)
    parts = [_film(np.random.default_rng([seed, len(SUBJECTS) + i]), filming, size)
             for i, (filming, size) in enumerate(zip(FILMINGS, sizes)) if size]
    pose3d_cam, pose2d_px = (np.concatenate(arrays).astype(np.float32) for arrays in zip(*parts))
    return pose3d_cam, pose2d_px, np.repeat(np.arange(1, len(FILMINGS) + 1), sizes)


def _film(rng, filming, size):
    """`size` frames of one person: (size, 16, 3) camera metres, (size, 16, 2) pixels. Each scene has a new camera."""
    body, style = make_body(rng, rng.uniform(1.52, 1.95)), make_style(rng)
    first = rng.integers(len(CROSS_RECIPES))
    scenes = []
    for number in range(-(-size // SCENE_FRAMES)):
        recipe = CROSS_RECIPES[(first + number) % len(CROSS_RECIPES)]
        pose3d_world = perform(rng, recipe, body, style, SCENE_FRAMES, rate=5.0)
        scenes.append(_view(rng, pose3d_world, filming))
    return [np.concatenate(arrays)[:size] for arrays in zip(*scenes)]


def _view(rng, pose3d_world, filming):
    """Film (T, 16, 3) world metres from a random side, all joints in the image: camera metres and pixels."""
    aim = (pose3d_world.min(axis=(0, 1)) + pose3d_world.max(axis=(0, 1))) / 2
    azimuth, nearness = rng.uniform(0, 2 * np.pi), rng.uniform(.9, 1.2)
    place = aim + nearness * filming.distance * np.array([np.cos(azimuth), np.sin(azimuth), 0])
    place[2] = filming.camera_height * rng.uniform(.9, 1.1)
    pose3d_cam = (pose3d_world - place) @ _looking_at(aim - place).T
    plane = pose3d_cam[..., :2] / pose3d_cam[..., 2:]
    half = np.array([filming.width, filming.height]) / 2
    focal = min(filming.focal * rng.uniform(.9, 1.1), .97 * (half / np.abs(plane).max(axis=(0, 1))).min())
    return pose3d_cam, plane * focal + half


def _looking_at(direction):
    """View direction (3,) in the world -> rotation (3, 3), world to camera without roll: rows right, down, forward."""
    forward = direction / np.linalg.norm(direction)
    right = np.cross(forward, [0, 0, 1])
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(forward, right), forward])

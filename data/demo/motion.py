"""Synthetic people for `make demo`: Human3.6M's subjects and sequences, and a test set filmed by other cameras.

RECIPES says what each of Human3.6M's action names may be here, out of the repertoire of data.demo.moves; a body is a
stature and Drillis & Contini's segment proportions (1966), varied. No recorded motion is in here.
Frames and units as everywhere: world metres, z up; camera metres, x right, y down, z forward.
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

# What each of Human3.6M's actions may be here: (base, manners...). A subject performs two of a row.
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
# The same for the other domain: more sport and floor, arms anywhere.
CROSS_RECIPES = [(stand, free_arms), (balance, free_arms), (walk, gesture), (lunge, stretch), (sit, gesture),
                 (run, nothing), (crouch, reach_down), (turn_around, stretch), (jump, free_arms),
                 (sit_on_floor, lean_on_floor), (stand, stretch), (bend_over, free_arms), (walk, wave),
                 (kneel, free_arms), (lunge, box), (sit, free_arms), (sneak, sway), (all_fours, nothing),
                 (stand, free_arms, twist_trunk), (walk, carry), (lie, nothing), (stand, gesture)]


class Filming(NamedTuple):
    """How a sequence of the other domain is filmed: image and focal length in pixels, the camera's height and level
    distance in metres."""
    frames: int
    width: int
    height: int
    focal: float
    camera_height: float
    distance: float


# Frames and image sizes of MPI-INF-3DHP's TS1 to TS6; heights from the knee's to far above the head.
FILMINGS = (Filming(603, 2048, 2048, 2000, 1.1, 3.8), Filming(540, 2048, 2048, 1900, 0.5, 3.6),
            Filming(505, 2048, 2048, 2200, 2.3, 3.8), Filming(553, 2048, 2048, 2100, 3.0, 3.4),
            Filming(276, 1920, 1080, 1500, 0.8, 4.2), Filming(452, 1920, 1080, 1700, 2.0, 5.0))
SCENE_FRAMES = 20


STATURES = dict(zip(SUBJECTS, (1.66, 1.57, 1.86, 1.73, 1.79, 1.82, 1.62)))      # metres
# Shares of the stature (after Drillis & Contini): half the distance between the hip joints' centres, thigh, shank,
# pelvis to mid-trunk, mid-trunk to the neck's base, neck and head, neck's base to shoulder joint, upper arm, forearm.
SHARES = np.array([.076, .248, .250, .134, .146, .103, .086, .161, .144])
SPREAD = np.array([.05, .02, .02, .03, .02, .06, .05, .02, .02])                # standard deviation between people


def make_body(rng, stature):
    """A person of `stature` metres; left = right, by the skeleton's own groups of bones."""
    lengths = stature * SHARES * rng.normal(1, SPREAD)
    return Body(lengths[H36M_16.bone_groups])


def make_style(rng):
    """A person's habits, degrees: how trunk, head, shoulders and feet are held."""
    return dict(lean=rng.uniform(-4, 3), stoop=rng.uniform(-5, 5), chin=rng.uniform(-12, 6),
                shoulders=rng.uniform([-4, -5], [4, 5]), toes_in=rng.uniform(-15, 5))


def perform(rng, recipe, body, style, frames, rate):
    """(T, 16, 3) float32 world metres of one recipe."""
    take = Take(rng, frames, rate, style)
    base, *manners = recipe
    motion = base(take)
    for manner in manners:
        manner(take, motion)
    return pose_body(within_limits(motion), body).astype(np.float32)


def clips(seed=0, frames_per_clip=26, rate=2.0):
    """Seven people in Human3.6M's room: {subject: {sequence: (T, 16, 3) float32 world metres}}.

    `rate`, frames per second, is low because frames that are nearly equal teach nothing: a clip lasts 13 seconds.
    Names are Human3.6M's subjects and sequences ('Walking', 'Walking 1'). The same seed gives the same motion.
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
    """Other people, other motion, other cameras, in six sequences shared out as MPI-INF-3DHP's test set.

    Returns pose3d_cam (N, 16, 3) float32 metres, pose2d_px (N, 16, 2) float32 pixels (a pinhole camera, everything
    inside the image) and sequence (N,) int, 1..6, which gives the image's size (FILMINGS).
    """
    ends = np.rint(np.cumsum([filming.frames for filming in FILMINGS]) / sum(f.frames for f in FILMINGS) * count)
    sizes = np.diff(ends, prepend=0).astype(int)
    parts = [_film(np.random.default_rng([seed, len(SUBJECTS) + i]), filming, size)
             for i, (filming, size) in enumerate(zip(FILMINGS, sizes)) if size]
    pose3d_cam, pose2d_px = (np.concatenate(arrays).astype(np.float32) for arrays in zip(*parts))
    return pose3d_cam, pose2d_px, np.repeat(np.arange(1, len(FILMINGS) + 1), sizes)


def _film(rng, filming, size):
    """`size` frames of one person: (size, 16, 3) camera metres, (size, 16, 2) pixels. A new camera for every scene."""
    body, style = make_body(rng, rng.uniform(1.52, 1.95)), make_style(rng)
    first = rng.integers(len(CROSS_RECIPES))
    scenes = []
    for number in range(-(-size // SCENE_FRAMES)):
        recipe = CROSS_RECIPES[(first + number) % len(CROSS_RECIPES)]
        pose3d_world = perform(rng, recipe, body, style, SCENE_FRAMES, rate=5.0)
        scenes.append(_view(rng, pose3d_world, filming))
    return [np.concatenate(arrays)[:size] for arrays in zip(*scenes)]


def _view(rng, pose3d_world, filming):
    """Look at the middle of (T, 16, 3) world metres from any side, zoomed out where the image would not hold it."""
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
    """(3,) world direction -> (3, 3), world to camera without roll: rows right, down, forward."""
    forward = direction / np.linalg.norm(direction)
    right = np.cross(forward, [0, 0, 1])
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(forward, right), forward])

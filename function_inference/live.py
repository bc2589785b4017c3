"""Lifting a stream frame by frame: one person is followed, smoothed by the past only, lifted, and shown or written at once."""
import json
import math
import os
import sys
import time
from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from common.errors import InputError
from common.skeleton import H36M_16
from function_baseline.evaluate import mirror
from function_inference.keypoint_formats import matrix_of, to_h36m_16
from function_inference.lifting import lift
from function_inference.missing_joints import anchor_of, with_guessed_joints
from function_inference.motion import Motion
from function_inference.motion_files import rounded
from function_inference.root import DEPTH_FACTOR, fitted_path
from function_inference.room import level
from function_inference.tracks import PATIENCE, match_people
from models_baseline.temporal import StreamLifter, is_temporal
from utils.pictures.drawing import joint_colours

LAG = 0.25               # how far smoothed coordinates lag behind, in lengths of --smooth
TITLE, STOP_KEYS = 'PoseAug - q stops', (ord('q'), 27)
VIEW_DEG, VIEW_M = 30, 1.1      # of the 3D in the window: how far it is turned, and half its height


class LivePose(NamedTuple):
    """The person in one frame: one frame of each of these fields of Motion, and the time in seconds."""
    time: float
    pose2d_px: np.ndarray
    guessed: np.ndarray
    pose3d_rel: np.ndarray
    root_cam: np.ndarray


class LivePerson:
    """Follows one person from frame to frame; what `step` returns depends on this and earlier frames only.

    It is the person with the largest sum of confidences, and after PATIENCE frames out of sight again such a person.
    """

    def __init__(self, least_confidence, smooth_seconds):
        self.least_confidence, self.lag, self.persons = least_confidence, LAG * smooth_seconds, 0
        self._forget()

    def _forget(self):
        self.last, self.missing, self.smoothed = None, 0, None
        self.ever, self.ever_sure = np.zeros((2, H36M_16.num_joints), bool)
        self.places = np.zeros((H36M_16.num_joints, 2))

    def step(self, people, time):
        """(P, 16, 3) pixels and confidence, seconds -> pose2d_px (16, 2), guessed (16,) bool, weights (16,).

        None until a hip or a shoulder is seen. Joints that are not seen move along with the hip.
        """
        joints = self._find(people)
        seen, before = joints[:, 2] > 0, self.ever
        sure = seen & (joints[:, 2] >= self.least_confidence)
        self.ever, self.ever_sure = self.ever | seen, self.ever_sure | sure
        used = np.where(self.ever_sure, sure, seen)
        anchor = anchor_of(self.ever)
        if anchor is None:
            return None
        moved = joints[anchor, :2] - self.places[anchor] if used[anchor] and before[anchor] else 0
        self.places = np.where(used[:, None], joints[:, :2], self.places + moved)
        whole = self.places if self.ever.all() else with_guessed_joints(self.places[None], self.ever)[0]
        passed = 0 if self.smoothed is None else time - self.time
        self.smoothed, self.time = _smoothed(self.smoothed, whole, self.lag, passed), time
        return self.smoothed.astype(np.float32), ~sure, joints[:, 2] * used

    def _find(self, people):
        """(16, 3) of the person in this frame, zero if they are not in it."""
        people = people[(people[..., 2] > 0).any(-1)]
        if self.missing > PATIENCE:
            self._forget()
            self.persons += 1
        if self.last is not None:
            place = next(iter(match_people([self.last], people)), None)
        else:
            place = people[..., 2].sum(-1).argmax() if len(people) else None
        if place is None:
            self.missing += 1
            return np.zeros((H36M_16.num_joints, 3), np.float32)
        self.last, self.missing = people[place], 0
        return self.last


class LiveLifter:
    """From the StreamFrames of a Stream to LivePoses. See `lift` for `lift_options`."""

    def __init__(self, lifter, stream, person, head=None, with_root=True, **lift_options):
        self.lifter, self.stream, self.person, self.with_root = lifter, stream, person, with_root
        if is_temporal(lifter):
            self.lifter = FrameByFrame(lifter, lift_options.pop('flip', False))
        self.matrix, self.lift_options, self.depth, self.last = matrix_of(stream.format, head), lift_options, None, None
        self.persons = person.persons

    def step(self, frame):
        """LivePose of a StreamFrame; None until somebody is seen. Out of sight, the last pose is held, all of it guessed."""
        people = to_h36m_16(frame.people, self.matrix) if len(frame.people) else np.zeros((0, H36M_16.num_joints, 3))
        found = self.person.step(people, frame.time)
        if found is None:
            self.last = self.last and self.last._replace(time=frame.time, guessed=np.ones_like(self.last.guessed))
            return self.last
        if self.person.persons != self.persons:        # another person, or the same one after an absence
            self.persons, self.depth = self.person.persons, None
            if isinstance(self.lifter, FrameByFrame):
                self.lifter.forget()
        pose2d_px, guessed, weights = found
        size = self.stream.width, self.stream.height
        pose3d_rel = lift(self.lifter, pose2d_px[None], *size, **self.lift_options)
        root_cam = np.zeros(3, np.float32)
        if self.with_root:
            fitted = fitted_path(pose3d_rel, pose2d_px[None], weights[None], *size, self.lift_options.get('focal_px'))[0]
            root_cam = self._root(fitted, frame.time)
        self.last = LivePose(frame.time, pose2d_px, guessed, pose3d_rel[0], root_cam)
        return self.last

    def _root(self, fitted, time):
        """(3,) with a smoothed depth; that of the last frame if it is NaN, and zero before the first one."""
        if np.isnan(fitted).any():
            return self.last.root_cam if self.last else np.zeros(3, np.float32)
        passed = 0 if self.depth is None else time - self.last.time
        self.depth = _smoothed(self.depth, fitted[2], DEPTH_FACTOR * self.person.lag, passed)
        return (fitted / fitted[2] * self.depth).astype(np.float32)


class FrameByFrame(StreamLifter):
    """StreamLifter of one person, with test-time flip if `flip`: the mirrored person is a second stream."""

    def __init__(self, lifter, flip):
        super().__init__(lifter)
        self.flip = flip

    def forward(self, pose2d):
        if not self.flip:
            return super().forward(pose2d)
        straight, mirrored = super().forward(torch.cat([pose2d, mirror(pose2d)])).split(1)
        return (straight + mirror(mirrored)) / 2


def _smoothed(before, now, lag, passed):
    """The exponential average, `lag` seconds behind, after `passed` more seconds; `now` itself if there is none `before`."""
    if before is None or not lag:
        return now
    return before + (1 - math.exp(-passed / lag)) * (now - before)


def lift_stream(stream, live, show):
    """(times (T,) in seconds, T LivePoses) until the stream ends, Ctrl-C, or `show` says stop; None before somebody is seen.

    `show`: function of (number, StreamFrame, LivePose or None), which returns whether to go on. Tells the rate on stderr, and
    how long after its frame a pose was known, both without the frames before somebody is seen.
    """
    times, poses, start, lifting = [], [], time.monotonic(), 0.
    try:
        for frame in tqdm(stream.frames, desc='live', unit='frame', leave=False, disable=None):
            came = time.monotonic()
            pose = live.step(frame)
            lifting += time.monotonic() - came
            poses.append(pose)
            times.append(frame.time)
            if not show(len(poses) - 1, frame, pose):
                break
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:                # the reader of the lines has stopped; nothing more may be written there
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno())
    known = sum(pose is not None for pose in poses)      # the frames before somebody came were read before `start`
    rate = known / max(time.monotonic() - start, 1e-9)
    latency_ms = 1000 * lifting / max(known, 1)
    print(f'{len(poses)} frames, {rate:.1f} frames per second; a pose is known {latency_ms:.1f} ms after its 2D (mean)',
          file=sys.stderr)
    return np.array(times), poses[:len(times)]


def motion_of_live(poses, stream, fps, times):
    """Motion of what `lift_stream` returned; before somebody is seen, the first pose is held. InputError if nobody ever was."""
    first = next((pose for pose in poses if pose is not None), None)
    if first is None:
        raise InputError('--input: no hip or shoulder of anybody was seen; the stream must show the body')
    unseen = first._replace(guessed=np.ones_like(first.guessed))
    _, pose2d_px, guessed, pose3d_rel, root_cam = map(np.stack, zip(*(unseen if pose is None else pose for pose in poses)))
    return Motion(pose3d_rel, pose2d_px, guessed, fps, stream.width, stream.height, 'person 0', times, root_cam)


def json_writer(file):
    """A `show` for lift_stream that writes each frame as a line of JSON, with null in place of a pose that is not known."""
    def write(number, frame, pose):
        line = dict(frame=number, time=round(frame.time, 6), pose3d_rel=None)
        if pose is not None:
            line.update(pose3d_rel=rounded(pose.pose3d_rel, 4), root_cam=rounded(pose.root_cam, 4),
                        guessed=pose.guessed.tolist())
        print(json.dumps(line), file=file, flush=True)
        return True

    return write


def window(cv2):
    """A `show` for lift_stream that shows the image and the 3D in a window until q or Escape; None without a display."""
    if sys.platform == 'linux' and not (os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY')):
        return None
    try:
        cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL)
    except cv2.error:                  # opencv-python-headless has no windows
        return None

    def show(_, frame, pose):
        cv2.imshow(TITLE, live_picture(cv2, frame.image, pose))
        return cv2.waitKey(1) & 255 not in STOP_KEYS

    return show


def no_window(*_):
    """A `show` for lift_stream that shows nothing."""
    return True


def live_picture(cv2, image, pose):
    """BGR picture: the image with the 2D, and to its right, as high, the 3D turned by VIEW_DEG degrees."""
    height = image.shape[0]
    picture = np.hstack([image[..., ::-1], np.full((height, height, 3), 255, np.uint8)])
    if pose is None:
        return picture
    x, y, z = level(pose.pose3d_rel).T
    right = x * math.cos(math.radians(VIEW_DEG)) + z * math.sin(math.radians(VIEW_DEG))
    points = (np.stack([right, -y], axis=1) / VIEW_M + 1) * height / 2 + [image.shape[1], 0]
    for each in (pose.pose2d_px, points):
        for joint, parent in H36M_16.edges:
            colour = [int(joint_colours()[joint][start:start + 2], 16) for start in (5, 3, 1)]
            ends = [tuple(int(number) for number in each[end].round()) for end in (joint, parent)]
            cv2.line(picture, *ends, colour, max(2, height // 150), cv2.LINE_AA)
    return picture

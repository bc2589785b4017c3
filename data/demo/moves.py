"""The movements of the synthetic people, as joint angles over time.

A BASE function moves legs and trunk (stand, walk, run, sit, ...) and returns a new `Motion`. A MANNER function then
changes arms and trunk of that Motion (wave, phone, carry, ...). Both get a `Take` with random numbers, time and personal
style. Frames and units: see data.demo.kinematics (person x forward, y left, z up; degrees). No recorded motion is used:
the numbers are plausible values within the ranges published on
    ranges of motion   American Academy of Orthopaedic Surgeons, Joint Motion: Method of Measuring and Recording (1965)
    walking            Perry & Burnfield, Gait Analysis (2010); Winter, Biomechanics and Motor Control (2009)
    running            Novacheck, The biomechanics of running, Gait & Posture 7 (1998)
    arm swing          Murray, Sepic & Barnard, Patterns of sagittal rotation of the upper limbs, Phys. Ther. 47 (1967)
    smoothness         minimum jerk: Flash & Hogan, J. Neuroscience 5 (1985)
"""
import numpy as np

from data.demo.kinematics import Motion

# Ranges of motion in degrees (neutral-zero method, AAOS): lowest and highest value of each angle, in the order of Motion.
# The range of the trunk is split between lumbar spine and chest.
LUMBAR_RANGE = np.array([(-15, -12, -15), (15, 40, 15)])
CHEST_RANGE = np.array([(-30, -12, -18), (30, 35, 18)])
NECK_RANGE = np.array([(-60, -35, -30), (60, 40, 30)])
GIRDLE_RANGE = np.array([(-5, -15), (20, 15)])
ARM_RANGE = np.array([(-80, 0, -70, 2), (130, 170, 70, 145)])
LEG_RANGE = np.array([(-25, -25, -40, 2), (118, 42, 40, 132)])

# Angles in degrees at 0, 10, ..., 90 % of a stride, from heel strike: thigh in front of the vertical, knee flexion.
WALK_THIGH = np.array([20, 19, 10, 0, -11, -20, -10, 13, 25, 24])
WALK_KNEE = np.array([6, 17, 17, 10, 7, 14, 38, 62, 52, 18])
RUN_THIGH = np.array([30, 22, 6, -10, -18, -8, 14, 34, 42, 38])
RUN_KNEE = np.array([22, 42, 38, 22, 24, 62, 92, 96, 62, 26])

# Targets of the left wrist (mirrored for the right), relative to Thorax in the chest's frame, in arm lengths.
MOUTH, EAR, EYES, NAPE = (.42, .10, .06), (.20, .30, .10), (.50, .10, .20), (-.08, .10, .12)
WAIST, POCKET, BELLY = (.06, .46, -.78), (.14, .38, -1.02), (.42, .05, -.55)
FOLDED, BEHIND_BACK, CHIN, CARRIED = (.38, -.16, -.42), (-.36, .06, -.80), (.34, .06, .02), (.66, .26, -.42)


class Take:
    """The inputs of a movement: random generator, times (T,) in seconds, and the person's `style` (see make_style)."""

    def __init__(self, rng, frames, rate, style):
        self.rng, self.frames, self.style = rng, frames, style
        self.time = np.arange(frames) / rate

    def chance(self, probability):
        return self.rng.random() < probability

    def pick(self, low, high):
        """A random constant, uniform between `low` and `high` (numbers or arrays)."""
        return self.rng.uniform(low, high)

    def somewhere(self, radius):
        """(2,) metres: a random point in a disc around the centre of the room."""
        angle, share = self.rng.uniform(0, 2 * np.pi), self.rng.random()
        return radius * np.sqrt(share) * np.array([np.cos(angle), np.sin(angle)])

    def wander(self, low, high, every=1.2):
        """(T, ...) minimum-jerk moves between values drawn uniformly from [low, high], one per `every` seconds."""
        low, high = np.broadcast_arrays(np.asarray(low, float), np.asarray(high, float))
        count = int(self.time[-1] / every) + 3
        poses = self.rng.uniform(low, high, (count,) + low.shape)
        clock = np.minimum(self.time / every + self.rng.random(), count - 1.001)
        before, share = clock.astype(int), (clock % 1).reshape((-1,) + (1,) * low.ndim)
        eased = share ** 3 * (10 - 15 * share + 6 * share ** 2)
        return poses[before] + eased * (poses[before + 1] - poses[before])

    def beat(self, period):
        """(T,) phase in cycles of `period` seconds, with a random start."""
        return self.time / period + self.rng.random()

    def pulses(self, every=2.0):
        """(T,) from 0 to 1: rises and falls again at random times, about `every` seconds apart."""
        return np.clip(self.wander(-1, 1.5, every), 0, 1)


def curve(table, phase):
    """Values at `phase` (in cycles) of the Fourier series through `table`, equally spaced samples of one cycle."""
    spectrum = np.fft.rfft(table) / len(table)
    spectrum[1:len(spectrum) - 1 + len(table) % 2] *= 2
    return np.real(np.exp(2j * np.pi * np.multiply.outer(phase, np.arange(len(spectrum)))) @ spectrum)


def facing(heading):
    """Heading (T,) in degrees -> (T, 2) unit vectors on the floor."""
    return np.stack([np.cos(np.radians(heading)), np.sin(np.radians(heading))], axis=-1)


def wave_of(phase):
    return np.sin(2 * np.pi * phase)


def within_limits(motion):
    """Clip the angles of `motion` to the ranges of motion, in place; returns it."""
    for name, limits in (('lumbar', LUMBAR_RANGE), ('chest', CHEST_RANGE), ('neck', NECK_RANGE),
                         ('girdle', GIRDLE_RANGE), ('arms', ARM_RANGE), ('legs', LEG_RANGE)):
        setattr(motion, name, np.clip(getattr(motion, name), *limits))
    return motion


def relaxed(take):
    """The start of all bases: upright with the person's style, arms hanging, looking around, any heading."""
    motion, style = Motion.rest(take.frames), take.style
    motion.place[:] = take.somewhere(1.3)
    motion.pelvis[:, 0] = take.pick(0, 360) + take.wander(-80, 80, 3)
    motion.pelvis[:, 1] = style['lean'] + take.wander(-4, 4, 2)
    motion.lumbar[:] = take.wander([-6, -6, -7], [6, 7, 7], 1.7)
    motion.chest[:] = take.wander([-12, -10, -9], [12, 10, 9], 1.5) + [0, style['stoop'], 0]
    motion.neck[:] = take.wander([-40, -20, -12], [40, 25, 12], 1.0) + [0, style['chin'], 0]
    motion.girdle[:] = take.wander([(-4, -6)] * 2, [(4, 6)] * 2, 2) + style['shoulders']
    motion.arms[:] = take.pick([(-80, 3, -10, 8)] * 2, [(60, 22, 40, 50)] * 2)
    motion.arms += take.wander([(-20, -3, -15, -6)] * 2, [(20, 8, 15, 12)] * 2, 1.5)
    motion.legs[..., 2] = style['toes_in']
    return motion


def plant_feet(take, motion, width, stagger):
    """Keep both feet on the floor, `width` metres apart, the left one `stagger` metres in front of the right one.

    The feet turn with the body. In quiet standing the line of gravity passes about 5 cm in front of the ankles
    (Winter 2009).
    """
    ahead = facing(motion.pelvis[:, 0] + take.wander(-15, 15, 2))[:, None]
    aside = ahead[..., ::-1] * [-1, 1]
    offsets = np.array([[stagger, width], [-stagger, -width]]) / 2 - [.06, 0]
    motion.feet[..., :2] = motion.place[:, None] + offsets[:, :1] * ahead + offsets[:, 1:] * aside
    motion.foot_pull[:] = 1


def bend_knees(motion, thigh):
    """Bend hips and knees over planted feet; `thigh` (T,) or a number: degrees of the thighs before the vertical."""
    thigh = np.broadcast_to(thigh, motion.lift.shape)[:, None]
    motion.legs[..., 0] = thigh + motion.pelvis[:, 1:2]
    motion.legs[..., 3] = 6 + 2 * thigh


def stand(take):
    """Base: stand on both feet, swaying and shifting the weight."""
    motion = relaxed(take)
    plant_feet(take, motion, take.pick(.08, .38), take.pick(-.2, .2))
    bend_knees(motion, take.pick(2, 18) + take.wander(0, 8, 2))
    motion.place += take.wander([-.05, -.05], [.05, .05], 2)
    motion.pelvis[:, 2] = take.wander(-6, 6, 2)
    return motion


def lunge(take):
    """Base: legs far apart, the weight shifting between them."""
    motion = relaxed(take)
    plant_feet(take, motion, take.pick(.1, .9), take.pick(-.9, .9))
    bend_knees(motion, take.wander(18, 50, 1))
    motion.place += take.wander([-.2, -.2], [.2, .2], 1)
    motion.pelvis[:, 1:] += take.wander([-8, -12], [24, 12], 1)
    motion.chest += take.wander([-25, -5, -10], [25, 15, 10], 1)
    return motion


def bend_over(take):
    """Base: bend or squat towards the floor and come up again."""
    motion, depth = relaxed(take), take.pulses(1.6)
    plant_feet(take, motion, take.pick(.15, .55), take.pick(-.35, .35))
    motion.pelvis[:, 1] += depth * take.pick(10, 75)
    motion.lumbar += depth[:, None] * take.pick([-10, 5, -10], [10, 35, 10])
    motion.chest += depth[:, None] * take.pick([-25, 5, -10], [25, 30, 10])
    motion.neck[:, 1] -= depth * take.pick(-15, 25)
    bend_knees(motion, 6 + depth * take.pick(0, 60))
    return motion


def crouch(take):
    """Base: stay in a deep squat."""
    motion = relaxed(take)
    plant_feet(take, motion, take.pick(.15, .5), take.pick(-.4, .4))
    motion.pelvis[:, 1] += take.wander(5, 40, 1.5)
    motion.chest[:, 1] += take.wander(0, 25, 1.5)
    motion.legs[..., 1] = take.pick(0, 25)
    bend_knees(motion, take.wander(45, 68, 1.5))
    return motion


def walk(take, thigh=WALK_THIGH, knee=WALK_KNEE, period=(0.95, 1.4), stride=(.9, 1.5), lean=(-2, 4), elbow=(15, 45)):
    """Base: walk along a loop in the middle of the room with the tabulated gait angles and swinging arms."""
    motion, phase = relaxed(take), take.beat(take.pick(*period))
    phases = np.stack([phase, phase + .5], axis=-1)
    size, length = take.pick(.75, 1.2), take.pick(*stride)
    motion.place[:], motion.pelvis[:, 0] = path(take, (phase - phase[0]) * length)
    motion.pelvis[:, 0] -= 5 * size * wave_of(phase + .25)
    motion.pelvis[:, 1] += take.pick(*lean)
    motion.pelvis[:, 2] += 4 * size * wave_of(phase + .08)
    motion.chest[:, 0] += 9 * size * wave_of(phase + .25)
    motion.legs[..., 0] = size * curve(thigh, phases) + motion.pelvis[:, 1:2]
    motion.legs[..., 1] = take.pick(-3, 3) + 4 * wave_of(phases + .55)
    motion.legs[..., 3] = take.pick(0, 8) + size * curve(knee, phases)
    swing_arms(take, motion, phases, take.pick(8, 32), take.pick(*elbow))
    return motion


def swing_arms(take, motion, phases, swing, elbow):
    """Swing each arm opposite to its leg, on average farther back than forward (Murray et al. 1967)."""
    forward = -swing * np.cos(2 * np.pi * phases) + take.pick(-14, 2)
    out = take.pick(6, 16)
    motion.arms[..., 0] = np.degrees(np.arctan2(forward, out))
    motion.arms[..., 1] = np.hypot(forward, out)
    motion.arms[..., 3] = elbow + np.maximum(forward, 0) * .6


def path(take, distance):
    """Distance walked (T,) in metres -> positions (T, 2) on an ellipse around the room's centre and headings (T,)."""
    a, b, twist = take.pick(.7, 1.2), take.pick(.45, 1.1), take.pick(0, 2 * np.pi)
    sense = take.rng.choice([-1, 1])
    round_ = sense * distance / np.sqrt((a * a + b * b) / 2) + take.pick(0, 2 * np.pi)
    local = np.stack([a * np.cos(round_), b * np.sin(round_)], axis=-1)
    ahead = sense * np.stack([-a * np.sin(round_), b * np.cos(round_)], axis=-1)
    turned = np.array([[np.cos(twist), np.sin(twist)], [-np.sin(twist), np.cos(twist)]])
    ahead = ahead @ turned
    return local @ turned, np.degrees(np.unwrap(np.arctan2(ahead[:, 1], ahead[:, 0])))


def run(take):
    """Base: run or jog; both feet leave the floor twice per stride."""
    motion = walk(take, RUN_THIGH, RUN_KNEE, (.6, .85), (1.3, 2.2), (4, 16), (65, 105))
    motion.lift += .06 * np.abs(wave_of(take.beat(.35)))
    return motion


def sneak(take):
    """Base: walk crouched or with high knees."""
    motion, crouched = walk(take), take.pick(-5, 30)
    motion.legs[..., 0] += crouched + .5 * np.maximum(motion.legs[..., 3] - 20, 0)
    motion.legs[..., 3] += 2 * max(crouched, 0)
    motion.pelvis[:, 1] += take.pick(0, 20)
    return motion


def turn_around(take):
    """Base: turn on the spot with small steps."""
    motion, phase = relaxed(take), take.beat(1.1)
    phases = np.stack([phase, phase + .5], axis=-1)
    motion.pelvis[:, 0] += take.rng.choice([-1, 1]) * take.time * take.pick(40, 120)
    motion.pelvis[:, 2] += 3 * wave_of(phase)
    lifted = np.maximum(wave_of(phases), 0) * take.pick(15, 45)
    motion.legs[..., 0] = 3 + lifted
    motion.legs[..., 1] = take.pick(0, 12)
    motion.legs[..., 3] = 12 + 2 * lifted
    return motion


def side_step(take):
    """Base: step sideways or backwards."""
    motion, phase = turn_around(take), take.beat(.9)
    motion.pelvis[:, 0] = take.pick(0, 360) + take.wander(-20, 20)
    motion.place[:] = take.wander([-.8, -.8], [.8, .8], 1.5)
    motion.legs[..., 1] = 8 + 12 * wave_of(phase)[:, None]
    return motion


def jump(take):
    """Base: squat and jump, or hop and do jumping jacks if low and fast."""
    motion, phase = relaxed(take), take.beat(take.pick(.6, 1.6))
    height = take.pick(.05, .4)
    squat = np.maximum(-wave_of(phase), 0) * take.pick(15, 55)
    motion.lift[:] = np.maximum(wave_of(phase), 0) * height
    motion.pelvis[:, 1] += squat * take.pick(0, .7)
    motion.chest[:, 1] += squat * .3
    bend_knees(motion, 4 + squat + np.maximum(wave_of(phase), 0) * take.pick(0, 40))
    motion.legs[..., 1] = take.pick(0, 8) + np.maximum(wave_of(phase), 0)[:, None] * take.pick(0, 30)
    up = np.maximum(wave_of(phase + .1), -.3)[:, None] * take.pick(0, 140)
    motion.arms[..., 0] += take.pick(-20, 80)
    motion.arms[..., 1] = np.clip(25 + up, 5, 165)
    return motion


def balance(take):
    """Base: stand on one leg and move the other freely: kicks, high knees, arabesques."""
    motion, free = relaxed(take), take.rng.integers(2)
    knee = take.pick(4, 25)
    motion.legs[..., 0] = knee / 2 + motion.pelvis[:, 1:2]
    motion.legs[..., 3] = knee
    loose = take.wander([-30, -5, -25, 5], [100, 45, 35, 110], take.pick(.5, 1.2))
    motion.legs[:, free] = loose
    motion.pelvis[:, 1] += take.wander(-8, 12) - .25 * np.minimum(loose[:, 0], 60) * take.pick(0, 1)
    motion.pelvis[:, 2] += np.array([1, -1])[free] * loose[:, 1] * .3
    motion.chest += take.wander([-20, -10, -12], [20, 20, 12], .8)
    return motion


def sit(take):
    """Base: sit on a chair and lean, the legs bent, stretched or crossed."""
    motion = relaxed(take)
    motion.pelvis[:, 1] = take.pick(-15, 10) + take.wander(-5, 10, 2)
    motion.chest[:, 1] += take.wander(-5, 20, 2)
    motion.legs[..., 0] = 82 + motion.pelvis[:, 1:2] + take.wander([-6, -6], [8, 8], 2)
    motion.legs[..., 1] = take.pick(-2, 22) + take.wander([-4, -4], [8, 8], 2)
    motion.legs[..., 3] = take.pick([60, 60], [105, 105]) + take.wander([-10, -10], [10, 10], 2)
    if take.chance(.3):
        cross_legs(take, motion)
    return motion


def cross_legs(take, motion):
    """Cross one thigh over the other."""
    over = take.rng.integers(2)
    motion.legs[:, over] += [take.pick(8, 22), -take.pick(8, 20), 0, take.pick(-25, 0)]


def sit_down(take):
    """Base: sit down to the height of a chair and stand up again."""
    motion, down = relaxed(take), take.pulses(2)
    plant_feet(take, motion, take.pick(.15, .4), take.pick(-.15, .15))
    motion.place -= .35 * down[:, None] * facing(motion.pelvis[:, 0])
    motion.pelvis[:, 1] += 35 * 4 * down * (1 - down)
    bend_knees(motion, 6 + down * take.pick(38, 48))
    return motion


def sit_on_floor(take):
    """Base: sit on the floor, the legs stretched, drawn up or crossed in front."""
    motion = relaxed(take)
    drawn, spread = take.pick([0, 0], [70, 70]), take.pick(2, 40)
    motion.pelvis[:, 1] = take.pick(-35, 5) + take.wander(-5, 8, 2)
    motion.lumbar[:, 1] += take.pick(0, 25)
    motion.chest[:, 1] += take.wander(0, 25, 2)
    motion.legs[..., 0] = 84 + drawn * .55 + motion.pelvis[:, 1:2] + take.wander([-4, -4], [6, 6], 2)
    motion.legs[..., 1] = spread
    motion.legs[..., 2] = -take.pick(0, 40) * (spread > 20)
    motion.legs[..., 3] = 8 + drawn * 1.5 + take.wander([0, 0], [12, 12], 2)
    return motion


def kneel(take):
    """Base: kneel on one or both knees."""
    motion, both = relaxed(take), take.chance(.5)
    motion.pelvis[:, 1] += take.wander(-5, 25, 1.5)
    down = take.pick(-5, 30)
    motion.legs[..., 0] = motion.pelvis[:, 1:2] + down
    motion.legs[..., 1] = take.pick(0, 15)
    motion.legs[..., 3] = 88 + down + take.wander([-6, -6], [8, 8], 1.5)
    if not both:
        front = take.rng.integers(2)
        motion.legs[:, front, 0] = motion.pelvis[:, 1] + 85
        motion.legs[:, front, 3] = take.wander(75, 100, 2)
    return motion


def all_fours(take):
    """Base: crawl, or do push-ups."""
    motion, phase = relaxed(take), take.beat(1.3)
    phases = np.stack([phase, phase + .5], axis=-1)
    plank = take.chance(.35)
    motion.pelvis[:, 1] = 75 + take.wander(-8, 8)
    motion.lumbar[:, 1], motion.chest[:, 1] = take.wander(-8, 12), take.wander(-8, 12)
    motion.neck[:, 1] = take.wander(-35, 10)
    motion.legs[..., 0] = (5 if plank else 75) + 18 * wave_of(phases) * (not plank)
    motion.legs[..., 3] = 8 if plank else 85
    motion.arms[..., 0], motion.arms[..., 2] = 85, take.pick(-30, 30)
    motion.arms[..., 1] = 78 - 18 * wave_of(phases) * (not plank)
    motion.arms[..., 3] = take.wander(5, 40)[:, None]
    return motion


def lie(take):
    """Base: lie on the back or belly, also tilted to a side, moving arms and legs."""
    motion = relaxed(take)
    motion.pelvis[:, 1] = take.rng.choice([-90, 85]) + take.wander(-5, 5)
    motion.pelvis[:, 2] = take.wander(-15, 15, 2)
    face_up = motion.pelvis[0, 1] < 0
    motion.legs[..., 0] = take.wander([0, 0], [70, 70] if face_up else [10, 10], 1.5)
    motion.legs[..., 3] = 5 + 1.4 * motion.legs[..., 0] + take.wander([0, 0], [30, 30], 1.5)
    motion.arms[:] = take.wander([(0, 15, -20, 5)] * 2, [(70, 150, 30, 100)] * 2, 1.5)
    return motion


def one_side(take):
    """A random side: 0 (left) or 1 (right)."""
    return take.rng.integers(2)


def reach(take, motion, side, place, pull, jitter=.06):
    """Move a wrist towards `place` (3,), left-hand target as above, by the fraction `pull`, (T,) or a number."""
    mirror = np.array([1, (1, -1)[side], 1])
    motion.hands[:, side] = (np.array(place) + take.wander([-jitter] * 3, [jitter] * 3, .8)) * mirror
    motion.hand_pull[:, side] = pull


def gesture(take, motion):
    """Manner: gesture with one or both hands in front of the body, elbows close to it."""
    for side in range(2) if take.chance(.7) else [one_side(take)]:
        motion.arms[:, side] = take.wander([-40, 4, -15, 25], [75, 50, 55, 120], take.pick(.5, 1.0))


def free_arms(take, motion):
    """Manner: move the arms freely in their range."""
    motion.arms[:] = take.wander([(-40, 5, -50, 5)] * 2, [(110, 150, 50, 130)] * 2, take.pick(.6, 1.3))


def stretch(take, motion):
    """Manner: stretch the arms up or out and move the trunk."""
    motion.arms[:] = take.wander([(-20, 60, -30, 0)] * 2, [(100, 172, 30, 60)] * 2, 1.0)
    twist_trunk(take, motion)


def twist_trunk(take, motion):
    """Manner: move the trunk in most of its range."""
    motion.lumbar += take.wander(*LUMBAR_RANGE * .7, 1.2)
    motion.chest += take.wander(*CHEST_RANGE * .7, 1.0)


def point(take, motion):
    """Manner: point around with one or both straight arms."""
    for side in range(2) if take.chance(.3) else [one_side(take)]:
        motion.arms[:, side] = take.wander([-10, 20, -20, 3], [110, 125, 30, 45], 1.0)
    motion.chest[:, 0] += take.wander(-20, 20, 1.0)


def wave(take, motion):
    """Manner: wave a raised hand from side to side."""
    side, phase = one_side(take), take.beat(take.pick(.5, .9))
    motion.arms[:, side] = take.wander([-10, 60, -70, 50], [60, 120, -30, 110], 1.5)
    motion.arms[:, side, 2:] += wave_of(phase)[:, None] * take.pick([5, 0], [25, 25])


def phone(take, motion):
    """Manner: hold a hand to the ear most of the time."""
    reach(take, motion, one_side(take), EAR, 1 if take.chance(.5) else take.pulses(2.5), .03)


def eat(take, motion):
    """Manner: move one hand between table and mouth; the other rests on the table or hangs."""
    side, other = take.rng.permutation(2)
    motion.arms[:, side] = take.wander([0, 10, 0, 50], [70, 35, 40, 95], 2)
    reach(take, motion, side, MOUTH, take.pulses(1.0))
    if take.chance(.4):
        reach(take, motion, other, BELLY, 1)


def smoke(take, motion):
    """Manner: move one hand to the mouth; rest the hands anywhere else."""
    side = one_side(take)
    if take.chance(.4):
        rest_hands(take, motion)
    reach(take, motion, side, MOUTH, take.pulses(1.5), .03)


def photo(take, motion):
    """Manner: hold both hands in front of the eyes."""
    raised = take.pulses(2)
    for side in range(2):
        reach(take, motion, side, EYES, raised, .04)


def rest_hands(take, motion):
    """Manner: rest one or both hands: waist, pocket, folded arms, behind the back, chin, nape or belly."""
    places = [WAIST, POCKET, FOLDED, BEHIND_BACK, CHIN, NAPE, BELLY]
    left, right = take.rng.integers(len(places), size=2)
    chosen = [left, left if take.chance(.5) else right]
    for side in range(2) if take.chance(.6) else [one_side(take)]:
        reach(take, motion, side, places[chosen[side]], take.pulses(2.5) if take.chance(.5) else 1)


def carry(take, motion):
    """Manner: hold something in front of the body with both hands."""
    place = np.array(CARRIED) + take.wander([-.25, -.15, -.35], [.15, .15, .4], 1.5).mean(axis=0)
    for side in range(2):
        reach(take, motion, side, place, 1)


def lead_dog(take, motion):
    """Manner: one arm is pulled forward and down by a dog on a lead."""
    side = one_side(take)
    reach(take, motion, side, (.75, .3, -.5), take.pulses(1.5), .2)


def reach_down(take, motion):
    """Manner: reach for the floor, shins or knees: the arms hang down as the trunk bends."""
    tipped = np.clip((motion.pelvis + motion.lumbar + motion.chest)[:, 1], 0, 120)
    for side in range(2) if take.chance(.6) else [one_side(take)]:
        motion.arms[:, side, 0] = take.pick(70, 90)
        motion.arms[:, side, 1] = 10 + tipped * take.pick(.7, 1.1)
        motion.arms[:, side, 3] = take.wander(5, 45)


def reach_shelf(take, motion):
    """Manner: reach up and forward, as to a shelf, and down again."""
    for side in range(2) if take.chance(.5) else [one_side(take)]:
        reach(take, motion, side, take.pick([.3, -.1, -.3], [.8, .7, .8]), take.pulses(1.2), .2)


def box(take, motion):
    """Manner: box or throw."""
    phases = take.beat(take.pick(.6, 1.1)) + np.array([[0], [take.pick(.3, .6)]])
    thrust = np.maximum(wave_of(phases.T), 0)
    motion.arms[..., 0] = take.pick(40, 80)
    motion.arms[..., 1] = take.pick(20, 50) + thrust * take.pick(20, 80)
    motion.arms[..., 2] = take.pick(0, 50)
    motion.arms[..., 3] = take.pick(105, 135) - thrust * take.pick(50, 100)
    motion.chest[:, 0] += (thrust[:, 1] - thrust[:, 0]) * take.pick(5, 30)


def lean_on_floor(take, motion):
    """Manner: support the body with one hand behind or beside it."""
    motion.arms[:, one_side(take)] = take.pick([-60, 20, -30, 5], [20, 50, 30, 25])


def sway(take, motion):
    """Manner: move the trunk in most of its range, with loose arms."""
    twist_trunk(take, motion)
    motion.arms += take.wander([(-20, 0, -20, 0)] * 2, [(30, 45, 20, 50)] * 2, .9)


def nothing(take, motion):
    """Manner: leave arms and trunk as the base made them."""

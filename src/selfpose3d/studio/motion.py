"""Motions of people: seeded plans of activities, walks that avoid others, joint rotations.

Angles are in degrees. In the body frame (the person looks along -y, left is +x, up is +z) a
limb that hangs down swings forward for a negative turn about +x.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from selfpose3d.studio.bodies import RestBody

LEAST_DISTANCE_MM = 650.0
"""Smallest distance between the roots of two people."""

_STEP_S = 0.05
_BLEND_S = 0.5

SIDES = ("L", "R")

Pose = dict[str, float]
"""Named angles in degrees; angles that are not named are 0 (see ``joint_rotations``)."""


@dataclass(frozen=True)
class Activity:
    """A stretch of somebody's plan.

    Args:
        kind: "walk", "sit" or one of ``GESTURES``.
        start: seconds.
        end: seconds.
        numbers: (12,) in [0, 1), what makes this one differ from others of its kind.
    """

    kind: str
    start: float
    end: float
    numbers: NDArray[np.float64]


@dataclass(frozen=True)
class Track:
    """A person's place, direction and activities over time.

    Args:
        times: (N,) seconds.
        places: (N, 2) mm.
        headings: (N,) radians about z; 0 looks along -y.
        strides: (N,) phase of the walk in radians.
        activities: activities in their order, over the whole time.
        habits: (12,) in [0, 1), the person's own manner.
    """

    times: NDArray[np.float64]
    places: NDArray[np.float64]
    headings: NDArray[np.float64]
    strides: NDArray[np.float64]
    activities: tuple[Activity, ...]
    habits: NDArray[np.float64]

    @property
    def seated(self) -> bool:
        """Whether the person sits all the time."""
        return self.activities[0].kind == "sit"

    def pose(self, time: float) -> Pose:
        """The pose at a time, activities blended into each other."""
        total: Pose = {}
        weights = [_presence(activity, time, self.times[-1]) for activity in self.activities]
        for activity, weight in zip(self.activities, weights, strict=True):
            if weight > 0:
                stride = float(np.interp(time, self.times, self.strides))
                for name, angle in _pose_of(activity, time, stride, self.habits).items():
                    total[name] = total.get(name, 0.0) + weight / sum(weights) * angle
        return total


def _presence(activity: Activity, time: float, end_of_all: float) -> float:
    """Weight of an activity: 1 within it, fading around its start and end."""
    begun = (time - activity.start) / _BLEND_S + 0.5 if activity.start > 0 else 1.0
    left = (activity.end - time) / _BLEND_S + 0.5 if activity.end < end_of_all else 1.0
    share = float(np.clip(min(begun, left), 0, 1))
    return share * share * (3 - 2 * share)


def _pose_of(activity: Activity, time: float, stride: float, habits: NDArray[np.float64]) -> Pose:
    since = time - activity.start
    if activity.kind == "walk":
        pose = _walk(stride, activity.numbers, habits)
    else:
        share = float(np.clip(since / (activity.end - activity.start), 0.0, 1.0))
        pose = GESTURES[activity.kind](since, share, activity.numbers)
    return _add(_manner(time, habits), pose)


def _add(first: Pose, second: Pose) -> Pose:
    return {key: first.get(key, 0.0) + second.get(key, 0.0) for key in {**first, **second}}


def _manner(time: float, habits: NDArray[np.float64]) -> Pose:
    """Carriage, breathing and looking around."""
    h = habits
    look = np.sin(time * (0.5 + h[0]) + 6.3 * h[1]) + 0.6 * np.sin(time * (1.1 + h[2]) + 6.3 * h[3])
    return {
        "neck_turn": 22 * look * (0.4 + h[4]),
        "neck_nod": 4 + 6 * np.sin(time * (0.9 + h[5]) + 6.3 * h[6]) + 10 * (h[7] - 0.5),
        "bend": 3 + 6 * h[8],
        "sway": 2.5 * np.sin(time * (0.7 + h[9]) + 6.3 * h[10]),
        "out_L": 6 + 5 * h[11],
        "out_R": 6 + 5 * h[11],
    }


def _walk(stride: float, n: NDArray[np.float64], h: NDArray[np.float64]) -> Pose:
    swing, arm = 22 + 8 * n[0], 14 + 20 * h[0] * (0.4 + n[1])
    pose: Pose = {"twist": 5 * np.sin(stride), "lean": 2 + 3 * n[2]}
    for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
        sin, cos = sign * np.sin(stride), sign * np.cos(stride)
        pose[f"hip_{side}"] = 4 + swing * sin
        pose[f"knee_{side}"] = 7 + 50 * max(0.0, cos) ** 1.5 + 6 * max(0.0, sin)
        pose[f"ankle_{side}"] = -8 * max(0.0, -sin)
        pose[f"forward_{side}"] = -arm * sin
        pose[f"elbow_{side}"] = 14 + 16 * h[1] - 12 * min(0.0, sin)
    return pose


def _stand(since: float, n: NDArray[np.float64]) -> Pose:
    """Weight on one leg, arms hanging."""
    rest = 1.0 if n[10] < 0.5 else -1.0
    pose: Pose = {"sway": 3 * rest * (0.3 + n[11]) + 1.5 * np.sin(since * (0.6 + n[10]))}
    for side, sign in zip(SIDES, (rest, -rest), strict=True):
        slack = max(0.0, sign) * (0.3 + n[11])
        pose |= {f"hip_{side}": 4 + 9 * slack, f"knee_{side}": 5 + 20 * slack}
        pose |= {f"hip_out_{side}": 3 + 3 * n[9], f"hip_turn_{side}": 6 + 10 * n[9]}
        pose |= {f"elbow_{side}": 12 + 16 * n[8], f"forward_{side}": 2 + 6 * n[7]}
    return pose


def _idle(since: float, share: float, n: NDArray[np.float64]) -> Pose:
    del share
    return _stand(since, n)


def _talk(since: float, share: float, n: NDArray[np.float64]) -> Pose:
    """Both forearms move in front of the body."""
    pose = _stand(since, n)
    up = np.sin(np.pi * share) ** 0.4
    for side, k in zip(SIDES, (0, 3), strict=True):
        wave = np.sin(since * (2 + 2.5 * n[k]) + 6.3 * n[k + 1])
        pose[f"forward_{side}"] += up * (8 + 28 * n[k + 2] + 9 * wave)
        pose[f"elbow_{side}"] += up * (32 + 35 * n[k] + 16 * np.sin(since * 2.7 + 6 * n[k + 2]))
        pose[f"out_{side}"] = up * 10 * n[k + 1]
        pose[f"roll_{side}"] = up * (20 + 20 * n[k + 1])
    return pose


def _raise(since: float, share: float, n: NDArray[np.float64]) -> Pose:
    """One arm or both go up, forwards or sideways."""
    pose = _stand(since, n)
    up = np.sin(np.pi * share) ** 0.7
    for side, wanted in zip(SIDES, (n[0] < 0.7, n[0] > 0.35), strict=True):
        if wanted:
            way = "forward" if n[1] < 0.55 else "out"
            pose[f"{way}_{side}"] = pose.get(f"{way}_{side}", 0) + up * (80 + 80 * n[2])
            pose[f"elbow_{side}"] += 15 * n[3] * up
    return pose


def _wave(since: float, share: float, n: NDArray[np.float64]) -> Pose:
    """A raised hand waves."""
    pose = _stand(since, n)
    up, side = np.sin(np.pi * share) ** 0.5, SIDES[int(n[0] < 0.5)]
    pose[f"out_{side}"] = up * (55 + 30 * n[1])
    pose[f"forward_{side}"] += up * 25
    pose[f"roll_{side}"] = -up * 70
    pose[f"elbow_{side}"] += up * (52 + 22 * np.sin(since * (5 + 3 * n[2])))
    return pose


def _reach(since: float, share: float, n: NDArray[np.float64]) -> Pose:
    """A hand reaches forwards, up or to the side; the trunk goes along."""
    pose = _stand(since, n)
    up, left = np.sin(np.pi * share) ** 0.7, n[0] < 0.5
    side = "L" if left else "R"
    pose[f"forward_{side}"] += up * (60 + 60 * n[1])
    pose[f"out_{side}"] = up * 30 * n[2]
    pose[f"elbow_{side}"] += up * 20 * n[3]
    pose |= {"twist": up * (20 if left else -20) * -n[4], "lean": up * 14 * n[5]}
    return pose


def _akimbo(since: float, share: float, n: NDArray[np.float64]) -> Pose:
    """Hands on the hips."""
    pose = _stand(since, n)
    up = np.sin(np.pi * share) ** 0.4
    for side in SIDES:
        pose[f"out_{side}"] = up * 34
        pose[f"forward_{side}"] += up * -16
        pose[f"roll_{side}"] = up * 62
        pose[f"elbow_{side}"] += up * 72
    return pose


def _stoop(since: float, share: float, n: NDArray[np.float64]) -> Pose:
    """Bends down, as if to pick something up."""
    pose = _stand(since, n)
    down = np.sin(np.pi * share) ** 0.8 * (0.55 + 0.45 * n[0])
    pose |= {"lean": 48 * down, "bend": 38 * down}
    for side, k in zip(SIDES, (1, 2), strict=True):
        pose[f"knee_{side}"] += 38 * n[3] * down
        pose[f"hip_{side}"] += 30 * n[3] * down
        pose[f"forward_{side}"] += (38 + 40 * n[k]) * down
    return pose


def _squat(since: float, share: float, n: NDArray[np.float64]) -> Pose:
    """Squats, the arms in front."""
    pose = _stand(since, n)
    down = np.sin(np.pi * share) ** 0.8 * (0.45 + 0.55 * n[0])
    pose |= {"lean": 26 * down, "bend": 12 * down}
    for side in SIDES:
        pose[f"hip_{side}"] += 92 * down
        pose[f"knee_{side}"] += 108 * down
        pose[f"hip_out_{side}"] += 14 * down
        pose[f"forward_{side}"] += (40 + 30 * n[1]) * down
        pose[f"elbow_{side}"] += 45 * n[2] * down
    return pose


def _sit(since: float, share: float, n: NDArray[np.float64]) -> Pose:
    """Sits on a stool, the hands on the lap or talking."""
    del share
    pose: Pose = {"lean": 4 + 8 * n[0], "bend": 8 * n[1]}
    talk = max(0.0, np.sin(since * (0.5 + 0.5 * n[2]) + 6.3 * n[3]))
    for side, k in zip(SIDES, (4, 7), strict=True):
        wave = np.sin(since * (1.6 + n[k]) + 6.3 * n[k + 1])
        pose[f"hip_{side}"] = 84 + 8 * n[k]
        pose[f"knee_{side}"] = 80 + 20 * n[k + 1]
        pose[f"hip_out_{side}"] = 5 + 9 * n[k + 2]
        pose[f"forward_{side}"] = 22 + 14 * n[k] + talk * (22 + 14 * wave)
        pose[f"elbow_{side}"] = 50 + 15 * n[k + 1] + talk * (22 + 20 * wave)
        pose[f"roll_{side}"] = 22 + 15 * n[k + 2]
    return pose


GESTURES: dict[str, Callable[[float, float, NDArray[np.float64]], Pose]] = {
    "idle": _idle,
    "talk": _talk,
    "raise": _raise,
    "wave": _wave,
    "reach": _reach,
    "akimbo": _akimbo,
    "stoop": _stoop,
    "squat": _squat,
    "sit": _sit,
}
_CHANCES = {
    "walk": 0.34,
    "idle": 0.08,
    "talk": 0.18,
    "raise": 0.09,
    "wave": 0.06,
    "reach": 0.08,
    "akimbo": 0.05,
    "stoop": 0.07,
    "squat": 0.05,
}
_SITTING = 0.15


def joint_rotations(body: RestBody, pose: Pose) -> dict[str, NDArray[np.float64]]:
    """The rotations of the bones for named angles.

    Args:
        body: whose bones; the arms' rest direction is taken from it.
        pose: degrees: ``lean`` (at the hips), ``bend``, ``twist``, ``sway`` of the trunk,
            ``neck_turn``, ``neck_nod``, and per side ``_L`` and ``_R``: ``forward``, ``out``,
            ``roll`` (inwards) of the upper arm from hanging, ``elbow``, ``hip``, ``hip_out``,
            ``hip_turn`` (outwards), ``knee``, ``ankle``.

    Returns:
        bone name to (3, 3), for ``RestBody.posed``.
    """
    angle = {name: float(np.radians(value)) for name, value in pose.items()}
    lean, sway = angle.get("lean", 0.0), angle.get("sway", 0.0)
    turns = {"root": _about_y(sway) @ _about_x(lean)}
    for name in ("spine05", "spine04", "spine03", "spine02"):
        bend, twist = angle.get("bend", 0.0), angle.get("twist", 0.0)
        turns[name] = _about_y(-sway / 3) @ _about_z(twist / 4) @ _about_x(bend / 4)
    for name in ("neck01", "neck02", "head"):
        turn, nod = angle.get("neck_turn", 0.0), angle.get("neck_nod", 0.0)
        turns[name] = _about_z(turn / 3) @ _about_x(nod / 3)
    for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
        mine = {name[:-2]: value for name, value in angle.items() if name.endswith(f"_{side}")}
        turns |= _leg(body, side, mine, lean, sway) | _arm(body, side, sign, mine)
    return turns


def _leg(
    body: RestBody, side: str, angle: Pose, lean: float, sway: float
) -> dict[str, NDArray[np.float64]]:
    sign = 1.0 if side == "L" else -1.0
    hip, knee = angle.get("hip", 0.0) + lean, max(0.0, angle.get("knee", 0.0))
    level = np.clip(hip - lean - knee, np.radians(-35), np.radians(45))
    rest = _direction(body, "upperleg01", "foot", side)
    upright = _about_y(float(np.arctan2(rest[0], -rest[2])))
    return {
        f"upperleg01.{side}": _about_y(-sway - sign * angle.get("hip_out", 0.0))
        @ _about_z(sign * angle.get("hip_turn", 0.0))
        @ _about_x(-hip)
        @ upright,
        f"lowerleg01.{side}": _about_x(knee),
        f"foot.{side}": upright.T @ _about_x(level + angle.get("ankle", 0.0)),
    }


def _arm(body: RestBody, side: str, sign: float, angle: Pose) -> dict[str, NDArray[np.float64]]:
    upper, fore = (_direction(body, a, b, side) for a, b in (_UPPER_ARM, _FOREARM))
    to_hanging = _between(upper, np.array([0.0, 0.0, -1.0]))
    out, forward = angle.get("out", 0.0), angle.get("forward", 0.0)
    lift = max(out, forward, 0.0) * 0.12
    roll = _about_z(-sign * angle.get("roll", 0.0))
    hinge = np.cross(fore, [0.0, -1.0, 0.0])
    bend = max(0.0, angle.get("elbow", 0.0))
    rotations = {
        f"clavicle.{side}": _about_y(-sign * lift),
        f"upperarm01.{side}": _about_y(-sign * (out - lift))
        @ _about_x(-forward)
        @ roll
        @ to_hanging,
        f"lowerarm01.{side}": rotation_about(hinge / np.linalg.norm(hinge), bend),
    }
    return rotations | _relaxed_hand(body, side)


_UPPER_ARM = ("upperarm01", "lowerarm01")
_FOREARM = ("lowerarm01", "wrist")


def _relaxed_hand(body: RestBody, side: str) -> dict[str, NDArray[np.float64]]:
    """Fingers slightly curled towards the palm."""
    along = _direction(body, "wrist", "finger3-1", side)
    across = _direction(body, "finger2-1", "finger5-1", side)
    down = np.array([0.0, 0.0, -1.0])
    axis = across if np.cross(across, along) @ down > 0 else -across
    curl = rotation_about(axis, np.radians(22))
    return {f"finger{f}-{j}.{side}": curl for f in range(2, 6) for j in (1, 2)}


def _direction(body: RestBody, first: str, second: str, side: str) -> NDArray[np.float64]:
    bones = body.model.bones
    step = body.heads[bones.index(f"{second}.{side}")] - body.heads[bones.index(f"{first}.{side}")]
    unit: NDArray[np.float64] = step / np.linalg.norm(step)
    return unit


def _between(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3, 3) smallest rotation from one unit vector to another."""
    axis = np.cross(first, second)
    sine = np.linalg.norm(axis)
    return rotation_about(axis / sine, float(np.arctan2(sine, first @ second)))


def rotation_about(axis: NDArray[np.float64], angle: float) -> NDArray[np.float64]:
    """(3, 3) rotation about a unit axis, radians (Rodrigues)."""
    x, y, z = axis
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def _about_x(angle: float) -> NDArray[np.float64]:
    return rotation_about(np.array([1.0, 0.0, 0.0]), angle)


def _about_y(angle: float) -> NDArray[np.float64]:
    return rotation_about(np.array([0.0, 1.0, 0.0]), angle)


def _about_z(angle: float) -> NDArray[np.float64]:
    return rotation_about(np.array([0.0, 0.0, 1.0]), angle)


@dataclass
class _Walker:
    """A person while their path is laid out."""

    place: NDArray[np.float64]
    heading: float
    pace: float
    activities: list[Activity]
    habits: NDArray[np.float64]
    goal: NDArray[np.float64]
    stride: float
    history: list[tuple[NDArray[np.float64], float, float]] = field(default_factory=list)

    def doing(self, time: float) -> Activity:
        """The activity at a time."""
        return next(a for a in reversed(self.activities) if a.start <= time or a.start == 0)


def plan_motion(
    rng: np.random.Generator, people: int, seconds: float, area: float
) -> tuple[Track, ...]:
    """Paths and activities of people who share a floor.

    Args:
        rng: source of all randomness.
        people: number of people.
        seconds: duration, s.
        area: largest distance of people from the origin in x and in y, mm.

    Returns:
        one track per person; their roots stay ``LEAST_DISTANCE_MM`` apart.
    """
    walkers = _gathered(rng, people, seconds, area)
    steps = int(np.ceil(seconds / _STEP_S)) + 1
    for step in range(steps):
        for walker in walkers:
            if step:
                _advance(walker, walkers, step * _STEP_S, area, rng)
        _keep_apart(walkers, area)
        for walker in walkers:
            walker.history.append((walker.place.copy(), walker.heading, walker.stride))
    times = _STEP_S * np.arange(steps, dtype=np.float64)
    return tuple(_track(walker, times) for walker in walkers)


def _track(walker: _Walker, times: NDArray[np.float64]) -> Track:
    places, headings, strides = zip(*walker.history, strict=True)
    return Track(
        times=times,
        places=np.stack(places),
        headings=np.array(headings),
        strides=np.array(strides),
        activities=tuple(walker.activities),
        habits=walker.habits,
    )


def _gathered(rng: np.random.Generator, people: int, seconds: float, area: float) -> list[_Walker]:
    """People at their start: half of the time in a group that faces its middle."""
    middle = rng.uniform(-0.45, 0.45, 2) * area
    group = rng.random() < 0.5
    bearings = rng.uniform(0, 2 * np.pi) + np.arange(people) * 2 * np.pi / people
    walkers = []
    for bearing in bearings + rng.normal(0, 0.25, people):
        place = rng.uniform(-0.85, 0.85, 2) * area
        heading = rng.uniform(-np.pi, np.pi)
        if group:
            away = np.array([np.cos(bearing), np.sin(bearing)])
            place = middle + rng.uniform(600, 1000) * away
            heading = _heading_of(-away) + rng.normal(0, 0.4)
        seated = rng.random() < _SITTING
        walkers.append(
            _Walker(
                place=place,
                heading=heading,
                pace=rng.uniform(650, 1250),
                activities=_activities(rng, seconds, seated),
                habits=rng.random(12),
                goal=rng.uniform(-0.9, 0.9, 2) * area,
                stride=rng.uniform(0, 2 * np.pi),
            )
        )
    for _ in range(400):
        _keep_apart(walkers, area)
    return walkers


def _activities(rng: np.random.Generator, seconds: float, seated: bool) -> list[Activity]:
    if seated:
        return [Activity("sit", 0.0, seconds + 1, rng.random(12))]
    plan, time = [], -float(rng.uniform(0.0, 1.5))
    kinds, chances = list(_CHANCES), np.array(list(_CHANCES.values()))
    while time < seconds + 0.5:
        kind = kinds[rng.choice(len(kinds), p=chances / chances.sum())]
        length = float(rng.uniform(2.2, 4.5) if kind != "walk" else rng.uniform(1.5, 4.5))
        plan.append(Activity(kind, time, time + length, rng.random(12)))
        time += length
    return plan


def _heading_of(direction: NDArray[np.float64]) -> float:
    return float(np.arctan2(direction[0], -direction[1]))


def _advance(
    walker: _Walker,
    others: Sequence[_Walker],
    time: float,
    area: float,
    rng: np.random.Generator,
) -> None:
    """One step of a person: towards the goal and around others, or turning on the spot."""
    activity = walker.doing(time)
    if activity.kind != "walk":
        if activity.kind != "sit":
            turn = 0.9 * (activity.numbers[6] - 0.5)
            walker.heading += turn * _STEP_S
        return
    to_goal = walker.goal - walker.place
    if np.linalg.norm(to_goal) < 350:
        walker.goal = _next_goal(walker, others, area, rng)
        to_goal = walker.goal - walker.place
    wish = to_goal / np.linalg.norm(to_goal)
    for other in others:
        gap = walker.place - other.place
        distance = float(np.linalg.norm(gap))
        if other is not walker and distance < 1300:
            aside = np.array([-gap[1], gap[0]]) / distance
            wish += (1300 - distance) / 650 * (gap / distance + 0.6 * aside)
    error = (_heading_of(wish) - walker.heading + np.pi) % (2 * np.pi) - np.pi
    walker.heading += float(np.clip(error, -2.4 * _STEP_S, 2.4 * _STEP_S))
    speed = walker.pace * max(0.25, np.cos(error / 2) ** 2)
    forward = np.array([np.sin(walker.heading), -np.cos(walker.heading)])
    walker.place = np.clip(walker.place + forward * speed * _STEP_S, -area, area)
    walker.stride += 2 * np.pi * speed / 1350 * _STEP_S


def _next_goal(
    walker: _Walker, others: Sequence[_Walker], area: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Somewhere on the floor, or beside somebody."""
    company = [other for other in others if other is not walker]
    if company and rng.random() < 0.4:
        friend = company[rng.integers(len(company))]
        bearing = rng.uniform(0, 2 * np.pi)
        beside = friend.place + 900 * np.array([np.cos(bearing), np.sin(bearing)])
        return np.clip(beside, -area, area)
    return rng.uniform(-0.95, 0.95, 2) * area


def _keep_apart(walkers: Sequence[_Walker], area: float) -> None:
    """Push people apart who stand too close; those who sit stay where they are."""
    for _ in range(30):
        moved = False
        for i, first in enumerate(walkers):
            for second in walkers[:i]:
                gap = first.place - second.place
                distance = float(np.linalg.norm(gap))
                if distance >= LEAST_DISTANCE_MM:
                    continue
                moved = True
                way = gap / distance if distance > 1 else np.array([1.0, 0.0])
                push = way * (LEAST_DISTANCE_MM + 1 - distance)
                give = _yielding(first, second)
                first.place = np.clip(first.place + give * push, -area, area)
                second.place = np.clip(second.place - (1 - give) * push, -area, area)
        if not moved:
            return


def _yielding(first: _Walker, second: _Walker) -> float:
    """Fraction of the way that the first person moves; those who sit stay where they are."""
    seated = [walker.activities[0].kind == "sit" for walker in (first, second)]
    if seated[0] == seated[1] or not first.history:
        return 0.5
    return 0.0 if seated[0] else 1.0

"""Walking people over time, and what an estimator of 2D people would say of them.

Stick bodies walk on closed paths: legs and arms swing, knees and elbows bend, speeds differ. The
path of each person is known at every time, so that cameras may look at times of their own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfpose3d.files.poses2d import People2D
from selfpose3d.geometry.cameras import Camera, in_image, project
from selfpose3d.geometry.people import STATURE_MM
from selfpose3d.skeletons import SKELETONS

BODY = SKELETONS["panoptic15"]
"""The joints of a walker."""

STEP_MM = 1400.0
"""Length that a walker covers in a cycle of two steps."""
APART_MM = 600.0
"""Least distance of two walkers' paths at the same time."""
_MEMORY_S = 0.4
"""Time over which the slow part of an estimator's error persists."""


@dataclass(frozen=True)
class Noise:
    """Errors of an estimator of 2D people, as shares.

    Args:
        joints: standard deviation of a joint over the body's height in the image; two thirds of
            its variance are new in every frame, the rest persists for some tenths of a second.
        missing_joints: of the joints.
        missing_people: of the people in an image.
        wild: of the joints, which lie a fifth of the height off.
    """

    joints: float = 0.015
    missing_joints: float = 0.08
    missing_people: float = 0.05
    wild: float = 0.02


@dataclass(frozen=True)
class Walkers:
    """People who walk on ellipses; every array has one entry per person.

    Args:
        centres: (P, 2) mm.
        radii: (P, 2) of the ellipses, mm.
        phases: (P,) where they start, rad.
        speeds: (P,) mm/s, negative for clockwise.
        statures: (P,) height over that of a person of 1.7 m.
    """

    centres: NDArray[np.float64]
    radii: NDArray[np.float64]
    phases: NDArray[np.float64]
    speeds: NDArray[np.float64]
    statures: NDArray[np.float64]

    def at(self, time: float) -> NDArray[np.float64]:
        """(P, 15, 3) mm at a time in seconds; z is up, the floor is z = 0."""
        place, ahead = self._paths(np.array([time]))
        place, heading = place[0], np.arctan2(ahead[0, :, 1], ahead[0, :, 0])
        stride = 2 * np.pi * np.abs(self.speeds) * time / STEP_MM + 5 * self.phases
        bodies = np.stack([_body(phase) for phase in stride]) * self.statures[:, None, None]
        cos, sin = np.cos(heading)[:, None], np.sin(heading)[:, None]
        x = bodies[..., 0] * cos - bodies[..., 1] * sin + place[:, :1]
        y = bodies[..., 0] * sin + bodies[..., 1] * cos + place[:, 1:]
        return np.stack([x, y, bodies[..., 2]], axis=-1)

    def _paths(self, times: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        """Places (T, P, 2) mm, and directions (T, P, 2) of the walk."""
        angle = self.phases + self.speeds * times[:, None] / self.radii.mean(1)
        direction = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        ahead = np.stack([-direction[..., 1], direction[..., 0]], axis=-1) * self.radii
        return self.centres + direction * self.radii, ahead * np.sign(self.speeds)[:, None]


def walkers(rng: np.random.Generator, count: int, seconds: float) -> Walkers:
    """People whose paths keep ``APART_MM`` from each other for so long."""
    while True:
        made = Walkers(
            centres=rng.uniform(-900, 900, (count, 2)),
            radii=rng.uniform(500, 1300, (count, 2)),
            phases=rng.uniform(0, 2 * np.pi, count),
            speeds=rng.uniform(700, 1400, count) * rng.choice([-1, 1], count),
            statures=rng.uniform(0.92, 1.08, count),
        )
        places, _ = made._paths(np.arange(0, seconds, 0.2))
        gaps = np.linalg.norm(places[:, :, None] - places[:, None], axis=-1)
        gaps[:, np.arange(count), np.arange(count)] = np.inf
        if gaps.min() > APART_MM:
            return made


def _body(phase: float) -> NDArray[np.float64]:
    """(15, 3) mm, somebody of 1.7 m who walks along x, in a phase of the walk."""
    joints = np.zeros((15, 3))
    joints[2] = (0, 0, 900 + 15 * np.cos(2 * phase))
    joints[0] = joints[2] + (30, 0, 510)
    joints[1] = joints[0] + (110, 0, 150)
    for first, side in ((3, 1.0), (9, -1.0)):
        swing = 0.42 * side * np.sin(phase)
        bend = 0.25 + 0.7 * max(0.0, side * np.cos(phase)) ** 1.5
        joints[first] = joints[0] + (-10, 165 * side, -30)
        joints[first + 1] = joints[first] + _limb(285, -0.8 * swing, 35 * side)
        joints[first + 2] = joints[first + 1] + _limb(245, -0.8 * swing + 0.45, 0.0)
        joints[first + 3] = joints[2] + (0, 105 * side, -20)
        joints[first + 4] = joints[first + 3] + _limb(410, swing + 0.1, 0.0)
        joints[first + 5] = joints[first + 4] + _limb(395, swing + 0.1 - bend, 0.0)
    return joints


def _limb(length: float, angle: float, aside: float) -> NDArray[np.float64]:
    """A bone that hangs down, turned forwards by an angle."""
    return np.array([length * np.sin(angle), aside, -length * np.cos(angle)])


def seen_walkers(
    people: Walkers,
    cameras: Sequence[Camera],
    times: Mapping[str, NDArray[np.float64]],
    rng: np.random.Generator,
    noise: Noise,
) -> dict[tuple[int, str], People2D]:
    """2D people by (frame, camera), frames counted from 0.

    Args:
        people: who walks.
        cameras: as they stand.
        times: when each camera took its frames, s, by its name.
        rng: of the errors.
        noise: of the estimator.
    """
    views: dict[tuple[int, str], People2D] = {}
    for camera in cameras:
        slow: NDArray[np.float64] | None = None
        for frame, time in enumerate(times[camera.name]):
            fresh = rng.normal(size=(len(people.phases), len(BODY), 2))
            keep = np.exp(-(times[camera.name][1] - times[camera.name][0]) / _MEMORY_S)
            slow = fresh if slow is None else keep * slow + np.sqrt(1 - keep**2) * fresh
            quick = rng.normal(size=fresh.shape)
            error = noise.joints * (np.sqrt(2 / 3) * quick + np.sqrt(1 / 3) * slow)
            views[frame, camera.name] = _seen(camera, people.at(time), error, rng, noise)
    return views


def _seen(
    camera: Camera,
    bodies: NDArray[np.float64],
    error: NDArray[np.float64],
    rng: np.random.Generator,
    noise: Noise,
) -> People2D:
    pixels, depth = project(camera, bodies)
    inside = in_image(camera, pixels)
    height = camera.K[0, 0] * STATURE_MM / depth.mean(1)
    error = error + 0.2 * rng.normal(size=error.shape) * (
        rng.random(inside.shape)[..., None] < noise.wild
    )
    there = inside & (rng.random(inside.shape) >= noise.missing_joints)
    keep = (there.sum(1) >= 6) & (rng.random(len(bodies)) >= noise.missing_people)
    points = np.where(there[..., None], pixels + error * height[:, None, None], 0.0)
    scores = np.where(there, rng.uniform(0.6, 1.0, there.shape), 0.0)
    order = rng.permutation(np.flatnonzero(keep))
    return People2D(points[order], scores[order], np.full(len(order), 0.9), BODY)

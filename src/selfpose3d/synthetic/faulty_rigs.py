"""Recordings of walking people with faults of the rig put in, for tests and benchmarks.

A fault is put in as it happens: a camera stands elsewhere than its calibration says, a video starts
late, a file's numbers are of another convention.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from selfpose3d.files.poses2d import People2D
from selfpose3d.geometry.cameras import Camera, project
from selfpose3d.synthetic.walkers import Noise, Walkers, seen_walkers, walkers

FPS = 30.0
WIDTH, HEIGHT = 960, 576


@dataclass(frozen=True)
class Recording:
    """A calibration and the 2D people that were seen.

    Args:
        cameras: as the calibration says.
        right: as they are; of a camera that is bumped, before.
        views: 2D people by (frame, camera name).
        times: of the frames, s, by frame.
        moved_px: by how much the faults move the image at the people, in the camera and the part
            of the recording in which they do most (median); people's exchanged sides and mirrored
            images do not count.
    """

    cameras: tuple[Camera, ...]
    right: tuple[Camera, ...]
    views: dict[tuple[int, str], People2D]
    times: dict[int, float]
    moved_px: float


@dataclass(frozen=True)
class Planted:
    """A fault to put in.

    Args:
        kind: one of ``FAULTS``.
        size: 0 (small), 1 or 2 (large).
        camera: index of the camera, where the fault is of one; of the first of two.
    """

    kind: str
    size: int
    camera: int


@dataclass(frozen=True)
class _Setup:
    """What is recorded, before it is."""

    given: tuple[Camera, ...]
    right: tuple[Camera, ...]
    later: tuple[Camera, ...]
    late_from: tuple[float, ...]
    offsets: tuple[float, ...]
    late_offsets: tuple[float, ...]
    seen: tuple[Callable[[People2D, Camera], People2D], ...]


Put = Callable[[_Setup, int, int, np.random.Generator], _Setup]


def hall(rng: np.random.Generator, count: int) -> tuple[Camera, ...]:
    """Cameras around a hall, unevenly; they look at its middle. mm, z up."""
    cameras = []
    for index in range(count):
        angle = 2 * np.pi * (index + rng.uniform(-0.2, 0.2)) / count
        radius = rng.uniform(4200, 5400)
        place = (radius * np.cos(angle), radius * np.sin(angle), rng.uniform(1500, 3000))
        target = np.array([*rng.uniform(-300, 300, 2), 900.0])
        R = _looking(np.array(place), target)
        f = rng.uniform(0.75, 0.9) * WIDTH
        middle = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2]) + rng.uniform(-8, 8, 2)
        K = [[f, 0, middle[0]], [0, f, middle[1]], [0, 0, 1]]
        lens = [rng.uniform(-0.12, -0.05), 0.02, 0, 0, 0]
        cameras.append(
            Camera(f"cam{index + 1:02d}", WIDTH, HEIGHT, np.array(K), np.array(lens), R,
                   -R @ np.array(place))
        )  # fmt: skip
    return tuple(cameras)


def _looking(place: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    forward = (target - place) / np.linalg.norm(target - place)
    right = np.cross(forward, [0, 0, 1.0])
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(forward, right), forward])


def record(
    seed: int,
    faults: Sequence[Planted] = (),
    cameras: int = 5,
    seconds: float = 8.0,
    people: int = 3,
    noise: Noise | None = None,
    late: Mapping[int, float] | None = None,
) -> Recording:
    """Record walking people with a rig that has these faults.

    Args:
        seed: of the rig, the people and the errors.
        faults: put in one after the other.
        cameras: how many.
        seconds: at 30 frames per second.
        people: how many.
        noise: of the estimator.
        late: by how many frames cameras lag, by their index.
    """
    rng = np.random.default_rng(seed)
    rig = hall(rng, cameras)
    zero = (0.0,) * cameras
    setup = _Setup(rig, rig, rig, (np.inf,) * cameras, zero, zero, (_as_it_is,) * cameras)
    walking = walkers(rng, people, seconds)
    for fault in faults:
        setup = FAULTS[fault.kind](setup, fault.camera, fault.size, rng)
    for index, frames in (late or {}).items():
        setup = _delayed(setup, index, frames)
    times = np.arange(round(seconds * FPS)) / FPS
    views = _seen(setup, walking, times, rng, noise or Noise())
    at = dict(enumerate(times.tolist()))
    return Recording(setup.given, setup.right, views, at, _moved(setup, walking, times[::15]))


def _moved(setup: _Setup, people: Walkers, times: NDArray[np.float64]) -> float:
    bodies = np.stack([people.at(time) for time in times])
    most = 0.0
    for index, given in enumerate(setup.given):
        expected = np.nan_to_num(project(given, bodies)[0], nan=-1e4)
        for camera, offset in (
            (setup.right[index], setup.offsets[index]),
            (setup.later[index], setup.late_offsets[index]),
        ):
            shown = np.stack([people.at(time - offset / FPS) for time in times])
            gap = np.linalg.norm(project(camera, shown)[0] - expected, axis=-1)
            most = max(most, float(np.nanmedian(gap)))
    return most


def _as_it_is(people: People2D, camera: Camera) -> People2D:
    return people


def _seen(
    setup: _Setup,
    people: Walkers,
    times: NDArray[np.float64],
    rng: np.random.Generator,
    noise: Noise,
) -> dict[tuple[int, str], People2D]:
    views: dict[tuple[int, str], People2D] = {}
    for index, name in enumerate(camera.name for camera in setup.given):
        start = setup.late_from[index] * (times[-1] + times[1])
        own = np.where(times >= start, setup.late_offsets[index], setup.offsets[index])
        parts = ((False, setup.right[index]), (True, setup.later[index]))
        for late, camera in parts[: 1 if np.isinf(start) else 2]:
            at = {name: times - own / FPS}
            part = seen_walkers(people, [replace(camera, name=name)], at, rng, noise)
            views |= {
                key: setup.seen[index](one, camera)
                for key, one in part.items()
                if (times[key[0]] >= start) == late
            }
    return views


def _with(values: tuple[Any, ...], index: int, value: Any) -> tuple[Any, ...]:
    return (*values[:index], value, *values[index + 1 :])


def turned(camera: Camera, degrees: float, mm: float, rng: np.random.Generator) -> Camera:
    """The camera turned about a random axis and moved in a random direction."""
    axis, way = rng.normal(size=(2, 3))
    turn = cv2.Rodrigues(np.radians(degrees) * axis / np.linalg.norm(axis))[0]
    R, centre = turn @ camera.R, camera.centre + mm * way / np.linalg.norm(way)
    return replace(camera, R=R, t=-R @ centre)


def _pose(setup: _Setup, i: int, size: int, rng: np.random.Generator) -> _Setup:
    degrees, mm = ((0.5, 30), (2.0, 100), (10.0, 400))[size]
    return replace(setup, given=_with(setup.given, i, turned(setup.given[i], degrees, mm, rng)))


def _bumped(setup: _Setup, i: int, size: int, rng: np.random.Generator) -> _Setup:
    degrees, mm = ((0.7, 20), (2.0, 60), (8.0, 200))[size]
    later = turned(setup.right[i], degrees, mm, rng)
    late_from = _with(setup.late_from, i, rng.uniform(0.35, 0.65))
    return replace(setup, later=_with(setup.later, i, later), late_from=late_from)


def _exchanged(setup: _Setup, i: int, size: int, rng: np.random.Generator) -> _Setup:
    j = (i + 1 + size) % len(setup.given)
    a, b = setup.given[i], setup.given[j]
    given = _with(setup.given, i, replace(b, name=a.name))
    return replace(setup, given=_with(given, j, replace(a, name=b.name)))


def _late(setup: _Setup, i: int, size: int, rng: np.random.Generator) -> _Setup:
    return _delayed(setup, i, (1.3, 4.0, 12.0)[size] * float(rng.choice([-1, 1])))


def _delayed(setup: _Setup, i: int, frames: float) -> _Setup:
    both = _with(setup.offsets, i, frames), _with(setup.late_offsets, i, frames)
    return replace(setup, offsets=both[0], late_offsets=both[1])


def _lost(setup: _Setup, i: int, size: int, rng: np.random.Generator) -> _Setup:
    frames = -(2.0, 5.0, 12.0)[size]
    late_from = _with(setup.late_from, i, rng.uniform(0.35, 0.65))
    later = setup.right[i] if np.isinf(setup.late_from[i]) else setup.later[i]
    return replace(
        setup,
        late_offsets=_with(setup.late_offsets, i, frames),
        late_from=late_from,
        later=_with(setup.later, i, later),
    )


def _principal_point(setup: _Setup, i: int, size: int, rng: np.random.Generator) -> _Setup:
    K = setup.given[i].K.copy()
    way = rng.uniform(0, 2 * np.pi)
    K[:2, 2] += (0.015, 0.08, 0.0)[size] * WIDTH * np.array([np.cos(way), np.sin(way)])
    K[:2, 2] *= size < 2
    return replace(setup, given=_with(setup.given, i, replace(setup.given[i], K=K)))


def _focal(setup: _Setup, i: int, size: int, rng: np.random.Generator) -> _Setup:
    K = setup.given[i].K.copy()
    K[[0, 1], [0, 1]] *= (1.05, 1.15, 1.5)[size]
    return replace(setup, given=_with(setup.given, i, replace(setup.given[i], K=K)))


def _undistorted(setup: _Setup, i: int, size: int, rng: np.random.Generator) -> _Setup:
    lens = np.array([(-0.45, -0.55, -0.65)[size], 0.2, 0, 0, 0])
    given = tuple(replace(camera, distortion=lens) for camera in setup.given)
    right = tuple(replace(camera, distortion=np.zeros(5)) for camera in setup.right)
    later = tuple(replace(camera, distortion=np.zeros(5)) for camera in setup.later)
    return replace(setup, given=given, right=right, later=later)


def _inverted(setup: _Setup, i: int, size: int, rng: np.random.Generator) -> _Setup:
    changed = (
        lambda camera: replace(camera, R=camera.R.T),
        lambda camera: replace(camera, t=camera.centre),
        lambda camera: replace(camera, R=camera.R.T, t=camera.centre),
    )[size]
    return replace(setup, given=tuple(changed(camera) for camera in setup.given))


def _units(setup: _Setup, i: int, size: int, rng: np.random.Generator) -> _Setup:
    factor = (1.4, 0.1, 1 / 25.4)[size]
    given = tuple(replace(camera, t=camera.t * factor) for camera in setup.given)
    return replace(setup, given=given)


def _gravity(setup: _Setup, i: int, size: int, rng: np.random.Generator) -> _Setup:
    turn = cv2.Rodrigues(np.radians((20.0, 90.0, -90.0)[size]) * np.array([1.0, 0, 0]))[0]
    given = tuple(replace(camera, R=camera.R @ turn) for camera in setup.given)
    return replace(setup, given=given)


def _mirrored(setup: _Setup, i: int, size: int, rng: np.random.Generator) -> _Setup:
    """One camera's image mirrored, its sides exchanged, or everybody's sides exchanged."""
    change = _flipped if size == 0 else _sides_exchanged
    seen = (change,) * len(setup.seen) if size == 2 else _with(setup.seen, i, change)
    return replace(setup, seen=seen)


def _flipped(people: People2D, camera: Camera) -> People2D:
    points = people.points * [-1.0, 1.0] + [camera.width - 1.0, 0.0]
    return _sides_exchanged(replace(people, points=points), camera)


def _sides_exchanged(people: People2D, camera: Camera) -> People2D:
    order = people.skeleton.swapped
    return replace(people, points=people.points[:, order], scores=people.scores[:, order])


FAULTS: Mapping[str, Put] = {
    "pose": _pose,
    "bumped": _bumped,
    "exchanged": _exchanged,
    "time offset": _late,
    "frames lost": _lost,
    "principal point": _principal_point,
    "focal length": _focal,
    "undistorted twice": _undistorted,
    "inverted": _inverted,
    "units": _units,
    "gravity": _gravity,
    "mirrored": _mirrored,
}
"""The functions that put each kind of fault into a recording."""

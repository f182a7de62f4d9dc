"""The 2D people of one camera, followed over time and read at any time between frames.

Errors of single frames would hide what a rig's faults do to the image. Around the times at which
all cameras are compared (knots), each joint's path is therefore fitted by a parabola over some
tenths of a second. It also tells the joint's velocity, by which a camera's time offset shows.

Letters: T tracks, F frames, K knots, J joints.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from selfpose3d.errors import InputError
from selfpose3d.files.poses2d import People2D, Views
from selfpose3d.skeletons import Skeleton

SIDED = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
BODY: tuple[str, ...] = (
    "nose",
    *(f"left_{joint}" for joint in SIDED),
    *(f"right_{joint}" for joint in SIDED),
)
"""The joints that are looked at; a set of joints may lack some of them."""

CONFIDENT = 0.3
"""Lowest score of a joint that is looked at."""
HALF_WINDOW_S = 0.11
"""Largest time from a knot at which a frame counts for its parabola."""
KNOT_S = 0.2
"""Least time between knots of a take that is long enough."""
FEWEST_KNOTS = 12
"""Knots of a shorter one, if it has so many frames."""
MOST_KNOTS = 100
FARTHEST_STEP = 0.35
"""Largest distance from one frame to the next of one person, in body heights."""
LONGEST_GAP_S = 0.35
"""Longest gap in which somebody stays the same person; a gap of one frame is always allowed."""
_FEWEST_JOINTS = 4
_SPREAD_OF_HEIGHT = 3.3
"""A standing person's height over the root mean square distance of joints from their middle."""
_RIDGE = np.diag([0.0, 1e-3, 1e-3])


@dataclass(frozen=True)
class Tracks:
    """The people of one camera.

    Args:
        joints: names of the joints.
        times: (F,) of the frames, s.
        points: (T, F, J, 2) px of the image, NaN where a joint was not seen.
    """

    joints: tuple[str, ...]
    times: NDArray[np.float64]
    points: NDArray[np.float64]

    def flipped(self, width: int) -> "Tracks":
        """The people of the image mirrored left to right, in which sides change their names."""
        mirrored = self.points * [-1.0, 1.0] + [width - 1.0, 0.0]
        return replace(self, points=mirrored).sides_exchanged()

    def sides_exchanged(self) -> "Tracks":
        """The same people with left and right joints exchanged."""
        return replace(self, points=self.points[:, :, Skeleton(self.joints).swapped])


@dataclass(frozen=True)
class Samples:
    """A camera's people at the knots.

    Args:
        px: (T, K, J, 2) NaN where a joint is not there.
        velocity: (T, K, J, 2) px/s; 0 where only one frame counts.
        height: (T, K) px, of the body, NaN where too few joints are there.
    """

    px: NDArray[np.float64]
    velocity: NDArray[np.float64]
    height: NDArray[np.float64]


def body_joints(joints: Sequence[str]) -> tuple[str, ...]:
    """The joints that are looked at, of those that people have.

    Raises:
        InputError: they lack shoulders or hips.
    """
    found = tuple(name for name in BODY if name in joints)
    needed = {"left_shoulder", "right_shoulder", "left_hip", "right_hip"}
    if not needed <= set(found):
        raise InputError(
            f"the 2D people lack the joints {sorted(needed - set(found))}; they have "
            f"{list(joints)}. A rig is examined with people whose shoulders and hips are named"
        )
    return found


def follow(views: Views, camera: str, joints: Sequence[str], times: Mapping[int, float]) -> Tracks:
    """Follow the people of one camera from frame to frame.

    Args:
        views: people by (frame, camera name), px.
        camera: its name.
        joints: names of the people's joints.
        times: of the frames that are looked at, s, by frame.
    """
    names = body_joints(joints)
    chosen = [list(joints).index(name) for name in names]
    moments = np.array(list(times.values()), dtype=np.float64)
    seen = [_points(views.get((frame, camera)), chosen) for frame in times]
    track_of, count = _linked(seen, moments)
    points = np.full((count, len(moments), len(names), 2), np.nan)
    for index, (people, tracks) in enumerate(zip(seen, track_of, strict=True)):
        points[tracks, index] = people
    return Tracks(names, moments, points)


def _points(people: People2D | None, chosen: list[int]) -> NDArray[np.float64]:
    """(P, J, 2) px of the people of one image with enough joints; NaN where one is not there."""
    if people is None or not len(people):
        return np.zeros((0, len(chosen), 2))
    there = people.scores[:, chosen] >= CONFIDENT
    points = np.where(there[..., None], people.points[:, chosen], np.nan)
    return points[there.sum(1) >= _FEWEST_JOINTS]


def heights(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(...) px, of bodies (..., J, 2) by their joints' spread; NaN where too few are there."""
    there = np.isfinite(points[..., 0])
    count = there.sum(-1)
    filled = np.nan_to_num(points)
    middle = filled.sum(-2) / np.maximum(count, 1)[..., None]
    squared = (np.where(there[..., None], filled - middle[..., None, :], 0.0) ** 2).sum((-1, -2))
    height = _SPREAD_OF_HEIGHT * np.sqrt(squared / np.maximum(count, 1))
    return np.where((count >= _FEWEST_JOINTS) & (height > 0), height, np.nan)


def _linked(
    seen: Sequence[NDArray[np.float64]], times: NDArray[np.float64]
) -> tuple[list[NDArray[np.int64]], int]:
    """The track of each person of each frame, and how many tracks there are."""
    last: dict[int, tuple[int, NDArray[np.float64]]] = {}
    track_of: list[NDArray[np.int64]] = []
    count = 0
    for frame, people in enumerate(seen):
        alive = {
            track: body
            for track, (when, body) in last.items()
            if frame - when <= 2 or times[frame] - times[when] <= LONGEST_GAP_S
        }
        tracks = _continued(people, alive)
        new = np.flatnonzero(tracks < 0)
        tracks[new] = count + np.arange(len(new))
        count += len(new)
        last |= {int(track): (frame, body) for track, body in zip(tracks, people, strict=True)}
        track_of.append(tracks)
    return track_of, count


def _continued(
    people: NDArray[np.float64], alive: Mapping[int, NDArray[np.float64]]
) -> NDArray[np.int64]:
    """(P,) the track that each person continues, -1 where it is none."""
    tracks = np.full(len(people), -1, dtype=np.int64)
    if not len(people) or not alive:
        return tracks
    before = np.stack(list(alive.values()))
    gap = np.linalg.norm(people[:, None] - before[None], axis=-1)
    both = np.isfinite(gap)
    mean = np.where(both, gap, 0.0).sum(-1) / np.maximum(both.sum(-1), 1)
    size = np.nan_to_num(heights(people), nan=np.inf)[:, None]
    cost = np.where(both.sum(-1) >= _FEWEST_JOINTS // 2, mean / size, 1.0)
    for row, column in zip(*linear_sum_assignment(np.minimum(cost, 1.0)), strict=True):
        if cost[row, column] < FARTHEST_STEP:
            tracks[row] = list(alive)[column]
    return tracks


def knots(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """(K,) times at which the cameras are compared: frames' times, ``KNOT_S`` apart or more."""
    apart = min(KNOT_S, (times[-1] - times[0]) / FEWEST_KNOTS)
    chosen = [times[0]]
    for time in times[1:]:
        if time - chosen[-1] >= apart - 1e-6:
            chosen.append(time)
    places = np.linspace(0, len(chosen) - 1, min(len(chosen), MOST_KNOTS)).round().astype(int)
    return np.array(chosen)[places]


def sample(tracks: Tracks, moments: NDArray[np.float64]) -> Samples:
    """A camera's people at given times, by a parabola through the frames around each.

    Args:
        tracks: the people.
        moments: (K,) s; times outside the tracks have nobody.
    """
    shape = (len(tracks.points), len(moments), len(tracks.joints), 2)
    px, velocity = np.full(shape, np.nan), np.zeros(shape)
    step = float(np.median(np.diff(tracks.times))) if len(tracks.times) > 1 else 1.0
    for k, moment in enumerate(moments):
        near = np.flatnonzero(np.abs(tracks.times - moment) <= max(HALF_WINDOW_S, 0.6 * step))
        seen = tracks.points[:, near]
        there = np.isfinite(seen[..., 0]).any((1, 2))
        if there.any():
            offsets = (tracks.times[near] - moment) / step
            px[there, k], velocity[there, k] = _parabola(seen[there], offsets)
    return Samples(px, velocity / step, heights(px))


def _parabola(
    points: NDArray[np.float64], offsets: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values and slopes (T, J, 2) at 0 of parabolas through points (T, N, J, 2) at offsets (N,).

    A joint without a frame on both sides, or at 0, has no value.
    """
    there = np.asarray(np.isfinite(points[..., 0]))
    powers = np.stack([np.ones_like(offsets), offsets, offsets**2], axis=1)
    weights = there.astype(np.float64)
    normal = np.einsum("tnj,na,nb->tjab", weights, powers, powers) + _RIDGE
    right = np.einsum("tnj,na,tnjx->tjax", weights, powers, np.nan_to_num(points))
    enough = _any(there, offsets <= 0.6) & _any(there, offsets >= -0.6)
    enough &= _any(there, np.abs(offsets) <= 1.6)
    normal = np.where(enough[..., None, None], normal, np.eye(3))
    solved = np.linalg.solve(normal, right)
    return (
        np.where(enough[..., None], solved[..., 0, :], np.nan),
        np.where(enough[..., None], solved[..., 1, :], 0.0),
    )


def _any(there: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(T, J) whether something is there (T, N, J) in one of the chosen frames (N,)."""
    return np.asarray(there[:, chosen].any(1))

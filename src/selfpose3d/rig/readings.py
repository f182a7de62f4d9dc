"""Other ways to read one camera: what would be right if a common mistake had been made.

Each reading is a view as it would have to be if the mistake is undone. ``fit`` says how well the
people whom the other cameras see agree with it.

Letters: K knots, J joints, T tracks, G groups.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from selfpose3d.geometry.cameras import Camera, project, undistort
from selfpose3d.rig.bundle import gather, triangulated
from selfpose3d.rig.matching import SHARP, Group
from selfpose3d.rig.tracks import Samples, Tracks, heights
from selfpose3d.rig.views import View

LONGEST_LAG_S = 1.0
"""Time offsets are looked for up to this one."""
COARSE = 3
"""Frames by which offsets differ that are tried first."""
FACTORS = (1 / 3, 0.5, 2 / 3, 1.5, 2.0, 3.0)
"""Ratios of image sizes that are confused."""
FOCALS = (0.6, 0.75, 1.3, 1.6)
"""Factors of the focal length from which the fit can find the right one."""
_FEWEST_POINTS = 12
_MOST_TRIALS = 40


@dataclass(frozen=True)
class Body:
    """A person over one window as the other cameras see them.

    Args:
        first: first knot.
        points: (K, J, 3) in the world's unit, NaN where too few cameras saw a joint.
        weight: how many cameras agree.
    """

    first: int
    points: NDArray[np.float64]
    weight: float


@dataclass(frozen=True)
class Reading:
    """A view as it would be without one mistake.

    Args:
        kind: of the mistake, one of ``findings.KINDS``.
        view: what is right then.
        amount: what the mistake is, by quantity.
    """

    kind: str
    view: View
    amount: dict[str, float]


def bodies(views: Sequence[View], groups: Sequence[Group]) -> list[Body]:
    """The groups' people as triangulated bodies."""
    sightings = gather(views, groups)
    points = triangulated(views, sightings)
    n_joints = views[0].samples.px.shape[2]
    found = []
    for number, one in enumerate(groups):
        body = np.full((one.end - one.first, n_joints, 3), np.nan)
        own = sightings.person == number
        body[sightings.knot[own] - one.first, sightings.joint[own]] = points[own]
        found.append(Body(one.first, body, one.weight))
    return found


def fit(view: View, people: Sequence[Body]) -> float:
    """Share in [0, 1] of what people's projections could agree with a view's 2D people."""
    weights = np.array([body.weight for body in people])
    return float((weights * agreements(view, people)).sum() / max(weights.sum(), 1e-9))


def agreements(view: View, people: Sequence[Body]) -> NDArray[np.float64]:
    """(G,) in [0, 1], how well the nearest 2D person of the view agrees with each body."""
    return np.array([_agreement(gaps(view, body)) for body in people])


def _agreement(distance_T: NDArray[np.float64]) -> float:
    nearest = float(distance_T.min(initial=np.inf))
    return 1 / (1 + (nearest / SHARP) ** 2)


def gaps(view: View, body: Body) -> NDArray[np.float64]:
    """(T,) distances of a view's people from a body's projection, in body heights; infinite where
    they are never seen together."""
    part = slice(body.first, body.first + len(body.points))
    px, height = view.samples.px[:, part], view.samples.height[:, part]
    there = np.isfinite(px[..., 0]).any((1, 2))
    distances = np.full(len(px), np.inf)
    distances[there] = _gaps(view, body, px[there], height[there])
    return distances


def _gaps(
    view: View, body: Body, px: NDArray[np.float64], height: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The same of people (T, K, J, 2) px at the body's knots, heights (T, K) px."""
    projected, _ = project(view.camera, np.nan_to_num(body.points))
    projected = np.where(np.isfinite(body.points), 0.0, np.nan)[..., :2] + projected
    inside = np.arange(body.first, body.first + len(body.points))
    inside_K = (inside >= view.first) & (inside < view.end)
    gap = np.linalg.norm(px - projected, axis=-1) / height[..., None]
    seen = np.isfinite(px[..., 0]) & np.isfinite(body.points[..., 0]) & inside_K[:, None]
    bounded = np.where(seen, np.minimum(np.nan_to_num(gap, nan=0.5), 0.5), 0.0)
    count = seen.sum((1, 2))
    return np.where(count >= 4, bounded.sum((1, 2)) / np.maximum(count, 1), np.inf)


def discrete(view: View, knots: NDArray[np.float64]) -> Iterator[Reading]:
    """Readings without a quantity that has to be fitted."""
    camera = view.camera
    for kind, amount, changed in _cameras(camera):
        yield Reading(kind, replace(view, camera=changed), amount)
    for kind, tracks in (
        ("mirrored image", view.tracks.flipped(camera.width)),
        ("sides exchanged", view.tracks.sides_exchanged()),
        ("image upside down", _upside_down(view.tracks, camera)),
    ):
        yield Reading(kind, view.showing(tracks, knots), {})


def inverted(
    camera: Camera, world: NDArray[np.float64] | None = None
) -> Iterator[tuple[str, Camera]]:
    """A camera whose R and t were given in another direction, and what they were given as.

    Args:
        camera: as given.
        world: (3, 3) the rotation from our world to that in which R and t were given; None if they
            were given in ours.
    """
    turn = np.eye(3) if world is None else world
    R = camera.R @ turn.T
    yield "R is camera to world", replace(camera, R=R.T @ turn)
    yield "t is the camera's centre", replace(camera, t=-R @ camera.t)
    yield "R and t are camera to world", replace(camera, R=R.T @ turn, t=-R.T @ camera.t)


def undistorted(camera: Camera) -> Camera:
    """The camera without distortion."""
    return replace(camera, distortion=np.zeros_like(camera.distortion))


def scaled(camera: Camera, factor: float) -> Camera:
    """The camera of images that are so much larger; pixels are counted from the same corner."""
    K = np.diag([factor, factor, 1.0]) @ camera.K
    width, height = round(camera.width * factor), round(camera.height * factor)
    return replace(camera, K=K, width=width, height=height)


def _cameras(camera: Camera) -> Iterator[tuple[str, dict[str, float], Camera]]:
    for what, changed in inverted(camera):
        yield f"inverted: {what}", {}, changed
    middle = np.array([(camera.width - 1) / 2, (camera.height - 1) / 2])
    K = camera.K.copy()
    K[:2, 2] = middle
    if np.linalg.norm(camera.K[:2, 2] - middle) > 0.15 * camera.width:
        yield "principal point", {}, replace(camera, K=K)
    for factor in FACTORS:
        K = scaled(camera, factor).K
        yield "another image size", {"factor": factor}, replace(camera, K=K)
    for factor in FOCALS:
        K = camera.K * np.array([[factor, 1, 1], [1, factor, 1], [1, 1, 1]])
        yield "focal length", {}, replace(camera, K=K)


def _upside_down(tracks: Tracks, camera: Camera) -> Tracks:
    corner = np.array([camera.width - 1.0, camera.height - 1.0])
    return replace(tracks, points=corner - tracks.points)


def best_lag(view: View, people: Sequence[Body], knots: NDArray[np.float64]) -> tuple[float, float]:
    """The offset in whole frames, s, at which a view fits people best, and its ``fit``."""
    times = view.tracks.times
    if len(times) < 2:
        return view.offset, fit(view, people)
    step = float(np.median(np.diff(times)))
    most = int(LONGEST_LAG_S / step)

    def quality(lag: int) -> tuple[float, int]:
        moments = knots + view.offset + lag * step
        return fit(replace(view, samples=_as_seen(view.tracks, moments)), people), -abs(lag)

    rough = max(range(-most // COARSE * COARSE, most + 1, COARSE), key=quality)
    lag = max(range(rough - COARSE + 1, rough + COARSE), key=quality)
    offset = view.offset + lag * step
    return offset, fit(view.delayed(offset, knots), people)


def _as_seen(tracks: Tracks, moments: NDArray[np.float64]) -> Samples:
    """The people of the frame nearest to each moment, where there is one."""
    nearest = np.abs(tracks.times[None] - moments[:, None]).argmin(1)
    step = float(np.median(np.diff(tracks.times)))
    there = np.abs(tracks.times[nearest] - moments) <= 0.6 * step
    px = np.where(there[:, None, None], tracks.points[:, nearest], np.nan)
    return Samples(px, np.zeros_like(px), heights(px))


def best_pose(view: View, people: Sequence[Body], judge: Callable[[View], float]) -> View:
    """The view with the pose that fits people best, of those that a pair of a body and a 2D person
    determines."""
    rng = np.random.default_rng(0)
    pairs = [
        (body, track) for body in people for track in np.flatnonzero(np.isfinite(gaps(view, body)))
    ]
    best, score = view, judge(view)
    for place in rng.permutation(len(pairs))[:_MOST_TRIALS]:
        posed = _posed(view, [pairs[place]])
        if posed is not None and (tried := judge(posed)) > score:
            best, score = posed, tried
    near = [
        (body, int(gaps(best, body).argmin()))
        for body in people
        if gaps(best, body).min(initial=np.inf) < 3 * SHARP
    ]
    posed = _posed(best, near) if near else None
    return posed if posed is not None and judge(posed) > score else best


def _posed(view: View, pairs: Sequence[tuple[Body, int]]) -> View | None:
    """The view with the pose in which these 2D people are these bodies; none if it has no such."""
    world, px = [], []
    for body, track in pairs:
        part = slice(body.first, body.first + len(body.points))
        seen = view.samples.px[track, part]
        both = np.isfinite(seen[..., 0]) & np.isfinite(body.points[..., 0])
        world.append(body.points[both])
        px.append(seen[both])
    points, flat = np.concatenate(world), undistort(view.camera, np.concatenate(px))
    if len(points) < _FEWEST_POINTS:
        return None
    middle, scale = points.mean(0), points.std()
    try:
        ok, turn, shift = cv2.solvePnP(
            (points - middle) / scale, flat, np.eye(3), np.zeros(5), flags=cv2.SOLVEPNP_SQPNP
        )
    except cv2.error:  # the points determine no pose
        return None
    if not ok or not np.isfinite(turn).all() or not np.isfinite(shift).all():
        return None
    R = np.asarray(cv2.Rodrigues(turn)[0], dtype=np.float64)
    return replace(view, camera=replace(view.camera, R=R, t=scale * shift[:, 0] - R @ middle))


def spread(people: Sequence[Body], most: int) -> list[Body]:
    """A selection of the bodies, evenly over time and at most as many as asked for."""
    places = np.linspace(0, len(people) - 1, min(len(people), most)).round().astype(int)
    return [people[place] for place in places]


def of_part(people: Sequence[Body], first: int, end: int) -> list[Body]:
    """The bodies whose windows begin within some knots."""
    return [body for body in people if first <= body.first < end]

"""Bundle adjustment of chosen quantities of chosen views, with all points free.

Residuals are distances in the plane at depth 1, over the size that the person's body has there and
over the expected error, so that they do not depend on lens, resolution or units of the world. They
are weighted robustly (Cauchy). Points are eliminated (Schur complement), so that a step costs
milliseconds.

Letters: V views, N points, A unknowns of all views.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from selfpose3d.geometry.cameras import Camera, project, undistort
from selfpose3d.geometry.triangulation import intersect_rays
from selfpose3d.rig.matching import Group
from selfpose3d.rig.views import View, focal, rays

TURN = frozenset(range(3))
"""Turn about the camera's own axes, rad; the camera keeps its place."""
POSE = frozenset(range(6))
"""Turn, and shift of the camera's t in the world's unit."""
FOCAL = frozenset({6})
"""Logarithm of a factor for both focal lengths."""
CENTRE = frozenset({7, 8})
"""Shift of the principal point, in focal lengths."""
TIME = frozenset({9})
"""Time offset, s."""
EVERYTHING = POSE | FOCAL | CENTRE | TIME
_UNKNOWNS = 10

ROBUST = 2.5
"""Residual, in expected errors, from which sightings lose weight."""
STEPS = 12
ENOUGH_GAIN = 2e-4
"""Share of the cost that a step must gain for another one to follow."""
_WIDEST = 20.0
"""Residuals count at most this much, so that a point behind a camera can't undo a step."""


@dataclass(frozen=True)
class Sightings:
    """Points of bodies, each as some views saw it.

    Args:
        px: (V, N, 2) NaN where a view did not see the point.
        velocity: (V, N, 2) px/s.
        height: (V, N) of the body, px.
        knot: (N,) when.
        joint: (N,) index of the joint.
        person: (N,) one number per person and window.
    """

    px: NDArray[np.float64]
    velocity: NDArray[np.float64]
    height: NDArray[np.float64]
    knot: NDArray[np.int64]
    joint: NDArray[np.int64]
    person: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.knot)

    def where(self, chosen: NDArray[np.bool_]) -> "Sightings":
        """The chosen points only."""
        return Sightings(
            self.px[:, chosen],
            self.velocity[:, chosen],
            self.height[:, chosen],
            self.knot[chosen],
            self.joint[chosen],
            self.person[chosen],
        )


@dataclass(frozen=True)
class Adjusted:
    """Views and points that fit each other.

    Args:
        views: with their cameras and offsets as found.
        points: (N, 3) in the world's unit.
        squared: (V, N) squared residuals in expected errors, NaN where there is no sighting.
        cost: sum of the robust costs; half a squared residual where that is small.
    """

    views: tuple[View, ...]
    points: NDArray[np.float64]
    squared: NDArray[np.float64]
    cost: float


def gather(views: Sequence[View], groups: Sequence[Group]) -> Sightings:
    """The joints of the groups' people at the knots of their windows, as the views see them."""
    n_joints = views[0].samples.px.shape[2]
    shape = (len(views), sum((one.end - one.first) * n_joints for one in groups))
    px, velocity = np.full((*shape, 2), np.nan), np.zeros((*shape, 2))
    height = np.full(shape, np.nan)
    knot, joint, person = (np.zeros(shape[1], dtype=np.int64) for _ in range(3))
    at = 0
    for number, one in enumerate(groups):
        knots = np.arange(one.first, one.end)
        part = slice(at, at + len(knots) * n_joints)
        knot[part], joint[part] = (
            np.repeat(knots, n_joints),
            np.tile(np.arange(n_joints), len(knots)),
        )
        person[part] = number
        for v, view in enumerate(views):
            track = one.tracks[view.index]
            if track >= 0:
                inside = ((knots >= view.first) & (knots < view.end))[:, None]
                seen = np.where(inside[..., None], view.samples.px[track, knots], np.nan)
                px[v, part] = seen.reshape(-1, 2)
                velocity[v, part] = view.samples.velocity[track, knots].reshape(-1, 2)
                height[v, part] = np.repeat(view.samples.height[track, knots], n_joints)
        at = part.stop
    there = np.isfinite(px[..., 0]) & np.isfinite(height)
    px = np.where(there[..., None], px, np.nan)
    return Sightings(px, velocity, height, knot, joint, person).where(there.sum(0) >= 2)


def triangulated(views: Sequence[View], sightings: Sightings) -> NDArray[np.float64]:
    """(N, 3) points nearest to their rays."""
    directions = np.stack([rays(v.camera, px) for v, px in zip(views, sightings.px, strict=True)])
    there = np.isfinite(directions[..., 0])
    centres = np.stack([view.camera.centre for view in views])
    scale = np.median(np.linalg.norm(centres - centres.mean(0), axis=1)) * 0.02
    points, _, _ = intersect_rays(
        centres, np.nan_to_num(directions), there.astype(np.float64), scale_mm=max(scale, 1e-9)
    )
    return points


def adjust(
    views: Sequence[View],
    sightings: Sightings,
    free: Mapping[int, frozenset[int]],
    noise: float,
    start: NDArray[np.float64] | None = None,
    steps: int = STEPS,
    enough_gain: float = ENOUGH_GAIN,
) -> Adjusted:
    """Fit the free quantities of views, and all points, to what was seen.

    Args:
        views: as they are taken to be.
        sightings: points that the views saw, sampled at the views' offsets.
        free: which quantities of a view are fitted, by the view's place: ``POSE``, ``FOCAL``,
            ``CENTRE``, ``TIME`` or unions of them.
        noise: expected error of a sighted joint, in body heights.
        start: (N, 3) points to start from.
        steps: most steps.
        enough_gain: share of the cost that a step must gain for another one to follow.
    """
    points = triangulated(views, sightings) if start is None else start
    state = _State.of(tuple(views), points, sightings, noise)
    damping = 1e-3
    for _ in range(steps if len(sightings) else 0):
        step = _step(state, free, damping)
        if step is None:
            break
        tried = state.moved(*step)
        gain = state.cost - tried.cost
        if gain > 0:
            state, damping = tried, damping / 5
            if gain < enough_gain * state.cost:
                break
        else:
            damping *= 10
            if damping > 1e4:
                break
    return Adjusted(state.views, state.points, state.squared, state.cost)


@dataclass(frozen=True)
class _State:
    views: tuple[View, ...]
    points: NDArray[np.float64]
    sightings: Sightings
    offsets: NDArray[np.float64]
    size: NDArray[np.float64]
    seen: NDArray[np.float64]
    scale: NDArray[np.float64]
    local: NDArray[np.float64]
    squared: NDArray[np.float64]
    cost: float

    @classmethod
    def of(
        cls,
        views: tuple[View, ...],
        points: NDArray[np.float64],
        sightings: Sightings,
        noise: float,
    ) -> "_State":
        offsets = np.array([view.offset for view in views])
        size = 1 / (noise * sightings.height)
        seen = [_seen(v, sightings, p, v.offset) for p, v in enumerate(views)]
        nothing = np.zeros(0)
        return _evaluated(
            cls(
                views,
                points,
                sightings,
                offsets,
                size,
                np.stack(seen),
                nothing,
                nothing,
                nothing,
                0.0,
            )
        )

    def moved(
        self, changes: Mapping[int, NDArray[np.float64]], shifts: NDArray[np.float64]
    ) -> "_State":
        views, seen = list(self.views), self.seen.copy()
        for place, change in changes.items():
            views[place] = _changed(views[place], change)
            if change[6:].any():
                seen[place] = _seen(views[place], self.sightings, place, self.offsets[place])
        points = self.points + shifts
        return _evaluated(replace(self, views=tuple(views), points=points, seen=seen))


def _seen(view: View, sightings: Sightings, place: int, offset: float) -> NDArray[np.float64]:
    """(N, 2) the points in the plane at depth 1 as a view saw them, 0 where it did not."""
    px = sightings.px[place] + (view.offset - offset) * sightings.velocity[place]
    return undistort(view.camera, np.nan_to_num(px))


def _evaluated(state: _State) -> _State:
    sightings = state.sightings
    local_VN3 = np.stack([state.points @ v.camera.R.T + v.camera.t for v in state.views])
    depth = np.maximum(local_VN3[..., 2], _nearest(local_VN3))
    scale = state.size * np.array([focal(view.camera) for view in state.views])[:, None]
    residual = (local_VN3[..., :2] / depth[..., None] - state.seen) * scale[..., None]
    squared = np.where(np.isfinite(sightings.px[..., 0]), (residual**2).sum(-1), np.nan)
    bounded = np.minimum(squared, (_WIDEST * ROBUST) ** 2)
    cost = 0.5 * ROBUST**2 * float(np.nansum(np.log1p(bounded / ROBUST**2)))
    return replace(state, scale=scale, local=local_VN3, squared=squared, cost=cost)


def _nearest(local_VN3: NDArray[np.float64]) -> float:
    return 0.02 * float(np.median(np.abs(local_VN3[..., 2]))) + 1e-9 if local_VN3.size else 1e-9


def _changed(view: View, change: NDArray[np.float64]) -> View:
    """A view with its ten quantities changed."""
    camera = view.camera
    turn = cv2.Rodrigues(change[:3].copy())[0]
    K = camera.K.copy()
    K[:2, 2] += change[7:9] * np.array([K[0, 0], K[1, 1]])
    K[[0, 1], [0, 1]] *= np.exp(np.clip(change[6], -1, 1))
    R = _orthonormal(turn @ camera.R)
    moved = replace(camera, K=K, R=R, t=turn @ camera.t + change[3:6])
    return replace(view, camera=moved, offset=view.offset + float(change[9]))


def _orthonormal(R: NDArray[np.float64]) -> NDArray[np.float64]:
    u, _, v = np.linalg.svd(R)
    rotation: NDArray[np.float64] = u @ v
    return rotation


def _step(
    state: _State, free: Mapping[int, frozenset[int]], damping: float
) -> tuple[dict[int, NDArray[np.float64]], NDArray[np.float64]] | None:
    """One damped Gauss-Newton step: changes (10,) by view, and shifts (N, 3) of the points."""
    there = np.isfinite(state.squared)
    weight = np.where(there, 1 / (1 + np.nan_to_num(state.squared) / ROBUST**2), 0.0)
    bounded = np.nan_to_num(state.squared) < (_WIDEST * ROBUST) ** 2
    root = np.sqrt(weight * bounded) * np.nan_to_num(state.scale)
    nearest = _nearest(state.local)
    depth = np.maximum(state.local[..., 2], nearest)
    root = np.where(state.local[..., 2] > nearest, root, 0.0)
    flat = state.local[..., :2] / depth[..., None]
    residual = (flat - state.seen) * root[..., None]
    to_local = np.zeros((*depth.shape, 2, 3))
    to_local[..., 0, 0] = to_local[..., 1, 1] = root / depth
    to_local[..., :, 2] = -flat * (root / depth)[..., None]
    rotations = np.stack([view.camera.R for view in state.views])
    of_point = to_local @ rotations[:, None]
    stacked = of_point.transpose(1, 0, 2, 3).reshape(len(state.points), -1, 3)
    H = stacked.transpose(0, 2, 1) @ stacked
    diagonal = np.einsum("njj->nj", H)
    H += np.eye(3) * (damping * diagonal + 1e-6 * diagonal.max(1, keepdims=True) + 1e-12)[:, None]
    g = (of_point * residual[..., None]).sum((0, 2))
    inverse = np.linalg.inv(H)
    places = sorted(place for place, chosen in free.items() if chosen)
    if not places:
        return {}, -(inverse @ g[..., None])[..., 0]
    blocks = [_of_view(state, p, to_local[p], root[p], sorted(free[p])) for p in places]
    own = _block_diagonal([np.tensordot(J, J, ((0, 1), (0, 1))) for J in blocks])
    right = np.concatenate(
        [(J * residual[p][..., None]).sum((0, 1)) for p, J in zip(places, blocks, strict=True)]
    )
    cross = np.concatenate(
        [J.transpose(0, 2, 1) @ of_point[p] for p, J in zip(places, blocks, strict=True)], axis=1
    )
    reduced = cross @ inverse
    S = (
        own
        + np.diag(damping * np.diag(own) + 1e-9)
        - np.tensordot(reduced, cross, ((0, 2), (0, 2)))
    )
    try:
        solved = -np.linalg.solve(S, right - np.tensordot(reduced, g, ((0, 2), (0, 1))))
    except np.linalg.LinAlgError:
        return None
    rest = g + (cross * solved[:, None]).sum(1)
    return _by_view(places, free, solved), -(inverse @ rest[..., None])[..., 0]


def _of_view(
    state: _State,
    place: int,
    to_local: NDArray[np.float64],
    root: NDArray[np.float64],
    chosen: list[int],
) -> NDArray[np.float64]:
    """(N, 2, a) derivatives of a view's residuals by its chosen quantities."""
    view, local = state.views[place], state.local[place]
    J = np.zeros((len(local), 2, _UNKNOWNS))
    x, y, z = local.T
    zero = np.zeros_like(x)
    turned = np.stack([zero, z, -y, -z, zero, x, y, -x, zero], axis=-1).reshape(-1, 3, 3)
    J[..., :3] = to_local @ turned
    J[..., 3:6] = to_local
    J[..., 6] = state.seen[place] * root[:, None]
    J[:, 0, 7] = J[:, 1, 8] = root
    focals = np.array([view.camera.K[0, 0], view.camera.K[1, 1]])
    J[..., 9] = -state.sightings.velocity[place] / focals * root[:, None]
    return np.nan_to_num(J[..., chosen])


def _block_diagonal(blocks: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    size = sum(len(block) for block in blocks)
    whole, at = np.zeros((size, size)), 0
    for block in blocks:
        whole[at : at + len(block), at : at + len(block)] = block
        at += len(block)
    return whole


def _by_view(
    places: Sequence[int], free: Mapping[int, frozenset[int]], solved: NDArray[np.float64]
) -> dict[int, NDArray[np.float64]]:
    changes, at = {}, 0
    for place in places:
        chosen = sorted(free[place])
        changes[place] = np.zeros(_UNKNOWNS)
        changes[place][chosen] = solved[at : at + len(chosen)]
        at += len(chosen)
    return changes


def moved_px(
    before: Camera, after: Camera, points: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distance by which the image of points (N, 3) moves from one camera to another, px, and the
    same as a distance at the points, in the world's unit; (N,) each, NaN behind a camera."""
    first, depth = project(before, points)
    second, _ = project(after, points)
    gap = np.linalg.norm(second - first, axis=-1)
    return gap, gap * depth / focal(before)

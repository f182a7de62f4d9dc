"""A rig refined by the people that it sees: poses, and focal lengths where asked.

Poses of all cameras and all joints are fitted together (robust bundle adjustment) on every second
window of the recording. The others decide: where their error does not fall, the calibration stays
as it was; where it falls, all windows are fitted to in the end. World frame and scale, which 2D
people can't tell, stay those of the given cameras.

Letters: V views, K knots.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from selfpose3d.errors import InputError
from selfpose3d.files.poses2d import Views
from selfpose3d.geometry.cameras import Camera
from selfpose3d.rig.bundle import FOCAL, POSE, adjust, gather
from selfpose3d.rig.examination import take_of
from selfpose3d.rig.matching import Group, match
from selfpose3d.rig.views import View

LIMITS = (0.3, 0.2, 0.12)
"""Distances up to which people are matched, round after round, in body heights."""
STEPS = 60
NOISE = 0.01
LEAST_GAIN = 0.01
"""Share of the held-out error that a refinement must gain to be kept."""
FEWEST_POINTS = 60


@dataclass(frozen=True)
class Refinement:
    """Refined cameras, and what a fit to half of the windows gains on the others.

    Args:
        cameras: fitted to all windows, or as given where that is not better.
        kept_given: whether they are as given.
        fitted_before: median distance of joints from their projections on the windows that were
            fitted to, with the given cameras, px.
        fitted_after: the same with the refined cameras.
        held_out_before: the same on the other windows, with the given cameras.
        held_out_after: with the refined cameras.
    """

    cameras: tuple[Camera, ...]
    kept_given: bool
    fitted_before: float
    fitted_after: float
    held_out_before: float
    held_out_after: float


def refine(
    cameras: Sequence[Camera],
    views: Views,
    times: Mapping[int, float],
    focal_lengths: bool = False,
) -> Refinement:
    """Refine a rig by its 2D people.

    Args:
        cameras: as calibrated; off by some degrees and decimetres at most.
        views: people by (frame, camera name), px of the cameras' images.
        times: of the frames, s, by frame.
        focal_lengths: whether they are fitted as well.

    Raises:
        InputError: too few joints are seen by two cameras or more; see ``take_of``.
    """
    take = take_of(cameras, views, times)
    free = POSE | FOCAL if focal_lengths else POSE
    found = take.views()
    for limit in LIMITS:
        groups = match(found, len(take.knots), limit)
        found = _fitted(found, _part(groups, 0), free)
    tried = align([view.camera for view in found], take.cameras)
    halves = [_part(groups, half) for half in (0, 1)]
    before = [_error(take.views(), half) for half in halves]
    after = [_error(take.views(tried), half) for half in halves]
    worse = not after[1] < (1 - LEAST_GAIN) * before[1]
    best = [view.camera for view in (take.views() if worse else _fitted(found, groups, free))]
    refined = tuple(take.cameras) if worse else align(best, take.cameras)
    return Refinement(refined, worse, before[0], after[0], before[1], after[1])


def _part(groups: Sequence[Group], half: int) -> list[Group]:
    """The people of every second window."""
    firsts = sorted({one.first for one in groups})
    return [one for one in groups if firsts.index(one.first) % 2 == half]


def _fitted(
    views: Sequence[View], groups: Sequence[Group], free: frozenset[int]
) -> tuple[View, ...]:
    sightings = gather(views, groups)
    if len(sightings) < FEWEST_POINTS:
        raise InputError(
            f"only {len(sightings)} joints are seen by two cameras that agree about them; "
            f"{FEWEST_POINTS} are needed to refine a rig. Examine it first, or take more frames"
        )
    everything = dict.fromkeys(range(len(views)), free)
    return adjust(views, sightings, everything, NOISE, steps=STEPS, enough_gain=1e-5).views


def _error(views: Sequence[View], groups: Sequence[Group]) -> float:
    """Median distance of joints from the projections of their best points, px."""
    sightings = gather(views, groups)
    if not len(sightings):
        return float("nan")
    fitted = adjust(views, sightings, {}, NOISE)
    return float(np.nanmedian(NOISE * np.sqrt(fitted.squared) * sightings.height))


def align(cameras: Sequence[Camera], given: Sequence[Camera]) -> tuple[Camera, ...]:
    """Cameras in the world frame and scale that bring them nearest to others, one by one.

    The rotation is the mean of those that each camera asks for; scale and shift bring the centres
    together in least squares.
    """
    asked = sum(b.R.T @ a.R for a, b in zip(cameras, given, strict=True))
    u, _, v = np.linalg.svd(asked)
    turn = u @ np.diag([1.0, 1.0, np.linalg.det(u @ v)]) @ v
    ours = np.stack([camera.centre for camera in cameras]) @ turn.T
    theirs = np.stack([camera.centre for camera in given])
    ours_0, theirs_0 = ours - ours.mean(0), theirs - theirs.mean(0)
    scale = float((ours_0 * theirs_0).sum() / (ours_0**2).sum())
    centres = scale * ours_0 + theirs.mean(0)
    return tuple(
        replace(camera, R=camera.R @ turn.T, t=-camera.R @ turn.T @ centre)
        for camera, centre in zip(cameras, centres, strict=True)
    )

"""Matching of people across the cameras of a rig whose units and poses may be wrong.

People are matched over windows of about a second, so that one frame's chance meeting of rays does
not count. Distances are shares of the bodies' own heights, so that a rig in centimetres is matched
as well as one in millimetres; bodies of different sizes do not match.

Letters: C cameras, T tracks, K knots, J joints, G groups, N points.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from selfpose3d.reconstruction.association import group
from selfpose3d.rig.views import Sight, View, number_of_cameras, of_camera, sight

WINDOW_KNOTS = 5
"""Knots of a window."""
FAR = 0.5
"""Largest distance of rays that counts, in body heights."""
LIMIT = 0.16
"""Mean distance of rays, in body heights, from which people are not one."""
SHARP = 0.04
"""Distance of rays at which a match counts half, in body heights."""
LARGEST_RATIO = 1.7
"""Largest ratio of the heights of one body as two cameras tell them."""
_WELL_CROSSED = 0.35
"""Sine of the angle between rays from which their distance counts in full."""
_FEWEST_COMMON = 4


@dataclass(frozen=True)
class Group:
    """One person over one window.

    Args:
        first: first knot of the window.
        end: the knot after its last.
        tracks: (C,) the person's track in each camera, -1 where there is none.
        distance: mean distance of the rays of its pairs of cameras, in body heights.
    """

    first: int
    end: int
    tracks: NDArray[np.int64]
    distance: float

    @property
    def size(self) -> int:
        """The number of cameras that see the person."""
        return int((self.tracks >= 0).sum())

    @property
    def weight(self) -> float:
        """The weight of a group as evidence for the rig: how many further cameras agree, and how
        well."""
        return (self.size - 1) / (1 + (self.distance / SHARP) ** 2)


def windows(n_knots: int) -> list[tuple[int, int]]:
    """First and end knot of each window."""
    count = max(1, round(n_knots / WINDOW_KNOTS))
    edges = np.linspace(0, n_knots, count + 1).round().astype(int)
    return [(int(a), int(b)) for a, b in pairwise(edges)]


def match(views: Sequence[View], n_knots: int, limit: float = LIMIT) -> list[Group]:
    """The people of all windows whom two cameras or more see."""
    present = sorted({view.index for view in views})
    sights = {index: sight(of_camera(views, index)) for index in present}
    n_cameras = number_of_cameras(views)
    found = []
    for first, end in windows(n_knots):
        found += _groups_of_window(sights, n_cameras, first, end, limit)
    return found


def support(groups: Sequence[Group], views: Sequence[View], n_knots: int) -> float:
    """Share in [0, 1] of what the 2D people could say for the rig if all fitted exactly."""
    cameras = sorted({view.index for view in views})
    most = sum(
        int(_there(of_camera(views, index), first, end).sum())
        for index in cameras
        for first, end in windows(n_knots)
    )
    share = (len(cameras) - 1) / len(cameras)
    return sum(one.weight for one in groups) / max(most * share, 1e-9)


def _there(views: Sequence[View], first: int, end: int) -> NDArray[np.bool_]:
    """(T,) which tracks are seen in a window."""
    heights = views[0].samples.height[:, first:end]
    return np.asarray(np.isfinite(heights).any(1))


def _groups_of_window(
    sights: Mapping[int, Sight], n_cameras: int, first: int, end: int, limit: float
) -> list[Group]:
    camera_N, track_N = _detections(sights, first, end)
    distances = np.full((len(camera_N), len(camera_N)), np.inf)
    cameras = sorted(sights)
    for position, a in enumerate(cameras):
        for b in cameras[position + 1 :]:
            rows, columns = np.flatnonzero(camera_N == a), np.flatnonzero(camera_N == b)
            if len(rows) and len(columns):
                between = pair_distances(
                    _part(sights[a], track_N[rows], first, end),
                    _part(sights[b], track_N[columns], first, end),
                )
                distances[np.ix_(rows, columns)] = between
                distances[np.ix_(columns, rows)] = between.T
    found = []
    for members in group(distances, camera_N, limit):
        if len(members) >= 2:
            tracks = np.full(n_cameras, -1, dtype=np.int64)
            tracks[camera_N[members]] = track_N[members]
            between = distances[np.ix_(members, members)]
            found.append(Group(first, end, tracks, float(between[np.isfinite(between)].mean())))
    return found


def _detections(
    sights: Mapping[int, Sight], first: int, end: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Camera and track (N,) of everybody seen in a window."""
    cameras, tracks = [], []
    for index in sorted(sights):
        there = np.flatnonzero(np.isfinite(sights[index].angles[:, first:end]).any(1))
        cameras.append(np.full(len(there), index, dtype=np.int64))
        tracks.append(there)
    return np.concatenate(cameras), np.concatenate(tracks)


def _part(seen: Sight, tracks: NDArray[np.int64], first: int, end: int) -> Sight:
    part = slice(first, end)
    return Sight(seen.directions[tracks, part], seen.angles[tracks, part], seen.centres[part])


def pair_distances(one: Sight, other: Sight) -> NDArray[np.float64]:
    """(T, T') mean distances of the rays of two cameras' people, in body heights, at most FAR."""
    a, b = one.directions[:, None], other.directions[None]
    baseline = other.centres - one.centres
    cosine = np.einsum("...x,...x->...", a, b)
    along_a = np.einsum("...kjx,kx->...kj", a, baseline)
    along_b = np.einsum("...kjx,kx->...kj", b, baseline)
    sine_squared = np.maximum(1 - cosine**2, 1e-9)
    depth_a = (along_a - cosine * along_b) / sine_squared
    depth_b = (cosine * along_a - along_b) / sine_squared
    length_squared = np.einsum("kx,kx->k", baseline, baseline)[:, None]
    squared = np.maximum(length_squared + depth_b * along_b - depth_a * along_a, 0.0)
    tall_a = depth_a * one.angles[:, None, :, None]
    tall_b = depth_b * other.angles[None, :, :, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = 2 * np.sqrt(squared) / (tall_a + tall_b)
        ratio = np.maximum(tall_a / tall_b, tall_b / tall_a)
        wrong = (np.minimum(depth_a, depth_b) <= 0) | (ratio > LARGEST_RATIO)
    both = np.isfinite(cosine) & np.isfinite(tall_a) & np.isfinite(tall_b)
    distance = np.where(both, np.where(wrong, FAR, np.minimum(relative, FAR)), 0.0)
    weight = both * np.minimum(np.sqrt(np.where(both, sine_squared, 0.0)), _WELL_CROSSED)
    mean = (distance * weight).sum((-1, -2)) / np.maximum(weight.sum((-1, -2)), 1e-9)
    return np.where(both.sum((-1, -2)) >= _FEWEST_COMMON, mean, FAR)

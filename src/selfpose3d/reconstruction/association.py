"""Association of detections across views, by distances between their rays and by the bodies that
they would make.

All distances are between rays in the world, in mm, so that neither the focal lengths nor a person's
distance from a camera matters. Detections of many frames are looked at together. Letters: N
detections of all frames and views, P people, V views, J joints, B bones, M pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from selfpose3d.geometry.pairs import Pairs, pairs_within
from selfpose3d.reconstruction.bones import bone_misfit, long_bones
from selfpose3d.skeletons import Skeleton

FARTHEST_MM = 500.0
"""Largest distance that counts, so that one wrong joint can't outweigh the others."""

ABSENT = -1
"""The index of a person without a detection in the view, in an assignment."""

BONES_MM = 300.0
"""Cost of bones of the wrong length: millimetres for a misfit of 1 (``bones.bone_misfit``)."""

_WELL_CROSSED = 0.5
"""Sine of the angle between two rays (30 degrees) from which their distance counts in full."""
_BASE_WEIGHT = 0.02
"""Smallest weight of a joint that is there, at any confidence."""


@dataclass(frozen=True)
class Detections:
    """The detections of frames in all views, as rays.

    Args:
        frame: (N,) number of each one's frame, ascending.
        view: (N,) index of the camera.
        directions: (N, J, 3) unit vectors in the world, from the camera through the joint.
        confidences: (N, J) in [0, 1].
        centres: (V, 3) centres of the cameras, mm.
        skeleton: the J joints.
    """

    frame: NDArray[np.int64]
    view: NDArray[np.int64]
    directions: NDArray[np.float64]
    confidences: NDArray[np.float64]
    centres: NDArray[np.float64]
    skeleton: Skeleton

    def __len__(self) -> int:
        return len(self.view)

    @property
    def origins(self) -> NDArray[np.float64]:
        """(N, 3) origins of each detection's rays, mm."""
        return self.centres[self.view]

    def where(self, chosen: NDArray[np.int64]) -> "Detections":
        """The chosen detections only, in that order."""
        return replace(
            self,
            frame=self.frame[chosen],
            view=self.view[chosen],
            directions=self.directions[chosen],
            confidences=self.confidences[chosen],
        )


def together(frames: Sequence[Detections]) -> Detections:
    """The detections of several frames, one frame or more, numbered from 0."""
    counts = [len(detections) for detections in frames]
    return replace(
        frames[0],
        frame=np.repeat(np.arange(len(frames)), counts),
        view=np.concatenate([detections.view for detections in frames]),
        directions=np.concatenate([detections.directions for detections in frames]),
        confidences=np.concatenate([detections.confidences for detections in frames]),
    )


def with_sides_swapped(detections: Detections) -> Detections:
    """The same detections with left and right joints exchanged."""
    swapped = detections.skeleton.swapped
    return replace(
        detections,
        directions=detections.directions[:, swapped],
        confidences=detections.confidences[:, swapped],
    )


def pair_costs(
    detections: Detections, bones_mm: float = BONES_MM
) -> tuple[Pairs, NDArray[np.float64]]:
    """Costs of taking two detections of one frame and two views for one person, for all pairs.

    The cost is the mean distance between their rays, and ``bones_mm`` times the misfit of the
    bones of the body that the two would make. The mean over joints is weighted by the lower of
    the two confidences and by how well the rays cross; rays that come nearest behind a camera are
    ``FARTHEST_MM`` apart.

    Returns:
        the pairs, and (M,) their costs, mm.
    """
    first, second = pairs_within(detections.frame)
    apart = detections.view[first] != detections.view[second]
    first, second = first[apart], second[apart]
    confidence = np.minimum(detections.confidences[first], detections.confidences[second])
    crossing = _crossing(detections, first, second)
    weight = (confidence + _BASE_WEIGHT) * (confidence > 0) * crossing.weight
    bones = long_bones(detections.skeleton)
    misfit = bone_misfit(crossing.bodies, confidence * crossing.weight, bones)
    return (first, second), weighted_mean(crossing.distance, weight) + bones_mm * misfit


@dataclass(frozen=True)
class _Crossing:
    """Where the rays of pairs of detections come nearest to each other.

    Args:
        distance: (M, J) mm, at most ``FARTHEST_MM``.
        weight: (M, J) sine of the angle between the two, at most ``_WELL_CROSSED``.
        bodies: (M, J, 3) the middle between the rays, from the middle of the two cameras, mm.
    """

    distance: NDArray[np.float64]
    weight: NDArray[np.float64]
    bodies: NDArray[np.float64]


def _crossing(
    detections: Detections, first: NDArray[np.int64], second: NDArray[np.int64]
) -> _Crossing:
    a, b = detections.directions[first], detections.directions[second]
    baseline = detections.origins[second] - detections.origins[first]
    cosine = np.einsum("mjx,mjx->mj", a, b)
    along_a = np.einsum("mjx,mx->mj", a, baseline)
    along_b = np.einsum("mjx,mx->mj", b, baseline)
    sine_squared = np.maximum(1 - cosine * cosine, 1e-12)
    depth_a = (along_a - cosine * along_b) / sine_squared
    depth_b = (cosine * along_a - along_b) / sine_squared
    # What lies between the nearest points is at right angles to both rays, so that its square is
    # its product with the baseline.
    length_squared = np.einsum("mx,mx->m", baseline, baseline)[:, None]
    squared = length_squared + depth_b * along_b - depth_a * along_a
    distance = np.sqrt(np.minimum(np.maximum(squared, 0.0), FARTHEST_MM**2))
    behind = np.minimum(depth_a, depth_b) <= 0
    return _Crossing(
        np.where(behind, FARTHEST_MM, distance),
        np.minimum(np.sqrt(sine_squared), _WELL_CROSSED),
        (a * depth_a[..., None] + b * depth_b[..., None]) / 2,
    )


def group(distances: NDArray[np.float64], view: NDArray[np.int64], limit: float) -> list[list[int]]:
    """Group detections by average linkage, at most one of a view in a group.

    Pairs of all views decide together, without a reference view: a detection joins a group only
    if it agrees with the group's members on average.

    Args:
        distances: (N, N) mm, infinite within one view.
        view: (N,) view of each detection.
        limit: mean distance from which groups stay apart, mm.

    Returns:
        indices of the detections of each group; single ones are groups, too.
    """
    groups = [[index] for index in range(len(view))]
    apart = view[:, None] == view[None]
    total = np.where(apart, 0.0, distances)
    size = np.ones(len(view))
    mean = np.where(apart, np.inf, distances)
    while len(groups) and mean.min() < limit:
        keep, gone = divmod(int(mean.argmin()), len(view))
        groups[keep] += groups[gone]
        groups[gone] = []
        total[keep] += total[gone]
        total[:, keep] = total[keep]
        size[keep] += size[gone]
        apart[keep] |= apart[gone]
        apart[gone] = True
        apart[:, keep], apart[:, gone] = apart[keep], True
        mean[keep] = np.where(apart[keep], np.inf, total[keep] / (size[keep] * size))
        mean[:, keep] = mean[keep]
        mean[gone] = mean[:, gone] = np.inf
    return [members for members in groups if members]


def assignment_of_groups(
    groups: Sequence[Sequence[int]], view: NDArray[np.int64], n_views: int, min_views: int
) -> NDArray[np.int64]:
    """(P, V) detections of the groups that ``min_views`` views or more saw, else ``ABSENT``."""
    enough = [members for members in groups if len(members) >= min_views]
    assignment = np.full((len(enough), n_views), ABSENT)
    for person, members in enumerate(enough):
        assignment[person, view[members]] = members
    return assignment


def distances_to_people(
    joints: NDArray[np.float64], origins: NDArray[np.float64], directions: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Distances of 3D joints from rays, at most ``FARTHEST_MM``, of pairs of person and detection.

    Args:
        joints: (M, J, 3) of the people, mm.
        origins: (M, 3) origins of the rays of the detections, mm.
        directions: (S, M, J, 3) unit vectors, in S sets.

    Returns:
        (S, M, J) mm.
    """
    offset = joints - origins[:, None]
    depth = np.einsum("mjx,smjx->smj", offset, directions)
    squared = np.einsum("mjx,mjx->mj", offset, offset) - depth**2
    distance = np.sqrt(np.minimum(np.maximum(squared, 0.0), FARTHEST_MM**2))
    return np.where(depth > 0, distance, FARTHEST_MM)


def joint_weights(detections: Detections) -> NDArray[np.float64]:
    """(N, J) weights of the joints in a detection's distance from a person; 0 where a joint is not
    there."""
    return (detections.confidences**2 + _BASE_WEIGHT) * (detections.confidences > 0)


def weighted_mean(
    distance: NDArray[np.float64], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean over the last axis; ``FARTHEST_MM`` where nothing has weight."""
    total = weight.sum(axis=-1)
    mean = (distance * weight).sum(axis=-1) / np.maximum(total, 1e-12)
    return np.where(total > 0, mean, FARTHEST_MM)


def assign(
    costs: NDArray[np.float64], view: NDArray[np.int64], n_views: int, limit: float
) -> NDArray[np.int64]:
    """Assign detections to people, at most one per view, by Hungarian matching.

    Args:
        costs: (P, N) mm.
        view: (N,).
        n_views: V.
        limit: largest cost of an assigned pair, mm.

    Returns:
        (P, V) indices of detections, or ``ABSENT``.
    """
    assignment = np.full((len(costs), n_views), ABSENT)
    for v in range(n_views):
        members = np.flatnonzero(view == v)
        people, chosen = linear_sum_assignment(np.minimum(costs[:, members], 2 * limit))
        near = costs[people, members[chosen]] < limit
        assignment[people[near], v] = members[chosen[near]]
    return assignment

"""Joints that were not seen, inferred from the rest of the body.

A missing joint hangs on its parent by the bone of the other side, mirrored at the body's median
plane; where that is missing as well, by the bone of a person standing upright, of the body's size.
Where one view shows it, it lies on that view's ray instead, as far from its parent as the bone is
long. A skeleton without neck or mid-hip is completed with them, and they are left out again.

Letters: P people, J joints of the people's skeleton, K joints of ``WHOLE``.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfpose3d.reconstruction.bones import bone_shares, long_bones, statures
from selfpose3d.reconstruction.standing import (
    BONES,
    NECK,
    ORDER,
    PAIRS,
    PARENTS,
    ROOT,
    STANDING,
    WHOLE,
)
from selfpose3d.skeletons import Skeleton, converted

_REACH = 1.5
"""A ray that passes a joint's parent farther than so many bones shows something else."""


@dataclass(frozen=True)
class Whole:
    """Bodies with all their joints.

    Args:
        joints: (P, J, 3) world mm.
        on_rays: (P, J) which joints were not seen and lie on their rays.
    """

    joints: NDArray[np.float64]
    on_rays: NDArray[np.bool_]


@dataclass(frozen=True)
class Rays:
    """One ray to each joint, for joints that are seen by one view alone.

    Args:
        origins: (P, J, 3) mm.
        directions: (P, J, 3) unit vectors.
        there: (P, J) whether there is a ray.
    """

    origins: NDArray[np.float64]
    directions: NDArray[np.float64]
    there: NDArray[np.bool_]

    def of(self, people: NDArray[np.int64], joints: list[int]) -> "Rays":
        """The rays of some people and joints; a joint -1 has none."""
        columns = np.array(joints)
        at = np.ix_(people, columns)
        there = self.there[at] & (columns >= 0)
        return Rays(self.origins[at], self.directions[at], there)


def complete(
    joints: NDArray[np.float64],
    seen: NDArray[np.bool_],
    skeleton: Skeleton,
    rays: Rays | None = None,
) -> Whole:
    """Place the joints that were not seen.

    Args:
        joints: (P, J, 3) world mm, z up.
        seen: (P, J); the other joints' positions are not looked at.
        skeleton: the J joints.
        rays: where one view saw joints; they are placed on their rays, as far from their parents
            as the bone is long.

    Returns:
        the bodies; people without any joint seen are returned as they came. A joint of which
        nothing is known (see ``is_known``) lies at the root where it was not seen.
    """
    completed, on_rays = joints.copy(), np.zeros(seen.shape, dtype=bool)
    partly = np.flatnonzero(~seen.all(axis=1) & seen.any(axis=1))
    if len(partly):
        known, there = _in_whole(joints[partly], seen[partly], skeleton)
        places = [skeleton.index(j) if skeleton.has(j) else -1 for j in WHOLE.joints]
        whole = _completed(known, there, None if rays is None else rays.of(partly, places))
        named = np.array([WHOLE.has(joint) for joint in skeleton.joints])
        own_places = [WHOLE.index(j) if WHOLE.has(j) else ROOT for j in skeleton.joints]
        own = whole.joints[:, own_places]
        on_rays[partly] = ~seen[partly] & whole.on_rays[:, own_places] & named
        completed[partly] = np.where(seen[partly, :, None], joints[partly], own)
    return Whole(completed, on_rays)


def _in_whole(
    joints: NDArray[np.float64], seen: NDArray[np.bool_], skeleton: Skeleton
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(P, K, 3) and (P, K), with a mid-hip and neck where both hips or shoulders were seen."""
    made, there = converted(
        joints, seen.astype(float), skeleton, WHOLE, both_sides=True, partly=True
    )
    return made, there > 0


def body_axes(joints: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(P, 3, 3) unit rows: each body's left, front and up, in the world.

    Args:
        joints: (P, K, 3) world mm.
        known: (P, K); from shoulders and hips that are known, else from the world's axes.
    """
    upright = np.broadcast_to([0.0, 0.0, 1.0], (len(joints), 3))
    trunk = (known[:, NECK] & known[:, ROOT])[:, None]
    up = _unit(np.where(trunk, joints[:, NECK] - joints[:, ROOT], 0.0), upright)
    left = np.zeros((len(joints), 3))
    for a, b in PAIRS:
        both = (known[:, a] & known[:, b])[:, None]
        left += np.where(both, joints[:, a] - joints[:, b], 0.0)
    left = _unit(_across(left, up), _any_across(up))
    return np.stack([left, np.cross(left, up), up], axis=1)


def _completed(joints: NDArray[np.float64], seen: NDArray[np.bool_], rays: Rays | None) -> Whole:
    joints, axes = joints.copy(), body_axes(joints, seen)
    on_rays = np.zeros(seen.shape, dtype=bool)
    size = statures(bone_shares(joints, seen, long_bones(WHOLE)))[:, None]
    _place_trunk(joints, seen, axes, size)
    for joint in ORDER[1:]:
        rows = np.flatnonzero(~seen[:, joint])
        if len(rows):
            parent = joints[rows, PARENTS[joint]]
            bones = _mirrored_bones(joints[rows], seen[rows], joint, axes[rows], size[rows])
            places = parent + bones
            if rays is not None:
                places, on_rays[rows, joint] = _on_rays(places, parent, rays.of(rows, [joint]))
            joints[rows, joint] = places
    return Whole(joints, on_rays)


def _place_trunk(
    joints: NDArray[np.float64],
    seen: NDArray[np.bool_],
    axes: NDArray[np.float64],
    size: NDArray[np.float64],
) -> None:
    """Give bodies without mid-hip the mean of the mid-hips that their seen joints imply."""
    rows = np.flatnonzero(~seen[:, ROOT])
    implied = joints[rows] - size[rows, :, None] * (STANDING @ axes[rows])
    known = np.where(seen[rows, :, None], implied, 0.0)
    joints[rows, ROOT] = known.sum(axis=1) / seen[rows].sum(axis=1)[:, None]


def _mirrored_bones(
    joints: NDArray[np.float64],
    seen: NDArray[np.bool_],
    joint: int,
    axes: NDArray[np.float64],
    size: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(P, 3) bones from a joint's parent to it."""
    bones: NDArray[np.float64] = size * (BONES[joint] @ axes)
    other, parent = WHOLE.swapped[joint], WHOLE.swapped[PARENTS[joint]]
    if other == joint:
        return bones
    mirrored = joints[:, other] - joints[:, parent]
    left = axes[:, 0]
    mirrored -= 2 * left * np.einsum("pa,pa->p", mirrored, left)[:, None]
    return np.where((seen[:, other] & seen[:, parent])[:, None], mirrored, bones)


def _on_rays(
    places: NDArray[np.float64], parents: NDArray[np.float64], rays: Rays
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(P, 3) the point of each ray that is as far from the parent as the expected place, and
    nearer to that, and (P,) whether it is; rays that pass the parent too far tell nothing."""
    origins, directions, there = rays.origins[:, 0], rays.directions[:, 0], rays.there[:, 0]
    offset = parents - origins
    along = np.einsum("pa,pa->p", offset, directions)
    aside = np.einsum("pa,pa->p", offset, offset) - along**2
    reach = np.linalg.norm(places - parents, axis=-1)
    half = np.sqrt(np.maximum(reach**2 - aside, 0.0))
    wanted = np.einsum("pa,pa->p", places - origins, directions)
    depth = along + half * np.where(wanted < along, -1.0, 1.0)
    points = origins + depth[:, None] * directions
    near = there & (aside < (_REACH * reach) ** 2) & (depth > 0)
    return np.where(near[:, None], points, places), near


def _unit(vectors: NDArray[np.float64], fallback: NDArray[np.float64]) -> NDArray[np.float64]:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.where(length > 1e-6, vectors / np.maximum(length, 1e-6), fallback)


def _across(vectors: NDArray[np.float64], up: NDArray[np.float64]) -> NDArray[np.float64]:
    """(P, 3) what of vectors is at right angles to unit vectors."""
    return vectors - up * np.einsum("pa,pa->p", vectors, up)[:, None]


def _any_across(up: NDArray[np.float64]) -> NDArray[np.float64]:
    across = _across(np.eye(3)[np.abs(up).argmin(axis=1)], up)
    return across / np.linalg.norm(across, axis=-1, keepdims=True)

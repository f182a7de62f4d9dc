"""Joints that were not seen, inferred from the rest of the body.

A missing joint hangs on its parent by the bone of the other side, mirrored at the body's median
plane; where that is missing as well, by the bone of a person standing upright. A skeleton without
neck or mid-hip is completed with them, and they are left out again.

Letters: P people, J joints of the people's skeleton, K joints of ``WHOLE``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from selfpose3d.skeletons import SKELETONS, Skeleton, converted

WHOLE = SKELETONS["panoptic19"]
"""The joints of which something is known about a standing person."""

_UPRIGHT: Mapping[str, tuple[str, tuple[float, float, float]]] = {
    "neck": ("mid_hip", (0, 0, 520)),
    "mid_hip": ("neck", (0, 0, -520)),
    "shoulder": ("neck", (170, 0, -20)),
    "hip": ("mid_hip", (100, 0, -30)),
    "elbow": ("shoulder", (40, 0, -280)),
    "knee": ("hip", (0, 20, -400)),
    "wrist": ("elbow", (0, 60, -240)),
    "ankle": ("knee", (0, -20, -400)),
    "nose": ("neck", (0, 120, 160)),
    "eye": ("nose", (30, -20, 40)),
    "ear": ("eye", (40, -80, -10)),
}
"""Parent of each joint, and the bone from there in a person standing upright, mm: to the left (of
the left side's joint), forwards, up. Neck and mid-hip are each other's parent."""


def _kind(joint: str) -> tuple[str, str]:
    """A joint's side (``left_``, ``right_`` or nothing), and what it is."""
    side = next((side for side in ("left_", "right_") if joint.startswith(side)), "")
    return side, joint.removeprefix(side)


def standing_bone(joint: str) -> NDArray[np.float64]:
    """(3,) bone from its parent to a joint of a standing person, mm: to the left, forwards, up."""
    side, kind = _kind(joint)
    bone = np.array(_UPRIGHT[kind][1], dtype=float)
    return bone * [-1.0, 1.0, 1.0] if side == "right_" else bone


def _parent(joint: str) -> int:
    side, kind = _kind(joint)
    parent = _UPRIGHT[kind][0]
    return WHOLE.index(parent if parent in WHOLE.joints else side + parent)


_PARENTS = tuple(map(_parent, WHOLE.joints))
_BONES = np.stack([standing_bone(joint) for joint in WHOLE.joints])
_ROOT, _NECK = WHOLE.index("mid_hip"), WHOLE.index("neck")
_PAIRS = [
    tuple(WHOLE.index(f"{side}_{part}") for side in ("left", "right"))
    for part in ("shoulder", "hip")
]


def _ordered() -> tuple[int, ...]:
    """Joints such that parents come before their children, the mid-hip first."""
    kinds = ("mid_hip", *(kind for kind in _UPRIGHT if kind != "mid_hip"))
    order = {kind: number for number, kind in enumerate(kinds)}
    return tuple(sorted(range(len(WHOLE)), key=lambda j: order[_kind(WHOLE.joints[j])[1]]))


_ORDER = _ordered()


def _positions() -> NDArray[np.float64]:
    positions = np.zeros((len(WHOLE), 3))
    for joint in _ORDER[1:]:
        positions[joint] = positions[_PARENTS[joint]] + _BONES[joint]
    return positions


_STANDING = _positions()
_LONG = np.array(WHOLE.long_bones)
_LONG_MM = np.linalg.norm(_STANDING[_LONG[:, 1]] - _STANDING[_LONG[:, 0]], axis=-1)
_FEWEST = 3
"""Fewest bones that tell a person's size."""
SIZES = (0.5, 1.3)
"""Smallest and largest size of a person, over 1.7 m."""
_REACH = 1.5
"""A ray that passes a joint's parent farther than so many bones shows something else."""


def standing(skeleton: Skeleton) -> NDArray[np.float64]:
    """(J, 3) joints of a person of about 1.7 m standing upright, from the mid-hip, mm: to the
    left, forwards, up."""
    joints, _ = converted(_STANDING, np.ones(len(WHOLE)), WHOLE, skeleton)
    return joints


@cache
def standing_joints(skeleton: Skeleton) -> NDArray[np.float64]:
    """(J, 3) as ``standing``, of any skeleton; what is not known lies at the root."""
    joints, _ = converted(_STANDING, np.ones(len(WHOLE)), WHOLE, skeleton, partly=True)
    return joints


def is_known(skeleton: Skeleton) -> NDArray[np.bool_]:
    """(J,) whether something is known of where a joint is in a person: not of hands and feet."""
    return np.array([WHOLE.has(name) for name in skeleton.joints])


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
        """Those of some people and joints; a joint -1 has none."""
        at = np.ix_(people, joints)
        there = self.there[at] & (np.array(joints) >= 0)
        return Rays(self.origins[at], self.directions[at], there)


def complete(
    joints: NDArray[np.float64],
    seen: NDArray[np.bool_],
    skeleton: Skeleton,
    rays: Rays | None = None,
) -> NDArray[np.float64]:
    """Place the joints that were not seen.

    Args:
        joints: (P, J, 3) world mm, z up.
        seen: (P, J); the other joints' positions are not looked at.
        skeleton: the J joints.
        rays: where one view saw joints; they are placed on their rays, as far from their parents
            as the bone is long.

    Returns:
        (P, J, 3); people without any joint seen are returned as they came. A joint of which
        nothing is known (see ``is_known``) lies at the root where it was not seen.
    """
    completed = joints.copy()
    partly = np.flatnonzero(~seen.all(axis=1) & seen.any(axis=1))
    if len(partly):
        known, there = _in_whole(joints[partly], seen[partly], skeleton)
        places = [skeleton.index(j) if skeleton.has(j) else -1 for j in WHOLE.joints]
        whole = _completed(known, there, None if rays is None else rays.of(partly, places))
        own = whole[:, [WHOLE.index(j) if WHOLE.has(j) else _ROOT for j in skeleton.joints]]
        completed[partly] = np.where(seen[partly, :, None], joints[partly], own)
    return completed


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
    trunk = (known[:, _NECK] & known[:, _ROOT])[:, None]
    up = _unit((joints[:, _NECK] - joints[:, _ROOT]) * trunk, upright)
    left = np.zeros((len(joints), 3))
    for a, b in _PAIRS:
        left += (joints[:, a] - joints[:, b]) * (known[:, a] & known[:, b])[:, None]
    left = _unit(_across(left, up), _any_across(up))
    return np.stack([left, np.cross(left, up), up], axis=1)


def statures(joints: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(P,) size of people over that of a person of 1.7 m: the median of their long bones', 1 where
    fewer than ``_FEWEST`` are known."""
    shares = bone_shares(joints, known)
    few = np.isfinite(shares).sum(axis=1) < _FEWEST
    shares[few] = 1.0
    size: NDArray[np.float64] = np.clip(np.nanmedian(shares, axis=1), *SIZES)
    return size


def bone_shares(joints: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(P, B) lengths of long bones over those of a standing person; NaN where they aren't known."""
    starts, ends = _LONG.T
    lengths = np.linalg.norm(joints[:, ends] - joints[:, starts], axis=-1)
    shares: NDArray[np.float64] = np.where(
        known[:, starts] & known[:, ends], lengths / _LONG_MM, np.nan
    )
    return shares


def _completed(
    joints: NDArray[np.float64], seen: NDArray[np.bool_], rays: Rays | None
) -> NDArray[np.float64]:
    joints, axes = joints.copy(), body_axes(joints, seen)
    size = statures(joints, seen)[:, None]
    _place_trunk(joints, seen, axes, size)
    for joint in _ORDER[1:]:
        rows = np.flatnonzero(~seen[:, joint])
        if len(rows):
            parent = joints[rows, _PARENTS[joint]]
            bones = _mirrored_bones(joints[rows], seen[rows], joint, axes[rows], size[rows])
            places = parent + bones
            if rays is not None:
                places = _on_rays(places, parent, rays.of(rows, [joint]))
            joints[rows, joint] = places
    return joints


def _place_trunk(
    joints: NDArray[np.float64],
    seen: NDArray[np.bool_],
    axes: NDArray[np.float64],
    size: NDArray[np.float64],
) -> None:
    """Give bodies without mid-hip the mean of the mid-hips that their seen joints imply."""
    rows = np.flatnonzero(~seen[:, _ROOT])
    implied = joints[rows] - size[rows, :, None] * (_STANDING @ axes[rows])
    weight = seen[rows, :, None] / seen[rows].sum(axis=1)[:, None, None]
    joints[rows, _ROOT] = (implied * weight).sum(axis=1)


def _mirrored_bones(
    joints: NDArray[np.float64],
    seen: NDArray[np.bool_],
    joint: int,
    axes: NDArray[np.float64],
    size: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(P, 3) bones from a joint's parent to it."""
    bones: NDArray[np.float64] = size * (_BONES[joint] @ axes)
    other, parent = WHOLE.swapped[joint], WHOLE.swapped[_PARENTS[joint]]
    if other == joint:
        return bones
    mirrored = joints[:, other] - joints[:, parent]
    left = axes[:, 0]
    mirrored -= 2 * left * np.einsum("pa,pa->p", mirrored, left)[:, None]
    return np.where((seen[:, other] & seen[:, parent])[:, None], mirrored, bones)


def _on_rays(
    places: NDArray[np.float64], parents: NDArray[np.float64], rays: Rays
) -> NDArray[np.float64]:
    """(P, 3) the point of each ray that is as far from the parent as the expected place, and
    nearer to that; rays that pass the parent too far tell nothing."""
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
    return np.where(near[:, None], points, places)


def _unit(vectors: NDArray[np.float64], fallback: NDArray[np.float64]) -> NDArray[np.float64]:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.where(length > 1e-6, vectors / np.maximum(length, 1e-6), fallback)


def _across(vectors: NDArray[np.float64], up: NDArray[np.float64]) -> NDArray[np.float64]:
    """(P, 3) what of vectors is at right angles to unit vectors."""
    return vectors - up * np.einsum("pa,pa->p", vectors, up)[:, None]


def _any_across(up: NDArray[np.float64]) -> NDArray[np.float64]:
    across = _across(np.eye(3)[np.abs(up).argmin(axis=1)], up)
    return across / np.linalg.norm(across, axis=-1, keepdims=True)

"""Joints that were not seen, inferred from the rest of the body.

A missing joint hangs on its parent by the bone of the other side, mirrored at the body's median
plane; where that is missing as well, by the bone of a person standing upright. A skeleton without
neck or mid-hip is completed with them, and they are left out again.

Letters: P people, J joints of the people's skeleton, K joints of ``WHOLE``.
"""

from collections.abc import Mapping

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


def standing(skeleton: Skeleton) -> NDArray[np.float64]:
    """(J, 3) joints of a person of about 1.7 m standing upright, from the mid-hip, mm: to the
    left, forwards, up."""
    joints, _ = converted(_STANDING, np.ones(len(WHOLE)), WHOLE, skeleton)
    return joints


def is_known(skeleton: Skeleton) -> NDArray[np.bool_]:
    """(J,) whether something is known of where a joint is in a person: not of hands and feet."""
    return np.array([WHOLE.has(name) for name in skeleton.joints])


def complete(
    joints: NDArray[np.float64], seen: NDArray[np.bool_], skeleton: Skeleton
) -> NDArray[np.float64]:
    """Place the joints that were not seen.

    Args:
        joints: (P, J, 3) world mm, z up.
        seen: (P, J); the other joints' positions are not looked at.
        skeleton: the J joints.

    Returns:
        (P, J, 3); people without any joint seen are returned as they came. A joint of which
        nothing is known (see ``is_known``) lies at the root where it was not seen.
    """
    completed = joints.copy()
    partly = np.flatnonzero(~seen.all(axis=1) & seen.any(axis=1))
    if len(partly):
        known, there = _in_whole(joints[partly], seen[partly], skeleton)
        whole = np.stack([_complete_one(*person) for person in zip(known, there, strict=True)])
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
    """(3, 3) unit rows: the body's left, front and up, in the world.

    Args:
        joints: (K, 3) world mm.
        known: (K,); from shoulders and hips that are known, else from the world's axes.
    """
    up = np.array([0.0, 0.0, 1.0])
    if known[_NECK] and known[_ROOT]:
        up = _unit(joints[_NECK] - joints[_ROOT], up)
    left = np.zeros(3)
    for a, b in _PAIRS:
        if known[a] and known[b]:
            left += joints[a] - joints[b]
    left = _unit(left - up * (left @ up), _any_across(up))
    return np.stack([left, np.cross(left, up), up])


def _complete_one(joints: NDArray[np.float64], seen: NDArray[np.bool_]) -> NDArray[np.float64]:
    joints, known = joints.copy(), seen.copy()
    axes = body_axes(joints, known)
    _place_trunk(joints, known, axes)
    for joint in _ORDER:
        if not known[joint]:
            bone = _mirrored_bone(joints, seen, joint, axes)
            joints[joint] = joints[_PARENTS[joint]] + bone
            known[joint] = True
    return joints


def _place_trunk(
    joints: NDArray[np.float64], known: NDArray[np.bool_], axes: NDArray[np.float64]
) -> None:
    """Give a body without mid-hip the mean of the mid-hips that its known joints imply."""
    if known[_ROOT]:
        return
    joints[_ROOT] = (joints[known] - _STANDING[known] @ axes).mean(axis=0)
    known[_ROOT] = True


def _mirrored_bone(
    joints: NDArray[np.float64], seen: NDArray[np.bool_], joint: int, axes: NDArray[np.float64]
) -> NDArray[np.float64]:
    other, parent = WHOLE.swapped[joint], WHOLE.swapped[_PARENTS[joint]]
    if other == joint or not (seen[other] and seen[parent]):
        bone: NDArray[np.float64] = _BONES[joint] @ axes
        return bone
    bone = joints[other] - joints[parent]
    return bone - 2 * axes[0] * (bone @ axes[0])


def _unit(vector: NDArray[np.float64], fallback: NDArray[np.float64]) -> NDArray[np.float64]:
    length = np.linalg.norm(vector)
    return vector / length if length > 1e-6 else fallback


def _any_across(up: NDArray[np.float64]) -> NDArray[np.float64]:
    axis = np.eye(3)[np.abs(up).argmin()]
    across = axis - up * (axis @ up)
    return across / np.linalg.norm(across)

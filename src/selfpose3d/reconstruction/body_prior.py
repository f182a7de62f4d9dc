"""Joints that were not seen, inferred from the rest of the body.

A missing joint hangs on its parent by the bone of the other side, mirrored at the body's median
plane; where that is missing as well, by the bone of a person standing upright.
"""

import numpy as np
from numpy.typing import NDArray

from selfpose3d.skeletons import NECK, NOSE, ROOT, SWAP_SIDES

PARENTS: tuple[int, ...] = (ROOT, NECK, NECK, NECK, 3, 4, ROOT, 6, 7, NECK, 9, 10, ROOT, 12, 13)
"""The parent of each joint; neck and mid-hip are each other's parent."""

_ORDER = (ROOT, NECK, 3, 9, 6, 12, 4, 10, 7, 13, 5, 11, 8, 14, NOSE)
"""Joints such that parents come before their children."""

STANDING_BONES = np.array(
    [
        (0, 0, 520),  # neck over mid-hip
        (0, 120, 160),  # nose
        (0, 0, -520),  # mid-hip
        (170, 0, -20),
        (40, 0, -280),
        (0, 60, -240),
        (100, 0, -30),
        (0, 20, -400),
        (0, -20, -400),
        (-170, 0, -20),
        (-40, 0, -280),
        (0, 60, -240),
        (-100, 0, -30),
        (0, 20, -400),
        (0, -20, -400),
    ],
    dtype=float,
)
"""(15, 3) bone from parent to joint of a standing person, mm: to the left, forwards, up."""


def _positions() -> NDArray[np.float64]:
    positions = np.zeros((len(PARENTS), 3))
    for joint in _ORDER[1:]:
        positions[joint] = positions[PARENTS[joint]] + STANDING_BONES[joint]
    return positions


STANDING = _positions()
"""(15, 3) joints of a standing person from the mid-hip, mm: to the left, forwards, up."""


def complete(joints: NDArray[np.float64], seen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Place the joints that were not seen.

    Args:
        joints: (P, 15, 3) world mm, z up.
        seen: (P, 15); the other joints' positions are not looked at.

    Returns:
        (P, 15, 3); people without any joint seen are returned as they came.
    """
    completed = joints.copy()
    for person in np.flatnonzero(~seen.all(axis=1) & seen.any(axis=1)):
        completed[person] = _complete_one(joints[person], seen[person])
    return completed


def body_axes(joints: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(3, 3) unit rows: the body's left, front and up, in the world.

    Args:
        joints: (15, 3) world mm.
        known: (15,); from shoulders and hips that are known, else from the world's axes.
    """
    up = np.array([0.0, 0.0, 1.0])
    if known[NECK] and known[ROOT]:
        up = _unit(joints[NECK] - joints[ROOT], up)
    left = np.zeros(3)
    for a, b in ((3, 9), (6, 12)):
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
            joints[joint] = joints[PARENTS[joint]] + bone
            known[joint] = True
    return joints


def _place_trunk(
    joints: NDArray[np.float64], known: NDArray[np.bool_], axes: NDArray[np.float64]
) -> None:
    """Give a body without mid-hip the mean of the mid-hips that its known joints imply."""
    if known[ROOT]:
        return
    joints[ROOT] = (joints[known] - STANDING[known] @ axes).mean(axis=0)
    known[ROOT] = True


def _mirrored_bone(
    joints: NDArray[np.float64], seen: NDArray[np.bool_], joint: int, axes: NDArray[np.float64]
) -> NDArray[np.float64]:
    other, parent = SWAP_SIDES[joint], SWAP_SIDES[PARENTS[joint]]
    if other == joint or not (seen[other] and seen[parent]):
        return STANDING_BONES[joint] @ axes
    bone = joints[other] - joints[parent]
    return bone - 2 * axes[0] * (bone @ axes[0])


def _unit(vector: NDArray[np.float64], fallback: NDArray[np.float64]) -> NDArray[np.float64]:
    length = np.linalg.norm(vector)
    return vector / length if length > 1e-6 else fallback


def _any_across(up: NDArray[np.float64]) -> NDArray[np.float64]:
    axis = np.eye(3)[np.abs(up).argmin()]
    across = axis - up * (axis @ up)
    return across / np.linalg.norm(across)

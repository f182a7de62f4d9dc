"""A person of about 1.7 m standing upright: where the joints lie, and what hangs on what.

Letters: J joints of a skeleton, K joints of ``WHOLE``.
"""

from collections.abc import Mapping
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


PARENTS = tuple(map(_parent, WHOLE.joints))
BONES = np.stack([standing_bone(joint) for joint in WHOLE.joints])
ROOT, NECK = WHOLE.index("mid_hip"), WHOLE.index("neck")
PAIRS = [
    tuple(WHOLE.index(f"{side}_{part}") for side in ("left", "right"))
    for part in ("shoulder", "hip")
]


def _ordered() -> tuple[int, ...]:
    """Joints such that parents come before their children, the mid-hip first."""
    kinds = ("mid_hip", *(kind for kind in _UPRIGHT if kind != "mid_hip"))
    order = {kind: number for number, kind in enumerate(kinds)}
    return tuple(sorted(range(len(WHOLE)), key=lambda j: order[_kind(WHOLE.joints[j])[1]]))


ORDER = _ordered()


def _positions() -> NDArray[np.float64]:
    positions = np.zeros((len(WHOLE), 3))
    for joint in ORDER[1:]:
        positions[joint] = positions[PARENTS[joint]] + BONES[joint]
    return positions


STANDING = _positions()


def standing(skeleton: Skeleton) -> NDArray[np.float64]:
    """(J, 3) joints of a person of about 1.7 m standing upright, from the mid-hip, mm: to the
    left, forwards, up."""
    joints, _ = converted(STANDING, np.ones(len(WHOLE)), WHOLE, skeleton)
    return joints


@cache
def standing_joints(skeleton: Skeleton) -> NDArray[np.float64]:
    """(J, 3) as ``standing``, of any skeleton; what is not known lies at the root."""
    joints, _ = converted(STANDING, np.ones(len(WHOLE)), WHOLE, skeleton, partly=True)
    return joints


def is_known(skeleton: Skeleton) -> NDArray[np.bool_]:
    """(J,) whether something is known of where a joint is in a person: not of hands and feet."""
    return np.array([WHOLE.has(name) for name in skeleton.joints])

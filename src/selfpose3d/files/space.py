"""The volume in which people move: whether they are inside it, and which one holds them all."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from selfpose3d.errors import InputError
from selfpose3d.files.poses3d import Frames

MARGIN_MM = 500.0
"""Length added to the people's volume on each side for a proposed space."""
BELOW_GROUND_MM = 200.0
"""Largest depth of a proposed space below the ground."""
ROUND_MM = 100.0
"""The faces of a proposed space lie at multiples of this."""
ANKLE_MM = 80.0
"""Height of a standing person's ankle."""
LEAST_UPRIGHT = 0.9
"""Mean cosine between z and people, from their ankles to their shoulders, from which z is up."""
_STANDING = ("left_shoulder", "right_shoulder", "left_ankle", "right_ankle")


def in_space(
    centre: Sequence[float], size: Sequence[float], points_N3: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """(N,) whether each point, mm, lies in the space with this centre and these side lengths."""
    half = np.asarray(size, dtype=float) / 2
    inside: NDArray[np.bool_] = (np.abs(points_N3 - np.asarray(centre)) <= half).all(-1)
    return inside


def proposed_space(
    bodies_BJ3: NDArray[np.float64], joints: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centre (3,) and side lengths (3,), mm, of a space that holds people.

    It ends at most ``BELOW_GROUND_MM`` below the ground, where people tell where that is.

    Args:
        bodies_BJ3: their joints, mm, one or more; NaN for those that are not there.
        joints: names of the J joints.
    """
    low, high = np.nanpercentile(bodies_BJ3.reshape(-1, 3), [1, 99], axis=0)
    low = np.floor((low - MARGIN_MM) / ROUND_MM) * ROUND_MM
    high = np.ceil((high + MARGIN_MM) / ROUND_MM) * ROUND_MM
    lowest = (ground(bodies_BJ3, joints) - BELOW_GROUND_MM) / ROUND_MM
    low[2] = np.fmax(low[2], np.ceil(lowest) * ROUND_MM)
    return (low + high) / 2, high - low


def ground(bodies_BJ3: NDArray[np.float64], joints: Sequence[str]) -> float:
    """Height z of the ground on which people stand, mm; NaN if they do not tell it.

    They tell it where shoulders and ankles are seen and z is up.
    """
    if not set(_STANDING) <= set(joints):
        return float("nan")
    corners = bodies_BJ3[:, [joints.index(name) for name in _STANDING]]
    corners = corners[np.isfinite(corners).all((1, 2))]
    up = corners[:, :2].mean(1) - corners[:, 2:].mean(1)
    steep = up[:, 2] / np.maximum(np.linalg.norm(up, axis=-1), 1e-9)
    if not len(up) or steep.mean() < LEAST_UPRIGHT:
        return float("nan")
    return float(np.percentile(corners[:, 2:, 2], 5) - ANKLE_MM)


def space_text(
    centre: Sequence[float] | NDArray[np.float64], size: Sequence[float] | NDArray[np.float64]
) -> str:
    """A space as a line of an overlay of the parameters."""
    numbers = (", ".join(f"{value:.0f}" for value in values) for values in (centre, size))
    return "space: {{centre: [{}], size: [{}]}}".format(*numbers)


def check_space(
    centre: Sequence[float], size: Sequence[float], people: Frames, where: str
) -> float:
    """The fraction of people whose mid-hip lies in the space.

    Args:
        centre: (3,) centre of the space, mm.
        size: (3,) side lengths of the space, mm.
        people: 3D people of some frames: a reconstruction, or the truth for evaluation.
        where: name of these people in the message.

    Raises:
        InputError: nobody is in the space; the message says where the people are, and which space
            holds them.
    """
    roots = [p.roots[p.has_root] for p in people.values()]
    roots_N3 = np.concatenate([*roots, np.zeros((0, 3))])
    if not len(roots_N3):
        raise InputError(f"{where}: there is nobody in any frame; check the cameras and labels")
    inside = in_space(centre, size, roots_N3)
    if not inside.any():
        low, middle, high = np.percentile(roots_N3, [5, 50, 95], axis=0).round()
        bodies = [np.where(p.valid[..., None], p.joints, np.nan) for p in people.values()]
        joints = next(iter(people.values())).skeleton.joints
        raise InputError(
            f"{where}: none of {len(roots_N3)} people is in the space (centre {tuple(centre)}, "
            f"size {tuple(size)} mm). Hips are at {middle.tolist()} mm, 90 % of them between "
            f"{low.tolist()} and {high.tolist()}. A space that holds all people, to paste into the "
            f"parameters: {space_text(*proposed_space(np.concatenate(bodies), joints))}"
        )
    return float(inside.mean())

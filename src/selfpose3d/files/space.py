"""The volume in which people move: whether they are inside it, and which one holds them all."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from selfpose3d.errors import InputError
from selfpose3d.files.poses3d import Frames

MARGIN_MM = 500.0
"""What is added to the people's volume on each side for a proposed space."""


def in_space(
    centre: Sequence[float], size: Sequence[float], points_N3: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """(N,) whether each point, mm, lies in the space with this centre and these side lengths."""
    half = np.asarray(size, dtype=float) / 2
    inside: NDArray[np.bool_] = (np.abs(points_N3 - np.asarray(centre)) <= half).all(-1)
    return inside


def proposed_space(
    points_N3: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centre (3,) and side lengths (3,), mm, of a space that holds people.

    Args:
        points_N3: their joints, mm, one or more; NaN for those that are not there.
    """
    low, high = np.nanpercentile(points_N3, [1, 99], axis=0)
    size = np.ceil((high - low + 2 * MARGIN_MM) / 100) * 100
    return np.round((low + high) / 2, -1), size


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
        joints_N3 = np.concatenate([p.joints[p.valid] for p in people.values()])
        raise InputError(
            f"{where}: none of {len(roots_N3)} people is in the space (centre {tuple(centre)}, "
            f"size {tuple(size)} mm). Hips are at {middle.tolist()} mm, 90 % of them between "
            f"{low.tolist()} and {high.tolist()}. A space that holds all people, to paste into the "
            f"parameters: {space_text(*proposed_space(joints_N3))}"
        )
    return float(inside.mean())

"""What is known of every person: about how tall, and not where another one stands.

Letters: P people, J joints.
"""

import numpy as np
from numpy.typing import NDArray

STATURE_MM = 1700.0
"""Errors in images are told as shares of a person of this height, standing where the person is."""


def height_in_pixels(
    focal: NDArray[np.float64] | float, depth: NDArray[np.float64], nearest: float = 1.0
) -> NDArray[np.float64]:
    """How many pixels ``STATURE_MM`` are at a depth; it does not shrink when somebody crouches.

    Args:
        focal: focal length, px; broadcast against the depths.
        depth: (...) mm.
        nearest: smaller depths, and such behind the camera, count as this one, mm.
    """
    heights: NDArray[np.float64] = focal * STATURE_MM / np.maximum(depth, nearest)
    return heights


def distinct_people(
    joints: NDArray[np.float64], scores: NDArray[np.float64], distance: float
) -> NDArray[np.int64]:
    """Which people to keep, so that nobody stands where a better one does.

    Args:
        joints: (P, J, 3) mm.
        scores: (P,).
        distance: two people whose joints lie nearer than this on average are one, mm.

    Returns:
        indices of the people, by falling score.
    """
    order = np.argsort(-scores, kind="stable")
    ranked = joints[order]
    gaps = np.linalg.norm(ranked[:, None] - ranked, axis=-1).mean(axis=-1)
    near = gaps < distance
    if near.sum() == len(order):
        return order
    kept: list[int] = []
    for person in range(len(order)):
        if not near[person, kept].any():
            kept.append(person)
    return order[kept]

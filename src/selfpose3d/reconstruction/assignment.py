"""Assignment of 3D people to the 2D people of each view.

Shapes: V views, P 3D people, L 2D people, J joints.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from selfpose3d.geometry.people import Projected

FAR = 0.4
"""Largest joint distance that counts, in body heights; one wrong joint can't undo a match."""
SMALL_WEIGHT = 0.02
MATCH_LIMIT = 0.15
"""Labels farther than this from a projected body (body heights) are not its."""


def assign_people(
    projected: Projected,
    points: NDArray[np.floating],
    scores: NDArray[np.floating],
    limit: float,
) -> NDArray[np.int64]:
    """Assign to each 3D person at most one 2D person per view, one to one.

    Args:
        projected: the 3D people.
        points: (V, L, J, 2) px.
        scores: (V, L, J), 0 where a joint is not there.
        limit: largest weighted mean joint distance of a match, body heights.

    Returns:
        (V, P) index into the view's 2D people, -1 where there is none.
    """
    n_views, n_people = projected.pixels.shape[:2]
    assigned = np.full((n_views, n_people), -1, dtype=np.int64)
    if n_people == 0:
        return assigned
    for view in range(n_views):
        present = np.flatnonzero((scores[view] > 0).any(-1))
        cost = _costs(projected, view, points[view][present], scores[view][present])
        for row, person in zip(*linear_sum_assignment(cost), strict=True):
            if cost[row, person] < limit:
                assigned[view, person] = present[row]
    return assigned


def _costs(
    projected: Projected, view: int, points: NDArray[np.floating], scores: NDArray[np.floating]
) -> NDArray[np.float64]:
    """(L, P) weighted mean joint distances in body heights."""
    weights = np.where(scores > 0, scores**2 + SMALL_WEIGHT, 0.0)[:, None]
    distance = np.linalg.norm(points[:, None] - projected.placed[view][None], axis=-1)
    relative = np.minimum(distance / projected.heights[view][None, :, None], FAR)
    cost: NDArray[np.float64] = (relative * weights).sum(-1) / weights.sum(-1)
    return cost

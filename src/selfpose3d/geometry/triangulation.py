"""Robust intersection of rays."""

import numpy as np
from numpy.typing import NDArray

_IDENTITY = np.eye(3)
_NEGLIGIBLE = 1e-9
"""Keeps the normal equations solvable where no ray has weight."""


def intersect_rays(
    centres: NDArray[np.float64],
    directions: NDArray[np.float64],
    weights: NDArray[np.float64],
    prior: NDArray[np.float64] | None = None,
    prior_weight: float = 0.0,
    scale_mm: float = 50.0,
    iterations: int = 5,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Points nearest to rays, by iteratively reweighted least squares (Geman-McClure).

    Args:
        centres: (V, 3) where the rays start, mm.
        directions: (V, ..., 3) unit vectors.
        weights: (V, ...), 0 where there is no ray.
        prior: (..., 3) points to start from and to stay near.
        prior_weight: weight of the prior's squared distance, against the rays' weights.
        scale_mm: residual at which a ray's weight has fallen to a quarter.
        iterations: of reweighting, the first with the weights as given.

    Returns:
        points (..., 3), residuals (V, ...) in mm, final weights (V, ...).
    """
    origins = centres.reshape(len(centres), *([1] * (directions.ndim - 2)), 3)
    across = _IDENTITY - directions[..., :, None] * directions[..., None, :]
    equations = np.concatenate([across, across @ origins[..., None]], axis=-1)
    stay = _NEGLIGIBLE + (0.0 if prior is None else prior_weight)
    points, robust = np.zeros(directions.shape[1:]) if prior is None else prior, weights
    staying = stay * np.concatenate(
        [np.broadcast_to(_IDENTITY, (*points.shape, 3)), points[..., None]], axis=-1
    )
    squared = _squared_distances(directions, origins, points)
    if prior is not None:
        robust = weights * _agreement(squared, scale_mm)
    for _ in range(iterations):
        total = np.einsum("v...,v...ab->...ab", robust, equations) + staying
        points = np.linalg.solve(total[..., :3], total[..., 3:])[..., 0]
        squared = _squared_distances(directions, origins, points)
        robust = weights * _agreement(squared, scale_mm)
    return points, np.sqrt(squared), robust


def _squared_distances(
    directions: NDArray[np.float64], origins: NDArray[np.float64], points: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Of points from the lines along the rays."""
    offsets = points - origins
    along = np.einsum("...a,...a->...", offsets, directions)
    squared = np.einsum("...a,...a->...", offsets, offsets) - along * along
    return np.maximum(squared, 0.0)


def _agreement(squared: NDArray[np.float64], scale_mm: float) -> NDArray[np.float64]:
    disagreement = 1 + squared / scale_mm**2
    return 1 / (disagreement * disagreement)

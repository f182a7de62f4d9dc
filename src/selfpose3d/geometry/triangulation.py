"""Robust intersection of rays."""

import numpy as np
from numpy.typing import NDArray

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
    across = np.eye(3) - directions[..., :, None] * directions[..., None, :]
    equations = np.concatenate([across, across @ origins[..., None]], axis=-1)
    anchor = np.zeros(directions.shape[1:]) if prior is None else prior
    stay = _NEGLIGIBLE + (0.0 if prior is None else prior_weight)
    points, robust = anchor, weights
    residuals = _residuals(directions, origins, points)
    if prior is not None:
        robust = weights * _agreement(residuals, scale_mm)
    for _ in range(iterations):
        total = np.einsum("v...,v...ab->...ab", robust, equations)
        right = total[..., 3] + stay * anchor
        points = np.linalg.solve(total[..., :3] + stay * np.eye(3), right[..., None])[..., 0]
        residuals = _residuals(directions, origins, points)
        robust = weights * _agreement(residuals, scale_mm)
    return points, residuals, robust


def _residuals(
    directions: NDArray[np.float64], origins: NDArray[np.float64], points: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Distances of points from the lines along the rays."""
    offsets = points - origins
    along = np.einsum("...a,...a->...", offsets, directions)
    squared = np.einsum("...a,...a->...", offsets, offsets) - along**2
    distances: NDArray[np.float64] = np.sqrt(np.maximum(squared, 0.0))
    return distances


def _agreement(residuals: NDArray[np.float64], scale_mm: float) -> NDArray[np.float64]:
    return 1 / (1 + (residuals / scale_mm) ** 2) ** 2

"""Robust intersection of rays."""

import numpy as np
from numpy.typing import NDArray

_IDENTITY = np.eye(3)
_DIAGONAL = (np.arange(3), np.arange(3))
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
        prior: (..., 3) points to start from and to stay near. Without it, what the rays leave
            open is nearest to the world's origin.
        prior_weight: weight of the prior's squared distance, against the rays' weights.
        scale_mm: residual at which a ray's weight has fallen to a quarter.
        iterations: of reweighting, the first with the weights as given.

    Returns:
        points (..., 3), residuals (V, ...) in mm, final weights (V, ...).
    """
    middle = centres.mean(axis=0)  # keeps squares small wherever the world's origin is
    start = np.zeros(directions.shape[1:]) if prior is None else prior
    stay = _NEGLIGIBLE + (0.0 if prior is None else prior_weight)
    flat = directions.reshape(len(centres), -1, 3)
    forms = _squared_distance_forms(centres - middle, flat)
    homogeneous = np.ones((4, flat.shape[1]))
    homogeneous[:3] = (start - middle).reshape(-1, 3).T
    staying = np.zeros((4, *homogeneous.shape))
    staying[_DIAGONAL] = stay
    staying[:3, 3] = -stay * homogeneous[:3]
    given = weights.reshape(len(weights), -1)
    robust = given
    if prior is not None:
        robust = given * _agreement(_evaluated(forms, homogeneous), scale_mm)
    for _ in range(iterations):
        total = np.einsum("vn,vabn->abn", robust, forms) + staying
        homogeneous[:3] = -_solved(total[:3, :3], total[:3, 3])
        squared = _evaluated(forms, homogeneous)
        robust = given * _agreement(squared, scale_mm)
    points = homogeneous[:3].T.reshape(directions.shape[1:]) + middle
    return points, np.sqrt(squared).reshape(weights.shape), robust.reshape(weights.shape)


def _squared_distance_forms(
    centres: NDArray[np.float64], directions_VN3: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(V, 4, 4, N) quadratic forms: a homogeneous point's squared distance from each line."""
    directions = directions_VN3.transpose(0, 2, 1)
    forms = np.empty((len(directions), 4, 4, directions.shape[-1]))
    forms[:, :3, :3] = _IDENTITY[..., None] - directions[:, :, None] * directions[:, None]
    across = np.einsum("vabn,vb->van", forms[:, :3, :3], centres)
    forms[:, :3, 3] = forms[:, 3, :3] = -across
    forms[:, 3, 3] = np.einsum("van,va->vn", across, centres)
    return forms


def _solved(matrices: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3, N) solutions of N symmetric systems, (3, 3, N) and (3, N), by Cramer's rule."""
    (a, b, c), (_, d, e), (_, _, f) = matrices
    aa, bb, cc = d * f - e * e, c * e - b * f, b * e - c * d
    dd, ee, ff = a * f - c * c, b * c - a * e, a * d - b * b
    x, y, z = right
    solution = np.stack(
        [aa * x + bb * y + cc * z, bb * x + dd * y + ee * z, cc * x + ee * y + ff * z]
    )
    return solution / (a * aa + b * bb + c * cc)


def _evaluated(forms: NDArray[np.float64], homogeneous: NDArray[np.float64]) -> NDArray[np.float64]:
    """(V, N) values of quadratic forms (V, 4, 4, N) at points (4, N)."""
    products = homogeneous[:, None] * homogeneous
    return np.maximum(np.einsum("vabn,abn->vn", forms, products), 0.0)


def _agreement(squared: NDArray[np.float64], scale_mm: float) -> NDArray[np.float64]:
    disagreement = 1 + squared / scale_mm**2
    return 1 / (disagreement * disagreement)

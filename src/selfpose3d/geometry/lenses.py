"""Lens models, as OpenCV defines them, between straight and distorted normalised coordinates.

``brown`` has k1, k2, p1, p2, k3, or these and k4, k5, k6 of the rational model (OpenCV's standard
model); ``fisheye`` has k1, k2, k3, k4 of OpenCV's fisheye model. Normalised coordinates are x / z
and y / z in the camera's frame; all functions take what lies in front of the camera.

A lens can be undone only up to its *fold*, the radius at which its polynomial stops growing:
beyond it several rays share a pixel, and no function here returns one of them.
"""

from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import NDArray

Lens = Literal["brown", "fisheye"]
COEFFICIENTS: dict[str, tuple[int, ...]] = {"brown": (5, 8), "fisheye": (4,)}
"""The numbers of coefficients that each lens model may have."""

NO_DISTORTION = np.zeros(5)
"""The Brown coefficients of a camera without distortion."""

_STEPS, _FEW_STEPS = 20, 5
_BISECTIONS = 30
"""A thousand over 2^30 is well within what Newton's method takes on."""
_CONVERGED = 1e-12
"""Normalised distance; a thousandth of the pixel tolerance at a focal length of 1e6 px."""


def distort(
    lens: Lens, coefficients: NDArray[np.float64], straight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Distorted from straight normalised coordinates, (..., 2) each."""
    square = (straight**2).sum(-1)
    radial = straight * _gain(lens, coefficients, square)[..., None]
    if lens == "fisheye":
        return radial
    p1, p2 = coefficients[2:4]
    x, y = straight[..., 0], straight[..., 1]
    tangential = [
        2 * p1 * x * y + p2 * (square + 2 * x * x),
        p1 * (square + 2 * y * y) + 2 * p2 * x * y,
    ]
    return np.asarray(radial + np.stack(tangential, axis=-1), dtype=np.float64)


def stretch(
    lens: Lens, coefficients: NDArray[np.float64], radius: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Distorted from straight normalised radii, without the tangential part."""
    stretched: NDArray[np.float64] = radius * _gain(lens, coefficients, radius**2)
    return stretched


def _gain(
    lens: Lens, coefficients: NDArray[np.float64], square: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The radial factor at squared straight radii."""
    if lens == "fisheye":
        radius = np.sqrt(square)
        angle = np.arctan(radius)
        bent = angle * Polynomial([1.0, *coefficients])(angle**2)
        return np.divide(bent, radius, out=np.ones_like(radius), where=radius > 0)
    k1, k2, _, _, k3 = coefficients[:5]
    above = 1 + square * (k1 + square * (k2 + square * k3))
    if len(coefficients) == 5:
        return np.asarray(above, dtype=np.float64)
    k4, k5, k6 = coefficients[5:]
    with np.errstate(divide="ignore", invalid="ignore"):
        gain: NDArray[np.float64] = above / (1 + square * (k4 + square * (k5 + square * k6)))
    return gain


def _fraction(coefficients: NDArray[np.float64]) -> tuple[Polynomial, Polynomial]:
    """Numerator and denominator of Brown's radial factor, polynomials of the squared radius."""
    k1, k2, _, _, k3 = coefficients[:5]
    return Polynomial([1.0, k1, k2, k3]), Polynomial([1.0, *coefficients[5:]])


def fold_radius(lens: Lens, coefficients: NDArray[np.float64]) -> float:
    """The straight normalised radius at which the distorted radius stops growing; may be inf."""
    return _fold(lens, tuple(np.asarray(coefficients, dtype=np.float64).tolist()))


@lru_cache(maxsize=1024)
def _fold(lens: Lens, values: tuple[float, ...]) -> float:
    coefficients = np.array(values)
    if lens == "fisheye":
        growth = Polynomial([1.0, *(coefficients * [3, 5, 7, 9])])
        angle = np.sqrt(_first_root(growth))
        return float(np.tan(angle)) if angle < np.pi / 2 else np.inf
    above, below = _fraction(coefficients)
    twice = Polynomial([0.0, 2.0])
    growth = above * below + twice * (above.deriv() * below - above * below.deriv())
    return float(np.sqrt(min(_first_root(growth), _first_root(below))))


def _first_root(polynomial: Polynomial) -> float:
    """The smallest positive real root, or inf."""
    trimmed = polynomial.trim()
    if trimmed.degree() < 1:
        return np.inf
    roots = trimmed.roots()
    real = roots.real[(np.abs(roots.imag) < 1e-9 * np.abs(roots)) & (roots.real > 0)]
    return float(real.min()) if len(real) else np.inf


def undistort(
    lens: Lens,
    coefficients: NDArray[np.float64],
    distorted: NDArray[np.float64],
    near: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Straight from distorted normalised coordinates, (N, 2) each; NaN where there is no inverse.

    Newton's method starts from ``near``. Where it does not arrive from there in a few steps, the
    radial part is undone by bisection below the fold first. A result is kept if distorting it gives
    the input again.

    Args:
        lens: the model.
        coefficients: of the lens.
        distorted: normalised.
        near: (N, 2) what the straight coordinates may be; any finite values or none.
    """
    fold = fold_radius(lens, coefficients)
    straight, good = _by_newton(lens, coefficients, distorted, near, fold, _FEW_STEPS)
    left = np.flatnonzero(~good)
    if len(left):
        radius = np.linalg.norm(distorted[left], axis=-1)
        scale = _straight_radius(lens, coefficients, radius) / np.where(radius > 0, radius, 1.0)
        start = distorted[left] * np.where(radius > 0, scale, 1.0)[:, None]
        found = _by_newton(lens, coefficients, distorted[left], start, fold, _STEPS)
        straight[left], good[left] = found
    return np.where(good[:, None], straight, np.nan)


def _by_newton(
    lens: Lens,
    coefficients: NDArray[np.float64],
    distorted: NDArray[np.float64],
    start: NDArray[np.float64],
    fold: float,
    steps: int,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Straight coordinates (N, 2), and which of them arrived below the fold (N,)."""
    straight, good = start.copy(), np.zeros(len(start), dtype=bool)
    enough = _CONVERGED * (1 + np.linalg.norm(distorted, axis=-1))
    left = np.arange(len(start))
    with np.errstate(all="ignore"):
        for _ in range(steps):
            error = distorted[left] - distort(lens, coefficients, straight[left])
            straight[left] += _solved(_slopes(lens, coefficients, straight[left]), error)
            good[left] = (np.abs(error) <= enough[left, None]).all(-1)
            left = left[~good[left]]
        return straight, good & (np.linalg.norm(straight, axis=-1) <= fold)


def _straight_radius(
    lens: Lens, coefficients: NDArray[np.float64], distorted: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Straight from distorted radii by bisection; where there is none, near the fold."""
    end = min(fold_radius(lens, coefficients), 1e3)
    low, high = np.zeros_like(distorted), np.full_like(distorted, end)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        below = stretch(lens, coefficients, middle) < distorted
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2


def _slopes(
    lens: Lens, coefficients: NDArray[np.float64], straight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(N, 2, 2) derivatives of the distorted by the straight coordinates, central differences."""
    step = 1e-6 * (1 + np.linalg.norm(straight, axis=-1, keepdims=True))
    columns = []
    for axis in np.eye(2):
        ahead, behind = (
            distort(lens, coefficients, straight + sign * step * axis) for sign in (1, -1)
        )
        columns.append((ahead - behind) / (2 * step))
    return np.stack(columns, axis=-1)


def _solved(slopes: NDArray[np.float64], error: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 2) steps of Newton's method."""
    a, b, c, d = slopes[:, 0, 0], slopes[:, 0, 1], slopes[:, 1, 0], slopes[:, 1, 1]
    x, y = error[:, 0], error[:, 1]
    return np.stack([d * x - b * y, a * y - c * x], axis=-1) / (a * d - b * c)[:, None]

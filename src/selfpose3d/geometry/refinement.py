"""A principal-point shift per camera, fitted to matched image points and checked on others.

For rigs whose calibration disagrees with the picture. Cameras keep their place and direction;
points and shifts are found together by bundle adjustment with a robust loss.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.sparse import lil_matrix

from selfpose3d.errors import InputError
from selfpose3d.geometry.cameras import Camera, project, ray_directions

MIN_POINTS = 20
ROBUST_PX = 5.0
SHIFT_PRIOR_PX = 100.0
MM_PER_UNIT = 100.0
"""Points are optimised in this unit, so that pixels and lengths are of one order."""


@dataclass(frozen=True)
class CentreRefinement:
    """The fitted shifts and their gain; errors are medians over image points, px.

    Args:
        cameras: with shifted principal points.
        shifts: (V, 2) of the principal points, px.
        fitted_before: error on the even frames as calibrated.
        fitted_after: with the shifts.
        held_out_before: error on the odd frames as calibrated.
        held_out_after: with the shifts, which never saw these frames.
    """

    cameras: tuple[Camera, ...]
    shifts: NDArray[np.float64]
    fitted_before: float
    fitted_after: float
    held_out_before: float
    held_out_after: float


def refine_centres(
    cameras: Sequence[Camera], pixels_VN2: NDArray[np.float64], order_N: NDArray[np.int64]
) -> CentreRefinement:
    """Fit one principal-point shift per camera on even frames; report its gain on odd frames.

    Args:
        cameras: V of them.
        pixels_VN2: the same N points as each camera saw them, NaN where it did not.
        order_N: the position of each point's frame in the sequence (0, 1, 2, ...), not its id.

    Raises:
        InputError: too few points that two cameras or more see.
    """
    seen = np.isfinite(pixels_VN2).all(-1).sum(0) >= 2
    fitting, held_out = seen & (order_N % 2 == 0), seen & (order_N % 2 == 1)
    if min(fitting.sum(), held_out.sum()) < MIN_POINTS:
        raise InputError(
            f"centre refinement: {fitting.sum()} points in even and {held_out.sum()} in odd frames "
            f"are seen by two cameras; {MIN_POINTS} of each are needed. Take more frames, or "
            "switch footage.centre_refinement off"
        )
    shifts_V2 = _fit(cameras, pixels_VN2[:, fitting])
    moved = shifted(cameras, shifts_V2)
    return CentreRefinement(
        cameras=moved,
        shifts=shifts_V2,
        fitted_before=reprojection_error(cameras, pixels_VN2[:, fitting]),
        fitted_after=reprojection_error(moved, pixels_VN2[:, fitting]),
        held_out_before=reprojection_error(cameras, pixels_VN2[:, held_out]),
        held_out_after=reprojection_error(moved, pixels_VN2[:, held_out]),
    )


def shifted(cameras: Sequence[Camera], shifts_V2: NDArray[np.float64]) -> tuple[Camera, ...]:
    """The cameras with their principal points moved by (V, 2) px."""
    moved = []
    for camera, shift in zip(cameras, shifts_V2, strict=True):
        K = camera.K.copy()
        K[:2, 2] += shift
        moved.append(replace(camera, K=K))
    return tuple(moved)


def reprojection_error(cameras: Sequence[Camera], pixels_VN2: NDArray[np.float64]) -> float:
    """Median distance, px, of image points to the projections of their triangulated points."""
    points_N3 = _best_points(cameras, pixels_VN2)
    return float(np.nanmedian(np.linalg.norm(_residuals(cameras, points_N3, pixels_VN2), axis=-1)))


def _residuals(
    cameras: Sequence[Camera], points_N3: NDArray[np.float64], pixels_VN2: NDArray[np.float64]
) -> NDArray[np.float64]:
    projected_VN2 = np.stack([project(camera, points_N3)[0] for camera in cameras])
    return np.asarray(projected_VN2 - pixels_VN2)


def _fit(cameras: Sequence[Camera], pixels_VN2: NDArray[np.float64]) -> NDArray[np.float64]:
    n_views, n_points = pixels_VN2.shape[:2]
    start = np.concatenate(
        [np.zeros(2 * n_views), _linear_points(cameras, pixels_VN2).ravel() / MM_PER_UNIT]
    )
    prior = ROBUST_PX / SHIFT_PRIOR_PX

    def residuals(x: NDArray[np.float64]) -> NDArray[np.float64]:
        shifts_V2, points_N3 = x[: 2 * n_views].reshape(-1, 2), x[2 * n_views :].reshape(-1, 3)
        errors = _residuals(cameras, points_N3 * MM_PER_UNIT, pixels_VN2) + shifts_V2[:, None]
        return np.concatenate([np.nan_to_num(errors).ravel(), prior * x[: 2 * n_views]])

    found = least_squares(
        residuals,
        start,
        jac_sparsity=_sparsity(n_views, n_points),
        loss="soft_l1",
        f_scale=ROBUST_PX,
        x_scale="jac",
        max_nfev=100,
    )
    return np.asarray(found.x[: 2 * n_views].reshape(-1, 2), dtype=np.float64)


def _best_points(cameras: Sequence[Camera], pixels_VN2: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 3) points of least robust reprojection error, cameras fixed."""

    def residuals(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.nan_to_num(
            _residuals(cameras, x.reshape(-1, 3) * MM_PER_UNIT, pixels_VN2)
        ).ravel()

    n_views, n_points = pixels_VN2.shape[:2]
    found = least_squares(
        residuals,
        _linear_points(cameras, pixels_VN2).ravel() / MM_PER_UNIT,
        jac_sparsity=_sparsity(n_views, n_points)[: 2 * n_views * n_points, 2 * n_views :],
        loss="soft_l1",
        f_scale=ROBUST_PX,
        max_nfev=30,
    )
    return np.asarray(found.x.reshape(-1, 3) * MM_PER_UNIT, dtype=np.float64)


def _linear_points(
    cameras: Sequence[Camera], pixels_VN2: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(N, 3) nearest points to the rays: for each, the least squares of point-to-ray distance."""
    A_N33, b_N3 = np.zeros((pixels_VN2.shape[1], 3, 3)), np.zeros((pixels_VN2.shape[1], 3))
    for camera, pixels_N2 in zip(cameras, pixels_VN2, strict=True):
        every_N3 = ray_directions(camera, pixels_N2)
        seen = np.isfinite(every_N3).all(-1)
        rays_N3 = every_N3[seen]
        across = np.eye(3) - rays_N3[:, :, None] * rays_N3[:, None, :]
        A_N33[seen] += across
        b_N3[seen] += across @ camera.centre
    return np.asarray(np.linalg.solve(A_N33, b_N3[..., None])[..., 0], dtype=np.float64)


def _sparsity(n_views: int, n_points: int) -> lil_matrix:
    """Which residual depends on which unknown: its camera's shift and its point."""
    sparsity = lil_matrix((2 * n_views * n_points + 2 * n_views, 2 * n_views + 3 * n_points))
    for view in range(n_views):
        for point in range(n_points):
            row = 2 * (view * n_points + point)
            sparsity[row, 2 * view] = sparsity[row + 1, 2 * view + 1] = 1
            columns = slice(2 * n_views + 3 * point, 2 * n_views + 3 * point + 3)
            sparsity[row : row + 2, columns] = 1
    for unknown in range(2 * n_views):
        sparsity[2 * n_views * n_points + unknown, unknown] = 1
    return sparsity

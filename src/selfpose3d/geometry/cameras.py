"""Calibrated cameras in the one convention of the project: OpenCV, mm, z up.

``x_cam = R x_world + t``; the image has x to the right and y down; pixel (0, 0) is the centre of
the upper left pixel; lenses are those of ``geometry.lenses``.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from selfpose3d.errors import InputError
from selfpose3d.geometry.lenses import COEFFICIENTS, Lens, distort, fold_radius
from selfpose3d.geometry.lenses import undistort as undistort_normalised

MIN_DEPTH_MM = 10.0
"""A point nearer than this, or behind the camera, has no projection."""

_LARGEST = 1e12
"""A number of a camera beyond this is none: its square must be a number as well."""

_EXACT_PX = 1e-6
"""What OpenCV undoes worse than this is undone again."""


@dataclass(frozen=True)
class Camera:
    """A calibrated camera.

    Args:
        name: how the source calls it.
        width: image width in pixels.
        height: image height in pixels.
        K: (3, 3) intrinsics in pixels.
        distortion: (5,) or (8,) k1, k2, p1, p2, k3, k4, k5, k6 of a Brown lens, (4,) k1 to k4 of
            a fisheye, in OpenCV's order.
        R: (3, 3) rotation, world to camera.
        t: (3,) translation in mm, ``x_cam = R x_world + t``.
        lens: the lens model, "brown" or "fisheye".
    """

    name: str
    width: int
    height: int
    K: NDArray[np.float64]
    distortion: NDArray[np.float64]
    R: NDArray[np.float64]
    t: NDArray[np.float64]
    lens: Lens = "brown"

    def __post_init__(self) -> None:
        coefficients = (_check_lens(self),)
        for field, shape in (
            ("K", (3, 3)),
            ("distortion", coefficients),
            ("R", (3, 3)),
            ("t", (3,)),
        ):
            value = np.asarray(getattr(self, field), dtype=np.float64).reshape(shape)
            object.__setattr__(self, field, value)
            if not (np.abs(value) < _LARGEST).all():
                raise InputError(f"camera {self.name}: {field} holds {value}, not finite numbers")
        _check_intrinsics(self)
        _check_rotation(self)

    @property
    def centre(self) -> NDArray[np.float64]:
        """(3,) position of the camera in the world, mm."""
        return -self.R.T @ self.t

    @cached_property
    def fold(self) -> float:
        """Normalised radius beyond which the lens has no projection; may be infinite."""
        return fold_radius(self.lens, self.distortion)

    def transformed(self, affine: NDArray[np.float64], width: int, height: int) -> "Camera":
        """The camera that sees this one's image after an axis-aligned image affine.

        Args:
            affine: (2, 3) map of pixel coordinates; no rotation or shear.
            width: of the new image.
            height: of the new image.
        """
        if affine[0, 1] != 0 or affine[1, 0] != 0:
            raise ValueError("only axis-aligned affines keep a camera's distortion model")
        K = np.concatenate([affine, [[0.0, 0.0, 1.0]]]) @ self.K
        return replace(self, width=width, height=height, K=K)


def _check_lens(camera: Camera) -> int:
    """How many coefficients the lens has."""
    count = np.size(camera.distortion)
    if count not in COEFFICIENTS.get(camera.lens, ()):
        raise InputError(
            f"camera {camera.name}: a lens {camera.lens!r} with {count} coefficients; known are "
            f"{COEFFICIENTS}"
        )
    return count


def _check_intrinsics(camera: Camera) -> None:
    K = camera.K
    if not np.allclose(K[2], [0.0, 0.0, 1.0], atol=1e-6) or abs(K[1, 0]) > 1e-6 * abs(K[1, 1]):
        transposed = np.allclose(K[:, 2], [0.0, 0.0, 1.0], atol=1e-6)
        raise InputError(
            f"camera {camera.name}: K = {K.tolist()} is not [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]; "
            + ("transpose it (MATLAB writes its transpose)" if transposed else "correct its rows")
        )
    if abs(np.linalg.det(K)) < 1e-6 or K[0, 0] <= 0 or K[1, 1] <= 0:
        raise InputError(
            f"camera {camera.name}: singular intrinsics K = {K.tolist()}; "
            "the focal lengths K[0][0] and K[1][1] must be positive, in pixels"
        )


def _check_rotation(camera: Camera) -> None:
    error = np.abs(camera.R @ camera.R.T - np.eye(3)).max()
    if error > 1e-2 or np.linalg.det(camera.R) < 0:
        raise InputError(
            f"camera {camera.name}: R is not a rotation (R R^T differs from 1 by {error:.3g}, "
            f"det {np.linalg.det(camera.R):.3g}); check rows against columns and handedness"
        )


def project(
    camera: Camera, points: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Project world points, distortion included.

    Args:
        camera: the camera.
        points: (..., 3) in mm.

    Returns:
        pixels (..., 2), NaN for points nearer than ``MIN_DEPTH_MM``, behind, or beyond the fold of
        the lens; depths (...) mm.
    """
    flat = np.asarray(points, dtype=np.float64).reshape(-1, 3)
    depth = flat @ camera.R[2] + camera.t[2]
    pixels = np.full((len(flat), 2), np.nan)
    front = depth > MIN_DEPTH_MM
    if np.isfinite(camera.fold):
        aside = np.linalg.norm(flat @ camera.R[:2].T + camera.t[:2], axis=-1)
        front &= aside <= camera.fold * depth
    if front.any():
        pixels[front] = _projected(camera, flat[front])
    shape = np.shape(points)[:-1]
    return pixels.reshape(*shape, 2), depth.reshape(shape)


def _projected(camera: Camera, points_N3: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 2) pixels of points in front of the camera, by OpenCV."""
    rvec = cv2.Rodrigues(camera.R)[0]
    if camera.lens == "fisheye":
        pixels = cv2.fisheye.projectPoints(
            points_N3[None], rvec, camera.t, camera.K, camera.distortion
        )[0][0]
    else:
        pixels = cv2.projectPoints(points_N3, rvec, camera.t, camera.K, camera.distortion)[0][:, 0]
    return np.asarray(pixels, dtype=np.float64)


def undistort(camera: Camera, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Normalised image coordinates of pixels: (..., 2) px to (..., 2), at depth 1.

    They project onto the pixels again to 1e-6 px. NaN stands where a pixel has no ray, outside of
    what the lens shows up to its fold.
    """
    flat = np.asarray(pixels, dtype=np.float64).reshape(-1, 1, 2)
    if len(flat) == 0:
        return flat.reshape(np.shape(pixels))
    focal = np.array([camera.K[0, 0], camera.K[1, 1]])
    distorted = (flat[:, 0] - camera.K[:2, 2]) / focal
    if camera.lens == "fisheye":
        straight = undistort_normalised(camera.lens, camera.distortion, distorted, distorted)
        return straight.reshape(np.shape(pixels))
    undone = cv2.undistortPoints(flat, camera.K, camera.distortion)[:, 0]
    normalised = np.asarray(undone, dtype=np.float64)
    with np.errstate(all="ignore"):
        again = distort(camera.lens, camera.distortion, normalised)
        exact = (np.abs(again - distorted) * focal <= _EXACT_PX).all(-1)
        loose = ~exact | (np.linalg.norm(normalised, axis=-1) > camera.fold)
    if loose.any():
        normalised[loose] = undistort_normalised(
            camera.lens, camera.distortion, distorted[loose], normalised[loose]
        )
    return normalised.reshape(np.shape(pixels))


def ray_directions(camera: Camera, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit vectors (..., 3) in the world, from the camera's centre through its pixels (..., 2).

    NaN where a pixel has no ray (``undistort``).
    """
    normalised = undistort(camera, pixels)
    directions = normalised @ camera.R[:2] + camera.R[2]
    length = np.sqrt(np.einsum("...a,...a->...", directions, directions))
    unit: NDArray[np.float64] = directions / length[..., None]
    return unit


def in_image(camera: Camera, pixels: NDArray[np.float64]) -> NDArray[np.bool_]:
    """A mask of the pixels (..., 2) that lie inside the camera's image; NaN does not."""
    return in_frame(pixels, camera.width, camera.height)


def in_frame(pixels: NDArray[np.floating], width: int, height: int) -> NDArray[np.bool_]:
    """A mask of the pixels (..., 2) that lie inside an image of a size; NaN does not."""
    with np.errstate(invalid="ignore"):
        inside: NDArray[np.bool_] = (
            (pixels[..., 0] >= 0)
            & (pixels[..., 0] <= width - 1)
            & (pixels[..., 1] >= 0)
            & (pixels[..., 1] <= height - 1)
        )
    return inside


def letterbox(width: int, height: int, new_width: int, new_height: int) -> NDArray[np.float64]:
    """(2, 3) affine that fits an image into another isotropically, centred, edges padded."""
    scale = min(new_width / width, new_height / height)
    offset_x = (new_width - 1 - scale * (width - 1)) / 2
    offset_y = (new_height - 1 - scale * (height - 1)) / 2
    return np.array([[scale, 0.0, offset_x], [0.0, scale, offset_y]])


def letterboxed(camera: Camera, width: int, height: int) -> Camera:
    """The camera of the image that ``letterbox`` makes."""
    return camera.transformed(letterbox(camera.width, camera.height, width, height), width, height)

"""What a calibration says of its images and of its cameras' places can be told to be wrong."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from selfpose3d.errors import InputError
from selfpose3d.geometry.cameras import Camera, undistort

_FOCAL = (0.1, 50.0)
"""Focal length over the longer side of the image: about 160 to 1 degrees of view."""
_MAX_SKEW_PX = 0.5
_MAX_WITHOUT_RAY = 0.05
"""Largest share of an image in which the lens has no inverse."""


def check_cameras(cameras: Sequence[Camera], where: str) -> None:
    """Refuse intrinsics that do not fit the image, each with what is wrong with it.

    Raises:
        InputError: names the camera, the values and the remedy.
    """
    for camera in cameras:
        try:
            _check_principal_point(camera)
            _check_focal_length(camera)
            _check_lens(camera)
        except InputError as error:
            raise InputError(f"{where}: {error}") from error


def _check_principal_point(camera: Camera) -> None:
    size = np.array([camera.width, camera.height])
    principal = camera.K[:2, 2]
    said = (
        f"camera {camera.name}: the principal point {_rounded(principal)} "
        f"of an image of {camera.width} x {camera.height} px"
    )
    if not principal.any():
        raise InputError(f"{said} lies in its corner; K[0][2] and K[1][2] must hold it, in px")
    factors = 2 * principal / size
    alike = abs(factors[0] - factors[1]) < 0.05 * factors.mean()
    if (principal < 0).any() or (principal > size).any() or (alike and abs(factors[0] - 1) > 0.2):
        guess = f", perhaps {factors.mean():.3g} times as large" if alike else ""
        raise InputError(
            f"{said} does not fit: K is of images of another size{guess}. Multiply the first two "
            "rows of K by the ratio of the sizes, or correct the size; translations are not to be "
            "changed"
        )


def _check_focal_length(camera: Camera) -> None:
    fx, fy, skew = camera.K[0, 0], camera.K[1, 1], camera.K[0, 1]
    side = max(camera.width, camera.height)
    if not all(_FOCAL[0] <= focal / side <= _FOCAL[1] for focal in (fx, fy)):
        raise InputError(
            f"camera {camera.name}: focal lengths {_rounded(camera.K[[0, 1], [0, 1]])} of an image "
            f"of {camera.width} x {camera.height} px; they must be in px, not in mm or normalised"
        )
    if not 0.5 <= fx / fy <= 2.0:
        raise InputError(
            f"camera {camera.name}: focal lengths {fx:.6g} and {fy:.6g} px differ too much for "
            "square pixels; check K's rows, or bring the video to square pixels"
        )
    if abs(skew) > _MAX_SKEW_PX:
        raise InputError(
            f"camera {camera.name}: K has a skew of {skew:.6g} px, which OpenCV's cameras don't "
            "have; calibrate without skew"
        )


def _check_lens(camera: Camera) -> None:
    xs = (np.arange(16) + 0.5) / 16 * camera.width
    ys = (np.arange(16) + 0.5) / 16 * camera.height
    rays = undistort(camera, np.stack(np.meshgrid(xs, ys), axis=-1))
    lacking = float(np.isnan(rays).any(-1).mean())
    if lacking > _MAX_WITHOUT_RAY:
        raise InputError(
            f"camera {camera.name}: the {camera.lens} lens {camera.distortion.tolist()} folds back "
            f"inside the image: {100 * lacking:.0f} % of its pixels have no ray. Check the lens "
            "model and the coefficients' order, or calibrate with views that reach the corners"
        )


def check_directions(cameras: Sequence[Camera], where: str) -> None:
    """Refuse extrinsics that make sense only when they are read the other way round.

    Cameras of one rig look at one place. If their axes don't come near each other as they are read,
    but do if t were the camera's centre, or if R and t went from the camera to the world, then
    they are of that other form.

    Raises:
        InputError: with the form that they seem to have.
    """
    R_V33 = np.stack([camera.R for camera in cameras])
    t_V3 = np.stack([camera.t for camera in cameras])
    centres = np.stack([camera.centre for camera in cameras])
    if len(cameras) < 3 or _scatter(centres, R_V33[:, 2]) < 0.5:
        return
    forms = {
        "t is the camera's centre: t = -R C is needed": (t_V3, R_V33[:, 2]),
        "R and t go from the camera to the world: their inverse is needed": (t_V3, R_V33[:, :, 2]),
    }
    for form, (places, axes) in forms.items():
        if _scatter(places, axes) < 0.15:
            raise InputError(
                f"{where}: the cameras don't look at a common place, but would if what is read as "
                f"a translation were something else. It seems that {form}"
            )


def _scatter(centres_V3: NDArray[np.float64], axes_V3: NDArray[np.float64]) -> float:
    """Distance of the optical axes from their common place, over the cameras' from it; infinite
    if the place is behind a camera or none."""
    across = np.eye(3) - axes_V3[:, :, None] * axes_V3[:, None, :]
    total = across.sum(0)
    if np.linalg.cond(total) > 1e6:
        return float("inf")
    place = np.linalg.solve(total, np.einsum("vab,vb->a", across, centres_V3))
    towards = place - centres_V3
    if (np.einsum("va,va->v", towards, axes_V3) <= 0).any():
        return float("inf")
    missed = np.linalg.norm(np.einsum("vab,vb->va", across, towards), axis=-1)
    return float(missed.mean() / np.linalg.norm(towards, axis=-1).mean())


def _rounded(values: NDArray[np.float64]) -> list[float]:
    return [float(f"{value:.6g}") for value in values]

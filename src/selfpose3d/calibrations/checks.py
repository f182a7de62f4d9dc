"""Checks of calibrations: values that cannot be right for the images or for the places of
cameras."""

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


_GATHERED, _SCATTERED = 0.15, 0.35
"""Distance of the optical axes from their common place, over the cameras' from it."""
_TOGETHER = 0.1
"""Extent of the cameras' centres over that of their translations: in one point."""


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
    _check_not_turned(principal, size, said)
    factors = 2 * principal / size
    alike = abs(factors[0] - factors[1]) < 0.05 * factors.mean()
    if (principal < 0).any() or (principal > size).any() or (alike and abs(factors[0] - 1) > 0.2):
        guess = f", perhaps {factors.mean():.3g} times as large" if alike else ""
        raise InputError(
            f"{said} does not fit: K is of images of another size{guess}. Multiply the first two "
            "rows of K by the ratio of the sizes, or correct the size; translations are not to be "
            "changed"
        )


def _check_not_turned(principal: NDArray[np.float64], size: NDArray[np.float64], said: str) -> None:
    """Refuse a landscape image's principal point in a portrait image, and the other way round."""
    as_read, turned = (np.abs(2 * principal / sides - 1).max() for sides in (size, size[::-1]))
    if as_read > 0.3 and turned < 0.15:
        raise InputError(
            f"{said} fits one of {size[1]:.0f} x {size[0]:.0f} px: width and height are "
            "exchanged, or the calibration is of videos before they were turned by 90 degrees"
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

    Cameras of one rig look at one place from around it. If their axes don't come near each other
    as they are read, or the cameras stand all but in one point, and neither is so if t were the
    camera's centre, or if R and t went from the camera to the world, they are of that other form.

    Raises:
        InputError: with the form that they seem to have.
    """
    R_V33 = np.stack([camera.R for camera in cameras])
    t_V3 = np.stack([camera.t for camera in cameras])
    centres = np.stack([camera.centre for camera in cameras])
    together = np.ptp(centres, axis=0).max() < _TOGETHER * np.ptp(t_V3, axis=0).max()
    if len(cameras) < 3 or (_scatter(centres, R_V33[:, 2]) < _SCATTERED and not together):
        return
    forms = {
        "t is the camera's centre: t = -R C is needed": (t_V3, R_V33[:, 2]),
        "R and t go from the camera to the world: their inverse is needed": (t_V3, R_V33[:, :, 2]),
    }
    scatters = {form: _scatter(places, axes) for form, (places, axes) in forms.items()}
    likely = min(scatters, key=lambda form: scatters[form])
    if scatters[likely] < _GATHERED:
        raise InputError(
            f"{where}: the cameras don't look at a common place from around it, but would if what "
            f"is read as a translation were something else. It seems that {likely}"
        )


def common_place(
    centres_V3: NDArray[np.float64], axes_V3: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """(3,) the place nearest to all optical axes; None if the cameras don't look at one."""
    across = np.eye(3) - axes_V3[:, :, None] * axes_V3[:, None, :]
    total = across.sum(0)
    if np.linalg.cond(total) > 1e4:
        return None
    place = np.linalg.solve(total, np.einsum("vab,vb->a", across, centres_V3))
    if (np.einsum("va,va->v", place - centres_V3, axes_V3) <= 0).any():
        return None
    return np.asarray(place, dtype=np.float64)


def _scatter(centres_V3: NDArray[np.float64], axes_V3: NDArray[np.float64]) -> float:
    """Distance of the optical axes from their common place, over the cameras' from it; infinite
    if there is none."""
    place = common_place(centres_V3, axes_V3)
    if place is None:
        return float("inf")
    towards = place - centres_V3
    missed = np.linalg.norm(np.cross(towards, axes_V3), axis=-1)
    return float(missed.mean() / np.linalg.norm(towards, axis=-1).mean())


def _rounded(values: NDArray[np.float64]) -> list[float]:
    return [float(f"{value:.6g}") for value in values]

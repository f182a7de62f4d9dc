"""Batches of calibrated rigs in torch: differentiable projection and visibility.

Shapes: B samples, V views, N points. Points are world mm; pixels are those of the cameras' images.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from selfpose3d.errors import InputError
from selfpose3d.geometry.cameras import MIN_DEPTH_MM, Camera
from selfpose3d.geometry.lenses import stretch

BEYOND_CORNER = 1.5
"""Distortion is evaluated up to this multiple of the image corner's radius, and no further."""

_WIDEST = 1.55
"""Angle from the axis up to which a fisheye is looked at, rad; 1.2 degrees below a right angle."""
_ANY = 13


@dataclass(frozen=True)
class Rig:
    """The cameras of B samples, V a sample, in the convention of ``geometry.cameras``.

    Args:
        R_BV33: rotations, world to camera.
        t_BV3: translations, mm.
        K_BV33: intrinsics, px; skew is left out, as OpenCV does.
        distortion_BVC: what ``_distort`` reads: k1, k2, p1, p2, k3 where all lenses are Brown's
            with five coefficients, otherwise ``_any_lens``.
        size_BV2: image width and height, px.
        radius_BV: normalised radius up to which the distortion is evaluated.
        keys: one string per sample; equal for equal cameras.
    """

    R_BV33: Tensor
    t_BV3: Tensor
    K_BV33: Tensor
    distortion_BVC: Tensor
    size_BV2: Tensor
    radius_BV: Tensor
    keys: tuple[str, ...]

    @classmethod
    def from_cameras(cls, samples: Sequence[Sequence[Camera]]) -> Self:
        """One rig per sample, float32 on the CPU; all samples must have equally many views."""
        counts = {len(cameras) for cameras in samples}
        if len(counts) != 1 or counts == {0}:
            raise InputError(
                f"a batch needs samples with the same number of cameras, at least one, got "
                f"{[len(cameras) for cameras in samples]}; choose them with data.cameras"
            )

        def stacked(name: str) -> Tensor:
            values = [[getattr(camera, name) for camera in cameras] for cameras in samples]
            return torch.from_numpy(np.array(values)).float()

        sizes = [[(camera.width, camera.height) for camera in cameras] for cameras in samples]
        radii = [[distortion_radius(camera) for camera in cameras] for cameras in samples]
        return cls(
            R_BV33=stacked("R"),
            t_BV3=stacked("t"),
            K_BV33=stacked("K"),
            distortion_BVC=_stacked_lenses(samples),
            size_BV2=torch.tensor(sizes, dtype=torch.float32),
            radius_BV=torch.tensor(radii, dtype=torch.float32),
            keys=tuple(_key(cameras) for cameras in samples),
        )

    @classmethod
    def joined(cls, rigs: Sequence["Rig"]) -> Self:
        """The samples of several rigs of equally many views, one after the other."""
        wide = max(rig.distortion_BVC.shape[2] for rig in rigs)
        parts = [rig._tensors() for rig in rigs]
        for part in parts:
            part["distortion_BVC"] = _widened(part["distortion_BVC"], wide)
        tensors = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        return cls(**tensors, keys=tuple(key for rig in rigs for key in rig.keys))

    def __len__(self) -> int:
        return len(self.keys)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """The rig with every tensor moved or cast as by ``Tensor.to``."""
        return self._each(lambda tensor: tensor.to(*args, **kwargs))

    def pin_memory(self) -> Self:
        """The rig in memory from which it can be copied without waiting."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Self:
        changed = {name: change(value) for name, value in self._tensors().items()}
        return type(self)(**changed, keys=self.keys)

    def sample(self, index: int) -> Self:
        """The rig of one sample alone; its tensors are parts of these."""
        picked = {name: value[index : index + 1] for name, value in self._tensors().items()}
        return type(self)(**picked, keys=(self.keys[index],))

    def views(self, indices: Sequence[int]) -> Self:
        """The same samples with these cameras only, in this order."""
        index = list(indices)
        picked = {name: value[:, index] for name, value in self._tensors().items()}
        return type(self)(**picked, keys=tuple(f"{key}{index}" for key in self.keys))

    def project(self, points_BN3: Tensor) -> tuple[Tensor, Tensor]:
        """Project world points into every view, lens distortion included; differentiable.

        Beyond ``radius_BV`` the distorted image is continued in proportion, so that it does not
        fold back. Points nearer than ``MIN_DEPTH_MM``, or behind, get finite numbers without
        meaning: ask ``visible``.

        Returns:
            pixels (B, V, N, 2) and depths (B, V, N) in mm.
        """
        x, y, depth = self._project(points_BN3)
        return torch.stack([x, y], dim=-1), depth

    def _project(self, points_BN3: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Columns, rows and depths, (B, V, N) each."""
        camera = self.R_BV33 @ points_BN3.transpose(1, 2)[:, None] + self.t_BV3[..., None]
        x, y, depth = camera.unbind(2)
        in_front = depth.clamp(min=MIN_DEPTH_MM)
        x, y = _distort(x / in_front, y / in_front, self.distortion_BVC, self.radius_BV[..., None])
        K = self.K_BV33[..., None]
        x, y = x * K[:, :, 0, 0] + K[:, :, 0, 2], y * K[:, :, 1, 1] + K[:, :, 1, 2]
        return x, y, depth

    def see(self, points_BN3: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``project`` and ``visible`` in one, for many points: columns and rows apart, px, and
        which are visible, (B, V, N) each."""
        x, y, depth = self._project(points_BN3)
        return x, y, self._visible(x, y, depth)

    def visible(self, pixels_BVN2: Tensor, depth_BVN: Tensor) -> Tensor:
        """(B, V, N) bool: inside the image and in front of the camera."""
        return self._visible(pixels_BVN2[..., 0], pixels_BVN2[..., 1], depth_BVN)

    def _visible(self, x: Tensor, y: Tensor, depth: Tensor) -> Tensor:
        right, low = (self.size_BV2 - 1)[..., None].unbind(2)
        return (x >= 0) & (x <= right) & (y >= 0) & (y <= low) & (depth > MIN_DEPTH_MM)

    def _tensors(self) -> dict[str, Tensor]:
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "keys"}


def distortion_radius(camera: Camera) -> float:
    """Normalised radius up to which a camera's distortion can be trusted.

    It ends where the radial polynomial stops growing, or at ``BEYOND_CORNER`` times the radius of
    the image's farthest corner.
    """
    corner = _corner_radius(camera)
    if camera.lens == "fisheye":
        radius = np.tan(np.linspace(0.0, _WIDEST, 8001)[1:])
    else:
        radius = np.linspace(0.0, 8.0 * corner, 8001)[1:]
    distorted = _stretched(camera, radius)
    falls = np.diff(distorted, prepend=0.0) <= 0
    if falls.any():
        end = max(int(falls.argmax()), 1)
        radius, distorted = radius[:end], distorted[:end]
    reaches = distorted >= corner
    if not reaches.any():
        return float(radius[-1])
    return float(min(radius[-1], BEYOND_CORNER * radius[reaches.argmax()]))


def _stretched(camera: Camera, radius: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distorted radii; five coefficients in the order of operations that results stand on."""
    if len(camera.distortion) != 5:
        return stretch(camera.lens, camera.distortion, radius)
    k1, k2, _, _, k3 = camera.distortion
    distorted: NDArray[np.float64] = radius * (1 + k1 * radius**2 + k2 * radius**4 + k3 * radius**6)
    return distorted


def _corner_radius(camera: Camera) -> float:
    corners = np.array([[x, y] for x in (0, camera.width - 1) for y in (0, camera.height - 1)])
    focal = np.array([camera.K[0, 0], camera.K[1, 1]])
    return float(np.linalg.norm((corners - camera.K[:2, 2]) / focal, axis=1).max())


def _stacked_lenses(samples: Sequence[Sequence[Camera]]) -> Tensor:
    """(B, V, 5), or (B, V, 13) where a lens is not Brown's with five coefficients."""
    plain = all(len(camera.distortion) == 5 for cameras in samples for camera in cameras)
    values = [
        [camera.distortion if plain else _any_lens(camera) for camera in cameras]
        for cameras in samples
    ]
    return torch.from_numpy(np.array(values)).float()


def _any_lens(camera: Camera) -> NDArray[np.float64]:
    """(13,): eight coefficients of a Brown lens, four of a fisheye, and 1 for a fisheye."""
    values = np.zeros(_ANY)
    if camera.lens == "fisheye":
        values[8:12], values[12] = camera.distortion, 1.0
    else:
        values[: len(camera.distortion)] = camera.distortion
    return values


def _widened(distortion_BVC: Tensor, width: int) -> Tensor:
    return torch.nn.functional.pad(distortion_BVC, (0, width - distortion_BVC.shape[2]))


def _distort(x: Tensor, y: Tensor, distortion_BVC: Tensor, limit: Tensor) -> tuple[Tensor, Tensor]:
    """OpenCV's distortion of (B, V, N), continued in proportion beyond the radius ``limit``."""
    shrink = (limit / (x * x + y * y + 1e-12).sqrt()).clamp(max=1.0)
    x, y = x * shrink, y * shrink
    k1, k2, p1, p2, k3, *more = distortion_BVC[..., None].unbind(2)
    r2 = x * x + y * y
    if not more:
        radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3)) + 2 * (p1 * y + p2 * x)
        return (x * radial + p2 * r2) / shrink, (y * radial + p1 * r2) / shrink
    k4, k5, k6, *angular, is_fisheye = more
    gain = (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
    gain = torch.where(is_fisheye > 0, _fisheye_gain(r2, angular), gain)
    radial = gain + 2 * (p1 * y + p2 * x)
    return (x * radial + p2 * r2) / shrink, (y * radial + p1 * r2) / shrink


def _fisheye_gain(r2: Tensor, coefficients: Sequence[Tensor]) -> Tensor:
    """Distorted over straight radius of OpenCV's fisheye; 1 in the middle, with a gradient."""
    k1, k2, k3, k4 = coefficients
    radius = (r2 + 1e-12).sqrt()
    angle = radius.atan()
    a2 = angle * angle
    gain: Tensor = angle * (1 + a2 * (k1 + a2 * (k2 + a2 * (k3 + a2 * k4)))) / radius
    return gain


def _key(cameras: Sequence[Camera]) -> str:
    digest = hashlib.sha256()
    for camera in cameras:
        digest.update(np.array([camera.width, camera.height], dtype=np.int64).tobytes())
        for value in (camera.K, camera.distortion, camera.R, camera.t):
            digest.update(np.ascontiguousarray(value).tobytes())
        if camera.lens != "brown":
            digest.update(camera.lens.encode())
    return digest.hexdigest()

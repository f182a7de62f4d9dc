"""Voxel grids, and heatmaps unprojected into them (paper eq. 1).

Shapes: B samples, V views, C channels, P people, J joints, N points, X x Y x Z voxels.
A view in which a point is outside the image or behind the camera has no say on it.
"""

import math
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from selfpose3d.geometry.heatmaps import to_heatmap_pixels
from selfpose3d.geometry.rigs import Rig

CACHED_RIGS = 32
"""Rigs whose voxel projections are kept, the last used."""
PIECE = 32768
"""Points that a processor looks at together."""


def grid_points(
    size: Sequence[float], bins: Sequence[int], centre: Sequence[float] = (0.0, 0.0, 0.0)
) -> Tensor:
    """Voxel centres of a box; the outermost lie on its faces.

    Args:
        size: sides of the box, mm.
        bins: voxels along each side.
        centre: of the box, mm.

    Returns:
        (X*Y*Z, 3) mm, x-major: ``reshape(X, Y, Z, 3)`` gives the grid.
    """
    axes = [
        torch.linspace(middle - side / 2, middle + side / 2, count)
        for side, count, middle in zip(size, bins, centre, strict=True)
    ]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, 3)


class _Seen(NamedTuple):
    """Points as the V views of one sample see them: homogeneous px of the plain images (3, V, N),
    the first pixel's where a view doesn't see the point; and the views' shares (V, N)."""

    pixels: Tensor
    shares: Tensor


def sample_views(heatmaps_VCHW: Tensor, pixels_VN2: Tensor, visible_VN: Tensor) -> Tensor:
    """Mean of the heatmaps over the views that see a point, sampled bilinearly.

    Args:
        heatmaps_VCHW: one set per view; zero is read beyond their borders.
        pixels_VN2: heatmap px, at pixel centres (``align_corners=True``).
        visible_VN: which views count.

    Returns:
        (N, C) in [0, 1]; 0 where no view counts.
    """
    seen = _seen(pixels_VN2[..., 0], pixels_VN2[..., 1], visible_VN)
    plain = torch.eye(2, 3, dtype=pixels_VN2.dtype, device=pixels_VN2.device)
    return _read(heatmaps_VCHW, seen, _to_sampling(plain, heatmaps_VCHW))


def _seen(x_VN: Tensor, y_VN: Tensor, visible_VN: Tensor) -> _Seen:
    counts = visible_VN.float()
    shares = counts / counts.sum(0).clamp(min=1)
    x, y = torch.where(visible_VN, x_VN, 0.0), torch.where(visible_VN, y_VN, 0.0)
    return _Seen(torch.stack([x, y, torch.ones_like(x)]), shares)


def _to_sampling(to_heatmap_23: Tensor, heatmaps_VCHW: Tensor) -> Tensor:
    """The affine (2, 3) to ``grid_sample``'s coordinates in [-1, 1] from that to heatmap px."""
    height, width = heatmaps_VCHW.shape[-2:]
    across, down = (2 / max(length - 1, 1) for length in (width, height))
    scaled = torch.stack([to_heatmap_23[0] * across, to_heatmap_23[1] * down])
    return torch.cat([scaled[:, :2], scaled[:, 2:] - 1], dim=1)


def _read(heatmaps_VCHW: Tensor, seen: _Seen, to_sampling_23: Tensor) -> Tensor:
    """(N, C) in [0, 1]: the mean of the views at the points' pixels after an affine."""
    column, row = (to_sampling_23 @ seen.pixels.flatten(1)).unflatten(1, seen.shares.shape)
    grid = torch.view_as_real(torch.complex(column, row))[:, :, None]  # faster than stack
    sampled = F.grid_sample(heatmaps_VCHW, grid, align_corners=True)[..., 0].transpose(1, 2)
    if sampled.shape[-1] == 1:
        return (sampled * seen.shares[..., None]).sum(0).clamp(0, 1)
    mean = sampled[0] * seen.shares[0, :, None]
    for of_view, share in zip(sampled[1:], seen.shares[1:], strict=True):
        mean = torch.addcmul(mean, of_view, share[:, None])
    return mean.clamp(0, 1)


def _pieces(points_N3: Tensor) -> tuple[Tensor, ...]:
    """Points in as many pieces as keep what is computed about each in a processor's cache."""
    return points_N3.split(PIECE) if points_N3.device.type == "cpu" else (points_N3,)


def _see(rig: Rig, points_N3: Tensor, least_views: int = 1) -> list[_Seen]:
    """Points in a rig of one sample, piece by piece; nobody sees what fewer views see."""
    pieces = []
    for piece in _pieces(points_N3):
        x_VN, y_VN, visible_VN = (values[0] for values in rig.see(piece[None]))
        pieces.append(_seen(x_VN, y_VN, visible_VN & (visible_VN.sum(0) >= least_views)))
    return pieces


def _unproject(
    heatmaps_VCHW: Tensor, pieces: Iterable[_Seen], affine_23: Tensor, stride: int
) -> Tensor:
    """Heatmaps of augmented images at pixels of the plain ones: (N, C)."""
    offset = to_heatmap_pixels(affine_23[:, 2:], stride)
    to_heatmap = torch.cat([affine_23[:, :2] / stride, offset], dim=-1)
    to_sampling = _to_sampling(to_heatmap, heatmaps_VCHW)
    ordered = heatmaps_VCHW.contiguous(memory_format=torch.channels_last)
    return torch.cat([_read(ordered, seen, to_sampling) for seen in pieces])


def unproject_cuboids(
    heatmaps_BVJHW: Tensor,
    rig: Rig,
    affines_B23: Tensor,
    counts_B: Sequence[int],
    centres_P3: Tensor,
    offsets_N3: Tensor,
    stride: int,
) -> Tensor:
    """Evidence in the cuboids about people of any samples, any number per sample.

    Args:
        heatmaps_BVJHW: of the augmented images.
        rig: cameras of the plain images; it is in those that a voxel is visible or not.
        affines_B23: plain to augmented pixels.
        counts_B: how many people each sample has.
        centres_P3: mm, those of the first sample first.
        offsets_N3: voxel centres about a person's, mm.
        stride: input px per heatmap px.

    Returns:
        (P, J, N), a voxel's joints beside each other in memory.
    """
    parts = []
    for index, centres in enumerate(centres_P3.split(list(counts_B))):
        if len(centres):
            points = (centres[:, None] + offsets_N3).reshape(-1, 3)
            seen = _see(rig.sample(index), points)
            evidence = _unproject(heatmaps_BVJHW[index], seen, affines_B23[index], stride)
            parts.append(evidence.unflatten(0, (len(centres), -1)))
    if not parts:
        return heatmaps_BVJHW.new_zeros(0, heatmaps_BVJHW.shape[2], len(offsets_N3))
    return (parts[0] if len(parts) == 1 else torch.cat(parts)).transpose(1, 2)


class RootGrid:
    """The grid of the whole space, with its projections into the rigs last seen.

    Args:
        size: of the space, mm.
        bins: voxels along each axis.
        centre: of the space, mm.
        stride: input px per heatmap px.
        least_views: views that must see a voxel; where fewer do, there is no evidence. A single
            view's evidence is the same all along a ray.
        sampling: largest distance of the points at which heatmaps are read, mm. A voxel that is
            wider reads several and keeps the highest value, as a narrow peak would pass between
            the centres of voxels; None: the centre alone.
    """

    def __init__(
        self,
        size: tuple[float, float, float],
        bins: tuple[int, int, int],
        centre: tuple[float, float, float],
        stride: int,
        least_views: int = 1,
        sampling: float | None = None,
    ) -> None:
        self.bins = tuple(bins)
        self.stride = stride
        self.least_views = least_views
        self.points = grid_points(size, bins, centre)
        """(X*Y*Z, 3) voxel centres, mm."""
        self.step = torch.tensor(size) / (torch.tensor(bins) - 1).clamp(min=1)
        """(3,) distance of neighbouring voxels, mm."""
        steps = self.step.tolist()
        self._parts = [1 if sampling is None else math.ceil(step / sampling) for step in steps]
        """Points that a voxel reads along each axis."""
        self._fine = [n * parts for n, parts in zip(bins, self._parts, strict=True)]
        """Points that are read along each axis of the space."""
        spans = [s / k * (n - 1) for s, k, n in zip(steps, self._parts, self._fine, strict=True)]
        self._read_at = grid_points(spans, self._fine, centre)
        self._there: dict[torch.device, tuple[Tensor, Tensor]] = {}
        self._projections: OrderedDict[tuple[str, torch.device], list[_Seen]] = OrderedDict()

    def on(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """``points`` and ``step`` on a device, brought there once: that waits for the device."""
        if device not in self._there:
            self._there[device] = (self.points.to(device), self.step.to(device))
        return self._there[device]

    def volume(self, heatmaps_BVCHW: Tensor, rig: Rig, affines_B23: Tensor) -> Tensor:
        """Heatmaps of augmented images unprojected into the space: (B, C, X, Y, Z) in [0, 1].

        Args:
            heatmaps_BVCHW: of the augmented images.
            rig: cameras of the plain images.
            affines_B23: plain to augmented pixels.
        """
        evidence = [
            _unproject(
                heatmaps_BVCHW[sample], self._seen(rig, sample), affines_B23[sample], self.stride
            )
            for sample in range(len(rig))
        ]
        volumes = torch.stack(evidence).transpose(1, 2).unflatten(-1, self._fine)
        return volumes if max(self._parts) == 1 else F.max_pool3d(volumes, self._parts)

    def _seen(self, rig: Rig, sample: int) -> list[_Seen]:
        key = (rig.keys[sample], rig.R_BV33.device)
        if key not in self._projections:
            with torch.no_grad():
                points = self._read_at.to(rig.R_BV33)
                self._projections[key] = _see(rig.sample(sample), points, self.least_views)
            if len(self._projections) > CACHED_RIGS:
                self._projections.popitem(last=False)
        self._projections.move_to_end(key)
        return self._projections[key]

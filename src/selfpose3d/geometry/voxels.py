"""Voxel grids, and heatmaps unprojected into them (paper eq. 1).

Shapes: B samples, V views, C channels, P people, J joints, N points, X x Y x Z voxels.
A view in which a point is outside the image or behind the camera has no say on it.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from selfpose3d.geometry.affines import apply_affine
from selfpose3d.geometry.heatmaps import to_heatmap_pixels
from selfpose3d.geometry.rigs import Rig

CACHED_RIGS = 32
"""Rigs whose voxel projections are kept, the last used."""


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


def sample_views(heatmaps_BVCHW: Tensor, pixels_BVN2: Tensor, visible_BVN: Tensor) -> Tensor:
    """Mean of the heatmaps over the views that see a point, sampled bilinearly.

    Args:
        heatmaps_BVCHW: one set a view; zero is read beyond their borders.
        pixels_BVN2: heatmap px, at pixel centres (``align_corners=True``).
        visible_BVN: which views count.

    Returns:
        (B, C, N) in [0, 1]; 0 where no view counts.
    """
    scale, shift = _to_sampling(heatmaps_BVCHW)
    return _mean_of_views(
        heatmaps_BVCHW, (pixels_BVN2 * scale + shift).clamp(-3, 3), _shares(visible_BVN)
    )


def _to_sampling(heatmaps_BVCHW: Tensor) -> tuple[Tensor, float]:
    """Scale (2,) and shift from heatmap px to ``grid_sample``'s coordinates in [-1, 1]."""
    height, width = heatmaps_BVCHW.shape[-2:]
    return 2 / heatmaps_BVCHW.new_tensor([width - 1, height - 1]).clamp(min=1), -1.0


def _shares(visible_BVN: Tensor) -> Tensor:
    """(B, V, N) weights of the views in the mean."""
    counts = visible_BVN.float()
    return counts / counts.sum(1, keepdim=True).clamp(min=1)


def _mean_of_views(heatmaps_BVCHW: Tensor, sampling_BVN2: Tensor, shares_BVN: Tensor) -> Tensor:
    n_samples, n_views = heatmaps_BVCHW.shape[:2]
    sampled = F.grid_sample(
        heatmaps_BVCHW.flatten(0, 1),
        sampling_BVN2.flatten(0, 1)[:, :, None].to(heatmaps_BVCHW.dtype),
        align_corners=True,
    )
    weighted = sampled.unflatten(0, (n_samples, n_views))[..., 0] * shares_BVN[:, :, None]
    return weighted.sum(1).clamp(0, 1)


def unproject_cuboids(
    heatmaps_BVJHW: Tensor,
    rig: Rig,
    affines_B23: Tensor,
    sample_P: Tensor,
    centres_P3: Tensor,
    offsets_N3: Tensor,
    stride: int,
) -> Tensor:
    """Evidence in the cuboids about people of any samples, any number a sample.

    Args:
        heatmaps_BVJHW: of the augmented images.
        rig: cameras of the plain images; it is in those that a voxel is visible or not.
        affines_B23: plain to augmented pixels.
        sample_P: which sample each person is in.
        centres_P3: mm.
        offsets_N3: voxel centres about a person's, mm.
        stride: input px per heatmap px.

    Returns:
        (P, J, N).
    """
    if len(sample_P) == 0:
        return heatmaps_BVJHW.new_zeros(0, heatmaps_BVJHW.shape[2], len(offsets_N3))
    parts, order = [], []
    for index in sorted(set(sample_P.tolist())):
        people = (sample_P == index).nonzero()[:, 0]
        points = (centres_P3[people, None] + offsets_N3).reshape(1, -1, 3)
        alone = rig.select([index])
        pixels, depth = alone.project(points)
        evidence = _unproject(
            heatmaps_BVJHW[[index]],
            pixels,
            _shares(alone.visible(pixels, depth)),
            affines_B23[[index]],
            stride,
        )
        parts.append(evidence[0].unflatten(1, (len(people), -1)).transpose(0, 1))
        order.append(people)
    return torch.cat(parts)[torch.cat(order).argsort()]


def _unproject(
    heatmaps_BVCHW: Tensor,
    pixels_BVN2: Tensor,
    shares_BVN: Tensor,
    affines_B23: Tensor,
    stride: int,
) -> Tensor:
    """Sample the heatmaps of augmented images at pixels of the plain ones: (B, C, N).

    Affine, stride and sampling coordinates become one map, as each pass over the pixels counts.
    """
    scale, shift = _to_sampling(heatmaps_BVCHW)
    affines = affines_B23.to(pixels_BVN2.dtype)
    linear = affines[..., :2] * (scale / stride)[:, None]
    offset = to_heatmap_pixels(affines[..., 2], stride) * scale + shift
    to_sampling = torch.cat([linear, offset[..., None]], dim=-1)
    sampling = apply_affine(to_sampling[:, None, None], pixels_BVN2)
    return _mean_of_views(heatmaps_BVCHW, sampling, shares_BVN)


@dataclass(frozen=True)
class _Projection:
    """Of the space grid into one rig: plain pixels (V, N, 2) and the views' shares (V, N)."""

    pixels: Tensor
    shares: Tensor


class RootGrid:
    """The grid of the whole space, with its projections into the rigs last seen.

    Args:
        size: of the space, mm.
        bins: voxels along each axis.
        centre: of the space, mm.
        stride: input px per heatmap px.
    """

    def __init__(
        self,
        size: tuple[float, float, float],
        bins: tuple[int, int, int],
        centre: tuple[float, float, float],
        stride: int,
    ) -> None:
        self.bins = tuple(bins)
        self.stride = stride
        self.points = grid_points(size, bins, centre)
        """(X*Y*Z, 3) voxel centres, mm."""
        self.step = torch.tensor(size) / (torch.tensor(bins) - 1).clamp(min=1)
        """(3,) distance of neighbouring voxels, mm."""
        self._projections: OrderedDict[tuple[str, torch.device], _Projection] = OrderedDict()

    def volume(self, heatmaps_BVCHW: Tensor, rig: Rig, affines_B23: Tensor) -> Tensor:
        """Heatmaps of augmented images unprojected into the space: (B, C, X, Y, Z) in [0, 1].

        Args:
            heatmaps_BVCHW: of the augmented images.
            rig: cameras of the plain images.
            affines_B23: plain to augmented pixels.
        """
        parts = [self._projection(rig, sample) for sample in range(len(rig))]
        pixels = torch.stack([part.pixels for part in parts])
        shares = torch.stack([part.shares for part in parts])
        evidence = _unproject(heatmaps_BVCHW, pixels, shares, affines_B23, self.stride)
        return evidence.unflatten(-1, self.bins)

    def _projection(self, rig: Rig, sample: int) -> _Projection:
        key = (rig.keys[sample], rig.R_BV33.device)
        if key not in self._projections:
            alone = rig.select([sample])
            with torch.no_grad():
                pixels, depth = alone.project(self.points.to(rig.R_BV33)[None])
                shares = _shares(alone.visible(pixels, depth))
            self._projections[key] = _Projection(pixels[0], shares[0])
            if len(self._projections) > CACHED_RIGS:
                self._projections.popitem(last=False)
        self._projections.move_to_end(key)
        return self._projections[key]

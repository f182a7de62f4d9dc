"""root_net: where people stand, as the maxima of a volume (paper section 3.3)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from selfpose3d.geometry.voxels import RootGrid
from selfpose3d.models.v2v import V2V


class RootNet(V2V):
    """The unprojected root heatmaps (B, 1, X, Y, Z) to a root volume (B, 1, X, Y, Z)."""

    def __init__(self, width: int) -> None:
        super().__init__(1, 1, width)


def proposals(
    volume_BXYZ: Tensor, grid: RootGrid, threshold: float, max_people: int
) -> tuple[Tensor, Tensor, Tensor]:
    """People as the local maxima of root volumes: 3^3 max-pool suppression and a threshold.

    Args:
        volume_BXYZ: root_net's output.
        grid: whose voxels they are.
        threshold: maxima must lie above it.
        max_people: of one sample, the highest are kept.

    Returns:
        centres (P, 3) in mm, refined to the mean of the 3^3 voxels weighted by value squared;
        scores (P,); sample (P,) ascending.
    """
    maxima = F.max_pool3d(volume_BXYZ[:, None], 3, stride=1, padding=1)[:, 0]
    peaks = torch.where(
        (volume_BXYZ == maxima) & (volume_BXYZ > threshold), volume_BXYZ, -torch.inf
    )
    count = min(max_people, peaks[0].numel())
    scores, flat = peaks.flatten(1).topk(count, dim=1)
    sample, rank = torch.nonzero(torch.isfinite(scores), as_tuple=True)
    return _centres(volume_BXYZ, grid, sample, flat[sample, rank]), scores[sample, rank], sample


def _centres(volume_BXYZ: Tensor, grid: RootGrid, sample_P: Tensor, flat_P: Tensor) -> Tensor:
    """Sub-voxel positions (P, 3) of maxima given by their flat indices."""
    bins = torch.tensor(grid.bins, device=flat_P.device)
    x, rest = flat_P // (bins[1] * bins[2]), flat_P % (bins[1] * bins[2])
    index = torch.stack([x, rest // bins[2], rest % bins[2]], dim=-1)
    around = torch.cartesian_prod(*[torch.arange(-1, 2, device=flat_P.device)] * 3)
    near = index[:, None] + around
    inside = ((near >= 0) & (near < bins)).all(-1)
    near = near.clamp(min=0).minimum(bins - 1)
    flat = (near[..., 0] * bins[1] + near[..., 1]) * bins[2] + near[..., 2]
    values = volume_BXYZ.flatten(1)[sample_P[:, None], flat].clamp(min=0) ** 2 * inside
    points = grid.points.to(flat.device)[flat]
    weights = values / values.sum(1, keepdim=True).clamp(min=1e-12)
    return (points * weights[..., None]).sum(1)

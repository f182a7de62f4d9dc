"""root_net: where in the space people's roots are (paper section 3.2)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from selfpose3d.geometry.voxels import RootGrid
from selfpose3d.networks.layout import channels_last_3d
from selfpose3d.networks.v2v import V2V
from selfpose3d.training.devices import to_device


class RootNet(nn.Module):
    """V2V from unprojected heatmaps to a volume of root likelihood.

    Args:
        width: of the V2V; paper 16.
        in_channels: 1, the root's heatmaps (paper), or one per joint (paper table 15).
    """

    def __init__(self, width: int = 16, in_channels: int = 1) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.v2v = channels_last_3d(V2V(in_channels, 1, width))

    def forward(self, volumes: Tensor) -> Tensor:
        """(B, in_channels, X, Y, Z) evidence to (B, 1, X, Y, Z), near 1 at a root."""
        output: Tensor = self.v2v(volumes)
        return output


@torch.no_grad()
def proposals(
    volume_BXYZ: Tensor, grid: RootGrid, threshold: float, max_people: int
) -> tuple[Tensor, Tensor, tuple[int, ...]]:
    """People: local maxima (3^3) of root_net's output above a threshold.

    Args:
        volume_BXYZ: root_net's output.
        grid: of the space.
        threshold: least value of a maximum.
        max_people: most proposals per sample, the highest.

    Returns:
        centres (P, 3) in mm, the mean of the 27 voxels about the maximum weighted with the square
        of their values; scores (P,), the maxima; and how many each sample has, B numbers. The
        people of the first sample come first, within a sample those of the highest score.
    """
    volume = volume_BXYZ.float()
    pooled = F.max_pool3d(volume[:, None], 3, stride=1, padding=1)[:, 0]
    peaks = torch.where((volume == pooled) & (volume > threshold), volume, -torch.inf).flatten(1)
    scores, voxels = peaks.topk(min(max_people, peaks.shape[1]), dim=1)
    counts = tuple(torch.isfinite(scores).sum(1).tolist())  # the wait for the device
    sample, rank = places(counts, volume.device)
    voxels = voxels[sample, rank]
    points, step = grid.on(volume.device)
    centres = points[voxels] + _sub_voxel(volume, sample, voxels) * step
    return centres, scores[sample, rank], counts


def places(counts: Sequence[int], device: torch.device) -> tuple[Tensor, Tensor]:
    """The samples (P,) of people sorted by sample, ``counts`` in each, and their numbers (P,) in
    the sample, on a device."""
    pairs = [(sample, rank) for sample, count in enumerate(counts) for rank in range(count)]
    both = to_device(torch.tensor(pairs, dtype=torch.long).reshape(-1, 2).T.contiguous(), device)
    return both[0], both[1]


def _sub_voxel(volume_BXYZ: Tensor, sample_P: Tensor, voxels_P: Tensor) -> Tensor:
    """(P, 3) weighted mean of the 27 voxels about each maximum, in voxels from it."""
    _, _, n_y, n_z = volume_BXYZ.shape
    x, y, z = voxels_P // (n_y * n_z), voxels_P // n_z % n_y, voxels_P % n_z
    steps = torch.arange(-1, 2, device=volume_BXYZ.device)
    offsets = torch.cartesian_prod(steps, steps, steps)
    at = torch.stack([x, y, z], dim=-1)[:, None] + offsets + 1
    padded = F.pad(volume_BXYZ, (1, 1, 1, 1, 1, 1))
    weights = padded[sample_P[:, None], at[..., 0], at[..., 1], at[..., 2]].clamp(min=0).square()
    total = weights.sum(1, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)
    return (weights / total) @ offsets.to(weights.dtype)

"""Heatmaps: their pixels, rendering them from joints, and their maxima.

Network-input pixels and heatmap pixels are both counted from the centre of the upper left pixel,
so that ``u_heatmap = (u_input + 0.5) / stride - 0.5``.
"""

import torch
from torch import Tensor

_FLOOR = 1e-3
"""Least heatmap value whose logarithm is taken."""


def to_heatmap_pixels(pixels: Tensor, stride: int) -> Tensor:
    """Network-input pixels (..., 2) as heatmap pixels."""
    return (pixels + 0.5) / stride - 0.5


def from_heatmap_pixels(pixels: Tensor, stride: int) -> Tensor:
    """Heatmap pixels (..., 2) as network-input pixels."""
    return (pixels + 0.5) * stride - 0.5


def truncate_to_pixels(pixels: Tensor) -> Tensor:
    """Whole heatmap pixels, rounded down: where the released code puts its targets.

    On average it moves a joint by half a heatmap pixel to the upper left.
    """
    return pixels.floor()


def render_heatmaps(
    pixels: Tensor, amplitudes: Tensor, size: tuple[int, int], sigma: float
) -> Tensor:
    """Gaussians at floating-point positions, summed over people, in [0, 1]; differentiable.

    Args:
        pixels: (..., P, J, 2) heatmap px; anything, NaN included, where the amplitude is 0.
        amplitudes: (..., P, J), 0 where a joint is not there.
        size: height and width of the heatmaps.
        sigma: heatmap px.

    Returns:
        (..., J, h, w) (paper section 3.4).
    """
    pixels = torch.where((amplitudes != 0)[..., None], pixels, torch.zeros_like(pixels))
    height, width = size
    across = _gaussian(pixels[..., 0:1], width, sigma)
    down = _gaussian(pixels[..., 1:2], height, sigma) * amplitudes[..., None]
    return torch.einsum("...pjh,...pjw->...jhw", down, across).clamp(0, 1)


def _gaussian(centre: Tensor, length: int, sigma: float) -> Tensor:
    at = torch.arange(length, dtype=centre.dtype, device=centre.device)
    return torch.exp((at - centre).square() * (-0.5 / sigma**2))


def local_maxima(heatmaps: Tensor, start: Tensor, radius: float) -> tuple[Tensor, Tensor]:
    """The highest heatmap value near each start, to a fraction of a pixel.

    The pixel maximum within ``radius`` is moved by a parabola through the logarithms of its
    neighbours, which is exact for a Gaussian; at the border it stays where it is.

    Args:
        heatmaps: (..., H, W).
        start: (..., P, 2) heatmap px, P starts in each heatmap.
        radius: heatmap px; every pixel whose centre is within it of the start, on either axis,
            is looked at.

    Returns:
        pixels (..., P, 2) and the pixel maxima (..., P). A start without a pixel in reach, or
        that is NaN, is given back with the value 0.
    """
    height, width = heatmaps.shape[-2:]
    maps = heatmaps[..., None, :, :].expand(*start.shape[:-1], height, width)
    reach = int(radius) + 1
    steps = torch.arange(-reach, reach + 1, device=start.device)
    centre = start.nan_to_num(nan=-1e6).clamp(-1e6, 1e6).round().long()
    x, y = centre[..., 0:1] + steps, centre[..., 1:2] + steps
    window = _look_up(maps, x, y)
    near_x = ((x - start[..., 0:1]).abs() <= radius) & (x >= 0) & (x < width)
    near_y = ((y - start[..., 1:2]).abs() <= radius) & (y >= 0) & (y < height)
    near = near_y[..., :, None] & near_x[..., None, :]
    best = window.masked_fill(~near, -torch.inf).flatten(-2).argmax(-1, keepdim=True)
    best_x = x.gather(-1, best % len(steps))
    best_y = y.gather(-1, best // len(steps))
    pixels, values = _refine(maps, best_x, best_y)
    found = near.flatten(-2).any(-1)
    return (
        torch.where(found[..., None], pixels, start),
        torch.where(found, values, torch.zeros_like(values)),
    )


def _look_up(maps: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Values (..., Y, X) of maps (..., H, W) at columns x (..., X) and rows y (..., Y), clamped."""
    height, width = maps.shape[-2:]
    x, y = x.clamp(0, width - 1), y.clamp(0, height - 1)
    leading = maps.shape[:-2]
    places = [
        torch.arange(n, device=maps.device).view(n, *[1] * (len(leading) - i + 1))
        for i, n in enumerate(leading)
    ]
    found: Tensor = maps[(*places, y[..., :, None], x[..., None, :])]
    return found


def _refine(maps: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    height, width = maps.shape[-2:]
    around = torch.arange(-1, 2, device=maps.device)
    patch = _look_up(maps, x + around, y + around)
    logs = patch.clamp(min=_FLOOR).log()
    inner_x, inner_y = (x > 0) & (x < width - 1), (y > 0) & (y < height - 1)
    move_x = _vertex(logs[..., 1, :]) * inner_x[..., 0]
    move_y = _vertex(logs[..., :, 1]) * inner_y[..., 0]
    pixels = torch.cat([x, y], dim=-1) + torch.stack([move_x, move_y], dim=-1)
    return pixels, patch[..., 1, 1]


def _vertex(three: Tensor) -> Tensor:
    """Where the parabola through values (..., 3) at -1, 0, 1 is highest, within half a pixel."""
    left, middle, right = three.unbind(-1)
    curvature = left - 2 * middle + right
    peaked = curvature < -1e-3
    curvature = torch.where(peaked, curvature, torch.ones_like(curvature))
    move = (0.5 * (left - right) / curvature).clamp(-0.5, 0.5)
    return torch.where(peaked, move, torch.zeros_like(move))

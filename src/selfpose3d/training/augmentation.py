"""Augmentation of images (paper section 3.6): RandAugment on two of six operations, and cutout.

Single operations take batches (N, 3, H, W) in [0, 255]. Affine maps are in ``geometry.affines``.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from selfpose3d.training.devices import constant, to_device

FACTORS = (0.5, 1.5)
"""Range of the strength of contrast, colour, sharpness and brightness; 1 changes nothing."""
GREY = 127.0
_LUMA = (0.299, 0.587, 0.114)


def augment_images(
    images: Tensor, rng: np.random.Generator, cutout: tuple[int, int], operations: int = 2
) -> Tensor:
    """RandAugment and one cutout square, drawn anew for each image; on the images' device.

    Args:
        images: (N, H, W, 3) uint8.
        rng: draws everything.
        cutout: smallest and largest side of the square, px.
        operations: how many different ones of the six an image gets.

    Returns:
        New images of that form.
    """
    chosen = np.stack([rng.permutation(len(OPERATIONS))[:operations] for _ in images])
    strength = rng.uniform(*FACTORS, size=chosen.shape).astype(np.float32)
    factors = to_device(torch.from_numpy(strength), images.device)
    changing = images.permute(0, 3, 1, 2).float()
    for slot in range(operations):
        for kind, operation in enumerate(OPERATIONS):
            index = np.flatnonzero(chosen[:, slot] == kind)
            if len(index) == 0:
                continue
            where = to_device(torch.from_numpy(index), images.device)
            changed = operation(changing[where], factors[where, slot, None, None, None])
            changing = changing.index_copy(0, where, changed.clamp(0, 255))
    changing = cut_out(changing, rng, cutout)
    return changing.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def cut_out(images: Tensor, rng: np.random.Generator, sides: tuple[int, int]) -> Tensor:
    """One grey square a image, its side drawn from ``sides`` (px, both ends included)."""
    images = images.clone()
    height, width = images.shape[-2:]
    for image in images:
        side = int(rng.integers(sides[0], sides[1] + 1))
        top = int(rng.integers(max(height - side, 0) + 1))
        left = int(rng.integers(max(width - side, 0) + 1))
        image[:, top : top + side, left : left + side] = GREY
    return images


def contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Away from, or towards, the mean grey of each image."""
    mean = grey(images).mean(dim=(-2, -1), keepdim=True)
    return mean + (images - mean) * factor


def autocontrast(images: Tensor, _factor: Tensor) -> Tensor:
    """Stretch each channel to [0, 255]."""
    low = images.amin(dim=(-2, -1), keepdim=True)
    high = images.amax(dim=(-2, -1), keepdim=True)
    return torch.where(high > low, (images - low) * 255 / (high - low).clamp(min=1), images)


def equalize(images: Tensor, _factor: Tensor) -> Tensor:
    """Flatten each channel's histogram."""
    levels = images.round().long().clamp(0, 255).flatten(2)
    counts = torch.zeros(*levels.shape[:2], 256, dtype=torch.long, device=images.device)
    counts = counts.scatter_add(2, levels, torch.ones_like(levels))
    before = counts.cumsum(2) - counts / 2
    table = before * (255.0 / levels.shape[2])
    return table.gather(2, levels).view_as(images)


def colour(images: Tensor, factor: Tensor) -> Tensor:
    """Saturation: away from, or towards, each pixel's grey."""
    return grey(images) + (images - grey(images)) * factor


def sharpness(images: Tensor, factor: Tensor) -> Tensor:
    """Away from, or towards, the image smoothed over 3 x 3 px."""
    smooth = F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    return smooth + (images - smooth) * factor


def brightness(images: Tensor, factor: Tensor) -> Tensor:
    """Multiplied."""
    return images * factor


def grey(images: Tensor) -> Tensor:
    """(N, 3, H, W) to (N, 1, H, W) luma."""
    weights = constant(_LUMA, images.device, images.dtype).view(1, 3, 1, 1)
    return (images * weights).sum(1, keepdim=True)


OPERATIONS = (contrast, autocontrast, equalize, colour, sharpness, brightness)

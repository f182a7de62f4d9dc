"""Affine maps of images, the space augmentation of the method (paper section 3.3).

An affine (2, 3) maps pixels of the plain image to pixels of the augmented one. One draw is shared
by all views of a sample.
"""

from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

Array = TypeVar("Array", NDArray[np.float32], NDArray[np.float64], Tensor)


def identity_affine() -> NDArray[np.float32]:
    """(2, 3) affine that changes nothing."""
    return np.eye(2, 3, dtype=np.float32)


def random_affine(
    rng: np.random.Generator, width: int, height: int, rotation_degrees: float, scale: float
) -> NDArray[np.float32]:
    """Rotation and scaling about the image's centre.

    Args:
        rng: where the two numbers are drawn from.
        width: of the image, px.
        height: of the image, px.
        rotation_degrees: the angle is uniform in +- this.
        scale: the magnification is uniform in 1 +- this; below 1.

    Returns:
        (2, 3) float32.
    """
    if not 0 <= scale < 1:
        raise ValueError(f"scale {scale}: must be in [0, 1)")
    angle = np.deg2rad(rng.uniform(-rotation_degrees, rotation_degrees))
    magnification = 1 + rng.uniform(-scale, scale)
    cos, sin = np.cos(angle) * magnification, np.sin(angle) * magnification
    linear = np.array([[cos, -sin], [sin, cos]])
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    offset = centre - linear @ centre
    return np.concatenate([linear, offset[:, None]], axis=1).astype(np.float32)


def apply_affine(affine: Array, pixels: Array) -> Array:
    """Map pixels (..., 2) by affines (..., 2, 3), leading axes broadcast; NumPy or torch."""
    x, y = pixels[..., 0], pixels[..., 1]
    rows = [
        affine[..., row, 0] * x + affine[..., row, 1] * y + affine[..., row, 2] for row in (0, 1)
    ]
    return torch.stack(rows, -1) if isinstance(pixels, Tensor) else np.stack(rows, -1)


def invert_affine(affine: Tensor) -> Tensor:
    """The inverse of affines (..., 2, 3)."""
    linear = torch.linalg.inv(affine[..., :2])
    return torch.cat([linear, -linear @ affine[..., 2:]], dim=-1)


def compose(second: Tensor, first: Tensor) -> Tensor:
    """The affine (..., 2, 3) that applies ``first``, then ``second``."""
    linear = second[..., :2] @ first[..., :2]
    return torch.cat([linear, second[..., :2] @ first[..., 2:] + second[..., 2:]], dim=-1)


def warp_images(images_BVCHW: Tensor, affine_B23: Tensor) -> Tensor:
    """Augment images: bilinear, zero where the plain image has no pixel.

    Args:
        images_BVCHW: float.
        affine_B23: plain to augmented pixels, one per sample, for all its views.

    Returns:
        images of the same shape.
    """
    height, width = images_BVCHW.shape[-2:]
    last = images_BVCHW.new_tensor([width - 1, height - 1])
    y, x = torch.meshgrid(
        torch.arange(height).to(last), torch.arange(width).to(last), indexing="ij"
    )
    inverse = invert_affine(affine_B23.to(last))[:, None, None]
    source = apply_affine(inverse, torch.stack([x, y], dim=-1)[None])
    grid = source * (2 / last) - 1
    warped = F.grid_sample(images_BVCHW.flatten(1, 2), grid, align_corners=True)
    return warped.reshape(images_BVCHW.shape)

"""The two sources of heatmaps: images through heatmap_net_2d, or 2D people rendered.

Shapes: B samples, V views, P people, J joints, H x W input px, h x w heatmap px.
"""

from torch import Tensor

from selfpose3d.geometry.affines import apply_affine
from selfpose3d.geometry.heatmaps import render_heatmaps, to_heatmap_pixels
from selfpose3d.methods.voxels.backbone import Backbone, normalise
from selfpose3d.training.devices import Runner, plain_run


def image_heatmaps(backbone: Backbone, images: Tensor, run: Runner = plain_run) -> Tensor:
    """(B, V, H, W, 3) uint8 RGB images to (B, V, J, h, w) heatmaps in [0, 1]."""
    raw = run(backbone, normalised_views(images))
    return backbone.heatmaps(raw).unflatten(0, images.shape[:2])


def normalised_views(images: Tensor) -> Tensor:
    """(B, V, H, W, 3) uint8 RGB images as the (B V, 3, H, W) input of an image network."""
    return normalise(images.flatten(0, 1))


def people_heatmaps(
    points: Tensor,
    scores: Tensor,
    affines: Tensor | None,
    size: tuple[int, int],
    stride: int,
    sigma: float,
) -> Tensor:
    """2D people rendered as heatmaps, their scores as amplitudes.

    Args:
        points: (B, V, P, J, 2) input px.
        scores: (B, V, P, J), 0 where a joint is not there.
        affines: (B, 2, 3) applied to the points first, or None.
        size: width and height of the input, px.
        stride: input px per heatmap px.
        sigma: of the Gaussians, heatmap px.

    Returns:
        (B, V, J, h, w) in [0, 1].
    """
    if affines is not None:
        points = apply_affine(affines[:, None, None, None], points)
    width, height = size
    pixels = to_heatmap_pixels(points, stride)
    return render_heatmaps(pixels, scores, (height // stride, width // stride), sigma)

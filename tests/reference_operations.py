"""The hot operations written plainly: one view, person and joint at a time, nothing kept.

They say what the fast versions compute. ``test_reference_operations.py`` holds those to them, and
``benchmarks/speed.py`` measures what the fast arrangement gains.

Shapes: V views, P people, L labels, J joints, N points, h x w heatmap px, X x Y x Z voxels.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn import functional as F

from selfpose3d.files.poses3d import Frames
from selfpose3d.files.scenes import read_image
from selfpose3d.geometry.affines import apply_affine
from selfpose3d.geometry.cameras import letterbox
from selfpose3d.geometry.heatmaps import to_heatmap_pixels
from selfpose3d.geometry.rigs import Rig
from selfpose3d.methods.voxels.frames import warp_image
from selfpose3d.networks.v2v import V2V

THRESHOLDS_MM = (25.0, 50.0, 75.0, 100.0, 125.0, 150.0)
MATCH_MM = 500.0
EPSILON = 1e-5


def bilinear(image: Tensor, at: Tensor) -> Tensor:
    """An (h, w) image read at (N, 2) pixels; zero beyond its border."""
    height, width = image.shape
    first = at.floor()
    read = image.new_zeros(len(at))
    for right in (0, 1):
        for below in (0, 1):
            x, y = first[:, 0] + right, first[:, 1] + below
            weight = (1 - (at[:, 0] - x).abs()) * (1 - (at[:, 1] - y).abs())
            inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
            column, row = x.clamp(0, width - 1).long(), y.clamp(0, height - 1).long()
            read = read + torch.where(inside, weight * image[row, column], 0.0)
    return read


def unproject(heatmaps: Tensor, rig: Rig, affine: Tensor, points: Tensor, stride: int) -> Tensor:
    """Evidence (C, N) about points (N, 3) from (V, C, h, w): the mean of the views that see them.

    ``rig`` is of one sample; ``affine`` (2, 3) takes plain pixels to those of the heatmaps' images.
    """
    n_views, n_channels = heatmaps.shape[:2]
    total = heatmaps.new_zeros(n_channels, len(points))
    count = heatmaps.new_zeros(len(points))
    for view in range(n_views):
        camera = rig.views([view])
        pixels, depth = camera.project(points[None])
        seen = camera.visible(pixels, depth)[0, 0].float()
        at = to_heatmap_pixels(apply_affine(affine, pixels[0, 0]), stride)
        read = [bilinear(heatmaps[view, channel], at) for channel in range(n_channels)]
        total = total + torch.stack(read) * seen
        count = count + seen
    return (total / count.clamp(min=1)).clamp(0, 1)


def render(pixels: Tensor, amplitudes: Tensor, size: tuple[int, int], sigma: float) -> Tensor:
    """Gaussians (J, h, w) of (P, J, 2) joints with (P, J) amplitudes, summed and cut at 1."""
    y, x = torch.meshgrid(torch.arange(size[0]), torch.arange(size[1]), indexing="ij")
    maps = []
    for joint in range(pixels.shape[1]):
        heatmap = torch.zeros(size)
        for person in range(len(pixels)):
            if amplitudes[person, joint] == 0:
                continue
            u, v = pixels[person, joint]
            squared = (x - u) ** 2 + (y - v) ** 2
            heatmap = heatmap + amplitudes[person, joint] * torch.exp(-squared / (2 * sigma**2))
        maps.append(heatmap.clamp(0, 1))
    return torch.stack(maps)


def root_target(points: Tensor, roots: Tensor, sigma: float) -> Tensor:
    """(N,) the highest of the 3D Gaussians about (P, 3) roots at (N, 3) points."""
    target = torch.zeros(len(points))
    for root in roots:
        squared = ((points - root) ** 2).sum(-1)
        target = torch.maximum(target, torch.exp(-squared / (2 * sigma**2)))
    return target


def joint_loss(
    projected: Tensor, labels: Tensor, visible: Tensor, hard_attention: bool, largest: float
) -> Tensor:
    """l_pose_J of one sample: (V, P, J, 2) against (V, L, J, 2) with visibility (V, L, J)."""
    of_views = []
    for view in range(len(projected)):
        errors = [
            [_label_error(person, labels[view, n], visible[view, n]) for n in range(len(labels[0]))]
            for person in projected[view]
        ]
        cost = np.array([[error.item() for error in row] for row in errors])
        matched = [
            errors[person][label]
            for person, label in zip(*linear_sum_assignment(cost), strict=True)
            if visible[view, label].sum() > 0 and cost[person, label] < largest
        ]
        if matched:
            of_views.append(torch.stack(matched).mean())
    if not of_views:
        return projected.sum() * 0
    losses = torch.stack(of_views)
    if hard_attention and len(losses) > 1:
        worst = int(losses.argmax())
        losses = torch.cat([losses[:worst], losses[worst + 1 :]])
    return losses.mean()


def _label_error(projected: Tensor, label: Tensor, visible: Tensor) -> Tensor:
    """Mean absolute error over the visible joints; far away where none is."""
    if visible.sum() == 0:
        return projected.new_tensor(1e4)
    errors = [
        visible[joint] * (projected[joint] - label[joint]).abs().mean()
        for joint in range(len(label))
    ]
    return torch.stack(errors).sum() / visible.sum()


def v2v(network: V2V, volumes: Tensor) -> Tensor:
    """The network's layers in torch's usual memory order (give it weights in that order)."""
    top = network.front(volumes)
    middle = network.encode_middle(F.max_pool3d(top, 2))
    bottom = network.encode_bottom(F.max_pool3d(middle, 2))
    bottom = network.decode_bottom(network.bottom(bottom))
    middle = network.decode_middle(network.up_middle(bottom) + network.skip_middle(middle))
    output: Tensor = network.head(network.up_top(middle) + network.skip_top(top))
    return output


def evaluate(predictions: Frames, truth: Frames) -> dict[str, float]:
    """AP, recall and MPJPE by the published protocol."""
    found = []
    n_bodies = 0
    for key, bodies in sorted(truth.items()):
        n_bodies += len(bodies)
        people = predictions[key]
        for joints, score in zip(people.joints, people.scores, strict=True):
            errors = [
                np.linalg.norm(joints[valid] - body[valid], axis=-1).mean()
                for body, valid in zip(bodies.joints, bodies.valid, strict=True)
            ]
            nearest = int(np.argmin(errors))
            found.append((score, errors[nearest], (key, nearest)))
    found.sort(key=lambda one: -one[0])
    metrics = {f"AP{t:.0f}": 100 * _precision(found, n_bodies, t) for t in THRESHOLDS_MM}
    best: dict[object, float] = {}
    for _, error, body in found:
        if error < MATCH_MM and body not in best:
            best[body] = error
    metrics["Recall@500"] = 100 * len(best) / n_bodies
    metrics["MPJPE"] = sum(best.values()) / len(best)
    return metrics


def _precision(found: Sequence[tuple], n_bodies: int, threshold: float) -> float:
    """Area under the monotone envelope of precision over recall."""
    taken: list[object] = []
    recalls, precisions = [], []
    for rank, (_, error, body) in enumerate(found, start=1):
        if error < threshold and body not in taken:
            taken.append(body)
        recalls.append(len(taken) / (n_bodies + EPSILON))
        precisions.append(len(taken) / (rank + EPSILON))
    area, before = 0.0, 0.0
    for rank, recall in enumerate(recalls):
        if recall > before:
            area += (recall - before) * max(precisions[rank:])
            before = recall
    return area


def intersect_rays(
    centres: NDArray[np.float64],
    directions: NDArray[np.float64],
    weights: NDArray[np.float64],
    scale_mm: float = 50.0,
    iterations: int = 5,
) -> NDArray[np.float64]:
    """(P, J, 3) points nearest to the rays (V, P, J, 3) from (V, 3), by reweighting."""
    points = np.zeros(directions.shape[1:])
    for person, joint in np.ndindex(points.shape[:2]):
        robust = weights[:, person, joint]
        for _ in range(iterations):
            normal, right = 1e-9 * np.eye(3), np.zeros(3)
            for view, centre in enumerate(centres):
                ray = directions[view, person, joint]
                across = robust[view] * (np.eye(3) - np.outer(ray, ray))
                normal, right = normal + across, right + across @ centre
            point = np.linalg.solve(normal, right)
            rays = directions[:, person, joint]
            offsets = point - centres
            along = (offsets * rays).sum(-1, keepdims=True)
            residuals = np.linalg.norm(offsets - along * rays, axis=-1)
            robust = weights[:, person, joint] / (1 + (residuals / scale_mm) ** 2) ** 2
        points[person, joint] = point
    return points


def load_views(
    images: Mapping[str, Path], affines: NDArray[np.float32], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """(K, V, H, W, 3): every stored image decoded, letterboxed and warped, once for each affine."""
    loaded = []
    for affine in affines:
        views = []
        for path in images.values():
            stored = read_image(path)
            fitted = warp_image(stored, letterbox(*stored.shape[1::-1], *size), size)
            views.append(warp_image(fitted, affine, size))
        loaded.append(np.stack(views))
    return np.stack(loaded)

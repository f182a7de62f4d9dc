"""The last refinement: each 3D joint drawn to what the views show near its projections.

The views' evidence are the maxima of the heatmaps near the projections, or the joints of the 2D
people that the 3D people are assigned to. Rays through them are intersected robustly, with the
network's joint as a weak prior.

Shapes: V views, P people, L 2D people, J joints, h x w heatmap px.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from selfpose3d.geometry.cameras import Camera, ray_directions
from selfpose3d.geometry.heatmaps import from_heatmap_pixels, local_maxima, to_heatmap_pixels
from selfpose3d.geometry.people import project_into
from selfpose3d.geometry.triangulation import intersect_rays
from selfpose3d.reconstruction.assignment import assign_people

ASSIGNMENT_LIMIT = 0.2
"""2D people farther than this from a projected person (body heights) are not it."""
LEAST_VALUE = 0.1
"""Maxima below are no evidence."""
LEAST_WEIGHT = 0.01
"""Views of less weight do not agree with a joint."""


class Evidence(NamedTuple):
    """The pixel at which each view sees each joint, with a weight.

    Args:
        pixels: (V, P, J, 2) input px.
        weights: (V, P, J), 0 where a view says nothing.
    """

    pixels: NDArray[np.float64]
    weights: NDArray[np.float64]


class Refined(NamedTuple):
    """Refined people.

    Args:
        joints: (P, J, 3) mm.
        support: (P,) sum of the agreeing views' weights, mean over the joints.
        views: (P, J) number of views that agree.
    """

    joints: NDArray[np.float64]
    support: NDArray[np.float64]
    views: NDArray[np.int64]


def heatmap_evidence(
    cameras: Sequence[Camera],
    joints: NDArray[np.float64],
    heatmaps: Tensor,
    stride: int,
    radius: float,
) -> Evidence:
    """Sub-pixel maxima of the heatmaps (V, J, h, w) near the projections of (P, J, 3) joints.

    Their weight is value^2, falling off with the distance from the projection; ``radius`` is the
    scale of that and the farthest that a maximum may lie, in input px.
    """
    projected = project_into(cameras, joints)
    start = torch.from_numpy(projected.placed).float().transpose(1, 2)
    found, value = local_maxima(
        heatmaps.float().cpu(), to_heatmap_pixels(start, stride), radius / stride
    )
    pixels = from_heatmap_pixels(found, stride).transpose(1, 2).numpy().astype(np.float64)
    values = value.transpose(1, 2).numpy().astype(np.float64)
    distance = np.linalg.norm(pixels - projected.placed, axis=-1)
    near = (distance <= 1.5 * radius) & (values > LEAST_VALUE)
    return Evidence(pixels, np.where(near, values**2 * np.exp(-((distance / radius) ** 2)), 0.0))


def people_evidence(
    cameras: Sequence[Camera],
    joints: NDArray[np.float64],
    points: NDArray[np.floating],
    scores: NDArray[np.floating],
) -> Evidence:
    """The joints of the 2D people (V, L, J, 2) that the 3D people (P, J, 3) are assigned to.

    Their weight is score^2.
    """
    assigned = assign_people(project_into(cameras, joints), points, scores, ASSIGNMENT_LIMIT)
    view = np.arange(len(points))[:, None]
    weights = np.where((assigned >= 0)[..., None], scores[view, assigned], 0.0) ** 2
    return Evidence(points[view, assigned].astype(np.float64), weights)


def refine_joints(
    cameras: Sequence[Camera],
    joints: NDArray[np.float64],
    evidence: Evidence,
    prior_weight: float,
) -> Refined:
    """Robust intersection of the evidence's rays, the given joints (P, J, 3) being the prior."""
    seen = evidence.weights[..., None] > 0
    directions = np.stack(
        [
            ray_directions(camera, np.where(seen[v], evidence.pixels[v], camera.K[:2, 2]))
            for v, camera in enumerate(cameras)
        ]
    )
    centres = np.stack([camera.centre for camera in cameras])
    has_ray = np.isfinite(directions.sum(axis=-1))
    points, _, weights = intersect_rays(
        centres,
        np.where(has_ray[..., None], directions, 0.0),
        np.where(has_ray, evidence.weights, 0.0),
        prior=joints,
        prior_weight=prior_weight,
    )
    return Refined(points, weights.sum(0).mean(-1), (weights > LEAST_WEIGHT).sum(0))

"""3D bodies as a rig sees them, with what an estimator's errors depend on.

Shapes: P people, V views, J joints.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfpose3d.geometry.cameras import Camera
from selfpose3d.geometry.people import Projected, project_into
from selfpose3d.skeletons import Skeleton

OVERLAPS = (0.1, 0.4, 0.7)
"""Bounds of the overlap classes: share of a body's box covered by nearer people."""
MIN_INSIDE = 8
"""Joints inside the image for a body to count as in view."""


@dataclass(frozen=True)
class Seen:
    """Bodies as a rig sees them, with what an estimator's errors depend on.

    Args:
        projected: pixels, depths and heights.
        directions: (V, P) where the body faces, relative to the line of sight, rad.
        overlaps: (V, P) class by ``OVERLAPS``.
        inside: (V, P) joints inside the image.
        skeleton: the J joints.
    """

    projected: Projected
    directions: NDArray[np.float64]
    overlaps: NDArray[np.int64]
    inside: NDArray[np.int64]
    skeleton: Skeleton


def see_bodies(cameras: Sequence[Camera], bodies: NDArray[np.float64], skeleton: Skeleton) -> Seen:
    """Project bodies (P, J, 3) mm into a rig and measure direction, overlap and visibility."""
    projected = project_into(cameras, bodies)
    centres = np.stack([camera.centre for camera in cameras])
    sight = skeleton.roots(bodies)[None] - centres[:, None]
    directions = _facing(bodies, skeleton)[None] - np.arctan2(sight[..., 1], sight[..., 0])
    directions = (directions + np.pi) % (2 * np.pi) - np.pi
    overlaps = np.digitize(_overlap(projected), OVERLAPS)
    return Seen(projected, directions, overlaps, projected.in_view.sum(-1), skeleton)


def _facing(bodies: NDArray[np.float64], skeleton: Skeleton) -> NDArray[np.float64]:
    left_shoulder, right_shoulder, right_hip, left_hip = skeleton.trunk
    across = (bodies[:, [left_shoulder, left_hip]] - bodies[:, [right_shoulder, right_hip]]).sum(1)
    return np.arctan2(-across[:, 0], across[:, 1])


def _overlap(projected: Projected) -> NDArray[np.float64]:
    """(V, P) largest share of a person's box that a person not behind covers."""
    low, high = projected.placed.min(2), projected.placed.max(2)
    depth = projected.depths.mean(-1)
    common_low = np.maximum(low[:, :, None], low[:, None])
    common_high = np.minimum(high[:, :, None], high[:, None])
    common = np.clip(common_high - common_low, 0, None).prod(-1)
    share = common / np.maximum((high - low).prod(-1), 1.0)[:, :, None]
    nearer = depth[:, None] < depth[:, :, None] + 200.0
    nearer &= ~np.eye(depth.shape[1], dtype=bool)[None]
    return np.where(nearer, share, 0.0).max(-1, initial=0.0)

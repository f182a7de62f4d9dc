"""Facts that hold for every person: about how tall, and not where another one stands.

Letters: V views, P people, J joints.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from selfpose3d.geometry.cameras import Camera, in_image, project
from selfpose3d.geometry.pairs import pairs_within

STATURE_MM = 1700.0
"""Errors in images are told as shares of a person of this height, standing where the person is."""
NEAREST_MM = 500.0
"""Smallest depth for a person's size in an image; proposals may lie at a camera or behind it."""
MIN_JOINTS_IN_VIEW = 10
"""Fewest joints in an image of a person who should be found in it."""
_FAR_PX = -1e5


def height_in_pixels(
    focal: NDArray[np.float64] | float, depth: NDArray[np.float64], nearest: float = 1.0
) -> NDArray[np.float64]:
    """The height of a person of ``STATURE_MM`` in pixels at a depth. It does not shrink when
    somebody crouches.

    Args:
        focal: focal length, px; broadcast against the depths.
        depth: (...) mm.
        nearest: smaller depths, and such behind the camera, count as this one, mm.
    """
    heights: NDArray[np.float64] = focal * STATURE_MM / np.maximum(depth, nearest)
    return heights


@dataclass(frozen=True)
class Projected:
    """3D people as one camera, or each camera of a rig, sees them.

    Args:
        pixels: (P, J, 2) or (V, P, J, 2), NaN where there is no projection.
        depths: (P, J) or (V, P, J) mm.
        in_view: (P, J) or (V, P, J), valid and inside the image.
        heights: (P,) or (V, P) px, ``height_in_pixels`` at the mean depth of the valid joints (a
            truth may lack the root), with the mean of the two focal lengths.
    """

    pixels: NDArray[np.float64]
    depths: NDArray[np.float64]
    in_view: NDArray[np.bool_]
    heights: NDArray[np.float64]

    @cached_property
    def placed(self) -> NDArray[np.float64]:
        """The pixels; a joint without projection lies far outside."""
        return np.nan_to_num(self.pixels, nan=_FAR_PX)

    def where(self, rows: NDArray[np.int64] | list[int]) -> "Projected":
        """Only these people, of one camera."""
        return Projected(
            self.pixels[rows], self.depths[rows], self.in_view[rows], self.heights[rows]
        )


def project_people(
    camera: Camera, joints: NDArray[np.float64], valid: NDArray[np.bool_] | None = None
) -> Projected:
    """The projections of 3D people into a camera.

    Args:
        camera: the camera.
        joints: (P, J, 3) mm.
        valid: (P, J); None: all are.
    """
    valid = np.ones(joints.shape[:-1], dtype=bool) if valid is None else valid
    pixels, depths = project(camera, joints)
    depth = (depths * valid).sum(-1) / np.maximum(valid.sum(-1), 1)
    focal = (camera.K[0, 0] + camera.K[1, 1]) / 2
    heights = height_in_pixels(focal, depth, NEAREST_MM)
    return Projected(pixels, depths, in_image(camera, pixels) & valid, heights)


def project_into(
    cameras: Sequence[Camera],
    joints: NDArray[np.float64],
    valid: NDArray[np.bool_] | None = None,
) -> Projected:
    """The projections of 3D people (P, J, 3) mm into each camera of a rig; see
    ``project_people``."""
    views = [project_people(camera, joints, valid) for camera in cameras]
    return Projected(
        np.stack([view.pixels for view in views]),
        np.stack([view.depths for view in views]),
        np.stack([view.in_view for view in views]),
        np.stack([view.heights for view in views]),
    )


def distinct_people(
    joints: NDArray[np.float64],
    scores: NDArray[np.float64],
    distance: float,
    frame: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """The people to keep so that nobody stands where a better one of the same frame does.

    Args:
        joints: (P, J, 3) mm.
        scores: (P,).
        distance: two people whose joints lie nearer than this on average are one, mm.
        frame: (P,) number of each one's frame; None: all are of one.

    Returns:
        indices of the people, frame by frame, by falling score.
    """
    frames = np.zeros(len(scores), dtype=np.int64) if frame is None else frame
    order = np.lexsort((-scores, frames))
    ranked = joints[order]
    first, second = pairs_within(frames[order])
    gaps = np.linalg.norm(ranked[first] - ranked[second], axis=-1).mean(axis=-1)
    doubled = np.zeros(len(order), dtype=bool)
    for pair in np.flatnonzero(gaps < distance):
        doubled[second[pair]] |= not doubled[first[pair]]
    return order[~doubled]

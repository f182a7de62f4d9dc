"""A rig as it is taken to be: each camera's calibration, people and time offset, over some knots.

An examination changes these and looks whether the people then fit. A camera that was bumped has two
views, one before and one after.

Letters: V views, C cameras, T tracks, K knots, J joints, N points.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from selfpose3d.geometry.cameras import Camera, undistort
from selfpose3d.rig.tracks import Samples, Tracks, sample


@dataclass(frozen=True)
class View:
    """A camera over some of the knots.

    Args:
        index: of the camera in the rig.
        camera: its calibration, as it is taken to be.
        tracks: the people of its images.
        samples: these people at the knots, ``offset`` later than the knots say.
        offset: how much later the camera shows what the others see, s.
        first: its first knot.
        end: the knot after its last one.
    """

    index: int
    camera: Camera
    tracks: Tracks
    samples: Samples
    offset: float
    first: int
    end: int

    def delayed(self, offset: float, knots: NDArray[np.float64]) -> "View":
        """The same view, its people read so much later, s."""
        return replace(self, offset=offset, samples=sample(self.tracks, knots + offset))

    def showing(self, tracks: Tracks, knots: NDArray[np.float64]) -> "View":
        """The same view of other people."""
        return replace(self, tracks=tracks, samples=sample(tracks, knots + self.offset))

    def split(self, knot: int) -> "tuple[View, View]":
        """The view before and from a knot."""
        return replace(self, end=knot), replace(self, first=knot)


@dataclass(frozen=True)
class Sight:
    """The people that a camera sees at the knots, all its views together.

    Args:
        directions: (T, K, J, 3) unit vectors in the world, NaN where a joint is not there.
        angles: (T, K) height of a body as the tangent of the angle it fills.
        centres: (K, 3) of the camera, mm.
    """

    directions: NDArray[np.float64]
    angles: NDArray[np.float64]
    centres: NDArray[np.float64]


def rays(camera: Camera, px: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., 3) unit vectors in the world through pixels (..., 2); NaN stays NaN."""
    there = np.isfinite(px[..., 0])
    flat = undistort(camera, px[there])
    world = flat @ camera.R[:2] + camera.R[2]
    found = np.full((*px.shape[:-1], 3), np.nan)
    found[there] = world / np.linalg.norm(world, axis=-1, keepdims=True)
    return found


def sight(views: Sequence[View]) -> Sight:
    """The sight of one camera, made of its views."""
    shape = views[0].samples.px.shape
    directions, angles = np.full((*shape[:-1], 3), np.nan), np.full(shape[:2], np.nan)
    centres = np.zeros((shape[1], 3))
    for view in views:
        part = slice(view.first, view.end)
        directions[:, part] = rays(view.camera, view.samples.px[:, part])
        angles[:, part] = view.samples.height[:, part] / focal(view.camera)
        centres[part] = view.camera.centre
    return Sight(directions, angles, centres)


def focal(camera: Camera) -> float:
    """Mean focal length, px."""
    return float((camera.K[0, 0] + camera.K[1, 1]) / 2)


def of_camera(views: Sequence[View], index: int) -> list[View]:
    """The views of one camera."""
    return [view for view in views if view.index == index]


def number_of_cameras(views: Sequence[View]) -> int:
    """C, one more than the largest index."""
    return 1 + max(view.index for view in views)

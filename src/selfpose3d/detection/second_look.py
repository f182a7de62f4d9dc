"""A second look: people whom the detector missed in one view and other views have seen.

People reconstructed in 3D from several views are projected into the others. Where one of them
has no detection, the landmark network looks at the region where it should be, and is believed
when it sees a person there in the pose that the other views say. No truth is used: neither the
3D people nor the agreement come from it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from selfpose3d.detection.blazepose import Body, Roi
from selfpose3d.detection.multi_person import MultiPersonBlazePose, as_people, joined
from selfpose3d.files.poses2d import People2D
from selfpose3d.files.poses3d import People3D
from selfpose3d.geometry.cameras import Camera
from selfpose3d.geometry.people import Projected, project_people
from selfpose3d.parameters import BlazePose
from selfpose3d.reconstruction.projections import joint_gaps, mean_gaps
from selfpose3d.skeletons import SKELETONS

BODY = SKELETONS["panoptic15"]
"""The joints in which people are compared, whatever the labels' are."""
MIN_VIEWS = 2
"""Fewest other views that must show a 3D person who is looked for."""
MIN_JOINTS = 8
"""Fewest joints in the image of a person who is looked for."""
SEEN_DISTANCE = 0.15
"""Mean joint distance, relative to the height, below which a detection belongs to a 3D person."""
LIMB, HEAD = 0.06, 0.08
"""Width of a limb and radius of a head when painted over, relative to the height."""
RIM = 1.1
"""The radius of BlazePose's circle over the largest distance of a joint from mid-hip."""


@dataclass(frozen=True)
class Missed:
    """People to look for in one image.

    Args:
        camera: the image's.
        everybody: all 3D people of the frame as the camera sees them.
        wanted: indices of the people to look for.
    """

    camera: str
    everybody: Projected
    wanted: tuple[int, ...]


def missed_people(
    people: People3D, cameras: Sequence[Camera], detections: Mapping[str, People2D]
) -> list[Missed]:
    """The 3D people of one frame whom a view should show but does not, and two other views do.

    Args:
        people: reconstructed from the detections, of the joints of ``BODY``.
        cameras: cameras of the stored frames.
        detections: by camera, of joints that become those of ``BODY``.
    """
    views = [project_people(camera, people.joints, people.valid) for camera in cameras]
    seen = np.stack(
        [_seen(detections[c.name], view) for c, view in zip(cameras, views, strict=True)]
    )
    wanted = ~seen & (seen.sum(0) >= MIN_VIEWS)
    wanted &= np.stack([view.in_view.sum(1) >= MIN_JOINTS for view in views])
    return [
        Missed(camera.name, view, tuple(np.flatnonzero(rows).tolist()))
        for camera, view, rows in zip(cameras, views, wanted, strict=True)
        if rows.any()
    ]


def look_for(
    estimator: MultiPersonBlazePose,
    image: NDArray[np.uint8],
    missed: Missed,
    detections: People2D,
    parameters: BlazePose,
) -> People2D:
    """The detections of one image and the missed people that a second look finds.

    The region is looked at as it is, and with the people in front painted over, who would otherwise
    attract the landmark network. The result that agrees best with the projection is added if its
    error is below ``parameters.agreement``.
    """
    found = []
    for person in missed.wanted:
        target = missed.everybody.where([person])
        best = min(
            (
                (_disagreement(body, target, image.shape), order, body)
                for order, body in enumerate(_looks(estimator, image, missed.everybody, person))
            ),
            default=None,
        )
        if best is not None and best[0] < parameters.agreement:
            found.append(best[2])
    return joined(detections, as_people(found, image.shape))


def _looks(
    estimator: MultiPersonBlazePose, image: NDArray[np.uint8], everybody: Projected, person: int
) -> list[Body]:
    roi = region(everybody.pixels[person])
    bodies = estimator.look_again(image, roi)
    nearer = np.flatnonzero(everybody.heights > everybody.heights[person])
    if len(nearer):
        bodies += estimator.look_again(painted_over(image, everybody.where(nearer)), roi)
    return bodies


def painted_over(image: NDArray[np.uint8], people: Projected) -> NDArray[np.uint8]:
    """The image with the people in it painted over, in the image's mean colour."""
    painted = image.copy()
    colour = image.reshape(-1, 3).mean(0).tolist()
    for points, height in zip(people.pixels, people.heights, strict=True):
        if not np.isfinite(points).all():
            continue
        pixels = np.round(points).astype(np.int32)
        for a, b in BODY.bones:
            cv2.line(painted, pixels[a].tolist(), pixels[b].tolist(), colour, _width(height))
        cv2.fillPoly(painted, [pixels[list(BODY.trunk)]], colour)
        cv2.circle(painted, pixels[BODY.index("nose")].tolist(), round(HEAD * height), colour, -1)
    return painted


def _width(height: float) -> int:
    return max(1, round(LIMB * height))


def region(points: NDArray[np.float64]) -> Roi:
    """The region of BlazePose's look at a person whose joints of ``BODY`` (15, 2) px are known."""
    centre = BODY.roots(points)
    radius = RIM * np.nanmax(np.linalg.norm(points - centre, axis=-1))
    trunk = points[BODY.index("neck")] - centre
    return Roi(centre, trunk * (radius / max(float(np.hypot(*trunk)), 1e-6)))


def _seen(detections: People2D, view: Projected) -> NDArray[np.bool_]:
    """(P,) which of the 3D people have a detection of their own."""
    gaps = mean_gaps(detections.converted(BODY), view)
    rows, columns = linear_sum_assignment(np.minimum(gaps, 1.0))
    seen = np.zeros(gaps.shape[1], dtype=bool)
    seen[columns] = gaps[rows, columns] < SEEN_DISTANCE
    return seen


def _disagreement(body: Body, target: Projected, shape: tuple[int, ...]) -> float:
    """Median distance of the joints from a projection, over the height."""
    gaps = joint_gaps(as_people([body], shape).converted(BODY), target)
    return float(np.nanmedian(gaps)) if np.isfinite(gaps).any() else np.inf

"""A second look: people whom the detector missed in one view and other views have seen.

People reconstructed in 3D from several views are projected into the others. Where one of them
has no detection, the landmark network looks at the region where it should be, and is believed
when it sees a person there in the pose that the other views say. No truth is used: neither the
3D people nor the agreement come from it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from selfpose3d.config import BlazePose
from selfpose3d.files.poses2d import People2D
from selfpose3d.files.poses3d import People3D
from selfpose3d.geometry.cameras import Camera
from selfpose3d.pseudo2d.blazepose import Body, Roi
from selfpose3d.pseudo2d.multi_person import MultiPersonBlazePose, as_people, joined
from selfpose3d.pseudo2d.projections import Projected, joint_gaps, mean_gaps, project_people
from selfpose3d.skeletons import NECK, ROOT, coco_to_panoptic

MIN_VIEWS = 3
"""A 3D person is believed when this many other views show it."""
MIN_JOINTS = 8
"""A person with fewer joints in the image isn't looked for."""
SEEN_DISTANCE = 0.15
"""A detection is of a 3D person when nearer than this, mean of the joints, in heights."""
RIM = 1.2
"""The radius of BlazePose's circle over the largest distance of a joint from mid-hip."""


@dataclass(frozen=True)
class Missed:
    """People to look for in one image.

    Args:
        camera: the image's.
        projected: where they should be, (P, 15, 2) px.
    """

    camera: str
    projected: Projected


def missed_people(
    people: People3D, cameras: Sequence[Camera], detections: Mapping[str, People2D]
) -> list[Missed]:
    """The 3D people of one frame that a view should show, does not, and three others do.

    Args:
        people: reconstructed from the detections.
        cameras: of the stored frames.
        detections: COCO-17 by camera.
    """
    views = [project_people(people, camera) for camera in cameras]
    seen = np.stack(
        [_seen(detections[c.name], view) for c, view in zip(cameras, views, strict=True)]
    )
    wanted = ~seen & (seen.sum(0) >= MIN_VIEWS)
    wanted &= np.stack([view.in_view.sum(1) >= MIN_JOINTS for view in views])
    return [
        Missed(camera.name, _chosen(view, rows))
        for camera, view, rows in zip(cameras, views, wanted, strict=True)
        if rows.any()
    ]


def look_for(
    estimator: MultiPersonBlazePose,
    image: NDArray[np.uint8],
    missed: Projected,
    detections: People2D,
    parameters: BlazePose,
) -> People2D:
    """The detections of one image and the missed people that a second look finds.

    Of two landmark passes the one is taken that agrees better with the projection: the second
    may have slipped to the person in front. It must agree by ``parameters.agreement``.
    """
    found = []
    for index, points in enumerate(missed.points):
        target = _chosen(missed, [index])
        passes = [
            (_disagreement(body, target, image.shape), body)
            for body in estimator.look_again(image, region(points))
        ]
        disagreement, body = min(passes, key=lambda one: one[0], default=(np.inf, None))
        if body is not None and disagreement < parameters.agreement:
            found.append(body)
    return joined(detections, as_people(found, image.shape))


def region(points: NDArray[np.float64]) -> Roi:
    """Where BlazePose should look for a person whose joints (15, 2) are known, px."""
    centre = points[ROOT]
    radius = RIM * np.nanmax(np.linalg.norm(points - centre, axis=-1))
    trunk = points[NECK] - centre
    return Roi(centre, trunk * (radius / max(float(np.hypot(*trunk)), 1e-6)))


def _seen(detections: People2D, view: Projected) -> NDArray[np.bool_]:
    """(P,) which of the 3D people have a detection of their own."""
    gaps = mean_gaps(_panoptic(detections), view)
    rows, columns = linear_sum_assignment(np.minimum(gaps, 1.0))
    seen = np.zeros(gaps.shape[1], dtype=bool)
    seen[columns] = gaps[rows, columns] < SEEN_DISTANCE
    return seen


def _disagreement(body: Body, target: Projected, shape: tuple[int, ...]) -> float:
    """Median distance of the joints from a projection, over the height."""
    gaps = joint_gaps(_panoptic(as_people([body], shape)), target)
    return float(np.nanmedian(gaps)) if np.isfinite(gaps).any() else np.inf


def _panoptic(people: People2D) -> People2D:
    points, scores = coco_to_panoptic(people.points, people.scores)
    return People2D(points, scores, people.person_scores)


def _chosen(view: Projected, rows: NDArray[np.bool_] | list[int]) -> Projected:
    return Projected(view.points[rows], view.in_view[rows], view.heights[rows])

"""Projections of 3D people into one camera, and distances of 2D people from them.

A person's height in an image is that of 1700 mm at the mean depth of the valid joints (a truth may
lack the root), with the mean of the two focal lengths. It doesn't shrink when somebody crouches.

Letters: P people, J joints, N 2D people.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfpose3d.files.poses2d import People2D
from selfpose3d.files.poses3d import People3D
from selfpose3d.geometry.cameras import Camera, in_image, project
from selfpose3d.geometry.people import height_in_pixels


@dataclass(frozen=True)
class Projected:
    """3D people in one image.

    Args:
        points: (P, J, 2) px, NaN where there is no projection.
        in_view: (P, J) valid and inside the image.
        heights: (P,) px.
    """

    points: NDArray[np.float64]
    in_view: NDArray[np.bool_]
    heights: NDArray[np.float64]


def project_people(people: People3D, camera: Camera) -> Projected:
    """Where a camera sees 3D people."""
    points, depths = project(camera, people.joints)
    in_view = in_image(camera, points) & people.valid
    depth = (depths * people.valid).sum(1) / np.maximum(people.valid.sum(1), 1)
    focal = (camera.K[0, 0] + camera.K[1, 1]) / 2
    return Projected(points, in_view, height_in_pixels(focal, depth))


def joint_gaps(people: People2D, projected: Projected) -> NDArray[np.float64]:
    """(N, P, J) distances over the height, NaN where one of the two lacks the joint."""
    both = (people.scores > 0)[:, None] & projected.in_view[None]
    gaps = np.linalg.norm(people.points[:, None] - projected.points[None], axis=-1)
    shares: NDArray[np.float64] = np.where(both, gaps / projected.heights[:, None], np.nan)
    return shares


def mean_gaps(people: People2D, projected: Projected) -> NDArray[np.float64]:
    """(N, P) mean of ``joint_gaps``, infinite for people without a common joint."""
    gaps = joint_gaps(people, projected)
    known = np.isfinite(gaps)
    means = np.nan_to_num(gaps).sum(-1) / np.maximum(known.sum(-1), 1)
    return np.where(known.any(-1), means, np.inf)

"""Distances of 2D people from the projections of 3D people, as shares of their height.

Letters: P people, J joints, N 2D people.
"""

import numpy as np
from numpy.typing import NDArray

from selfpose3d.files.poses2d import People2D
from selfpose3d.geometry.people import Projected


def joint_gaps(people: People2D, projected: Projected) -> NDArray[np.float64]:
    """(N, P, J) distances over the height, NaN where one of the two lacks the joint."""
    both = (people.scores > 0)[:, None] & projected.in_view[None]
    gaps = np.linalg.norm(people.points[:, None] - projected.pixels[None], axis=-1)
    shares: NDArray[np.float64] = np.where(both, gaps / projected.heights[:, None], np.nan)
    return shares


def mean_gaps(people: People2D, projected: Projected) -> NDArray[np.float64]:
    """(N, P) mean of ``joint_gaps``, infinite for people without a common joint."""
    gaps = joint_gaps(people, projected)
    known = np.isfinite(gaps)
    means = np.nan_to_num(gaps).sum(-1) / np.maximum(known.sum(-1), 1)
    return np.where(known.any(-1), means, np.inf)

"""Quality of learnt heatmaps against exact projections, for reports and never for training.

Only joints that a 2D label sees as well count (the person is found and the joint's score is high),
since hidden joints can't be seen in one image. Letters: J joints, h x w heatmap px.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfpose3d.files.poses2d import People2D
from selfpose3d.files.poses3d import People3D
from selfpose3d.geometry.cameras import Camera, project
from selfpose3d.geometry.people import height_in_pixels
from selfpose3d.skeletons import Skeleton

FOUND = 0.06
"""Median joint error, relative to the height, below which a label belongs to a person."""
SEEN = 0.5
"""Lowest score of a label's joint that is compared."""
APART = 0.06
"""Distance of left and right joint, relative to the height, below which sides do not count."""
RIGHT_PLACE = 0.05
"""Error of a peak, relative to the height, below which it counts as found (PCK)."""
MARGIN = 0.08
"""Margin, relative to the height, around the projected person in which the peak is searched."""


@dataclass
class HeatmapTally:
    """The comparisons made so far, one entry per joint of a person in a view.

    Args:
        skeleton: the joints of heatmaps, people and labels.
    """

    skeleton: Skeleton
    joints: list[int] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    sides: list[tuple[int, bool]] = field(default_factory=list)

    def add(
        self,
        heatmaps: NDArray[np.floating],
        stride: int,
        camera: Camera,
        people: People3D,
        labels: People2D,
    ) -> None:
        """Compare one view.

        Args:
            heatmaps: (J, h, w).
            stride: input px per heatmap px.
            camera: camera of the network's input.
            people: the truth; who has no root is left out, and so are joints that are not valid.
            labels: 2D people of the view, px of the network's input.
        """
        people = people.where(people.has_root)
        points, depths = project(camera, people.joints)
        heights = height_in_pixels(camera.K[0, 0], self.skeleton.roots(depths[..., None])[..., 0])
        for point, height, valid in zip(points, heights, people.valid, strict=True):
            seen = _seen(point, height, valid, labels)
            if seen is not None:
                self._add_person(heatmaps, stride, point, height, valid, seen)

    def _add_person(
        self,
        heatmaps: NDArray[np.floating],
        stride: int,
        points: NDArray[np.float64],
        height: float,
        valid: NDArray[np.bool_],
        seen: NDArray[np.bool_],
    ) -> None:
        low = np.floor((points[valid].min(0) - MARGIN * height) / stride).astype(int)
        high = np.ceil((points[valid].max(0) + MARGIN * height) / stride).astype(int) + 1
        x0, y0 = np.maximum(low, 0)
        for joint in np.flatnonzero(seen):
            window = heatmaps[joint, y0 : high[1], x0 : high[0]]
            if window.size == 0:
                continue
            row, column = np.unravel_index(window.argmax(), window.shape)
            peak = (np.array([x0 + column, y0 + row]) + 0.5) * stride - 0.5
            error = float(np.linalg.norm(peak - points[joint]))
            self.joints.append(int(joint))
            self.errors.append(error / height)
            opposite = self.skeleton.swapped[joint]
            other = points[opposite]
            if valid[opposite] and np.linalg.norm(points[joint] - other) > APART * height:
                own = error < float(np.linalg.norm(peak - other))
                self.sides.append((int(joint), own))

    def summary(self) -> dict[str, Any]:
        """JSON-ready: ``joints`` compared, ``pck`` (% within 5 % of the height), ``median_error``
        (% of the height), ``own_side`` (share of limb joints whose peak is nearer to their own
        side) and both by joint."""
        joints, errors = np.array(self.joints, dtype=int), np.array(self.errors)
        sides = np.array(self.sides, dtype=int).reshape(-1, 2)
        names = self.skeleton.joints
        limbs = sorted((*self.skeleton.left, *self.skeleton.right))
        return {
            "joints": len(joints),
            "pck": _percent(errors < RIGHT_PLACE),
            "median_error": round(100 * float(np.median(errors)), 2) if len(errors) else None,
            "own_side": _share(sides[:, 1]),
            "by_joint": {
                name: {"pck": _percent(errors[joints == joint] < RIGHT_PLACE)}
                for joint, name in enumerate(names)
            },
            "own_side_by_joint": {
                names[joint]: _share(sides[sides[:, 0] == joint, 1]) for joint in limbs
            },
        }


def _seen(
    points: NDArray[np.float64], height: float, valid: NDArray[np.bool_], labels: People2D
) -> NDArray[np.bool_] | None:
    """Which joints of a person the label of that person sees; none where nobody found it."""
    if len(labels) == 0 or not valid.any() or not np.isfinite(points[valid]).all():
        return None
    gaps = np.linalg.norm(labels.points[:, valid] - points[valid], axis=-1) / height
    medians: NDArray[np.float64] = np.median(gaps, axis=-1)
    nearest = int(medians.argmin())
    return valid & (labels.scores[nearest] >= SEEN) if medians[nearest] < FOUND else None


def _percent(found: NDArray[np.bool_]) -> float | None:
    return round(100 * float(found.mean()), 1) if len(found) else None


def _share(own: Sequence[int] | NDArray[np.int64]) -> float | None:
    return round(float(np.mean(own)), 3) if len(own) else None

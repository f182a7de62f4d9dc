"""Consensus labels: 2D people as all views together see them.

A joint that agrees with the reprojection of the reconstructed people stays as the estimator found
it. One that does not becomes the reprojection, with a score that the other views give it. People
whom a view should see, and in whose place it has nobody, are added; 2D people who are nobody's go.
The reconstruction is made of labels, and no truth comes in.

Letters: V views, P 3D people, L 2D people, J joints.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from selfpose3d.files.poses2d import People2D, Views
from selfpose3d.files.poses3d import Frames, People3D
from selfpose3d.files.scenes import Scene
from selfpose3d.geometry.cameras import Camera
from selfpose3d.geometry.people import MIN_JOINTS_IN_VIEW, Projected, project_into
from selfpose3d.reconstruction.assignment import MATCH_LIMIT, assign_people
from selfpose3d.skeletons import Skeleton

OTHERS = 2
"""Number of other views that make a reprojection as sure as a joint can be; and fewest other views
that see a person who is added."""
HALF_SURE = 0.03
"""Distance from the reprojection, in body heights, at which a joint supports it by half its score.
"""


def consensus_labels(
    scene: Scene, labels: Views, people: Frames, agreement: float
) -> dict[tuple[int, str], People2D]:
    """Consensus labels of every image of a scene.

    Args:
        scene: the sequence.
        labels: 2D people by (frame, camera), px of the stored frames.
        people: the people reconstructed from them, by (sequence, frame).
        agreement: largest distance of a joint that stays from its reprojection, in body heights.
    """
    found = {}
    for frame in scene.frames:
        views = [labels[frame, camera.name] for camera in scene.cameras]
        agreed = _of_frame(scene.cameras, views, people[scene.name, frame], agreement)
        for camera, each in zip(scene.cameras, agreed, strict=True):
            found[frame, camera.name] = each
    return found


def _of_frame(
    cameras: Sequence[Camera], views: Sequence[People2D], people: People3D, agreement: float
) -> list[People2D]:
    """The labels of one frame, by camera."""
    known = people.valid & (people.views >= OTHERS)
    projected = project_into(cameras, people.joints, known)
    points, scores, persons = _padded(views, people.skeleton)
    assigned = assign_people(projected, points, scores, MATCH_LIMIT)
    own_points, own_scores = (_taken(each, assigned) for each in (points, scores))
    gaps = np.linalg.norm(own_points - projected.placed, axis=-1) / projected.heights[..., None]
    told = _told(own_scores / (1 + (gaps / HALF_SURE) ** 2)) * projected.in_view
    stays = (own_scores > 0) & ((gaps < agreement) | ~known)
    chosen = np.where(stays, own_scores, told)
    moves = ~stays & (told > 0)
    pixels = np.where(moves[..., None], projected.placed, own_points)
    shown = (assigned >= 0) | _added(assigned, projected)
    whole = np.where(assigned >= 0, _taken(persons, assigned), told.mean(axis=-1))
    return [
        replace(view, points=pixels[v], scores=chosen[v], person_scores=whole[v]).where(
            shown[v] & (chosen[v] > 0).any(axis=-1)
        )
        for v, view in enumerate(views)
    ]


def _padded(
    views: Sequence[People2D], skeleton: Skeleton
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Points (V, L, J, 2), scores (V, L, J) and the people's scores (V, L), 0 where nobody is."""
    most = max(1, *(len(view) for view in views))
    points = np.zeros((len(views), most, len(skeleton), 2))
    scores, persons = np.zeros(points.shape[:3]), np.zeros(points.shape[:2])
    for v, view in enumerate(views):
        points[v, : len(view)], scores[v, : len(view)] = view.points, view.scores
        persons[v, : len(view)] = view.person_scores
    return points, scores, persons


def _taken(values: NDArray[np.float64], assigned: NDArray[np.int64]) -> NDArray[np.float64]:
    """(V, P, ...) of (V, L, ...): those of each person's 2D person, 0 where there is none."""
    taken = values[np.arange(len(values))[:, None], np.maximum(assigned, 0)]
    there = (assigned >= 0).reshape(*assigned.shape, *[1] * (taken.ndim - 2))
    return np.where(there, taken, 0.0)


def _told(support: NDArray[np.float64]) -> NDArray[np.float64]:
    """(V, P, J) in [0, 1]: how sure the other views make a joint, from each view's support."""
    return np.clip((support.sum(axis=0) - support) / OTHERS, 0.0, 1.0)


def _added(assigned: NDArray[np.int64], projected: Projected) -> NDArray[np.bool_]:
    """(V, P) people in a view that has nobody in their place, and whom enough others see."""
    seen = (assigned >= 0).sum(axis=0) >= OTHERS
    in_view = projected.in_view.sum(axis=-1) >= MIN_JOINTS_IN_VIEW
    added: NDArray[np.bool_] = (assigned < 0) & seen & in_view
    return added

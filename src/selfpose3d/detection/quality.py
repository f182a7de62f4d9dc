"""Quality of labels against exact projections, for reports and never for training.

Errors are shares of a person's height in the image, as ``geometry.people.Projected`` defines it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from selfpose3d.files.poses2d import People2D, Views, skeleton_of
from selfpose3d.files.poses3d import Frames
from selfpose3d.files.scenes import Scene
from selfpose3d.geometry.people import MIN_JOINTS_IN_VIEW, Projected, project_people
from selfpose3d.reconstruction.projections import mean_gaps
from selfpose3d.skeletons import Skeleton, common_skeleton

MATCH = 0.15
"""Mean joint error, relative to the height, below which a label belongs to a person."""
APART = 0.06
"""Distance of left and right joint, relative to the height, below which sides do not count."""
SWAPPED_SHARE = 0.5
"""Fraction of joints nearer to the other side above which a person counts as swapped."""
SCORE_BINS = (0.0, 0.3, 0.5, 0.7, 0.95, 1.0)


@dataclass(frozen=True)
class _Match:
    """One label and its person: (J,) errors and errors to the other side, share of height."""

    errors: NDArray[np.float64]
    swapped_errors: NDArray[np.float64]
    scores: NDArray[np.float64]
    apart: NDArray[np.bool_]


@dataclass
class _Tally:
    images: int = 0
    people: int = 0
    found: int = 0
    false_positives: int = 0
    duplicates: int = 0


def label_quality(
    labels: Sequence[Views], truths: Sequence[Frames], scenes: Sequence[Scene]
) -> dict[str, Any]:
    """Recall, false people and errors of labels over the images of scenes.

    Args:
        labels: 2D people of one skeleton, one file per scene.
        truths: 3D people by (sequence, frame), one file per scene; joints of the labels that they
            lack are not compared.
        scenes: their cameras.

    Returns:
        JSON-ready: ``people`` (with 10 or more joints in view), ``recall``, ``false_positives``
        (labels of nobody, duplicates included), ``duplicates``, ``median_error`` and
        ``mean_error`` (of the joints in view, % of height), ``swapped_people`` (share with most
        limb joints nearer to the other side's truth), ``own_side`` (share of the limb joints
        nearer to their own side, where the sides are apart), ``by_score`` and ``by_joint``.
    """
    tally, matches = _Tally(), []
    skeleton = common_skeleton([skeleton_of(views, "labels") for views in labels], "labels")
    for views, truth, scene in zip(labels, truths, scenes, strict=True):
        cameras = {camera.name: camera for camera in scene.cameras}
        for (frame, camera), people in views.items():
            true = truth.get((scene.name, frame))
            if true is not None:
                known = true.converted(skeleton, partly=True)
                projected = project_people(cameras[camera], known.joints, known.valid)
                matches += _compare(people, projected, tally)
    return _summary(tally, matches, skeleton)


def _compare(people: People2D, true: Projected, tally: _Tally) -> list[_Match]:
    wanted = true.in_view.sum(1) >= MIN_JOINTS_IN_VIEW
    tally.images += 1
    tally.people += int(wanted.sum())
    cost = mean_gaps(people, true)
    rows, columns = linear_sum_assignment(np.minimum(cost, 1.0))
    pairs = [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if cost[r, c] < MATCH]
    unmatched = sorted(set(range(len(people))) - {r for r, _ in pairs})
    tally.found += sum(bool(wanted[c]) for _, c in pairs)
    tally.false_positives += len(unmatched)
    tally.duplicates += int((cost[unmatched].min(1, initial=np.inf) < MATCH).sum())
    return [_match(people, r, true, c) for r, c in pairs if wanted[c]]


def _match(people: People2D, label: int, true: Projected, person: int) -> _Match:
    points, target = people.points[label], true.pixels[person]
    height = true.heights[person]
    used = (people.scores[label] > 0) & true.in_view[person]
    swap = people.skeleton.swapped

    def errors(of: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(used, np.linalg.norm(points - of, axis=-1) / height, np.nan)

    with np.errstate(invalid="ignore"):
        apart = np.linalg.norm(target - target[swap], axis=-1) > APART * height
    return _Match(errors(target), errors(target[swap]), people.scores[label], apart)


def _summary(tally: _Tally, matches: Sequence[_Match], skeleton: Skeleton) -> dict[str, Any]:
    errors = np.array([m.errors for m in matches]).reshape(-1, len(skeleton))
    other = np.array([m.swapped_errors for m in matches]).reshape(-1, len(skeleton))
    scores = np.array([m.scores for m in matches]).reshape(-1, len(skeleton))
    apart = np.array([m.apart for m in matches], dtype=bool).reshape(-1, len(skeleton))
    told = apart & np.isfinite(errors) & np.isfinite(other)
    own = (errors <= other) & told
    swapped = (told & ~own).sum(1) > SWAPPED_SHARE * told.sum(1)
    return {
        "images": tally.images,
        "people": tally.people,
        "recall": _share(tally.found, tally.people),
        "false_positives": tally.false_positives,
        "duplicates": tally.duplicates,
        **_errors(errors),
        "swapped_people": _share(int(swapped.sum()), len(swapped)),
        "own_side": _share(int(own.sum()), int(told.sum())),
        "by_score": _by_score(errors, scores),
        "by_joint": {name: _errors(errors[:, j]) for j, name in enumerate(skeleton.joints)},
    }


def _errors(errors: NDArray[np.float64]) -> dict[str, float | None]:
    known = errors[np.isfinite(errors)]
    if len(known) == 0:
        return {"median_error": None, "mean_error": None}
    return {
        "median_error": round(100 * float(np.median(known)), 3),
        "mean_error": round(100 * float(known.mean()), 3),
    }


def _by_score(errors: NDArray[np.float64], scores: NDArray[np.float64]) -> list[dict[str, Any]]:
    known = np.isfinite(errors)
    rows = []
    for low, high in pairwise(SCORE_BINS):
        last = high == SCORE_BINS[-1]
        chosen = known & (scores >= low) & ((scores <= high) if last else (scores < high))
        share = _share(int(chosen.sum()), int(known.sum()))
        rows.append({"from": low, "to": high, "share": share, **_errors(errors[chosen])})
    return rows


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None

"""AP, recall and MPJPE of 3D people by the protocol published for CMU Panoptic.

The protocol (VoxelPose, Tu et al. 2020, section 4; used by SelfPose3d, tables 1 to 16): a frame
without ground truth is left out, predictions and all. Each prediction goes to its nearest body by
the mean error over the joints that are valid in both. In the order of scores, a prediction is a
true positive at a threshold when its error is below it and its body is not taken yet. AP is the
area under the monotone envelope of precision over recall.

Letters: N predictions, T bodies of the truth, J joints.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from selfpose3d.errors import InputError
from selfpose3d.files.poses3d import (
    NOT_TOLD,
    Frames,
    People3D,
    converted_frames,
    skeleton_of,
)
from selfpose3d.skeletons import Skeleton

THRESHOLDS_MM: tuple[int, ...] = (25, 50, 75, 100, 125, 150)
MATCH_MM = 500.0
"""Largest error of a prediction that counts for recall and MPJPE, mm."""

_EPSILON = 1e-5
"""The protocol's epsilon in recall and precision; without it the digits differ."""

Metrics = dict[str, Any]
"""Plain JSON values: ``AP25`` ... ``AP150``, ``mAP`` and ``Recall@500`` in percent, ``MPJPE`` in mm
(``None`` when nothing was matched); ``joints``: MPJPE by joint name; ``root``: the same for
the root joint alone (``None`` where the truth has no roots, or predictions have none);
``measured``: ``share`` of the predictions' joints that are measured, and not completed from the
rest of the body, in [0, 1], and the ``MPJPE`` of these joints alone (``None`` where no joint's
views are told); ``frames``,
``people``, ``predictions``: how many were evaluated, ``people_per_frame``: how many are predicted
in such a frame; ``per_sequence`` and ``per_people``: the headline by sequence, and by the number of
people in a frame, with ``frames`` and ``people`` of each; ``per_views``, where it is known, the
same by the number of views that see the person."""

Seen = Mapping[tuple[str, int], NDArray[np.int64]]
"""The number of views that see each person of a frame of the truth, by (sequence, frame)."""


@dataclass(frozen=True)
class _People:
    """The people of several frames in one array each: (N, J, 3), (N, J), (N,), (N,), (N, J)."""

    joints: NDArray[np.float64]
    valid: NDArray[np.bool_]
    scores: NDArray[np.float64]
    frame: NDArray[np.int64]
    views: NDArray[np.int64]
    skeleton: Skeleton


@dataclass(frozen=True)
class _Matches:
    """Each prediction with its nearest body: errors in mm, bodies by their index in the truth.

    ``joint_errors`` (N, J) is NaN where the joint is not valid in both, ``views`` (N, J) are the
    predictions'.
    """

    scores: NDArray[np.float64]
    errors: NDArray[np.float64]
    bodies: NDArray[np.int64]
    joint_errors: NDArray[np.float64]
    views: NDArray[np.int64]

    def where(self, chosen: NDArray[Any]) -> "_Matches":
        """The chosen predictions only, by mask or by index."""
        return _Matches(
            self.scores[chosen],
            self.errors[chosen],
            self.bodies[chosen],
            self.joint_errors[chosen],
            self.views[chosen],
        )


def evaluate(predictions: Frames, truth: Frames, seen: Seen | None = None) -> Metrics:
    """Evaluate predictions against the truth.

    Frames of the truth that the predictions lack count as missed. Bodies of the truth without a
    valid joint are left out. Equal scores are taken in the order of sequence, frame and person.
    Where the two sides are of different joints, the truth's are brought to the predictions'. Where
    it lacks some of them, both are compared in those of the truth's joints that predictions have.

    Args:
        predictions: people by (sequence, frame), world mm.
        truth: the same, of the ground truth.
        seen: by how many views each person of the truth is seen, if that is known.

    Returns:
        see ``Metrics``.

    Raises:
        InputError: the truth holds nobody, no frame of it is in the predictions, or no joint.
    """
    predictions, truth, skeleton = in_common(predictions, truth)
    keys = sorted(key for key, people in truth.items() if people.valid.any())
    _check_common(predictions, truth, keys)
    bodies = _stack([truth[key] for key in keys])
    there = np.any(bodies.valid, axis=1)
    bodies = _chosen(bodies, there)
    nobody = People3D.nobody(skeleton)
    predicted = _stack([predictions.get(key, nobody) for key in keys])
    matches = _match(predicted, bodies)
    sequences = np.array([sequence for sequence, _ in keys])
    counts = np.bincount(bodies.frame, minlength=len(keys))
    views = np.concatenate([seen[key] for key in keys])[there] if seen is not None else None
    return {
        **_headline(matches, len(bodies.joints)),
        "joints": _joint_errors(matches, skeleton),
        "root": _root_metrics(predicted, bodies),
        "measured": _measured_metrics(predicted, matches),
        "frames": len(keys),
        "people": len(bodies.joints),
        "predictions": len(predicted.joints),
        "people_per_frame": len(predicted.joints) / len(keys),
        "per_sequence": _by_group(matches, bodies.frame, sequences[bodies.frame]),
        "per_people": _by_group(matches, bodies.frame, counts[bodies.frame]),
        **({} if views is None else {"per_views": _by_group(matches, bodies.frame, views)}),
    }


def in_common(predictions: Frames, truth: Frames) -> tuple[Frames, Frames, Skeleton]:
    """Predictions and truth in one skeleton, and that skeleton.

    Raises:
        InputError: they have no joint in common.
    """
    own, true = skeleton_of(predictions, "the predictions"), skeleton_of(truth, "the truth")
    common = own
    if not all(map(true.can_be, own.joints)):
        common = Skeleton(tuple(filter(own.can_be, true.joints)))
    if not len(common):
        raise InputError(
            f"the predictions' joints {list(own.joints)} and the truth's {list(true.joints)} have "
            "none in common"
        )
    return converted_frames(predictions, common), converted_frames(truth, common), common


def matched_people(
    predictions: Frames, truth: Frames
) -> Iterator[tuple[tuple[str, int], People3D, People3D]]:
    """Pairs of people nearer than ``MATCH_MM`` on average, one to one, frame by frame.

    Args:
        predictions: people by (sequence, frame), world mm.
        truth: the same, in the same joints.

    Yields:
        the frame, and as many predicted as true people, in the order of the pairs.
    """
    for key in sorted(truth):
        if key in predictions:
            own, true = predictions[key], truth[key]
            first, second = one_to_one(mean_distances(own, true))
            yield key, own.where(first), true.where(second)


def mean_distances(predicted: People3D, true: People3D) -> NDArray[np.float64]:
    """(P, T) mean distance over the joints valid in both, mm; infinite where there is none."""
    both = predicted.valid[:, None] & true.valid[None]
    distance = np.linalg.norm(predicted.joints[:, None] - true.joints[None], axis=-1)
    count = both.sum(-1)
    mean = np.where(both, distance, 0.0).sum(-1) / np.maximum(count, 1)
    return np.where(count > 0, mean, np.inf)


def one_to_one(distances: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pairs of the cheapest matching that are nearer than ``MATCH_MM``, as two indices.

    Args:
        distances: (P, T) mm.
    """
    first, second = linear_sum_assignment(np.minimum(distances, MATCH_MM))
    near = distances[first, second] < MATCH_MM
    return first[near], second[near]


def _check_common(predictions: Frames, truth: Frames, keys: list[tuple[str, int]]) -> None:
    if not keys:
        raise InputError(f"the ground truth holds nobody in its {len(truth)} frames")
    if any(key in predictions for key in keys):
        return
    if not predictions:
        raise InputError("the predictions hold no frame, not even an empty one")
    raise InputError(
        "predictions and ground truth have no (sequence, frame) in common; predictions are of "
        f"{_example(predictions)}, the truth of {_example(truth)}; "
        "give the truth of the same sequences"
    )


def _example(frames: Frames) -> str:
    sequences = sorted({sequence for sequence, _ in frames})
    sequence, frame = min(frames)
    return f"{len(sequences)} sequence(s), such as {sequence!r} with frame {frame}"


def _stack(frames: Sequence[People3D]) -> _People:
    return _People(
        joints=np.concatenate([people.joints for people in frames]),
        valid=np.concatenate([people.valid for people in frames]),
        scores=np.concatenate([people.scores for people in frames]),
        frame=np.repeat(np.arange(len(frames)), [len(people) for people in frames]),
        views=np.concatenate([people.views for people in frames]),
        skeleton=frames[0].skeleton,
    )


def _chosen(people: _People, mask: NDArray[Any]) -> _People:
    return replace(
        people,
        joints=people.joints[mask],
        valid=people.valid[mask],
        scores=people.scores[mask],
        frame=people.frame[mask],
        views=people.views[mask],
    )


def _match(predicted: _People, bodies: _People) -> _Matches:
    """Give each prediction the nearest body of its frame, in the order of falling scores.

    A prediction in a frame without bodies has no body and is left out.
    """
    n_frames = 1 + max(predicted.frame.max(initial=0), bodies.frame.max(initial=0))
    counts = np.bincount(bodies.frame, minlength=n_frames)
    first = np.cumsum(counts) - counts
    candidates = counts[predicted.frame]
    prediction = np.repeat(np.arange(len(candidates)), candidates)
    place = np.arange(len(prediction)) - np.repeat(np.cumsum(candidates) - candidates, candidates)
    body = first[predicted.frame[prediction]] + place
    errors = _mean_errors(predicted, bodies, prediction, body)
    nearest = np.full((len(candidates), counts.max(initial=1)), np.inf)
    nearest[prediction, place] = errors
    bodies_N = first[predicted.frame] + nearest.argmin(axis=1)
    order = np.argsort(-predicted.scores, kind="stable")
    order = order[candidates[order] > 0]
    return _Matches(
        scores=predicted.scores[order],
        errors=nearest.min(axis=1)[order],
        bodies=bodies_N[order],
        joint_errors=_distances(_chosen(predicted, order), bodies, bodies_N[order]),
        views=predicted.views[order],
    )


def _mean_errors(
    predicted: _People,
    bodies: _People,
    prediction: NDArray[np.int64],
    body: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Mean error over the joints valid on both sides, for pairs of a prediction and a body;
    infinite without any."""
    difference = predicted.joints[prediction] - bodies.joints[body]
    distance = np.sqrt(np.einsum("njd,njd->nj", difference, difference))
    valid = bodies.valid[body] & predicted.valid[prediction]
    count = valid.sum(axis=1)
    mean = (distance * valid).sum(axis=1) / np.maximum(count, 1)
    return np.where(count > 0, mean, np.inf)


def _distances(predicted: _People, bodies: _People, body: NDArray[np.int64]) -> NDArray[np.float64]:
    distance = np.linalg.norm(predicted.joints - bodies.joints[body], axis=-1)
    return np.where(bodies.valid[body] & predicted.valid, distance, np.nan)


def _headline(matches: _Matches, n_bodies: int) -> Metrics:
    """AP25 ... AP150, mAP, Recall@500 (percent) and MPJPE (mm) of predictions by falling score."""
    precisions = [average_precision(matches.errors, matches.bodies, n_bodies, t) for t in _levels()]
    found = _first_of_each(matches.bodies, matches.errors < MATCH_MM)
    return {
        **{f"AP{t}": 100 * ap for t, ap in zip(THRESHOLDS_MM, precisions, strict=True)},
        "mAP": 100 * float(np.mean(precisions)),
        "Recall@500": 100 * len(found) / n_bodies,
        "MPJPE": float(matches.errors[found].mean()) if len(found) else None,
    }


def _levels() -> Iterable[float]:
    return (float(threshold) for threshold in THRESHOLDS_MM)


def average_precision(
    errors: NDArray[np.float64], bodies: NDArray[np.int64], n_bodies: int, threshold: float
) -> float:
    """Area under the monotone envelope of precision over recall, in [0, 1].

    Args:
        errors: (N,) mm, of predictions in the order of falling scores.
        bodies: (N,) index of each prediction's nearest body.
        n_bodies: number of bodies of the truth.
        threshold: a true positive's error is below it, mm.
    """
    hit = np.zeros(len(errors))
    hit[_first_of_each(bodies, errors < threshold)] = 1
    hits = np.cumsum(hit)
    recall = hits / (n_bodies + _EPSILON)
    precision = hits / (np.arange(1, len(hits) + 1) + _EPSILON)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * envelope))


def _first_of_each(bodies: NDArray[np.int64], accepted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Index of the first accepted prediction of every body that has one."""
    index = np.flatnonzero(accepted)
    _, first = np.unique(bodies[index], return_index=True)
    return index[first]


def _joint_errors(matches: _Matches, skeleton: Skeleton) -> dict[str, float | None]:
    """MPJPE of each joint over the same matches as the MPJPE of the whole body."""
    errors = matches.joint_errors[_first_of_each(matches.bodies, matches.errors < MATCH_MM)]
    columns = [column[np.isfinite(column)] for column in errors.T]
    means = [float(column.mean()) if len(column) else None for column in columns]
    return dict(zip(skeleton.joints, means, strict=True))


def _root_metrics(predicted: _People, bodies: _People) -> Metrics | None:
    """The protocol for the root alone, over the bodies whose root is valid."""
    if not bodies.skeleton.has_a_root:
        return None
    roots = _chosen(_only_root(bodies), bodies.skeleton.has_root(bodies.valid))
    if len(roots.joints) == 0:
        return None
    return _headline(_match(_only_root(predicted), roots), len(roots.joints))


def _only_root(people: _People) -> _People:
    roots = people.skeleton.roots(people.joints)[:, None]
    known = people.skeleton.has_root(people.valid)[:, None]
    return replace(people, joints=roots, valid=known, views=np.full(known.shape, NOT_TOLD))


def _measured_metrics(predicted: _People, matches: _Matches) -> Metrics | None:
    """The share of joints that are measured, of those of which it is told, and the MPJPE over them
    of the same matches; people of whom nothing is measured are left out of it."""
    told = predicted.valid & (predicted.views != NOT_TOLD)
    if not told.any():
        return None
    found = matches.where(_first_of_each(matches.bodies, matches.errors < MATCH_MM))
    measured = (found.views > 0) & np.isfinite(found.joint_errors)
    people = measured.any(axis=1)
    totals = np.where(measured, found.joint_errors, 0.0).sum(axis=1)[people]
    means = totals / measured.sum(axis=1)[people]
    return {
        "share": float((predicted.views[told] > 0).mean()),
        "MPJPE": float(means.mean()) if len(means) else None,
    }


def _by_group(
    matches: _Matches, frame_of_body: NDArray[np.int64], group_of_body: NDArray[Any]
) -> dict[str, Metrics]:
    """The headline within each group of bodies, and how many they are, in how many frames."""
    group_of_match = group_of_body[matches.bodies]
    result = {}
    for group in np.unique(group_of_body):
        own = group_of_body == group
        headline = _headline(matches.where(group_of_match == group), int(own.sum()))
        n_frames = len(np.unique(frame_of_body[own]))
        result[str(group)] = {**headline, "frames": n_frames, "people": int(own.sum())}
    return result

"""PCP: the percentage of correct parts, as published for Shelf and Campus.

The protocol (Belagiannis et al., CVPR 2014; as VoxelPose and SelfPose3d, table 2, use it): an actor
gets the nearest prediction by the mean distance over the 14 joints. A limb is right when the mean
error of its two ends is at most half its true length; the torso goes from the mid-hip to the upper
neck. A frame without predictions has no right part. Shares are taken by actor, then averaged over
the first three actors. People whom nobody annotated cost nothing, however many they are.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from selfpose3d.evaluation.metrics import Metrics, Seen
from selfpose3d.files.poses3d import Frames, People3D
from selfpose3d.skeletons import SHELF_14, Skeleton

ACTORS = 3
"""Published figures are of the actors 0 to 2."""
PARTS: dict[str, tuple[str, str]] = {
    **{
        f"{side} {part}": (f"{side}_{a}", f"{side}_{b}")
        for part, a, b in (
            ("lower leg", "ankle", "knee"),
            ("upper leg", "knee", "hip"),
            ("lower arm", "wrist", "elbow"),
            ("upper arm", "elbow", "shoulder"),
        )
        for side in ("right", "left")
    },
    "head": ("upper_neck", "head_top"),
    "torso": ("mid_hip", "upper_neck"),
}
"""The parts by their two ends."""
_MEASURED = Skeleton((*SHELF_14.joints, "mid_hip"))
_ENDS = np.array([[_MEASURED.index(end) for end in ends] for ends in PARTS.values()])
_TOP = np.array([0.75, 0.75, 1.5])
"""From mid-shoulder towards the nose, and one and a half times as high: the top of the head."""
_BOTTOM = 0.5
_EARS = 0.25
"""Share of the ears in where the head is, where they are known."""


def in_shelf_joints(people: People3D) -> People3D:
    """People in Shelf's 14 joints: their own by name, the head's two ends from face and shoulders.

    The bottom is half-way from mid-shoulder to the nose, the top 0.75 of that way sideways and 1.5
    of it upwards. Where both ears are known, a quarter of the weight goes to their centre: the
    bottom half-way to it, the top as far again above. People without a nose keep ends of their own.
    """
    own = people.skeleton
    named = people.converted(SHELF_14, partly=True)
    if not own.has("nose") or not own.can_be("neck"):
        return named
    middle, there = _middle(people, "left_shoulder", "right_shoulder")
    nose, seen = _joint(people, "nose")
    ears, heard = _middle(people, "left_ear", "right_ear")
    share = np.where(heard, _EARS, 0.0)[:, None]
    bottom = middle + (nose - middle) * _BOTTOM
    top = middle + (nose - middle) * _TOP
    low = (middle + ears) / 2
    high = low + 2 * (ears - low)
    joints, valid = named.joints.copy(), named.valid.copy()
    for name, by_nose, by_ears in (("upper_neck", bottom, low), ("head_top", top, high)):
        joints[:, SHELF_14.index(name)] = (1 - share) * by_nose + share * by_ears
        valid[:, SHELF_14.index(name)] = there & seen
    return People3D(joints, people.scores, valid, people.ids, SHELF_14)


def _joint(people: People3D, name: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(P, 3) mm and (P,) whether it is known; a joint that the people lack is not."""
    one = people.converted(Skeleton((name,)), partly=True)
    return one.joints[:, 0], one.valid[:, 0]


def _middle(
    people: People3D, left: str, right: str
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    (a, a_known), (b, b_known) = _joint(people, left), _joint(people, right)
    return (a + b) / 2, a_known & b_known


def pcp(predictions: Frames, truth: Frames, seen: Seen | None = None) -> Metrics:
    """The percentage of correct parts.

    Args:
        predictions: people by (sequence, frame), world mm, in Shelf's 14 joints.
        truth: the same, of the ground truth; people are numbered by actor.
        seen: by how many views each person of the truth is seen, if that is known.

    Returns:
        ``actor 1`` and on, ``mean`` over the actors that are there, and ``parts`` by name, in
        percent; None of an actor who is not there. ``per_views``: the same by the number of views.
    """
    rows = list(_rows(predictions, truth, seen))
    actor = np.array([row[0] for row in rows], dtype=np.int64)
    views = np.array([row[1] for row in rows], dtype=np.int64)
    right = np.array([row[2] for row in rows], dtype=bool).reshape(-1, len(PARTS))
    whole = _summary(actor, right)
    if seen is None:
        return whole
    by_views = {str(n): _summary(actor[views == n], right[views == n]) for n in np.unique(views)}
    return {**whole, "per_views": by_views}


def _rows(
    predictions: Frames, truth: Frames, seen: Seen | None
) -> Iterator[tuple[int, int, NDArray[np.bool_]]]:
    """Of each annotated actor: the number, by how many views it is seen, and which parts are
    right."""
    nobody = People3D.nobody(SHELF_14)
    for key, people in sorted(truth.items()):
        measured = _with_torso(people.converted(SHELF_14))
        found = _with_torso(predictions.get(key, nobody))
        views = seen[key] if seen is not None else np.zeros(len(people), dtype=np.int64)
        for joints, number, count in zip(measured, people.ids, views, strict=True):
            if number < ACTORS and np.isfinite(joints).all():
                yield int(number), int(count), right_parts(found, joints)


def _with_torso(people: People3D) -> NDArray[np.float64]:
    """(P, 15, 3) Shelf's joints and the mid-hip; NaN where a joint is not known."""
    measured = people.converted(_MEASURED)
    return np.where(measured.valid[..., None], measured.joints, np.nan)


def right_parts(predicted: NDArray[np.float64], actor: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(10,) which parts of an actor are right in the nearest prediction.

    Args:
        predicted: (P, 15, 3) mm, Shelf's joints and the mid-hip, NaN where one is not known.
        actor: (15, 3) of the truth.
    """
    errors = np.linalg.norm(predicted - actor, axis=-1)
    known = np.isfinite(errors[:, : len(SHELF_14)])
    if not known.any():
        return np.zeros(len(PARTS), dtype=bool)
    total = np.where(known, errors[:, : len(SHELF_14)], 0.0).sum(-1)
    mean = np.where(known.any(-1), total / np.maximum(known.sum(-1), 1), np.inf)
    of_ends = errors[mean.argmin()][_ENDS].mean(-1)
    lengths = np.linalg.norm(actor[_ENDS[:, 0]] - actor[_ENDS[:, 1]], axis=-1)
    return np.asarray(of_ends <= lengths / 2)


def _summary(actor: NDArray[np.int64], right: NDArray[np.bool_]) -> Metrics:
    shares = {n: right[actor == n] for n in range(ACTORS)}
    by_actor = {n: 100 * float(own.mean()) if len(own) else None for n, own in shares.items()}
    known = [share for share in by_actor.values() if share is not None]
    parts = 100 * right.mean(0) if len(right) else [None] * len(PARTS)
    return {
        **{f"actor {n + 1}": share for n, share in by_actor.items()},
        "mean": float(np.mean(known)) if known else None,
        "parts": dict(zip(PARTS, map(_plain, parts), strict=True)),
    }


def _plain(value: float | None) -> float | None:
    return None if value is None else float(value)

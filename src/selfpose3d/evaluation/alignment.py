"""Errors without the differences in the definitions of joints: a constant offset per joint, in the
body's own frame.

An annotator's shoulder lies elsewhere on the body than an estimator's. The offset of a joint is the
median, over matched people, of the way from the predicted to the true joint, seen from the
predicted body. The frames of each sequence are cut into runs of ``RUN``, which go to two parts in
turn; a part is measured with the offsets that the other one teaches.

Shapes: P people, J joints.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from selfpose3d.evaluation.metrics import Metrics, matched_people
from selfpose3d.files.poses3d import Frames, People3D
from selfpose3d.skeletons import Skeleton

AXES = ("left", "forward", "up")
"""The body's frame: from the right to the left side, the way it faces, and from the mid-hip to the
neck."""
RUN = 25
"""Frames in a run; a sequence of fewer than two runs is cut in the middle."""
_TRUNK = Skeleton(("left_shoulder", "right_shoulder", "left_hip", "right_hip"))
FEWEST = 5
"""Fewest matched people that teach a joint's offset; of fewer it is 0."""

Offsets = NDArray[np.float64]
"""(J, 3) mm in the body's frame."""


def can_align(skeleton: Skeleton) -> bool:
    """Whether people of these joints have a frame: both shoulders and both hips."""
    return skeleton.has(*_TRUNK.joints)


def body_frames(people: People3D) -> NDArray[np.float64]:
    """(P, 3, 3) the axes of each body as rows, world; NaN where a shoulder or hip is not known."""
    corners = people.converted(_TRUNK)
    a, b, c, d = np.moveaxis(corners.joints, 1, 0)
    up = _unit((a + b) - (c + d))
    across = (a - b) + (c - d)
    left = _unit(across - (across * up).sum(-1, keepdims=True) * up)
    frames = np.stack([left, np.cross(left, up), up], axis=1)
    return np.where(np.asarray(corners.valid.all(-1))[:, None, None], frames, np.nan)


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):
        return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def cross_aligned(
    predictions: Frames, truth: Frames
) -> tuple[dict[tuple[str, int], People3D], Offsets]:
    """Predictions with the joints' constant offsets taken off, each part by what the other teaches.

    Args:
        predictions: people by (sequence, frame), world mm.
        truth: the same, in the same joints.

    Returns:
        the predictions, and the mean of both parts' offsets.
    """
    second = _second_part(truth)
    parts = [{k: truth[k] for k in truth if (k in second) == own} for own in (True, False)]
    learnt = [learnt_offsets(predictions, part) for part in parts]
    moved = {key: aligned(people, learnt[key in second]) for key, people in predictions.items()}
    return moved, np.mean(learnt, axis=0)


def _second_part(truth: Frames) -> set[tuple[str, int]]:
    """Every second run of each sequence's frames, of those in which there is anybody."""
    chosen: set[tuple[str, int]] = set()
    for name in {sequence for sequence, _ in truth}:
        frames = sorted(key for key, people in truth.items() if key[0] == name and len(people))
        run = min(RUN, -(-len(frames) // 2))
        chosen |= {key for place, key in enumerate(frames) if place // run % 2}
    return chosen


def learnt_offsets(predictions: Frames, truth: Frames) -> Offsets:
    """The constant offset of each joint, from the people of both sides who are near each other."""
    ways = list(_ways(predictions, truth))
    n_joints = next((people.valid.shape[1] for people in truth.values()), 0)
    all_ways = np.concatenate([np.zeros((0, n_joints, 3)), *ways])
    known = np.isfinite(all_ways).all(-1)
    return np.array(
        [
            np.median(way[there], axis=0) if there.sum() >= FEWEST else np.zeros(3)
            for way, there in zip(np.moveaxis(all_ways, 1, 0), known.T, strict=True)
        ]
    )


def _ways(predictions: Frames, truth: Frames) -> Iterator[NDArray[np.float64]]:
    """(P, J, 3) from predicted to true joints in the predicted body's frame; NaN if not known."""
    for _, own, true in matched_people(predictions, truth):
        way = np.einsum("pab,pjb->pja", body_frames(own), true.joints - own.joints)
        yield np.where((own.valid & true.valid)[..., None], way, np.nan)


def aligned(people: People3D, offsets: Offsets) -> People3D:
    """People with offsets added in their own frame; whoever has no frame stays as they are."""
    way = np.einsum("pab,ja->pjb", body_frames(people), offsets)
    return replace(people, joints=people.joints + np.nan_to_num(way))


def offset_table(before: Metrics, after: Metrics, offsets: Offsets) -> dict[str, Metrics]:
    """A table by joint: the offset in mm along ``AXES`` and its length, and the error before and
    after.

    Args:
        before: metrics of the predictions, with the error of each joint.
        after: the same of the aligned ones.
        offsets: of the same joints.
    """
    return {
        joint: {
            **dict(zip(AXES, map(float, offset), strict=True)),
            "offset": float(np.linalg.norm(offset)),
            "before": before["joints"][joint],
            "after": after["joints"][joint],
        }
        for joint, offset in zip(before["joints"], offsets, strict=True)
    }

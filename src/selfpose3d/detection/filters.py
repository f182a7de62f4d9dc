"""From detections to labels (paper section 4.2, table 16)."""

import zlib
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from selfpose3d.files.poses2d import People2D, Views
from selfpose3d.parameters import LabelSettings
from selfpose3d.skeletons import COCO_17, PANOPTIC_15, coco_to_panoptic

BONE_SHARES: dict[tuple[int, int], float] = {
    (0, 2): 0.288,
    (3, 4): 0.186,
    (9, 10): 0.186,
    (6, 7): 0.245,
    (12, 13): 0.245,
    (7, 8): 0.246,
    (13, 14): 0.246,
}
"""Lengths of trunk, upper arms, thighs and shanks over a person's height (Winter, Biomechanics and
Motor Control of Human Movement, figure 4.1)."""


def make_labels(
    detections: Views,
    labels: LabelSettings,
    kind: Literal["soft", "hard"],
    joints: tuple[str, ...] = COCO_17,
) -> dict[tuple[int, str], People2D]:
    """Panoptic-15 labels of every image, in the detections' order.

    A person below ``labels.person_score``, or with fewer than ``labels.min_joints`` joints left,
    is dropped. Soft labels keep every joint with its score; in hard labels a joint below
    ``labels.joint_score`` gets score 0.

    Args:
        detections: people by (frame, camera), px of the stored frames.
        labels: the three thresholds.
        kind: kind of the labels, soft or hard.
        joints: the detections' joints, COCO-17 or already Panoptic-15.
    """
    threshold = labels.joint_score if kind == "hard" else 0.0
    return {
        key: _filtered(people, labels, threshold)
        for key, people in in_panoptic(detections, joints).items()
    }


def in_panoptic(detections: Views, joints: tuple[str, ...]) -> dict[tuple[int, str], People2D]:
    """Detections of COCO-17 or Panoptic-15 joints, in Panoptic-15."""
    if joints not in (COCO_17, PANOPTIC_15):
        raise ValueError(f"detections must be COCO-17 or Panoptic-15, not {joints}")
    return {key: _as_panoptic(people, joints) for key, people in detections.items()}


def with_noise(
    people: Views, percent: float, seed: int, sequence: str
) -> dict[tuple[int, str], People2D]:
    """Panoptic-15 people with normal noise on every joint, the same whatever is kept of them.

    Args:
        people: people by (frame, camera), px.
        percent: standard deviation of x and of y, in % of each person's height in the image.
        seed: seed of the noise, together with the sequence, the frame and the camera.
        sequence: name of the sequence.
    """
    noisy = {}
    for (frame, camera), seen in people.items():
        where = zlib.crc32(f"{sequence}/{frame}/{camera}".encode())
        noise = np.random.default_rng([seed, where]).normal(0, percent / 100, seen.points.shape)
        points = seen.points + noise * _heights(seen)[:, None, None]
        noisy[frame, camera] = People2D(points, seen.scores, seen.person_scores)
    return noisy


def _heights(people: People2D) -> NDArray[np.float64]:
    """(P,) how tall people would be in the image, px, standing: from the bone that is least
    foreshortened, so that it does not shrink when somebody crouches."""
    ends = np.array(list(BONE_SHARES))
    lengths = np.linalg.norm(people.points[:, ends[:, 0]] - people.points[:, ends[:, 1]], axis=-1)
    there = (people.scores[:, ends] > 0).all(-1)
    heights: NDArray[np.float64] = (lengths * there / list(BONE_SHARES.values())).max(-1, initial=0)
    return heights


def _as_panoptic(people: People2D, joints: tuple[str, ...]) -> People2D:
    if joints == PANOPTIC_15:
        return people
    points, scores = coco_to_panoptic(people.points, people.scores)
    return People2D(points, scores, people.person_scores)


def _filtered(people: People2D, labels: LabelSettings, joint_score: float) -> People2D:
    scores = np.where(people.scores >= joint_score, people.scores, 0.0)
    kept = people.person_scores >= labels.person_score
    kept &= (scores > 0).sum(1) >= labels.min_joints
    return People2D(people.points[kept], scores[kept], people.person_scores[kept])

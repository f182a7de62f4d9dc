"""From detections to labels (paper section 4.2, table 16)."""

from typing import Literal

import numpy as np

from selfpose3d.config import Labels
from selfpose3d.files.poses2d import People2D, Views
from selfpose3d.skeletons import COCO_17, PANOPTIC_15, coco_to_panoptic


def make_labels(
    detections: Views,
    labels: Labels,
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
        kind: of the labels.
        joints: the detections' joints, COCO-17 or already Panoptic-15.
    """
    if joints not in (COCO_17, PANOPTIC_15):
        raise ValueError(f"detections must be COCO-17 or Panoptic-15, not {joints}")
    threshold = labels.joint_score if kind == "hard" else 0.0
    return {
        key: _filtered(_as_panoptic(people, joints), labels, threshold)
        for key, people in detections.items()
    }


def _as_panoptic(people: People2D, joints: tuple[str, ...]) -> People2D:
    if joints == PANOPTIC_15:
        return people
    points, scores = coco_to_panoptic(people.points, people.scores)
    return People2D(points, scores, people.person_scores)


def _filtered(people: People2D, labels: Labels, joint_score: float) -> People2D:
    scores = np.where(people.scores >= joint_score, people.scores, 0.0)
    kept = people.person_scores >= labels.person_score
    kept &= (scores > 0).sum(1) >= labels.min_joints
    return People2D(people.points[kept], scores[kept], people.person_scores[kept])

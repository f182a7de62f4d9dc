"""Joint sets and conversions between them.

The method's joints are the first 15 of CMU Panoptic's ``joints19``; 2D estimators give COCO-17.
"""

import numpy as np
from numpy.typing import NDArray

PANOPTIC_15: tuple[str, ...] = (
    "neck",
    "nose",
    "mid_hip",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "left_hip",
    "left_knee",
    "left_ankle",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "right_hip",
    "right_knee",
    "right_ankle",
)
COCO_17: tuple[str, ...] = (
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
)
N_JOINTS = len(PANOPTIC_15)
NECK, NOSE, ROOT = 0, 1, 2
LEFT: tuple[int, ...] = (3, 4, 5, 6, 7, 8)
RIGHT: tuple[int, ...] = (9, 10, 11, 12, 13, 14)
SWAP_SIDES: tuple[int, ...] = (0, 1, 2, *RIGHT, *LEFT)
"""``pose[SWAP_SIDES]`` exchanges the left and right joints of a Panoptic-15 pose."""

BONES: tuple[tuple[int, int], ...] = (
    (0, 1),
    (0, 2),
    (0, 3),
    (3, 4),
    (4, 5),
    (2, 6),
    (6, 7),
    (7, 8),
    (0, 9),
    (9, 10),
    (10, 11),
    (2, 12),
    (12, 13),
    (13, 14),
)

_COCO_SHOULDERS = (5, 6)
_COCO_HIPS = (11, 12)
_COCO_OF_PANOPTIC = (0, 5, 7, 9, 11, 13, 15, 6, 8, 10, 12, 14, 16)


def coco_to_panoptic(
    points: NDArray[np.float64], scores: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Convert COCO-17 people to Panoptic-15.

    Neck and mid-hip are the mean of the two sides, or the single side that is present; their
    score is the lower of those used. Every other joint is a re-ordering.

    Args:
        points: (..., 17, D) coordinates, any unit.
        scores: (..., 17) confidences; 0 marks a joint that is not there.

    Returns:
        points (..., 15, D) and scores (..., 15).
    """
    neck, neck_score = _mean_of_present(points, scores, _COCO_SHOULDERS)
    hip, hip_score = _mean_of_present(points, scores, _COCO_HIPS)
    rest = list(_COCO_OF_PANOPTIC)
    new_points = np.concatenate([neck, points[..., :1, :], hip, points[..., rest[1:], :]], axis=-2)
    new_scores = np.concatenate(
        [neck_score, scores[..., :1], hip_score, scores[..., rest[1:]]], axis=-1
    )
    return new_points, new_scores


def _mean_of_present(
    points: NDArray[np.float64], scores: NDArray[np.float64], pair: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    present = scores[..., list(pair)] > 0
    weight = present / np.maximum(present.sum(-1, keepdims=True), 1)
    mean = (points[..., list(pair), :] * weight[..., None]).sum(-2, keepdims=True)
    score = np.where(present, scores[..., list(pair)], np.inf).min(-1, keepdims=True)
    return mean, np.where(np.isfinite(score), score, 0.0)

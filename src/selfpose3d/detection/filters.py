"""From detections to labels (paper section 4.2, table 16)."""

import zlib
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from selfpose3d.files.poses2d import People2D, Views
from selfpose3d.parameters import LabelSettings
from selfpose3d.skeletons import SKELETONS, Skeleton

_SIDED = ("shoulder", "elbow", "hip", "knee", "ankle")
_MEASURED = Skeleton(
    ("neck", "mid_hip", *(f"{side}_{part}" for part in _SIDED for side in ("left", "right")))
)
"""The joints between which a person is measured."""
BONE_SHARES: dict[tuple[str, str], float] = {
    ("neck", "mid_hip"): 0.288,
    ("left_shoulder", "left_elbow"): 0.186,
    ("right_shoulder", "right_elbow"): 0.186,
    ("left_hip", "left_knee"): 0.245,
    ("right_hip", "right_knee"): 0.245,
    ("left_knee", "left_ankle"): 0.246,
    ("right_knee", "right_ankle"): 0.246,
}
"""Lengths of trunk, upper arms, thighs and shanks over a person's height (Winter, Biomechanics and
Motor Control of Human Movement, figure 4.1)."""


def make_labels(
    detections: Views,
    labels: LabelSettings,
    kind: Literal["soft", "hard"],
    skeleton: Skeleton | None = None,
) -> dict[tuple[int, str], People2D]:
    """Labels of every image, in the detections' order.

    A person below ``labels.person_score``, or with fewer than ``labels.min_joints`` joints left,
    is dropped. Soft labels keep every joint with its score; in hard labels a joint below
    ``labels.joint_score`` gets score 0.

    Args:
        detections: people by (frame, camera), px of the stored frames.
        labels: the thresholds and the labels' joints.
        kind: kind of the labels, soft or hard.
        skeleton: joints of the labels, if other than ``labels.skeleton``.
    """
    threshold = labels.joint_score if kind == "hard" else 0.0
    people = in_skeleton(detections, skeleton or SKELETONS[labels.skeleton])
    return {key: _filtered(seen, labels, threshold) for key, seen in people.items()}


def in_skeleton(people: Views, skeleton: Skeleton) -> dict[tuple[int, str], People2D]:
    """The 2D people of every image in another skeleton."""
    return {key: seen.converted(skeleton) for key, seen in people.items()}


def with_noise(
    people: Views, percent: float, seed: int, sequence: str
) -> dict[tuple[int, str], People2D]:
    """2D people with normal noise on every joint, the same whatever is kept of them.

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
        noisy[frame, camera] = replace(seen, points=points)
    return noisy


def _heights(people: People2D) -> NDArray[np.float64]:
    """(P,) how tall people would be in the image, px, standing: from the bone that is least
    foreshortened, so that it does not shrink when somebody crouches."""
    measured = people.converted(_MEASURED)
    ends = np.array([[_MEASURED.index(joint) for joint in bone] for bone in BONE_SHARES])
    starts, stops = (measured.points[:, ends[:, side]] for side in (0, 1))
    lengths = np.linalg.norm(starts - stops, axis=-1)
    there = (measured.scores[:, ends] > 0).all(-1)
    heights: NDArray[np.float64] = (lengths * there / list(BONE_SHARES.values())).max(-1, initial=0)
    return heights


def _filtered(people: People2D, labels: LabelSettings, joint_score: float) -> People2D:
    scores = np.where(people.scores >= joint_score, people.scores, 0.0)
    kept = people.person_scores >= labels.person_score
    kept &= (scores > 0).sum(1) >= labels.min_joints
    return replace(people, scores=scores).where(kept)

"""Filters that turn detections into labels (paper section 4.2, table 16)."""

import zlib
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from selfpose3d.errors import InputError
from selfpose3d.files.poses2d import People2D, Views, skeleton_of
from selfpose3d.parameters import LabelSettings
from selfpose3d.skeletons import Skeleton, converted, of_labels

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
    own = skeleton_of(detections, "the detections")
    people = in_skeleton(detections, skeleton or of_labels(labels.skeleton, own))
    return {key: _filtered(seen, labels, kind) for key, seen in people.items()}


@dataclass(frozen=True)
class Remedies:
    """Settings that keep people whom a threshold drops, in the words of a step; {} becomes the
    value.

    Args:
        person_score: of people whose score is too low.
        min_joints: of people who have too few joints.
    """

    person_score: str = "labels.person_score: {} keeps them"
    min_joints: str = "labels.min_joints: {} keeps those who have any"


@dataclass(frozen=True)
class Losses:
    """The people whom the thresholds of labels dropped.

    Args:
        people: how many there were.
        low: (L,) scores of those below ``labels.person_score``.
        few: (F,) numbers of joints of the others, who have fewer than ``labels.min_joints``.
        remedies: what keeps them.
    """

    people: int
    low: NDArray[np.float64]
    few: NDArray[np.int64]
    remedies: Remedies

    @property
    def left(self) -> int:
        """The number of people who are left."""
        return self.people - len(self.low) - len(self.few)

    def said(self, labels: LabelSettings) -> str:
        """A sentence on the dropped people: by which threshold, and what would keep them."""
        if self.left == self.people:
            return f"all {self.people} people are kept"
        parts = []
        if len(self.low):
            lowest, highest = np.floor(100 * self.low.min() + 1e-3) / 100, self.low.max()
            remedy = self.remedies.person_score.format(f"{lowest:g}")
            parts.append(
                f"{len(self.low)} with a score below {labels.person_score:g} (up to {highest:.3g}; "
                f"{remedy})"
            )
        if len(self.few):
            remedy = self.remedies.min_joints.format(max(1, int(self.few.min())))
            parts.append(f"{len(self.few)} with fewer than {labels.min_joints} joints ({remedy})")
        return f"dropped {self.people - self.left} of {self.people} people: {'; '.join(parts)}"


def losses(
    detections: Views,
    labels: LabelSettings,
    kind: Literal["soft", "hard"],
    where: str,
    remedies: Remedies = Remedies(),
) -> Losses:
    """Whom ``make_labels`` drops of detections in the labels' joints.

    Raises:
        InputError: nobody is left of people who were there.
    """
    low, few, count = [np.zeros(0)], [np.zeros(0, dtype=np.int64)], 0
    for people in detections.values():
        weak = people.person_scores < labels.person_score
        joints = (_joint_scores(people, labels, kind) > 0).sum(1)[~weak]
        low.append(people.person_scores[weak])
        few.append(joints[joints < labels.min_joints])
        count += len(people)
    found = Losses(count, np.concatenate(low), np.concatenate(few), remedies)
    if count and not found.left:
        raise InputError(f"{where}: nobody is left; {found.said(labels)}")
    return found


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
    points, scores = converted(
        people.points, people.scores, people.skeleton, _MEASURED, partly=True
    )
    ends = np.array([[_MEASURED.index(joint) for joint in bone] for bone in BONE_SHARES])
    starts, stops = (points[:, ends[:, side]] for side in (0, 1))
    lengths = np.linalg.norm(starts - stops, axis=-1)
    there = (scores[:, ends] > 0).all(-1)
    heights: NDArray[np.float64] = (lengths * there / list(BONE_SHARES.values())).max(-1, initial=0)
    return heights


def _joint_scores(
    people: People2D, labels: LabelSettings, kind: Literal["soft", "hard"]
) -> NDArray[np.float64]:
    """(P, J) of the joints that labels of a kind keep, 0 of the others."""
    least = labels.joint_score if kind == "hard" else 0.0
    return np.where(people.scores >= least, people.scores, 0.0)


def _filtered(people: People2D, labels: LabelSettings, kind: Literal["soft", "hard"]) -> People2D:
    scores = _joint_scores(people, labels, kind)
    kept = people.person_scores >= labels.person_score
    kept &= (scores > 0).sum(1) >= labels.min_joints
    return replace(people, scores=scores).where(kept)

"""Joint sets, what follows from their joints' names, and conversions between them.

Joints are named as the field names them: ``nose``, ``left_knee``, ``mid_hip``. A skeleton is an
ordered set of such names. Sides, bones and the root follow from the names, so that a file that
names its joints says all that a method has to know.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfpose3d.errors import InputError

_LINKS: Mapping[str, tuple[str, ...]] = {
    "nose": ("neck",),
    "mid_hip": ("neck",),
    "left_eye": ("nose",),
    "right_eye": ("nose",),
    "left_ear": ("left_eye", "nose"),
    "right_ear": ("right_eye", "nose"),
    "left_shoulder": ("neck", "right_shoulder"),
    "right_shoulder": ("neck",),
    "left_elbow": ("left_shoulder",),
    "right_elbow": ("right_shoulder",),
    "left_wrist": ("left_elbow",),
    "right_wrist": ("right_elbow",),
    "left_hip": ("mid_hip", "left_shoulder"),
    "right_hip": ("mid_hip", "right_shoulder"),
    "left_knee": ("left_hip",),
    "right_knee": ("right_hip",),
    "left_ankle": ("left_knee",),
    "right_ankle": ("right_knee",),
    "upper_neck": ("neck", "nose"),
    "head": ("neck", "nose"),
    "head_top": ("upper_neck", "nose", "neck"),
    **{
        f"{side}_{part}": tuple(f"{side}_{parent}" for parent in parents)
        for side in ("left", "right")
        for part, parents in {
            "heel": ("ankle",),
            "big_toe": ("heel", "ankle"),
            "small_toe": ("big_toe", "heel", "ankle"),
            "foot_index": ("heel", "ankle"),
            "eye_inner": ("eye",),
            "eye_outer": ("eye",),
            "pinky": ("wrist",),
            "index": ("wrist",),
            "thumb": ("wrist",),
        }.items()
    },
    "left_mouth": ("nose",),
    "right_mouth": ("left_mouth", "nose"),
}
"""What a joint hangs on: the first of these that the skeleton has."""

_DERIVED: Mapping[str, tuple[str, str]] = {
    "neck": ("left_shoulder", "right_shoulder"),
    "mid_hip": ("left_hip", "right_hip"),
}
"""Joints that are the mean of two others where a skeleton lacks them."""

_FACE = frozenset(
    {
        "nose",
        *(
            f"{side}_{part}"
            for side in ("left", "right")
            for part in ("eye", "ear", "eye_inner", "eye_outer", "mouth")
        ),
    }
)
_SMALL = ("pinky", "index", "thumb", "heel", "big_toe", "small_toe", "foot_index")
_ENDS = frozenset(f"{side}_{part}" for side in ("left", "right") for part in _SMALL)
"""Joints of hands and feet, whose bones are as short as an estimator's errors are large."""
_ARM, _LEG = ("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle")


@dataclass(frozen=True)
class Skeleton:
    """An ordered set of joints.

    Args:
        joints: their names; a joint of a side begins with ``left_`` or ``right_``.
    """

    joints: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.joints)

    def index(self, joint: str) -> int:
        """The number of a joint."""
        return self.joints.index(joint)

    def has(self, *joints: str) -> bool:
        """Whether it has all of these joints."""
        return set(joints) <= set(self.joints)

    def can_be(self, joint: str) -> bool:
        """Whether a joint is one of its own, or the mean of two of them."""
        return bool(_made_of(joint, self))

    @property
    def has_a_root(self) -> bool:
        """Whether it names the root: the mid-hip, or both hips."""
        return self.can_be("mid_hip")

    @cached_property
    def root(self) -> tuple[int, ...]:
        """The joints whose mean is the root: the mid-hip, or both hips."""
        names = ("mid_hip",) if self.has("mid_hip") else _DERIVED["mid_hip"]
        return tuple(map(self.index, names))

    @property
    def with_root(self) -> "Skeleton":
        """The same joints and, where the root is none of them, the root as the last."""
        return self if self.has("mid_hip") else Skeleton((*self.joints, "mid_hip"))

    @cached_property
    def neck(self) -> tuple[int, ...]:
        """The joints whose mean is the neck: itself, or both shoulders."""
        names = ("neck",) if self.has("neck") else _DERIVED["neck"]
        return tuple(map(self.index, names))

    @cached_property
    def left(self) -> tuple[int, ...]:
        """The joints of the left side."""
        return tuple(j for j, name in enumerate(self.joints) if name.startswith("left_"))

    @cached_property
    def right(self) -> tuple[int, ...]:
        """The joints of the right side, in the order of ``left``."""
        names = (self.joints[joint].replace("left_", "right_", 1) for joint in self.left)
        return tuple(map(self.index, names))

    @cached_property
    def central(self) -> tuple[int, ...]:
        """The joints of neither side."""
        sides = {*self.left, *self.right}
        return tuple(joint for joint in range(len(self)) if joint not in sides)

    @cached_property
    def swapped(self) -> list[int]:
        """``pose[..., swapped, :]`` exchanges the left and right joints of a pose."""
        order = list(range(len(self)))
        for left, right in zip(self.left, self.right, strict=True):
            order[left], order[right] = right, left
        return order

    @cached_property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """Pairs of joints that are drawn as linked, the one nearer to the trunk first."""
        return tuple(
            (self.index(parent), joint)
            for joint, name in enumerate(self.joints)
            if (parent := next(filter(self.has, _LINKS.get(name, ())), None)) is not None
        )

    @cached_property
    def long_bones(self) -> tuple[tuple[int, int], ...]:
        """The bones but for those within the face, the hands and the feet, whose lengths tell a
        person from a mistake."""
        return tuple(
            (a, b)
            for a, b in self.bones
            if not {self.joints[a], self.joints[b]} <= _FACE and self.joints[b] not in _ENDS
        )

    @cached_property
    def limbs(self) -> tuple[list[int], ...]:
        """The joints of both arms and of both legs, which estimators exchange together, with
        those of hands and feet; as far as the skeleton has them."""
        named = (
            [f"{side}_{part}" for side in ("left", "right") for part in limb]
            for limb in (_ARM + _SMALL[:3], _LEG + _SMALL[3:])
        )
        return tuple([self.index(name) for name in names if self.has(name)] for names in named)

    @cached_property
    def trunk(self) -> tuple[int, ...]:
        """Shoulders and hips, around."""
        corners = ("left_shoulder", "right_shoulder", "right_hip", "left_hip")
        return tuple(map(self.index, corners))

    def roots(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """(..., D) roots of poses (..., J, D)."""
        mean: NDArray[np.float64] = points[..., list(self.root), :].mean(-2)
        return mean

    def has_root(self, valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(...) whether the root of poses with these valid joints (..., J) is known."""
        return np.asarray(valid[..., list(self.root)].all(-1))


_SIDE_BY_SIDE = tuple(f"{side}_{part}" for side in ("left", "right") for part in (*_ARM, *_LEG))
_EYES_AND_EARS = ("left_eye", "left_ear", "right_eye", "right_ear")
_IN_PAIRS = tuple(
    f"{side}_{part}" for part in ("eye", "ear", *_ARM, *_LEG) for side in ("left", "right")
)

PANOPTIC_15 = Skeleton(("neck", "nose", "mid_hip", *_SIDE_BY_SIDE))
"""The first 15 of CMU Panoptic's ``joints19``, which the published methods use."""
PANOPTIC_19 = Skeleton((*PANOPTIC_15.joints, *_EYES_AND_EARS))
"""CMU Panoptic's ``joints19``."""
COCO_17 = Skeleton(("nose", *_IN_PAIRS))
"""COCO's key points, which most 2D estimators give."""

_FEET = ("big_toe", "small_toe", "heel")
_FEET_BY_SIDE = tuple(f"{side}_{part}" for side in ("left", "right") for part in _FEET)
_FEET_IN_PAIRS = tuple(f"{side}_{part}" for part in _FEET for side in ("left", "right"))
_EYES_THEN_EARS = tuple(f"{side}_{part}" for part in ("eye", "ear") for side in ("right", "left"))


def _right_then_left(limb: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{side}_{part}" for side in ("right", "left") for part in limb)


COCO_18 = Skeleton(
    ("nose", "neck", *_right_then_left(_ARM), *_right_then_left(_LEG), *_EYES_THEN_EARS)
)
"""OpenPose's COCO model."""
BODY_25 = Skeleton(
    (
        *("nose", "neck", *_right_then_left(_ARM), "mid_hip", *_right_then_left(_LEG)),
        *(*_EYES_THEN_EARS, *_FEET_BY_SIDE),
    )
)
"""OpenPose's BODY_25."""
BODY_25B = Skeleton((*COCO_17.joints, "upper_neck", "head_top", *_FEET_BY_SIDE))
"""OpenPose's BODY_25B: COCO's key points first, no mid-hip."""
HALPE_26 = Skeleton((*COCO_17.joints, "head_top", "neck", "mid_hip", *_FEET_IN_PAIRS))
"""HALPE_26, of AlphaPose, and of RTMPose with feet."""
_HANDS = tuple(f"{side}_hand_{point}" for side in ("left", "right") for point in range(21))
_OUTLINE = tuple(f"face_{point}" for point in range(68))
COCO_133 = Skeleton((*COCO_17.joints, *_FEET_BY_SIDE, *_OUTLINE, *_HANDS))
"""COCO-WholeBody."""
HALPE_136 = Skeleton((*HALPE_26.joints, *_OUTLINE, *_HANDS))
"""HALPE_136, of AlphaPose."""
_EYES = tuple(
    f"{side}_{part}" for side in ("left", "right") for part in ("eye_inner", "eye", "eye_outer")
)
_ARMS_AND_HANDS = (*_ARM, "pinky", "index", "thumb")
BLAZEPOSE_33 = Skeleton(
    (
        *("nose", *_EYES, "left_ear", "right_ear", "left_mouth", "right_mouth"),
        *(f"{side}_{part}" for part in _ARMS_AND_HANDS for side in ("left", "right")),
        *(f"{side}_{p}" for p in (*_LEG, "heel", "foot_index") for side in ("left", "right")),
    )
)
"""BlazePose's landmarks."""

SHELF_14 = Skeleton(
    (
        *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"),
        *("right_wrist", "right_elbow", "right_shoulder"),
        *("left_shoulder", "left_elbow", "left_wrist", "upper_neck", "head_top"),
    )
)
"""The truth of Shelf and Campus, whose "bottom head" is the upper neck."""
MVOR_10 = Skeleton(
    (
        "head",
        "neck",
        *(f"{s}_{p}" for p in ("shoulder", "hip", *_ARM[1:]) for s in ("left", "right")),
    )
)
"""The truth of MVOR: upper bodies."""

SKELETONS: Mapping[str, Skeleton] = {
    "panoptic15": PANOPTIC_15,
    "panoptic19": PANOPTIC_19,
    "coco17": COCO_17,
    "coco18": COCO_18,
    "body25": BODY_25,
    "body25b": BODY_25B,
    "halpe26": HALPE_26,
    "blazepose33": BLAZEPOSE_33,
    "coco133": COCO_133,
    "halpe136": HALPE_136,
    "shelf14": SHELF_14,
    "mvor10": MVOR_10,
}
"""The joint sets that parameters and options can name."""


ESTIMATORS_OWN = "estimator"
"""The name that stands for the estimator's own joints, in the place of a joint set's name."""


def named_or(name: str, own: Skeleton) -> Skeleton:
    """The joint set of a name, or the estimator's own.

    Raises:
        InputError: the estimator's own name no root.
    """
    chosen = own if name == ESTIMATORS_OWN else SKELETONS[name]
    if not chosen.has_a_root or not chosen.left:
        raise InputError(
            f"joints {list(chosen.joints)}: a root (mid_hip, or both hips) and two sides are "
            "needed; choose another estimator"
        )
    return chosen


def of_labels(name: str, own: Skeleton) -> Skeleton:
    """The joints of labels: those of ``named_or``, with the root among them, since a root that is
    the mean of two hips has no heatmap of its own."""
    return named_or(name, own).with_root


def named_in_file(joints: Sequence[str] | None) -> Skeleton:
    """The skeleton of a file that names its joints; Panoptic-15, which older files hold, where it
    names none."""
    return PANOPTIC_15 if joints is None else Skeleton(tuple(joints))


def common_skeleton(skeletons: Sequence[Skeleton], what: str) -> Skeleton:
    """The one skeleton of several things; Panoptic-15 of none.

    Raises:
        InputError: they are not all of one; ``what`` says what they are.
    """
    different = list(dict.fromkeys(skeletons)) or [PANOPTIC_15]
    if len(different) > 1:
        first, second = (list(skeleton.joints) for skeleton in different[:2])
        raise InputError(
            f"{what} are of different joints, {first} and {second}; make all of them with one "
            "labels.skeleton"
        )
    return different[0]


def converted(
    points: NDArray[np.float64],
    scores: NDArray[np.float64],
    source: Skeleton,
    target: Skeleton,
    both_sides: bool = False,
    partly: bool = False,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Convert people to another skeleton.

    Neck and mid-hip, where the source has none, are the mean of the two sides, or the single side
    that is there; their score is the lower of those used. Every other joint is taken by its name.

    Args:
        points: (..., J, D) coordinates, any unit.
        scores: (..., J) confidences; 0 marks a joint that is not there.
        source: of the people.
        target: wanted.
        both_sides: a mean of which one side is missing is not there.
        partly: joints that the source lacks are not there; otherwise they are an error.

    Returns:
        points (..., K, D) and scores (..., K).

    Raises:
        InputError: the source lacks a joint, and not ``partly``.
    """
    if source == target:
        return points, scores
    made_of = [_made_of(name, source) for name in target.joints]
    lacking = [name for name, parts in zip(target.joints, made_of, strict=True) if not parts]
    if lacking and not partly:
        raise InputError(
            f"people lack the joints {lacking}; they have {list(source.joints)}; give people of "
            "an estimator that finds these joints, or choose another labels.skeleton"
        )
    columns = [_mean_of_present(points, scores, parts, both_sides) for parts in made_of]
    return np.stack([p for p, _ in columns], -2), np.stack([s for _, s in columns], -1)


def lowest(
    values: NDArray[Any], source: Skeleton, target: Skeleton, lacking: float
) -> NDArray[Any]:
    """Values of joints in another skeleton; what is the mean of two joints has the lower value.

    Args:
        values: (..., J), one of them NaN making the lower one NaN.
        source: the J joints.
        target: wanted, K joints.
        lacking: value of joints that the source lacks.

    Returns:
        (..., K).
    """
    if source == target:
        return values
    made_of = [_made_of(name, source) for name in target.joints]
    absent = np.full(values.shape[:-1], lacking, dtype=values.dtype)
    columns = [values[..., parts].min(-1) if parts else absent for parts in made_of]
    return np.stack(columns, -1)


def _made_of(name: str, source: Skeleton) -> list[int]:
    """The joints of which a joint is the mean; none: it can't be made."""
    parts = (name,) if source.has(name) else _DERIVED.get(name, ())
    return [source.index(part) for part in parts] if source.has(*parts) else []


def _mean_of_present(
    points: NDArray[np.float64], scores: NDArray[np.float64], parts: list[int], all_of_them: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if not parts:
        return np.zeros((*points.shape[:-2], points.shape[-1])), np.zeros(scores.shape[:-1])
    if len(parts) == 1:
        return points[..., parts[0], :], scores[..., parts[0]]
    present = scores[..., parts] > 0
    if all_of_them:
        present &= present.all(-1, keepdims=True)
    weight = present / np.maximum(present.sum(-1, keepdims=True), 1)
    mean = (points[..., parts, :] * weight[..., None]).sum(-2)
    score = np.where(present, scores[..., parts], np.inf).min(-1)
    return mean, np.where(np.isfinite(score), score, 0.0)

"""Lengths of bones against those of a standing person: who is possible, and of which size.

Letters: P people, J joints, B long bones.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from selfpose3d.reconstruction.standing import WHOLE, standing_joints
from selfpose3d.skeletons import Skeleton

LARGEST_MISFIT = 1.0
"""A bone's length is wrong by a factor of e at most."""
POSSIBLE = (0.6, 1.4)
"""Shortest and longest bone over that of a standing person of the person's size."""
TOLERANCE_MM = 100.0
"""A bone whose length is wrong by less is possible."""
MOST_MISFIT = 0.5
"""Largest misfit of the bones of a person (``bone_misfit``)."""
LARGEST_MM = 2200.0
"""Farthest that joints of a person lie apart, with an arm stretched up."""
SIZES = (0.5, 1.3)
"""Smallest and largest size of a person, over 1.7 m."""
FEWEST = 3
"""Fewest bones that tell a person's size."""


@dataclass(frozen=True)
class LongBones:
    """The long bones of a skeleton of which a standing person's length is known.

    Args:
        ends: (2, B) joints.
        lengths: (B,) in a person of 1.7 m, mm.
    """

    ends: NDArray[np.int64]
    lengths: NDArray[np.float64]


@cache
def long_bones(skeleton: Skeleton) -> LongBones:
    """The long bones of a skeleton; none where it has none that are known."""
    named = [[skeleton.joints[end] for end in bone] for bone in skeleton.long_bones]
    ends = [[skeleton.index(joint) for joint in bone] for bone in named if WHOLE.has(*bone)]
    array = np.array(ends, dtype=np.int64).reshape(-1, 2).T
    joints = standing_joints(skeleton)
    return LongBones(array, np.linalg.norm(joints[array[0]] - joints[array[1]], axis=-1))


def bone_misfit(
    joints: NDArray[np.float64], weights: NDArray[np.float64], bones: LongBones
) -> NDArray[np.float64]:
    """The misfit of people's bones: how far their lengths are from a standing person's.

    Args:
        joints: (P, J, 3) mm.
        weights: (P, J) of the joints; 0 where a joint is not known.
        bones: of the skeleton.

    Returns:
        (P,) mean of the logarithms of the ratios, either way, weighted by the lower weight of the
        bones' ends and by their length; 0 where nothing has weight.
    """
    start, end = bones.ends
    difference = joints[:, start] - joints[:, end]
    squared = np.einsum("pbx,pbx->pb", difference, difference)
    logarithm = np.abs(np.log(np.maximum(squared, 1.0) / bones.lengths**2)) / 2
    weight = np.minimum(weights[:, start], weights[:, end]) * bones.lengths
    wrong = np.minimum(logarithm, LARGEST_MISFIT) * weight
    misfit: NDArray[np.float64] = wrong.sum(axis=1) / np.maximum(weight.sum(axis=1), 1e-12)
    return misfit


def possible_joints(
    joints: NDArray[np.float64], known: NDArray[np.bool_], bones: LongBones
) -> NDArray[np.bool_]:
    """(P, J) mask of the known joints whose distance from their parents is a possible length of the
    bone.

    Args:
        joints: (P, J, 3) mm.
        known: (P, J).
        bones: of the skeleton.
    """
    shares = bone_shares(joints, known, bones)
    size = statures(shares)[:, None]
    wrong = (shares < POSSIBLE[0] * size) | (shares > POSSIBLE[1] * size)
    wrong &= np.abs(shares - size) * bones.lengths > TOLERANCE_MM
    possible = known.copy()
    for bone, (parent, joint) in enumerate(bones.ends.T):
        possible[:, joint] &= ~(wrong[:, bone] & possible[:, parent])
    return possible


def bone_shares(
    joints: NDArray[np.float64], known: NDArray[np.bool_], bones: LongBones
) -> NDArray[np.float64]:
    """(P, B) lengths over those of a standing person; NaN where an end (P, J) isn't known."""
    start, end = bones.ends
    lengths = np.linalg.norm(joints[:, end] - joints[:, start], axis=-1)
    there = known[:, start] & known[:, end]
    shares: NDArray[np.float64] = np.where(there, lengths / bones.lengths, np.nan)
    return shares


def statures(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """(P,) size of people over that of a person of 1.7 m, by the shares (P, B) of their bones; 1
    where fewer than ``FEWEST`` are known."""
    few = np.isfinite(shares).sum(axis=1, keepdims=True) < FEWEST
    known = np.column_stack([np.where(few, np.nan, shares), np.where(few, 1.0, np.nan)])
    size: NDArray[np.float64] = np.clip(np.nanmedian(known, axis=1), *SIZES)
    return size


def is_possible(
    joints: NDArray[np.float64], known: NDArray[np.bool_], bones: LongBones
) -> NDArray[np.bool_]:
    """(P,) whether the known joints (P, J) of people (P, J, 3) mm can be those of a person: they
    don't lie too far apart, and the bones fit, where there are enough of them."""
    ends = np.unique(bones.ends)
    places = np.where(known[:, ends, None], joints[:, ends], np.nan)
    extent = np.nanmax(places, axis=1, initial=-np.inf) - np.nanmin(places, axis=1, initial=np.inf)
    possible: NDArray[np.bool_] = (extent <= LARGEST_MM).all(axis=1)
    few = (known[:, bones.ends[0]] & known[:, bones.ends[1]]).sum(axis=1) < FEWEST
    return possible & (few | (bone_misfit(joints, known.astype(float), bones) <= MOST_MISFIT))
